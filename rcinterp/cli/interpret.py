"""The command line of reading a model's filters."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rcinterp.cli._command import Command, Done
from rcinterp.cli._common import warm_up
from rcinterp.cli._help import option
from rcinterp.cli._reading import (
    CLASSES,
    INTERPRET,
    RUN,
    TARGET,
    WEIGHTS,
    check_each_once,
    find_targets,
    name_device,
    run_options,
    together,
    with_as_many_names,
)
from rcinterp.cli._record import command_line
from rcinterp.cli._types import MODEL, OUT
from rcinterp.files.results import INTERPRETATION

if TYPE_CHECKING:
    from rcinterp.interpretation import Interpretation

_EXAMPLE = """\
rcinterp interpret model --positives data/valid.pos.fa.gz --negatives data/valid.neg.fa.gz --out report
rcinterp interpret my_model.py:build --weights weights.pt --positives pos.fa.gz --negatives neg.fa.gz --out mine"""
#: Columns of the table that --json gives of each filter.
_SHOWN = ("filter", "contribution", "contribution_q", "verdict", "best_match", "match_factor", "match_q")


def _names(options: Mapping[str, Any]) -> list[str]:
    """Names of the files that are written: one result in the folder, or several in folders of it."""
    layers, targets = options["layers"], options["targets"]
    check_each_once("--layer", layers)
    check_each_once("--target", targets)
    if len(layers) < 2 and len(targets) < 2:
        return [*INTERPRETATION]
    several = [
        _folder(_name(layer, target, len(layers) > 1, len(targets) > 1))
        for layer in layers or "*"
        for target in targets or "*"
    ]
    check_each_once("--layer and --target: the folder of a result", several)
    return ["report.html", *(f"{name}/{file}" for name in several for file in INTERPRETATION)]


@click.command(
    cls=Command,
    writes=_names,
    short_help="Read the filters of a trained model; write a report.",
    example=_EXAMPLE,
)
@click.argument("model", type=MODEL)
@together(CLASSES, WEIGHTS, RUN)
@option(
    "--layer",
    "layers",
    multiple=True,
    group="What is measured",
    help="Name of a convolution; once a layer.  [default: the first one over the sequence]",
)
@option(
    "--target",
    "targets",
    multiple=True,
    default=["0"],
    group="What is measured",
    help="Which output: its number, from 0, or its name; once an output.",
)
@together(TARGET[1:], INTERPRET)
@option(
    "--faithfulness/--no-faithfulness",
    default=True,
    group="What is measured",
    help="Compare contributions with exact ablation.",
)
@option(
    "--genome",
    group="Output",
    help='Assembly by its name at the UCSC Genome Browser, such as "hg38", to which sites are linked.',
)
@option("--out", type=OUT, required=True, group="Output", help="Folder for the tables, logos and report.")
def interpret(
    model: str,
    positives: tuple[Path, ...],
    negatives: tuple[Path, ...],
    weights: Path | None,
    output: str | None,
    logit: bool,
    further: tuple[str, ...],
    device: str | None,
    batch_size: int,
    layers: tuple[str, ...],
    targets: tuple[str, ...],
    target_names: Path | None,
    motifs: str,
    faithfulness: bool,
    genome: str | None,
    out: Path,
    **settings: Any,
) -> Done:
    """Read the filters of a trained model: contributions, palindromes, matches, logos, report.html.

    MODEL is a folder that train wrote, or FILE.py:NAME for a model of your own: an nn.Module in a Python file, or a
    function there that makes one. The file's code is run.

    Several layers or outputs each have a folder of their own in that of --out, and report.html there shows all.
    """
    from rcinterp.cli._own_models import load_any_model, warn_of_own_weights
    from rcinterp.interpretation import interpret

    loaded = load_any_model(model, weights)
    numbers = find_targets(targets, target_names, loaded)
    run = run_options(output, logit, further, device, batch_size)
    run["func"] = with_as_many_names(run["func"], target_names, loaded)
    warm_up()
    found, line = {}, command_line(click.get_current_context())
    for layer in layers or (None,):
        for target, number in zip(targets, numbers, strict=True):
            one = interpret(
                loaded,
                list(positives),
                list(negatives),
                motifs,
                layer,
                number,
                measure_faithfulness=faithfulness,
                **settings,
                **run,
            )
            origin = None if one.origin is None else replace(one.origin, command=line)
            found[_name(one.layer, target, len(layers) > 1, len(targets) > 1)] = replace(one, origin=origin)
    report = _save(found, out, f"Filters of {Path(model).name}", genome)
    warn_of_own_weights([(model, weights)])
    result = {"folder": out, "report": report, "readings": [_describe(one) for one in found.values()]}
    chosen = {"layer": [one.layer for one in found.values()], "device": name_device(device)}
    return Done(str(report), result, out, chosen)


def _name(layer: str, target: str, has_layers: bool, has_targets: bool) -> str:
    """What tells one result from the others."""
    parts = [layer] if has_layers or not has_targets else []
    return ", ".join([*parts, *([f"output {target}"] if has_targets else [])])


def _folder(name: str) -> str:
    return re.sub(r"[^\w.+*-]+", "_", name)


def _save(found: Mapping[str, "Interpretation"], out: Path, title: str, genome: str | None) -> Path:
    """Write one result into the folder, or several into folders of it with a page of all."""
    from rcinterp.interpretation import write_report

    if len(found) == 1:
        (one,) = found.values()
        return one.save(out, title, genome=genome)
    for name, one in found.items():
        one.save(out / _folder(name), f"{title}: {name}", genome=genome)
    write_report(out / "report.html", found, title, genome=genome)
    return out / "report.html"


def _describe(found: "Interpretation") -> dict[str, Any]:
    """The answer and the main numbers."""
    return {
        "layer": found.layer,
        "target": found.target,
        "answer": found.answer,
        "notes": found.notes(),
        **found.performance,
        "filters": found.table[list(_SHOWN)].to_dict("records"),
    }
