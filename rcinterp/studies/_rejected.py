"""Parts of a recipe that the ablation tried and that were rejected: tied positions, and a threshold in every layer."""

from dataclasses import replace
from functools import partial
from typing import Any

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from rcinterp.training.initialisation import find_read_outs, set_thresholds, trace
from rcinterp.training.recipes import Recipe, compose


def compose_any(name: str, *, tying: float = 0.0, every_layer: bool = False, **parts: Any) -> Recipe:
    """Recipe made of parts, the rejected ones among them.

    Parameters
    ----------
    name : str
    tying : float
        Strength of `tie_positions`; 0 for none.
    every_layer : bool
        Whether every batch norm starts at the threshold, and not that before the last max pooling alone.
    parts
        As in `rcinterp.training.recipes.compose`.
    """
    recipe = compose(name, **parts)
    if not tying and not every_layer:
        return recipe

    def initialise(model: nn.Module, length: int) -> None:
        recipe.initialise(model, length)
        if every_layer:
            raise_every_threshold(model, length, parts["threshold"])
        if tying:
            tie_positions(model, length, tying)

    return replace(recipe, initialise=initialise)


def raise_every_threshold(model: nn.Module, length: int, factor: float) -> None:
    """Start every batch norm as `raise_threshold` starts one; docs/explanation/recipe.md shows what harm that does."""
    calls = trace(model, length)
    norms = dict.fromkeys(call.module for call in calls if isinstance(call.module, _BatchNorm))
    set_thresholds(calls, [norm for norm in norms if isinstance(norm, _BatchNorm)], factor)


def tie_positions(model: nn.Module, length: int, strength: float) -> None:
    """Pull the read-out's weights to their mean over positions, from now on, whatever trains them.

    Notes
    -----
    To the gradient of each weight w[..., l] is added that of ``strength · sum of (w[..., l] - mean over l)²``, which is
    ``2 · strength · (w[..., l] - mean over l)``. The loss that is reported is without it.
    """
    for read_out in find_read_outs(model, length):
        if read_out.parameter.requires_grad:
            pull = partial(_pull, read_out.weights().detach(), strength)
            read_out.parameter.register_hook(pull)  # type: ignore[no-untyped-call]  # so it is in torch


def _pull(weights: Tensor, strength: float, gradient: Tensor) -> Tensor:
    """Gradient with the penalty's own; the weights are a view of the parameter, and change with it."""
    return gradient + (2 * strength * (weights - weights.mean(-1, keepdim=True))).view_as(gradient)
