import pytest
import torch
from torch import nn

from rcinterp.errors import InputError
from rcinterp.models import compact_model
from rcinterp.recipes import RECIPES, KerasAdam, find_recipe, initialise_as_keras


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


def test_initialisation_spares_what_is_frozen():
    torch.manual_seed(0)
    model = compact_model(1, 3, 41, widths=(8,), pool=10, stride=4)
    model.norm1.running_mean.fill_(2)
    before = model.conv1.weight.clone()
    initialise_as_keras(model)
    assert not torch.equal(model.conv1.weight, before)
    assert model.norm1.running_mean.eq(0).all()
    assert model.head.weight.eq(1).all()


def test_find_recipe():
    assert find_recipe("paper") is RECIPES["paper"]
    assert find_recipe(RECIPES["paper"]) is RECIPES["paper"]
    assert RECIPES["paper"].schedule(0.3) == 1
    with pytest.raises(InputError, match="got 'bets', expected one of paper"):
        find_recipe("bets")
