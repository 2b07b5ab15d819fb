"""What a layer's activations add to a score, four ways: gradient x activation, ablation, and captum's two."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from rcinterp.errors import InputError
from rcinterp.reading.cut import Cut, Place
from rcinterp.reading.model import Args, Caller

#: Steps of the integral; captum's Gauss-Legendre rule is exact for polynomials of twice that degree.
N_STEPS = 32
#: Share of the largest difference by which DeepLIFT's contributions may miss the sum that they must have.
_LARGEST_DELTA = 0.01


def gradient_x_activation(caller: Caller, place: Place, inputs: Sequence[Tensor]) -> Tensor:
    """Gradient x activation of each channel, summed over positions, (n, channels), float64.

    One forward and one partial backward pass; nothing below the activation is differentiated.
    """
    with torch.enable_grad(), Cut(place) as cut:
        score = caller.scores(inputs)
    gradients = torch.autograd.grad(score.sum(), cut.taken, allow_unused=True) if score.requires_grad else ()
    wide = torch.float64 if score.dtype == torch.float64 else torch.float32  # products of half precision underflow
    products = [
        activation.detach().to(wide) * gradient.to(wide)
        for activation, gradient in zip(cut.taken, gradients, strict=False)
        if gradient is not None
    ]
    if not products:  # the score does not depend on the layer
        products = [torch.zeros_like(cut.taken[0])]
    return place.by_channel(products, len(inputs[0]))


def ablate(caller: Caller, place: Place, inputs: Sequence[Tensor], baseline: Tensor) -> Tensor:
    """What the score loses when a filter, both its strands, is set to its baseline, (n, F), float64.

    One forward pass a filter that is not at its baseline anyway, and one more.
    """
    n_channels = place.filters.n_channels
    with torch.no_grad():
        with Cut(place, lambda i, activation: activation) as cut:
            whole = caller.scores(inputs).double().cpu()
        lost = torch.zeros(len(whole), place.filters.n_filters, dtype=torch.float64)
        for f in range(place.filters.n_filters):
            channels = sorted({f, n_channels - 1 - f} if place.filters.is_rc else {f})
            shape = (1, len(channels), *[1] * (cut.taken[0].dim() - 2))
            values = baseline[channels].view(shape).to(cut.taken[0])
            if all(bool((a.movedim(place.channel_axis, 1)[:, channels] == values).all()) for a in cut.taken):
                continue

            def silence(i: int, activation: Tensor, channels: list[int] = channels, values: Tensor = values) -> Tensor:
                silenced = activation.clone()
                silenced.movedim(place.channel_axis, 1)[:, channels] = values
                return silenced

            with Cut(place, silence):
                lost[:, f] = whole - caller.scores(inputs).double().cpu()
    return lost


def integrate_gradients(caller: Caller, place: Place, inputs: Sequence[Tensor], baseline: Tensor) -> Tensor:
    """Integrated gradients of each channel from its baseline to its activation, (n, channels), float64."""
    from captum.attr import IntegratedGradients  # here, since captum takes a second to import

    above = _Above(caller, place)
    activations = above.activations(inputs)
    found = IntegratedGradients(above).attribute(
        activations,
        baselines=above.at_baseline(activations, baseline),
        additional_forward_args=tuple(inputs),
        n_steps=N_STEPS,
        internal_batch_size=max(caller.batch_size, len(inputs[0])),
    )
    return above.by_channel(found)


def deeplift(caller: Caller, place: Place, inputs: Sequence[Tensor], baseline: Tensor) -> Tensor:
    """DeepLIFT's contributions (rescale rule) of each channel against its baseline, (n, channels), float64.

    Raises
    ------
    InputError
        If they do not add up to the score's difference: the model calls a nonlinearity that captum cannot see.
    """
    from captum.attr import DeepLift

    above = _Above(caller, place)
    activations = above.activations(inputs)
    references = above.at_baseline(activations, baseline)
    with warnings.catch_warnings(), _max_pools_apart(caller.model), _without_remains(caller.model):
        warnings.filterwarnings("ignore", message="Setting forward, backward hooks")
        activations = tuple(value.requires_grad_() for value in activations)
        found = DeepLift(above).attribute(activations, baselines=references, additional_forward_args=tuple(inputs))
    with torch.no_grad():
        difference = above(*activations, *inputs) - above(*references, *inputs)
        added = sum(value.flatten(1).sum(1) for value in found)
        delta, largest = float((added - difference).abs().max()), float(difference.abs().max())
    if not delta <= _LARGEST_DELTA * largest + 1e-5:
        raise InputError(
            f"method='deeplift': the contributions miss the score's difference by {delta:.3g} of {largest:.3g}, "
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


def mean_activation(caller: Caller, place: Place, x: Tensor, args: Args = None) -> Tensor:
    """Mean of each channel over sequences and positions, (channels,), float64, on the CPU."""
    total, count = torch.zeros(place.filters.n_channels, dtype=torch.float64), 0
    with torch.no_grad():
        for inputs in caller.batches(x, args, "mean activation"):
            with Cut(place, lambda i, activation: activation) as cut:
                caller.scores(inputs)
            total += place.by_channel(cut.taken, len(inputs[0])).sum(0)
            count += sum(activation.numel() for activation in cut.taken) // place.filters.n_channels
    return total / count


class _Above(nn.Module):
    """The part of a model above the cut, as captum wants it: (activations, inputs) -> scores (n,).

    Activations are laid out one row a sequence, (n, rows a sequence, ...), so that captum may repeat the rows.
    """

    def __init__(self, caller: Caller, place: Place) -> None:
        super().__init__()
        self.model = caller.model
        self.caller = caller
        self.place = place
        self.n_activations = 1

    def activations(self, inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Of a batch, one a call of the convolution."""
        with torch.no_grad(), Cut(self.place, lambda i, activation: activation) as cut:
            self.caller.scores(inputs)
        self.n_activations = len(cut.taken)
        return tuple(self.place.to_sequences(activation, len(inputs[0])) for activation in cut.taken)

    def at_baseline(self, activations: Sequence[Tensor], baseline: Tensor) -> tuple[Tensor, ...]:
        """Activations of the same shape, every channel at its baseline."""
        axis = self.place.channel_axis + 1
        return tuple(
            baseline.to(value).view(-1, *[1] * (value.dim() - axis - 1)).expand_as(value).clone()
            for value in activations
        )

    def forward(self, *values: Tensor) -> Tensor:
        """Scores with these activations in place of the model's own."""
        activations, inputs = values[: self.n_activations], list(values[self.n_activations :])
        if torch.is_grad_enabled() and inputs[0].is_floating_point():
            inputs[0] = inputs[0].detach().requires_grad_()  # captum hooks what lies below the cut too
        with Cut(self.place, lambda i, activation: self.place.to_rows(activations[i])):
            return self.caller.scores(inputs)

    def by_channel(self, found: Sequence[Tensor]) -> Tensor:
        """Contributions (n, rows, ...) -> (n, channels)."""
        return self.place.by_channel([self.place.to_rows(value) for value in found], len(found[0])).detach()
