"""Files: text that is plain or gzip, and files that are either whole or not there, whatever stops the program."""

import gzip
import os
import zlib
from pathlib import Path

from rcinterp.errors import InputError

#: First bytes of a gzip file.
GZIP_MAGIC = b"\x1f\x8b"


def read_text(path: str | os.PathLike[str], expected: str, advice: str = "check the path") -> str:
    """Return the text of a plain or gzip file, UTF-8, without a byte order mark; gzip is told from its first bytes.

    Parameters
    ----------
    path : path
    expected : str
        What the file should be, for messages.
    advice : str
        What to do if there is no such file.

    Raises
    ------
    InputError
        If the file is missing, damaged, or no text.
    """
    try:
        data = Path(path).read_bytes()
        return (gzip.decompress(data) if data.startswith(GZIP_MAGIC) else data).decode("utf-8-sig")
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


def write_at_once(path: Path, content: str | bytes) -> None:
    """Write <path>.part, see to it that it is on the disk, and give it its name: a power cut leaves no empty file."""
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(part, path)
