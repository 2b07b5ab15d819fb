"""What makes a training doubtful at its end: a loss that does not move, dead filters, no better than chance."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from rcinterp.data.datasets import Dataset
from rcinterp.reading.model import BATCH_SIZE, lent, place_of
from rcinterp.training.performance import N_ERRORS, is_chance

#: A training loss that stays within this share of its first epoch's has not moved.
UNMOVED = 1e-3
#: Epochs of which that is asked, at least.
_FEWEST_EPOCHS = 3


def find_doubts(model: nn.Module, train: Dataset, valid: Dataset, history: Sequence[dict[str, float]]) -> list[str]:
    """Sentences on what shows that a model may have learned nothing; none if nothing does.

    Parameters
    ----------
    model : nn.Module
        With the weights that are kept.
    train, valid : Dataset
    history : list of dict
        The epochs of its run: train_loss, valid_auroc.
    """
    said = []
    losses = [row["train_loss"] for row in history]
    if len(losses) >= _FEWEST_EPOCHS and all(abs(loss - losses[0]) <= UNMOVED * abs(losses[0]) for loss in losses):
        said.append(f"its training loss has not moved in {len(losses)} epochs from {losses[0]:.4g}")
    if are_all_dead(model, train):
        said.append("all filters of its first convolution are dead: none is above 0 anywhere in the training set")
    auroc = max(row["valid_auroc"] for row in history)
    n_positive = valid.y.sum(0)
    smallest = int(torch.minimum(n_positive, len(valid) - n_positive).min())
    if is_chance(auroc, smallest, len(valid) - smallest):
        said.append(
            f"its validation auROC, {auroc:.4f}, is not above 0.5 by more than {N_ERRORS} of its standard errors"
        )
    return said


def are_all_dead(model: nn.Module, train: Dataset) -> bool:
    """Whether the first ReLU gives 0 on all training sequences; False where a model has no module of that kind."""
    first = next((module for module in model.modules() if isinstance(module, nn.ReLU)), None)
    if first is None:
        return False
    is_alive: list[bool] = []

    def note(module: nn.Module, given: Any, output: Tensor) -> None:
        if len(is_alive) < n_batches:  # of this batch, the first time that it is called
            is_alive.append(bool((output > 0).any()))

    hook, (device, dtype), n_batches = first.register_forward_hook(note), place_of(model), 0
    try:
        with lent(model), torch.no_grad():
            for start in range(0, len(train), BATCH_SIZE):
                n_batches += 1
                model(train.x[start : start + BATCH_SIZE].to(device=device, dtype=dtype))
                if len(is_alive) < n_batches or is_alive[-1]:
                    return False
    finally:
        hook.remove()
    return True
