"""From what `interpret` found to figures: which numbers a figure shows, and what is said where there are none."""

from __future__ import annotations

import difflib
from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from rcinterp.errors import InputError, require_whole
from rcinterp.interpretation.answer import word_of
from rcinterp.interpretation.findings import Findings
from rcinterp.interpretation.verdicts import MATCH_Q_VALUE, judge_match
from rcinterp.motifs import information_content, reverse_complement_motif
from rcinterp.motifs.groups import name_in_full
from rcinterp.report.contribution_figure import ContributionBar, draw_contributions
from rcinterp.report.filters import N_BINS, list_sites
from rcinterp.report.logos import plot_filters
from rcinterp.report.match_figure import draw_match
from rcinterp.report.site_figure import SiteRow, draw_sites
from rcinterp.report.strand_figure import draw_strands

Row = dict[Hashable, Any]


def figure_of_logos(found: Findings, name: str | None, max_filters: int | None) -> Figure:
    """Logos of one filter, or of the first ones."""
    table = found.table if name is None else found.table[found.table["filter"] == row_of(found, name, "plot")["filter"]]
    filters = {own: as_heights(matrix) for own, matrix in found.filters.items()}
    return plot_filters(filters, table, max_filters=max_filters, ylabel=found.unit)


def figure_of_match(found: Findings, name: str, match: str | int) -> Figure:
    """A filter's motif above a known motif, as they were compared."""
    row = row_of(found, name, "plot_match")
    aligned = _aligned_with(found, row, match)
    target = str(aligned["Target_ID"])
    known, own = found.targets[target], found.ppms[name]
    turned = reverse_complement_motif(known) if aligned["Orientation"] == "-" else known
    full = name_in_full(target, row["match_factor"], row["match_known"]) if target == row["best_match"] else target
    title = (
        f"{name} and {full}: q = {aligned['q-value']:.2g}, E = {aligned['E-value']:.2g}, "
        f"{aligned['Overlap']} bp aligned"
    )
    said = _why_it_is_no_name(row) if target == row["best_match"] else "not the match that the filter is named after"
    strand = ", reverse complement" if aligned["Orientation"] == "-" else ""
    return draw_match(
        own * information_content(own),
        turned * information_content(turned),
        -int(aligned["Optimal_offset"]),
        (f"{name}, its motif", f"{full}{strand}"),
        f"{title}\n{said}" if said else title,
    )


def figure_of_contributions(found: Findings, max_filters: int | None) -> Figure:
    """A bar a filter, the largest contribution, whatever its sign, first."""
    if max_filters is not None:
        require_whole("max_filters", max_filters, 1, "plot_contributions")
    order = np.argsort(-found.table["contribution"].abs().to_numpy(float), kind="stable")
    rows = found.table.iloc[order].head(max_filters or len(order)).to_dict("records")
    bars = [
        ContributionBar(
            str(row["filter"]),
            *word_of(row),
            float(row["contribution"]),
            float(row["contribution_low"]),
            float(row["contribution_high"]),
        )
        for row in rows
    ]
    n = len(found.table)
    how_many = f"{n} filter{'s' * (n != 1)}" if len(bars) == n else f"The {len(bars)} largest of {n} filters"
    method = str(found.contributions.iloc[0]["method"]).replace("_", " ")
    label = f"contribution to the logit, positives less negatives\n({method}; line: 95 % interval)"
    return draw_contributions(bars, f"{how_many} of layer {found.layer}", label)


def figure_of_sites(found: Findings, name: str, n_sites: int) -> Figure:
    """A filter's best sites under its logo, and where all are."""
    require_whole("n_sites", n_sites, 1, "plot_sites")
    row = row_of(found, name, "plot_sites")
    best = None if found.best_sites is None else found.best_sites[found.best_sites["filter"] == name]
    if best is None or best.empty:
        raise InputError(
            f"plot_sites: filter {name!r} has no site on these sequences ({row['verdict']}), expected one that has: "
            f"{_some(_with_sites(found))}. Its weights are drawn by .plot({name!r})."
        )
    own = found.sites[found.sites["filter"] == name]
    middles = (own["start"] + own["end"]) / 2
    rows = [SiteRow(one["letters"], _number(one["contribution"]), one["place"]) for one in list_sites(best, None)]
    where = str(own["sites_in"].iloc[0])
    title = f"{name}: {len(own):,} site{'s' * (len(own) != 1)} in the {where}"
    if len(rows[:n_sites]) < len(own):
        title += f", the {min(n_sites, len(rows))} best shown" if min(n_sites, len(rows)) > 1 else ", the best shown"
    return draw_sites(
        as_heights(found.filters[name]),
        found.motif_starts.get(name, 0) if found.unit == "bits" else 0,
        found.unit,
        rows[:n_sites],
        np.histogram(middles, N_BINS, (0, found.length)),
        title,
    )


def figure_of_strands(found: Findings, target: int | None) -> Figure:
    """Logits of both strands, of one output."""
    if found.strands is None:
        raise InputError(
            "plot_strands: this result holds no logits of the two strands, expected one of interpret(...). Measure "
            "them: rcinterp.strand_consistency(model, sequences).plot()."
        )
    tasks = found.strands.table["task"].tolist()
    task = found.target if target is None else require_whole("target", target, 0, "plot_strands")
    if task not in tasks:
        raise InputError(f"plot_strands: got target={task}, expected one of the model's outputs, 0 to {tasks[-1]}.")
    logits = found.strands.logits[found.strands.logits["task"] == task]
    told: Row = found.strands.table.iloc[tasks.index(task)].to_dict()
    which = f"output {task} (of {len(tasks)}, counted from 0)\n" if len(tasks) > 1 else ""
    r = float(told["logit_correlation"])
    correlation = "" if np.isnan(r) else f"r = {r:.4f}, "
    title = f"{which}{len(logits)} sequences\n{correlation}largest difference {told['rc_difference']:.2g}"
    return draw_strands(logits["forward"], logits["reverse"], title)


def names_beside(found: Findings) -> dict[str, str]:
    """Of each filter that is named, whose motif it shows."""
    words = {str(row["filter"]): word_of(row) for row in found.table.to_dict("records")}
    return {name: word for name, (word, tone) in words.items() if tone == "good"}


def row_of(found: Findings, name: str, caller: str) -> Row:
    """The table's row of a filter, or a message that proposes the nearest names."""
    rows: list[Row] = found.table[found.table["filter"] == name].to_dict("records")
    if not rows:
        names = [str(known) for known in found.table["filter"]]
        near = difflib.get_close_matches(str(name), names, n=3, cutoff=0.6) or names[:3]
        raise InputError(
            f"{caller}: there is no filter {name!r}, expected one of {len(names)} names such as {_some(near)}. All "
            "stand in .table['filter']."
        )
    return rows[0]


def as_heights(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """A matrix as a logo can show it: nothing where a filter of a model that has diverged is not finite."""
    return np.where(np.isfinite(matrix), matrix, 0.0)


def _aligned_with(found: Findings, row: Row, match: str | int) -> Row:
    """The row of the matches that is meant: by its rank, the match that the filter is named after first, or by name."""
    name = row["filter"]
    matches = found.matches[found.matches["Query_ID"] == name]
    if matches.empty:
        why = judge_match(row)
        reason = str(why) if why.kind == "not compared" else "none of the known motifs resembles it at q <= 0.5"
        others = list(dict.fromkeys(found.matches["Query_ID"]))
        instead = f"expected one that has: {_some(others)}" if others else "and neither has any other filter"
        raise InputError(
            f"plot_match: filter {name!r} has no match: {reason}; {instead}. Its logo is drawn by .plot({name!r})."
        )
    is_best = matches["Target_ID"] == row["best_match"]
    ranked = pd.concat([matches[is_best], matches[~is_best]])
    ranked = ranked[ranked["Target_ID"].isin(list(found.targets))]
    rows: list[Row] = ranked.to_dict("records")
    known = [str(one["Target_ID"]) for one in rows]
    if isinstance(match, str):
        if match not in known:
            raise InputError(
                f"plot_match: got match={match!r}, expected a motif that is kept of {name!r}: {_some(known, 8)}."
            )
        return rows[known.index(match)]
    rank = require_whole("match", match, 1, "plot_match")
    if rank > len(known):
        raise InputError(
            f"plot_match: got match={rank}, expected 1 to {len(known)}: so many matches are kept of {name!r}."
        )
    return rows[rank - 1]


def _why_it_is_no_name(row: Row) -> str:
    """What there is to say against the best match; empty if the filter is named after it."""
    verdict = judge_match(row)
    if verdict.kind == "known motif":
        return ""
    return (
        f"no name for it: q is above {MATCH_Q_VALUE:g}"
        if verdict.kind == "no known motif"
        else f"no name for it: {verdict}"
    )


def _with_sites(found: Findings) -> list[str]:
    return [] if found.best_sites is None else list(dict.fromkeys(found.best_sites["filter"]))


def _some(names: list[str], n: int = 3) -> str:
    if not names:
        return "none has"
    return ", ".join(map(repr, names[:n])) + (", ..." if len(names) > n else "")


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)
