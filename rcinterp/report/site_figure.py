"""A filter's best sites as letters under its logo, and where all its sites lie along the sequences."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray

from rcinterp.report.figures import (
    BLUE,
    INK,
    LABEL_SIZE,
    SMALL_SIZE,
    TICK_SIZE,
    TITLE_SIZE,
    LogoFigure,
    signed,
    style_axes,
)
from rcinterp.report.logos import ACCESSIBLE_COLORS, draw_letters

_LETTER, _ROW, _LOGO, _HISTOGRAM = 0.17, 0.17, 0.9, 0.9  # inches
_LEFT, _GAP, _ABOVE = 0.6, 0.34, 0.3
_SMALL_LETTER = 0.055  # inches: of small print
_NARROWEST = 4.5  # inches: of a figure, for its title
_MOST = 64  # letters of a place, at most
_BOLD: dict[str, Any] = {
    "ha": "center",
    "va": "center",
    "fontsize": LABEL_SIZE,
    "family": "monospace",
    "weight": "bold",
}


@dataclass(frozen=True)
class SiteRow:
    """A site as it is shown.

    Attributes
    ----------
    letters : str
        As the filter reads them.
    contribution : float
        NaN where it is not known.
    place : str
    """

    letters: str
    contribution: float
    place: str


def draw_sites(
    logo: NDArray[np.float64],
    first: int,
    unit: str,
    rows: Sequence[SiteRow],
    histogram: tuple[ArrayLike, ArrayLike],
    title: str,
) -> Figure:
    """The logo, sites aligned under it, and a histogram.

    Parameters
    ----------
    logo : ndarray, shape (4, W)
        Heights.
    first : int
        Position of the sites' letters on which the logo begins.
    unit : str
        Of the heights.
    rows : sequence of SiteRow
        From the top down, all of one length.
    histogram : (counts of shape (bins,), edges of shape (bins + 1,))
        Middles of sites along the sequences [bp].
    title : str
    """
    n_letters = len(rows[0].letters)
    left, right = min(0, first), max(n_letters, first + logo.shape[1])
    letters_width = _LETTER * (right - left)
    heights = [_LOGO, _ROW * len(rows), _HISTOGRAM]
    total = _ABOVE + sum(heights) + 2 * _GAP + 0.42
    width = max(_NARROWEST, _LEFT + letters_width + 0.25 + _SMALL_LETTER * max(len(_beside(row)) for row in rows))
    figure = LogoFigure(figsize=(width, total))
    tops = np.cumsum([_ABOVE, heights[0] + _GAP, heights[1] + _GAP])
    upper, middle, lower = (
        figure.add_axes((_LEFT / width, 1 - (top + height) / total, across / width, height / total))
        for top, height, across in zip(tops, heights, [letters_width] * 2 + [width - _LEFT - 0.15], strict=True)
    )
    _draw_logo(upper, logo, first, unit, (left, right))
    _draw_rows(middle, rows, (left, right))
    _draw_histogram(lower, *histogram)
    figure.text(0.1 / width, 1 - 0.06 / total, title, va="top", fontsize=TITLE_SIZE, color=INK)
    return figure


def _draw_logo(ax: Axes, logo: NDArray[np.float64], first: int, unit: str, ends: tuple[int, int]) -> None:
    draw_letters(ax, logo, first)
    low, high = float(np.minimum(logo, 0).sum(0).min()), float(np.maximum(logo, 0).sum(0).max())
    ax.set(xlim=(ends[0] - 0.5, ends[1] - 0.5), ylim=(low, high if high > low else low + 1))
    ax.axhline(0, color=INK, linewidth=0.6, zorder=0)
    ax.set_ylabel(unit, fontsize=LABEL_SIZE, color=INK)
    ax.locator_params(axis="y", nbins=3)
    ax.locator_params(axis="x", nbins=12, integer=True)
    style_axes(ax, without=("top", "right", "bottom"))


def _draw_rows(ax: Axes, rows: Sequence[SiteRow], ends: tuple[int, int]) -> None:
    """Letters in their colours, and at the right what each site contributes and where it is."""
    ax.set(xlim=(ends[0] - 0.5, ends[1] - 0.5), ylim=(len(rows) - 0.5, -0.5))
    ax.set_axis_off()
    for y, row in enumerate(rows):
        for x, letter in enumerate(row.letters):
            ax.text(x, y, letter, color=ACCESSIBLE_COLORS.get(letter, INK), **_BOLD)
        ax.text(ends[1], y, _beside(row), va="center", fontsize=SMALL_SIZE, color=INK)


def _beside(row: SiteRow) -> str:
    """What stands beside a site's letters."""
    place = row.place if len(row.place) <= _MOST else row.place[: _MOST - 1] + "…"
    return place if np.isnan(row.contribution) else f"{signed(row.contribution)}  {place}"


def _draw_histogram(ax: Axes, counts: ArrayLike, edges: ArrayLike) -> None:
    ax.stairs(counts, edges, fill=True, color=BLUE)
    places = np.asarray(edges)
    ax.set(xlim=(places[0], places[-1]), ylim=(0, None))
    ax.locator_params(axis="y", nbins=3, integer=True)
    ax.set_xlabel("middle of the site in the sequence [bp]", fontsize=TICK_SIZE, color=INK)
    ax.set_ylabel("sites", fontsize=LABEL_SIZE, color=INK)
    style_axes(ax)
