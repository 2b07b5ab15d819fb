"""Agreement of the two strands to the last bit, for those who ask for it."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock

_n_askers, _lock = 0, Lock()


@contextmanager
def exact_strands() -> Iterator[None]:
    """Let convolutions and weighted sums in eval mode read each strand in turn, so that the two agree to the last bit.

    It holds for the whole process, threads included, until the last ``with`` block of its kind ends. Without it, the
    output for a sequence and for its reverse complement agree up to rounding, a few millionths of the largest value in
    float32 (docs/explanation/layers.md), since a turned filter adds up its products in the opposite order. With it,
    inference takes up to twice as long.

    Returns
    -------
    context manager

    Examples
    --------
    >>> import torch
    >>> from rclayers import RCConv1d, reverse_complement
    >>> layer, x = RCConv1d(4, n_filters=5, kernel_size=15).eval(), torch.rand(2, 4, 300)
    >>> with exact_strands():
    ...     torch.equal(layer(reverse_complement(x)), reverse_complement(layer(x)))
    True
    """
    _count(1)
    try:
        yield
    finally:
        _count(-1)


def strands_must_be_exact() -> bool:
    """Whether anyone is inside `exact_strands`."""
    return _n_askers > 0


def _count(more: int) -> None:
    global _n_askers
    with _lock:
        _n_askers += more
