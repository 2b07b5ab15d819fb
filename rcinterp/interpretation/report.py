"""From what `interpret` found to a page: the answer, the filters, whether it can be trusted, how it was made."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from rcinterp.errors import InputError
from rcinterp.interpretation.answer import Group, answer, arrange, carries, word_of
from rcinterp.interpretation.methods import REFERENCES, describe_methods
from rcinterp.interpretation.verdicts import LIMITS
from rcinterp.report.filters import MOST_PICTURES, FilterSection, FilterTables, filter_section
from rcinterp.report.page import Chart, Number, Part, Picture, table_of_filters, write_parts
from rcinterp.report.svg import draw_curves, draw_logo, draw_points

if TYPE_CHECKING:
    from rcinterp.interpretation.result import Interpretation

#: Logos at the top of a page, at most: of as many groups, each by its filter that contributes most.
_N_HERO = 5
#: Filters of a table in a notebook, at most.
_N_NOTEBOOK = 24


def write_report(
    path: str | os.PathLike[str],
    found: Interpretation | Mapping[str, Interpretation],
    title: str = "Filters",
    *,
    summary: str = "",
    comparison: Any | None = None,
    genome: str | None = None,
) -> None:
    """Write one page on one model, or on several side by side.

    Parameters
    ----------
    path : path
        Of the HTML file; it needs no other file and no network.
    found : Interpretation, or mapping of str to Interpretation
        What `interpret` found, by the names of the models.
    title : str
    summary : str, optional
        A sentence or two that stand below the title.
    comparison : ModelComparison, optional
        What `compare_models` found for the same models by the same names: each filter then tells which filters of the
        others show the same pattern.
    genome : str, optional
        Assembly by its name at the UCSC Genome Browser, such as "hg38", to which the sites' coordinates are linked.

    Raises
    ------
    InputError
        If there is no model.

    Examples
    --------
    ``write_report("both.html", {"RC": interpret(rc, *data), "traditional": interpret(plain, *data)})``
    """
    models = found if isinstance(found, Mapping) else {"": found}
    if not models:
        raise InputError("write_report: got no model, expected at least one: {'RC': interpret(...)}.")
    n_filters = sum(len(one.table) for one in models.values())
    parts = [
        make_part(
            f"f{i}" if len(models) > 1 else "filters",
            name,
            one,
            has_pictures=n_filters <= MOST_PICTURES,
            elsewhere=_find_elsewhere(name, comparison),
            genome=genome,
        )
        for i, (name, one) in enumerate(models.items())
    ]
    write_parts(path, title, parts, summary, limits=LIMITS, references=REFERENCES)


def make_part(
    identity: str,
    heading: str,
    found: Interpretation,
    *,
    has_pictures: bool,
    elsewhere: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    genome: str | None = None,
) -> Part:
    """One model's part of a page."""
    groups = arrange(found.table)
    return Part(
        heading=heading,
        answer=answer(found.table, found.performance["auroc"]),
        numbers=_numbers(found),
        warnings=found.warnings(),
        hero=_hero(found, groups),
        filters=make_section(identity, found, groups, has_pictures=has_pictures, elsewhere=elsewhere, genome=genome),
        charts=_charts(found),
        methods=describe_methods(found),
        made=_made(found),
        command=_command(found),
    )


def make_section(
    identity: str, found: Interpretation, groups: Sequence[Group] | None = None, **options: Any
) -> FilterSection:
    """The filters of a page."""
    tables = FilterTables(
        table=found.table,
        filters=found.filters,
        ppms=found.ppms,
        matches=found.matches,
        sites=found.sites,
        unit=found.unit,
        length=found.length,
        targets=found.targets,
        best_sites=found.best_sites,
        distributions=found.distributions,
    )
    words = {row["filter"]: word_of(row) for row in found.table.to_dict("records")}
    shown = [(group.name, group.rows, group.is_idle) for group in groups or arrange(found.table)]
    return filter_section(identity, tables, shown, words, **options)


def notebook_table(found: Interpretation) -> str:
    """The answer, and the table of a page with its logos, as HTML for a notebook."""
    groups, left, most = [], _N_NOTEBOOK, len(found.table)
    for group in arrange(found.table):
        rows = group.rows[:left]
        left -= len(rows)
        if rows:
            groups.append(Group(group.name, rows, group.is_idle))
    section = make_section("filters", found, groups)
    more = f"<p>{most - _N_NOTEBOOK} more filters are in the page that .to_html(path) writes.</p>"
    said = answer(found.table, found.performance["auroc"])
    return f"<p>{_escape(said)}</p>{table_of_filters(section, LIMITS)}{more if most > _N_NOTEBOOK else ''}"


def _escape(text: str) -> str:
    from markupsafe import escape

    return str(escape(text))


def _numbers(found: Interpretation) -> list[Number]:
    """How good the model is, beside its baseline, and how far its numbers can be trusted."""
    own, baseline = found.performance, found.baseline
    said = []
    for key, name in (("auroc", "auROC"), ("auprc", "auPRC")):
        beside = "" if baseline is None else f"6-mers alone: {baseline[key]:.3f}"
        said.append(Number(name, f"{own[key]:.3f}", beside))
    if baseline is not None:
        gain = own["auroc"] - baseline["auroc"]
        said.append(Number("auROC above 6-mers", f"{gain:+.3f}".replace("-", "−")))
    said.append(Number("filters that carry it", f"{sum(map(carries, _rows(found)))} of {len(found.table)}"))
    if found.strands is not None:
        row = found.strands.table[found.strands.table["task"] == found.target]
        if len(row):
            said.append(
                Number(
                    "largest difference of the strands",
                    f"{row['rc_difference'].iloc[0]:.1g}".replace("e-", "e−"),
                    "logit",
                )
            )
    if found.faithfulness is not None and not np.isnan(found.faithfulness.pearson):
        said.append(Number("agreement with ablation", f"r = {found.faithfulness.pearson:.2f}".replace("-", "−")))
    return said


def _rows(found: Interpretation) -> list[dict[Any, Any]]:
    return found.table.to_dict("records")


def _hero(found: Interpretation, groups: Sequence[Group]) -> list[Picture]:
    """The filters that matter: of each group the one that contributes most, and of a single group its first ones."""
    carrying = [Group(group.name, [row for row in group.rows if carries(row)]) for group in groups if not group.is_idle]
    carrying = [group for group in carrying if group.rows]
    rows = [group.rows[0] for group in carrying]
    rest = sorted((row for group in carrying for row in group.rows[1:]), key=lambda row: -abs(row["contribution"]))
    chosen = sorted([*rows, *rest][:_N_HERO], key=lambda row: -abs(row["contribution"]))
    shown = "Centred weights" if found.unit == "weight" else "Motif"
    pictures = []
    for row in chosen:
        name, word = str(row["filter"]), word_of(row)[0]
        text = f"{word}, contribution {row['contribution']:+.3g}".replace("-", "−")
        pictures.append(Picture(draw_logo(found.filters[name], f"{shown} of {name}"), name, text))
    return pictures


def _charts(found: Interpretation) -> list[Chart]:
    charts = []
    history = found.history
    if history is not None and len(history) > 1 and {"valid_auroc", "train_loss", "valid_loss"} <= set(history):
        best = history["valid_auroc"].max()
        charts.append(
            Chart(
                "Training: loss",
                draw_curves(
                    {"training": history["train_loss"].tolist(), "validation": history["valid_loss"].tolist()},
                    "Loss by epoch",
                    "epoch",
                ),
                f"{len(history)} epochs. A validation loss that rises while the training loss falls: the model learns "
                "its training set by heart.",
            )
        )
        curves = {"model": history["valid_auroc"].tolist()}
        if "baseline_auroc" in history:
            curves["6-mers alone"] = history["baseline_auroc"].tolist()
        charts.append(
            Chart(
                "Training: validation auROC",
                draw_curves(curves, "Validation auROC by epoch", "epoch"),
                f"The best epoch, of which the weights are, reaches {best:.4f}.",
            )
        )
    if found.strands is not None:
        rows = found.strands.logits[found.strands.logits["task"] == found.target]
        row = found.strands.table[found.strands.table["task"] == found.target]
        if len(rows):
            one = row.iloc[0]
            charts.append(
                Chart(
                    "Both strands",
                    draw_points(
                        rows["forward"].tolist(),
                        rows["reverse"].tolist(),
                        "Logit of the reverse complement against that of the sequence",
                        "logit of the sequence",
                        "of its reverse complement",
                    ),
                    f"{len(rows)} sequences. Largest difference {one['rc_difference']:.2g}; "
                    f"{100 * one['flipped']:.1f} % of the sequences are called positive on one strand alone.",
                )
            )
    if found.faithfulness is not None and len(found.faithfulness.table):
        table = found.faithfulness.table
        charts.append(
            Chart(
                "Contribution against exact ablation",
                draw_points(
                    table["contribution"].tolist(),
                    table["ablation"].tolist(),
                    "What the logit loses without a filter, against the filter's contribution",
                    "contribution",
                    "what the logit loses without it",
                ),
                f"A point a filter; on the line the contribution is what the logit really loses when the filter is "
                f"taken out. {str(found.faithfulness)[:1].upper()}{str(found.faithfulness)[1:]}.",
            )
        )
    return charts


def _made(found: Interpretation) -> list[tuple[str, str]]:
    origin = found.origin
    if origin is None:
        return []
    return [
        ("Model", f"{origin.model} (SHA-256)"),
        ("Layer", found.layer),
        ("Output", str(origin.target)),
        *((name.capitalize(), f"{text} (SHA-256)") for name, text in origin.sequences.items()),
        ("Known motifs", origin.motifs),
        ("Settings", ", ".join(f"{name}={value!r}" for name, value in vars(found.settings).items())),
        ("Versions", ", ".join(f"{name} {value}" for name, value in origin.versions.items())),
    ]


def _command(found: Interpretation) -> str:
    if found.origin is None:
        return ""
    if found.origin.command:
        return found.origin.command
    rest = "".join(f", {name}={value!r}" for name, value in vars(found.settings).items())
    motifs = repr(found.origin.motifs) if "given in Python" not in found.origin.motifs else "motifs"
    return (
        f"interpret(model, positives, negatives, {motifs}, layer={found.layer!r}, target={found.origin.target}{rest})"
    )


def _find_elsewhere(name: str, comparison: Any | None) -> dict[str, list[dict[str, Any]]]:
    """Of each filter, those of other models that show the same pattern."""
    if comparison is None:
        return {}
    members: pd.DataFrame = comparison.members
    own, others = members[members["model"] == name], members[members["model"] != name]
    by_pattern = dict(list(others.groupby("pattern")))
    found = {}
    for row in own.to_dict("records"):
        rows = by_pattern.get(row["pattern"])
        found[str(row["filter"])] = [
            {
                "model": other["model"],
                "filter": other["filter"],
                "contribution": other["contribution"],
                "similarity": other["consensus_similarity"],
            }
            for other in ([] if rows is None else rows.to_dict("records"))
        ]
    return found
