"""compare_matrices against a loop over every shift and both orientations."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rcinterp.errors import InputError
from rcinterp.motifs import load_motifs, reverse_complement_motif
from rcinterp.motifs.similarity import Similarity, compare_matrices, similarity_matrix
from rcinterp.palindromes.finding import find_palindromes


def slow_compare(first, second, orientations="+-"):
    """The equation, one product at a time."""
    f, g = first - first.mean(0), second - second.mean(0)
    best = Similarity(-np.inf, 0, "+")
    for orientation in orientations:
        turned = f if orientation == "+" else f[::-1, ::-1]
        for shift in range(1 - f.shape[1], g.shape[1]):
            products = [
                turned[c, j - shift] * g[c, j]
                for c in range(4)
                for j in range(g.shape[1])
                if 0 <= j - shift < f.shape[1]
            ]
            value = sum(products) / np.sqrt((f**2).sum() * (g**2).sum())
            if value > best.value:
                best = Similarity(value, shift, orientation)
    return best


def random_filter(width, seed):
    return np.random.default_rng((seed, width)).normal(size=(4, width))


def assert_similar(found, value, shift, orientation):
    assert found.value == pytest.approx(value, abs=1e-12)
    assert (found.shift, found.orientation) == (shift, orientation)


@pytest.mark.parametrize("seed", range(7))
@pytest.mark.parametrize(("v", "w"), [(5, 7), (7, 5), (1, 3), (11, 2), (6, 6)])
def test_equals_a_loop_over_shifts_and_orientations(v, w, seed):
    first, second = random_filter(v, seed), random_filter(w, seed + 100)
    expected = slow_compare(first, second)
    assert_similar(compare_matrices(first, second), expected.value, expected.shift, expected.orientation)


@pytest.mark.parametrize("seed", range(7))
def test_symmetric_in_its_arguments(seed):
    first, second = random_filter(5, seed), random_filter(7, seed)
    there, back = compare_matrices(first, second), compare_matrices(second, first)
    shift = -there.shift if there.orientation == "+" else there.shift + 5 - 7
    assert_similar(back, there.value, shift, there.orientation)


def test_itself_and_its_reverse_complement():
    matrix = random_filter(7, 0)
    assert_similar(compare_matrices(matrix, matrix), 1, 0, "+")
    assert_similar(compare_matrices(matrix, reverse_complement_motif(matrix)), 1, 0, "-")


def test_a_palindrome_is_called_forward():
    motif = load_motifs("encode")["MYC_known1"]
    assert compare_matrices(motif, motif).orientation == "+"


@pytest.mark.parametrize("shift", [0, 3, 6])
def test_a_copy_inside_a_wider_matrix(shift):
    matrix = random_filter(5, 0)
    wide = np.zeros((4, 11)) + np.arange(11.0)
    wide[:, shift : shift + 5] += matrix
    assert_similar(compare_matrices(matrix, wide), 1, shift, "+")
    assert_similar(compare_matrices(wide, matrix), 1, -shift, "+")
    assert_similar(compare_matrices(reverse_complement_motif(matrix), wide), 1, shift, "-")


def test_scale_and_constants_do_not_matter_but_the_sign_does():
    first, second = random_filter(5, 0), random_filter(7, 0)
    expected = compare_matrices(first, second)
    moved = compare_matrices(3e-14 * first, 1e6 * second + np.arange(7.0))
    assert_similar(moved, expected.value, expected.shift, expected.orientation)
    assert compare_matrices(first, -first).value < 0.9


def test_a_short_overlap_cannot_score_high():
    """Two matrices that agree at one position of eight share an eighth of their squared norm."""
    sharp = np.eye(4)[:, [0, 1, 0, 2, 0, 1, 2, 0]]
    other = np.eye(4)[:, [0, 3, 3, 3, 3, 3, 3, 3]]
    shared = slow_compare(sharp[:, -1:], other[:, :1], "+")
    assert shared.value == pytest.approx(1)
    assert compare_matrices(sharp, other).value < 0.5


@pytest.mark.parametrize("name", ["CTCF_known1", "SRF_known1", "MYC_known1"])
def test_is_the_measure_of_find_palindromes(name):
    motif = load_motifs("encode")[name]
    row = find_palindromes({name: motif}, min_overlap=1, n_permutations=1).iloc[0]
    forward_only = slow_compare(reverse_complement_motif(motif), motif, "+")
    assert forward_only.value == pytest.approx(row["rc_similarity"], abs=1e-12)
    assert forward_only.shift == row["rc_shift"]
    widened = np.full((4, motif.shape[1] + 2), 0.25)
    widened[:, 2:] = motif  # the same motif at another place of a wider matrix has the same similarity
    row = find_palindromes({name: widened}, min_overlap=1, n_permutations=1).iloc[0]
    assert row["rc_similarity"] == pytest.approx(forward_only.value, abs=1e-12)


@pytest.mark.parametrize(
    "dead",
    [
        np.zeros((4, 5)),
        np.full((4, 5), 0.25),
        np.repeat(np.random.default_rng(0).normal(size=(1, 5)), 4, axis=0),
        0.25 + 1e-16 * np.random.default_rng(0).normal(size=(4, 5)),
        np.full((4, 5), np.nan),
        np.full((4, 5), np.inf),
    ],
    ids=["zeros", "uniform", "equal-letters", "rounding", "nan", "inf"],
)
def test_a_dead_matrix_is_like_nothing(dead):
    alive = random_filter(7, 0)
    for found in (compare_matrices(dead, alive), compare_matrices(alive, dead), compare_matrices(dead, dead)):
        assert np.isnan(found.value)
        assert (found.shift, found.orientation) == (0, "+")


@given(arrays(float, (4, 3), elements=st.floats(-9, 9)), arrays(float, (4, 5), elements=st.floats(-9, 9)))
def test_is_a_cosine(first, second):
    found = compare_matrices(first, second)
    assert np.isnan(found.value) or -1 <= found.value <= 1


def test_tensors_are_matrices_too():
    matrix = random_filter(5, 0)
    assert_similar(compare_matrices(torch.nn.Parameter(torch.tensor(matrix)), matrix), 1, 0, "+")


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (np.eye(4), np.ones((5, 4)), r"motif second: got shape \(5, 4\), expected \(4, W\) .* Transpose it: motif.T"),
        (np.ones((3, 4, 5)), np.eye(4), r"motif first: got shape \(3, 4, 5\), expected \(4, W\)"),
    ],
)
def test_what_is_no_matrix(first, second, message):
    with pytest.raises(InputError, match=message):
        compare_matrices(first, second)


# All pairs.


def test_a_matrix_of_similarities_holds_those_of_the_pairs(monkeypatch):
    monkeypatch.setattr("rcinterp.motifs.similarity._BLOCK", 5)
    matrices = [random_filter(width, seed) for seed, width in enumerate((1, 11, 7, 7, 2, 5, 9, 3, 11, 4, 6, 8, 1))]
    found = similarity_matrix(matrices)
    expected = [[max(0.0, compare_matrices(a, b).value) for b in matrices] for a in matrices]
    np.testing.assert_allclose(found, expected, atol=1e-6)
    np.testing.assert_array_equal(found, found.T)


def test_a_matrix_of_similarities_of_copies_is_one():
    matrix = random_filter(7, 0)
    copies = [matrix, 1e6 * matrix + np.arange(7.0), torch.tensor(reverse_complement_motif(3e-9 * matrix))]
    np.testing.assert_allclose(similarity_matrix(copies), 1, atol=1e-6)
    assert similarity_matrix([matrix]).tolist() == [[1.0]]
    assert similarity_matrix([matrix, -matrix])[0, 1] < 0.9


@pytest.mark.parametrize("dead", [np.full((4, 5), 0.25), np.full((4, 5), np.nan)])
def test_a_dead_matrix_among_others(dead):
    with pytest.raises(InputError, match=r"similarity_matrix: matrix 1 is the same for all letters .* Leave it out"):
        similarity_matrix([random_filter(5, 0), dead])
    with pytest.raises(InputError, match="similarity_matrix: got 0 filters"):
        similarity_matrix([])
