"""The demo in small: what it writes, and that a seed gives the same of it."""

import re
from dataclasses import replace

import pandas as pd
import pytest

from rcinterp.demo import MOTIF, DemoSettings, _do_both, _Work, run_demo, simulate_one_motif
from rcinterp.errors import InputError
from rcinterp.training.models import compact_model
from rcinterp.training.saving import load_model

TINY = DemoSettings(n_per_class=40, length=100, n_filters=2, epochs=1)


@pytest.fixture(scope="module")
def said():
    return []


@pytest.fixture(scope="module")
def folder(tmp_path_factory, said):
    folder = tmp_path_factory.mktemp("demo") / "new" / "demo"
    assert run_demo(folder, seed=3, settings=TINY, say=said.append) == folder / "report.html"
    return folder


def test_says_its_steps(folder, said):
    assert said[0] == "simulating 80 sequences of 100 bp, half of them with CTCF_known1"
    assert [line.partition(",")[0] for line in said[1:]] == [
        "training: RC model",
        "training: Traditional model",
    ]
    assert "2 filters, 18" in said[1]
    assert "4 filters, 3" in said[2]


def test_writes_a_report_and_both_models_beside_it(folder):
    assert {path.name for path in folder.iterdir()} == {"report.html", "rc", "traditional"}
    for name, rc, n_filters in (("rc", True, 2), ("traditional", False, 4)):
        model = load_model(folder / name)
        assert (model.architecture.rc, model.architecture.n_filters) == (rc, n_filters)
        assert model.provenance["seed"] == 3
        assert model.provenance["augment"] == (not rc)
        assert len(pd.read_csv(folder / name / "filters.tsv", sep="\t")) == n_filters
        assert (folder / name / "report.html").exists()


def test_the_report_has_both_models(folder):
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "<h1>What two networks learned of CTCF_known1</h1>" in page
    headings = re.findall("<h2>(.*?)</h2>", page)
    assert headings[0] == "Side by side"
    models = [heading.partition(",")[0].partition(":")[0] for heading in headings[1:] if "trusted" not in heading]
    assert models[:2] == ["RC model", "Traditional model"]
    assert page.count('<tbody class="f ') == 2 + 4
    assert "56 simulated sequences of 100 bp" in page
    assert "(seed 3). What is shown was measured on 24 others" in page


def test_the_same_seed_gives_the_same_files_and_another_seed_others(folder, tmp_path):
    run_demo(tmp_path / "same", seed=3, settings=TINY)
    files = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    assert files == sorted(
        path.relative_to(tmp_path / "same") for path in tmp_path.rglob("same/**/*") if path.is_file()
    )
    for file in files:
        assert (tmp_path / "same" / file).read_bytes() == (folder / file).read_bytes(), file


def test_one_core_gives_the_same_files_as_two(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("rcinterp.demo.cpu_count", lambda: 1)
    run_demo(tmp_path / "same", seed=3, settings=TINY)
    for file in (path.relative_to(folder) for path in folder.rglob("*") if path.is_file()):
        assert (tmp_path / "same" / file).read_bytes() == (folder / file).read_bytes(), file


@pytest.mark.filterwarnings("ignore:another. interpret. these sequences are the very ones")
def test_what_the_second_process_warns_of_and_raises_is_told_here(tmp_path, monkeypatch):
    monkeypatch.setattr("rcinterp.demo.cpu_count", lambda: 2)
    train, valid = simulate_one_motif(MOTIF, 40, 100, seed=0)
    here, beside = (
        _Work(compact_model(1, 2, 100, widths=(21,), pool=20, stride=20), name, train, valid, epochs=1, seed=0)
        for name in ("a model", "another")
    )
    with pytest.warns(UserWarning, match=r"^another: fit: .*also stand in the training set"):
        _do_both(here, replace(beside, valid=train))
    with pytest.raises(InputError, match="epochs"):
        _do_both(here, replace(beside, epochs=0))


def test_the_data_depend_on_the_seed_only():
    first, same, other = (simulate_one_motif(MOTIF, 20, 100, seed=seed) for seed in (0, 0, 1))
    for one, again, another in zip(first, same, other, strict=True):
        assert one.sha256 == again.sha256 != another.sha256


def test_seventy_percent_are_for_training_and_no_sequence_is_in_both():
    train, valid = simulate_one_motif(MOTIF, 30, 100, seed=0)
    assert (len(train.positives()), len(train.negatives())) == (21, 21)
    assert (len(valid.positives()), len(valid.negatives())) == (9, 9)
    rows = {row.numpy().tobytes() for dataset in (train, valid) for row in dataset.x}
    assert len(rows) == 60


def test_a_place_that_cannot_be_written_is_told_before_anything_is_trained(tmp_path):
    (tmp_path / "file").write_text("")
    said = []
    with pytest.raises(OSError, match="file"):
        run_demo(tmp_path / "file", settings=TINY, say=said.append)
    assert said == []
