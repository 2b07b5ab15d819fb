import pytest
import torch
from torch import nn

from rclayers import RCLinear, Strandwise
from rclayers.testing import assert_rc_invariant

ACTIVATIONS = {"linear": nn.Identity(), "sigmoid": nn.Sigmoid(), "relu": nn.ReLU()}


def _compare(model, layer, case, weight_of_golden):
    x = case["in/x"].requires_grad_()
    layer.weight.data = weight_of_golden(case["in/W"])
    if case.options["bias"]:
        layer.bias.data = case["in/b"]
    y = ACTIVATIONS[case.options["activation"]](model(x))
    torch.testing.assert_close(y, case["k1/y"], rtol=0, atol=1e-10)
    (y * case["in/cot"]).sum().backward()
    torch.testing.assert_close(x.grad, case["k1/grad_x"], rtol=0, atol=1e-10)
    torch.testing.assert_close(layer.weight.grad, weight_of_golden(case["k1/grad_W"]), rtol=0, atol=1e-10)
    if case.options["bias"]:
        torch.testing.assert_close(layer.bias.grad, case["k1/grad_b"], rtol=0, atol=1e-10)


def test_equals_the_original_after_a_weighted_sum(golden):
    for case in golden("dense_ws"):
        layer = RCLinear(case["in/x"].shape[1] // 2, case.options["units"], bias=case.options["bias"]).double()
        _compare(layer, layer, case, lambda w: w.T.contiguous())


def test_equals_the_original_after_a_convolution(golden):
    for case in golden("dense_conv"):
        _, channels, length = case["in/x"].shape
        n_filters = channels // 2
        layer = RCLinear(n_filters * length, case.options["units"], bias=case.options["bias"]).double()
        model = nn.Sequential(Strandwise(nn.Flatten()), layer)

        def position_major_to_channel_major(w, length=length, n_filters=n_filters):
            return w.reshape(length, n_filters, -1).permute(2, 1, 0).flatten(1).contiguous()

        _compare(model, layer, case, position_major_to_channel_major)


def test_equals_a_loop_written_from_the_equation(normal):
    layer, x = RCLinear(3, 5).double(), normal(2, 6)
    layer.bias.data = normal(5, seed=1)
    for i in range(2):
        for o in range(5):
            expected = layer.bias[o] + sum(layer.weight[o, f] * (x[i, f] + x[i, 5 - f]) for f in range(3))
            torch.testing.assert_close(layer(x)[i, o], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_invariant(normal, dtype):
    assert_rc_invariant(RCLinear(5, 3).to(dtype), normal(2, 10).to(dtype))


def test_starts_glorot_uniform():
    layer = RCLinear(200, 30)
    bound = (6 / 230) ** 0.5
    assert 0.98 * bound < layer.weight.abs().max() <= bound
    assert layer.bias.abs().max() == 0


def test_refuses_a_map():
    with pytest.raises(ValueError, match=r"RCLinear: got x of shape \(2, 6, 7\), expected \(N, 6\).*RCWeightedSum1d"):
        RCLinear(3, 1)(torch.zeros(2, 6, 7))
    with pytest.raises(ValueError, match=r"n_filters=F"):
        RCLinear(3, 1)(torch.zeros(2, 3))
