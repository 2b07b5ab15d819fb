"""Measure and assert the reverse-complement (RC) guarantee; name the first layer of a model that breaks it."""

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from rclayers._strands import Strandwise
from rclayers._symmetry import act

#: Largest error, relative to the largest value, that rounding explains.
TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-5, torch.float16: 1e-2, torch.bfloat16: 1e-1}

#: Largest relative error within a layer that `check_rc` takes for rounding: an order of magnitude or more above what
#: adds up in deep models, far below what a broken layer makes of moved weights.
_CLOSE = {torch.float64: 1e-9, torch.float32: 1e-4, torch.float16: 1e-1, torch.bfloat16: 1e-1}

_ADVICE: tuple[tuple[type[nn.Module], str], ...] = (
    (nn.Conv1d, "its filters read one strand only: use rclayers.RCConv1d"),
    (nn.BatchNorm1d, "its channels are normalised apart: use rclayers.RCBatchNorm1d"),
    (nn.MaxPool1d, "its windows start at one end: use rclayers.RCMaxPool1d"),
    (nn.AvgPool1d, "its windows start at one end: use rclayers.RCAvgPool1d"),
    (nn.Linear, "it weighs each strand and position apart: use rclayers.RCWeightedSum1d and rclayers.RCLinear"),
    (nn.LayerNorm, "it has weights of its own for each position: wrap it in rclayers.Strandwise"),
    (nn.RNNBase, "it reads in one direction: wrap it in rclayers.Strandwise"),
)


def rc_error(module: nn.Module, x: Tensor, *, invariant: bool | None = None) -> float:
    """By how much a module misses the guarantee on `x`, relative to its largest output (or to 1, if that is more).

    Parameters
    ----------
    module : nn.Module
        Run as it is, in the mode that it is in, without gradients.
    x : Tensor, shape (N, C, L) or (N, C)
    invariant : bool, optional
        Whether the outputs of both strands should be equal (True) or each other's reverse complement (False). When not
        given: equal for an output of one value a sequence or task, (N,) or (N, T); reverse complements for a map.

    Returns
    -------
    float
        ``max |f(rc x) - f(x)|`` or ``max |f(rc x) - rc f(x)|``, over ``max(1, max |f(x)|)``.
    """
    with torch.no_grad():
        y, y_of_rc = module(x), module(act(x))
    if invariant is None:
        invariant = y.dim() < 3
    return _relative(y_of_rc, y if invariant else act(y))


def assert_rc_equivariant(module: nn.Module, x: Tensor, tolerance: float | None = None) -> None:
    """Raise AssertionError unless the module turns the reverse complement of `x` into that of its output.

    `tolerance` is relative to the largest output: 1e-12 for float64 and 1e-5 for float32 when not given.
    """
    _assert_small(rc_error(module, x, invariant=False), module, x, tolerance, "reverse-complement equivariant")


def assert_rc_invariant(module: nn.Module, x: Tensor, tolerance: float | None = None) -> None:
    """Raise AssertionError unless the module gives `x` and its reverse complement the same output.

    `tolerance` is relative to the largest output: 1e-12 for float64 and 1e-5 for float32 when not given.
    """
    _assert_small(rc_error(module, x, invariant=True), module, x, tolerance, "reverse-complement invariant")


def _assert_small(error: float, module: nn.Module, x: Tensor, tolerance: float | None, what: str) -> None:
    limit = TOLERANCE[x.dtype] if tolerance is None else tolerance
    if not error <= limit:  # so that NaN fails
        raise AssertionError(
            f"{type(module).__name__} is not {what} on x of shape {tuple(x.shape)}: {error:.3g} > {limit:.3g}"
        )


@dataclass(frozen=True)
class RCReport:
    """What `check_rc` found; prints as a sentence, and is true in a condition if the guarantee holds.

    Attributes
    ----------
    holds : bool
        Whether the outputs of both strands correspond for *any* weights of this architecture.
    error : float
        Largest difference from what is expected of the reverse complement, with the present weights, in units of the
        output and in the model's precision; NaN if the model raised.
    first_break : str or None
        Name of the first layer whose output is neither equivariant nor invariant.
    advice : str or None
        What to put in its place.
    kind : str
        What was asked of the output: "invariant" or "equivariant".
    """

    holds: bool
    error: float
    first_break: str | None = None
    advice: str | None = None
    kind: str = "invariant"

    @property
    def is_invariant(self) -> bool:
        """Whether both strands get the same output."""
        return self.holds and self.kind == "invariant"

    @property
    def is_equivariant(self) -> bool:
        """Whether the output turns with the sequence: that of the reverse complement is the turned one."""
        return self.holds and self.kind == "equivariant"

    def __bool__(self) -> bool:
        return self.holds

    def __str__(self) -> str:
        if self.is_invariant:
            return f"invariant: forward and reverse-complement outputs differ by at most {self.error:.3g}"
        if self.is_equivariant:
            return f"equivariant: the output turns with the sequence, up to {self.error:.3g}"
        if math.isnan(self.error):
            return (
                f"cannot be judged: {self.first_break} raised: {str(self.advice).rstrip('.')}. Give the length that "
                "the model is for, if it is for another, and further inputs by args=."
            )
        outputs = f"outputs differ by up to {self.error:.3g}" if self.error > 1e-5 else "its present weights hide it"
        return f"not {self.kind}: {outputs}; the first layer to break it is {self.first_break}: {self.advice}"


def check_rc(
    model: nn.Module,
    length: int,
    *,
    in_channels: int = 4,
    n_sequences: int = 8,
    seed: int = 0,
    args: Sequence[Tensor] = (),
    func: Callable[[Any], Tensor] | None = None,
    turn: Callable[[Tensor], Tensor] | None = None,
) -> RCReport:
    """Whether a model gives both strands the same output, by how much it misses, and which layer is the first to break.

    Parameters
    ----------
    model : nn.Module
        (N, in_channels, length) -> (N,) or (N, T), which should be the same for both strands; or a profile (N, C, L),
        which should turn with the sequence. It is left as it is, mode included.
    length : int
        Length of the random one-hot sequences to test it with, in bp.
    in_channels : int
        4 for one-hot ACGT.
    n_sequences, seed : int
        How many sequences, drawn how.
    args : sequence of Tensor
        Further inputs, n_sequences rows each. A map (n, C, L), such as a control track, is turned with its sequence;
        others are given as they are.
    func : callable, optional
        What to judge of a model that returns more than one tensor, e.g. ``lambda y: y[0]``.
    turn : callable, optional
        Output for a sequence -> the one that is right for its reverse complement, if neither of the above fits. A
        profile of unstranded tracks: ``lambda y: y.flip(-1)``; with positions before tracks, (N, L, T): ``y.flip(1)``.

    Returns
    -------
    RCReport

    Raises
    ------
    TypeError
        If what is to be judged is no tensor.

    Notes
    -----
    Fresh models hide faults (a plain batch norm acts alike on both strands until its first update), so the verdict
    comes from a float64 copy whose trainable weights and running statistics are moved at random; `error` comes from
    the model itself. Both run in eval mode. A model that cannot run in float64 is judged in its own precision.

    Examples
    --------
    >>> from torch import nn
    >>> from rclayers import RCConv1d
    >>> bool(check_rc(nn.Sequential(RCConv1d(4, 3, 7), nn.ReLU(), RCConv1d(6, 1, 5)), length=30).is_equivariant)
    True
    """
    generator = torch.Generator().manual_seed(seed)
    letters = torch.randint(in_channels, (n_sequences, length), generator=generator)
    x = nn.functional.one_hot(letters, in_channels).transpose(1, 2).contiguous()
    inputs, judge = (x, *args), _Judge(func, turn)
    copied = _move_weights(copy.deepcopy(model).cpu().eval(), generator)
    try:
        steps, kind = _trace(copy.deepcopy(copied).double(), inputs, judge)
    except _RaisedIn as failure:
        try:
            steps, kind = _trace(copied, inputs, judge)
        except _RaisedIn:
            return RCReport(False, float("nan"), failure.layer, str(failure.__cause__))
    error = _present_error(model, inputs, judge)
    if steps[-1].keeps:  # whatever happens within: a model may average over both strands itself
        return RCReport(True, error, kind=kind)
    first_break = next(step for step in steps if not step.keeps)
    return RCReport(False, error, first_break.name, first_break.advice, kind)


@dataclass(frozen=True)
class _Judge:
    """What of a model's output is judged, and how it should turn with the sequence."""

    func: Callable[[Any], Tensor] | None
    turn: Callable[[Tensor], Tensor] | None

    def select(self, y: Any) -> Tensor:
        """The tensor to judge."""
        y = y if self.func is None else self.func(y)
        if not isinstance(y, Tensor):
            raise TypeError(
                f"check_rc: got {type(y).__name__}, expected one tensor. Name the output to judge, e.g. "
                "func=lambda y: y[0]."
            )
        return y

    def expected(self, y: Tensor) -> Tensor:
        """What is right for the reverse complement, given the output for the sequence."""
        if self.turn is not None:
            return self.turn(y)
        return y if y.dim() < 3 else act(y)

    def kind(self, y: Tensor) -> str:
        """Whether the output should stay or turn."""
        return "invariant" if self.turn is None and y.dim() < 3 else "equivariant"


@dataclass(frozen=True)
class _Step:
    """One layer's outputs for x and for rc x, and whether they still correspond."""

    name: str
    advice: str
    keeps: bool


class _RaisedIn(Exception):
    """Wraps what a layer raised, with the layer's name."""

    def __init__(self, layer: str) -> None:
        super().__init__(layer)
        self.layer = layer


def _trace(model: nn.Module, inputs: Sequence[Tensor], judge: _Judge) -> tuple[list[_Step], str]:
    """Every layer's step and at the end the model's own; and what its output should do, stay or turn."""
    here, there = _both_strands(inputs, _first_parameter(model))
    forward, y = _outputs_by_call(model, here)
    reverse, y_of_rc = _outputs_by_call(model, there)
    steps = [
        _Step(name, _advice(module), _corresponds(y, y_of_rc))
        for (name, module, y), (_, _, y_of_rc) in zip(forward, reverse, strict=False)
    ]
    y, y_of_rc = judge.select(y), judge.select(y_of_rc)
    kind = judge.kind(y)
    last = f"after {steps[-1].name}" if steps else "the model"
    advice = {
        "invariant": "the output still depends on the strand: end with rclayers.RCLinear, or pool over both strands",
        "equivariant": "the output does not turn with the sequence: give each channel its partner, as RCConv1d does",
    }
    says_something = bool((y != y[:1]).any()) or all(step.keeps for step in steps)  # a dead model is no evidence
    keeps = says_something and _relative(y_of_rc, judge.expected(y)) < _CLOSE[y.dtype]
    return [*steps, _Step(last, advice[kind], keeps)], kind


def _both_strands(inputs: Sequence[Tensor], like: Tensor) -> tuple[list[Tensor], list[Tensor]]:
    """Inputs on the model's device, sequences and floating-point ones in its type: as they are, and turned."""
    here = [
        value.to(like) if i == 0 or value.is_floating_point() else value.to(like.device)
        for i, value in enumerate(inputs)
    ]
    return here, [act(value) if value.dim() == 3 else value for value in here]


def _outputs_by_call(model: nn.Module, inputs: Sequence[Tensor]) -> tuple[list[tuple[str, nn.Module, Tensor]], Any]:
    """Outputs of every layer in the order of the calls, the first of several; and what the whole model returned."""
    outputs: list[tuple[str, nn.Module, Tensor]] = []
    running = ["the model"]

    def note(name: str, module: nn.Module, y: Any) -> None:
        y = y[0] if isinstance(y, tuple) and y else y
        if isinstance(y, Tensor):
            outputs.append((name, module, y))

    handles = []
    for name, module in _layers(model):
        handles.append(module.register_forward_pre_hook(lambda *_, name=name: running.__setitem__(0, name)))
        handles.append(module.register_forward_hook(lambda module, _, y, name=name: note(name, module, y)))
    try:
        with torch.no_grad():
            y = model(*inputs)
    except Exception as error:
        raise _RaisedIn(running[0]) from error
    finally:
        for handle in handles:
            handle.remove()
    return outputs, y


def _layers(model: nn.Module) -> list[tuple[str, nn.Module]]:
    """Named modules without children; a `Strandwise` counts as one, as its inside sees other batches."""
    inside = {
        inner for module in model.modules() if isinstance(module, Strandwise) for inner in module.module.modules()
    }
    return [
        (name or type(module).__name__, module)
        for name, module in model.named_modules()
        if module not in inside and (isinstance(module, Strandwise) or not any(True for _ in module.children()))
    ]


def _move_weights(model: nn.Module, generator: torch.Generator) -> nn.Module:
    """Move trainable weights and running statistics by about a tenth of their size, at random."""
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad and parameter.is_floating_point():
                noise = torch.randn(parameter.shape, generator=generator, dtype=parameter.dtype)
                parameter.add_(noise * (0.1 * parameter.abs().mean() + 0.01))
        for module in model.modules():
            if (
                isinstance(module, nn.BatchNorm1d)
                and module.running_mean is not None
                and module.running_var is not None
            ):
                noise = torch.randn(module.running_var.shape, generator=generator, dtype=module.running_var.dtype)
                module.running_mean.add_(0.1 * noise * module.running_var.sqrt())
                module.running_var.mul_(1 + 0.1 * noise.abs())
    return model


def _corresponds(y: Tensor, y_of_rc: Tensor) -> bool:
    return any(_relative(y_of_rc, expected) < _CLOSE[y.dtype] for expected in (act(y), y))


def _first_parameter(model: nn.Module) -> Tensor:
    return next((p for p in model.parameters() if p.is_floating_point()), torch.zeros(()))


def _present_error(model: nn.Module, inputs: Sequence[Tensor], judge: _Judge) -> float:
    was_training = {module: module.training for module in model.modules()}
    here, there = _both_strands(inputs, _first_parameter(model))
    try:
        with torch.no_grad():
            model.eval()
            y, y_of_rc = judge.select(model(*here)), judge.select(model(*there))
            return float((y_of_rc - judge.expected(y)).abs().max())
    finally:
        for module, training in was_training.items():
            module.training = training


def _relative(actual: Tensor, expected: Tensor) -> float:
    if actual.shape != expected.shape:
        return float("inf")
    scale = max(1.0, float(expected.abs().max()))
    return float((actual - expected).abs().max()) / scale


def _advice(module: nn.Module) -> str:
    for kind, advice in _ADVICE:
        if isinstance(module, kind):
            return f"{type(module).__name__}, {advice}"
    return f"{type(module).__name__}, it treats the strands differently: wrap it in rclayers.Strandwise"
