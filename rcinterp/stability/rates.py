"""How often something returns: counts over models, and what they say of a further one."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri


def wilson_interval(
    n_with: ArrayLike, n_all: int, confidence: float = 0.95
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lower and upper end of Wilson's score interval of a share.

    Parameters
    ----------
    n_with : int or array of int
        Models that have it, 0 to `n_all`.
    n_all : int
        Models, at least 1.
    confidence : float
        0.95 by default.

    Returns
    -------
    low, high : ndarray of float64
        Of the shape of `n_with`, in [0, 1].

    Notes
    -----
    With p = n_with / n, z the normal quantile of (1 + confidence) / 2::

        (p + z² / 2n  ±  z sqrt(p (1 - p) / n + z² / 4n²)) / (1 + z² / n)

    Unlike p ± z sqrt(p (1 - p) / n) it has a width where p is 0 or 1, as it is for few models.

    References
    ----------
    Wilson (1927), J. Am. Stat. Assoc. 22:209-212. Agresti & Coull (1998), Am. Stat. 52:119-126.

    Examples
    --------
    >>> low, high = wilson_interval([5, 1], 5)
    >>> low.round(2).tolist(), high.round(2).tolist()
    ([0.57, 0.04], [1.0, 0.62])
    """
    share, z = np.asarray(n_with) / n_all, float(ndtri((1 + confidence) / 2))
    middle = share + z**2 / (2 * n_all)
    half = z * np.sqrt(share * (1 - share) / n_all + z**2 / (4 * n_all**2))
    scale = 1 + z**2 / n_all
    return np.clip((middle - half) / scale, 0, 1), np.clip((middle + half) / scale, 0, 1)


def seen_again(n_with: ArrayLike, n_all: int) -> NDArray[np.float64]:
    """Share of the other models that have it, for one that has it: leave-one-out, (n_with - 1) / (n_all - 1).

    A pattern is in the list because some model showed it, so the share n_with / n_all is too high for what is rare: a
    pattern of one model of five has a share of 0.2, and no other model has shown it. This one is not, and it is NaN
    for a single model.
    """
    return (np.asarray(n_with) - 1) / (n_all - 1) if n_all > 1 else np.full(np.shape(n_with), np.nan)


def seen_again_by_model(contributions: pd.DataFrame) -> pd.Series:
    """Share of each model's contribution that lies in patterns which another of the models shows too.

    Parameters
    ----------
    contributions : DataFrame, one row a pattern, one column a model
        Contributions, NaN where the model does not show the pattern.

    Returns
    -------
    Series
        One value a model, in [0, 1]: the mean of `seen_again` over its patterns, weighted by their absolute
        contributions; NaN for a model without patterns, or a single model.
    """
    again = seen_again(contributions.notna().sum(axis=1).to_numpy(), contributions.shape[1])
    weights = contributions.abs().fillna(0.0)
    totals = weights.sum()
    return weights.mul(again, axis=0).sum(skipna=False).div(totals.where(totals > 0)).rename("seen_again")


def missed_by_model(contributions: pd.DataFrame) -> pd.Series:
    """Number of patterns that another of the models shows and this one does not, the mean over the others.

    Parameters
    ----------
    contributions : DataFrame, one row a pattern, one column a model
        NaN where the model does not show the pattern.

    Returns
    -------
    Series
        One value a model; NaN for a single model.
    """
    lacks = contributions.isna()
    n_others = contributions.shape[1] - 1
    others = lacks.mul((~lacks).sum(axis=1), axis=0).sum()
    return (others / n_others if n_others else others * np.nan).rename("missed")


def expected_new(n_with: ArrayLike, n_all: int) -> float:
    """Number of patterns that a further model is expected to show and none of these does.

    Notes
    -----
    The mean over models of the number of patterns that only that model has: what each would have added to all others.
    It is the estimate of Good and Turing, slightly too high for n + 1 models, as it is made from n - 1 of them.

    References
    ----------
    Good (1953), Biometrika 40:237-264.

    Examples
    --------
    >>> expected_new([5, 4, 1, 1], 5)
    0.4
    """
    return float(np.sum(np.asarray(n_with) == 1) / n_all)
