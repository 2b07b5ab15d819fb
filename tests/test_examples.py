"""Every example runs, on a simulation and on a folder of FASTA files."""

import runpy
import sys
from pathlib import Path

import pytest

from rcinterp import decode
from rcinterp.data.sequences import write_fasta
from rcinterp.data.simulation import simulate_background

FOLDER = Path(__file__).parents[1] / "examples"
EXAMPLES = sorted(path for path in FOLDER.glob("*.py") if path.stem not in ("common", "shapes"))

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore:recipe quiet"),
    pytest.mark.filterwarnings("ignore:the model ends in a sigmoid"),
]


@pytest.fixture
def run(monkeypatch, capsys):
    """Give ``run(path, *arguments)``: what a script prints."""

    def run(path, *arguments):
        monkeypatch.syspath_prepend(str(FOLDER))
        monkeypatch.setattr(sys, "argv", [str(path), *map(str, arguments)])
        runpy.run_path(str(path), run_name="__main__")
        return capsys.readouterr().out

    yield run
    for name in ("common", "shapes"):
        sys.modules.pop(name, None)


def test_there_is_one_for_each_use():
    stems = [path.stem for path in EXAMPLES]
    assert stems == ["basset", "bpnet", "deepsea", "distributed", "half_precision", "rc_layers", "residual_stem"]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs(path, run):
    printed = run(path, "--n", 100, "--epochs", 1)
    compares_numbers = path.stem in ("distributed", "half_precision")
    columns = ("largest difference",) if compares_numbers else ("auROC", "Faithfulness", "best_match")
    assert all(column in printed for column in columns)


def test_several_processes_train_what_one_does(run):
    lines = [line.split() for line in run(FOLDER / "distributed.py", "--n", 300, "--epochs", 1).splitlines()[1:]]
    differences = [float(line[-3]) for line in lines]
    assert len(differences) == 4
    assert max(differences[0], *differences[2:]) < 1e-6
    assert differences[1] > 1e-3  # batch norm of whole batches is another one


def test_example_reads_a_folder(run, tmp_path):
    for i, name in enumerate(("train.pos", "train.neg", "valid.pos", "valid.neg")):
        write_fasta(tmp_path / f"{name}.fa", list(decode(simulate_background(40, 120, seed=i))))
    assert "int8" in run(FOLDER / "half_precision.py", tmp_path, "--epochs", 1)
