"""run.toml, and rerun: a result is made again to the same bytes, or it is said why not."""

import hashlib
import re
import shutil
from pathlib import Path

import pytest
from safetensors import safe_open
from safetensors.torch import load, save

from rcinterp.cli._record import RECORD, read_record
from rcinterp.cli._toml import read_toml, write_toml
from rcinterp.demo import DemoSettings
from rcinterp.files import digest_of_file
from rcinterp.interpretation import Interpretation
from rcinterp.training.fitting import fit

pytestmark = pytest.mark.filterwarnings("default")  # as for users: a warning is a line, and no error
WRITERS = ["simulate", "train", "interpret", "compare-models", "strands", "dataset build"]


def change(place, **values):
    """Change what run.toml of a folder says."""
    path = Path(place) / RECORD
    path.write_text(write_toml(read_toml(path.read_text()) | values))


@pytest.mark.parametrize("name", WRITERS)
def test_a_folder_is_made_again_to_the_same_bytes(commands, name, run, run_for_json, files_of, monkeypatch):
    run(*commands[name], "--out", "out")
    before = files_of("out")
    assert RECORD in before
    found = run_for_json("rerun", "out", "--out", "again")
    assert found["is_same"]
    assert sorted(found["same"]) == sorted(before)
    assert files_of("again") == files_of("out") == before
    here = Path.cwd()
    monkeypatch.chdir("/")  # relative paths begin where the first run was
    assert f"all {len(before)} files have the same bytes" in run("rerun", here / "out").stdout


def test_the_demo_is_made_again(work, run, files_of, monkeypatch):
    monkeypatch.setattr("rcinterp.demo.cpu_count", lambda: 1)
    monkeypatch.setattr("rcinterp.demo.DemoSettings", lambda epochs: DemoSettings(40, 100, 2, epochs))
    run("demo", "--epochs", 1, "--seed", 4, "--out", "demo")
    assert {"report.html", RECORD, "rc/filters.tsv"} <= set(files_of("demo"))
    run("rerun", "demo", "--out", "again")
    assert files_of("again") == files_of("demo")


def test_a_study_is_made_again(work, run, files_of, monkeypatch):
    monkeypatch.setattr("rcinterp.studies._runs.fit", lambda *a, **o: fit(*a, **(o | {"samples_per_epoch": 100})))
    run("study", "fig4", "--data", "data", "--seeds", 1, "--epochs", 1, "--small", "--out", "results")
    folder = "results/fig4-data-1epochs-small"
    assert read_record(Path(folder)).options["data"] == ["data"]
    run("rerun", folder, "--out", "again")
    assert files_of("again/fig4-data-1epochs-small") == files_of(folder)


def test_a_record_says_what_was_chosen_and_read(commands, run):
    run(*commands["interpret"], "--out", "out")
    said = read_toml(Path("out", RECORD).read_text())
    assert (said["command"], said["threads"], said["folder"]) == ("interpret", 1, str(Path.cwd()))
    assert said["options"]["flank"] == 2
    assert said["options"]["method"] == "gradient_x_activation"  # a default too
    assert "out" not in said["options"]
    assert said["chosen"]["layer"] == ["conv1"]
    assert set(said["versions"]) == {"python", "rcinterp", "torch", "numpy"}
    assert set(said["inputs"]) == {
        *("data/valid.neg.fa.gz", "data/valid.pos.fa.gz", "known.meme"),
        *(f"model_0/{name}" for name in ("baseline.safetensors", "model.json", "model.safetensors")),
    }
    for name, digest in said["inputs"].items():
        assert hashlib.sha256(Path(name).read_bytes()).hexdigest() == digest


def test_a_record_of_no_paths_names_no_folder(commands, run):
    run(*commands["simulate"], "--out", "out")
    assert "folder" not in read_toml(Path("out", RECORD).read_text())


def test_commands_that_write_no_folder_leave_no_record(work, run):
    run("compare", "known.meme", "--motifs", "known.meme", "--out", "matches.tsv")
    run("evaluate", "model_0", "--positives", "data/valid.pos.fa.gz", "--negatives", "data/valid.neg.fa.gz")
    assert not Path(RECORD).exists()


def test_the_report_says_the_command_line_that_makes_it_again(commands, run):
    run(*commands["interpret"], "--out", "out")
    line = (
        "rcinterp interpret model_0 --positives data/valid.pos.fa.gz --negatives data/valid.neg.fa.gz "
        "--motifs known.meme --flank 2 --out again"
    )
    assert line in Path("out/report.html").read_text()
    run(*line.split()[1:])
    assert Path("again/report.html").read_bytes() == Path("out/report.html").read_bytes()


def test_other_bytes_are_named(commands, run, run_for_json):
    run(*commands["simulate"], "--out", "out")
    Path("out/sites.tsv").write_text("edited\n")
    Path("out/train.pos.fa.gz").unlink()
    Path("out/notes.txt").write_text("mine\n")
    said = run("rerun", "out", status=1).stdout
    assert "1 of 6 files have other bytes (sites.tsv); not there before: train.pos.fa.gz" in said
    assert "1 other files in out are not of this command" in said
    assert "give --out NEW" in said
    found = run_for_json("rerun", "out", status=1)
    assert (found["is_same"], found["different"], found["missing"]) == (False, ["sites.tsv"], ["train.pos.fa.gz"])
    assert found["others"] == ["notes.txt"]


def test_inputs_that_changed_or_are_gone_are_refused(commands, run):
    run(*commands["interpret"], "--out", "out")
    Path("model_0/model.json").write_text("{}")
    said = run("rerun", "out", status=2).stderr
    assert re.fullmatch(r"Error: out: its input model_0/model\.json has changed since \(SHA-256 [^\n]*\n", said)
    Path("known.meme").unlink()
    said = run("rerun", "out", status=2).stderr
    assert re.fullmatch(r"Error: out: its input known\.meme is not in [^\n]*give --from\.\n", said)


def test_inputs_that_were_moved_are_found_by_from(commands, run, tmp_path):
    run(*commands["strands"], "--out", "out")
    (tmp_path / "moved").mkdir()
    for name in ("mine.py", "weights.pt", "data"):
        Path(name).rename(tmp_path / "moved" / name)
    run("rerun", "out", status=2)
    assert "all 7 files have the same bytes" in run("rerun", "out", "--from", "moved").stdout
    change("out", folder="/no/such/place")
    said = run("rerun", "out", status=2).stderr
    assert said == (
        "Error: out: was made in /no/such/place, which is not there, expected the folder in which its inputs' paths "
        "begin; give it by --from.\n"
    )


def test_other_versions_and_threads_are_warned_of_and_no_difference(commands, run):
    run(*commands["simulate"], "--out", "out")
    versions = read_record(Path("out")).versions
    change("out", threads=7, versions=versions | {"numpy": "0.1"})
    result = run("rerun", "out")
    assert re.search(r"^Warning: here is numpy \S+, not 0\.1: numbers may differ\n", result.stderr)
    assert (
        "Warning: torch calculates on 1 threads, not 7: last digits may differ; set OMP_NUM_THREADS=7" in result.stderr
    )
    change("out", chosen={"layer": "another"})
    assert "other bytes (run.toml)" in run("rerun", "out", status=1).stdout


def test_a_training_that_went_on_on_another_number_of_threads_is_told_of(commands, run):
    checkpoint = Path("out/checkpoint.safetensors")
    run(*commands["train"], "--recipe", "quiet", "--out", "out")
    with safe_open(checkpoint, "pt") as file:
        metadata = file.metadata()
    assert metadata["threads"] == "[1]"
    checkpoint.write_bytes(save(load(checkpoint.read_bytes()), metadata | {"threads": "[7]"}))
    told = run(*commands["train"], "--recipe", "quiet", "--out", "out").stderr.splitlines()
    assert [line for line in told if "threads" in line] == [
        "Warning: fit: out/checkpoint.safetensors: its epochs were trained on 7 threads, not 1: last digits may "
        "differ; set OMP_NUM_THREADS=7 for the same bytes."
    ]
    change("out", chosen=read_record(Path("out")).chosen | {"threads": [7, 1]})
    assert (
        "Warning: the first run was stopped and went on, on [7, 1] threads one after the other: last digits may differ"
        in run("rerun", "out", status=1).stderr
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, r"out: no run\.toml here, expected a folder that a command of rcinterp 0\.2 or later wrote\."),
        ("a = ", r"out/run\.toml: cannot be read \("),
        ("a = 1", r"out/run\.toml: cannot be read \("),
        *(
            (
                f'command = "simulate"\nthreads = {n}\n[options]\n[versions]',
                rf"out/run\.toml: cannot be read \(its threads are {n}, expected 1 to 65536\), expected what",
            )
            for n in (0, -1, 99999999)
        ),
        ('command = "dance"\nthreads = 1\n[options]\n[versions]', r"run\.toml: names the command 'dance', which"),
        ('command = "study"\nthreads = 1\n[options]\n[versions]', r"run\.toml: names the command 'study', which"),
        (
            'command = "simulate"\nthreads = 1\n[options]\nspeed = 3\n[versions]',
            r"run\.toml: has 'speed', which simulate does not take",
        ),
        ('command = "simulate"\nthreads = 1\n[options]\nn = 3\n[versions]', r"Invalid value for '--n': 3 is not in"),
    ],
)
def test_a_record_that_cannot_be_used(tmp_path, text, message, run, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("out").mkdir()
    if text is not None:
        Path("out", RECORD).write_text(text)
    assert re.fullmatch(rf"(running [^\n]*\n)?Error: {message}[^\n]*\n", run("rerun", "out", status=2).stderr)


def test_a_second_result_needs_a_folder_of_its_own(commands, run):
    run(*commands["simulate"], "--out", "out")
    said = run("rerun", "out", "--out", "data", status=2).stderr
    assert said == "Error: --out: data is not empty, expected a new folder. Name another one.\n"


def test_an_input_that_is_changed_while_the_command_runs_is_told_of_and_recorded(run, work, commands, monkeypatch):
    save, edited = Interpretation.save, work / "data" / "valid.neg.fa.gz"
    digest = digest_of_file(edited)

    def edit(self, *arguments, **options):
        shutil.copy(work / "data" / "train.neg.fa.gz", edited)
        return save(self, *arguments, **options)

    monkeypatch.setattr(Interpretation, "save", edit)
    said = run(*commands["interpret"], "--out", "out").stderr
    assert "Warning: data/valid.neg.fa.gz was changed while the command ran: what was read of it is not known" in said
    record = read_record(work / "out")
    assert record.changed == ["data/valid.neg.fa.gz"]
    assert record.inputs["data/valid.neg.fa.gz"] == digest
    said = run("rerun", "out", status=2).stderr
    assert "out: its input data/valid.neg.fa.gz was changed while the command ran, so that what was read of it" in said
    monkeypatch.setattr(Interpretation, "save", save)
    run(*commands["interpret"], "--out", "out")
    assert read_record(work / "out").changed == []
