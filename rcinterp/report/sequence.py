"""What a model reads in one sequence, as a figure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import nn

from rcinterp.errors import InputError, require_whole
from rcinterp.reading.one_sequence import InputMethod, OneSequence, SequenceReading, thin_sites
from rcinterp.reading.reader import Reader, RunOptions, as_reader
from rcinterp.report.sequence_figure import draw_sequence

if TYPE_CHECKING:
    from typing_extensions import Unpack

#: Longer sequences are shown in part, by default,
WHOLE_LENGTH = 150
#: namely as many bp about the sites that contribute most.
WINDOW_LENGTH = 100
#: A site is shown if its contribution is at least this share of the largest in the sequence.
LEAST_SHARE = 0.1


class SequenceFigureOptions(RunOptions, total=False):
    """Keywords of `plot_sequence`."""

    method: InputMethod
    window: tuple[int, int] | None
    max_filters: int
    names: Mapping[str, str] | None


_METHODS: Mapping[str, str] = {"gradient_x_input": "gradient × input", "ism": "in-silico mutagenesis"}


def plot_sequence(
    model: nn.Module | Reader,
    sequence: OneSequence,
    layer: str | None = None,
    target: int = 0,
    *,
    method: InputMethod = "gradient_x_input",
    window: tuple[int, int] | None = None,
    max_filters: int = 6,
    names: Mapping[str, str] | None = None,
    **run: Unpack[RunOptions],
) -> Figure:
    """What a model reads in one sequence: its bases' contributions as a logo, and the filters' sites under it.

    Parameters
    ----------
    model : nn.Module or Reader
        Any model of sequences (n, 4, L) -> logits; comes back as it was. A `Reader` has its own layer, target and
        options of running.
    sequence : str, or ndarray or Tensor of shape (4, L) or (1, 4, L)
        Letters, or one-hot with rows A, C, G, T.
    layer : str, optional
        Name of the convolution whose filters' sites are shown; the first one over the sequence when not given.
    target : int
        Which logit.
    method : "gradient_x_input" or "ism"
        How what a base contributes is measured; see Notes. The first by default.
    window : (int, int), optional
        Start and end of the part that is shown [bp], 0-based and half-open. By default the whole of a sequence of up to
        150 bp, and of a longer one 100 bp about the sites that contribute most, signs aside (about the bases, where
        sites have no numbers); the title says which.
    max_filters : int
        Filters whose sites are shown at most, those of the largest sites in the window. With 0 there are none, and the
        model needs no convolution.
    names : mapping of str to str, optional
        What stands beside the name of a filter, such as whose motif it is.
    func, args, device, batch_size, verbose, scheduler
        How the model is run, as in `Reader`.

    Returns
    -------
    Figure
        Unknown to pyplot, so that it needs no closing; Jupyter shows it. Heights and the sites' numbers are in units of
        the logit. `Reader.read_sequence` returns the numbers.

    Raises
    ------
    InputError
        If the model, the layer or the sequence cannot be used, or the window does not lie within the sequence.

    Notes
    -----
    By gradient x input, base c at position l contributes ``dz/dx[c, l] - mean over the letters of dz/dx[., l]``. The
    mean is taken off because no sequence moves in that direction: letters sum to 1 at each position, whatever the model
    does elsewhere (Majdandzic et al.). By in-silico mutagenesis it contributes ``z - mean over the letters of z with
    that letter at l``, which takes 4 L forward passes. Of a model that is linear in its input both are the same number.
    Saturation and filters that stand in for each other take them apart.

    A site's number is gradient x activation at its place (`sequence_contributions` adds it up). Of the sites of one
    filter that overlap, the largest is shown, and none below a tenth of the largest in the sequence.

    References
    ----------
    Majdandzic, Rajesh & Koo 2023, Genome Biology 24:109. Shrikumar et al. 2016 (arXiv:1605.01713).

    Examples
    --------
    >>> import torch
    >>> from rcinterp import compact_model
    >>> torch.manual_seed(0)  # doctest: +ELLIPSIS
    <torch._C.Generator object at ...>
    >>> model = compact_model(1, 2, 60, widths=(11,), pool=10, stride=10)
    >>> figure = plot_sequence(model, "ACGTTGACTCATGCCA" * 3 + "ACGTACGTACGT", window=(10, 50))
    >>> figure.savefig("sequence.svg")
    >>> figure.axes[0].get_ylabel(), [round(end) for end in figure.axes[0].get_xlim()]
    ('contribution', [9, 50])
    """
    require_whole("max_filters", max_filters, 0, "plot_sequence")
    reader = as_reader(model, layer, target, **run)
    found = reader.read_sequence(sequence, method=method, with_sites=max_filters > 0)
    sites = thin_sites(found.sites, LEAST_SHARE)
    first, end = _choose_window(found, sites, window)
    seen = sites[(sites["start"] < end) & (sites["end"] > first)]
    shown = list(dict.fromkeys(seen["filter"]))[:max_filters]
    lanes = [(name, _label(name, names or {})) for name in shown]
    title = _title(found, (first, end), _about(sites) if window is None else None, method)
    return draw_sequence(found.contributions[:, first:end], first, seen, lanes, title)


def _choose_window(found: SequenceReading, sites: pd.DataFrame, window: tuple[int, int] | None) -> tuple[int, int]:
    length = found.x.shape[1]
    if window is None:
        if length <= WHOLE_LENGTH:
            return 0, length
        of_bases = _about(sites) == "bases"
        return richest_window(found.contributions if of_bases else _spread(sites, length), WINDOW_LENGTH)
    try:
        first, end = (require_whole("window", value, 0, "plot_sequence") for value in window)
    except (TypeError, ValueError):
        first, end = 0, 0
    if not first < end <= length:
        raise InputError(
            f"plot_sequence: got window={window!r}, expected (start, end) in bp with 0 <= start < end <= {length}."
        )
    return first, end


def _about(sites: pd.DataFrame) -> str:
    """What a window is chosen by: sites where they have numbers.

    A place just above a filter's threshold has the whole gradient of a site, and next to nothing of its contribution.
    """
    return "sites" if sites["site_contribution"].notna().any() else "bases"


def _spread(sites: pd.DataFrame, length: int) -> NDArray[np.float64]:
    """Contributions of sites, signs aside, spread over their places: (1, L)."""
    spread = np.zeros((1, length))
    for start, end, contribution in sites[["start", "end", "site_contribution"]].dropna().itertuples(index=False):
        spread[0, max(0, start) : end] += abs(contribution) / (end - start)
    return spread


def richest_window(contributions: NDArray[np.float64], width: int) -> tuple[int, int]:
    """Start and end of the window about the bases that contribute most, signs aside; the middle one of equals.

    Bases count the more, the nearer they are to its middle (a Hann window), so that no site is cut at an end of it.
    """
    totals = np.convolve(np.abs(contributions).sum(0), np.hanning(width + 2)[1:-1], "valid")
    best = np.flatnonzero(totals >= totals.max() * (1 - 1e-9))
    first = int(best[len(best) // 2])
    return first, first + width


def _label(name: str, names: Mapping[str, str]) -> str:
    beside = names.get(name)
    return f"{name} · {beside}" if beside else name


def _title(found: SequenceReading, window: tuple[int, int], about: str | None, method: str) -> str:
    length = found.x.shape[1]
    part = f"{window[0]:,}–{window[1]:,} of {length:,} bp"
    if window == (0, length):
        part = f"all {length:,} bp"
    elif about is not None:
        part += f", about the {about} that contribute most"
    logit = f"{found.logit:.3g}".replace("-", "−")
    return f"{part} · logit {logit} · {_METHODS[method]}"
