"""One writer a folder: a second one is told who holds it."""

import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rcinterp.errors import InputError

if sys.platform != "win32":
    import fcntl

#: The file that is locked, and that says by whom.
LOCK = ".rcinterp-lock"


@contextmanager
def held(folder: Path, what: str) -> Iterator[float | None]:
    """Hold a folder while it is written to; gives when a writer began that was stopped on the way, None if none was.

    Parameters
    ----------
    folder : path
        Made if need be, and taken away again if nothing was written.
    what : str
        What is done, for the message that a second process gets, such as "rcinterp train".

    Raises
    ------
    InputError
        If another process holds it; it says which.
    OSError
        If the folder cannot be made or written to.

    Notes
    -----
    The lock is the system's (flock), so that it goes with its process, however that ends. On file systems without
    locks, and on Windows, nothing is locked.
    """
    made = [place for place in (folder, *folder.absolute().parents) if not place.exists()]
    try:
        lock, acquired = folder / LOCK, None
        while acquired is None:
            folder.mkdir(parents=True, exist_ok=True)
            with suppress(FileNotFoundError):  # another process has just taken its empty folder away
                acquired = _acquire(lock, what)
        file, stopped_at = acquired
    except OSError as error:
        _remove(made)
        raise OSError(error.errno, error.strerror, str(folder)) from None
    try:
        yield stopped_at
    finally:
        if sys.platform == "win32":  # where no open file can be removed
            os.close(file)
        with suppress(OSError):
            lock.unlink()
        if sys.platform != "win32":
            os.close(file)
        _remove(made)


def _acquire(lock: Path, what: str) -> tuple[int, float | None]:
    """The open file, locked, with the name of this process in it; and when one wrote its name who did not remove it."""
    while True:
        file = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            if sys.platform != "win32":
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(file, 1000).decode(errors="replace").strip() or "another process"
            os.close(file)
            raise InputError(
                f"{lock.parent}: {holder} is writing there; wait until it has ended, or give another folder."
            ) from None
        except OSError:  # a file system without locks
            pass
        if _is_same(file, lock):
            before = os.fstat(file)
            stopped_at = before.st_mtime if before.st_size else None
            os.ftruncate(file, 0)
            os.write(file, f"process {os.getpid()} on {socket.gethostname()} ({what})\n".encode())
            return file, stopped_at
        os.close(file)  # the holder before removed it in between


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
