"""The paper's test (section 3.8), and how values over seeds are put into words."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.stats import mannwhitneyu, rankdata

#: The level at which a difference is called one.
SIGNIFICANT = 0.05


def p_greater(high: pd.Series, low: pd.Series) -> float:
    """P-value of the one-sided exact Wilcoxon rank-sum test that `high` tends to be larger than `low`.

    Equal values share their mean rank, and the null distribution is that of those ranks; scipy's takes them for
    different ones.
    """
    values = pd.concat([high, low], ignore_index=True)
    if values.is_unique or values.hasnans:
        return float(mannwhitneyu(high, low, alternative="greater", method="exact").pvalue)
    ranks = np.rint(2 * rankdata(values)).astype(int)  # twice the mean ranks: whole numbers
    ways = np.zeros((len(high) + 1, ranks.sum() + 1))  # of choosing so many values with that sum of ranks
    ways[0, 0] = 1
    for rank in ranks:
        ways[1:, rank:] += ways[:-1, :-rank]
    return float(ways[-1, ranks[: len(high)].sum() :].sum() / ways[-1].sum())


def correct(p_values: Sequence[float]) -> list[float]:
    """P-values corrected for their number by Holm's method: below 0.05, that any of them is false has at most 0.05.

    A missing one stays missing, and counts for nothing.

    References
    ----------
    Holm 1979, Scand. J. Statist. 6:65.
    """
    given = np.asarray(p_values, dtype=float)
    order = np.argsort(given, kind="stable")[: np.isfinite(given).sum()]  # what is missing is sorted to the end
    corrected = np.full(len(given), np.nan)
    corrected[order] = np.minimum(1, np.maximum.accumulate(given[order] * np.arange(len(order), 0, -1)))
    return corrected.tolist()


def heading(results: pd.DataFrame, what: str = "") -> str:
    """First line of a verdict: number of seeds, the test, and how small its p can get with so many seeds."""
    n = results["seed"].nunique()
    return (
        f"{n} seeds; {what}one-sided exact Wilcoxon rank-sum tests (section 3.8), judged after Holm's correction for "
        f"the number of tests below, whose smallest p is {1 / math.comb(2 * n, n):.2g}"
    )


def spread(values: pd.Series, digits: int = 2) -> str:
    """Mean (lowest to highest)."""
    return f"{values.mean():.{digits}f} ({values.min():.{digits}f} to {values.max():.{digits}f})"


@dataclass(frozen=True, eq=False)
class Claim:
    """That a measure is higher in one model than in another, and the test of it.

    Attributes
    ----------
    what : str
        Of what.
    high, low : str
        The models.
    values : tuple of Series
        Of either.
    digits : int
        That values are told to.
    """

    what: str
    high: str
    low: str
    values: tuple[pd.Series, pd.Series]
    digits: int = 2

    @property
    def p(self) -> float:
        """P-value of this claim alone."""
        return p_greater(*self.values)

    def holds(self, corrected: float) -> str:
        """Whether it does, by its corrected p-value.

        It is not known if a value is missing. Where every value of the one is above every value of the other, but too
        few for a p below 0.05, it is said.
        """
        high, low = self.values
        if np.isnan(corrected):
            return f"not known to be higher in {self.high}"
        if corrected < SIGNIFICANT:
            return f"higher in {self.high}"
        if high.min() > low.max():
            return f"higher in {self.high} in every seed, of which there are too few to be significant"
        return f"not significantly higher in {self.high}"

    def in_words(self, corrected: float) -> str:
        """One line: both models' values, whether it holds, and both p-values."""
        models = zip((self.high, self.low), self.values, strict=True)
        both = ", ".join(f"{model} {spread(values, self.digits)}" for model, values in models)
        return f"{self.what}: {both}: {self.holds(corrected)}, p = {self.p:.3g}, corrected {corrected:.3g}"


def claim(what: str, results: pd.DataFrame, column: str, high: str, low: str, digits: int = 2) -> Claim:
    """Claim that the values of a column are higher in one model than in another."""
    first, second = (results.loc[results["model"] == model, column] for model in (high, low))
    return Claim(what, high, low, (first, second), digits)


def in_words(lines: Sequence[str | Claim]) -> str:
    """Put a verdict in words, each claim by its p-value corrected for all of them."""
    corrected = iter(correct([line.p for line in lines if isinstance(line, Claim)]))
    return "\n".join(line.in_words(next(corrected)) if isinstance(line, Claim) else line for line in lines)


def tabulate_claims(lines: Sequence[str | Claim]) -> pd.DataFrame:
    """One row a claim of a verdict: what is higher in which model than in which, p alone and corrected for all."""
    claims = [line for line in lines if isinstance(line, Claim)]
    p_values = [one.p for one in claims]
    return pd.DataFrame(
        {
            "claim": [one.what for one in claims],
            "higher_in": [one.high for one in claims],
            "than_in": [one.low for one in claims],
            "p": p_values,
            "corrected_p": correct(p_values),
        }
    )


def summarise(results: pd.DataFrame, by: Sequence[str], columns: Sequence[str]) -> pd.DataFrame:
    """Mean, lowest and highest of each column over seeds, one row a group, in the order in which groups first stand."""
    groups = results.groupby(list(by), sort=False)
    parts = {"n_seeds": groups.size()}
    for column in columns:
        for name, value in (
            ("mean", groups[column].mean()),
            ("min", groups[column].min()),
            ("max", groups[column].max()),
        ):
            parts[f"{column}_{name}"] = value
    return pd.DataFrame(parts).reset_index()
