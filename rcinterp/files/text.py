"""Lines, words and numbers of text files, alike in every format."""

import math
import re
from collections.abc import Iterator

from rcinterp.errors import SPACES

_LINE_END = re.compile(r"\r\n|\n|\r")
_SEEN = SPACES | {"\n"}
_BLANKS = re.compile(r"[ \t]+")
_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?", re.ASCII)  # no digit in two ways
_WHOLE = re.compile(r"\d{1,18}", re.ASCII)


def split_lines(text: str) -> list[str]:
    r"""Lines of a text, which end as on Unix, Windows or an old Macintosh, and at no other character.

    Python's own `str.splitlines` also ends a line at form feeds and at separators of Unicode, which may stand in names.

    Examples
    --------
    >>> split_lines("a\x0cb\r\nc\n")
    ['a\x0cb', 'c']
    """
    lines = _LINE_END.split(text)
    return lines if lines[-1] else lines[:-1]


def each_line(text: str) -> Iterator[str]:
    r"""The lines that `split_lines` gives, one at a time: of short lines, a list takes many times their text.

    Examples
    --------
    >>> list(each_line("a\x0cb\r\nc\n"))
    ['a\x0cb', 'c']
    """
    start = 0
    for end in _LINE_END.finditer(text):
        yield text[start : end.start()]
        start = end.end()
    if start < len(text):
        yield text[start:]


def split_words(line: str) -> list[str]:
    r"""Words of a line, blanks and tabs between them; other white space, such as a no-break space, is part of a word.

    Examples
    --------
    >>> split_words(" 1\t2  3\xa04 ")
    ['1', '2', '3\xa04']
    """
    return [word for word in _BLANKS.split(line) if word]


def printable(text: str) -> str:
    r"""A text with a mark in place of each character that would not be seen, or would turn what stands beside it.

    Such are control characters, marks of writing direction and separators of Unicode; line ends and tabs stay.

    Examples
    --------
    >>> printable("a\u202eb\x07\n") == "a\ufffdb\ufffd\n"
    True
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(letter if letter.isprintable() or letter in _SEEN else "\ufffd" for letter in text)


def parse_number(word: str) -> float | None:
    """A finite decimal number in plain digits; None for any other word, such as nan, 1_0 or 1e999.

    Examples
    --------
    >>> [parse_number(word) for word in ("-1.5e2", ".5", "1_0", "nan", "1e999", "0x1")]
    [-150.0, 0.5, None, None, None, None]
    """
    number = float(word) if _NUMBER.fullmatch(word) else math.inf
    return number if math.isfinite(number) else None


def parse_whole(word: str) -> int | None:
    """A whole number in at most 18 plain digits; None for any other word, such as -1 or more than a processor counts.

    Examples
    --------
    >>> [parse_whole(word) for word in ("007", "-1", "1.0", "²", "9" * 5000)]
    [7, None, None, None, None]
    """
    return int(word) if _WHOLE.fullmatch(word) else None
