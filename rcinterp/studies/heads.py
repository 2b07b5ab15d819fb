"""Separable against dense read-outs of as many parameters, on simulated data (Alexandari et al.)."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from rcinterp.studies._data import Simulated
from rcinterp.studies._drawing import COLOURS, new_figure
from rcinterp.studies._runs import Run
from rcinterp.studies._simulation import ARCHITECTURE, simulated, simulated_run
from rcinterp.studies._statistics import Claim, claim, heading, in_words, summarise, tabulate_claims
from rcinterp.studies._study import Findings, Options, Study, tabulate
from rcinterp.training.models import compact_model, count_parameters

#: Filters of the models with a dense read-out, as in section 3.4.1.
DENSE_FILTERS = 20
#: Whether the strands share weights, by how models are called.
KINDS = {"RC": True, "traditional": False}
HEADS = ("separable", "dense")
LENGTHS = (200,)
PERFORMANCE = {"test_auroc": "clean test auROC", "test_auprc": "clean test auPRC", "valid_auroc": "validation auROC"}


def make_runs(options: Options) -> list[Run]:
    """Two read-outs of RC and of traditional models a length and seed; the dense ones are runs of other studies too."""
    runs = []
    for data in (simulated(length, options) for length in options.lengths or LENGTHS):
        for seed in range(options.seeds):
            for kind, rc in KINDS.items():
                dense = "dense" if rc else None  # what a traditional model has when it is not told
                sizes = zip(HEADS, (matched_filters(data, rc), DENSE_FILTERS), ("separable", dense), strict=True)
                runs += [
                    simulated_run(f"{kind}, {head}", n_filters, seed, options, data=data, rc=rc, read_out=read_out)
                    for head, n_filters, read_out in sizes
                ]
    return runs


def matched_filters(data: Simulated, rc: bool) -> int:
    """Filters with which a separable model comes closest to the parameters of the dense one: each costs as many."""

    def count(n_filters: int, read_out: str) -> int:
        length, n_tasks = data.sizes
        sizes: dict[str, Any] = {"n_filters": n_filters, "length": length, "n_tasks": n_tasks}
        return count_parameters(compact_model(**ARCHITECTURE, **sizes, rc=rc, read_out=read_out))

    first, second = count(1, "separable"), count(2, "separable")
    return 1 + round((count(DENSE_FILTERS, "dense") - first) / (second - first))


def report(runs: Sequence[Run], results: Sequence[dict[str, Any]]) -> Findings:
    """Performance of the best epoch by validation auROC, with numbers of filters and parameters."""
    table = tabulate(runs, results)
    table.insert(2, "n_filters", [run.model["n_filters"] for run in runs])
    columns = [*PERFORMANCE, "best_epoch"]
    summary = summarise(table, ["data", "model", "n_filters", "n_parameters"], columns)
    return Findings(
        {"results": table, "summary": summary, "claims": tabulate_claims(_lines(table))}, judge(table), draw(table)
    )


def judge(results: pd.DataFrame) -> str:
    """Whether a separable read-out is better than a dense one, or worse, and RC better than not."""
    return in_words(_lines(results))


def _lines(results: pd.DataFrame) -> list[str | Claim]:
    lines: list[str | Claim] = [heading(results)]
    for data, rows in results.groupby("data", sort=False):
        sizes = rows.groupby("model", sort=False)[["n_filters", "n_parameters"]].first()
        described = (f"{model} {size.n_filters} filters, {size.n_parameters:,}" for model, size in sizes.iterrows())
        lines.append(f"{data}: parameters: {'; '.join(described)}")
        for column, name in PERFORMANCE.items():
            for kind in KINDS:
                separable, dense = (f"{kind}, {head}" for head in HEADS)
                lines.append(claim(f"{data}: {name}", rows, column, separable, dense, 4))
                lines.append(claim(f"{data}: {name}", rows, column, dense, separable, 4))
            lines.append(claim(f"{data}: {name}", rows, column, "RC, separable", "traditional, separable", 4))
    return lines


def draw(results: pd.DataFrame) -> Figure:
    """Every seed a dot, means as lines; one panel a length."""
    kinds = list(dict.fromkeys(results["data"]))
    figure, axes = new_figure(1, len(kinds), width=4 * len(kinds) + 0.5, height=3)
    models = [f"{kind}, {head}" for kind in KINDS for head in HEADS]
    for ax, data in zip(axes, kinds, strict=True):
        for i, model in enumerate(models):
            scores = results.loc[(results["data"] == data) & (results["model"] == model), "test_auroc"]
            ax.plot([i] * len(scores), scores, ".", color=COLOURS[i // len(HEADS)], alpha=0.6)
            ax.plot([i], [scores.mean()], "_", markersize=20, color="black")
        ax.set_xticks(range(len(models)), [model.replace(", ", "\n") for model in models], fontsize=8)
        ax.set_xlim(-0.6, len(models) - 0.4)
        ax.set(ylabel="clean test auROC", title=data)
    return figure


STUDY = Study("heads", make_runs, report, has_lengths=True)
