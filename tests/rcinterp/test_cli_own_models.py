"""`rcinterp interpret FILE.py:NAME`: a model of the user's own."""

import re
import sys

import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from safetensors.torch import save_file
from torch import nn

from rcinterp.cli import main
from rcinterp.data.sequences import decode, write_fasta

CODE = """
from torch import nn
from beside import WIDTH

class Both(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv1d(4, 3, WIDTH), nn.ReLU(), nn.AdaptiveMaxPool1d(1), nn.Flatten())
        self.head = nn.Linear(3, 2)

    def forward(self, x):
        h = self.body(x)
        return {"counts": self.head(h), "hidden": h}

def make():
    return Both()

def broken():
    raise KeyError("no such thing")

instance = nn.Sequential(nn.Conv1d(4, 3, WIDTH), nn.ReLU(), nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.Linear(3, 1))
number = 3

def not_a_model():
    return 3
"""


@pytest.fixture
def files(tmp_path, dna):
    (tmp_path / "mine.py").write_text(CODE)
    (tmp_path / "beside.py").write_text("WIDTH = 9\n")
    for seed, label in enumerate(("pos", "neg")):
        write_fasta(tmp_path / f"{label}.fa", decode(dna(30, 40, seed)))
    return tmp_path


def interpret(folder, model, *options):
    arguments = ["--positives", folder / "pos.fa", "--negatives", folder / "neg.fa", "--out", folder / "out"]
    result = CliRunner().invoke(main, ["interpret", *map(str, (model, *arguments, *options))])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_an_instance_and_a_function(files):
    result = interpret(files, f"{files}/mine.py:instance", "--no-faithfulness")
    assert result.exit_code == 0, result.stderr
    assert len(pd.read_csv(files / "out/filters.tsv", sep="\t")) == 3
    assert not (files / "out/faithfulness.tsv").exists()
    options = ["--output", "counts", "--target", 1, "--layer", "body.0", "--method", "ablation"]
    assert interpret(files, f"{files}/mine.py:make", *options).exit_code == 0
    assert "what the output loses when the filter&#39;s activation is set" in (files / "out/report.html").read_text()


def test_a_file_may_be_called_as_a_module_of_the_standard_library_is(files):
    (files / "copy.py").write_text(CODE)
    result = interpret(files, f"{files}/copy.py:instance", "--no-faithfulness")
    assert result.exit_code == 0, result.stderr
    assert hasattr(sys.modules["copy"], "deepcopy")


@pytest.mark.parametrize("kind", ["safetensors", "pt"])
def test_weights_are_loaded(files, kind):
    model = nn.Sequential(nn.Conv1d(4, 3, 9), nn.ReLU(), nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.Linear(3, 1))
    for parameter in model.parameters():
        nn.init.zeros_(parameter)
    weights = files / f"weights.{kind}"
    if kind == "safetensors":
        save_file(model.state_dict(), weights)
    else:
        torch.save({"state_dict": model.state_dict()}, weights)
    result = interpret(files, f"{files}/mine.py:instance", "--weights", weights)
    assert result.exit_code == 0, result.stderr
    verdicts = pd.read_csv(files / "out/filters.tsv", sep="\t")["verdict"]
    assert set(verdicts) == {"dead: contributes nothing on these sequences"}


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        (
            "mine.py:nothing",
            [],
            r"mine\.py: has no 'nothing', expected one of Both, make, broken, instance, not_a_model",
        ),
        ("mine.py", [], r"mine\.py: say which model in it, expected FILE\.py:NAME"),
        ("none.py:make", [], r"none\.py: no such file, expected a Python file with a model"),
        ("mine.py:broken", [], r"mine\.py line \d+: its code raised KeyError: 'no such thing'"),
        ("mine.py:not_a_model", [], r"not_a_model is int, expected an nn\.Module"),
        ("mine.py:number", [], r"number is int, expected an nn\.Module or a function"),
        ("mine.py:make", [], r"returned dict with 'counts', 'hidden'"),
        ("mine.py:make", ["--output", "profile"], r"--output: got 'profile', .*\(counts, hidden\)"),
        ("mine.py:instance", ["--output", "one"], r"--output: got 'one', .*\(Tensor\)"),
        ("mine.py:instance", ["--layer", "conv"], r"layer: got 'conv', expected the name of a convolution: '0'"),
        ("mine.py:instance", ["--weights", "pos.fa"], r"--weights: .*pos\.fa: "),
        ("mine.py:instance", ["--weights", "none.pt"], r"--weights: .*none\.pt: no such file"),
        ("pos.fa", [], r"pos\.fa: is a file, expected the folder of a model, or FILE\.py:NAME"),
        (".", ["--weights", "pos.fa"], r"is a folder, which holds its own weights"),
        (".", [], r"no model\.json here"),
    ],
)
def test_what_cannot_be_used_is_told_in_one_line(files, model, options, message):
    options = [files / option if str(option).endswith((".fa", ".pt")) else option for option in options]
    result = interpret(files, files / model, *options)
    assert result.exit_code == 2
    assert re.fullmatch(r"(the motif comparison .*\n)?Error: [^\n]+\n", result.stderr), result.stderr
    assert re.search(message, result.stderr), result.stderr
    assert not (files / "out").exists()


PROBABILITIES = """
import torch
from torch import nn

class Mean(nn.Module):
    # the mean probability of both strands: no sigmoid ends it
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Conv1d(4, 3, 9), nn.ReLU(), nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.Linear(3, 1))

    def forward(self, x):
        return (self.body(x).sigmoid() + self.body(x.flip(1, 2)).sigmoid()) / 2

class Sides(nn.Module):
    # convolutions of two widths, side by side
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b = nn.Conv1d(4, 3, 5, padding=2), nn.Conv1d(4, 2, 9, padding=4)
        self.head = nn.Linear(5, 1)

    def forward(self, x):
        return self.head(torch.cat([self.a(x), self.b(x)], 1).relu().amax(2))
"""


@pytest.mark.filterwarnings("always")
def test_probabilities_are_warned_of_and_read_by_their_logits(files):
    (files / "mean.py").write_text(PROBABILITIES)
    result = interpret(files, f"{files}/mean.py:Mean", "--no-faithfulness")
    assert "Warning: all outputs lie between 0 and 1" in result.stderr
    assert "on the command line --logit" in result.stderr
    plain = pd.read_csv(files / "out/contributions.tsv", sep="\t")
    result = interpret(files, f"{files}/mean.py:Mean", "--no-faithfulness", "--logit")
    assert result.exit_code == 0, result.stderr
    assert "between 0 and 1" not in result.stderr
    logit = pd.read_csv(files / "out/contributions.tsv", sep="\t")
    assert logit["contribution"].abs().max() > 3.9 * plain["contribution"].abs().max()  # dz/dp is 4 at least
    result = interpret(files, f"{files}/mine.py:instance", "--logit")
    assert result.exit_code == 2
    assert "--logit: got outputs from -" in result.stderr
    assert "expected probabilities; leave it out" in result.stderr


@pytest.mark.filterwarnings("always")
def test_other_layers_that_read_the_sequence_are_named(files):
    (files / "sides.py").write_text(PROBABILITIES)
    result = interpret(files, f"{files}/sides.py:Sides", "--no-faithfulness")
    assert "layer 'a' is shown; the sequence is also read by 'b', whose filters are not: name it" in result.stderr
    assert "The sequence is also read by b, whose filters are not shown." in (files / "out/report.html").read_text()
    result = interpret(files, f"{files}/sides.py:Sides", "--no-faithfulness", "--layer", "b")
    assert "also read" not in result.stderr
    assert len(pd.read_csv(files / "out/filters.tsv", sep="\t")) == 2


@pytest.mark.filterwarnings("always")
def test_probabilities_are_warned_of_by_evaluate_and_strands(files):
    (files / "mean.py").write_text(PROBABILITIES)
    classes = ["--positives", files / "pos.fa", "--negatives", files / "neg.fa"]
    strands = ["--sequences", files / "pos.fa", "--out", files / "strands"]
    for command, given, words in (
        ("evaluate", classes, "(Brier score, calibration, probabilities) is wrong"),
        ("strands", strands, "which strand's are called positive cannot be told"),
    ):
        for option in ([], ["--logit"]):
            asked = [command, f"{files}/mean.py:Mean", *given, *option]
            result = CliRunner().invoke(main, list(map(str, asked)))
            assert result.exit_code == 0, result.stderr
            told = [line for line in result.stderr.splitlines() if line.startswith("Warning: all outputs lie between")]
            assert len(told) == (not option)
            assert all(words in line for line in told)
        if command == "strands":
            assert "% of the sequences" in result.stderr
