"""A filter's motif above the known motif that it resembles, as they were aligned."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from rcinterp.report.figures import INK, LABEL_SIZE, TICK_SIZE, TITLE_SIZE, LogoFigure, settle, style_axes, wrap_title
from rcinterp.report.logos import draw_letters

_LETTER, _LOGO = 0.2, 0.9  # inches: width of a position, height of a logo
_NARROWEST = 5.0  # inches: of a figure, for its title
_SHADE = "#EEEEEE"


def draw_match(
    motif: NDArray[np.float64], known: NDArray[np.float64], start: int, labels: tuple[str, str], title: str
) -> Figure:
    """Two logos in bits on one horizontal axis, where they overlap shaded.

    Parameters
    ----------
    motif, known : ndarray, shapes (4, W) and (4, V)
        Of the filter, and the known one as it lies on it; letter heights in bits.
    start : int
        Position of the filter's motif on which the known one begins; negative where it hangs over.
    labels : (str, str)
        What each is.
    title : str
        Lines that are wrapped where they are too long.
    """
    first = min(0, start)
    last = max(motif.shape[1], start + known.shape[1])
    width = max(_NARROWEST, 0.9 + _LETTER * (last - first))
    title = wrap_title(title, width - 0.1)
    height = 2 * (_LOGO + 0.3) + 0.4 + 0.16 * (1 + title.count("\n"))
    figure = LogoFigure(figsize=(width, height), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True)
    overlap = max(0, start), min(motif.shape[1], start + known.shape[1])
    for ax, matrix, at, label in ((upper, motif, 0, labels[0]), (lower, known, start, labels[1])):
        ax.axvspan(overlap[0] - 0.5, overlap[1] - 0.5, color=_SHADE, linewidth=0, zorder=-1)
        draw_letters(ax, matrix, at)
        _style(ax, label)
        ax.plot([at - 0.5, at + matrix.shape[1] - 0.5], [0, 0], color=INK, linewidth=0.6, zorder=0)
    upper.set_xlim(first - 0.6, last - 0.4)
    upper.tick_params(bottom=False)
    lower.xaxis.set_major_locator(MaxNLocator(nbins="auto", steps=[1, 2, 5, 10], integer=True))
    lower.set_xlabel("position in the filter's motif [bp]; shaded: the overlap", fontsize=TICK_SIZE, color=INK)
    figure.suptitle(title, x=0.01, ha="left", fontsize=TITLE_SIZE, color=INK)
    return settle(figure)


def _style(ax: Axes, label: str) -> None:
    style_axes(ax, without=("top", "right", "bottom"))
    ax.set_ylim(0, 2)
    ax.set_yticks([0, 1, 2])
    ax.set_ylabel("bits", fontsize=LABEL_SIZE, color=INK)
    ax.set_title(label, loc="left", fontsize=LABEL_SIZE, color=INK)
