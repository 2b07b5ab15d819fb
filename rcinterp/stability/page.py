"""One HTML page, its pictures inside: a table of patterns, of models, and of the filters that were left out."""

import os
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rcinterp.files import split_lines
from rcinterp.interpretation.answer import word_of
from rcinterp.interpretation.verdicts import LIMITS
from rcinterp.motifs import consensus, information_content
from rcinterp.report.encoding import encode_shares
from rcinterp.report.filters import MOST_PICTURES, plain_rows
from rcinterp.report.page import as_data, write_page
from rcinterp.report.svg import draw_bars, draw_logo
from rcinterp.stability.drawing import limits_of


def write_patterns(
    path: str | os.PathLike[str],
    title: str,
    summary: str,
    tables: dict[str, pd.DataFrame],
    motifs: dict[str, NDArray[np.float64]],
    warnings: Sequence[str] = (),
) -> None:
    """Write a page that needs no other file and no network.

    Parameters
    ----------
    path : path
    title, summary : str
    tables : dict of str to DataFrame
        patterns, members, models, left_out and contributions, as `ModelComparison` has them.
    motifs : dict of str to ndarray, shape (4, W)
        Of each pattern, its consensus: letter probabilities.
    warnings : sequence of str
        Sentences below the summary.
    """
    contributions, patterns = tables["contributions"], tables["patterns"]
    members = {name: plain_rows(rows) for name, rows in tables["members"].groupby("pattern")}
    rows = []
    for number, row in enumerate(plain_rows(patterns)):
        name = row["pattern"]
        ppm = motifs[name]
        word, tone = word_of(row | {"triage": None})
        bars = draw_bars(
            contributions.loc[name].to_list(), f"Contributions of {name} in each model", limits_of(contributions)
        )
        logo = None
        if len(patterns) <= MOST_PICTURES:
            logo = draw_logo(ppm * information_content(ppm), f"Logo of the consensus of {name}", (0, 2))
        rows.append(
            row
            | {"number": number, "word": word, "tone": tone, "ppm": encode_shares(ppm), "letters": consensus(ppm)}
            | {"logo": logo, "bars": bars, "members": members.get(name, [])}
        )
    write_page(
        path,
        "patterns.html",
        title=title,
        summary=summary,
        warnings=warnings,
        rows=rows,
        words=list(dict.fromkeys(row["word"] for row in rows)),
        models=plain_rows(tables["models"]),
        left_out=plain_rows(tables["left_out"]),
        limits=LIMITS,
        data=as_data(lines={"patterns": split_lines(patterns.to_csv(sep="\t", index=False))}, targets={}),
    )
