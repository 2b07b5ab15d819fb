"""Several seeds in one run: the same as one after the other."""

from dataclasses import replace

import pandas as pd
import pytest
import torch
from torch import nn

from rcinterp.data.datasets import Dataset
from rcinterp.demo import simulate_one_motif
from rcinterp.errors import InputError
from rcinterp.training import together, words
from rcinterp.training.fitting import fit
from rcinterp.training.models import compact_model
from rcinterp.training.recipes import RECIPES, Recipe
from rcinterp.training.saving import load_model, save_model
from rcinterp.training.starts import WORDS_ALONE, WORDS_AND_DRAWN
from rcinterp.training.together import fit_seeds
from rclayers import RCDropout

SEEDS = (5, 0, 3)
SETTINGS = {"epochs": 1, "samples_per_epoch": 70, "batch_size": 20, "progress": False, "baseline": False}


@pytest.fixture
def data(planted):
    return planted(80, 0), planted(60, 1)


@pytest.fixture(scope="module")
def with_words():
    return simulate_one_motif("NRF1_known1", 150, 100, seed=0)


def _models(n_layers=1, rc=True, n=3, dtype=torch.float64, **sizes):
    """In double precision: in single, rounding alone moves a bias before batch norm, whose gradient is nought."""
    sizes = {"widths": (8,) * n_layers, "pool": 10, "stride": 4} | sizes
    return [compact_model(n_layers, 3, 41, rc=rc, **sizes).to(dtype) for _ in range(n)]


def _compare(data, one_by_one, stacked, *, settings, tolerance=1e-5, besides=()):
    histories = [fit(model, *data, seed=seed, **settings) for model, seed in zip(one_by_one, SEEDS, strict=True)]
    found = fit_seeds(stacked, *data, seeds=SEEDS, **settings)
    for one, other in zip(one_by_one, stacked, strict=True):
        assert not other.training
        for name, value in other.state_dict().items():
            if name not in besides:
                torch.testing.assert_close(value, one.state_dict()[name], rtol=0, atol=tolerance, msg=name)
    for history, expected in zip(found, histories, strict=True):
        pd.testing.assert_frame_equal(history, expected, rtol=1e-4)
    assert not torch.equal(stacked[0].state_dict()["conv1.weight"], stacked[1].state_dict()["conv1.weight"])
    return found


@pytest.mark.parametrize("recipe", ["paper", "quiet"])
@pytest.mark.parametrize("n_layers", [1, 3])
@pytest.mark.parametrize("rc", [True, False])
def test_each_model_is_that_of_its_seed_alone(data, rc, n_layers, recipe):
    settings = SETTINGS | {"recipe": recipe, "augment": not rc, "score_train": True}
    _compare(data, _models(n_layers, rc), _models(n_layers, rc), settings=settings)


@pytest.mark.parametrize("rc", [True, False])
def test_in_single_precision_too_but_for_what_batch_norm_takes_away_again(data, rc):
    settings, own = SETTINGS | {"recipe": "quiet"}, ("conv1.bias", "norm1.running_mean")
    one, other = (_models(1, rc, dtype=torch.float32) for _ in range(2))
    _compare(data, one, other, settings=settings, besides=own)


@pytest.mark.parametrize("read_out", ["dense", "separable", "weighted_sum"])
def test_other_read_outs_and_several_tasks(data, read_out):
    two = tuple(Dataset(part.x, torch.cat([part.y, part.y.roll(3, 0)], 1), part.names) for part in data)
    sizes = {"read_out": read_out, "n_tasks": 2}
    _compare(two, _models(**sizes), _models(**sizes), settings=SETTINGS | {"recipe": "quiet"})


@pytest.mark.parametrize("rc", [True, False])
def test_words_of_each_model_s_start(with_words, monkeypatch, rc):
    """Filters of composition match equally well in many places, among which rounding chooses: none here."""
    monkeypatch.setattr(words, "find_composition", lambda *_: [])
    one_by_one, stacked = ([compact_model(1, 8, 100, rc=rc).double() for _ in SEEDS] for _ in range(2))
    _compare(with_words, one_by_one, stacked, settings=SETTINGS | {"recipe": "seeded", "epochs": 2})
    for one, other in zip(one_by_one, stacked, strict=True):
        assert one.provenance["start"] == other.provenance["start"]
        assert one.provenance["words"] == other.provenance["words"] != []
        assert set(other.provenance["starts"]) == {WORDS_AND_DRAWN, WORDS_ALONE}


def test_filters_that_are_silent_stay_so(with_words):
    """... from words alone: the mask of the read-out's gradient is kept to."""
    models = [compact_model(1, 8, 100) for _ in SEEDS]
    fit_seeds(models, *with_words, seeds=SEEDS, **SETTINGS | {"epochs": 2})
    alone = [model for model in models if model.provenance["start"] == WORDS_ALONE]
    assert alone
    for model in alone:
        n_words = len(model.provenance["words"])
        assert (model.weighted_sum.weight[n_words:] == 0).all()
        assert (model.weighted_sum.weight[:n_words] != 0).all()


def test_each_stops_by_its_own_patience(data):
    settings = SETTINGS | {"recipe": "paper", "epochs": 9, "patience": 2}
    found = _compare(data, _models(), _models(), settings=settings)
    assert len({len(history) for history in found}) > 1


def test_going_on_from_the_present_weights(data):
    torch.manual_seed(0)
    one_by_one = _models()
    stacked = _models()
    for one, other in zip(one_by_one, stacked, strict=True):
        other.load_state_dict(one.state_dict())
    _compare(data, one_by_one, stacked, settings=SETTINGS | {"recipe": "quiet", "initialise": False})


def test_what_is_kept_of_each(data, tmp_path):
    models = _models(dtype=torch.float32)
    histories = fit_seeds(models, *data, seeds=SEEDS, **SETTINGS | {"baseline": True})
    for seed, model, history in zip(SEEDS, models, histories, strict=True):
        assert (model.provenance["seed"], model.provenance["seeds_together"]) == (seed, list(SEEDS))
        assert "baseline_auroc" in history
        assert model.baseline is models[0].baseline
        weight = model.conv1.weight
        assert weight.untyped_storage().nbytes() == weight.numel() * 4  # of its own
        save_model(model, tmp_path)
        assert torch.equal(load_model(tmp_path).conv1.weight, weight)


def test_the_callers_random_numbers_are_left_alone(data):
    models = _models()
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    fit_seeds(models, *data, seeds=SEEDS, **SETTINGS)
    assert torch.equal(torch.rand(1), expected)


def test_bfloat16(data, monkeypatch):
    monkeypatch.setattr("rcinterp.training.precision.has_bfloat16", lambda device: True)
    settings = SETTINGS | {"recipe": "quiet"}
    full, mixed = (
        fit_seeds(_models(dtype=torch.float32), *data, seeds=SEEDS, **settings, precision=precision)
        for precision in ("float32", "bf16-mixed")
    )
    for one, other in zip(full, mixed, strict=True):
        assert other["train_loss"][0] == pytest.approx(one["train_loss"][0], rel=0.02)
        assert other["train_loss"][0] != one["train_loss"][0]


def test_frozen_parameters_and_hooks_on_gradients_are_kept_to(data):
    one_by_one, stacked = _models(), _models()
    for model in (*one_by_one, *stacked):
        model.norm1.bias.requires_grad_(False)
        model.conv1.weight.register_hook(lambda gradient: gradient * torch.tensor([0.0, 1.0, 1.0])[:, None, None])
        model.conv1.bias.register_hook(lambda gradient: None)
    _compare(data, one_by_one, stacked, settings=SETTINGS | {"recipe": "quiet"})


def _plain(*layers):
    return nn.Sequential(nn.Flatten(), *layers, nn.Linear(164, 1))


class _ByValue(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(164, 1)

    def forward(self, x):
        return self.linear(x.flatten(1)) * (1 if x.sum().item() > 0 else 2)


@pytest.mark.parametrize(
    "make",
    [
        lambda: _plain(nn.Dropout(0.5)),
        lambda: nn.Sequential(RCDropout(0.5), nn.Flatten(), nn.Linear(164, 1)),
        _ByValue,
    ],
)
def test_models_that_cannot_be_stacked(data, make):
    models = [make() for _ in SEEDS]
    with pytest.raises(InputError, match=r"cannot be run in a stack \(.*\), expected one without dropout .* Use fit,"):
        fit_seeds(models, *data, seeds=SEEDS, recipe="paper", **SETTINGS)


def test_models_that_are_not_alike(data):
    with pytest.raises(InputError, match=r"model 1 is not like model 0 but for its weights"):
        fit_seeds([*_models(n=1), *_models(n=1, pool=14)], *data, seeds=(0, 1), **SETTINGS)
    frozen = _models(n=2)
    frozen[1].conv1.requires_grad_(False)
    with pytest.raises(InputError, match=r"model 1 is not like model 0 .* frozen parameters"):
        fit_seeds(frozen, *data, seeds=(0, 1), **SETTINGS)
    with pytest.raises(InputError, match=r"models that share weights, expected a model of its own"):
        fit_seeds(_models(n=1) * 2, *data, seeds=(0, 1), **SETTINGS)
    with pytest.raises(InputError, match=r"got 3 models and 2 seeds, expected as many of each"):
        fit_seeds(_models(), *data, seeds=(0, 1), **SETTINGS)
    with pytest.raises(InputError, match=r"got 0 models and 0 seeds"):
        fit_seeds([], *data, seeds=(), **SETTINGS)


def test_a_model_of_other_outputs_than_the_data_has_tasks(data):
    models = [nn.Sequential(nn.Flatten(), nn.Linear(164, 2)) for _ in SEEDS]
    with pytest.raises(InputError, match=r"gives \(20, 2\) logits for \(20, 1\) labels"):
        fit_seeds(models, *data, seeds=SEEDS, recipe="paper", **SETTINGS)


def test_a_diverged_model_is_an_error_not_a_number(data):
    wild = Recipe("wild", RECIPES["paper"].initialise, lambda p: torch.optim.SGD(p, lr=1e300), lambda share: 1.0)
    with pytest.raises(InputError, match="logits are not finite"):
        fit_seeds(_models(), *data, seeds=SEEDS, recipe=wild, **SETTINGS)


def test_the_others_are_kept_if_one_diverges(data):
    torch.manual_seed(0)
    models, alone = _models(n=2), _models(n=1)[0]
    alone.load_state_dict(models[1].state_dict())
    with torch.no_grad():
        models[0].conv1.weight[0, 0, 0] = torch.nan
    settings = SETTINGS | {"recipe": "paper", "initialise": False}
    with pytest.raises(InputError, match=r"^fit_seeds: the model of seed 5 failed \(.*not finite.*\); the others are"):
        fit_seeds(models, *data, seeds=(5, 0), **settings)
    fit(alone, *data, seed=0, **settings)
    assert not models[1].training
    for name, value in models[1].state_dict().items():
        torch.testing.assert_close(value, alone.state_dict()[name], rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("models", "seeds", "message"),
    [
        ([nn.Linear(1, 1)], 5, "seeds of type int, expected a list of models and a list of whole numbers"),
        ([nn.Linear(1, 1)], [0.5], "a list of whole numbers"),
        ([3], [0], "expected every model to be an nn.Module with parameters"),
        ([nn.Flatten()], [0], "expected every model to be an nn.Module with parameters"),
    ],
)
def test_what_are_no_models_or_seeds(models, seeds, message, data):
    with pytest.raises(InputError, match=message):
        fit_seeds(models, *data, seeds=seeds, **SETTINGS)


def test_a_second_start_that_fails_is_left_out(with_words, monkeypatch):
    score, calls = together.score, []

    def fail_once(*args, **how):
        calls.append(1)
        if len(calls) == len(SEEDS) + 2:  # of the second start, the second model
            raise InputError("diverged")
        return score(*args, **how)

    monkeypatch.setattr(together, "score", fail_once)
    models = [compact_model(1, 8, 100) for _ in SEEDS]
    with pytest.warns(UserWarning, match=r"the start from words alone is left out \(diverged\)"):
        fit_seeds(models, *with_words, seeds=SEEDS, **SETTINGS)
    assert [len(model.provenance["starts"]) for model in models] == [2, 1, 2]


def test_progress_goes_to_standard_error(capsys, data):
    fit_seeds(_models(), *data, seeds=SEEDS, **SETTINGS | {"progress": True})
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "best valid_auroc" in printed.err


def test_the_rates_are_those_of_fit(data):
    recipe = replace(RECIPES["quiet"], schedule=lambda share: 0.5 if share < 0.5 else 0.25)
    (history,) = fit_seeds(_models(n=1), *data, seeds=(0,), recipe=recipe, **SETTINGS | {"epochs": 4})
    assert history["learning_rate"].tolist() == pytest.approx([0.01, 0.01, 0.005, 0.005])
