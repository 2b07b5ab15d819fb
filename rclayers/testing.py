"""Measure and assert the reverse-complement (RC) guarantee; name the first layer of a model that breaks it."""

import copy
import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from rclayers._strands import Strandwise
from rclayers._symmetry import act, reverse_complement

#: Largest error, relative to the largest value, that rounding explains.
TOLERANCE = {torch.float64: 1e-12, torch.float32: 1e-5, torch.float16: 1e-2, torch.bfloat16: 1e-1}

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
    """What `check_rc` found; prints as a sentence, and is true in a condition if the model is invariant.

    Attributes
    ----------
    is_invariant : bool
        Whether the outputs are equal on both strands for *any* weights of this architecture.
    error : float
        Largest |f(rc x) - f(x)| with the present weights, in units of the output and in the model's precision; NaN if
        the model raised.
    first_break : str or None
        Name of the first layer whose output is neither equivariant nor invariant.
    advice : str or None
        What to put in its place.
    """

    is_invariant: bool
    error: float
    first_break: str | None = None
    advice: str | None = None

    def __bool__(self) -> bool:
        return self.is_invariant

    def __str__(self) -> str:
        if self.is_invariant:
            return f"invariant: forward and reverse-complement outputs differ by at most {self.error:.3g}"
        if math.isnan(self.error):
            return f"not invariant: layer {self.first_break} raised: {self.advice}"
        outputs = f"outputs differ by up to {self.error:.3g}" if self.error > 1e-5 else "its present weights hide it"
        return f"not invariant: {outputs}; the first layer to break it is {self.first_break}: {self.advice}"


def check_rc(model: nn.Module, length: int, *, in_channels: int = 4, n_sequences: int = 8, seed: int = 0) -> RCReport:
    """Whether a model gives both strands the same output, by how much it misses, and which layer is the first to break.

    Parameters
    ----------
    model : nn.Module
        (N, in_channels, length) -> (N,) or (N, T). It is left as it is, mode included.
    length : int
        Length of the random one-hot sequences to test it with, in bp.
    in_channels : int
        4 for one-hot ACGT.
    n_sequences, seed : int
        How many sequences, drawn how.

    Returns
    -------
    RCReport

    Notes
    -----
    Fresh models hide faults (a plain batch norm acts alike on both strands until its first update), so the verdict
    comes from a float64 copy whose trainable weights and running statistics are moved at random; `error` comes from
    the model itself. Both run in eval mode.
    """
    generator = torch.Generator().manual_seed(seed)
    letters = torch.randint(in_channels, (n_sequences, length), generator=generator)
    x = nn.functional.one_hot(letters, in_channels).transpose(1, 2)
    moved = _move_weights(copy.deepcopy(model).cpu().double().eval(), generator)
    try:
        steps = _trace(moved, x.double())
    except _RaisedIn as failure:
        return RCReport(False, float("nan"), failure.layer, str(failure.__cause__))
    error = _present_error(model, x)
    if steps[-1].keeps:  # whatever happens within: a model may average over both strands itself
        return RCReport(True, error)
    first_break = next(step for step in steps if not step.keeps)
    return RCReport(False, error, first_break.name, first_break.advice)


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


def _trace(model: nn.Module, x: Tensor) -> list[_Step]:
    forward, reverse = _outputs_by_call(model, x), _outputs_by_call(model, reverse_complement(x))
    steps = [
        _Step(name, _advice(module), _corresponds(y, y_of_rc))
        for (name, module, y), (_, _, y_of_rc) in zip(forward[:-1], reverse[:-1], strict=True)
    ]
    (_, _, y), (_, _, y_of_rc) = forward[-1], reverse[-1]
    last = f"after {steps[-1].name}" if steps else "the model"
    advice = "the output still depends on the strand: end with rclayers.RCLinear, or pool over both strands"
    says_something = bool((y != y[:1]).any()) or all(step.keeps for step in steps)  # a dead model is no evidence
    return [*steps, _Step(last, advice, says_something and _relative(y_of_rc, y) < 1e-9)]


def _outputs_by_call(model: nn.Module, x: Tensor) -> list[tuple[str, nn.Module, Tensor]]:
    """Outputs of every layer in the order of the calls, and of the whole model at the end."""
    outputs: list[tuple[str, nn.Module, Tensor]] = []
    running = ["the model"]

    def enter(name: str) -> None:
        running[0] = name

    handles = []
    for name, module in _layers(model):
        handles.append(module.register_forward_pre_hook(lambda *_, name=name: enter(name)))
        handles.append(
            module.register_forward_hook(
                lambda module, _, y, name=name: outputs.append((name, module, y)) if isinstance(y, Tensor) else None
            )
        )
    try:
        with torch.no_grad():
            y = model(x)
    except Exception as error:
        raise _RaisedIn(running[0]) from error
    finally:
        for handle in handles:
            handle.remove()
    if not isinstance(y, Tensor):
        raise TypeError(f"check_rc: the model returned {type(y).__name__}, expected one tensor. Wrap it to return one.")
    return [*outputs, ("", model, y)]


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
    return any(_relative(y_of_rc, expected) < 1e-9 for expected in (act(y), y))


def _present_error(model: nn.Module, x: Tensor) -> float:
    was_training = {module: module.training for module in model.modules()}
    like = next((p for p in model.parameters() if p.is_floating_point()), torch.zeros(()))
    x = x.to(dtype=like.dtype, device=like.device)
    try:
        with torch.no_grad():
            model.eval()
            return float((model(reverse_complement(x)) - model(x)).abs().max())
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
