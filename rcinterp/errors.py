"""The one exception for input that cannot be used."""

import operator


class InputError(ValueError):
    """What was given, what was expected, and how to fix it, in one line.

    Raised once, at the public boundary; the command line prints it and exits with status 2.
    """


#: Whole numbers above it are none that a processor counts with.
_MOST = 2**63 - 1


def require_whole(name: str, value: object, least: int, caller: str = "") -> int:
    """Return a whole number of at least `least`, numpy's included, or say what was expected; True is none."""
    try:
        whole = None if isinstance(value, bool) else operator.index(value)  # type: ignore[arg-type]  # or TypeError
    except TypeError:  # no whole number, as 2.5, or an array of one
        whole = None
    if whole is None or not least <= whole <= _MOST:
        shown = repr(value) if whole is None or whole <= _MOST else f"{float(min(whole, 10**300)):.3g}"
        got = f"{caller}: got {name}={shown}" if caller else f"{name}: got {shown}"
        most = "" if whole is None or whole < least else f" and at most {_MOST}"
        raise InputError(f"{got}, expected a whole number of at least {least}{most}.")
    return whole
