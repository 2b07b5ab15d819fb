"""Residual blocks, whose skip connection is cut at both ends alike."""

from torch import Tensor, nn

from rclayers._checks import SymmetryError, require_map, require_positive
from rclayers._conv import RCConv1d


class RCResidual(nn.Module):
    """A map plus what a module makes of it.

    Parameters
    ----------
    module : nn.Module
        Equivariant, (N, 2F, L) -> (N, 2F, L'), with L - L' even and not negative: 0 with padding="same", or what
        unpadded convolutions take away at both ends.

    Raises
    ------
    SymmetryError
        If an odd number of positions would have to be cut from the skip connection, or the channels are odd.
    ValueError
        If the module changes the number of channels, or makes the map longer.

    Notes
    -----
    ``y[n, c, l] = x[n, c, l + (L - L')/2] + module(x)[n, c, l]``.

    References
    ----------
    He et al. 2016, "Deep residual learning for image recognition".

    Examples
    --------
    >>> import torch
    >>> from rclayers import RCConv1d
    >>> RCResidual(RCConv1d(6, n_filters=3, kernel_size=5))(torch.rand(2, 6, 11)).shape
    torch.Size([2, 6, 7])
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        """Add: (N, 2F, L) -> (N, 2F, L')."""
        name = type(self).__name__
        require_map(name, x)
        y: Tensor = self.module(x)
        if y.dim() != 3 or y.shape[:2] != x.shape[:2] or y.shape[2] > x.shape[2]:
            raise ValueError(
                f"{name}: the module made {tuple(y.shape)} of {tuple(x.shape)}, expected as many channels, and no more "
                f"positions. Give its last layer {x.shape[1]} channels (n_filters={x.shape[1] // 2}), and no stride."
            )
        excess = x.shape[2] - y.shape[2]
        if excess % 2:
            raise SymmetryError(
                f"{name}: the module takes {excess} of {x.shape[2]} positions away, an odd number that cannot be "
                "shared between both ends, which breaks the reverse-complement guarantee. Use odd kernel sizes, or "
                "padding='same'."
            )
        return x[:, :, excess // 2 : x.shape[2] - excess // 2] + y


class RCDilatedBlock(RCResidual):
    """A dilated convolution with ReLU, added to its input: the block that BPNet stacks.

    Parameters
    ----------
    n_filters : int
        Independent filters F of the map before it, and of its own.
    dilation : int
        Step between the positions that a filter reads: 2, 4, 8, ... in BPNet.
    kernel_size : int
        Width of the filters, in positions; odd.
    padding : "same" or "valid"
        "same" keeps the length; "valid" cuts the skip connection at both ends, as ChromBPNet does.

    Raises
    ------
    SymmetryError
        If dilation·(kernel_size - 1) is odd.

    Notes
    -----
    ``y = crop(x) + relu(conv(x))``. ``block.module[0]`` is the convolution. Nine of them, with dilations 2 to 512, see
    2,045 positions.

    References
    ----------
    Avsec et al. 2021, "Base-resolution models of transcription-factor binding reveal soft motif syntax".

    Examples
    --------
    A model like BPNet's body, with one logit:

    >>> from torch import nn
    >>> from rclayers import RCConv1d, RCLinear
    >>> from rclayers.testing import check_rc
    >>> model = nn.Sequential(
    ...     RCConv1d(4, n_filters=8, kernel_size=21, padding="same"),
    ...     nn.ReLU(),
    ...     *(RCDilatedBlock(8, dilation=2**i) for i in range(1, 6)),
    ...     nn.AdaptiveAvgPool1d(1),
    ...     nn.Flatten(),
    ...     RCLinear(8, out_features=1),
    ... )
    >>> check_rc(model, length=200).is_invariant
    True
    """

    def __init__(self, n_filters: int, dilation: int, kernel_size: int = 3, padding: str = "same") -> None:
        require_positive("RCDilatedBlock", n_filters=n_filters, dilation=dilation, kernel_size=kernel_size)
        if padding not in ("same", "valid"):
            raise ValueError(f"RCDilatedBlock: got padding={padding!r}, expected 'same' or 'valid'.")
        reach = dilation * (kernel_size - 1)
        if reach % 2:
            raise SymmetryError(
                f"RCDilatedBlock: kernel_size={kernel_size} with dilation={dilation} reaches {reach} positions "
                "further, an odd number that cannot be shared between both ends, which breaks the reverse-complement "
                f"guarantee. Use kernel_size={kernel_size - 1} or {kernel_size + 1}."
            )
        convolution = RCConv1d(2 * n_filters, n_filters, kernel_size, padding=padding, dilation=dilation)
        super().__init__(nn.Sequential(convolution, nn.ReLU()))
