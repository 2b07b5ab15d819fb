import json

import pytest
import torch
from torch import nn

from rclayers import SeparableLinear
from rclayers.testing import assert_rc_invariant


def _load(case):
    x, positions, channels = case["in/x"], case["in/W_pos"], case["in/W_chan"]
    layer = SeparableLinear(x.shape[1], x.shape[2], len(positions), symmetric=case.options["symmetric"]).double()
    assert layer.position_weight.shape == positions.shape
    assert layer.channel_weight.shape == channels.shape
    layer.position_weight.data = positions
    layer.channel_weight.data = channels
    return layer


def _close(actual, expected):
    torch.testing.assert_close(actual, expected, rtol=0, atol=1e-10)


def test_equals_the_original(golden):
    cases = golden("sepfc")
    assert len(cases) == 20
    for case in cases:
        for engine in case.options["engines"]:
            layer, x = _load(case), case["in/x"].requires_grad_()
            y = layer(x)
            _close(y, case[f"{engine}/y"])
            (y * case["in/cot"]).sum().backward()
            _close(x.grad, case[f"{engine}/grad_x"])
            _close(layer.position_weight.grad, case[f"{engine}/grad_W_pos"])
            _close(layer.channel_weight.grad, case[f"{engine}/grad_W_chan"])


def test_roughness_equals_the_original_s_penalty(golden):
    cases = [case for case in golden("sepfc") if case.options["smoothness_penalty"]]
    assert len(cases) == 8
    for case in cases:
        layer, options = _load(case), case.options
        order, power = 1 + options["smoothness_second_diff"], 2 - options["smoothness_l1"]
        penalty = options["smoothness_penalty"] * layer.roughness(order, power)
        _close(penalty, case["k1/penalty"].squeeze())
        penalty.backward()
        _close(layer.position_weight.grad, case["k1/grad_penalty_W_pos"])
        assert layer.channel_weight.grad is None
        assert torch.equal(layer.roughness(), layer.roughness(2, 2))  # the original's default


def test_the_curvature_constraint_equals_the_original_s_also_after_a_step(golden):
    cases = [case for case in golden("sepfc") if case.options["curvature_constraint"]]
    assert len(cases) == 8
    for case in cases:
        limit = case.options["curvature_constraint"]
        layer = _load(case)
        layer.constrain_curvature(limit)
        _close(layer.position_weight.detach(), case["k1/W_pos_constrained"])
        layer = _load(case)
        loss = (layer(case["in/x"]) - case["in/sgd_target"]).square().mean()
        _close(loss.detach(), case["k1/sgd_loss"].squeeze())
        loss.backward()
        torch.optim.SGD(layer.parameters(), lr=0.1).step()
        layer.constrain_curvature(limit)
        _close(layer.position_weight.detach(), case["k1/W_pos_after_sgd"])
        _close(layer.channel_weight.detach(), case["k1/W_chan_after_sgd"])


@pytest.mark.parametrize("rc", [False, True])
@pytest.mark.parametrize("symmetric", [False, True])
@pytest.mark.parametrize("length", [7, 8])
def test_equals_a_loop_written_from_the_equation(normal, rc, symmetric, length):
    n, n_filters, n_outputs = 2, 3, 5
    layer = SeparableLinear(n_filters, length, n_outputs, rc, symmetric, bias=True).double()
    assert layer.bias.eq(0).all()
    layer.bias.data = normal(n_outputs, seed=1)
    n_channels = 2 * n_filters if rc else n_filters
    x = normal(n, n_channels, length)
    y = layer(x)
    for i in range(n):
        for o in range(n_outputs):
            expected = layer.bias[o].clone()
            for c in range(n_filters):
                for position in range(length):
                    stored = min(position, length - 1 - position) if symmetric else position
                    seen = x[i, c, position].clone()
                    if rc:
                        seen += x[i, n_channels - 1 - c, length - 1 - position]
                    expected += layer.channel_weight[o, c] * layer.position_weight[o, stored] * seen
            torch.testing.assert_close(y[i, o], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("symmetric", [False, True])
def test_invariant(normal, dtype, symmetric):
    layer, x = SeparableLinear(5, 7, 3, rc=True, symmetric=symmetric, bias=True).to(dtype), normal(2, 10, 7).to(dtype)
    assert_rc_invariant(layer, x)
    assert torch.equal(layer(x), layer(x.flip(1, 2)))
    with pytest.raises(AssertionError):
        assert_rc_invariant(SeparableLinear(10, 7, 3, symmetric=symmetric).to(dtype), x)


def test_a_constrained_profile_bends_by_no_more_and_keeps_its_mean_and_mean_slope(normal):
    layer = SeparableLinear(3, 11, 5).double()
    layer.position_weight.data = before = normal(5, 11)
    layer.constrain_curvature(0.2)
    after = layer.position_weight.detach()
    assert after.diff(n=2, dim=1).abs().max() < 0.2 + 1e-12
    torch.testing.assert_close(after.mean(1), before.mean(1))
    torch.testing.assert_close(after.diff(dim=1).mean(1), before.diff(dim=1).mean(1))
    layer.constrain_curvature(0)
    straight = layer.position_weight.detach()
    torch.testing.assert_close(straight.diff(n=2, dim=1), torch.zeros(5, 9, dtype=torch.float64))


def test_profiles_too_short_to_bend(normal):
    layer = SeparableLinear(3, 2, 5)
    before = layer.position_weight.clone()
    layer.constrain_curvature(0)
    assert torch.equal(layer.position_weight, before)
    assert layer.roughness().item() == 0
    layer.roughness().backward()
    assert layer.roughness(order=1).item() > 0


def test_a_penalty_makes_a_smooth_profile(normal):
    def train(strength):
        layer = SeparableLinear(3, 11, 1).double()
        with torch.no_grad():
            layer.channel_weight.fill_(1)
            layer.position_weight.copy_(normal(1, 11))
        optimiser = torch.optim.SGD([layer.position_weight], lr=0.05)
        x, y = normal(17, 3, 11, seed=1), normal(17, 1, seed=2)
        for _ in range(100):
            optimiser.zero_grad()
            ((layer(x) - y).square().mean() + strength * layer.roughness()).backward()
            optimiser.step()
        return layer.roughness().item()

    assert train(1.0) < 0.5 * train(0.0)


def test_initial_bound_is_the_original_s(reference):
    torch.manual_seed(0)
    measured = [
        case for case in json.loads((reference / "golden/init.json").read_text()) if case["layer"] == "SeparableFC"
    ]
    assert {case["symmetric"] for case in measured} == {True, False}
    for case in measured:
        name = {"W_pos": "position_weight", "W_chan": "channel_weight"}[case["what"]]
        layers = [
            SeparableLinear(case["channels"], case["L"], case["units"], False, case["symmetric"]) for _ in range(20)
        ]
        weight = torch.cat([getattr(layer, name).detach() for layer in layers])
        assert weight.shape[1] == case["shape"][1]
        stored = (case["L"] + 1) // 2 if case["symmetric"] else case["L"]
        bound = (2 / (stored * case["channels"] + case["units"])) ** 0.25
        assert case["max_abs"] <= bound * (1 + 1e-6)
        assert 0.97 * bound < weight.abs().max() <= bound
        assert abs(float(weight.std()) / case["std"] - 1) < 0.06


def test_it_has_far_fewer_weights_than_a_dense_layer():
    n = {rc: sum(p.numel() for p in SeparableLinear(20, 9, 3, rc=rc, bias=True).parameters()) for rc in (False, True)}
    assert n == {False: 3 * (20 + 9) + 3, True: 3 * (20 + 9) + 3}
    assert sum(p.numel() for p in nn.Linear(20 * 9, 3).parameters()) == 543


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((2, 6, 8), r"SeparableLinear: got a map of 8 positions, expected 7.*length=8"),
        ((2, 3, 7), r"SeparableLinear: got x of shape \(2, 3, 7\), expected \(N, 6, L\).*n_filters=F"),
        ((2, 42), r"SeparableLinear: got x of shape \(2, 42\), expected \(N, 6, L\)"),
    ],
)
def test_refuses_a_map_of_another_shape(shape, message):
    with pytest.raises(ValueError, match=message):
        SeparableLinear(3, 7, 5, rc=True)(torch.zeros(shape))


def test_refuses_numbers_out_of_range():
    with pytest.raises(ValueError, match="SeparableLinear: got out_features=0, expected a whole number of at least 1"):
        SeparableLinear(3, 7, 0)
    with pytest.raises(ValueError, match="SeparableLinear: got n_filters=0, expected a whole number of at least 1"):
        SeparableLinear(0, 7, 5)
    layer = SeparableLinear(3, 7, 5)
    assert layer.bias is None
    with pytest.raises(ValueError, match=r"roughness: got order=3, expected 1 or 2"):
        layer.roughness(order=3)
    with pytest.raises(ValueError, match=r"roughness: got power=0, expected 1 or 2"):
        layer.roughness(power=0)
    with pytest.raises(ValueError, match=r"constrain_curvature: got limit=-1, expected at least 0"):
        layer.constrain_curvature(-1)
