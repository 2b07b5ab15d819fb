"""Which filters are reverse-complement palindromes: how alike a filter is to its own reverse complement, and where."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rcinterp.errors import require_whole
from rcinterp.memory import require_memory
from rcinterp.motifs.centring import Filters, filters_by_name, is_dead, mean_center
from rcinterp.motifs.matrices import reverse_complement_motif

# What counts as a palindrome, by the similarity to the own RC: a filter by itself, a known motif, and a filter whose
# class triage asks for.
#: A filter that nothing explains is called a palindrome from this similarity to its own RC; 30 % of the ENCODE motifs
#: reach it.
PALINDROMIC_FILTER = 0.8
#: Similarity to its own RC from which a motif is a palindrome: SRF has 0.79; 33 % of the ENCODE motifs reach it.
PALINDROMIC_MOTIF = 0.75
#: Similarity to its own RC from which triage looks for a hybrid or a palindromic motif in a filter, which need not be
#: called a palindrome: 97 % of the hybrids reach it, whose weaker strand has 30 to 50 % and which are noisy.
SYMMETRIC = 0.45

#: Two similarities of a filter that differ by less are a tie: the same products, summed in another order.
_TIE = 1e-9


def find_palindromes(
    filters: Filters, *, min_overlap: int = 4, n_permutations: int = 1000, seed: int = 0
) -> pd.DataFrame:
    """Which filters are palindromes: similarity to their own reverse complement (RC), its p-value, axis of symmetry.

    Parameters
    ----------
    filters : ndarray or Tensor, shape (F, 4, W), or dict[str, ndarray or Tensor of shape (4, W)]
        Weights, or motifs of any widths by name, rows A, C, G, T. Each is mean-centred here (of a PPM, 1/4 is taken
        from every probability), so that what the four letters share at a position counts for nothing.
    min_overlap : int
        Fewest positions of the filter that must lie on its shifted RC, or all of a narrower filter. 4 bp by default,
        two half-sites of two letters.
    n_permutations : int
        Permutations of the filter's columns that make its null distribution; 1,000 by default.
    seed : int
        Of the permutations, at least 0. Filters of one width share their permutations, so that a filter's p-value
        depends on the seed and on nothing else in the table.

    Returns
    -------
    DataFrame, one row a filter in the order given
        - ``filter``: name, ``filter_0``, ``filter_1``, ... in a bank
        - ``rc_similarity``: in [-1, 1], 1 for an exact palindrome and for nothing else
        - ``rc_p``: in (0, 1]
        - ``rc_shift``: positions that the RC moves to the right to match the filter (negative: to the left)
        - ``rc_overlap``: positions of the filter that then lie on its RC, W - abs(shift)
        - ``rc_axis``: position of the symmetry axis, 0-based: whole on a base, half between two bases

        A dead filter (the same for all four letters at each position, or not finite) keeps its row, with NaN.

    Raises
    ------
    InputError
        `filters` is neither of the two kinds, or `min_overlap`, `n_permutations` or `seed` is out of range.

    Notes
    -----
    With f the centred filter and f[c, j] = 0 outside of it, the similarity at shift s is ::

        sim(s) = sum over c, j of f[c, j] * f[3-c, W-1+s-j]  /  sum over c, j of f[c, j]**2,

    the cosine of the zero-padded filter and its RC moved by s, and its Pearson correlation too, since f has mean
    zero. The largest over the allowed shifts is reported, the smallest abs(s) among equals, and the axis is
    (W - 1 + s) / 2. The denominator is that of the whole filter, so sim(s) is at most the share of its squared norm
    that lies in the overlap, and (1 + sim) / 2 is the share that is symmetric about the axis. Divided by the norm of
    the overlap alone, noise that overlaps by few positions would score like a palindrome: of random filters of width
    15, one in a hundred above 0.86 (here 0.51), and CTCF_known1 0.61 for six of its 19 positions. For the same reason
    `min_overlap` can be small, and a short palindrome off the centre is found: from 1 to half the width, it changes
    nothing in the figures of the 2,067 ENCODE motifs, CTCF_known1 0.51, SRF_known1 0.79, 30 % above 0.8.

    The p-value asks whether the order of the columns is palindromic, given the columns: they are permuted whole and
    the statistic is computed again, its maximum over the shifts included, p = (1 + number >= observed) / (1 + n).
    Random permutations that happen to be the identity, or that keep the same columns face to face (as reversing the
    filter does), tie with it and count against it: p is exact for a filter of exchangeable columns, and cannot be
    small for a filter of few positions or of equal columns.

    References
    ----------
    Shrikumar, Greenside & Kundaje 2017, section 2.2.2 and figure 5, where palindromic filters are an artefact of
    training without RC weights. Phipson & Smyth 2010, Stat. Appl. Genet. Mol. Biol. 9:39, for p.

    Examples
    --------
    >>> import numpy as np
    >>> gaattc = np.eye(4)[:, [2, 0, 0, 3, 3, 1]]  # EcoRI's site, with one position of no preference on its left
    >>> site = np.concatenate([np.full((4, 1), 0.25), gaattc], axis=1)
    >>> found = find_palindromes({"EcoRI": site})
    >>> found[["rc_similarity", "rc_shift", "rc_overlap", "rc_axis"]].values.tolist()
    [[1.0, 1, 6, 3.5]]
    """
    require_whole("min_overlap", min_overlap, 1, "find_palindromes")
    require_whole("n_permutations", n_permutations, 1, "find_palindromes")
    require_whole("seed", seed, 0, "find_palindromes")
    matrices = filters_by_name(filters, caller="find_palindromes")
    widths = {matrix.shape[1] for matrix in matrices.values()}
    facing = {width: _face_columns(width, min_overlap, n_permutations, seed) for width in widths}
    rows = [{"filter": name, **_find_palindrome(matrix, facing[matrix.shape[1]])} for name, matrix in matrices.items()]
    return pd.DataFrame(rows).astype(
        {"rc_similarity": float, "rc_p": float, "rc_shift": "Int64", "rc_overlap": "Int64"}
    )


@dataclass(frozen=True)
class _FacingColumns:
    """Which columns of a filter of one width face each other, at each shift and under each permutation.

    Attributes
    ----------
    shifts : (S,)
        From the smallest in absolute value to the largest.
    starts : (S,)
        Where the pairs of each shift start.
    pairs : (P, 1 + n)
        A pair of facing columns, under the identity and then under each permutation, as its index into the flattened
        (W, W) table of inner products of the filter's columns and its RC's, where column k is column W-1-k.
    counts : (P, 1)
        How often the equation counts a pair: a column on the axis faces itself once, two columns each other twice.
    """

    shifts: NDArray[np.intp]
    starts: NDArray[np.intp]
    pairs: NDArray[np.intp]
    counts: NDArray[np.float64]


def _face_columns(width: int, min_overlap: int, n_permutations: int, seed: int) -> _FacingColumns:
    farthest = width - min(min_overlap, width)
    shifts = sorted(range(-farthest, farthest + 1), key=abs)
    faces = [[(j, width - 1 + s - j) for j in range(max(0, s), (width + 1 + s) // 2)] for s in shifts]
    n_pairs = sum(map(len, faces))
    require_memory(
        f"find_palindromes: {n_permutations:,} permutations of {width} columns",
        24 * n_pairs * n_permutations,
        "use fewer permutations",
    )
    left, right = np.array([pair for pairs in faces for pair in pairs]).T
    order = np.tile(np.arange(width), (1 + n_permutations, 1))
    order[1:] = np.random.default_rng((seed, width)).permuted(order[1:], axis=1)
    return _FacingColumns(
        shifts=np.array(shifts),
        starts=np.cumsum([0] + [len(pairs) for pairs in faces[:-1]]),
        pairs=np.ascontiguousarray((order[:, left] * width + width - 1 - order[:, right]).T),
        counts=np.where(left == right, 1.0, 2.0)[:, None],
    )


def _find_palindrome(matrix: NDArray[np.float64], facing: _FacingColumns) -> dict[str, Any]:
    if is_dead(matrix):
        return {"rc_similarity": np.nan, "rc_p": np.nan, "rc_shift": None, "rc_overlap": None, "rc_axis": np.nan}
    centred = mean_center(matrix).weight
    scores = centred.T @ reverse_complement_motif(centred) / np.sum(centred**2)
    similarity = np.add.reduceat(scores.ravel()[facing.pairs] * facing.counts, facing.starts)  # (S, 1 + n)
    best = similarity.max(axis=0)
    shift = int(facing.shifts[np.argmax(similarity[:, 0] >= best[0] - _TIE)])
    width = matrix.shape[1]
    return {
        "rc_similarity": float(np.clip(best[0], -1, 1)),
        "rc_p": np.mean(best >= best[0] - _TIE),  # the observed order is the first: the 1 + of the equation
        "rc_shift": shift,
        "rc_overlap": width - abs(shift),
        "rc_axis": (width - 1 + shift) / 2,
    }
