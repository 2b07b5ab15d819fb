"""Ground truth: which filters found an embedded motif, which motifs were found, and which filters are artefacts."""

import warnings
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from rcinterp.comparison import UninformativeMotifWarning, compare_motifs
from rcinterp.data.datasets import Dataset
from rcinterp.motifs import Motif, load_motifs, load_motifs_with_sites
from rcinterp.motifs.centring import is_dead, mean_center
from rcinterp.motifs.similarity import compare_matrices
from rcinterp.palindromes.finding import PALINDROMIC_FILTER, PALINDROMIC_MOTIF, find_palindromes
from rcinterp.reading.filter_motifs import sites_to_ppms
from rcinterp.reading.functions import filter_contributions
from rcinterp.reading.layer import FilterLayer, find_layer
from rcinterp.reading.model import BATCH_SIZE
from rcinterp.reading.sites import best_sites
from rcinterp.studies._data import Simulated
from rcinterp.studies._drawing import COLOURS, new_figure
from rcinterp.studies._runs import Run
from rcinterp.studies._simulation import DATA_SEED, simulated_run
from rcinterp.studies._statistics import Claim, claim, in_words, spread, summarise, tabulate_claims
from rcinterp.studies._study import Findings, Options, Study, tabulate
from rcinterp.training.models import CompactModel

#: Twelve motifs of as many families: those of Koo & Ploenzke's simulation, with IRF for ARID3, which ENCODE lacks.
#: Two are palindromes themselves (STAT, MYC), one nearly (SRF).
TWELVE_MOTIFS = (
    "AP1_known1",
    "CEBPB_known1",
    "ETS_known1",
    "IRF_known1",
    "MAF_known1",
    "MEF2_known1",
    "MYC_known1",
    "NFY_known1",
    "SP1_known1",
    "SRF_known1",
    "STAT_known1",
    "YY1_known1",
)
#: Tomtom's E-value below which a filter matches a motif (Koo & Ploenzke).
MATCH_E_VALUE = 0.1
#: A filter's best sites in so many test sequences are compared with the truth, or in half of those that hold the
#: rarest motif if these are fewer: a filter of one strand finds its motif in two thirds of them.
N_SITES = 500
#: Share of those sites that must lie on one motif for the filter to have found it.
RIGHT = 0.5
#: Share of the largest contribution below which a filter counts as not live.
LIVE = 0.05
#: Sequences of either class from which contributions are taken, task by task.
_N_SCORED = 300

MODELS: tuple[tuple[str, int, dict[str, Any]], ...] = (
    ("RC", 1, {"rc": True}),
    ("traditional", 1, {"rc": False}),
    ("traditional, twice the filters", 2, {"rc": False}),
    ("traditional, augmented", 1, {"rc": False, "augment": True}),
)
#: What the table says of each run: column and meaning.
MEASURES = {
    "n_live": "live filters",
    "match_share": "live filters that match an embedded motif (Tomtom, E < 0.1)",
    "match_share_of_all": "all filters that do, as Koo & Ploenzke count",
    "motifs_matched": "embedded motifs that some live filter matches",
    "right_share": "live filters whose best sites lie on sites of one motif",
    "motifs_found": "embedded motifs found by such a filter",
    "artefact_share": "live filters that are palindromes though their motif is none",
    "similarity_to_truth": "similarity of the best live filter of each motif to it, mean",
}


def make_runs(options: Options) -> list[Run]:
    """Four models a seed, for the paper's three motifs (20 filters) and for twelve (32 filters, no label noise)."""
    few = 200 if options.small else 2_000
    twelve = Simulated(TWELVE_MOTIFS, n_per_motif=few, label_noise=0.0, seed=DATA_SEED)
    runs = []
    for seed in range(options.seeds):
        for label, factor, how in MODELS:
            runs.append(simulated_run(label, 20 * factor, seed, options, **how))
            runs.append(simulated_run(label, 32 * factor, seed, options, data=twelve, **how))
    return sorted(runs, key=lambda run: len(run.data.motifs) if isinstance(run.data, Simulated) else 0)


def read(model: CompactModel, run: Run, folder: Path) -> dict[str, Any]:
    """Compare every filter with the truth about the test set; one row a filter in "filters"."""
    assert isinstance(run.data, Simulated)
    test = run.data.load().test
    layer = find_layer(model)
    catalogue = load_motifs("encode")
    motifs = {name: catalogue[name] for name in run.data.motifs}
    weights = dict(zip(layer.filter_names, layer.weight.double().numpy(), strict=True))
    palindromes = find_palindromes(weights).set_index("filter")["rc_similarity"]
    contributions = _contributions(model, test)
    live = contributions >= LIVE * contributions.max()
    matched = _matched(layer.filter_names, sites_to_ppms(layer.weight, test.x, both_strands=layer.is_rc), set(motifs))
    on_motif = _shares_on_motifs(layer, test.x, true_sites(run.data), list(motifs))
    rows = []
    for f, (name, weight) in enumerate(weights.items()):
        best = int(on_motif[f].argmax())
        similarity = {} if is_dead(weight) else {m: compare_matrices(weight, ppm).value for m, ppm in motifs.items()}
        rows.append(
            {
                "filter": name,
                "contribution": float(contributions[f]),
                "live": bool(live[f]) and not is_dead(weight),
                "rc_similarity": float(palindromes[name]),
                "matched": sorted(matched.get(name, ())),
                "site_motif": list(motifs)[best] if on_motif[f, best] >= RIGHT else None,
                "share_on_motif": float(on_motif[f, best]),
                "truth_similarity": max(similarity.values(), default=None),
                "most_similar": max(similarity, key=lambda m: similarity[m], default=None),
            }
        )
    return {**summarise_filters(rows, motifs), "filters": rows}


def summarise_filters(rows: Sequence[dict[str, Any]], motifs: dict[str, NDArray[np.float64]]) -> dict[str, float]:
    """The measures of a model, from its filters' rows and the embedded motifs."""
    live = [row for row in rows if row["live"]]
    n_live = max(1, len(live))
    palindromic = find_palindromes(motifs).set_index("filter")["rc_similarity"] >= PALINDROMIC_MOTIF
    artefacts = [
        row
        for row in live
        if row["rc_similarity"] >= PALINDROMIC_FILTER and not (row["site_motif"] and palindromic[row["site_motif"]])
    ]
    best = [max((r["truth_similarity"] for r in live if r["most_similar"] == name), default=0.0) for name in motifs]
    return {
        "n_live": float(len(live)),
        "match_share": sum(bool(row["matched"]) for row in live) / n_live,
        "match_share_of_all": sum(bool(row["matched"]) for row in rows) / max(1, len(rows)),
        "motifs_matched": len({name for row in live for name in row["matched"]}) / len(motifs),
        "right_share": sum(row["site_motif"] is not None for row in live) / n_live,
        "motifs_found": len({row["site_motif"] for row in live} - {None}) / len(motifs),
        "artefact_share": len(artefacts) / n_live,
        "similarity_to_truth": float(np.mean(best)),
    }


def _contributions(model: CompactModel, test: Dataset) -> NDArray[np.float64]:
    """Of each filter, its largest absolute contribution over the tasks."""
    tables = [
        filter_contributions(model, test.positives(task)[:_N_SCORED], test.negatives(task)[:_N_SCORED], target=task)
        for task in range(test.n_tasks)
    ]
    largest: NDArray[np.float64] = np.abs([table["contribution"] for table in tables]).max(0)
    return largest


def _matched(names: Sequence[str], found: Sequence[Motif], embedded: set[str]) -> dict[str, set[str]]:
    """Embedded motifs that each filter's motif matches, among all of ENCODE's."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UninformativeMotifWarning)  # such a filter matches nothing
        table = compare_motifs(dict(zip(names, found, strict=True)), load_motifs_with_sites("encode"), max_q_value=None)
    table = table[(table["E-value"] < MATCH_E_VALUE) & table["Target_ID"].isin(embedded)]
    return {str(name): set(rows["Target_ID"]) for name, rows in table.groupby("Query_ID")}


def _shares_on_motifs(layer: FilterLayer, x: Tensor, sites: pd.DataFrame, motifs: Sequence[str]) -> NDArray[np.float64]:
    """Share of each filter's best sites that cover at least half of a site of each motif, or lie half on it: (F, M)."""
    centred = mean_center(layer.weight.detach().float().cpu()).weight
    width = centred.shape[2]
    found = best_sites(centred, x.float(), layer.is_rc, BATCH_SIZE)
    scores, starts = found.site_scores, found.starts
    covered = covered_by_sites(sites, motifs, len(x), x.shape[2])
    widths = (sites["end"] - sites["start"]).groupby(sites["motif"]).first()[list(motifs)].to_numpy()
    needed = np.minimum(width, widths) / 2
    n_sites = min(N_SITES, sites.groupby("motif")["sequence"].nunique().min() // 2)
    shares = np.zeros((len(centred), len(motifs)))
    for f in range(len(centred)):
        best = scores[:, f].argsort(descending=True, stable=True)[:n_sites]
        windows = starts[best, f, None] + torch.arange(width)
        overlap = covered[:, best[:, None].numpy(), windows.numpy()].sum(-1)
        shares[f] = (overlap >= needed[:, None]).mean(-1)
    return shares


def covered_by_sites(sites: pd.DataFrame, motifs: Sequence[str], n: int, length: int) -> NDArray[np.bool_]:
    """Whether each base of each sequence lies in a site of each motif: (M, n, length)."""
    edges = np.zeros((len(motifs), n, length + 1), dtype=np.int8)
    which = sites["motif"].map({name: i for i, name in enumerate(motifs)})
    np.add.at(edges, (which, sites["sequence"], sites["start"]), 1)
    np.add.at(edges, (which, sites["sequence"], sites["end"]), -1)
    return np.asarray(edges.cumsum(-1)[..., :-1] > 0)


@lru_cache(maxsize=2)
def true_sites(data: Simulated) -> pd.DataFrame:
    """Sites of the test set: motif, start, end, strand, and sequence, the row in the test set."""
    simulation = data.simulate()
    row_of = {name: row for row, name in enumerate(data.load().test.names)}
    rows = np.array([row_of.get(name, -1) for name in simulation.names])
    sites = simulation.sites.assign(sequence=rows[simulation.sites["sequence"]])
    return sites[sites["sequence"] >= 0].reset_index(drop=True)


def report(runs: Sequence[Run], results: Sequence[dict[str, Any]]) -> Findings:
    """The measures by data and architecture; filters.tsv has every filter."""
    table = tabulate(runs, results)
    filters = pd.DataFrame(
        [
            {"model": run.label, "data": run.data.label, "seed": run.seed, **row, "matched": ",".join(row["matched"])}
            for run, result in zip(runs, results, strict=True)
            for row in result["filters"]
        ]
    )
    summary = summarise(table, ["data", "model", "n_parameters"], [*MEASURES, "test_auroc"])
    return Findings(
        {"results": table, "summary": summary, "filters": filters, "claims": tabulate_claims(_lines(table))},
        judge(table),
        draw(table),
    )


def judge(results: pd.DataFrame) -> str:
    """Measure by measure, and whether RC weight sharing makes artefact palindromes rarer."""
    return in_words(_lines(results))


def _lines(results: pd.DataFrame) -> list[str | Claim]:
    lines: list[str | Claim] = [f"{results['seed'].nunique()} seeds; mean (lowest to highest)"]
    for data, rows in results.groupby("data", sort=False):
        for column, meaning in MEASURES.items():
            values = ", ".join(
                f"{model} {spread(of[column], 1 if column == 'n_live' else 2)}"
                for model, of in rows.groupby("model", sort=False)
            )
            lines.append(f"{data}: {meaning}: {values}")
        for label, *_ in MODELS[1:]:
            lines.append(claim(f"{data}: artefact palindromes", rows, "artefact_share", label, MODELS[0][0]))
    return lines


def draw(results: pd.DataFrame) -> Figure:
    """Every seed a dot, means as bars; one panel a measure and data set."""
    measures = [name for name in MEASURES if name != "n_live"]
    kinds = list(dict.fromkeys(results["data"]))
    figure, axes = new_figure(
        len(kinds), len(measures), width=2.2 * len(measures), height=2.6 * len(kinds), sharey=True
    )
    labels = [label for label, *_ in MODELS]
    for i, ax in enumerate(axes):
        data, column = kinds[i // len(measures)], measures[i % len(measures)]
        for j, label in enumerate(labels):
            values = results.loc[(results["data"] == data) & (results["model"] == label), column]
            ax.bar(j, values.mean(), color=COLOURS[j], width=0.7, alpha=0.7)
            ax.plot([j] * len(values), values, ".", color="black", alpha=0.4, markersize=3)
        ax.set_xticks(range(len(labels)), ["RC", "trad.", "trad. ×2", "augm."], fontsize=7)
        title = fill(MEASURES[column].replace(" < ", "\u00a0<\u00a0"), 26)  # in one line
        ax.set_title(f"{title}\n{data}", fontsize=7)
    return figure


STUDY = Study("recovery", make_runs, report, read)
