"""The paper's test (section 3.8), and how values over seeds are put into words."""

import math
from collections.abc import Sequence

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


def heading(results: pd.DataFrame, what: str = "") -> str:
    """First line of a verdict: number of seeds, the test, and how small its p can get with so many seeds."""
    n = results["seed"].nunique()
    return (
        f"{n} seeds; {what}one-sided exact Wilcoxon rank-sum tests (section 3.8), whose smallest p is "
        f"{1 / math.comb(2 * n, n):.2g}"
    )


def spread(values: pd.Series, digits: int = 2) -> str:
    """Mean (lowest to highest)."""
    return f"{values.mean():.{digits}f} ({values.min():.{digits}f} to {values.max():.{digits}f})"


def claim(what: str, results: pd.DataFrame, column: str, high: str, low: str, digits: int = 2) -> str:
    """One line: both models' values, and whether they are higher in the model of which it is claimed.

    It is not known if a value is missing. Where every value of the one is above every value of the other, but too few
    for a p below 0.05, the line says so.
    """
    values = {model: results.loc[results["model"] == model, column] for model in (high, low)}
    p = p_greater(values[high], values[low])
    if np.isnan(p):
        holds = f"not known to be higher in {high}"
    elif p < SIGNIFICANT:
        holds = f"higher in {high}"
    elif values[high].min() > values[low].max():
        holds = f"higher in {high} in every seed, of which there are too few to be significant"
    else:
        holds = f"not significantly higher in {high}"
    both = ", ".join(f"{model} {spread(values[model], digits)}" for model in (high, low))
    return f"{what}: {both}: {holds}, p = {p:.3g}"


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
