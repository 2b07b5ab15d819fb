from collections import OrderedDict

import pytest
import torch
from torch import nn

import rclayers
from rclayers import RCBatchNorm1d, RCConv1d, RCLinear, RCMaxPool1d, RCWeightedSum1d, Strandwise
from rclayers.testing import assert_rc_equivariant, assert_rc_invariant, check_rc, rc_error


def _network(**replaced):
    """An RC network on 38 bp with some of its layers replaced."""
    layers = {
        "conv": RCConv1d(4, 3, 7),
        "norm": RCBatchNorm1d(3),
        "relu": nn.ReLU(),
        "pool": RCMaxPool1d(8, 4),
        "sum": RCWeightedSum1d(3, 7),
        "head": RCLinear(3, 2),
    } | replaced
    return nn.Sequential(OrderedDict((name, layer) for name, layer in layers.items() if layer is not None))


def test_an_rc_network_is_invariant():
    model = _network()
    report = check_rc(model, 38)
    assert report
    assert report.error < 1e-5
    assert report.first_break is None
    assert str(report).startswith("invariant")
    assert model.training  # left in the mode that it was in


@pytest.mark.parametrize(
    ("replaced", "first", "advice"),
    [
        ({"conv": nn.Conv1d(4, 6, 7)}, "conv", "RCConv1d"),
        ({"norm": nn.BatchNorm1d(6)}, "norm", "RCBatchNorm1d"),
        ({"pool": nn.MaxPool1d(9, 5), "sum": RCWeightedSum1d(3, 5)}, "pool", "RCMaxPool1d"),
        ({"pool": nn.AvgPool1d(9, 5), "sum": RCWeightedSum1d(3, 5)}, "pool", "RCAvgPool1d"),
        ({"sum": nn.Flatten(), "head": nn.Linear(42, 1)}, "head", "RCWeightedSum1d and rclayers.RCLinear"),
        ({"relu": nn.LayerNorm(32)}, "relu", "Strandwise"),
        ({"head": None}, "after sum", "end with rclayers.RCLinear"),
        ({"relu": nn.PReLU(6), "pool": rclayers.RCAvgPool1d(8, 4)}, "relu", "Strandwise"),
    ],
)
def test_names_the_first_layer_that_breaks_it(replaced, first, advice):
    report = check_rc(_network(**replaced), 38)
    assert not report
    assert report.first_break == first
    assert advice in report.advice
    assert first in str(report)


def test_a_plain_batch_norm_hides_until_it_is_trained():
    model = _network(norm=nn.BatchNorm1d(6))
    report = check_rc(model, 38)
    assert report.error < 1e-5  # its present weights are the same for both strands
    assert not report.is_invariant
    assert str(report).startswith("not invariant: its present weights hide it; the first layer to break it is norm")


def test_functional_code_that_breaks_it_is_told_apart():
    class Cut(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = RCConv1d(4, 3, 5)
            self.head = RCLinear(3, 1)

        def forward(self, x):
            return self.head(self.conv(x)[:, :, :4].sum(-1))

    report = check_rc(Cut(), 21)
    assert report.first_break == "head"  # its input no longer corresponds


def test_a_layer_that_raises_is_named():
    report = check_rc(_network(), 39)
    assert not report
    assert report.first_break == "pool.windows"
    assert "Lengths that work" in str(report)


def test_a_model_that_averages_both_strands_is_invariant():
    class BothStrands(nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def forward(self, x):
            return (self.inner(x) + self.inner(rclayers.reverse_complement(x))) / 2

    assert check_rc(BothStrands(nn.Sequential(nn.Conv1d(4, 6, 7), nn.Flatten(), nn.Linear(6 * 32, 2))), 38)


def test_a_dead_model_proves_nothing():
    dead = nn.Sequential(nn.Conv1d(4, 6, 7), nn.Threshold(1e9, 0.0), nn.Flatten(), nn.Linear(6 * 32, 2))
    assert check_rc(dead, 38).first_break == "0"


def test_inside_a_strandwise_nothing_is_judged():
    tower = Strandwise(nn.Sequential(nn.Conv1d(3, 3, 3, padding=1), nn.LayerNorm(32), nn.ReLU()))
    assert check_rc(_network(relu=tower), 38)
    assert check_rc(Strandwise(nn.Sequential(nn.Flatten(), nn.Linear(2 * 38, 3))), 38).first_break.startswith("after")


def test_more_than_one_output_is_refused():
    class Two(nn.Module):
        def forward(self, x):
            return x, x

    with pytest.raises(TypeError, match="returned tuple, expected one tensor"):
        check_rc(Two(), 10)


def test_assertions_fail_on_a_module_that_must_fail(one_hot):
    broken = nn.Conv1d(4, 6, 5).double()
    with pytest.raises(AssertionError, match="Conv1d is not reverse-complement equivariant"):
        assert_rc_equivariant(broken, one_hot(2, 17))
    flat = nn.Sequential(nn.Flatten(), nn.Linear(4 * 17, 3)).double()
    with pytest.raises(AssertionError, match="not reverse-complement invariant"):
        assert_rc_invariant(flat, one_hot(2, 17))
    not_a_number = nn.Threshold(2.0, float("nan"))
    with pytest.raises(AssertionError):
        assert_rc_invariant(not_a_number, one_hot(2, 17))


def test_the_error_is_relative_to_the_largest_output():
    class Scaled(nn.Module):
        def forward(self, x):
            return 1000 * x[:, 0].sum(-1, keepdim=True)

    x = torch.zeros(1, 4, 5)
    x[0, 0, :3] = 1  # three A's, no T: 3000 against 0
    assert rc_error(Scaled(), x) == pytest.approx(1.0)


CASES = {
    "RCConv1d": lambda: (RCConv1d(4, 3, 5), (2, 4, 11)),
    "RCBatchNorm1d": lambda: (RCBatchNorm1d(3), (2, 6, 11)),
    "RCMaxPool1d": lambda: (RCMaxPool1d(5, 2), (2, 6, 11)),
    "RCAvgPool1d": lambda: (rclayers.RCAvgPool1d(5, 2), (2, 6, 11)),
    "RCWeightedSum1d": lambda: (RCWeightedSum1d(3, 11), (2, 6, 11)),
    "RCLinear": lambda: (RCLinear(3, 5), (2, 6)),
    "Strandwise": lambda: (Strandwise(nn.Conv1d(3, 5, 4)), (2, 6, 11)),
    "Conjoined": lambda: (rclayers.Conjoined(nn.Sequential(nn.Flatten(), nn.Linear(66, 5))), (2, 6, 11)),
}
NOT_EQUIVARIANT = {"WeightedSum1d"}  # the traditional twin


def test_every_exported_layer_has_a_case():
    layers = {name for name in rclayers.__all__ if isinstance(getattr(rclayers, name), type)} - {"SymmetryError"}
    assert layers == set(CASES) | NOT_EQUIVARIANT


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("name", CASES)
def test_contract(name, dtype):
    layer, shape = CASES[name]()
    x = torch.randn(*shape, dtype=dtype)
    layer = layer.to(dtype)
    assert (
        rc_error(layer, x, invariant=name in ("RCLinear", "Conjoined"))
        < {torch.float64: 1e-12, torch.float32: 1e-5}[dtype]
    )
    assert repr(layer).startswith(name)
    x.requires_grad_()
    layer(x).sum().backward()
    assert x.grad.isfinite().all()
