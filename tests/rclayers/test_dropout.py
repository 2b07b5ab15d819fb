import pytest
import torch
from torch import nn

from rclayers import RCBatchNorm1d, RCConv1d, RCDropout, RCDropout1d, RCLinear, SymmetryError
from rclayers.testing import assert_rc_equivariant, check_rc

BOTH = [RCDropout, RCDropout1d]


class SameDraws(nn.Module):
    """A module whose random draws are the same at every call."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, x):
        with torch.random.fork_rng():
            torch.manual_seed(7)
            return self.module(x)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("dropout", BOTH)
def test_equivariant_in_training_under_the_same_draws(normal, dropout, dtype):
    x = normal(5, 6, 11).to(dtype)
    assert_rc_equivariant(SameDraws(dropout(0.5)), x)
    plain = nn.Dropout(0.5) if dropout is RCDropout else nn.Dropout1d(0.5)
    with pytest.raises(AssertionError):
        assert_rc_equivariant(SameDraws(plain), x)


def test_one_value_a_channel(normal):
    layer, x = RCDropout(0.5), normal(5, 6)
    assert_rc_equivariant(SameDraws(layer), x)


def test_values_are_dropped_in_pairs_and_the_others_scaled(normal):
    torch.manual_seed(0)
    x = normal(7, 10, 301).abs() + 1
    y = RCDropout(0.2)(x)
    kept = y != 0
    torch.testing.assert_close(y[kept], x[kept] / 0.8)
    assert torch.equal(kept, kept.flip(1, 2))
    assert 0.19 < 1 - kept.double().mean() < 0.21
    assert (kept.any(-1) & ~kept.all(-1)).all()  # no channel as a whole


def test_whole_filters_are_dropped(normal):
    torch.manual_seed(0)
    x = normal(301, 10, 7).abs() + 1
    y = RCDropout1d(0.2)(x)
    kept = y != 0
    torch.testing.assert_close(y[kept], x[kept] / 0.8)
    assert torch.equal(kept.any(-1), kept.all(-1))
    assert torch.equal(kept, kept.flip(1))
    assert 0.16 < 1 - kept.double().mean() < 0.24
    assert kept[..., 0].unique(dim=0).shape[0] > 10  # each sequence by itself


@pytest.mark.parametrize("dropout", BOTH)
def test_in_eval_mode_nothing_happens(normal, dropout):
    x = normal(2, 6, 11)
    assert torch.equal(dropout(0.9).eval()(x), x)
    assert torch.equal(dropout(0.0)(x), x)


def test_a_network_in_training_gives_both_strands_the_same(one_hot):
    torch.manual_seed(0)
    model = nn.Sequential(
        RCConv1d(4, 5, 7), RCBatchNorm1d(5), nn.ReLU(), RCDropout1d(0.2), RCDropout(0.3), nn.AdaptiveMaxPool1d(1),
        nn.Flatten(), RCDropout(0.3), RCLinear(5, 3),
    ).double()  # fmt: skip
    x = one_hot(11, 41)
    once = SameDraws(model)
    torch.testing.assert_close(once(x), once(x.flip(1, 2)), rtol=0, atol=1e-12)
    assert (once(x) - model(x)).abs().max() > 1e-3  # other draws
    assert check_rc(model, 41)


def test_the_same_seed_gives_the_same_mask(normal):
    x = normal(2, 6, 11)
    layer = SameDraws(RCDropout(0.5))
    assert torch.equal(layer(x), layer(x))


def test_refuses_what_has_no_pairs():
    with pytest.raises(SymmetryError, match=r"RCDropout: got 3 channels .* expected an even number"):
        RCDropout()(torch.zeros(2, 3, 5))
    with pytest.raises(SymmetryError, match="RCDropout1d: got 3 channels"):
        RCDropout1d()(torch.zeros(2, 3, 5))
    with pytest.raises(ValueError, match=r"RCDropout: got x of shape \(4,\), expected \(N, 2F, L\) or \(N, 2F\)"):
        RCDropout()(torch.zeros(4))
    with pytest.raises(ValueError, match=r"RCDropout1d: got x of shape \(2, 4\), expected \(N, 2F, L\)"):
        RCDropout1d()(torch.zeros(2, 4))
    with pytest.raises(ValueError, match="dropout probability"):  # torch's own
        RCDropout(1.5)
