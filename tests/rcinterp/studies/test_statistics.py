"""The test of section 3.8 against a slow count, and the words in which values over seeds are put."""

import itertools
import math

import numpy as np
import pandas as pd
import pytest

from rcinterp.studies._statistics import (
    claim,
    correct,
    heading,
    in_words,
    p_greater,
    spread,
    summarise,
    tabulate_claims,
)


def series(*values):
    return pd.Series(values, dtype=float)


def test_summarise_against_a_loop():
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"b": list("yxyxyxx"), "a": [2, 1, 2, 1, 1, 1, 1], "u": rng.random(7), "v": rng.random(7)})
    found = summarise(table, ["a", "b"], ["v", "u"])
    assert found.columns.tolist() == ["a", "b", "n_seeds", *(f"{c}_{n}" for c in "vu" for n in ("mean", "min", "max"))]
    groups = list(dict.fromkeys(zip(table["a"], table["b"], strict=True)))
    assert list(zip(found["a"], found["b"], strict=True)) == groups == [(2, "y"), (1, "x"), (1, "y")]
    for row in found.to_dict("records"):
        for column in "uv":
            values = [
                v
                for a, b, v in zip(table["a"], table["b"], table[column], strict=True)
                if (a, b) == (row["a"], row["b"])
            ]
            assert row["n_seeds"] == len(values)
            assert row[f"{column}_mean"] == pytest.approx(sum(values) / len(values))
            assert (row[f"{column}_min"], row[f"{column}_max"]) == (min(values), max(values))


@pytest.mark.parametrize("seed", range(5))
def test_the_test_is_exact(slow_p, seed):
    values = np.random.default_rng(seed).normal(size=9)
    assert p_greater(series(*values[:4]), series(*values[4:])) == pytest.approx(
        slow_p(values[:4], values[4:]), rel=1e-12
    )


@pytest.mark.parametrize("seed", range(8))
def test_the_test_is_exact_with_equal_values(slow_p, seed):
    values = np.random.default_rng(seed).integers(3, size=11) / 7
    assert p_greater(series(*values[:4]), series(*values[4:])) == pytest.approx(
        slow_p(values[:4], values[4:]), rel=1e-12
    )


def test_equal_values_by_hand():
    assert p_greater(series(1, 1, 0), series(0, 0)) == pytest.approx(3 / 10)  # both ones among three of five places
    assert p_greater(series(0.5, 0.5), series(0.5, 0.5, 0.5)) == 1


def test_two_groups_of_ten_that_do_not_overlap_have_the_paper_s_p_value():
    high, low = series(*range(10, 20)), series(*range(10))
    assert p_greater(high, low) == pytest.approx(1 / math.comb(20, 10), rel=1e-12)
    assert f"{p_greater(high, low):.3e}" == "5.413e-06"
    assert p_greater(low, high) == 1
    assert f"{p_greater(series(*[1] * 10), series(*[0] * 10)):.3e}" == "5.413e-06"


def test_a_missing_value_gives_no_p_value():
    assert math.isnan(p_greater(series(1, np.nan, 3), series(2, np.nan)))


def test_the_index_of_the_values_plays_no_part():
    table = pd.DataFrame({"x": [3.0, 1.0, 2.0, 2.0, 5.0]}, index=[7, 7, 7, 1, 1])
    assert p_greater(table["x"].iloc[:2], table["x"].iloc[2:]) == p_greater(series(3, 1), series(2, 2, 5))


def test_a_claim_names_both_models_and_says_whether_it_holds(slow_p):
    results = pd.DataFrame({"model": ["a"] * 4 + ["b"] * 4, "x": [5.0, 6, 7, 9, 1, 2, 3, 4]})
    assert in_words([claim("it", results, "x", "a", "b")]) == (
        "it: a 6.75 (5.00 to 9.00), b 2.50 (1.00 to 4.00): higher in a, p = 0.0143, corrected 0.0143"
    )
    assert f"{slow_p([5, 6, 7, 9], [1, 2, 3, 4]):.3g}" == "0.0143"
    assert in_words([claim("it", results, "x", "b", "a", 1)]) == (
        "it: b 2.5 (1.0 to 4.0), a 6.8 (5.0 to 9.0): not significantly higher in b, p = 1, corrected 1"
    )
    three = results[results["x"] != 9].query("x < 4 or model == 'a'")
    assert in_words([claim("it", three, "x", "a", "b")]).endswith(  # not below 0.05, and cannot be
        ": higher in a in every seed, of which there are too few to be significant, p = 0.05, corrected 0.05"
    )
    three.loc[three["x"] == 5, "x"] = 2.5
    assert in_words([claim("it", three, "x", "a", "b")]).endswith(
        ": not significantly higher in a, p = 0.1, corrected 0.1"
    )


def test_a_claim_with_a_missing_value():
    results = pd.DataFrame({"model": ["a", "a", "b"], "x": [5.0, np.nan, 1.0]})
    assert in_words([claim("it", results, "x", "a", "b", 0)]) == (
        "it: a 5 (5 to 5), b 1 (1 to 1): not known to be higher in a, p = nan, corrected nan"
    )


def test_holm_by_hand():
    assert correct([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert correct([0.6, np.nan, 0.5]) == pytest.approx([1, np.nan, 1], nan_ok=True)
    assert correct([0.02, np.nan]) == pytest.approx([0.02, np.nan], nan_ok=True)
    assert correct([]) == []


def test_holm_is_the_closed_test_of_bonferroni_s():
    """The corrected p is the largest, over all sets of hypotheses with it, of Bonferroni's p of the set."""
    p_values = np.random.default_rng(0).random(5) ** 3
    sets = [chosen for n in range(1, 6) for chosen in itertools.combinations(range(5), n)]
    expected = [max(min(1, len(s) * min(p_values[list(s)])) for s in sets if i in s) for i in range(5)]
    assert correct(list(p_values)) == pytest.approx(expected)


def test_of_true_null_hypotheses_one_verdict_in_twenty_claims_something():
    """Seven claims about models that do not differ: 0.05 of the verdicts, at most, call any of them higher."""
    rng = np.random.default_rng(1)
    wrong = 0
    for _ in range(1000):
        drawn = pd.DataFrame({"model": ["a"] * 8 + ["b"] * 8, **{str(i): rng.normal(size=16) for i in range(7)}})
        lines = [claim("it", drawn, str(i), "a", "b") for i in range(7)]
        wrong += bool((tabulate_claims(lines)["corrected_p"] < 0.05).any())
    assert wrong <= 70  # 0.05, and three standard errors


def test_a_verdict_judges_by_the_corrected_p():
    """One of two claims holds by its own p, 0.0286, and not by 2 p."""
    results = pd.DataFrame({"model": ["a"] * 4 + ["b"] * 4, "x": [5.0, 6, 7, 3.5, 1, 2, 3, 4], "y": range(8)})
    lines = ["first", claim("it", results, "x", "a", "b"), claim("other", results, "y", "a", "b")]
    said = in_words(lines).split("\n")
    assert said[0] == "first"
    assert said[1].endswith(": not significantly higher in a, p = 0.0286, corrected 0.0571")
    assert in_words(lines[:2]).endswith(": higher in a, p = 0.0286, corrected 0.0286")
    table = tabulate_claims(lines)
    assert table[["claim", "higher_in", "than_in"]].to_numpy().tolist() == [["it", "a", "b"], ["other", "a", "b"]]
    assert table["p"].tolist() == pytest.approx([2 / 70, 1])
    assert table["corrected_p"].tolist() == pytest.approx([4 / 70, 1])


def test_spread():
    assert spread(series(0.25, 0.5, 0.75)) == "0.50 (0.25 to 0.75)"
    assert spread(series(0.25, 0.5, 0.75), 4) == "0.5000 (0.2500 to 0.7500)"


@pytest.mark.parametrize(("n_seeds", "p"), [(3, "0.05"), (10, "5.4e-06")])
def test_the_heading_says_how_small_a_p_can_be(n_seeds, p):
    results = pd.DataFrame({"seed": [*range(n_seeds), *range(n_seeds)]})
    assert heading(results, "what; ").startswith(f"{n_seeds} seeds; what; one-sided exact Wilcoxon")
    assert heading(results).endswith(f"whose smallest p is {p}")
