"""The command line of a model's performance on a test set."""

import json
from pathlib import Path

import click

from rcinterp.cli._common import FILE, SEED, warn_below_chance


@click.command()
@click.argument("model")
@click.option("--positives", type=FILE, required=True, help="FASTA, plain or gzip; not seen in training or validation.")
@click.option("--negatives", type=FILE, required=True)
@click.option("--target", type=click.IntRange(0), default=0, help="Which output, from 0.")
@click.option("--weights", type=FILE, help="For FILE.py:NAME: its state_dict, .safetensors or of torch.save.")
@click.option("--output", help="For models that return a tuple or dict: the part that is meant, 1 or counts.")
@click.option("--logit", is_flag=True, help="The outputs are probabilities: read their logits.")
@click.option("--seed", type=SEED, default=0, help="Of the bootstrap.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def evaluate(
    model: str,
    positives: Path,
    negatives: Path,
    target: int,
    weights: Path | None,
    output: str | None,
    logit: bool,
    seed: int,
    as_json: bool,
) -> None:
    """Measure how well a model tells positives from negatives, with 95 % intervals, and how its logits are calibrated.

    Where train kept a logistic regression on 6-mers, its auROC and auPRC follow.

    MODEL is a folder that train wrote, or FILE.py:NAME for a model of your own, as for interpret.
    """
    import pandas as pd

    from rcinterp.cli._own_models import choose_output, load_any_model
    from rcinterp.data.sequences import load_sequences
    from rcinterp.reading.reader import Reader
    from rcinterp.training.baseline import KmerBaseline
    from rcinterp.training.evaluation import measure_performance

    reader = Reader(load_any_model(model, weights), target=target, func=choose_output(output, logit))
    sequences = [load_sequences(path, str(path)).x for path in (positives, negatives)]
    with reader.borrowed():
        logits = [reader.logits(x).numpy() for x in sequences]
    found = measure_performance(*logits, seed=seed)
    words = getattr(reader.model, "baseline", None)
    if isinstance(words, KmerBaseline):
        by_words = [words.logits(x)[:, target].numpy() for x in sequences]
        ranked = measure_performance(*by_words, seed=seed).loc[["auroc", "auprc"]]
        found = pd.concat([found, ranked.rename("baseline_{}".format)]).rename_axis("measure")
    warn_below_chance(found["value"]["auroc"])
    if as_json:
        click.echo(json.dumps(json.loads(found.to_json(orient="index")), indent=1))
    else:
        click.echo(found.to_csv(sep="\t", float_format="%.6g"), nl=False)
