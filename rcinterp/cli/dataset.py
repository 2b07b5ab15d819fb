"""The command line of data sets: built from one's own peaks, or fetched."""

from pathlib import Path

import click

from rcinterp.cli._common import FILE, FOLDER, OUT, SEED, say

_SPLIT_HELP = 'TRAIN/VALID[/TEST]: chromosomes with commas between them, or "rest" for all others.'


@click.group()
def dataset() -> None:
    """Build labelled sequences from peaks and a genome (section 3.3 of the paper), or fetch the paper's."""


@dataset.command()
@click.option("--peaks", type=FILE, required=True, help="BED or narrowPeak, plain or gzip: bound regions.")
@click.option("--summits", type=FILE, help="BED: the peaks' summits, instead of narrowPeak's column 10.")
@click.option("--negatives", type=FILE, required=True, help="BED or narrowPeak: DNase peaks in the paper.")
@click.option(
    "--relaxed-peaks", type=FILE, help="BED or narrowPeak that no negative may overlap; --peaks if not given."
)
@click.option("--top-relaxed", type=click.IntRange(1), help="Only so many of them, by score: 150000 in the paper.")
@click.option("--genome", type=click.Path(path_type=Path), required=True, help="FASTA, plain or bgzip, or a folder.")
@click.option("--width", type=click.IntRange(1), default=1000, help="Of the windows in bp.")
@click.option("--split", required=True, help=_SPLIT_HELP)
@click.option("--max-n", type=click.FloatRange(0, 1), default=0.0, help="Largest share of N in a window.")
@click.option("--negatives-per-positive", type=click.FloatRange(0, min_open=True), help="Draw so many, not all.")
@click.option("--match-gc", is_flag=True, help="Draw negatives with the GC contents of the positives, 1 each.")
@click.option("--seed", type=SEED, default=0, help="Of what is drawn.")
@click.option("--out", type=OUT, required=True, help="Folder for the FASTA files and dataset.json.")
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
) -> None:
    """Cut windows about summits, as {train,valid,test}.{pos,neg}.fa.gz."""
    from rcinterp.data.building import DatasetFiles, DatasetSettings, build_dataset

    files = DatasetFiles(peaks, negatives, genome, summits, relaxed_peaks)
    settings = DatasetSettings(split, width, max_n, top_relaxed, negatives_per_positive, match_gc, seed)
    build_dataset(files, out, settings, say)
    click.echo(out)


@dataset.command()
@click.argument("name", metavar="gm12878-ctcf|gm12878-spi1|gm12878-max")
@click.option("--chromosomes", help='Those to fetch, or "all"; those of --split if not given.')
@click.option("--split", help=f"{_SPLIT_HELP} If not given, the paper's: chr21/chr22 (CTCF), rest/chr1/chr2.")
@click.option("--width", type=click.IntRange(1), default=1000, help="Of the windows in bp.")
@click.option("--cache", type=FOLDER, help="Where downloads are kept; the user's cache folder if not given.")
@click.option("--mirror", help="URL of a copy of UCSC's goldenPath/hg19.")
@click.option("--out", type=OUT, required=True, help="Folder for the FASTA files and dataset.json.")
def fetch(
    name: str, chromosomes: str | None, split: str | None, width: int, cache: Path | None, mirror: str | None, out: Path
) -> None:
    """Fetch peaks and chromosomes of GM12878 (hg19) from UCSC, and build the paper's data set."""
    from rcinterp.data.fetching import HOME, fetch_dataset

    fetch_dataset(
        name,
        out,
        cache=cache,
        mirror=mirror or HOME,
        chromosomes=chromosomes,
        split=split,
        width=width,
        say=say,
    )
    click.echo(out)
