import pytest
import torch
from torch import nn

from rcinterp.errors import InputError
from rcinterp.filters import find_filters
from rcinterp.models import compact_model


@pytest.mark.parametrize("rc", [True, False])
def test_finds_the_first_convolution_and_its_activation(rc):
    model = compact_model(2, 3, 41, rc=rc, widths=(8, 5), pool=10, stride=2)
    filters = find_filters(model)
    assert filters.name == "conv1"
    assert filters.activation is model.relu1
    assert filters.is_rc is rc
    assert filters.filter_names == ["filter_0", "filter_1", "filter_2"]
    assert torch.equal(filters.weight, model.conv1.weight)
    assert not filters.weight.requires_grad
    assert find_filters(model, "conv2").activation is model.relu2


def test_finds_it_behind_a_wrapper():
    inner = nn.Sequential(nn.Conv1d(4, 5, 7), nn.BatchNorm1d(5), nn.GELU())
    filters = find_filters(nn.ModuleDict({"embedding": nn.Linear(3, 2), "body": nn.Sequential(inner)}))
    assert filters.name == "body.0.0"
    assert filters.activation is inner[2]
    assert not filters.is_rc


def test_errors_name_the_way_out():
    with pytest.raises(InputError, match=r"no nn\.Conv1d or RCConv1d with 4 input channels.*layer=one of '0'"):
        find_filters(nn.Sequential(nn.Conv1d(8, 3, 5), nn.ReLU()))
    with pytest.raises(InputError, match="none here"):
        find_filters(nn.Linear(4, 3))


def test_a_convolution_without_an_activation_module():
    assert find_filters(nn.Sequential(nn.Conv1d(4, 3, 5), nn.Conv1d(3, 3, 5), nn.ReLU())).activation is None
