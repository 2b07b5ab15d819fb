"""How a model is initialised and optimised: the one place where a recipe is written down.

``paper`` is faithful to Shrikumar, Greenside & Kundaje 2017; ``quiet`` is what docs/explanation/recipe.md found to be
better; ``seeded`` is quiet with filters that start from words of the training set, and is what `fit` takes when not
told. Another recipe is another `Recipe`; nothing else changes.
"""

import math
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from rcinterp.errors import InputError
from rcinterp.training.initialisation import initialise_as_keras, level_read_out, raise_threshold

#: Samples of an epoch: the least that a schedule of 20 epochs can do with, and the paper's.
FEWEST, MOST = 1000, 5000


@dataclass(frozen=True)
class Recipe:
    """Initialisation, optimiser, learning-rate schedule and length of a training run.

    Attributes
    ----------
    name : str
        Under which it is recorded beside a model.
    initialise : callable
        (model, length of the sequences in bp): draws the weights anew, in place, from torch's global generator; frozen
        weights are left alone.
    optimiser : callable
        Trainable parameters, or torch's groups of them -> torch optimiser, with the base learning rate.
    schedule : callable
        Share of the steps done, in [0, 1) -> factor on the base learning rate.
    epochs : int
        At most, when `fit` is not told.
    samples_per_epoch : (int, int)
        Fewest and most, when `fit` is not told: between them, an epoch is one pass over the training set.
    patience : int or None
        Epochs without a better validation auROC after which to stop, when `fit` is not told; None: never.
    read_out_rate : callable
        Number of training sequences -> factor on the learning rate of the layers after the last max pooling.
    momentum : float, optional
        Share of the newest batch in batch norm's running statistics, during training; when not given, the layers' own,
        which is 0.01 in compact models (Keras' 0.99).
    words : bool
        Whether filters of the first layer start from words that tell the classes apart (`rcinterp.training.words`).
    """

    name: str
    initialise: Callable[[nn.Module, int], None]
    optimiser: Callable[[Iterable[Any]], torch.optim.Optimizer]
    schedule: Callable[[float], float]
    epochs: int = 80
    samples_per_epoch: tuple[int, int] = (MOST, MOST)
    patience: int | None = 10
    read_out_rate: Callable[[int], float] = lambda n_train: 1.0
    momentum: float | None = None
    words: bool = False


def find_recipe(recipe: str | Recipe) -> Recipe:
    """Recipe of that name, or the recipe itself."""
    if isinstance(recipe, Recipe):
        return recipe
    if recipe not in RECIPES:
        raise InputError(
            f"recipe: got {recipe!r}, expected one of {', '.join(RECIPES)}, or an rcinterp.training.recipes.Recipe"
        )
    return RECIPES[recipe]


class KerasAdam(torch.optim.Adam):
    """Adam as Keras has it: eps is added to the root of the second moment *before* its bias correction.

    Notes
    -----
    ``w -= lr · sqrt(1 - b2^t) / (1 - b1^t) · m / (sqrt(v) + eps)``; PyTorch's own corrects v first, which makes its
    eps count for less, by sqrt(1 - b2^t): a 32nd at the first step. Equal to the original to 1e-10 over five steps.
    """

    def step(self, closure: None = None) -> None:  # type: ignore[override]  # the closure is not supported here
        """Update every parameter once."""
        for group in self.param_groups:
            states = [self.state[p] for p in group["params"] if p in self.state]
            n_steps = 1 + (int(states[0]["step"]) if states else 0)
            group["eps"] = self.defaults["eps"] / (1 - group["betas"][1] ** n_steps) ** 0.5
        super().step()


def constant(progress: float) -> float:
    """Factor 1 from the first step to the last."""
    return 1.0


def one_cycle(progress: float, warm_up: float = 0.25) -> float:
    """Factor that rises linearly from 0 to 1 over the first quarter of the steps, then falls to 0 along a cosine."""
    if progress < warm_up:
        return progress / warm_up
    return 0.5 * (1 + math.cos(math.pi * (progress - warm_up) / (1 - warm_up)))


def compose(  # noqa: PLR0913  # the parts of a recipe, which docs/explanation/recipe.md takes apart one by one
    name: str,
    *,
    threshold: float = 1.0,
    level: bool = True,
    cycle: bool = True,
    learning_rate: float = 1e-3,
    read_out_rate: float = 1.0,
    read_out_by_size: bool = False,
    momentum: float | None = None,
    epochs: int = 20,
    samples_per_epoch: tuple[int, int] = (MOST, MOST),
    patience: int | None = None,
    words: bool = False,
) -> Recipe:
    """Recipe made of the parts that docs/explanation/recipe.md takes apart; with none of them it is the paper's.

    Parameters
    ----------
    name : str
    threshold : float
        Where the batch norm before the pooling starts, in units of minus the expected maximum (`raise_threshold`); 0 to
        leave it.
    level : bool
        Start the read-out level over positions (`level_read_out`).
    cycle : bool
        One-cycle learning rate rather than a constant one.
    learning_rate : float
        Its largest value.
    read_out_rate : float
        Factor on the learning rate of the layers after the last max pooling.
    read_out_by_size : bool
        In proportion less for fewer than 5,000 training sequences, as many as an epoch takes at most, down to a fifth.
    momentum, epochs, samples_per_epoch, patience, words
        As in `Recipe`.
    """

    def factor(n_train: int) -> float:
        size = min(max(n_train, FEWEST), MOST) if read_out_by_size else MOST
        return read_out_rate * size / MOST

    def initialise(model: nn.Module, length: int) -> None:
        initialise_as_keras(model)
        if threshold and not raise_threshold(model, length, factor=threshold):
            warnings.warn(
                f"recipe {name}: the model has no batch norm that feeds a max pooling (both as modules), for which the "
                'recipe is made; a filter starts as in recipe="paper", which may train it better.',
                stacklevel=5,  # of who calls `fit`, which lets the model start in a context
            )
        if level:
            level_read_out(model, length)

    return Recipe(
        name=name,
        initialise=initialise,
        optimiser=lambda parameters: KerasAdam(parameters, lr=learning_rate),
        schedule=one_cycle if cycle else constant,
        epochs=epochs,
        samples_per_epoch=samples_per_epoch,
        patience=patience,
        read_out_rate=factor,
        momentum=momentum,
        words=words,
    )


#: Arguments of `compose`: section 3.4, and what docs/explanation/recipe.md found.
PAPER: Mapping[str, Any] = {
    "threshold": 0.0,
    "level": False,
    "cycle": False,
    "learning_rate": 1e-3,
    "read_out_rate": 1.0,
    "read_out_by_size": False,
    "momentum": None,
    "samples_per_epoch": (MOST, MOST),
}
QUIET: Mapping[str, Any] = {
    "threshold": 1.0,
    "level": True,
    "cycle": True,
    "learning_rate": 2e-2,
    "read_out_rate": 0.3,
    "read_out_by_size": True,
    "momentum": 0.1,
    "samples_per_epoch": (FEWEST, MOST),
}
#: All that makes each named recipe.
PARTS: dict[str, dict[str, Any]] = {
    "paper": {**PAPER, "epochs": 80, "patience": 10},
    "quiet": {**QUIET, "epochs": 20, "patience": None},
    "seeded": {**QUIET, "epochs": 20, "patience": None, "words": True},
}

RECIPES = {name: compose(name, **parts) for name, parts in PARTS.items()}
