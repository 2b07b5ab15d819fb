"""Figure 5: does RC weight sharing lead to cleaner filters? One RC and one traditional model a seed, on real data."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from rcinterp.interpretation import Interpretation, interpret
from rcinterp.motifs import information_content, load_motifs, reverse_complement_motif
from rcinterp.motifs.similarity import compare_matrices
from rcinterp.report.logos import plot_filters
from rcinterp.studies._chip import chip_run, folders
from rcinterp.studies._runs import Run
from rcinterp.studies._statistics import Claim, claim, heading, in_words, tabulate_claims
from rcinterp.studies._study import Findings, Options, Study, tabulate
from rcinterp.training.models import CompactModel

#: The motif that the paper shows on top.
CANONICAL = "CTCF_known1"
#: Filters of each model that the tables and the figure show: one of RC, four of the traditional in the paper.
N_TOP = 4
#: What is kept of each of them.
_KEPT = ("contribution", "rc_similarity", "rc_p", "best_match", "match_q")
RC, TRADITIONAL = "RC, 8 filters", "traditional, 16 filters, augmented"


def make_runs(options: Options) -> list[Run]:
    """Two one-layer models a seed (section 3.5)."""
    (data,) = folders(options)
    return [
        run
        for seed in range(options.seeds)
        for run in (
            chip_run(RC, 8, data, seed, options, n_layers=1),
            chip_run(TRADITIONAL, 16, data, seed, options, n_layers=1, rc=False, augment=True),
        )
    ]


def read(model: CompactModel, run: Run, folder: Path) -> dict[str, Any]:
    """Interpret a model on its validation set; the whole interpretation is left in the folder's filters/."""
    _, valid, _ = run.data.load()
    found = interpret(model, valid.positives(), valid.negatives())
    found.save(folder / "filters", run.name)
    top = _top_filters(found)
    weights = {row["filter"]: found.filters[row["filter"]].tolist() for row in top}
    weighted = _weighted_similarity(found.table)
    return {
        **{k: v for k, v in top[0].items() if k != "rank"},
        "weighted_rc_similarity": weighted,
        "top": top,
        "weights": weights,
    }


def report(runs: Sequence[Run], results: Sequence[dict[str, Any]]) -> Findings:
    """Of the top filter of each model: its contribution, similarity to its own reverse complement, and name."""
    table = _typed(tabulate(runs, results))
    top = [
        {"model": r.label, "seed": r.seed, **row}
        for r, result in zip(runs, results, strict=True)
        for row in result["top"]
    ]
    figure = draw(runs, results, _median_seed(table))
    return Findings(
        {"results": table, "top_filters": _typed(pd.DataFrame(top)), "claims": tabulate_claims(_lines(table))},
        judge(table),
        figure,
    )


def judge(results: pd.DataFrame) -> str:
    """The paper's claim, put to the test of section 3.8."""
    return in_words(_lines(results))


def _lines(results: pd.DataFrame) -> list[str | Claim]:
    lines: list[str | Claim] = [
        heading(results),
        claim("RC similarity of the top filter", results, "rc_similarity", TRADITIONAL, RC),
        claim("contribution-weighted RC similarity", results, "weighted_rc_similarity", TRADITIONAL, RC),
        claim(f"similarity of the top filter to {CANONICAL}", results, "canonical_similarity", RC, TRADITIONAL),
        claim("validation auROC", results, "valid_auroc", RC, TRADITIONAL, 4),
        claim("validation auPRC", results, "valid_auprc", RC, TRADITIONAL, 4),
    ]
    for label in (RC, TRADITIONAL):
        rows = results[results["model"] == label]
        named = rows["best_match"].str.startswith("CTCF").sum()
        lines.append(f"{label}: top filter named CTCF in {named} of {len(rows)} seeds")
        lines.append(f"largest |logit(x) - logit(rc x)|, {label}: {rows['rc_difference'].max():.2g}")
    return lines


def _typed(table: pd.DataFrame) -> pd.DataFrame:
    text = pd.Series([""]).dtype  # whatever pandas takes for text, also if no filter has a match
    return table.astype({"best_match": text, "match_q": float})


def _top_filters(found: Interpretation) -> list[dict[str, Any]]:
    canonical = load_motifs("encode")[CANONICAL]
    rows = []
    for rank, (_, row) in enumerate(found.table.head(N_TOP).iterrows(), start=1):
        kept = {name: row[name] for name in ("filter", *_KEPT)}
        kept = {name: None if pd.isna(value) else value for name, value in kept.items()}
        similarity = compare_matrices(found.filters[row["filter"]], canonical).value
        rows.append({"rank": rank, **kept, "canonical_similarity": similarity})
    return rows


def _weighted_similarity(table: pd.DataFrame) -> float:
    positive = table[(table["contribution"] > 0) & table["rc_similarity"].notna()]
    if positive.empty:
        return float("nan")
    return float(np.average(positive["rc_similarity"], weights=positive["contribution"]))


def _median_seed(results: pd.DataFrame) -> int:
    """Seed of the RC model of median auROC (the lower of two): a typical one."""
    ranked = results[results["model"] == RC].sort_values("valid_auroc", kind="stable")
    return int(ranked["seed"].iloc[(len(ranked) - 1) // 2])


def draw(runs: Sequence[Run], results: Sequence[dict[str, Any]], seed: int) -> Figure:
    """Logos as in figure 5: the canonical motif, RC's top filter and the traditional model's top four."""
    canonical = load_motifs("encode")[CANONICAL]
    drawn = {f"{CANONICAL} (bits)": canonical * information_content(canonical)}
    rows: list[dict[str, Any]] = [{"filter": f"{CANONICAL} (bits)"}]
    for run, result in zip(runs, results, strict=True):
        if run.seed != seed:
            continue
        for row in result["top"][: 1 if run.label == RC else N_TOP]:
            name = f"{'RC' if run.label == RC else 'Traditional'} {row['rank']}"
            drawn[name] = _turn_to(np.array(result["weights"][row["filter"]]), canonical)
            rows.append({**row, "filter": name})
    table = pd.DataFrame(rows)[["filter", "contribution", "rc_similarity"]]
    figure = plot_filters(drawn, table)
    figure.text(0.995, 0.002, f"seed {seed}", ha="right", va="bottom", fontsize=7, color="#666666")
    return figure


def _turn_to(weight: NDArray[np.float64], canonical: NDArray[np.float64]) -> NDArray[np.float64]:
    return reverse_complement_motif(weight) if compare_matrices(weight, canonical).orientation == "-" else weight


STUDY = Study("fig5", make_runs, report, read, data="one")
