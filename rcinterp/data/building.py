"""Data sets of windows, built: split, negatives chosen, written to a folder, as section 3.3 of the paper does."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import pooch

from rcinterp.data.coded import load_for_reading
from rcinterp.data.genome import Genome, GenomeInput
from rcinterp.data.leakage import keys_of, repeats_of
from rcinterp.data.negatives import draw_negatives
from rcinterp.data.regions import overlap_any, read_regions, take_summits
from rcinterp.data.sequences import write_fasta
from rcinterp.data.windows import ABSENT, Windows, cut_windows, describe_left_out, name_some, place_windows
from rcinterp.errors import InputError, require_whole
from rcinterp.files import digest_of_file, finish, is_pipe, whole_folder, write_at_once
from rcinterp.files.paths import is_aside
from rcinterp.files.proofs import removable
from rcinterp.files.results import DATASET

#: What a split calls all chromosomes that it does not name.
REST = "rest"

_PARTS, _LABELS = ("train", "valid", "test"), ("pos", "neg")

#: Negatives of each positive, at most.
_MOST_NEGATIVES = 10**6


@dataclass(frozen=True)
class DatasetFiles:
    """What a data set is built from: BED or narrowPeak files and a genome; relaxed_peaks left out: peaks."""

    peaks: str | os.PathLike[str]
    negatives: str | os.PathLike[str]
    genome: GenomeInput
    summits: str | os.PathLike[str] | None = None
    relaxed_peaks: str | os.PathLike[str] | None = None


@dataclass(frozen=True)
class DatasetSettings:
    """How a data set is built.

    Parameters
    ----------
    split : str
        As `parse_split` takes it, e.g. chr21/chr22.
    width : int, default 1000
        Of the windows in bp.
    max_n : float, default 0.0
        The largest share of N in a window.
    top_relaxed : int, optional
        Only so many relaxed peaks, of the highest score (150,000 in the paper); left out, all.
    negatives_per_positive : float, optional
        So many are drawn for each positive, or as many as there are; left out, all are kept, or 1 with match_gc.
    match_gc : bool, default False
        Draw negatives whose GC contents are distributed as the positives', in 20 bins of 5 %.
    seed : int, default 0
        Of what is drawn.
    """

    split: str
    width: int = 1000
    max_n: float = 0.0
    top_relaxed: int | None = None
    negatives_per_positive: float | None = None
    match_gc: bool = False
    seed: int = 0


def parse_split(split: str, chromosomes: Iterable[str]) -> dict[str, list[str]]:
    """Return the chromosomes of each part of a split.

    Parameters
    ----------
    split : str
        TRAIN/VALID or TRAIN/VALID/TEST, each chromosomes with commas between them; "rest" is all that are not named.
    chromosomes : iterable of str
        All there are.

    Raises
    ------
    InputError
        For another number of parts, an unknown chromosome, one that is named twice, or a part without any.

    Examples
    --------
    >>> parse_split("rest/chr1/chr2", ["chr1", "chr2", "chr3", "chr4"])
    {'train': ['chr3', 'chr4'], 'valid': ['chr1'], 'test': ['chr2']}
    """
    known = list(chromosomes)
    parts = [[name.strip() for name in part.split(",")] for part in split.split("/")]
    named = [name for part in parts for name in part]
    if len(parts) not in (2, 3) or not all(named):
        raise InputError(
            f"split: got {split!r}, expected chromosomes as TRAIN/VALID or TRAIN/VALID/TEST, e.g. chr21/chr22."
        )
    for name in named:
        if named.count(name) > 1:
            raise InputError(
                f"split: {name} is named twice in {split!r}, expected each chromosome in one part; remove one."
            )
        if name not in (*known, REST):
            near = [chrom for chrom in known if chrom in (f"chr{name}", name.removeprefix("chr"))]
            advice = f"write {near[0]}" if near else "check its name, and which chromosomes the genome has"
            raise InputError(f"split: {name} is none of the genome's chromosomes ({name_some(known)}); {advice}.")
    rest = [chrom for chrom in known if chrom not in named]
    if REST in named and not rest:
        raise InputError(f"split: {split!r} names every chromosome, expected some left for {REST!r}; remove it.")
    expanded = ([chrom for name in part for chrom in (rest if name == REST else [name])] for part in parts)
    return dict(zip(_PARTS, expanded, strict=False))


def build_dataset(
    files: DatasetFiles,
    out: str | os.PathLike[str],
    settings: DatasetSettings,
    say: Callable[[str], None] = lambda message: None,
    *,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Build training, validation and test sets of windows, and write them to a folder.

    Parameters
    ----------
    files : DatasetFiles
        Peaks (the positives), negatives and genome.
    out : path
        The folder; an earlier data set that this function wrote there is replaced.
    settings : DatasetSettings
        Split, width and rules.
    say : callable, optional
        Called with each message: what was read, and how many windows each set has.
    overwrite : bool
        Replace files of these names in the folder that no data set built here has.

    Returns
    -------
    dict
        What `dataset.json` holds: settings, the inputs' names and SHA-256, each part's chromosomes, counts of windows
        and of what was left out by reason, and the SHA-256 of each file of sequences.

    Raises
    ------
    InputError
        For input that cannot be read, a bad split, a set without any window, or a folder with another's sequences.

    Notes
    -----
    A negative is left out if its region or its window shares 1 bp with a relaxed peak or a peak; the paper asks it of
    the region and the relaxed peaks. `{train,valid,test}.{pos,neg}.fa.gz` appear at the end, and `dataset.json` last.
    The same input gives the same bytes.

    References
    ----------
    Section 3.3 of the paper.
    """
    _check_settings(settings, files)
    check_place(Path(out), overwrite)
    regions = {"pos": _read_peaks(files, say), "neg": _read_named(files.negatives, say)}
    avoided = _read_avoided(files, settings, regions["pos"], say)
    with Genome(files.genome) as genome:
        parts = parse_split(settings.split, genome.lengths)
        sets = {}
        for part, chromosomes in parts.items():
            sets[part] = _build_part(part, chromosomes, regions, avoided, genome, settings)
            _report_part(part, chromosomes, sets[part], regions, say)
        used = [chrom for chromosomes in parts.values() for chrom in chromosomes]
        record: dict[str, Any] = {
            "rcinterp": _version(),
            "settings": asdict(settings),
            "inputs": _describe_inputs(files, genome.files(used)),
            "chromosomes": parts,
            "regions": {label: _count_regions(regions[label], genome, used) for label in _LABELS},
            "sets": {part: {label: _describe(w) for label, w in built.items()} for part, built in sets.items()},
        }
    record["repeats"] = _count_repeats(sets)
    for found in _describe_repeats(record["repeats"]):
        say(f"Warning: {found}")
    for label, counts in record["regions"].items():
        say(f"{label}, regions of no part: {describe_left_out(counts['left_out'])}")
    _write_dataset(Path(out), sets, record, overwrite)
    return record


def _check_settings(settings: DatasetSettings, files: DatasetFiles) -> None:
    ratio, top = settings.negatives_per_positive, settings.top_relaxed
    if ratio is not None and not 0 < ratio <= _MOST_NEGATIVES:
        raise InputError(
            f"negatives_per_positive: got {ratio:g}, expected a positive number up to {_MOST_NEGATIVES:,}, e.g. 1."
        )
    if top is not None:
        require_whole("top_relaxed", top, 1)
    if top is not None and files.relaxed_peaks is None:
        raise InputError(
            f"top_relaxed: got {top}, but no relaxed peaks, and negatives may overlap none of the peaks themselves; "
            "name relaxed peaks, or leave top_relaxed out."
        )


def _read_named(path: str | os.PathLike[str], say: Callable[[str], None]) -> pd.DataFrame:
    regions = read_regions(path)
    n_without = int((~regions["has_summit"]).sum())
    note = f", {n_without} of them without a summit: their centre is taken" if n_without else ""
    say(f"{Path(path).name}: {len(regions)} regions{note}")
    return regions


def _read_peaks(files: DatasetFiles, say: Callable[[str], None]) -> pd.DataFrame:
    if files.summits is None:
        return _read_named(files.peaks, say)
    taken = take_summits(read_regions(files.peaks), read_regions(files.summits))
    n_taken = int(taken["has_summit"].sum())
    say(
        f"{Path(files.peaks).name}: {len(taken)} regions, {n_taken} of them with a summit of "
        f"{Path(files.summits).name}; the others keep their own or their centre"
    )
    return taken


def _read_avoided(
    files: DatasetFiles, settings: DatasetSettings, peaks: pd.DataFrame, say: Callable[[str], None]
) -> pd.DataFrame:
    """Return the regions that no negative may overlap: the relaxed peaks, and the peaks themselves."""
    if files.relaxed_peaks is None:
        say(f"no relaxed peaks given: {Path(files.peaks).name} stands in for them")
        return peaks
    relaxed = read_regions(files.relaxed_peaks)
    if settings.top_relaxed is not None:
        if relaxed["score"].isna().any():
            raise InputError(
                f"{files.relaxed_peaks}: has regions without a score, expected one (narrowPeak's column "
                "7, BED's column 5) by which to rank them; leave out top_relaxed to keep all."
            )
        relaxed = relaxed.sort_values("score", ascending=False, kind="stable").head(settings.top_relaxed)
    return pd.concat([relaxed, peaks], ignore_index=True)


def _build_part(
    part: str,
    chromosomes: list[str],
    regions: dict[str, pd.DataFrame],
    avoided: pd.DataFrame,
    genome: Genome,
    settings: DatasetSettings,
) -> dict[str, Windows]:
    pos, neg = (regions[label][regions[label]["chrom"].isin(chromosomes)] for label in _LABELS)
    positives = cut_windows(pos, genome, settings.width, settings.max_n)
    overlapping = overlap_any(neg, avoided) | overlap_any(place_windows(neg, settings.width), avoided)
    negatives = cut_windows(neg[~overlapping], genome, settings.width, settings.max_n)
    table, n_wanted = negatives.table, None
    if settings.negatives_per_positive is not None or settings.match_gc:
        rng = np.random.default_rng([settings.seed, _PARTS.index(part)])
        per_positive = 1.0 if settings.negatives_per_positive is None else settings.negatives_per_positive
        chosen, n_wanted = draw_negatives(
            positives.table["sequence"], table["sequence"], per_positive, settings.match_gc, rng
        )
        table = table.iloc[chosen]
    left_out = {
        "overlaps a peak": int(overlapping.sum()),
        **negatives.left_out,
        "not drawn": len(negatives.table) - len(table),
    }
    return {"pos": positives, "neg": Windows(table, left_out, n_wanted)}


def _report_part(
    part: str,
    chromosomes: list[str],
    built: dict[str, Windows],
    regions: dict[str, pd.DataFrame],
    say: Callable[[str], None],
) -> None:
    for label, windows in built.items():
        wanted = "" if windows.n_wanted is None else f" of {windows.n_wanted} wanted"
        left_out = describe_left_out(windows.left_out)
        if windows.table.empty:
            chrom = regions[label]["chrom"].iloc[0]
            raise InputError(
                f"{part}.{label}: no window is left on {name_some(chromosomes)} ({left_out}), expected some; check "
                f"the split, and that all files name chromosomes alike ({chrom!r} in this)."
            )
        say(f"{part}.{label} ({name_some(chromosomes)}): {len(windows.table)} windows{wanted}; {left_out}")


def _count_repeats(sets: Mapping[str, Mapping[str, Windows]]) -> dict[str, dict[str, int]]:
    """Of each part: windows that stand twice in a class or in both, or in the training set too, on either strand."""
    keys = {
        part: {label: keys_of(load_for_reading(windows.sequences)[0]) for label, windows in built.items()}
        for part, built in sets.items()
    }
    found = {}
    for part, of in keys.items():
        repeats = repeats_of(of["pos"], of["neg"])
        found[part] = {
            "in_both_classes": repeats.in_both,
            "twice_in_pos": repeats.in_positives,
            "twice_in_neg": repeats.in_negatives,
        }
        if part != "train":
            in_train = set(keys["train"]["pos"]) | set(keys["train"]["neg"])
            found[part]["in_train"] = sum(key in in_train for label in _LABELS for key in of[label])
    return found


def _describe_repeats(repeats: Mapping[str, Mapping[str, int]]) -> list[str]:
    """One sentence on each kind that was found."""
    words = {
        "in_both_classes": "stand both in the positives and in the negatives",
        "twice_in_pos": "of the positives stand there more than once",
        "twice_in_neg": "of the negatives stand there more than once",
        "in_train": "also stand in the training set",
    }
    return [
        f"{part}: {n} windows {words[kind]}, as they are or as their reverse complement"
        for part, counts in repeats.items()
        for kind, n in counts.items()
        if n
    ]


def _count_regions(regions: pd.DataFrame, genome: Genome, used: list[str]) -> dict[str, Any]:
    n_known, n_used = (int(regions["chrom"].isin(list(names)).sum()) for names in (genome.lengths, used))
    return {
        "regions": len(regions),
        "left_out": {ABSENT: len(regions) - n_known, "chromosome in no part": n_known - n_used},
    }


def _describe(windows: Windows) -> dict[str, Any]:
    wanted = {} if windows.n_wanted is None else {"wanted": windows.n_wanted}
    return {"windows": len(windows.table), **wanted, "left_out": windows.left_out}


def _describe_inputs(files: DatasetFiles, genome_files: list[Path]) -> dict[str, list[dict[str, str]]]:
    """Return the name and SHA-256 of each input; no folder, so that the record is the same on another machine."""
    paths = {name: [Path(path)] for name, path in vars(files).items() if name != "genome" and path is not None}
    paths["genome"] = genome_files
    return {name: [{"name": p.name, "sha256": _digest(p)} for p in group] for name, group in paths.items()}


def _digest(path: Path) -> str:
    if is_pipe(path):  # another name for the same content would be another record
        return "read from a pipe"
    digest: str = pooch.file_hash(str(path))
    return digest


def _version() -> str:
    try:
        return version("rcinterp")
    except PackageNotFoundError:
        return "unknown"


def check_place(out: Path, overwrite: bool = False) -> None:
    """Refuse a folder that cannot be written, or that holds sequences of another origin, to be mixed up or lost.

    With `overwrite`, those of the names that a data set has are lost.
    """
    there = next(place for place in (out, *out.absolute().parents) if place.exists())
    try:
        with TemporaryDirectory(dir=there):
            pass
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(out)) from None
    finish(out)
    own = {*DATASET} if overwrite else removable(out, DATASET)
    patterns = (*(f"{part}*.fa*" for part in _PARTS), "dataset.json")
    sequences = [found for pattern in patterns for found in sorted(out.glob(pattern)) if not is_aside(found)]
    strangers = [found.name for found in sequences if found.name not in own]
    if strangers:
        raise InputError(
            f"{out}: holds {name_some(strangers)}, which are of no data set built here; expected a folder without "
            "other sequences; name another folder."
        )


def _write_dataset(
    out: Path, sets: dict[str, dict[str, Windows]], record: dict[str, Any], overwrite: bool = False
) -> None:
    """All files or none; an earlier data set stands until they are whole."""
    check_place(out, overwrite)
    with whole_folder(out, DATASET) as folder:
        for part, built in sets.items():
            for label, windows in built.items():
                write_fasta(folder / f"{part}.{label}.fa.gz", windows.sequences)
        record["sha256"] = {path.name: digest_of_file(path) for path in sorted(folder.iterdir())}
        write_at_once(folder / "dataset.json", json.dumps(record, indent=2) + "\n")
