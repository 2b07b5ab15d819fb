"""Logits of sequences against those of their reverse complements."""

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from rcinterp.report.figures import BLUE, FAINT, INK, LABEL_SIZE, TITLE_SIZE, LogoFigure, settle, style_axes


def draw_strands(forward: ArrayLike, reverse: ArrayLike, title: str) -> Figure:
    """A point a sequence, and the line on which both are equal; both axes have the same ends."""
    x, y = np.asarray(forward, dtype=float), np.asarray(reverse, dtype=float)
    figure = LogoFigure(figsize=(3.4, 3.35 + 0.16 * (1 + title.count("\n"))), layout="constrained")
    ax = figure.subplots()
    low, high = min(x.min(), y.min()), max(x.max(), y.max())
    margin = 0.05 * (high - low) or 0.5
    ends = low - margin, high + margin
    ax.plot(ends, ends, color=FAINT, linewidth=0.8, zorder=0, label="identity")
    ax.plot(x, y, "o", color=BLUE, markersize=3, alpha=0.6, markeredgewidth=0, label="sequences")
    ax.set(xlim=ends, ylim=ends, box_aspect=1)
    ticks = ax.get_xticks()
    ax.set_yticks(ticks[(ticks >= ends[0]) & (ticks <= ends[1])])
    ax.set_xticks(ax.get_yticks())
    ax.set_xlabel("logit of the sequence", fontsize=LABEL_SIZE, color=INK)
    ax.set_ylabel("logit of its reverse complement", fontsize=LABEL_SIZE, color=INK)
    figure.suptitle(title, x=0.02, ha="left", fontsize=TITLE_SIZE, color=INK)
    style_axes(ax)
    return settle(figure)
