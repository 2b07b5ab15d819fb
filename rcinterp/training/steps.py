"""The steps of training: which sequences, what loss, what rate for which parameters, and the scores after an epoch.

All of it is the same for one model and for several in a stack (`rcinterp.training.together`): these have an order of
the sequences and a loss each.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from rcinterp.data.datasets import Dataset
from rcinterp.errors import InputError
from rcinterp.training.initialisation import read_out_parameters
from rcinterp.training.performance import score_logits
from rcinterp.training.recipes import Recipe
from rcinterp.training.run import Run
from rclayers import reverse_complement


def make_optimiser(
    recipe: Recipe, model: nn.Module, train: Dataset, stacked: Mapping[str, Tensor] | None = None
) -> torch.optim.Optimizer:
    """Optimiser of the trainable parameters; those of the read-out are a group of their own if their rate differs.

    Where `stacked` is given, of the parameters in it that stand under the same names.
    """
    own = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    used: Mapping[str, Tensor] = own if stacked is None else {name: stacked[name] for name in own}
    read_out_rate = recipe.read_out_rate(len(train))
    if read_out_rate == 1:
        return recipe.optimiser(list(used.values()))
    read_out = set(read_out_parameters(model, train.length))
    is_read_out = {name: parameter in read_out for name, parameter in own.items()}
    parts = [[used[name] for name in own if is_read_out[name] == wanted] for wanted in (False, True)]
    optimiser = recipe.optimiser([{"params": part} for part in parts])
    optimiser.param_groups[1]["lr"] *= read_out_rate
    return optimiser


@contextmanager
def batch_norm_momentum(model: nn.Module, momentum: float | None) -> Iterator[None]:
    """Batch norm takes up the newest batch by that share, while it lasts; None: by its own."""
    layers = {m: m.momentum for m in model.modules() if isinstance(m, _BatchNorm) and momentum is not None}
    for layer in layers:
        layer.momentum = momentum
    try:
        yield
    finally:
        for layer, own in layers.items():
            layer.momentum = own


def order_of(train: Dataset, settings: Mapping[str, Any]) -> Tensor:
    """The order of the sequences, drawn from the seed; a number from len(train) on is one turned around."""
    n_orders = (1 + settings["augment"]) * len(train)
    return torch.randperm(n_orders, generator=torch.Generator().manual_seed(settings["seed"]))


def epoch_batches(orders: Tensor, epoch: int, settings: Mapping[str, Any]) -> Iterator[tuple[float, Tensor]]:
    """Share of the run that is done, and the numbers of the next batch, (..., n), through one epoch of orders (..., N).

    The epochs walk through an order round and round.
    """
    n_samples, batch_size = settings["samples_per_epoch"], settings["batch_size"]
    for start in range(0, n_samples, batch_size):
        wanted = torch.arange(start, min(start + batch_size, n_samples)) + epoch * n_samples
        yield (epoch + start / n_samples) / settings["epochs"], orders[..., wanted % orders.shape[-1]]


def train_epoch(
    run: Run,
    train: Dataset,
    orders: Tensor,
    place: tuple[torch.device, torch.dtype],
    losses_of: Callable[[Tensor, Tensor], Tensor],
) -> Tensor:
    """Take the steps of one epoch; returns the mean loss, or one a model.

    Parameters
    ----------
    run : Run
        Whose optimiser takes the steps; of several models, any one.
    train : Dataset
    orders : Tensor, shape (..., N)
        Of the sequences: one, or one a model.
    place : device, dtype
        Where the model is.
    losses_of : callable
        Sequences (..., n, 4, L) and labels (..., n, n_tasks) -> the loss, or one a model.
    """
    losses = []
    for share, batch in epoch_batches(orders, run.n_epochs, run.settings):
        run.set_rate(share)
        rows, turned = batch % len(train), batch >= len(train)
        x = train.x[rows]
        x[turned] = reverse_complement(x[turned])
        loss = losses_of(x.to(*place), train.y[rows].to(*place))
        run.optimiser.zero_grad()
        loss.sum().backward()  # type: ignore[no-untyped-call]  # so it is in torch
        run.optimiser.step()
        losses.append(loss.detach())
    return torch.stack(losses).mean(0)


def loss_of(logits: Tensor, y: Tensor, positive_weight: Tensor) -> Tensor:
    """Binary cross-entropy, mean over tasks and samples of (class weight · loss)."""
    given: object = logits
    if not isinstance(given, Tensor):
        raise InputError(f"fit: the model gives {type(given).__name__}, expected one tensor of logits, (n, n_tasks).")
    if logits.is_complex():
        raise InputError(f"fit: the model gives complex logits ({logits.dtype}), expected real ones; give their .real.")
    if logits.numel() != y.numel():
        raise InputError(
            f"fit: the model gives {tuple(logits.shape)} logits for {tuple(y.shape)} labels, expected one a label; its "
            "number of outputs must be the data's number of tasks."
        )
    return functional.binary_cross_entropy_with_logits(
        logits.reshape(y.shape), y, pos_weight=positive_weight.to(logits.device, logits.dtype)
    )


def score(
    logits_of: Callable[[Dataset], Tensor], valid: Dataset, train: Dataset | None = None, *, positive_weight: Tensor
) -> dict[str, float]:
    """Loss on the validation set, auROC and auPRC on it and, if given, on the training set: means over tasks."""
    logits = logits_of(valid)
    means = {"valid": score_logits(valid.y, logits).mean()}
    if train is not None:
        means["train"] = score_logits(train.y, logits_of(train)).mean()
    scores = {f"{part}_{name}": float(mean[name]) for part, mean in means.items() for name in ("auroc", "auprc")}
    return {"valid_loss": float(loss_of(logits, valid.y.to(logits.dtype), positive_weight)), **scores}
