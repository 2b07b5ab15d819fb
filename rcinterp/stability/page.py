"""One HTML page, its pictures inside: a table of patterns, of models, and of the filters that were left out."""

import os

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from rcinterp.report.figures import as_data_uri
from rcinterp.report.page import plain_rows, write_page
from rcinterp.stability.drawing import draw_consensus, draw_contributions, limits_of


def write_patterns(
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
        patterns, models, left_out and contributions, as `ModelComparison` has them.
    consensus : dict of str to ndarray, shape (4, W)
    """
    contributions = tables["contributions"]
    rows = [
        row
        | {
            "logo": as_data_uri(_logo(consensus[row["pattern"]])),
            "bars": as_data_uri(_bars(contributions.loc[row["pattern"]], limits_of(contributions))),
        }
        for row in plain_rows(tables["patterns"])
    ]
    models, left_out = plain_rows(tables["models"]), plain_rows(tables["left_out"])
    write_page(path, "patterns.html", title=title, summary=summary, rows=rows, models=models, left_out=left_out)


def _logo(ppm: NDArray[np.float64]) -> Figure:
    figure = Figure(figsize=(0.6 + 0.15 * ppm.shape[1], 0.85), layout="constrained")
    draw_consensus(ppm, figure.subplots())
    return figure


def _bars(contributions: pd.Series, limits: tuple[float, float]) -> Figure:
    figure = Figure(figsize=(0.5 + 0.16 * len(contributions), 0.85), layout="constrained")
    ax = figure.subplots()
    draw_contributions(contributions, ax)
    ax.set_ylim(*limits)
    return figure
