import pytest
import torch
from torch import nn

from rclayers import (
    RCBatchNorm1d,
    RCConv1d,
    RCDilatedBlock,
    RCDropout,
    RCLinear,
    RCMaxPool1d,
    RCResidual,
    Strandwise,
    SymmetryError,
)
from rclayers.testing import assert_rc_equivariant, check_rc


@pytest.mark.parametrize("padding", [0, 1, 2])
def test_equals_a_loop_written_from_the_equation(normal, padding):
    branch = RCConv1d(6, 3, 5, padding=padding).double()
    x = normal(2, 6, 11)
    y, inner = RCResidual(branch)(x), branch(x)
    cut = 2 - padding
    assert y.shape == (2, 6, 11 - 2 * cut)
    for i in range(2):
        for c in range(6):
            for position in range(y.shape[2]):
                expected = x[i, c, position + cut] + inner[i, c, position]
                assert y[i, c, position].item() == pytest.approx(expected.item(), abs=1e-12)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("training", [True, False])
def test_a_dilated_block_is_equivariant(normal, dtype, padding, training):
    block = RCDilatedBlock(3, dilation=4, padding=padding).to(dtype).train(training)
    x = normal(2, 6, 19).to(dtype)
    assert block(x).shape == (2, 6, 19 if padding == "same" else 11)
    assert_rc_equivariant(block, x)
    cut = (19 - block(x).shape[2]) // 2
    torch.testing.assert_close(block(x), x[..., cut : 19 - cut] + block.module(x))
    assert block.module[0].dilation == 4


def test_an_even_kernel_with_an_even_dilation(normal):
    assert_rc_equivariant(RCDilatedBlock(3, dilation=2, kernel_size=4).double(), normal(2, 6, 19))


def basset():
    """A Basset-like RC model of 264 bp, as in the docs."""
    layers, channels = [], 4
    for n_filters, width, pool in ((15, 19, 3), (10, 11, 4), (10, 7, 4)):
        layers += [RCConv1d(channels, n_filters, width), RCBatchNorm1d(n_filters), nn.ReLU(), RCMaxPool1d(pool)]
        channels = 2 * n_filters
    head = [Strandwise(nn.Flatten()), RCDropout(0.3), RCLinear(30, 50), nn.ReLU(), nn.Dropout(0.3), nn.Linear(50, 2)]
    return nn.Sequential(*layers, *head)


def bpnet(padding):
    """A BPNet-like RC body of 121 bp or more."""
    blocks = (RCDilatedBlock(5, dilation=2**i, padding=padding) for i in range(1, 6))
    return nn.Sequential(RCConv1d(4, 5, 21, padding=padding if padding == "same" else 0), nn.ReLU(), *blocks)


def test_deep_models_are_a_few_lines():
    assert check_rc(basset(), 264)
    for padding in ("same", "valid"):
        counts = nn.Sequential(bpnet(padding), nn.AdaptiveAvgPool1d(1), nn.Flatten(), RCLinear(5, 2))
        assert check_rc(counts, 161)
        profile = nn.Sequential(bpnet(padding), RCConv1d(10, 1, 25))
        report = check_rc(profile, 181)
        assert report.is_equivariant
        assert not report.is_invariant


def test_every_use_has_a_module_of_its_own():
    model = bpnet("same")
    calls = []
    for module in model.modules():
        if isinstance(module, nn.ReLU):
            module.register_forward_hook(lambda m, *_: calls.append(m))
    model(torch.zeros(1, 4, 50))
    assert len(calls) == len(set(calls)) == 6


@pytest.mark.parametrize(
    ("branch", "kind", "message"),
    [
        (RCConv1d(6, 3, 4), SymmetryError, "takes 3 of 11 positions away, an odd number .* Use odd kernel sizes"),
        (
            RCConv1d(6, 2, 5),
            ValueError,
            r"made \(2, 4, 7\) of \(2, 6, 11\).*Give its last layer 6 channels \(n_filters=3",
        ),
        (RCConv1d(6, 3, 3, padding=2), ValueError, r"made \(2, 6, 13\) of \(2, 6, 11\), expected .* no more positions"),
        (nn.Flatten(), ValueError, r"made \(2, 66\) of \(2, 6, 11\)"),
    ],
)
def test_refuses_a_branch_that_does_not_fit(branch, kind, message):
    with pytest.raises(kind, match=f"RCResidual: the module {message}"):
        RCResidual(branch)(torch.zeros(2, 6, 11))


def test_refuses_an_odd_number_of_channels():
    with pytest.raises(SymmetryError, match="RCResidual: got 3 channels"):
        RCResidual(nn.Identity())(torch.zeros(2, 3, 11))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dilation": 1, "kernel_size": 4}, "reaches 3 positions further, an odd number .* Use kernel_size=3 or 5"),
        ({"dilation": 2, "padding": "full"}, "got padding='full', expected 'same' or 'valid'"),
        ({"dilation": 0}, "got dilation=0, expected a whole number of at least 1"),
    ],
)
def test_refuses_blocks_that_cannot_be_symmetric(arguments, message):
    with pytest.raises(ValueError, match=f"RCDilatedBlock: .*{message}"):
        RCDilatedBlock(3, **arguments)
