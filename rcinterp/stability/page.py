"""One HTML page, its pictures inside: a table of patterns, of models, and of the filters that were left out."""

import os
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from jinja2 import Environment, StrictUndefined, Template
from matplotlib.figure import Figure
from numpy.typing import NDArray

from rcinterp.report.logos import as_data_uri
from rcinterp.stability.drawing import draw_consensus, draw_contributions, limits_of


def write_page(
    path: str | os.PathLike[str],
    title: str,
    summary: str,
    tables: dict[str, pd.DataFrame],
    consensus: dict[str, NDArray[np.float64]],
) -> None:
    """Write a page that needs no other file and no network.

    Parameters
    ----------
    path : path
    title, summary : str
    tables : dict of str to DataFrame
        patterns, models, left_out and scores, as `ModelComparison` has them.
    consensus : dict of str to ndarray, shape (4, W)
    """
    scores = tables["scores"]
    rows = [
        _plain(row)
        | {
            "logo": as_data_uri(_logo(consensus[row["pattern"]])),
            "bars": as_data_uri(_bars(scores.loc[row["pattern"]], limits_of(scores))),
        }
        for row in tables["patterns"].to_dict("records")
    ]
    models, left_out = ([_plain(row) for row in tables[name].to_dict("records")] for name in ("models", "left_out"))
    page = _template().render(title=title, summary=summary, rows=rows, models=models, left_out=left_out)
    Path(path).write_text(page, encoding="utf-8")


def _plain(row: dict[Any, Any]) -> dict[str, Any]:
    """A row of a table, None where there is no value."""
    return {str(key): None if pd.isna(value) else value for key, value in row.items()}


def _logo(ppm: NDArray[np.float64]) -> Figure:
    figure = Figure(figsize=(0.6 + 0.15 * ppm.shape[1], 0.85), layout="constrained")
    draw_consensus(ppm, figure.subplots())
    return figure


def _bars(scores: pd.Series, limits: tuple[float, float]) -> Figure:
    figure = Figure(figsize=(0.5 + 0.16 * len(scores), 0.85), layout="constrained")
    ax = figure.subplots()
    draw_contributions(scores, ax)
    ax.set_ylim(*limits)
    return figure


@cache
def _template() -> Template:
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    text = files("rcinterp.stability").joinpath("patterns.html").read_text(encoding="utf-8")
    return environment.from_string(text)
