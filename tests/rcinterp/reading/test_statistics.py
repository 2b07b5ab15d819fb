from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from rcinterp.errors import InputError
from rcinterp.reading.statistics import _quantiles, _Sample, _welch, bootstrap_difference, permutation_p_values


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


@pytest.mark.parametrize("sizes", [(10, 100), (100, 10), (30, 30), (40, 400)])
def test_p_values_hold_where_means_alone_are_equal(sizes):
    """Of the difference itself, half of them would be below 0.05 for 10 sequences, five times as spread as 100."""
    rng = np.random.default_rng(7)
    spread, size = (5, 1), 1000
    samples = [rng.normal(0, wide, (n, size)) for wide, n in zip(spread, sizes, strict=True)]
    p = permutation_p_values(*samples, seed=0, n_permutations=1000)
    assert (p <= 0.05).mean() < 0.07
    assert (p <= 0.01).mean() < 0.02


@pytest.mark.parametrize("sizes", [(1, 6), (6, 1), (4, 4), (3, 7)])
def test_p_values_equal_those_of_all_permutations(sizes):
    """Welch's t of each labelling, one after the other; where a class has equal values, t is infinite."""
    n, m = sizes
    rng = np.random.default_rng(8)
    values = np.stack([rng.normal(size=n + m), rng.integers(0, 2, n + m), np.arange(n + m) < n], axis=1).astype(float)

    def t(first, second):
        error = sum(one.var(ddof=1) / len(one) if len(one) > 1 else 0 for one in (first, second))
        difference = abs(first.mean() - second.mean())
        return 0.0 if difference < 1e-12 else np.inf if error < 1e-12 else difference / np.sqrt(error)

    found = permutation_p_values(values[:n], values[n:], seed=0, n_permutations=40_000)
    for column, p in zip(values.T, found, strict=True):
        observed = t(column[:n], column[n:])
        at = [list(places) for places in combinations(range(n + m), n)]
        all_t = [t(column[places], np.delete(column, places)) for places in at]
        assert p == pytest.approx(np.mean(np.array(all_t) >= observed * (1 - 1e-9)), abs=0.01)


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


@pytest.mark.parametrize("turned", [False, True])
def test_means_that_are_equal_but_for_rounding_have_p_value_1(turned):
    """One class is 0 throughout, the other sums up to 0 within rounding: every permutation differs as much."""
    zeros, others = np.zeros((4, 1)), np.array([[0.1], [0.2], [-0.3]])
    assert others.sum() != 0
    samples = (others, zeros) if turned else (zeros, others)
    assert permutation_p_values(*samples, seed=0).tolist() == [1.0]


def test_columns_that_are_not_finite_have_no_p_value():
    positive = np.array([[1.0, np.nan], [2.0, 1.0]])
    p = permutation_p_values(positive, np.zeros((3, 2)), seed=0)
    assert np.isnan(p).tolist() == [False, True]


def slow_interval(positive, negative, rng, n_resamples=5000, level=0.95):
    """The interval of two columns, resample by resample."""

    def error(a, b):
        return np.sqrt(a.var(ddof=1) / len(a) + b.var(ddof=1) / len(b))

    difference, observed = positive.mean() - negative.mean(), error(positive, negative)
    studentised = []
    for _ in range(n_resamples):
        a, b = rng.choice(positive, len(positive)), rng.choice(negative, len(negative))
        if error(a, b) > 0:
            studentised.append((a.mean() - b.mean() - difference) / error(a, b))
    lower, upper = np.quantile(studentised, [(1 - level) / 2, (1 + level) / 2])
    welch = stats.ttest_ind(positive, negative, equal_var=False).confidence_interval(level)
    widening = 1 + 4 / min(len(positive), len(negative))
    low = difference - widening * max(upper * observed, difference - welch.low)
    high = difference + widening * max(-lower * observed, welch.high - difference)
    return low, high


def test_interval_equals_a_slow_loop(samples):
    positive, negative = samples
    positive[:, 2] = np.exp(1.5 * positive[:, 2])  # skewed, so that the resamples decide one end
    negative[:, 0] = np.exp(1.5 * negative[:, 0])  # and here the other
    found = bootstrap_difference(positive, negative, seed=0, n_resamples=5000)
    for f in range(3):
        low, high = slow_interval(positive[:, f], negative[:, f], np.random.default_rng(f))
        assert found.low[f] == pytest.approx(low, abs=0.03 * (high - low))
        assert found.high[f] == pytest.approx(high, abs=0.03 * (high - low))
    wide = bootstrap_difference(positive, negative, seed=0, level=0.99)
    assert (wide.low < found.low).all()
    assert (wide.high > found.high).all()


def test_interval_holds_welchs(samples):
    positive, negative = samples
    found = bootstrap_difference(positive, negative, seed=0)
    welch = stats.ttest_ind(positive, negative, equal_var=False).confidence_interval(0.95)
    assert (found.low < welch.low).all()
    assert (found.high > welch.high).all()
    assert (found.high - found.low < 1.2 * (welch.high - welch.low)).all()


def test_a_scale_and_a_shift_change_an_interval_as_they_change_the_values(samples):
    positive, negative = samples
    found = bootstrap_difference(positive, negative, seed=0)
    moved = bootstrap_difference(1e9 * (positive + 3), 1e9 * (negative + 3), seed=0)
    np.testing.assert_allclose(moved, 1e9 * np.array(found), rtol=1e-4)
    small = bootstrap_difference(1e-30 * positive, 1e-30 * negative, seed=0)
    np.testing.assert_allclose(small, 1e-30 * np.array(found), rtol=1e-4)


def test_bootstrap_intervals_cover_the_truth():
    """Of 400 intervals of 90 %, 87 to 93 % hold the true difference (three standard errors are 4.5 %)."""
    rng = np.random.default_rng(8)
    interval = bootstrap_difference(rng.normal(1.0, 2.0, (80, 400)), rng.normal(0.0, 1.0, (70, 400)), seed=0, level=0.9)
    covered = np.mean((interval.low <= 1.0) & (interval.high >= 1.0))
    assert 0.85 <= covered <= 0.95


def zero_inflated(rng, size):
    return rng.exponential(size=size) * (rng.random(size) > 0.7)


SKEWED = {
    "normal": (lambda rng, size: rng.normal(size=size), 0.0),
    "exponential": (lambda rng, size: rng.exponential(size=size), 1.0),
    "zero-inflated": (zero_inflated, 0.3),
    "lognormal": (lambda rng, size: rng.lognormal(size=size), np.exp(0.5)),
}


@pytest.mark.parametrize(("n", "m"), [(10, 10), (10, 100), (20, 200), (50, 500)])
@pytest.mark.parametrize("other", ["the same", "normal"])
@pytest.mark.parametrize("name", SKEWED)
def test_intervals_keep_their_coverage_however_few_and_skewed_the_values(name, other, n, m):
    """2,000 intervals of 95 %, those that are given: 93 % and more cover the truth (0.915: three standard errors)."""
    draw, mean = SKEWED[name]
    draw_other, other_mean = SKEWED[name if other == "the same" else other]
    covered = []
    for part in range(8):  # all columns of a call share their draws
        rng = np.random.default_rng((n, m, part))
        low, high = bootstrap_difference(draw(rng, (n, 250)), draw_other(rng, (m, 250)), seed=part, n_resamples=500)
        is_given = np.isfinite(low)
        assert (is_given == np.isfinite(high)).all()
        covered += ((low <= mean - other_mean) & (mean - other_mean <= high))[is_given].tolist()
    if name != "zero-inflated":
        assert len(covered) == 2000
    assert not covered or np.mean(covered) >= 0.93 - 3 * np.sqrt(0.93 * 0.07 / len(covered))


def test_there_is_no_interval_of_fewer_than_ten_sequences(samples):
    positive, negative = samples
    for few in (
        bootstrap_difference(positive[:9], negative, seed=0),
        bootstrap_difference(positive, negative[:9], seed=0),
    ):
        assert np.isnan(few).all()
    assert np.isfinite(bootstrap_difference(positive[:10], negative[:10], seed=0)).all()


def test_there_is_no_interval_of_too_few_events():
    """Five of thirty values that are not 0 say too little of a mean, six do; in a large class none is needed."""
    rng = np.random.default_rng(3)
    acting, silent = rng.exponential(size=(30, 3)), np.zeros((30, 3))
    silent[:5, 1] = silent[:6, 2] = 4.0
    found = bootstrap_difference(acting / 100, silent, seed=0)
    assert np.isnan(found.low).tolist() == np.isnan(found.high).tolist() == [False, True, False]
    many = bootstrap_difference(acting, np.zeros((3000, 3)), seed=0)
    assert np.isfinite(many).all()


@pytest.mark.parametrize("n", [20, 3000])
def test_equal_values_have_no_interval(n):
    """A filter that is silent in all sequences read may act in the next one."""
    equal = np.repeat([[0.1, 0.3, 0.0]], n, axis=0)
    assert np.isnan(bootstrap_difference(np.repeat([[0.1, 0.1, 0.0]], n, axis=0), equal, seed=0)).all()


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
    for level in (95, 1, 1.5, 0):
        with pytest.raises(InputError, match=f"level: got {level}, expected a coverage between 0 and 1"):
            bootstrap_difference(np.zeros((3, 2)), np.zeros((4, 2)), seed=0, level=level)


@pytest.mark.parametrize("rows", [1, 7, 50, 69])
def test_sequences_that_are_taken_in_blocks_give_the_same_numbers(samples, rows, monkeypatch):
    first, second = samples
    whole = bootstrap_difference(first, second, seed=2), permutation_p_values(first, second, seed=2)
    monkeypatch.setattr("rcinterp.reading.statistics._ROWS", rows)
    in_blocks = bootstrap_difference(first, second, seed=2), permutation_p_values(first, second, seed=2)
    np.testing.assert_allclose(in_blocks[0], whole[0], rtol=1e-5)
    np.testing.assert_allclose(in_blocks[1], whole[1], rtol=1e-5)


@pytest.mark.parametrize("constant", [0, 1])
def test_equal_values_of_one_class_move_nothing(samples, constant):
    """The other class alone has an error then: the interval is about as wide as that of its mean."""
    changing, equal = samples[0], np.full((200, 3), 2.0)
    low, high = bootstrap_difference(*((changing, equal) if constant else (equal, changing)), seed=0)
    middle = changing.mean(0) - 2.0 if constant else 2.0 - changing.mean(0)
    assert ((low < middle) & (middle < high)).all()
    t = stats.ttest_1samp(changing, 2.0).confidence_interval(0.95)
    np.testing.assert_allclose(high - low, t.high - t.low, rtol=0.2)


def test_a_resample_of_equal_values_has_no_error():
    """One value of twelve differs: (11/12)^12 of the resamples lack it, and their values are equal."""
    rows = np.array([[0.1]] * 11 + [[0.7]])
    moved, squared = _Sample.of(rows).resample(np.random.default_rng(0), 4000)
    lacking = np.isclose(moved, 0.1 - rows.mean())
    assert lacking.mean() == pytest.approx((11 / 12) ** 12, abs=0.03)
    assert (squared[lacking] == 0).all()
    times = np.rint((moved[~lacking] + rows.mean() - 0.1) / 0.6 * 12)  # that the value was drawn
    np.testing.assert_allclose(squared[~lacking], 0.36 * times / 12 * (1 - times / 12) / 11, rtol=1e-5)


def test_more_resamples_than_memory_holds_are_refused(samples):
    with pytest.raises(InputError, match=r"resamples: 1,000,000,000,000 means of 3 columns.*use fewer resamples"):
        bootstrap_difference(*samples, seed=0, n_resamples=10**12)


def test_quantiles_are_of_the_resamples_that_have_an_error():
    rng = np.random.default_rng(0)
    moved, squared = rng.normal(size=(2, 50, 3))
    squared = squared**2 / 9
    squared[:20, 1], squared[:, 2] = 0, 0
    found = _quantiles(moved, squared, squared[0], [0.1, 0.8])
    t = moved / np.sqrt(np.where(squared > 0, squared, np.nan))
    np.testing.assert_allclose(found[:, 0], np.quantile(t[:, 0], [0.1, 0.8]))
    np.testing.assert_allclose(found[:, 1], np.quantile(t[20:, 1], [0.1, 0.8]))
    assert np.isnan(found[:, 2]).all()


def test_welchs_quantile_is_scipys(samples):
    both = tuple(_Sample.of(sample) for sample in samples)
    welch = stats.ttest_ind(*samples, equal_var=False).confidence_interval(0.9)
    error = np.sqrt(sum(sample.squared_error for sample in both))
    np.testing.assert_allclose(_welch(both, 0.9), (welch.high - welch.low) / 2 / error)
    equal = tuple(_Sample.of(np.zeros((n, 1))) for n in (12, 30))
    assert _welch(equal, 0.9) == pytest.approx(stats.t.ppf(0.95, 11))


def test_what_counts_as_equal_is_of_the_size_of_each_column_by_itself(samples):
    small = permutation_p_values(*(sample[:, 1:2] for sample in samples), seed=0)
    beside = permutation_p_values(*(sample[:, :2] * [1e12, 1] for sample in samples), seed=0, n_permutations=1000)
    assert beside[1] == small[0] < 0.01


def test_any_number_of_resamples_can_be_asked_for(samples):
    """They are drawn 250 at a time, the rest by itself."""
    for measured in (
        bootstrap_difference(*samples, seed=0, n_resamples=301),
        permutation_p_values(*samples, seed=0, n_permutations=301),
    ):
        assert np.isfinite(measured).all()
    assert permutation_p_values(*samples, seed=0, n_permutations=301)[1] == 1 / 302
