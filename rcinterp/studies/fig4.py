"""Figure 4: how much a model's prediction changes when the same sequence is read from its other strand."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from scipy.special import expit

from rcinterp.reading.model import predict
from rcinterp.studies._chip import chip_run, folders
from rcinterp.studies._drawing import COLOURS, new_figure
from rcinterp.studies._runs import Run
from rcinterp.studies._statistics import spread, summarise
from rcinterp.studies._study import Findings, Options, Study, tabulate
from rcinterp.training.models import CompactModel
from rclayers import exact_strands, reverse_complement

#: Sequences that are read from both strands: the test set, or the validation set where there is none, or so many of it
#: at random (the paper's number).
N_SEQUENCES = 10_000
#: Label, filters, whether the strands share weights, whether the training set is augmented: the panels of the figure.
#: The paper's three, and augmented ones of as many channels as the RC model has.
MODELS = (
    ("traditional, 16 filters", 16, False, False),
    ("traditional, 16 filters, augmented", 16, False, True),
    ("traditional, 32 filters, augmented", 32, False, True),
    ("RC, 16 filters", 16, True, False),
)


def make_runs(options: Options) -> list[Run]:
    """Four models of three layers a seed."""
    (data,) = folders(options)
    return [
        chip_run(label, n_filters, data, seed, options, rc=rc, augment=augment)
        for seed in range(options.seeds)
        for label, n_filters, rc, augment in MODELS
    ]


def read(model: CompactModel, run: Run, folder: Path) -> dict[str, Any]:
    """Probabilities of held-out sequences and of their reverse complements, and how far they agree."""
    _, valid, test = run.data.load()
    held_out = valid if test is None else test
    drawn = torch.randperm(len(held_out), generator=torch.Generator().manual_seed(0))[:N_SEQUENCES]
    x = held_out.x[drawn.sort().values]
    with exact_strands():  # the guarantee itself, not how a processor rounds
        logits = [predict(model, strand)[:, 0].double().numpy() for strand in (x, reverse_complement(x))]
    forward, reverse = map(expit, logits)
    return {
        "strand_correlation": float(np.corrcoef(forward, reverse)[0, 1]),
        "largest_difference": float(np.abs(forward - reverse).max()),
        "mean_difference": float(np.abs(forward - reverse).mean()),
        "called_by_one_strand_only": float(((forward > 0.5) != (reverse > 0.5)).mean()),
        "forward": forward.tolist(),
        "reverse": reverse.tolist(),
    }


def report(runs: Sequence[Run], results: Sequence[dict[str, Any]]) -> Findings:
    """Correlation and differences of the predicted probabilities; the scatter plots are those of the first seed."""
    table = tabulate(runs, results)
    columns = [
        "strand_correlation",
        "largest_difference",
        "mean_difference",
        "called_by_one_strand_only",
        "valid_auroc",
    ]
    return Findings(
        {"results": table, "summary": summarise(table, ["model"], columns)}, judge(table), draw(runs, results)
    )


def judge(results: pd.DataFrame) -> str:
    """The paper's claim: identical predictions from RC models only; augmentation helps, but is no guarantee."""
    lines = [f"{results['seed'].nunique()} seeds; probabilities of each sequence and of its reverse complement"]
    for label, *_ in MODELS:
        rows = results[results["model"] == label]
        lines.append(
            f"{label}: correlation {spread(rows['strand_correlation'], 4)}, largest difference "
            f"{rows['largest_difference'].max():.2g}, called bound from one strand only "
            f"{100 * rows['called_by_one_strand_only'].mean():.1f} % of sequences"
        )
    rc = results[results["model"] == MODELS[-1][0]]
    holds = "identical" if rc["largest_difference"].max() < 1e-6 else "NOT identical"
    lines.append(f"predictions of the RC models from both strands are {holds}")
    return "\n".join(lines)


def draw(runs: Sequence[Run], results: Sequence[dict[str, Any]]) -> Figure:
    """One panel a model, every sequence a point."""
    figure, axes = new_figure(1, len(MODELS), width=3 * len(MODELS), height=3.9, sharex=True, sharey=True)
    for ax, run, result in zip(axes, runs, results, strict=False):  # the first seed's runs stand first
        colour = COLOURS[0 if run.model["rc"] else 1]
        ax.plot(result["forward"], result["reverse"], ".", markersize=2, alpha=0.4, color=colour, rasterized=True)
        ax.set_title(f"{run.label}\nr = {result['strand_correlation']:.4f}", fontsize=9)
        ax.set(xlabel="probability, forward", box_aspect=1)
    axes[0].set_ylabel("probability, reverse complement")
    return figure


STUDY = Study("fig4", make_runs, report, read, data="one")
