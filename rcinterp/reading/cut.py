"""A convolution's activation, taken out of a model's own calculation and put back: for models however written."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from rcinterp.errors import InputError
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
class _Chain:
    """What one call of the convolution becomes, up to its activation.

    Attributes
    ----------
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
    """

    members: dict[int, Tensor]
    used: set[int] = field(default_factory=set)
    found: str | None = None
    leaves: str = ""
    last: str = ""


class _Follow(TorchFunctionMode):
    """Follow a convolution's output through the functions of torch that a model calls, as modules or by name."""

    def __init__(self, filters: FilterLayer) -> None:
        super().__init__()
        self.filters = filters
        self.chains: list[_Chain] = []

    def __enter__(self) -> Any:
        self.handle = self.filters.convolution.register_forward_hook(lambda *call: self.start(call[2]))
        return super().__enter__()  # type: ignore[no-untyped-call]  # so it is in torch

    def __exit__(self, *error: Any) -> None:
        super().__exit__(*error)  # type: ignore[no-untyped-call]  # so it is in torch
        self.handle.remove()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = func(*args, **(kwargs or {}))
        if self.chains and _tensors((output,)):
            given = {id(value): value for value in _tensors((*args, *(kwargs or {}).values()))}
            for chain in self.chains:
                output = self._extend(chain, _name(func), given, output)
        return output

    def _extend(self, chain: _Chain, name: str, given: dict[int, Tensor], output: Any) -> Any:
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
        if name in _NONLINEAR and _has_channels(output, self.filters.n_channels):
            chain.found = name
            if in_place:  # what is done with it from here on is done with the activation
                del chain.members[id(output)]
            return self.at_activation(output, in_place)
        source = chain.members[next(iter(own))]
        if name in _LINEAR or (name == "getitem" and output.shape[:2] == source.shape[:2]):
            chain.members[id(output)] = output
            if name in _SUMS and _adds_a_map(given, own, output):
                chain.leaves = chain.leaves or "something else is added to its output before a nonlinearity"
        else:
            chain.last = name
        return output

    def start(self, output: Tensor) -> Tensor:
        """Begin a chain at a convolution's output."""
        self.chains.append(_Chain({id(output): output}))
        return output

    def at_activation(self, output: Tensor, in_place: bool) -> Tensor:
        """Activation that takes this one's place."""
        return output


class Cut(_Follow):
    """While a model runs, its activations are leaves of the graph, or are replaced; for use in a ``with``.

    Parameters
    ----------
    place : Place
        Where the cut is.
    replace : callable, optional
        ``replace(i, activation)``: what takes the place of the i-th activation of this run. By default the activation
        itself, detached, with gradient.

    Attributes
    ----------
    taken : list of Tensor, shape (rows, channels, ...)
        One a call of the convolution.
    """

    def __init__(self, place: "Place", replace: Callable[[int, Tensor], Tensor] | None = None) -> None:
        super().__init__(place.filters)
        self.place = place
        self.replace = replace
        self.taken: list[Tensor] = []

    def start(self, output: Tensor) -> Tensor:
        """Begin a chain, or cut here."""
        return self._cut(output) if self.place.at == "convolution" else super().start(output)

    def at_activation(self, output: Tensor, in_place: bool) -> Tensor:
        """Cut."""
        cut = self._cut(output)
        if not in_place:
            return cut
        with torch.enable_grad():
            return output.copy_(cut)  # a model that changes a tensor in place goes on with that very tensor

    def _cut(self, output: Tensor) -> Tensor:
        if self.replace is not None:  # copies, as the model may go on in place
            self.taken.append(output.clone())
            return self.replace(len(self.taken) - 1, output).clone()
        leaf = output.detach().requires_grad_()
        self.taken.append(leaf)
        return leaf.clone()  # a leaf must not be changed in place


@dataclass(frozen=True)
class Place:
    """Where a layer's activation is cut out of the model's calculation.

    Attributes
    ----------
    filters : FilterLayer
    at : "activation" or "convolution"
        After the first nonlinearity that the convolution's output goes through, or at that output itself.
    reason : str
        Why it is the convolution's output although the activation was asked for; else empty.
    channel_axis : int
        Of the activation.
    by_block : bool
        Where the convolution reads more rows than there are sequences (a model of both strands): whether these are one
        block after the other, and not the strands of each sequence side by side.
    """

    filters: FilterLayer
    at: At
    reason: str = ""
    channel_axis: int = 1
    by_block: bool = True

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


def find_place(filters: FilterLayer, at: At, call: Callable[[], Tensor]) -> Place:
    """Where to cut, found by two runs of the model.

    Parameters
    ----------
    filters : FilterLayer
    at : "activation" or "convolution"
    call : callable
        Runs the model on a few sequences and returns their scores, (n,).

    Raises
    ------
    InputError
        If `at` is neither, or the model does not use the layer.

    Notes
    -----
    The functions that the model calls, through modules or by name, are followed from the convolution's output on,
    through norms, dropout and pooling, to the first nonlinearity. If the output is used on a second way before it (the
    skip of a residual stem), or is not followed by one, only the convolution's own output holds all that the filter
    gives, and the cut is there.
    """
    if at not in ("activation", "convolution"):
        raise InputError(f"at: got {at!r}, expected 'activation' or 'convolution'.")
    with _Follow(filters) as follow, torch.no_grad():
        call()
    if not follow.chains:
        raise InputError(
            f"the model did not use {filters.name!r} on these sequences; name another layer, layer=..., from "
            "model.named_modules()."
        )
    reason = next((_why_not(chain) for chain in follow.chains if _why_not(chain)), "") if at == "activation" else ""
    place = Place(filters, "convolution" if reason else at, reason)
    with torch.enable_grad(), Cut(place) as cut:
        score = call()
    axis = _channel_axis(place, cut.taken[0], call)
    if axis is None:
        reason = "its channels cannot be told from its positions after a nonlinearity"
        place, axis = Place(filters, "convolution", reason), 1
        with torch.enable_grad(), Cut(place) as cut:
            score = call()
    return replace(place, channel_axis=axis, by_block=_rows_in_blocks(cut.taken, score, filters))


def require_gradients(place: Place, call: Callable[[], Tensor]) -> None:
    """Refuse a model that hides from gradients what its scores owe to the layer.

    Raises
    ------
    InputError
        If the activations are not in the scores' graph though the scores depend on them, or no gradient can be taken.
    """
    try:
        with torch.enable_grad(), Cut(place) as cut:
            score = call()
        gradients = torch.autograd.grad(score.sum(), cut.taken, allow_unused=True) if score.requires_grad else ()
    except RuntimeError as error:
        raise InputError(
            f"the model's gradients cannot be taken ({str(error).splitlines()[0]}), expected a model that is "
            "differentiable above the layer. Use method='ablation', which needs none."
        ) from error
    if any(gradient is not None for gradient in gradients):  # perhaps 0, as where a sigmoid is saturated
        return
    with torch.no_grad(), Cut(place, lambda i, activation: torch.zeros_like(activation)):
        silent = call()
    if not torch.allclose(silent.detach(), score.detach(), rtol=1e-4, atol=1e-6):
        raise InputError(
            f"no gradient reaches layer {place.filters.name!r}, though the scores depend on it: the model or func= "
            "cuts it off (torch.no_grad, detach). Use method='ablation', which needs none."
        )


def _why_not(chain: _Chain) -> str:
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


def _channel_axis(place: Place, activation: Tensor, call: Callable[[], Tensor]) -> int | None:
    """Axis of the channels: 1, unless a model moved them before the nonlinearity; None if it cannot be told."""
    filters = place.filters
    axes = [axis for axis in range(1, activation.dim()) if activation.shape[axis] == filters.n_channels]
    if len(axes) == 1 or place.at == "convolution":
        return axes[0]
    moved = activation - _with_a_position_moved(place, call)
    n_changed = [int(_indices(moved, axis).sum()) for axis in axes]  # of the positions few, of the channels many
    most = max(n_changed)
    return axes[n_changed.index(most)] if n_changed.count(most) == 1 else None


def _with_a_position_moved(place: Place, call: Callable[[], Tensor]) -> Tensor:
    """Activation after the convolution's output was raised at its first position, in all channels."""

    def move(module: Any, inputs: Any, output: Tensor) -> Tensor:
        moved = output.clone()
        steps = 1 + torch.arange(output.shape[1], device=output.device)
        moved[..., 0] += steps.view(-1, *[1] * (output.dim() - 3))
        return moved

    handle = place.filters.convolution.register_forward_hook(move)
    try:
        with torch.no_grad(), Cut(place, lambda i, activation: activation) as cut:
            call()
    finally:
        handle.remove()
    activation: Tensor = cut.taken[0]
    return activation


def _indices(moved: Tensor, axis: int) -> Tensor:
    """Whether anything changed at each index of an axis."""
    changed: Tensor = (moved.detach() != 0).movedim(axis, 0)
    return changed.flatten(1).any(1)


def _rows_in_blocks(taken: Sequence[Tensor], score: Tensor, filters: FilterLayer) -> bool:
    """Whether row i of the activation belongs to sequence i modulo n (else to i // (rows / n))."""
    rows, n = len(taken[0]), len(score)
    if n == 1 or all(len(activation) == n for activation in taken) or not score.requires_grad:
        return True
    if any(len(activation) != rows for activation in taken) or rows % n:
        raise InputError(
            f"layer {filters.name!r} reads {rows} rows for {n} sequences, expected a multiple of {n}: what belongs to "
            "which sequence cannot be told. Name another layer."
        )
    for i in range(n):
        gradients = torch.autograd.grad(score[i], list(taken), allow_unused=True, retain_graph=True)
        touched = torch.zeros(rows, dtype=torch.bool)
        for gradient in gradients:
            touched |= (gradient != 0).flatten(1).any(1).cpu() if gradient is not None else False
        if touched.any():
            return not bool(touched[torch.arange(rows) % n != i].any())
    return True


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
