"""Pooling whose windows are the same seen from either strand."""

from torch import Tensor, nn

from rclayers import _fast
from rclayers._checks import require_map, require_positive, symmetric_trim


def _windows(layer: str, x: Tensor, kernel_size: int, stride: int) -> Tensor:
    """Return the positions that the windows tile: the same number left out at both ends.

    A new tensor even if all are: captum hooks a module's input and output, and must not find the ReLU's output there.
    """
    require_map(layer, x)
    trim = symmetric_trim(layer, x.shape[2], kernel_size, stride)
    return x[:, :, trim : x.shape[2] - trim]


class _Windows(nn.Identity):
    """The identity but for the positions at both ends that no window holds; `check_rc` names it where it raises."""

    def __init__(self, layer: str, kernel_size: int, stride: int) -> None:
        super().__init__()
        self.layer = layer
        self.tiles = kernel_size, stride

    def forward(self, input: Tensor) -> Tensor:
        """Leave out the same number at both ends: (N, C, L) -> (N, C, L')."""
        return _windows(self.layer, input, *self.tiles)


class RCMaxPool1d(nn.Module):
    """Largest value in each window of each channel.

    Parameters
    ----------
    kernel_size : int
        Window, in positions.
    stride : int, optional
        Step between windows; the window itself when not given.

    Raises
    ------
    SymmetryError
        If (L - kernel_size) modulo the stride is odd: the message names the nearest lengths that work.

    Notes
    -----
    If r = (L - kernel_size) mod stride is even, r/2 positions are left out at both ends; the original dropped all r at
    one end, and lost the guarantee (docs/evidence/deviations.md). Either way there are
    ``floor((L - kernel_size) / stride) + 1`` windows.

    The pooling itself is a plain nn.MaxPool1d inside: DeepLIFT, as captum and tangermeme write it, looks its rules up
    by a module's exact type, and would take a subclass for a linear layer.

    References
    ----------
    Shrikumar, Greenside & Kundaje 2017, sections 3.4 and 3.6.3.

    Examples
    --------
    >>> import torch
    >>> RCMaxPool1d(40, 20)(torch.rand(2, 16, 986)).shape  # 6 positions over: 3 left out at each end
    torch.Size([2, 16, 48])
    """

    def __init__(self, kernel_size: int, stride: int | None = None) -> None:
        stride = kernel_size if stride is None else stride
        require_positive("RCMaxPool1d", kernel_size=kernel_size, stride=stride)
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = stride
        self.windows = _Windows("RCMaxPool1d", kernel_size, stride)
        self.pool = nn.MaxPool1d(kernel_size, stride)

    def forward(self, input: Tensor) -> Tensor:
        """Pool: (N, 2F, L) -> (N, 2F, L')."""
        require_map("RCMaxPool1d", input)
        own = type(self.pool), getattr(self.pool, "kernel_size", None), getattr(self.pool, "stride", None)
        is_replaced = own != (nn.MaxPool1d, self.kernel_size, self.stride)  # by who reads another rule into it
        if _fast.is_channels_last(input) and not is_replaced and not _fast.is_watched(self.windows, self.pool):
            trim = symmetric_trim("RCMaxPool1d", input.shape[2], self.kernel_size, self.stride)
            pooled = _fast.max_pool1d(input, self.kernel_size, self.stride, trim)
        else:
            pooled = self.pool(self.windows(input))
        return pooled.contiguous()  # so that a model's own x.view(N, -1) may follow


class RCAvgPool1d(nn.AvgPool1d):
    """Mean value in each window of each channel; sizes and errors as in `RCMaxPool1d`.

    Parameters
    ----------
    kernel_size : int
        Positions of a window.
    stride : int, optional
        From one window to the next; `kernel_size` when not given.

    Examples
    --------
    >>> import torch
    >>> RCAvgPool1d(2)(torch.tensor([[[1.0, 3.0, 5.0, 7.0], [2.0, 2.0, 0.0, 0.0]]]))
    tensor([[[2., 6.],
             [2., 0.]]])
    """

    def __init__(self, kernel_size: int, stride: int | None = None) -> None:
        stride = kernel_size if stride is None else stride
        require_positive("RCAvgPool1d", kernel_size=kernel_size, stride=stride)
        super().__init__(kernel_size, stride)
        self.tiles = kernel_size, stride

    def forward(self, input: Tensor) -> Tensor:
        """Pool: (N, 2F, L) -> (N, 2F, L')."""
        return super().forward(_windows("RCAvgPool1d", input, *self.tiles)).contiguous()
