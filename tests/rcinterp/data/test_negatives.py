import numpy as np
import pandas as pd
import pytest

from rcinterp.data.negatives import _whole, draw_negatives, gc_bins


@pytest.mark.parametrize(
    ("shares", "whole"),
    [([0.4] * 5, [1, 1, 0, 0, 0]), ([2.5, 0.0, 1.25, 0.75], [2, 0, 1, 1]), ([3.0, 1.0], [3, 1]), ([0.0, 0.0], [0, 0])],
)
def test_shares_of_bins_add_up(shares, whole):
    assert _whole(np.array(shares)).tolist() == whole
    assert sum(whole) == round(sum(shares))


def test_gc_bins_are_5_percent_wide_from_below():
    sequences = ["A" * (100 - n) + "C" * (n // 2) + "G" * (n - n // 2) for n in range(101)]
    assert gc_bins(pd.Series(sequences)).tolist() == [min(n // 5, 19) for n in range(101)]
    assert gc_bins(pd.Series(["NNNN"])).tolist() == [0]


def test_drawn_in_their_order_and_never_twice():
    positives, negatives = pd.Series(["ACGT"] * 6), pd.Series(["ACGT"] * 10)
    chosen, n_wanted = draw_negatives(positives, negatives, 0.5, False, np.random.default_rng(0))
    assert n_wanted == len(chosen) == 3
    assert chosen.tolist() == sorted(set(chosen.tolist()))


def test_drawn_with_the_positives_gc():
    positives, negatives = pd.Series(["GCAA", "GCAA", "GCGC"]), pd.Series(["AAAA", "GCGC", "GGAA", "AACC", "TGCA"])
    chosen, n_wanted = draw_negatives(positives, negatives, 1, True, np.random.default_rng(0))
    assert n_wanted == len(chosen) == 3
    assert 1 in chosen
    assert 0 not in chosen
