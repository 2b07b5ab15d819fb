import dataclasses
from typing import get_args

import numpy as np
import pytest

from rcinterp.comparison import MAX_QUERY_WIDTH
from rcinterp.interpretation import verdicts
from rcinterp.interpretation.verdicts import FEW_BITS, MIN_GAIN, NO_SITE, TOO_WIDE, Verdict, in_words, judge, refuse

ROW = {
    "contribution": 1.0,
    "contribution_q": 0.001,
    "mean_positive": 1.0,
    "mean_negative": 0.0,
    "sites_in": "positives",
    "information": 8.0,
    "other_information": 6.1,
    "refused": None,
    "best_match": "M",
    "match_q": 0.009,
    "match_rc_similarity": 0.5,
    "rc_similarity": 0.3,
    "triage": "none",
    "triage_motif": None,
}


@pytest.mark.parametrize(
    ("changes", "kinds", "expected"),
    [
        ({}, ["known motif"], "resembles M"),
        ({"match_q": 0.011}, ["no known motif"], "no known motif"),
        ({"match_q": np.nan}, ["no known motif"], "no known motif"),
        ({"contribution": 0.049}, ["negligible", "known motif"], "negligible contribution; resembles M"),
        (
            {"contribution_q": 0.06},
            ["not significant", "known motif"],
            "contribution not significant (q = 0.06); resembles M",
        ),
        (
            {"contribution_q": np.nan},
            ["not significant", "known motif"],
            "contribution not significant (q = nan); resembles M",
        ),
        (
            {"sites_in": "negatives"},
            ["motif of the negatives", "known motif"],
            "a motif of the negatives; resembles M",
        ),
        ({"mean_positive": 0.0}, ["dead"], "dead: contributes nothing on these sequences"),
        (
            {"triage": "artefact hybrid", "triage_motif": "H"},
            ["known motif", "artefact hybrid"],
            "resembles M; artefact: a hybrid of both strands of H",
        ),
        (
            {"triage": "true palindrome", "triage_motif": "P"},
            ["known motif", "true palindrome"],
            "resembles M; palindromic, as P is",
        ),
        (
            {"triage": "half-site", "triage_motif": "P"},
            ["known motif", "half-site"],
            "resembles M; half of the palindrome P",
        ),
        (
            {"rc_similarity": 0.8},
            ["known motif", "unexplained palindrome"],
            "resembles M; palindromic: perhaps an artefact",
        ),
        (
            {"rc_similarity": 0.8, "match_rc_similarity": 0.8},
            ["known motif", "palindrome, as its match"],
            "resembles M; palindromic, as that motif is",
        ),
        (  # a match that is not named excuses nothing
            {"rc_similarity": 0.8, "match_rc_similarity": 0.8, "match_q": 0.02},
            ["no known motif", "unexplained palindrome"],
            "no known motif; palindromic: perhaps an artefact",
        ),
        ({"rc_similarity": np.nan}, ["known motif"], "resembles M"),
        (
            {"refused": FEW_BITS, "sites_in": "negatives"},
            ["not compared"],
            "no p-value: its best sites hold 8.0 bits, hardly more than those in the other class (6.1)",
        ),
        ({"refused": NO_SITE}, ["not compared"], "no p-value: no site scores above 0 (a dead filter)"),
        ({"refused": TOO_WIDE}, ["not compared"], f"no p-value: its motif is more than {MAX_QUERY_WIDTH} bp wide"),
        ({"refused": "too little"}, ["not compared"], "no p-value: too little"),
    ],
)
def test_verdicts(changes, kinds, expected):
    found = judge(ROW | changes, 1.0)
    assert [verdict.kind for verdict in found] == kinds
    assert in_words(found) == expected


def test_a_verdict_is_data_that_nothing_changes():
    (found,) = judge(ROW, 1.0)
    assert found == Verdict("known motif", "M", None)
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.kind = "dead"


def test_every_kind_has_its_words():
    assert set(verdicts._WORDS) == set(get_args(verdicts.Kind))


@pytest.mark.parametrize(
    ("n_sites", "information", "other", "width", "expected"),
    [
        (None, 0.1, np.nan, 9, None),
        (None, 0.1, np.nan, MAX_QUERY_WIDTH + 1, TOO_WIDE),
        (0, 0.0, 0.0, 9, NO_SITE),
        (20, 8.0, 8.0 - MIN_GAIN, 9, None),
        (20, 8.0, 8.1 - MIN_GAIN, 9, FEW_BITS),
        (20, 8.0, 8.1 - MIN_GAIN, MAX_QUERY_WIDTH + 1, FEW_BITS),
        (20, 8.0, 1.0, MAX_QUERY_WIDTH + 1, TOO_WIDE),
        (20, 8.0, 1.0, MAX_QUERY_WIDTH, None),
    ],
)
def test_refusals(n_sites, information, other, width, expected):
    assert refuse(n_sites, information, other, width) == expected
