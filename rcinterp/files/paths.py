"""Paths as Python's functions are given them, and names of files that are none of the user's."""

from pathlib import Path

from rcinterp.errors import InputError

_ASIDE = (".fai", ".gzi", ".bak", "~")


def is_aside(path: Path) -> bool:
    """Whether a file is an index or a backup of the one that it stands beside.

    Examples
    --------
    >>> [is_aside(Path(name)) for name in ("a.fa", "a.fa.fai", "a.fa.gz.gzi", "a.fa~", "a.fa.bak")]
    [False, True, True, True, True]
    """
    return path.name.endswith(_ASIDE)


def as_path(given: object, caller: str) -> Path:
    """A path, whether it came as text or as a path.

    Raises
    ------
    InputError
        If it is neither, or no file can have it as a name.

    Examples
    --------
    >>> as_path("a.fa", "write_fasta") == Path("a.fa")
    True
    """
    try:
        path = Path(given)  # type: ignore[arg-type]  # or TypeError
    except TypeError:
        raise InputError(
            f"{caller}: got a path of type {type(given).__name__}, expected a str or a pathlib.Path."
        ) from None
    if "\0" in str(path):
        raise InputError(f"{caller}: {str(path)!r} has the character NUL, which no file has in its name; rename it.")
    return path
