"""Simulated ground truth: whether contributions rank the right filters first, and whether filters are named rightly."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from rcinterp.comparison import UninformativeMotifWarning, compare_motifs
from rcinterp.data.datasets import Dataset
from rcinterp.interpretation.naming import name_motifs
from rcinterp.interpretation.verdicts import MATCH_Q_VALUE, MIN_SITES, SHUFFLED_P_VALUE, SITES_P_VALUE
from rcinterp.motifs import Motif, load_motifs_with_sites
from rcinterp.motifs.similarity import compare_matrices
from rcinterp.reading.filter_motifs import motif_of_sites
from rcinterp.reading.functions import filter_contributions
from rcinterp.reading.layer import FilterLayer, find_layer
from rcinterp.reading.reader import Reader
from rcinterp.reading.sites import SITE_THRESHOLD
from rcinterp.studies import recovery
from rcinterp.studies._data import Simulated
from rcinterp.studies._drawing import COLOURS, new_figure
from rcinterp.studies._runs import Run
from rcinterp.studies._statistics import spread, summarise
from rcinterp.studies._study import Findings, Options, Study, tabulate
from rcinterp.training.models import CompactModel

#: Architectures of the study "recovery" that are looked at.
MODELS = ("RC", "traditional, augmented")
#: Sequences of either class that each task's contributions are taken from.
N_SCORED = 300
#: Ways to rank filters, and what each needs.
RANKINGS = {
    "contribution": "gradient x activation, positives minus negatives",
    "mean_positive": "gradient x activation, positives alone",
    "match_score": "largest match score on the positives, of all filters' norm 1",
    "norm": "norm of the centred weights",
}
#: Of the filters whose best sites lie on the task's motif; "precision_any" of those that lie on any embedded motif,
#: ranked by absolute value, since a filter of another motif tells that a sequence is a negative.
MEASURES = ("precision_at_1", "precision_at_k", "average_precision", "precision_any")
#: Limits to the p-value of a filter's sites at which the naming is tabulated.
SITES_P_VALUES = (1.0, 0.1, 0.01, SITES_P_VALUE, 1e-6, 1e-12)
#: Similarity from which two catalogue entries are the same motif.
SAME_MOTIF = 0.75


def make_runs(options: Options) -> list[Run]:
    """The runs of the study "recovery", of two of its architectures."""
    return [run for run in recovery.make_runs(options) if run.label in MODELS]


def read(model: CompactModel, run: Run, folder: Path) -> dict[str, Any]:
    """Of each task and ranking how well it finds filters, in "rankings"; of each filter its name, in "names"."""
    assert isinstance(run.data, Simulated)
    truth = {row["filter"]: row for row in recovery.read(model, run, folder)["filters"]}
    test = run.data.load().test
    assert test is not None
    motifs = list(run.data.motifs)
    layer = find_layer(model)
    rankings, contributions = [], []
    for task, motif in enumerate(motifs):
        positives, negatives = test.positives(task)[:N_SCORED], test.negatives(task)[:N_SCORED]
        table = filter_contributions(model, positives, negatives, target=task, n_resamples=100)
        contributions.append(table["contribution"].to_numpy())
        on_motif = [truth[name]["site_motif"] for name in table["filter"]]
        right = np.array([own == motif for own in on_motif])
        on_any = np.array([own is not None for own in on_motif])
        if right.any():
            for name, values in _rankings(layer, table, positives).items():
                found = {**rank_well(values, right), "precision_any": precision(np.abs(values), on_any)}
                rankings.append({"motif": motif, "ranking": name, **found})
    own = np.argmax(contributions, axis=0)
    return {"rankings": rankings, "names": _names(model, test, motifs, own, truth), **_mean(rankings)}


def _rankings(layer: FilterLayer, table: pd.DataFrame, positives: torch.Tensor) -> dict[str, NDArray[np.float64]]:
    weight = layer.weight.double()
    centred = weight - weight.mean(1, keepdim=True)
    norm = centred.flatten(1).norm(dim=1).clamp_min(1e-12)
    with torch.no_grad():
        matched = torch.nn.functional.conv1d(positives.double(), centred / norm[:, None, None]).amax((0, 2))
    return {
        "contribution": table["contribution"].to_numpy(),
        "mean_positive": table["mean_positive"].to_numpy(),
        "match_score": matched.numpy(),
        "norm": norm.numpy(),
    }


def precision(values: NDArray[np.float64], right: NDArray[np.bool_], k: int | None = None) -> float:
    """Share of right filters among the k of the largest values; k is the number of right ones when not given."""
    order = np.argsort(-values, kind="stable")
    return float(right[order[: k or int(right.sum())]].mean())


def rank_well(values: NDArray[np.float64], right: NDArray[np.bool_]) -> dict[str, float]:
    """Precision at 1, at as many as there are right filters, and average precision; and what chance would give."""
    return {
        "precision_at_1": precision(values, right, 1),
        "precision_at_k": precision(values, right),
        "average_precision": float(average_precision_score(right, values)),
        "chance": float(right.mean()),
    }


def _mean(rankings: list[dict[str, Any]]) -> dict[str, float]:
    """The contribution's own measures, over the motifs that some filter found."""
    own = [row for row in rankings if row["ranking"] == "contribution"]
    return {measure: float(np.mean([row[measure] for row in own])) if own else float("nan") for measure in MEASURES}


def _names(
    model: CompactModel,
    test: Dataset,
    motifs: Sequence[str],
    own: NDArray[np.intp],
    truth: Mapping[str, dict[str, Any]],
) -> list[dict[str, Any]]:
    """The p-value of each filter's sites in its own task, and what it would be named without any limit to that."""
    known = load_motifs_with_sites("encode")
    layer = find_layer(model)
    found: dict[str, Motif] = {}
    sites_p: dict[str, float] = {}
    for task in sorted(set(own.tolist())):
        positives, negatives = test.positives(task)[:N_SCORED], test.negatives(task)[:N_SCORED]
        reading = Reader(model, target=task).read_classes(positives, negatives, measure_faithfulness=False)
        for f in np.flatnonzero(own == task):
            sites = reading.sites.of_filter(int(f), SITE_THRESHOLD)
            found[layer.filter_names[f]] = motif_of_sites(sites.letters)
            sites_p[layer.filter_names[f]] = sites.p
    asked = {name: motif for name, motif in found.items() if motif.n_sites}
    if not asked:
        return []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UninformativeMotifWarning)  # it has no name
        names = name_motifs(compare_motifs(asked, known), asked, known)
    return [
        {
            "filter": name,
            "live": truth[name]["live"],
            "site_motif": (motif := truth[name]["site_motif"]),
            "task": motifs[own[layer.filter_names.index(name)]],
            "n_sites": asked[name].n_sites,
            "sites_p": sites_p[name],
            "named": (named := names["best_match"].get(name)),
            "match_q": _number(names["match_q"].get(name)),
            "match_shuffled_p": _number(names["match_shuffled_p"].get(name)),
            "is_right": named is not None
            and motif is not None
            and compare_matrices(known[named].ppm, known[motif].ppm).value >= SAME_MOTIF,
        }
        for name in asked
    ]


def _number(value: float | None) -> float | None:
    """A number, or None for what is missing; JSON knows no NaN."""
    return None if value is None or np.isnan(value) else float(value)


def report(runs: Sequence[Run], results: Sequence[dict[str, Any]]) -> Findings:
    """Rankings by data and architecture, and names by the p-value that is asked for."""

    def rows(key: str) -> pd.DataFrame:
        return pd.DataFrame(
            [
                {"model": run.label, "data": run.data.label, "seed": run.seed, **row}
                for run, result in zip(runs, results, strict=True)
                for row in result[key]
            ]
        )

    measures = [*MEASURES, "chance"]
    by_seed = rows("rankings").groupby(["data", "model", "ranking", "seed"], sort=False)[measures].mean().reset_index()
    summary = summarise(by_seed, ["data", "model", "ranking"], measures)
    names = rows("names")
    naming = tabulate_names(names)
    tables = {"results": tabulate(runs, results), "rankings": summary, "naming": naming, "names": names}
    return Findings(tables, judge(by_seed, naming), draw(by_seed, naming))


def tabulate_names(names: pd.DataFrame) -> pd.DataFrame:
    """How many filters get a name, rightly and not, at each limit to the p-value of their sites."""
    kinds = {
        "on_a_motif": names["live"] & names["site_motif"].notna(),
        "live_on_none": names["live"] & names["site_motif"].isna(),
        "not_live_on_none": ~names["live"] & names["site_motif"].isna(),
    }
    rows = []
    would_be = (names["match_q"] <= MATCH_Q_VALUE) & (names["match_shuffled_p"] <= SHUFFLED_P_VALUE)
    for limit in SITES_P_VALUES:
        named = would_be & (names["sites_p"] <= limit) & (names["n_sites"] >= MIN_SITES)
        row: dict[str, float] = {"sites_p": limit}
        for kind, own in kinds.items():
            row |= {kind: int(own.sum()), f"{kind}_named": int((own & named).sum())}
        rows.append(row | {"on_a_motif_named_rightly": int((kinds["on_a_motif"] & named & names["is_right"]).sum())})
    return pd.DataFrame(rows)


def judge(by_seed: pd.DataFrame, naming: pd.DataFrame) -> str:
    """Precision of each ranking, and the names at the limit that `interpret` takes."""
    lines = [f"{by_seed['seed'].nunique()} seeds; mean (lowest to highest)"]
    for (data, model), rows in by_seed.groupby(["data", "model"], sort=False):
        for name, meaning in RANKINGS.items():
            own = rows[rows["ranking"] == name]
            lines.append(
                f"{data}, {model}: {meaning}: filters of the task's motif, precision at 1 "
                f"{spread(own['precision_at_1'])}, at k {spread(own['precision_at_k'])}; of any motif, at k "
                f"{spread(own['precision_any'])}"
            )
    row = naming[naming["sites_p"] == SITES_P_VALUE].iloc[0].astype(int)
    lines.append(
        f"named, sites of p <= {SITES_P_VALUE:g}: of {row['on_a_motif']} live filters whose sites lie on a motif "
        f"{row['on_a_motif_named']}, {row['on_a_motif_named_rightly']} of them rightly; of {row['live_on_none']} live "
        f"ones on none {row['live_on_none_named']}; of {row['not_live_on_none']} others on none "
        f"{row['not_live_on_none_named']}"
    )
    return "\n".join(lines)


def draw(by_seed: pd.DataFrame, naming: pd.DataFrame) -> Figure:
    """Precision at k of each ranking, and names against the limit."""
    groups = list(by_seed.groupby(["data", "model"], sort=False))
    figure, axes = new_figure(1, len(groups) + 1, width=2.6 * (len(groups) + 1), height=2.8)
    for ax, ((data, model), rows) in zip(axes, groups, strict=False):
        for i, name in enumerate(RANKINGS):
            values = rows.loc[rows["ranking"] == name, "precision_at_k"]
            ax.bar(i, values.mean(), color=COLOURS[i], alpha=0.7)
            ax.plot([i] * len(values), values, ".", color="black", alpha=0.4, markersize=3)
        ax.set_xticks(range(len(RANKINGS)), [name.replace("_", "\n") for name in RANKINGS], fontsize=6)
        ax.set_ylim(0, 1.02)
        ax.set_title(f"precision at k\n{data}, {model}", fontsize=7)
    ax = axes[-1]
    for i, (column, label) in enumerate(
        (
            ("on_a_motif", "live, on a motif"),
            ("live_on_none", "live, on none"),
            ("not_live_on_none", "not live, on none"),
        )
    ):
        share = naming[f"{column}_named"] / naming[column].clip(lower=1)
        ax.plot(-np.log10(naming["sites_p"]), share, "o-", color=COLOURS[i], label=label, markersize=3)
    ax.axvline(-np.log10(SITES_P_VALUE), color="#999999", linewidth=0.8)
    ax.set_xlabel("-log10 p of the sites, asked for")
    ax.set_title("share of filters that are named", fontsize=7)
    ax.legend(fontsize=6)
    return figure


STUDY = Study("contributions", make_runs, report, read)
