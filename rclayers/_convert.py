"""A plain convolutional model -> its reverse-complement twin, layer by layer."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from rclayers._checks import SymmetryError, require_positive
from rclayers._conv import RCConv1d
from rclayers._dense import RCLinear
from rclayers._dropout import RCDropout, RCDropout1d
from rclayers._norm import RCBatchNorm1d
from rclayers._order import Step, nest, trace
from rclayers._pool import RCAvgPool1d, RCMaxPool1d
from rclayers._separable import SeparableLinear
from rclayers._strands import Strandwise
from rclayers._weighted_sum import RCWeightedSum1d, WeightedSum1d

_ELEMENTWISE = (
    *(nn.Identity, nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.SELU, nn.CELU, nn.GELU, nn.SiLU, nn.Mish, nn.Softplus),
    *(nn.Softsign, nn.Sigmoid, nn.LogSigmoid, nn.Tanh, nn.Hardtanh, nn.Hardsigmoid, nn.Hardswish, nn.Threshold),
)


def to_rc(model: nn.Module, length: int, *, keep: str = "filters", copy_weights: bool = False) -> nn.Sequential:
    """The reverse-complement (RC) twin of a plain model: the same layers with weights shared between the strands.

    Parameters
    ----------
    model : nn.Module
        (N, 4, length) -> (N, T), its layers called one after the other, as in `nn.Sequential`, nested or not. It is
        left as it is. Convolutions, batch norms, activations, poolings, dropouts, `nn.Flatten` (or a reshape to
        (N, C·L) in the code), dense layers, `WeightedSum1d` and `SeparableLinear` can be turned.
    length : int
        Length of the sequences, in bp: whether windows tile depends on it.
    keep : "filters" or "channels"
        "filters": as many independent filters as the model has channels, so twice the channels, at about twice the
        cost. "channels": as many channels, half of them independent, at about the same cost.
    copy_weights : bool
        False: all weights are drawn anew, from torch's global generator. True, with keep="filters": the twin starts
        with the model's weights and running statistics.

    Returns
    -------
    nn.Sequential
        With the model's names, in its precision, on its device, and in its mode; all weights trainable. A model that
        ends in a map, without a dense layer, gives an equivariant map of its channels and their RCs.

    Raises
    ------
    SymmetryError
        If a layer's sizes cannot be symmetric: "same" padding of an even reach, strides and poolings that leave
        positions over. The message names the layer and sizes that work.
    ValueError
        If a layer cannot be turned (recurrent, attention, grouped, unknown, code between layers); it is named.

    Notes
    -----
    Up to `nn.Flatten` each layer is exchanged for its RC layer; the first dense layer adds up the two strands, so that
    what comes after it sees one strand, and is kept as it is. Batch norms keep their eps and momentum. Dropout becomes
    `RCDropout`; dropout in the code (`functional.dropout`) cannot be seen, and is left out.

    With `copy_weights` forward channels read forward channels as before, reverse ones reverse ones; weights between
    the two start at 0, to be trained, and those of the first dense layer are halved. That layer's outputs are then the
    mean of what the model has for the sequence and for its reverse complement; with a single dense layer, the twin
    starts out as ``Conjoined(model)``, provided that no pooling leaves positions over: RC pooling shares them between
    both ends.

    References
    ----------
    Shrikumar, Greenside & Kundaje 2017, section 3.1.

    Examples
    --------
    >>> from torch import nn
    >>> from rclayers.testing import check_rc
    >>> plain = nn.Sequential(
    ...     nn.Conv1d(4, 6, 7), nn.BatchNorm1d(6), nn.ReLU(), nn.MaxPool1d(8), nn.Flatten(), nn.Linear(30, 2)
    ... )
    >>> twin = to_rc(plain, length=46)
    >>> twin[0]
    RCConv1d(4, n_filters=6, kernel_size=7, stride=1, padding=0, dilation=1, bias=True)
    >>> bool(check_rc(plain, 46)), bool(check_rc(twin, 46))
    (False, True)
    """
    require_positive("to_rc", length=length)
    if keep not in ("filters", "channels"):
        raise ValueError(f"to_rc: got keep={keep!r}, expected 'filters' or 'channels'.")
    if copy_weights and keep == "channels":
        raise ValueError(
            "to_rc: got copy_weights=True with keep='channels', but half the filters have no place there; use "
            "keep='filters'."
        )
    like = next((p for p in model.parameters() if p.is_floating_point()), torch.zeros(()))
    state = _State(keep, copy_weights, torch.zeros(1, 4, length))
    turned: list[tuple[str, nn.Module]] = []
    for step in trace(model, length):
        turned.append((step.path, _turn(step, state)))
    if not turned:
        raise ValueError(f"to_rc: {type(model).__name__} called no layer, expected a stack with an nn.Conv1d.")
    return nest(turned).to(like.device, like.dtype).requires_grad_(True).train(model.training)


@dataclass
class _State:
    """What the twin's layers so far make of one sequence; `met` once the two strands are one."""

    keep: str
    copy_weights: bool
    x: Tensor
    met: bool = False

    def n_filters(self, step: Step, n_channels: int) -> int:
        if self.keep == "filters":
            return n_channels
        if n_channels % 2:
            raise step.refuse(
                f"keep='channels' halves its {n_channels} channels, an odd number; use {n_channels - 1} or "
                f"{n_channels + 1}, or keep='filters'."
            )
        return n_channels // 2


def _turn(step: Step, state: _State) -> nn.Module:
    """The twin of a layer, tried on the map so far."""
    if state.met:
        twin = copy.deepcopy(step.module)
        if not state.copy_weights:
            for part in twin.modules():
                if callable(reset := getattr(part, "reset_parameters", None)):
                    reset()
        return twin
    kind = type(step.module)
    if kind in _ELEMENTWISE:
        twin = copy.deepcopy(step.module)
    elif kind in _TURNS:
        try:
            twin = _TURNS[kind](step, step.module, state)
        except SymmetryError as error:
            raise SymmetryError(f"to_rc: cannot turn {step.path}: {error}") from None
    elif kind.__module__.startswith("rclayers"):
        raise step.refuse("it treats both strands alike already; to_rc is for plain models.")
    else:
        raise step.refuse(
            "expected Conv1d, BatchNorm1d, an activation, pooling, dropout, Flatten or Linear. Wrap a layer that works "
            "on one strand in rclayers.Strandwise, in a twin built by hand."
        )
    try:
        with torch.no_grad():
            state.x = copy.deepcopy(twin).cpu().float().eval()(state.x)
    except SymmetryError as error:
        raise SymmetryError(f"to_rc: cannot turn {step.path}: {error}") from None
    return twin


def _conv(step: Step, module: nn.Conv1d, state: _State) -> RCConv1d:
    if module.groups != 1:
        raise step.refuse(f"groups={module.groups}, whose channels would need partners; use groups=1.")
    if module.padding_mode != "zeros":
        raise step.refuse(f"padding_mode={module.padding_mode!r}, expected 'zeros'.")
    (width,), (stride,), (dilation,) = module.kernel_size, module.stride, module.dilation
    padding = module.padding if isinstance(module.padding, str) else module.padding[0]
    in_channels, bias = state.x.shape[1], module.bias is not None
    n_filters = state.n_filters(step, module.out_channels)
    twin = RCConv1d(in_channels, n_filters, width, stride, padding, dilation, bias).to(module.weight.dtype)
    if state.copy_weights:
        with torch.no_grad():
            twin.weight.zero_()[:, : module.in_channels] = module.weight
            if twin.bias is not None and module.bias is not None:
                twin.bias.copy_(module.bias)
    return twin


def _norm(step: Step, module: nn.BatchNorm1d, state: _State) -> RCBatchNorm1d:
    if state.x.dim() != 3:
        raise step.refuse("it stands between Flatten and the first Linear; put it before Flatten, or after the Linear.")
    if not module.affine or not module.track_running_stats:
        raise step.refuse("affine=False or track_running_stats=False, expected both True.")
    n_filters = state.x.shape[1] // 2
    twin = RCBatchNorm1d(n_filters, module.eps, module.momentum)  # type: ignore[arg-type]  # torch's momentum may be None: a cumulative mean
    if state.copy_weights:
        if n_filters != module.num_features:  # of the one-hot sequence itself, whose letters have partners
            raise step.refuse(
                "its channels are letters, which become pairs: no weights to copy; use copy_weights=False."
            )
        twin.to(module.weight.dtype).load_state_dict(module.state_dict())
    return twin


def _pool(step: Step, module: Any, state: _State) -> nn.Module:
    maximum = isinstance(module, nn.MaxPool1d)
    size, stride, padding, dilation = (
        value[0] if isinstance(value, tuple) else value
        for value in (module.kernel_size, module.stride, module.padding, getattr(module, "dilation", 1))
    )
    if padding or dilation != 1 or module.ceil_mode or getattr(module, "return_indices", False):
        raise step.refuse("expected a pooling without padding, dilation, ceil_mode or return_indices.")
    return (RCMaxPool1d if maximum else RCAvgPool1d)(size, stride)


def _adaptive_pool(step: Step, module: Any, state: _State) -> nn.Module:
    """Its windows start at floor(i L / n) and end at ceil((i+1) L / n): the same from either end."""
    if getattr(module, "return_indices", False):
        raise step.refuse("expected a pooling without return_indices.")
    twin: nn.Module = copy.deepcopy(module)
    return twin


def _flatten(step: Step, module: nn.Flatten, state: _State) -> nn.Module:
    if (module.start_dim, module.end_dim) not in ((1, -1), (1, 2)):
        raise step.refuse(f"start_dim={module.start_dim}, end_dim={module.end_dim}, expected 1 and -1.")
    return Strandwise(nn.Flatten()) if state.x.dim() == 3 else nn.Identity()


def _linear(step: Step, module: nn.Linear, state: _State) -> RCLinear:
    if state.x.dim() != 2:
        raise step.refuse("it acts on the positions of a map; put nn.Flatten before it.")
    twin = RCLinear(state.x.shape[1] // 2, module.out_features, module.bias is not None).to(module.weight.dtype)
    if state.copy_weights:
        if twin.n_filters != module.in_features:
            raise step.refuse("it reads the letters themselves, without convolution: use copy_weights=False.")
        with torch.no_grad():
            twin.weight.copy_(module.weight / 2)
            if twin.bias is not None:
                twin.bias.copy_(module.bias)
    state.met = True
    return twin


def _weighted_sum(step: Step, module: WeightedSum1d, state: _State) -> RCWeightedSum1d:
    twin = RCWeightedSum1d(state.x.shape[1] // 2, module.length, module.symmetric, module.bias is not None)
    twin.to(module.weight.dtype)
    if state.copy_weights:
        twin.load_state_dict(module.state_dict())
    return twin


def _separable(step: Step, module: SeparableLinear, state: _State) -> SeparableLinear:
    if module.rc:
        raise step.refuse("it reads both strands already.")
    n_filters, biased = state.x.shape[1] // 2, module.bias is not None
    twin = SeparableLinear(n_filters, module.length, module.out_features, True, module.symmetric, biased)
    twin.to(module.channel_weight.dtype)
    if state.copy_weights:
        twin.load_state_dict(module.state_dict())
        with torch.no_grad():
            twin.channel_weight.div_(2)
    state.met = True
    return twin


def _dropout(step: Step, module: nn.Dropout, state: _State) -> RCDropout:
    return RCDropout(module.p)


def _dropout_1d(step: Step, module: nn.Dropout1d, state: _State) -> RCDropout1d:
    return RCDropout1d(module.p)


def _prelu(step: Step, module: nn.PReLU, state: _State) -> nn.PReLU:
    if module.num_parameters != 1:
        raise step.refuse("it has a slope for each channel; use nn.PReLU(1).")
    twin = copy.deepcopy(module)
    if not state.copy_weights:
        twin.reset_parameters()
    return twin


_TURNS: dict[type[nn.Module], Callable[[Step, Any, _State], nn.Module]] = {
    nn.Conv1d: _conv,
    nn.BatchNorm1d: _norm,
    nn.MaxPool1d: _pool,
    nn.AvgPool1d: _pool,
    nn.AdaptiveMaxPool1d: _adaptive_pool,
    nn.AdaptiveAvgPool1d: _adaptive_pool,
    nn.Flatten: _flatten,
    nn.Linear: _linear,
    nn.Dropout: _dropout,
    nn.Dropout1d: _dropout_1d,
    nn.PReLU: _prelu,
    WeightedSum1d: _weighted_sum,
    SeparableLinear: _separable,
}
