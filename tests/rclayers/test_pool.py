import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rclayers import RCAvgPool1d, RCMaxPool1d, SymmetryError
from rclayers.testing import assert_rc_equivariant, rc_error


@pytest.mark.parametrize(
    ("layer", "reduce"), [(RCMaxPool1d, max), (RCAvgPool1d, lambda window: sum(window) / len(window))]
)
def test_equals_a_loop_with_the_trim_shared_by_both_ends(normal, layer, reduce):
    x = normal(2, 6, 3 * 4 + 5 + 2)  # 2 positions over: one left out at each end
    y = layer(5, 3)(x)
    assert y.shape == (2, 6, 5)
    for i in range(2):
        for c in range(6):
            for window in range(5):
                seen = x[i, c, 1 + 3 * window : 1 + 3 * window + 5].tolist()
                assert y[i, c, window].item() == pytest.approx(reduce(seen), abs=1e-12)


@given(st.sampled_from([RCMaxPool1d, RCAvgPool1d]), st.integers(1, 9), st.integers(1, 6), st.integers(0, 25))
def test_equivariant_or_refused_with_lengths_that_work(layer, kernel_size, stride, extra):
    length = kernel_size + extra
    pool = layer(kernel_size, stride)
    x = torch.randn(2, 6, length, dtype=torch.float64)
    if (extra % stride) % 2 == 0:
        assert_rc_equivariant(pool, x)
        assert pool(x).shape[2] == extra // stride + 1  # section 3.6.3
        return
    with pytest.raises(SymmetryError) as refusal:
        pool(x)
    advice = str(refusal.value).split("Lengths that work: ")[1]
    for good in map(int, advice.split(" (")[0].split(" or ")):
        assert rc_error(pool, torch.randn(2, 6, good, dtype=torch.float64)) < 1e-12


def test_the_stride_defaults_to_the_window(normal):
    assert torch.equal(RCMaxPool1d(4)(normal(1, 2, 12)), RCMaxPool1d(4, 4)(normal(1, 2, 12)))


def test_the_sizes_of_the_paper():
    assert RCMaxPool1d(20, 20)(torch.zeros(1, 2, 180)).shape[2] == 9
    assert RCMaxPool1d(40, 20)(torch.zeros(1, 2, 960)).shape[2] == 47
    assert RCMaxPool1d(40, 20)(torch.zeros(1, 2, 986)).shape[2] == 48


@pytest.mark.parametrize("layer", [RCMaxPool1d, RCAvgPool1d])
def test_refuses_what_is_no_map_or_too_short(layer):
    with pytest.raises(ValueError, match="expected at least 5 for a window of 5"):
        layer(5)(torch.zeros(1, 2, 4))
    with pytest.raises(SymmetryError, match=r"got 3 channels .* expected an even number"):
        layer(5)(torch.zeros(1, 3, 10))
    with pytest.raises(ValueError, match="got stride=0"):
        layer(5, 0)
