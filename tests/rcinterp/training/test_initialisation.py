import math

import numpy as np
import pytest
import torch
from torch import nn

from rcinterp.training.initialisation import (
    expected_maximum,
    find_read_outs,
    initialise_as_keras,
    level_read_out,
    raise_threshold,
    read_out_parameters,
)
from rcinterp.training.models import compact_model
from rclayers import Conjoined, WeightedSum1d

SIZES = {"widths": (8,), "pool": 10, "stride": 4}  # 41 bp: a map of 34 positions, pooled to 7


def _model(rc, n_tasks=1, n_layers=1, **other):
    widths = (8, 3)[:n_layers]
    return compact_model(
        n_layers,
        5,
        41 + sum(widths[1:]) - len(widths[1:]),
        rc=rc,
        n_tasks=n_tasks,
        **{**SIZES, "widths": widths},
        **other,
    )


def test_initialisation_spares_what_is_frozen():
    torch.manual_seed(0)
    model = compact_model(1, 3, 41, **SIZES)
    model.norm1.running_mean.fill_(2)
    before = model.conv1.weight.clone()
    initialise_as_keras(model)
    assert not torch.equal(model.conv1.weight, before)
    assert model.norm1.running_mean.eq(0).all()
    assert model.head.weight.eq(1).all()


@pytest.mark.parametrize("n", [100, 2000])
def test_the_expected_maximum_is_that_of_normal_scores(n):
    """To first order: a little more than the mean of the largest of n, and nearer to it the larger n is."""
    largest = np.random.default_rng(0).normal(size=(2000, n)).max(1)
    assert largest.mean() < expected_maximum(n) < 1.25 * largest.mean()


@pytest.mark.parametrize(("rc", "n_scores"), [(True, 68), (False, 34)])
@pytest.mark.parametrize("n_layers", [1, 2])
def test_the_threshold_counts_the_scores_that_a_filter_gives_a_sequence(rc, n_scores, n_layers):
    model = _model(rc, n_layers=n_layers)
    length = model.architecture.length
    raise_threshold(model, length)
    last = model.get_submodule(f"norm{n_layers}")
    torch.testing.assert_close(last.bias.detach(), torch.full((5,), -math.sqrt(2 * math.log(n_scores))))
    assert last.weight.eq(1).all()
    if n_layers == 2:  # the bias belongs where the pooling takes maxima
        assert model.norm1.bias.eq(0).all()


def test_a_threshold_of_another_height():
    model = _model(True, n_layers=2)
    raise_threshold(model, model.architecture.length, factor=0.5)
    torch.testing.assert_close(model.norm2.bias.detach(), torch.full((5,), -0.5 * math.sqrt(2 * math.log(68))))


def test_a_model_that_reads_both_strands_has_the_scores_of_both():
    model = _model(rc=False)
    raise_threshold(Conjoined(model), 41)
    torch.testing.assert_close(model.norm1.bias.detach(), torch.full((5,), -math.sqrt(2 * math.log(68))))


def test_a_threshold_is_only_raised_where_a_maximum_is_taken():
    def stack(*layers):
        return nn.Sequential(nn.Conv1d(4, 5, 8), nn.BatchNorm1d(5), *layers, nn.Flatten(), nn.Linear(5 * 34, 1))

    for layers in ((nn.ReLU(),), (nn.Conv1d(5, 5, 1), nn.MaxPool1d(1)), (nn.ReLU(), nn.AvgPool1d(1))):
        model = stack(*layers)
        raise_threshold(model, 41)
        assert model[1].bias.eq(0).all()
    for layers in ((nn.MaxPool1d(1),), (nn.Dropout(0.2), nn.ELU(), nn.MaxPool1d(1))):
        model = stack(*layers)
        raise_threshold(model, 41)
        assert model[1].bias.lt(-2).all()
    model = stack(nn.ReLU(), nn.MaxPool1d(1))
    model[1].requires_grad_(False)
    raise_threshold(model, 41)
    assert model[1].bias.eq(0).all()


def test_the_raised_threshold_lets_about_one_score_a_sequence_through():
    """The reason for it: without it, half of all positions of random sequence are active."""
    torch.manual_seed(0)
    model = compact_model(1, 20, 200, widths=(21,), pool=20, stride=20)
    x = nn.functional.one_hot(torch.randint(4, (500, 200)), 4).transpose(1, 2).float()

    def active():
        return (model[:3].train()(x) > 0).float().sum((1, 2)).mean() / 20  # of a filter, on both strands

    assert 120 < active() < 240
    raise_threshold(model, 200)
    assert 0.02 < active() < 2


@pytest.mark.parametrize("n_tasks", [1, 3])
@pytest.mark.parametrize("rc", [True, False])
@pytest.mark.parametrize("read_out", ["weighted_sum", "dense"])
def test_the_read_out_starts_level(rc, n_tasks, read_out):
    torch.manual_seed(0)
    model = _model(rc, n_tasks, read_out=read_out)
    head = model.head.weight.clone()
    level_read_out(model, 41)
    if read_out == "weighted_sum":
        assert model.weighted_sum.weight.detach().numpy() == pytest.approx(1 / math.sqrt(5 * 7))
        assert torch.equal(model.head.weight, head)
        return
    weight = model.head.weight.detach().view(n_tasks, 5, 7)
    assert torch.equal(weight, weight[..., :1].expand(-1, -1, 7))
    if n_tasks == 1:
        assert weight.numpy() == pytest.approx(math.sqrt(2 / (5 * 7 + 1)))
    else:
        assert weight[..., 0].unique().numel() == 15
        assert weight.abs().max() <= math.sqrt(6 / (5 * 7 + 3))


@pytest.mark.parametrize("n_tasks", [1, 3])
@pytest.mark.parametrize("rc", [True, False])
def test_a_separable_read_out_starts_as_a_level_dense_one(rc, n_tasks):
    torch.manual_seed(0)
    model = _model(rc, n_tasks, read_out="separable")
    level_read_out(model, 41)
    profiles, channels = model.head.position_weight.detach(), model.head.channel_weight.detach()
    size = (2 / (5 * 7 + n_tasks)) ** 0.25
    assert profiles.numpy() == pytest.approx(size)
    if n_tasks == 1:
        assert channels.numpy() == pytest.approx(size)
    else:
        assert channels.unique().numel() == 15
        assert (channels.abs().max() * size) <= math.sqrt(6 / (5 * 7 + 3))
        wide = compact_model(1, 301, 41, rc=rc, n_tasks=3, read_out="separable", **SIZES)
        level_read_out(wide, 41)
        products = wide.head.channel_weight * wide.head.position_weight[:, :1]
        assert products.square().mean().item() == pytest.approx(2 / (301 * 7 + 3), rel=0.1)  # as Glorot's
    (found,) = find_read_outs(model, 41)
    assert found.parameter is model.head.position_weight
    assert found.channel_parameter is model.head.channel_weight
    assert found.shape == (n_tasks, 1, 7)
    assert set(read_out_parameters(model, 41)) == set(model.head.parameters())
    model.head.position_weight.requires_grad_(False).fill_(3)
    level_read_out(model, 41)
    assert model.head.position_weight.eq(3).all()


def test_a_level_weighted_sum_has_the_size_of_section_3_7():
    """The root mean square of the paper's uniform distribution, without its signs."""
    drawn = WeightedSum1d(50, 90)
    level = WeightedSum1d(50, 90)
    model = nn.Sequential(nn.Conv1d(4, 50, 3), level, nn.Linear(50, 1))
    level_read_out(model, 92)
    assert level.weight.detach().unique().numel() == 1
    mean_squares = [float(layer.weight.detach().square().mean()) for layer in (level, drawn)]
    assert mean_squares[0] == pytest.approx(mean_squares[1], rel=0.05)


def test_read_outs_are_found_with_their_positions():
    for rc in (True, False):
        (weighted,) = find_read_outs(_model(rc, read_out="weighted_sum"), 41)
        assert (weighted.shape, weighted.is_weighted_sum) == ((1, 5, 7), True)
        (dense,) = find_read_outs(_model(rc, 3, read_out="dense"), 41)
        assert (dense.shape, dense.is_weighted_sum) == ((3, 5, 7), False)
    conjoined = _model(False)
    assert find_read_outs(Conjoined(conjoined), 41)[0].parameter is conjoined.head.weight
    no_positions = nn.Sequential(
        nn.Conv1d(4, 5, 8), nn.AdaptiveMaxPool1d(1), nn.Flatten(0, 1), nn.Flatten(), nn.Linear(1, 1)
    )
    assert find_read_outs(no_positions, 41) == []


def test_the_weights_of_a_dense_read_out_are_those_of_its_positions():
    """Raising the weight of one channel at one position changes the output as that position of the map does."""
    torch.manual_seed(0)
    for rc in (True, False):
        model = _model(rc, read_out="dense").eval()
        (read_out,) = find_read_outs(model, 41)
        x = nn.functional.one_hot(torch.randint(4, (2, 41)), 4).transpose(1, 2).float()
        pooled = model[:4](x)
        before = model(x)
        with torch.no_grad():
            read_out.weights()[0, 2, 6] += 1
        expected = pooled[:, 2, 6] + (pooled[:, 10 - 1 - 2, 0] if rc else 0)
        torch.testing.assert_close((model(x) - before)[:, 0], expected)


def test_the_read_out_is_what_comes_after_the_last_pooling():
    for rc, read_out in ((True, "weighted_sum"), (True, "dense"), (False, "dense")):
        model = _model(rc, 3, read_out=read_out)
        names = {name for name, value in model.named_parameters() for p in read_out_parameters(model, 41) if p is value}
        expected = {"head.weight", "head.bias"} | ({"weighted_sum.weight"} if read_out == "weighted_sum" else set())
        assert names == expected
    deep = nn.Sequential(nn.Conv1d(4, 5, 8), nn.MaxPool1d(2), nn.Conv1d(5, 3, 4), nn.MaxPool1d(2), nn.Flatten())
    assert read_out_parameters(nn.Sequential(deep, nn.Linear(21, 1)), 41)[0].shape == (1, 21)
    assert read_out_parameters(nn.Sequential(nn.Conv1d(4, 5, 8), nn.Flatten(), nn.Linear(170, 1)), 41) == []


def test_tracing_leaves_the_model_as_it_was():
    model = _model(True).train()
    raise_threshold(model, 41)
    assert model.training
    assert model.norm1.running_mean.eq(0).all()
    assert not any(module._forward_hooks for module in model.modules())
    assert model.conv1.weight.requires_grad
