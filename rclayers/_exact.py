"""Agreement of the two strands to the last bit, for those who ask for it."""

from collections.abc import Iterator
from contextlib import contextmanager

_asked_for = False


@contextmanager
def exact_strands() -> Iterator[None]:
    """Let convolutions and weighted sums in eval mode read each strand in turn, so that the two agree to the last bit.

    It holds for the whole process, threads included, until the ``with`` block ends. Without it, the output for a
    sequence and for its reverse complement agree up to rounding, a few millionths of the largest value in float32
    (docs/layers.md), since a turned filter adds up its products in the opposite order. With it, inference takes up to
    twice as long.

    Examples
    --------
    >>> import torch
    >>> from rclayers import RCConv1d, reverse_complement
    >>> layer, x = RCConv1d(4, n_filters=5, kernel_size=15).eval(), torch.rand(2, 4, 300)
    >>> with exact_strands():
    ...     torch.equal(layer(reverse_complement(x)), reverse_complement(layer(x)))
    True
    """
    global _asked_for
    before, _asked_for = _asked_for, True
    try:
        yield
    finally:
        _asked_for = before


def strands_must_be_exact() -> bool:
    """Whether the caller is inside `exact_strands`."""
    return _asked_for
