"""q-values, and the fraction of p-values that come from the null hypothesis, as the MEME suite estimates it."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

_N_LAMBDAS, _MAX_LAMBDA, _N_BOOTSTRAP, _MIN_P_VALUES = 100, 0.5, 1000, 100  # of MEME's estimate of pi_0


def q_values(p_values: ArrayLike) -> NDArray[np.float64]:
    r"""Return the smallest false discovery rate at which each p-value is significant.

    Parameters
    ----------
    p_values : array-like, shape (m,)
        Probabilities, in any order.

    Returns
    -------
    numpy.ndarray of float64, shape (m,)
        In the same order, in [0, 1], never decreasing with the p-value.

    Notes
    -----
    With :math:`\hat\pi_0` of `estimate_null_fraction` and p-values in ascending order,
    :math:`q_i = \min_{j \ge i} \min(1, \hat\pi_0\, m\, p_j / j)`.

    References
    ----------
    Storey (2002), J. R. Statist. Soc. B 64:479-498; qvalue.c of the MEME suite.
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    rates = np.minimum(1.0, estimate_null_fraction(p) * p.size * p[order] / np.arange(1, p.size + 1))
    q = np.empty_like(p)
    q[order] = np.minimum.accumulate(rates[::-1])[::-1]
    return q


def estimate_null_fraction(p_values: ArrayLike) -> float:
    r"""Estimate the fraction of p-values that come from the null hypothesis, as the MEME suite does.

    Parameters
    ----------
    p_values : array-like, shape (m,)
        Probabilities, in any order.

    Returns
    -------
    float
        :math:`\hat\pi_0` in (0, 1]; 1 for 100 p-values or fewer, which are too few to estimate it from.

    Notes
    -----
    With :math:`f(\lambda)` the fraction of p-values of at least :math:`\lambda`, the estimate at one
    :math:`\lambda` is :math:`\hat\pi_0(\lambda) = f(\lambda)/(1 - \lambda)`. Of :math:`\lambda` = 0.005, 0.010, ...,
    0.5, the one is taken whose estimate from bootstrap samples of 1,000 p-values has the smallest mean squared
    distance to :math:`\min_\lambda \hat\pi_0(\lambda)`. MEME averages over 100 random samples; here is the
    expectation itself (a count is binomial), so that the result is no matter of chance:

    .. math:: \frac{f (1 - f)}{1000 (1 - \lambda)^2} + (\hat\pi_0(\lambda) - \min_\lambda \hat\pi_0(\lambda))^2

    References
    ----------
    Storey (2002), J. R. Statist. Soc. B 64:479-498, section 9; qvalue.c of the MEME suite.
    """
    p = np.sort(np.asarray(p_values, dtype=np.float64))
    if p.size <= _MIN_P_VALUES:
        return 1.0
    lambdas = np.arange(1, _N_LAMBDAS + 1) / _N_LAMBDAS * _MAX_LAMBDA
    fractions = 1.0 - np.searchsorted(p, lambdas, side="left") / p.size
    lambdas, fractions = lambdas[fractions > 0], fractions[fractions > 0]
    if not fractions.size:
        return 1.0
    estimates = fractions / (1.0 - lambdas)
    variances = fractions * (1.0 - fractions) / (_N_BOOTSTRAP * (1.0 - lambdas) ** 2)
    best = int(np.argmin(variances + (estimates - estimates.min()) ** 2))
    return min(float(estimates[best]), 1.0)
