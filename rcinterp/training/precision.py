"""In which floating-point type the forward pass of a training step runs."""

import platform
from collections.abc import Callable

import torch
from torch import Tensor, nn

from rcinterp.errors import InputError
from rcinterp.reading.model import place_of

FLOAT32, BFLOAT16 = "float32", "bf16-mixed"


def check_precision(precision: str, model: nn.Module) -> None:
    """Refuse a name that there is not, and bfloat16 where it would not be faster or would change nothing."""
    if precision not in (FLOAT32, BFLOAT16):
        raise InputError(f"precision: got {precision!r}, expected {FLOAT32!r} or {BFLOAT16!r}.")
    if precision == FLOAT32:
        return
    device, dtype = place_of(model)
    if dtype != torch.float32:
        raise InputError(
            f"precision: got {BFLOAT16!r} for a model of {dtype}, expected one of torch.float32; use model.float()."
        )
    if not has_bfloat16(device):
        raise InputError(
            f"precision: got {BFLOAT16!r}, but this processor ({device.type}) has no arithmetic in bfloat16: torch "
            f"would emulate it, which is slower than {FLOAT32}. Use precision={FLOAT32!r} "
            f"(--precision {FLOAT32}), or a processor with AVX512-BF16 or AMX, or a GPU from Ampere on."
        )


def has_bfloat16(device: torch.device) -> bool:
    """Whether a processor multiplies in bfloat16 itself; only CPUs and CUDA GPUs are known to.

    Notes
    -----
    oneDNN takes bfloat16 on every x86 processor with AVX512, but without AVX512-BF16 (or AMX, which is never without
    it) it converts each value, and is slower than in float32. On other processors its answer is the whole answer.
    """
    if device.type == "cuda":
        return torch.version.hip is not None or torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type != "cpu" or not torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]  # so in torch
        return False
    if not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return False
    is_x86 = platform.machine().lower() in ("x86_64", "amd64")
    asked = getattr(torch.cpu, "_is_avx512_bf16_supported", None)  # from torch 2.6 on
    return not is_x86 or asked is None or bool(asked())


def call_in(precision: str, call: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """What a model gives for `x` if its forward pass runs in that precision; in float32 even so."""
    if precision == FLOAT32:
        return call(x)
    with torch.autocast(x.device.type, dtype=torch.bfloat16):
        return call(x).float()
