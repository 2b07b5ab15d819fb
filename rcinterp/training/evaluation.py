"""Performance of logits on a test set, with intervals, and whether they are probabilities when squashed."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, logit, stdtrit

from rcinterp.errors import InputError, require_whole
from rcinterp.memory import require_memory

#: Bootstrap samples.
N_RESAMPLES = 1000
#: Groups of equally many sequences in which predicted and observed shares are compared.
N_GROUPS = 10
_FEWEST = 10
_WIDENING = 4.0  # of an interval, over the sequences of the smaller class, as in `rcinterp.reading.statistics`
#: How many sequences must be ranked wrongly for an interval, of measures that rest on them: sequences of the smaller
#: class times (1 - auROC). The Brier score asks for less, as all sequences have a part in it; if it asked for as much,
#: most samples with an interval would be those that are worse than others (`benchmarks/reliability.py`).
#: The error of calibration of a sample is larger than that of the model, the more so the fewer sequences there are:
#: no interval about it holds the model's.
_FEWEST_MISTAKES = {"auroc": 1.0, "auprc": 1.0, "calibration_error": np.inf, "brier": 0.3, "mean_probability": 0.3}
#: Or how many the probabilities themselves expect in either class, of the mean probability.
_FEWEST_EXPECTED = 0.5

Logits = NDArray[np.float64]


def measure_performance(
    positives: Logits, negatives: Logits, *, n_resamples: int = N_RESAMPLES, seed: int = 0
) -> pd.DataFrame:
    """How well logits tell positives from negatives, and how well they are calibrated, with 95 % bootstrap intervals.

    Parameters
    ----------
    positives, negatives : ndarray, shapes (N,) and (M,)
        Logits of either class.
    n_resamples : int
        Bootstrap samples, each class resampled by itself.
    seed : int
        Of the resamples.

    Returns
    -------
    DataFrame
        Columns value, low and high (NaN where the interval would not hold: Notes); rows

        - ``auroc``, ``auprc``: area under the ROC curve, average precision
        - ``brier``: mean squared difference of probability and label
        - ``calibration_error``: mean difference of predicted and observed share of positives in `N_GROUPS` groups of
          equally many sequences, by probability; it has no interval, as that of few sequences is too large
        - ``mean_probability``, and ``positive_share``, which it should be: a training that weighs the classes, as `fit`
          does, makes it larger

    Raises
    ------
    InputError
        If a class has fewer than ten sequences, as intervals of fewer do not hold, or a logit is not finite.

    Notes
    -----
    Either end is that of the percentile interval or, if it is further from the value, that of Student's t with the
    standard deviation of the resamples on the logit scale, by a factor of 1 + 4 / n wider for n sequences in the
    smaller class. Where n (1 - auROC) is below 1, hardly any sequence is ranked wrongly, and how many will be is not
    known: auroc and auprc have no interval then, and brier has none below 0.3. Nor has mean_probability, unless the
    probabilities themselves expect half a mistake in either class. calibration_error never has one.

    References
    ----------
    Efron & Tibshirani 1993, An Introduction to the Bootstrap, chapters 12 and 13.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> found = measure_performance(rng.normal(1, 1, 300), rng.normal(-1, 1, 300))
    >>> bool(found.loc["auroc", "low"] < found.loc["auroc", "value"] < found.loc["auroc", "high"])
    True
    """
    require_whole("n_resamples", n_resamples, 1)
    require_whole("seed", seed, 0)
    require_memory(f"evaluate: {n_resamples:,} resamples", 800 * n_resamples, "use fewer resamples")
    for name, logits in (("positives", positives), ("negatives", negatives)):
        if len(logits) < _FEWEST:
            raise InputError(f"{name}: got {len(logits)} sequences, expected at least {_FEWEST} for an interval.")
        if not np.isfinite(logits).all():
            n_bad = int((~np.isfinite(logits)).sum())
            raise InputError(
                f"{name}: a logit is not finite, in {n_bad} of {len(logits)} sequences, expected numbers; the model "
                "has diverged."
            )
    ranked = _Ranked(np.concatenate([positives, negatives]), len(positives))
    rng = np.random.default_rng(seed)
    resampled = pd.DataFrame([ranked.measure(ranked.draw(rng)) for _ in range(n_resamples)])
    measured = ranked.measure(np.ones(len(positives) + len(negatives)))
    table = pd.DataFrame({"value": measured}).rename_axis("measure")
    fewest = min(len(positives), len(negatives))
    low, high = _interval(table["value"], resampled, fewest)
    n_wrong = fewest * (1 - measured["auroc"])
    is_told = pd.Series({name: n_wrong >= _FEWEST_MISTAKES.get(name, 0) for name in table.index})
    is_told["mean_probability"] |= min(expit(-positives).sum(), expit(negatives).sum()) >= _FEWEST_EXPECTED
    return table.assign(low=low.where(is_told), high=high.where(is_told))


def _interval(value: pd.Series, resampled: pd.DataFrame, fewest: int) -> tuple[pd.Series, pd.Series]:
    """Both ends: quantiles of the resamples, or Student's t on the logit scale if that is further away."""
    least = 0.5 / fewest**2  # half of one pair of sequences: nothing is nearer to 0 or 1
    on_scale = logit(resampled.clip(least, 1 - least))
    middle = logit(value.clip(least, 1 - least))
    half = on_scale.std(ddof=0) * stdtrit(fewest - 1, 0.975) * (1 + _WIDENING / fewest)
    moves = on_scale.std(ddof=0) > 0  # what no resample changes, as positive_share, is known
    low, high = resampled.quantile(0.025), resampled.quantile(0.975)
    return (
        low.where(~moves, np.minimum(low, expit(middle - half))),
        high.where(~moves, np.maximum(high, expit(middle + half))),
    )


class _Ranked:
    """Logits in descending order, for measures in which each sequence counts as often as it was drawn.

    The same numbers as scikit-learn's with ``sample_weight``, which sorts anew for each of a thousand samples.
    """

    def __init__(self, logits: Logits, n_positives: int) -> None:
        order = np.argsort(-logits, kind="stable")
        self.y = (np.arange(len(logits)) < n_positives)[order].astype(float)
        self.probability = np.exp(-np.logaddexp(0, -logits[order]))
        self.ends = np.flatnonzero(np.append(np.diff(logits[order]) != 0, True))  # the last of equal logits
        self.groups = np.arange(len(logits)) * N_GROUPS // len(logits)

    def draw(self, rng: np.random.Generator) -> Logits:
        """How often each sequence is drawn, as many of a class as it has."""
        weights = np.empty(len(self.y))
        for label in (1.0, 0.0):
            rows = np.flatnonzero(self.y == label)
            weights[rows] = np.bincount(rng.integers(len(rows), size=len(rows)), minlength=len(rows))
        return weights

    def measure(self, weights: Logits) -> dict[str, float]:
        """The measures of one sample."""
        true, false = (np.append(0.0, np.cumsum(weights * of)[self.ends]) for of in (self.y, 1 - self.y))
        recall, fall_out = true / true[-1], false / false[-1]
        precision = true[1:] / np.maximum(true[1:] + false[1:], 1)
        errors = np.abs(np.bincount(self.groups, weights * (self.probability - self.y), minlength=N_GROUPS))
        return {
            "auroc": float((np.diff(fall_out) * (recall[1:] + recall[:-1]) / 2).sum()),
            "auprc": float((np.diff(recall) * precision).sum()),
            "brier": float(np.average((self.probability - self.y) ** 2, weights=weights)),
            "calibration_error": float(errors.sum() / weights.sum()),
            "mean_probability": float(np.average(self.probability, weights=weights)),
            "positive_share": float(np.average(self.y, weights=weights)),
        }
