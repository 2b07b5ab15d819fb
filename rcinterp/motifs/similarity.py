"""How alike two filters or motifs are, at the best shift and in the better orientation."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from rcinterp.errors import InputError
from rcinterp.motifs import reverse_complement_motif
from rcinterp.motifs.centring import filters_by_name, is_dead, mean_center

_BLOCK = 512  # rows of the matrix of similarities at a time


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


def similarity_matrix(matrices: Sequence[NDArray[Any] | Tensor]) -> NDArray[np.float64]:
    """Value of `compare_matrices` for every pair of matrices, to six digits; 0 where that is negative.

    Parameters
    ----------
    matrices : sequence of N ndarrays or Tensors, shape (4, W), of any widths
        Weights, log-odds or probabilities, rows A, C, G, T; centred here.

    Returns
    -------
    ndarray, shape (N, N)
        Symmetric, in [0, 1], 1 on the diagonal.

    Raises
    ------
    InputError
        If there is no matrix, or one is the same for all letters everywhere, or not finite.

    Notes
    -----
    All pairs at one shift are one product of two matrices (N, 4 overlap). N matrices of W positions take
    2 (2W - 1) such products, of single precision: a second or two for 3,000 motifs of 21 positions, on one core.

    Examples
    --------
    >>> import numpy as np
    >>> acg = np.eye(4)[:, :3]
    >>> similarity_matrix([acg, acg[::-1, ::-1], 2 * acg]).round(3).tolist()
    [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]
    """
    named = filters_by_name({str(i): matrix for i, matrix in enumerate(matrices)}, caller="similarity_matrix")
    dead = [name for name, matrix in named.items() if is_dead(matrix)]
    if dead:
        raise InputError(
            f"similarity_matrix: matrix {dead[0]} is the same for all letters everywhere or not finite, expected a "
            "preference somewhere. Leave it out."
        )
    bank = _unit_bank([mean_center(matrix).weight for matrix in named.values()])
    found = np.zeros((len(bank), len(bank)), dtype=np.float32)
    for start in range(0, len(bank), _BLOCK):
        rows = bank[start : start + _BLOCK]
        best = found[start : start + _BLOCK, start:]  # what is left of it has been computed as its mirror image
        for turned in (rows, rows[:, ::-1, ::-1]):
            for shift in range(1 - bank.shape[2], bank.shape[2]):
                np.maximum(best, _products(turned, bank[start:], shift), out=best)
    upper = np.triu(np.minimum(found, 1).astype(np.float64), 1)
    return np.asarray(upper + upper.T + np.eye(len(bank)))


def _unit_bank(centred: list[NDArray[np.float64]]) -> NDArray[np.float32]:
    """(N, 4, W) of the widest, each of norm 1, zeros at its right."""
    bank = np.zeros((len(centred), 4, max(matrix.shape[1] for matrix in centred)), dtype=np.float32)
    for row, matrix in zip(bank, centred, strict=True):
        scaled = matrix / np.abs(matrix).max()
        row[:, : matrix.shape[1]] = scaled / np.linalg.norm(scaled)
    return bank


def _products(first: NDArray[np.float32], second: NDArray[np.float32], shift: int) -> NDArray[np.float32]:
    """Inner product of each of `first`, moved by `shift` to the right, and each of `second`: (n, m)."""
    width = first.shape[2]
    left, right = max(0, -shift), max(0, shift)
    overlap = width - abs(shift)
    here, there = first[:, :, left : left + overlap], second[:, :, right : right + overlap]
    return np.asarray(here.reshape(len(first), -1) @ there.reshape(len(second), -1).T)
