"""The filters of one layer, as a page shows them: a row each, and what opens below it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from zlib import crc32

import numpy as np
import pandas as pd
from markupsafe import Markup
from numpy.typing import NDArray

from rcinterp.files import split_lines
from rcinterp.motifs import consensus, information_content, reverse_complement_motif
from rcinterp.motifs.groups import name_in_full
from rcinterp.reading.contributions import Histogram
from rcinterp.report.encoding import encode_shares, encode_signed
from rcinterp.report.svg import draw_alignment, draw_interval, draw_logo, draw_reverse_complement

#: Filters of a page up to which their logos stand in it as pictures. Of more, a script draws those that are looked at:
#: a browser takes seconds for thousands of pictures.
MOST_PICTURES = 50

#: Matches of a filter that open below it.
N_MATCHES = 5

#: Of a histogram of positions.
N_BINS = 20
_NO_PICTURES = {"forward": None, "reverse": None}


@dataclass(frozen=True)
class FilterGroup:
    """Filters that stand together on a page.

    Attributes
    ----------
    name : str
        What they share; empty for those that share nothing.
    rows : list of dict
        One a filter, as the template wants it.
    is_idle : bool
        Whether they are folded away, as they contribute next to nothing.
    contribution : float
        Of all together.
    """

    name: str
    rows: list[dict[str, Any]]
    is_idle: bool
    contribution: float


@dataclass(frozen=True)
class FilterTables:
    """What is known of a layer's filters; each as the attribute of that name of `rcinterp.Interpretation`."""

    table: pd.DataFrame
    filters: Mapping[str, NDArray[np.float64]]
    ppms: Mapping[str, NDArray[np.float64]]
    matches: pd.DataFrame
    sites: pd.DataFrame
    unit: str
    length: int
    targets: Mapping[str, NDArray[np.float64]] = field(default_factory=dict)
    best_sites: pd.DataFrame | None = None
    distributions: Mapping[str, Histogram] = field(default_factory=dict)


@dataclass
class FilterSection:
    """One layer's filters on a page.

    Attributes
    ----------
    identity : str
        Of its own on the page.
    groups : list of FilterGroup
    unit : "weight" or "bits"
        Of the first logos: centred weights, or a motif where there are no weights of letters.
    length : int
        Of the sequences [bp].
    lines : list of str
        The table as text, tab-separated: its header, and a line a filter in the table's order.
    targets : list of (str, str)
        Names of the known motifs that rows refer to by number, and their probabilities, encoded.
    """

    identity: str
    groups: list[FilterGroup]
    unit: str
    length: int
    lines: list[str]
    targets: list[tuple[str, str]]

    @property
    def words(self) -> list[str]:
        """Words of the verdicts, the most frequent first."""
        return list(pd.Series([row["word"] for group in self.groups for row in group.rows]).value_counts().index)


def filter_section(
    identity: str,
    tables: FilterTables,
    groups: Sequence[tuple[str, Sequence[Mapping[Any, Any]], bool]],
    words: Mapping[str, tuple[str, str]],
    *,
    has_pictures: bool = True,
    has_alignments: bool = False,
    elsewhere: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    genome: str | None = None,
) -> FilterSection:
    """Rows of a page.

    Parameters
    ----------
    identity : str
        Of the section, its own on the page.
    tables : FilterTables
    groups : sequence of (name, rows of the table, whether they are idle)
        In the order of the page.
    words : mapping of str to (str, str)
        Of each filter: the word that stands for its verdict, and its tone.
    has_pictures : bool
        Whether logos stand in the page; else its script draws them.
    has_alignments : bool
        Whether the best matches stand in it too, as pictures.
    elsewhere : mapping of str to sequence of dict, optional
        Of each filter, those of other models that show the same pattern: model, filter, contribution, similarity.
    genome : str, optional
        Name of the assembly at the UCSC Genome Browser, to which coordinates are then linked.
    """
    numbers = {name: i for i, name in enumerate(tables.targets)}
    matches = dict(list(tables.matches.groupby("Query_ID", sort=False)))
    middles = ((tables.sites["start"] + tables.sites["end"]) / 2).groupby(tables.sites["filter"])
    where = {str(name): np.histogram(one, N_BINS, (0, tables.length))[0] for name, one in middles}
    best = {} if tables.best_sites is None else dict(list(tables.best_sites.groupby("filter", sort=False)))
    order = {name: i for i, name in enumerate(tables.table["filter"])}
    bounds = tables.table[["contribution", "contribution_low", "contribution_high"]].to_numpy(float)
    low, high = float(np.nanmin(bounds, initial=0.0)), float(np.nanmax(bounds, initial=0.0))
    shown = []
    for name, rows, is_idle in groups:
        made = []
        for row in rows:
            own = str(row["filter"])
            made.append(
                _plain(row)
                | _encode(own, tables)
                | (_draw(f"{identity}-{order[own]}", own, tables) if has_pictures else _NO_PICTURES)
                | {
                    "number": order[own],
                    "id": f"{identity}-{order[own]}",
                    "word": words[own][0],
                    "tone": words[own][1],
                    "bar": draw_interval(
                        row["contribution"],
                        _or_none(row["contribution_low"]),
                        _or_none(row["contribution_high"]),
                        (low, high),
                    ),
                    "aligned": _align(own, row["best_match"], tables, matches.get(own)) if has_alignments else None,
                    "match": _name_of(row),
                    "matches": _list_matches(matches.get(own), row["best_match"], numbers),
                    "histogram": where.get(own, np.zeros(N_BINS, int)).tolist(),
                    "distribution": tables.distributions.get(own),
                    "best": list_sites(best.get(own), genome),
                    "elsewhere": (elsewhere or {}).get(own, ()),
                }
            )
        total = float(sum(row["contribution"] for row in rows))
        shown.append(FilterGroup(name, made, is_idle, total))
    lines = split_lines(tables.table.to_csv(sep="\t", index=False))
    targets = [(name, encode_shares(ppm)) for name, ppm in tables.targets.items()]
    return FilterSection(identity, shown, tables.unit, tables.length, lines, targets)


def plain_rows(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of a table for a template, None where there is no value."""
    return [_plain(row) for row in table.to_dict("records")]


def _plain(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(key): _or_none(value) for key, value in row.items()}


def _or_none(value: Any) -> Any:
    return None if pd.isna(value) else value


def _name_of(row: Mapping[Any, Any]) -> str | None:
    if pd.isna(row["best_match"]):
        return None
    return name_in_full(row["best_match"], row["match_factor"], row["match_known"])


def _encode(name: str, tables: FilterTables) -> dict[str, Any]:
    """A filter's weights and motif as the script of a page draws them, and its motif in letters."""
    numbers, most = encode_signed(tables.filters[name])
    ppm = tables.ppms[name]
    return {"weight": numbers, "most": f"{most:.4g}", "ppm": encode_shares(ppm), "letters": consensus(ppm)}


def _draw(identity: str, name: str, tables: FilterTables) -> dict[str, Any]:
    """Logos of a filter and of its reverse complement."""
    weight = tables.filters[name]
    own = f"logo-{crc32(weight.tobytes(), crc32(identity.encode())):x}"
    shown = "Centred weights" if tables.unit == "weight" else "Motif"
    return {
        "forward": draw_logo(weight, f"{shown} of {name}", identity=own),
        "reverse": draw_reverse_complement(weight.shape[1], f"Reverse complement of {name}", own),
    }


def _align(name: str, best: object, tables: FilterTables, matches: pd.DataFrame | None) -> Markup | None:
    """The best match above the filter's motif; None if there is none."""
    if matches is None or best not in tables.targets:
        return None
    match, target = matches[matches["Target_ID"] == best].iloc[0], tables.targets[str(best)]
    target = reverse_complement_motif(target) if match["Orientation"] == "-" else target
    motif, known = (ppm * information_content(ppm) for ppm in (tables.ppms[name], target))
    return draw_alignment(motif, known, -int(match["Optimal_offset"]), f"{best} above the motif of {name}")


def _list_matches(rows: pd.DataFrame | None, best: object, numbers: Mapping[str, int]) -> list[dict[str, Any]]:
    """The best match of a filter and the first others: name, p- and q-value, and how the target lies on its motif."""
    if rows is None:
        return []
    is_best = rows["Target_ID"] == best
    rows = pd.concat([rows[is_best], rows[~is_best]])
    return [
        {
            "name": row["Target_ID"],
            "target": numbers[row["Target_ID"]],
            "start": -int(row["Optimal_offset"]),
            "orientation": row["Orientation"],
            "overlap": int(row["Overlap"]),
            "p": row["p-value"],
            "q": row["q-value"],
        }
        for row in rows.head(N_MATCHES).to_dict("records")
        if row["Target_ID"] in numbers
    ]


def list_sites(rows: pd.DataFrame | None, genome: str | None) -> list[dict[str, Any]]:
    """The first sites of a filter: letters, contribution, and where they are."""
    if rows is None:
        return []
    found = []
    for row in plain_rows(rows):
        name = row.get("name")
        place = f"{name or 'sequence ' + str(row['sequence'])}, {row['start']}–{row['end']}"
        strand, link = row["strand"], None
        if row.get("chrom") is not None:
            place = f"{row['chrom']}:{row['chrom_start'] + 1:,}–{row['chrom_end']:,}"  # as browsers count, from 1
            strand = row["chrom_strand"]
            if genome is not None:
                position = f"{row['chrom']}%3A{row['chrom_start'] + 1}-{row['chrom_end']}"
                link = f"https://genome.ucsc.edu/cgi-bin/hgTracks?db={genome}&position={position}"
        found.append(
            {
                "letters": row["letters"],
                "contribution": row["site_contribution"],
                "place": f"{place} ({strand})",
                "link": None if link is None else Markup.escape(link),
            }
        )
    return found
