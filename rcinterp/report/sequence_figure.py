"""One sequence as a logo of what its bases contribute, and under it the sites at which filters contribute."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from rcinterp.report.figures import (
    BLUE,
    FAINT,
    INK,
    LABEL_SIZE,
    SMALL_SIZE,
    TICK_SIZE,
    TITLE_SIZE,
    VERMILION,
    LogoFigure,
    as_label,
    signed,
    small_numbers,
    style_axes,
    wrap_title,
)
from rcinterp.report.logos import draw_letters

_LETTER, _LOGO, _LANE = 0.062, 1.1, 0.22  # inches: width of a letter, height of the logo, of a filter's lane
_SITE = 0.36  # inches: the narrowest site that holds its number
_NARROWEST = 5.0  # inches: of a figure, for its title
_WIDEST = 20.0  # inches: letters of longer sequences are narrower


def draw_sequence(
    contributions: NDArray[np.float64], first: int, sites: pd.DataFrame, lanes: Sequence[tuple[str, str]], title: str
) -> Figure:
    """A logo, and a lane a filter.

    Parameters
    ----------
    contributions : ndarray, shape (4, n)
        Of the bases [logit]; heights of the letters.
    first : int
        Position in the sequence of the first of them.
    sites : DataFrame
        filter, start, end, strand and site_contribution; those that reach into the window are drawn.
    lanes : sequence of (filter, label)
        From the top down.
    title : str
        Lines that are wrapped where they are too long.
    """
    n = contributions.shape[1]
    per_letter = min(_LETTER, _WIDEST / n)
    longest = max([0, *(len(label) for _, label in lanes)])
    left = max(0.9, 0.25 + 0.058 * longest)  # numbers of the logo, and labels of the lanes
    width, tracks = max(_NARROWEST, left + 0.15 + per_letter * n), _LANE * len(lanes)
    title = wrap_title(title, width - 0.2)
    above, below = 0.12 + 0.16 * (1 + title.count("\n")), 0.56 if lanes else 0.36
    height = above + _LOGO + 0.06 + tracks + below
    figure = LogoFigure(figsize=(width, height))
    across = (width - left - 0.15) / width
    top = figure.add_axes((left / width, 1 - (above + _LOGO) / height, across, _LOGO / height))
    _draw_logo(top, contributions, first)
    lowest = top
    if lanes:
        lowest = figure.add_axes((left / width, below / height, across, tracks / height), sharex=top)
        _draw_lanes(lowest, sites, lanes, (first, first + n), (width - left - 0.15) / n)
        top.tick_params(bottom=False, labelbottom=False)
    lowest.xaxis.set_major_locator(MaxNLocator(nbins="auto", steps=[1, 2, 5, 10], integer=True))
    lowest.set_xlabel("position in the sequence [bp]", fontsize=TICK_SIZE, color=INK)
    if lanes:
        figure.text(left / width, 0.06 / height, _legend(sites), fontsize=SMALL_SIZE, color=INK)
    figure.text(0.1 / width, 1 - 0.06 / height, title, va="top", fontsize=TITLE_SIZE, color=INK)
    return figure


def _draw_logo(ax: Axes, contributions: NDArray[np.float64], first: int) -> None:
    draw_letters(ax, contributions, first)
    low, high = float(np.minimum(contributions, 0).sum(0).min()), float(np.maximum(contributions, 0).sum(0).max())
    ax.set(xlim=(first - 0.6, first + contributions.shape[1] - 0.4), ylim=(low, high if high > low else low + 1))
    ax.axhline(0, color=INK, linewidth=0.6, zorder=0)
    ax.yaxis.set_major_locator(MaxNLocator(nbins=3, min_n_ticks=2))
    ax.yaxis.set_major_formatter(small_numbers)
    ax.set_ylabel("contribution", fontsize=LABEL_SIZE, color=INK)
    style_axes(ax, without=("top", "right", "bottom"))


def _draw_lanes(
    ax: Axes, sites: pd.DataFrame, lanes: Sequence[tuple[str, str]], window: tuple[int, int], inches: float
) -> None:
    """Sites as arrows along their strand; `inches` is the width of a position."""
    numbers = {name: lane for lane, (name, _) in enumerate(lanes)}
    for name, start, end, strand, value in sites[["filter", "start", "end", "strand", "site_contribution"]].itertuples(
        index=False
    ):
        if name not in numbers or end <= window[0] or start >= window[1]:
            continue
        lane, colour = numbers[name], FAINT if np.isnan(value) else BLUE if value > 0 else VERMILION
        is_filled = not value < 0
        arrow = Polygon(
            _arrow(start - 0.5, end - 0.5, lane, strand == "-"),
            facecolor=colour if is_filled else "white",
            edgecolor=colour,
            linewidth=1.0,
        )
        ax.add_patch(arrow)
        seen = max(start, window[0]), min(end, window[1])
        if not np.isnan(value) and (seen[1] - seen[0]) * inches >= _SITE:
            colour = "white" if is_filled else INK
            middle = (seen[0] + seen[1] - 1) / 2
            ax.text(middle, lane, signed(value, 2), ha="center", va="center", fontsize=SMALL_SIZE, color=colour)
    ax.set_ylim(len(lanes) - 0.5, -0.5)
    ax.set_yticks(range(len(lanes)), [as_label(label) for _, label in lanes])
    style_axes(ax, without=("top", "right", "left"))
    ax.tick_params(axis="y", length=0)


def _legend(sites: pd.DataFrame) -> str:
    """What arrows mean, of the kinds that there are."""
    values = sites["site_contribution"]
    kinds = [
        ((values > 0).any(), "filled: raises the logit"),
        ((values < 0).any(), "hollow: lowers the logit"),
        (values.isna().any(), "grey: best match, its contribution is not known"),
    ]
    return "; ".join(["arrows: sites along their strand", *(text for has, text in kinds if has)])


def _arrow(start: float, end: float, lane: int, is_reverse: bool) -> NDArray[np.float64]:
    """Corners of a box that points to the right, or to the left."""
    point, half = min(1.5, (end - start) / 2), 0.36
    corners = [(start, -half), (end - point, -half), (end, 0), (end - point, half), (start, half)]
    x, y = np.array(corners).T
    return np.stack([start + end - x if is_reverse else x, lane + y], axis=1)
