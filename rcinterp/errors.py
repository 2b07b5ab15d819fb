"""The one exception for input that cannot be used."""

import operator


class InputError(ValueError):
    """What was given, what was expected, and how to fix it, in one line.

    Raised once, at the public boundary; the command line prints it and exits with status 2.
    """


def require_whole(name: str, value: object, least: int, caller: str = "") -> int:
    """Return a whole number of at least `least`, numpy's included, or say what was expected; True is none."""
    try:
        whole = None if isinstance(value, bool) else operator.index(value)  # type: ignore[arg-type]  # or TypeError
    except TypeError:  # no whole number, as 2.5, or an array of one
        whole = None
    if whole is None or whole < least:
        got = f"{caller}: got {name}={value!r}" if caller else f"{name}: got {value!r}"
        raise InputError(f"{got}, expected a whole number of at least {least}.")
    return whole
