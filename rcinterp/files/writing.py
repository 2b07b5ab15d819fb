"""Files and folders that are written whole or not at all, whatever stops the program.

What is being written has a name that begins with ``.rcinterp-`` and tells the machine and the process. Such a file that
a killed process has left is removed when something is next written beside it.
"""

from __future__ import annotations

import itertools
import json
import os
import shutil
import socket
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rcinterp.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

_NAME = ".rcinterp-{host}-{pid}-{number}.part{suffix}"
#: The folder of what is complete, while its files take their places, and in it the list of those that go.
_READY, _GONE = ".rcinterp-ready", ".gone.json"
_numbers = itertools.count()
_cleaned: set[Path] = set()  # places where this process has looked for what others have left


@contextmanager
def whole_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give the name of a file to be written; if nothing goes wrong, it then takes the place of `path` in one step.

    Parameters
    ----------
    path : path
        A link is followed, and a pipe or a device written to as it is. The file given has the same ending.

    Raises
    ------
    OSError
        Of `path`, whatever the file that could not be written.
    InputError
        If a text cannot be written in UTF-8.
    """
    given = Path(path)
    if given.exists() and not given.is_file():  # asked of the path itself: a pipe of /dev/fd links to no file
        with _errors_of(given):
            yield given
        return
    target = Path(os.path.realpath(path))
    _clean(target.parent)
    part = target.with_name(_own_name(target.suffix))
    try:
        with _errors_of(given, part):
            yield part
            _put_on_disk(part)
            if target.exists():
                shutil.copymode(target, part)
            os.replace(part, target)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def write_at_once(path: str | os.PathLike[str], content: str | bytes) -> None:
    """Write a file, see to it that it is on the disk, and give it its name: a power cut leaves no empty file."""
    with whole_file(path) as part:
        part.write_bytes(content.encode() if isinstance(content, str) else content)


def write_table(path: str | os.PathLike[str], table: pd.DataFrame, **options: Any) -> None:
    """Write a table, its columns apart by tabs, without its index; options are those of `DataFrame.to_csv`."""
    with whole_file(path) as part:
        table.to_csv(part, **{"sep": "\t", "index": False, **options})


@contextmanager
def whole_folder(folder: str | os.PathLike[str], owns: Collection[str]) -> Iterator[Path]:
    """Give an empty folder to be written to; if nothing goes wrong, its files then take their places in `folder`.

    Parameters
    ----------
    folder : path
        Made if need be. Files of other names in it stay.
    owns : collection of str
        Names of all files that may be written; those that are not written this time are removed.

    Notes
    -----
    What was there stays as it was until all is on the disk. Then one renaming settles that the new files count; if the
    program is stopped while they are moved, the next one that writes here moves the rest.
    """
    folder = Path(folder)
    with _errors_of(folder):
        folder.mkdir(parents=True, exist_ok=True)
        finish(folder)
    _clean(folder)
    part = folder / _own_name()
    try:
        with _errors_of(folder, part):
            part.mkdir()
            yield part
            written = {path.name for path in part.iterdir()}
            (part / _GONE).write_text(json.dumps(sorted(set(owns) - written)), encoding="utf-8")
            for path in part.iterdir():
                _put_on_disk(path)
            _settle(part, folder)
            finish(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _settle(part: Path, folder: Path) -> None:
    """Give a folder that is complete the name by which it counts, after another process has moved its own."""
    while True:
        try:
            os.rename(part, folder / _READY)
        except OSError:
            if not (folder / _READY).is_dir():
                raise
            finish(folder)
        else:
            return


def finish(folder: Path) -> None:
    """Move what a process has written whole, and had no time to move, to its places."""
    ready = folder / _READY
    if not ready.is_dir():
        return
    with suppress(FileNotFoundError):  # another process does the same
        for name in _read_gone(ready / _GONE):
            (folder / name).unlink(missing_ok=True)
        for path in sorted(ready.iterdir()):
            if path.name != _GONE:
                with suppress(FileNotFoundError):
                    os.replace(path, folder / path.name)
        (ready / _GONE).unlink(missing_ok=True)
        ready.rmdir()


def _read_gone(path: Path) -> list[str]:
    """Names of files in the folder, whatever else the list may say: it may be a stranger's."""
    try:
        names = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read ({error}), expected a list of names; delete {path.parent}.") from None
    if not isinstance(names, list) or not all(
        isinstance(name, str) and name.isprintable() and Path(name).name == name not in ("", "..") for name in names
    ):
        raise InputError(f"{path}: does not hold names of files in its folder; delete {path.parent}.")
    return names


def check_place(folder: str | os.PathLike[str]) -> None:
    """Make a folder, and see whether it can be written to, before hours of work.

    Raises
    ------
    OSError
        Of `folder`.
    """
    with _errors_of(Path(folder)):
        Path(folder).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(bytes(4096))


def check_file_place(path: str | os.PathLike[str]) -> None:
    """See whether a file can be written, before the work that it is to hold.

    Raises
    ------
    OSError
        Of `path`.
    """
    given = Path(path)
    if given.exists() and not given.is_file():
        return
    with _errors_of(given), tempfile.TemporaryFile(dir=Path(os.path.realpath(path)).parent) as file:
        file.write(bytes(4096))


def _put_on_disk(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


@contextmanager
def _errors_of(path: Path, part: Path | None = None) -> Iterator[None]:
    """Errors of a path: the file that is at fault is the one that the user knows, not the one of another name."""
    try:
        yield
    except OSError as error:
        at_fault = path
        if part is not None and error.filename is not None and Path(os.fsdecode(error.filename)).parent == part:
            at_fault = path / Path(os.fsdecode(error.filename)).name
        raise OSError(error.errno, error.strerror or str(error), str(at_fault)) from None
    except InputError as error:
        if part is None or str(part) not in str(error):
            raise
        raise InputError(str(error).replace(str(part), str(path))) from None
    except UnicodeEncodeError as error:
        wrong = error.object[error.start : error.end]
        raise InputError(
            f"{path}: not written, as {wrong!r} cannot be written as text (UTF-8); rename what has it in its name."
        ) from None


def _own_name(suffix: str = "") -> str:
    return _NAME.format(host=_host(), pid=os.getpid(), number=next(_numbers), suffix=suffix)


def _host() -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in socket.gethostname())[:40]


def _clean(folder: Path) -> None:
    """Remove what processes of this machine that are no more have left in a folder; once a process is enough."""
    if folder in _cleaned:
        return
    _cleaned.add(folder)
    begin = f".rcinterp-{_host()}-"
    with suppress(OSError):
        for path in folder.iterdir():
            if not path.name.startswith(begin) or ".part" not in path.name:
                continue
            process = path.name.removeprefix(begin).split("-")[0]
            if process.isdecimal() and not _is_running(int(process)):
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)


def _is_running(process: int) -> bool:
    if os.name != "posix":  # where a signal of 0 is no question
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # of another user
        return True
    return True
