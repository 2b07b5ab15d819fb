"""The tables of a comparison: filters, patterns, models."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from rcinterp.interpretation import Interpretation
from rcinterp.interpretation.verdicts import LEAST_AUROC, NEGLIGIBLE_SHARE, NOT_ENRICHED, Verdict, judge_match
from rcinterp.motifs import Motif, information_content
from rcinterp.palindromes.triage import HYBRID
from rcinterp.stability.rates import exact_interval, missed_by_model, seen_again, seen_again_by_model

#: A pattern is called an artefact if artefact hybrids make at least this share of what its filters contribute.
MOSTLY = 0.5


def list_filters(name: str, found: Interpretation) -> pd.DataFrame:
    """One row a filter of a model: model, filter, contribution, n_sites, sites_in, sites_p, is_artefact, ppm, reason.

    Parameters
    ----------
    name : str
        Of the model.
    found : Interpretation

    Returns
    -------
    DataFrame
        The reason to leave a filter out is None for one that is compared; ``is_artefact`` says whether it is a hybrid.
    """
    table = found.table[["filter", "contribution", "n_sites", "sites_in", "sites_p"]].copy()
    table.insert(0, "model", name)
    kinds = found.table.get("verdict_kinds", pd.Series("", index=table.index))  # a table made by hand may have none
    table["is_artefact"] = [HYBRID in one.split("; ") for one in kinds]
    if found.performance["auroc"] < LEAST_AUROC:  # the sites speak for neither class
        table["sites_p"] = table["sites_p"].where(table["sites_p"].isna(), 1.0)
    table["ppm"] = table["filter"].map(found.ppms)
    silent = (found.table["mean_positive"] == 0) & (found.table["mean_negative"] == 0)
    largest = float(table["contribution"].abs().max())
    rows = table.assign(silent=silent).to_dict("records")
    table["reason"] = pd.Series([_reason(row, largest) for row in rows], index=table.index, dtype=object)
    return table


def _reason(row: Mapping[Any, Any], largest: float) -> str | None:
    """Why a filter is not compared; None if it is."""
    if row["silent"]:
        return "dead: contributes nothing on these sequences"
    if abs(row["contribution"]) < NEGLIGIBLE_SHARE * largest:
        return f"negligible contribution: {abs(row['contribution']) / largest:.1%} of the model's largest"
    if not pd.isna(row["n_sites"]) and row["n_sites"] == 0:
        return "no motif: no site contributes"
    return None if np.ptp(row["ppm"]) > 0 else "no motif: its letters are equally likely everywhere"


def sum_contributions(compared: pd.DataFrame, patterns: Sequence[Any], models: Sequence[str]) -> pd.DataFrame:
    """Sum of the filters of each pattern in each model, NaN where there is none: one row a pattern, one column a model.

    Parameters
    ----------
    compared : DataFrame
        One row a filter: model, pattern, contribution.
    patterns, models : sequence
        In the order of rows and columns; those without a filter too.
    """
    sums = compared.groupby(["pattern", "model"])["contribution"].sum().unstack("model")
    return (
        sums.reindex(index=pd.Index(patterns), columns=list(models))
        .astype(float)
        .rename_axis("pattern")
        .rename_axis(None, axis=1)
    )


def tabulate_patterns(
    compared: pd.DataFrame, consensus: Mapping[str, Motif], contributions: pd.DataFrame, matches: pd.DataFrame
) -> pd.DataFrame:
    """One row a pattern, as `ModelComparison.table`.

    Parameters
    ----------
    compared : DataFrame
        One row a filter: pattern, contribution, is_artefact.
    consensus : dict of str to Motif
        In the order of the rows.
    contributions : DataFrame
        As `sum_contributions` returns it.
    matches : DataFrame
        sites_p, refused, and the columns of each match, of each pattern, its index.
    """
    n_all, n_models = contributions.shape[1], contributions.notna().sum(axis=1)
    low, high = exact_interval(n_models, n_all)
    columns = {
        "n_models": n_models,
        "share": n_models / n_all,
        "share_low": low,
        "share_high": high,
        "seen_again": seen_again(n_models, n_all),
        "n_filters": compared["pattern"].value_counts().reindex(contributions.index),
        "contribution_mean": contributions.mean(axis=1),
        "contribution_lowest": contributions.min(axis=1),
        "contribution_highest": contributions.max(axis=1),
        "hybrid_share": _hybrid_share(compared).reindex(contributions.index),
        "n_sites": pd.Series({name: motif.n_sites for name, motif in consensus.items()}, dtype=float),
        "information": pd.Series({name: _bits(motif) for name, motif in consensus.items()}, dtype=float),
    }
    table = pd.DataFrame(columns, index=contributions.index).join(matches).reset_index()
    rows = table.to_dict("records")
    verdicts = [_judge(row) for row in rows]
    kinds = [
        f"{verdict.kind}; {HYBRID}" if row["hybrid_share"] >= MOSTLY else verdict.kind
        for row, verdict in zip(rows, verdicts, strict=True)
    ]
    said = [
        f"{_how_often(row['n_models'], n_all)}; {verdict}{_of_artefacts(row['hybrid_share'])}"
        for row, verdict in zip(rows, verdicts, strict=True)
    ]
    table["verdict_kinds"], table["verdict"] = pd.Series(kinds, dtype=object), pd.Series(said, dtype=object)
    return table


def _of_artefacts(share: float) -> str:
    if not share > 0:
        return ""
    return f"; artefacts (hybrids of both strands) make {share:.0%} of what its filters contribute"


def _hybrid_share(compared: pd.DataFrame) -> pd.Series:
    """Share of what the filters of each pattern contribute, signs aside, that is of artefact hybrids."""
    size = compared["contribution"].abs()
    totals = size.groupby(compared["pattern"]).sum()
    return size.where(compared["is_artefact"].astype(bool), 0.0).groupby(compared["pattern"]).sum() / totals


def _bits(motif: Motif) -> float:
    return float(information_content(motif.ppm).sum())


def _how_often(n_with: int, n_models: int) -> str:
    return "in every model" if n_with == n_models else f"in {n_with} of {n_models} models"


def _judge(row: Mapping[Any, Any]) -> Verdict:
    """Judge which motif a pattern is."""
    if row["refused"] == NOT_ENRICHED:
        return Verdict("not compared", reason=f"its sites may be chance (p = {row['sites_p']:.2g})")
    return judge_match(row)


def tabulate_models(
    found: Mapping[str, Interpretation], filters: pd.DataFrame, contributions: pd.DataFrame
) -> pd.DataFrame:
    """One row a model, as `ModelComparison.models`; those without a filter to compare too.

    Parameters
    ----------
    found : dict of str to Interpretation
    filters : DataFrame
        As `list_filters`, of all models.
    contributions : DataFrame
        As `sum_contributions` returns it.
    """
    models = list(found)
    columns = {
        "n_filters": filters["model"].value_counts().reindex(models),
        "n_compared": filters.loc[filters["reason"].isna(), "model"].value_counts().reindex(models, fill_value=0),
        "n_patterns": contributions.notna().sum(),
        "seen_again": seen_again_by_model(contributions),
        "missed": missed_by_model(contributions),
    }
    measures = {name: [one.performance[name] for one in found.values()] for name in ("auroc", "auprc")}
    return pd.DataFrame(columns, index=pd.Index(models, name="model")).assign(**measures).reset_index()
