"""How high the best alignment of a query with a random target scores: the null distribution of Tomtom."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.signedinteger]


def best_alignment_p_values(scores: Integers, best: Integers, widths: Integers) -> Floats:
    r"""Return the probabilities that the best alignment with a random target scores as high.

    Parameters
    ----------
    scores : numpy.ndarray of int, shape (W, T)
        Score of every query column against every column of the background.
    best : numpy.ndarray of int, shape (n,)
        The best alignment's score with each target.
    widths : numpy.ndarray of int, shape (n,)
        Positions of each target.

    Returns
    -------
    numpy.ndarray of float64, shape (n,)
        In [0, 1]; for the better of a target's two orientations.

    Notes
    -----
    A random target's columns are drawn from the background independently. The score of query positions i to j is
    then a sum of independent numbers; let :math:`S_{ij}(u)` be the probability that it is at least u. A target of V
    positions has W + V - 1 alignments, taken as independent, so

    .. math:: p_1 = 1 - \prod_{\text{alignments}} (1 - S_{ij}(u)), \qquad p = 1 - (1 - p_1)^2 .
    """
    values, which = np.unique(best, return_inverse=True)
    longer, ends = _log_probabilities_below(scores, values)
    width = len(scores)
    reached = np.minimum(widths, width)  # the longest overlap with each target
    repeats = np.maximum(widths - width + 1, 1)
    log_below = repeats * longer[reached, which] + ends[reached, which]
    p = -np.expm1(log_below)
    return np.clip(p * (2.0 - p), 0.0, 1.0)


def _log_probabilities_below(scores: Integers, values: Integers) -> tuple[Floats, Floats]:
    r"""Return sums of log(1 - S) over spans of query positions, both (W + 1, values).

    Row n of the first: over all spans of n positions. Row n of the second: over the spans shorter than n that lie at
    one of the query's ends.

    With :math:`h_j(x)` the share of background columns that score x with position j, longer spans follow from shorter
    ones, :math:`S_{ij}(u) = \sum_x h_j(x) S_{i,j-1}(u - x)`, from the empty one's, 1 for u <= 0. Everything is counted
    as depth below the highest score that positions 0 to j allow, of which only what the values need is kept.
    """
    width = len(scores)
    highest = scores.max(axis=1).astype(np.int64)
    histograms = _histograms_from_the_top(scores, highest)
    tops = np.cumsum(highest)
    depths = np.arange(tops[-1] - values[0] + 1)
    tails = np.zeros((width, depths.size))  # S of the spans that start at each position and end here
    of_length, at_ends = np.zeros((2, width + 1, values.size))
    for end, top in enumerate(tops):
        tails[end] = depths >= top - highest[end]
        for tail in tails[: end + 1]:
            tail[:] = np.convolve(tail, histograms[end])[: depths.size]
        logs = _log_below(tails[: end + 1], top - values)
        of_length[1 : end + 2] += logs[::-1]
        if end < width - 1:
            at_ends[end + 2] += logs[0]
        else:
            at_ends[2:] += logs[:0:-1]
    return of_length, np.cumsum(at_ends, axis=0)


def _histograms_from_the_top(scores: Integers, highest: Integers) -> Floats:
    """Return the share of columns that score the highest, one less, and so on with each query position."""
    size = int(highest.max() - scores.min()) + 1
    counts = [np.bincount(top - row, minlength=size) for row, top in zip(scores, highest, strict=True)]
    shares: Floats = np.array(counts) / scores.shape[1]
    return shares


def _log_below(tails: Floats, depths: Integers) -> Floats:
    """Return log(1 - S) at these depths; S is 0 above the top."""
    at_least = np.where(depths >= 0, tails[:, np.maximum(depths, 0)], 0.0)
    with np.errstate(divide="ignore"):  # log 0 for values that are always reached
        logs: Floats = np.log1p(-np.minimum(at_least, 1.0))
    return logs
