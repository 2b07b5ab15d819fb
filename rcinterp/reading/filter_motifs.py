"""What a filter looks for, as a motif: letter probabilities from its weights, or from the sites that it scores best."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from torch import Tensor

from rcinterp.data.sequences import SequenceInput, as_one_hot
from rcinterp.errors import InputError, require_whole
from rcinterp.motifs import Motif, information_content
from rcinterp.motifs.centring import filters_by_name, is_dead, mean_center
from rcinterp.motifs.matrices import as_background
from rcinterp.reading.contributing_sites import FilterSites
from rcinterp.reading.layer import FilterLayer
from rcinterp.reading.model import BATCH_SIZE
from rcinterp.reading.sites import SITE_THRESHOLD, best_sites, check_threshold

MotifsFrom = Literal["sites", "weights", "likelihood"]

#: Mean information of a position in the 2,067 ENCODE motifs, in bits against a uniform background.
BITS_PER_POSITION = 1.09
#: Positions at the ends of a motif with less information than this are flanks, in bits.
TRIM_BITS = 0.25


def weights_to_ppm(
    weight: NDArray[Any] | Tensor,
    background: ArrayLike | None = None,
    *,
    information: float | None = None,
    site_counts: ArrayLike | None = None,
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
    site_counts : array-like, shape (4, W), optional
        Letters counted in sites of the filter. With them the scale is the one of maximum likelihood: under which these
        sites are most probable. Give either this or `information`.

    Returns
    -------
    ndarray, shape (4, W)
        Probabilities; each position sums to 1. A filter without preferences (all weights of a position equal) gives the
        background everywhere, and so does one whose sites do not prefer its letters.

    Raises
    ------
    InputError
        If the weights are not finite or not (4, W), or so much information is not to be had from them, or both ways to
        choose the scale are given.

    Notes
    -----
    ``PPM[a, j] = background[a] exp(scale · w[a, j]) / Z[j]`` with w the centred weights and Z[j] the sum over a. This
    is the distribution of sites that the filter's score describes exactly: log2 of PPM / background is the score, up to
    a constant a position. Batch norm makes the size of the weights arbitrary, so the scale is not in them. It is chosen
    so that the total information, which grows with the scale, is the one asked for; or, with the sites' letters
    n[a, j], so that the likelihood ``sum of n[a, j] log PPM[a, j]`` is largest, which is where the PPM expects the
    score of the sites: ``sum of n[a, j] w[a, j] = sum over j of n[j] · sum over a of PPM[a, j] w[a, j]``.

    Examples
    --------
    >>> import numpy as np
    >>> weights_to_ppm(np.eye(4), information=4.0).round(2)[0].tolist()
    [0.81, 0.06, 0.06, 0.06]
    >>> weights_to_ppm(np.eye(4), site_counts=7 * np.eye(4) + 1).round(2)[0].tolist()
    [0.73, 0.09, 0.09, 0.09]
    """
    (matrix,) = filters_by_name({"given": weight}, caller="weights_to_ppm").values()
    background = as_background(background)
    if not np.isfinite(matrix).all():
        raise InputError("weights_to_ppm: the filter has weights that are not finite; its training has diverged.")
    if information is not None and site_counts is not None:
        raise InputError("weights_to_ppm: got information and site_counts, expected one of them. Leave one out.")
    centred = mean_center(matrix).weight
    if is_dead(matrix):
        return np.repeat(background[:, None], centred.shape[1], axis=1)
    direction = centred / np.abs(centred).max()

    def tilt(scale: float) -> NDArray[np.float64]:
        logits = np.log(background)[:, None] + scale * direction
        odds = np.exp(logits - logits.max(0))
        return np.asarray(odds / odds.sum(0))

    def bits(scale: float) -> float:
        return float(information_content(tilt(scale), background).sum())

    most = _most_information(direction, background)
    if site_counts is not None:
        counts = _check_counts(site_counts, matrix.shape[1])

        def surplus(scale: float) -> float:
            """Of the score that the PPM expects over the sites' own."""
            return float((direction * (counts.sum(0) * tilt(scale) - counts)).sum())

        if surplus(0.0) >= 0:
            return tilt(0.0)
        return tilt(_solve(surplus, until=lambda scale: bits(scale) > 0.999 * most))
    wanted = BITS_PER_POSITION * centred.shape[1] if information is None else information
    if information is None:
        wanted = min(wanted, 0.9 * most)
    if not 0 < wanted < most:
        raise InputError(
            f"weights_to_ppm: got information={wanted:.3g} bits, expected more than 0 and less than {most:.3g}, which "
            "is what this filter can hold."
        )
    return tilt(_solve(lambda scale: bits(scale) - wanted, until=lambda scale: False))


def _solve(excess: Callable[[float], float], until: Callable[[float], bool]) -> float:
    """Scale at which a function that grows from below 0 is 0, or the scale at which the search is given up."""
    highest = 1.0
    while excess(highest) < 0:
        if until(highest):
            return highest
        highest *= 2
    return float(brentq(excess, 0.0, highest))


def _check_counts(site_counts: ArrayLike, width: int) -> NDArray[np.float64]:
    counts = np.asarray(site_counts, dtype=np.float64)
    if counts.shape != (4, width) or not (counts >= 0).all() or not counts.sum() > 0:
        raise InputError(
            f"weights_to_ppm: got site_counts of shape {counts.shape}, expected numbers of at least 0, not all 0, of "
            f"shape (4, {width}), as the filter."
        )
    return counts


def _most_information(direction: NDArray[np.float64], background: NDArray[np.float64]) -> float:
    """Bits at an infinite scale: each position shows its best letters only, in the background's proportions."""
    best = np.isclose(direction, direction.max(0), rtol=0, atol=1e-9)
    return float(-np.log2((best * background[:, None]).sum(0)).sum())


def sites_to_ppms(
    weight: NDArray[Any] | Tensor,
    sequences: SequenceInput,
    *,
    both_strands: bool,
    threshold: float = SITE_THRESHOLD,
    pseudocount: float = 1.0,
    batch_size: int = BATCH_SIZE,
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
    check_threshold(threshold, "sites_to_ppms")
    require_whole("batch_size", batch_size, 1, "sites_to_ppms")
    if not pseudocount >= 0:
        raise InputError(f"sites_to_ppms: got pseudocount={pseudocount}, expected a number of at least 0.")
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
    best = best_sites(filters, x, both_strands, batch_size)
    rows = [best.chosen(f, x.shape[2], best.level(f, threshold)) for f in range(n_filters)]
    return [motif_of_sites(best.letters(f, chosen, x), pseudocount) for f, chosen in enumerate(rows)]


def motif_of_sites(letters: Tensor, pseudocount: float = 1.0) -> Motif:
    """Letter frequencies of sites (n, 4, W), and their number."""
    smoothed = letters.sum(0).double().numpy() + max(pseudocount, 1e-9) / 4
    return Motif(smoothed / smoothed.sum(0), len(letters))


def motifs_of_filters(
    layer: FilterLayer, chosen: Mapping[str, FilterSites], *, motifs_from: MotifsFrom, trim: bool, flank: int = 0
) -> pd.DataFrame:
    """The motif of each filter of a layer.

    Parameters
    ----------
    layer : FilterLayer
    chosen : dict of str to FilterSites
        Of each filter, in the layer's order.
    motifs_from : "sites", "weights" or "likelihood"
        As in `rcinterp.interpret`.
    trim : bool
        Whether to leave out positions at the ends that hold less than `TRIM_BITS`.
    flank : int
        Letters of the sites on either side of what the filter sees.

    Returns
    -------
    DataFrame
        One row a filter: filter, ppm, start (where the motif begins in the filter's sites [bp]; negative where it shows
        their flanks), sites_in ("positives" or "negatives"), n_sites, n_other_sites (sequences of the
        other class with a site), sites_p (p-value of so many more in its own class), information (bits, of the sites).
        A motif from weights alone has no sites, which are then missing.
    """
    if motifs_from == "weights":
        ppms = [weights_to_ppm(weight) for weight in layer.weight]
        found = pd.DataFrame({"filter": layer.filter_names, "ppm": ppms})
        found = found.assign(start=0, sites_in=None, n_sites=None, n_other_sites=None, sites_p=np.nan)
        return found.assign(information=found["ppm"].map(_bits))
    rows = []
    for f, (name, sites) in enumerate(chosen.items()):
        own = motif_of_sites(sites.letters)
        ppm, start = own.ppm, -flank
        if motifs_from == "likelihood" and own.n_sites:
            ppm = weights_to_ppm(layer.weight[f], site_counts=own.ppm * own.n_sites)
        elif trim:
            kept = _informative(ppm, TRIM_BITS)
            ppm, start = ppm[:, kept], kept.start - flank
        shown = {"filter": name, "ppm": ppm, "start": start}
        evidence = {"sites_in": sites.sites_in, "n_sites": own.n_sites, "n_other_sites": sites.n_other}
        rows.append(shown | evidence | {"sites_p": sites.p, "information": _bits(own.ppm)})
    return pd.DataFrame(rows)


def _bits(ppm: NDArray[np.float64]) -> float:
    return float(information_content(ppm).sum())


def trim_ppm(ppm: NDArray[np.float64], min_bits: float = TRIM_BITS) -> NDArray[np.float64]:
    """PPM without the positions at its ends that hold less than `min_bits` of information.

    Parameters
    ----------
    ppm : ndarray, shape (4, W)
        Probabilities, rows A, C, G, T.
    min_bits : float
        Against a uniform background. A PPM none of whose positions holds as much keeps its most informative one.

    Returns
    -------
    ndarray, shape (4, V), V <= W
    """
    return np.asarray(ppm[:, _informative(ppm, min_bits)])


def _informative(ppm: NDArray[np.float64], min_bits: float) -> slice:
    """From the first position that holds as much to the last one; the most informative one if none does."""
    bits = information_content(ppm)
    informative = np.flatnonzero(bits >= min_bits)
    if not informative.size:
        informative = np.array([int(np.argmax(bits))])
    return slice(int(informative[0]), int(informative[-1]) + 1)
