"""The chromosomes of FASTA files, opened through an index of each file."""

from __future__ import annotations

import os
import shutil
import struct
import tempfile
import zlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Any, TypeAlias

import pyfaidx

from rcinterp.data.fasta_index import BLANKS, BOM, LONGEST_HEADER, write_index
from rcinterp.errors import InputError
from rcinterp.files import BGZIP_END, GZIP_MAGIC, is_bgzip, is_pipe, open_input, whole_file

#: A FASTA file, a folder of them, or several files.
GenomeInput: TypeAlias = "str | os.PathLike[str] | Sequence[str | os.PathLike[str]]"

_PACKED = (".gz", ".bgz")
_FASTA_ENDINGS = tuple(name + packed for name in (".fa", ".fasta", ".fna") for packed in ("", *_PACKED))
#: What deflate packs into a byte at most, and bytes with which a line ends at most, with some to spare.
_MOST_PACKED, _LINE_END = 1100, 8
#: Bytes that are looked at first beside a sequence; many more if they do not suffice.
_LOOKED_AT = 64
_TO_N = str.maketrans("RYSWKMBDHV", "N" * 10)


class Genome:
    r"""The chromosomes of FASTA files, plain or bgzip, opened through an index of each file.

    Parameters
    ----------
    source : path, or sequence of paths
        A FASTA file, a folder of them (.fa, .fasta or .fna in any case, with or without .gz), or several files. Of a
        pipe, a copy is kept until the genome is closed.

    Attributes
    ----------
    lengths : dict of str to int
        Each chromosome's length in bp, in the files' order.

    Raises
    ------
    InputError
        If a file is missing, no FASTA, gzip that is not bgzip, or bgzip without biopython; if a chromosome stands in
        two files or twice in one, or has no sequence; if its lines differ in length, or have blanks beside letters; if
        an index is not of its file.

    Notes
    -----
    A missing or outdated index (.fai) is made anew, for which the file is read once, and left beside it where that
    folder can be written. A genome is a context manager; leaving it closes the files.

    Examples
    --------
    >>> from pathlib import Path
    >>> _ = Path("genome.fa").write_text(">chr1\nACGTacgtR\n")
    >>> with Genome("genome.fa") as genome:
    ...     genome.lengths, genome.fetch("chr1", 3, 9)
    ({'chr1': 9}, 'TACGTN')
    """

    def __init__(self, source: GenomeInput) -> None:
        self._records: dict[str, tuple[Path, Any]] = {}
        self.lengths: dict[str, int] = {}
        with ExitStack() as stack:
            for path in list_fasta(source):
                file = stack.enter_context(_copy_of_pipe(path)) if is_pipe(path) else path
                fasta = stack.enter_context(_open_fasta(path, file))
                with _errors_of(path):
                    _check_index(path, file, fasta.faidx.index)
                    if Path(fasta.faidx.indexname) == Path(f"{path}.fai"):  # one that was there
                        _check_places(path, fasta.faidx)
                for record in fasta:
                    if record.name in self._records:
                        raise InputError(
                            f"{path}: {record.name} stands in {self._records[record.name][0].name} too, expected each "
                            "chromosome once; remove one."
                        )
                    self._records[record.name] = path, record
                    self.lengths[record.name] = len(record)
            self._stack = stack.pop_all()

    def __enter__(self) -> Genome:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def files(self, chromosomes: Iterable[str]) -> list[Path]:
        """Return the files that hold these chromosomes."""
        return list(dict.fromkeys(self._records[chrom][0] for chrom in chromosomes))

    def fetch(self, chrom: str, start: int, end: int) -> str:
        """Return the bases from start to end (0-based, half-open): A, C, G, T and, for any other IUPAC letter, N."""
        path, record = self._records[chrom]
        with _errors_of(path):
            letters = str(record[start:end]).rstrip(" \t").upper().translate(_TO_N)  # blanks behind a last line
        if len(letters) != end - start or set(letters) - set("ACGTN"):
            raise InputError(
                f"{path}: {chrom}:{start}-{end} is {letters[:20]!r}..., expected {end - start} letters A, C, G, T, "
                f"N or another of IUPAC; check the file, and delete {path.name}.fai if it belongs to another."
            )
        return letters


def list_fasta(source: GenomeInput) -> list[Path]:
    """Files that a genome is read from; of a folder those whose names end as those of FASTA, in any case."""
    paths = [Path(source)] if isinstance(source, str | os.PathLike) else [Path(path) for path in source]
    if len(paths) == 1 and paths[0].is_dir():
        named = (path for path in paths[0].iterdir() if path.name.lower().endswith(_FASTA_ENDINGS))
        found = sorted(path for path in named if not path.is_dir())
        if not found:
            raise InputError(
                f"{paths[0]}: holds no FASTA file (*.fa, *.fasta, *.fna), expected the genome's; check it."
            )
        return found
    return paths


def _is_named_packed(file: Path) -> bool:
    return file.suffix.lower() in _PACKED


@contextmanager
def _copy_of_pipe(path: Path) -> Iterator[Path]:
    """Give a file of what comes through a pipe, with the name that its kind has."""
    with ExitStack() as stack:
        try:
            source = stack.enter_context(open_input(path))
            name = "genome.fa.gz" if source.read(len(GZIP_MAGIC)) == GZIP_MAGIC else "genome.fa"
            source.seek(0)
            copy = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="rcinterp-"))) / name
            with copy.open("wb") as file:
                shutil.copyfileobj(source, file, 2**20)
        except OSError as error:
            raise InputError(
                f"{path}: cannot be copied from its pipe ({error.strerror}), expected FASTA; write it to a file first."
            ) from None
        yield copy


def _open_fasta(path: Path, file: Path) -> Any:
    """Return pyfaidx's view of a file, with an index that is complete: one half written never stands beside it."""
    _check_fasta(path, file)
    options = {"as_raw": True, "rebuild": False}
    indexes = [Path(f"{file}{ending}") for ending in ((".fai", ".gzi") if _is_named_packed(file) else (".fai",))]
    with _errors_of(path):
        changed = file.stat().st_mtime_ns
        if all(index.exists() and index.stat().st_mtime_ns >= changed for index in indexes):
            return pyfaidx.Fasta(str(file), **options)
        with tempfile.TemporaryDirectory(prefix="rcinterp-") as scratch:
            made = [Path(scratch) / index.name for index in indexes]
            write_index(path, file, made[0], made[1] if len(made) > 1 else None)
            for index in made:
                os.utime(index, ns=(changed, changed))  # no older than the file, be that of tomorrow
            fasta = pyfaidx.Fasta(str(file), indexname=str(made[0]), gzi_indexname=str(made[-1]), **options)
            for source, index in zip(made, indexes, strict=True):
                with suppress(OSError), whole_file(index) as part:  # where none can be written, it is made every time
                    shutil.copyfile(source, part)
            return fasta


#: What pyfaidx, and Biopython for bgzip, raise of damaged files, and of an index that is another file's.
_DAMAGED: tuple[type[Exception], ...] = (
    *(ValueError, LookupError, OSError, RuntimeError, ArithmeticError, EOFError, TypeError, AttributeError),
    *(AssertionError, struct.error, zlib.error, pyfaidx.FastaIndexingError),
)


@contextmanager
def _errors_of(path: Path) -> Iterator[None]:
    """Say of a file what is wrong with it."""
    try:
        yield
    except InputError:
        raise
    except ImportError:
        raise InputError(
            f'{path}: is bgzip, which needs biopython; pip install "rcinterp[bgzip]", or unpack the file.'
        ) from None
    except _DAMAGED as error:
        reason = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise InputError(
            f"{path}: cannot be read as FASTA ({reason}); check the file, and delete {path.name}.fai if there is one."
        ) from None


def _check_index(path: Path, file: Path, index: Mapping[str, Any]) -> None:
    """Refuse an index that cannot be of its file, by which more would be read than there is."""
    most = file.stat().st_size * (_MOST_PACKED if _is_named_packed(file) else 1)
    wrong = None if index else "names no sequence"
    for name, record in index.items():
        sizes = (record.rlen, record.offset, record.lenc, record.lenb)
        if min(sizes) < 0 or max(sizes) > most or not 0 <= record.lenb - record.lenc <= _LINE_END:
            wrong = f"has the numbers {sizes} for {name}, which is not in the file"
            break
    if wrong is not None:
        raise InputError(
            f"{path}: its index {path.name}.fai {wrong}; expected one of this file: delete it, and it is made anew."
        )


def _check_places(path: Path, faidx: Any) -> None:
    """Refuse an index that does not have every sequence of its file where it is.

    It is of another file, of this one before it was changed, or has lost lines. Each header must stand where the
    letters of the sequence before it end, the first one at the beginning, and behind the last letters nothing.
    """
    above: str | None = None
    ends = 0
    for name, record in sorted(faidx.index.items(), key=lambda item: item[1].offset):
        if not record.rlen:
            raise InputError(
                f"{path}: record {name!r} has no sequence; remove the record or fill in its sequence, and delete "
                f"{path.name}.fai if it has one."
            )
        found, start = _header_before(faidx, record.offset)
        if found != name:
            raise _not_of(path, f"lets {name} begin where it does not")
        if above is None and not _is_heading(_read(faidx, 0, start) if start <= LONGEST_HEADER else b"?"):
            raise _not_of(path, f"has no entry for what stands before {name}")
        if above is not None and ends != start:
            raise _not_of(path, f"lets {above} end where it does not, or has no entry for what stands behind it")
        if not _has_lines_of(faidx, record):
            raise _not_of(path, f"lets {name} have lines of another length than it has")
        last = record.rlen - 1
        ends = _next_header(faidx, record.offset + last // record.lenc * record.lenb + last % record.lenc)
        above = name
    if ends >= 0:
        raise _not_of(path, f"lets {above} end where it does not, or has no entry for what stands behind it")


def _not_of(path: Path, wrong: str) -> InputError:
    return InputError(
        f"{path}: its index {path.name}.fai {wrong}; expected one of this file: delete it, and it is made anew."
    )


def _is_heading(data: bytes) -> bool:
    """Whether lines are blank or comments, as may stand before the first header."""
    lines = data.removeprefix(BOM).replace(b"\r", b"\n").split(b"\n")
    return all(line.startswith(b";") or not line.strip(BLANKS) for line in lines)


def _has_lines_of(faidx: Any, record: Any) -> bool:
    """Whether the first line has as many letters and bytes as an index says, as far as it is looked at."""
    n = min(record.lenc, record.rlen)
    line = _read(faidx, record.offset, min(n, LONGEST_HEADER))
    if record.lenc == 0 or len(line.split()) != 1 or len(line.strip()) != min(n, LONGEST_HEADER):
        return False
    if record.rlen <= record.lenc:
        return True
    around = _read(faidx, record.offset + n - 1, record.lenb - n + 2)  # the last letter, the line's end, and a letter
    return not around[1:-1].strip(BLANKS) and all(one.strip(BLANKS + b">") for one in (around[:1], around[-1:]))


def _next_header(faidx: Any, last: int) -> int:
    """Where a header begins behind the letter at a place; -1 if nothing is there, 0 if something else is."""
    size = 0
    while size < LONGEST_HEADER:
        size = max(2 * size, _LOOKED_AT)
        found = _read(faidx, last, size)
        if not found[:1].strip(BLANKS + b">"):
            return 0
        if behind := found[1:].lstrip(BLANKS):
            return last + len(found) - len(behind) if behind.startswith(b">") else 0
        if len(found) < size:
            return -1
    return 0


def _header_before(faidx: Any, offset: int) -> tuple[str | None, int]:
    """The first word of the header that ends at a place, and where it begins; None if no header does."""
    size, found, lines = 0, b"", [b""]
    while size < min(offset, LONGEST_HEADER) and len(lines) == 1:
        size = min(max(2 * size, _LOOKED_AT), offset)
        found = _read(faidx, offset - size, size)
        end = b"\n" if found.endswith(b"\n") else b"\r"  # of an old Macintosh
        lines = found.removesuffix(end).removesuffix(b"\r").split(end)
    header = lines[-1].removeprefix(BOM) if len(lines) == 1 else lines[-1]
    if not found.endswith((b"\n", b"\r")) or not header.startswith(b">") or (len(lines) == 1 and size < offset):
        return None, 0
    return (header[1:].split() or [b""])[0].decode(errors="replace"), offset - len(found) + found.rindex(header)


def _read(faidx: Any, offset: int, size: int) -> bytes:
    """Bytes of a FASTA file, unpacked, at a place."""
    if faidx._bgzf:
        block = faidx.gzi_index[bisect_right(faidx.gzi_index, offset, key=lambda one: one.ustart) - 1]
        faidx.file.seek(block.cstart << 16 | offset - block.ustart)  # as BGZF counts: the block, and the place in it
    else:
        faidx.file.seek(offset)
    found: bytes = faidx.file.read(size)
    while faidx._bgzf and len(found) < size and not _is_at_end(faidx.file._handle):  # an empty block, as between files
        found += faidx.file.read(size - len(found))
    return found


def _is_at_end(file: IO[bytes]) -> bool:
    return file.tell() >= os.fstat(file.fileno()).st_size


def _check_fasta(path: Path, file: Path) -> None:
    """Refuse what pyfaidx would misread, or would tell of in many lines; `path` is the file's name in messages."""
    try:
        with file.open("rb") as opened:
            head = opened.read(18)
            opened.seek(max(0, file.stat().st_size - len(BGZIP_END)))
            tail = opened.read()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}), expected a FASTA file; check the path.") from None
    is_gzip, is_named_gzip = head.startswith(GZIP_MAGIC), _is_named_packed(file)
    if is_gzip and not is_bgzip(head):
        raise InputError(
            f"{path}: is plain gzip, in which no position can be found; expected FASTA, plain or bgzip. Unpack it "
            "(gunzip), or unpack it and pack it with bgzip."
        )
    if is_gzip and tail != BGZIP_END:
        raise InputError(f"{path}: has no bgzip end-of-file mark, expected a whole file; copy or download it again.")
    if is_gzip != is_named_gzip:
        raise InputError(
            f"{path}: {'is' if is_gzip else 'is not'} compressed, expected .gz at the end of a compressed file's name "
            "and of no other; rename it."
        )
    if not is_gzip and not head.removeprefix(BOM).lstrip(BLANKS).startswith((b">", b";")):
        raise InputError(f"{path}: begins with {head!r}, expected '>' and a name; convert the file to FASTA.")
