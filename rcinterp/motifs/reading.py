"""What the readers of motif files share: text, lines, records after ``>``, counts or probabilities, unique names."""

import os
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rcinterp.errors import InputError, one_line
from rcinterp.files import parse_number, read_text, split_words
from rcinterp.motifs.matrices import SUM_TOLERANCE, Motif, as_ppm

Source = str | os.PathLike[str]
#: A line and its number in the file, from 1.
Line = tuple[int, str]
#: Bytes of text, lines, and letters of a line that a motif file may have at most.
LARGEST, MOST_LINES, LONGEST_LINE = 2**26, 2_000_000, 2**20
#: Motifs of a file, and positions of a motif. The longest that is compared has 100.
MOST_MOTIFS, MOST_POSITIONS = 100_000, 10_000
#: Letters of numbers in plain digits; Python would read 1_0, nan and the digits of other scripts too.
_PLAIN = re.compile(r"[-+.eE0-9 ]*")
#: How far the sum of probabilities of one digit may be from 1.
_ROUNDED = 0.1 + 1e-9


@dataclass(frozen=True)
class Record:
    """A motif of a file whose motifs start with ``>``.

    Attributes
    ----------
    header : str
        What stands after ``>``.
    rows : tuple of tuple of str
        The words of each line below.
    lines : tuple of int
        The number of each of these lines in the file.
    line : int
        That of the header, or of the first row without one.
    has_columns : bool
        Whether a line A C G T stands above the rows, which are positions then.
    """

    header: str
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...] = field(default=(), compare=False)
    line: int = field(default=0, compare=False)
    has_columns: bool = field(default=False, compare=False)


class Named(NamedTuple):
    """A motif of a file.

    Attributes
    ----------
    name : str
    motif : Motif or None
        None without a matrix.
    line : int
        The number of the line that names it; 0 if that is not known.
    """

    name: str
    motif: Motif | None
    line: int = 0


def read_motif_text(source: Source) -> str:
    """Return the text of a plain or gzip motif file.

    Raises
    ------
    InputError
        If there is no such file, or it is damaged, not text, or has more than `LARGEST` bytes.
    """
    return read_text(source, "a motif file", 'give "encode" or the path of a motif file', largest=LARGEST)


def unix_lines(text: str) -> str:
    """A text whose lines end as on Unix."""
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def numbered_lines(text: str, source: Source) -> Iterator[Line]:
    """Yield each line of a text with its number, from 1; a list of all lines takes several times the text's memory.

    Raises
    ------
    InputError
        If there are more than `MOST_LINES`, or one has more than `LONGEST_LINE` letters.
    """
    text = unix_lines(text)
    if text.count("\n") > MOST_LINES:
        raise InputError(f"{source}: has more than {MOST_LINES:,} lines, expected a motif file. Split it if it is one.")
    number = start = 0
    while start < len(text):
        stop = text.find("\n", start)
        stop = len(text) if stop < 0 else stop
        number += 1
        if stop - start > LONGEST_LINE:
            raise InputError(
                f"{source}: line {number} has {stop - start:,} letters, expected at most {LONGEST_LINE:,} in a motif "
                "file; is it the right file?"
            )
        yield number, text[start:stop]
        start = stop + 1


def iterate_records(text: str, source: Source) -> Iterator[Record]:
    """Yield the records of a text, brackets left out; one that starts without ``>`` is named after the file.

    Parameters
    ----------
    text : str
        Blank lines and lines that start with ``#`` are skipped.
    source : str or path-like
        Where it is from.

    Yields
    ------
    Record
        In the file's order, one in memory at a time.

    Raises
    ------
    InputError
        If a ``>`` has no name after it, or stands after a ``#`` but not so the rows below, a line has brackets and
        nothing else, or one bracket without the other, or a line of letters is not A C G T, or a motif has more than
        `MOST_POSITIONS`.
    """
    header: str | None = None
    rows: list[tuple[str, ...]] = []
    lines: list[int] = []
    at, has_columns, n_words = 0, False, 0
    hidden = 0  # the line of a name that is commented out
    for number, line in numbered_lines(text, source):
        words = split_words(line)
        if not words or line.startswith("#"):
            is_open = header is not None and not rows  # rows below are of that name
            hidden = number if line[1:].lstrip(" \t").startswith(">") and not is_open else hidden
            continue
        if hidden and not line.startswith(">"):
            raise InputError(
                f"{source}: line {number}: got a row below line {hidden}, a name after #, expected a name with > alone "
                "above it. Remove the #, or set one before the row too."
            )
        hidden = 0
        if line.startswith(">"):
            if not split_words(line[1:]):
                raise InputError(
                    f"{source}: got a line > without a name, expected e.g. >MA0139.1 CTCF in line {number}."
                )
            if header is not None:
                yield Record(header, tuple(rows), tuple(lines), at, has_columns)
            header, rows, lines, at, has_columns, n_words = line[1:].strip(" \t"), [], [], number, False, 0
            continue
        if header is None:
            header, at = name_of(source), number
        if "[" in line or "]" in line:
            words = _without_brackets(line, f"{source}: line {number}")
        if not rows and _are_columns(words, f"{source}: line {number}"):
            has_columns = True
            continue
        n_words += len(words)
        rows.append(tuple(words))
        lines.append(number)
        if len(rows) > MOST_POSITIONS or n_words > 6 * MOST_POSITIONS:
            raise too_long(f"{source}: motif {header.split(chr(9))[0]}", number)
    yield Record(name_of(source) if header is None else header, tuple(rows), tuple(lines), at, has_columns)


def _without_brackets(line: str, where: str) -> list[str]:
    """The words of a row that has brackets."""
    words = split_words(line.replace("[", " ").replace("]", " "))
    if not words:
        raise InputError(f"{where} is {line.strip()!r}, expected numbers in the brackets.")
    if ("[" in line) != ("]" in line):
        shown = line.strip()[:40]
        raise InputError(f"{where}: got {shown!r}, expected [ and ] around the numbers. Complete it; was the file cut?")
    return words


def _are_columns(words: Sequence[str], where: str) -> bool:
    """Whether a line above rows says what their columns are."""
    letters = "".join(words).upper().replace("U", "T")
    if len(words) != 4 or sorted(letters) != list("ACGT"):
        return False
    if letters != "ACGT":
        raise InputError(f"{where}: got the columns {' '.join(words)}, expected A C G T. Reorder the columns.")
    return True


def too_long(where: str, line: int) -> InputError:
    """The error of a motif of too many positions."""
    return InputError(f"{where} has more than {MOST_POSITIONS:,} positions (line {line}), which no motif has.")


def name_of(source: Source) -> str:
    """The name of a motif that has none but its file's."""
    return "_".join(Path(Path(source).name.removesuffix(".gz")).stem.split()) or "motif"


def _at(lines: Sequence[int], index: int, below: int = 0) -> str:
    """Where a row stands, in brackets: its line, or the line of the name above it."""
    place = f"line {lines[index]}" if lines else f"below line {below}"
    return f" ({place})" if lines or below else ""


def numbers(rows: Iterable[Iterable[str]], where: str, lines: Sequence[int] = ()) -> NDArray[np.float64]:
    """Return rows of words as a matrix.

    Parameters
    ----------
    rows : iterable of iterable of str
        All of one length.
    where : str
        File and motif, for an error.
    lines : sequence of int, optional
        The number of each row's line, for an error.

    Returns
    -------
    numpy.ndarray of float64, shape (rows, words)
        A new array.

    Raises
    ------
    InputError
        If a word is no number, or rows differ in length; it names the row (1-based).
    """
    given = [*map(list, rows)]
    if (matrix := _plain_numbers(given)) is not None:
        return matrix
    parsed: list[list[float]] = []
    for index, row in enumerate(given, start=1):
        values = [value for value in map(parse_number, row) if value is not None]
        if len(values) < len(row):
            word = next(word for word in row if parse_number(word) is None)
            raise InputError(
                f"{where}, row {index}: got {' '.join(row)}, expected numbers. Correct the row{_at(lines, index - 1)}: "
                f"{word!a} is none."
            )
        parsed.append(values)
        if len(row) != len(parsed[0]):
            expected = f"{len(parsed[0])} as in the first. Correct the row{_at(lines, index - 1)}"
            raise InputError(f"{where}, row {index}: got {len(row)} numbers, expected {expected}.")
    return np.array(parsed, dtype=np.float64)


def _plain_numbers(rows: list[list[str]]) -> NDArray[np.float64] | None:
    """The matrix of rows where all is well, in a fifth of the time; None where a word or a length has to be named."""
    if not rows or len({*map(len, rows)}) > 1 or not _PLAIN.fullmatch(" ".join(map(" ".join, rows))):
        return None
    try:
        matrix = np.array([[float(word) for word in row] for row in rows], dtype=np.float64)
    except ValueError:  # such as 1e
        return None
    return matrix if np.isfinite(matrix).all() else None


def counts_to_motif(
    matrix: NDArray[np.float64], where: str, other_name: str = "", lines: Sequence[int] = (), below: int = 0
) -> Motif:
    """Return the motif of counts or probabilities.

    Parameters
    ----------
    matrix : numpy.ndarray, shape (4, W)
        Rows A, C, G, T.
    where : str
        File and motif, for an error.
    other_name : str
        What else the source calls it.
    lines : sequence of int, optional
        The number of each position's line, for an error; none where a line is a letter.
    below : int, optional
        The number of the line above the matrix, for an error where `lines` are none.

    Returns
    -------
    Motif
        If every position sums to 1 within `SUM_TOLERANCE`, these are probabilities, and the number of sites is not
        known. Otherwise they are counts: each position is divided by its own sum, and the number of sites is the mean
        of the sums, which for most files are equal. Where half of the positions or more sum to 1, others may differ
        from it by no more than 0.1, which is rounding, unless all values are whole.

    Raises
    ------
    InputError
        If there are not four rows, values are negative, not finite or too large to be added, a position sums to less
        than 1, or half of the positions sum to 1 and another does not, while not all values are whole; or there are
        more than `MOST_POSITIONS`.
    """
    if len(matrix) != 4 or not matrix.size:
        raise InputError(
            f"{where}: got a matrix of shape {matrix.shape}, expected four values for each position. Correct the "
            f"rows{_at(lines, 0, below)}."
        )
    if matrix.shape[1] > MOST_POSITIONS:
        raise too_long(where, lines[MOST_POSITIONS] if lines else below)
    with np.errstate(over="ignore", invalid="ignore"):  # such sums are refused
        sums = matrix.sum(axis=0)
        total = sums.sum()
    if not np.isfinite(matrix).all() or matrix.min() < 0:
        first = int(np.flatnonzero(~(np.isfinite(matrix) & (matrix >= 0)).all(axis=0))[0])
        raise InputError(
            f"{where}: got negative, NaN or infinite values, expected counts or probabilities. Log-odds (PWM) are "
            f"neither: look for the file of counts (pcm, pfm) from the same source{_at(lines, first, below)}."
        )
    if not np.isfinite(total):
        first = int(matrix.max(axis=0).argmax())
        raise InputError(
            f"{where}: got values up to {matrix.max():g}, whose sum is too large for a float64, expected counts or "
            f"probabilities. Correct them{_at(lines, first, below)}."
        )
    low = np.flatnonzero(sums < 1 - SUM_TOLERANCE - 1e-9)
    if low.size:
        raise InputError(
            f"{where}: the values of position {low[0]} (0-based) sum to {sums[low[0]]:g}, expected 1 (probabilities) "
            f"or more (counts). Correct the row{_at(lines, int(low[0]), below)}."
        )
    are_ones = np.abs(sums - 1) <= SUM_TOLERANCE + 1e-9
    if are_ones.all():
        return Motif(as_ppm(matrix, where), None, other_name)
    is_far = np.abs(sums - 1) > _ROUNDED
    if are_ones.mean() >= 0.5 and is_far.any() and (matrix % 1).any():
        other = np.flatnonzero(is_far)[0]
        raise InputError(
            f"{where}: the values of position {other} (0-based) sum to {sums[other]:g}, and those of position "
            f"{np.flatnonzero(are_ones)[0]} to 1, expected either probabilities, which all sum to 1 (within "
            f"{SUM_TOLERANCE:g}), or counts. Correct the row{_at(lines, int(other), below)}."
        )
    return Motif(matrix / sums, float(sums.mean()), other_name)


def collect(motifs: Iterable[tuple[str, Motif | None] | Named], source: Source) -> dict[str, Motif]:
    """Return motifs by name; those without a matrix are named in a warning.

    Parameters
    ----------
    motifs : iterable of Named, or of tuple of str and Motif or None
        Names and motifs, None without a matrix.
    source : str or path-like
        The file, for messages.

    Returns
    -------
    dict of str to Motif
        In the order given.

    Raises
    ------
    InputError
        If a name occurs twice, no motif has a matrix, or there are more than `MOST_MOTIFS`.

    Warns
    -----
    UserWarning
        If a motif has no matrix; it names the motif, which is left out, and its line.
    """
    found: dict[str, Named] = {}
    for one in motifs:
        named = Named(*one)
        if (before := found.get(named.name)) is not None:
            lines = f" (lines {before.line} and {named.line})" if named.line else ""
            raise InputError(
                f"{source}: motif {named.name} occurs twice; expected unique names. Rename one of them{lines}."
            )
        if len(found) == MOST_MOTIFS:
            place = f"; line {named.line} has another" if named.line else ""
            raise InputError(f"{source}: has more than {MOST_MOTIFS:,} motifs{place}. Split the file.")
        found[named.name] = named
    without_matrix = [named for named in found.values() if named.motif is None]
    if without_matrix:
        names = ", ".join(named.name for named in without_matrix)
        places = [str(named.line) for named in without_matrix if named.line]
        lines = f" (line{'s' * (len(places) > 1)} {', '.join(places)})" if places else ""
        message = one_line(f"{names}{lines}")
        warnings.warn(f"{source}: left out motifs without a letter-probability matrix: {message}", stacklevel=4)
    kept = {name: named.motif for name, named in found.items() if named.motif is not None}
    if not kept:
        raise InputError(f"{source}: found no motif, expected at least one with a matrix.")
    return kept
