from collections import OrderedDict

import pytest
import torch
from torch import nn

import rclayers
from rclayers import RCBatchNorm1d, RCConv1d, RCLinear, RCMaxPool1d, RCWeightedSum1d, Strandwise
from rclayers.testing import _move_weights, assert_rc_equivariant, assert_rc_invariant, check_rc, rc_error


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


def test_a_layer_by_itself_is_named_by_its_kind():
    assert check_rc(nn.Conv1d(4, 6, 7), 17).first_break == "Conv1d"


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


class Several(nn.Module):
    """A logit, and a profile of two strands, in a dict."""

    def __init__(self, profile_head):
        super().__init__()
        self.body, self.profile_head, self.head = RCConv1d(4, 3, 7), profile_head, RCLinear(3, 2)

    def forward(self, x):
        y = torch.relu(self.body(x))
        return {"logits": self.head(y.amax(-1)), "profile": self.profile_head(y)}


def test_one_of_several_outputs_is_judged():
    model = Several(nn.Conv1d(6, 2, 5))
    with pytest.raises(
        TypeError, match=r"check_rc: got dict, expected one tensor. Name .*, e.g. func=lambda y: y\[0\]"
    ):
        check_rc(model, 38)
    assert check_rc(model, 38, func=lambda y: y["logits"]).is_invariant
    report = check_rc(model, 38, func=lambda y: y["profile"])
    assert not report
    assert report.first_break == "profile_head"
    assert str(report).startswith("not equivariant: outputs differ by up to")
    assert check_rc(Several(RCConv1d(6, 1, 5)), 38, func=lambda y: y["profile"]).is_equivariant


def test_a_profile_should_turn_with_the_sequence():
    body = nn.Sequential(RCConv1d(4, 3, 7), nn.ReLU(), RCConv1d(6, 1, 5))
    report = check_rc(body, 38)
    assert report.is_equivariant
    assert not report.is_invariant
    assert str(report).startswith("equivariant: the output turns with the sequence, up to")
    assert check_rc(body, 38, turn=lambda y: y).first_break == "after 2"  # it is not invariant
    wrong = nn.Sequential(RCConv1d(4, 3, 7), rclayers.Conjoined(nn.Sequential(nn.Flatten(), nn.Linear(192, 1))))
    assert check_rc(nn.Sequential(*wrong, nn.Unflatten(1, (1, 1)), nn.Upsample(2)), 38).is_equivariant


def test_a_profile_without_strands_or_with_positions_first():
    class Tracks(nn.Module):
        def __init__(self, last):
            super().__init__()
            self.conv, self.head, self.last = RCConv1d(4, 5, 7), nn.Linear(5, 3), last

        def forward(self, x):
            y = self.conv(x)
            y = self.head((y + y.flip(1))[:, :5].transpose(1, 2))  # (N, L, 3), the same for both strands of a filter
            return y if self.last else y.transpose(1, 2)

    assert not check_rc(Tracks(False), 38)
    assert check_rc(Tracks(False), 38, turn=lambda y: y.flip(-1)).is_equivariant
    assert check_rc(Tracks(True), 38, turn=lambda y: y.flip(1)).is_equivariant


def test_a_recurrent_layer_is_named():
    class Recurrent(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.gru, self.head = RCConv1d(4, 3, 7), nn.GRU(6, 5, batch_first=True), nn.Linear(5, 2)

        def forward(self, x):
            return self.head(self.gru(self.conv(x).transpose(1, 2))[0][:, -1])

    report = check_rc(Recurrent(), 38)
    assert report.first_break == "gru"
    assert "rclayers.Strandwise" in report.advice
    assert check_rc(rclayers.Conjoined(Recurrent()), 38)


def test_a_model_that_runs_in_its_own_precision_only():
    class Single(nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner

        def forward(self, x):
            return self.inner(x.float())

    report = check_rc(Single(_network()), 38)
    assert report.is_invariant
    broken = check_rc(Single(_network(norm=nn.BatchNorm1d(6))), 38)
    assert broken.first_break == "inner.norm"


def test_assertions_fail_on_a_module_that_must_fail(one_hot):
    broken = nn.Conv1d(4, 6, 5).double()
    with pytest.raises(AssertionError, match="Conv1d is not reverse-complement equivariant"):
        assert_rc_equivariant(broken, one_hot(2, 17))
    flat = nn.Sequential(nn.Flatten(), nn.Linear(4 * 17, 3)).double()
    with pytest.raises(AssertionError, match=r"^Sequential is not reverse-complement invariant on x of shape"):
        assert_rc_invariant(flat, one_hot(2, 17))
    not_a_number = nn.Threshold(2.0, float("nan"))
    with pytest.raises(AssertionError):
        assert_rc_invariant(not_a_number, one_hot(2, 17))


def test_assertions_hold_what_they_are_asked_for_to_the_tolerance_given(one_hot):
    x = one_hot(2, 17)
    turning = RCConv1d(4, 3, 5).double()
    assert_rc_equivariant(turning, x)
    with pytest.raises(AssertionError, match="RCConv1d is not reverse-complement invariant"):
        assert_rc_invariant(turning, x)
    broken = nn.Conv1d(4, 6, 5).double()
    for check, is_invariant in ((assert_rc_equivariant, False), (assert_rc_invariant, True)):
        error = rc_error(broken, x, invariant=is_invariant)
        check(broken, x, tolerance=error)
        with pytest.raises(AssertionError, match=f"{error:.3g} > "):
            check(broken, x, tolerance=0.9 * error)


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
    "RCDropout": lambda: (rclayers.RCDropout(0.5).eval(), (2, 6, 11)),
    "RCDropout1d": lambda: (rclayers.RCDropout1d(0.5).eval(), (2, 6, 11)),
    "RCResidual": lambda: (rclayers.RCResidual(RCConv1d(6, 3, 5)), (2, 6, 11)),
    "RCDilatedBlock": lambda: (rclayers.RCDilatedBlock(3, dilation=2), (2, 6, 11)),
    "RandomReverseComplement": lambda: (rclayers.RandomReverseComplement().eval(), (2, 4, 11)),
    "RCLinear": lambda: (RCLinear(3, 5), (2, 6)),
    "SeparableLinear": lambda: (rclayers.SeparableLinear(3, 11, 5, rc=True), (2, 6, 11)),
    "Strandwise": lambda: (Strandwise(nn.Conv1d(3, 5, 4)), (2, 6, 11)),
    "Conjoined": lambda: (rclayers.Conjoined(nn.Sequential(nn.Flatten(), nn.Linear(66, 5))), (2, 6, 11)),
}
INVARIANT = {"RCLinear", "SeparableLinear", "Conjoined"}
NOT_EQUIVARIANT = {"WeightedSum1d"}  # the traditional twin


def test_every_exported_layer_has_a_case():
    layers = {name for name in rclayers.__all__ if isinstance(getattr(rclayers, name), type)} - {"SymmetryError"}
    assert layers == set(CASES) | NOT_EQUIVARIANT


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize(
    ("make", "shown"),
    [
        (
            lambda bias: RCConv1d(4, 3, 5, stride=2, padding=1, dilation=3, bias=bias),
            "RCConv1d(4, n_filters=3, kernel_size=5, stride=2, padding=1, dilation=3, bias={})",
        ),
        (lambda bias: RCLinear(3, 5, bias), "RCLinear(3, out_features=5, bias={})"),
        (
            lambda bias: RCWeightedSum1d(3, 11, symmetric=True, bias=bias),
            "RCWeightedSum1d(3, length=11, symmetric=True, bias={})",
        ),
        (
            lambda bias: rclayers.SeparableLinear(3, 11, 5, rc=True, bias=bias),
            "SeparableLinear(3, length=11, out_features=5, rc=True, symmetric=False, bias={})",
        ),
    ],
)
def test_layers_show_their_sizes(make, shown, bias):
    assert repr(make(bias)) == shown.format(bias)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("name", CASES)
def test_contract(name, dtype):
    layer, shape = CASES[name]()
    x = torch.randn(*shape, dtype=dtype)
    layer = layer.to(dtype)
    assert rc_error(layer, x, invariant=name in INVARIANT) < {torch.float64: 1e-12, torch.float32: 1e-5}[dtype]
    assert repr(layer).startswith(name)
    x.requires_grad_()
    layer(x).sum().backward()
    assert x.grad.isfinite().all()


def test_running_statistics_move_with_the_weights_and_are_missing_where_none_are_kept():
    kept = nn.BatchNorm1d(3)
    model = nn.Sequential(kept, nn.BatchNorm1d(3, track_running_stats=False))
    _move_weights(model, torch.Generator().manual_seed(0))
    assert (kept.running_mean != 0).all()
    assert (kept.running_mean.abs() < 1).all()
    assert ((kept.running_var > 1) & (kept.running_var < 2)).all()
