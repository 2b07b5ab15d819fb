"""How a model is initialised and optimised: the one place where a recipe is written down.

``paper`` is faithful to Shrikumar, Greenside & Kundaje 2017. Another recipe is another `Recipe`; nothing else changes.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import nn

from rcinterp.errors import InputError


@dataclass(frozen=True)
class Recipe:
    """Initialisation, optimiser and learning-rate schedule of a training run.

    Attributes
    ----------
    name : str
        Under which it is recorded beside a model.
    initialise : callable
        Draws the weights of a model anew, in place, from torch's global generator; frozen weights are left alone.
    optimiser : callable
        Trainable parameters -> torch optimiser, with the base learning rate.
    schedule : callable
        Share of the steps done, in [0, 1) -> factor on the base learning rate.
    """

    name: str
    initialise: Callable[[nn.Module], None]
    optimiser: Callable[[Iterable[nn.Parameter]], torch.optim.Optimizer]
    schedule: Callable[[float], float]


def find_recipe(recipe: str | Recipe) -> Recipe:
    """Recipe of that name, or the recipe itself."""
    if isinstance(recipe, Recipe):
        return recipe
    if recipe not in RECIPES:
        raise InputError(f"recipe: got {recipe!r}, expected one of {', '.join(RECIPES)}, or an rcinterp.recipes.Recipe")
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


def initialise_as_keras(model: nn.Module) -> None:
    """Draw weights as the paper did: Glorot-uniform for convolution and dense, biases 0, section 3.7 for weighted sums.

    Layers whose parameters are all frozen (the all-ones head) stay as they are; other layers draw by their own
    ``reset_parameters``.
    """
    for module in model.modules():
        parameters = list(module.parameters(recurse=False))
        if parameters and not any(parameter.requires_grad for parameter in parameters):
            continue
        if isinstance(module, nn.Conv1d | nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif callable(reset := getattr(module, "reset_parameters", None)):
            reset()


def _constant(progress: float) -> float:
    return 1.0


RECIPES = {
    "paper": Recipe(
        name="paper",
        initialise=initialise_as_keras,
        optimiser=lambda parameters: KerasAdam(parameters, lr=1e-3),
        schedule=_constant,
    )
}
