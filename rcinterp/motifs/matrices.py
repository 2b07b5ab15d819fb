"""Position probability matrices (PPMs): their checks, information content, consensus and reverse complement."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rcinterp.errors import InputError

#: How far the sum of a column may lie from 1: what rounding four probabilities to two decimals can cost.
SUM_TOLERANCE = 0.02
#: Columns whose sum is closer than this to 1 are left as they are, as in MEME, so that its ties are broken alike.
ROUNDING_TOLERANCE = 1e-5

_LETTERS = np.array(list("ACGT"))


@dataclass(frozen=True, eq=False)
class Motif:
    """A PPM and the number of binding sites that it was estimated from.

    Attributes
    ----------
    ppm : numpy.ndarray of float64, shape (4, W)
        Probabilities, rows A, C, G, T; every column sums to 1 within 1e-5.
    n_sites : float or None
        Number of sites; None where the source does not say.
    other_name : str
        What else its source calls it, e.g. the factor (JASPAR, MEME) or a description (ENCODE); empty if nothing.

    Raises
    ------
    InputError
        If the number of sites is negative or not finite.
    """

    ppm: NDArray[np.float64]
    n_sites: float | None = None
    other_name: str = ""

    def __post_init__(self) -> None:
        if self.n_sites is not None and not 0 <= self.n_sites < float("inf"):
            raise InputError(f"Motif: got n_sites {self.n_sites}, expected a number that is not negative, or None.")


def check_name(name: object) -> str:
    """Return a motif's name.

    Parameters
    ----------
    name : object
        What was given as the name.

    Returns
    -------
    str
        The same.

    Raises
    ------
    InputError
        If it is not a str: two names must not become one by conversion.
    """
    if not isinstance(name, str):
        raise InputError(f"motifs: got the name {name!r} ({type(name).__name__}), expected a str. Use str(name).")
    return name


def as_matrix(matrix: ArrayLike, name: str) -> NDArray[np.float64]:
    """Return a float64 copy of a (4, W) matrix of any values.

    Parameters
    ----------
    matrix : array-like, shape (4, W)
        Rows A, C, G, T; W of at least 1.
    name : str
        What to call it in an error.

    Returns
    -------
    numpy.ndarray of float64, shape (4, W)
        A new array.

    Raises
    ------
    InputError
        If it is not numeric or not of that shape.
    """
    try:
        if np.ma.is_masked(matrix):
            raise TypeError("values are masked")
        array = np.asarray(matrix)
        if np.iscomplexobj(array):
            raise TypeError("its numbers are complex")
        array = array.astype(np.float64)
    except (TypeError, ValueError, RuntimeError) as error:  # RuntimeError: a tensor that requires grad
        raise InputError(f"motif {name}: got something that is not a matrix of numbers ({error}).") from error
    if array.ndim != 2 or array.shape[0] != 4 or array.shape[1] == 0:
        hint = " Transpose it: motif.T." if array.ndim == 2 and array.shape[1] == 4 else ""
        raise InputError(f"motif {name}: got shape {array.shape}, expected (4, W) with rows A, C, G, T.{hint}")
    return array


def as_ppm(matrix: ArrayLike, name: str = "given") -> NDArray[np.float64]:
    """Return a checked float64 copy of a PPM.

    Parameters
    ----------
    matrix : array-like, shape (4, W)
        Probabilities, rows A, C, G, T.
    name : str, default "given"
        What to call it in an error.

    Returns
    -------
    numpy.ndarray of float64, shape (4, W)
        A new array. Columns that sum to 1 within 1e-5 are as given, others are divided by their sums.

    Raises
    ------
    InputError
        If the shape is wrong, a value is negative or not finite, or a column sums to something further than
        `SUM_TOLERANCE` from 1.
    """
    array = as_matrix(matrix, name)
    if not np.isfinite(array).all():
        raise InputError(f"motif {name}: got NaN or infinite values, expected probabilities.")
    if array.min() < 0:
        raise InputError(
            f"motif {name}: got negative values (down to {array.min():g}), expected probabilities. Weights and "
            "log-odds (PWM) are not a PPM: make one from the sequences that the filter matches."
        )
    with np.errstate(over="ignore"):  # an infinite sum is refused
        sums = array.sum(axis=0)
    bad = np.flatnonzero(np.abs(sums - 1) > SUM_TOLERANCE + 1e-9)
    if bad.size:
        raise InputError(
            f"motif {name}: the probabilities of position {bad[0]} (0-based) sum to {sums[bad[0]]:g}, expected 1. "
            "Turn counts (PFM) into probabilities: counts / counts.sum(axis=0)."
        )
    divisors: NDArray[np.float64] = np.where(np.abs(sums - 1) > ROUNDING_TOLERANCE, sums, 1.0)
    return array / divisors


def information_content(ppm: ArrayLike, background: ArrayLike | None = None) -> NDArray[np.float64]:
    r"""Return the information content of every position.

    Parameters
    ----------
    ppm : array-like, shape (4, W)
        Probabilities, rows A, C, G, T.
    background : array-like, shape (4,), optional
        Probabilities of A, C, G, T outside the motif; uniform by default.

    Returns
    -------
    numpy.ndarray of float64, shape (W,)
        Bits; 0 where a position equals the background, 2 for one certain letter against a uniform background.

    Raises
    ------
    InputError
        If `ppm` is not a PPM, or `background` is not four positive probabilities.

    Notes
    -----
    The relative entropy, with 0 log 0 = 0 and no small-sample correction:

    .. math:: IC_i = \sum_b p_{bi} \log_2 (p_{bi} / q_b)

    References
    ----------
    Schneider, Stephens, Gold & Ehrenfeucht (1986), J. Mol. Biol. 188:415-431.
    """
    probabilities = as_ppm(ppm)
    ratio = probabilities / as_background(background)[:, None]
    logs = np.log2(ratio, out=np.zeros_like(ratio), where=ratio > 0)
    bits: NDArray[np.float64] = (probabilities * logs).sum(axis=0)
    return bits


def as_background(background: ArrayLike | None) -> NDArray[np.float64]:
    """Return background probabilities of A, C, G, T that sum to 1; uniform for None.

    Parameters
    ----------
    background : array-like, shape (4,), or None
        Positive probabilities.

    Returns
    -------
    numpy.ndarray of float64, shape (4,)
        A new array.

    Raises
    ------
    InputError
        If they are not four positive numbers that sum to 1 (within `SUM_TOLERANCE`).
    """
    if background is None:
        return np.full(4, 0.25)
    try:
        array = np.array(background, dtype=np.float64)
    except (TypeError, ValueError):
        array = np.empty(0)
    if array.shape != (4,) or not (array > 0).all() or not abs(array.sum() - 1) <= SUM_TOLERANCE + 1e-9:
        raise InputError(
            f"background: got {background!r}, expected four positive probabilities of A, C, G, T that sum to 1, "
            "e.g. (0.3, 0.2, 0.2, 0.3)."
        )
    probabilities: NDArray[np.float64] = array / array.sum()
    return probabilities


def consensus(ppm: ArrayLike) -> str:
    """Return the most probable letter of every position, by MEME Tomtom's rule.

    Parameters
    ----------
    ppm : array-like, shape (4, W)
        Probabilities, rows A, C, G, T.

    Returns
    -------
    str
        W letters of A, C, G, T.

    Raises
    ------
    InputError
        If `ppm` is not a PPM.

    Notes
    -----
    Tomtom goes through A, C, G, T and keeps the best probability so far in single precision, while the candidates
    are in double precision. So the first of two equal letters wins unless its probability was rounded *down*, when
    the later one is larger by that rounding error and wins. Tomtom applies this to PPMs that hold its pseudocount.
    """
    probabilities = as_ppm(ppm)
    letter = np.zeros(probabilities.shape[1], dtype=np.intp)
    best = probabilities[0].astype(np.float32)
    for index in range(1, 4):
        better = probabilities[index] > best.astype(np.float64)
        letter[better] = index
        best[better] = probabilities[index, better]
    return "".join(_LETTERS[letter])


def reverse_complement_motif(matrix: ArrayLike) -> NDArray[np.float64]:
    """Return the motif as read on the other strand: positions and letters in opposite order.

    Parameters
    ----------
    matrix : array-like, shape (4, W)
        Rows A, C, G, T: probabilities, counts, log-odds or weights.

    Returns
    -------
    numpy.ndarray of float64, shape (4, W)
        A new array.

    Raises
    ------
    InputError
        If it is not a (4, W) matrix.
    """
    return np.ascontiguousarray(as_matrix(matrix, "given")[::-1, ::-1])
