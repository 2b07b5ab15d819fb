import pytest
import torch

from rclayers import RCBatchNorm1d
from rclayers.testing import assert_rc_equivariant


def _load(case):
    mean = case["in/moving_mean"]
    layer = RCBatchNorm1d(len(mean), eps=case.options["epsilon"], momentum=1 - case.options["momentum"]).double()
    layer.running_mean.copy_(mean)
    layer.running_var.copy_(case["in/moving_var"])
    layer.weight.data = case["in/gamma"]
    layer.bias.data = case["in/beta"]
    return layer


def _ordinary(golden):
    cases = [case for case in golden("bn") if case.options["mode"] == 0 and "k1" in case.options["engines"]]
    assert len(cases) == 3
    return cases


def test_equals_the_original(golden):
    for case in _ordinary(golden):
        layer, x = _load(case), case["in/x"].requires_grad_()
        torch.testing.assert_close(layer.eval()(x), case["k1/y_infer"], rtol=0, atol=1e-10)
        y = layer.train()(x)
        torch.testing.assert_close(y, case["k1/y_train"], rtol=0, atol=1e-10)
        (y * case["in/cot"]).sum().backward()
        torch.testing.assert_close(x.grad, case["k1/grad_x"], rtol=0, atol=1e-10)
        torch.testing.assert_close(layer.weight.grad, case["k1/grad_gamma"], rtol=0, atol=1e-10)
        torch.testing.assert_close(layer.bias.grad, case["k1/grad_beta"], rtol=0, atol=1e-10)


def test_running_statistics_depart_from_the_original_as_documented(golden):
    """The original added eps to the biased batch variance that it averaged; ours is PyTorch's unbiased variance."""
    for case in _ordinary(golden):
        layer, x = _load(case), case["in/x"]
        n_passes, keep, eps = 3, case.options["momentum"], case.options["epsilon"]
        for _ in range(n_passes):
            layer.train()(x)
        torch.testing.assert_close(layer.running_mean, case["k1/moving_mean_3"], rtol=0, atol=1e-10)
        n_values = x.shape[0] * x.shape[2] * 2
        newest = (layer.running_var - keep**n_passes * case["in/moving_var"]) / (1 - keep**n_passes)
        originals = newest * (n_values - 1) / n_values + eps
        expected = keep**n_passes * case["in/moving_var"] + (1 - keep**n_passes) * originals
        torch.testing.assert_close(expected, case["k1/moving_var_3"], rtol=0, atol=1e-10)


def test_equals_a_loop_written_from_the_equation(normal):
    n_filters, layer = 3, RCBatchNorm1d(3).double()
    layer.weight.data, layer.bias.data = normal(3, seed=2), normal(3, seed=3)
    x = normal(2, 2 * n_filters, 7)
    y = layer(x)
    for f in range(n_filters):
        pair = x[:, [f, 2 * n_filters - 1 - f]]
        mean = sum(pair.flatten()) / pair.numel()
        variance = sum((value - mean) ** 2 for value in pair.flatten()) / pair.numel()
        expected = layer.weight[f] * (pair - mean) / (variance + 1e-3) ** 0.5 + layer.bias[f]
        torch.testing.assert_close(y[:, [f, 2 * n_filters - 1 - f]], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("training", [True, False])
def test_equivariant(normal, dtype, training):
    layer = RCBatchNorm1d(5).double()
    layer.weight.data, layer.running_mean[:], layer.running_var[:] = (
        normal(5),
        normal(5, seed=1),
        normal(5, seed=2) ** 2,
    )
    assert_rc_equivariant(layer.to(dtype).train(training), normal(3, 10, 7).to(dtype))


def test_starts_as_the_original_did():
    layer = RCBatchNorm1d(3)
    assert (layer.eps, layer.momentum) == (1e-3, 0.01)
    for value, start in ((layer.weight, 1), (layer.bias, 0), (layer.running_mean, 0), (layer.running_var, 1)):
        assert value.shape == (3,)
        assert (value == start).all()


def test_refuses_a_map_of_other_channels():
    with pytest.raises(
        ValueError, match=r"RCBatchNorm1d: got x of shape \(2, 3, 7\), expected \(N, 6, L\).*n_filters=F"
    ):
        RCBatchNorm1d(3)(torch.zeros(2, 3, 7))
