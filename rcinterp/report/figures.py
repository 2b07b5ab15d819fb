"""Figures as files and in pages: the same bytes for the same figure."""

import base64
from io import StringIO
from pathlib import Path

from matplotlib import rc_context
from matplotlib.figure import Figure


def save_figure(figure: Figure, path: Path) -> None:
    """Write <path>.png, 150 dots an inch, and <path>.svg."""
    figure.savefig(path.with_suffix(".png"), dpi=150)
    with rc_context({"svg.hashsalt": "rcinterp"}):
        figure.savefig(path.with_suffix(".svg"), metadata={"Date": None})


def as_data_uri(figure: Figure) -> str:
    """Figure as SVG in a data URI, for pages that need no other file."""
    text = StringIO()
    with rc_context({"svg.hashsalt": "rcinterp", "svg.fonttype": "path"}):
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    return "data:image/svg+xml;base64," + base64.b64encode(text.getvalue().encode()).decode()
