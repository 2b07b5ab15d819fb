"""How a model is built, seen in two runs of it on a few sequences: its layer, where to cut, whether gradients reach."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, get_args

import torch
from torch import Tensor

from rcinterp.errors import InputError
from rcinterp.reading.cut import At, Cut, CutPoint, Follow, why_not_at_activation
from rcinterp.reading.inputs import Inputs
from rcinterp.reading.layer import FilterLayer, are_letters, choose_layer, find_layers
from rcinterp.reading.model import Runner
from rcinterp.reading.probability import NoteSquashing

#: Sequences that a model is probed with.
N_PROBED = 3
#: Sequences that they are chosen from.
N_LOOKED_AT = 1000


@dataclass(frozen=True, eq=False)
class BoundLayer:
    """A layer of a lent model, found and cut: what every measurement starts from.

    Attributes
    ----------
    runner : Runner
    point : CutPoint
    read : tuple of Tensor
        What the convolution read of the first sequence, one a call and row, (1, channels, ...) each: two in a model of
        both strands.
    given : Tensor, shape (1, 4, L)
        That sequence.
    gradient_fault : str
        Why no gradient of the logit can be had at the cut; empty if it can.
    other_layers : tuple of str
        Names of further layers that read the sequence, if no layer was asked for.
    rows : Tensor, shape (n,)
        Of the sequences that the model was probed with.
    logit : Tensor, shape (n,)
        Of these sequences, float64, on the CPU.
    """

    runner: Runner
    point: CutPoint
    read: tuple[Tensor, ...]
    given: Tensor
    gradient_fault: str
    other_layers: tuple[str, ...] = ()
    rows: Tensor = field(default_factory=lambda: torch.empty(0, dtype=torch.int64))
    logit: Tensor = field(default_factory=lambda: torch.empty(0))

    @property
    def layer(self) -> FilterLayer:
        """The layer."""
        return self.point.layer

    def cut(self, replace: Callable[[int, Tensor], Tensor] | None = None, *, keeps_graph: bool = False) -> Cut:
        """Cut the activation out of a run, for use in a ``with``; see `Cut`."""
        return Cut(self.point, replace, keeps_graph=keeps_graph)

    def require_gradients(self) -> None:
        """Refuse a model that hides from gradients what its logits owe to the layer."""
        if self.gradient_fault:
            raise InputError(self.gradient_fault)


def probe(runner: Runner, inputs: Inputs, layer: str | None = None, at: At = "activation") -> BoundLayer:
    """Find a layer of a lent model and where its activation is, by running the model on a few of the sequences.

    Parameters
    ----------
    runner : Runner
    inputs : Inputs
    layer : str, optional
        Name of the convolution; the first one over the sequence when not given.
    at : "activation" or "convolution"

    Raises
    ------
    InputError
        If the model cannot be run, has no such layer or does not use it, or what belongs to which sequence cannot be
        told.

    Notes
    -----
    The first run follows what the convolutions return through the functions of torch that the model calls, as modules
    or by name: through norms, dropout and pooling, to the first nonlinearity. If the output is used on a second way
    before it (the skip of a residual stem), or is not followed by one, only the convolution's own output holds all
    that the filter gives, and the cut is there. The second run is cut, and shows which rows and which axis of the
    activation are whose, and whether gradients reach it. A third or fourth run is needed where the axes cannot be told
    apart, or where no gradient arrives.
    """
    if at not in get_args(At):
        raise InputError(f"at: got {at!r}, expected 'activation' or 'convolution'.")
    rows = _few(inputs)
    few = inputs.rows(rows)
    batch = runner.whole_batch(few)
    chosen, follow, squashing, logit = _follow(runner, batch, layer)
    beside = _reading_letters(follow, chosen) if layer is None else ()
    runner = runner.ending(squashing, logit)
    chains = [chain for chain in follow.chains if chain.layer is chosen]
    if not chains:
        raise InputError(
            f"the model did not use {chosen.name!r} on these sequences; name another layer, layer=..., from "
            "model.named_modules()."
        )
    reasons = [why_not_at_activation(chain) for chain in chains] if at == "activation" else []
    reason = next(filter(None, reasons), "")
    point = CutPoint(chosen, "convolution" if reason else at, reason)
    if point.at == "activation":
        point = replace(point, is_pooled=any(chain.is_pooled for chain in chains))
    with torch.inference_mode(False):
        bound = _cut_once(runner, batch, point, follow.read[chosen.name], few.x[:1])
    return replace(bound, other_layers=beside, rows=rows)


def _reading_letters(follow: Follow, chosen: FilterLayer) -> tuple[str, ...]:
    """Names of the layers other than the one chosen that were called on letters, in the order of the calls."""
    others = (name for name in follow.read if name != chosen.name and _reads_letters(name, follow))
    return tuple(others) if _reads_letters(chosen.name, follow) else ()


def _reads_letters(name: str, follow: Follow) -> bool:
    """Whether a layer was called on letters."""
    return are_letters(follow.read[name][0], follow.n_copies[name])


def _few(inputs: Inputs) -> Tensor:
    """Rows of the first sequences that have the most letters: of N it cannot be told what a layer reads of them."""
    n_letters = (inputs.x[:N_LOOKED_AT] != 0).sum((1, 2))
    few = n_letters.argsort(descending=True, stable=True)[:N_PROBED].sort().values
    # of a single one it cannot be told which rows of an activation are its own
    return few if len(few) > 1 else few.repeat(2)


def _follow(
    runner: Runner, batch: Sequence[Tensor], layer: str | None
) -> tuple[FilterLayer, Follow, NoteSquashing, Tensor]:
    """Run the model once: the layer, what became of the convolutions' outputs, its sigmoids, and the logit."""
    layers = find_layers(runner.model, layer)
    selected: list[Tensor] = []
    with Follow(list(layers.values())) as follow, torch.no_grad():
        with NoteSquashing() as squashing:
            output = runner.run([value.clone() for value in batch])
        error = _first_error(lambda: selected.append(runner.note_selected(squashing, output, len(batch[0]))))
    # stable: in the order of the calls, those that read letters first
    layers |= follow.applied
    called = sorted(follow.read, key=lambda name: not _reads_letters(name, follow))
    chosen = choose_layer(runner.model, layers, called if layer is None else [layer], layer)
    if error is not None:  # that there is no layer is said first
        raise error
    return chosen, follow, squashing, selected[0]


def _first_error(call: Callable[[], Any]) -> InputError | None:
    try:
        call()
    except InputError as error:
        return error
    return None


def _cut_once(
    runner: Runner, batch: Sequence[Tensor], point: CutPoint, read: Sequence[Tensor], given: Tensor
) -> BoundLayer:
    """Run the model once with the cut, and see what is whose."""

    def call() -> Tensor:
        return runner.logits([value.clone() for value in batch])

    with torch.enable_grad(), Cut(point) as cut:
        logit = call()
    axis = _channel_axis(point, cut.taken[0], call)
    if axis is None:
        reason = "its channels cannot be told from its positions after a nonlinearity"
        point, axis = CutPoint(point.layer, "convolution", reason), 1
        with torch.enable_grad(), Cut(point) as cut:
            logit = call()
    point = replace(point, channel_axis=axis, by_block=_rows_in_blocks(cut.taken, logit, point.layer))
    own = tuple(row[None] for call_read in read for row in point.to_sequences(call_read, len(batch[0]))[0])
    fault = _gradient_fault(point, cut.taken, logit, call)
    return BoundLayer(runner, point, own, given, fault, logit=logit.detach().double().cpu())


def _gradient_fault(point: CutPoint, taken: Sequence[Tensor], logit: Tensor, call: Callable[[], Tensor]) -> str:
    """Why no gradient of the logit can be had at the cut; empty if it can."""
    try:
        gradients = torch.autograd.grad(logit.sum(), list(taken), allow_unused=True) if logit.requires_grad else ()
    except RuntimeError as error:
        return (
            f"the model's gradients cannot be taken ({str(error).splitlines()[0]}), expected a model that is "
            "differentiable above the layer. Use method='ablation', which needs none."
        )
    if any(gradient is not None for gradient in gradients):  # perhaps 0, as where a sigmoid is saturated
        return ""
    with torch.no_grad(), Cut(point, lambda i, activation: torch.zeros_like(activation)):
        silent = call()
    if torch.allclose(silent.detach(), logit.detach(), rtol=1e-4, atol=1e-6):
        return ""
    return (
        f"no gradient reaches layer {point.layer.name!r}, though the logits depend on it: the model or func= "
        "cuts it off (torch.no_grad, detach). Use method='ablation', which needs none."
    )


def _channel_axis(point: CutPoint, activation: Tensor, call: Callable[[], Tensor]) -> int | None:
    """Axis of the channels: 1, unless a model moved them before the nonlinearity; None if it cannot be told."""
    n_channels = point.layer.n_channels
    axes = [axis for axis in range(1, activation.dim()) if activation.shape[axis] == n_channels]
    if len(axes) == 1 or point.at == "convolution":
        return axes[0]
    moved = activation - _with_a_position_moved(point, call)
    n_changed = [int(_indices(moved, axis).sum()) for axis in axes]  # of the positions few, of the channels many
    most = max(n_changed)
    return axes[n_changed.index(most)] if n_changed.count(most) == 1 else None


def _with_a_position_moved(point: CutPoint, call: Callable[[], Tensor]) -> Tensor:
    """Activation after the convolution's output was raised at its first position, in all channels."""

    def move(module: Any, inputs: Any, output: Tensor) -> Tensor:
        moved = output.clone()
        steps = 1 + torch.arange(output.shape[1], device=output.device)
        moved[..., 0] += steps.view(-1, *[1] * (output.dim() - 3))
        return moved

    handle = point.layer.convolution.register_forward_hook(move)
    try:
        with torch.no_grad(), Cut(point, lambda i, activation: activation) as cut:
            call()
    finally:
        handle.remove()
    activation: Tensor = cut.taken[0]
    return activation


def _indices(moved: Tensor, axis: int) -> Tensor:
    """Whether anything changed at each index of an axis."""
    changed: Tensor = (moved.detach() != 0).movedim(axis, 0)
    return changed.flatten(1).any(1)


def _rows_in_blocks(taken: Sequence[Tensor], logit: Tensor, layer: FilterLayer) -> bool:
    """Whether row i of the activation belongs to sequence i modulo n (else to i // (rows / n))."""
    rows, n = len(taken[0]), len(logit)
    if n == 1 or all(len(activation) == n for activation in taken) or not logit.requires_grad:
        return True
    if any(len(activation) != rows for activation in taken) or rows % n:
        raise InputError(
            f"layer {layer.name!r} reads {rows} rows for {n} sequences, expected a multiple of {n}: what belongs to "
            "which sequence cannot be told. Name another layer."
        )
    by_block = True
    for i in range(n):  # the maximum of both strands touches one row alone, which may fit both orders
        gradients = torch.autograd.grad(logit[i], list(taken), allow_unused=True, retain_graph=True)
        touched = torch.zeros(rows, dtype=torch.bool)
        for gradient in gradients:
            touched |= (gradient != 0).flatten(1).any(1).cpu() if gradient is not None else False
        by_block &= not bool(touched[torch.arange(rows) % n != i].any())
    return by_block
