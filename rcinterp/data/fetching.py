"""The paper's data sets from their public home: hg19's chromosomes and ENCODE's uniform peaks, checked and cached."""

from __future__ import annotations

import gzip
import http.client
import os
import re
import shutil
import ssl
import time
import urllib.error
import urllib.request
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pooch
from filelock import FileLock
from tqdm import tqdm

from rcinterp.data.building import REST, DatasetFiles, DatasetSettings, build_dataset, check_place, parse_split
from rcinterp.data.pins import is_hg19
from rcinterp.errors import InputError
from rcinterp.files import parse_whole, put_on_disk, read_bytes, split_lines, whole_file, write_at_once
from rcinterp.files.reading import digest_of_file

#: UCSC's public download server; a mirror has the same folders.
HOME = "https://hgdownload.soe.ucsc.edu/goldenPath/hg19"

#: Chromosomes of GM12878, a female cell line.
CHROMOSOMES = tuple(f"chr{name}" for name in (*range(1, 23), "X"))

_GENOME, _TF, _DNASE = "chromosomes", "encodeDCC/wgEncodeAwgTfbsUniform", "encodeDCC/wgEncodeAwgDnaseUniform"
_OPEN_CHROMATIN = "wgEncodeAwgDnaseUwdukeGm12878UniPk.narrowPeak.gz"
_SUMS = "md5sum.txt"
#: Beside what is unpacked: what each file was when it was, in the form of the program sha256sum.
_CAME_AS = "sha256sum.txt"
_LARGEST_LIST = 2**26  # bytes
_MD5, _SHA256 = 32, 64  # hexadecimal digits
_CHUNK = 2**18  # bytes at a time
_LOST = (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError, ssl.SSLError)


@dataclass(frozen=True)
class KnownDataset:
    """The file of a factor's peaks, and the split of the paper."""

    peaks: str
    split: str


DATASETS = {
    "gm12878-ctcf": KnownDataset("wgEncodeAwgTfbsBroadGm12878CtcfUniPk.narrowPeak.gz", "chr21/chr22"),
    "gm12878-spi1": KnownDataset("wgEncodeAwgTfbsHaibGm12878Pu1Pcr1xUniPk.narrowPeak.gz", "rest/chr1/chr2"),
    "gm12878-max": KnownDataset("wgEncodeAwgTfbsSydhGm12878MaxIggmusUniPk.narrowPeak.gz", "rest/chr1/chr2"),
}


@dataclass(frozen=True)
class Connection:
    """How patient to be with a server.

    Parameters
    ----------
    tries : int, default 4
        How often a file is asked for before it is given up.
    backoff : float, default 1.0
        Seconds before the second try; twice as many before each one after it.
    timeout : float, default 30.0
        Seconds without a byte after which a connection counts as lost.
    """

    tries: int = 4
    backoff: float = 1.0
    timeout: float = 30.0


class ResumingDownloader:
    """Downloads a file: goes on where an earlier try stopped, and checks the MD5 of the whole.

    Parameters
    ----------
    part : path
        Where the file grows; a file there is taken as its beginning.
    md5 : str, optional
        Hexadecimal; left out, nothing is checked.
    connection : Connection
        Tries and times.
    say : callable
        Called with a message before the file is asked for.
    progress : bool
        A bar on standard error.
    """

    def __init__(
        self, part: Path, md5: str | None, connection: Connection, say: Callable[[str], None], progress: bool = False
    ) -> None:
        self.part, self.md5, self.connection, self.say, self.progress = part, md5, connection, say, progress

    def __call__(self, url: str, output_file: str | os.PathLike[str]) -> None:
        """Put the file of this URL to output_file in one step; damaged, it is fetched again once."""
        self.say(f"fetching {url}")
        for is_last in (False, True):
            self._download(url)
            found = pooch.file_hash(str(self.part), alg="md5")
            if self.md5 in (None, found):
                put_on_disk(self.part)
                self.part.replace(output_file)
                return
            self.part.unlink()
            if not is_last:
                self.say(f"{url} arrived damaged (MD5 {found}, not {self.md5}): fetching it again")
        raise InputError(
            f"{url}: arrived twice with MD5 {found}, expected {self.md5} of its {_SUMS}; nothing of it was kept. Try "
            "later, or another --mirror."
        )

    def _download(self, url: str) -> None:
        """Let the part grow to the whole file, or say why it does not."""
        reason: object = "the server sent other bytes than those asked for"
        for i in range(self.connection.tries):
            if i:
                time.sleep(self.connection.backoff * 2 ** (i - 1))
            try:
                if self._continue(url):
                    return
            except urllib.error.HTTPError as error:
                error.close()
                reason = f"HTTP status {error.code}, {error.reason}"
                if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and self._size():
                    if _total(error.headers) == self._size():
                        return
                    self.part.unlink()
                elif error.code < 500 and error.code != HTTPStatus.TOO_MANY_REQUESTS:
                    raise InputError(f"{url}: {reason}; expected the file. Check the mirror's URL.") from None
            except _LOST as error:
                reason = getattr(error, "reason", None) or str(error) or type(error).__name__
        raise InputError(
            f"{url}: cannot be fetched ({reason}), expected the file; check the connection, or name another --mirror. "
            "Run it again, and it goes on where it stopped."
        )

    def _bar(self, length: int) -> Any:
        """A bar of the bytes of one request."""
        shown = {"desc": self.part.stem, "unit": "B", "unit_scale": True, "leave": False, "disable": not self.progress}
        return tqdm(total=length if length > 0 else None, **shown)

    def _size(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _continue(self, url: str) -> bool:
        """Return whether the part is whole after one more request."""
        offset = self._size()
        request = urllib.request.Request(url, headers={"Range": f"bytes={offset}-"} if offset else {})
        with urllib.request.urlopen(request, timeout=self.connection.timeout) as response:
            is_partial = response.status == HTTPStatus.PARTIAL_CONTENT
            if is_partial and _start(response.headers) != offset:
                self.part.unlink(missing_ok=True)
                return False
            length = int(response.headers.get("Content-Length", -1))
            with self.part.open("ab" if is_partial else "wb") as file, self._bar(length) as bar:
                while chunk := response.read(_CHUNK):
                    bar.update(file.write(chunk))
        n_arrived = self._size() - (offset if is_partial else 0)
        if n_arrived < length:
            raise ConnectionError(f"cut {length - n_arrived} bytes before its end")
        return True


def _start(headers: Any) -> int | None:
    found = re.match(r"bytes (\d+)-", headers.get("Content-Range", ""))
    return parse_whole(found[1]) if found else None


def _total(headers: Any) -> int | None:
    found = re.search(r"/(\d+)$", headers.get("Content-Range", ""))
    return parse_whole(found[1]) if found else None


class Store:
    """A cache of a mirror's files, each with the MD5 that the mirror lists, and unpacked with the SHA-256 it then had.

    Parameters
    ----------
    cache : path
        The folder; it has the mirror's folders.
    mirror : str
        The URL of `HOME` or of a copy of it.
    connection : Connection
        Tries and times.
    say : callable
        Called with each message.
    progress : bool
        A bar on standard error for each file.

    Notes
    -----
    The list (md5sum.txt) is fetched anew before a file is, and kept; a file that is there and fits it is not asked for.
    A file that has changed in the cache is told of, and fetched or unpacked again.
    One process at a time changes a folder; another waits.
    """

    def __init__(
        self, cache: Path, mirror: str, connection: Connection, say: Callable[[str], None], progress: bool = False
    ) -> None:
        if not _is_web_address(mirror):
            raise InputError(f"--mirror: got {mirror!r}, expected a URL that begins with http or https, as {HOME}.")
        self.cache, self.mirror, self.connection = cache, mirror.rstrip("/"), connection
        self.say, self.progress = say, progress
        self._fresh: set[str] = set()

    def fetch(self, folder: str, name: str) -> Path:
        """Return the path of a file in the cache, fetched unless it is there already."""
        place = self.cache / folder
        with self._locked(place):
            md5 = self._md5(folder, name)
            path, part = place / name, place / f"{name}.part"
            self._drop_if_changed(path, "md5", md5)
            downloader = ResumingDownloader(part, md5, self.connection, self.say, self.progress)
            # Not by pooch.retrieve, whose temporary file stays in the cache for good if the process is killed.
            if not path.exists():
                downloader(f"{self.mirror}/{folder}/{name}", path)
            return path

    def fetch_unpacked(self, folder: str, name: str) -> Path:
        """Return the path of a gzip file's content, unpacked into a folder `unpacked` beside it."""
        packed = self.fetch(folder, name)
        unpacked = packed.parent / "unpacked" / packed.stem
        with self._locked(unpacked.parent):
            came_as = _read_came_as(unpacked).get(unpacked.name)
            self._drop_if_changed(unpacked, "sha256", came_as)
            is_old = not unpacked.exists() or unpacked.stat().st_mtime < packed.stat().st_mtime
            if is_old:
                with gzip.open(packed) as source, whole_file(unpacked) as part, part.open("wb") as target:
                    shutil.copyfileobj(source, target)
            if is_old or came_as is None:
                _remember(unpacked)
        return unpacked

    def _drop_if_changed(self, path: Path, algorithm: str, expected: str | None) -> None:
        """Delete a file that is not what it was when it came: it was edited, or damaged."""
        if path.exists() and expected is not None and pooch.file_hash(str(path), alg=algorithm) != expected:
            self.say(f"{path} is not what was fetched, by its {algorithm.upper()}: it is replaced")
            path.unlink()

    @contextmanager
    def _locked(self, place: Path) -> Iterator[None]:
        try:
            place.mkdir(parents=True, exist_ok=True)
            with FileLock(place / ".lock"):
                yield
        except OSError as error:
            if error.filename is not None or error.errno is None:
                raise
            raise OSError(error.errno, error.strerror, str(place)) from None  # of a disk that is full

    def _md5(self, folder: str, name: str) -> str:
        """Return the MD5 of a file as its folder lists it; a list that lacks the file is asked for once more."""
        sums, url = self.cache / folder / _SUMS, f"{self.mirror}/{folder}/{_SUMS}"
        listed = _read_sums(sums) if sums.exists() and (sums.parent / name).exists() else {}
        if name not in listed and folder not in self._fresh:
            arrived, part = (sums.with_name(f"{_SUMS}.{stage}") for stage in ("arrived", "part"))
            part.unlink(missing_ok=True)
            ResumingDownloader(part, None, self.connection, self.say)(url, arrived)
            if not _read_sums(arrived):  # a page of a proxy, say: the list of what is here already stays
                arrived.unlink()
                raise InputError(f"{url}: lists no file with an MD5; check the mirror, or name another --mirror.")
            arrived.replace(sums)
            self._fresh.add(folder)
        listed = _read_sums(sums)
        if name not in listed:
            raise InputError(
                f"{url}: does not list {name}, expected its MD5; check the mirror, or name another --mirror."
            )
        return listed[name]


def _remember(path: Path) -> None:
    """Write down what a file is that has been unpacked."""
    listed, digest = _read_came_as(path), digest_of_file(path)
    if listed.get(path.name) != digest:
        lines = [f"{came_as}  {name}\n" for name, came_as in sorted((listed | {path.name: digest}).items())]
        write_at_once(path.with_name(_CAME_AS), "".join(lines))


def _read_came_as(path: Path) -> dict[str, str]:
    """Return the SHA-256 that the files beside this one had when they were unpacked."""
    sums = path.with_name(_CAME_AS)
    return _read_sums(sums, _SHA256) if sums.exists() else {}


def _read_sums(path: Path, digits: int = _MD5) -> dict[str, str]:
    """Return the digest of each name in a list, which may be written in either order, with * or ./ before the name."""
    text = read_bytes(path, "a list of MD5", "fetch it again", largest=_LARGEST_LIST).decode(errors="replace")
    listed: dict[str, str] = {}
    for line in split_lines(text):
        words = [word.lstrip("*").removeprefix("./") for word in line.split()]
        hashes = [word for word in words if re.fullmatch(rf"[0-9a-fA-F]{{{digits}}}", word)]
        if hashes:
            listed |= {word: hashes[0].lower() for word in words if word not in hashes}
    return listed


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number
        return False


def fetch_dataset(  # noqa: PLR0913  # what a user may choose of a data set, each by its name
    name: str,
    out: str | os.PathLike[str],
    *,
    cache: str | os.PathLike[str] | None = None,
    mirror: str = HOME,
    chromosomes: str | None = None,
    split: str | None = None,
    width: int = 1000,
    connection: Connection = Connection(),
    say: Callable[[str], None] = lambda message: None,
    overwrite: bool = False,
    progress: bool = False,
) -> dict[str, Any]:
    """Fetch what a data set of the paper needs, unless it is cached, and build the data set.

    Parameters
    ----------
    name : str
        One of `DATASETS`; without "gm12878-" it is understood too.
    out : path
        The folder of the data set.
    cache : path, optional
        Where the files are kept; left out, the user's cache folder.
    mirror : str, default `HOME`
        The URL of hg19's folder, or of a copy of it.
    chromosomes : str, optional
        Those to fetch, with commas between them, or "all" (1 to 22 and X); left out, those that the split needs.
    split : str, optional
        As `rcinterp.data.building.parse_split` takes it; left out, the paper's: chr21/chr22 for CTCF (figure 5),
        rest/chr1/chr2 for SPI1 and MAX (figure 7b).
    width : int, default 1000
        Of the windows in bp.
    connection : Connection
        Tries and times.
    say : callable, optional
        Called with each message.
    overwrite : bool
        As in `rcinterp.data.building.build_dataset`.
    progress : bool
        A bar on standard error for each file that is downloaded.

    Returns
    -------
    dict
        As `rcinterp.data.building.build_dataset`.

    Raises
    ------
    InputError
        For an unknown name or chromosome; if a file cannot be fetched, or arrives damaged twice; if a chromosome of
        `HOME` is not hg19's; as `build_dataset`.

    Warns
    -----
    UserWarning
        If a chromosome of another mirror is not hg19's, by the digests in `rcinterp.data.pins`.

    Notes
    -----
    ENCODE's uniform peaks stand in both for the rank-reproducible peaks of the paper and for its relaxed ones.
    """
    known = DATASETS.get(name) or DATASETS.get(f"gm12878-{name}")
    if known is None:
        raise InputError(f"name: got {name!r}, expected one of {', '.join(DATASETS)}.")
    settings = DatasetSettings(split or known.split, width)
    wanted = _choose_chromosomes(chromosomes, settings.split)
    check_place(Path(out), overwrite)
    store = Store(Path(pooch.os_cache("rcinterp") if cache is None else cache), mirror, connection, say, progress)
    peaks, negatives = store.fetch(_TF, known.peaks), store.fetch(_DNASE, _OPEN_CHROMATIN)
    genome = {chrom: store.fetch_unpacked(_GENOME, f"{chrom}.fa.gz") for chrom in wanted}
    _check_genome(genome, store.mirror)
    files = DatasetFiles(peaks=peaks, negatives=negatives, genome=list(genome.values()))
    return build_dataset(files, out, settings, say, overwrite=overwrite)


def _check_genome(paths: Mapping[str, Path], mirror: str) -> None:
    """Refuse chromosomes that are not hg19's, or tell of them if they are from a server that the user has named."""
    others = [chrom for chrom, path in paths.items() if not is_hg19(chrom, path)]
    if not others:
        return
    said = f"{', '.join(others)} of {mirror}: the letters are not those of hg19, by their GA4GH digest"
    if mirror == HOME:
        raise InputError(
            f"{said}, expected hg19; nothing was built. Delete {paths[others[0]].parent.parent} and run it again, or "
            "name the server that you trust with --mirror."
        )
    warnings.warn(f"{said}; they are taken, since --mirror names this server.", stacklevel=3)


def _choose_chromosomes(chromosomes: str | None, split: str) -> list[str]:
    """Return those to fetch, in the genome's order, after a check that the split can be made of them."""
    named = {chrom for part in parse_split(split, CHROMOSOMES).values() for chrom in part}
    if chromosomes is None:
        return [chrom for chrom in CHROMOSOMES if chrom in named]
    asked = CHROMOSOMES if chromosomes == "all" else [chrom.strip() for chrom in chromosomes.split(",")]
    if unknown := [chrom for chrom in asked if chrom not in CHROMOSOMES]:
        raise InputError(
            f"--chromosomes: got {', '.join(map(repr, unknown))}, expected chr1 to chr22 and chrX with commas between "
            f"them, or all; {REST} belongs in --split."
        )
    chosen = [chrom for chrom in CHROMOSOMES if chrom in asked]
    parse_split(split, chosen)
    return chosen
