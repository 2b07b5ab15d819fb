"""The look that the studies' figures share."""

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from rcinterp.report.figures import LogoFigure

#: RC first, then traditional ones: told apart by eyes of every kind.
COLOURS = ("#1b7837", "#2166ac", "#b2182b", "#e08214", "#542788", "#666666", "#8c510a", "#c51b7d")


def new_figure(
    n_rows: int, n_columns: int, *, width: float, height: float, **options: Any
) -> tuple[Figure, list[Axes]]:
    """A figure of that size in inches, and its axes row by row, without the upper and right frame."""
    figure = LogoFigure(figsize=(width, height), layout="constrained")
    axes = [ax for row in figure.subplots(n_rows, n_columns, squeeze=False, **options) for ax in row]
    for ax in axes:
        ax.spines[["top", "right"]].set_visible(False)
    return figure, axes


def mean_and_range(ax: Axes, x: float, values: pd.Series, **look: Any) -> None:
    """The mean of values at x, with a line from the lowest to the highest."""
    ends = [[values.mean() - values.min()], [values.max() - values.mean()]]
    ax.errorbar(x, values.mean(), yerr=ends, **look)


def legend_above(figure: Figure, ax: Axes, n_columns: int) -> None:
    """A legend of what `ax` shows, above all axes: never on the data."""
    figure.legend(
        *ax.get_legend_handles_labels(), loc="outside upper center", ncols=n_columns, frameon=False, fontsize=8
    )
