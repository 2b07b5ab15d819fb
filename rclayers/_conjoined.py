"""Any model of one strand, asked for both strands at once."""

import torch
from torch import Tensor, nn

from rclayers._symmetry import reverse_complement


class Conjoined(nn.Module):
    """Mean or maximum of what a model says of a sequence and of its reverse complement: invariant whatever it does.

    Parameters
    ----------
    model : nn.Module
        (N, C, L) -> (N, ...): logits, one value a task. The model itself is used, not a copy.
    merge : "mean" or "max"
        Of the two strands' outputs.

    Notes
    -----
    ``(model(x) + model(rc x)) / 2``. Both strands go through the model as one batch of 2N, so that batch norm sees them
    together. Wrapped before training, the model is trained as a conjoined one ("siamese"); wrapped after it, this is
    post-hoc conjoining. Either costs two passes. A profile output, one value a position, would have to be turned back
    first, and is refused.

    References
    ----------
    Zhou, Shrikumar & Kundaje 2022, "Towards a better understanding of reverse-complement equivariance for deep learning
    models in genomics", PMLR 165.

    Examples
    --------
    >>> import torch
    >>> model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(44, 3))
    >>> Conjoined(model)(torch.rand(2, 4, 11)).shape
    torch.Size([2, 3])
    """

    def __init__(self, model: nn.Module, merge: str = "mean") -> None:
        super().__init__()
        if merge not in ("mean", "max"):
            raise ValueError(f"Conjoined: got merge={merge!r}, expected 'mean' or 'max'.")
        self.model = model
        self.merge = merge

    def forward(self, x: Tensor) -> Tensor:
        """Read both strands: (N, C, L) -> (N, T) or (N,)."""
        output = self.model(torch.cat([x, reverse_complement(x)]))
        if not isinstance(output, Tensor) or output.dim() > 2 or len(output) != 2 * len(x):
            given = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
            raise ValueError(
                f"Conjoined: the model gave {given} for {2 * len(x)} sequences, expected one value a task, (N, T) or "
                "(N,). A profile must be turned back before the strands are merged."
            )
        forward, reverse = output.chunk(2)
        return torch.add(forward, reverse) / 2 if self.merge == "mean" else torch.maximum(forward, reverse)

    def extra_repr(self) -> str:
        """How the strands are merged."""
        return f"merge={self.merge!r}"
