"""How much each filter contributes to a prediction: gradient x activation (section 3.5 of the paper)."""

from collections.abc import Iterator
from typing import Any, Literal

import pandas as pd
import torch
from torch import Tensor, nn

from rcinterp.errors import InputError
from rcinterp.filters import FilterLayer, find_filters
from rcinterp.inference import batches, lent
from rcinterp.sequences import SequenceInput, as_one_hot
from rclayers import by_strand

At = Literal["activation", "convolution"]


def filter_contributions(
    model: nn.Module,
    positives: SequenceInput,
    negatives: SequenceInput,
    layer: str | None = None,
    target: int = 0,
    *,
    at: At = "activation",
    batch_size: int = 100,
) -> pd.DataFrame:
    """Contribution of each filter to a logit: its mean over positives less its mean over negatives.

    Parameters
    ----------
    model : nn.Module
        (n, 4, L) -> logits (n, n_tasks). It comes back in its mode, on its device, without hooks, even after an error.
    positives, negatives : Tensor (N, 4, L), or a FASTA path, or a list of str
    layer : str, optional
        Name of the convolution; the first one over the sequence when not given.
    target : int
        Which logit.
    at : "activation" or "convolution"
        Where the activation is taken: after the nonlinearity (default) or at the convolution's own output, before
        batch norm. After batch norm but before a ReLU it is the same number as after the ReLU; before batch norm it is
        not, as the norm's shift is then left out.
    batch_size : int
        Sequences at a time; memory does not grow with their number.

    Returns
    -------
    DataFrame
        One row a filter, in the model's order: filter, score, mean_positive, mean_negative (units of the logit).

    Notes
    -----
    For sequence x and filter f, with activation a and logit z::

        c(x, f) = sum over positions l, and over both channels of f in an RC layer, of  dz/da[f, l] · a[f, l]

    a first-order estimate of what the logit would lose if the filter were silenced. One forward and one partial
    backward pass a batch; no gradients of parameters are computed.

    References
    ----------
    Shrikumar, Greenside & Kundaje 2017, section 3.5.
    """
    filters = find_filters(model, layer)
    means = {}
    for name, sequences in (("mean_positive", positives), ("mean_negative", negatives)):
        x = as_one_hot(sequences, f"filter_contributions: {name.removeprefix('mean_')}s")
        total = torch.zeros(filters.n_filters, dtype=torch.float64)
        for batch in _contributions(model, x, filters, target, at, batch_size):
            total += _by_filter(batch, filters).sum(0)
        means[name] = total / len(x)
    score = means["mean_positive"] - means["mean_negative"]
    columns = {"score": score, **means}
    return pd.DataFrame({"filter": filters.filter_names} | {name: value.numpy() for name, value in columns.items()})


def sequence_contributions(
    model: nn.Module,
    sequences: SequenceInput,
    layer: str | None = None,
    target: int = 0,
    *,
    at: At = "activation",
    batch_size: int = 100,
) -> Tensor:
    """Contribution of each filter to the logit of each sequence, shape (N, F), float64; as `filter_contributions`."""
    filters = find_filters(model, layer)
    found = _contributions(model, as_one_hot(sequences, "sequence_contributions"), filters, target, at, batch_size)
    return torch.cat([_by_filter(batch, filters) for batch in found])


def _by_filter(contributions: Tensor, filters: FilterLayer) -> Tensor:
    """(n, channels) -> (n, F): the two channels of an RC filter added up."""
    if not filters.is_rc:
        return contributions
    forward, reverse = by_strand(contributions).tensor_split(2)
    return forward + reverse


def _contributions(
    model: nn.Module, x: Tensor, filters: FilterLayer, target: int, at: At, batch_size: int
) -> Iterator[Tensor]:
    """Yield (n, channels) a batch: gradient x activation, summed over positions."""
    if at not in ("activation", "convolution"):
        raise InputError(f"at: got {at!r}, expected 'activation' or 'convolution'.")
    module = filters.activation if at == "activation" else filters.convolution
    if module is None:
        raise InputError(
            f"the model has no activation module (nn.ReLU, ...) between {filters.name!r} and the next convolution, "
            "expected one: use nn.ReLU() as a layer instead of torch.relu, or at='convolution'."
        )
    cut = _Cut(filters, copy=any(getattr(inner, "inplace", False) for inner in model.modules()))
    with lent(model), torch.inference_mode(False), torch.enable_grad():
        handle = module.register_forward_hook(cut)
        try:
            for batch in batches(model, x, batch_size):
                cut.activation = None
                logit = _target_logit(model(batch), target)
                activation = cut.taken()
                (gradient,) = torch.autograd.grad(logit.sum(), activation)
                yield torch.einsum("ncl,ncl->nc", gradient, activation.detach()).double().cpu()
        finally:
            handle.remove()


class _Cut:
    """Forward hook that starts the graph at a layer's output, so that nothing below it is differentiated."""

    def __init__(self, filters: FilterLayer, copy: bool) -> None:
        self.filters = filters
        self.copy = copy
        self.activation: Tensor | None = None

    def __call__(self, module: nn.Module, args: Any, output: Tensor) -> Tensor:
        name = type(module).__name__
        if self.activation is not None:
            raise InputError(
                f"the model calls the same {name} more than once, expected a layer of its own after "
                f"{self.filters.name!r}: which call is meant cannot be told. Use one nn.{name}() for each place."
            )
        n_channels = self.filters.n_filters * (2 if self.filters.is_rc else 1)
        if output.dim() != 3 or output.shape[1] != n_channels:
            raise InputError(
                f"the {name} after {self.filters.name!r} gives {tuple(output.shape)}, expected (n, {n_channels}, L): "
                "it is not this convolution's activation. Register modules in the order of their calls, or use "
                "at='convolution'."
            )
        self.activation = output.detach().requires_grad_()
        return self.activation.clone() if self.copy else self.activation  # a leaf must not be changed in place

    def taken(self) -> Tensor:
        """Activation of the last batch."""
        if self.activation is None:
            raise InputError(f"the model did not use {self.filters.name!r} or what follows it; name another layer.")
        return self.activation


def _target_logit(logits: Tensor, target: int) -> Tensor:
    if logits.dim() == 1:
        logits = logits[:, None]
    if not 0 <= target < logits.shape[1]:
        raise InputError(
            f"target: got {target}, expected 0 to {logits.shape[1] - 1}: the model has {logits.shape[1]} outputs."
        )
    return logits[:, target]
