import numpy as np
import pytest
from scipy import stats

from rcinterp.errors import InputError
from rcinterp.reading.statistics import bootstrap_difference, permutation_p_values


@pytest.fixture
def samples():
    rng = np.random.default_rng(0)
    return rng.normal([0.0, 1.0, 0.0], 1.0, (70, 3)), rng.normal([0.0, 0.0, 0.0], [1.0, 1.0, 5.0], (50, 3))


def test_permutation_p_values_equal_scipys(samples):
    positive, negative = samples

    def difference(a, b, axis):
        return a.mean(axis) - b.mean(axis)

    expected = stats.permutation_test(
        samples, difference, n_resamples=9999, random_state=np.random.default_rng(1), axis=0, vectorized=True
    )
    found = permutation_p_values(positive, negative, seed=3, n_permutations=9999)
    np.testing.assert_allclose(found, expected.pvalue, atol=0.02)
    assert found[1] == 1e-4  # the smallest possible


def test_permutation_p_value_of_a_tiny_case_equals_the_enumeration():
    """Two against two: six labellings, of which two are as extreme as the observed."""
    p = permutation_p_values([[3.0], [2.0]], [[1.0], [0.0]], seed=0, n_permutations=60_000)
    assert p[0] == pytest.approx(2 / 6, abs=0.01)


def test_p_values_are_uniform_under_the_null():
    rng = np.random.default_rng(5)
    p = permutation_p_values(rng.exponential(size=(40, 500)), rng.exponential(size=(60, 500)), seed=0)
    assert stats.kstest(p, "uniform").pvalue > 0.01


def test_many_columns_get_enough_permutations_for_one_of_them_to_be_significant():
    rng = np.random.default_rng(6)
    positive, negative = rng.normal(size=(60, 100)), rng.normal(size=(60, 100))
    positive[:, 7] += 3
    q = stats.false_discovery_control(permutation_p_values(positive, negative, seed=0))
    assert q[7] <= 0.05
    assert (np.delete(q, 7) > 0.05).all()


def test_columns_of_equal_values_have_p_value_1():
    assert permutation_p_values(np.zeros((5, 2)), np.zeros((4, 2)), seed=0).tolist() == [1.0, 1.0]
    assert permutation_p_values(np.full((5, 1), 0.1), np.full((4, 1), 0.1), seed=0).tolist() == [1.0]


def test_columns_that_are_not_finite_have_no_p_value():
    positive = np.array([[1.0, np.nan], [2.0, 1.0]])
    p = permutation_p_values(positive, np.zeros((3, 2)), seed=0)
    assert np.isnan(p).tolist() == [False, True]


def test_bootstrap_interval_equals_scipys(samples):
    positive, negative = samples
    expected = stats.bootstrap(
        samples,
        lambda a, b, axis: a.mean(axis) - b.mean(axis),
        method="percentile",
        n_resamples=5000,
        axis=0,
        random_state=np.random.default_rng(2),
    ).confidence_interval
    found = bootstrap_difference(positive, negative, seed=0, n_resamples=5000)
    np.testing.assert_allclose(found.low, expected.low, atol=0.08)
    np.testing.assert_allclose(found.high, expected.high, atol=0.08)
    wide = bootstrap_difference(positive, negative, seed=0, level=0.99)
    assert (wide.low < found.low).all()
    assert (wide.high > found.high).all()


def test_bootstrap_intervals_cover_the_truth():
    """Of 400 intervals of 90 %, 87 to 93 % hold the true difference (three standard errors are 4.5 %)."""
    rng = np.random.default_rng(8)
    interval = bootstrap_difference(rng.normal(1.0, 2.0, (80, 400)), rng.normal(0.0, 1.0, (70, 400)), seed=0, level=0.9)
    covered = np.mean((interval.low <= 1.0) & (interval.high >= 1.0))
    assert 0.85 <= covered <= 0.95


def test_the_same_seed_gives_the_same_numbers(samples):
    for measure in (bootstrap_difference, permutation_p_values):
        np.testing.assert_array_equal(measure(*samples, seed=4), measure(*samples, seed=4))
        assert not np.array_equal(measure(*samples, seed=4), measure(*samples, seed=5))


def test_bad_samples():
    with pytest.raises(InputError, match=r"\(3, 2\) and \(4, 1\), expected \(N, F\) and \(M, F\)"):
        permutation_p_values(np.zeros((3, 2)), np.zeros((4, 1)), seed=0)
    with pytest.raises(InputError, match="at least one row each"):
        bootstrap_difference(np.zeros((0, 2)), np.zeros((4, 2)), seed=0)
    with pytest.raises(InputError, match="resamples: got 0, expected a whole number of at least 1"):
        bootstrap_difference(np.zeros((3, 2)), np.zeros((4, 2)), seed=0, n_resamples=0)
    with pytest.raises(InputError, match=r"level: got 95, expected a coverage between 0 and 1"):
        bootstrap_difference(np.zeros((3, 2)), np.zeros((4, 2)), seed=0, level=95)
