"""Mean-centring changes no output on DNA, changes it by a stated amount on N, and gives DeepLIFT's numbers."""

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from torch import Tensor
from torch.nn.functional import conv1d

from rcinterp.errors import InputError
from rcinterp.motifs.centring import CentredFilters, filters_by_name, mean_center

N, F, W, L = 3, 5, 7, 23
TOLERANCE = {torch.float64: 1e-13, torch.float32: 1e-5}


@pytest.fixture(params=[torch.float64, torch.float32], ids=str)
def layer(request: pytest.FixtureRequest) -> tuple[Tensor, Tensor, Tensor]:
    """One-hot DNA (N, 4, L), weights (F, 4, W) and a bias (F,)."""
    generator = torch.Generator().manual_seed(2)
    x = torch.eye(4)[torch.randint(4, (N, L), generator=generator)].transpose(1, 2).to(request.param)
    weight = torch.randn(F, 4, W, generator=generator, dtype=torch.float64).to(request.param)
    return x, weight + 0.3, torch.randn(F, generator=generator, dtype=torch.float64).to(request.param)


def test_output_on_dna_is_preserved(layer: tuple[Tensor, Tensor, Tensor]) -> None:
    x, weight, bias = layer
    centred = mean_center(weight, bias)
    assert isinstance(centred, CentredFilters)
    assert centred.weight.mean(1).abs().max() < TOLERANCE[x.dtype]
    assert (conv1d(x, *centred) - conv1d(x, weight, bias)).abs().max() < TOLERANCE[x.dtype]
    assert (centred.weight - weight).abs().max() > 0.1  # it is not the same filter


def test_n_and_padding_count_as_the_average_letter(layer: tuple[Tensor, Tensor, Tensor]) -> None:
    x, weight, bias = layer
    x[1, :, 4:6] = 0
    x[2, :, 17] = 0
    padding = 2
    centred = mean_center(weight, bias)
    difference = conv1d(x, *centred, padding=padding) - conv1d(x, weight, bias, padding=padding)

    removed = weight.mean(1)
    expected = torch.zeros_like(difference)
    for n in range(N):
        for i in range(L + 2 * padding - W + 1):
            for j in range(W):
                position = i + j - padding
                if not 0 <= position < L or x[n, :, position].sum() == 0:
                    expected[n, :, i] += removed[:, j]
    assert expected[1].abs().max() > 0.1
    assert (difference - expected).abs().max() < TOLERANCE[x.dtype]

    average = x + 0.25 * (x.sum(1, keepdim=True) == 0)  # the four letters, a quarter each
    assert (conv1d(x, *centred) - conv1d(average, weight, bias)).abs().max() < TOLERANCE[x.dtype]


@pytest.mark.parametrize("case", ["w15", "w4"])
def test_numbers_of_deeplift(reference: Path, case: str) -> None:
    golden = np.load(reference / "golden" / "mean_center.npz")
    weight, bias = mean_center(golden[f"{case}/in/kernel"].transpose(2, 1, 0), golden[f"{case}/in/bias"])
    assert_allclose(weight.transpose(2, 1, 0), golden[f"{case}/deeplift/kernel"], rtol=0, atol=1e-12)
    assert_allclose(bias, golden[f"{case}/deeplift/bias"], rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("shape", [(F, 4, W), (4, W)])
def test_kind_and_dtype_are_those_given(dtype: type, shape: tuple[int, ...]) -> None:
    array = np.random.default_rng(0).normal(size=shape).astype(dtype)
    from_array, from_tensor = mean_center(array), mean_center(torch.as_tensor(array))
    assert from_array.weight.dtype == from_array.bias.dtype == dtype
    assert from_array.weight.shape == shape
    assert from_array.bias.shape == shape[:-2]
    assert isinstance(from_tensor.weight, Tensor)
    assert isinstance(from_tensor.bias, Tensor)
    assert_allclose(from_tensor.weight.numpy(), from_array.weight, atol=1e-6)
    assert_allclose(from_tensor.bias.numpy(), from_array.bias, atol=1e-5)


def test_input_is_left_alone_and_gradients_flow() -> None:
    weight = torch.randn(F, 4, W, generator=torch.Generator().manual_seed(0)).requires_grad_()
    before = weight.detach().clone()
    mean_center(weight).bias.sum().backward()
    assert torch.equal(weight, before)
    assert weight.grad is not None
    assert torch.equal(weight.grad, torch.full_like(weight, 0.25))


@given(st.integers(0, 10**6), st.floats(-5, 5))
def test_centring_is_a_projection_that_ignores_an_offset(seed: int, offset: float) -> None:
    weight = np.random.default_rng(seed).normal(size=(F, 4, W))
    centred = mean_center(weight)
    shifted, twice = mean_center(weight + offset), mean_center(*centred)
    assert_allclose(shifted.weight, centred.weight, atol=1e-12)
    assert_allclose(shifted.bias, centred.bias + W * offset, atol=1e-12)
    assert_allclose(twice.weight, centred.weight, atol=1e-12)
    assert_allclose(twice.bias, centred.bias, atol=1e-12)


def test_a_bias_that_fits_a_single_filter() -> None:
    weight = np.arange(4.0 * W).reshape(4, W)
    assert mean_center(weight, np.array(2.0)).bias == mean_center(weight).bias + 2


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (np.ones((F, 4, W), dtype=int), r"of type ndarray and dtype int64, .* np.asarray\(weight, dtype=float\)"),
        ([[1.0] * W] * 4, "of type list and dtype unknown"),
        (np.ones((W, 4, F, 1)), r"shape \(7, 4, 5, 1\), expected \(F, 4, W\) or \(4, W\)"),
        (np.ones((W, F)), r"shape \(7, 5\), .*weight.transpose\(2, 1, 0\)"),
        (torch.ones(F, 16, W), r"shape \(5, 16, 7\), .*only filters that read one-hot DNA"),
    ],
)
def test_weights_that_cannot_be_centred(weight: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        mean_center(weight)


@pytest.mark.parametrize(
    ("bias", "message"),
    [
        (np.ones(W), r"dtype float64 and shape \(7,\), expected \(5,\) of ndarray and float64"),
        (np.ones(F, dtype=np.float32), "dtype float32"),
        (torch.ones(F, dtype=torch.float64), "type Tensor"),
        (0.5, r"type float, dtype None and shape \(\)"),
    ],
)
def test_a_bias_that_does_not_fit(bias: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        mean_center(np.ones((F, 4, W)), bias)


def test_filters_by_name_of_each_kind() -> None:
    bank = np.random.default_rng(0).normal(size=(F, 4, W))
    assert list(filters_by_name(bank, caller="f")) == [f"filter_{i}" for i in range(F)]
    named = filters_by_name(torch.as_tensor(bank).bfloat16().requires_grad_(), list("abcde"), caller="f")
    assert list(named) == list("abcde")
    assert named["d"].dtype == np.float64
    assert_allclose(named["d"], bank[3], atol=0.01)
    widths = {"x": bank[0], "y": torch.as_tensor(bank[1, :, :3])}
    assert {name: matrix.shape for name, matrix in filters_by_name(widths, caller="f").items()} == {
        "x": (4, W),
        "y": (4, 3),
    }


@pytest.mark.parametrize(
    ("filters", "names", "message"),
    [
        (np.ones((4, W)), None, r"f: got filters of shape \(4, 7\), .* Give filters\[None\]"),
        (np.ones((W, F, 4)), None, r"shape \(7, 5, 4\), .* filters.transpose\(2, 1, 0\)"),
        ({"a": np.ones((W, 4))}, None, r"motif a: got shape \(7, 4\)"),
        (np.ones((2, 4, 0)), None, r"motif filter_0: got shape \(4, 0\)"),
        ({}, None, "f: got 0 filters"),
        (np.ones((2, 4, W)), ["a"], "got 2 filters and 1 names"),
        (np.ones((2, 4, W)), ["a", "a"], "2 names, 1 of them different"),
    ],
)
def test_filters_that_cannot_be_named(filters: np.ndarray, names: list[str] | None, message: str) -> None:
    with pytest.raises(InputError, match=message):
        filters_by_name(filters, names, caller="f")
