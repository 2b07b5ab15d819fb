"""The command line of comparing models."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from rcinterp.cli._command import Command, Done
from rcinterp.cli._common import say, shows_progress, warm_up
from rcinterp.cli._help import option
from rcinterp.cli._reading import (
    CLASSES,
    INTERPRET,
    RUN,
    TARGET,
    find_targets,
    name_device,
    run_options,
    together,
    with_as_many_names,
)
from rcinterp.cli._types import FILE, MODEL, OUT
from rcinterp.errors import InputError
from rcinterp.files.results import PATTERNS

_EXAMPLE = """\
rcinterp compare-models model_0 model_1 model_2 \\
    --positives data/valid.pos.fa.gz --negatives data/valid.neg.fa.gz --out patterns"""


@click.command(
    "compare-models",
    cls=Command,
    writes=PATTERNS,
    short_help="Find the patterns that several models share.",
    example=_EXAMPLE,
)
@click.argument("models", nargs=-1, required=True, type=MODEL)
@together(CLASSES)
@option(
    "--weights",
    type=FILE,
    multiple=True,
    group="Model",
    help="Of each FILE.py:NAME, in their order; several for a single one: a model of each.",
)
@together(RUN)
@option(
    "--layer",
    group="What is measured",
    help="Name of the convolution in every model.  [default: the first one over the sequence]",
)
@together(TARGET, INTERPRET)
@option("--out", type=OUT, required=True, group="Output", help="Folder for the tables, logos and report.")
def compare_models(
    models: tuple[str, ...],
    positives: tuple[Path, ...],
    negatives: tuple[Path, ...],
    weights: tuple[Path, ...],
    output: str | None,
    logit: bool,
    further: tuple[str, ...],
    device: str | None,
    batch_size: int,
    layer: str | None,
    target: str,
    target_names: Path | None,
    motifs: str,
    out: Path,
    **settings: Any,
) -> Done:
    """Compare models of several seeds: in how many of them each pattern returns, and what it contributes.

    MODELS are folders that train wrote, or FILE.py:NAME for models of your own, as for interpret.
    """
    from tqdm import tqdm

    from rcinterp.cli._own_models import load_any_model, warn_of_own_weights
    from rcinterp.interpretation import interpret
    from rcinterp.stability import compare_models

    given = _pair(models, weights)
    loaded = {name: load_any_model(*pair) for name, pair in given.items()}
    targets = {name: find_targets([target], target_names, model)[0] for name, model in loaded.items()}
    run = run_options(output, logit, further, device, batch_size) | {"verbose": False}
    warm_up()
    read = {}
    for name, model in tqdm(loaded.items(), "reading models", disable=not shows_progress(), leave=False):
        read[name] = interpret(
            model,
            list(positives),
            list(negatives),
            motifs,
            layer,
            targets[name],
            measure_faithfulness=False,
            **settings,
            **run | {"func": with_as_many_names(run["func"], target_names, model)},
        )
    found = compare_models(read, motifs=motifs)
    say(found.summary)
    report = found.save(out, f"Patterns of {len(loaded)} models")
    warn_of_own_weights(list(given.values()))
    tables = {"models": found.models.to_dict("records"), "patterns": found.table.to_dict("records")}
    result = {"folder": out, "report": report, "answer": found.summary, "warnings": list(found.warnings), **tables}
    return Done(str(report), result, out, {"device": name_device(device)})


def name_models(given: Sequence[str]) -> dict[str, str]:
    """Models by the names of their folders, or in their files; by all that was given if two have one name."""
    if len({_resolve(model) for model in given}) < len(given):
        raise InputError("compare-models: got one model twice, expected different ones. Name each of them once.")
    short = {Path(model.rpartition(":")[2]).name: model for model in given}
    return short if len(short) == len(given) else {model: model for model in given}


def _pair(models: Sequence[str], weights: Sequence[Path]) -> dict[str, tuple[str, Path | None]]:
    """Models and their weights, by name: that of the weights where one model has several."""
    own = [model for model in models if _is_own(model)]
    if weights and len(models) == len(own) == 1:
        models, own = list(own) * len(weights), list(own) * len(weights)
    if weights and len(weights) != len(own):
        raise InputError(
            f"compare-models: got {len(weights)} --weights for {len(own)} models FILE.py:NAME, expected one for each, "
            "in their order."
        )
    if len(models) < 2:
        raise InputError(
            "compare-models: got one model, expected two or more. For a single one: rcinterp interpret MODEL ..."
        )
    if not weights:
        return {name: (model, None) for name, model in name_models(models).items()}
    left = list(weights)
    pairs = [(model, left.pop(0) if _is_own(model) else None) for model in models]
    named = name_models([f"{weight}" if weight is not None else model for model, weight in pairs])
    return dict(zip(named, pairs, strict=True))


def _is_own(given: str) -> bool:
    file, colon, _ = given.rpartition(":")
    return bool(colon) and file.endswith(".py")


def _resolve(given: str) -> str:
    """Whole path, and what is named in it."""
    file, _, name = given.rpartition(":")
    return f"{Path(file).resolve()}:{name}" if _is_own(given) else str(Path(given).resolve())
