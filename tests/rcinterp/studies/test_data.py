"""Data of studies: what is in them, what identifies them, and that any process makes them alike."""

import itertools
import json
import pickle
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from rcinterp.data.datasets import load_split
from rcinterp.data.sequences import decode, write_fasta
from rcinterp.data.simulation import simulate_background
from rcinterp.errors import InputError
from rcinterp.studies import _data
from rcinterp.studies._data import PAPER_MOTIFS, Folder, Simulated

SMALL = Simulated(n_per_motif=20, length=120)
N_POSITIVES, N_NEGATIVES = 57, 143


def write(folder, seed=0, names=("train", "valid")):
    folder.mkdir(exist_ok=True)
    for i, part in enumerate(names):
        sequences = decode(simulate_background(N_POSITIVES + N_NEGATIVES, 30, seed=10 * seed + i))
        write_fasta(folder / f"{part}.pos.fa", sequences[:N_POSITIVES])
        write_fasta(folder / f"{part}.neg.fa", sequences[N_POSITIVES:])
    return folder


@pytest.fixture
def folder(tmp_path):
    return write(tmp_path / "here")


def rows(data, label):
    return {row.numpy().tobytes() for row in data.x[data.y[:, 0] == label]}


def test_simulated_data_are_those_of_section_3_2():
    train, valid, test = SMALL.load()
    assert (len(train), len(valid), len(test)) == (24, 18, 18)
    assert (train.length, train.n_tasks) == (120, 3)
    simulation = SMALL.simulate()
    assert simulation.motifs == PAPER_MOTIFS
    noisy = (simulation.y != simulation.y_clean).any(1).sum()
    assert 0 < noisy <= 0.2 * 60
    expected = simulation.split(seed=0)
    assert [part.sha256 for part in SMALL.load()] == [part.sha256 for part in expected]
    assert test.y.sum() == 18  # clean: one motif a sequence
    assert Simulated() == Simulated(PAPER_MOTIFS, 10_000, 200, 0.2, 0.0, 0)


def test_flipped_labels_are_those_of_the_training_set_each_by_itself():
    data = Simulated(n_per_motif=400, label_noise=0.0, flipped=0.2)
    clean, noisy = replace(data, flipped=0.0).load(), data.load()
    turned = noisy.train.y != clean.train.y
    assert len(turned) == 480
    assert turned.float().mean(0).tolist() == pytest.approx([0.2] * 3, abs=4 * (0.16 / 480) ** 0.5)
    both = (turned[:, 0] & turned[:, 1]).float().mean()
    assert float(both) == pytest.approx(0.04, abs=4 * (0.04 / 480) ** 0.5)
    assert torch.equal(noisy.train.x, clean.train.x)
    assert [part.sha256 for part in noisy[1:]] == [part.sha256 for part in clean[1:]]


OTHERS = {"motifs": PAPER_MOTIFS[:2], "n_per_motif": 21, "length": 121, "label_noise": 0.1, "flipped": 0.1, "seed": 1}


@pytest.mark.parametrize("field", OTHERS)
def test_each_field_of_a_simulation_is_part_of_its_identity_and_changes_the_data(field):
    other = replace(SMALL, **{field: OTHERS[field]})
    assert other.identity() != SMALL.identity()
    assert [part.sha256 for part in other.load()] != [part.sha256 for part in SMALL.load()]


def test_the_identity_of_a_simulation_is_json_and_stays_what_it_is():
    assert json.loads(json.dumps(SMALL.identity())) == {
        "simulated": {
            "motifs": ["GATA_known6", "ELF1_known2", "RXRA_known1"],
            "n_per_motif": 20,
            "length": 120,
            "label_noise": 0.2,
            "flipped": 0.0,
            "seed": 0,
        }
    }


def test_another_process_makes_the_same_data(folder):
    script = (
        "import pickle, sys; data = pickle.loads(bytes.fromhex(sys.argv[1]));"
        "print([[part.sha256 for part in one.load() if part is not None] for one in data])"
    )
    data = [SMALL, Folder(folder), Folder(folder, 0.3)]
    command = [sys.executable, "-c", script, pickle.dumps(data).hex()]
    found = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert found == f"{[[part.sha256 for part in one.load() if part is not None] for one in data]}\n"


def test_a_folder_is_what_load_split_reads(folder):
    train, valid, test = Folder(folder).load()
    assert [train.sha256, valid.sha256] == [part.sha256 for part in load_split(folder)]
    assert test is None
    assert Folder(folder).identity() == {"train_sha256": train.sha256, "valid_sha256": valid.sha256}


def test_a_folder_may_hold_a_test_set(folder):
    without = Folder(folder).identity()
    for label in ("pos", "neg"):
        shutil.copy(next(folder.glob(f"valid*.{label}.fa*")), folder / f"test.{label}.fa")
    _, valid, test = Folder(folder, 0.5).load()
    assert test.sha256 == valid.sha256
    assert Folder(folder).identity() == without | {"test_sha256": test.sha256}
    write_fasta(folder / "test.pos.fa", ["ACGT" * 5])
    write_fasta(folder / "test.neg.fa", ["AACC" * 5])
    with pytest.raises(InputError, match=rf"test sequences have 20 bp, those for training {valid.length}; expected"):
        Folder(folder).identity()
    (folder / "test.pos.fa").unlink()
    with pytest.raises(InputError, match=r"expected a folder with one file test\*\.pos\.fa\*, got none"):
        Folder(folder).load()
    (folder / "test.neg.fa").rename(folder / "test.fa")  # without labels: none
    assert Folder(folder).load()[2] is None


def test_the_identity_of_a_folder_is_its_content_wherever_it_is(folder, tmp_path):
    assert Folder(write(tmp_path / "there")).identity() == Folder(folder).identity()
    changed = Folder(write(tmp_path / "changed", seed=1)).identity()
    assert changed.keys() == {"train_sha256", "valid_sha256"}
    assert not set(changed.values()) & set(Folder(folder).identity().values())
    shares = [Folder(folder, share).identity()["train_sha256"] for share in (0.2, 0.5, 1.0)]
    assert len(set(shares)) == 3


def test_files_that_change_are_read_again(folder):
    """A Dask worker lives longer than a study."""
    before = Folder(folder).identity()
    assert Folder(folder).load()[0] is Folder(folder).load()[0], "read twice though nothing changed"
    write(folder, seed=1)
    after = Folder(folder).identity()
    assert not set(before.values()) & set(after.values())
    assert Folder(folder).load()[0].sha256 == after["train_sha256"]


def test_shares_are_nested_stratified_and_the_same_every_time(folder):
    whole, valid, _ = Folder(folder).load()
    shares = (0.01, 0.05, 0.1, 0.2, 0.5, 0.9, 1.0)
    parts = [Folder(folder, share).load() for share in shares]
    for share, (train, part_valid, _) in zip(shares, parts, strict=True):
        assert int(train.y.sum()) == max(1, round(share * N_POSITIVES))
        assert int((1 - train.y).sum()) == max(1, round(share * N_NEGATIVES))
        assert part_valid.sha256 == valid.sha256
        for label in (0, 1):
            assert rows(train, label) <= rows(whole, label)
            assert len(rows(train, label)) == int((train.y[:, 0] == label).sum()), "a sequence was taken twice"
    for (smaller, *_), (larger, *_) in itertools.pairwise(parts):
        for label in (0, 1):
            assert rows(smaller, label) < rows(larger, label) or len(smaller) == len(larger)
    _data._read.cache_clear()
    assert [Folder(folder, share).load()[0].sha256 for share in shares] == [train.sha256 for train, *_ in parts]


def test_a_share_is_drawn_and_keeps_names_with_sequences(folder):
    whole, *_ = Folder(folder).load()
    part, *_ = Folder(folder, 0.3).load()
    assert rows(part, 1) != rows(_data.Dataset(whole.x[:17], whole.y[:17], whole.names[:17]), 1)
    where = {row.numpy().tobytes(): name for row, name in zip(whole.x, whole.names, strict=True)}
    assert [where[row.numpy().tobytes()] for row in part.x] == list(part.names)


def test_the_caller_s_random_numbers_are_left_alone(folder):
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    _data._read.cache_clear()
    Folder(folder, 0.3).load()
    SMALL.simulate()
    assert torch.rand(1) == expected


def test_labels(folder, monkeypatch):
    assert SMALL.label == "120 bp"
    assert Folder(folder).label == "here"
    monkeypatch.chdir(folder)
    assert Folder(folder.__class__(".")).label == "here"


@pytest.mark.parametrize("share", [0, -0.1, 1.1, float("nan")])
def test_a_share_is_above_nought_and_up_to_one(folder, share):
    with pytest.raises(InputError, match=f"share: got {share}, expected a share of the training set above 0 and up to"):
        Folder(folder, share)


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(InputError, match=r"nowhere: expected a folder with one file train\*.pos.fa\*, got none"):
        Folder(tmp_path / "nowhere").load()
