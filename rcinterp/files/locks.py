"""One writer a folder: a second one is told who holds it."""

import json
import os
import re
import socket
import stat
import sys
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from fnmatch import fnmatch
from pathlib import Path

from rcinterp.errors import InputError

if sys.platform != "win32":
    import fcntl

#: The file that is locked, and that says by whom.
LOCK = ".rcinterp-lock"
#: Its first line, and the bytes that it has at most.
_HOLDER, _LONGEST = re.compile(r"process \d+ on .+ \(.+\)"), 100_000
#: Neither a link is followed, nor a pipe waited for.
_AS_IT_IS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)


@contextmanager
def held(folder: Path, what: str, below: Collection[str] = ()) -> Iterator[None]:
    """Hold a folder while it is written to.

    Parameters
    ----------
    folder : path
        Made if need be, and taken away again if nothing was written.
    what : str
        What is done, for the message that a second process gets, such as "rcinterp train".
    below : collection of str
        Names, or patterns of names, of folders in it that are written to as well, and held with it.

    Raises
    ------
    InputError
        If another process holds it, and it says which; or if what stands in the place of the lock is none.
    OSError
        If the folder cannot be made or written to.

    Notes
    -----
    The lock is the system's (flock), so that it goes with its process, however that ends; the file of a killed process
    says nothing. On file systems without locks, and on Windows, nothing is locked.
    """
    made = [place for place in (folder, *folder.absolute().parents) if not place.exists()]
    lock, file = folder / LOCK, None
    try:
        while file is None:
            folder.mkdir(parents=True, exist_ok=True)
            with suppress(FileNotFoundError):  # another process has just taken its empty folder away
                file = _acquire(lock, f"process {os.getpid()} on {socket.gethostname()} ({what})", below)
        try:
            _check_around(folder, below)
            yield
        finally:
            if sys.platform == "win32":  # where no open file can be removed
                os.close(file)
            with suppress(OSError):
                lock.unlink()
            if sys.platform != "win32":
                os.close(file)
    except OSError as error:
        if file is not None:  # of what was done meanwhile
            raise
        raise OSError(error.errno, error.strerror, str(folder)) from None
    finally:
        _remove(made)


def _acquire(lock: Path, holder: str, below: Collection[str]) -> int:
    """The open file, locked, with the name of this process in it, and in a second line the folders held with it."""
    text = f"{holder}\n" + (f"{json.dumps(sorted(below))}\n" if below else "")
    while True:
        file = _open(lock, os.O_RDWR | os.O_CREAT)
        try:
            if not _is_free(file):
                raise _is_held(lock.parent, _lines(file))
            if _is_same(file, lock):
                _write(file, lock, text.encode())
                return file
        except BaseException:
            os.close(file)
            raise
        os.close(file)  # the holder before removed it in between


def _open(lock: Path, how: int) -> int:
    """Open what is a lock, and nothing else."""
    try:
        file = os.open(lock, how | _AS_IT_IS, 0o666)
    except OSError:
        with suppress(FileNotFoundError):
            if not stat.S_ISREG(lock.lstat().st_mode):
                raise _is_no_lock(lock, "is no file of its own") from None
        raise
    try:
        found = os.fstat(file)
        if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
            raise _is_no_lock(lock, "is no file of its own")
        lines = _lines(file)
        if found.st_size > _LONGEST or (lines and not _HOLDER.fullmatch(lines[0])):
            raise _is_no_lock(lock, "holds something else")
    except BaseException:
        os.close(file)
        raise
    return file


def _is_no_lock(lock: Path, why: str) -> InputError:
    return InputError(
        f"{lock}: {why}, expected the file by which rcinterp holds the folder that it writes; move it away, or give "
        "another folder."
    )


def _is_held(folder: Path, lines: list[str]) -> InputError:
    holder = (lines or ["another process"])[0]
    return InputError(f"{folder}: {holder} is writing there; wait until it has ended, or give another folder.")


def _is_free(file: int) -> bool:
    """Take the lock of an open file, if no other process has it; a file system without locks lets everyone."""
    try:
        if sys.platform != "win32":
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True


def _write(file: int, lock: Path, text: bytes) -> None:
    try:
        os.lseek(file, 0, os.SEEK_SET)
        os.write(file, text)  # before the rest of the old text goes: there is always a holder in it
        os.ftruncate(file, len(text))
    except OSError:  # of a disk that is full
        with suppress(OSError):
            lock.unlink()
        raise


def _check_around(folder: Path, below: Collection[str]) -> None:
    """Refuse a folder that another process holds with the one above it, or one below it that is to be held with it."""
    place = Path(os.path.realpath(folder))
    lines = _lines_of_another(place.parent / LOCK)
    if lines is not None and any(fnmatch(place.name, name) for name in _folders_in(lines)):
        raise _is_held(folder, lines)
    for name in below:
        for one in sorted(folder.glob(name)):
            lines = _lines_of_another(one / LOCK)
            if lines is not None:
                raise _is_held(one, lines)


def _lines_of_another(lock: Path) -> list[str] | None:
    """What a lock says that another process holds; None if none does."""
    try:
        file = _open(lock, os.O_RDWR)
    except (OSError, InputError):
        return None
    try:
        return None if _is_free(file) else _lines(file)
    finally:
        os.close(file)


def _folders_in(lines: list[str]) -> list[str]:
    with suppress(ValueError, RecursionError):
        names = json.loads(lines[1]) if len(lines) > 1 else []
        if isinstance(names, list):
            return [str(name) for name in names]
    return []


def _lines(file: int) -> list[str]:
    os.lseek(file, 0, os.SEEK_SET)
    return os.read(file, _LONGEST).decode(errors="replace").splitlines()


def _is_same(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False


def _remove(folders: list[Path]) -> None:
    """Remove those that are empty, the inner ones first."""
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()
