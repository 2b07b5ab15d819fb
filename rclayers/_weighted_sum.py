"""One value a channel: the sum over positions, each with a weight of its own."""

import torch
from torch import Tensor, nn

from rclayers._checks import require_length, require_map, require_positive
from rclayers._exact import strands_must_be_exact
from rclayers._symmetry import by_strand, join_strands, mirror, tie


class WeightedSum1d(nn.Module):
    """Weighted sum over positions, channel by channel, with no tie between strands: the traditional layer.

    Parameters
    ----------
    n_channels : int
        Channels C of the map.
    length : int
        Positions L of the map.
    symmetric : bool
        Whether position l and position L-1-l share one weight.
    bias : bool
        Whether each channel has a bias.

    Attributes
    ----------
    weight : Parameter, shape (C, L), or (C, ceil(L/2)) if symmetric
        Uniform within sqrt(6 / (2·fan_in·fan_out)), the fans being the two sizes of this matrix.
    bias : Parameter, shape (C,), or None
        0 at the start.

    Notes
    -----
    ``y[n, c] = bias[c] + sum over l of weight[c, l] x[n, c, l]`` (equation 1 of the paper).

    References
    ----------
    Shrikumar, Greenside & Kundaje 2017, sections 3.1.3, 3.7 (equation 3) and 4.2 (`symmetric`).
    """

    bias: nn.Parameter | None

    def __init__(self, n_channels: int, length: int, symmetric: bool = False, bias: bool = False) -> None:
        super().__init__()
        require_positive(type(self).__name__, n_channels=n_channels, length=length)
        self.length = length
        self.symmetric = symmetric
        n_weights = (length + 1) // 2 if symmetric else length
        self.weight = nn.Parameter(torch.empty(n_channels, n_weights))
        self.register_parameter("bias", nn.Parameter(torch.empty(n_channels)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew, as section 3.7 of the paper does; bias 0."""
        bound = (6 / (2 * self.weight.numel())) ** 0.5
        nn.init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def positional_weight(self) -> Tensor:
        """Weight of each position, shape (C, L): the stored half and its mirror image if symmetric."""
        return mirror(self.weight, self.length) if self.symmetric else self.weight

    def roughness(self) -> Tensor:
        """Mean absolute difference of neighbouring stored weights: add p times it to the loss for smooth weights."""
        return self.weight.diff(dim=1).abs().mean()

    def extra_repr(self) -> str:
        """Sizes, as torch prints them."""
        return f"{len(self.weight)}, length={self.length}, symmetric={self.symmetric}, bias={self.bias is not None}"

    def forward(self, input: Tensor) -> Tensor:
        """Sum the positions: (N, C, L) -> (N, C)."""
        require_map(type(self).__name__, input, self.weight.shape[0])
        require_length(type(self).__name__, input, self.length)
        return self._weigh(input, self.positional_weight(), self.bias)

    @staticmethod
    def _weigh(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        y = torch.einsum("ncl,cl->nc", x, weight)
        return y if bias is None else y + bias


class RCWeightedSum1d(WeightedSum1d):
    """Weighted sum over positions of each channel, the two strands of a filter weighted alike.

    Parameters
    ----------
    n_filters : int
        Independent filters F; the map has 2F channels.
    length : int
        Positions L of the map.
    symmetric : bool
        Whether position l and position L-1-l share one weight.
    bias : bool
        Whether each filter has a bias, shared by its two channels.

    Attributes
    ----------
    weight : Parameter, shape (F, L), or (F, ceil(L/2)) if symmetric
        The weights of the forward channels, uniform within sqrt(6 / (2·fan_in·fan_out)).
    bias : Parameter, shape (F,), or None
        0 at the start.

    Notes
    -----
    ``y[n, c] = sum over l of w[c, l] x[n, c, l]`` with w = ``tie(weight)``, so that w[c, l] = w[2F-1-c, L-1-l] (the
    paper's constraint, whose L - l is a misprint for L - 1 - l). y(rc x) is y(x) with its channels in opposite order.

    References
    ----------
    Shrikumar, Greenside & Kundaje 2017, sections 3.1.3, 3.7 (equation 3) and 4.2 (`symmetric`).

    Examples
    --------
    >>> import torch
    >>> RCWeightedSum1d(3, length=11)(torch.rand(2, 6, 11)).shape
    torch.Size([2, 6])
    """

    def __init__(self, n_filters: int, length: int, symmetric: bool = False, bias: bool = False) -> None:
        require_positive("RCWeightedSum1d", n_filters=n_filters)
        super().__init__(n_filters, length, symmetric, bias)

    def forward(self, input: Tensor) -> Tensor:
        """Sum the positions: (N, 2F, L) -> (N, 2F)."""
        require_map("RCWeightedSum1d", input, 2 * self.weight.shape[0])
        require_length("RCWeightedSum1d", input, self.length)
        if strands_must_be_exact() and not self.training:
            return join_strands(self._weigh(by_strand(input), self.positional_weight(), self.bias))
        return self._weigh(input, tie(self.positional_weight()), None if self.bias is None else tie(self.bias))
