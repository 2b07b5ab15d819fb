"""How alike two filters or motifs are, at the best shift and in the better orientation."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from rcinterp.centring import filters_by_name, is_dead, mean_center
from rcinterp.motifs import reverse_complement_motif


@dataclass(frozen=True)
class Similarity:
    """The best alignment of one matrix to another.

    Attributes
    ----------
    value : float
        In [-1, 1]; 1 for the same matrix up to a positive factor.
    shift : int
        Positions by which the first matrix, in the orientation given, is moved to the right.
    orientation : str
        "+", or "-" if the reverse complement of the first matrix is meant.
    """

    value: float
    shift: int
    orientation: str


def compare_matrices(first: NDArray[Any] | Tensor, second: NDArray[Any] | Tensor) -> Similarity:
    """Cosine of two mean-centred matrices, the largest over all shifts and both orientations.

    Parameters
    ----------
    first, second : ndarray or Tensor, shapes (4, V) and (4, W)
        Weights, log-odds or probabilities, rows A, C, G, T; centred here.

    Returns
    -------
    Similarity
        NaN if one of them is the same for all letters everywhere, or not finite.

    Notes
    -----
    ``sum over c, j of f[c, j - s] g[c, j] / (|f| |g|)``, with zeros outside both: the whole norm of both matrices
    counts, so that a short overlap cannot score high. It is the measure of `find_palindromes`, there with g the
    reverse complement of f.
    """
    named = filters_by_name({"first": first, "second": second}, caller="compare_matrices")
    if any(is_dead(matrix) for matrix in named.values()):
        return Similarity(float("nan"), 0, "+")
    f, g = (mean_center(matrix).weight for matrix in named.values())
    norm = float(np.linalg.norm(f) * np.linalg.norm(g))
    best = Similarity(-np.inf, 0, "+")
    for orientation, turned in (("+", f), ("-", reverse_complement_motif(f))):
        # correlate gives shifts from -(V - 1) to W - 1 in turn
        products = np.sum([np.correlate(g[c], turned[c], mode="full") for c in range(4)], axis=0)
        at = int(np.argmax(products))
        value = float(np.clip(products[at] / norm, -1, 1))
        if value > best.value + 1e-12:
            best = Similarity(value, at - (f.shape[1] - 1), orientation)
    return best
