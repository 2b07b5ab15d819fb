"""Figure 3: whether RC beats traditional models of as many parameters, or as much memory, on simulated data."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from rcinterp.studies._drawing import COLOURS, mean_and_range, new_figure
from rcinterp.studies._runs import Run
from rcinterp.studies._simulation import simulated_run
from rcinterp.studies._statistics import Claim, claim, heading, in_words, spread, summarise, tabulate_claims
from rcinterp.studies._study import Findings, Options, Study, tabulate

#: Label, filters and whether the strands share weights.
MODELS = (("RC, 20 filters", 20, True), ("traditional, 20 filters", 20, False), ("traditional, 40 filters", 40, False))
PERFORMANCE = {"valid_auroc": "auROC", "valid_auprc": "auPRC"}


def make_runs(options: Options) -> list[Run]:
    """Three models a seed."""
    return [
        simulated_run(label, n_filters, seed, options, rc=rc)
        for seed in range(options.seeds)
        for label, n_filters, rc in MODELS
    ]


def report(runs: Sequence[Run], results: Sequence[dict[str, Any]]) -> Findings:
    """Validation performance of the best epoch, with the paper's tests; clean test performance beside it."""
    table = tabulate(runs, results)
    columns = ["valid_auroc", "valid_auprc", "test_auroc", "test_auprc", "best_epoch"]
    summary = summarise(table, ["model", "n_parameters"], columns)
    return Findings(
        {"results": table, "summary": summary, "claims": tabulate_claims(_lines(table))}, judge(table), draw(table)
    )


def judge(results: pd.DataFrame) -> str:
    """The paper's two claims, and what it could not see: the clean test set."""
    return in_words(_lines(results))


def _lines(results: pd.DataFrame) -> list[str | Claim]:
    rc, small, large = (label for label, *_ in MODELS)
    lines: list[str | Claim] = [heading(results)]
    for column, name in PERFORMANCE.items():
        lines.append(claim(f"validation {name}", results, column, rc, small, 4))
        lines.append(claim(f"validation {name}", results, column, rc, large, 4))
    lines.append(claim("validation auROC", results, "valid_auroc", large, small, 4))
    lines.append(claim("clean test auROC", results, "test_auroc", rc, small, 4))
    lines.append(claim("clean test auROC", results, "test_auroc", rc, large, 4))
    for label, *_ in MODELS:
        lines.append(f"best epoch, {label}: {spread(results.loc[results['model'] == label, 'best_epoch'], 0)}")
    return lines


def draw(results: pd.DataFrame) -> Figure:
    """Means with lowest and highest over seeds, as in figure 3, and every seed."""
    figure, axes = new_figure(1, 2, width=6.5, height=3)
    for ax, (column, name) in zip(axes, PERFORMANCE.items(), strict=True):
        for i, (label, *_) in enumerate(MODELS):
            values = results.loc[results["model"] == label, column]
            ax.bar(i, values.mean(), color=COLOURS[i], width=0.7)
            mean_and_range(ax, i, values, color="black", capsize=4)
            ax.plot([i] * len(values), values, ".", color="black", alpha=0.4, markersize=4)
        spare = 0.15 * (results[column].max() - results[column].min() or 0.01)
        ax.set_ylim(results[column].min() - 4 * spare, results[column].max() + spare)
        ax.set_xticks(range(len(MODELS)), [label.replace(", ", "\n") for label, *_ in MODELS], fontsize=8)
        ax.set_ylabel(f"validation {name}")
    return figure


STUDY = Study("fig3", make_runs, report)
