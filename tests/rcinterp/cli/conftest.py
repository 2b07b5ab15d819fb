"""Commands as they are typed, in a folder of small data and small models."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from rcinterp.cli import main
from rcinterp.motifs import load_motifs, write_meme
from rcinterp.reading.model import one_thread

OWN = """
import torch
from torch import nn

class Net(nn.Module):
    task_names = ["CTCF", "SPI1"]

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.a, self.b, self.head = nn.Conv1d(4, 5, 9), nn.Conv1d(5, 3, 5), nn.Linear(3, 2)

    def forward(self, x):
        return self.head(self.b(self.a(x).relu()).relu().amax(2))

class Controlled(Net):
    def forward(self, x, control, weight):
        return super().forward(x) + control.sum((1, 2))[:, None] * weight
"""


def invoke(*arguments, status=0):
    with one_thread():
        result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == status, result.stderr
    return result


@pytest.fixture(scope="session")
def run():
    """Give ``run(*arguments, status=0)``: the result of a command that ends with this status."""
    return invoke


@pytest.fixture(scope="session")
def run_for_json():
    """Give ``run_for_json(*arguments)``: what a command prints with --json, which must be strict JSON."""

    def refuse(constant):
        raise AssertionError(f"{constant} is no JSON")

    def run(*arguments, status=0):
        return json.loads(invoke(*arguments, "--json", status=status).stdout, parse_constant=refuse)

    return run


@pytest.fixture(scope="session")
def prepared(tmp_path_factory):
    """Make the folder that `work` copies, once."""
    folder = tmp_path_factory.mktemp("prepared")
    invoke("simulate", "--n", 40, "--length", 100, "--out", folder / "data")
    files = [
        word
        for option, name in (
            ("--positives", "train.pos"),
            ("--negatives", "train.neg"),
            ("--valid-positives", "valid.pos"),
            ("--valid-negatives", "valid.neg"),
        )
        for word in (option, folder / "data" / f"{name}.fa.gz")
    ]
    for seed in range(2):
        sizes = ["--filters", 2, "--width", 19, "--pool", 20, "--stride", 20, "--epochs", 1, "--recipe", "quiet"]
        invoke("train", *files, *sizes, "--seed", seed, "--out", folder / f"model_{seed}")
    (folder / "mine.py").write_text(OWN)
    names = {}
    exec(OWN, names)
    torch.save(names["Net"]().state_dict(), folder / "weights.pt")
    known = load_motifs("encode")
    write_meme(folder / "known.meme", {name: known[name] for name in [*list(known)[::40], "CTCF_known1"]})
    return folder


@pytest.fixture
def work(prepared, tmp_path, monkeypatch):
    """Make a folder the working one that has data/, model_0/, model_1/, mine.py, weights.pt and known.meme."""
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def commands(work):
    """Each command that writes a folder, without its --out; all but the demo and studies, which take longer."""
    classes = ["--positives", "data/valid.pos.fa.gz", "--negatives", "data/valid.neg.fa.gz"]
    training = [word.replace("valid", "train") for word in classes]
    (work / "hg.fa").write_text("".join(f">{name}\n{'ACGGT' * 200}\n" for name in ("chr1", "chr2")))
    for name, first in (("peaks", 200), ("open", 500)):
        (work / f"{name}.bed").write_text("".join(f"{c}\t{first}\t{first + 50}\n" for c in ("chr1", "chr2")))
    return {
        "simulate": ["simulate", "--n", 10, "--length", 100, "--seed", 3],
        "train": ["train", *training, "--filters", 2, "--epochs", 2, "--traditional", "--augment"],
        "interpret": ["interpret", "model_0", *classes, "--motifs", "known.meme", "--flank", 2],
        "compare-models": ["compare-models", "model_0", "model_1", *classes, "--motifs", "known.meme"],
        "strands": ["strands", "mine.py:Net", "--weights", "weights.pt", "--sequences", "data/valid.pos.fa.gz"],
        "dataset build": [
            *("dataset", "build", "--peaks", "peaks.bed", "--negatives", "open.bed", "--genome", "hg.fa"),
            *("--width", 40, "--split", "chr1/chr2"),
        ],
    }


@pytest.fixture
def files_of():
    """Give ``files_of(folder)``: the bytes of each file below it, by its name."""

    def read(folder):
        folder = Path(folder)
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}

    return read
