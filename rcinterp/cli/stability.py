"""The command line of comparing models."""

from pathlib import Path

import click

from rcinterp.cli._common import FILE, FOLDER, OUT, say, warm_up
from rcinterp.errors import InputError


@click.command("compare-models")
@click.argument("models", type=FOLDER, nargs=-1, required=True)
@click.option("--positives", type=FILE, required=True, help="FASTA, plain or gzip; best not seen in training.")
@click.option("--negatives", type=FILE, required=True)
@click.option("--motifs", default="encode", help='Known motifs: "encode", or a motif file of any format.')
@click.option("--out", type=OUT, required=True, help="Folder for the tables, logos and report.")
def compare_models(models: tuple[Path, ...], positives: Path, negatives: Path, motifs: str, out: Path) -> None:
    """Compare trained models of several seeds: in how many of them each pattern returns, and what it contributes."""
    from rcinterp.stability import compare_models
    from rcinterp.training.models import load_model

    loaded = {name: load_model(path) for name, path in name_models(models).items()}
    warm_up()
    found = compare_models(loaded, positives, negatives, motifs)
    say(found.summary)
    click.echo(found.save(out, f"Patterns of {len(loaded)} models"))


def name_models(paths: tuple[Path, ...]) -> dict[str, Path]:
    """Folders by their names; by their whole paths if two have one name."""
    if len({path.resolve() for path in paths}) < len(paths):
        raise InputError("compare-models: got one model twice, expected different ones. Name each folder once.")
    short = {path.name: path for path in paths}
    return short if len(short) == len(paths) else {str(path): path for path in paths}
