import pytest
import torch
from torch import nn

from rcinterp.errors import InputError
from rcinterp.training.fitting import fit
from rcinterp.training.models import compact_model
from rcinterp.training.recipes import PAPER, RECIPES, KerasAdam, compose, find_recipe, one_cycle


def test_keras_adam_equals_its_equation():
    weight = nn.Parameter(torch.tensor([0.3, -0.2], dtype=torch.float64))
    optimiser = KerasAdam([weight], lr=1e-3)
    expected, m, v = weight.detach().clone(), 0.0, 0.0
    for t, gradient in enumerate(torch.tensor([[1e-7, 2.0], [3e-7, -1.0], [-1e-7, 0.5]], dtype=torch.float64), start=1):
        weight.grad = gradient
        optimiser.step()
        m, v = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        expected -= 1e-3 * (1 - 0.999**t) ** 0.5 / (1 - 0.9**t) * m / (v**0.5 + 1e-8)
        torch.testing.assert_close(weight.detach(), expected, rtol=0, atol=1e-15)


def test_find_recipe():
    assert find_recipe("paper") is RECIPES["paper"]
    assert find_recipe(RECIPES["paper"]) is RECIPES["paper"]
    assert RECIPES["paper"].schedule(0.3) == 1
    with pytest.raises(InputError, match="got 'bets', expected one of paper"):
        find_recipe("bets")


def test_one_cycle_rises_for_a_quarter_and_falls_to_nothing():
    assert [one_cycle(share) for share in (0, 0.125, 0.25)] == [0, 0.5, 1]
    assert one_cycle(0.625) == pytest.approx(0.5)
    assert one_cycle(1 - 1e-9) == pytest.approx(0, abs=1e-12)
    falling = [one_cycle(share) for share in (0.25, 0.4, 0.6, 0.8, 0.99)]
    assert falling == sorted(falling, reverse=True)


def test_compose_without_any_part_is_the_paper_s_recipe():
    plain = compose("plain", **PAPER)
    weights = []
    for recipe in (plain, RECIPES["paper"]):
        torch.manual_seed(3)
        model = compact_model(1, 3, 41, widths=(8,), pool=10, stride=4)
        recipe.initialise(model, 41)
        weights.append(torch.cat([value.flatten() for value in model.state_dict().values()]))
        assert recipe.schedule(0.3) == 1
        assert recipe.momentum is None
        assert recipe.optimiser(model.parameters()).param_groups[0]["lr"] == 1e-3
    assert torch.equal(*weights)


@pytest.mark.parametrize("part", ["threshold", "level", "cycle"])
def test_each_part_does_its_own_and_nothing_else(part):
    chosen = {"threshold": 0, "level": False, "cycle": False} | {part: 1.0 if part == "threshold" else True}
    torch.manual_seed(0)
    model = compact_model(1, 3, 41, widths=(8,), pool=10, stride=4)
    recipe = compose("one", **chosen)
    recipe.initialise(model, 41)
    assert bool((model.norm1.bias < -2).all()) == (part == "threshold")
    assert (model.weighted_sum.weight.unique().numel() == 1) == (part == "level")
    assert (recipe.schedule(0) == 0) == (part == "cycle")
    assert model.conv1.weight.unique().numel() > 50


@pytest.mark.parametrize(
    ("by_size", "n_train", "expected"),
    [(True, 5000, 0.3), (True, 1269, 0.3 * 1269 / 5000), (True, 9000, 0.3), (True, 63, 0.06), (False, 100, 0.3)],
)
def test_the_read_out_of_a_small_data_set_is_slower(by_size, n_train, expected):
    recipe = compose("one", read_out_rate=0.3, read_out_by_size=by_size)
    assert recipe.read_out_rate(n_train) == pytest.approx(expected)
    assert RECIPES["paper"].read_out_rate(n_train) == 1


def test_a_model_that_the_recipe_is_not_made_for_is_told_of(planted):
    model = nn.Sequential(nn.Conv1d(4, 3, 8), nn.ReLU(), nn.AvgPool1d(34), nn.Flatten(), nn.Linear(3, 1))
    with pytest.warns(UserWarning, match="recipe seeded: the model has no batch norm that feeds a max pooling") as told:
        fit(model, planted(40, 0), planted(40, 1), seed=0, epochs=1, progress=False)
    assert {one.filename for one in told if "no batch norm" in str(one.message)} == {__file__}
