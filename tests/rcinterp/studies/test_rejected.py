"""Recipe parts that were rejected do what their equations say."""

import math

import pytest
import torch

from rcinterp import compact_model
from rcinterp.studies._rejected import compose_any, raise_every_threshold, tie_positions
from rcinterp.training.recipes import PAPER, QUIET, compose


@pytest.mark.parametrize("rc", [True, False])
def test_tying_adds_the_gradient_of_its_penalty(rc):
    torch.manual_seed(0)
    x = torch.randn(5, 4, 41)
    gradients = []
    for strength in (0.0, 0.7):
        torch.manual_seed(1)
        model = compact_model(1, 3, 41, rc=rc, n_tasks=2, widths=(8,), pool=10, stride=4)
        if strength:
            tie_positions(model, 41, strength)
        model(x).sum().backward()
        parameter = (model.weighted_sum if rc else model.head).weight
        gradients.append(parameter.grad.view(-1, 7))
    weight = parameter.detach().clone().view(-1, 7).requires_grad_()
    penalty = 0.7 * ((weight - weight.mean(1, keepdim=True)) ** 2).sum()
    (expected,) = torch.autograd.grad(penalty, weight)
    torch.testing.assert_close(gradients[1] - gradients[0], expected)


def test_tying_follows_the_weights_as_they_change():
    model = compact_model(1, 3, 41, widths=(8,), pool=10, stride=4)
    compose_any("tied", **PAPER, tying=1.0).initialise(model, 41)
    weight = model.weighted_sum.weight
    for _ in range(50):
        weight.grad = None
        (0 * weight.sum()).backward()
        with torch.no_grad():
            weight -= 0.1 * weight.grad
    assert float(weight.detach().std(1).max()) < 1e-3


def test_thresholds_of_every_layer():
    model = compact_model(2, 5, 43, widths=(8, 3), pool=10, stride=2)
    raise_every_threshold(model, 43, 0.5)
    for norm, n_scores in ((model.norm1, 72), (model.norm2, 68)):
        torch.testing.assert_close(norm.bias.detach(), torch.full((5,), -0.5 * math.sqrt(2 * math.log(n_scores))))


def test_without_a_rejected_part_it_is_the_recipe_itself():
    one, other = compose_any("quiet", **QUIET), compose("quiet", **QUIET)
    assert (one.name, one.epochs, one.momentum) == (other.name, other.epochs, other.momentum)
    assert one.schedule is other.schedule
