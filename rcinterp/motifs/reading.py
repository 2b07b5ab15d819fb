"""What the readers of motif files share: text, records after ``>``, counts or probabilities, unique names."""

import os
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rcinterp.errors import InputError, one_line
from rcinterp.files import parse_number, read_text, split_lines, split_words
from rcinterp.motifs.matrices import SUM_TOLERANCE, Motif, as_ppm

Source = str | os.PathLike[str]
#: A line and its number in the file, from 1.
Line = tuple[int, str]
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
    """

    header: str
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...] = field(default=(), compare=False)


def read_motif_text(source: Source) -> str:
    """Return the text of a plain or gzip motif file.

    Raises
    ------
    InputError
        If there is no such file, or it is damaged or not text.
    """
    return read_text(source, "a motif file", 'give "encode" or the path of a motif file')


def split_records(text: str, source: Source) -> list[Record]:
    """Return the records of a text, brackets left out; one that starts without ``>`` is named after the file.

    Parameters
    ----------
    text : str
        Blank lines and lines that start with ``#`` are skipped.
    source : str or path-like
        Where it is from.

    Returns
    -------
    list of Record
        In the file's order.

    Raises
    ------
    InputError
        If a ``>`` has no name after it, or stands after a ``#`` but not so the rows below, or a line has brackets and
        nothing else.
    """
    records: list[tuple[str, list[tuple[str, ...]], list[int]]] = []
    hidden = 0  # the line of a name that is commented out
    for number, line in enumerate(split_lines(text), start=1):
        if not split_words(line) or line.startswith("#"):
            is_open = bool(records) and not records[-1][1]  # rows below are of that name
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
            records.append((line[1:].strip(" \t"), [], []))
            continue
        if not records:
            records.append((_name_of(source), [], []))
        words = split_words(line.replace("[", " ").replace("]", " "))
        if not words:
            raise InputError(f"{source}: line {number} is {line.strip()!r}, expected numbers in the brackets.")
        records[-1][1].append(tuple(words))
        records[-1][2].append(number)
    found = records or [(_name_of(source), [], [])]
    return [Record(header, tuple(rows), tuple(numbers)) for header, rows, numbers in found]


def _name_of(source: Source) -> str:
    return Path(Path(source).name.removesuffix(".gz")).stem


def _at(lines: Sequence[int], index: int) -> str:
    return f" (line {lines[index]})" if lines else ""


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
    parsed: list[list[float]] = []
    for index, row in enumerate(map(list, rows), start=1):
        values = [value for value in map(parse_number, row) if value is not None]
        if len(values) < len(row):
            raise InputError(
                f"{where}, row {index}: got {' '.join(row)}, expected numbers. Correct the row{_at(lines, index - 1)}."
            )
        parsed.append(values)
        if len(row) != len(parsed[0]):
            expected = f"{len(parsed[0])} as in the first. Correct the row{_at(lines, index - 1)}"
            raise InputError(f"{where}, row {index}: got {len(row)} numbers, expected {expected}.")
    return np.array(parsed, dtype=np.float64)


def counts_to_motif(matrix: NDArray[np.float64], where: str, other_name: str = "", lines: Sequence[int] = ()) -> Motif:
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
        than 1, or half of the positions sum to 1 and another does not, while not all values are whole.
    """
    if len(matrix) != 4 or not matrix.size:
        raise InputError(f"{where}: got a matrix of shape {matrix.shape}, expected four values for each position.")
    with np.errstate(over="ignore", invalid="ignore"):  # such sums are refused
        sums = matrix.sum(axis=0)
        total = sums.sum()
    if not np.isfinite(matrix).all() or matrix.min() < 0:
        raise InputError(
            f"{where}: got negative, NaN or infinite values, expected counts or probabilities. Log-odds (PWM) are "
            "neither: look for the file of counts (pcm, pfm) from the same source."
        )
    if not np.isfinite(total):
        raise InputError(
            f"{where}: got values up to {matrix.max():g}, whose sum is too large for a float64, expected counts or "
            "probabilities. Correct them."
        )
    low = np.flatnonzero(sums < 1 - SUM_TOLERANCE - 1e-9)
    if low.size:
        raise InputError(
            f"{where}: the values of position {low[0]} (0-based) sum to {sums[low[0]]:g}, expected 1 (probabilities) "
            f"or more (counts). Correct the row{_at(lines, int(low[0]))}."
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
            f"{SUM_TOLERANCE:g}), or counts. Correct the row{_at(lines, int(other))}."
        )
    return Motif(matrix / sums, float(sums.mean()), other_name)


def collect(motifs: Iterable[tuple[str, Motif | None]], source: Source) -> dict[str, Motif]:
    """Return motifs by name; those without a matrix are named in a warning.

    Parameters
    ----------
    motifs : iterable of tuple of str and Motif or None
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
        If a name occurs twice, or no motif has a matrix.

    Warns
    -----
    UserWarning
        If a motif has no matrix; it names the motif, which is left out.
    """
    found: dict[str, Motif | None] = {}
    for name, motif in motifs:
        if name in found:
            raise InputError(f"{source}: motif {name} occurs twice; expected unique names. Rename one of them.")
        found[name] = motif
    without_matrix = [name for name, motif in found.items() if motif is None]
    if without_matrix:
        names = one_line(", ".join(without_matrix))
        warnings.warn(f"{source}: left out motifs without a letter-probability matrix: {names}", stacklevel=4)
    kept = {name: motif for name, motif in found.items() if motif is not None}
    if not kept:
        raise InputError(f"{source}: found no motif, expected at least one with a matrix.")
    return kept
