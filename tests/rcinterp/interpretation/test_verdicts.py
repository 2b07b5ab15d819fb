import numpy as np
import pytest

from rcinterp.interpretation.verdicts import MIN_GAIN, refusal, verdict

ROW = {
    "score": 1.0,
    "score_q": 0.001,
    "mean_positive": 1.0,
    "mean_negative": 0.0,
    "sites_in": "positives",
    "best_match": "M",
    "q_value": 0.009,
    "match_similarity": 0.5,
    "similarity": 0.3,
    "triage": "none",
    "triage_motif": None,
}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "resembles M"),
        ({"q_value": 0.011}, "no known motif"),
        ({"q_value": np.nan}, "no known motif"),
        ({"score": 0.049}, "negligible contribution; resembles M"),
        ({"score_q": 0.06}, "contribution not significant (q = 0.06); resembles M"),
        ({"score_q": np.nan}, "contribution not significant (q = nan); resembles M"),
        ({"sites_in": "negatives"}, "a motif of the negatives; resembles M"),
        ({"mean_positive": 0.0}, "dead: contributes nothing on these sequences"),
        (
            {"triage": "artefact hybrid", "triage_motif": "H"},
            "resembles M; artefact: a hybrid of both strands of H",
        ),
        ({"triage": "true palindrome", "triage_motif": "P"}, "resembles M; palindromic, as P is"),
        ({"triage": "half-site", "triage_motif": "P"}, "resembles M; half of the palindrome P"),
        ({"similarity": 0.8}, "resembles M; palindromic: perhaps an artefact"),
        ({"similarity": 0.8, "match_similarity": 0.8}, "resembles M; palindromic, as that motif is"),
        (  # a match that is not named excuses nothing
            {"similarity": 0.8, "match_similarity": 0.8, "q_value": 0.02},
            "no known motif; palindromic: perhaps an artefact",
        ),
        ({"similarity": np.nan}, "resembles M"),
    ],
)
def test_verdicts(changes, expected):
    assert verdict(ROW | changes, 1.0, None) == expected


def test_a_refused_filter_is_not_named():
    row = ROW | {"sites_in": "negatives", "triage": "none"}
    assert verdict(row, 1.0, "too little") == "no p-value: too little"


@pytest.mark.parametrize(
    ("n_sites", "information", "other", "expected"),
    [
        (None, 0.1, np.nan, None),
        (0, 0.0, 0.0, "no site scores above 0 (a dead filter)"),
        (20, 8.0, 8.0 - MIN_GAIN, None),
        (20, 8.0, 8.1 - MIN_GAIN, "its best sites hold 8.0 bits, hardly more than those in the other class (6.1)"),
    ],
)
def test_refusals(n_sites, information, other, expected):
    assert refusal(n_sites, information, other) == expected
