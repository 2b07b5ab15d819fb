"""How weights start: as the paper's did, or quietly, so that a filter speaks only where it matches best.

docs/explanation/recipe.md derives the quiet start and measures what each part of it does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from rcinterp.reading.model import lent, place_of
from rclayers import RCConv1d, RCLinear, SeparableLinear, WeightedSum1d

#: What may stand between a batch norm and the pooling: the place of the largest value stays the same.
_MONOTONE = (nn.ReLU, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Softplus, nn.Sigmoid, nn.Identity, nn.Dropout)
_MAX_POOLS = (nn.MaxPool1d, nn.AdaptiveMaxPool1d)


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


def expected_maximum(n: int) -> float:
    """``sqrt(2 ln n)``: the largest of n independent standard normal values, to first order."""
    return math.sqrt(2 * math.log(n))


def raise_threshold(model: nn.Module, length: int, *, factor: float = 1.0) -> int:
    """Start the batch norm before the last max pooling at the bias ``-factor · expected_maximum(n)``.

    Parameters
    ----------
    model : nn.Module
        Left as it is if no batch norm feeds a max pooling (activations may stand between them).
    length : int
        Of the sequences, in bp.
    factor : float
        1 for the expected maximum itself.

    Returns
    -------
    int
        How many batch norms were found where the threshold belongs.

    Notes
    -----
    n is how many scores the batch norm gives each filter on one sequence: the positions of its map, counted on both
    strands if the layer is an RC layer or the model reads both. Frozen batch norms are left alone.
    """
    calls = trace(model, length)
    pools = [i for i, call in enumerate(calls) if isinstance(call.module, _MAX_POOLS)]
    norms = [norm for norm in (_norm_before(calls, i) for i in pools) if norm is not None][-1:]
    set_thresholds(calls, norms, factor)
    return len(norms)


def set_thresholds(calls: Sequence[_Call], norms: Sequence[_BatchNorm], factor: float) -> None:
    """Start batch norms at the bias ``-factor · expected_maximum(n)``; frozen ones are left alone."""
    for norm in norms:
        if norm.bias is not None and norm.bias.requires_grad:
            n_scores = sum(math.prod(call.output) for call in calls if call.module is norm) // norm.num_features
            nn.init.constant_(norm.bias, -factor * expected_maximum(n_scores))


def level_read_out(model: nn.Module, length: int) -> None:
    """Start the read-out with one weight for all positions of a channel, as large as section 3.7's but for its signs.

    Parameters
    ----------
    model : nn.Module
        Its weighted sums, separable layers, and dense layers over the positions of a map (after `nn.Flatten`), are
        set; frozen ones are left alone.
    length : int
        Of the sequences, in bp.

    Notes
    -----
    A weighted sum becomes +1/sqrt(F·l) throughout, the root mean square of section 3.7's distribution: which task a
    filter serves, and with which sign, is for the layer after it. A dense layer has that choice in itself: each output
    draws one Glorot weight a channel. With a single output all are +sqrt(2 / (C·l + 1)), Glorot's root mean square, as
    the head of an RC model with a single output is all ones. A separable layer starts as that dense layer, its
    profiles and its weights a channel of the same root mean square.
    """
    for read_out in find_read_outs(model, length):
        if read_out.parameter.requires_grad:
            with torch.no_grad():
                _level(read_out)


def _level(read_out: ReadOut) -> None:
    n_outputs, n_channels, n_positions = read_out.shape
    if read_out.is_weighted_sum:
        read_out.parameter.fill_((n_channels * n_positions) ** -0.5)
        return
    separable = read_out.channel_parameter
    if separable is not None:
        n_channels = separable.shape[1]
    size = (2 / (n_channels * n_positions + n_outputs)) ** 0.5  # Glorot's root mean square
    if separable is not None:
        size **= 0.5  # of each of the two factors
        read_out.parameter.fill_(size)
    level = read_out.parameter.new_full((n_outputs, n_channels, 1), size)
    if n_outputs > 1:
        level.uniform_(-size * 3**0.5, size * 3**0.5)
    if separable is not None:
        separable.copy_(level[..., 0])
    else:
        read_out.weights().copy_(level)


def read_out_parameters(model: nn.Module, length: int) -> list[nn.Parameter]:
    """Parameters of the layers that the model calls after its last max pooling; none if it has no max pooling."""
    calls = trace(model, length)
    last = max((i for i, call in enumerate(calls) if isinstance(call.module, _MAX_POOLS)), default=len(calls))
    return list(dict.fromkeys(parameter for call in calls[last:] for parameter in call.module.parameters()))


@dataclass(frozen=True)
class ReadOut:
    """Weights that depend on the position in the pooled map, and their shape (outputs, channels, positions).

    Those of a separable layer stand for all channels, (outputs, 1, positions); it has others for the channels.
    """

    parameter: nn.Parameter
    shape: tuple[int, int, int]
    is_weighted_sum: bool
    channel_parameter: nn.Parameter | None = None

    def weights(self) -> Tensor:
        """The parameter in that shape; gradients flow through."""
        return self.parameter.view(self.shape)

    @property
    def n_channels(self) -> int:
        """Channels that are read, those of a separable layer too."""
        return self.shape[1] if self.channel_parameter is None else self.channel_parameter.shape[1]

    @property
    def by_channel_parameter(self) -> nn.Parameter:
        """The parameter that weighs the channels."""
        return self.parameter if self.channel_parameter is None else self.channel_parameter

    def by_channel(self) -> Tensor:
        """The weights whose second axis are the channels."""
        return self.weights() if self.channel_parameter is None else self.channel_parameter


@dataclass(frozen=True, eq=False)
class FirstLayer:
    """The convolution that reads the letters.

    Attributes
    ----------
    weight : Parameter, shape (F, 4, W)
    is_rc : bool
        Whether its filters also read the other strand.
    norm : _BatchNorm or None
        The batch norm behind it, if a max pooling reads that, directly or through activations.
    is_only_one : bool
        Whether the model has no other convolution.
    """

    weight: nn.Parameter
    is_rc: bool
    norm: _BatchNorm | None
    is_only_one: bool


def find_first_layer(model: nn.Module, length: int) -> FirstLayer | None:
    """The first convolution that the model calls, if it reads letters; None if there is none, or it is frozen."""
    calls = trace(model, length)
    convolutions = [i for i, call in enumerate(calls) if isinstance(call.module, nn.Conv1d | RCConv1d)]
    if not convolutions:
        return None
    first = calls[convolutions[0]]
    weight = cast(nn.Parameter, first.module.weight)
    if first.input[1:] != (4, length) or weight.dim() != 3 or weight.shape[1] != 4 or not weight.requires_grad:
        return None
    pools = [i for i, call in enumerate(calls) if isinstance(call.module, _MAX_POOLS)]
    norms = [_norm_before(calls, i) for i in pools]
    behind = calls[convolutions[0] + 1].module if len(calls) > convolutions[0] + 1 else None
    return FirstLayer(
        weight,
        isinstance(first.module, RCConv1d),
        behind if isinstance(behind, _BatchNorm) and behind in norms else None,
        len({calls[i].module for i in convolutions}) == 1,
    )


def find_read_outs(model: nn.Module, length: int) -> list[ReadOut]:
    """Weighted sums, separable layers, and dense layers over a map's positions, in the order of the model's calls."""
    calls = trace(model, length)
    found: dict[nn.Parameter, ReadOut] = {}
    for i, call in enumerate(calls):
        if isinstance(call.module, WeightedSum1d):
            sums = call.module.weight
            found[sums] = ReadOut(sums, (1, *sums.shape), is_weighted_sum=True)
        elif isinstance(call.module, SeparableLinear):
            profiles = call.module.position_weight
            shape_of_one = len(profiles), 1, profiles.shape[1]
            found[profiles] = ReadOut(profiles, shape_of_one, False, call.module.channel_weight)
        elif isinstance(call.module, nn.Linear | RCLinear) and (shape := _flattened_before(calls, i)) is not None:
            dense = cast(nn.Parameter, call.module.weight)
            if dense.shape[1] == math.prod(shape):
                found[dense] = ReadOut(dense, (len(dense), *shape), is_weighted_sum=False)
    return list(found.values())


@dataclass(frozen=True)
class _Call:
    """One use of a layer: the shapes of what it got and gave, for one sequence."""

    module: nn.Module
    input: tuple[int, ...]
    output: tuple[int, ...]


def trace(model: nn.Module, length: int) -> list[_Call]:
    """Layers without parts of their own, in the order in which the model calls them for one sequence."""
    calls: list[_Call] = []

    def note(module: nn.Module, inputs: tuple[object, ...], output: object) -> None:
        if inputs and isinstance(inputs[0], Tensor) and isinstance(output, Tensor):
            calls.append(_Call(module, tuple(inputs[0].shape), tuple(output.shape)))

    hooks = [module.register_forward_hook(note) for module in model.modules() if not list(module.children())]
    device, dtype = place_of(model)
    try:
        with lent(model), torch.no_grad():
            model(torch.zeros(1, 4, length, device=device, dtype=dtype))
    finally:
        for hook in hooks:
            hook.remove()
    return calls


def _norm_before(calls: list[_Call], i: int) -> _BatchNorm | None:
    """Batch norm whose map the pooling at i reads, directly or through activations."""
    for call in reversed(calls[:i]):
        if isinstance(call.module, _BatchNorm):
            return call.module
        if not isinstance(call.module, _MONOTONE):
            return None
    return None


def _flattened_before(calls: list[_Call], i: int) -> tuple[int, int] | None:
    """Channels and positions of the map that was flattened for the dense layer at i."""
    for call in reversed(calls[:i]):
        if isinstance(call.module, nn.Flatten) and len(call.input) == 3:
            return call.input[1], call.input[2]
        if not isinstance(call.module, nn.Dropout | nn.Identity):
            return None
    return None
