"""The folder that a command writes: held while it is written to, looked at before the work, and cleared up after it."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from fnmatch import fnmatch
from pathlib import Path

from rcinterp.cli._record import RECORD, Record, read_record
from rcinterp.errors import InputError
from rcinterp.files import check_file_place, check_place, finish, held
from rcinterp.files.results import SIGNS
from rcinterp.studies import FORMER_NAMES

_BEGINNING = 1000  # bytes of a file, by which it is known


class Written:
    """What a command has written into a folder so far.

    Parameters
    ----------
    folder : path
    names : sequence of str
        Names, or patterns of names, of what it may write there.
    before : sequence of str
        Names of what it wrote the last time.
    """

    def __init__(self, folder: Path, names: Sequence[str], before: Sequence[str]) -> None:
        self.folder, self.names, self.before = folder, names, before
        self._old = _look(folder, names)

    def list(self) -> list[str]:
        """Names of the files that are new, or have been written anew."""
        now = _look(self.folder, self.names)
        return sorted(name for name, seen in now.items() if self._old.get(name) != seen)

    def remove_the_rest(self) -> None:
        """Remove what the same command wrote the last time, and has not written this time."""
        kinds, place = {Path(name).name for name in self.names}, self.folder.resolve()
        for name in set(self.before) - set(self.list()):
            path = (self.folder / name).resolve()  # of a record, which may have been edited
            if path.is_relative_to(place) and any(fnmatch(path.name, kind) for kind in kinds):
                path.unlink(missing_ok=True)


@contextmanager
def place_to_write(out: Path, command: str, names: Sequence[str], overwrite: bool) -> Iterator[Written]:
    """Hold a folder, after a look at what would be replaced in it.

    Parameters
    ----------
    out : path
    command : str
        Such as "dataset build"; a second process that wants the folder is told of it.
    names : sequence of str
        Names, or patterns of names, of the files that the command may write.
    overwrite : bool
        Whether files may be replaced that no command wrote, or another one.

    Raises
    ------
    InputError
        If another process writes there, or a file would be replaced that this command did not write.
    OSError
        If the folder cannot be written to.
    """
    with held(out, f"rcinterp {command}") as stopped_at:
        check_place(out)
        finish(out)
        before = _recorded(out, command, overwrite)
        if not overwrite and before is not None:
            _check_strangers(out, names, before, stopped_at)
        yield Written(out, names, before or ())


def check_file(out: Path, beginning: str, overwrite: bool) -> None:
    """Refuse to replace a file that does not begin as what would be written does, and a place that takes no file.

    Raises
    ------
    InputError
        If it begins otherwise.
    OSError
        If it cannot be written.
    """
    if not overwrite and out.is_file() and out.stat().st_size and not _beginning(out).startswith(beginning.encode()):
        raise InputError(
            f"--out: {out} is there, and holds something else than this command writes; name another file, or give "
            "--overwrite."
        )
    check_file_place(out)


def _recorded(out: Path, command: str, overwrite: bool) -> list[str] | None:
    """Names of what the same command wrote there the last time; None if a version wrote it that did not record them.

    Raises
    ------
    InputError
        If the folder is another command's, or its record cannot be read.
    """
    if not (out / RECORD).is_file():
        return []
    advice = "name another folder, or give --overwrite to replace it."
    try:
        record: Record | None = read_record(out)
    except InputError:
        record = None
    if record is not None and _present(record.command) == _present(command):
        return [str(name) for name in record.files] or None
    if not overwrite:
        holds = (
            f"a {RECORD} that is no record of rcinterp" if record is None else f"what rcinterp {record.command} wrote"
        )
        raise InputError(f"--out: {out} holds {holds}; {advice}")
    return []


def _present(command: str) -> str:
    """The name that a command has today."""
    words = command.split()
    return " ".join(FORMER_NAMES.get(word, word) for word in words) if words[:1] == ["study"] else command


def _check_strangers(out: Path, names: Sequence[str], before: Iterable[str], stopped_at: float | None) -> None:
    """Refuse to replace files that neither this command nor the library wrote.

    Of a command that was stopped there may be no record; what was written while it ran may be its own.
    """
    known = {*before}
    for name, (sign, own) in SIGNS.items():
        if any(fnmatch(name, one) for one in names) and sign in _beginning(out / name):
            known |= {*own}
    found = [name for name in _look(out, names) if not any(fnmatch(name, one) for one in known)]
    there = sorted(name for name in found if stopped_at is None or (out / name).stat().st_mtime < stopped_at)
    if there:
        shown = ", ".join(there[:3]) + (f" and {len(there) - 3} more" if len(there) > 3 else "")
        raise InputError(
            f"--out: {out} holds {shown}, which no command of rcinterp has recorded there; name another folder, or "
            "give --overwrite to replace them."
        )


def _look(folder: Path, names: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Files of these names, and what changes when they are written anew."""
    paths = {path for name in names for path in folder.glob(name) if path.is_file()}
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_ino, path.stat().st_mtime_ns) for path in sorted(paths)
    }


def _beginning(path: Path) -> bytes:
    if not path.is_file():
        return b""
    with path.open("rb") as file:
        return file.read(_BEGINNING)
