"""The action of the reverse complement (RC), and the three ways of using it: the only file that flips.

Channel C-1-i is the reverse complement of channel i, everywhere: in one-hot ACGT, in every hidden map, in every kernel.
"""

import torch
from torch import Tensor


def reverse_complement(x: Tensor) -> Tensor:
    """Reverse complement of sequences, maps or kernels: channels and positions flipped together.

    Parameters
    ----------
    x : Tensor, shape (..., C, L)
        Channel C-1-i is the reverse complement of channel i (one-hot rows A, C, G, T are).

    Returns
    -------
    Tensor, shape (..., C, L)
        ``y[..., c, l] = x[..., C-1-c, L-1-l]``. Applied twice, it gives `x` back.

    References
    ----------
    Shrikumar, Greenside & Kundaje 2017, section 3.1.1.

    Examples
    --------
    >>> import torch
    >>> a_then_c = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 0.0], [0.0, 0.0]])  # "AC"
    >>> reverse_complement(a_then_c).argmax(0).tolist()  # "GT"
    [2, 3]
    """
    if x.dim() < 2:
        raise ValueError(
            f"reverse_complement: got a tensor of shape {tuple(x.shape)}, expected (..., C, L). A single sequence of "
            "scores per channel has no strand to turn; stack its channels first."
        )
    return x.flip((-2, -1))


def tie(half: Tensor) -> Tensor:
    """Full bank from a half bank: the parameters, then their reverse complements in opposite order.

    Parameters
    ----------
    half : Tensor, shape (F, ...)
        Kernels (F, C, W), positional weights (F, L) or biases (F,).

    Returns
    -------
    Tensor, shape (2F, ...)
        ``bank[2F-1-f]`` is the reverse complement of ``bank[f]``, so that the output channels obey the action again.

    References
    ----------
    Shrikumar, Greenside & Kundaje 2017, section 3.1.1 and figure 8 (kernels), 3.1.3 (positional weights).
    """
    return torch.cat([half, half.flip(tuple(range(half.dim())))])


def by_strand(x: Tensor) -> Tensor:
    """Split a map into its two strands, as the two halves of a larger batch.

    Parameters
    ----------
    x : Tensor, shape (N, 2F, L) or (N, 2F)
        A map, or one value a channel.

    Returns
    -------
    Tensor, shape (2N, F, L) or (2N, F)
        The forward channels of each sequence, then what the same channels show on its reverse complement.
        ``join_strands(by_strand(x))`` is `x`.

    References
    ----------
    Shrikumar, Greenside & Kundaje 2017, section 3.1.2 (there the strands are laid side by side along the length).
    """
    forward, reverse = x.chunk(2, dim=1)  # chunk's gradient is one copy; a slice's is a map of zeros for each half
    return torch.cat([forward, act(reverse)])


def join_strands(y: Tensor) -> Tensor:
    """Put two strands back into one map: the inverse of `by_strand`.

    Parameters
    ----------
    y : Tensor, shape (2N, F, L) or (2N, F)

    Returns
    -------
    Tensor, shape (N, 2F, L) or (N, 2F)

    Examples
    --------
    >>> x = torch.rand(2, 6, 7)
    >>> torch.equal(join_strands(by_strand(x)), x)
    True
    """
    forward, reverse = y.chunk(2)
    return torch.cat([forward, act(reverse)], dim=1)


def act(x: Tensor) -> Tensor:
    """Apply the action to a batch: (N, C, L) by channel and position; (N, C), its positions gone, by channel."""
    return x.flip(tuple(range(1, x.dim())))


def mirror(half: Tensor, length: int) -> Tensor:
    """Positional weights that read the same from both ends: (..., ceil(L/2)) -> (..., L)."""
    return torch.cat([half, half.flip(-1)[..., length % 2 :]], dim=-1)  # the middle of an odd length stands once
