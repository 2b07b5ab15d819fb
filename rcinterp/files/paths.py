"""Paths as Python's functions are given them, and names of files that are none of the user's."""

import os
import re
from pathlib import Path

from rcinterp.errors import InputError

_ASIDE = (".fai", ".gzi", ".bak", "~")
_OPEN = re.compile(r"/dev/stdout|/dev/stderr|/(?:dev|proc/self)/fd/([0-9]+)")


def is_aside(path: Path) -> bool:
    """Whether a file is an index or a backup of the one that it stands beside.

    Examples
    --------
    >>> [is_aside(Path(name)) for name in ("a.fa", "a.fa.fai", "a.fa.gz.gzi", "a.fa~", "a.fa.bak")]
    [False, True, True, True, True]
    """
    return path.name.endswith(_ASIDE)


def number_of_open(path: Path) -> int | None:
    """The number of the open file that a path stands for, whatever is open there; None of the path of another file.

    Examples
    --------
    >>> [number_of_open(Path(name)) for name in ("/dev/stdout", "/dev/fd/63", "/proc/self/fd/2", "/dev/null", "a.fa")]
    [1, 63, 2, None, None]
    """
    found = _OPEN.fullmatch(os.path.abspath(path))
    return None if found is None else {"/dev/stdout": 1, "/dev/stderr": 2}.get(found[0]) or int(found[1])


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
