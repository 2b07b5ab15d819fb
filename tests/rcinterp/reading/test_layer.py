import pytest
import torch
from torch import nn

from rcinterp.errors import InputError
from rcinterp.reading.inputs import as_inputs
from rcinterp.reading.layer import are_letters, find_layer
from rcinterp.reading.model import Runner
from rcinterp.reading.probe import probe
from rcinterp.training.models import compact_model


def _called_first(model, x):
    """Layer that a model is seen to call first on the sequence."""
    runner = Runner(
        model, func=lambda y: next(iter(y.values())) if isinstance(y, dict) else y[1] if isinstance(y, tuple) else y
    )
    with runner.borrowed():
        return probe(runner, as_inputs(x)).layer


@pytest.mark.parametrize("rc", [True, False])
def test_finds_the_first_convolution(rc):
    model = compact_model(2, 3, 41, rc=rc, widths=(8, 5), pool=10, stride=2)
    layer = find_layer(model)
    assert layer.name == "conv1"
    assert layer.is_rc is rc
    assert (layer.n_filters, layer.n_channels) == (3, 6 if rc else 3)
    assert layer.filter_names == ["filter_0", "filter_1", "filter_2"]
    assert torch.equal(layer.weight, model.conv1.weight)
    assert not layer.weight.requires_grad
    assert find_layer(model, "conv2").n_filters == 3


def test_finds_it_behind_a_wrapper():
    inner = nn.Sequential(nn.Conv1d(4, 5, 7), nn.BatchNorm1d(5), nn.GELU())
    layer = find_layer(nn.ModuleDict({"embedding": nn.Linear(3, 2), "body": nn.Sequential(inner)}))
    assert layer.name == "body.0.0"
    assert not layer.is_rc


class _LastFirst(nn.Module):
    """Registers in another order than it calls, and has a side branch of 4 channels that reads no letters."""

    def __init__(self):
        super().__init__()
        self.late = nn.Conv1d(4, 2, 1)
        self.squeeze = nn.Conv1d(5, 4, 1)
        self.first = nn.Conv1d(4, 5, 7)
        self.unused = nn.Conv1d(4, 9, 3)

    def forward(self, x):
        return self.late(torch.sigmoid(self.squeeze(self.first(x)))).sum(2)


def test_the_order_of_the_calls_counts_not_that_of_registration(dna):
    assert find_layer(_LastFirst()).name == "late"
    model = _LastFirst().train()
    assert _called_first(model, dna(2, 20, 0)).name == "first"
    assert model.training


def test_finds_it_in_models_as_others_write_them(others, dna):
    x = dna(2, 100, 0)
    names = {
        others.basset: "0",
        others.DeepSEA: "conv1",
        others.BPNet: "iconv",
        others.ResidualStem: "stem",
        lambda: others.Wrapped(others.basset()): "inside.1.0",
    }
    for build, name in names.items():
        layer = _called_first(build(), x)
        assert layer.name == name
        assert layer.weight.shape[:2] == (6, 4)


@pytest.mark.parametrize(
    ("convolution", "expand"),
    [
        (nn.Conv2d(4, 5, (1, 7)), lambda x: x[:, :, None]),
        (nn.Conv2d(4, 5, (7, 1)), lambda x: x[..., None]),
        (nn.Conv2d(1, 5, (4, 7)), lambda x: x[:, None]),
    ],
)
def test_two_dimensional_convolutions_along_one_axis(convolution, expand, dna):
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = convolution

        def forward(self, x):
            return self.conv(expand(x)).flatten(1).sum(1)

    x = dna(3, 20, 0)
    layer = _called_first(Model(), x)
    assert layer.weight.shape == (5, 4, 7)
    expected = nn.functional.conv1d(x, layer.weight, convolution.bias)
    torch.testing.assert_close(convolution(expand(x)).reshape(3, 5, 14), expected)


def test_a_dilated_filter_stands_with_its_gaps(dna):
    convolution = nn.Conv1d(4, 3, 5, dilation=3)
    weight = find_layer(nn.Sequential(convolution)).weight
    assert weight.shape == (3, 4, 13)
    x = dna(2, 30, 0)
    torch.testing.assert_close(nn.functional.conv1d(x, weight, convolution.bias), convolution(x))


def test_are_letters(dna):
    x = dna(2, 7, 0)
    assert are_letters(x)
    assert are_letters(x[:, None])
    x[0, :, 3] = 0
    assert are_letters(x)
    assert not are_letters(x * 0.5)
    assert not are_letters(torch.ones(2, 4, 7))
    assert not are_letters(torch.zeros(2, 5, 7))
    assert not are_letters(torch.zeros(2, 4))


def test_errors_name_the_way_out(dna):
    with pytest.raises(InputError, match=r"no nn\.Conv1d or RCConv1d with 4 input channels.*layer=one of '0'"):
        find_layer(nn.Sequential(nn.Conv1d(8, 3, 5), nn.ReLU()))
    with pytest.raises(InputError, match="It has no convolution at all"):
        find_layer(nn.Linear(4, 3))
    with pytest.raises(InputError, match=r"layer: got 'conv', expected the name of a convolution: '0'"):
        find_layer(nn.Sequential(nn.Conv1d(4, 3, 5)), "conv")
    with pytest.raises(InputError, match=r"kernels are of shape \(3, 4, 2, 5\), expected kernels along one axis"):
        find_layer(nn.Sequential(nn.Conv2d(4, 3, (2, 5))))
    with pytest.raises(InputError, match=r"got a model of type str, expected an nn\.Module"):
        find_layer("model")
