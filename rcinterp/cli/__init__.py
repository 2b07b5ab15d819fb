"""The command line: arguments become one call; the only place that prints."""

import difflib
from pathlib import Path
from typing import Any

import click

from rcinterp.cli._common import (
    FILE,
    OUT,
    SEED,
    Commands,
    describe_split,
    describe_start,
    keep_freed_memory,
    say,
    warm_up,
    warn_below_chance,
    warn_of_composition,
)
from rcinterp.cli.dataset import dataset
from rcinterp.cli.evaluate import evaluate
from rcinterp.cli.stability import compare_models
from rcinterp.cli.strands import strands
from rcinterp.cli.study import study
from rcinterp.errors import InputError

# Each command imports what it needs when it runs, so that --help answers at once.


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "show_default": True})
@click.version_option(package_name="rcinterp")
def main() -> None:
    """Train compact models on transcription-factor binding data, and read their filters."""
    keep_freed_memory()


@main.command()
@click.option("--out", type=OUT, default=Path("demo"), help="Folder for the report, models and tables.")
@click.option("--seed", type=SEED, default=0, help="Of the simulation and the models.")
@click.option("--epochs", type=click.IntRange(1), default=20, help="Of at most 5,000 sequences each.")
def demo(out: Path, seed: int, epochs: int) -> None:
    """Simulate CTCF sites, train an RC and a traditional model, and report on their filters (about a minute)."""
    from rcinterp.demo import DemoSettings, run_demo

    warm_up()
    click.echo(run_demo(out, seed=seed, settings=DemoSettings(epochs=epochs), say=say))


@main.command()
@click.option("--motif", default="CTCF_known1", help="Name of the motif to embed.")
@click.option("--motifs", "catalogue", default="encode", help='Where it is: "encode", or a motif file.')
@click.option("--n", "n_per_class", type=click.IntRange(10), default=5000, help="Positives, and as many negatives.")
@click.option("--length", type=click.IntRange(1), default=200, help="In bp.")
@click.option("--valid-fraction", type=click.FloatRange(0, 1, min_open=True, max_open=True), default=0.3)
@click.option("--seed", type=SEED, default=0)
@click.option("--out", type=OUT, required=True, help="Folder for train/valid FASTA files and sites.tsv.")
def simulate(
    motif: str, catalogue: str, n_per_class: int, length: int, valid_fraction: float, seed: int, out: Path
) -> None:
    """Simulate sequences with a motif (section 3.2 of the paper) and background without it, as FASTA files."""
    from rcinterp.data.sequences import decode, write_fasta
    from rcinterp.data.simulation import simulate_background, simulate_motifs
    from rcinterp.motifs import load_motifs

    known = load_motifs(catalogue)
    if motif not in known:
        near = difflib.get_close_matches(motif, known, n=3, cutoff=0) or list(known)[:3]
        raise InputError(f"--motif: {motif!r} is not in {catalogue}, expected a name such as {', '.join(near)}.")
    simulation = simulate_motifs({motif: known[motif]}, n_per_class, length, seed=seed)
    sequences = {"pos": simulation.x, "neg": simulate_background(n_per_class, length, seed=seed)}
    n_train = round((1 - valid_fraction) * n_per_class)
    if not 0 < n_train < n_per_class:
        raise InputError(
            f"--valid-fraction: got {valid_fraction:g} of {n_per_class} sequences, expected a share that leaves at "
            "least one for training and one for validation, e.g. 0.3."
        )
    if (out / "dataset.json").exists():
        raise InputError(
            f"--out: {out} holds a data set that was built from a genome (dataset.json); name another folder."
        )
    out.mkdir(parents=True, exist_ok=True)
    for label, x in sequences.items():
        names = [f"{label}_{i}" for i in range(n_per_class)]
        write_fasta(out / f"train.{label}.fa.gz", decode(x[:n_train]), names[:n_train])
        write_fasta(out / f"valid.{label}.fa.gz", decode(x[n_train:]), names[n_train:])
    sites = simulation.sites.assign(sequence="pos_" + simulation.sites["sequence"].astype(str))
    sites.to_csv(out / "sites.tsv", sep="\t", index=False)
    click.echo(out)


@main.command()
@click.option("--positives", type=FILE, required=True, help="FASTA, plain or gzip: bound sequences.")
@click.option("--negatives", type=FILE, required=True, help="FASTA: unbound sequences of the same length.")
@click.option(
    "--valid-positives",
    type=FILE,
    help="FASTA; best from other chromosomes.  [default: a fifth of the sequences, by chromosome if names tell it]",
)
@click.option("--valid-negatives", type=FILE)
@click.option("--out", type=OUT, required=True, help="Folder for the model; a stopped run in it goes on.")
@click.option("--layers", type=click.IntRange(1), default=1, help="Convolutions: 1 or 3 in the paper.")
@click.option("--filters", type=click.IntRange(1), default=16, help="Independent filters of each.")
@click.option("--width", "widths", type=click.IntRange(1), multiple=True, help="Of each convolution; once a layer.")
@click.option("--pool", type=click.IntRange(1), help="Of the max pooling.  [default: 40, or what fits the length]")
@click.option("--stride", type=click.IntRange(1), help="Of the pooling.  [default: 20, or what fits the length]")
@click.option("--rc/--traditional", default=True, help="Share weights between strands, or not.")
@click.option("--augment/--no-augment", default=False, help="Train on each sequence and its reverse complement.")
@click.option("--recipe", default="seeded", help="Initialisation, optimiser and schedule: seeded, quiet, or paper.")
@click.option("--epochs", type=click.IntRange(1), help="At most.  [default: 20, or 80 for paper]")
@click.option("--patience", type=click.IntRange(1), help="Epochs without gain.  [default: 10 for paper, else no limit]")
@click.option("--batch-size", type=click.IntRange(1), default=100)
@click.option(
    "--precision",
    type=click.Choice(["float32", "bf16-mixed"]),
    default="float32",
    help="Of the forward pass in training; bf16-mixed where the processor calculates in bfloat16.",
)
@click.option(
    "--baseline/--no-baseline", default=True, help="Also train a logistic regression on 6-mers, to compare with."
)
@click.option("--seed", type=SEED, default=0)
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
) -> None:
    """Train a compact model and save its best epoch."""
    from rcinterp.data.datasets import load_dataset
    from rcinterp.data.splitting import split_dataset
    from rcinterp.training.fitting import fit
    from rcinterp.training.models import compact_model, save_model

    how = None
    if valid_positives is not None and valid_negatives is not None:
        train_data, valid_data = load_dataset(positives, negatives), load_dataset(valid_positives, valid_negatives)
    elif valid_positives is None and valid_negatives is None:
        train_data, valid_data, how = split_dataset(load_dataset(positives, negatives), seed=seed)
        say(describe_split(how, valid_data))
    else:
        raise InputError(
            "train: got validation sequences of one class, expected --valid-positives and --valid-negatives, or none."
        )
    model = compact_model(layers, filters, train_data.length, rc=rc, widths=widths or None, pool=pool, stride=stride)
    out.mkdir(parents=True, exist_ok=True)
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
        checkpoint=out / "checkpoint.safetensors",
        baseline=baseline,
    )
    if how is not None:
        model.provenance["split"] = how
    history.to_csv(out / "history.tsv", sep="\t", index=False)
    save_model(model, out)
    best = history[history["is_best"]].iloc[0]
    warn_below_chance(best["valid_auroc"])
    sizes = model.architecture
    say(
        f"{layers} convolution{'s' * (layers > 1)} of width {', '.join(map(str, sizes.widths))}, max pooling "
        f"{sizes.pool}/{sizes.stride}: {sizes.pooled_length} windows in {sizes.length} bp"
    )
    say(f"best epoch {best['epoch']:.0f}: validation auROC {best['valid_auroc']:.4f}, auPRC {best['valid_auprc']:.4f}")
    if "starts" in model.provenance:
        say(describe_start(model.provenance))
    if baseline:
        say(f"a logistic regression on 6-mers: validation auROC {best['baseline_auroc']:.4f}")
    click.echo(out)


@main.command()
@click.argument("model")
@click.option(
    "--positives",
    type=FILE,
    multiple=True,
    required=True,
    help="FASTA, plain or gzip; best not seen in training. Once a file.",
)
@click.option("--negatives", type=FILE, multiple=True, required=True, help="Once a file.")
@click.option("--motifs", default="encode", help='Known motifs: "encode", or a motif file of any format.')
@click.option("--motifs-from", type=click.Choice(["sites", "weights", "likelihood"]), default="sites")
@click.option("--layer", help="Name of the convolution.  [default: the first one over the sequence]")
@click.option("--target", type=click.IntRange(0), default=0, help="Which output.")
@click.option(
    "--method",
    type=click.Choice(["gradient_x_activation", "ablation", "integrated_gradients", "deeplift"]),
    default="gradient_x_activation",
    help="How contributions are measured.",
)
@click.option("--flank", type=click.IntRange(0), default=0, help="Further bp beside each site that a motif may show.")
@click.option("--weights", type=FILE, help="For FILE.py:NAME: its state_dict, .safetensors or of torch.save.")
@click.option("--output", help="For models that return a tuple or dict: the part that is meant, 1 or counts.")
@click.option("--logit", is_flag=True, help="The outputs are probabilities: read their logits.")
@click.option("--faithfulness/--no-faithfulness", default=True, help="Compare contributions with exact ablation.")
@click.option("--scheduler", help="Address of a Dask scheduler, whose workers read the sequences.")
@click.option("--out", type=OUT, required=True, help="Folder for the tables, logos and report.")
def interpret(
    model: str,
    positives: tuple[Path, ...],
    negatives: tuple[Path, ...],
    motifs: str,
    motifs_from: Any,
    layer: str | None,
    target: int,
    method: Any,
    flank: int,
    weights: Path | None,
    output: str | None,
    logit: bool,
    faithfulness: bool,
    scheduler: str | None,
    out: Path,
) -> None:
    """Read the filters of a trained model: contributions, palindromes, matches, logos, report.html.

    MODEL is a folder that train wrote, or FILE.py:NAME for a model of your own: an nn.Module in a Python file, or a
    function there that makes one. The file's code is run.
    """
    from rcinterp.cli._own_models import choose_output, load_any_model
    from rcinterp.interpretation import interpret

    loaded = load_any_model(model, weights)
    warm_up()
    found = interpret(
        loaded,
        list(positives),
        list(negatives),
        motifs,
        layer,
        target,
        motifs_from=motifs_from,
        method=method,
        flank=flank,
        func=choose_output(output, logit),
        measure_faithfulness=faithfulness,
        scheduler=scheduler,
    )
    warn_below_chance(found.performance["auroc"])
    click.echo(found.save(out, f"Filters of {Path(model).name}"))


@main.command()
@click.argument("queries", type=FILE)
@click.option("--motifs", default="encode", help='Known motifs: "encode", or a motif file.')
@click.option("--distance", type=click.Choice(["euclidean", "pearson"]), default="euclidean", help="Of two columns.")
@click.option("--background", help='For few known motifs: "encode", or a motif file whose columns join theirs.')
@click.option("--group-by", type=click.Choice(["family", "similarity"]), help="Keep the best match of each group.")
@click.option("--max-q-value", type=click.FloatRange(0, 1, min_open=True), default=0.5, help="Largest q-value kept.")
@click.option("--out", type=FILE, help="File for the table (standard output if not given).")
def compare(
    queries: Path,
    motifs: str,
    distance: str,
    background: str | None,
    group_by: str | None,
    max_q_value: float,
    out: Path | None,
) -> None:
    """Compare the motifs of a file with known ones; prints MEME Tomtom's table.

    Files may be in the format of MEME, JASPAR, TRANSFAC, HOMER, ENCODE or pfm, plain or gzipped.
    """
    from rcinterp.comparison import compare_motifs, find_uninformative, format_matches
    from rcinterp.motifs.groups import best_groups, group_motifs, name_families

    if distance == "euclidean":
        warm_up()
    table = compare_motifs(queries, motifs, distance=distance, background=background, max_q_value=max_q_value)
    warn_of_composition(table, queries, motifs)
    if table.empty:
        say(f"no motif of {queries} has a match with q <= {max_q_value:g}; --max-q-value 1 shows the nearest ones")
    if group_by is not None:
        table = best_groups(table, group_motifs(motifs) if group_by == "similarity" else name_families(motifs))
    text = format_matches(table, find_uninformative(queries))
    if out is None:
        click.echo(text, nl=False)
    else:
        out.write_text(text, encoding="utf-8")
        click.echo(out)


main.add_command(compare_models)
main.add_command(strands)
main.add_command(evaluate)
main.add_command(dataset)
main.add_command(study)
