"""q-values against the equation, pi_0 against many bootstraps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from rcinterp.comparison.false_discovery import estimate_null_fraction, q_values

p_value_arrays = arrays(np.float64, st.integers(1, 300), elements=st.floats(0, 1))


def slow_q_values(p, null_fraction):
    """The equation, one p-value at a time."""
    rates = [null_fraction * len(p) * value / (p <= value).sum() for value in p]
    return [min(1.0, *(rate for rate, other in zip(rates, p, strict=True) if other >= value)) for value in p]


@given(p_value_arrays)
def test_q_values_are_the_equation(p):
    q = q_values(p)
    np.testing.assert_allclose(q, slow_q_values(p, estimate_null_fraction(p)), rtol=1e-12)
    assert (np.diff(q[np.argsort(p)]) >= 0).all()


@given(p_value_arrays, st.randoms(use_true_random=False))
def test_q_values_do_not_depend_on_the_order(p, random):
    order = random.sample(range(p.size), p.size)
    np.testing.assert_array_equal(q_values(p[order]), q_values(p)[order])


def test_up_to_a_hundred_p_values_are_taken_for_null():
    p = np.full(101, 1e-3)
    p[:30] = 0.9
    assert estimate_null_fraction(p[:100]) == 1
    assert estimate_null_fraction(p) == pytest.approx(30 / 101 / (1 - 0.005))
    p[30:] = 0.005  # equal to the first lambda: counted as at least it
    assert estimate_null_fraction(p) == pytest.approx(30 / 101 / (1 - 0.010))


def test_no_large_p_value_says_nothing_of_the_null():
    assert estimate_null_fraction(np.full(150, 1e-9)) == 1
    assert estimate_null_fraction(np.ones(150)) == 1


def bootstrap_null_fraction(p, seed):
    """MEME's own procedure, random samples of 1,000 p-values and all: the oracle of the closed form."""
    rng, lambdas = np.random.default_rng(seed), np.arange(1, 101) / 100 * 0.5
    estimates = np.array([(p >= threshold).mean() / (1 - threshold) for threshold in lambdas])
    counts = np.histogram(p, [0, *lambdas, 1])[0]
    samples = rng.multinomial(1000, counts / p.size, size=20_000)[:, ::-1].cumsum(axis=1)[:, -2::-1]
    errors = ((samples / 1000 / (1 - lambdas) - estimates.min()) ** 2).mean(axis=0)
    return min(1.0, estimates[np.argmin(errors)])


@pytest.mark.parametrize("null", [0.3, 0.7, 1.0])
def test_null_fraction_is_that_of_many_bootstraps(null):
    rng = np.random.default_rng(5)
    p = np.where(rng.random(1492) < null, rng.random(1492), rng.random(1492) ** 6)
    exact = estimate_null_fraction(p)
    assert bootstrap_null_fraction(p, seed=0) == pytest.approx(exact, abs=0.004)
    assert exact == pytest.approx(null, abs=0.15)
