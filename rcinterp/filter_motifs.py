"""What a filter looks for, as a motif: letter probabilities from its weights, or from the sites that it scores best."""

from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from torch import Tensor
from torch.nn import functional

from rcinterp.centring import filters_by_name, is_dead, mean_center
from rcinterp.errors import InputError
from rcinterp.motifs import Motif, information_content
from rcinterp.motifs.matrices import as_background
from rcinterp.sequences import SequenceInput, as_one_hot
from rclayers import by_strand, reverse_complement, tie

#: Mean information of a position in the 2,067 ENCODE motifs, in bits against a uniform background.
BITS_PER_POSITION = 1.09


def weights_to_ppm(
    weight: NDArray[Any] | Tensor, background: ArrayLike | None = None, *, information: float | None = None
) -> NDArray[np.float64]:
    """Position probability matrix (PPM) whose log-odds are the filter's centred weights, times one scale.

    Parameters
    ----------
    weight : ndarray or Tensor, shape (4, W)
        One filter of a first layer; centred here.
    background : array of 4 probabilities
        Of A, C, G, T; uniform by default.
    information : float, optional
        Total information of the PPM against the background, in bits; when not given, `BITS_PER_POSITION` a position, or
        90 % of what the filter can hold if that is less.

    Returns
    -------
    ndarray, shape (4, W)
        Probabilities; each position sums to 1. A filter without preferences (all weights of a position equal) gives the
        background everywhere.

    Raises
    ------
    InputError
        If the weights are not finite or not (4, W), or so much information is not to be had from them.

    Notes
    -----
    ``PPM[a, j] = background[a] exp(scale · w[a, j]) / Z[j]`` with w the centred weights and Z[j] the sum over a. This
    is the distribution of sites that the filter's score describes exactly: log2 of PPM / background is the score, up to
    a constant a position. Batch norm makes the size of the weights arbitrary, so the scale is not in them; it is chosen
    so that the total information, which grows with the scale, is the one asked for.

    Examples
    --------
    >>> weights_to_ppm(np.eye(4), information=4.0).round(2)[0].tolist()
    [0.81, 0.06, 0.06, 0.06]
    """
    (matrix,) = filters_by_name({"given": weight}, caller="weights_to_ppm").values()
    background = as_background(background)
    if not np.isfinite(matrix).all():
        raise InputError("weights_to_ppm: the filter has weights that are not finite; its training has diverged.")
    centred = mean_center(matrix).weight
    if is_dead(matrix):
        return np.repeat(background[:, None], centred.shape[1], axis=1)
    direction = centred / np.abs(centred).max()

    def tilt(scale: float) -> NDArray[np.float64]:
        logits = np.log(background)[:, None] + scale * direction
        odds = np.exp(logits - logits.max(0))
        return np.asarray(odds / odds.sum(0))

    def excess(scale: float) -> float:
        return float(information_content(tilt(scale), background).sum()) - wanted

    wanted = BITS_PER_POSITION * centred.shape[1] if information is None else information
    most = _most_information(direction, background)
    if information is None:
        wanted = min(wanted, 0.9 * most)
    if not 0 < wanted < most:
        raise InputError(
            f"weights_to_ppm: got information={wanted:.3g} bits, expected more than 0 and less than {most:.3g}, which "
            "is what this filter can hold."
        )
    highest = 1.0
    while excess(highest) < 0:
        highest *= 2
    return tilt(brentq(excess, 0.0, highest))


def _most_information(direction: NDArray[np.float64], background: NDArray[np.float64]) -> float:
    """Bits at an infinite scale: each position shows its best letters only, in the background's proportions."""
    best = np.isclose(direction, direction.max(0), rtol=0, atol=1e-9)
    return float(-np.log2((best * background[:, None]).sum(0)).sum())


def sites_to_ppms(
    weight: NDArray[Any] | Tensor,
    sequences: SequenceInput,
    *,
    both_strands: bool,
    threshold: float = 0.5,
    pseudocount: float = 1.0,
    batch_size: int = 500,
) -> list[Motif]:
    """Letter frequencies of the sites that each filter scores best.

    Parameters
    ----------
    weight : ndarray or Tensor, shape (F, 4, W)
        Filters of a first layer; centred here.
    sequences : Tensor (N, 4, L), or a FASTA path, or a list of str
        The best site of each sequence is looked at.
    both_strands : bool
        Whether the filter reads both strands (RC layers). A site on the reverse strand is turned before it is counted.
    threshold : float
        A site counts if its score is at least this share of the best score of the filter, 0 to 1; 0.5 as in Basset.
    pseudocount : float
        Sites, at least 0, that are spread evenly over the four letters of each position.
    batch_size : int
        Sequences at a time.

    Returns
    -------
    list of Motif
        One a filter: its PPM, pseudocount included, and the number of sites. A filter that scores no site above 0 has 0
        sites and a uniform PPM. N columns count for nothing.

    Raises
    ------
    InputError
        If the filters are not (F, 4, W), the sequences are shorter than them, or an option is out of range.

    References
    ----------
    Kelley, Snoek & Rinn 2016 (Basset): sites that activate a filter by more than half of its maximum.
    """
    if not 0 <= threshold <= 1:
        raise InputError(f"sites_to_ppms: got threshold={threshold}, expected a share of the best score, 0 to 1.")
    if not pseudocount >= 0 or batch_size < 1:
        raise InputError(
            f"sites_to_ppms: got pseudocount={pseudocount} and batch_size={batch_size}, expected at least 0 and 1."
        )
    x = as_one_hot(sequences, "sites_to_ppms").float().cpu()
    filters = torch.as_tensor(weight).detach().float().cpu()
    if filters.ndim != 3:
        raise InputError(
            f"sites_to_ppms: got filters of shape {tuple(filters.shape)}, expected (F, 4, W); weight[None] for one."
        )
    filters = mean_center(filters).weight
    n_filters, _, width = filters.shape
    if x.shape[2] < width:
        raise InputError(f"sites_to_ppms: got sequences of {x.shape[2]} bp, expected at least the filter's {width} bp.")
    scores, starts, turned = best_sites(filters, x, both_strands, batch_size)
    motifs = []
    for f in range(n_filters):
        rows = torch.nonzero((scores[:, f] > 0) & (scores[:, f] >= threshold * scores[:, f].max())).flatten()
        positions = starts[rows, f, None] + torch.arange(width)
        sites = x[rows[:, None], :, positions].transpose(1, 2)  # (sites, 4, W)
        backward = turned[rows, f]
        counts = (sites[~backward].sum(0) + reverse_complement(sites[backward]).sum(0)).double().numpy()
        counts = counts + max(pseudocount, 1e-9) / 4
        motifs.append(Motif(counts / counts.sum(0), len(rows)))
    return motifs


def best_sites(filters: Tensor, x: Tensor, both_strands: bool, batch_size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Score, start and strand (True: the reverse one) of each filter's best site in each sequence, (N, F) each.

    Filters (F, 4, W) and sequences (N, 4, L) are float32 on the CPU.
    """
    bank = tie(filters) if both_strands else filters
    found = [functional.conv1d(batch, bank).max(dim=2) for batch in torch.split(x, batch_size)]
    scores, starts = torch.cat([best.values for best in found]), torch.cat([best.indices for best in found])
    if not both_strands:
        return scores, starts, torch.zeros_like(scores, dtype=torch.bool)
    forward, reverse = by_strand(scores).chunk(2)
    forward_starts, reverse_starts = by_strand(starts).chunk(2)
    turned = reverse > forward
    return torch.maximum(forward, reverse), torch.where(turned, reverse_starts, forward_starts), turned
