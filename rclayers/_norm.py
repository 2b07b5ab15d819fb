"""Batch normalisation with statistics shared by the two strands."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from rclayers import _fast
from rclayers._checks import require_map, require_positive
from rclayers._symmetry import by_strand, join_strands, tie


class RCBatchNorm1d(nn.BatchNorm1d):
    """Map with each filter's two channels normalised together, to mean `bias` and standard deviation `weight`.

    Parameters
    ----------
    n_filters : int
        Independent filters F; the map has 2F channels.
    eps : float
        Added to the variance: 1e-3, as in the original.
    momentum : float
        Share of the newest batch in the running statistics: 0.01, which Keras calls 0.99.

    Attributes
    ----------
    weight, bias : Parameter, shape (F,)
        The scale gamma (1 at the start) and the shift beta (0 at the start).
    running_mean, running_var : Tensor, shape (F,)
        Used in eval mode; PyTorch's convention (the variance is the unbiased one), see docs/evidence/deviations.md.

    Notes
    -----
    In training, mean and (biased) variance of filter f run over the batch and over the positions of both its channels,
    f and 2F-1-f: 2·N·L values::

        y = weight · (x - mean) / sqrt(variance + eps) + bias

    References
    ----------
    Shrikumar, Greenside & Kundaje 2017, section 3.1.2; Ioffe & Szegedy 2015.

    Examples
    --------
    >>> import torch
    >>> RCBatchNorm1d(3)(torch.rand(2, 6, 11)).shape
    torch.Size([2, 6, 11])
    """

    def __init__(self, n_filters: int, eps: float = 1e-3, momentum: float = 0.01) -> None:
        require_positive("RCBatchNorm1d", n_filters=n_filters)
        super().__init__(n_filters, eps=eps, momentum=momentum)

    def forward(self, input: Tensor) -> Tensor:
        """Normalise: (N, 2F, L) -> (N, 2F, L)."""
        require_map("RCBatchNorm1d", input, 2 * self.num_features)
        if self.training:
            if _fast.is_channels_last(input) and self.running_mean is not None:
                y, mean, variance = _fast.tied_batch_norm(input, self.weight, self.bias, self.eps)
                self._track(mean, variance, 2 * input.shape[0] * input.shape[2])
                return y
            return join_strands(super().forward(by_strand(input)))
        assert self.running_mean is not None
        assert self.running_var is not None
        mean, variance, weight, bias = map(tie, (self.running_mean, self.running_var, self.weight, self.bias))
        if _fast.is_channels_last(input):
            return _fast.batch_norm(input, mean, variance, weight, bias, self.eps)
        return functional.batch_norm(input, mean, variance, weight, bias, eps=self.eps)

    @torch.no_grad()
    def _track(self, mean: Tensor, variance: Tensor, n_values: int) -> None:
        """Move the running statistics towards those of the newest batch, as nn.BatchNorm1d does."""
        if not self.track_running_stats:
            return
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        self.num_batches_tracked.add_(1)
        share = 1 / float(self.num_batches_tracked) if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, share)
        self.running_var.lerp_(variance * (n_values / (n_values - 1)), share)
