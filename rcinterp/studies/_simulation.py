"""Section 3.4.1: the models of the simulated study, and how they are trained."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rcinterp.studies._data import Simulated
from rcinterp.studies._runs import Run
from rcinterp.studies._study import Options

#: One convolution of width 21, pooling 20/20.
ARCHITECTURE: Mapping[str, Any] = {"n_layers": 1, "widths": [21], "pool": 20, "stride": 20}
#: Epochs of the small setting.
SMALL_EPOCHS = 3
#: Seed of the simulation: the same 30,000 sequences for every model.
DATA_SEED = 2017


def simulated(length: int, options: Options) -> Simulated:
    """The sequences of section 3.2, or a tenth of them."""
    return Simulated(length=length, n_per_motif=1_000 if options.small else 10_000, seed=DATA_SEED)


def as_by_zhou(data: Simulated) -> Simulated:
    """The same sequences with a fifth of the training labels turned each by itself, all others right."""
    return replace(data, label_noise=0.0, flipped=0.2)


def training(options: Options, recipe: str) -> dict[str, Any]:
    """Arguments of `fit`: those of section 3.4.1 for the paper's recipe.

    The paper's runs stop after 10 epochs without gain, each 5,000 samples in batches of 500, its loss unweighted; at
    most 300 epochs, a limit of ours. Their training set is scored too, for figure 2. Other recipes
    have their own length, and batches of 100.
    """
    chosen: dict[str, Any] = {"positive_weight": 1.0}
    if recipe == "paper":
        chosen |= {"batch_size": 500, "score_train": True, "epochs": 300}
    if options.epochs or options.small:
        chosen["epochs"] = options.epochs or SMALL_EPOCHS
    return chosen


def simulated_run(  # noqa: PLR0913  # what runs of the simulated studies differ in
    label: str,
    n_filters: int,
    seed: int,
    options: Options,
    *,
    data: Simulated | None = None,
    rc: bool = True,
    read_out: str | None = None,
    augment: bool = False,
    conjoined: bool = False,
) -> Run:
    """A run of the simulated study, on the paper's three motifs in 200 bp if no other data are given."""
    model = {**ARCHITECTURE, "n_filters": n_filters, "rc": rc} | ({"read_out": read_out} if read_out else {})
    chosen = training(options, options.recipe) | ({"augment": True} if augment else {})
    return Run(
        label, data or simulated(200, options), seed, model, options.recipe, training=chosen, conjoined=conjoined
    )
