"""Palindromes: the similarity against a slow oracle, the axis of known ones, p-values against their definition."""

import gzip
from itertools import permutations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from numpy.typing import NDArray
from pandas.testing import assert_frame_equal
from scipy.stats import kstest

from rcinterp.errors import InputError
from rcinterp.motifs.matrices import reverse_complement_motif
from rcinterp.palindromes.finding import find_palindromes

Matrix = NDArray[np.float64]


def slow_similarities(matrix: Matrix) -> dict[int, float]:
    """Similarity at every shift, from the equation."""
    width = matrix.shape[1]
    f = matrix - matrix.mean(axis=0)
    result = {}
    for s in range(1 - width, width):
        total = 0.0
        for c in range(4):
            for j in range(width):
                k = width - 1 + s - j
                if 0 <= k < width:
                    total += f[c, j] * f[3 - c, k]
        result[s] = total / (f**2).sum()
    return result


def slow_statistic(matrix: Matrix, min_overlap: int) -> float:
    width = matrix.shape[1]
    return max(value for s, value in slow_similarities(matrix).items() if width - abs(s) >= min_overlap)


def letters(sequence: str) -> Matrix:
    """One-hot matrix; W is half A and half T, which makes it its own complement, and N is nothing."""
    columns = {**dict(zip("ACGT", np.eye(4), strict=True)), "W": np.array([0.5, 0, 0, 0.5]), "N": np.zeros(4)}
    return np.array([columns[letter] for letter in sequence]).T


@pytest.mark.parametrize("width", [1, 3, 6, 11])
@pytest.mark.parametrize("min_overlap", [1, 4, 30])
def test_similarity_and_shift_of_the_oracle(width: int, min_overlap: int) -> None:
    bank = np.random.default_rng(width).normal(size=(5, 4, width))
    found = find_palindromes(bank, min_overlap=min_overlap, n_permutations=2)
    for matrix, row in zip(bank, found.itertuples(), strict=True):
        allowed = {
            s: value for s, value in slow_similarities(matrix).items() if width - abs(s) >= min(min_overlap, width)
        }
        best = max(allowed, key=lambda s: allowed[s])
        assert row.rc_similarity == pytest.approx(allowed[best], abs=1e-12)
        assert (row.rc_shift, row.rc_overlap, row.rc_axis) == (best, width - abs(best), (width - 1 + best) / 2)


@pytest.mark.parametrize(
    ("sequence", "axis", "overlap"),
    [
        ("GAATTC", 2.5, 6),  # between two bases, in the centre
        ("NNNGAATTC", 5.5, 6),  # off the centre, to the right
        ("GAATTCNNNNN", 2.5, 6),  # off the centre, to the left
        ("TGACWGTCA", 4, 9),  # on a base that is its own complement
        ("NTGACWGTCANNNN", 5, 11),  # the overlap spans what is empty alike
        ("NNNNCACGTGNNNGT", 6.5, 14),  # an E-box among other letters: the best axis, but no exact palindrome
    ],
)
def test_axis_of_known_palindromes(sequence: str, axis: float, overlap: int) -> None:
    weights = 1.7 * letters(sequence) + 0.2
    row = find_palindromes(weights[None]).iloc[0]
    assert (row["rc_axis"], row["rc_overlap"]) == (axis, overlap)
    assert row["rc_shift"] == 2 * axis - (len(sequence) - 1)
    assert row["rc_similarity"] == pytest.approx(6 / 8 if "NGT" in sequence else 1, abs=1e-12)


def test_an_odd_palindrome_needs_a_middle_that_is_its_own_complement() -> None:
    found = find_palindromes({"W": letters("TGACWGTCA"), "A": letters("TGACAGTCA")})
    assert found["rc_similarity"].iloc[0] == pytest.approx(1)
    # the middle A faces a T: one column of nine at cosine -1/3 in place of 1, and W has a third of A's norm
    assert found["rc_similarity"].iloc[1] == pytest.approx((8 - 1 / 3) / 9)


def test_noise_cannot_score_more_than_its_share_of_the_overlap() -> None:
    bank = np.random.default_rng(0).normal(size=(50, 4, 12))
    bank -= bank.mean(axis=1, keepdims=True)
    found = find_palindromes(bank, min_overlap=1, n_permutations=2)
    assert found["rc_similarity"].max() < 0.8
    for f, row in zip(bank, found.itertuples(), strict=True):
        inside = f[:, max(0, row.rc_shift) : 12 + min(0, row.rc_shift)]
        assert row.rc_similarity <= (inside**2).sum() / (f**2).sum()


def test_similarity_tells_the_share_that_is_symmetric() -> None:
    f = np.random.default_rng(3).normal(size=(4, 7))
    f -= f.mean(axis=0)
    symmetric = (f + reverse_complement_motif(f)) / 2
    row = find_palindromes(f[None], min_overlap=7, n_permutations=2).iloc[0]
    assert (1 + row["rc_similarity"]) / 2 == pytest.approx((symmetric**2).sum() / (f**2).sum())


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.01, 100), st.floats(-3, 3))
def test_scale_offset_and_strand_do_not_matter(seed: int, scale: float, offset: float) -> None:
    matrix = np.random.default_rng(seed).normal(size=(4, 9))
    variants = {"as is": matrix, "moved": scale * matrix + offset, "other strand": reverse_complement_motif(matrix)}
    found = find_palindromes(variants, n_permutations=19)
    assert_allclose(found["rc_similarity"], found["rc_similarity"].iloc[0], atol=1e-9)
    assert found["rc_p"].iloc[0] == found["rc_p"].iloc[1]
    assert found["rc_shift"].tolist() == [
        found["rc_shift"].iloc[0],
        found["rc_shift"].iloc[0],
        -found["rc_shift"].iloc[0],
    ]


def test_p_value_is_that_of_all_permutations() -> None:
    bank = np.random.default_rng(1).normal(size=(3, 4, 5))
    bank[0] += 2 * letters("ACWGT")
    n_permutations = 4000
    found = find_palindromes(bank, min_overlap=2, n_permutations=n_permutations)
    for matrix, row in zip(bank, found.itertuples(), strict=True):
        observed = slow_statistic(matrix, 2)
        null = np.array([slow_statistic(matrix[:, list(order)], 2) for order in permutations(range(5))])
        exact = np.mean(null >= observed - 1e-9)
        assert row.rc_p == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / n_permutations) + 1e-3)
    assert found["rc_p"].iloc[0] >= 8 / 120  # 2! * 2**2 orders leave the same columns face to face


def test_p_values_of_random_filters_are_uniform() -> None:
    bank = np.random.default_rng(5).normal(size=(2000, 4, 11))
    p_values = find_palindromes(bank, n_permutations=199, seed=11)["rc_p"]
    # the 0.1 % point of the Kolmogorov-Smirnov distance is 1.95 / sqrt(2000) = 0.044, and a step of p is 0.005
    assert kstest(p_values, "uniform").statistic < 0.049
    for level in (0.01, 0.05, 0.2):
        assert abs((p_values <= level).mean() - level) < 3.3 * np.sqrt(level * (1 - level) / 2000)


def test_ties_count_against_a_filter() -> None:
    found = find_palindromes({"poly-W": letters("WWWWWW"), "one position": letters("W"), "EcoRI": letters("GAATTC")})
    assert found["rc_p"].iloc[:2].tolist() == [1.0, 1.0]
    # two ways of pairing the As with the Ts, 3! orders of the three pairs and 2**3 ways of turning them round
    assert found["rc_p"].iloc[2] == pytest.approx(2 * 6 * 8 / 720, abs=0.04)


def test_a_long_palindrome_is_significant_and_a_half_site_is_not() -> None:
    found = find_palindromes(
        {"palindrome": letters("AGGTCACAGTGACCT"[:7] + "W" + "TGTGACCT"[1:]), "half": letters("AGGTCAAC")}
    )
    assert found["rc_p"].iloc[0] < 0.005
    assert found["rc_p"].iloc[1] > 0.05


def test_same_seed_same_table_whatever_the_company() -> None:
    bank = np.random.default_rng(8).normal(size=(6, 4, 13))
    found = find_palindromes(bank, seed=3)
    assert_frame_equal(found, find_palindromes(torch.as_tensor(bank), seed=3))
    alone = find_palindromes({"other width": bank[0, :, :5], "fourth": bank[3]}, seed=3)
    assert alone["rc_p"].iloc[1] == found["rc_p"].iloc[3]
    assert not found["rc_p"].equals(find_palindromes(bank, seed=4)["rc_p"])


def test_dead_filters_keep_their_row() -> None:
    bank = np.random.default_rng(0).normal(size=(5, 4, 7)).astype(np.float32)
    bank[1] = 0
    bank[2] = bank[2, :1]  # the same for all four letters
    bank[3, 0, 2] = np.nan
    found = find_palindromes(bank, n_permutations=9)
    assert found["filter"].tolist() == [f"filter_{i}" for i in range(5)]
    dead = [False, True, True, True, False]
    assert all(found[column].isna().tolist() == dead for column in found.columns.drop("filter"))
    assert found.dtypes.drop("filter").astype(str).to_dict() == {
        "rc_similarity": "float64",
        "rc_p": "float64",
        "rc_shift": "Int64",
        "rc_overlap": "Int64",
        "rc_axis": "float64",
    }


def test_figures_of_the_encode_motifs(encode_file: Path) -> None:
    text = gzip.decompress(encode_file.read_bytes()).decode()
    motifs = {}
    for entry in text.split(">")[1:]:
        header, *rows = entry.strip().split("\n")
        motifs[header.split()[0]] = np.array([row.split()[1:] for row in rows], dtype=float).T
    found = find_palindromes(motifs, n_permutations=1).set_index("filter")["rc_similarity"]
    assert len(found) == 2067
    assert found["CTCF_known1"] == pytest.approx(0.51, abs=0.005)
    assert found["SRF_known1"] == pytest.approx(0.79, abs=0.005)
    assert np.mean(found > 0.8) == pytest.approx(0.30, abs=0.01)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_overlap": 0}, "got min_overlap=0, expected a whole number of at least 1"),
        ({"min_overlap": 2.5}, "got min_overlap=2.5"),
        ({"n_permutations": 0}, "got n_permutations=0, expected a whole number of at least 1"),
        ({"seed": -1}, "got seed=-1, expected a whole number of at least 0"),
    ],
)
def test_options_out_of_range(options: dict[str, int], message: str) -> None:
    with pytest.raises(InputError, match=message):
        find_palindromes(np.ones((2, 4, 7)), **options)


def test_filters_of_a_later_layer() -> None:
    with pytest.raises(InputError, match=r"find_palindromes: got filters of shape \(3, 16, 5\)"):
        find_palindromes(np.ones((3, 16, 5)))


def test_result_is_a_table_of_plain_columns() -> None:
    found = find_palindromes({"a": letters("GAATTC")}, n_permutations=9)
    assert isinstance(found, pd.DataFrame)
    assert found.columns.tolist() == ["filter", "rc_similarity", "rc_p", "rc_shift", "rc_overlap", "rc_axis"]
