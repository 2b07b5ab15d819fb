"""How often something returns: counts over models, and what they say of a further one."""

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaincinv


def exact_interval(
    n_with: ArrayLike, n_all: int, confidence: float = 0.95
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lower and upper end of Clopper and Pearson's interval of a share.

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
    The shares under which neither as few models nor as many would have it by chance in more than (1 - confidence) / 2
    of all draws: by the quantiles of beta distributions. It holds the truth at least as often as it says, however few
    the models are; Wilson's score interval, which is narrower, does so on average over shares alone (0.928 of draws
    for a share of 0.9 of ten models).

    References
    ----------
    Clopper & Pearson (1934), Biometrika 26:404-413.

    Examples
    --------
    >>> low, high = exact_interval([5, 1], 5)
    >>> low.round(2).tolist(), high.round(2).tolist()
    ([0.48, 0.01], [1.0, 0.72])
    """
    k, tail = np.asarray(n_with, dtype=np.float64), (1 - confidence) / 2
    with np.errstate(invalid="ignore"):  # the ends that are 0 or 1 are no quantiles
        low = np.where(k > 0, betaincinv(k, n_all - k + 1, tail), 0.0)
        high = np.where(k < n_all, betaincinv(k + 1, n_all - k, 1 - tail), 1.0)
    return low, high


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
