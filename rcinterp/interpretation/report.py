"""From what `interpret` found to a page: the answer, the filters, whether it can be trusted, how it was made."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import escape

from rcinterp.errors import InputError
from rcinterp.files.paths import as_path
from rcinterp.interpretation.answer import Group, arrange, carries, word_of
from rcinterp.interpretation.findings import Findings
from rcinterp.interpretation.methods import describe_methods, list_references
from rcinterp.interpretation.verdicts import LIMITS
from rcinterp.report.filters import MOST_PICTURES, FilterSection, FilterTables, filter_section
from rcinterp.report.page import Chart, Number, Part, Picture, table_of_filters, write_parts
from rcinterp.report.svg import draw_curves, draw_logo, draw_points

#: Logos at the top of a page, at most: of as many groups, each by its filter that contributes most.
_N_HERO = 5
#: Which filters these are: of one group, or of several.
_HERO_TEXT = ("The largest filters.", "The largest filter of each motif, then the next largest ones.")
#: Filters of a table in a notebook, at most.
_N_NOTEBOOK = 24


def write_report(
    path: str | os.PathLike[str],
    found: Findings | Mapping[str, Findings],
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
        If there is no model, or `comparison` is not of these models.

    Examples
    --------
    ``write_report("both.html", {"RC": interpret(rc, *data), "traditional": interpret(plain, *data)})``
    """
    path = as_path(path, "write_report")
    models = {"": found} if isinstance(found, Findings) else found
    is_usable = isinstance(models, Mapping) and all(isinstance(one, Findings) for one in models.values())
    if not is_usable or not models:
        got = f"a {type(found).__name__} of {len(found)}" if isinstance(found, Mapping) else type(found).__name__
        raise InputError(
            f"write_report: got {got}, expected what interpret returned, or several by name: "
            "{'RC': interpret(...), 'traditional': interpret(...)}."
        )
    _check_comparison(comparison, models)
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
    write_parts(path, title, parts, summary, limits=LIMITS, references=list_references(models.values()))


def make_part(
    identity: str,
    heading: str,
    found: Findings,
    *,
    has_pictures: bool,
    elsewhere: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    genome: str | None = None,
) -> Part:
    """One model's part of a page."""
    groups = arrange(found.table)
    return Part(
        heading=heading,
        answer=found.answer,
        numbers=_numbers(found),
        warnings=found.warnings(),
        hero=_hero(found, groups),
        hero_text=_HERO_TEXT[sum(any(map(carries, group.rows)) for group in groups) > 1],
        filters=make_section(identity, found, groups, has_pictures=has_pictures, elsewhere=elsewhere, genome=genome),
        charts=_charts(found),
        methods=describe_methods(found),
        made=_made(found),
        command=_command(found),
    )


def make_section(
    identity: str, found: Findings, groups: Sequence[Group] | None = None, **options: Any
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


def notebook_table(found: Findings) -> str:
    """The answer, and the table of a page with its logos, as HTML for a notebook."""
    groups, left, most = [], _N_NOTEBOOK, len(found.table)
    for group in arrange(found.table):
        rows = group.rows[:left]
        left -= len(rows)
        if rows:
            groups.append(Group(group.name, rows, group.is_idle))
    section = make_section("filters", found, groups, has_alignments=True)
    more = f"<p>{most - _N_NOTEBOOK} more filters are in the page that .to_html(path) writes.</p>"
    return f"<p>{escape(found.answer)}</p>{table_of_filters(section, LIMITS)}{more if most > _N_NOTEBOOK else ''}"


def _numbers(found: Findings) -> list[Number]:
    """How good the model is, beside its baseline, and how far its numbers can be trusted."""
    own, baseline = found.performance, found.baseline
    said = []
    for key, name in (("auroc", "auROC"), ("auprc", "auPRC")):
        beside = "" if baseline is None else f"6-mers alone: {baseline[key]:.3f}"
        said.append(Number(name, f"{own[key]:.3f}", beside))
    if baseline is not None:
        gain = own["auroc"] - baseline["auroc"]
        said.append(Number("auROC above 6-mers", f"{gain:+.3f}".replace("-", "−")))
    said.append(
        Number("filters that carry it", f"{sum(map(carries, found.table.to_dict('records')))} of {len(found.table)}")
    )
    if found.strands is not None:
        largest = found.strands.table.set_index("task")["rc_difference"][found.target]
        told = f"{largest:.0f}" if largest >= 10 else f"{largest:.1g}".replace("e-", "e−")
        said.append(Number("largest difference of the strands", told, "logit"))
    if found.faithfulness is not None and not np.isnan(found.faithfulness.pearson):
        said.append(Number("agreement with ablation", f"r = {found.faithfulness.pearson:.2f}".replace("-", "−")))
    return said


def _hero(found: Findings, groups: Sequence[Group]) -> list[Picture]:
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


def _charts(found: Findings) -> list[Chart]:
    return [*_chart_training(found.history), *_chart_strands(found), *_chart_faithfulness(found)]


def _chart_training(history: pd.DataFrame | None) -> list[Chart]:
    if history is None or len(history) < 2 or not {"valid_auroc", "train_loss", "valid_loss"} <= set(history):
        return []
    losses = {"training": history["train_loss"].tolist(), "validation": history["valid_loss"].tolist()}
    aurocs = {"model": history["valid_auroc"].tolist()}
    if "baseline_auroc" in history:
        aurocs["6-mers alone"] = history["baseline_auroc"].tolist()
    by_heart = (
        f"{len(history)} epochs. A validation loss that rises while the training loss falls: the model learns its "
        "training set by heart."
    )
    best = f"The best epoch, of which the weights are, reaches {history['valid_auroc'].max():.4f}."
    return [
        Chart("Training: loss", draw_curves(losses, "Loss by epoch", "epoch"), by_heart),
        Chart("Training: validation auROC", draw_curves(aurocs, "Validation auROC by epoch", "epoch"), best),
    ]


def _chart_strands(found: Findings) -> list[Chart]:
    if found.strands is None:
        return []
    logits = found.strands.logits[found.strands.logits["task"] == found.target]
    told = found.strands.table.set_index("task").loc[found.target]
    label = "Logit of the reverse complement against that of the sequence"
    axes = "logit of the sequence", "of its reverse complement"
    kind = found.strands.kind_of(found.target)
    calls = (
        f"{100 * told['flipped']:.1f} % of the sequences are called positive on one strand alone."
        if kind is None
        else f"which are called positive is not compared, as the outputs seem to be {kind}, which have no sign."
    )
    text = f"{len(logits)} sequences. Largest difference {told['rc_difference']:.2g}; {calls}"
    return [Chart("Both strands", draw_points(logits["forward"], logits["reverse"], label, *axes), text)]


def _chart_faithfulness(found: Findings) -> list[Chart]:
    faith = found.faithfulness
    if faith is None:
        return []
    label = "What the logit loses without a filter, against the filter's contribution"
    axes = "contribution", "what the logit loses without it"
    said = str(faith)
    text = (
        "A point a filter; on the line the contribution is what the logit really loses when the filter is taken out. "
        f"{said[:1].upper()}{said[1:]}."
    )
    points = draw_points(faith.table["contribution"], faith.table["ablation"], label, *axes)
    return [Chart("Contribution against exact ablation", points, text)]


def _made(found: Findings) -> list[tuple[str, str]]:
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


def _command(found: Findings) -> str:
    if found.origin is None:
        return ""
    if found.origin.command:
        return found.origin.command
    rest = "".join(f", {name}={value!r}" for name, value in vars(found.settings).items())
    motifs = repr(found.origin.motifs) if "given in Python" not in found.origin.motifs else "motifs"
    return (
        f"interpret(model, positives, negatives, {motifs}, layer={found.layer!r}, target={found.origin.target}{rest})"
    )


def _check_comparison(comparison: Any | None, models: Mapping[str, Findings]) -> None:
    if comparison is None:
        return
    compared = list(comparison.models["model"])
    missing = [name for name in models if name not in compared]
    if missing:
        raise InputError(
            f"write_report: the comparison has models {', '.join(compared)}, expected {missing[0]!r} among them. Give "
            "both the same names: found = {'a': ..., 'b': ...}; write_report(path, found, "
            "comparison=compare_models(found))."
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
