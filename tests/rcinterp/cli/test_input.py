"""What is given to commands: pipes are read once, and sizes that cannot be are refused at once."""

import gzip
import json
import os
import re
from pathlib import Path

import click
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from rcinterp.cli import main
from rcinterp.cli._command import Command
from rcinterp.cli._record import read_record
from rcinterp.cli._types import Number, Whole
from rcinterp.files import is_pipe

CLASSES = ["--positives", "data/valid.pos.fa.gz", "--negatives", "data/valid.neg.fa.gz"]


def plain(path):
    return gzip.decompress(path.read_bytes())


def test_pipes_are_read_once_and_the_result_is_that_of_files(work, run, piped, tmp_path):
    names = ("train.pos", "train.neg", "valid.pos", "valid.neg")
    options = ("--positives", "--negatives", "--valid-positives", "--valid-negatives")
    paths = [work / "data" / f"{name}.fa.gz" for name in names]
    files = [word for pair in zip(options, paths, strict=True) for word in pair]
    through = [piped(name, plain(path)) for name, path in zip(names, paths, strict=True)]
    pipes = [word for pair in zip(options, through, strict=True) for word in pair]
    for place, given in (("files", files), ("pipes", pipes)):
        run("train", *given, "--filters", "2", "--epochs", "1", "--out", tmp_path / place)
    for name in ("model.json", "model.safetensors", "history.tsv"):
        assert (tmp_path / "files" / name).read_bytes() == (tmp_path / "pipes" / name).read_bytes()
    said = run("rerun", tmp_path / "pipes", status=2).stderr
    assert "train.neg was a pipe, which is gone, expected files" in said
    model = tmp_path / "files"
    given = ("--positives", piped("p", plain(work / "data" / "valid.pos.fa.gz")))
    given += ("--negatives", piped("n", (work / "data" / "valid.neg.fa.gz").read_bytes()))
    run("interpret", model, *given, "--no-faithfulness", "--motifs", "known.meme", "--out", tmp_path / "report")
    assert (tmp_path / "report" / "filters.tsv").is_file()


def test_a_pipe_given_twice_is_one_line(work, run, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    pipe = tmp_path / "pipe"
    said = run("train", "--positives", pipe, "--negatives", pipe, "--out", tmp_path / "m", status=2).stderr
    assert said.count("\n") == 1
    assert "--negatives: " in said
    assert "is the pipe that --positives names too, and can be read only once; write it to a file first" in said


def test_regions_and_motifs_come_through_pipes(work, run, piped, tmp_path):
    motifs = work / "known.meme"
    given = [piped(name, motifs.read_bytes()) for name in ("queries", "known")]
    out = run("compare", given[0], "--motifs", given[1], "--distance", "pearson", "--max-q-value", "1").stdout
    assert out == run("compare", motifs, "--motifs", motifs, "--distance", "pearson", "--max-q-value", "1").stdout
    genome = tmp_path / "g.fa"
    genome.write_text(">chr1\n" + "ACGT" * 25 + "\n>chr2\n" + "ACCT" * 25 + "\n")
    peaks, negatives = b"chr1\t20\t30\nchr2\t20\t30\n", b"chr1\t60\t70\nchr2\t60\t70\n"
    given = ["--peaks", piped("peaks", peaks), "--negatives", piped("negatives", gzip.compress(negatives))]
    run("dataset", "build", *given, "--genome", genome, "--split", "chr1/chr2", "--width", "8", "--out", tmp_path / "d")
    assert (tmp_path / "d" / "train.pos.fa.gz").is_file()


def test_every_file_of_a_genome_is_read_and_recorded_whatever_its_ending(commands, run, tmp_path):
    folder = tmp_path / "genome"
    folder.mkdir()
    for name, ending in (("chr1", ".fna"), ("chr2", ".FA"), ("chr3", ".Fasta")):
        (folder / f"{name}{ending}").write_text(f">{name}\n{'ACGGT' * 200}\n")
    (folder / "chr4.fa").mkdir()
    given = [folder if word == "hg.fa" else word for word in commands["dataset build"]]
    for split in ("chr1/chr2", "rest/chr2"):
        given[-1] = split
        run(*given, "--out", "out", "--overwrite")
        inputs = read_record(Path("out")).inputs
        assert {Path(name).name for name in inputs} == {*("peaks.bed", "open.bed", "chr1.fna", "chr2.FA", "chr3.Fasta")}
    (folder / "chr1.fna").write_text(f">chr1\n{'ACGGA' * 200}\n")
    assert "chr1.fna has changed since" in run("rerun", "out", status=2).stderr


def test_a_genome_comes_through_a_pipe(work, run, piped, tmp_path):
    (tmp_path / "g.fa").write_text(">chr1\n" + "ACGTA" * 25 + "\n>chr2\n" + "ACCTA" * 25 + "\n")
    (tmp_path / "p.bed").write_text("chr1\t20\t30\nchr2\t20\t30\n")
    (tmp_path / "n.bed").write_text("chr1\t60\t70\nchr2\t60\t70\n")
    given = ["--peaks", tmp_path / "p.bed", "--negatives", tmp_path / "n.bed", "--split", "chr1/chr2", "--width", "8"]
    run("dataset", "build", *given, "--genome", tmp_path / "g.fa", "--out", tmp_path / "of_file")
    through = piped("pipe", (tmp_path / "g.fa").read_bytes())
    run("dataset", "build", *given, "--genome", through, "--out", tmp_path / "of_pipe")
    for name in ("train.pos.fa.gz", "valid.neg.fa.gz"):
        assert (tmp_path / "of_pipe" / name).read_bytes() == (tmp_path / "of_file" / name).read_bytes()
    record = json.loads((tmp_path / "of_pipe" / "dataset.json").read_text())
    assert record["inputs"]["genome"] == [{"name": "pipe", "sha256": "read from a pipe"}]
    assert not list(tmp_path.glob("pipe.*"))


@pytest.mark.parametrize("kind", ["zip", "legacy", "safetensors"])
def test_weights_come_through_a_pipe(work, run_for_json, piped, tmp_path, kind):
    torch.manual_seed(0)
    weights = torch.load(work / "weights.pt", weights_only=True)
    state = {name: torch.randn_like(value) for name, value in weights.items()}
    named = tmp_path / ("w.safetensors" if kind == "safetensors" else "w.pt")
    if kind == "safetensors":
        save_file(state, named)
    else:
        torch.save(state, named, _use_new_zipfile_serialization=kind == "zip")
    asked = ["evaluate", "mine.py:Net", *CLASSES]
    of_file = run_for_json(*asked, "--weights", named)
    assert run_for_json(*asked, "--weights", piped("pipe", named.read_bytes())) == of_file
    assert run_for_json(*asked, "--weights", work / "weights.pt") != of_file


def test_further_inputs_come_through_pipes(work, run_for_json, piped, tmp_path):
    np.savez(tmp_path / "both.npz", np.random.default_rng(0).random((24, 2, 7)), np.ones((1, 1), np.float32))
    asked = ["evaluate", "mine.py:Controlled", *CLASSES, "--args"]
    through = piped("pipe", (tmp_path / "both.npz").read_bytes())
    assert run_for_json(*asked, through) == run_for_json(*asked, tmp_path / "both.npz")


def test_what_is_a_pipe(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").touch()
    assert [is_pipe(tmp_path / name) for name in ("pipe", "file", ".", "missing", "\0")] == [True, *[False] * 4]


# Sizes.


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("train --filters 1000000000000", "weights takes about .* TB of memory, expected at most the .* that are free"),
        ("train --stride 18446744073709551616", "'--stride': 18446744073709551616 is too large"),
        ("train --layers 1000000000000000", "expected fewer layers"),
        ("train --filters 1_0", "'--filters': '1_0' is not a valid integer range, expected plain digits"),
        ("train --seed \u0661", "is not a valid integer range"),
        ("simulate --n 10 --valid-fraction nan", "'--valid-fraction': 'nan' is not a valid float range"),
        ("simulate --n 10 --valid-fraction 0_1.5", "is not a valid float range"),
        ("simulate --n 1000000000000", "sequences of 200 bp takes about .* of memory"),
        ("simulate --n 10 --length 1000000000000", "sequences of 1,000,000,000,000 bp takes about"),
        ("interpret --threshold nan", "'--threshold': 'nan' is not a valid float range"),
        ("interpret --flank 1000000000000", "got flank=1000000000000, expected at most 1,000 bp"),
        ("interpret --target 99999999999999999999", "expected a whole number of at least 0 and at most"),
    ],
)
def test_a_size_that_cannot_be_is_one_line(words, message, work, run):
    command, *options = words.split()
    classes = ["--positives", "data/valid.pos.fa.gz", "--negatives", "data/valid.neg.fa.gz"]
    given = {"train": classes, "interpret": ["model_0", *classes, "--motifs", "known.meme"], "simulate": []}
    said = run(command, *given[command], *options, "--out", work / "out", status=2).stderr
    assert re.search(message, said.splitlines()[-1])


def all_options(command, seen=()):
    for parameter in command.params:
        yield command.name, parameter
    for one in getattr(command, "commands", {}).values():
        yield from all_options(one)


def test_every_number_of_every_command_is_finite_and_in_plain_digits():
    for name, parameter in all_options(main):
        kind = parameter.type
        is_number = isinstance(kind, click.types.IntParamType | click.types.FloatParamType)
        counts = getattr(parameter, "count", False) or getattr(parameter, "is_flag", False)
        assert not is_number or counts or isinstance(kind, Number | Whole), f"{name} {parameter.name}"
    assert issubclass(Command, click.Command)
