"""Convolution whose filters scan both strands."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from rclayers import _fast
from rclayers._checks import require_map, require_positive, require_tiling, symmetric_padding
from rclayers._exact import strands_must_be_exact
from rclayers._symmetry import join_strands, reverse_complement, tie


class RCConv1d(nn.Module):
    """Map of how well each filter, and its reverse complement, matches at each position.

    Parameters
    ----------
    in_channels : int
        Channels of the input: 4 for one-hot ACGT, 2F after an RC layer of F filters.
    n_filters : int
        Independent filters F; the output has 2F channels.
    kernel_size : int
        Width W, in positions.
    stride, dilation : int
    padding : int or "same" or "valid"
        Zeros on *each* side. "same" needs an odd reach, dilation·(W-1) even, and stride 1.
    bias : bool
        Whether each filter has a bias, shared by its two channels.

    Attributes
    ----------
    weight : Parameter, shape (F, C_in, W)
        Glorot-uniform, as Keras' default.
    bias : Parameter, shape (F,), or None
        0 at the start.

    Raises
    ------
    SymmetryError
        If padding, or the stride on an input of this length, would treat the two ends differently; the message names
        the nearest sizes that work.

    Notes
    -----
    With the full bank w' = ``tie(weight)`` and b' = ``tie(bias)``::

        y[n, c, l] = b'[c] + sum over i, k of w'[c, i, k] x[n, i, stride·l + dilation·k - padding]

    which gives y(rc x) = rc y(x) whenever (L + 2 padding - dilation·(W-1) - 1) is a multiple of the stride.

    The full bank is convolved at once; the two strands then agree up to rounding, since a turned filter adds up its
    products in the opposite order. Where they must agree to the last bit, `exact_strands` lets the same filters read
    each strand in turn. Large maps on a CPU lie channels-last in memory: flatten them by `reshape`, not `view`.

    References
    ----------
    Shrikumar, Greenside & Kundaje 2017, section 3.1.1.

    Examples
    --------
    >>> import torch
    >>> RCConv1d(4, n_filters=3, kernel_size=7)(torch.rand(2, 4, 11)).shape
    torch.Size([2, 6, 5])
    """

    bias: nn.Parameter | None

    def __init__(
        self,
        in_channels: int,
        n_filters: int,
        kernel_size: int,
        stride: int = 1,
        padding: int | str = 0,
        dilation: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__()
        require_positive(
            "RCConv1d",
            in_channels=in_channels,
            n_filters=n_filters,
            kernel_size=kernel_size,
            stride=stride,
            dilation=dilation,
        )
        self.in_channels = in_channels
        self.n_filters = n_filters
        self.kernel_size = kernel_size
        self.stride = stride
        self.padding = symmetric_padding("RCConv1d", padding, kernel_size, stride, dilation)
        self.dilation = dilation
        self.weight = nn.Parameter(torch.empty(n_filters, in_channels, kernel_size))
        self.register_parameter("bias", nn.Parameter(torch.empty(n_filters)) if bias else None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw the weights anew: uniform within sqrt(6 / (W·(C_in + F))); biases 0."""
        nn.init.xavier_uniform_(self.weight)
        if self.bias is not None:
            nn.init.zeros_(self.bias)

    def forward(self, x: Tensor) -> Tensor:
        """Scan both strands: (N, C_in, L) -> (N, 2F, L')."""
        require_map("RCConv1d", x, self.in_channels)
        window = self.dilation * (self.kernel_size - 1) + 1
        require_tiling("RCConv1d", x.shape[2], window, self.stride, self.padding)
        sizes = self.stride, self.padding, self.dilation
        if strands_must_be_exact() and not self.training:
            strands = torch.cat([x, reverse_complement(x)])
            return join_strands(functional.conv1d(strands, self.weight, self.bias, *sizes))
        weight, bias = tie(self.weight), None if self.bias is None else tie(self.bias)
        convolve = _fast.conv1d if _fast.convolution_pays(x, len(weight)) else functional.conv1d
        return convolve(x, weight, bias, *sizes)

    def extra_repr(self) -> str:
        """Sizes, as torch prints them."""
        return (
            f"{self.in_channels}, n_filters={self.n_filters}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"padding={self.padding}, dilation={self.dilation}, bias={self.bias is not None}"
        )
