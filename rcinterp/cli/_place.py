"""The folder that a command writes: held while it is written to, and looked at before the work."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rcinterp.cli._record import RECORD, files_in_record
from rcinterp.errors import InputError
from rcinterp.files import check_place, finish, held
from rcinterp.files.results import SIGNS


@contextmanager
def place_to_write(out: Path, what: str, names: Sequence[str], overwrite: bool) -> Iterator[None]:
    """Hold a folder, after a look at what would be replaced in it.

    Parameters
    ----------
    out : path
    what : str
        The command, for a second process that wants the folder.
    names : sequence of str
        Names, or patterns of names, of the files that the command may write.
    overwrite : bool
        Whether files may be replaced that no command wrote.

    Raises
    ------
    InputError
        If another process writes there, or a file would be replaced that no command wrote.
    OSError
        If the folder cannot be written to.
    """
    with held(out, what) as was_stopped:
        check_place(out)
        finish(out)
        if not overwrite and not was_stopped:  # what a stopped command had written has no record yet
            _check_strangers(out, names)
        yield


def check_file(out: Path, beginning: str, overwrite: bool) -> None:
    """Refuse to replace a file that does not begin as what would be written does.

    Raises
    ------
    InputError
        If it begins otherwise.
    """
    if not overwrite and out.is_file() and out.stat().st_size and not _begins_with(out, beginning.encode()):
        raise InputError(
            f"--out: {out} is there, and holds something else than this command writes; name another file, or give "
            "--overwrite."
        )


def _begins_with(path: Path, sign: bytes) -> bool:
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(len(sign)) == sign


def _check_strangers(out: Path, names: Sequence[str]) -> None:
    """Refuse to replace files that neither a command nor the library wrote."""
    if any(name in names and _begins_with(out / name, sign) for name, sign in SIGNS.items()):
        return
    known = {RECORD, *files_in_record(out)}
    there = sorted({path.name for name in names for path in out.glob(name)} - known)
    if there:
        shown = ", ".join(there[:3]) + (f" and {len(there) - 3} more" if len(there) > 3 else "")
        raise InputError(
            f"--out: {out} holds {shown}, which no command of rcinterp has recorded there; name another folder, or "
            "give --overwrite to replace them."
        )
