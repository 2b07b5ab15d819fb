"""The convolution that holds the filters: its weights, names and strides, in any model."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rcinterp.errors import InputError
from rcinterp.motifs.centring import mean_center
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
    applied : Tensor, optional
        The filters that it applies, (F, C_in, W) on the CPU, if they are not the weights that it stores: a subclass
        that turns, constrains or normalises them.
    n_outputs : int, optional
        Channels of its output, if that is no convolution of its input with any filters. Such a layer is read by its
        activations, as a deeper one is.
    """

    name: str
    convolution: nn.Conv1d | nn.Conv2d | RCConv1d
    applied: Tensor | None = None
    n_outputs: int | None = None

    @property
    def is_rc(self) -> bool:
        """Whether each filter has a forward and a reverse-complement channel."""
        return isinstance(self.convolution, RCConv1d)

    @property
    def n_filters(self) -> int:
        """Independent filters."""
        if self.n_outputs is not None:
            return self.n_outputs
        return int((self.convolution.weight if self.applied is None else self.applied).shape[0])

    @property
    def n_channels(self) -> int:
        """Channels of the output: two a filter in an RC layer."""
        return self.n_filters * (2 if self.is_rc else 1)

    @property
    def reads_four(self) -> bool:
        """Whether it can read one-hot sequence."""
        convolution = self.convolution
        if isinstance(convolution, nn.Conv2d) and convolution.in_channels == 1:
            return convolution.kernel_size[0] == 4
        return convolution.in_channels == 4 * self.n_copies

    @property
    def n_copies(self) -> int:
        """Copies of the sequence that it reads, one a group of filters, if it reads sequence at all."""
        return int(getattr(self.convolution, "groups", 1))

    @property
    def weight(self) -> Tensor:
        """Filters, shape (F, C_in, W), on the CPU; positions that a dilation leaves out are zeros."""
        if self.applied is not None:
            return self.applied
        weight = _along_one_axis(self.convolution.weight.detach().cpu())
        dilation = self.convolution.dilation
        step = dilation if isinstance(dilation, int) else max(dilation)
        if step == 1 or weight.shape[2] == 1:
            return weight
        spread = weight.new_zeros(*weight.shape[:2], step * (weight.shape[2] - 1) + 1)
        spread[:, :, ::step] = weight
        return spread

    def centred(self, dtype: torch.dtype) -> Tensor:
        """Mean-centred filters of a layer that reads sequence, shape (F, 4, W)."""
        centred: Tensor = mean_center(self.weight.to(dtype)).weight
        return centred

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


def find_layer(model: nn.Module, layer: str | None = None) -> FilterLayer:
    """Convolution that holds the filters, told from the modules alone.

    Parameters
    ----------
    model : nn.Module
    layer : str, optional
        Name of the convolution, as in ``model.named_modules()``; when not given, the first in that order that reads 4
        channels. `Reader` runs the model, and takes the convolution that reads the sequence first.

    Raises
    ------
    InputError
        If there is no such convolution.

    Examples
    --------
    >>> from torch import nn
    >>> find_layer(nn.Sequential(nn.Conv1d(4, 3, 5), nn.ReLU())).name
    '0'
    """
    layers = find_layers(model, layer)
    return choose_layer(model, layers, list(layers) if layer is None else [layer], layer)


def find_layers(model: nn.Module, layer: str | None = None) -> dict[str, FilterLayer]:
    """Every convolution of a model by its name, or the one that is named.

    Raises
    ------
    InputError
        If it is no model, or has no convolution of that name.
    """
    given: object = model
    if not isinstance(given, nn.Module):
        raise InputError(f"got a model of type {type(given).__name__}, expected an nn.Module, e.g. load_model(folder).")
    layers = {
        name: FilterLayer(name, module) for name, module in model.named_modules() if isinstance(module, _CONVOLUTIONS)
    }
    if layer is None:
        return layers
    if layer not in layers:
        raise InputError(
            f"layer: got {layer!r}, expected the name of a convolution: {_listed(layers)}. "
            "model.named_modules() lists them all."
        )
    return {layer: layers[layer]}


def choose_layer(
    model: nn.Module, layers: dict[str, FilterLayer], candidates: list[str], layer: str | None
) -> FilterLayer:
    """Layer that is named, or the first of the candidates that can read one-hot sequence."""
    reading = candidates if layer is not None else [name for name in candidates if layers[name].reads_four]
    if not reading:
        _refuse_scripted_convolutions(model)
        named = f"Name the convolution to read: layer=one of {_listed(layers)}." if layers else ""
        raise InputError(
            f"the model ({type(model).__name__}) has no nn.Conv1d or RCConv1d with 4 input channels, expected one "
            f"over one-hot sequence. {named or 'It has no convolution at all.'}"
        )
    found = layers[reading[0]]
    _along_one_axis(found.convolution.weight)
    return found


def _refuse_scripted_convolutions(model: nn.Module) -> None:
    """Say that a model's convolutions are in TorchScript, where they cannot be seen."""
    scripted = [name for name, module in model.named_modules() if isinstance(module, torch.jit.ScriptModule)]
    if scripted:
        raise InputError(
            f"the model ({type(model).__name__}) holds a TorchScript module ({scripted[0]!r}), expected an nn.Module: "
            "what a scripted or traced model computes cannot be followed. Give the nn.Module that it was made from."
        )


def are_letters(values: Tensor, n_copies: int = 1) -> bool:
    """Whether a tensor holds one-hot letters: a single 1 at each position, or no letter, which is four equal numbers.

    Parameters
    ----------
    values : Tensor, shape (n, 4 * n_copies, ...) or (n, 1, 4, L)
        Padding of any value is no letter, as N is.
    n_copies : int
        How often the same letters stand side by side along the channels.
    """
    letters = letters_of(values, n_copies)
    if letters is None:
        return False
    is_one_hot = ((letters == 0) | (letters == 1)).all(1) & (letters.sum(1) == 1)
    is_no_letter = (letters == letters[:, :1]).all(1)
    return bool((is_one_hot | is_no_letter).all() and is_one_hot.any())


def letters_of(values: Tensor, n_copies: int = 1) -> Tensor | None:
    """One copy of what may be letters, (n, 4, ...); None if there are other channels, or copies that differ."""
    if values.dim() == 4 and values.shape[1] == 1 and n_copies == 1:
        values = values[:, 0]
    if values.dim() < 3 or values.shape[1] != 4 * n_copies:
        return None
    copies = values.reshape(len(values), n_copies, 4, *values.shape[2:])
    return copies[:, 0] if n_copies == 1 or bool((copies == copies[:, :1]).all()) else None


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


def _listed(layers: dict[str, FilterLayer]) -> str:
    return ", ".join(repr(name) for name in layers) or "none here"
