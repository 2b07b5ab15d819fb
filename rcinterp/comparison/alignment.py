"""Align queries with targets by any score of two columns, with the p-values of Tomtom's complete scores."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rcinterp.comparison.null import best_alignment_p_values

Floats = NDArray[np.float64]
Integers = NDArray[np.signedinteger]
#: Scores of every query column (W) against every target column (T), both (4, .): a (W, T) array.
ColumnScores = Callable[[Floats, Floats], Floats]

_N_BINS = 100  # Tomtom's BINS: column scores become integers in a range of as many
_FLAT = 1e-9  # a column this near to uniform has no direction


@dataclass(frozen=True)
class Alignments:
    """The best alignment of every query with every target.

    Attributes
    ----------
    p_values : numpy.ndarray of float64, shape (queries, targets)
        Probability that the best of both orientations of a random target of that width scores as high.
    offsets, overlaps : numpy.ndarray of int64, shape (queries, targets)
        Position of the target that the query's first position lies on, and number of positions aligned.
    """

    p_values: Floats
    offsets: Integers
    overlaps: Integers


def euclidean_scores(query: Floats, columns: Floats) -> Floats:
    """Minus the Euclidean distance of every two columns (Tomtom's ``-dist ed``)."""
    scores = np.zeros((query.shape[1], columns.shape[1]))
    difference = np.empty(columns.shape[1])
    for position, row in zip(query.T, scores, strict=True):  # one at a time: its row stays in the processor's cache
        for probability, others in zip(position, columns, strict=True):
            np.subtract(probability, others, out=difference)
            row += np.multiply(difference, difference, out=difference)
        np.negative(np.sqrt(row, out=row), out=row)
    return scores


def pearson_scores(query: Floats, columns: Floats) -> Floats:
    """Correlation of every two columns (Tomtom's ``-dist pearson``); 0 where one of them is uniform.

    As in Tomtom, 1/4 is taken for the mean of a column.
    """
    first, second = _directions(query), _directions(columns)
    correlations: Floats = first.T @ second
    return correlations


def align(queries: list[Floats], targets: list[Floats], column_scores: ColumnScores) -> Alignments:
    r"""Find the best alignment of every query with every target, and its p-value.

    Parameters
    ----------
    queries, targets : list of numpy.ndarray, shapes (4, W) and (4, V)
        PPMs that hold a pseudocount. The targets' columns, all together, are the background of every p-value; both
        orientations are expected among them.
    column_scores : callable
        `euclidean_scores` or `pearson_scores`.

    Returns
    -------
    Alignments
        As Tomtom finds them: of alignments of equal score the one of larger overlap, then of smaller offset.

    Notes
    -----
    From the scores of a query column against all target columns their median is subtracted, so that a column left
    unaligned counts as a middling one. All of a query's scores s then become integers,
    :math:`\mathrm{round}((s - m) k) + m k`, with m the smallest, rounded down, and k the largest whole number with
    which they keep within a range of 100. An alignment's score is the sum over the aligned positions.

    References
    ----------
    Gupta, Stamatoyannopoulos, Bailey & Noble (2007), Genome Biol. 8:R24; Tanaka, Bailey, Grant, Noble & Keich (2011),
    Bioinformatics 27:1603-1609; tomtom.c of the MEME suite.
    """
    widths = np.array([target.shape[1] for target in targets])
    columns = np.hstack(targets)
    shape = (len(queries), len(targets))
    found = Alignments(np.empty(shape), np.empty(shape, np.int64), np.empty(shape, np.int64))
    layouts = {width: _lay_out(widths, width) for width in {query.shape[1] for query in queries}}
    for index, query in enumerate(queries):
        scores = _to_integers(_shift_by_median(column_scores(query, columns)))
        best, found.offsets[index], found.overlaps[index] = _best_alignments(scores, layouts[len(scores)])
        found.p_values[index] = best_alignment_p_values(scores, best, widths)
    return found


def _directions(matrix: Floats) -> Floats:
    """Return the columns less 1/4, each divided by its norm; 0 for uniform columns."""
    centred = matrix - 0.25
    norms = np.linalg.norm(centred, axis=0)
    directions: Floats = np.where(norms > _FLAT, centred / np.maximum(norms, _FLAT), 0.0)
    return directions


def _shift_by_median(scores: Floats) -> Floats:
    """Take from the scores of each query column the lower of their two middle values, in place."""
    middle = max((scores.shape[1] + 1) // 2 - 1, 0)
    for row in scores:
        row -= np.partition(row, middle)[middle]
    return scores


def _to_integers(scores: Floats) -> Integers:
    """Turn scores into whole numbers in a range of `_N_BINS`; the scores given are used up."""
    lowest = int(np.floor(scores.min()))
    scale = int(_N_BINS / max(scores.max() - lowest, 1.0))
    scores -= lowest
    scores *= scale
    return np.rint(scores, out=scores).astype(np.int16) + np.int16(lowest * scale)  # a hundred still fit in 16 bits


@dataclass(frozen=True)
class _Layout:
    """Targets side by side with gaps, so that the alignments of each with a query are one segment.

    `places` says where each target column lies; segment t, from ``starts[t]``, has one alignment an entry, from the
    smallest offset on; `overlap` and `rank` (from the last one on) are those of every alignment.
    """

    length: int
    places: Integers
    starts: Integers
    overlap: Integers
    rank: Integers


def _lay_out(widths: Integers, width: int) -> _Layout:
    """Return the layout of targets for queries of one width."""
    sizes = widths + width - 1
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    within = np.arange(widths.sum()) - np.repeat(np.cumsum(widths) - widths, widths)
    places = np.repeat(starts, widths) + width - 1 + within
    length = int(sizes.sum()) + width - 1
    is_column = np.zeros(length + 1, dtype=np.int64)
    is_column[places + 1] = 1
    total = np.cumsum(is_column)
    overlap = total[width:] - total[: len(total) - width]
    rank = np.repeat(starts + sizes, sizes) - 1 - np.arange(sizes.sum())
    return _Layout(length, places, starts, overlap, rank)


def _best_alignments(scores: Integers, layout: _Layout) -> tuple[Integers, Integers, Integers]:
    """Return the best score of each target, its offset and its overlap."""
    width, n_alignments = len(scores), len(layout.rank)
    sums = np.zeros(n_alignments, dtype=np.int16)
    row = np.zeros(layout.length, dtype=np.int16)
    for position in range(width):
        row[layout.places] = scores[position]
        sums += row[position : position + n_alignments]
    n_ranks = int(layout.rank.max()) + 1
    keys = (sums.astype(np.int64) * (width + 1) + layout.overlap) * n_ranks + layout.rank  # in the order of preference
    best, rest = np.divmod(np.maximum.reduceat(keys, layout.starts), (width + 1) * n_ranks)
    overlap, rank = np.divmod(rest, n_ranks)
    n_offsets = np.diff(np.append(layout.starts, n_alignments))
    return best, n_offsets - 1 - rank - (width - 1), overlap
