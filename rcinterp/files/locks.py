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
    """Hold a folder while it is written to; gives when the first writer began of those that were stopped, if any was.

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

    The file stays behind if the writer is killed, or fails when files have been written, and is removed by the next one
    that comes to its end: until then, what is newer than the file may be a writer's that left no record.
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
    is_done = False
    try:
        yield stopped_at
        is_done = True
    finally:
        is_known = not is_done and (stopped_at is not None or _has_newer(folder, lock))
        if sys.platform == "win32":  # where no open file can be removed
            os.close(file)
        if not is_known:
            with suppress(OSError):
                lock.unlink()
        if sys.platform != "win32":
            os.close(file)
        _remove(made)


def _acquire(lock: Path, what: str) -> tuple[int, float | None]:
    """The open file, locked, with the name of this process in it; and when the first began of those that were stopped.

    That stands in a second line, or it is the time of the file, which names the one that was stopped.
    """
    while True:
        file = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            if sys.platform != "win32":
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = (_lines(file) or ["another process"])[0]
            os.close(file)
            raise InputError(
                f"{lock.parent}: {holder} is writing there; wait until it has ended, or give another folder."
            ) from None
        except OSError:  # a file system without locks
            pass
        if _is_same(file, lock):
            stopped_at = _first_begun(file)
            own = f"process {os.getpid()} on {socket.gethostname()} ({what})\n"
            text = (own if stopped_at is None else f"{own}{stopped_at!r}\n").encode()
            os.lseek(file, 0, os.SEEK_SET)
            os.write(file, text)  # before the rest of the old text goes: stopped in between, both are known
            os.ftruncate(file, len(text))
            return file, stopped_at
        os.close(file)  # the holder before removed it in between


def _lines(file: int) -> list[str]:
    os.lseek(file, 0, os.SEEK_SET)
    return os.read(file, 1000).decode(errors="replace").splitlines()


def _first_begun(file: int) -> float | None:
    """When the first began of the writers that were stopped; None if none was."""
    lines = _lines(file)
    try:
        return float(lines[1])
    except (IndexError, ValueError):
        return os.fstat(file).st_mtime if lines else None


def _has_newer(folder: Path, lock: Path) -> bool:
    """Whether a file has been written since the lock was taken."""
    try:
        began = lock.stat().st_mtime
        return any(path.stat().st_mtime >= began for path in folder.rglob("*") if path != lock and path.is_file())
    except OSError:  # gone meanwhile
        return False


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
