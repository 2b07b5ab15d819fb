"""Align queries with targets by any distance of two columns, with the p-values of Tomtom's complete scores."""

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from tqdm import tqdm

from rcinterp.comparison.distances import EUCLIDEAN, PEARSON, ColumnDistance
from rcinterp.comparison.layout import AlignmentLayout, TargetColumns
from rcinterp.comparison.null import best_alignment_p_values

Floats = NDArray[np.float64]
Integers = NDArray[np.signedinteger]

#: The distances of two columns, by name.
COLUMN_DISTANCES = {"euclidean": EUCLIDEAN, "pearson": PEARSON}

_N_BINS = 100  # Tomtom's BINS: column scores become integers in a range of as many
_ROUNDING = 1e-12  # scores this much below a whole number are that number
_SAMPLE = 1024  # columns of which the middle is taken for near that of all
_SAMPLE_BINS = 256


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


def align(queries: list[Floats], targets: list[Floats], distance: str, *, progress: bool = False) -> Alignments:
    r"""Find the best alignment of every query with every target, and its p-value.

    Parameters
    ----------
    queries, targets : list of numpy.ndarray, shapes (4, W) and (4, V)
        PPMs that hold a pseudocount. The targets' columns, all together, are the background of every p-value; both
        orientations are expected among them.
    distance : str
        A key of `COLUMN_DISTANCES`; minus the distance is the score of two columns.
    progress : bool
        A bar on standard error.

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

    Queries are shared out to as many threads as torch uses. numpy lets go of Python's lock while it computes.

    References
    ----------
    Gupta, Stamatoyannopoulos, Bailey & Noble (2007), Genome Biol. 8:R24; Tanaka, Bailey, Grant, Noble & Keich (2011),
    Bioinformatics 27:1603-1609; tomtom.c of the MEME suite.
    """
    shape = (len(queries), len(targets))
    found = Alignments(np.empty(shape), np.empty(shape, np.int64), np.empty(shape, np.int64))
    against, column_distance = TargetColumns(targets), COLUMN_DISTANCES[distance]
    factor = column_distance.target_factor(against.columns)
    by_width = sorted(range(len(queries)), key=lambda index: queries[index].shape[1])
    waiting = iter(by_width)  # of which a worker takes the next when it is done with one

    def work() -> None:
        worker = _Worker(against, column_distance, factor)
        for index in waiting:
            worker.align(queries[index], found, index)
            bar.update()

    n_workers = min(torch.get_num_threads(), len(queries))
    with tqdm(total=len(queries), desc="comparing motifs", leave=False, disable=not progress) as bar:
        if n_workers <= 1:
            work()
        else:
            with ThreadPoolExecutor(n_workers) as pool:
                for done in [pool.submit(work) for _ in range(n_workers)]:
                    done.result()
    return found


class _Worker:
    """Aligns one query after another, with the memory of the last one if it was as wide."""

    def __init__(self, against: TargetColumns, distance: ColumnDistance, factor: Floats) -> None:
        self._against, self._distance, self._factor = against, distance, factor
        self._products = np.empty((0, against.columns.shape[1]))
        self._layout: AlignmentLayout | None = None

    def align(self, query: Floats, found: Alignments, index: int) -> None:
        """Fill in the row of one query."""
        if self._layout is None or len(self._products) != query.shape[1]:
            self._products = np.empty((query.shape[1], self._against.columns.shape[1]))
            self._layout = AlignmentLayout(self._against, query.shape[1])
        products = self._products
        self._distance.products(query, self._against.columns, self._factor, out=products)
        lowest, counts = _to_integers(products, self._distance)
        best, offsets, overlaps = self._layout.best(products, lowest)
        order = self._against.order
        found.p_values[index, order] = best_alignment_p_values(counts, lowest, best, self._against.widths)
        found.offsets[index, order], found.overlaps[index, order] = offsets, overlaps


def _to_integers(products: Floats, distance: ColumnDistance) -> tuple[int, Integers]:
    """Turn products of query and target columns into scores, whole numbers from 0 to `_N_BINS`, in place.

    Returns
    -------
    int
        What must be added to the scores.
    numpy.ndarray of int, shape (W, _N_BINS + 1)
        How often each of them occurs with each query column.
    """
    middles = distance.finish(_order_statistics(products, products.shape[1] // 2))
    smallest, largest = distance.finish(products.min(axis=1)), distance.finish(products.max(axis=1))
    lowest = int(np.floor((middles - largest).min() + _ROUNDING))
    scale = int(_N_BINS / max(float((middles - smallest).max()) - lowest, 1.0) + _ROUNDING)
    shifts = (middles - lowest) * scale
    counts: list[Integers] = []
    for start in range(0, len(products), 2):  # two rows stay in the processor's cache
        rows = distance.finish(products[start : start + 2])
        rows *= -scale
        rows += shifts[start : start + 2, None]
        counts += _count(np.rint(rows, out=rows))
    return lowest * scale, np.array(counts)


def _count(rows: Floats) -> list[Integers]:
    """How often each whole number from 0 to `_N_BINS` occurs in each of one or two rows."""
    n = _N_BINS + 1
    if len(rows) == 1:
        return [np.bincount(rows[0].astype(np.intp), minlength=n)]
    both = rows[0] * n  # pairs of numbers: counting takes as long as that of single ones
    both += rows[1]
    pairs = np.bincount(both.astype(np.intp), minlength=n * n).reshape(n, n)
    return [pairs.sum(axis=1), pairs.sum(axis=0)]


def _order_statistics(rows: Floats, rank: int) -> Floats:
    """Return the value of this rank, from 0 on, of each row.

    A histogram of a sample says between which two values it must be, and their ranks between which others, so that few
    are sorted.
    """
    n_columns = rows.shape[1]
    if n_columns < 4 * _SAMPLE:
        return np.partition(rows, rank, axis=1)[:, rank]
    found = np.empty(len(rows))
    brackets = zip(*_brackets(rows[:, :: n_columns // _SAMPLE], rank / n_columns), strict=True)
    for index, (row, (low, high)) in enumerate(zip(rows, brackets, strict=True)):
        within, values = _narrow(row, rank, float(low), float(high))
        found[index] = np.partition(values, within)[within]
    return found


def _brackets(sample: Floats, share: float) -> tuple[Floats, Floats]:
    """Return two values for each row, between which is the one at this share of the whole, nearly always."""
    size = sample.shape[1]
    margin = 1.5 * np.sqrt(size)  # 3 standard deviations at most
    smallest = sample.min(axis=1)
    step = np.maximum(sample.max(axis=1) - smallest, _ROUNDING) / _SAMPLE_BINS
    bins = ((sample - smallest[:, None]) * (1 / step[:, None])).astype(np.intp)
    cumulative = np.cumsum([np.bincount(row, minlength=_SAMPLE_BINS + 2) for row in bins], axis=1)
    first = (cumulative < share * size - margin).sum(axis=1)
    last = (cumulative < share * size + margin).sum(axis=1)
    return smallest + first * step, smallest + (last + 1) * step


def _narrow(row: Floats, rank: int, low: float, high: float) -> tuple[int, Floats]:
    """Return few values of a row of which one has this rank, and which rank it has among them."""
    below_low, below_high = row < low, row < high
    n_low, n_high = int(np.count_nonzero(below_low)), int(np.count_nonzero(below_high))
    if not n_low <= rank < n_high:  # the sample was unlike the whole
        return rank, row
    margin = 2 * math.sqrt(n_high - n_low)
    slope, first = (high - low) / (n_high - n_low), n_low
    for target in (rank - margin, rank + margin):
        below = row < low + (target - first) * slope
        n_below = int(np.count_nonzero(below))
        if n_low < n_below <= rank:
            below_low, n_low = below, n_below
        elif rank < n_below < n_high:
            below_high, n_high = below, n_below
    return rank - n_low, row[np.flatnonzero(np.logical_xor(below_low, below_high, out=below_low))]
