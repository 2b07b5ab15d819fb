"""The faster way back through plain convolutions gives PyTorch's own gradients, and stays out of what it is not for."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from rcinterp.reading import gradients
from rcinterp.reading.gradients import FastGradients


@pytest.fixture
def calls(monkeypatch):
    """Names of what `_Convolution` was asked to do."""
    found, own = [], gradients._Convolution.backward

    def backward(ctx, *given):
        found.append("backward")
        return own(ctx, *given)

    monkeypatch.setattr(gradients._Convolution, "backward", staticmethod(backward))
    return found


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-13), (torch.float32, 1e-5)])
@pytest.mark.parametrize(
    "sizes", [(1, 0, 1), (1, 3, 1), (2, 0, 1), (2, 1, 3), ((1,), (2,), (2,))], ids=lambda sizes: str(sizes)
)
def test_gradients_are_those_of_torch(sizes, dtype, tolerance, calls):
    torch.manual_seed(0)
    weight, bias = torch.randn(7, 5, 4, dtype=dtype), torch.randn(7, dtype=dtype)
    x = torch.randn(3, 5, 31, dtype=dtype, requires_grad=True)
    expected = functional.conv1d(x, weight, bias, *sizes)
    with FastGradients():
        found = functional.conv1d(x, weight, bias, *sizes)
    assert torch.equal(found, expected)
    along = torch.randn_like(found)
    gradients_found = torch.autograd.grad(found, x, along)[0]
    assert calls == ["backward"]
    torch.testing.assert_close(
        gradients_found, torch.autograd.grad(expected, x, along)[0], rtol=tolerance, atol=tolerance
    )


def test_the_second_derivative_is_right():
    torch.manual_seed(0)
    weight = torch.randn(3, 2, 4, dtype=torch.float64)
    x = torch.randn(2, 2, 9, dtype=torch.float64, requires_grad=True)

    def function(x):
        with FastGradients():
            return functional.conv1d(x, weight, padding=1).square()

    assert torch.autograd.gradcheck(function, x)
    assert torch.autograd.gradgradcheck(function, x)


def test_hooks_of_the_input_are_called_once():
    torch.manual_seed(0)
    weight, x = torch.randn(3, 2, 4), torch.randn(2, 2, 9, requires_grad=True)
    calls = []
    x.register_hook(lambda gradient: calls.append(gradient))
    with FastGradients():
        y = functional.conv1d(x, weight).square().sum()
    torch.autograd.grad(y, x, create_graph=True)
    assert len(calls) == 1


def test_it_stays_out_of_autocast_of_older_torch(monkeypatch):
    monkeypatch.setattr(torch, "is_autocast_enabled", lambda: False)  # before torch 2.4
    monkeypatch.setattr(torch, "is_autocast_cpu_enabled", lambda: True)
    weight, x = torch.randn(3, 2, 4), torch.randn(2, 2, 9, requires_grad=True)
    with FastGradients():
        y = functional.conv1d(x, weight)
    assert "_Convolution" not in type(y.grad_fn).__name__


def test_a_model_s_convolutions_take_it_as_modules_and_by_name(calls):
    torch.manual_seed(0)
    first, second = nn.Conv1d(4, 6, 5), nn.Conv1d(6, 3, 3)
    for parameter in (*first.parameters(), *second.parameters()):
        parameter.requires_grad_(False)
    x = torch.randn(2, 4, 20, requires_grad=True)

    def run():
        return functional.conv1d(first(x).relu(), second.weight, bias=second.bias, padding=1).relu().sum()

    with FastGradients():
        found = torch.autograd.grad(run(), x)[0]
    assert calls == ["backward"] * 2
    torch.testing.assert_close(found, torch.autograd.grad(run(), x)[0])


@pytest.mark.parametrize("case", ["trained weights", "groups", "same", "no gradient", "one sequence", "func", "half"])
def test_it_stays_out_of_what_it_is_not_for(case, calls):
    torch.manual_seed(0)
    weight = torch.randn(4, 4 if case != "groups" else 2, 3, requires_grad=case == "trained weights")
    x = torch.randn((2, 4, 9) if case != "one sequence" else (4, 9), requires_grad=True)
    options = {"groups": {"groups": 2}, "same": {"padding": "same"}}.get(case, {})
    if case == "half":
        x, weight = x.detach().bfloat16().requires_grad_(), weight.bfloat16()

    def run(x):
        return functional.conv1d(x, weight, **options).square().sum()

    with FastGradients():
        if case == "no gradient":
            assert not run(x.detach()).requires_grad
        elif case == "func":
            torch.testing.assert_close(torch.func.grad(run)(x.detach()), torch.autograd.grad(run(x), x)[0])
            calls.clear()
        else:
            run(x).backward()
            assert x.grad is not None
    assert calls == []
