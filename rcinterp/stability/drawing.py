"""Pictures of patterns: the consensus as a logo, beside what the pattern contributes in each model."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from rcinterp.motifs import information_content
from rcinterp.report.figures import LogoFigure, as_label
from rcinterp.report.logos import plot_logo

_BAR, _INK = "#1F4E9E", "#333333"
_ROW, _LOGO, _SLOT = 1.15, 5.2, 0.32  # inches: height of a row, width of a logo, width of a model's bar


def draw_consensus(ppm: NDArray[np.float64], ax: Axes, title: str | None = None) -> None:
    """Logo in bits, the axis always from 0 to 2."""
    plot_logo(ppm * information_content(ppm), ax, title=title, ylabel="bits")
    ax.set_ylim(0, 2)
    ax.set_yticks([0, 1, 2])


def draw_contributions(contributions: pd.Series, ax: Axes) -> None:
    """A bar a model, in the models' order; a cross where a model does not show the pattern (NaN)."""
    places, has = np.arange(len(contributions)), contributions.notna().to_numpy()
    ax.bar(places[has], contributions[has], color=_BAR, width=0.7)
    ax.plot(places[~has], np.zeros((~has).sum()), "x", color=_INK, markersize=4, clip_on=False)
    ax.axhline(0, color=_INK, linewidth=0.6, zorder=0)
    ax.set_xlim(-0.6, len(contributions) - 0.4)
    ax.set_xticks([])
    ax.spines[["top", "right", "bottom"]].set_visible(False)
    ax.tick_params(labelsize=7, length=2, width=0.6, color=_INK, labelcolor=_INK)


def plot_patterns(titles: Sequence[str], ppms: Sequence[NDArray[np.float64]], contributions: pd.DataFrame) -> Figure:
    """A row a pattern: its logo, and its contribution in each model on one scale for all patterns."""
    n_models = contributions.shape[1]
    bars = max(1.6, _SLOT * n_models)
    longest = max(len(str(name)) for name in contributions.columns)
    below = 0.25 + 0.05 * longest  # inches: the models' names, upright
    height = _ROW * len(ppms) + below
    figure = LogoFigure(figsize=(_LOGO + bars + 1.5, height))
    grid = figure.subplots(len(ppms), 2, squeeze=False, width_ratios=[_LOGO, bars])
    for (left, right), title, ppm, pattern in zip(grid, titles, ppms, contributions.index, strict=True):
        draw_consensus(ppm, left, title)
        draw_contributions(contributions.loc[pattern], right)
        right.sharey(grid[0, 1])
    grid[0, 1].set_ylim(*limits_of(contributions))
    grid[0, 1].set_title("contribution (logit)", loc="left", fontsize=9)
    grid[-1, 1].set_xticks(range(n_models), list(map(as_label, contributions.columns)), rotation=90)
    figure.subplots_adjust(
        left=0.6 / figure.get_figwidth(),
        right=1 - 0.1 / figure.get_figwidth(),
        top=1 - 0.3 / height,
        bottom=below / height,
        hspace=0.7,
        wspace=0.18,
    )
    return figure


def limits_of(contributions: pd.DataFrame) -> tuple[float, float]:
    """Ends of an axis that holds every contribution and 0."""
    low, high = np.nanmin(contributions, initial=0.0), np.nanmax(contributions, initial=0.0)
    margin = 0.08 * (high - low)
    return float(low - margin), float(high + margin)
