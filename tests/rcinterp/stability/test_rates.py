"""Intervals and rates against scipy, by hand, and by leaving one out."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from rcinterp.stability.rates import exact_interval, expected_new, missed_by_model, seen_again, seen_again_by_model

CONTRIBUTIONS = pd.DataFrame(
    {
        "a": [2.0, 1.0, np.nan, np.nan],
        "b": [3.0, np.nan, -1.0, np.nan],
        "c": [1.0, np.nan, np.nan, 0.5],
        "d": [2.0, 4.0, np.nan, np.nan],
        "e": [np.nan] * 4,
    }
)


def leave_one_out(scores, value):
    """Mean over the other models, one at a time."""
    return {
        one: np.mean([value(scores[one], scores[other]) for other in scores if other != one]) for one in scores.columns
    }


@pytest.mark.parametrize("n", [1, 2, 5, 40])
def test_the_exact_interval_is_scipy_s(n):
    low, high = exact_interval(np.arange(n + 1), n)
    for k in range(n + 1):
        expected = binomtest(k, n).proportion_ci(0.95, method="exact")
        assert (low[k], high[k]) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_a_wider_interval_for_more_confidence():
    low, high = exact_interval(3, 5, confidence=0.99)
    expected = binomtest(3, 5).proportion_ci(0.99, method="exact")
    assert (low, high) == pytest.approx((expected.low, expected.high))


def test_seen_again_is_the_share_of_the_other_models():
    assert seen_again([5, 3, 1], 5).tolist() == [1.0, 0.5, 0.0]
    assert np.isnan(seen_again([1, 1], 1)).all()


def test_a_model_s_share_is_that_found_by_leaving_it_out():
    def shown(one, other):
        weights = one.abs()[one.notna()]
        return weights[other.notna()[weights.index]].sum() / weights.sum()

    expected = leave_one_out(CONTRIBUTIONS.drop(columns="e"), shown)
    found = seen_again_by_model(CONTRIBUTIONS.drop(columns="e"))
    assert found.to_dict() == pytest.approx(expected)
    with_e = seen_again_by_model(CONTRIBUTIONS)
    assert np.isnan(with_e["e"])
    assert with_e["a"] == pytest.approx((2 * 0.75 + 1 * 0.25) / 3)


def test_a_single_model_has_no_others():
    assert seen_again_by_model(CONTRIBUTIONS[["a"]]).isna().all()
    assert missed_by_model(CONTRIBUTIONS[["a"]]).isna().all()


def test_missed_patterns_are_those_found_by_leaving_it_out():
    expected = leave_one_out(CONTRIBUTIONS, lambda one, other: (one.isna() & other.notna()).sum())
    assert missed_by_model(CONTRIBUTIONS).to_dict() == pytest.approx(expected)


def test_new_patterns_are_those_that_leaving_one_out_loses():
    n_with = CONTRIBUTIONS.notna().sum(axis=1)
    lost = [
        (CONTRIBUTIONS[one].notna() & CONTRIBUTIONS.drop(columns=one).isna().all(axis=1)).sum()
        for one in CONTRIBUTIONS.columns
    ]
    assert expected_new(n_with, 5) == np.mean(lost) == 0.4
