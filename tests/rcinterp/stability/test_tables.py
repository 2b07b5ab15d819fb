"""What is left out at its limits, and sums of contributions."""

import numpy as np
import pandas as pd

from rcinterp.interpretation.verdicts import NEGLIGIBLE_SHARE
from rcinterp.stability.tables import list_filters, sum_contributions


def test_a_filter_counts_from_its_share_of_the_largest(place, interpretation):
    ppm = place("CTCF_known1", 1)
    scores = [-2.0, 2 * NEGLIGIBLE_SHARE, 2 * NEGLIGIBLE_SHARE - 1e-6]
    rows = [(f"f{i}", ppm, score, 9, 1e-4) for i, score in enumerate(scores)]
    found = list_filters("m", interpretation(rows)).set_index("filter")
    assert found["reason"].isna().to_dict() == {"f0": True, "f1": True, "f2": False}
    assert found["sites_p"].tolist() == [1e-4] * 3
    assert set(found["model"]) == {"m"}


def test_a_motif_of_weights_that_prefers_nothing(interpretation):
    found = list_filters("m", interpretation([("f", np.full((4, 5), 0.25), 1.0, None, np.nan)]))
    assert found["reason"].tolist() == ["no motif: its letters are equally likely everywhere"]


def test_sums_stand_by_pattern_and_model():
    rows = pd.DataFrame({"pattern": ["q", "p", "q"], "model": ["x", "y", "x"], "contribution": [1.0, -2.0, 0.5]})
    found = sum_contributions(rows, ["p", "q", "r"], ["z", "y", "x"])
    np.testing.assert_array_equal(found, [[np.nan, -2, np.nan], [np.nan, np.nan, 1.5], [np.nan] * 3])
    assert found.index.tolist() == ["p", "q", "r"]
    assert found.columns.tolist() == ["z", "y", "x"]
