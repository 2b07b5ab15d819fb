import json
import math
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import safetensors.torch
import torch
from safetensors import safe_open
from safetensors.torch import load, save, save_file
from torch import nn

from rcinterp.data.datasets import Dataset
from rcinterp.errors import InputError
from rcinterp.training import fitting, steps
from rcinterp.training.fitting import fit
from rcinterp.training.models import compact_model
from rcinterp.training.performance import evaluate
from rcinterp.training.plan import as_positive_weight
from rcinterp.training.recipes import PARTS, RECIPES, Recipe, compose
from rcinterp.training.run import sort_metadata
from rcinterp.training.saving import save_model
from rclayers import by_strand

SETTINGS = {"epochs": 5, "samples_per_epoch": 60, "batch_size": 20, "patience": None, "progress": False}
WITH_COMPLEX = pytest.mark.skipif("C64" not in safetensors.torch._TYPES, reason="needs safetensors of complex numbers")


def _model(rc=True):
    return compact_model(1, 3, 41, rc=rc, widths=(8,), pool=10, stride=4)


def _weights(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def _equal(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture
def data(planted):
    return planted(80, 0), planted(60, 1)


def test_learns_a_planted_motif(planted):
    model = _model()
    quick = Recipe("quick", RECIPES["paper"].initialise, lambda p: torch.optim.Adam(p, lr=0.02), lambda share: 1.0)
    settings = {"epochs": 6, "samples_per_epoch": 3000, "batch_size": 50, "progress": False}
    history = fit(model, planted(3000, 0), planted(200, 1), seed=0, recipe=quick, **settings)
    assert history["valid_auroc"].max() > 0.93
    assert history["train_loss"].iloc[-1] < history["train_loss"].iloc[0]
    assert not model.training


def test_history_and_the_best_epoch_is_kept(data):
    train, valid = data
    model = _model()
    history = fit(model, train, valid, seed=1, **SETTINGS)
    assert list(history.columns) == [
        "epoch",
        "learning_rate",
        "train_loss",
        "valid_loss",
        "valid_auroc",
        "valid_auprc",
        "baseline_auroc",
        "is_best",
    ]
    assert history["epoch"].tolist() == [1, 2, 3, 4, 5]
    assert history["is_best"].sum() == 1
    best = history[history["is_best"]].iloc[0]
    assert best["valid_auroc"] == history["valid_auroc"].max()
    from rcinterp.training.performance import evaluate

    assert evaluate(model, valid)["auroc"].item() == best["valid_auroc"]
    assert model.provenance["seed"] == 1
    assert model.provenance["train_sha256"] == train.sha256
    assert model.provenance["best_epoch"] == best["epoch"]


def test_same_seed_same_numbers_other_seed_others(data):
    train, valid = data
    models = [_model() for _ in range(3)]
    histories = [fit(model, train, valid, seed=seed, **SETTINGS) for model, seed in zip(models, (3, 3, 4), strict=True)]
    pd.testing.assert_frame_equal(histories[0], histories[1], check_exact=True)
    assert _equal(_weights(models[0]), _weights(models[1]))
    assert not _equal(_weights(models[0]), _weights(models[2]))


def test_the_callers_random_numbers_are_left_alone(data):
    model = _model()
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    fit(model, *data, seed=0, **SETTINGS)
    assert torch.equal(torch.rand(1), expected)


class _Interrupted(Exception):
    pass


@pytest.mark.parametrize("rc", [True, False])
def test_a_resumed_run_equals_an_uninterrupted_one(tmp_path, monkeypatch, data, rc):
    train, valid = data
    whole = _model(rc)
    expected = fit(whole, train, valid, seed=2, augment=True, **SETTINGS)

    calls = []
    train_epoch = fitting._train_epoch

    def stop_in_the_third_epoch(*arguments):
        calls.append(1)
        if len(calls) == 3:
            raise _Interrupted
        return train_epoch(*arguments)

    monkeypatch.setattr(fitting, "_train_epoch", stop_in_the_third_epoch)
    checkpoint = tmp_path / "runs/a.safetensors"
    with pytest.raises(_Interrupted):
        fit(_model(rc), train, valid, seed=2, augment=True, checkpoint=checkpoint, **SETTINGS)
    resumed = _model(rc)
    history = fit(resumed, train, valid, seed=2, augment=True, checkpoint=checkpoint, **SETTINGS)
    assert len(calls) == 3 + 3  # two epochs before, three after
    pd.testing.assert_frame_equal(history, expected, check_exact=True)
    assert _equal(_weights(resumed), _weights(whole))

    finished = _model(rc)
    again = fit(finished, train, valid, seed=2, augment=True, checkpoint=checkpoint, **SETTINGS)
    assert len(calls) == 6  # nothing is trained twice
    pd.testing.assert_frame_equal(again, expected, check_exact=True)
    assert _equal(_weights(finished), _weights(whole))
    assert [path.name for path in checkpoint.parent.iterdir()] == ["a.safetensors"]


@pytest.fixture
def on_threads(monkeypatch):
    """Give ``on_threads(n)``: from now on torch says that it calculates on n threads."""
    return lambda n: monkeypatch.setattr(torch, "get_num_threads", lambda: n)


def test_another_number_of_threads_is_told_of_and_noted(tmp_path, monkeypatch, data, on_threads):
    """... and refuses nothing; the weights of a run on one number of threads say nothing of it."""
    path, save, settings = tmp_path / "a.safetensors", fitting.Run.save, SETTINGS | {"baseline": False}

    def stop(self, path):
        save(self, path)
        raise _Interrupted

    on_threads(2)
    with monkeypatch.context() as patch:
        patch.setattr(fitting.Run, "save", stop)
        with pytest.raises(_Interrupted):
            fit(_model(), *data, seed=2, checkpoint=path, **settings)
    half = path.read_bytes()
    whole, model = _model(), _model()
    fit(whole, *data, seed=2, checkpoint=path, **settings)
    assert "threads" not in whole.provenance
    path.write_bytes(half)
    had = re.escape(f"fit: {path}: its epochs were trained on 2")
    on_threads(1)
    with pytest.warns(UserWarning, match=rf"{had} threads, not 1: last digits may differ; set OMP_NUM_THREADS=2 "):
        history = fit(model, *data, seed=2, checkpoint=path, **settings)
    assert len(history) == SETTINGS["epochs"]
    assert model.provenance["threads"] == [2, 1]
    with pytest.warns(UserWarning, match=rf"{had} and 1 threads, so that .* differ from those on one number; del"):
        fit(_model(), *data, seed=2, checkpoint=path, **settings)


def _change_metadata(path, **changes):
    """Let metadata of a checkpoint be others, or be left out (None)."""
    with safe_open(path, "pt") as file:
        metadata = {name: value for name, value in (file.metadata() | changes).items() if value is not None}
    path.write_bytes(save(load(path.read_bytes()), metadata))


def test_a_checkpoint_from_before_threads_were_noted_goes_on(tmp_path, data):
    path = tmp_path / "a.safetensors"
    history = fit(_model(), *data, seed=2, checkpoint=path, **SETTINGS)
    _change_metadata(path, threads=None)
    again = fit(_model(), *data, seed=2, checkpoint=path, **SETTINGS)
    pd.testing.assert_frame_equal(again, history, check_exact=True)
    for wrong in ("3", '["2"]', "[true]", "[0]", "[99999999]", "["):
        _change_metadata(path, threads=wrong)
        with pytest.raises(InputError, match=r"cannot be read as a checkpoint \("):
            fit(_model(), *data, seed=2, checkpoint=path, **SETTINGS)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("valid_auroc", 7.5, "valid_auroc 7.5, expected 0 to 1"),
        ("valid_auprc", -0.1, "valid_auprc -0.1, expected 0 to 1"),
        ("valid_auroc", math.nan, "valid_auroc nan, expected 0 to 1"),
        ("train_loss", -3, "train_loss -3, expected 0 or more"),
        ("learning_rate", math.inf, "learning_rate inf, expected a finite number"),
    ],
)
def test_scores_that_no_epoch_has_are_refused(tmp_path, data, name, value, told):
    path = tmp_path / "a.safetensors"
    history = fit(_model(), *data, seed=2, checkpoint=path, **SETTINGS)
    with safe_open(path, "pt") as file:
        rows = json.loads(file.metadata()["rows"])
    _change_metadata(path, rows=json.dumps([rows[0], rows[1] | {name: value}, *rows[2:]]))
    with pytest.raises(InputError, match=rf"a\.safetensors: .* \(epoch 2 of its history has {told}\); delete it"):
        fit(_model(), *data, seed=2, checkpoint=path, **SETTINGS)
    _change_metadata(path, rows=json.dumps([rows[0] | {"train_loss": math.nan}, *rows[1:]]))  # as a loss may be
    again = fit(_model(), *data, seed=2, checkpoint=path, **SETTINGS)
    assert again["valid_auroc"].tolist() == history["valid_auroc"].tolist()


@pytest.mark.parametrize("score_train", [False, True])
@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            lambda rows: [*rows, *({**rows[0], "epoch": i} for i in range(len(rows) + 1, 40))],
            "history has 39 epochs, ex",
        ),
        (lambda rows: [row | {"a\tb\nc": 1} for row in rows], "history is not one row of numbers an epoch"),
        (lambda rows: [row | {"more": 1} for row in rows], "history is not one row of numbers an epoch"),
        (lambda rows: [rows[0] | {"more": 1}, *rows[1:]], "history is not one row of numbers an epoch"),
        (lambda rows: [{**row, "train_loss_2": 1.0} for row in rows], "history is not one row of numbers an epoch"),
    ],
)
def test_a_history_has_the_epochs_and_columns_of_its_run_alone(tmp_path, data, score_train, change, told):
    path, settings = tmp_path / "a.safetensors", SETTINGS | {"score_train": score_train}
    history = fit(_model(), *data, seed=2, checkpoint=path, **settings)
    again = fit(_model(), *data, seed=2, checkpoint=path, **settings)
    pd.testing.assert_frame_equal(again, history, check_exact=True)
    with safe_open(path, "pt") as file:
        rows = json.loads(file.metadata()["rows"])
    _change_metadata(path, rows=json.dumps(change(rows)))
    with pytest.raises(InputError, match=rf"a\.safetensors: cannot be read as a checkpoint \(its {told}"):
        fit(_model(), *data, seed=2, checkpoint=path, **settings)


@pytest.mark.parametrize(
    ("name", "change", "told"),
    [
        ("best/conv1.weight", lambda v: v * math.nan, r"has values that are NaN or infinite"),
        ("model/norm1.running_var", lambda v: v / 0, r"has values that are NaN or infinite"),
        ("model/conv1.weight", lambda v: v.half(), r"is torch\.float16, expected torch\.float32"),
        pytest.param(
            "model/conv1.weight",
            lambda v: v.to(torch.complex64),
            r"is torch\.complex64, expected torch\.float32",
            marks=WITH_COMPLEX,
        ),
        pytest.param(
            "optimiser/0/step",
            lambda v: v.to(torch.complex64),
            r"is torch\.complex64, expected torch\.float32",
            marks=WITH_COMPLEX,
        ),
        ("best/conv1.weight", lambda v: v.double(), r"is torch\.float64, expected torch\.float32"),
        ("optimiser/0/exp_avg", lambda v: v * math.nan, r"has values that are NaN"),
        ("optimiser/0/exp_avg", lambda v: v.long(), r"is torch\.int64, expected torch\.float32"),
    ],
)
def test_numbers_that_no_run_has_are_refused(tmp_path, data, name, change, told):
    path = tmp_path / "a.safetensors"
    fit(_model(), *data, seed=2, checkpoint=path, **SETTINGS)
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    tensors = load(path.read_bytes())
    path.write_bytes(save({**tensors, name: change(tensors[name])}, metadata))
    model = _model()
    with pytest.raises(InputError, match=rf"a\.safetensors: does not hold the state of the run \({name} {told}\)"):
        fit(model, *data, seed=2, checkpoint=path, **SETTINGS)


def test_a_model_that_begins_with_an_infinite_mask_goes_on(tmp_path, data):
    def masked():
        model = nn.Sequential(nn.Flatten(), nn.Linear(4 * 41, 1))
        model.register_buffer("mask", torch.tensor([0.0, -math.inf]))
        return model

    path = tmp_path / "a.safetensors"
    settings = SETTINGS | {"baseline": False, "recipe": "paper"}
    history = fit(masked(), *data, seed=2, checkpoint=path, **settings)
    again = fit(masked(), *data, seed=2, checkpoint=path, **settings)
    pd.testing.assert_frame_equal(again, history, check_exact=True)


def test_dropout_is_the_same_after_a_resume(tmp_path, data):
    train, valid = data

    def with_dropout():
        return nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(4 * 41, 1))

    whole, resumed = with_dropout(), with_dropout()
    expected = fit(whole, train, valid, seed=2, recipe="paper", **SETTINGS)
    path = tmp_path / "a.safetensors"
    # Stopped by patience after some epochs, then gone on with is another run: its checkpoint is refused (below). Here
    # the first process is cut off by an exception from the progress of validation instead.
    original = fitting._score
    seen = []

    def cut(*arguments):
        seen.append(1)
        if len(seen) == 4:
            raise _Interrupted
        return original(*arguments)

    fitting._score = cut
    try:
        with pytest.raises(_Interrupted):
            fit(with_dropout(), train, valid, seed=2, recipe="paper", checkpoint=path, **SETTINGS)
    finally:
        fitting._score = original
    history = fit(resumed, train, valid, seed=2, recipe="paper", checkpoint=path, **SETTINGS)
    pd.testing.assert_frame_equal(history, expected, check_exact=True)
    assert _equal(_weights(resumed), _weights(whole))


def test_a_checkpoint_of_another_run_is_refused(tmp_path, data):
    train, valid = data
    path = tmp_path / "a.safetensors"
    fit(_model(), train, valid, seed=2, checkpoint=path, **SETTINGS)
    with pytest.raises(InputError, match=r"checkpoint of another run \(seed was 2, now 3\); delete it"):
        fit(_model(), train, valid, seed=3, checkpoint=path, **SETTINGS)
    with pytest.raises(InputError, match=r"checkpoint of another run \(model has other weights\)"):
        fit(_model().double(), train, valid, seed=2, checkpoint=path, **SETTINGS)
    with pytest.raises(InputError, match=r"checkpoint of another run \(initialise was True, now False"):
        fit(_model(), train, valid, seed=2, checkpoint=path, initialise=False, **SETTINGS)
    namesake = compose("seeded", **PARTS["seeded"] | {"momentum": 0.2})
    with pytest.raises(InputError, match=r"checkpoint of another run \(rates was .*'momentum': 0\.1.*, now .*0\.2"):
        fit(_model(), train, valid, seed=2, checkpoint=path, **SETTINGS | {"recipe": namesake})


def test_what_is_no_checkpoint_is_refused(tmp_path, data):
    for name, match in (
        ("folder", "cannot be read as a checkpoint"),
        ("text", "cannot be read"),
        ("weights", "not a che"),
    ):
        path = tmp_path / name
        if name == "folder":
            path.mkdir()
        elif name == "text":
            path.write_text("no tensors")
        else:
            save_file({"a": torch.zeros(3)}, path)
        with pytest.raises(InputError, match=match):
            fit(_model(), *data, seed=2, checkpoint=path, **SETTINGS)


def test_early_stopping(data):
    history = fit(_model(), *data, seed=1, **(SETTINGS | {"epochs": 60, "patience": 2}))
    best = history["valid_auroc"].idxmax()
    assert len(history) == best + 1 + 2 < 60


def test_an_epoch_walks_through_the_order_round_and_round():
    order = torch.randperm(7, generator=torch.Generator().manual_seed(0))
    settings = {"samples_per_epoch": 5, "batch_size": 2, "epochs": 3}
    seen = [batch for epoch in range(3) for _, batch in steps.epoch_batches(order, epoch, settings)]
    assert [len(batch) for batch in seen] == [2, 2, 1] * 3
    assert torch.cat(seen).tolist() == [*order.tolist(), *order.tolist(), order[0].item()]
    shares = [share for epoch in range(3) for share, _ in steps.epoch_batches(order, epoch, settings)]
    assert shares == pytest.approx([(e + s / 5) / 3 for e in range(3) for s in (0, 2, 4)])


def test_augmentation_shows_each_sequence_and_its_reverse_complement(data):
    train, valid = data

    class Recorder(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(1))
            self.seen = []

        def forward(self, x):
            if self.training:
                self.seen += list(x.detach().clone())
            return self.scale * x[:, :1, 0]

    recorder = Recorder()
    settings = {"augment": True, "epochs": 1, "samples_per_epoch": 160, "batch_size": 33, "progress": False}
    fit(recorder, train, valid, seed=0, recipe="paper", **settings)
    seen = {row.numpy().tobytes() for row in recorder.seen}
    expected = {row.numpy().tobytes() for row in train.x} | {
        row.flip(0, 1).contiguous().numpy().tobytes() for row in train.x
    }
    assert len(recorder.seen) == 160
    assert seen == expected


@pytest.mark.parametrize(("positive_weight", "expected"), [("balanced", 3.0), (5.0, 5.0)])
def test_loss_is_the_weighted_mean_not_divided_by_the_weights(positive_weight, expected):
    y = torch.tensor([[1.0], [0.0], [0.0], [0.0]])
    logits = torch.tensor([[0.3], [-0.2], [0.5], [1.0]])
    weight = as_positive_weight(positive_weight, y)
    slow = 0.0
    for value, label in zip(logits.flatten().tolist(), y.flatten().tolist(), strict=True):
        p = 1 / (1 + np.exp(-value))
        slow += (expected if label else 1.0) * -np.log(p if label else 1 - p) / 4
    assert steps.loss_of(logits, y, weight).item() == pytest.approx(slow, rel=1e-6)


def test_a_recipe_s_momentum_is_the_batch_norm_s_during_training_only(data):
    train, valid = data
    model = _model()
    recipe = replace(RECIPES["paper"], momentum=1.0, optimiser=lambda p: torch.optim.SGD(p, lr=0.0))
    settings = SETTINGS | {"epochs": 1, "samples_per_epoch": 20, "batch_size": 20}
    fit(model, train, valid, seed=0, recipe=recipe, **settings)
    assert model.norm1.momentum == 0.01
    order = torch.randperm(len(train), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        scores = model.conv1(train.x[order[:20]])
    torch.testing.assert_close(model.norm1.running_mean, by_strand(scores).mean((0, 2)))


@pytest.mark.parametrize("rc", [True, False])
def test_the_read_out_has_a_rate_of_its_own(data, rc):
    """One step of plain gradient descent: only the layers after the pooling go slower."""
    moved = {}
    for rate in (1.0, 0.25):
        recipe = replace(
            RECIPES["paper"],
            read_out_rate=lambda n, rate=rate: rate if n == 80 else 0,  # of 80 sequences
            schedule=lambda _: 0.5,
            optimiser=lambda p: torch.optim.SGD(p, lr=0.1),
        )
        torch.manual_seed(0)
        model = compact_model(1, 3, 41, rc=rc, widths=(8,), pool=10, stride=4)
        before = _weights(model)
        settings = SETTINGS | {"epochs": 1, "samples_per_epoch": 20, "batch_size": 20}
        history = fit(model, *data, seed=0, recipe=recipe, initialise=False, **settings)
        assert history["learning_rate"].tolist() == [0.05]
        moved[rate] = {name: model.state_dict()[name] - before[name] for name, _ in model.named_parameters()}
    for name, step in moved[1.0].items():
        is_read_out = name.startswith(("weighted_sum", "head"))
        torch.testing.assert_close(moved[0.25][name], step * (0.25 if is_read_out else 1), rtol=1e-3, atol=1e-8)
    assert moved[1.0]["weighted_sum.weight" if rc else "head.weight"].abs().max() > 1e-4


def test_a_run_with_two_rates_goes_on_from_its_checkpoint(tmp_path, data):
    settings = {"seed": 3, "recipe": "quiet", "samples_per_epoch": 60, "batch_size": 20, "epochs": 4, "progress": False}
    whole, cut = _model(), _model()
    expected = fit(whole, *data, **settings)
    score = fitting._score
    path = tmp_path / "run.safetensors"

    def fail_in_the_third_epoch(*args):
        if len(seen) == 2:
            raise InterruptedError
        seen.append(1)
        return score(*args)

    seen = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fitting, "_score", fail_in_the_third_epoch)
        with pytest.raises(InterruptedError):
            fit(cut, *data, checkpoint=path, **settings)
    again = fit(cut, *data, checkpoint=path, **settings)
    pd.testing.assert_frame_equal(again, expected)
    assert _equal(_weights(cut), _weights(whole))


def test_epochs_and_patience_are_the_recipe_s_when_not_given(data):
    recipe = replace(RECIPES["paper"], epochs=4, patience=None)
    settings = {name: value for name, value in SETTINGS.items() if name not in ("epochs", "patience")}
    assert len(fit(_model(), *data, seed=0, recipe=recipe, **settings)) == 4
    still = replace(recipe, patience=2, optimiser=lambda p: torch.optim.SGD(p, lr=0.0), momentum=1e-9)
    assert len(fit(_model(), *data, seed=0, recipe=still, **settings)) == 3
    assert len(fit(_model(), *data, seed=0, recipe=still, patience=None, **settings)) == 4
    assert len(fit(_model(), *data, seed=0, recipe=still, epochs=2, **settings)) == 2


@pytest.mark.parametrize(("limits", "expected"), [((10, 1000), 80), ((100, 1000), 100), ((10, 30), 30)])
@pytest.mark.parametrize("augment", [False, True])
def test_an_epoch_is_a_pass_within_the_recipe_s_limits(data, limits, expected, augment):
    recipe = replace(RECIPES["paper"], samples_per_epoch=limits)
    settings = {"epochs": 1, "batch_size": 10, "progress": False, "augment": augment}
    seen = []
    model = _model()
    model.conv1.register_forward_hook(lambda module, x, y: seen.append(len(x[0])) if module.training else None)
    fit(model, *data, seed=0, recipe=recipe, **settings)
    assert sum(seen) == expected


def test_the_training_set_is_scored_when_asked(data):
    train, valid = data
    model = _model()
    history = fit(model, train, valid, seed=0, score_train=True, **SETTINGS)
    best = history[history["is_best"]].iloc[0]
    with pytest.warns(UserWarning, match="the very ones that the model was trained on"):
        expected = evaluate(model, train).iloc[0]
    assert (best["train_auroc"], best["train_auprc"]) == pytest.approx((expected["auroc"], expected["auprc"]))
    plain = fit(_model(), train, valid, seed=0, **SETTINGS)
    pd.testing.assert_frame_equal(history.drop(columns=["train_auroc", "train_auprc"]), plain)


def test_a_recipe_sets_the_rate_of_every_step(data):
    steps = []

    def schedule(share):
        steps.append(share)
        return 0.5 if share < 0.5 else 0.25

    recipe = Recipe("half", RECIPES["paper"].initialise, lambda p: torch.optim.SGD(p, lr=0.1), schedule)
    history = fit(_model(), *data, seed=0, recipe=recipe, **(SETTINGS | {"epochs": 4}))
    assert history["learning_rate"].tolist() == pytest.approx([0.05, 0.05, 0.025, 0.025])
    assert steps[-12:] == pytest.approx([i / 12 for i in range(12)])  # before, it was only asked what it will be


def test_going_on_from_the_present_weights(data):
    model = _model()
    fit(model, *data, seed=0, **SETTINGS)
    before = _weights(model)
    frozen = Recipe("still", RECIPES["paper"].initialise, lambda p: torch.optim.SGD(p, lr=0.0), lambda share: 1.0)
    fit(model, *data, seed=1, initialise=False, recipe=frozen, **SETTINGS)
    assert torch.equal(before["conv1.weight"], model.conv1.weight)
    fit(model, *data, seed=1, recipe=frozen, **SETTINGS)
    assert not torch.equal(before["conv1.weight"], model.conv1.weight)


def test_progress_goes_to_standard_error(capsys, data):
    fit(_model(), *data, seed=0, **(SETTINGS | {"progress": True}))
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "valid_auroc" in printed.err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"recipe": "best"}, "got 'best', expected one of paper"),
        ({"positive_weight": "heavy"}, "got 'heavy', expected 'balanced' or a number above 0"),
        ({"positive_weight": -1.0}, "got -1.0"),
        ({"positive_weight": float("inf")}, "got inf"),
        ({"positive_weight": [1.0]}, r"got \[1\.0\]"),
        ({"epochs": 2.5}, "got epochs=2.5, expected a whole number"),
        ({"epochs": 0}, "got epochs=0, expected a whole number of at least 1"),
        ({"batch_size": 0}, "got batch_size=0"),
    ],
)
def test_bad_settings(data, change, message):
    with pytest.raises(InputError, match=message):
        fit(_model(), *data, seed=0, **(SETTINGS | change))


def test_a_training_is_compared_with_the_memory_there_is(data, monkeypatch):
    model = _model()
    monkeypatch.setattr("rcinterp.memory._LITTLE", 10)
    monkeypatch.setattr("rcinterp.memory.available_memory", lambda: 40_000)
    told = r"fit: a model of 3 filters, on 20 sequences at a time, takes about 0\.1 MB of memory, expected at most the"
    with pytest.raises(InputError, match=rf"{told} 0\.0 MB that are free; use fewer filters or smaller batches"):
        fit(model, *data, seed=2, **SETTINGS)


def test_data_that_do_not_fit(data):
    train, valid = data
    short = Dataset(valid.x[:, :, 1:], valid.y, valid.names)
    with pytest.raises(InputError, match=r"training sequences of 41 bp .* validation sequences of 40 bp"):
        fit(_model(), train, short, seed=0, **SETTINGS)
    with pytest.raises(InputError, match=r"sequences of 40 bp for a model of 41 bp; build it with .*length=40"):
        fit(_model(), short, short, seed=0, **SETTINGS)
    two = Dataset(valid.x, valid.y.repeat(1, 2), valid.names)
    with pytest.raises(InputError, match="got 2 tasks for a model of 1"):
        fit(_model(), two, two, seed=0, **SETTINGS)


def test_a_model_of_other_outputs_than_the_data_has_tasks(data):
    with pytest.raises(InputError, match=r"gives \(20, 2\) logits for \(20, 1\) labels"):
        fit(nn.Sequential(nn.Flatten(), nn.Linear(4 * 41, 2)), *data, seed=0, recipe="paper", **SETTINGS)


@pytest.mark.parametrize(
    ("turn", "told"),
    [
        (lambda y: y.to(torch.complex64), r"gives complex logits \(torch\.complex64\), expected real ones"),
        (lambda y: (y, y), "gives tuple, expected one tensor of logits"),
    ],
)
def test_a_model_that_gives_no_real_logits(data, turn, told):
    class Turning(nn.Sequential):
        def forward(self, x):
            return turn(super().forward(x))

    with pytest.raises(InputError, match=told):
        fit(Turning(nn.Flatten(), nn.Linear(4 * 41, 1)), *data, seed=0, recipe="paper", **SETTINGS)


@WITH_COMPLEX
def test_a_model_of_complex_weights_goes_on(tmp_path, data):
    class Spectral(nn.Sequential):
        def forward(self, x):
            return super().forward(x.to(torch.complex64)).real

    def make():
        return Spectral(nn.Flatten(), nn.Linear(4 * 41, 1, dtype=torch.complex64))

    settings = SETTINGS | {"baseline": False, "recipe": "paper", "initialise": False}
    torch.manual_seed(0)
    history = fit(make(), *data, seed=2, checkpoint=tmp_path / "a.safetensors", **settings)
    again = fit(make(), *data, seed=2, checkpoint=tmp_path / "a.safetensors", **settings)
    pd.testing.assert_frame_equal(again, history, check_exact=True)


def test_numbers_of_numpy_are_numbers(tmp_path, data):
    model = _model()
    fit(model, *data, **(SETTINGS | {"seed": np.int64(3), "positive_weight": np.float32(2), "epochs": np.int64(1)}))
    save_model(model, tmp_path)


def test_a_diverged_model_is_an_error_not_a_number(data):
    wild = Recipe("wild", RECIPES["paper"].initialise, lambda p: torch.optim.SGD(p, lr=1e30), lambda share: 1.0)
    with pytest.raises(InputError, match="logits are not finite"):
        fit(_model(), *data, seed=0, recipe=wild, **SETTINGS)


def test_a_file_has_the_same_bytes_whatever_the_order_of_its_metadata():
    tensors, names = {"b": torch.arange(3.0), "a": torch.ones(2, 5, dtype=torch.int64)}, list("qwertyuiop")
    files = {sort_metadata(save(tensors, {name: f"µ {name}" for name in order})) for order in (names, names[::-1])}
    assert len(files) == 1  # of 10! orders
    (file,) = files
    assert {name: value.tolist() for name, value in load(file).items()} == {k: v.tolist() for k, v in tensors.items()}
