"""Regions of BED and narrowPeak files: reading them, their summits, and which of them overlap.

Regions are 0-based and half-open.
"""

from __future__ import annotations

import os
import re
import warnings
from array import array
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rcinterp.errors import InputError
from rcinterp.files import each_line, parse_number, parse_whole, read_text, split_words
from rcinterp.memory import require_memory

_COLUMNS = ["chrom", "start", "end", "summit", "has_summit", "score"]
_NARROWPEAK_COLUMNS, _BED12_COLUMNS = 10, 12
_STRANDS = ("+", "-", ".")
_MOST_DIGITS = 12  # of a position
#: Bytes that a region takes, while its line is read and in the table.
_ROW_BYTES = 150
_HEADINGS = ("track", "browser")
_NO_SCORE = ("", ".")
#: What is meant as a number, whether it is one or not; other words in column 5 of BED are no scores.
_NUMERIC = re.compile(r"[-+]?([0-9.,_]*[0-9][0-9.,_]*(e[-+]?[0-9]+)?|0x[0-9a-f]+|nan|inf|infinity)", re.IGNORECASE)
_INTEGER, _INTEGERS = re.compile(r"-?[0-9]+"), re.compile(r"[0-9]+(,[0-9]+)*,?")


def read_regions(path: str | os.PathLike[str]) -> pd.DataFrame:
    r"""Read the regions of a BED or narrowPeak file, plain or gzip, in any order.

    Parameters
    ----------
    path : path
        BED of 3 columns or more, or narrowPeak, perhaps with more columns behind its ten, as IDR and bedtools write
        it. It is narrowPeak if column 6 of every line is a strand, 7 to 9 are numbers and 10 is an integer, and it is
        not BED12; or if its name says so. Comments, lines of "track" and "browser", and blanks beside a column are
        passed over; the last columns may be empty.

    Returns
    -------
    pandas.DataFrame
        One row a region, in the file's order: chrom; start and end (0-based, half-open); summit, its position in the
        chromosome; has_summit, whether the file gave it; score.

    Raises
    ------
    InputError
        If the file cannot be read or holds no region; for a bad line, with its number counted from 1, as one whose
        score is meant as a number, and is no finite one.

    Warns
    -----
    UserWarning
        If a file of 10 columns or more is not narrowPeak, one of more than 10 is, or one of fewer is called so; if
        column 5 of BED has words beside scores.

    Notes
    -----
    A narrowPeak's summit is start + column 10; where that is -1, and for BED, it is the centre, (start + end) // 2.
    Column 10 may be the region's length, as in real files of peaks that were clipped: that is its last base. The score
    is column 7 of narrowPeak (signalValue), column 5 of BED, NaN where there is none or ".", and where BED has a word.

    Examples
    --------
    >>> from pathlib import Path
    >>> _ = Path("peaks.bed").write_text("chr1\t100\t160\n")
    >>> read_regions("peaks.bed")[["chrom", "start", "end", "summit", "has_summit"]].values.tolist()
    [['chr1', 100, 160, 130, False]]
    """
    text = read_text(path, "a BED or narrowPeak file")
    n_lines = max(map(text.count, "\r\n")) + 1
    require_memory(f"{path}: a table of its {n_lines:,} lines", n_lines * _ROW_BYTES, "split the file")
    n_columns = _count_columns(path, text)
    is_narrowpeak = _is_narrowpeak(path, text, n_columns)
    known: dict[str, int] = {}
    columns: list[array[Any]] = [array(kind) for kind in "qqqqbd"]  # a list of rows would take many times their text
    without: list[tuple[int, str]] = []  # lines whose column of scores has another word
    for number, fields, _ in _rows(text):
        try:
            chrom, *values = _parse_region(fields[:n_columns], is_narrowpeak)
        except ValueError as error:
            raise _at_line(path, number, error) from None
        if np.isnan(values[-1]) and not is_narrowpeak and len(fields) > 4 and fields[4] not in _NO_SCORE:
            without.append((number, fields[4]))
        columns[0].append(known.setdefault(chrom, len(known)))
        for column, value in zip(columns[1:], values, strict=True):
            column.append(value)
    codes, starts, ends, summits, has_summits, scores = map(np.asarray, columns)
    if 0 < len(without) < len(scores):
        number, word = without[0]
        warnings.warn(
            f"{path}: has no score in {len(without)} of {len(scores)} lines, the first line {number} with "
            f"{word[:40]!r} in column 5.",
            stacklevel=2,
        )
    chroms = pd.Index(list(known)).take(codes)
    return pd.DataFrame(
        dict(zip(_COLUMNS, (chroms, starts, ends, summits, has_summits.astype(bool), scores), strict=True))
    )


def _rows(text: str) -> Iterator[tuple[int, list[str], int]]:
    """Lines that hold regions: number, columns, and how many of these there are without empty last ones."""
    for number, line in enumerate(each_line(text), start=1):
        if " " in line:
            words = line.strip(" \t")
            fields = [field.strip(" ") for field in line.split("\t")] if "\t" in words else split_words(line)
        else:
            fields = line.split("\t")
        n = len(fields)
        while n and not fields[n - 1]:
            n -= 1
        if n and not next(filter(None, fields)).startswith("#") and not _is_heading(fields):
            yield number, fields, n


def _is_heading(fields: list[str]) -> bool:
    """Whether a line is one of "track" or "browser", and no region of a chromosome of such a name."""
    if not fields[0].startswith(_HEADINGS) or fields[0].split(" ")[0] not in _HEADINGS:
        return False
    return not (len(fields) >= 3 and fields[1].isdigit() and fields[2].isdigit())


def _at_line(path: str | os.PathLike[str], number: int, wrong: object) -> InputError:
    return InputError(f"{path}: line {number} {wrong}; correct or remove it.")


def _count_columns(path: str | os.PathLike[str], text: str) -> int:
    """Columns of every line; the last ones may be empty."""
    least, most = 0, 0
    for number, fields, n_filled in _rows(text):
        n = len(fields)
        if least == 0:
            least, most = n_filled, n
        if n_filled > most or n < least:
            expected = most if n_filled > most else least
            raise _at_line(path, number, f"has {n_filled} columns, expected {expected} as in the lines above")
        least, most = max(least, n_filled), min(most, n)
    if least == 0:
        raise InputError(f"{path}: holds no region, expected BED or narrowPeak lines (chrom, start, end); check it.")
    return least


def _is_narrowpeak(path: str | os.PathLike[str], text: str, n_columns: int) -> bool:
    """Whether a file is narrowPeak, by its name or its columns; what a user may not expect is said."""
    is_called = ".narrowpeak" in Path(path).name.lower()
    if n_columns < _NARROWPEAK_COLUMNS:
        if is_called:
            warnings.warn(
                f"{path}: has {n_columns} columns, but is called narrowPeak, which has {_NARROWPEAK_COLUMNS}: taken as "
                "BED, and the centre of a region as its summit.",
                stacklevel=3,
            )
        return False
    reason = None if is_called else _not_narrowpeak(fields[:n_columns] for _, fields, _ in _rows(text))
    if reason is not None:
        warnings.warn(
            f"{path}: has {n_columns} columns, but is no narrowPeak ({reason}): taken as BED, and the centre of a "
            "region as its summit.",
            stacklevel=3,
        )
    elif n_columns > _NARROWPEAK_COLUMNS:
        warnings.warn(f"{path}: has {n_columns} columns: the first ten are taken as narrowPeak.", stacklevel=3)
    return reason is None


def _not_narrowpeak(lines: Iterable[list[str]]) -> str | None:
    """What shows that lines of ten columns and more are not narrowPeak; None if nothing does."""
    summit, is_bed12 = "", True
    for fields in lines:
        if fields[5] not in _STRANDS:
            return f"column 6 is {fields[5][:20]!r}, expected a strand"
        for column in (7, 8, 9):
            if parse_number(fields[column - 1]) is None:
                return f"column {column} is {fields[column - 1][:20]!r}, expected a number"
        summit = summit or fields[9]
        is_bed12 = is_bed12 and len(fields) >= _BED12_COLUMNS and _is_bed12(fields)
    if not _INTEGER.fullmatch(summit):
        return f"column 10 is {summit[:20]!r}, expected an integer"
    return "it is BED12" if is_bed12 else None


def _is_bed12(fields: list[str]) -> bool:
    """Whether columns 11 and 12 list as many sizes and starts of blocks as column 10 says."""
    n_blocks, *lists = fields[9:12]
    return all(_INTEGERS.fullmatch(each) and str(len(each.strip(",").split(","))) == n_blocks for each in lists)


def _parse_region(fields: list[str], is_narrowpeak: bool) -> tuple[str, int, int, int, bool, float]:
    if len(fields) < 3 or not fields[0]:
        raise ValueError(f"is {' '.join(fields)[:40]!r}, expected chrom, start and end, separated by tabs")
    if not fields[0].isprintable():
        raise ValueError(f"has the chromosome {fields[0][:40]!r}, with a character that cannot be seen")
    if not all(field.isascii() and field.isdigit() for field in fields[1:3]):
        raise ValueError(f"has start {fields[1]!r} and end {fields[2]!r}, expected integers (0-based)")
    if max(map(len, fields[1:3])) > _MOST_DIGITS:
        raise ValueError(f"has start {fields[1][:40]} and end {fields[2][:40]}, expected positions of a chromosome")
    start, end = int(fields[1]), int(fields[2])
    if start >= end:
        raise ValueError(f"has start {start} and end {end}, expected start < end")
    offset = fields[9] if is_narrowpeak else "-1"
    has_summit = offset != "-1"
    from_start = parse_whole(offset) if has_summit else (end - start) // 2
    if from_start is None or from_start > end - start:
        raise ValueError(
            f"has {offset!r} in column 10, expected the summit of a narrowPeak: 0 to {end - start}, or -1 for none"
        )
    summit = min(start + from_start, end - 1) if has_summit else (start + end) // 2
    return fields[0], start, end, summit, has_summit, _parse_score(fields, 7 if is_narrowpeak else 5)


def _parse_score(fields: list[str], column: int) -> float:
    """The score that stands in a column; NaN if there is none."""
    word = fields[column - 1] if len(fields) >= column else "."
    if word in _NO_SCORE or (column == 5 and not _NUMERIC.fullmatch(word)):
        return float("nan")
    number = parse_number(word)
    if number is None:
        raise ValueError(
            f"has the score {word[:40]!r} in column {column}, expected a finite number in plain digits, or . for none"
        )
    return number


def take_summits(regions: pd.DataFrame, summits: pd.DataFrame) -> pd.DataFrame:
    """Return the regions with the summits of another file.

    Parameters
    ----------
    regions, summits : pandas.DataFrame
        As `read_regions` returns them.

    Returns
    -------
    pandas.DataFrame
        The regions, in their order. Each takes the summit that lies in it: of several the one with the highest score
        (one without a score comes last), then the leftmost. With none in it, it keeps its own summit or centre.
        has_summit says whether one was taken.

    Raises
    ------
    InputError
        If no summit lies in any region.

    Examples
    --------
    >>> import pandas as pd
    >>> table = lambda *rows: pd.DataFrame(rows, columns=["chrom", "start", "end", "summit", "has_summit", "score"])
    >>> regions = table(("chr1", 10, 30, 20, False, 0.0), ("chr2", 10, 30, 20, False, 0.0))
    >>> summits = table(("chr1", 12, 13, 12, False, 5.0), ("chr1", 17, 18, 17, False, 7.0))
    >>> take_summits(regions, summits)[["summit", "has_summit"]].values.tolist()
    [[17, True], [20, False]]
    """
    taken = regions.assign(has_summit=False)
    found = summits.sort_values("summit", kind="stable")
    for chrom, group in regions.groupby("chrom"):
        here = found[found["chrom"] == chrom]
        positions = here["summit"].to_numpy()
        first = positions.searchsorted(group["start"].to_numpy())
        n = positions.searchsorted(group["end"].to_numpy()) - first
        inside = np.arange(n.sum()) + np.repeat(first - (n.cumsum() - n), n)
        pairs = here.iloc[inside][["summit", "score"]].assign(row=np.repeat(group.index, n))
        best = pairs.sort_values(["score", "summit"], ascending=[False, True], kind="stable").drop_duplicates("row")
        taken.loc[best["row"], "summit"] = best["summit"].to_numpy()
        taken.loc[best["row"], "has_summit"] = True
    if not taken["has_summit"].any():
        raise InputError(
            f"summits: none of {len(summits)} lies in any of {len(regions)} regions, expected one in most; check that "
            f"both name chromosomes alike ({summits['chrom'].iloc[0]!r}, {regions['chrom'].iloc[0]!r})."
        )
    return taken


def overlap_any(regions: pd.DataFrame, others: pd.DataFrame) -> NDArray[np.bool_]:
    """Return for each region whether it shares at least 1 bp with any of the others, in whatever order they stand.

    Parameters
    ----------
    regions, others : pandas.DataFrame
        Columns chrom, start, end.

    Notes
    -----
    Those that begin before a region's end, less those that end at or before its start, are those that overlap.

    Examples
    --------
    >>> import pandas as pd
    >>> table = lambda *rows: pd.DataFrame(rows, columns=["chrom", "start", "end"])
    >>> overlap_any(table(("chr1", 0, 5), ("chr1", 5, 8), ("chr2", 0, 5)), table(("chr1", 4, 5))).tolist()
    [True, False, False]
    """
    overlapping = np.zeros(len(regions), dtype=bool)
    chroms, by_chrom = regions["chrom"].to_numpy(), dict(list(others.groupby("chrom")))
    for chrom in by_chrom.keys() & set(chroms):
        rows = np.flatnonzero(chroms == chrom)
        starts, ends = (np.sort(by_chrom[chrom][column].to_numpy()) for column in ("start", "end"))
        n_begun = starts.searchsorted(regions["end"].to_numpy()[rows], side="left")
        n_over = ends.searchsorted(regions["start"].to_numpy()[rows], side="right")
        overlapping[rows] = n_begun > n_over
    return overlapping
