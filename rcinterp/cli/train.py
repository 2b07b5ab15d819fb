"""The command line of training."""

from pathlib import Path
from typing import Any

import click

from rcinterp.cli._command import Command, Done
from rcinterp.cli._common import quiet_fit, say, warn, warn_below_chance
from rcinterp.cli._help import option
from rcinterp.cli._types import FILE, OUT, SEED, Whole
from rcinterp.errors import InputError
from rcinterp.files import whole_folder, write_table
from rcinterp.files.results import TRAINING

_EXAMPLE = """\
rcinterp train --positives data/train.pos.fa.gz --negatives data/train.neg.fa.gz \\
    --valid-positives data/valid.pos.fa.gz --valid-negatives data/valid.neg.fa.gz --out model"""


@click.command(
    cls=Command, writes=TRAINING, short_help="Train a compact model and save its best epoch.", example=_EXAMPLE
)
@option("--positives", type=FILE, required=True, group="Sequences", help="FASTA, plain or gzip: bound sequences.")
@option("--negatives", type=FILE, required=True, group="Sequences", help="FASTA: unbound sequences of the same length.")
@option(
    "--valid-positives",
    type=FILE,
    group="Sequences",
    help="FASTA; best from other chromosomes.  [default: a fifth of the sequences, by chromosome if names tell it]",
)
@option("--valid-negatives", type=FILE, group="Sequences", help="FASTA; with --valid-positives.")
@option("--layers", type=Whole(1), default=1, group="Model", help="Convolutions: 1 or 3 in the paper.")
@option("--filters", type=Whole(1), default=16, group="Model", help="Independent filters of each.")
@option("--width", "widths", type=Whole(1), multiple=True, group="Model", help="Of each convolution; once a layer.")
@option("--pool", type=Whole(1), group="Model", help="Of the max pooling.  [default: 40, or what fits the length]")
@option("--stride", type=Whole(1), group="Model", help="Of the pooling.  [default: 20, or what fits the length]")
@option("--rc/--traditional", default=True, group="Model", help="Share weights between strands, or not.")
@option(
    "--augment/--no-augment",
    default=False,
    group="Training",
    help="Train on each sequence and its reverse complement.",
)
@option(
    "--recipe",
    default="seeded",
    group="Training",
    help="Initialisation, optimiser and schedule: seeded, quiet, or paper.",
)
@option("--epochs", type=Whole(1), group="Training", help="At most.  [default: 20, or 80 for paper]")
@option(
    "--patience",
    type=Whole(1),
    group="Training",
    help="Epochs without gain.  [default: 10 for paper, else no limit]",
)
@option("--batch-size", type=Whole(1), default=100, group="Training", help="Sequences of a step.")
@option(
    "--precision",
    type=click.Choice(["float32", "bf16-mixed"]),
    default="float32",
    group="Training",
    help="Of the forward pass in training; bf16-mixed where the processor calculates in bfloat16.",
)
@option(
    "--baseline/--no-baseline",
    default=True,
    group="Training",
    help="Also train a logistic regression on 6-mers, to compare with.",
)
@option("--seed", type=SEED, default=0, group="Training", help="Of the weights and the order of the sequences.")
@option("--out", type=OUT, required=True, group="Output", help="Folder for the model; a stopped run in it goes on.")
def train(
    positives: Path,
    negatives: Path,
    valid_positives: Path | None,
    valid_negatives: Path | None,
    out: Path,
    layers: int,
    filters: int,
    widths: tuple[int, ...],
    pool: int | None,
    stride: int | None,
    rc: bool,
    augment: bool,
    recipe: str,
    epochs: int | None,
    patience: int | None,
    batch_size: int,
    precision: str,
    baseline: bool,
    seed: int,
) -> Done:
    """Train a compact model and save its best epoch.

    Without validation files, a fifth of the sequences is held out: whole chromosomes, if the names tell them.
    """
    from rcinterp.data.datasets import load_dataset
    from rcinterp.data.splitting import split_dataset
    from rcinterp.training.fitting import fit
    from rcinterp.training.models import compact_model
    from rcinterp.training.saving import save_model

    how = data = None
    if valid_positives is not None and valid_negatives is not None:
        train_data, valid_data = load_dataset(positives, negatives), load_dataset(valid_positives, valid_negatives)
    elif valid_positives is None and valid_negatives is None:
        data = load_dataset(positives, negatives)
        train_data, valid_data, how = split_dataset(data, seed=seed)
        say(_describe_split(how, valid_data))
    else:
        raise InputError(
            "train: got validation sequences of one class, expected --valid-positives and --valid-negatives, or none."
        )
    model = compact_model(layers, filters, train_data.length, rc=rc, widths=widths or None, pool=pool, stride=stride)
    checkpoint = out / "checkpoint.safetensors"
    try:
        history = fit(
            model,
            train_data,
            valid_data,
            seed=seed,
            recipe=recipe,
            epochs=epochs,
            patience="recipe" if patience is None else patience,
            batch_size=batch_size,
            augment=augment,
            precision=precision,
            checkpoint=checkpoint,
            baseline=baseline,
            **quiet_fit(),
        )
    except KeyboardInterrupt:
        if checkpoint.exists():
            warn(f"stopped; the same command goes on from {checkpoint}")
        raise
    if how is not None and data is not None:
        model.provenance |= {"split": how, "data_sha256": data.sha256}
    with whole_folder(out, TRAINING) as part:
        write_table(part / "history.tsv", history)
        save_model(model, part)
    best = history[history["is_best"]].iloc[0]
    warn_below_chance(best["valid_auroc"])
    sizes = model.architecture
    say(
        f"{layers} convolution{'s' * (layers > 1)} of width {', '.join(map(str, sizes.widths))}, max pooling "
        f"{sizes.pool}/{sizes.stride}: {sizes.pooled_length} windows in {sizes.length} bp"
    )
    say(f"best epoch {best['epoch']:.0f}: validation auROC {best['valid_auroc']:.4f}, auPRC {best['valid_auprc']:.4f}")
    if "starts" in model.provenance:
        say(_describe_start(model.provenance))
    if baseline:
        say(f"a logistic regression on 6-mers: validation auROC {best['baseline_auroc']:.4f}")
    return Done(str(out), _result(out, best, len(history)), out, _chosen(model, history))


def _result(out: Path, best: Any, n_epochs: int) -> dict[str, Any]:
    """The main numbers."""
    names = [name for name in ("valid_auroc", "valid_auprc", "valid_loss", "baseline_auroc") if name in best]
    return {"folder": out, "epochs": n_epochs, "best_epoch": int(best["epoch"]), **{name: best[name] for name in names}}


def _chosen(model: Any, history: Any) -> dict[str, Any]:
    """What was left to the command."""
    sizes, split = model.architecture, model.provenance.get("split", {})
    sized = {"width": list(sizes.widths), "pool": sizes.pool, "stride": sizes.stride, "epochs": len(history)}
    threads = model.provenance.get("threads")  # of a training that went on on another number
    return {**sized, **({"validation": split} if split else {}), **({"threads": threads} if threads else {})}


def _describe_split(how: dict[str, Any], valid: Any) -> str:
    """How validation sequences were held out."""
    if how["by"] == "chromosome":
        return f"validation: {len(valid)} sequences of {', '.join(how['valid_chromosomes'])}, held out of training"
    return (
        f"validation: {len(valid)} sequences drawn at random (seed {how['seed']}), as their names tell no chromosomes "
        "or only one; sequences of other chromosomes would tell more"
    )


def _describe_start(provenance: dict[str, Any]) -> str:
    """From which words filters started."""
    words, starts, taken = provenance["words"], provenance["starts"], provenance["start"]
    others = ", ".join(f"{name} {auroc:.4f}" for name, auroc in starts.items() if name != taken)
    beside = f" (validation auROC with the start from {others})" if others else ""
    more = "" if len(words) <= 6 else f" and {len(words) - 6} more"
    return f"filters started from {taken}{beside}; words: {', '.join(words[:6])}{more}"
