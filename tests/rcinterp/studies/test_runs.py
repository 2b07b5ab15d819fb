"""A run: what makes it the same run, and that what it leaves behind agrees with its numbers."""

import json
import pickle
from dataclasses import replace

import pandas as pd
import pytest

from rcinterp.data.sequences import decode, write_fasta
from rcinterp.data.simulation import simulate_background
from rcinterp.errors import InputError
from rcinterp.reading.model import predict
from rcinterp.studies import _runs
from rcinterp.studies._data import Folder, Simulated
from rcinterp.studies._runs import Run, train
from rcinterp.training.fitting import fit
from rcinterp.training.models import count_parameters
from rcinterp.training.performance import evaluate
from rcinterp.training.recipes import PARTS
from rcinterp.training.saving import load_model
from rclayers import Conjoined, reverse_complement

DATA = Simulated(("GATA_known6", "ELF1_known2"), n_per_motif=50, length=100, seed=1)
MODEL = {"n_layers": 1, "n_filters": 3, "widths": [11], "pool": 20, "stride": 20, "rc": True}
RUN = Run("tiny", DATA, 0, MODEL, training={"epochs": 4, "samples_per_epoch": 50})
TRADITIONAL = replace(RUN, model={**MODEL, "rc": False})


@pytest.fixture(scope="module", params=["rc", "traditional", "conjoined"])
def trained(request, tmp_path_factory):
    run = {"rc": RUN, "traditional": TRADITIONAL, "conjoined": replace(TRADITIONAL, conjoined=True)}[request.param]
    folder = tmp_path_factory.mktemp(request.param)
    return run, train(run, folder), folder


def test_the_name_is_that_of_what_is_trained_not_of_what_it_is_called():
    assert replace(RUN, label="RC, 3 filters").name == RUN.name
    assert replace(RUN).name == RUN.name
    assert RUN.name.startswith("rc-paper-seed0-")
    assert TRADITIONAL.name.startswith("traditional-paper-seed0-")
    assert replace(RUN, model={name: v for name, v in MODEL.items() if name != "rc"}).name.startswith("rc-")


OTHERS = {
    "data": replace(DATA, seed=2),
    "seed": 1,
    "model": {**MODEL, "n_filters": 4},
    "recipe": "quiet",
    "parts": {"threshold": 0},
    "training": {"epochs": 5, "samples_per_epoch": 50},
    "conjoined": True,
}


def test_every_field_but_the_label_is_part_of_the_identity():
    assert {"label", *OTHERS} == set(Run.__dataclass_fields__)
    names = [RUN.name, *(replace(RUN, **{field: value}).name for field, value in OTHERS.items())]
    assert len(set(names)) == len(names)


def test_the_version_is_part_of_the_identity(monkeypatch):
    monkeypatch.setattr(_runs, "version", lambda name: "0.0.7")
    assert replace(RUN).name != RUN.name


def test_a_named_recipe_that_is_changed_makes_another_run(monkeypatch):
    before = RUN.name
    monkeypatch.setitem(PARTS, "paper", PARTS["paper"] | {"learning_rate": 2e-3})
    assert replace(RUN).name != before
    assert replace(RUN).identity["recipe"]["name"] == "paper"


def test_the_identity_is_json_and_does_not_depend_on_the_order_of_arguments():
    assert json.loads(json.dumps(RUN.identity)) == RUN.identity
    assert RUN.identity["data"] == json.loads(json.dumps(DATA.identity()))
    turned = replace(RUN, model=dict(reversed(MODEL.items())), training=dict(reversed(RUN.training.items())))
    assert turned.name == RUN.name


def test_a_run_travels_without_its_data(tmp_path):
    for part, seed in (("train", 0), ("valid", 1)):
        sequences = decode(simulate_background(400, 200, seed=seed))
        write_fasta(tmp_path / f"{part}.pos.fa", sequences[:200])
        write_fasta(tmp_path / f"{part}.neg.fa", sequences[200:])
    for run in (replace(RUN), replace(RUN, data=Folder(tmp_path))):
        run.data.load()
        before = run.name, run.identity
        packed = pickle.dumps(run)
        assert len(packed) < 3000, "a data set travels with the run"
        again = pickle.loads(packed)
        assert (again.name, again.identity) == before
        assert again == run
        assert replace(again).identity == run.identity


def test_a_model_is_left_and_no_half_written_file(trained):
    run, result, folder = trained
    model = load_model(folder)
    assert not list(folder.glob("*.part"))
    assert {"model.json", "model.safetensors"} <= {path.name for path in folder.iterdir()}
    assert model.architecture.rc == run.model["rc"]
    assert (model.architecture.length, model.architecture.n_tasks) == (100, 2)
    for name, value in run.identity.items():
        assert model.provenance[name] == value, name
    assert {name: model.provenance[name] for name in ("best_epoch", "valid_auroc")} == {
        name: result[name] for name in ("best_epoch", "valid_auroc")
    }


def test_numbers_are_those_of_the_model(trained):
    run, result, folder = trained
    assert json.loads(json.dumps(result)) == result
    model = load_model(folder)
    scored = Conjoined(model) if run.conjoined else model
    _, valid, test = DATA.load()
    for part, data in (("valid", valid), ("test", test)):
        for score, value in evaluate(scored, data).mean().items():
            assert result[f"{part}_{score}"] == value
    assert result["n_parameters"] == count_parameters(model)
    difference = (predict(scored, valid.x) - predict(scored, reverse_complement(valid.x))).abs().max()
    assert result["rc_difference"] == float(difference)


def test_only_a_model_that_minds_the_strand_is_conjoined_post_hoc(trained):
    run, result, folder = trained
    post_hoc = {name: value for name, value in result.items() if name.startswith("post_hoc_")}
    if run.model["rc"] or run.conjoined:
        assert not post_hoc
        assert result["rc_difference"] < 1e-5
        return
    assert result["rc_difference"] > 1e-3
    _, valid, test = DATA.load()
    merged = Conjoined(load_model(folder))
    expected = {
        f"post_hoc_{part}_{score}": value
        for part, data in (("valid", valid), ("test", test))
        for score, value in evaluate(merged, data).mean().items()
    }
    assert post_hoc == expected
    assert post_hoc["post_hoc_valid_auroc"] != result["valid_auroc"]


def test_the_best_epoch_is_that_of_the_history_and_of_the_model(trained):
    _, result, _ = trained
    history = pd.DataFrame(result["history"])
    assert result["n_epochs"] == len(history) == 4
    best = history.loc[history["valid_auroc"].idxmax()]
    assert result["best_epoch"] == best["epoch"]
    assert result["valid_auroc"] == pytest.approx(best["valid_auroc"], abs=1e-12)
    assert "is_best" not in history


def test_a_model_is_trained_as_fit_trains_it(trained):
    run, result, _ = trained
    model = _runs.compact_model(length=100, n_tasks=2, **run.model)
    train_data, valid, _ = DATA.load()
    as_trained = Conjoined(model) if run.conjoined else model
    history = fit(as_trained, train_data, valid, seed=0, recipe="paper", progress=False, **run.training)
    assert history["train_loss"].tolist() == result["history"]["train_loss"]


def test_without_a_test_set_there_are_no_test_scores(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    for part, seed in (("train", 0), ("valid", 1)):
        sequences = decode(simulate_background(40, 60, seed=seed))
        write_fasta(data / f"{part}.pos.fa", sequences[:20])
        write_fasta(data / f"{part}.neg.fa", sequences[20:])
    run = replace(RUN, data=Folder(data), training={"epochs": 1, "samples_per_epoch": 20})
    result = train(run, tmp_path / "run")
    assert not [name for name in result if "test_" in name]
    assert result["valid_auroc"] == float(evaluate(load_model(tmp_path / "run"), data_of(run)).mean()["auroc"])


def data_of(run):
    return run.data.load()[1]


def test_the_parts_of_a_recipe_are_those_that_train(tmp_path):
    """With nothing of "quiet" left, its parts are the paper's recipe."""
    nothing = {"threshold": 0, "level": False, "cycle": False}
    paper = train(RUN, tmp_path / "paper")
    parts = train(replace(RUN, recipe="mine", parts={**nothing, "patience": 10}), tmp_path / "parts")
    assert parts == paper
    faster = train(replace(RUN, recipe="mine", parts={**nothing, "learning_rate": 0.1}), tmp_path / "faster")
    assert faster["history"]["train_loss"] != paper["history"]["train_loss"]


def test_an_unknown_recipe(tmp_path):
    with pytest.raises(InputError, match="recipe: got 'loud', expected one of"):
        train(replace(RUN, recipe="loud"), tmp_path)
