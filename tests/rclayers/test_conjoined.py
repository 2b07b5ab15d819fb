import re

import pytest
import torch
from torch import nn

from rclayers import Conjoined
from rclayers.testing import assert_rc_equivariant, assert_rc_invariant, check_rc


@pytest.fixture
def model():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv1d(4, 5, 3), nn.ReLU(), nn.Flatten(), nn.Linear(45, 2)).double()


@pytest.mark.parametrize("merge", ["mean", "max"])
def test_equals_a_loop_written_from_its_definition(model, one_hot, merge):
    x = one_hot(3, 11)
    found = Conjoined(model, merge)(x)
    for i in range(3):
        turned = torch.stack([x[i, 3 - c].flip(0) for c in range(4)])
        forward, reverse = model(x[i : i + 1])[0], model(turned[None])[0]
        expected = (forward + reverse) / 2 if merge == "mean" else torch.maximum(forward, reverse)
        torch.testing.assert_close(found[i], expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("merge", ["mean", "max"])
def test_any_model_becomes_invariant(model, one_hot, merge):
    assert_rc_invariant(Conjoined(model, merge), one_hot(7, 11))
    with pytest.raises(AssertionError):
        assert_rc_invariant(model, one_hot(7, 11))


def test_one_output_without_a_task_axis(one_hot):
    class Sum(nn.Module):
        def forward(self, x):
            return (x * torch.arange(11)).sum((1, 2)) + x[:, 0].sum(1)

    x = one_hot(3, 11)
    assert Conjoined(Sum())(x).shape == (3,)
    assert_rc_invariant(Conjoined(Sum()), x)


def test_batch_norm_sees_both_strands_together(one_hot):
    x = one_hot(3, 11)
    model = nn.Sequential(nn.BatchNorm1d(4, momentum=None), nn.Flatten(), nn.Linear(44, 1)).double()
    Conjoined(model)(x)
    share_of_a_and_t = x.mean((0, 2))[[0, 3]].mean()
    torch.testing.assert_close(model[0].running_mean[[0, 3]], share_of_a_and_t.expand(2))


def test_the_model_itself_is_trained(model, one_hot):
    Conjoined(model)(one_hot(3, 11)).sum().backward()
    assert model[0].weight.grad.abs().sum() > 0


@pytest.mark.parametrize("merge", ["mean", "max"])
@pytest.mark.parametrize("tracks", [2, 3])
def test_a_profile_is_turned_back_with_its_strands(one_hot, merge, tracks):
    torch.manual_seed(1)
    inner, x = nn.Conv1d(4, tracks, 4).double(), one_hot(3, 11)
    found = Conjoined(inner, merge, profile=True)(x)
    for t in range(tracks):
        for position in range(8):
            forward = inner(x)[:, t, position]
            reverse = inner(x.flip(1, 2))[:, tracks - 1 - t, 7 - position]
            expected = (forward + reverse) / 2 if merge == "mean" else torch.maximum(forward, reverse)
            torch.testing.assert_close(found[:, t, position], expected, rtol=0, atol=1e-14)
    assert_rc_equivariant(Conjoined(inner, merge, profile=True), x)
    report = check_rc(Conjoined(inner, merge, profile=True), 11)
    assert report.is_equivariant
    assert report


def test_a_profile_without_strands(one_hot):
    inner = nn.Sequential(nn.Conv1d(4, 1, 4), nn.Flatten()).double()
    assert_rc_equivariant(Conjoined(inner, profile=True), one_hot(3, 11))


def test_further_inputs_are_given_to_both_strands(one_hot):
    class WithControl(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.head = nn.Conv1d(6, 5, 3), nn.Linear(45, 2)

        def forward(self, x, control, depth):
            return self.head(self.conv(torch.cat([x, control], 1)).flatten(1)) * depth

    torch.manual_seed(2)
    inner, x, control, depth = WithControl().double(), one_hot(3, 11), torch.rand(3, 2, 11).double(), torch.rand(3, 1)
    expected = (inner(x, control, depth) + inner(x.flip(1, 2), control.flip(1, 2), depth)) / 2
    torch.testing.assert_close(Conjoined(inner)(x, control, depth), expected, rtol=0, atol=1e-14)
    assert check_rc(Conjoined(inner), 11, n_sequences=3, args=(control, depth))


@pytest.mark.parametrize("wrong", [nn.Flatten(0), nn.Sequential(nn.Flatten(), nn.Flatten(0))])
def test_refuses_what_is_no_profile(wrong):
    with pytest.raises(
        ValueError, match=r"expected a profile, \(N, T, L\) or \(N, L\). For one value a task use profile=F"
    ):
        Conjoined(wrong, profile=True)(torch.rand(2, 4, 11))


@pytest.mark.parametrize(
    "wrong", [nn.Conv1d(4, 2, 3), nn.Sequential(nn.Flatten(0), nn.Unflatten(0, (1, -1)))], ids=["profile", "no batch"]
)
def test_refuses_what_it_cannot_merge(wrong):
    with pytest.raises(
        ValueError, match=r"Conjoined: the model gave \(.*\) for 4 sequences, expected one value a task"
    ):
        Conjoined(wrong)(torch.rand(2, 4, 11))


def test_refuses_another_merge(model):
    with pytest.raises(ValueError, match="got merge='sum', expected 'mean' or 'max'"):
        Conjoined(model, "sum")


def test_shows_how_it_merges(model):
    assert "merge='max'" in repr(Conjoined(model, "max"))
    assert "profile" not in repr(Conjoined(model))
    assert "merge='mean', profile=True" in repr(Conjoined(model, profile=True))


def test_refuses_a_profile_that_it_would_not_turn_back():
    said = (
        "Conjoined: the model gave (4, 4, 7) for 4 sequences, expected one value a task, (N, T) or (N,). A profile "
        "must be turned back before the strands are merged: use profile=True."
    )
    with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
        Conjoined(nn.MaxPool1d(5, 1))(torch.rand(2, 4, 11))
