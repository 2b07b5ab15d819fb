"""The paper's data sets from their public home: hg19's chromosomes and ENCODE's uniform peaks, checked and cached."""

from __future__ import annotations

import gzip
import http.client
import logging
import os
import re
import shutil
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
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
from rcinterp.errors import InputError
from rcinterp.files import parse_whole, read_bytes, split_lines

#: UCSC's public download server; a mirror has the same folders.
HOME = "https://hgdownload.soe.ucsc.edu/goldenPath/hg19"

#: Chromosomes of GM12878, a female cell line.
CHROMOSOMES = tuple(f"chr{name}" for name in (*range(1, 23), "X"))

_GENOME, _TF, _DNASE = "chromosomes", "encodeDCC/wgEncodeAwgTfbsUniform", "encodeDCC/wgEncodeAwgDnaseUniform"
_OPEN_CHROMATIN = "wgEncodeAwgDnaseUwdukeGm12878UniPk.narrowPeak.gz"
_SUMS = "md5sum.txt"
_LARGEST_LIST = 2**26  # bytes
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
    """What pooch calls for a file: goes on where an earlier try stopped, and checks the MD5 of the whole.

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

    def __call__(self, url: str, output_file: str | os.PathLike[str], _: object = None) -> None:
        """Put the file of this URL to output_file in one step; damaged, it is fetched again once."""
        self.say(f"fetching {url}")
        for is_last in (False, True):
            self._download(url)
            found = pooch.file_hash(str(self.part), alg="md5")
            if self.md5 in (None, found):
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
    """A cache of a mirror's files; each is checked against the MD5 that the mirror lists beside it.

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
        with self._locked(place), _quiet(pooch.get_logger()):
            md5 = self._md5(folder, name)
            part = place / f"{name}.part"
            downloader = ResumingDownloader(part, md5, self.connection, self.say, self.progress)
            url = f"{self.mirror}/{folder}/{name}"
            return Path(pooch.retrieve(url, f"md5:{md5}", name, place, downloader=downloader))

    def fetch_unpacked(self, folder: str, name: str) -> Path:
        """Return the path of a gzip file's content, unpacked into a folder `unpacked` beside it."""
        packed = self.fetch(folder, name)
        unpacked = packed.parent / "unpacked" / packed.stem
        with self._locked(unpacked.parent):
            if not unpacked.exists() or unpacked.stat().st_mtime < packed.stat().st_mtime:
                part = unpacked.with_name(f"{unpacked.name}.part")
                with gzip.open(packed) as source, part.open("wb") as target:
                    shutil.copyfileobj(source, target)
                part.replace(unpacked)
        return unpacked

    @contextmanager
    def _locked(self, place: Path) -> Iterator[None]:
        place.mkdir(parents=True, exist_ok=True)
        with FileLock(place / ".lock"):
            yield

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


def _read_sums(path: Path) -> dict[str, str]:
    """Return the MD5 of each name in a list, which may be written in either order, with * or ./ before the name."""
    text = read_bytes(path, "a list of MD5", "fetch it again", largest=_LARGEST_LIST).decode(errors="replace")
    listed: dict[str, str] = {}
    for line in split_lines(text):
        words = [word.lstrip("*").removeprefix("./") for word in line.split()]
        hashes = [word for word in words if re.fullmatch(r"[0-9a-fA-F]{32}", word)]
        if hashes:
            listed |= {word: hashes[0].lower() for word in words if word not in hashes}
    return listed


def _is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number
        return False


@contextmanager
def _quiet(logger: logging.Logger) -> Iterator[None]:
    """Keep pooch's own messages, which come beside ours, to itself."""
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(level)


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
    progress : bool
        A bar on standard error for each file that is downloaded.

    Returns
    -------
    dict
        As `rcinterp.data.building.build_dataset`.

    Raises
    ------
    InputError
        For an unknown name or chromosome; if a file cannot be fetched, or arrives damaged twice; as `build_dataset`.

    Notes
    -----
    ENCODE's uniform peaks stand in both for the rank-reproducible peaks of the paper and for its relaxed ones.
    """
    known = DATASETS.get(name) or DATASETS.get(f"gm12878-{name}")
    if known is None:
        raise InputError(f"name: got {name!r}, expected one of {', '.join(DATASETS)}.")
    settings = DatasetSettings(split or known.split, width)
    wanted = _choose_chromosomes(chromosomes, settings.split)
    check_place(Path(out))
    store = Store(Path(pooch.os_cache("rcinterp") if cache is None else cache), mirror, connection, say, progress)
    files = DatasetFiles(
        peaks=store.fetch(_TF, known.peaks),
        negatives=store.fetch(_DNASE, _OPEN_CHROMATIN),
        genome=[store.fetch_unpacked(_GENOME, f"{chrom}.fa.gz") for chrom in wanted],
    )
    return build_dataset(files, out, settings, say)


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
