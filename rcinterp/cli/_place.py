"""The folder that a command writes: held while it is written to, looked at before the work, and cleared up after it."""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from fnmatch import fnmatch
from pathlib import Path

from rcinterp.cli._record import RECORD, Record, read_record
from rcinterp.errors import InputError
from rcinterp.files import Together, check_file_place, check_names, check_place, finish, held, together
from rcinterp.files.paths import number_of_open
from rcinterp.files.proofs import beginning_of, is_without_seal, proved
from rcinterp.studies import FORMER_NAMES


class Written:
    """What a command has written so far, and takes its place at its end.

    Parameters
    ----------
    waiting : Together
    before : sequence of str
        Names of what it wrote the last time.
    """

    def __init__(self, waiting: Together, before: Sequence[str]) -> None:
        self.waiting, self.before = waiting, before

    def list(self) -> list[str]:
        """Names of the files."""
        return sorted({*self.waiting.written()} - {RECORD})

    def remove_the_rest(self) -> None:
        """Remove what the same command wrote the last time, and has not written this time."""
        kinds, place = {Path(name).name for name in self.waiting.names} - {RECORD}, self.waiting.folder
        for name in self.before:
            path = (place / name).resolve()  # of a record, which may have been edited
            if path.is_relative_to(place) and any(fnmatch(path.name, kind) for kind in kinds):
                self.waiting.remove([path.relative_to(place).as_posix()])


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
    below = {name.rpartition("/")[0] for name in names} - {""}
    with held(out, f"rcinterp {command}", below):
        check_place(out)
        for place in [out, *(place for name in below for place in out.glob(name) if place.is_dir())]:
            finish(place)
        check_names(out, [RECORD, *(name for name in names if "*" not in name), *_look(out, names)])
        before = _recorded(out, command, overwrite)
        if not overwrite and before is not None:
            _check_strangers(out, names, before)
        with together(out, [*names, RECORD]) as waiting:
            yield Written(waiting, before or ())


def check_file(out: Path, beginning: str, overwrite: bool) -> None:
    """Refuse to replace a file that does not begin as what would be written does, and a place that takes no file.

    Raises
    ------
    InputError
        If it begins otherwise.
    OSError
        If it cannot be written.
    """
    found = b"" if number_of_open(out) is not None else beginning_of(out.resolve())
    if not overwrite and found and not found.startswith(beginning.encode()):
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
    if not os.path.lexists(out / RECORD):
        return []
    advice = "name another folder, or give --overwrite to replace it."
    record: Record | None = None
    if _is_plain(out / RECORD):
        with suppress(InputError):
            record = read_record(out)
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


def _check_strangers(out: Path, names: Sequence[str], before: Iterable[str]) -> None:
    """Refuse to replace files that neither this command nor the library wrote, and what is no file: a link, a pipe."""
    found = _look(out, names)
    known = {*before, *proved(out, found)}
    there = [name for name in found if name not in known or not _is_plain(out / name)]
    if there:
        shown = ", ".join(there[:3]) + (f" and {len(there) - 3} more" if len(there) > 3 else "")
        earlier = is_without_seal(out / "report.html")
        why = "; report.html was saved by an earlier version, which did not record its files" if earlier else ""
        raise InputError(
            f"--out: {out} holds {shown}, which no command of rcinterp has recorded there{why}; name another folder, "
            "or give --overwrite to replace them."
        )


def _look(folder: Path, names: Sequence[str]) -> list[str]:
    """What has one of these names, or patterns of names, whatever it is: a file, a folder, a link to nothing."""
    found = set()
    for name in names:
        above, _, last = name.rpartition("/")
        places = [place for place in (folder.glob(above) if above else [folder]) if place.is_dir()]
        found |= {path for place in places for path in place.iterdir() if fnmatch(path.name, last)}
    return sorted(path.relative_to(folder).as_posix() for path in found)


def _is_plain(path: Path) -> bool:
    """Whether it is a file, and no link to one."""
    return path.is_file() and not path.is_symlink()
