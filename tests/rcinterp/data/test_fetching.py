"""Downloads from a server on this machine that cuts connections, ignores ranges and serves damaged files."""

import base64
import errno
import gzip
import hashlib
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from rcinterp.data.datasets import load_split
from rcinterp.data.fetching import CHROMOSOMES, DATASETS, Connection, ResumingDownloader, Store, fetch_dataset
from rcinterp.data.sequences import read_fasta
from rcinterp.errors import InputError

FAST = Connection(tries=4, backoff=0.001, timeout=10)
TF, DNASE, GENOME = "encodeDCC/wgEncodeAwgTfbsUniform", "encodeDCC/wgEncodeAwgDnaseUniform", "chromosomes"
CTCF, OPEN = DATASETS["gm12878-ctcf"].peaks, "wgEncodeAwgDnaseUwdukeGm12878UniPk.narrowPeak.gz"


class Handler(BaseHTTPRequestHandler):
    """Serves server.files; the first of server.faults[path] says what goes wrong this time."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        path = self.path.lstrip("/")
        faults = self.server.faults.get(path, [])
        fault = faults.pop(0) if faults else ""
        wanted = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        start = int(wanted[1]) if wanted and fault != "no range" else 0
        data = self.server.files.get(path)
        status = (
            404 if data is None else int(fault) if fault.isdigit() else 206 if wanted and fault != "no range" else 200
        )
        if status == 206 and start >= len(data):
            status = 416
        body = data[start:] if status in (200, 206) else b"no"
        body = b"x" * len(body) if fault == "damaged" else body
        sent = body[: len(body) // 2] if fault == "cut" else body
        self.server.served.append((path, self.headers.get("Range"), status, len(sent)))  # before the client can go on
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if status in (206, 416):
            first = start + (7 if fault == "wrong range" else 0)
            self.send_header(
                "Content-Range", f"bytes {f'{first}-{len(data) - 1}' if status == 206 else '*'}/{len(data)}"
            )
        self.end_headers()
        self.close_connection = fault == "cut"
        self.wfile.write(sent)

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = False  # closing waits for them

    def __init__(self, files):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.faults, self.served = files, {}, []
        self.url = f"http://127.0.0.1:{self.server_port}"

    def served_of(self, path):
        return [entry[1:] for entry in self.served if entry[0] == path]


@contextmanager
def serving(files):
    with Server(files) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def with_sums(files, name_first=()):
    """The files, with an md5sum.txt in each folder; UCSC writes it in either order."""
    sums = {}
    for path, data in files.items():
        folder, _, name = path.rpartition("/")
        md5 = hashlib.md5(data).hexdigest()
        sums[folder] = sums.get(folder, "") + (f"{name} {md5}\n" if folder in name_first else f"{md5}  ./{name}\n")
    return {**files, **{f"{folder}/md5sum.txt": text.encode() for folder, text in sums.items()}}


def narrowpeaks(chroms, centres):
    lines = (f"{chrom}\t{c - 40}\t{c + 60}\t.\t0\t.\t1\t-1\t-1\t40\n" for chrom in chroms for c in centres)
    return gzip.compress("".join(lines).encode(), mtime=0)


@pytest.fixture(scope="module")
def files():
    """The server's folders: chr21 and chr22 of 4,000 random bases, peaks about every 400th, open between them."""
    rng = np.random.default_rng(0)
    dna = {chrom: "".join(rng.choice(list("acgt"), 4000)) for chrom in ("chr1", "chr2", "chr3", "chr21", "chr22")}
    served = {f"{GENOME}/{c}.fa.gz": gzip.compress(f">{c}\n{s}\n".encode(), mtime=0) for c, s in dna.items()}
    for known in DATASETS.values():
        served[f"{TF}/{known.peaks}"] = narrowpeaks(dna, range(200, 4000, 400))
    served[f"{DNASE}/{OPEN}"] = narrowpeaks(dna, range(400, 3900, 400))
    return with_sums(served, name_first=(TF, DNASE))


@pytest.fixture
def server(files, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    with serving(dict(files)) as server:
        yield server


@pytest.fixture
def said():
    return []


@pytest.fixture
def fetch(server, tmp_path, said):
    """Give ``fetch()``: chr21 fetched into a cache, through a store of its own."""

    def fetch(folder=GENOME, name="chr21.fa.gz"):
        return Store(tmp_path / "cache", server.url, FAST, said.append).fetch(folder, name)

    return fetch


PATH = f"{GENOME}/chr21.fa.gz"


def leftovers(folder):
    return sorted(p.name for p in folder.rglob("*") if p.is_file() and p.name not in (".lock", "md5sum.txt"))


def test_a_file_is_fetched_once(server, fetch, said):
    path = fetch()
    assert path.read_bytes() == server.files[PATH]
    assert said == [f"fetching {server.url}/{GENOME}/md5sum.txt", f"fetching {server.url}/{PATH}"]
    n_requests = len(server.served)
    assert fetch() == path
    assert len(server.served) == n_requests
    assert leftovers(path.parent) == ["chr21.fa.gz"]


def test_a_file_is_on_the_disk_before_it_has_its_name(server, fetch, monkeypatch):
    """... or a power cut leaves an empty one, which is taken for what was fetched."""
    done, fsync, rename = [], os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda file: (done.append("on the disk"), fsync(file)))

    def name(path, target):
        done.append(f"named {Path(target).suffix}")
        return rename(path, target)

    monkeypatch.setattr(Path, "replace", name)
    fetch()
    places = [i for i, what in enumerate(done) if what == "named .gz"]
    assert places
    assert all(done[i - 1] == "on the disk" for i in places)


def test_a_bar_shows_what_has_arrived_if_wanted(server, tmp_path, said, capsys):
    for progress in (False, True):
        Store(tmp_path / str(progress), server.url, FAST, said.append, progress).fetch(GENOME, "chr21.fa.gz")
        shown = capsys.readouterr().err
        assert bool(re.search(r"\rchr21\.fa\.gz: .*B/s", shown)) is progress
        assert bool(shown) is progress


@pytest.mark.parametrize("n_cuts", [1, 3])
def test_a_cut_connection_is_resumed(server, fetch, n_cuts):
    server.faults[PATH] = ["cut"] * n_cuts
    assert fetch().read_bytes() == server.files[PATH]
    served = server.served_of(PATH)
    positions = np.cumsum([0, *(n for _, _, n in served)])
    assert [asked for asked, _, _ in served] == [None, *(f"bytes={n}-" for n in positions[1:-1])]
    assert positions[-1] == len(server.files[PATH])  # no byte came twice


def test_what_arrived_before_giving_up_is_the_beginning_of_the_next_run(server, fetch, tmp_path):
    server.faults[PATH] = ["cut"] * FAST.tries
    with pytest.raises(InputError, match=r"chr21\.fa\.gz: cannot be fetched \(cut \d+ bytes before its end\)"):
        fetch()
    assert leftovers(tmp_path) == ["chr21.fa.gz.part"]
    assert fetch().read_bytes() == server.files[PATH]
    assert sum(n for _, _, n in server.served_of(PATH)) == len(server.files[PATH])
    assert leftovers(tmp_path) == ["chr21.fa.gz"]


def test_a_server_that_ignores_ranges_starts_over(server, fetch):
    server.faults[PATH] = ["cut", "no range"]
    assert fetch().read_bytes() == server.files[PATH]
    assert [status for _, status, _ in server.served_of(PATH)] == [200, 200]


def test_a_server_that_sends_another_range_is_asked_again(server, fetch):
    server.faults[PATH] = ["cut", "wrong range"]
    assert fetch().read_bytes() == server.files[PATH]
    assert [asked is None for asked, _, _ in server.served_of(PATH)] == [True, False, True]


@pytest.mark.parametrize("extra", [b"", b"and more"])
def test_a_part_that_is_whole_or_too_long(server, fetch, tmp_path, said, extra):
    """The server answers 416; a whole part is taken, a longer one dropped."""
    part = tmp_path / "cache" / f"{PATH}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(server.files[PATH] + extra)
    assert fetch().read_bytes() == server.files[PATH]
    assert [status for _, status, _ in server.served_of(PATH)] == ([416, 200] if extra else [416])
    assert not any("damaged" in line for line in said)


def test_a_part_of_another_file_is_found_out_at_the_end(server, fetch, tmp_path):
    part = tmp_path / "cache" / f"{PATH}.part"
    part.parent.mkdir(parents=True)
    part.write_bytes(b"other")
    assert fetch().read_bytes() == server.files[PATH]
    assert [asked for asked, _, _ in server.served_of(PATH)] == ["bytes=5-", None]


@pytest.mark.parametrize("step", ["ResumingDownloader._bar", "pooch.file_hash", "shutil.copyfileobj"])
def test_a_killed_process_leaves_nothing_in_the_cache_that_stays(server, tmp_path, step):
    """While a file arrives, when it has, and while it is unpacked."""
    code = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom rcinterp.data import fetching\n"
        f"fetching.{step} = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)\n"
        "store = fetching.Store(Path(sys.argv[1]), sys.argv[2], fetching.Connection(), print)\n"
        "store.fetch_unpacked(sys.argv[3], 'chr21.fa.gz')"
    )
    killed = subprocess.run([sys.executable, "-c", code, tmp_path, server.url, GENOME], capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    Store(tmp_path, server.url, FAST, str).fetch_unpacked(GENOME, "chr21.fa.gz")
    files = {path.relative_to(tmp_path / GENOME).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert files == {
        ".lock",
        "md5sum.txt",
        "chr21.fa.gz",
        "unpacked/.lock",
        "unpacked/chr21.fa",
        "unpacked/sha256sum.txt",
    }


def test_a_full_disk_is_told_of_the_cache(server, fetch, tmp_path, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(ResumingDownloader, "_bar", full)
    with pytest.raises(OSError, match="No space left on device") as error:
        fetch()
    assert error.value.filename == str(tmp_path / "cache" / GENOME)


def test_a_file_damaged_once_is_fetched_again(server, fetch, said):
    server.faults[PATH] = ["damaged"]
    assert fetch().read_bytes() == server.files[PATH]
    assert re.search(r"arrived damaged \(MD5 [0-9a-f]{32}, not [0-9a-f]{32}\): fetching it again$", said[-1])


def test_a_file_that_is_always_damaged_is_not_kept(server, fetch, tmp_path):
    server.faults[PATH] = ["damaged"] * 9
    good, bad = (hashlib.md5(d).hexdigest() for d in (server.files[PATH], b"x" * len(server.files[PATH])))
    with pytest.raises(InputError, match=rf"{server.url}/{PATH}: arrived twice with MD5 {bad}, expected {good}"):
        fetch()
    assert len(server.served_of(PATH)) == 2
    assert leftovers(tmp_path) == []


def test_a_file_damaged_in_the_cache_is_fetched_again(server, fetch):
    path = fetch()
    path.write_bytes(path.read_bytes()[:-1])
    assert fetch().read_bytes() == server.files[PATH]


@pytest.mark.parametrize(("fault", "n"), [("404", 1), ("403", 1), ("503", FAST.tries), ("429", FAST.tries)])
def test_a_server_that_refuses(server, fetch, tmp_path, fault, n):
    server.faults[PATH] = [fault] * 9
    with pytest.raises(InputError, match=rf"{PATH}: .*HTTP status {fault}") as caught:
        fetch()
    assert "\n" not in str(caught.value)
    assert len(server.served_of(PATH)) == n
    assert leftovers(tmp_path) == []


def test_a_busy_server_is_asked_again(server, fetch):
    server.faults[PATH] = ["503", "503"]
    assert fetch().read_bytes() == server.files[PATH]


def test_a_file_that_is_not_listed(server, fetch):
    whole = server.files[f"{GENOME}/md5sum.txt"]
    server.files[f"{GENOME}/md5sum.txt"] = b"0123456789abcdef0123456789abcdef  chr21.fa.gz.old\n<html>\n"
    with pytest.raises(InputError, match=r"md5sum\.txt: does not list chr21\.fa\.gz, expected its MD5"):
        fetch()
    assert server.served_of(PATH) == []
    server.files[f"{GENOME}/md5sum.txt"] = whole
    assert fetch().read_bytes() == server.files[PATH]


def test_a_list_that_lost_what_is_cached_is_asked_for_again(server, fetch):
    fetch()
    whole = server.files[f"{GENOME}/md5sum.txt"]
    server.files |= with_sums({f"{GENOME}/chr22.fa.gz": b"new"})
    fetch(name="chr22.fa.gz")  # the kept list is of chr22 alone
    server.files[f"{GENOME}/md5sum.txt"] = whole
    assert fetch().read_bytes() == server.files[PATH]
    assert len(server.served_of(PATH)) == 1, "from the cache"


def test_a_list_of_nothing_replaces_none(server, fetch):
    fetch()
    server.files[f"{GENOME}/md5sum.txt"] = b"<html>Sign in to this network</html>\n"
    with pytest.raises(InputError, match=r"md5sum\.txt: lists no file with an MD5; check the mirror"):
        fetch(name="chr22.fa.gz")
    assert fetch().read_bytes() == server.files[PATH]
    assert len(server.served_of(PATH)) == 1, "from the cache"


def test_a_list_that_has_changed_is_read_again(server, fetch):
    fetch()
    server.files.update(with_sums({f"{GENOME}/chr22.fa.gz": b"new"}))
    assert fetch(name="chr22.fa.gz").read_bytes() == b"new"


def test_no_server(tmp_path, said, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    store = Store(tmp_path, f"http://127.0.0.1:{port}", FAST, said.append)
    with pytest.raises(InputError, match=r"md5sum\.txt: cannot be fetched \(.*refused\), .*; check the connection"):
        store.fetch(GENOME, "chr21.fa.gz")


def test_a_server_that_says_nothing(tmp_path, said, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        store = Store(tmp_path, url, Connection(tries=2, backoff=0.001, timeout=0.05), said.append)
        with pytest.raises(InputError, match=r"md5sum\.txt: cannot be fetched \(timed out\)"):
            store.fetch(GENOME, "chr21.fa.gz")


def test_waits_grow(server, fetch, monkeypatch):
    waits = []
    monkeypatch.setattr("rcinterp.data.fetching.time.sleep", waits.append)
    server.faults[PATH] = ["503"] * 3
    fetch()
    np.testing.assert_allclose(waits, [0.001, 0.002, 0.004])


@pytest.mark.parametrize("mirror", ["ftp://x", "here", "http://", "http://x:y", "file:///data"])
def test_a_mirror_that_is_no_url(tmp_path, mirror):
    with pytest.raises(InputError, match=rf"--mirror: got '{mirror}', expected a URL that begins with http or https"):
        Store(tmp_path, mirror, FAST, print)


def test_two_fetches_at_once(server, tmp_path, said):
    """Both get the whole file, and it comes once."""
    start, found = threading.Barrier(2), []

    def run():
        start.wait()
        found.append(Store(tmp_path, server.url, FAST, said.append).fetch(GENOME, "chr21.fa.gz").read_bytes())

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [server.files[PATH]] * 2
    assert len(server.served_of(PATH)) == 1


def test_a_chromosome_is_unpacked_once_and_again_when_it_has_changed(server, tmp_path, said):
    store = Store(tmp_path, server.url, FAST, said.append)
    path = store.fetch_unpacked(GENOME, "chr21.fa.gz")
    assert path.read_bytes() == gzip.decompress(server.files[PATH])
    before = path.stat().st_mtime_ns
    assert store.fetch_unpacked(GENOME, "chr21.fa.gz").stat().st_mtime_ns == before
    server.files.update(with_sums({PATH: gzip.compress(b">chr21\nA\n")}))
    (tmp_path / PATH).unlink()
    store = Store(tmp_path, server.url, FAST, said.append)
    assert store.fetch_unpacked(GENOME, "chr21.fa.gz").read_bytes() == b">chr21\nA\n"


# Data sets.


def test_ctcf_is_ready_for_a_study(server, tmp_path, said):
    options = {"cache": tmp_path / "cache", "mirror": f"{server.url}/", "connection": FAST, "say": said.append}
    record = fetch_dataset("gm12878-ctcf", tmp_path / "out", width=100, **options)
    train, valid = load_split(tmp_path / "out")
    assert (len(train.positives()), len(train.negatives()), len(valid.positives())) == (10, 9, 10)
    assert valid.names[0] == "chr22:150-250"
    assert record["chromosomes"] == {"train": ["chr21"], "valid": ["chr22"]}
    assert [entry["name"] for entry in record["inputs"]["genome"]] == ["chr21.fa", "chr22.fa"]
    assert record["settings"]["split"] == "chr21/chr22"
    assert {path for path, *_ in server.served if "chr" in path.rpartition("/")[2]} == {PATH, f"{GENOME}/chr22.fa.gz"}
    n_requests = len(server.served)
    fetch_dataset("ctcf", tmp_path / "again", width=100, **options)
    assert len(server.served) == n_requests
    for path in (tmp_path / "out").iterdir():
        assert (tmp_path / "again" / path.name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("name", ["gm12878-spi1", "spi1", "gm12878-max", "max"])
def test_spi1_and_max_have_the_paper_s_split(server, tmp_path, name):
    options = {"cache": tmp_path / "cache", "mirror": server.url, "connection": FAST, "width": 100}
    record = fetch_dataset(name, tmp_path / "out", chromosomes="chr3, chr2,chr1", **options)
    assert record["chromosomes"] == {"train": ["chr3"], "valid": ["chr1"], "test": ["chr2"]}
    peaks = DATASETS[name if name in DATASETS else f"gm12878-{name}"].peaks
    assert record["inputs"]["peaks"][0]["name"] == peaks
    assert ("Pu1" in peaks, "Max" in peaks) == ("spi1" in name, "max" in name)
    assert len(read_fasta(tmp_path / "out/test.pos.fa.gz")) == 10


def test_all_chromosomes_are_asked_for(server, tmp_path):
    """... of which this server lacks the fourth."""
    options = {"cache": tmp_path / "cache", "mirror": server.url, "connection": FAST}
    for chromosomes in ("all", None):
        with pytest.raises(InputError, match=r"md5sum\.txt: does not list chr4\.fa\.gz"):
            fetch_dataset("spi1", tmp_path / "out", chromosomes=chromosomes, **options)
    assert len(CHROMOSOMES) == 23
    assert CHROMOSOMES[-1] == "chrX"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("gm12878-myc", {}, "name: got 'gm12878-myc', expected one of gm12878-ctcf, gm12878-spi1, gm12878-max"),
        ("ctcf", {"chromosomes": "chr21,22"}, "--chromosomes: got '22', expected chr1 to chr22 and chrX"),
        ("ctcf", {"chromosomes": "chr21"}, "split: chr22 is none of the genome's chromosomes"),
        ("ctcf", {"split": "chr21/chrZ"}, "split: chrZ is none of the genome's chromosomes"),
        ("ctcf", {"split": "chr21"}, "split: got 'chr21', expected chromosomes as TRAIN/VALID"),
    ],
)
def test_what_cannot_be_built_is_not_fetched(server, tmp_path, name, options, message):
    with pytest.raises(InputError, match=message):
        fetch_dataset(name, tmp_path / "out", cache=tmp_path / "cache", mirror=server.url, connection=FAST, **options)
    assert server.served == []
    assert list(tmp_path.iterdir()) == []


def test_the_user_s_cache_folder(server, tmp_path, monkeypatch):
    monkeypatch.setattr("pooch.os_cache", lambda project: tmp_path / "caches" / project)
    fetch_dataset("ctcf", tmp_path / "out", mirror=server.url, width=100, connection=FAST)
    assert (tmp_path / "caches/rcinterp" / PATH).exists()


# What is edited, or another genome.


@pytest.mark.parametrize(("edited", "by"), [(PATH, "MD5"), (f"{GENOME}/unpacked/chr21.fa", "SHA256")])
def test_a_file_that_was_edited_in_the_cache_is_told_of_and_replaced(server, tmp_path, said, edited, by):
    options = {"cache": tmp_path / "cache", "mirror": server.url, "connection": FAST, "say": said.append, "width": 100}
    first = fetch_dataset("ctcf", tmp_path / "out", **options)
    said.clear()
    path = tmp_path / "cache" / edited
    before = path.read_bytes()
    path.write_bytes(gzip.compress(b">chr21\nA\n") if edited == PATH else before.swapcase())
    assert fetch_dataset("ctcf", tmp_path / "again", **options) == first
    assert f"{path} is not what was fetched, by its {by}: it is replaced" in said
    assert path.read_bytes() == before
    said.clear()
    fetch_dataset("ctcf", tmp_path / "third", **options)
    assert not any("replaced" in message for message in said)


def test_what_was_unpacked_is_a_list_that_sha256sum_reads(server, tmp_path, said):
    store = Store(tmp_path, server.url, FAST, said.append)
    for name in ("chr22.fa.gz", "chr21.fa.gz"):
        unpacked = store.fetch_unpacked(GENOME, name)
    dna = {c: gzip.decompress(server.files[f"{GENOME}/{c}.fa.gz"]) for c in ("chr21", "chr22")}
    expected = "".join(f"{hashlib.sha256(x).hexdigest()}  {c}.fa\n" for c, x in dna.items())
    assert unpacked.with_name("sha256sum.txt").read_text() == expected


def test_another_genome_is_refused_at_home_and_told_of_at_a_mirror(server, tmp_path, monkeypatch):
    options = {"cache": tmp_path / "cache", "connection": FAST, "width": 100}
    said = r"chr21, chr22 of http.*: the letters are not those of hg19, by their GA4GH digest"
    with pytest.warns(UserWarning, match=f"{said}; they are taken, since --mirror names this server"):
        fetch_dataset("ctcf", tmp_path / "out", mirror=server.url, **options)
    monkeypatch.setattr("rcinterp.data.fetching.HOME", server.url)
    with pytest.raises(InputError, match=rf"{said}, expected hg19; nothing was built\. Delete .*chromosomes and run"):
        fetch_dataset("ctcf", tmp_path / "again", mirror=server.url, **options)
    assert not (tmp_path / "again").exists()


def test_hg19_is_taken_without_a_word(server, tmp_path, monkeypatch, recwarn):
    dna = {c: gzip.decompress(server.files[f"{GENOME}/{c}.fa.gz"]).split()[1] for c in ("chr21", "chr22")}
    digests = {c: base64.urlsafe_b64encode(hashlib.sha512(x.upper()).digest()[:24]).decode() for c, x in dna.items()}
    monkeypatch.setattr("rcinterp.data.pins.SHA512", digests)
    monkeypatch.setattr("rcinterp.data.fetching.HOME", server.url)
    fetch_dataset("ctcf", tmp_path / "out", mirror=server.url, cache=tmp_path / "cache", connection=FAST, width=100)
    assert not any("hg19" in str(warning.message) for warning in recwarn)
