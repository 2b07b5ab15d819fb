"""How sure a difference of means is: bootstrap intervals and permutation p-values, for many columns at once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
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

#: No interval is given if a class has fewer sequences, as it would not keep its coverage (`benchmarks/reliability.py`),
FEWEST_SEQUENCES = 10
#: nor if fewer than so many of a class's values differ from its median, unless as many would hardly widen the interval.
FEWEST_DIFFERING = 6
_HARDLY = 0.25  # of the squared standard error
_WIDENING = 4.0  # of an interval, over the sequences of the smaller class: few do not show how skewed they are
_TIE = 1e-9  # share of the largest value by which two permutations that are equal may differ by rounding
_NO_SPREAD = 1e-5  # share of the sample's variance below which that of a resample is rounding, in float32

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
    """Studentised bootstrap interval of the difference of the means of two samples, column by column.

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
        NaN where it would not keep its coverage: if a sample has fewer than `FEWEST_SEQUENCES` rows, or too few values
        that differ from its median (Notes), or if no value differs from any other.

    Notes
    -----
    With d the difference of the means, s its standard error and q the quantiles over resamples of
    t* = (d* - d) / s*, the bootstrap-t interval is d - q((1 + level)/2) s to d - q((1 - level)/2) s. Resamples whose
    s* is 0 are left out. Either end is Welch's if that is further from d, as q of few or rare values is too small. Few
    sequences of a skewed distribution may not show that it is: both ends are moved away from d by a factor of
    1 + 4 / min(N, M).

    A sample of which fewer than `FEWEST_DIFFERING` values differ from its median has too few events to tell how large
    its mean may be. There is no interval if that many of them, as large as those of either sample, whichever has the
    larger ones, would make more than a quarter of s²; if they would not, the other sample decides.

    References
    ----------
    Efron & Tibshirani 1993, An Introduction to the Bootstrap, sections 12.5 and 14.3. DiCiccio & Efron 1996,
    Statist. Sci. 11:189. Welch 1947, Biometrika 34:28.
    """
    first, second = _check(positive, negative, n_resamples)
    if not 0 < level < 1:
        raise InputError(f"level: got {level}, expected a coverage between 0 and 1, e.g. 0.95.")
    samples = _Sample.of(first), _Sample.of(second)
    difference, fewest = samples[0].mean - samples[1].mean, min(len(first), len(second))
    if fewest < FEWEST_SEQUENCES:
        return Interval(np.full_like(difference, np.nan), np.full_like(difference, np.nan))
    what = f"resamples: {n_resamples:,} means of {len(difference)} columns"
    require_memory(what, 48 * n_resamples * len(difference), "use fewer resamples")
    rng = np.random.default_rng((seed, 0))
    moved, squared = np.zeros((2, n_resamples, len(difference)))
    for sample, sign in zip(samples, (1, -1), strict=True):
        of_mean, of_square = sample.resample(rng, n_resamples)
        moved += sign * of_mean
        squared += of_square
    error = np.sqrt(samples[0].squared_error + samples[1].squared_error)
    lower, upper = _quantiles(moved, squared, error, [(1 - level) / 2, (1 + level) / 2])
    welch = _welch(samples, level)
    widened = error * (1 + _WIDENING / fewest)
    low, high = difference - widened * np.fmax(upper, welch), difference + widened * np.fmax(-lower, welch)
    is_told = _has_events(samples, error) & (error > 0)
    return Interval(*(np.where(is_told, end, np.nan) for end in (low, high)))


@dataclass(frozen=True, eq=False)
class _Sample:
    """A sample, and what of it an interval needs, column by column.

    Attributes
    ----------
    rows : ndarray, shape (N, F)
    mean, spread : ndarray, shape (F,)
        Mean and standard deviation; of equal values, the value itself and 0.
    n_differing, of_differing : ndarray, shape (F,)
        How many values differ from the median, and the sum of the squared differences.
    """

    rows: NDArray[np.float64]
    mean: NDArray[np.float64]
    spread: NDArray[np.float64]
    n_differing: NDArray[np.float64]
    of_differing: NDArray[np.float64]

    @classmethod
    def of(cls, rows: NDArray[np.float64]) -> "_Sample":
        middle = np.array([np.median(column) for column in rows.T])  # one column at a time: it copies what it sorts
        found = np.zeros((3, rows.shape[1]))
        for _, block in blocks(rows):
            away = block - middle
            found += [(away != 0).sum(0), away.sum(0), np.einsum("nf,nf->f", away, away)]
        n_differing, total, squares = found
        variance = np.maximum(squares / len(rows) - (total / len(rows)) ** 2, 0)
        return cls(rows, middle + total / len(rows), np.sqrt(variance), n_differing, squares)

    @property
    def squared_error(self) -> NDArray[np.float64]:
        """Squared standard error of the mean."""
        return self.spread**2 / max(len(self.rows) - 1, 1)

    def resample(self, rng: np.random.Generator, n_resamples: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Of each resample the mean, less that of the sample, and its squared standard error; (n_resamples, F) each."""
        n, n_columns = self.rows.shape
        means, squares = np.empty((2, n_resamples, n_columns))
        chunk, kept = _chunk(n), list(self._powers()) if n <= _ROWS else None
        for done in range(0, n_resamples, chunk):
            size = min(chunk, n_resamples - done)
            drawn = rng.integers(n, size=(size, n)) + n * np.arange(size)[:, None]
            counts = np.bincount(drawn.ravel(), minlength=size * n).reshape(size, n).astype(np.float32)
            sums = np.zeros((size, 2 * n_columns))
            for places, powers in kept or self._powers():
                sums += counts[:, places] @ powers
            means[done : done + size], squares[done : done + size] = np.hsplit(sums / n, 2)
        variances = squares - means**2
        variances[variances <= _NO_SPREAD] = 0
        return means * self.spread, variances * self.squared_error

    def _powers(self) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        """Rows in standard deviations from the mean, and their squares beside them; exact to 1e-7."""
        scale = np.where(self.spread > 0, self.spread, 1)
        for places, block in blocks(self.rows):
            z = ((block - self.mean) / scale).astype(np.float32)
            yield places, np.hstack([z, z * z])


def _quantiles(
    moved: NDArray[np.float64], squared: NDArray[np.float64], error: NDArray[np.float64], shares: list[float]
) -> NDArray[np.float64]:
    """Quantiles over resamples of the studentised difference, (2, F), without those that have no standard error."""
    has_error = (squared > 0).all(0)
    found = np.full((len(shares), len(error)), np.nan)
    if has_error.any():
        found[:, has_error] = np.quantile(moved[:, has_error] / np.sqrt(squared[:, has_error]), shares, axis=0)
    for f in np.flatnonzero(~has_error):
        rows = squared[:, f] > 0
        if rows.any():
            found[:, f] = np.quantile(moved[rows, f] / np.sqrt(squared[rows, f]), shares)
    return found


def _welch(samples: Sequence[_Sample], level: float) -> NDArray[np.float64]:
    """Quantile of Student's t at Welch's degrees of freedom, (F,); that of the smaller sample where nothing differs."""
    from scipy.special import stdtrit  # scipy.stats takes a second to import

    errors = [sample.squared_error for sample in samples]
    rest = sum(error**2 / (len(sample.rows) - 1) for error, sample in zip(errors, samples, strict=True))
    fewest = min(len(sample.rows) for sample in samples) - 1.0
    freedom = np.divide(sum(errors) ** 2, rest, out=np.full_like(rest, fewest), where=rest > 0)
    quantile: NDArray[np.float64] = stdtrit(freedom, (1 + level) / 2)
    return quantile


def _has_events(samples: Sequence[_Sample], error: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Whether each sample has enough values that differ from its median, or hardly matters."""
    square = np.max([sample.of_differing / np.maximum(sample.n_differing, 1) for sample in samples], axis=0)
    enough = [
        (sample.n_differing >= FEWEST_DIFFERING)
        | (FEWEST_DIFFERING * square / len(sample.rows) ** 2 <= _HARDLY * error**2)
        for sample in samples
    ]
    both: NDArray[np.bool_] = enough[0] & enough[1]
    return both


def permutation_p_values(
    positive: ArrayLike, negative: ArrayLike, *, seed: int, n_permutations: int | None = None
) -> NDArray[np.float64]:
    """Two-sided p-value of the difference of means, by permutation of the labels, column by column.

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
        ``(1 + number of |permuted| >= |observed|) / (1 + n)`` of Welch's t, in (0, 1]; 1 for a column of equal values,
        NaN for one that is not finite.

    Notes
    -----
    t is the difference of the means over its standard error, which is calculated anew for each permutation. If the
    labels mean nothing at all, p is exact. If the means alone are equal, and the classes differ in spread and in size,
    p of the difference itself would be below 0.05 in up to half of all cases, while that of t tends to what it says.

    References
    ----------
    Phipson & Smyth 2010, Stat. Appl. Genet. Mol. Biol. 9:39. Chung & Romano 2013, Ann. Statist. 41:484.
    """
    first, second = _check(positive, negative, 1 if n_permutations is None else n_permutations)
    n_columns = first.shape[1]
    n_permutations = n_permutations or max(N_RESAMPLES, PERMUTATIONS_A_COLUMN * n_columns)
    n, total = len(first), len(first) + len(second)
    mean = (first.sum(0) + second.sum(0)) / total
    largest = np.max([np.abs(block - mean).max(0) for _, block in blocks(first, second)], axis=0)

    def powers(*samples: NDArray[np.float64]) -> Iterator[tuple[slice, NDArray[np.float64]]]:
        for places, block in blocks(*samples):
            both = np.empty((len(block), 2 * n_columns))
            centred = np.subtract(block, mean, out=both[:, :n_columns])
            np.multiply(centred, centred, out=both[:, n_columns:])
            yield places, both

    sums, rest = (np.sum([both.sum(0) for _, both in powers(sample)], axis=0) for sample in (first, second))
    all_sums = sums + rest
    observed = _squared_t(sums, all_sums, n, total, largest)
    kept = list(powers(first, second)) if total <= _ROWS else None
    rng = np.random.default_rng((seed, 1))
    exceeding = np.zeros(n_columns)
    chunk = _chunk(total)
    for done in range(0, n_permutations, chunk):
        labels = np.zeros((min(chunk, n_permutations - done), total))
        labels[:, :n] = 1.0
        rng.permuted(labels, axis=1, out=labels)
        drawn = np.sum([labels[:, places] @ both for places, both in kept or powers(first, second)], axis=0)
        exceeding += (_squared_t(drawn, all_sums, n, total, largest) >= observed * (1 - _TIE)).sum(0)
    return np.where(np.isfinite(all_sums[:n_columns]), (1 + exceeding) / (1 + n_permutations), np.nan)


def _squared_t(
    sums: NDArray[np.float64], all_sums: NDArray[np.float64], n: int, total: int, largest: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Square of Welch's t, from the sums of the first class's values and squares, and those of both classes.

    Infinite if neither class has any spread, and they differ; `largest` is what rounding is compared with.
    """
    first, first_squares = np.split(sums, 2, axis=-1)
    second, second_squares = np.split(all_sums - sums, 2, axis=-1)
    error: NDArray[np.float64] | float = 0.0
    for of_class, of_squares, size in ((first, first_squares, n), (second, second_squares, total - n)):
        variance = of_squares / size - (of_class / size) ** 2
        error = error + np.where(variance > _TIE * largest**2, variance, 0) / max(size - 1, 1)
    difference = (first / n - second / (total - n)) ** 2
    apart = np.where(difference > (_TIE * largest) ** 2, np.inf, 0.0)
    return np.divide(difference, error, out=apart, where=error > 0)


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
