"""`rcinterp dataset` as it is typed: what it prints where, what it writes, and what it says of bad input."""

import gzip
import hashlib
import json
import re
import subprocess
import sys
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from click.testing import CliRunner

from rcinterp.cli import main
from rcinterp.data.datasets import load_split
from rcinterp.data.fetching import DATASETS
from rcinterp.data.sequences import read_fasta


def run(*arguments):
    """Result of a command; what is no problem of the input is raised."""
    result = CliRunner().invoke(main, ["dataset", *map(str, arguments)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def run_well(*arguments):
    result = run(*arguments)
    assert result.exit_code == 0, result.stderr
    return result


def assert_refused(result, message):
    """Exit status 2, nothing on standard output and one line, the last, on standard error."""
    assert result.exit_code == 2
    assert result.stdout == ""
    assert re.search(rf"^Error: [^\n]*{message}[^\n]*\n\Z", result.stderr, re.MULTILINE), result.stderr


@pytest.fixture
def files(tmp_path):
    """Arguments of a build: 2 chromosomes of 5,000 bp, a peak at each 500th base, an open region between."""
    rng = np.random.default_rng(0)
    dna = {chrom: "".join(rng.choice(list("acgt"), 5000)) for chrom in ("chr21", "chr22")}
    (tmp_path / "hg.fa").write_text("".join(f">{chrom}\n{sequence}\n" for chrom, sequence in dna.items()))
    for name, first in (("peaks", 500), ("open", 750)):
        rows = [f"{chrom}\t{c - 50}\t{c + 50}\t.\t{c}\n" for chrom in dna for c in range(first, 5000, 500)]
        (tmp_path / f"{name}.bed.gz").write_bytes(gzip.compress("".join(rows).encode()))
    return [
        *("--peaks", tmp_path / "peaks.bed.gz", "--negatives", tmp_path / "open.bed.gz"),
        *("--genome", tmp_path / "hg.fa", "--split", "chr21/chr22"),
    ]


def test_help_does_not_wait_for_torch():
    code = (
        "import sys\nfrom click.testing import CliRunner\nfrom rcinterp.cli.dataset import dataset\n"
        "assert CliRunner().invoke(dataset, ['build', '--help']).exit_code == 0\n"
        "print({'torch', 'pandas', 'pooch', 'pyfaidx'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


def test_build_prints_the_folder_and_counts_beside_it(files, tmp_path):
    out = tmp_path / "new" / "data"
    result = run_well("build", *files, "--width", 100, "--out", out)
    assert result.stdout == f"{out}\n"
    assert result.stderr.splitlines() == [
        "peaks.bed.gz: 18 regions, 18 of them without a summit: their centre is taken",
        "open.bed.gz: 18 regions, 18 of them without a summit: their centre is taken",
        "no relaxed peaks given: peaks.bed.gz stands in for them",
        "train.pos (chr21): 9 windows; none left out",
        "train.neg (chr21): 9 windows; none left out",
        "valid.pos (chr22): 9 windows; none left out",
        "valid.neg (chr22): 9 windows; none left out",
        "pos, regions of no part: none left out",
        "neg, regions of no part: none left out",
    ]
    train, valid = load_split(out)
    assert (len(train), len(valid), train.length) == (18, 18, 100)


def test_a_set_of_an_earlier_version_is_built_again_by_the_command_that_recorded_it(files, tmp_path):
    out = tmp_path / "out"
    command = ["build", *files, "--width", 100, "--out", out]
    run_well(*command)
    record = json.loads((out / "dataset.json").read_text())
    del record["sha256"]
    (out / "dataset.json").write_text(json.dumps(record, indent=2))
    run_well(*command)
    (out / "dataset.json").unlink()  # run.toml is enough
    run_well(*command)
    (out / "train_more.pos.fa").write_text(">a\nACGT\n")
    assert_refused(run(*command), "holds train_more.pos.fa, which are of no data set")


def test_the_default_width_is_the_paper_s(files, tmp_path):
    (tmp_path / "peaks.bed.gz").write_text("chr21\t1000\t1100\nchr22\t1000\t1100\n")
    result = run_well("build", *files, "--out", tmp_path / "out")
    assert "overlaps a peak" in result.stderr
    assert load_split(tmp_path / "out")[0].length == 1000


def test_every_option_arrives(files, tmp_path):
    """A window's own base at the summit, and what dataset.json says of the rest."""
    (tmp_path / "summits.bed").write_text("chr21\t520\t521\n")
    more = ["--summits", tmp_path / "summits.bed", "--relaxed-peaks", tmp_path / "open.bed.gz", "--top-relaxed", 4]
    drawn = ["--max-n", 0.25, "--negatives-per-positive", 0.5, "--match-gc", "--seed", 7]
    run_well("build", *files, "--width", 51, *more, *drawn, "--out", tmp_path / "out")
    record = json.loads((tmp_path / "out/dataset.json").read_text())
    assert record["settings"] == {
        "split": "chr21/chr22",
        "width": 51,
        "max_n": 0.25,
        "top_relaxed": 4,
        "negatives_per_positive": 0.5,
        "match_gc": True,
        "seed": 7,
    }
    assert set(record["inputs"]) == {"peaks", "negatives", "summits", "relaxed_peaks", "genome"}
    assert read_fasta(tmp_path / "out/train.pos.fa.gz").index[0] == "chr21:495-546"
    # The 4 open regions of the highest score (column 5) are the last 2 of both chromosomes: they overlap themselves.
    assert record["sets"]["train"]["neg"]["left_out"]["overlaps a peak"] == 2


def test_fetch_hands_on_what_it_was_given(monkeypatch, tmp_path):
    """The fetching itself: test_fetching.py."""
    given = {}

    def fetch_dataset(name, out, **options):
        options.pop("say")("fetching")
        given.update(options, name=name, out=out)

    monkeypatch.setattr("rcinterp.data.fetching.fetch_dataset", fetch_dataset)
    options = [
        "--chromosomes",
        "all",
        "--split",
        "rest/chr1",
        "--width",
        300,
        "--cache",
        tmp_path,
        "--mirror",
        "http://x",
    ]
    result = run_well("fetch", "gm12878-ctcf", *options, "--out", tmp_path / "out")
    assert (result.stdout, result.stderr) == (f"{tmp_path / 'out'}\n", "fetching\n")
    assert given == {
        "name": "gm12878-ctcf",
        "out": tmp_path / "out",
        "chromosomes": "all",
        "split": "rest/chr1",
        "width": 300,
        "cache": tmp_path,
        "mirror": "http://x",
    }
    run_well("fetch", "spi1", "--out", tmp_path)
    assert (given["chromosomes"], given["split"], given["width"], given["cache"]) == (None, None, 1000, None)
    assert given["mirror"] == "https://hgdownload.soe.ucsc.edu/goldenPath/hg19"


@pytest.fixture
def mirror(files, tmp_path, monkeypatch):
    """The URL of a folder with what a fetch of CTCF needs, and the folder."""
    monkeypatch.setenv("NO_PROXY", "*")
    folder = tmp_path / "mirror"
    for place, contents in {
        "chromosomes": {f"{c}.fa.gz": f">{c}\n{dna}\n" for c, dna in read_fasta(files[5]).items()},
        "encodeDCC/wgEncodeAwgTfbsUniform": {DATASETS["gm12878-ctcf"].peaks: gzip.decompress(files[1].read_bytes())},
        "encodeDCC/wgEncodeAwgDnaseUniform": {
            "wgEncodeAwgDnaseUwdukeGm12878UniPk.narrowPeak.gz": gzip.decompress(files[3].read_bytes())
        },
    }.items():
        (folder / place).mkdir(parents=True)
        with (folder / place / "md5sum.txt").open("w") as sums:
            for name, text in contents.items():
                data = gzip.compress(text if isinstance(text, bytes) else text.encode())
                (folder / place / name).write_bytes(data)
                sums.write(f"{hashlib.md5(data).hexdigest()}  {name}\n")

    class Handler(SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(folder))

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}", folder
        server.shutdown()
        thread.join()


@pytest.mark.filterwarnings("ignore:.*is called narrowPeak:UserWarning")  # the peaks of the mirror have five columns
def test_fetch_from_a_server(mirror, tmp_path):
    url, folder = mirror
    arguments = ["fetch", "gm12878-ctcf", "--width", 100, "--mirror", url, "--cache", tmp_path / "cache"]
    result = run_well(*arguments, "--out", tmp_path / "out")
    assert result.stdout == f"{tmp_path / 'out'}\n"
    assert result.stderr.startswith(f"fetching {url}/encodeDCC/wgEncodeAwgTfbsUniform/md5sum.txt\n")
    assert len(load_split(tmp_path / "out")[0]) == 18
    again = run_well(*arguments, "--out", tmp_path / "again")
    assert "fetching" not in again.stderr
    (folder / "chromosomes/chr21.fa.gz").write_bytes(b"damaged")
    arguments[-1] = tmp_path / "new"
    result = run(*arguments, "--out", tmp_path / "none")
    assert_refused(
        result, r"chr21\.fa\.gz: arrived twice with MD5 [0-9a-f]{32}, expected [0-9a-f]{32} of its md5sum\.txt"
    )
    (folder / "chromosomes/chr21.fa.gz").unlink()
    assert_refused(
        run(*arguments, "--out", tmp_path / "none"), r"chr21\.fa\.gz: HTTP status 404, File not found; expected"
    )
    assert not (tmp_path / "none").exists()


def test_bad_files(files, tmp_path):
    out = ["--out", tmp_path / "out"]
    (tmp_path / "bad.bed").write_text("chr21\tx\t5\n")
    for option in ("--peaks", "--negatives", "--summits", "--relaxed-peaks"):
        assert_refused(
            run("build", *files, option, tmp_path / "bad.bed", *out), r"bad\.bed: line 1 has start 'x' and end"
        )
        assert_refused(run("build", *files, option, tmp_path / "none.bed", *out), r"none\.bed: no such file")
    (tmp_path / "plain.fa.gz").write_bytes(gzip.compress((tmp_path / "hg.fa").read_bytes()))
    assert_refused(run("build", *files, "--genome", tmp_path / "plain.fa.gz", *out), r"plain\.fa\.gz: is plain gzip")
    assert_refused(
        run("build", *files, "--split", "21/chr22", *out), r"split: 21 is none of the genome's .*; write chr21"
    )
    assert_refused(
        run("build", *files, "--width", 9000, *out), r"train\.pos: no window is left on chr21 \(9 over an edge\)"
    )
    assert not (tmp_path / "out").exists()


def test_bad_fetches(tmp_path):
    rest = ["--cache", tmp_path / "cache", "--out", tmp_path / "out"]
    assert_refused(run("fetch", "myc", *rest), "name: got 'myc', expected one of gm12878-ctcf")
    assert_refused(
        run("fetch", "max", "--mirror", "here", *rest), "--mirror: got 'here', expected a URL that begins with"
    )
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--width", 0, "Invalid value for '--width': 0 is not in the range x>=1"),
        ("--max-n", 1.5, "Invalid value for '--max-n': 1.5 is not in the range 0<=x<=1"),
        ("--negatives-per-positive", 0, "Invalid value for '--negatives-per-positive': 0.0 is not in the range x>0"),
        ("--top-relaxed", 0, "Invalid value for '--top-relaxed': 0 is not in the range x>=1"),
        ("--seed", -1, "Invalid value for '--seed'"),
    ],
)
def test_values_out_of_range(files, tmp_path, option, value, message):
    assert_refused(run("build", *files, option, value, "--out", tmp_path / "out"), re.escape(message))


def test_a_place_that_cannot_be_written(files, tmp_path):
    (tmp_path / "file").write_text("")
    result = run("build", *files, "--width", 100, "--out", tmp_path / "file" / "out")
    assert_refused(result, r"file/out.*: Not a directory")
    result = run("fetch", "ctcf", "--cache", tmp_path / "file" / "cache", "--out", tmp_path / "out")
    assert_refused(result, r"file/cache.*: Not a directory")
