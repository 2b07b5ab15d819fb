"""Dropout that silences a filter's forward and reverse-complement value together."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from rclayers._checks import require_map, require_pairs
from rclayers._symmetry import join_strands


class RCDropout(nn.Dropout):
    """Map with single values set to 0 in training, alike as seen from both strands.

    Parameters
    ----------
    p : float
        Probability that a value is dropped; the others are divided by 1 - p.

    Raises
    ------
    SymmetryError
        If the number of channels is odd.

    Notes
    -----
    ``y = m x / (1 - p)`` with a random mask m that the action leaves alone: channel c at position l and channel 2F-1-c
    at position L-1-l are dropped together. Then rc(m x) = m (rc x): with the same mask the two strands of a sequence
    stay each other's reverse complement in training too, which a mask drawn for every value by itself breaks. Half as
    many values are drawn, so that the sum of the two strands is noisier than with plain dropout of the same p. In eval
    mode the map passes unchanged.

    The mask comes from torch's global generator, as that of `torch.nn.Dropout` does.

    References
    ----------
    Srivastava et al. 2014, "Dropout: a simple way to prevent neural networks from overfitting".

    Examples
    --------
    >>> import torch
    >>> y = RCDropout(0.5)(torch.ones(2, 6, 11))
    >>> bool((y == y.flip(1, 2)).all())
    True
    """

    def __init__(self, p: float = 0.5) -> None:
        super().__init__(p)

    def forward(self, input: Tensor) -> Tensor:
        """Drop values: (N, 2F, L) or (N, 2F) -> the same shape."""
        require_pairs("RCDropout", input)
        if not self.training:
            return input
        return input * _mask(input.new_ones(len(input), input.shape[1] // 2, *input.shape[2:]), self.p)


class RCDropout1d(nn.Dropout1d):
    """Map with whole filters, both channels of each, set to 0 in training.

    Parameters
    ----------
    p : float
        Probability that a filter is dropped; the others are divided by 1 - p.

    Raises
    ------
    SymmetryError
        If the number of channels is odd.

    Notes
    -----
    As `RCDropout`, with one draw a sequence and filter: neighbouring positions of a map say much the same, so that
    dropping single ones takes little away.

    References
    ----------
    Tompson et al. 2015, "Efficient object localization using convolutional networks".

    Examples
    --------
    >>> import torch
    >>> RCDropout1d(0.2)(torch.rand(2, 6, 11)).shape
    torch.Size([2, 6, 11])
    """

    def __init__(self, p: float = 0.5) -> None:
        super().__init__(p)

    def forward(self, input: Tensor) -> Tensor:
        """Drop filters: (N, 2F, L) -> the same shape."""
        require_map("RCDropout1d", input)
        if not self.training:
            return input
        return input * _mask(input.new_ones(len(input), input.shape[1] // 2, 1), self.p)


def _mask(half: Tensor, p: float) -> Tensor:
    """Dropout of a half bank of ones, drawn once for both strands."""
    drawn = functional.dropout(half, p)
    return join_strands(torch.cat([drawn, drawn]))
