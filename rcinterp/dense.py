"""Tensors that have a number at each place, as all that reads them here expects."""

import torch
from torch import Tensor


def why_not_dense(value: Tensor) -> str | None:
    """What keeps a tensor from being read number by number; None if nothing does.

    Examples
    --------
    >>> why_not_dense(torch.eye(3).to_sparse())
    'is sparse_coo, expected dense, as .to_dense() makes it'
    """
    if value.is_meta:
        return "has no values (it is on the device meta)"
    if value.is_quantized:
        return "is quantized, expected dense, as .dequantize() makes it"
    if value.layout != torch.strided:
        return f"is {str(value.layout).removeprefix('torch.')}, expected dense, as .to_dense() makes it"
    return None
