"""The index of a FASTA file, plain or bgzip, made by reading the whole file once.

It has samtools' formats, .fai and .gzi. What no index can describe is refused with its line.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from rcinterp.errors import InputError
from rcinterp.files import is_bgzip

BOM = b"\xef\xbb\xbf"
BLANKS = b" \t\r\n"
#: Bytes that a header may have.
LONGEST_HEADER = 2**20
_CHUNK = 2**24
#: Bytes that a block of bgzip unpacks to at most.
_BLOCK = 2**16


@dataclass
class Entry:
    """A sequence of a FASTA file as a .fai has it.

    Attributes
    ----------
    line : int
        Of its header, from 1.
    offset : int
        Bytes before its first letter.
    length : int
        Letters.
    letters, size : int
        Letters and bytes of each of its lines but the last.
    last : str
        Which line must be its last, and why; empty while any may follow.
    """

    line: int
    offset: int
    length: int = 0
    letters: int = 0
    size: int = 0
    last: str = ""


def write_index(path: Path, file: Path, fai: Path, gzi: Path | None) -> None:
    """Read a FASTA file and write its index.

    Parameters
    ----------
    path : path
        The file's name in messages.
    file : path
        The file; bgzip if `gzi` is given.
    fai, gzi : path
        What is written.

    Raises
    ------
    InputError
        If lines of a sequence differ in length, letters have blanks beside them, a record has no name or no sequence,
        a name stands twice, or a block of bgzip is damaged.
    """
    blocks: list[tuple[int, int]] = []
    with file.open("rb") as opened:
        chunks = iter(lambda: opened.read(_CHUNK), b"") if gzi is None else _unpacked(path, opened, blocks)
        entries = _Scan(path).run(chunks)
    fai.write_text(
        "".join(f"{name}\t{e.length}\t{e.offset}\t{e.letters}\t{e.size}\n" for name, e in entries.items()),
        encoding="utf-8",
    )
    if gzi is not None:  # which leaves the first block out
        numbers = struct.pack("<Q", max(0, len(blocks) - 1))
        gzi.write_bytes(numbers + b"".join(struct.pack("<QQ", *block) for block in blocks[1:]))


def _unpacked(path: Path, file: BinaryIO, blocks: list[tuple[int, int]]) -> Iterator[bytes]:
    """The content of a bgzip file, a part at a time; notes where each block begins, packed and unpacked."""
    packed, unpacked, parts, n_held = 0, 0, [], 0
    while head := file.read(18):
        if not is_bgzip(head):
            raise InputError(
                f"{path}: is bgzip that goes on as something else (at byte {packed}), expected bgzip alone; unpack it, "
                "and pack it with bgzip."
            )
        extra, size = struct.unpack("<H", head[10:12])[0], struct.unpack("<H", head[16:18])[0] + 1
        body = file.read(size - 18)
        unpacker = zlib.decompressobj(wbits=-zlib.MAX_WBITS)
        try:
            data = unpacker.decompress(body[extra - 6 : -8], _BLOCK)
        except zlib.error:
            data = b""
        if len(body) != size - 18 or not unpacker.eof or body[-8:] != struct.pack("<II", zlib.crc32(data), len(data)):
            raise InputError(f"{path}: has a damaged bgzip block (at byte {packed}); copy or download it again.")
        if data:
            blocks.append((packed, unpacked))
        packed, unpacked, n_held = packed + size, unpacked + len(data), n_held + len(data)
        parts.append(data)
        if n_held >= _CHUNK:
            yield b"".join(parts)
            parts, n_held = [], 0
    yield b"".join(parts)


@dataclass
class _Line:
    """A line that is not over: bytes of a header or a comment; of another only how many, and what they are."""

    head: bytes = b""
    size: int = 0
    letters: int = 0  # with what stands between them
    has_blank_within: bool = False
    ends_in_cr: bool = False

    def add(self, data: bytes) -> None:
        """Go on."""
        if not data:
            return
        self.ends_in_cr = data.endswith(b"\r")
        if self.head or (not self.size and data.startswith((b">", b";"))):
            self.head += data
        elif n := len(data.rstrip(BLANKS)):
            self.has_blank_within |= self.size > self.letters or _has_blank(data, 0, n)
            self.letters = self.size + n
        self.size += len(data)


class _Scan:
    """Takes the lines of a FASTA file, which comes in chunks, and makes its index."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.entries: dict[str, Entry] = {}
        self.name, self.entry = "", Entry(0, 0)  # the sequence that is not over
        self.n_lines, self.place = 0, 0  # lines that are over, and their bytes
        self.line = _Line()

    def run(self, chunks: Iterator[bytes]) -> dict[str, Entry]:
        """The index of all chunks together."""
        first = next(chunks, b"")
        if first.startswith(BOM):
            first, self.place = first[len(BOM) :], len(BOM)
        end = b"\r" if b"\r" in first and b"\n" not in first else b"\n"  # of an old Macintosh, or of any other
        for chunk in chain([first], chunks):
            if end == b"\r" and b"\n" in chunk:
                raise self._refusal(self.n_lines + 1, "or one below it ends otherwise than the lines above")
            self._take(chunk, end)
        if self.line.size:
            self._end_line(0)
        self._end_record()
        if not self.entries:
            raise InputError(f"{self.path}: the file is empty; expected FASTA records ('>name', then the sequence).")
        return self.entries

    def _take(self, chunk: bytes, end: bytes) -> None:
        """The rest of a line, whole lines, and the beginning of a line."""
        start = 0
        if self.line.size:
            start = chunk.find(end) + 1
            self._go_on(chunk[: start - 1] if start else chunk)
            if not start:
                return
            self._end_line(1)
        stop = chunk.rfind(end) + 1
        if stop > start:
            self._take_lines(chunk[start:stop], end[0])
        self._go_on(chunk[max(start, stop) :])

    def _go_on(self, data: bytes) -> None:
        self.line.add(data)
        self._check_header(self.n_lines + 1, len(self.line.head))

    def _end_line(self, n_end: int) -> None:
        line, self.line = self.line, _Line()
        self.n_lines += 1
        self.place += line.size + n_end
        if line.head:
            self._take_header(line.head, self.place, self.n_lines)
            return
        if line.has_blank_within:
            raise self._blank_within(self.n_lines)
        letters, size = np.array([line.letters]), np.array([line.size + n_end])
        self._take_letters(letters, size, np.array([line.size - line.letters > line.ends_in_cr]), self.n_lines)

    def _take_lines(self, data: bytes, end: int) -> None:
        """Whole lines."""
        array = np.frombuffer(data, np.uint8)
        stops = np.flatnonzero(array == end)
        starts = np.concatenate([[0], stops[:-1] + 1])
        letters = stops - starts
        letters -= (letters > 0) & (array[stops - 1] == ord("\r"))
        has_blanks = (letters > 0) & np.isin(array[starts + np.maximum(letters - 1, 0)], list(BLANKS))
        for i in np.flatnonzero(has_blanks).tolist():
            letters[i] = len(data[starts[i] : stops[i]].rstrip(BLANKS))
        sizes, number, begun = stops + 1 - starts, self.n_lines + 1, 0
        for i in [*np.flatnonzero(np.isin(array[starts], list(b">;"))).tolist(), len(starts)]:
            if i > begun:
                if _has_blank(data, starts[begun], stops[i - 1]):
                    for j in range(begun, i):
                        if _has_blank(data, starts[j], starts[j] + letters[j]):
                            raise self._blank_within(number + j)
                self._take_letters(letters[begun:i], sizes[begun:i], has_blanks[begun:i], number + begun)
            if i < len(starts):
                self._check_header(number + i, int(sizes[i]))
                self._take_header(data[starts[i] : stops[i]], self.place + int(stops[i]) + 1, number + i)
            begun = i + 1
        self.n_lines += len(starts)
        self.place += len(data)

    def _take_header(self, line: bytes, offset: int, number: int) -> None:
        """A header, behind which so many bytes lie; or a comment, which may stand before the first one."""
        if line.startswith(b";"):
            if self.entries:
                raise self._refusal(number, "is a comment, expected a sequence's letters; remove it")
            return
        self._end_record()
        words = line[1:].split()
        if not words:
            raise self._refusal(number, "has no name, expected '>' and a name; name the record")
        try:
            name = words[0].decode()
        except UnicodeDecodeError:
            raise self._refusal(number, f"has the name {words[0][:40]!r}, expected UTF-8; rename it") from None
        if name in self.entries:
            raise InputError(
                f"{self.path}: cannot be read as FASTA (Duplicate key {name!r} in lines {self.entries[name].line} and "
                f"{number}), expected each name once; rename or remove one."
            )
        self.name = name
        self.entry = self.entries[name] = Entry(number, offset)

    def _take_letters(
        self, letters: NDArray[np.int64], sizes: NDArray[np.int64], has_blanks: NDArray[np.bool_], number: int
    ) -> None:
        """Lines between headers: of each how many letters and bytes it has, and whether blanks stand behind them."""
        if not self.entries:
            if letters.any():
                first = number + int(letters.nonzero()[0][0])
                raise self._refusal(first, "stands before the first header, expected '>' and a name; remove it")
            return
        entry, n = self.entry, len(letters)
        if not entry.size:
            entry.letters, entry.size = int(letters[0]), int(sizes[0])
        if not entry.last:
            is_last = (letters != entry.letters) | (sizes != entry.size) | has_blanks | (letters == 0)
            n = int(is_last.argmax()) if is_last.any() else len(letters)
            entry.length += int(letters[:n].sum())
            if n == len(letters):
                return
            if letters[n] > entry.letters:
                raise self._inconsistent(f"line {number + n} is longer than the one above")
            entry.length += int(letters[n])
            what = "is blank" if not letters[n] else "has blanks behind its letters" if has_blanks[n] else None
            entry.last = f"line {number + n} {what or 'is shorter than those above or ends otherwise'}"
            n += 1
        else:
            n = 0
        if letters[n:].any():
            raise self._inconsistent(f"{entry.last}, and letters follow")

    def _end_record(self) -> None:
        if self.entries and not self.entry.length:
            raise InputError(
                f"{self.path}: line {self.entry.line}: record {self.name!r} has no sequence; remove the record or fill "
                "in its sequence."
            )

    def _check_header(self, number: int, size: int) -> None:
        if size > LONGEST_HEADER:
            raise self._refusal(number, f"is a header of more than {LONGEST_HEADER} bytes, as none is; check the file")

    def _blank_within(self, number: int) -> InputError:
        return self._refusal(number, "has blanks between letters, expected letters alone; remove them")

    def _inconsistent(self, told: str) -> InputError:
        return InputError(
            f"{self.path}: cannot be read as FASTA (Line length of fasta file is not consistent: {told}), expected "
            f"lines of one length in {self.name}, but for its last; write them anew, e.g. with seqkit seq -w 60."
        )

    def _refusal(self, number: int, told: str) -> InputError:
        return InputError(f"{self.path}: line {number} {told}.")


def _has_blank(data: bytes, start: int, stop: int) -> bool:
    return data.find(b" ", start, stop) >= 0 or data.find(b"\t", start, stop) >= 0
