"""Figure 2: learning curves on simulated data, training set dotted, validation set solid."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from rcinterp.studies import fig3
from rcinterp.studies._drawing import COLOURS, legend_above, new_figure
from rcinterp.studies._runs import Run
from rcinterp.studies._statistics import Claim, claim, heading, in_words, tabulate_claims
from rcinterp.studies._study import Findings, Study, tabulate

#: Epochs that the paper's figure shows, and those that count as the first ones.
N_SHOWN, N_FIRST = 100, 10


def report(runs: Sequence[Run], results: Sequence[dict[str, Any]]) -> Findings:
    """Curves of every seed, and their means over the first epochs as numbers for how fast a model learns.

    Recipes other than the paper's do not measure the training set: its curves and claim are left out.
    """
    curves = pd.concat(
        [
            pd.DataFrame(result["history"]).assign(model=run.label, seed=run.seed)
            for run, result in zip(runs, results, strict=True)
        ],
        ignore_index=True,
    )
    table = tabulate(runs, results)
    shortest = int(table["n_epochs"].min())
    for column, n_epochs in (("first_auroc", min(N_FIRST, shortest)), ("early_auroc", shortest)):
        means = curves[curves["epoch"] <= n_epochs].groupby(["model", "seed"])["valid_auroc"].mean().rename(column)
        table = table.merge(means, on=["model", "seed"])
    if "train_auroc" in curves:
        best = curves.groupby(["model", "seed"])["valid_auroc"].idxmax()
        table = table.merge(curves.loc[best, ["model", "seed", "train_auroc"]], on=["model", "seed"])
    return Findings(
        {"results": table, "curves": curves, "claims": tabulate_claims(_lines(table))}, judge(table), draw(curves)
    )


def judge(results: pd.DataFrame) -> str:
    """The paper's reading of the curves (sections 2.1.1 and 2.1.2)."""
    return in_words(_lines(results))


def _lines(results: pd.DataFrame) -> list[str | Claim]:
    rc, small, large = (label for label, *_ in fig3.MODELS)
    shortest = results["n_epochs"].min()
    mean = "mean validation auROC over the first"
    lines: list[str | Claim] = [
        heading(results),
        claim(f"faster learning: {mean} {shortest} epochs (all runs have them)", results, "early_auroc", rc, small, 4),
        claim(f"faster at first: {mean} {min(N_FIRST, shortest)} epochs", results, "first_auroc", large, rc, 4),
    ]
    if "train_auroc" in results:
        what = "more over-fitting: training auROC at the best epoch"
        lines.append(claim(what, results, "train_auroc", large, small, 4))
    lines.append(claim("validation auROC at the best epoch", results, "valid_auroc", rc, large, 4))
    return lines


def draw(curves: pd.DataFrame) -> Figure:
    """The first epochs of all seeds, as in figure 2."""
    figure, (ax,) = new_figure(1, 1, width=6, height=4)
    for colour, (label, *_) in zip(COLOURS, fig3.MODELS, strict=False):
        for _, curve in curves[(curves["model"] == label) & (curves["epoch"] <= N_SHOWN)].groupby("seed"):
            ax.plot(curve["epoch"], curve["valid_auroc"], color=colour, linewidth=0.8)
            if "train_auroc" in curve:
                ax.plot(curve["epoch"], curve["train_auroc"], color=colour, linewidth=0.8, linestyle=":")
        ax.plot([], [], color=colour, label=label)
    ax.plot([], [], color="black", label="validation")
    if "train_auroc" in curves:
        ax.plot([], [], color="black", linestyle=":", label="training")
    ax.set(xlabel="epoch of 5,000 sequences", ylabel="auROC, mean of three tasks")
    legend_above(figure, ax, 3)
    return figure


STUDY = Study("fig2", fig3.make_runs, report)
