"""One HTML page, its pictures inside: a table of patterns, of models, and of the filters that were left out."""

import os

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rcinterp.motifs import information_content
from rcinterp.report.page import plain_rows, write_page
from rcinterp.report.svg import draw_bars, draw_logo
from rcinterp.stability.drawing import limits_of


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
    rows = []
    for row in plain_rows(tables["patterns"]):
        name = row["pattern"]
        bits = consensus[name] * information_content(consensus[name])
        logo = draw_logo(bits, f"Logo of the consensus of {name}", (0, 2))
        bars = draw_bars(
            contributions.loc[name].to_list(), f"Contributions of {name} in each model", limits_of(contributions)
        )
        rows.append(row | {"logo": logo, "bars": bars})
    models, left_out = plain_rows(tables["models"]), plain_rows(tables["left_out"])
    write_page(path, "patterns.html", title=title, summary=summary, rows=rows, models=models, left_out=left_out)
