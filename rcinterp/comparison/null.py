"""How high the best alignment of a query with a random target scores: the null distribution of Tomtom."""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


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
    """Return sums of log(1 - S) over spans of query positions, both (W + 1, values).

    Row n of the first: over all spans of n positions. Row n of the second: over the spans shorter than n that lie at
    one of the query's ends.
    """
    width, lowest = len(scores), int(scores.min())
    histograms = [np.bincount(row - lowest, minlength=int(scores.max()) - lowest + 1) / row.size for row in scores]
    spans = [np.ones(1) for _ in range(width)]  # distribution of the score of the span that starts here
    of_length, at_ends = np.zeros((2, width + 1, values.size))
    for length in range(1, width + 1):
        spans = [np.convolve(spans[i], histograms[i + length - 1]) for i in range(width - length + 1)]
        logs = np.array([_log_below(span, values - length * lowest) for span in spans])
        of_length[length] = logs.sum(axis=0)
        if length < width:
            at_ends[length + 1] = at_ends[length] + logs[0] + logs[-1]
    return of_length, at_ends


def _log_below(distribution: Floats, values: Integers) -> Floats:
    """Return log P(X < value) for X = 0, 1, ... of this distribution."""
    at_least = np.append(np.minimum(np.cumsum(distribution[::-1])[::-1], 1.0), 0.0)
    at_least[0] = 1.0
    with np.errstate(divide="ignore"):  # log 0 for values that are always reached
        logs: Floats = np.log1p(-at_least[np.clip(values, 0, distribution.size)])
    return logs
