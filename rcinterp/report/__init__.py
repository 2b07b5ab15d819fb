"""One HTML page, its pictures inside: a table of filters with their logos, matches and verdicts."""

import base64
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, StrictUndefined, Template
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from rcinterp.logos import plot_logo
from rcinterp.motifs import information_content, reverse_complement_motif


@dataclass(frozen=True)
class Section:
    """One model's part of a report.

    Attributes
    ----------
    heading : str
        Empty for none.
    note : str
        A sentence or two beneath it.
    rows : list of dict
        One a filter, as the template wants it.
    """

    heading: str
    note: str
    rows: list[dict[str, Any]]


def filter_section(
    heading: str,
    table: pd.DataFrame,
    filters: Mapping[str, NDArray[np.float64]],
    ppms: Mapping[str, NDArray[np.float64]],
    scores: Mapping[str, float],
) -> Section:
    """Rows of a report, one a filter in the order of the table.

    Parameters
    ----------
    heading : str
        Of the section; empty for none.
    table : DataFrame
        As `Interpretation.table`.
    filters, ppms : dict of str to ndarray, shape (4, W)
        Centred weights, and the motifs that were compared.
    scores : dict of str to float
        auroc and auprc.
    """
    note = f"On these sequences the model reaches auROC {scores['auroc']:.4f} and auPRC {scores['auprc']:.4f}."
    rows = []
    for row in table.to_dict("records"):
        weight, ppm = filters[row["filter"]], ppms[row["filter"]]
        rows.append(
            {str(key): (None if pd.isna(value) else value) for key, value in row.items()}
            | {
                "forward": _draw(weight),
                "reverse": _draw(reverse_complement_motif(weight)),
                "compared": _draw(ppm * information_content(ppm), top=2.0),
            }
        )
    return Section(heading, note, rows)


def write_report(path: str | os.PathLike[str], title: str, sections: Sequence[Section], summary: str = "") -> None:
    """Write sections to one HTML file that needs no other file and no network."""
    page = _template().render(title=title, summary=summary, sections=sections)
    Path(path).write_text(page, encoding="utf-8")


def _draw(matrix: NDArray[np.float64], top: float | None = None) -> str:
    """Logo as a data URI (SVG): the same bytes for the same matrix."""
    figure = Figure(figsize=(0.6 + 0.15 * matrix.shape[1], 0.85), layout="constrained")
    ax: Axes = plot_logo(matrix, figure.subplots())
    if top is not None:
        ax.set_ylim(0, top)
        ax.set_yticks([0, top / 2, top])
    text = StringIO()
    with rc_context({"svg.hashsalt": "rcinterp", "svg.fonttype": "path"}):
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    return "data:image/svg+xml;base64," + base64.b64encode(text.getvalue().encode()).decode()


@cache
def _template() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(files("rcinterp.report").joinpath("report.html").read_text(encoding="utf-8"))
