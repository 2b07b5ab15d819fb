"""HTML pages that are one file each, their pictures inside; the table of filters is one of them."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from numpy.typing import NDArray

from rcinterp.motifs import information_content
from rcinterp.motifs.groups import name_in_full
from rcinterp.report.svg import draw_logo, draw_positions, draw_reverse_complement, letter_definitions


@dataclass(frozen=True)
class Section:
    """One model's part of a report.

    Attributes
    ----------
    heading : str
        Empty for none.
    notes : list of str
        Sentences beneath it.
    rows : list of dict
        One a filter, as the template wants it.
    unit : "weight" or "bits"
        What the first logos show: centred weights, or a motif where there are no weights of letters.
    """

    heading: str
    notes: list[str]
    rows: list[dict[str, Any]]
    unit: str = "weight"


def filter_section(
    heading: str,
    table: pd.DataFrame,
    filters: Mapping[str, NDArray[np.float64]],
    ppms: Mapping[str, NDArray[np.float64]],
    notes: Sequence[str],
    sites: pd.DataFrame | None = None,
    length: int = 0,
    unit: str = "weight",
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
    notes : sequence of str
        What belongs to all filters, a sentence each.
    sites : DataFrame, optional
        As `Interpretation.sites`, for a histogram of where they lie.
    length : int
        Of the sequences, in bp.
    unit : "weight" or "bits"
        Of `filters`.
    """
    middles = {} if sites is None else dict(list(((sites["start"] + sites["end"]) / 2).groupby(sites["filter"])))
    rows = []
    for i, row in enumerate(plain_rows(table)):
        name = row["filter"]
        weight, ppm, where = filters[name], ppms[name], middles.get(name)
        identity = f"logo-{crc32(weight.tobytes(), crc32(f'{heading}{i}'.encode())):x}"
        bits = ppm * information_content(ppm)
        shown = "Centred weights" if unit == "weight" else "Motif"
        rows.append(
            row
            | {
                "forward": draw_logo(weight, f"{shown} of {name}", identity=identity),
                "reverse": draw_reverse_complement(weight.shape[1], f"Reverse complement of {name}", identity),
                "compared": draw_logo(bits, f"Motif of {name}", (0, 2)),
                "match": None
                if row["best_match"] is None
                else name_in_full(row["best_match"], row["match_factor"], row["match_known"]),
                "positions": None
                if where is None
                else draw_positions(where.to_numpy(), length, f"Positions of the sites of {name}"),
            }
        )
    return Section(heading, list(notes), rows, unit)


def write_report(
    path: str | os.PathLike[str],
    title: str,
    sections: Sequence[Section],
    summary: str = "",
    *,
    limits: Mapping[str, float],
) -> None:
    """Write sections to one HTML file that needs no other file and no network; `limits` are explained on it."""
    write_page(path, "report.html", title=title, summary=summary, sections=sections, limits=limits)


def write_page(path: str | os.PathLike[str], template: str, **values: Any) -> None:
    """Write a template of this package, filled in, to one HTML file."""
    Path(path).write_text(_templates().get_template(template).render(values), encoding="utf-8")


def plain_rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of a table for a template, None where there is no value."""
    return [
        {str(key): None if pd.isna(value) else value for key, value in row.items()} for row in table.to_dict("records")
    ]


@cache
def _templates() -> Environment:
    loader = PackageLoader("rcinterp", "report")
    templates = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    templates.globals["letters"] = letter_definitions()
    return templates
