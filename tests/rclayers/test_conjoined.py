import pytest
import torch
from torch import nn

from rclayers import Conjoined
from rclayers.testing import assert_rc_invariant


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
