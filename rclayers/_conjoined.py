"""Any model of one strand, asked for both strands at once."""

import torch
from torch import Tensor, nn

from rclayers._symmetry import act, reverse_complement


class Conjoined(nn.Module):
    """Mean or maximum of what a model says of a sequence and of its reverse complement: invariant whatever it does.

    Parameters
    ----------
    model : nn.Module
        (N, C, L) -> (N, ...): logits, one value a task. The model itself is used, not a copy.
    merge : "mean" or "max"
        Of the two strands' outputs.
    profile : bool
        Whether the model gives a profile, (N, T, L') or (N, L'), whose channel T-1-t is the other strand of channel t.
        The reverse strand's is then turned back before it is merged, and the result is equivariant.

    Notes
    -----
    ``(model(x) + model(rc x)) / 2``, or with profile=True ``(model(x) + rc model(rc x)) / 2``. Both strands go through
    the model as one batch of 2N, so that batch norm sees them together. Wrapped before training, the model is trained
    as a conjoined one ("siamese"); wrapped after it, this is post-hoc conjoining. Either costs two passes. Merge
    logits, not probabilities: end the model before its sigmoid. Further inputs of the model are given to both strands;
    maps among them, (N, C, L), are turned with the sequences.

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

    def __init__(self, model: nn.Module, merge: str = "mean", profile: bool = False) -> None:
        super().__init__()
        if merge not in ("mean", "max"):
            raise ValueError(f"Conjoined: got merge={merge!r}, expected 'mean' or 'max'.")
        self.model = model
        self.merge = merge
        self.profile = profile

    def forward(self, x: Tensor, *args: Tensor) -> Tensor:
        """Read both strands: (N, C, L) -> (N, T) or (N,); a profile: (N, T, L') or (N, L')."""
        others = (self._pair(value, act(value) if value.dim() == 3 else value) for value in args)
        output = self.model(self._pair(x, reverse_complement(x)), *others)
        self._check(output, 2 * len(x))
        forward, reverse = output.chunk(2) if self.training else output.unflatten(0, (len(x), 2)).unbind(1)
        if self.profile:
            reverse = act(reverse)
        return torch.add(forward, reverse) / 2 if self.merge == "mean" else torch.maximum(forward, reverse)

    def _pair(self, forward: Tensor, reverse: Tensor) -> Tensor:
        """One batch of both strands: one after the other, or, in eval mode, those of each sequence side by side.

        DeepLIFT, as captum and tangermeme write it, compares the halves of a batch: sequences and references.
        """
        return torch.cat([forward, reverse]) if self.training else torch.stack([forward, reverse], 1).flatten(0, 1)

    def _check(self, output: object, n_sequences: int) -> None:
        n_axes = (2, 3) if self.profile else (1, 2)
        if isinstance(output, Tensor) and output.dim() in n_axes and len(output) == n_sequences:
            return
        given = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
        if self.profile:
            expected = "a profile, (N, T, L) or (N, L). For one value a task use profile=False"
        else:
            expected = (
                "one value a task, (N, T) or (N,). A profile must be turned back before the strands are merged: use "
                "profile=True"
            )
        raise ValueError(f"Conjoined: the model gave {given} for {n_sequences} sequences, expected {expected}.")

    def extra_repr(self) -> str:
        """How the strands are merged."""
        return f"merge={self.merge!r}" + (", profile=True" if self.profile else "")
