"""How high the best alignment of a query with a random target scores: the null distribution of Tomtom."""

import numpy as np
from numpy.lib.stride_tricks import as_strided, sliding_window_view
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.signedinteger]

_BLOCK = 32  # of a convolution that is done as a matrix product


def best_alignment_p_values(counts: Integers, lowest: int, best: Integers, widths: Integers) -> Floats:
    r"""Return the probabilities that the best alignment with a random target scores as high.

    Parameters
    ----------
    counts : numpy.ndarray of int, shape (W, S)
        How many columns of the background have the score `lowest`, `lowest` + 1 and so on with each query column. Some
        have one of at least 0 with each.
    lowest : int
        The first of these scores.
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
    smallest, largest = int(best.min()), int(best.max())
    longer, ends = _log_probabilities_below(counts, lowest, smallest, largest)
    width, which = len(counts), largest - best
    reached = np.minimum(widths, width)  # the longest overlap with each target
    repeats = np.maximum(widths - width + 1, 1)
    log_below = repeats * longer[reached, which] + ends[reached, which]
    p = -np.expm1(log_below)
    return np.clip(p * (2.0 - p), 0.0, 1.0)


def _log_probabilities_below(counts: Integers, lowest: int, smallest: int, largest: int) -> tuple[Floats, Floats]:
    r"""Return sums of log(1 - S) over spans of query positions at each u from `largest` down to `smallest`.

    Both are (W + 1, values). Row n of the first: over all spans of n positions. Row n of the second: over the spans
    shorter than n that lie at one of the query's ends.

    With :math:`h_j(x)` the share of background columns that score x with position j, longer spans follow from shorter
    ones, :math:`S_{ij}(u) = \sum_x h_j(x) S_{i,j-1}(u - x)`, from the empty one's, 1 for u <= 0. Everything is counted
    as depth below the highest score that positions 0 to j allow, of which only what the values need is kept. A block of
    depths is the product of those before it with a matrix that has the shares on its diagonals.
    """
    width, (highest, shares) = len(counts), _shares_from_the_top(counts, lowest)
    tops, span = np.cumsum(highest), shares.shape[1]
    n_blocks = -(-(int(tops[-1]) - smallest + 1) // _BLOCK)
    above = max(span - 1, largest - int(tops[0]))  # depths above the top, where S is 0
    zeros = np.zeros((width, _BLOCK - 1))
    shifted = sliding_window_view(np.hstack([zeros, shares[:, ::-1], zeros]), _BLOCK, axis=1)
    diagonals = np.ascontiguousarray(shifted[:, :, ::-1])  # (W, span + _BLOCK - 1, _BLOCK)
    tails = np.zeros((width, above + n_blocks * _BLOCK))  # S of the spans that start at each position and end here
    row, item = tails.strides
    windows = as_strided(
        tails[:, above - span + 1 :], (width, n_blocks, span + _BLOCK - 1), (row, _BLOCK * item, item), writeable=False
    )
    of_length, at_ends = np.zeros((2, width + 1, largest - smallest + 1))
    for end, top in enumerate(tops):
        tails[end, above + top - highest[end] :] = 1.0
        longer = np.ascontiguousarray(windows[: end + 1]) @ diagonals[end]
        tails[: end + 1, above:] = longer.reshape(end + 1, -1)
        at_least = tails[: end + 1, above + top - largest : above + top - smallest + 1]
        with np.errstate(divide="ignore"):  # log 0 for values that are always reached
            logs = np.log1p(-np.minimum(at_least, 1.0))
        of_length[1 : end + 2] += logs[::-1]
        if end < width - 1:
            at_ends[end + 2] += logs[0]
        else:
            at_ends[2:] += logs[:0:-1]
    return of_length, np.cumsum(at_ends, axis=0)


def _shares_from_the_top(counts: Integers, lowest: int) -> tuple[Integers, Floats]:
    """Return the highest score with each query position, and the shares of columns with it, with one less and so on."""
    n_scores = counts.shape[1]
    occurs = counts > 0
    top = n_scores - 1 - occurs[:, ::-1].argmax(axis=1)
    span = int((top - occurs.argmax(axis=1)).max()) + 1
    scores = top[:, None] - np.arange(span)
    found = np.where(scores >= 0, np.take_along_axis(counts, np.maximum(scores, 0), axis=1), 0)
    return top + lowest, found / counts.sum(axis=1, keepdims=True)
