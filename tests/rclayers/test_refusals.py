"""Which layer refuses what, by the name that its message begins with."""

import pytest
import torch
from torch import nn

import rclayers

SIZES = {
    "RCConv1d": {"in_channels": 4, "n_filters": 3, "kernel_size": 5, "stride": 1, "dilation": 1},
    "RCBatchNorm1d": {"n_filters": 3},
    "RCMaxPool1d": {"kernel_size": 3, "stride": 2},
    "RCAvgPool1d": {"kernel_size": 3, "stride": 2},
    "RCLinear": {"n_filters": 3, "out_features": 2},
    "RCDilatedBlock": {"n_filters": 3, "dilation": 2, "kernel_size": 3},
    "RCWeightedSum1d": {"n_filters": 3, "length": 9},
    "WeightedSum1d": {"n_channels": 3, "length": 9},
    "SeparableLinear": {"n_filters": 3, "length": 9, "out_features": 2},
}


@pytest.mark.parametrize(("layer", "size"), [(layer, size) for layer, sizes in SIZES.items() for size in sizes])
def test_a_size_of_zero_is_refused_by_its_name_and_that_of_the_layer(layer, size):
    getattr(rclayers, layer)(**SIZES[layer])
    with pytest.raises(ValueError, match=f"^{layer}: got {size}=0, expected a whole number of at least 1"):
        getattr(rclayers, layer)(**SIZES[layer] | {size: 0})


OF_MAPS = {name: (getattr(rclayers, name), sizes) for name, sizes in SIZES.items() if name != "RCLinear"} | {
    "RCDropout1d": (rclayers.RCDropout1d, {}),
    "Strandwise": (rclayers.Strandwise, {"module": nn.Linear(9, 2)}),
}


@pytest.mark.parametrize("layer", OF_MAPS)
def test_what_is_no_map_is_refused_by_the_name_of_the_layer(layer):
    build, arguments = OF_MAPS[layer]
    with pytest.raises(ValueError, match=rf"^{layer}: got x of shape \(4, 9\), expected \(N, \w+, L\)"):
        build(**arguments)(torch.zeros(4, 9))


def test_a_weighted_sum_is_symmetric_only_if_it_is_asked_for():
    asked = {"n_channels": 3, "length": 9}
    assert rclayers.WeightedSum1d(**asked).weight.shape == rclayers.WeightedSum1d(**asked, symmetric=False).weight.shape
    assert rclayers.WeightedSum1d(**asked).weight.shape != rclayers.WeightedSum1d(**asked, symmetric=True).weight.shape
