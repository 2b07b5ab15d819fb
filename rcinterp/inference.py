"""Logits of a model, and the loan of a caller's model: it comes back as it was."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from rcinterp.errors import InputError
from rcinterp.sequences import SequenceInput, as_one_hot


@contextmanager
def lent(model: nn.Module) -> Iterator[None]:
    """Put a model in eval mode, its parameters without gradients, and give it back as it was, even after an error."""
    training = {module: module.training for module in model.modules()}
    trainable = {parameter: parameter.requires_grad for parameter in model.parameters()}
    try:
        model.eval()
        model.requires_grad_(False)
        yield
    finally:
        for module, was_training in training.items():
            module.training = was_training
        for parameter, was_trainable in trainable.items():
            parameter.requires_grad_(was_trainable)


@contextmanager
def one_thread() -> Iterator[None]:
    """Calculate on one thread: small models are no slower, and the numbers are the same on any number of cores."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(n_threads)


def place_of(model: nn.Module) -> tuple[torch.device, torch.dtype]:
    """Device and floating-point type of a model's first parameter (CPU and float32 if it has none)."""
    for parameter in model.parameters():
        if parameter.is_floating_point():
            return parameter.device, parameter.dtype
    return torch.device("cpu"), torch.float32


def batches(model: nn.Module, x: Tensor, batch_size: int) -> Iterator[Tensor]:
    """Batches of `x` on the model's device and in its type."""
    if batch_size < 1:
        raise InputError(f"batch_size: got {batch_size}, expected at least 1.")
    device, dtype = place_of(model)
    for batch in torch.split(x, batch_size):
        yield batch.to(device=device, dtype=dtype)


def predict(model: nn.Module, x: SequenceInput, *, batch_size: int = 500) -> Tensor:
    """Logits of every sequence, on the CPU.

    Parameters
    ----------
    model : nn.Module
        (n, 4, L) -> (n, n_tasks) or (n,).
    x : Tensor (N, 4, L), or a FASTA path, or a list of str
    batch_size : int
        Sequences at a time.

    Returns
    -------
    Tensor, shape (N, n_tasks)
    """
    x = as_one_hot(x, "predict")
    with lent(model), torch.no_grad():
        logits = torch.cat([model(batch).cpu() for batch in batches(model, x, batch_size)])
    return logits[:, None] if logits.dim() == 1 else logits
