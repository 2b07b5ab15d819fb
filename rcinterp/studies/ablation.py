"""What each part of "quiet" does, alone and together, to both kinds of models (docs/explanation/recipe.md)."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from rcinterp.errors import InputError
from rcinterp.studies._chip import chip_run, folders
from rcinterp.studies._data import Data, Simulated
from rcinterp.studies._drawing import COLOURS, new_figure
from rcinterp.studies._runs import Run
from rcinterp.studies._simulation import ARCHITECTURE, SMALL_EPOCHS, simulated, simulated_run
from rcinterp.studies._statistics import spread, summarise
from rcinterp.studies._study import Findings, Options, Study, tabulate
from rcinterp.training.recipes import PAPER, QUIET

#: A part's name, and the arguments of `recipes.compose` that belong to it.
PARTS = {
    "threshold": ("threshold",),
    "level read-out": ("level",),
    "one cycle": ("cycle",),
    "rate": ("learning_rate",),
    "slow read-out": ("read_out_rate", "read_out_by_size"),
    "statistics": ("momentum",),
    "passes": ("samples_per_epoch",),  # the same for the simulated data, which are larger than either
}
#: Epochs of 5,000 samples, or of one pass over smaller data in the rows that have "passes", in batches of 100: of every
#: run but the paper's recipe in full, which has its own, and the row of larger batches.
EPOCHS = 20
#: Batches of the simulated studies (section 3.4.1).
PAPER_BATCH = 500
LENGTHS = (200, 1000)
#: Layers, and filters of the RC model; the traditional one has twice as many.
REAL_SIZES = ((1, 8), (3, 16))
#: What is compared: of simulated data the first, of real data the second.
PERFORMANCE = {"test_auroc": "clean test auROC", "valid_auroc": "validation auROC"}


def variants(n_layers: int, is_simulated: bool) -> dict[str, dict[str, Any]]:
    """Rows of the table: arguments of `compose_any` by name."""
    parts = {part: names for part, names in PARTS.items() if part != "passes" or not is_simulated}
    rows = {"no part": dict(PAPER)}
    rows |= {f"{part} alone": {**PAPER, **_of(QUIET, names)} for part, names in parts.items()}
    rows["tying alone"] = {**PAPER, "tying": 1.0}
    rows["threshold and level read-out"] = {**PAPER, **_of(QUIET, ["threshold", "level"])}
    rows |= {f"quiet without {part}": {**QUIET, **_of(PAPER, names)} for part, names in parts.items()}
    rows["quiet"] = dict(QUIET)
    rows["quiet, threshold × 0.75"] = {**QUIET, "threshold": 0.75}
    rows["quiet, threshold × 1.25"] = {**QUIET, "threshold": 1.25}
    rows["quiet + tying"] = {**QUIET, "tying": 1.0}
    if n_layers > 1:
        rows["quiet, threshold in every layer"] = {**QUIET, "every_layer": True}
    return rows


def _of(recipe: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: recipe[name] for name in names}


def make_runs(options: Options) -> list[Run]:
    """All variants of RC and traditional models: of one layer on simulated data, or of one and three on real data."""
    if options.recipe != "paper":
        raise InputError(f"study ablation: got recipe {options.recipe}, but it compares recipes; leave --recipe out.")
    runs = []
    for data, model, augment in _subjects(options):
        for seed in range(options.seeds):
            runs.append(_in_full(data, model, augment, seed, options))
            training: dict[str, Any] = {"epochs": options.epochs or (SMALL_EPOCHS if options.small else EPOCHS)}
            training |= {"augment": True} if augment else {}
            training |= {} if options.data else {"positive_weight": 1.0}
            label = _label(model, augment)
            for name, parts in variants(model["n_layers"], not options.data).items():
                runs.append(Run(label, data, seed, model, name, parts, training))
            if not options.data:
                large = training | {"batch_size": PAPER_BATCH}
                runs.append(Run(label, data, seed, model, f"quiet, batches of {PAPER_BATCH}", dict(QUIET), large))
    return runs


def _in_full(data: Data, model: dict[str, Any], augment: bool, seed: int, options: Options) -> Run:
    """The paper's recipe with its own batches and length (20 epochs are few at its rate), as in figures 3, 4 and 5."""
    rc, label = model["rc"], _label(model, augment)
    if isinstance(data, Simulated):
        return simulated_run(label, model["n_filters"], seed, options, data=data, rc=rc)
    return chip_run(label, model["n_filters"], data, seed, options, n_layers=model["n_layers"], rc=rc, augment=augment)


def _subjects(options: Options) -> list[tuple[Data, dict[str, Any], bool]]:
    if not options.data:
        sizes = options.lengths or LENGTHS
        models = [{**ARCHITECTURE, "n_filters": 20, "rc": rc} for rc in (True, False)]
        return [(simulated(length, options), model, False) for length in sizes for model in models]
    return [
        (data, {"n_layers": n_layers, "n_filters": n_filters * (1 if rc else 2), "rc": rc}, not rc)
        for data in folders(options)
        for n_layers, n_filters in REAL_SIZES
        for rc in (True, False)
    ]


def _label(model: Mapping[str, Any], augment: bool) -> str:
    kind = "RC" if model["rc"] else "traditional, augmented" if augment else "traditional"
    layers = "" if model["n_layers"] == 1 else f"{model['n_layers']} layers, "
    return f"{layers}{kind}, {model['n_filters']} filters"


def report(runs: Sequence[Run], results: Sequence[dict[str, Any]]) -> Findings:
    """Performance of every variant: clean test auROC of simulated data, validation auROC of real data."""
    table = tabulate(runs, results)
    column = _column(table)
    last = [result["history"]["valid_auroc"][-1] for result in results]
    table = table.assign(last_valid_auroc=last)
    summary = summarise(table, ["data", "model", "recipe"], [column, "best_epoch", "last_valid_auroc"])
    return Findings({"results": table, "summary": summary}, judge(table), draw(table))


def _column(table: pd.DataFrame) -> str:
    """Augmented models are those of real data, which may have test sets too, or some of them."""
    simulated, real = PERFORMANCE
    return real if table["model"].str.contains("augmented").any() else simulated


def judge(results: pd.DataFrame) -> str:
    """Mean, lowest and highest of every variant."""
    column = _column(results)
    lines = [f"{results['seed'].nunique()} seeds; {PERFORMANCE[column]}, mean (lowest to highest)"]
    for (data, model), rows in results.groupby(["data", "model"], sort=False):
        for recipe, of in rows.groupby("recipe", sort=False):
            epochs = spread(of["best_epoch"], 0)
            lines.append(f"{data}; {model}; {recipe}: {spread(of[column], 4)}; best epoch {epochs}")
    return "\n".join(lines)


def draw(results: pd.DataFrame) -> Figure:
    """One panel a data set and model, every seed a dot."""
    column = _column(results)
    groups = list(results.groupby(["data", "model"], sort=False))
    figure, axes = new_figure(1, len(groups), width=3 + 2.6 * len(groups), height=3.8, sharey=True)
    names = list(dict.fromkeys(results["recipe"]))[::-1]
    for ax, ((data, model), rows) in zip(axes, groups, strict=True):
        for i, name in enumerate(names):
            scores = rows.loc[rows["recipe"] == name, column]
            ax.plot(scores, [i] * len(scores), ".", color=COLOURS[0 if "RC" in str(model) else 1])
        ax.set_yticks(range(len(names)), names, fontsize=8)
        ax.set_title(f"{data}\n{model}", fontsize=8)
        ax.set_xlabel(PERFORMANCE[column], fontsize=8)
        ax.tick_params(axis="x", labelsize=8)
    return figure


STUDY = Study("ablation", make_runs, report, data="either", has_lengths=True)
