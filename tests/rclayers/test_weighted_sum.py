import json

import pytest
import torch

from rclayers import RCWeightedSum1d, WeightedSum1d
from rclayers.testing import assert_rc_equivariant


def test_equals_the_original(golden):
    cases = golden("wsum")
    assert {case.options["input_is_revcomp_conv"] for case in cases} == {True, False}
    for case in cases:
        options, x = case.options, case["in/x"].requires_grad_()
        kind = RCWeightedSum1d if options["input_is_revcomp_conv"] else WeightedSum1d
        stored = case["in/W"].T
        layer = kind(len(stored), x.shape[2], symmetric=options["symmetric"], bias=options["bias"]).double()
        assert layer.weight.shape == stored.shape
        layer.weight.data = stored
        if options["bias"]:
            layer.bias.data = case["in/b"]
        y = layer(x)
        torch.testing.assert_close(y, case["k1/y"], rtol=0, atol=1e-10)
        (y * case["in/cot"]).sum().backward()
        torch.testing.assert_close(x.grad, case["k1/grad_x"], rtol=0, atol=1e-10)
        torch.testing.assert_close(layer.weight.grad, case["k1/grad_W"].T, rtol=0, atol=1e-10)
        if options["smoothness_penalty"]:
            penalty = options["smoothness_penalty"] * layer.roughness()
            torch.testing.assert_close(penalty, case["k1/penalty"].squeeze(), rtol=0, atol=1e-10)


@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("length", [7, 8])
def test_equals_a_loop_written_from_the_equation(normal, symmetric, length):
    n_filters = 3
    layer = RCWeightedSum1d(n_filters, length, symmetric, bias=True).double()
    assert layer.bias.eq(0).all()  # docs/evidence/deviations.md, row 13
    layer.bias.data = normal(n_filters, seed=1)
    x = normal(2, 2 * n_filters, length)
    y = layer(x)
    for i in range(2):
        for c in range(2 * n_filters):
            f = min(c, 2 * n_filters - 1 - c)
            expected = layer.bias[f].clone()
            for position in range(length):
                seen_from = position if c == f else length - 1 - position
                if symmetric:
                    seen_from = min(seen_from, length - 1 - seen_from)
                expected += layer.weight[f, seen_from] * x[i, c, position]
            torch.testing.assert_close(y[i, c], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("symmetric", [False, True])
def test_equivariant(normal, dtype, symmetric):
    layer = RCWeightedSum1d(5, 7, symmetric, bias=True).to(dtype)
    assert_rc_equivariant(layer, normal(3, 10, 7).to(dtype))


def test_initial_bound_is_that_of_section_3_7(reference):
    torch.manual_seed(0)
    for case in json.loads((reference / "golden/init.json").read_text()):
        if case["layer"] != "WeightedSum1D" or case["engine"] != "k1_theano" or case["what"] != "W":
            continue
        kind, size = (RCWeightedSum1d, case["channels"] // 2) if case["rc"] else (WeightedSum1d, case["channels"])
        weight = torch.cat([kind(size, case["L"], case["symmetric"]).weight.detach() for _ in range(20)])
        bound = (6 / (2 * case["shape"][0] * case["shape"][1])) ** 0.5
        assert weight.shape[1] == case["shape"][0]
        assert case["max_abs"] <= bound * (1 + 1e-6)
        assert 0.97 * bound < weight.abs().max() <= bound
        assert abs(float(weight.std()) / case["std"] - 1) < 0.06


def test_refuses_a_map_of_another_length():
    with pytest.raises(ValueError, match=r"RCWeightedSum1d: got a map of 8 positions, expected 7.*length=8"):
        RCWeightedSum1d(3, 7)(torch.zeros(2, 6, 8))
    with pytest.raises(ValueError, match=r"^WeightedSum1d: got a map of 8 positions, expected 7"):
        WeightedSum1d(3, 7)(torch.zeros(2, 3, 8))
    with pytest.raises(ValueError, match=r"expected \(N, 6, L\)"):
        RCWeightedSum1d(3, 7)(torch.zeros(2, 8, 7))
