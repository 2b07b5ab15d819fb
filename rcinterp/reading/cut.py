"""A convolution's activation, taken out of a model's own calculation and put back: for models however written."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from rcinterp.reading.applied import find_applied
from rcinterp.reading.layer import FilterLayer

At = Literal["activation", "convolution"]

#: Functions that end a filter's linear part: what they return is the activation.
_NONLINEAR_NAMES = """
    relu relu6 leaky_relu elu selu celu gelu silu mish sigmoid hardsigmoid tanh hardtanh softplus softsign hardswish
    prelu rrelu threshold clamp clamp_min clip exp square
"""
#: Functions between a convolution and its activation that keep channels apart.
_LINEAR_NAMES = """
    batch_norm layer_norm group_norm instance_norm rms_norm dropout dropout1d dropout2d alpha_dropout
    feature_dropout feature_alpha_dropout add sub mul div true_divide iadd isub imul itruediv radd rsub rmul
    contiguous clone pad to float half bfloat16 double type transpose permute swapaxes movedim squeeze unsqueeze view
    reshape identity max_pool1d avg_pool1d max_pool2d avg_pool2d adaptive_max_pool1d adaptive_avg_pool1d detach
"""


_SUMS = frozenset(("add", "sub", "iadd", "isub", "radd", "rsub"))
_NONLINEAR, _LINEAR = frozenset(_NONLINEAR_NAMES.split()), frozenset(_LINEAR_NAMES.split())


@dataclass
class Chain:
    """What one call of a convolution becomes, up to its activation.

    Attributes
    ----------
    layer : FilterLayer
    members : dict of int to Tensor
        The tensors of the chain by their ids; kept alive, so that an id stays its own.
    used : set of int
        Ids of those that some function was called on.
    found : str or None
        Name of the nonlinearity that ends it.
    leaves : str
        Why the activation would not be all that the filter gives, or be more: one before it is used twice, as in a
        residual stem, or something else is added to it. Empty if neither.
    last : str
        Name of the function that the newest of the chain was given to and that is none of its own.
    is_pooled : bool
        Whether it was pooled on the way.
    """

    layer: FilterLayer
    members: dict[int, Tensor]
    used: set[int] = field(default_factory=set)
    found: str | None = None
    leaves: str = ""
    last: str = ""
    is_pooled: bool = False


class Follow(TorchFunctionMode):
    """Follow what convolutions return through the functions of torch that a model calls, as modules or by name.

    Parameters
    ----------
    layers : sequence of FilterLayer

    Attributes
    ----------
    chains : list of Chain
        One a call of a convolution, in the order of the calls.
    read : dict of str to list of Tensor
        What each convolution read at each of its calls, by its name, in the order of the first calls.
    applied : dict of str to FilterLayer
        The layers that were called, with the filters that they apply.
    n_copies : dict of str to int
        Copies of the sequence that each would read.
    """

    def __init__(self, layers: Sequence[FilterLayer]) -> None:
        super().__init__()
        self.layers = layers
        self.chains: list[Chain] = []
        self.read: dict[str, list[Tensor]] = {}
        self.applied: dict[str, FilterLayer] = {}
        self.n_copies = {layer.name: layer.n_copies for layer in layers}
        self._is_looking = True

    def __enter__(self) -> Any:
        self.handles: list[Any] = []
        for layer in self.layers:
            self.handles += [
                layer.convolution.register_forward_pre_hook(lambda _, inputs, layer=layer: self._note(layer, inputs)),
                layer.convolution.register_forward_hook(
                    lambda _, inputs, out, layer=layer: self.start(self.as_applied(layer, inputs, out), out)
                ),
            ]
        return super().__enter__()  # type: ignore[no-untyped-call]  # so it is in torch

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)  # type: ignore[no-untyped-call]  # so it is in torch
        for handle in self.handles:
            handle.remove()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = func(*args, **(kwargs or {}))
        if self._is_looking and self.chains and _tensors((output,)):
            given = {id(value): value for value in _tensors((*args, *(kwargs or {}).values()))}
            for chain in self.chains:
                output = self._extend(chain, _name(func), given, output)
        return output

    def _note(self, layer: FilterLayer, inputs: tuple[object, ...]) -> None:
        """Keep what a convolution reads; a copy, as the model may change it in place."""
        if inputs and isinstance(inputs[0], Tensor):
            self._is_looking = False  # the copy is no step of the model
            self.read.setdefault(layer.name, []).append(inputs[0].detach().clone())
            self._is_looking = True

    def _extend(self, chain: Chain, name: str, given: dict[int, Tensor], output: Any) -> Any:
        """Let a chain go on by one function, if it is one of its own."""
        own = given.keys() & chain.members.keys()
        if not own:
            return output
        if own & chain.used:
            chain.leaves = chain.leaves or "its output is used on a second way before a nonlinearity"
        in_place = id(output) in own
        if not in_place:
            chain.used |= own
        if chain.found is not None or not isinstance(output, Tensor):
            return output
        if name in _NONLINEAR and _has_channels(output, chain.layer.n_channels):
            chain.found = name
            if in_place:  # what is done with it from here on is done with the activation
                del chain.members[id(output)]
            return self.at_activation(output, in_place)
        source = chain.members[next(iter(own))]
        if name in _LINEAR or (name == "getitem" and output.shape[:2] == source.shape[:2]):
            chain.members[id(output)] = output
            chain.is_pooled |= "pool" in name
            if name in _SUMS and _adds_a_map(given, own, output):
                chain.leaves = chain.leaves or "something else is added to its output before a nonlinearity"
        else:
            chain.last = name
        return output

    def as_applied(self, layer: FilterLayer, inputs: tuple[object, ...], output: Tensor) -> FilterLayer:
        """The layer, with the filters that it applies to letters if these are not those that it stores."""
        if layer.name not in self.applied:
            read = inputs[0] if inputs else None
            self.applied[layer.name] = find_applied(layer, read, output) if isinstance(read, Tensor) else layer
        return self.applied[layer.name]

    def start(self, layer: FilterLayer, output: Tensor) -> Tensor:
        """Begin a chain at a convolution's output."""
        self.chains.append(Chain(layer, {id(output): output}))
        return output

    def at_activation(self, output: Tensor, in_place: bool) -> Tensor:
        """Activation that takes this one's place."""
        return output


class Cut(Follow):
    """While a model runs, its activations are leaves of the graph, or are replaced; for use in a ``with``.

    Parameters
    ----------
    point : CutPoint
        Where the cut is.
    replace : callable, optional
        ``replace(i, activation)``: what takes the place of the i-th activation of this run, the activation itself or a
        new tensor, as the model may change it in place. By default the activation itself, detached, with gradient.
    keeps_graph : bool
        Whether an activation that depends on one cut further down is not detached, but stays what it is, so that
        gradients reach both.

    Attributes
    ----------
    taken : list of Tensor, shape (rows, channels, ...)
        One a call of the convolution; good until the model goes on where another tensor took its place.
    gradients : dict of int to Tensor
        Where the graph is kept: the gradients that the newest backward pass has brought to those that are no part of
        the graph themselves, by their places in `taken`.
    n_kept : int
        How many of them depend on one that was cut further down.
    """

    def __init__(
        self,
        point: "CutPoint",
        replace: Callable[[int, Tensor], Tensor] | None = None,
        *,
        keeps_graph: bool = False,
    ) -> None:
        super().__init__([point.layer])
        self.point = point
        self.replace = replace
        self.keeps_graph = keeps_graph
        self.taken: list[Tensor] = []
        self.gradients: dict[int, Tensor] = {}
        self.n_kept = 0

    def as_applied(self, layer: FilterLayer, inputs: tuple[object, ...], output: Tensor) -> FilterLayer:
        """The layer of the cut, which is known."""
        return layer

    def start(self, layer: FilterLayer, output: Tensor) -> Tensor:
        """Begin a chain, or cut here."""
        return self._cut(output) if self.point.at == "convolution" else super().start(layer, output)

    def at_activation(self, output: Tensor, in_place: bool) -> Tensor:
        """Cut."""
        if not in_place:
            return self._cut(output)
        if self.keeps_graph and output.requires_grad:
            return self._watch(output)  # what the backward pass needs below must not be written over
        cut = self._cut(output if self.replace is not None else output.clone())  # the model may write over its own
        with torch.enable_grad():
            return output.copy_(cut)  # a model that changes a tensor in place goes on with that very tensor

    def _cut(self, output: Tensor) -> Tensor:
        if self.replace is not None:
            self.taken.append(output)
            replaced = self.replace(len(self.taken) - 1, output)
            if replaced is output:
                self.taken[-1] = output.clone()  # the model may go on in place
            return replaced
        is_kept = self.keeps_graph and output.requires_grad
        self.n_kept += is_kept
        own = output if is_kept else output.detach().requires_grad_()
        self.taken.append(own)
        return own.clone()  # a leaf must not be changed in place

    def _watch(self, output: Tensor) -> Tensor:
        """Take a copy, and the gradient of what it is now, whatever the model makes of it in place."""
        place = len(self.taken)
        self.n_kept += 1
        self.taken.append(output.detach().clone())
        output.register_hook(lambda gradient: self.gradients.update({place: gradient}))  # type: ignore[no-untyped-call]  # so it is in torch
        return output


@dataclass(frozen=True)
class CutPoint:
    """Where a layer's activation is cut out of the model's calculation.

    Attributes
    ----------
    layer : FilterLayer
    at : "activation" or "convolution"
        After the first nonlinearity that the convolution's output goes through, or at that output itself.
    reason : str
        Why it is the convolution's output although the activation was asked for; else empty.
    channel_axis : int
        Of the activation.
    by_block : bool
        Where the convolution reads more rows than there are sequences (a model of both strands): whether these are one
        block after the other, and not the strands of each sequence side by side.
    is_pooled : bool
        Whether the convolution's output is pooled before the activation.
    """

    layer: FilterLayer
    at: At
    reason: str = ""
    channel_axis: int = 1
    by_block: bool = True
    is_pooled: bool = False

    def to_sequences(self, activation: Tensor, n: int) -> Tensor:
        """(rows, ...) -> (n, rows a sequence, ...)."""
        shape = activation.shape[1:]
        if self.by_block:
            return activation.reshape(-1, n, *shape).transpose(0, 1)
        return activation.reshape(n, -1, *shape)

    def to_rows(self, activation: Tensor) -> Tensor:
        """(n, rows a sequence, ...) -> (rows, ...): the inverse of `to_sequences`."""
        return (activation.transpose(0, 1) if self.by_block else activation).flatten(0, 1)

    def by_channel(self, values: Sequence[Tensor], n: int) -> Tensor:
        """Add up values of the activations' shape to (n, channels), one row a sequence, in float64 on the CPU."""
        summed = [
            self.to_sequences(value.movedim(self.channel_axis, 1), n).flatten(3).sum((1, 3), dtype=torch.float64)
            for value in values
        ]
        return torch.stack(summed).sum(0).cpu()


def why_not_at_activation(chain: Chain) -> str:
    """Why a convolution's activation is not where it is taken; empty if it is."""
    if chain.leaves or chain.found is not None:
        return chain.leaves
    after = f" before it goes into {chain.last}" if chain.last else ""
    return f"no nonlinearity follows it{after}"


def _adds_a_map(given: dict[int, Tensor], own: set[int], output: Tensor) -> bool:
    """Whether a sum has another part that differs between sequences and positions: no bias, no weights."""
    others = [value for key, value in given.items() if key not in own and not isinstance(value, nn.Parameter)]
    return any(value.shape == output.shape for value in others)


def _has_channels(activation: Tensor, n_channels: int) -> bool:
    return activation.dim() >= 3 and n_channels in activation.shape[1:]


def _tensors(values: Any) -> list[Tensor]:
    """Tensors among a function's arguments, lists of them included."""
    found: list[Tensor] = []
    for value in values:
        if isinstance(value, Tensor):
            found.append(value)
        elif isinstance(value, list | tuple):
            found += _tensors(value)
    return found


def _name(func: Any) -> str:
    """``relu`` for torch.relu, Tensor.relu_, functional.relu, Tensor.__iadd__ ..."""
    return str(getattr(func, "__name__", "")).strip("_")
