"""Figures as files: the same bytes for the same figure."""

from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure


def save_figure(figure: Figure, path: Path) -> None:
    """Write <path>.png, 150 dots an inch, and <path>.svg."""
    figure.savefig(path.with_suffix(".png"), dpi=150)
    with rc_context({"svg.hashsalt": "rcinterp"}):
        figure.savefig(path.with_suffix(".svg"), metadata={"Date": None})
