"""Regions of BED and narrowPeak files: reading them, their summits, and which of them overlap.

Regions are 0-based and half-open.
"""

from __future__ import annotations

import os
import re
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rcinterp.errors import InputError
from rcinterp.files import parse_number, parse_whole, read_text, split_lines, split_words

_COLUMNS = ["chrom", "start", "end", "summit", "has_summit", "score"]
_NARROWPEAK_COLUMNS, _BED12_COLUMNS = 10, 12
_STRANDS = ("+", "-", ".")
_MOST_DIGITS = 12  # of a position
_INTEGER, _INTEGERS = re.compile(r"-?[0-9]+"), re.compile(r"[0-9]+(,[0-9]+)*,?")


def read_regions(path: str | os.PathLike[str]) -> pd.DataFrame:
    r"""Read the regions of a BED or narrowPeak file, plain or gzip, in any order.

    Parameters
    ----------
    path : path
        BED of 3 columns or more, or narrowPeak, perhaps with more columns behind its ten, as IDR and bedtools write
        it. It is narrowPeak if column 6 of every line is a strand, 7 to 9 are numbers and 10 is an integer, and it is
        not BED12; or if its name says so. Comments and lines of "track" and "browser" are passed over.

    Returns
    -------
    pandas.DataFrame
        One row a region, in the file's order: chrom; start and end (0-based, half-open); summit, its position in the
        chromosome; has_summit, whether the file gave it; score.

    Raises
    ------
    InputError
        If the file cannot be read or holds no region; for a bad line, with its number counted from 1.

    Warns
    -----
    UserWarning
        If a file of 10 columns or more is not narrowPeak, or one of more than 10 is.

    Notes
    -----
    A narrowPeak's summit is start + column 10; where that is -1, and for BED, it is the centre, (start + end) // 2.
    Column 10 may be the region's length, as in real files of peaks that were clipped: that is its last base. The score
    is column 7 of narrowPeak (signalValue), column 5 of BED, NaN where there is none.

    Examples
    --------
    >>> from pathlib import Path
    >>> _ = Path("peaks.bed").write_text("chr1\t100\t160\n")
    >>> read_regions("peaks.bed")[["chrom", "start", "end", "summit", "has_summit"]].values.tolist()
    [['chr1', 100, 160, 130, False]]
    """
    lines: list[tuple[int, list[str]]] = []
    for number, line in enumerate(split_lines(read_text(path, "a BED or narrowPeak file")), start=1):
        fields = line.rstrip(" \t").split("\t") if "\t" in line else split_words(line)
        if not split_words(line) or line.startswith("#") or fields[0].split(" ")[0] in ("track", "browser"):
            continue
        lines.append((number, fields))
    if not lines:
        raise InputError(f"{path}: holds no region, expected BED or narrowPeak lines (chrom, start, end); check it.")
    n_columns = len(lines[0][1])
    is_narrowpeak = _is_narrowpeak(path, [fields for _, fields in lines if len(fields) == n_columns])
    rows: list[tuple[str, int, int, int, bool, float]] = []
    for number, fields in lines:
        try:
            if len(fields) != n_columns:
                raise ValueError(f"has {len(fields)} columns, expected {n_columns} as in the lines above")
            rows.append(_parse_region(fields, is_narrowpeak))
        except ValueError as error:
            raise InputError(f"{path}: line {number} {error}; correct or remove it.") from None
    return pd.DataFrame(rows, columns=_COLUMNS)


def _is_narrowpeak(path: str | os.PathLike[str], lines: list[list[str]]) -> bool:
    """Whether a file is narrowPeak, by its name or its columns; what a user may not expect is said."""
    n_columns = len(lines[0])
    if n_columns < _NARROWPEAK_COLUMNS:
        return False
    reason = None if ".narrowpeak" in Path(path).name.lower() else _not_narrowpeak(lines)
    if reason is not None:
        warnings.warn(
            f"{path}: has {n_columns} columns, but is no narrowPeak ({reason}): taken as BED, and the centre of a "
            "region as its summit.",
            stacklevel=3,
        )
    elif n_columns > _NARROWPEAK_COLUMNS:
        warnings.warn(f"{path}: has {n_columns} columns: the first ten are taken as narrowPeak.", stacklevel=3)
    return reason is None


def _not_narrowpeak(lines: list[list[str]]) -> str | None:
    """What shows that lines of ten columns and more are not narrowPeak; None if nothing does."""
    for fields in lines:
        if fields[5] not in _STRANDS:
            return f"column 6 is {fields[5][:20]!r}, expected a strand"
        for column in (7, 8, 9):
            if np.isnan(_number(fields[column - 1])):
                return f"column {column} is {fields[column - 1][:20]!r}, expected a number"
    if not _INTEGER.fullmatch(lines[0][9]):
        return f"column 10 is {lines[0][9][:20]!r}, expected an integer"
    if len(lines[0]) >= _BED12_COLUMNS and all(_is_bed12(fields) for fields in lines):
        return "it is BED12"
    return None


def _is_bed12(fields: list[str]) -> bool:
    """Whether columns 11 and 12 list as many sizes and starts of blocks as column 10 says."""
    n_blocks, *lists = fields[9:12]
    return all(_INTEGERS.fullmatch(each) and str(len(each.strip(",").split(","))) == n_blocks for each in lists)


def _parse_region(fields: list[str], is_narrowpeak: bool) -> tuple[str, int, int, int, bool, float]:
    if len(fields) < 3 or not fields[0]:
        raise ValueError(f"is {' '.join(fields)[:40]!r}, expected chrom, start and end, separated by tabs")
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
    score = fields[6] if is_narrowpeak else fields[4] if len(fields) > 4 else "."
    summit = min(start + from_start, end - 1) if has_summit else (start + end) // 2
    return fields[0], start, end, summit, has_summit, _number(score)


def _number(text: str) -> float:
    number = parse_number(text)
    return float("nan") if number is None else number


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
