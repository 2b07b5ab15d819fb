import pytest
import torch
from torch import nn

from rclayers import RCBatchNorm1d, Strandwise
from rclayers.testing import assert_rc_equivariant


@pytest.mark.parametrize(
    "module",
    [nn.Conv1d(5, 3, 4, stride=3, padding=2), nn.GRU(7, 2, batch_first=True), nn.Flatten()],
    ids=["conv", "gru", "flatten"],
)
def test_equivariant_whatever_the_module_does(normal, module):
    class First(nn.Module):
        def forward(self, y):
            return y[0] if isinstance(y, tuple) else y

    assert_rc_equivariant(Strandwise(nn.Sequential(module, First())).double(), normal(3, 10, 7))


def test_batch_norm_of_both_strands_is_the_rc_batch_norm(normal):
    x = normal(3, 10, 7)
    ordinary = Strandwise(nn.BatchNorm1d(5, eps=1e-3, momentum=0.01)).double()
    torch.testing.assert_close(ordinary(x), RCBatchNorm1d(5).double()(x))


def test_refuses_an_odd_number_of_channels():
    with pytest.raises(ValueError, match="Strandwise: got 3 channels"):
        Strandwise(nn.Identity())(torch.zeros(1, 3, 5))
