"""Where a model's filters are: the convolution that holds them, in any model, however it is written."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from rcinterp.errors import InputError
from rcinterp.reading.model import Args, Caller, runs_on
from rclayers import RCConv1d

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, RCConv1d)


@dataclass(frozen=True)
class FilterLayer:
    """One convolution of a model.

    Attributes
    ----------
    name : str
        As in ``model.named_modules()``.
    convolution : nn.Module
        nn.Conv1d, RCConv1d, or an nn.Conv2d whose kernels extend along one axis only.
    """

    name: str
    convolution: nn.Conv1d | nn.Conv2d | RCConv1d

    @property
    def is_rc(self) -> bool:
        """Whether each filter has a forward and a reverse-complement channel."""
        return isinstance(self.convolution, RCConv1d)

    @property
    def n_filters(self) -> int:
        """Independent filters."""
        return int(self.convolution.weight.shape[0])

    @property
    def n_channels(self) -> int:
        """Channels of the output: two a filter in an RC layer."""
        return self.n_filters * (2 if self.is_rc else 1)

    @property
    def weight(self) -> Tensor:
        """Filters, shape (F, C_in, W), on the CPU; positions that a dilation leaves out are zeros."""
        weight = _along_one_axis(self.convolution.weight.detach().cpu())
        dilation = self.convolution.dilation
        step = dilation if isinstance(dilation, int) else max(dilation)
        if step == 1 or weight.shape[2] == 1:
            return weight
        spread = weight.new_zeros(*weight.shape[:2], step * (weight.shape[2] - 1) + 1)
        spread[:, :, ::step] = weight
        return spread

    @property
    def step_and_padding(self) -> tuple[int, int]:
        """Stride, and positions of zeros before the first one."""
        convolution = self.convolution
        stride = convolution.stride if isinstance(convolution.stride, int) else max(convolution.stride)
        if isinstance(convolution.padding, str):
            return stride, (self.weight.shape[2] - 1) // 2 if convolution.padding == "same" else 0
        return stride, convolution.padding if isinstance(convolution.padding, int) else max(convolution.padding)

    @property
    def filter_names(self) -> list[str]:
        """``filter_0``, ``filter_1``, ..."""
        return [f"filter_{i}" for i in range(self.n_filters)]


def find_filters(model: nn.Module, layer: str | None = None, x: Tensor | None = None, args: Args = None) -> FilterLayer:
    """Convolution that holds the filters.

    Parameters
    ----------
    model : nn.Module
    layer : str, optional
        Name of the convolution, as in ``model.named_modules()``; when not given, the first one over the sequence.
    x : Tensor, shape (n, 4, L), optional
        Sequences to run the model on, to see which convolution reads them first, whatever the order in which the
        modules were registered; without them it is the first in that order that reads 4 channels.
    args : sequence of Tensor, optional
        Further inputs of the model, n rows each.

    Raises
    ------
    InputError
        If there is no such convolution, or the model cannot be run.

    Examples
    --------
    >>> find_filters(nn.Sequential(nn.Conv1d(4, 3, 5), nn.ReLU())).name
    '0'
    """
    given: object = model
    if not isinstance(given, nn.Module):
        raise InputError(f"got a model of type {type(given).__name__}, expected an nn.Module, e.g. load_model(folder).")
    convolutions: dict[str, Any] = {
        name: module for name, module in model.named_modules() if isinstance(module, _CONVOLUTIONS)
    }
    if layer is not None:
        if layer not in convolutions:
            raise InputError(
                f"layer: got {layer!r}, expected the name of a convolution: {_listed(convolutions)}. "
                "model.named_modules() lists them all."
            )
        found = layer
    else:
        candidates = list(convolutions) if x is None else _called_on_letters(model, convolutions, x, args)
        reading = [name for name in candidates if _reads_four(convolutions[name])]
        if not reading:
            named = f"Name the convolution to read: layer=one of {_listed(convolutions)}." if convolutions else ""
            raise InputError(
                f"the model ({type(model).__name__}) has no nn.Conv1d or RCConv1d with 4 input channels, expected one "
                f"over one-hot sequence. {named or 'It has no convolution at all.'}"
            )
        found = reading[0]
    filters = FilterLayer(found, convolutions[found])
    _along_one_axis(filters.convolution.weight)
    return filters


def _called_on_letters(model: nn.Module, convolutions: dict[str, Any], x: Tensor, args: Args) -> list[str]:
    """Names in the order of their calls, those that read letters before the others."""
    calls: dict[str, bool] = {}

    def note(name: str, inputs: tuple[object, ...]) -> None:
        if inputs and isinstance(inputs[0], Tensor):
            calls.setdefault(name, are_letters(inputs[0]))

    handles = [
        module.register_forward_pre_hook(lambda _, inputs, name=name: note(name, inputs))
        for name, module in convolutions.items()
    ]
    try:
        caller = Caller(model, batch_size=max(1, len(x)))
        with caller.borrowed():
            runs_on(caller, x, args)
    finally:
        for handle in handles:
            handle.remove()
    return sorted(calls, key=lambda name: not calls[name])  # stable: the order of the calls within each


def are_letters(values: Tensor) -> bool:
    """Whether a tensor (n, 4, ...) or (n, 1, 4, L) holds one-hot letters: a single 1 at each position, or none."""
    if values.dim() == 4 and values.shape[1] == 1:
        values = values[:, 0]
    if values.dim() < 3 or values.shape[1] != 4:
        return False
    return bool(((values == 0) | (values == 1)).all() and (values.sum(1) <= 1).all())


def _reads_four(convolution: nn.Module) -> bool:
    if isinstance(convolution, nn.Conv2d) and convolution.in_channels == 1:
        return convolution.kernel_size[0] == 4
    return getattr(convolution, "in_channels", None) == 4 and getattr(convolution, "groups", 1) == 1


def _along_one_axis(weight: Tensor) -> Tensor:
    """(F, C, W) of kernels (F, C, W), (F, C, 1, W), (F, C, W, 1) or (F, 1, 4, W)."""
    if weight.dim() == 3:
        return weight
    if weight.shape[1] == 1 and weight.shape[2] == 4:
        return weight[:, 0]
    for axis in (2, 3):
        if weight.shape[axis] == 1:
            return weight.squeeze(axis)
    raise InputError(
        f"the convolution's kernels are of shape {tuple(weight.shape)}, expected kernels along one axis, (F, C, W) or "
        "(F, C, 1, W). Name another layer."
    )


def _listed(convolutions: dict[str, Any]) -> str:
    return ", ".join(repr(name) for name in convolutions) or "none here"
