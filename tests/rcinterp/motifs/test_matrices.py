"""PPM checks, information content, MEME's consensus rule and the reverse complement."""

import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rcinterp.errors import InputError
from rcinterp.motifs.matrices import (
    Motif,
    as_background,
    as_matrix,
    as_ppm,
    check_name,
    consensus,
    information_content,
    reverse_complement_motif,
)

UNIFORM = np.full((4, 7), 0.25)
values = st.floats(-5, 5, allow_nan=False)


def random_ppm(width, seed=0):
    return np.random.default_rng(seed).dirichlet([0.5] * 4, size=width).T


def test_check_name_keeps_a_str_and_refuses_the_rest():
    assert check_name("CTCF_known1") == "CTCF_known1"
    with pytest.raises(InputError, match=r"got the name 3 \(int\), expected a str\. Use str\(name\)"):
        check_name(3)


@pytest.mark.parametrize("shape", [(7, 3), (4,), (4, 0), (2, 4, 7)])
def test_as_matrix_refuses_other_shapes(shape):
    with pytest.raises(InputError, match=re.escape(f"motif M: got shape {shape}, expected (4, W)")):
        as_matrix(np.zeros(shape), "M")


def test_as_matrix_advises_to_transpose_and_the_advice_works():
    matrix = random_ppm(7).T
    with pytest.raises(InputError, match=r"Transpose it: motif\.T"):
        as_matrix(matrix, "M")
    assert as_matrix(matrix.T, "M").shape == (4, 7)


@pytest.mark.parametrize("matrix", ["ACGT", [["a"]], [[1, 2], [3]], None])
def test_as_matrix_refuses_what_is_no_matrix(matrix):
    with pytest.raises(InputError, match=r"motif M: got (something that is not a matrix of numbers|shape \(\))"):
        as_matrix(matrix, "M")


def test_as_matrix_refuses_a_tensor_that_requires_grad():
    with pytest.raises(InputError, match="requires grad"):
        as_matrix(torch.zeros(4, 7, requires_grad=True), "M")


def test_as_ppm_returns_a_new_float64_array():
    given_ppm = random_ppm(7).astype(np.float32)
    ppm = as_ppm(given_ppm)
    ppm[:] = 0
    assert ppm.dtype == np.float64
    assert given_ppm.sum() == pytest.approx(7)


def test_as_ppm_divides_by_the_sum_only_beyond_rounding():
    column = np.array([[0.2], [0.3], [0.1], [0.4]])
    rounded, off = column * (1 + 5e-6), column * 1.015
    np.testing.assert_array_equal(as_ppm(rounded), rounded)
    np.testing.assert_allclose(as_ppm(off), column, rtol=1e-12)


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ([np.nan, 0.5, 0.25, 0.25], r"motif M: got NaN or infinite values, expected probabilities"),
        ([np.inf, 0.5, 0.25, 0.25], r"motif M: got NaN or infinite values, expected probabilities"),
        ([-0.5, 0.5, 0.5, 0.5], r"motif M: got negative values \(down to -0\.5\).*log-odds \(PWM\) are not a PPM"),
        ([3, 5, 2, 11], r"motif M: the probabilities of position 2 \(0-based\) sum to 21, expected 1.*counts / counts"),
        ([0.25, 0.25, 0.25, 0.2], r"motif M: the probabilities of position 2 \(0-based\) sum to 0\.95, expected 1"),
    ],
)
def test_as_ppm_names_what_is_no_probability(column, message):
    matrix = random_ppm(5)
    matrix[:, 2] = column
    with pytest.raises(InputError, match=message):
        as_ppm(matrix, "M")


def test_advice_on_counts_works():
    counts = np.array([[3, 0], [5, 1], [2, 0], [11, 7]])
    assert as_ppm(counts / counts.sum(axis=0)).shape == (4, 2)


def test_motif_does_not_have_to_know_its_sites():
    assert Motif(UNIFORM).n_sites is None


def test_information_content_of_known_columns():
    ppm = np.array([[1, 0.25, 0.5], [0, 0.25, 0.5], [0, 0.25, 0], [0, 0.25, 0]])
    np.testing.assert_allclose(information_content(ppm), [2, 0, 1], atol=1e-15)


def test_information_content_against_a_background():
    ppm, background = random_ppm(7), [0.3, 0.2, 0.1, 0.4]
    expected = [sum(p * np.log2(p / q) for p, q in zip(column, background, strict=True)) for column in ppm.T]
    np.testing.assert_allclose(information_content(ppm, background), expected, rtol=1e-12)
    np.testing.assert_allclose(information_content(np.tile(background, (5, 1)).T, background), np.zeros(5), atol=1e-15)


@pytest.mark.parametrize(
    "background", [[0.5, 0.5, 0, 0], [0.3, 0.3, 0.3], [1, 1, 1, 1], [np.nan, 0.5, 0.3, 0.2], "ACGT"]
)
def test_background_has_to_be_four_positive_probabilities(background):
    with pytest.raises(InputError, match="expected four positive probabilities of A, C, G, T that sum to 1"):
        as_background(background)


def test_background_is_uniform_by_default_and_sums_to_one():
    np.testing.assert_array_equal(as_background(None), [0.25] * 4)
    assert as_background([0.3, 0.2, 0.2, 0.299]).sum() == pytest.approx(1, abs=1e-15)


def test_consensus_is_the_most_probable_letter():
    ppm = np.full((4, 5), 0.1)
    ppm[[3, 0, 2, 1, 1], range(5)] = 0.7
    assert consensus(ppm) == "TAGCC"


@pytest.mark.parametrize(("probability", "letter"), [(0.5, "C"), (0.3, "C"), (0.4, "C"), (0.35, "T"), (0.45, "T")])
def test_consensus_breaks_ties_by_single_precision_as_meme_does(probability, letter):
    rounded_down = float(np.float32(probability)) < probability
    assert rounded_down == (letter == "T")
    rest = (1 - 2 * probability) / 2
    assert consensus([[rest], [probability], [rest], [probability]]) == letter


@given(arrays(np.float64, st.tuples(st.just(4), st.integers(1, 11)), elements=values))
def test_reverse_complement_is_an_involution(matrix):
    np.testing.assert_array_equal(reverse_complement_motif(reverse_complement_motif(matrix)), matrix)


def test_reverse_complement_of_a_sequence():
    one_hot = np.eye(4)[[0, 0, 1, 2, 2]].T  # AACGG
    assert consensus(reverse_complement_motif(one_hot)) == "CCGTT"


def test_reverse_complement_refuses_another_shape():
    with pytest.raises(InputError, match=r"got shape \(5, 7\)"):
        reverse_complement_motif(np.zeros((5, 7)))


@pytest.mark.parametrize("n_sites", [-3, float("nan"), float("inf")])
def test_a_number_of_sites_is_one(n_sites):
    with pytest.raises(InputError, match=r"Motif: got n_sites .*, expected a number that is not negative, or None"):
        Motif(np.eye(4), n_sites)


def test_values_whose_sum_is_too_large_are_no_ppm():
    with pytest.raises(InputError, match=r"the probabilities of position 0 .* sum to inf, expected 1"):
        as_ppm(np.full((4, 5), 1e308))


def test_masked_values_are_not_taken():
    masked = np.ma.masked_array(np.full((4, 3), 0.25), mask=np.eye(4, 3))
    with pytest.raises(
        InputError, match=r"motif given: got something that is not a matrix of numbers \(values are mask"
    ):
        as_ppm(masked)
    np.testing.assert_array_equal(as_ppm(np.ma.masked_array(np.full((4, 3), 0.25))), np.full((4, 3), 0.25))
