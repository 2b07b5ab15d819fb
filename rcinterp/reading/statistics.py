"""How sure a difference of means is: bootstrap intervals and permutation p-values, for many columns at once."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rcinterp.errors import InputError, require_whole
from rcinterp.memory import require_memory

#: Bootstrap samples, and the fewest permutations.
N_RESAMPLES = 1000
#: Permutations a column at least, so that one true column among many can reach q = 0.05: p may be as small as 1/40 of
#: 1/n_columns, and q = p · n_columns then 0.025.
PERMUTATIONS_A_COLUMN = 40

_CHUNK = 250  # resamples at a time at most: (chunk, N) weights are held in memory
_MOST_WEIGHTS = 1_000_000
_ROWS = 50_000  # of a sample at a time


class Interval(NamedTuple):
    """Lower and upper limits, (F,) each."""

    low: NDArray[np.float64]
    high: NDArray[np.float64]


def bootstrap_difference(
    positive: ArrayLike, negative: ArrayLike, *, seed: int, n_resamples: int = N_RESAMPLES, level: float = 0.95
) -> Interval:
    """Percentile bootstrap interval of the difference of the means of two samples, column by column.

    Parameters
    ----------
    positive, negative : array-like, shapes (N, F) and (M, F)
        One row a sequence. Each sample is drawn again with replacement by itself; all columns with the same draws.
    seed : int
    n_resamples : int
    level : float
        Coverage, in (0, 1).

    Returns
    -------
    Interval
        Quantiles (1 - level)/2 and (1 + level)/2 of ``mean(positive*) - mean(negative*)``.

    References
    ----------
    Efron & Tibshirani 1993, An Introduction to the Bootstrap, chapters 13 and 16.
    """
    first, second = _check(positive, negative, n_resamples)
    if not 0 < level < 1:
        raise InputError(f"level: got {level}, expected a coverage between 0 and 1, e.g. 0.95.")
    rng = np.random.default_rng((seed, 0))
    differences = _drawn_means(first, rng, n_resamples) - _drawn_means(second, rng, n_resamples)
    low, high = np.quantile(differences, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return Interval(low, high)


def permutation_p_values(
    positive: ArrayLike, negative: ArrayLike, *, seed: int, n_permutations: int | None = None
) -> NDArray[np.float64]:
    """Two-sided p-value of the difference of means if the labels mean nothing, column by column.

    Parameters
    ----------
    positive, negative : array-like, shapes (N, F) and (M, F)
        One row a sequence.
    seed : int
    n_permutations : int, optional
        Of the labels; `N_RESAMPLES`, or `PERMUTATIONS_A_COLUMN` · F if that is more, when not given.

    Returns
    -------
    ndarray, shape (F,)
        ``(1 + number of |permuted| >= |observed|) / (1 + n)``, in (0, 1]; 1 for a column of equal values, NaN for one
        that is not finite.

    References
    ----------
    Phipson & Smyth 2010, Stat. Appl. Genet. Mol. Biol. 9:39.
    """
    first, second = _check(positive, negative, 1 if n_permutations is None else n_permutations)
    n_columns = first.shape[1]
    n_permutations = n_permutations or max(N_RESAMPLES, PERMUTATIONS_A_COLUMN * n_columns)
    n, total = len(first), len(first) + len(second)
    mean = (first.sum(0) + second.sum(0)) / total
    sums = sum((block - mean).sum(0) for _, block in blocks(first))  # centred: the same difference, rounded otherwise
    other_sums = sum((block - mean).sum(0) for _, block in blocks(second))
    observed = np.abs(sums / n - other_sums / (total - n))
    tie = 1e-9 * np.max([np.abs(block - mean).max(0) for _, block in blocks(first, second)], axis=0)
    rng = np.random.default_rng((seed, 1))
    exceeding = np.zeros(n_columns)
    chunk = _chunk(total)
    for done in range(0, n_permutations, chunk):
        labels = np.zeros((min(chunk, n_permutations - done), total))
        labels[:, :n] = 1.0
        rng.permuted(labels, axis=1, out=labels)
        # of the first class; those of the other are minus these
        drawn = sum(labels[:, rows] @ (block - mean) for rows, block in blocks(first, second))
        exceeding += (np.abs(drawn * (1 / n + 1 / (total - n))) >= observed - tie).sum(0)
    return np.where(np.isfinite(observed), (1 + exceeding) / (1 + n_permutations), np.nan)


def blocks(*samples: NDArray[np.float64]) -> Iterator[tuple[slice, NDArray[np.float64]]]:
    """Rows of samples, one sample after the other, a part at a time, so that no copy of all of them is ever made.

    Yields the places of the rows among those of all samples, and the rows.
    """
    before = 0
    for sample in samples:
        for start in range(0, len(sample), _ROWS):
            rows = sample[start : start + _ROWS]
            yield slice(before + start, before + start + len(rows)), rows
        before += len(sample)


def _chunk(n: int) -> int:
    """Resamples of so many sequences at a time; what is drawn is the same however many."""
    return min(_CHUNK, max(1, _MOST_WEIGHTS // n))


def _drawn_means(sample: NDArray[np.float64], rng: np.random.Generator, n_resamples: int) -> NDArray[np.float64]:
    """Means of samples drawn with replacement, (n_resamples, F): counts of the rows times the rows."""
    n, means = len(sample), []
    what = f"resamples: {n_resamples:,} means of {sample.shape[1]} columns"
    require_memory(what, 16 * n_resamples * sample.shape[1], "use fewer resamples")
    chunk = _chunk(n)
    for done in range(0, n_resamples, chunk):
        size = min(chunk, n_resamples - done)
        rows = rng.integers(n, size=(size, n)) + n * np.arange(size)[:, None]
        counts = np.bincount(rows.ravel(), minlength=size * n).reshape(size, n)
        means.append(sum(counts[:, rows].astype(np.float64) @ block for rows, block in blocks(sample)) / n)
    return np.concatenate(means)


def _check(
    positive: ArrayLike, negative: ArrayLike, n_resamples: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    first, second = (np.asarray(sample, dtype=np.float64) for sample in (positive, negative))
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1] or not len(first) or not len(second):
        raise InputError(
            f"got samples of shape {first.shape} and {second.shape}, expected (N, F) and (M, F), at least one row each."
        )
    require_whole("resamples", n_resamples, 1)
    return first, second
