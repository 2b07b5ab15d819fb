"""--json, --quiet and --verbose, and bars that show on a terminal alone."""

import math
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from rcinterp.cli._command import as_json
from rcinterp.reading.model import BATCH_SIZE

CLASSES = ["--positives", "data/valid.pos.fa.gz", "--negatives", "data/valid.neg.fa.gz"]
NUMBERS = {
    "simulate": {"positives", "negatives", "sites"},
    "train": {"valid_auroc", "valid_auprc", "baseline_auroc", "best_epoch", "epochs"},
    "interpret": {"report", "readings"},
    "compare-models": {"report", "answer", "models", "patterns"},
    "strands": {"answer", "tasks"},
    "dataset build": {"windows"},
}


@pytest.mark.filterwarnings("ignore")  # standard output is looked at; a training of two epochs warns of much
@pytest.mark.parametrize("name", NUMBERS)
def test_json_is_one_object_with_the_folder_and_the_numbers(commands, name, run_for_json, files_of):
    found = run_for_json(*commands[name], "--out", "out")
    assert set(found) >= {"folder", *NUMBERS[name]}
    assert found["folder"] == "out"
    assert sorted(found["files"]) == sorted(files_of("out"))


def test_json_of_interpret_has_the_answer_and_the_performance(commands, run_for_json):
    (reading,) = run_for_json(*commands["interpret"], "--out", "out")["readings"]
    assert reading["layer"] == "conv1"
    assert 0 <= reading["auroc"] <= 1
    assert reading["answer"]
    assert len(reading["filters"]) == 2
    assert {"filter", "contribution", "verdict"} <= set(reading["filters"][0])


@pytest.mark.parametrize(
    ("arguments", "keys"),
    [
        (["doctor"], {"python", "packages", "threads"}),
        (["completion", "zsh"], {"shell", "script"}),
        (["study", "list"], {"studies"}),
        (["compare", "known.meme", "--motifs", "known.meme"], {"matches"}),
        (["evaluate", "model_0", *CLASSES], {"auroc", "auprc"}),
    ],
)
def test_json_of_commands_that_write_no_folder(work, arguments, keys, run_for_json):
    assert keys <= set(run_for_json(*arguments))


def test_json_has_neither_nan_nor_numpy():
    given = {"a": math.nan, "b": [np.float32(0.5), np.int64(3), -math.inf], "c": {"d": None, "e": np.bool_(True)}}
    assert as_json(given) == {"a": None, "b": [0.5, 3, None], "c": {"d": None, "e": True}}
    assert [type(value) for value in as_json(given)["b"][:2]] == [float, int]


def test_an_error_leaves_standard_output_empty(work, run):
    result = run("interpret", "none", *CLASSES, "--out", "out", "--json", status=2)
    assert result.stdout == ""
    assert re.fullmatch(r"Error: none: no model\.json here[^\n]*\n", result.stderr)


def test_quiet_leaves_warnings_and_the_result(commands, run):
    loud = run(*commands["train"], "--out", "loud")
    assert "best epoch" in loud.stderr
    quiet = run(*commands["train"], "--out", "quiet", "--quiet")
    assert quiet.stdout == "quiet\n"
    assert all(line.startswith("Warning: ") for line in quiet.stderr.splitlines())


def test_verbose_adds_settings_times_and_where_an_error_arose(commands, run):
    said = run(*commands["simulate"], "--out", "out", "--verbose").stderr
    assert re.search(r"^simulate: motif=CTCF_known1, .*seed=3", said)
    assert re.search(r"\ntook \d+\.\d s\n$", said)
    said = run(*commands["train"], "--out", "model", "--verbose").stderr
    assert re.search(r"\nchosen: width=\[\d+\], pool=\d+, stride=\d+", said)
    wrong = ["strands", "mine.py:Nets", "--sequences", "data/valid.pos.fa.gz", "--out", "strands"]
    plain, traced = (run(*wrong, *more, status=2).stderr for more in ([], ["--verbose"]))
    assert re.fullmatch(r"Error: mine\.py: has no 'Nets'[^\n]*\n", plain)
    assert "Traceback (most recent call last)" in traced
    assert traced.endswith(plain)


@pytest.mark.parametrize("name", ["train", "interpret", "compare-models", "strands"])
def test_bars_show_on_a_terminal_alone_and_leave_nothing(commands, name, run, on_a_terminal):
    shown = run(*commands[name], "--out", "on-a-terminal").stderr
    assert re.search(r"\r[^\r\n]*(\d+%\||\d+it|6-mers)", shown)
    last = shown.split("\r")[-1]
    assert "%|" not in last  # the bar itself is wiped out
    assert "%|" not in run(*commands[name], "--out", "quiet", "--quiet").stderr


def test_comparing_motifs_shows_a_bar_too(work, run, on_a_terminal):
    asked = ["compare", "known.meme", "--motifs", "known.meme", "--distance", "pearson", "--out", "matches.tsv"]
    shown = run(*asked).stderr
    assert re.search(r"\rcomparing motifs: +\d+%\|", shown)
    assert re.search(r"\rshuffled motifs: +\d+%\|", shown)
    assert "\r" not in run(*asked, "--quiet").stderr


@pytest.mark.parametrize("name", NUMBERS)
def test_no_bar_shows_in_a_pipe(commands, name, run):
    assert "\r" not in run(*commands[name], "--out", "out").stderr


def test_training_shows_one_bar_at_a_time(commands, run, on_a_terminal, monkeypatch):
    import tqdm

    open_bars, most = set(), []
    make, close = tqdm.tqdm.__init__, tqdm.tqdm.close

    def count(bar, *arguments, **options):
        make(bar, *arguments, **options)
        if not bar.disable:
            open_bars.add(id(bar))
            most.append(len(open_bars))

    def forget(bar):
        open_bars.discard(id(bar))
        close(bar)

    monkeypatch.setattr(tqdm.tqdm, "__init__", count)
    monkeypatch.setattr(tqdm.tqdm, "close", forget)
    run(*commands["train"], "--out", "out")
    assert len(most) >= 2
    assert max(most) == 1


def test_the_default_batch_is_python_s():
    from rcinterp.cli.interpret import interpret

    (option,) = (parameter for parameter in interpret.params if parameter.name == "batch_size")
    assert option.default == BATCH_SIZE


def test_want_of_memory_is_told_in_one_line(work, run, monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("CUDA out of memory. Tried to allocate 9 GiB")

    monkeypatch.setattr("rcinterp.interpretation.interpret", fail)
    said = run("interpret", "model_0", *CLASSES, "--out", "out", status=2).stderr
    assert re.fullmatch(r"Error: the memory is used up[^\n]*--batch-size[^\n]*\n", said)


def test_a_training_that_is_stopped_says_that_it_can_go_on(commands, run, monkeypatch):
    from rcinterp.training import fitting

    epochs, train = [], fitting._train_epoch

    def train_one_epoch(*arguments):
        if epochs:
            raise KeyboardInterrupt
        epochs.append(1)
        return train(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(fitting, "_train_epoch", train_one_epoch)
        said = run(*commands["train"], "--out", "stopped", status=1).stderr
    assert "stopped; the same command goes on from stopped/checkpoint.safetensors\n" in said
    assert run(*commands["train"], "--out", "stopped").stdout == "stopped\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["train", "--help"], ["study", "list", "--json"]])
def test_output_that_finds_no_room_is_one_line(arguments):
    with open("/dev/full", "w", encoding="utf-8") as full:
        command = [sys.executable, "-m", "rcinterp.cli", *arguments]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False)
    assert done.returncode == 2
    assert done.stderr == b"Error: standard output: No space left on device\n"
