"""What a layer's activations add to a logit, four ways: gradient x activation, ablation, and captum's two."""

import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from rcinterp.errors import InputError
from rcinterp.reading.cut import Cut
from rcinterp.reading.gradients import FastGradients
from rcinterp.reading.inputs import Inputs
from rcinterp.reading.probe import BoundLayer

#: Names of the methods; `METHODS`, at the end of this file, says which function each is. A new method needs both.
Method = Literal["gradient_x_activation", "ablation", "integrated_gradients", "deeplift"]
Baseline = Literal["zero", "mean"]

#: Steps of the integral; captum's Gauss-Legendre rule is exact for polynomials of twice that degree.
N_STEPS = 32
#: Share of the largest difference by which DeepLIFT's contributions may miss the sum that they must have.
_LARGEST_DELTA = 0.01


def gradient_x_activation(bound: BoundLayer, batch: Sequence[Tensor]) -> Tensor:
    """Gradient x activation of each channel, summed over positions, (n, channels), float64."""
    return bound.point.by_channel(gradient_times_activation(bound, batch)[1], len(batch[0]))


def gradient_times_activation(bound: BoundLayer, batch: Sequence[Tensor]) -> tuple[Tensor, list[Tensor], list[Tensor]]:
    """Logits (n,), gradient x activation at each position, and the activations, one tensor a call of the convolution.

    One forward and one partial backward pass; nothing below the activation is differentiated.
    """
    with torch.enable_grad(), FastGradients(), bound.cut() as cut:
        logit = bound.runner.logits(batch)
    gradients = torch.autograd.grad(logit.sum(), cut.taken, allow_unused=True) if logit.requires_grad else ()
    activations = [activation.detach() for activation in cut.taken]
    return logit.detach(), products_of(activations, gradients or [None] * len(activations), logit.dtype), activations


def products_of(activations: Sequence[Tensor], gradients: Sequence[Tensor | None], dtype: torch.dtype) -> list[Tensor]:
    """Activation times gradient, 0 where there is none, for logits of that type."""
    wide = torch.float64 if dtype == torch.float64 else torch.float32  # products of half precision underflow
    return [
        torch.zeros_like(activation, dtype=wide)
        if gradient is None
        else activation.detach().to(wide) * gradient.to(wide)
        for activation, gradient in zip(activations, gradients, strict=True)
    ]


def ablate(
    bound: BoundLayer, batch: Sequence[Tensor], baseline: Tensor, filters: Iterable[int] | None = None
) -> Tensor:
    """What the logit loses when a filter, both its strands, is set to its baseline, (n, F), float64.

    One forward pass a filter that is not at its baseline anyway, and one more. With `filters`, 0 for all others.
    """
    n_channels = bound.layer.n_channels
    with torch.no_grad():
        outputs: list[Tensor] = []
        handle = bound.layer.convolution.register_forward_hook(lambda *called: outputs.append(called[2].clone()))
        try:
            with bound.cut(lambda i, activation: activation) as cut:
                whole = bound.runner.logits(batch).double().cpu()
        finally:
            handle.remove()
        lost = torch.zeros(len(whole), bound.layer.n_filters, dtype=torch.float64)
        with _standing_in(bound.layer.convolution, outputs):
            for f in range(bound.layer.n_filters) if filters is None else filters:
                channels = sorted({f, n_channels - 1 - f} if bound.layer.is_rc else {f})
                shape = (1, len(channels), *[1] * (cut.taken[0].dim() - 2))
                values = baseline[channels].view(shape).to(cut.taken[0])
                if all(bool((a.movedim(bound.point.channel_axis, 1)[:, channels] == values).all()) for a in cut.taken):
                    continue

                def silence(
                    i: int, _: Tensor, channels: list[int] = channels, values: Tensor = values, whole: Cut = cut
                ) -> Tensor:
                    silenced = whole.taken[i].clone()
                    silenced.movedim(bound.point.channel_axis, 1)[:, channels] = values
                    return silenced

                with bound.cut(silence):
                    lost[:, f] = whole - bound.runner.logits(batch).double().cpu()
    return lost


@contextmanager
def _standing_in(convolution: nn.Module, outputs: Sequence[Tensor]) -> Iterator[None]:
    """Outputs that are known stand for a convolution's own, in the order of its calls: it takes no time then."""
    if isinstance(convolution, torch.jit.ScriptModule) or not all(isinstance(one, Tensor) for one in outputs):
        yield
        return
    n_calls = 0

    def stand_in(*_: object, **__: object) -> Tensor:
        nonlocal n_calls
        n_calls += 1
        return outputs[(n_calls - 1) % len(outputs)].clone()  # a model may change it in place

    own = vars(convolution).get("forward")
    convolution.forward = stand_in
    try:
        yield
    finally:
        del convolution.forward
        if own is not None:
            convolution.forward = own


def integrate_gradients(bound: BoundLayer, batch: Sequence[Tensor], baseline: Tensor) -> Tensor:
    """Integrated gradients of each channel from its baseline to its activation, (n, channels), float64."""
    from captum.attr import IntegratedGradients  # here, since captum takes a second to import

    above = _Above(bound)
    activations = above.activations(batch)
    found = IntegratedGradients(above).attribute(
        activations,
        baselines=above.at_baseline(activations, baseline),
        additional_forward_args=tuple(batch),
        n_steps=N_STEPS,
        internal_batch_size=max(bound.runner.batch_size, len(batch[0])),
    )
    return above.by_channel(found)


def deeplift(bound: BoundLayer, batch: Sequence[Tensor], baseline: Tensor) -> Tensor:
    """DeepLIFT's contributions (rescale rule) of each channel against its baseline, (n, channels), float64.

    Raises
    ------
    InputError
        If they do not add up to the logit's difference: the model calls a nonlinearity that captum cannot see.
    """
    from captum.attr import DeepLift

    above = _Above(bound)
    activations = above.activations(batch)
    references = above.at_baseline(activations, baseline)
    with warnings.catch_warnings(), _max_pools_apart(bound.runner.model), _without_remains(bound.runner.model):
        warnings.filterwarnings("ignore", message="Setting forward, backward hooks")
        activations = tuple(value.requires_grad_() for value in activations)
        found = DeepLift(above).attribute(activations, baselines=references, additional_forward_args=tuple(batch))
    with torch.no_grad():
        difference = above(*activations, *batch) - above(*references, *batch)
        added = sum(value.flatten(1).sum(1) for value in found)
        delta, largest = float((added - difference).abs().max()), float(difference.abs().max())
    if not delta <= _LARGEST_DELTA * largest + 1e-5:
        raise InputError(
            f"method='deeplift': the contributions miss the logit's difference by {delta:.3g} of {largest:.3g}, "
            "expected none: captum's rules do not cover a nonlinearity called as a function, one module used twice, or "
            "pooling windows that overlap. Use a module of its own for each (nn.ReLU(), nn.MaxPool1d(...)), or "
            "method='integrated_gradients'."
        )
    return above.by_channel(found)


@contextmanager
def _without_remains(model: nn.Module) -> Iterator[None]:
    """Take away what captum leaves on modules: the batch's inputs and outputs."""
    before = {module: set(vars(module)) for module in model.modules()}
    try:
        yield
    finally:
        for module, names in before.items():
            for name in set(vars(module)) - names:
                delattr(module, name)


@contextmanager
def _max_pools_apart(model: nn.Module) -> Iterator[None]:
    """Give max poolings copies to read: captum's rule fails where one reads the very tensor that a ReLU returned.

    Both would hook that tensor's gradient, and the ReLU's hook, which is the older, sees it before the pooling's rule
    (https://github.com/meta-pytorch/captum/issues/1104).
    """
    pools = [module for module in model.modules() if isinstance(module, nn.MaxPool1d | nn.MaxPool2d)]
    handles = [pool.register_forward_pre_hook(lambda _, inputs: (inputs[0].clone(),)) for pool in pools]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def mean_activation(bound: BoundLayer, inputs: Inputs) -> Tensor:
    """Mean of each channel over sequences and positions, (channels,), float64, on the CPU."""
    total, count = torch.zeros(bound.layer.n_channels, dtype=torch.float64), 0
    with torch.no_grad():
        for batch in bound.runner.batches(inputs, "mean activation"):
            with bound.cut(lambda i, activation: activation) as cut:
                bound.runner.logits(batch)
            total += bound.point.by_channel(cut.taken, len(batch[0])).sum(0)
            count += sum(activation.numel() for activation in cut.taken) // bound.layer.n_channels
    return total / count


class _Above(nn.Module):
    """The part of a model above the cut, as captum wants it: (activations, inputs) -> logits (n,).

    Activations are laid out one row a sequence, (n, rows a sequence, ...), so that captum may repeat the rows.
    """

    def __init__(self, bound: BoundLayer) -> None:
        super().__init__()
        self.model = bound.runner.model
        self.bound = bound
        self.n_activations = 1

    def activations(self, batch: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Of a batch, one a call of the convolution."""
        with torch.no_grad(), self.bound.cut(lambda i, activation: activation) as cut:
            self.bound.runner.logits(batch)
        self.n_activations = len(cut.taken)
        return tuple(self.bound.point.to_sequences(activation, len(batch[0])) for activation in cut.taken)

    def at_baseline(self, activations: Sequence[Tensor], baseline: Tensor) -> tuple[Tensor, ...]:
        """Activations of the same shape, every channel at its baseline."""
        axis = self.bound.point.channel_axis + 1
        return tuple(
            baseline.to(value).view(-1, *[1] * (value.dim() - axis - 1)).expand_as(value).clone()
            for value in activations
        )

    def forward(self, *values: Tensor) -> Tensor:
        """Scores with these activations in place of the model's own."""
        activations, batch = values[: self.n_activations], list(values[self.n_activations :])
        if torch.is_grad_enabled() and batch[0].is_floating_point():
            batch[0] = batch[0].detach().requires_grad_()  # captum hooks what lies below the cut too
        with FastGradients(), self.bound.cut(lambda i, activation: self.bound.point.to_rows(activations[i]).clone()):
            return self.bound.runner.logits(batch)

    def by_channel(self, found: Sequence[Tensor]) -> Tensor:
        """Contributions (n, rows, ...) -> (n, channels)."""
        return self.bound.point.by_channel([self.bound.point.to_rows(value) for value in found], len(found[0])).detach()


#: What `Attribution` calls: the bound layer, a batch, and a baseline where the method has one.
METHODS: dict[str, Callable[..., Tensor]] = {
    "gradient_x_activation": gradient_x_activation,
    "ablation": ablate,
    "integrated_gradients": integrate_gradients,
    "deeplift": deeplift,
}


def check_method(method: str, baseline: str = "zero") -> None:
    """Refuse what is no method, or no baseline."""
    if method not in METHODS:
        raise InputError(f"method: got {method!r}, expected one of {', '.join(map(repr, METHODS))}.")
    if baseline not in get_args(Baseline):
        raise InputError(f"baseline: got {baseline!r}, expected 'zero' or 'mean'.")
