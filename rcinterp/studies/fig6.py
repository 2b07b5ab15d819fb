"""Figure 6: how fast RC and traditional models get worse when there are fewer training sequences."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from rcinterp.studies._chip import chip_run, folders
from rcinterp.studies._data import Folder
from rcinterp.studies._drawing import COLOURS, legend_above, new_figure
from rcinterp.studies._runs import Run
from rcinterp.studies._statistics import Claim, claim, heading, in_words, summarise, tabulate_claims
from rcinterp.studies._study import Findings, Options, Study, tabulate

SHARES = (0.05, 0.1, 0.2, 0.4, 0.6, 0.8)
MODELS = (("RC, 16 filters", 16, True), ("traditional, 16 filters", 16, False), ("traditional, 32 filters", 32, False))
PERFORMANCE = {"valid_auroc": "auROC", "valid_auprc": "auPRC"}


def make_runs(options: Options) -> list[Run]:
    """Three models of three layers a share and seed."""
    (data,) = folders(options)
    shares = SHARES[1::3] if options.small else SHARES
    return [
        chip_run(label, n_filters, Folder(data.path, share), seed, options, rc=rc)
        for share in shares
        for seed in range(options.seeds)
        for label, n_filters, rc in MODELS
    ]


def report(runs: Sequence[Run], results: Sequence[dict[str, Any]]) -> Findings:
    """Validation performance by share of the training set."""
    table = tabulate(runs, results)
    table.insert(2, "train_share", [run.data.share for run in runs if isinstance(run.data, Folder)])
    table.insert(3, "n_train", [len(run.data.load()[0]) for run in runs])
    summary = summarise(table, ["train_share", "n_train", "model"], list(PERFORMANCE))
    return Findings(
        {"results": table, "summary": summary, "claims": tabulate_claims(_lines(table))}, judge(table), draw(table)
    )


def judge(results: pd.DataFrame) -> str:
    """Share by share, and how much each model loses from the largest share to the smallest."""
    return in_words(_lines(results))


def _lines(results: pd.DataFrame) -> list[str | Claim]:
    rc, *others = (label for label, *_ in MODELS)
    lines: list[str | Claim] = [heading(results)]
    for column, name in PERFORMANCE.items():
        for share, rows in results.groupby("train_share"):
            lines += [claim(f"{share:.0%}: validation {name}", rows, column, rc, other, 3) for other in others]
        scores = results.pivot(index=["model", "seed"], columns="train_share", values=column)
        losses = (scores.iloc[:, -1] - scores.iloc[:, 0]).rename("loss").reset_index()
        what = f"loss of validation {name}, largest to smallest share"
        lines += [claim(what, losses, "loss", other, rc, 3) for other in others]
    return lines


def draw(results: pd.DataFrame) -> Figure:
    """Medians over seeds as lines, every seed a dot, as in figure 6."""
    figure, axes = new_figure(1, 2, width=8, height=3.3)
    for ax, (column, name) in zip(axes, PERFORMANCE.items(), strict=True):
        for colour, (label, *_) in zip(COLOURS, MODELS, strict=False):
            rows = results[results["model"] == label]
            medians = rows.groupby("train_share")[column].median()
            ax.plot(medians.index, medians, color=colour, label=label)
            ax.plot(rows["train_share"], rows[column], ".", color=colour, alpha=0.6)
        ax.set(xscale="log", xlabel="share of the training set", ylabel=f"validation {name}")
        ax.set_xticks(medians.index, [f"{share:.0%}" for share in medians.index], fontsize=8)
        ax.minorticks_off()
    legend_above(figure, axes[0], len(MODELS))
    return figure


STUDY = Study("fig6", make_runs, report, data="one")
