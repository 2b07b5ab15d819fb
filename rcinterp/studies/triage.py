"""Trained models: classes of `triage_palindromes` against where each filter's best sites lie."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from rcinterp.motifs import load_motifs
from rcinterp.palindromes.finding import PALINDROMIC_FILTER, PALINDROMIC_MOTIF, SYMMETRIC, find_palindromes
from rcinterp.palindromes.triage import (
    HALF_SITE,
    HYBRID,
    NONE,
    TRUE_PALINDROME,
    triage_palindromes,
)
from rcinterp.reading.layer import find_layer
from rcinterp.studies import recovery
from rcinterp.studies._drawing import COLOURS, new_figure
from rcinterp.studies._runs import Run
from rcinterp.studies._study import Findings, Options, Study, tabulate
from rcinterp.training.models import CompactModel

#: Architectures of the study "recovery" that are looked at: that with fewest artefacts and that with most.
MODELS = ("RC", "traditional, augmented")
CLASSES = (TRUE_PALINDROME, HYBRID, HALF_SITE, NONE)
#: What a live filter is, by its similarity to its own reverse complement and the motif that its best sites lie on.
ARTEFACT = "palindrome, its motif is none"
PARTIAL = "half a palindrome, its motif is none"
OF_PALINDROME = "palindrome, as its motif"
HALF_OF_PALINDROME = "no palindrome, though its motif is one"
PLAIN = "no palindrome, nor is its motif"
UNKNOWN = "palindrome on no motif's sites"
UNKNOWN_PLAIN = "no palindrome, on no motif's sites"
TRUTHS = (ARTEFACT, PARTIAL, UNKNOWN, OF_PALINDROME, HALF_OF_PALINDROME, PLAIN, UNKNOWN_PLAIN)


def make_runs(options: Options) -> list[Run]:
    """The runs of the study "recovery", of two of its architectures."""
    return [run for run in recovery.make_runs(options) if run.label in MODELS]


def read(model: CompactModel, run: Run, folder: Path) -> dict[str, Any]:
    """What "recovery" reads, and of every live filter the triage class and the truth, in "filters"."""
    layer = find_layer(model)
    rows = recovery.read(model, run, folder)["filters"]
    motifs = sorted({row["site_motif"] for row in rows} - {None})
    catalogue = load_motifs("encode")
    own = {name: find_palindromes({name: catalogue[name]})["rc_similarity"].iloc[0] for name in motifs}
    weights = dict(zip(layer.filter_names, layer.weight.double().numpy(), strict=True))
    live = [row for row in rows if row["live"]]
    if not live:
        return {"filters": []}
    found = triage_palindromes({row["filter"]: weights[row["filter"]] for row in live})
    columns = ["triage", "triage_motif", "single_similarity", "hybrid_similarity", "weaker_share", "single_motif"]
    told = found[columns].astype(object)
    told = told.where(told.notna(), None)
    return {
        "filters": [
            {
                "filter": row["filter"],
                "rc_similarity": row["rc_similarity"],
                "site_motif": row["site_motif"],
                "truth": judge_truth(
                    row["rc_similarity"], None if row["site_motif"] is None else own[row["site_motif"]]
                ),
                **said,
            }
            for row, said in zip(live, told.to_dict("records"), strict=True)
        ]
    }


def judge_truth(palindrome: float, motif: float | None) -> str:
    """Of a filter's similarity to its own reverse complement and its motif's; None if its sites lie on no motif."""
    if motif is None:
        return UNKNOWN if palindrome >= PALINDROMIC_FILTER else UNKNOWN_PLAIN
    if motif >= PALINDROMIC_MOTIF:
        return OF_PALINDROME if palindrome >= SYMMETRIC else HALF_OF_PALINDROME
    return ARTEFACT if palindrome >= PALINDROMIC_FILTER else PARTIAL if palindrome >= SYMMETRIC else PLAIN


def report(runs: Sequence[Run], results: Sequence[dict[str, Any]]) -> Findings:
    """Truth against triage class, by data and architecture; filters.tsv has every live filter."""
    filters = pd.DataFrame(
        [
            {"model": run.label, "data": run.data.label, "seed": run.seed, **row}
            for run, result in zip(runs, results, strict=True)
            for row in result["filters"]
        ]
    )
    counts = pd.crosstab([filters["data"], filters["model"], filters["truth"]], filters["triage"])
    counts = counts.reindex(columns=list(CLASSES), fill_value=0).reset_index()
    counts["order"] = counts["truth"].map(TRUTHS.index)
    counts = counts.sort_values(["data", "model", "order"], ignore_index=True).drop(columns="order")
    tables = {"results": tabulate(runs, results), "classes": counts, "filters": filters}
    return Findings(tables, judge(counts, filters), draw(counts))


def judge(counts: pd.DataFrame, filters: pd.DataFrame) -> str:
    """Each truth's triage classes, over all models, and how often a hybrid is named after the motif of its sites."""
    of_truth = counts.groupby("truth")[list(CLASSES)].sum()
    lines = ["live filters, all models and seeds"]
    for truth in TRUTHS:
        if truth in of_truth.index:
            row = of_truth.loc[truth]
            said = ", ".join(f"{one} {row[one]}" for one in CLASSES if row[one])
            lines.append(f"{truth} ({row.sum()}): {said}")
    hybrids = filters[(filters["triage"] == HYBRID) & filters["site_motif"].notna()]
    right = (hybrids["triage_motif"] == hybrids["site_motif"]).sum()
    lines.append(f"artefact hybrids named as the motif that their sites lie on: {right} of {len(hybrids)}")
    return "\n".join(lines)


def draw(counts: pd.DataFrame) -> Figure:
    """Triage classes of each truth as a bar."""
    of_truth = counts.groupby("truth")[list(CLASSES)].sum()
    of_truth = of_truth.loc[[truth for truth in reversed(TRUTHS) if truth in of_truth.index]]
    figure, (ax,) = new_figure(1, 1, width=7, height=3)
    left = 0 * of_truth[NONE]
    for one, colour in zip(CLASSES, COLOURS, strict=False):
        ax.barh(of_truth.index, of_truth[one], left=left, color=colour, label=one)
        left = left + of_truth[one]
    ax.set_xlabel("live filters")
    ax.legend(fontsize=7)
    return figure


STUDY = Study("triage", make_runs, report, read)
