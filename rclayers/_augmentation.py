"""Random reverse complements in training: for models that do not share weights between the strands."""

from typing import Any

import torch
from torch import Tensor, nn

from rclayers._symmetry import reverse_complement


class RandomReverseComplement(nn.Module):
    """Sequences of which each is turned into its reverse complement with some probability, in training.

    Parameters
    ----------
    p : float
        Probability that a sequence is turned.
    generator : torch.Generator, optional
        What the draws come from, on the CPU; torch's global generator when not given, as for dropout.

    Raises
    ------
    ValueError
        If `p` is no probability, a sequence has another shape, or profiles do not match the sequences.

    Notes
    -----
    In eval mode everything passes unchanged. Labels of whole sequences need no turning. Profiles, one value a position,
    do: give them as further arguments, with channel C-1-i the other strand's of channel i (plus first, minus last).

    As the first module of a model it turns each batch; as a transform of a data set, single sequences (give no
    `generator` then: the workers of a data loader would all draw the same). `rcinterp.fit(..., augment=True)` needs
    none of this: it shows each sequence and its reverse complement equally often.

    Examples
    --------
    >>> import torch
    >>> turn = RandomReverseComplement(p=0.5, generator=torch.Generator().manual_seed(0))
    >>> x, profile = turn(torch.rand(7, 4, 11), torch.rand(7, 2, 11))
    >>> x.shape, profile.shape
    (torch.Size([7, 4, 11]), torch.Size([7, 2, 11]))
    """

    def __init__(self, p: float = 0.5, generator: torch.Generator | None = None) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(f"RandomReverseComplement: got p={p!r}, expected a probability, from 0 to 1.")
        self.p = p
        self.generator = generator

    def forward(self, x: Tensor, *profiles: Tensor) -> Tensor | tuple[Tensor, ...]:
        """Turn some sequences: (N, C, L), or one (C, L); with profiles of the same N, a tuple of all."""
        if x.dim() not in (2, 3):
            raise ValueError(
                f"RandomReverseComplement: got x of shape {tuple(x.shape)}, expected (N, C, L), or (C, L) for one "
                "sequence. Labels are not turned; leave them out."
            )
        for profile in profiles:
            if profile.dim() != x.dim() or profile.shape[:-2] != x.shape[:-2]:
                raise ValueError(
                    f"RandomReverseComplement: got a profile of shape {tuple(profile.shape)} for sequences of shape "
                    f"{tuple(x.shape)}, expected (N, C', L') for (N, C, L) and (C', L') for (C, L). Use "
                    "profile[:, None] for a profile without a strand."
                )
        if self.training:
            turned = torch.rand(x.shape[:-2], generator=self.generator) < self.p
            x, *others = (_turn(one, turned) for one in (x, *profiles))
            profiles = tuple(others)
        return (x, *profiles) if profiles else x

    def __getstate__(self) -> dict[str, Any]:
        """The state of the generator in its place: torch before 2.4 can neither copy nor pickle one."""
        state = None if self.generator is None else self.generator.get_state()
        return {**self.__dict__, "generator": state}

    def __setstate__(self, state: dict[str, Any]) -> None:
        """A generator of its own that goes on from that state."""
        drawn = state["generator"]
        generator = None if drawn is None else torch.Generator().set_state(drawn)
        super().__setstate__({**state, "generator": generator})  # type: ignore[no-untyped-call]  # so it is in torch

    def extra_repr(self) -> str:
        """The probability."""
        return f"p={self.p}"


def _turn(x: Tensor, turned: Tensor) -> Tensor:
    return torch.where(turned.to(x.device)[..., None, None], reverse_complement(x), x)
