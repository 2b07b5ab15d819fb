"""The command line of a model's performance on a test set."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rcinterp.cli._command import Command, Done
from rcinterp.cli._common import warn, warn_below_chance
from rcinterp.cli._help import option
from rcinterp.cli._reading import RUN, TARGET, WEIGHTS, find_targets, run_options, together, with_as_many_names
from rcinterp.cli._types import FILE, MODEL, SEED

if TYPE_CHECKING:
    from torch import Tensor

_EXAMPLE = "rcinterp evaluate model --positives data/valid.pos.fa.gz --negatives data/valid.neg.fa.gz"


@click.command(cls=Command, short_help="Measure how well a model tells two classes apart.", example=_EXAMPLE)
@click.argument("model", type=MODEL)
@option(
    "--positives",
    type=FILE,
    required=True,
    group="Sequences",
    help="FASTA, plain or gzip; not seen in training or validation.",
)
@option("--negatives", type=FILE, required=True, group="Sequences", help="FASTA.")
@together(WEIGHTS, RUN, TARGET)
@option("--seed", type=SEED, default=0, group="What is measured", help="Of the bootstrap.")
def evaluate(
    model: str,
    positives: Path,
    negatives: Path,
    weights: Path | None,
    output: str | None,
    logit: bool,
    further: tuple[str, ...],
    device: str | None,
    batch_size: int,
    target: str,
    target_names: Path | None,
    seed: int,
) -> Done:
    """Measure how well a model tells positives from negatives, with 95 % intervals, and how its logits are calibrated.

    Where train kept a logistic regression on 6-mers, its auROC and auPRC follow. No file is written.

    MODEL is a folder that train wrote, or FILE.py:NAME for a model of your own, as for interpret.
    """
    import pandas as pd

    from rcinterp.cli._own_models import load_any_model, warn_of_own_weights
    from rcinterp.data.datasets import digest_of_classes
    from rcinterp.data.leakage import find_repeats
    from rcinterp.data.sequences import load_sequences
    from rcinterp.reading.reader import Reader
    from rcinterp.training.baseline import KmerBaseline
    from rcinterp.training.evaluation import measure_performance
    from rcinterp.training.performance import TRAINED_ON, was_trained_on

    loaded = load_any_model(model, weights)
    (number,) = find_targets([target], target_names, loaded)
    run = run_options(output, logit, further, device, batch_size)
    run["func"] = with_as_many_names(run["func"], target_names, loaded)
    sequences = [load_sequences(path, str(path)).x for path in (positives, negatives)]
    given = _with_further(sequences, run.pop("args"))
    reader = Reader(loaded, target=number, **run)
    with reader.borrowed():
        logits = [reader.logits(x).numpy() for x in given]
    found = measure_performance(*logits, seed=seed)
    words = getattr(reader.model, "baseline", None)
    if isinstance(words, KmerBaseline):
        by_words = [words.logits(x)[:, number].numpy() for x in sequences]
        ranked = measure_performance(*by_words, seed=seed).loc[["auroc", "auprc"]]
        found = pd.concat([found, ranked.rename("baseline_{}".format)]).rename_axis("measure")
    warn_below_chance(found["value"]["auroc"], reader.n_outputs, number)
    without = found.index[found["low"].isna()].drop("calibration_error").tolist()  # it never has one
    if without:
        warn(
            f"{', '.join(without)}: no 95 % interval (low and high are empty), as hardly any sequence is ranked "
            "wrongly, which does not tell how many others would be; more sequences would."
        )
    if was_trained_on(reader.model, lambda: digest_of_classes(*sequences)):
        warn(f"{TRAINED_ON}.")
    for message in find_repeats(*sequences).messages():
        warn(message)
    warn_of_own_weights([(model, weights)])
    measures = json.loads(found.to_json(orient="index", double_precision=15))
    return Done(found.to_csv(sep="\t", float_format="%.6g"), measures)


def _with_further(sequences: "list[Tensor]", further: "tuple[Tensor, ...] | None") -> list[Any]:
    """Sequences of each class, with the rows of the further inputs that are theirs."""
    from rcinterp.reading.inputs import rows_of_args

    if further is None:
        return list(sequences)
    n = len(sequences[0])
    rows = rows_of_args(further, n + len(sequences[1]))
    return [
        (sequences[0], *(value[:n] for value in rows)),
        (sequences[1], *(value[n:] for value in rows)),
    ]
