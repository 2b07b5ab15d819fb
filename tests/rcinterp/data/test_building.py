"""Data sets of windows: each rule of section 3.3, on a made genome."""

import json
import os
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from rcinterp.data.building import (
    DatasetFiles,
    DatasetSettings,
    _count_repeats,
    _describe_repeats,
    build_dataset,
    parse_split,
)
from rcinterp.data.datasets import load_split
from rcinterp.data.negatives import gc_bins
from rcinterp.data.sequences import read_fasta, write_fasta
from rcinterp.errors import InputError

# Splits.


def test_splits():
    chroms = ["chr1", "chr2", "chr3", "chr21", "chr22"]
    assert parse_split("chr21/chr22", chroms) == {"train": ["chr21"], "valid": ["chr22"]}
    assert parse_split("chr1,chr3 / chr2 / rest", chroms) == {
        "train": ["chr1", "chr3"],
        "valid": ["chr2"],
        "test": ["chr21", "chr22"],
    }


@pytest.mark.parametrize(
    ("split", "message"),
    [
        ("chr1", "got 'chr1', expected chromosomes as TRAIN/VALID or"),
        ("chr1/chr2/chr3/rest", "expected chromosomes as TRAIN/VALID or"),
        ("chr1/", "expected chromosomes as TRAIN/VALID or"),
        ("chr1,/chr2", "expected chromosomes as TRAIN/VALID or"),
        ("chr1/chr2,chr1", "chr1 is named twice"),
        ("rest/chr1/rest", "rest is named twice"),
        ("1/chr2", r"1 is none of the genome's chromosomes \(chr1, chr2, chr3\); write chr1"),
        ("chr1/chr7", r"chr7 is none of the genome's chromosomes .*; check its name"),
        ("chr1,chr2/chr3/rest", "names every chromosome, expected some left for 'rest'; remove it"),
    ],
)
def test_bad_splits(split, message):
    with pytest.raises(InputError, match=message):
        parse_split(split, ["chr1", "chr2", "chr3"])


# Data sets.


@pytest.fixture
def peaks(write_bed, tmp_path):
    """Positives about 300, 500, ... of each chromosome, negatives about 400, 600, ..., 5 bp more on each chromosome."""
    rows = [("chr1", c + 5, c + 6) for c in range(300, 2800, 200)], [("chr2", c, c + 1) for c in range(300, 1900, 200)]
    write_bed("peaks.bed", *rows[1], *rows[0], ("chr3", 500, 501), ("chrUn", 5, 6))
    write_bed("open.bed", *((c, s + 100, e + 100) for part in rows for c, s, e in part), ("chr3", 200, 201))
    return DatasetFiles(tmp_path / "peaks.bed", tmp_path / "open.bed", tmp_path / "genome.fa")


def test_a_data_set_is_what_load_split_reads(genome, peaks, tmp_path):
    said = []
    record = build_dataset(peaks, tmp_path / "out", DatasetSettings("chr1/chr2/chr3", width=60), said.append)
    train, valid = load_split(tmp_path / "out")
    assert (len(train.positives()), len(train.negatives())) == (13 - 1, 13 - 2)
    assert (len(valid.positives()), len(valid.negatives())) == (8, 8)
    assert train.names[:2] == ("chr1:275-335", "chr1:475-535")
    assert read_fasta(tmp_path / "out/test.neg.fa.gz").index.tolist() == ["chr3:170-230"]
    assert record == json.loads((tmp_path / "out/dataset.json").read_text())
    assert record["regions"]["pos"] == {
        "regions": 23,
        "left_out": {"chromosome not in the genome": 1, "chromosome in no part": 0},
    }
    assert record["sets"]["train"]["pos"] == {
        "windows": 12,
        "left_out": {"chromosome not in the genome": 0, "over an edge": 0, "duplicate": 0, "too many N": 1},
    }
    assert str(tmp_path) not in json.dumps(record)
    assert [entry["name"] for entry in record["inputs"]["genome"]] == ["genome.fa"]
    assert said[:3] == [
        "peaks.bed: 23 regions, 23 of them without a summit: their centre is taken",
        "open.bed: 22 regions, 22 of them without a summit: their centre is taken",
        "no relaxed peaks given: peaks.bed stands in for them",
    ]
    assert said[3] == "train.pos (chr1): 12 windows; 1 too many N"
    assert said[-2:] == [
        "pos, regions of no part: 1 chromosome not in the genome",
        "neg, regions of no part: none left out",
    ]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "dataset.json",
        *(f"{part}.{label}.fa.gz" for part in ("test", "train", "valid") for label in ("neg", "pos")),
    ]


def test_the_same_input_gives_the_same_bytes_and_replaces_an_earlier_set(genome, peaks, tmp_path):
    for split, name in (("chr1/chr2", "a"), ("chr2/chr1/chr3", "b"), ("chr1/chr2", "b")):
        build_dataset(peaks, tmp_path / name, DatasetSettings(split, width=60, negatives_per_positive=0.6, seed=3))
    assert len(list((tmp_path / "a").iterdir())) == 5  # the test set of b's first is gone
    assert {p.name: p.read_bytes() for p in (tmp_path / "a").iterdir()} == {
        p.name: p.read_bytes() for p in (tmp_path / "b").iterdir()
    }


def test_a_set_of_an_earlier_version_is_replaced_and_what_it_does_not_name_is_refused(genome, peaks, tmp_path):
    out, settings = tmp_path / "out", DatasetSettings("chr1/chr2", width=60)
    build_dataset(peaks, out, settings)
    record = json.loads((out / "dataset.json").read_text())
    del record["sha256"]
    (out / "dataset.json").write_text(json.dumps(record, indent=2))
    (out / "test.pos.fa.gz").write_text("mine")
    with pytest.raises(InputError, match=r"holds test\.pos\.fa\.gz, which are of no data set"):
        build_dataset(peaks, out, settings)
    (out / "test.pos.fa.gz").unlink()
    build_dataset(peaks, out, settings)
    assert "sha256" in json.loads((out / "dataset.json").read_text())


def test_an_index_beside_a_set_is_passed_over(genome, peaks, tmp_path):
    out, settings = tmp_path / "out", DatasetSettings("chr1/chr2", width=60)
    build_dataset(peaks, out, settings)
    (out / "train.pos.fa.gz.fai").write_text("index")
    build_dataset(peaks, out, settings)
    assert (out / "train.pos.fa.gz.fai").read_text() == "index"


class Killed(BaseException):
    """What no code looks out for."""


@pytest.mark.parametrize("at", [1, 4])
@pytest.mark.parametrize("step", ["write_fasta", "replace"])
def test_a_build_that_is_killed_leaves_the_old_set_or_the_new_one(genome, peaks, tmp_path, monkeypatch, step, at):
    """... the old one before all is written; the new one when its files had begun to be moved."""
    out = tmp_path / "out"
    build_dataset(peaks, out, DatasetSettings("chr1/chr2", width=60))  # the index of the genome stands from now on
    build_dataset(peaks, tmp_path / "other", DatasetSettings("chr2/chr1", width=60))
    before, calls = {path.name: path.read_bytes() for path in out.iterdir()}, []
    function = write_fasta if step == "write_fasta" else os.replace

    def call(*arguments):
        moved = str(arguments[0]).find(".rcinterp-ready") > 0
        calls.extend([arguments] if step == "write_fasta" or moved else [])
        if len(calls) == at and (step == "write_fasta" or moved):
            raise Killed
        return function(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr("rcinterp.data.building.write_fasta" if step == "write_fasta" else "os.replace", call)
        with pytest.raises(Killed):
            build_dataset(peaks, out, DatasetSettings("chr2/chr1", width=60))
    train, _ = load_split(out)
    assert len(train) == (23 if step == "write_fasta" else len(load_split(tmp_path / "other")[0]))
    after = {path.name: path.read_bytes() for path in out.iterdir()}
    new = {path.name: path.read_bytes() for path in (tmp_path / "other").iterdir()}
    assert after == (before if step == "write_fasta" else new)
    assert before != new


def test_a_build_that_fails_after_a_killed_one_leaves_the_folder_its_own(genome, peaks, tmp_path, monkeypatch):
    out, settings = tmp_path / "out", DatasetSettings("chr1/chr2", width=60)

    def fail(*_):
        raise OSError(28, "No space left on device")

    for name in ("os.rename", "rcinterp.data.building.write_fasta"):
        with monkeypatch.context() as patch:
            patch.setattr(name, fail)
            with pytest.raises(OSError, match="No space left"):
                build_dataset(peaks, out, settings)
        assert list(out.iterdir()) == []
    build_dataset(peaks, out, settings)
    assert len(list(out.iterdir())) == 5


@pytest.mark.parametrize("name", ["train_chr21.pos.fa", "valid.neg.fa.gz"])
def test_a_folder_with_other_sets_is_refused(genome, peaks, tmp_path, name):
    """... as is one of `rcinterp simulate`, whose files have the same names, before anything is read."""
    write_fasta(tmp_path / name, ["ACGT"])
    content, said = (tmp_path / name).read_bytes(), []
    with pytest.raises(InputError, match=rf"holds {name}, which are of no data set .*; name another folder"):
        build_dataset(peaks, tmp_path, DatasetSettings("chr1/chr2", width=60), said.append)
    assert (tmp_path / name).read_bytes() == content
    assert said == []


def test_a_place_that_cannot_be_written_is_told_first(genome, peaks, tmp_path):
    (tmp_path / "file").write_text("")
    said = []
    with pytest.raises(NotADirectoryError):
        build_dataset(peaks, tmp_path / "file" / "out", DatasetSettings("chr1/chr2", width=60), said.append)
    assert said == []


def names(folder, part="train", label="neg"):
    return read_fasta(folder / f"{part}.{label}.fa.gz").index.tolist()


def test_negatives_keep_away_from_relaxed_peaks_and_peaks(genome, write_bed, tmp_path):
    """Windows of 40 bp: about 200, which touches a relaxed peak; 300, whose region overlaps one by 1 bp, but not its
    window; 400, whose window does, but not its region; 500, near a peak that is not relaxed; and 700."""
    write_bed("peaks.bed", ("chr2", 509, 529), ("chr3", 500, 520))
    rows = [("chr2", c - 5, c + 5) for c in (200, 400, 500, 700)] + [("chr2", 250, 350), ("chr3", 300, 310)]
    write_bed("open.bed", *rows)
    relaxed = write_bed(
        "relaxed.bed", ("chr2", 349, 360, ".", 9), ("chr2", 419, 430, ".", 8), ("chr2", 220, 240, ".", 7)
    )
    files = DatasetFiles(tmp_path / "peaks.bed", tmp_path / "open.bed", genome, relaxed_peaks=relaxed)
    record = build_dataset(files, tmp_path / "out", DatasetSettings("chr2/chr3", width=40))
    assert names(tmp_path / "out") == ["chr2:180-220", "chr2:680-720"]
    assert record["sets"]["train"]["neg"]["left_out"]["overlaps a peak"] == 3
    record = build_dataset(files, tmp_path / "out", DatasetSettings("chr2/chr3", width=40, top_relaxed=1))
    assert names(tmp_path / "out") == ["chr2:180-220", "chr2:380-420", "chr2:680-720"]


def test_ranking_needs_relaxed_peaks_with_scores(genome, peaks, write_bed, tmp_path):
    settings = DatasetSettings("chr1/chr2", width=60, top_relaxed=5)
    with pytest.raises(InputError, match=r"top_relaxed: got 5, but no relaxed peaks, .*; name relaxed peaks, or leave"):
        build_dataset(peaks, tmp_path / "out", settings)
    relaxed = write_bed("relaxed.bed", ("chr1", 300, 310), ("chr2", 300, 310))
    files = DatasetFiles(peaks.peaks, peaks.negatives, genome, relaxed_peaks=relaxed)
    with pytest.raises(InputError, match=r"relaxed\.bed: has regions without a score, .* leave out top_relaxed"):
        build_dataset(files, tmp_path / "out", settings)


def test_summits_move_the_positives(genome, peaks, write_bed, tmp_path):
    write_bed("wide.bed", ("chr1", 300, 400), ("chr1", 600, 700), ("chr2", 300, 400))
    summits = write_bed("summits.bed", ("chr1", 310, 311), ("chr2", 390, 391))
    files = DatasetFiles(tmp_path / "wide.bed", peaks.negatives, genome, summits=summits)
    said = []
    build_dataset(files, tmp_path / "out", DatasetSettings("chr1/chr2", width=20), said.append)
    assert names(tmp_path / "out", label="pos") == ["chr1:300-320", "chr1:640-660"]
    assert said[0] == (
        "wide.bed: 3 regions, 2 of them with a summit of summits.bed; the others keep their own or their centre"
    )


def test_negatives_are_drawn_by_number(genome, peaks, tmp_path):
    draws = []
    for seed in (0, 1):
        settings = DatasetSettings("chr1/chr2", width=60, negatives_per_positive=0.5, seed=seed)
        record = build_dataset(peaks, tmp_path / "out", settings)
        draws.append(names(tmp_path / "out"))
        assert record["sets"]["train"]["neg"]["wanted"] == 6
        assert record["sets"]["train"]["neg"]["left_out"]["not drawn"] == 11 - 6
    build_dataset(peaks, tmp_path / "out", DatasetSettings("chr1/chr2", width=60))
    everything = names(tmp_path / "out")
    for draw in draws:
        assert len(set(draw)) == 6
        assert draw == [name for name in everything if name in draw]
    assert draws[0] != draws[1]


def test_gc_matched_negatives(tmp_path):
    """Positives: 4 of 20 % GC, 2 of 80 %. Negatives: 3 of 20 %, 5 of 50 %, 9 of 80 %."""
    rng = np.random.default_rng(0)

    def block(gc):
        return "".join(rng.permutation(list("GC" * (gc // 5) + "AT" * (20 - gc // 5))))

    contents = [20] * 4 + [80] * 2, [20] * 3 + [50] * 5 + [80] * 9
    dna = "".join(block(gc) for gc in contents[0] + contents[1])
    write_fasta(tmp_path / "g.fa", [dna, dna], names=["chr1", "chr2"])
    for chrom, mode in (("chr1", "w"), ("chr2", "a")):
        for name, blocks in (("peaks.bed", range(6)), ("open.bed", range(6, 23))):
            with (tmp_path / name).open(mode) as file:
                file.writelines(f"{chrom}\t{40 * i}\t{40 * i + 40}\n" for i in blocks)
    files = DatasetFiles(tmp_path / "peaks.bed", tmp_path / "open.bed", tmp_path / "g.fa")
    said = []
    settings = DatasetSettings("chr1/chr2", width=40, match_gc=True)
    record = build_dataset(files, tmp_path / "out", settings, said.append)
    assert sorted(gc_bins(read_fasta(tmp_path / "out/train.neg.fa.gz"))) == [4] * 3 + [16] * 2
    assert record["sets"]["train"]["neg"]["wanted"] == 6
    assert any("train.neg (chr1): 5 windows of 6 wanted; 12 not drawn" in line for line in said)
    assert names(tmp_path / "out", "valid") != [name.replace("chr1", "chr2") for name in names(tmp_path / "out")]
    settings = DatasetSettings("chr1/chr2", width=40, match_gc=True, negatives_per_positive=2)
    record = build_dataset(files, tmp_path / "out", settings)
    assert sorted(gc_bins(read_fasta(tmp_path / "out/train.neg.fa.gz"))) == [4] * 3 + [16] * 4
    assert record["sets"]["train"]["neg"]["wanted"] == 12


def test_a_set_without_windows(genome, peaks, write_bed, tmp_path):
    write_bed("peaks.bed", ("chr2", 300, 301), ("chr3", 5, 6))
    message = r"valid\.pos: no window is left on chr3 \(1 over an edge\), expected some; check the split, and that all"
    with pytest.raises(InputError, match=message):
        build_dataset(peaks, tmp_path / "out", DatasetSettings("chr2/chr3", width=60))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"negatives_per_positive": 0}, "negatives_per_positive: got 0, expected a positive number"),
        ({"negatives_per_positive": float("inf")}, "negatives_per_positive: got inf"),
        ({"top_relaxed": 0}, "top_relaxed: got 0, expected a whole number of at least 1"),
    ],
)
def test_settings_out_of_range(genome, peaks, tmp_path, settings, message):
    with pytest.raises(InputError, match=message):
        build_dataset(peaks, tmp_path / "out", DatasetSettings("chr1/chr2", **settings))


def test_windows_that_stand_twice_are_counted_on_either_strand():
    sets = {
        "train": {"pos": ["ACCTA", "TAGGT", "CCCCC"], "neg": ["GGGGG", "ATTTC"]},
        "valid": {"pos": ["TAGGT", "AAAAC"], "neg": ["GTTTT", "AGAGA"]},
    }
    windows = {part: {k: SimpleNamespace(sequences=pd.Series(v)) for k, v in of.items()} for part, of in sets.items()}
    found = _count_repeats(windows)
    assert found == {
        "train": {"in_both_classes": 1, "twice_in_pos": 1, "twice_in_neg": 0},
        "valid": {"in_both_classes": 1, "twice_in_pos": 0, "twice_in_neg": 0, "in_train": 1},
    }
    assert _describe_repeats(found)[-1] == (
        "valid: 1 windows also stand in the training set, as they are or as their reverse complement"
    )
