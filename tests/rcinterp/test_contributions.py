import gc

import numpy as np
import pytest
import torch
from captum.attr import LayerGradientXActivation
from torch import nn

from rcinterp.contributions import filter_contributions, sequence_contributions
from rcinterp.errors import InputError
from rcinterp.models import compact_model


@pytest.fixture(params=[(True, 1), (True, 2), (False, 1), (False, 2)], ids=["rc-1", "rc-2", "plain-1", "plain-2"])
def model(request):
    """A small model with moved batch-norm statistics, in training mode."""
    rc, n_layers = request.param
    torch.manual_seed(0)
    model = compact_model(n_layers, 3, 41, rc=rc, widths=(8, 5)[:n_layers], pool=10, stride=2, n_tasks=2)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d):
            module.running_mean.normal_(0, 0.3)
            module.bias.data.normal_()
    return model.double()


def _by_filter(values, rc):
    return values[:, :3] + values.flip(1)[:, :3] if rc else values


@pytest.mark.parametrize("target", [0, 1])
@pytest.mark.parametrize("layer", ["conv1", "conv2"])
@pytest.mark.parametrize("at", ["activation", "convolution"])
def test_equals_captum(model, planted, target, layer, at):
    if layer == "conv2" and model.architecture.n_layers == 1:
        with pytest.raises(InputError, match=r"got 'conv2', expected the name of a convolution: 'conv1'"):
            sequence_contributions(model, planted(4, 0).x, layer)
        return
    x = planted(13, 0).x.double()
    module = getattr(model, layer.replace("conv", "relu") if at == "activation" else layer)
    model.eval()
    expected = LayerGradientXActivation(model, module).attribute(x, target=target).sum(-1).detach()
    model.train()
    found = sequence_contributions(model, x, layer, target, at=at, batch_size=5)
    torch.testing.assert_close(found, _by_filter(expected, model.architecture.rc), rtol=0, atol=1e-12)


def test_equals_a_loop_written_from_the_equation(planted):
    """One RC filter layer, one weighted sum: the gradient is the summed weight of the windows that chose a position."""
    torch.manual_seed(1)
    model = compact_model(1, 2, 21, widths=(4,), pool=6, stride=6).double().eval()
    x = planted(3, 0).x[:, :, :21].double()
    with torch.no_grad():
        activation = model.relu1(model.norm1(model.conv1(x)))
    weight = torch.cat([model.weighted_sum.weight, model.weighted_sum.weight.flip(0, 1)])
    expected = torch.zeros(3, 2, dtype=torch.float64)
    for i in range(3):
        for channel in range(4):
            for window in range(3):
                peak = activation[i, channel, 6 * window : 6 * window + 6].max()
                expected[i, min(channel, 3 - channel)] += weight[channel, window] * peak
    torch.testing.assert_close(sequence_contributions(model, x), expected, rtol=0, atol=1e-12)


def test_table(model, planted):
    positives, negatives = planted(14, 0).x[::2], planted(22, 1).x[1::2]
    table = filter_contributions(model, positives, negatives, target=1, batch_size=4)
    assert list(table.columns) == ["filter", "score", "mean_positive", "mean_negative"]
    assert table["filter"].tolist() == ["filter_0", "filter_1", "filter_2"]
    for column, x in (("mean_positive", positives), ("mean_negative", negatives)):
        by_sequence = sequence_contributions(model, x, target=1)
        np.testing.assert_allclose(table[column], by_sequence.mean(0), atol=1e-12)
    np.testing.assert_allclose(table["score"], table["mean_positive"] - table["mean_negative"], atol=1e-12)
    whole = filter_contributions(model, positives, negatives, target=1, batch_size=1000)
    np.testing.assert_allclose(table["score"], whole["score"], atol=1e-12)


def test_both_strands_of_a_sequence_contribute_alike_in_an_rc_model(planted):
    model = compact_model(1, 3, 41, widths=(8,), pool=10, stride=4).double()
    x = planted(6, 0).x.double()
    torch.testing.assert_close(sequence_contributions(model, x), sequence_contributions(model, x.flip(1, 2)))


def _state(model):
    return (
        [module.training for module in model.modules()],
        [parameter.requires_grad for parameter in model.parameters()],
        [parameter.grad for parameter in model.parameters()],
        [len(module._forward_hooks) for module in model.modules()],
        [buffer.clone() for buffer in model.buffers()],
    )


def _assert_same_state(before, after):
    assert before[:4] == after[:4]
    assert all(torch.equal(one, other) for one, other in zip(before[4], after[4], strict=True))


def test_the_model_comes_back_as_it_was(model, planted):
    model.relu1.eval()
    model.conv1.weight.requires_grad_(False)
    before = _state(model)
    filter_contributions(model, planted(8, 0).x, planted(6, 1).x)
    _assert_same_state(before, _state(model))


def test_the_model_comes_back_even_after_an_error(planted):
    class Fails(nn.Module):
        def forward(self, x):
            raise RuntimeError("broken")

    model = nn.Sequential(nn.Conv1d(4, 3, 5), nn.ReLU(), Fails())
    before = _state(model)
    with pytest.raises(RuntimeError, match="broken"):
        filter_contributions(model, planted(8, 0).x, planted(6, 1).x)
    _assert_same_state(before, _state(model))


def test_a_relu_in_place_and_a_single_output(planted):
    torch.manual_seed(0)
    tail = [nn.MaxPool1d(5), nn.Flatten(), nn.Linear(3 * 7, 1), nn.Flatten(0)]
    convolution = nn.Conv1d(4, 3, 5)
    apart = nn.Sequential(convolution, nn.BatchNorm1d(3), nn.ReLU(), *tail)
    in_place = nn.Sequential(convolution, apart[1], nn.ReLU(inplace=True), *tail)
    x = planted(8, 0).x
    for at in ("activation", "convolution"):
        expected = sequence_contributions(apart, x, at=at)
        torch.testing.assert_close(sequence_contributions(in_place, x, at=at), expected)


def test_what_cannot_be_told_is_refused(planted):
    x = planted(4, 0).x
    relu = nn.ReLU()
    tail = [nn.Flatten(), nn.Linear(3 * 33, 1)]
    shared = nn.Sequential(nn.Conv1d(4, 3, 5), relu, nn.Conv1d(3, 3, 5), relu, *tail)
    with pytest.raises(InputError, match=r"calls the same ReLU more than once.*Use one nn\.ReLU\(\) for each place"):
        sequence_contributions(shared, x)
    without = nn.Sequential(nn.Conv1d(4, 3, 5), nn.Conv1d(3, 3, 5), nn.ReLU(), *tail)
    with pytest.raises(InputError, match=r"no activation module .* between '0' and the next convolution.*use nn\.ReLU"):
        sequence_contributions(without, x)
    late = nn.Sequential(nn.Conv1d(4, 3, 5), nn.Flatten(), nn.Linear(3 * 37, 5), nn.ReLU(), nn.Linear(5, 1))
    with pytest.raises(InputError, match=r"the ReLU after '0' gives \(4, 5\), expected \(n, 3, L\)"):
        sequence_contributions(late, x)
    assert sequence_contributions(late, x, at="convolution").shape == (4, 3)

    class Unused(nn.Sequential):
        def forward(self, x):
            return x.sum((1, 2))

    with pytest.raises(InputError, match="did not use '0'"):
        sequence_contributions(Unused(nn.Conv1d(4, 3, 5), nn.ReLU()), x)


def test_works_where_gradients_are_switched_off(model, planted):
    x = planted(6, 0).x
    expected = sequence_contributions(model, x)
    with torch.no_grad():
        torch.testing.assert_close(sequence_contributions(model, x), expected)


def test_memory_does_not_grow_with_the_number_of_sequences(planted):
    """Every tensor that lives after a batch was there after the first one."""
    model = compact_model(1, 3, 41, widths=(8,), pool=10, stride=4)
    alive = []

    def count(*_):
        gc.collect()
        alive.append(sum(1 for thing in gc.get_objects() if issubclass(type(thing), torch.Tensor)))

    handle = model.head.register_forward_hook(count)
    filter_contributions(model, planted(60, 0).x, planted(60, 1).x, batch_size=10)
    handle.remove()
    assert len(alive) == 12
    assert max(alive[1:6]) <= alive[1] + 1
    assert max(alive[7:]) <= alive[7] + 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"target": 2}, "got 2, expected 0 to 1: the model has 2 outputs"),
        ({"at": "relu"}, "got 'relu', expected 'activation' or 'convolution'"),
        ({"batch_size": 0}, "got 0, expected at least 1"),
        ({"layer": "conv9"}, "got 'conv9', expected the name of a convolution: 'conv1'"),
    ],
)
def test_bad_arguments(planted, arguments, message):
    model = compact_model(1, 3, 41, widths=(8,), pool=10, stride=2, n_tasks=2)
    with pytest.raises(InputError, match=message):
        filter_contributions(model, planted(4, 0).x, planted(4, 1).x, **arguments)
