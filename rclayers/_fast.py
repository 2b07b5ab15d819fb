"""The layers' arithmetic, faster on a CPU: the only file that cares how maps lie in memory.

A map (N, C, L) is seen as an image of height 1, (N, C, 1, L), whose channels lie side by side in memory: channels-last.
oneDNN convolves these faster, and PyTorch's batch norm is several times as fast on them. Shapes stay as they are. The
convolution decides, where it pays; batch norm and pooling go on with what they are given, so that nothing is copied.

Each function stands in for a plain one that its layer keeps beside it, and that tests compare it with.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.nn import functional
from torch.nn.modules import module as modules

from rclayers._symmetry import by_strand, join_strands, tie

_DTYPES = (torch.float32, torch.float64, torch.bfloat16)

#: Smaller maps take longer, for the calls that it needs; so do fewer channels, unless there is a backward to speed up.
_ENOUGH_VALUES, _ENOUGH_CHANNELS = 100_000, 32

_MOST_GROUPS = 256

#: `torch.compiler` has it from PyTorch 2.3 on.
is_compiling = torch.compiler.is_compiling if hasattr(torch.compiler, "is_compiling") else torch._utils.is_compiling


def convolution_pays(x: Tensor, n_channels: int) -> bool:
    """Whether to convolve `x` with this many kernels by `conv1d` below: if allowed, and measured to be faster."""
    if not _is_allowed(x) or x.shape[0] * n_channels * x.shape[2] < _ENOUGH_VALUES:
        return False
    return torch.is_grad_enabled() or n_channels >= _ENOUGH_CHANNELS


def is_channels_last(x: Tensor) -> bool:
    """Whether the other functions below go on with `x`: if allowed, and if it lies in memory as `conv1d` writes it."""
    return _is_allowed(x) and x.stride(1) == 1 and x.stride(2) == x.shape[1] > 1


def _is_allowed(x: Tensor) -> bool:
    """Whether `x` is an ordinary tensor on a CPU for which PyTorch has oneDNN.

    Compilers and tracers do better with plain code, and are not to see a decision that hangs on the size of a batch;
    `torch.func` and forward-mode derivatives cannot pass a hand-written backward.
    """
    return (
        not is_compiling()
        and not torch._C._is_tracing()
        and x.is_cpu
        and x.numel() > 0
        and x.dtype in _DTYPES
        and type(x) in (Tensor, nn.Parameter)
        and torch._C._has_mkldnn
        and not torch._C._are_functorch_transforms_active()
        and forward_ad._current_level < 0
    )


def conv1d(x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: int, dilation: int) -> Tensor:
    """`torch.nn.functional.conv1d`."""
    image, kernel = _as_image(x), _as_image(weight)
    return functional.conv2d(image, kernel, bias, (1, stride), (0, padding), (1, dilation)).squeeze(2)


def batch_norm(x: Tensor, mean: Tensor, variance: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    """`torch.nn.functional.batch_norm` with given statistics."""
    return functional.batch_norm(_as_image(x), mean, variance, weight, bias, eps=eps).squeeze(2)


def tied_batch_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
    """Batch norm whose statistics the two strands share, and these statistics.

    Parameters
    ----------
    x : Tensor, shape (N, 2F, L)
    weight, bias : Tensor, shape (F,)

    Returns
    -------
    Tensor, shape (N, 2F, L)
        As `plain_tied_batch_norm` has it, up to rounding.
    Tensor, Tensor, shape (F,)
        Mean and (biased) variance of each filter, over the batch and over the positions of both its channels.
    """
    image, mean, variance = _TiedBatchNorm.apply(x, weight, bias, eps)  # type: ignore[no-untyped-call]  # so it is in torch
    return image.squeeze(2), mean, variance


def plain_tied_batch_norm(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> Tensor:
    """Batch norm of the two strands as one larger batch."""
    return join_strands(functional.batch_norm(by_strand(x), None, None, weight, bias, training=True, eps=eps))


class _TiedBatchNorm(torch.autograd.Function):
    """Forward and backward from PyTorch's own sums and affine maps of each channel, tied in between.

    It gives an image, since a view that a function of ours has made could not be changed in place.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
        mean, variance = _moments_of_pairs(x, weight.dtype)
        means, variances = tie(mean), tie(variance)
        y = _affine(_as_image(x), tie(weight), tie(bias), means, variances, eps)
        ctx.save_for_backward(x, weight, bias, means, variances)
        ctx.eps = eps
        ctx.mark_non_differentiable(mean, variance)
        return y, mean, variance

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, bias, means, variances = ctx.saved_tensors
        if torch.is_grad_enabled():  # of a backward that will be differentiated itself
            inputs = (x, weight, bias)
            wanted = [value for value, is_needed in zip(inputs, ctx.needs_input_grad, strict=False) if is_needed]
            y = plain_tied_batch_norm(*inputs, ctx.eps)
            found = iter(torch.autograd.grad(y, wanted, gradients[0].squeeze(2), create_graph=True))
            return *(next(found) if is_needed else None for is_needed in ctx.needs_input_grad[:3]), None
        image, gradient = _as_image(x), _channels_last(gradients[0])
        sds = (variances + ctx.eps).sqrt()
        of_weight, of_bias = _sums_over_pairs(gradient.squeeze(2), x, means, 1 / sds)
        of_x = None
        if ctx.needs_input_grad[0]:
            n_values = 2 * x.shape[0] * x.shape[2]
            scales = tie(weight) / sds
            slopes, shifts = -scales * tie(of_weight) / n_values, -scales * tie(of_bias) / n_values
            of_x = _affine(image, slopes, shifts, means, variances, ctx.eps)
            of_x = of_x.addcmul_(gradient, scales[:, None, None].to(gradient.dtype)).squeeze(2)
        return of_x, of_weight, of_bias, None


def _moments_of_pairs(x: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Mean and variance over each pair of channels, shape (F,), from those of groups of its values."""
    groups = _in_groups(x)
    unused = torch.zeros(groups.shape[1], dtype=dtype), torch.ones(groups.shape[1], dtype=dtype)
    means, variances = torch.batch_norm_update_stats(groups, *unused, 0.0)  # in their dtype: of bfloat16 in float32
    means, variances = (_pair_up(moment, x.shape[1]) for moment in (means, variances))
    return means.mean(0), variances.mean(0) + means.var(0, correction=0)


def _sums_over_pairs(gradient: Tensor, x: Tensor, means: Tensor, inverse_sds: Tensor) -> tuple[Tensor, Tensor]:
    """Sum over each pair of channels, shape (F,), of gradient times normalised value, and of the gradient."""
    groups = _in_groups(x)
    n_groups = groups.shape[1] // x.shape[1]
    means, inverse_sds = means.repeat(n_groups), inverse_sds.repeat(n_groups)
    _, products, gradients = torch.ops.aten.native_batch_norm_backward(
        *(_in_groups(gradient), groups, None, None, None, means, inverse_sds, True, 0.0, [False, True, True])
    )
    return _pair_up(products, x.shape[1]).sum(0), _pair_up(gradients, x.shape[1]).sum(0)


def _in_groups(x: Tensor) -> Tensor:
    """The values of each channel in up to `_MOST_GROUPS` groups of equal size: an image (1, groups·2F, 1, size).

    PyTorch adds up a channel's values one after the other, in single precision: the fewer, the more exact.
    """
    n, n_channels, length = x.shape
    n_groups = max(k for k in range(1, _MOST_GROUPS + 1) if n * length % k == 0)
    return _as_image(x.transpose(1, 2).reshape(1, -1, n_groups * n_channels).transpose(1, 2))


def _pair_up(by_group: Tensor, n_channels: int) -> Tensor:
    """One value a group and channel, (groups·2F,), as one column for both channels of a filter: (2·groups, F)."""
    return by_strand(by_group.view(-1, n_channels))


def max_pool1d(x: Tensor, kernel_size: int, stride: int, trim: int) -> Tensor:
    """`torch.nn.functional.max_pool1d` of `x` without its first and its last `trim` positions."""
    if not torch.is_grad_enabled() or not x.requires_grad:
        return functional.max_pool2d(_trimmed_image(x, trim), (1, kernel_size), (1, stride)).squeeze(2)
    if torch._C._len_torch_function_stack():  # whoever follows the functions of torch is to see the pooling
        return functional.max_pool1d(x[:, :, trim : x.shape[2] - trim], kernel_size, stride)
    image: Tensor = _MaxPool.apply(x, kernel_size, stride, trim)  # type: ignore[no-untyped-call]  # so it is in torch
    return image.squeeze(2)


class _MaxPool(torch.autograd.Function):
    """The gradient is laid at once where the whole map lies; a slice's own would be laid out anew, in another order."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, kernel_size: int, stride: int, trim: int) -> Tensor:
        ctx.sizes = kernel_size, stride, trim
        window, step = (1, kernel_size), (1, stride)
        y, positions = torch.ops.aten.max_pool2d_with_indices(_trimmed_image(x, trim), window, step)
        ctx.save_for_backward(x, positions.add_(trim))
        image: Tensor = y
        return image

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, positions = ctx.saved_tensors
        kernel_size, stride, trim = ctx.sizes
        if torch.is_grad_enabled():  # of a backward that will be differentiated itself
            y = functional.max_pool1d(x[:, :, trim : x.shape[2] - trim], kernel_size, stride)
            return *torch.autograd.grad(y, x, gradients[0].squeeze(2), create_graph=True), None, None, None
        of_x = torch.ops.aten.max_pool2d_with_indices_backward(
            *(_channels_last(gradients[0]), _as_image(x), (1, kernel_size), (1, stride), 0, 1, False, positions)
        )
        return of_x.squeeze(2), None, None, None


def is_watched(*watched: nn.Module) -> bool:
    """Whether hooks are to see what one of these modules reads or writes, so that it must be called as it stands."""
    kinds = ("forward_pre_hooks", "forward_hooks", "backward_pre_hooks", "backward_hooks")
    return any(
        getattr(modules, f"_global_{kind}") or any(getattr(module, f"_{kind}") for module in watched) for kind in kinds
    )


def _as_image(x: Tensor) -> Tensor:
    return _channels_last(x.unsqueeze(2))


def _channels_last(image: Tensor) -> Tensor:
    return image.contiguous(memory_format=torch.channels_last)


def _trimmed_image(x: Tensor, trim: int) -> Tensor:
    return _as_image(x[:, :, trim : x.shape[2] - trim])


def _affine(image: Tensor, weight: Tensor, bias: Tensor, mean: Tensor, variance: Tensor, eps: float) -> Tensor:
    return torch.native_batch_norm(image, weight, bias, mean, variance, False, 0.0, eps)[0]
