"""Numbers that travel as letters come back."""

import numpy as np
import pytest

from rcinterp.report.encoding import encode_shares, encode_signed


def test_shares_come_back(decode_shares):
    shares = np.random.default_rng(0).dirichlet(np.ones(4), 30).T
    text = encode_shares(shares)
    assert len(text) == 2 * shares.size
    assert text.isascii()
    assert not set(text) & set("<>&\"' ")
    np.testing.assert_allclose(decode_shares(text), shares, atol=0.5 / 4095)


def test_the_order_is_position_by_position():
    shares = np.zeros((4, 2))
    shares[1, 0] = 1
    assert encode_shares(shares) == "AA__AAAA" + "AA" * 4


def test_signed_values_come_back(decode_shares):
    values = np.random.default_rng(1).normal(size=(4, 12))
    text, most = encode_signed(values)
    assert most == np.abs(values).max()
    np.testing.assert_allclose((2 * decode_shares(text) - 1) * most, values, atol=most / 4095)


@pytest.mark.parametrize("values", [np.zeros((4, 3)), np.full((4, 3), np.nan)])
def test_nothing_stays_nothing(values, decode_shares):
    text, most = encode_signed(values)
    assert most == 0
    np.testing.assert_allclose(decode_shares(text), 0.5, atol=1e-3)
