"""Files and folders that are written whole or not at all, whatever stops the program.

What is being written has a name that begins with ``.rcinterp-`` and that nobody has, and is locked by its process. Such
a file that a killed process has left is removed when something is next written beside it.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import shutil
import socket
import stat
import sys
import tempfile
from collections.abc import Collection, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rcinterp.errors import InputError
from rcinterp.files.paths import number_of_open

if sys.platform != "win32":
    import fcntl
if TYPE_CHECKING:
    import pandas as pd

_NAME = ".rcinterp-{host}-{pid}-{word}.part{ending}"
#: Bytes of an ending by which programs know the format of a file; a longer one is a part of its name.
_LONGEST_ENDING = 16
#: The folder of what is complete, while its files take their places, and in it the list of those that go.
_READY, _GONE = ".rcinterp-ready", ".gone.json"
_cleaned: set[Path] = set()  # places where this process has looked for what others have left


@contextmanager
def whole_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give the name of a file to be written; if nothing goes wrong, it then takes the place of `path` in one step.

    Parameters
    ----------
    path : path
        A link is followed, and a pipe or a device written to as it is. What goes to an open file, as that of
        /dev/stdout, is written where it is. The file given has the same ending.

    Raises
    ------
    OSError
        Of `path`, whatever the file that could not be written.
    InputError
        If a text cannot be written in UTF-8.

    Notes
    -----
    Within `together` it takes its place with the others.
    """
    given = Path(path)
    real = Path(os.path.realpath(given.parent)) / given.name
    one = _together_with(real)
    if one is not None and one.takes(real):
        with _errors_of(given), whole_file(one.place_of(real, is_file=True)) as part:
            yield part
        return
    if given.exists() and not given.is_file():  # asked of the path itself: a pipe of /dev/fd links to no file
        with _errors_of(given):
            yield given
        return
    if (number := number_of_open(given)) is not None and given.exists():
        with _errors_of(given), tempfile.TemporaryDirectory() as folder:
            part = Path(folder) / given.name
            yield part
            _add_to_open(number, part)
        return
    target = Path(os.path.realpath(path))
    remove_left_over(target.parent)
    ending = target.suffix if len(os.fsencode(target.suffix)) <= _LONGEST_ENDING else ""
    with _errors_of(given), _own_part(target.parent, ending) as part:
        yield part
        put_on_disk(part)
        if target.exists():
            shutil.copymode(target, part)
        os.replace(part, target)


def _add_to_open(number: int, part: Path) -> None:
    """Write to an open file where it is, behind what this process and others have written to it."""
    sys.stdout.flush()
    with part.open("rb") as source, open(number, "wb", closefd=False) as target:
        shutil.copyfileobj(source, target)


def write_at_once(path: str | os.PathLike[str], content: str | bytes) -> None:
    """Write a file, see to it that it is on the disk, and give it its name: a power cut leaves no empty file."""
    with whole_file(path) as part:
        part.write_bytes(content.encode() if isinstance(content, str) else content)


def write_table(path: str | os.PathLike[str], table: pd.DataFrame, **options: Any) -> None:
    """Write a table, its columns apart by tabs, without its index; options are those of `DataFrame.to_csv`."""
    with whole_file(path) as part:
        table.to_csv(part, **{"sep": "\t", "index": False, **options})


@contextmanager
def whole_folder(
    folder: str | os.PathLike[str], owns: Collection[str], removes: Collection[str] | None = None
) -> Iterator[Path]:
    """Give an empty folder to be written to; if nothing goes wrong, its files then take their places in `folder`.

    Parameters
    ----------
    folder : path
        Made if need be. Files of other names in it stay.
    owns : collection of str
        Names of all files that may be written.
    removes : collection of str, optional
        Those of them that are removed if they are not written this time; all if not given.

    Raises
    ------
    InputError
        If a folder has the name of a file.
    OSError
        Of the file that cannot be written.

    Notes
    -----
    What was there stays as it was until all is on the disk. Then one renaming settles that the new files count; if the
    program is stopped while they are moved, the next one that writes or reads here moves the rest.
    Within `together` they take their places with the others.
    """
    folder, removes = Path(folder), owns if removes is None else removes
    real = Path(os.path.realpath(folder))
    one = _together_with(real)
    if one is not None:
        waiting = one.place_of(real)
        with _errors_of(folder, waiting), whole_folder(waiting, owns) as part:
            yield part
        one.remove((real / name).relative_to(one.folder).as_posix() for name in removes)
        return
    with _errors_of(folder):
        folder.mkdir(parents=True, exist_ok=True)
        finish(folder)
        check_names(folder, owns)
    remove_left_over(folder)
    with ExitStack() as stack:
        with _errors_of(folder):
            part = stack.enter_context(_own_part(folder))
        with _errors_of(folder, part):
            yield part
            _settle(part, folder, removes)


class Together:
    """What is written below a folder, and waits for the rest.

    Parameters
    ----------
    folder, part : Path
        Where it will be, and where it waits; both without links.
    names : collection of str
        Names, or patterns of names, of the files that wait, beside those of folders that are written whole.
    """

    def __init__(self, folder: Path, part: Path, names: Collection[str]) -> None:
        self.folder, self.part, self.names = folder, part, names
        self.gone: set[str] = set()

    def takes(self, path: Path) -> bool:
        """Whether a single file waits."""
        name = path.relative_to(self.folder).as_posix()
        return any(fnmatch(name, known) for known in self.names)

    def place_of(self, path: Path, is_file: bool = False) -> Path:
        """Where a file or a folder waits; made, or the folder of the file is."""
        place = self.part / path.relative_to(self.folder)
        (place.parent if is_file else place).mkdir(parents=True, exist_ok=True)
        return place

    def written(self) -> list[str]:
        """Names of the files that wait."""
        return [path.relative_to(self.part).as_posix() for path in _files_in(self.part)]

    def remove(self, names: Iterable[str]) -> None:
        """Remove files when the others take their places, but for those that are written until then."""
        self.gone |= {*names}


#: Those of this process that last.
_lasting: list[Together] = []


@contextmanager
def together(folder: Path, names: Collection[str]) -> Iterator[Together]:
    """While it lasts, collect what is written into a folder and into those below it; at its end all takes its place.

    Parameters
    ----------
    folder : path
        That is there.
    names : collection of str
        Names, or patterns of names, of the single files that wait for the end; others are written at once.

    Notes
    -----
    One renaming settles it, as for `whole_folder`. If something goes wrong, nothing has changed.
    """
    remove_left_over(folder)
    with ExitStack() as stack:
        with _errors_of(folder):
            part = stack.enter_context(_own_part(folder))
        one = Together(Path(os.path.realpath(folder)), Path(os.path.realpath(part)), names)
        _lasting.append(one)
        try:
            yield one
        finally:
            _lasting.remove(one)
        with _errors_of(folder, part):
            if one.written():
                _settle(part, folder, one.gone)


def where_now(folder: Path) -> Path:
    """The folder that has what was written into a folder, which may wait to take its place."""
    real = Path(os.path.realpath(folder))
    one = _together_with(real)
    return folder if one is None else one.place_of(real)


def is_collected(folder: str | os.PathLike[str]) -> bool:
    """Whether what is written into a folder waits for the rest of what a command writes."""
    return _together_with(Path(os.path.realpath(folder))) is not None


def _together_with(real: Path) -> Together | None:
    """That to which a path without links belongs."""
    belongs = (one for one in _lasting if real.is_relative_to(one.folder) and not real.is_relative_to(one.part))
    return next(belongs, None)


def _settle(part: Path, folder: Path, removes: Collection[str]) -> None:
    """Let what is complete count, once it is on the disk; then move it."""
    written = {path.relative_to(part).as_posix(): path for path in _files_in(part)}
    for path in written.values():
        put_on_disk(path)
    check_names(folder, written)
    for name, path in written.items():
        if (folder / name).is_file() and not (folder / name).is_symlink():
            with suppress(FileNotFoundError):  # another process has removed it meanwhile
                shutil.copymode(folder / name, path)
    gone = sorted(name for name in {*removes} - written.keys() if _is_name(name))
    (part / _GONE).write_text(json.dumps(gone), encoding="utf-8")
    put_on_disk(part / _GONE)
    while True:
        try:
            os.rename(part, folder / _READY)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            finish(folder)  # of another process, which has settled its own meanwhile
        else:
            break
    finish(folder)


def finish(folder: Path) -> None:
    """Move what a process has written whole, and had no time to move, to its places.

    Raises
    ------
    InputError
        If that cannot be done.
    """
    place = os.path.realpath(folder)
    above, name = os.path.split(place)
    if os.path.isdir(os.path.join(above, _READY, name)):
        _finish(Path(above))
    if os.path.isdir(os.path.join(place, _READY)):
        _finish(Path(folder))


def _finish(folder: Path) -> None:
    ready = folder / _READY
    try:
        if ready.is_symlink():
            raise InputError(f"{ready}: is a link, expected a folder or nothing; delete it.")
        with _alone(ready):
            gone = _read_gone(ready / _GONE)
            moved = [path.relative_to(ready) for path in _files_in(ready)]
            check_names(folder, [path.as_posix() for path in moved])
            for name in gone:
                if _is_straight(folder, name) and not (folder / name).is_dir():
                    (folder / name).unlink(missing_ok=True)
            for path in moved:
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                with suppress(FileNotFoundError):  # another process does the same, where there are no locks
                    os.replace(ready / path, folder / path)
            for path in sorted(ready.iterdir()):
                if path.name != _GONE:
                    _remove_folders(path)
            (ready / _GONE).unlink()
            with suppress(OSError):  # another process has put there what it has written, or does the same
                ready.rmdir()
    except FileNotFoundError:  # another process has done the same
        pass
    except OSError as error:
        raise InputError(
            f"{ready}: holds files that are complete, and cannot be moved to their places ({error.strerror}); see to "
            f"it that {folder} can be written to, and start again."
        ) from None


@contextmanager
def _alone(ready: Path) -> Iterator[None]:
    """Keep other processes from moving the same files: one that has read the list would remove what is newer.

    The list is what is locked. It goes last, and where it is there, no other folder can take the place of its own.
    """
    if sys.platform == "win32":  # where nothing that is open can be removed
        (ready / _GONE).touch()
        yield
        return
    while True:
        file = os.open(ready / _GONE, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        try:
            with suppress(OSError):  # where there are no locks
                fcntl.flock(file, fcntl.LOCK_EX)
            if os.path.samestat(os.fstat(file), os.stat(ready / _GONE)):
                yield
                return
        finally:
            os.close(file)


def _files_in(folder: Path) -> Iterator[Path]:
    """All files in a folder and those below it, but for the list of what goes."""
    for path in sorted(folder.iterdir()):
        if path.is_dir() and not path.is_symlink():
            yield from _files_in(path)
        elif path.name != _GONE:
            yield path


def _remove_folders(folder: Path) -> None:
    for path in sorted(folder.iterdir()):
        _remove_folders(path)
    folder.rmdir()


def check_names(folder: Path, names: Iterable[str]) -> None:
    """Refuse names that no file can take in a folder, before the work whose files they are.

    Raises
    ------
    InputError
        If a folder has such a name, or what is none stands where a folder of it is to be.
    """
    with suppress(OSError):  # it is not there, or no more
        if not stat.S_ISDIR(os.lstat(folder / _READY).st_mode):
            raise InputError(f"{folder / _READY}: is no folder, expected one or nothing; move it away.")
    for name in names:
        path = folder / name
        if path.is_dir() and not path.is_symlink():
            raise InputError(f"{path}: is a folder, expected a file or nothing; move it away, or give another folder.")
        if not _is_straight(folder, name):
            raise InputError(
                f"{path.parent}: is no folder of {folder}, expected one or nothing; move it away, or give another "
                "folder."
            )


def _is_straight(folder: Path, name: str) -> bool:
    """Whether nothing but folders, and no link, is on the way from a folder to a name in it."""
    for above in Path(name).parents:
        path = folder / above
        if above.name and os.path.lexists(path) and (path.is_symlink() or not path.is_dir()):
            return False
    return True


def _read_gone(path: Path) -> list[str]:
    """Names of files in the folder, whatever else the list may say: it may be a stranger's."""
    try:
        names = json.loads(path.read_text(encoding="utf-8") or "[]")  # empty if all else had been moved
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: cannot be read ({error}), expected a list of names; delete {path.parent}.") from None
    if not isinstance(names, list) or not all(isinstance(name, str) and _is_name(name) for name in names):
        raise InputError(f"{path}: does not hold names of files in its folder; delete {path.parent}.")
    return names


def _is_name(name: str) -> bool:
    """Whether it is the name of a file in a folder or below it."""
    path = Path(name)
    is_below = bool(path.name) and not path.is_absolute() and ".." not in path.parts
    return is_below and name.isprintable() and path.as_posix() == name


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
    if given.exists() and (not given.is_file() or number_of_open(given) is not None):
        return
    with _errors_of(given), tempfile.TemporaryFile(dir=Path(os.path.realpath(path)).parent) as file:
        file.write(bytes(4096))


def put_on_disk(path: Path) -> None:
    """See to it that a file is on the disk."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


@contextmanager
def _errors_of(path: Path, part: Path | None = None) -> Iterator[None]:
    """Errors of a path: the file that is at fault is the one that the user knows, not the one of another name."""
    try:
        yield
    except OSError as error:
        at_fault = path
        if part is not None and error.filename is not None:
            with suppress(ValueError):  # it is elsewhere
                at_fault = path / Path(os.fsdecode(error.filename)).relative_to(part)
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


@contextmanager
def _own_part(folder: Path, ending: str | None = None) -> Iterator[Path]:
    """Give a new file of an ending, or a new folder; locked while it lasts, and then gone if it still has its name."""
    file: int | None = None
    part = _own_name(folder, ending)
    try:
        while (file := _begin(part, ending)) is None and sys.platform != "win32":
            part = _own_name(folder, ending)
        yield part
    finally:
        if ending is None:
            shutil.rmtree(part, ignore_errors=True)
        else:
            with suppress(OSError):
                part.unlink()
        if file is not None:
            os.close(file)


def _own_name(folder: Path, ending: str | None) -> Path:
    """A name that nobody has."""
    word = secrets.token_hex(4)
    return folder / _NAME.format(host=_host(), pid=os.getpid(), word=word, ending=ending or "")


def _begin(part: Path, ending: str | None) -> int | None:
    """Make a file or a folder, and the lock that tells others that its process lives; None if there is none."""
    if ending is None:
        part.mkdir()
    else:
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    if sys.platform == "win32":  # where no open file takes another name
        return None
    with suppress(FileNotFoundError):  # taken for what a killed process has left, before it was locked
        file = os.open(part, os.O_RDONLY)
        if _lock(file) is not False and part.exists():
            return file
        os.close(file)
    return None


def _lock(file: int) -> bool | None:
    """Whether an open file could be locked; None where there are no locks."""
    if sys.platform == "win32":
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _host() -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in socket.gethostname())[:40]


def remove_left_over(folder: Path) -> None:
    """Remove what processes of this machine that are no more have left in a folder; once a process is enough."""
    if folder in _cleaned:
        return
    _cleaned.add(folder)
    begin = f".rcinterp-{_host()}-"
    with suppress(OSError):
        for path in folder.iterdir():
            if path.name.startswith(begin) and ".part" in path.name and not path.is_symlink():
                with suppress(OSError):
                    _remove_if_left(path, path.name.removeprefix(begin).split("-")[0])


def _remove_if_left(path: Path, process: str) -> None:
    """Remove a file or folder that no process has locked; without locks, if no process has its number."""
    file = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    try:
        is_left = _lock(file)
        if is_left is None:
            is_left = process.isdecimal() and not _is_running(int(process))
        if is_left and path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        elif is_left:
            path.unlink(missing_ok=True)
    finally:
        os.close(file)


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
