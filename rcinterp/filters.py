"""Where a model's filters are: the convolution that holds them, and the layer that shows their activation."""

import itertools
from dataclasses import dataclass

from torch import Tensor, nn

from rcinterp.errors import InputError
from rclayers import RCConv1d

_ACTIVATIONS = (nn.ReLU, nn.ReLU6, nn.LeakyReLU, nn.ELU, nn.GELU, nn.SiLU, nn.Softplus, nn.Sigmoid, nn.Tanh)


@dataclass(frozen=True)
class FilterLayer:
    """One convolution of a model, and the activation that follows it.

    Attributes
    ----------
    name : str
        Of the convolution, as in ``model.named_modules()``.
    convolution : nn.Module
        nn.Conv1d or RCConv1d.
    activation : nn.Module or None
        The nonlinearity after it; None if there is no such module before the next convolution.
    """

    name: str
    convolution: nn.Conv1d | RCConv1d
    activation: nn.Module | None

    @property
    def is_rc(self) -> bool:
        """Whether each filter has a forward and a reverse-complement channel."""
        return isinstance(self.convolution, RCConv1d)

    @property
    def n_filters(self) -> int:
        """Independent filters."""
        return self.convolution.weight.shape[0]

    @property
    def weight(self) -> Tensor:
        """Filters, shape (F, C_in, W), on the CPU."""
        return self.convolution.weight.detach().cpu()

    @property
    def filter_names(self) -> list[str]:
        """``filter_0``, ``filter_1``, ..."""
        return [f"filter_{i}" for i in range(self.n_filters)]


def find_filters(model: nn.Module, layer: str | None = None) -> FilterLayer:
    """Convolution that holds the filters, and the activation after it.

    Parameters
    ----------
    model : nn.Module
        Its modules are registered in the order in which they are called, as in nn.Sequential.
    layer : str, optional
        Name of the convolution; when not given, the first one over the sequence (4 input channels).

    Raises
    ------
    InputError
        If there is no such convolution.
    """
    given: object = model
    if not isinstance(given, nn.Module):
        raise InputError(f"got a model of type {type(given).__name__}, expected an nn.Module, e.g. load_model(folder).")
    modules = list(model.named_modules())
    convolutions = {name: module for name, module in modules if isinstance(module, nn.Conv1d | RCConv1d)}
    if layer is None:
        layer = next((name for name, module in convolutions.items() if module.in_channels == 4), None)
        if layer is None:
            raise InputError(
                f"the model ({type(model).__name__}) has no nn.Conv1d or RCConv1d with 4 input channels, expected one "
                f"over one-hot sequence. Name the convolution to read: layer=one of {_listed(convolutions)}."
            )
    elif layer not in convolutions:
        raise InputError(f"layer: got {layer!r}, expected the name of a convolution: {_listed(convolutions)}.")
    after = [module for _, module in modules[[name for name, _ in modules].index(layer) + 1 :]]
    until_next = itertools.takewhile(lambda module: not isinstance(module, nn.Conv1d | RCConv1d), after)
    activation = next((module for module in until_next if isinstance(module, _ACTIVATIONS)), None)
    return FilterLayer(layer, convolutions[layer], activation)


def _listed(convolutions: dict[str, nn.Conv1d | RCConv1d]) -> str:
    return ", ".join(repr(name) for name in convolutions) or "none here"
