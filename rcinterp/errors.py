"""The one exception for input that cannot be used."""

import difflib
import operator
from collections.abc import Iterable

#: Spaces that a line may have beside the usual one.
SPACES = frozenset("\t\xa0\u2009\u202f\u200a\u2003\u2002")
#: Letters of a line: its first ones, and its last ones, of a longer text.
_FIRST, _LAST = 1500, 500


class InputError(ValueError):
    """What was given, what was expected, and how to fix it, in one line.

    It is one line whatever stands in the input. Raised once, at the public boundary; the command line prints it and
    exits with status 2.
    """

    def __init__(self, message: str) -> None:
        super().__init__(one_line(message))


def one_line(text: str) -> str:
    r"""A text as one line: what would not be seen, or would end the line, becomes an escape, and a long one is cut.

    Such are control characters, marks of writing direction, halves of surrogates and separators of Unicode.

    Examples
    --------
    >>> one_line("motif a\n\u2028b")
    'motif a\\n\\u2028b'
    """
    if len(text) > _FIRST + _LAST + 10:
        text = f"{text[:_FIRST]} [...] {text[-_LAST:]}"
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() or letter in SPACES else letter.encode("unicode_escape").decode()
        for letter in text
    )


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


def nearest_names(given: str, known: Iterable[str], n: int = 3) -> list[str]:
    """Names that a mistyped or shortened one may stand for, the likeliest first; case does not count.

    Examples
    --------
    >>> nearest_names("ctcf", ["TCF7_1", "CTCF_known1", "CTCFL_disc1", "MYC_1"], n=2)
    ['CTCF_known1', 'CTCFL_disc1']
    >>> nearest_names("ctfc_known1", ["TCF7_1", "CTCF_known1", "CTCFL_disc1", "MYC_1"], n=1)
    ['CTCF_known1']
    """
    names, wanted = list(known), given.lower()
    holding = [name for name in names if wanted and wanted in name.lower()]
    holding.sort(key=lambda name: (name.lower().split("_")[0] != wanted, len(name), name))
    by_lower = {name.lower(): name for name in names}
    near = [by_lower[one] for one in difflib.get_close_matches(wanted, by_lower, n=n, cutoff=0)]
    return list(dict.fromkeys([*holding, *near]))[:n]
