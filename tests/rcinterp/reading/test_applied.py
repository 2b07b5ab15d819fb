"""Convolutions whose output is not that of the weights they store: what they apply is read, or what they return."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrizations

import rcinterp
from rcinterp.reading.functions import filter_contributions, find_sites
from rcinterp.reading.reader import Reader


class Flipped(nn.Conv1d):
    """A kernel that is stored back to front, as in a convolution of signal processing."""

    def forward(self, x):
        return functional.conv1d(x, self.weight.flip(2), self.bias, self.stride, self.padding, self.dilation)


class Constrained(nn.Conv1d):
    """Letter probabilities at each position of a filter, less a quarter."""

    def forward(self, x):
        return functional.conv1d(x, self.weight.softmax(1) - 0.25, None, self.stride, self.padding, self.dilation)


class WithReverse(nn.Conv1d):
    """Each filter and its reverse complement: twice as many channels as kernels."""

    def forward(self, x):
        both = (self.weight, self.weight.flip(1, 2))
        return torch.cat([functional.conv1d(x, weight, self.bias, self.stride, self.padding) for weight in both], 1)


class BestStrand(nn.Conv1d):
    """The larger of the filter and its reverse complement: no filter's output."""

    def forward(self, x):
        return torch.maximum(super().forward(x), functional.conv1d(x, self.weight.flip(1, 2), self.bias))


class Net(nn.Module):
    def __init__(self, conv, n_channels):
        super().__init__()
        self.conv, self.head = conv, nn.Linear(n_channels, 1)

    def forward(self, x):
        return self.head(functional.relu(self.conv(x)).amax(2))


def twin(net, weight, bias, **how):
    """The same model with an ordinary convolution of these filters."""
    conv = nn.Conv1d(4, len(weight), weight.shape[2], **how)
    with torch.no_grad():
        conv.weight.copy_(weight)
        conv.bias.copy_(torch.zeros(len(weight)) if bias is None else bias)
    other = Net(conv, len(weight))
    other.head.load_state_dict(net.head.state_dict())
    return other


@pytest.mark.parametrize("how", [{}, {"padding": 3}, {"stride": 2, "padding": 1}, {"dilation": 2}, {"padding": "same"}])
@pytest.mark.parametrize("kind", [Flipped, Constrained])
def test_filters_that_are_stored_in_another_way(dna, kind, how):
    torch.manual_seed(0)
    net = Net(kind(4, 5, 7, **how), 5)
    weight = net.conv.weight.flip(2) if kind is Flipped else net.conv.weight.softmax(1) - 0.25
    other = twin(net, weight.detach(), net.conv.bias.detach() if kind is Flipped else None, **how)
    x, y = dna(20, 40, 0), dna(20, 40, 1)
    pd.testing.assert_frame_equal(find_sites(net, x), find_sites(other, x), rtol=1e-4)
    found, expected = (
        rcinterp.interpret(model, x, y, {"m": np.full((4, 7), 0.25), "n": np.eye(4)}, measure_faithfulness=False)
        for model in (net, other)
    )
    assert found.unit == "weight"
    for name, matrix in expected.filters.items():
        np.testing.assert_allclose(found.filters[name], matrix, atol=1e-5)


def test_more_channels_than_kernels_are_filters_of_their_own(dna):
    torch.manual_seed(0)
    net = Net(WithReverse(4, 3, 7), 6)
    weight = torch.cat([net.conv.weight, net.conv.weight.flip(1, 2)]).detach()
    other = twin(net, weight, net.conv.bias.detach().repeat(2))
    x, y = dna(20, 40, 0), dna(20, 40, 1)
    found, expected = (filter_contributions(model, x, y, n_resamples=10) for model in (net, other))
    assert len(found) == 6
    pd.testing.assert_frame_equal(found, expected, rtol=1e-4)
    pd.testing.assert_frame_equal(find_sites(net, x), find_sites(other, x), rtol=1e-4)


def test_what_is_no_filter_s_output_is_read_by_its_activations(dna):
    torch.manual_seed(0)
    net, x = Net(BestStrand(4, 3, 7), 3), dna(20, 40, 0)
    sites = find_sites(net, x, threshold=0.0)
    activation = Reader(net).activations(x)
    for site in sites.itertuples():
        channel = int(site.filter.removeprefix("filter_"))
        assert site.site_score == pytest.approx(float(activation[site.sequence, channel].max()))
        assert site.start == int(activation[site.sequence, channel].argmax())
        assert site.end - site.start == 7
    found = rcinterp.interpret(
        net, x, dna(20, 40, 1), {"n": np.eye(4), "m": np.eye(4)[::-1]}, measure_faithfulness=False
    )
    assert found.unit == "bits"


def test_a_normalised_weight_is_that_of_the_forward(dna):
    torch.manual_seed(0)
    net = Net(parametrizations.weight_norm(nn.Conv1d(4, 3, 7)), 3)
    with torch.no_grad():
        net.conv.parametrizations.weight.original0.mul_(3)
    other, x = twin(net, net.conv.weight.detach(), net.conv.bias.detach()), dna(20, 40, 0)
    pd.testing.assert_frame_equal(find_sites(net, x), find_sites(other, x), rtol=1e-5)


def test_an_ordinary_layer_is_read_as_it_is(dna):
    net = Net(nn.Conv1d(4, 3, 7, padding=3, padding_mode="circular"), 3)
    reader = Reader(net)
    reader.activations(dna(5, 40, 0))
    (bound,) = reader._bound.values()
    assert bound.layer.applied is None
    assert bound.layer.n_outputs is None
