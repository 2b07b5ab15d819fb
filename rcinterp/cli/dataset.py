"""The command line of data sets: built from one's own peaks, or fetched."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from rcinterp.cli._command import Command, Done, Group
from rcinterp.cli._common import OVERWRITE, is_asked, say, shows_progress
from rcinterp.cli._help import option
from rcinterp.cli._types import FILE, FOLDER, GENOME, OUT, SEED, Number, Whole
from rcinterp.files.results import DATASET

_SPLIT_HELP = 'TRAIN/VALID[/TEST]: chromosomes with commas between them, or "rest" for all others.'


_BUILD = """\
rcinterp dataset build --peaks peaks.narrowPeak.gz --negatives dnase.narrowPeak.gz --genome hg19.fa \\
    --split rest/chr1/chr2 --out sequences"""
_FETCH = "rcinterp dataset fetch gm12878-ctcf --out ctcf"


@click.group(
    cls=Group, short_help="Build sequences from peaks and a genome, or fetch some.", example=f"{_BUILD}\n{_FETCH}"
)
def dataset() -> None:
    """Build labelled sequences from peaks and a genome (section 3.3 of the paper), or fetch the paper's."""


@dataset.command(cls=Command, writes=DATASET, example=_BUILD)
@option("--peaks", group="Regions", type=FILE, required=True, help="BED or narrowPeak, plain or gzip: bound regions.")
@option("--summits", group="Regions", type=FILE, help="BED: the peaks' summits, instead of narrowPeak's column 10.")
@option("--negatives", group="Regions", type=FILE, required=True, help="BED or narrowPeak: DNase peaks in the paper.")
@option(
    "--relaxed-peaks",
    group="Regions",
    type=FILE,
    help="BED or narrowPeak that no negative may overlap; --peaks if not given.",
)
@option(
    "--top-relaxed",
    group="Regions",
    type=Whole(1),
    help="Only so many of them, by score: 150000 in the paper.",
)
@option("--genome", group="Windows", type=GENOME, required=True, help="FASTA, plain or bgzip, or a folder.")
@option("--width", group="Windows", type=Whole(1), default=1000, help="Of the windows in bp.")
@option("--split", group="Windows", required=True, help=_SPLIT_HELP)
@option("--max-n", group="Windows", type=Number(0, 1), default=0.0, help="Largest share of N in a window.")
@option(
    "--negatives-per-positive",
    group="Negatives",
    type=Number(0, min_open=True),
    help="Draw so many, not all.",
)
@option(
    "--match-gc", group="Negatives", is_flag=True, help="Draw negatives with the GC contents of the positives, 1 each."
)
@option("--seed", group="Negatives", type=SEED, default=0, help="Of what is drawn.")
@option("--out", group="Output", type=OUT, required=True, help="Folder for the FASTA files and dataset.json.")
def build(
    peaks: Path,
    summits: Path | None,
    negatives: Path,
    relaxed_peaks: Path | None,
    top_relaxed: int | None,
    genome: Path,
    width: int,
    split: str,
    max_n: float,
    negatives_per_positive: float | None,
    match_gc: bool,
    seed: int,
    out: Path,
) -> Done:
    """Cut windows about summits, as {train,valid,test}.{pos,neg}.fa.gz."""
    from rcinterp.data.building import DatasetFiles, DatasetSettings, build_dataset

    files = DatasetFiles(peaks, negatives, genome, summits, relaxed_peaks)
    settings = DatasetSettings(split, width, max_n, top_relaxed, negatives_per_positive, match_gc, seed)
    record = build_dataset(files, out, settings, say, overwrite=is_asked(OVERWRITE))
    return Done(str(out), {"folder": out, **_count(record)}, out)


@dataset.command(cls=Command, writes=DATASET, example=_FETCH)
@click.argument("name", metavar="gm12878-ctcf|gm12878-spi1|gm12878-max")
@option("--chromosomes", group="Windows", help='Those to fetch, or "all"; those of --split if not given.')
@option(
    "--split", group="Windows", help=f"{_SPLIT_HELP} If not given, the paper's: chr21/chr22 (CTCF), rest/chr1/chr2."
)
@option("--width", group="Windows", type=Whole(1), default=1000, help="Of the windows in bp.")
@option(
    "--cache", group="Downloads", type=FOLDER, help="Where downloads are kept; the user's cache folder if not given."
)
@option("--mirror", group="Downloads", help="URL of a copy of UCSC's goldenPath/hg19.")
@option("--out", group="Output", type=OUT, required=True, help="Folder for the FASTA files and dataset.json.")
def fetch(
    name: str, chromosomes: str | None, split: str | None, width: int, cache: Path | None, mirror: str | None, out: Path
) -> Done:
    """Fetch peaks and chromosomes of GM12878 (hg19) from UCSC, and build the paper's data set."""
    from rcinterp.data.fetching import HOME, fetch_dataset

    record = fetch_dataset(
        name,
        out,
        cache=cache,
        mirror=mirror or HOME,
        chromosomes=chromosomes,
        split=split,
        width=width,
        say=say,
        **_chosen(),
    )
    return Done(str(out), {"folder": out, **_count(record)}, out)


def _chosen() -> Any:
    """Keywords that differ from their defaults: bars where a person looks at them, and ``--overwrite``."""
    chosen = {"progress": shows_progress(), "overwrite": is_asked(OVERWRITE)}
    return {name: True for name, is_chosen in chosen.items() if is_chosen}


def _count(record: Mapping[str, Any] | None) -> dict[str, Any]:
    """Sequences of each part and class, by what dataset.json says."""
    sets = {} if record is None else record["sets"]
    return {"windows": {part: {label: one["windows"] for label, one in own.items()} for part, own in sets.items()}}
