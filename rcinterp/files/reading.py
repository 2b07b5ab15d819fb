"""Text of plain and gzip files, read whole or refused."""

import gzip
import io
import os
import struct
import zlib
from pathlib import Path

from rcinterp.errors import InputError

#: First bytes of a gzip file.
GZIP_MAGIC = b"\x1f\x8b"

#: Bytes that a file may have at most, unpacked: ten times the largest catalogue or the peaks of all of ENCODE's assays.
LARGEST = 2**31

#: The block with which a bgzip file ends. Without it the file was cut between two blocks, which gzip does not notice.
BGZIP_END = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")


def read_text(
    path: str | os.PathLike[str], expected: str, advice: str = "check the path", *, largest: int = LARGEST
) -> str:
    """Return the text of a plain or gzip file, UTF-8, without a byte order mark; gzip is told from its first bytes.

    Parameters
    ----------
    path : path
    expected : str
        What the file should be, for messages.
    advice : str
        What to do if there is no such file.
    largest : int
        Bytes that it may have at most, unpacked.

    Raises
    ------
    InputError
        If the file is missing, damaged, cut, too large, or no text.
    """
    try:
        with Path(path).open("rb") as file:
            data = file.read(largest + 1)
        data = unpack(data, path, largest)
        if len(data) > largest:
            raise InputError(
                f"{path}: has more than {largest / 2**20:,.0f} MiB of text, expected {expected}; is it the right file? "
                "Split it if it is."
            )
        return data.decode("utf-8-sig")
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


def unpack(data: bytes, path: object, largest: int = LARGEST) -> bytes:
    """The content of a gzip file, of which `largest` + 1 bytes at most; other data as they are.

    Raises
    ------
    InputError
        If it is a bgzip file that was cut between two blocks.
    EOFError, zlib.error, gzip.BadGzipFile
        If it is damaged in another way.
    """
    if not data.startswith(GZIP_MAGIC):
        return data
    if is_bgzip(data) and not data.endswith(BGZIP_END):
        raise InputError(f"{path}: is a bgzip file without its end, so it was cut; copy or download it again.")
    with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
        return file.read(largest + 1)


def is_bgzip(data: bytes) -> bool:
    """Whether data begin as a bgzip file: a gzip file of blocks that say their sizes."""
    return len(data) >= 18 and data[3] & 4 > 0 and data[12:16] == b"BC" + struct.pack("<H", 2)
