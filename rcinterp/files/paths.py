"""Paths as Python's functions are given them."""

from pathlib import Path

from rcinterp.errors import InputError


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
