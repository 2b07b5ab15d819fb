"""Text of plain and gzip files, read whole or refused."""

import gzip
import hashlib
import os
import shutil
import stat
import struct
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from rcinterp.errors import InputError
from rcinterp.files.writing import finish
from rcinterp.memory import describe_bytes, require_memory

#: First bytes of a gzip file.
GZIP_MAGIC = b"\x1f\x8b"

#: Bytes that a file may have at most, unpacked: two million sequences of 1,000 bp.
LARGEST = 2**31

#: Bytes up to which a gzip file may unpack to any multiple of its size, and that multiple beyond them. Sequences unpack
#: to 5 times their size, the same ones over and over to 50 times, and a single letter to 1,000 times.
_PACKED_AT_WILL, _MOST_PACKED = 2**22, 200

#: The block with which a bgzip file ends. Without it the file was cut between two blocks, which gzip does not notice.
BGZIP_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")

CHUNK = 2**20
#: Bytes that tell what a member of a gzip file is, and bytes of it that are read at a time: of each member, the rest of
#: them is copied.
_HEAD, _PART = 18, 2**16


def read_text(
    path: str | os.PathLike[str], expected: str, advice: str = "check the path", *, largest: int = LARGEST
) -> str:
    """Return the text of a plain or gzip file, UTF-8, without a byte order mark; gzip is told from its first bytes.

    Parameters
    ----------
    path : path
        A file, or a pipe.
    expected : str
        What the file should be, for messages.
    advice : str
        What to do if there is no such file.
    largest : int
        Bytes that it may have at most, unpacked.

    Raises
    ------
    InputError
        If the file is missing, damaged, cut, too large, larger than there is memory for, or no text.
    """
    with _errors_of(path, expected, advice), open_input(path, largest) as file:
        chunks, size, held_against = [], 0, 0
        for chunk in _unpacked(file, path):
            size += len(chunk)
            if size > largest:
                raise _too_large(path, expected, largest)
            if size > held_against:
                require_memory(f"{path}: its text", 3 * size, "split the file")  # in parts, as bytes and as text
                held_against = 2 * size
            chunks.append(chunk)
        return b"".join(chunks).decode("utf-8-sig")


def read_bytes(path: str | os.PathLike[str], expected: str, advice: str = "check the path", *, largest: int) -> bytes:
    """Return the bytes of a file.

    Raises
    ------
    InputError
        If the file is missing, or too large.
    """
    with _errors_of(path, expected, advice), open_input(path, largest) as file:
        data = file.read(largest + 1)
        if len(data) > largest:
            raise _too_large(path, expected, largest)
        return data


def digest_of_file(path: str | os.PathLike[str]) -> str:
    """SHA-256 of a file."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _too_large(path: str | os.PathLike[str], expected: str, largest: int) -> InputError:
    return InputError(
        f"{path}: has more than {largest / 2**20:,.0f} MiB of text, expected {expected}; is it the right file? "
        "Split it if it is."
    )


@contextmanager
def _errors_of(path: str | os.PathLike[str], expected: str, advice: str) -> Iterator[None]:
    try:
        yield
    except UnicodeDecodeError:
        raise InputError(f"{path}: is not text, expected {expected}, plain or gzip; convert the file first.") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise InputError(f"{path}: is a damaged gzip file ({error}); copy or download it again.") from None
    except FileNotFoundError:
        raise InputError(f"{path}: no such file, expected {expected}; {advice}.") from None
    except IsADirectoryError:
        raise InputError(f"{path}: is a folder, expected {expected}; name a file in it.") from None
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}), expected {expected}; {advice}.") from None
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{str(path)!r}: cannot be the name of a file ({error}); {advice}.") from None


# Pipes.

_Identity = tuple[int, int]
#: Copies of pipes that were read, while a command lasts; None: no command does.
_kept: dict[_Identity, BinaryIO] | None = None


@contextmanager
def pipes_kept() -> Iterator[None]:
    """Read each pipe once, however often a command opens it: the content is kept in a temporary file meanwhile."""
    global _kept  # what a process reads has one state
    if _kept is not None:
        yield
        return
    _kept = {}
    try:
        yield
    finally:
        for copy in _kept.values():
            copy.close()
        _kept = None


@contextmanager
def open_input(path: str | os.PathLike[str], largest: int | None = None) -> Iterator[BinaryIO]:
    """Open a file, or a copy of what comes through a pipe, to be read from its beginning and at any place.

    Raises
    ------
    InputError
        If a pipe has more than `largest` bytes, or more than half of the room for temporary files.
    """
    with ExitStack() as stack:
        if not is_pipe(path):
            finish(Path(path).parent)
            yield stack.enter_context(Path(path).open("rb"))
            return
        stack.enter_context(pipes_kept())
        kept, identity = cast("dict[_Identity, BinaryIO]", _kept), _identity(path)
        if identity not in kept:
            kept[identity] = _copy_of(path, largest)
        kept[identity].seek(0)
        yield kept[identity]


def _copy_of(path: str | os.PathLike[str], largest: int | None) -> BinaryIO:
    """A temporary file of what comes through a pipe; it is gone once it is closed."""
    room = shutil.disk_usage(tempfile.gettempdir()).free // 2
    most = room if largest is None else min(largest, room)
    with ExitStack() as stack:
        copy = cast(BinaryIO, stack.enter_context(tempfile.TemporaryFile()))
        file, size = stack.enter_context(Path(path).open("rb")), 0
        while chunk := file.read(CHUNK):
            size += len(chunk)
            if size > most:
                of_what = "as such a file has at most" if most < room else "half of what temporary files have room for"
                raise InputError(
                    f"{path}: is a pipe of more than {describe_bytes(most)}, {of_what}; is it the right one? If it is, "
                    "write it to a file first."
                )
            copy.write(chunk)
        file.close()
        stack.pop_all()
    return copy


def is_pipe(path: str | os.PathLike[str]) -> bool:
    """Whether a path is there and is neither a file nor a folder: a pipe, a terminal, what a shell puts for <(...)."""
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return False
    return not stat.S_ISREG(mode) and not stat.S_ISDIR(mode)


def _identity(path: str | os.PathLike[str]) -> _Identity:
    found = os.stat(path)
    return found.st_dev, found.st_ino


# Gzip.


def _unpacked(file: BinaryIO, path: object) -> Iterator[bytes]:
    """The content of a gzip file, or of another file as it is, a part at a time.

    Raises
    ------
    InputError
        If it is, or ends in, a bgzip file that was cut between two blocks, or unpacks to many times its size.
    EOFError, zlib.error, gzip.BadGzipFile
        If it is damaged in another way.
    """
    held = file.read(_HEAD)
    if not held.startswith(GZIP_MAGIC):
        yield held
        while chunk := file.read(CHUNK):
            yield chunk
        return
    size, is_open = 0, False  # whether a bgzip file has begun, and its end has not come
    while held:
        if not held.startswith(GZIP_MAGIC):
            raise gzip.BadGzipFile(f"Not a gzipped file ({held[:2]!r})")
        is_block = is_bgzip(held)
        if is_open and not is_block:
            break
        unpacker, before = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS), size
        while not unpacker.eof:
            held = held or file.read(_PART)
            if not held:
                raise EOFError("Compressed file ended before the end-of-stream marker was reached")
            data = unpacker.decompress(held, CHUNK)
            held = unpacker.unconsumed_tail
            size += len(data)
            if size > max(_PACKED_AT_WILL, _MOST_PACKED * file.tell()):
                raise InputError(
                    f"{path}: is a gzip file that unpacks to more than {_MOST_PACKED} times its size (over "
                    f"{describe_bytes(size)}), as no data do; is it the right file?"
                )
            if data:
                yield data
        held, is_open = unpacker.unused_data.lstrip(b"\0"), is_block and size > before
        while len(held) < _HEAD and (chunk := file.read(_PART)):  # another member may follow, behind zeros
            held = (held + chunk).lstrip(b"\0")
    if is_open:
        raise InputError(f"{path}: is a bgzip file without its end, so it was cut; copy or download it again.")


def is_bgzip(data: bytes) -> bool:
    """Whether data begin as a bgzip file: a gzip file of blocks that say their sizes."""
    return len(data) >= 18 and data[3] & 4 > 0 and data[12:16] == b"BC" + struct.pack("<H", 2)
