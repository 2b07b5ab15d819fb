"""Any module, applied alike to both strands."""

from torch import Tensor, nn

from rclayers._checks import require_map
from rclayers._symmetry import by_strand, join_strands


class Strandwise(nn.Module):
    """Map to map (or to one value a channel), the module seeing each strand as a sequence of its own.

    Parameters
    ----------
    module : nn.Module
        (M, F, L) -> (M, F', L') or (M, F'); it must treat the sequences of a batch alike. Dropout does not: it draws a
        mask of its own for each strand.

    Notes
    -----
    ``join_strands(module(by_strand(x)))``: equivariant whatever the module does. It never mixes the two strands.

    Examples
    --------
    >>> import torch
    >>> Strandwise(torch.nn.Conv1d(3, 5, 7))(torch.rand(2, 6, 11)).shape
    torch.Size([2, 10, 5])
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        """Apply the module: (N, 2F, L) -> (N, 2F', L') or (N, 2F')."""
        require_map("Strandwise", x)
        return join_strands(self.module(by_strand(x)))
