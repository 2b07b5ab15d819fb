"""What filters contribute, as bars with intervals, and in a word what each is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from rcinterp.report.figures import (
    BLUE,
    GREY,
    INK,
    LABEL_SIZE,
    ORANGE,
    SMALL_SIZE,
    TICK_SIZE,
    TITLE_SIZE,
    VERMILION,
    LogoFigure,
    as_label,
    settle,
    small_numbers,
    style_axes,
)

#: Of each tone of a verdict: its colour, its hatch, and what it means.
TONES: Mapping[str, tuple[str, str, str]] = {
    "good": (BLUE, "", "known motif"),
    "bad": (VERMILION, "xxxx", "artefact"),
    "warn": (ORANGE, "////", "doubtful"),
    "plain": (GREY, "", "no name"),
    "faint": ("#E4E4E4", "", "idle, or not significant"),
}

_ROW = 0.2  # inches


@dataclass(frozen=True)
class ContributionBar:
    """One filter.

    Attributes
    ----------
    name, word : str
        The filter, and its verdict in a word.
    tone : str
        One of `TONES`.
    value, low, high : float
        Contribution and the ends of its interval [logit]; NaN where they are missing.
    """

    name: str
    word: str
    tone: str
    value: float
    low: float
    high: float


def draw_contributions(bars: Sequence[ContributionBar], title: str, label: str) -> Figure:
    """A bar a filter from the top down, its interval as a line, its word at the right; `label` names the axis."""
    n = len(bars)
    figure = LogoFigure(figsize=(5.4, 1.1 + _ROW * n), layout="constrained")
    ax = figure.subplots()
    values = np.array([np.nan_to_num(bar.value) for bar in bars])
    places = np.arange(n)
    drawn = ax.barh(places, values, height=0.7, edgecolor=INK, linewidth=0.5, zorder=2)
    for patch, bar in zip(drawn.patches, bars, strict=True):
        colour, hatch, _ = TONES[bar.tone]
        patch.set_facecolor(colour)
        patch.set_hatch(hatch)
    ends = np.array([[bar.low, bar.high] for bar in bars])
    has = np.isfinite(ends).all(axis=1)
    middle, half = ends[has].mean(axis=1), np.diff(ends[has], axis=1)[:, 0] / 2
    for colour, width in (("white", 2.6), (INK, 0.9)):  # a white rim, so that it is seen on hatches
        look: dict[str, Any] = {"ecolor": colour, "elinewidth": width, "markeredgewidth": width, "capsize": 2.2}
        ax.errorbar(middle, places[has], xerr=half, fmt="none", zorder=3, **look)
    ax.axvline(0, color=INK, linewidth=0.6, zorder=1)
    ax.set_yticks(places, [as_label(bar.name) for bar in bars])
    ax.set_ylim(n - 0.4, -0.6)
    ax.xaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
    ax.xaxis.set_major_formatter(small_numbers)
    ax.set_xlabel(label, fontsize=LABEL_SIZE, color=INK)
    ax.set_title(title, loc="left", fontsize=TITLE_SIZE, color=INK)
    style_axes(ax, without=("top", "right", "left"))
    ax.tick_params(axis="y", length=0)
    words = ax.secondary_yaxis("right")
    words.set_yticks(places, [as_label(bar.word) for bar in bars])
    words.tick_params(length=0, labelsize=TICK_SIZE, labelcolor=INK)
    words.spines[:].set_visible(False)
    shown = [tone for tone in TONES if any(bar.tone == tone for bar in bars)]
    figure.legend(
        handles=[_patch(tone) for tone in shown],
        labels=[TONES[tone][2] for tone in shown],
        loc="outside lower left",
        ncols=len(shown),
        frameon=False,
        fontsize=SMALL_SIZE,
        handlelength=1.2,
        handleheight=0.9,
        columnspacing=1.2,
    )
    return settle(figure)


def _patch(tone: str) -> Patch:
    """What a legend shows of a tone."""
    colour, hatch, _ = TONES[tone]
    return Patch(facecolor=colour, hatch=hatch or None, edgecolor=INK, linewidth=0.5)
