"""The filters that a convolution applies to letters, which a subclass may not store as they are."""

from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional

from rcinterp.reading.layer import FilterLayer, are_letters

#: Sequences that are looked at.
_FEW = 3


def find_applied(layer: FilterLayer, read: Tensor, output: object) -> FilterLayer:
    """Compare what a layer made of letters with what its weights would.

    Parameters
    ----------
    layer : FilterLayer
    read : Tensor, shape (n, 4, L), (n, 4, 1, L) or (n, 1, 4, L)
        What it was called on; anything else is no matter of letters.
    output : Tensor
        What it returned.

    Returns
    -------
    FilterLayer
        The layer itself if both agree, or if it reads no letters. With `applied` if its output is a convolution of the
        letters with other filters, found by giving it single letters. With `n_outputs` if it is none.
    """
    if layer.is_rc or layer.n_copies > 1 or not layer.reads_four or not isinstance(output, Tensor):
        return layer
    if not are_letters(read):
        return layer
    few, made = read[:_FEW].detach(), output[:_FEW].detach()
    with torch.no_grad(), torch._C.DisableTorchFunction():  # these calls are none of the model's
        if _agree(_convolved(layer.convolution, few), made):
            return layer
        if isinstance(layer.convolution, nn.Conv1d) and made.dim() == 3:
            weight, bias = _measure(layer.convolution, few)
            found = replace(layer, applied=weight.cpu())
            step, padding = layer.step_and_padding
            if _agree(functional.conv1d(few, weight, bias, step, padding), made):
                return found
    return replace(layer, n_outputs=int(made.shape[1]))


def _convolved(convolution: nn.Module, read: Tensor) -> Tensor:
    """What nn.Conv1d or nn.Conv2d makes of it, whatever a subclass does."""
    plain = nn.Conv1d if isinstance(convolution, nn.Conv1d) else nn.Conv2d
    weight, bias = convolution.weight, convolution.bias
    output: Tensor = plain._conv_forward(convolution, read, weight, bias)  # type: ignore[arg-type]  # `plain` is its class
    return output


def _measure(convolution: nn.Conv1d, read: Tensor) -> tuple[Tensor, Tensor]:
    """Filters (F, 4, W) and bias (F,), as one position of the output answers to single letters."""
    width = convolution.dilation[0] * (convolution.kernel_size[0] - 1) + 1
    step, padding = FilterLayer("", convolution).step_and_padding
    position = -(-padding // step)  # the first whose window begins within the sequence
    start = position * step - padding
    length = max(read.shape[2], start + width)
    single = read.new_zeros(1 + 4 * width, 4, length)
    rows = torch.arange(4 * width, device=read.device)
    single[1 + rows, rows // width, start + rows % width] = 1
    answers = type(convolution).forward(convolution, single)[:, :, position]
    weight = (answers[1:] - answers[0]).T.reshape(-1, 4, width)
    return weight, answers[0]


def _agree(one: Tensor, other: Tensor) -> bool:
    """Whether two outputs are equal but for rounding."""
    if one.shape != other.shape:
        return False
    tolerance = 1e3 * torch.finfo(one.dtype).eps * float(other.abs().max())
    return bool(((one - other).abs() <= tolerance).all())
