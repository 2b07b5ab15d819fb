"""The command line of comparing models."""

from pathlib import Path

import click

from rcinterp.cli._common import FILE, OUT, say, warm_up
from rcinterp.errors import InputError


@click.command("compare-models")
@click.argument("models", nargs=-1, required=True)
@click.option("--positives", type=FILE, required=True, help="FASTA, plain or gzip; best not seen in training.")
@click.option("--negatives", type=FILE, required=True)
@click.option("--motifs", default="encode", help='Known motifs: "encode", or a motif file of any format.')
@click.option("--layer", help="Name of the convolution in every model; the first over the sequence if not given.")
@click.option("--target", type=click.IntRange(0), default=0, help="Which output, from 0.")
@click.option("--output", help="For models that return a tuple or dict: the part that is meant, 1 or counts.")
@click.option("--logit", is_flag=True, help="The outputs are probabilities: read their logits.")
@click.option("--out", type=OUT, required=True, help="Folder for the tables, logos and report.")
def compare_models(
    models: tuple[str, ...],
    positives: Path,
    negatives: Path,
    motifs: str,
    layer: str | None,
    target: int,
    output: str | None,
    logit: bool,
    out: Path,
) -> None:
    """Compare models of several seeds: in how many of them each pattern returns, and what it contributes.

    MODELS are folders that train wrote, or FILE.py:NAME for models of your own, as for interpret.
    """
    from rcinterp.cli._own_models import choose_output, load_any_model
    from rcinterp.stability import compare_models

    loaded = {name: load_any_model(given, None) for name, given in name_models(models).items()}
    warm_up()
    found = compare_models(loaded, positives, negatives, motifs, layer, target, func=choose_output(output, logit))
    say(found.summary)
    click.echo(found.save(out, f"Patterns of {len(loaded)} models"))


def name_models(given: tuple[str, ...]) -> dict[str, str]:
    """Models by the names of their folders, or in their files; by all that was given if two have one name."""
    if len({_resolve(model) for model in given}) < len(given):
        raise InputError("compare-models: got one model twice, expected different ones. Name each of them once.")
    short = {Path(model.rpartition(":")[2]).name: model for model in given}
    return short if len(short) == len(given) else {model: model for model in given}


def _resolve(given: str) -> str:
    """Whole path, and what is named in it."""
    file, colon, name = given.rpartition(":")
    return f"{Path(file).resolve()}:{name}" if colon and file.endswith(".py") else str(Path(given).resolve())
