"""Arrays of numpy's files, whose sizes are checked before memory is taken."""

import math
import os
import struct
import tokenize
import zipfile
import zlib
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from rcinterp.errors import InputError
from rcinterp.files.reading import open_input
from rcinterp.memory import describe_bytes, require_memory

#: Kinds of numbers, and of truth values.
_NUMBERS = frozenset("biuf")
#: Bytes up to which an archive may unpack to any multiple of its size, and that multiple beyond them. One-hot
#: sequences in 64 bits unpack to 40 times their size, and zeros to 1,000 times.
_PACKED_AT_WILL, _MOST_PACKED = 2**26, 200


def read_arrays(path: str | os.PathLike[str], expected: str, advice: str) -> dict[str, NDArray[Any]]:
    """Arrays of numbers of an .npz file, by their names; of an .npy file its one array, called "arr_0".

    The numbers are in the order of bytes of this machine, whatever it is in the file.

    Raises
    ------
    InputError
        If the file is missing, damaged, no such file, holds something else than numbers, two arrays of one name, or
        more than there is memory.
    """
    problem = f"{path}: cannot be read, expected {expected}"
    try:
        with open_input(path) as file:
            if not zipfile.is_zipfile(file):
                file.seek(0)
                return {"arr_0": _read_array(file, os.fstat(file.fileno()).st_size, path)}
            with zipfile.ZipFile(file) as archive:
                members = archive.infolist()
                _check_names([info.filename for info in members], path, advice)
                n_bytes = sum(info.file_size for info in members)
                if n_bytes > max(_PACKED_AT_WILL, _MOST_PACKED * os.fstat(file.fileno()).st_size):
                    raise InputError(
                        f"{path}: unpacks to {describe_bytes(n_bytes)}, over {_MOST_PACKED} times its size, expected "
                        f"{expected}; if it is the right file, save its arrays with numpy.savez."
                    )
                require_memory(f"{path}: its content", n_bytes, "give fewer sequences")
                if not members:
                    raise InputError(f"{path}: holds no arrays of numbers, expected {expected}; {advice}.")
                return {info.filename.removesuffix(".npy"): _read_member(archive, info, path) for info in members}
    except FileNotFoundError:
        raise InputError(f"{path}: no such file, expected {expected}; {advice}.") from None
    except OSError as error:
        raise InputError(f"{problem} ({error.strerror or error}); {advice}.") from None
    except InputError:
        raise
    except _DAMAGED as error:
        told = " ".join(str(error).split())[:100] or type(error).__name__
        raise InputError(f"{problem} ({told}); {advice}.") from None


#: What numpy and zipfile raise of files that are damaged, packed otherwise, or locked by a password.
_DAMAGED: tuple[type[Exception], ...] = (
    *(ValueError, EOFError, KeyError, TypeError, SyntaxError, tokenize.TokenError, RuntimeError, struct.error),
    *(zipfile.BadZipFile, zlib.error, OverflowError, MemoryError, AttributeError, IndexError),
)


def _check_names(names: list[str], path: object, advice: str) -> None:
    """Refuse an archive of which something would be left out."""
    for name in names:
        if not name.endswith(".npy"):
            raise InputError(f"{path}: holds {name!r}, expected arrays alone, as numpy.savez writes them; {advice}.")
        if names.count(name) > 1:
            raise InputError(f"{path}: holds {name!r} {names.count(name)} times, expected each name once; {advice}.")


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, path: object) -> NDArray[Any]:
    with archive.open(info) as member:
        return _read_array(member, info.file_size, path)


def _read_array(file: IO[bytes], size: int, path: object) -> NDArray[Any]:
    """The array that a stream of so many bytes holds, if its header says no more."""
    version = np.lib.format.read_magic(file)
    read_header = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    if version not in read_header:
        raise ValueError(f"its format is {version[0]}.{version[1]}, expected 1.0 or 2.0")
    shape, is_fortran, dtype = read_header[version](file)
    if dtype.kind not in _NUMBERS:
        raise InputError(f"{path}: holds no arrays of numbers, expected one row a sequence, but {str(dtype)[:40]}.")
    n_bytes = math.prod(shape) * dtype.itemsize
    if min(shape, default=0) < 0 or n_bytes != size - file.tell():
        raise ValueError(f"its header tells of an array {shape}, which is not what follows")
    require_memory(f"{path}: an array {shape}", n_bytes, "give fewer sequences")
    data = bytearray(n_bytes)
    view, start = memoryview(data), 0
    while start < n_bytes:
        chunk = file.read(min(2**24, n_bytes - start))
        if not chunk:
            raise EOFError("it was cut")
        view[start : start + len(chunk)] = chunk
        start += len(chunk)
    values = np.frombuffer(data, dtype)
    if not dtype.isnative:
        values = values.byteswap(inplace=True).view(dtype.newbyteorder("="))
    return values.reshape(shape, order="F" if is_fortran else "C")
