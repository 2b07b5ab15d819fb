"""What a training run is to do: the data, the recipe and all settings, checked once; the same for every seed."""

import warnings
from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from rcinterp.data.datasets import Dataset
from rcinterp.data.leakage import Leakage, find_leakage
from rcinterp.errors import InputError, require_whole
from rcinterp.memory import require_memory
from rcinterp.reading.inputs import Inputs
from rcinterp.reading.model import BATCH_SIZE, N_LOOKED_AT, Runner, place_of
from rcinterp.reading.outputs import look_at_outputs, run_heads
from rcinterp.training.models import Architecture, CompactModel
from rcinterp.training.precision import check_precision
from rcinterp.training.recipes import Recipe, find_recipe
from rcinterp.training.steps import make_optimiser


@dataclass(frozen=True, eq=False)
class Plan:
    """What a training run is to do.

    Attributes
    ----------
    train, valid : Dataset
    recipe : Recipe
    positive_weight : Tensor, shape (n_tasks,)
        In the loss.
    settings : dict
        All that makes it this run, as a checkpoint and a model's provenance have it.
    leakage : Leakage
        Of the validation set.
    """

    train: Dataset
    valid: Dataset
    recipe: Recipe
    positive_weight: Tensor
    settings: dict[str, Any]
    leakage: Leakage


def make_plan(  # noqa: PLR0913  # the settings of `fit`
    model: nn.Module,
    train: Dataset,
    valid: Dataset,
    *,
    seed: int,
    recipe: str | Recipe,
    epochs: int | None,
    samples_per_epoch: int | None,
    batch_size: int,
    patience: int | Literal["recipe"] | None,
    positive_weight: str | float,
    augment: bool,
    initialise: bool,
    score_train: bool,
    precision: str,
) -> Plan:
    """Check what `fit` was given, and fill in what the recipe or the data decide.

    Raises
    ------
    InputError
        If the data do not fit the model or each other, or a setting cannot be.

    Warns
    -----
    UserWarning
        If validation sequences stand in the training set, or sequences in a set twice, or if the model gives
        probabilities; told of the caller's caller.
    """
    recipe = find_recipe(recipe)
    _check_data(model, train, valid)
    check_precision(precision, model)
    leakage = find_leakage(train, valid)
    for message in [*leakage.messages(), *_doubts_of_outputs(model, train)]:
        warnings.warn(f"fit: {message}", stacklevel=3)
    epochs = require_whole("epochs", recipe.epochs if epochs is None else epochs, 1, "fit")
    patience = recipe.patience if patience == "recipe" else patience
    if samples_per_epoch is None:
        fewest, most = recipe.samples_per_epoch
        samples_per_epoch = min(most, max(fewest, len(train)))
    samples_per_epoch = require_whole("samples_per_epoch", samples_per_epoch, 1, "fit")
    batch_size, seed = require_whole("batch_size", batch_size, 1, "fit"), require_whole("seed", seed, -(2**63), "fit")
    n = min(batch_size, samples_per_epoch)
    require_memory(
        f"fit: a batch of {n:,} sequences of {train.length} bp", 32 * n * train.length, "use smaller batches"
    )
    if isinstance(model, CompactModel) and place_of(model)[0].type == "cpu":
        require_memory(
            f"fit: a model of {model.architecture.n_filters:,} filters, on {n:,} sequences at a time,",
            _least_memory(model.architecture, n, min(BATCH_SIZE, len(valid))),
            "use fewer filters or smaller batches (--filters and --batch-size on the command line)",
        )
    loss_weight = as_positive_weight(positive_weight, train.y)
    settings = {
        "model": {name: [str(value.dtype), *value.shape] for name, value in model.state_dict().items()},
        "architecture": asdict(model.architecture) if isinstance(model, CompactModel) else type(model).__name__,
        "initialise": initialise,
        "recipe": recipe.name,
        "rates": _rates(recipe, make_optimiser(recipe, model, train)),
        "seed": seed,
        "epochs": epochs,
        "samples_per_epoch": samples_per_epoch,
        "batch_size": batch_size,
        "patience": patience,
        "positive_weight": positive_weight if isinstance(positive_weight, str) else float(positive_weight),
        "augment": augment,
        "score_train": score_train,
        "precision": precision,
        "train_sha256": train.sha256,
        "valid_sha256": valid.sha256,
    }
    return Plan(train, valid, recipe, loss_weight, settings, leakage)


def _least_memory(architecture: Architecture, n_trained: int, n_predicted: int) -> int:
    """Bytes that training takes at least, in float32; it may take twice as much.

    Of each weight: itself, its gradient, and two numbers of the optimiser. Of each map while training: what the
    convolution, its batch norm and its activation give, which the backward pass needs. While predicting: two maps.
    """
    maps = architecture.map_sizes
    return 16 * architecture.n_weights + max(12 * n_trained * sum(maps), 8 * n_predicted * max(maps))


def _rates(recipe: Recipe, optimiser: torch.optim.Optimizer) -> dict[str, Any]:
    """Of what a recipe does after the start all that can be told: two of the same name may differ."""
    return {
        "learning": [group["lr"] for group in optimiser.param_groups],
        "schedule": [recipe.schedule(share / 8) for share in range(8)],
        "momentum": recipe.momentum,
    }


def _doubts_of_outputs(model: nn.Module, train: Dataset) -> list[str]:
    """Sentences on outputs that are no logits; none of compact models, whose outputs are."""
    if isinstance(model, CompactModel):
        return []
    runner, inputs = Runner(model, device=place_of(model)[0]), Inputs(train.x[:N_LOOKED_AT])
    try:
        with runner.borrowed():
            runner = runner.settled(inputs)
            squash = runner.squash
            if squash is not None:
                return [
                    f"the model ends in {squash}, but the loss is taken of logits (it has a sigmoid of its own): leave "
                    "it out of the model, or training is slow and the outputs are not calibrated."
                ]
            if runner.mark is None:  # values of a model that is not trained tell nothing
                return []
            kinds = set(look_at_outputs(runner, inputs, run_heads(runner, [inputs]), False).kinds)
    except InputError:  # said by the loss, in its words
        return []
    return [
        f"the outputs seem to be {kind}, but the loss is taken of logits (it has a sigmoid of its own): let the model "
        "return logits, or training is slow and the outputs are not calibrated."
        for kind in kinds
        if kind is not None
    ]


def as_positive_weight(given: object, y: Tensor) -> Tensor:
    """Weight of the positives of each task in the loss."""
    if given == "balanced":
        n_positive = y.sum(0)
        return (len(y) - n_positive) / n_positive.clamp(min=1)
    if not hasattr(given, "__float__") or not 0 < (weight := float(given)) < float("inf"):
        raise InputError(f"positive_weight: got {given!r}, expected 'balanced' or a number above 0.")
    return torch.full((y.shape[1],), weight)


def _check_data(model: nn.Module, train: Dataset, valid: Dataset) -> None:
    given: list[tuple[str, object]] = [("train", train), ("valid", valid)]
    for name, data in given:
        if not isinstance(data, Dataset):
            raise InputError(f"fit: got {name} as {type(data).__name__}, expected a Dataset; use load_dataset(...).")
    if train.length != valid.length or train.n_tasks != valid.n_tasks:
        raise InputError(
            f"fit: got training sequences of {train.length} bp with {train.n_tasks} tasks and validation sequences of "
            f"{valid.length} bp with {valid.n_tasks}; expected the same. Cut both to one length."
        )
    if isinstance(model, CompactModel) and model.architecture.length != train.length:
        raise InputError(
            f"fit: got sequences of {train.length} bp for a model of {model.architecture.length} bp; build it with "
            f"compact_model(..., length={train.length})."
        )
    if isinstance(model, CompactModel) and model.architecture.n_tasks != train.n_tasks:
        raise InputError(
            f"fit: got {train.n_tasks} tasks for a model of {model.architecture.n_tasks}; build it with "
            f"compact_model(..., n_tasks={train.n_tasks})."
        )
