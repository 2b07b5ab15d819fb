"""The command line of simulated sequences."""

from pathlib import Path

import click

from rcinterp.cli._command import Command, Done
from rcinterp.cli._help import option
from rcinterp.cli._types import MOTIFS, OUT, SEED, Number, Whole
from rcinterp.errors import InputError, nearest_names
from rcinterp.files import whole_folder, write_table
from rcinterp.files.results import SIMULATION


@click.command(
    cls=Command,
    writes=SIMULATION,
    short_help="Simulate sequences with a motif, and without it.",
    example="rcinterp simulate --motif CTCF_known1 --n 500 --out data",
)
@option("--motif", default="CTCF_known1", group="Motif", help="Name of the motif to embed.")
@option(
    "--motifs",
    "catalogue",
    type=MOTIFS,
    default="encode",
    group="Motif",
    help='Where it is: "encode", or a motif file.',
)
@option(
    "--n",
    "n_per_class",
    type=Whole(10),
    default=5000,
    group="Sequences",
    help="Positives, and as many negatives.",
)
@option("--length", type=Whole(1), default=200, group="Sequences", help="In bp.")
@option(
    "--valid-fraction",
    type=Number(0, 1, min_open=True, max_open=True),
    default=0.3,
    group="Sequences",
    help="Share of them kept for validation.",
)
@option("--seed", type=SEED, default=0, group="Sequences", help="Of what is drawn.")
@option("--out", type=OUT, required=True, group="Output", help="Folder for train/valid FASTA files and sites.tsv.")
def simulate(
    motif: str, catalogue: str, n_per_class: int, length: int, valid_fraction: float, seed: int, out: Path
) -> Done:
    """Simulate sequences with a motif (section 3.2 of the paper) and background without it, as FASTA files."""
    from rcinterp.data.sequences import decode, write_fasta
    from rcinterp.data.simulation import simulate_background, simulate_motifs
    from rcinterp.motifs import load_motifs

    known = load_motifs(catalogue)
    if motif not in known:
        near = ", ".join(nearest_names(motif, known))
        raise InputError(f"--motif: {motif!r} is not in {catalogue}, expected a name such as {near}.")
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
    sites = simulation.sites.assign(sequence="pos_" + simulation.sites["sequence"].astype(str))
    with whole_folder(out, SIMULATION) as part:
        for label, x in sequences.items():
            names = [f"{label}_{i}" for i in range(n_per_class)]
            write_fasta(part / f"train.{label}.fa.gz", decode(x[:n_train]), names[:n_train])
            write_fasta(part / f"valid.{label}.fa.gz", decode(x[n_train:]), names[n_train:])
        write_table(part / "sites.tsv", sites)
    numbers = {"positives": n_per_class, "negatives": n_per_class, "training_share": n_train / n_per_class}
    return Done(str(out), {"folder": out, **numbers, "sites": len(sites)}, out)
