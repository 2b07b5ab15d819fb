"""Trained models: verdicts of `triage_palindromes` against where each filter's best sites lie."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from rcinterp.motifs import load_motifs
from rcinterp.palindromes.finding import find_palindromes
from rcinterp.palindromes.triage import HALF_SITE, HYBRID, NONE, SYMMETRIC, TRUE_PALINDROME, triage_palindromes
from rcinterp.reading.layer import find_filters
from rcinterp.studies import recovery
from rcinterp.studies._drawing import COLOURS, new_figure
from rcinterp.studies._runs import Run
from rcinterp.studies._study import Findings, Options, Study, tabulate
from rcinterp.training.models import CompactModel

#: Architectures of the study "recovery" that are looked at: that with fewest artefacts and that with most.
MODELS = ("RC", "traditional, augmented")
VERDICTS = (TRUE_PALINDROME, HYBRID, HALF_SITE, NONE)
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
    """What "recovery" reads, and of every live filter the verdict and the truth, in "filters"."""
    layer = find_filters(model)
    rows = recovery.read(model, run, folder)["filters"]
    motifs = sorted({row["motif"] for row in rows} - {None})
    catalogue = load_motifs("encode")
    own = {name: find_palindromes({name: catalogue[name]})["similarity"].iloc[0] for name in motifs}
    weights = dict(zip(layer.filter_names, layer.weight.double().numpy(), strict=True))
    live = [row for row in rows if row["live"]]
    if not live:
        return {"filters": []}
    found = triage_palindromes({row["filter"]: weights[row["filter"]] for row in live})
    columns = ["verdict", "motif", "single_similarity", "hybrid_similarity", "weaker_share", "single_motif"]
    told = found[columns].rename(columns={"motif": "named", "single_motif": "single"}).astype(object)
    told = told.where(told.notna(), None)
    return {
        "filters": [
            {
                "filter": row["filter"],
                "palindrome": row["palindrome"],
                "site_motif": row["motif"],
                "truth": judge_truth(row["palindrome"], None if row["motif"] is None else own[row["motif"]]),
                **said,
            }
            for row, said in zip(live, told.to_dict("records"), strict=True)
        ]
    }


def judge_truth(palindrome: float, motif: float | None) -> str:
    """Of a filter's similarity to its own reverse complement and its motif's; None if its sites lie on no motif."""
    if motif is None:
        return UNKNOWN if palindrome >= recovery.PALINDROME else UNKNOWN_PLAIN
    if motif >= recovery.PALINDROMIC_MOTIF:
        return OF_PALINDROME if palindrome >= SYMMETRIC else HALF_OF_PALINDROME
    return ARTEFACT if palindrome >= recovery.PALINDROME else PARTIAL if palindrome >= SYMMETRIC else PLAIN


def report(runs: Sequence[Run], results: Sequence[dict[str, Any]]) -> Findings:
    """Truth against verdict, by data and architecture; filters.tsv has every live filter."""
    filters = pd.DataFrame(
        [
            {"model": run.label, "data": run.data.label, "seed": run.seed, **row}
            for run, result in zip(runs, results, strict=True)
            for row in result["filters"]
        ]
    )
    counts = pd.crosstab([filters["data"], filters["model"], filters["truth"]], filters["verdict"])
    counts = counts.reindex(columns=list(VERDICTS), fill_value=0).reset_index()
    counts["order"] = counts["truth"].map(TRUTHS.index)
    counts = counts.sort_values(["data", "model", "order"], ignore_index=True).drop(columns="order")
    tables = {"results": tabulate(runs, results), "verdicts": counts, "filters": filters}
    return Findings(tables, judge(counts, filters), draw(counts))


def judge(counts: pd.DataFrame, filters: pd.DataFrame) -> str:
    """Each truth's verdicts, over all models, and how often a hybrid is named after the motif of its sites."""
    of_truth = counts.groupby("truth")[list(VERDICTS)].sum()
    lines = ["live filters, all models and seeds"]
    for truth in TRUTHS:
        if truth in of_truth.index:
            row = of_truth.loc[truth]
            said = ", ".join(f"{verdict} {row[verdict]}" for verdict in VERDICTS if row[verdict])
            lines.append(f"{truth} ({row.sum()}): {said}")
    hybrids = filters[(filters["verdict"] == HYBRID) & filters["site_motif"].notna()]
    right = (hybrids["named"] == hybrids["site_motif"]).sum()
    lines.append(f"artefact hybrids named as the motif that their sites lie on: {right} of {len(hybrids)}")
    return "\n".join(lines)


def draw(counts: pd.DataFrame) -> Figure:
    """Verdicts of each truth as a bar."""
    of_truth = counts.groupby("truth")[list(VERDICTS)].sum()
    of_truth = of_truth.loc[[truth for truth in reversed(TRUTHS) if truth in of_truth.index]]
    figure, (ax,) = new_figure(1, 1, width=7, height=3)
    left = 0 * of_truth[NONE]
    for verdict, colour in zip(VERDICTS, COLOURS, strict=False):
        ax.barh(of_truth.index, of_truth[verdict], left=left, color=colour, label=verdict)
        left = left + of_truth[verdict]
    ax.set_xlabel("live filters")
    ax.legend(fontsize=7)
    return figure


STUDY = Study("triage", make_runs, report, read)
