"""Gradients of plain convolutions with respect to their input, faster on a CPU: the same numbers up to rounding.

PyTorch takes several times as long for them as for the convolution itself, unless the gradient lies channels-last in
memory. RC layers see to that themselves; here it is done for the `nn.Conv1d` of models that are read.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from rclayers._fast import is_compiling

#: Sizes as PyTorch hands them on: one number, or one in a tuple.
_Size = int | tuple[int, ...] | list[int]


class FastGradients(TorchFunctionMode):
    """While it lasts, convolutions of frozen weights know a faster way back; for use in a ``with``."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is torch.conv1d:
            given = _arguments(*args, **kwargs)
            if given is not None:
                return _Convolution.apply(*given)  # type: ignore[no-untyped-call]  # so it is in torch
        return func(*args, **kwargs)


def _arguments(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: _Size = 1,
    padding: _Size | str = 0,
    dilation: _Size = 1,
    groups: int = 1,
) -> tuple[Any, ...] | None:
    """Arguments of `_Convolution`; None if it is not made for them, or there is nothing to gain."""
    frozen = not weight.requires_grad and (bias is None or not bias.requires_grad)
    is_plain = type(input) is Tensor and input.is_cpu and input.dim() == 3 and groups == 1
    if not (frozen and is_plain and input.requires_grad and torch.is_grad_enabled() and torch._C._has_mkldnn):
        return None
    if isinstance(padding, str) or torch._C._are_functorch_transforms_active() or is_compiling():
        return None
    if input.dtype not in (torch.float32, torch.float64) or _casts():
        return None
    sizes = [size if isinstance(size, int) else size[0] for size in (stride, padding, dilation)]
    return input, weight, bias, *sizes


def _casts() -> bool:
    """Whether torch.autocast is at work on CPUs."""
    try:
        return torch.is_autocast_enabled("cpu")
    except TypeError:  # before torch 2.4, for GPUs alone
        return torch.is_autocast_cpu_enabled()


class _Convolution(torch.autograd.Function):
    """`torch.nn.functional.conv1d`, whose backward pass runs channels-last."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, stride: int, padding: int, dilation: int
    ) -> Tensor:
        ctx.save_for_backward(weight)
        ctx.shape = x.shape  # all that a gradient of x takes of it
        ctx.sizes = stride, padding, dilation
        return functional.conv1d(x, weight, bias, stride, padding, dilation)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        (weight,) = ctx.saved_tensors
        stride, padding, dilation = ctx.sizes
        if torch.is_grad_enabled():  # of a backward that will be differentiated itself
            x = gradients[0].new_zeros(ctx.shape).requires_grad_()
            y = functional.conv1d(x, weight, None, stride, padding, dilation)
            of_x = torch.autograd.grad(y, x, gradients[0], create_graph=True)[0]
        else:
            gradient, kernel = _channels_last(gradients[0]), _channels_last(weight)
            n, n_channels, length = ctx.shape
            like_x = gradient.new_empty(n, length, n_channels).transpose(1, 2).unsqueeze(2)
            sizes = [1, stride], [0, padding], [1, dilation]
            found = torch.ops.aten.convolution_backward(
                *(gradient, like_x, kernel, None, *sizes, False, [0, 0], 1, [True, False, False])
            )
            of_x = found[0].squeeze(2).contiguous()
        return of_x, None, None, None, None, None


def _channels_last(x: Tensor) -> Tensor:
    return x.unsqueeze(2).contiguous(memory_format=torch.channels_last)
