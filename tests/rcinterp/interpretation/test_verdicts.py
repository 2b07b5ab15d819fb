import dataclasses
from typing import get_args

import numpy as np
import pytest

from rcinterp.comparison import MAX_QUERY_WIDTH
from rcinterp.interpretation import verdicts
from rcinterp.interpretation.verdicts import (
    FEW_SITES,
    MIN_SITES,
    NO_SITE,
    NOT_ENRICHED,
    SITES_P_VALUE,
    TOO_WIDE,
    WRONG_WAY_ROUND,
    Verdict,
    in_words,
    judge,
    refuse,
)

ROW = {
    "contribution": 1.0,
    "contribution_q": 0.001,
    "mean_positive": 1.0,
    "mean_negative": 0.0,
    "sites_in": "positives",
    "n_sites": 30,
    "n_other_sites": 22,
    "sites_p": 0.012,
    "refused": None,
    "best_match": "M",
    "match_q": 0.009,
    "match_shuffled_p": 0.02,
    "match_factor": None,
    "match_known": None,
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
            {"triage": "not judged", "rc_similarity": 0.9, "match_rc_similarity": 0.9},
            ["known motif", "palindrome, not judged"],
            "resembles M; palindromic; so few known motifs cannot tell whether it is an artefact",
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
            {"refused": NOT_ENRICHED, "sites_in": "negatives"},
            ["not compared"],
            "no p-value: 30 of the negatives have a site and 22 of the positives, perhaps by chance (p = 0.012)",
        ),
        ({"refused": FEW_SITES, "n_sites": 19}, ["not compared"], "no p-value: 19 sites, fewer than 20"),
        ({"refused": NO_SITE}, ["not compared"], "no p-value: it has no site"),
        (
            {"match_shuffled_p": 0.03},
            ["composition"],
            "no known motif: like M, but so are its columns in other orders",
        ),
        ({"match_factor": "M", "match_known": "M2"}, ["known motif"], "resembles M"),
        ({"match_factor": "F", "match_known": "M"}, ["known motif"], "resembles M (F)"),
        ({"match_factor": "F", "match_known": "F_known1"}, ["known motif"], "resembles M (F, as F_known1)"),
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


def test_a_model_that_calls_the_negatives_positive_names_nothing():
    assert refuse(MIN_SITES, 1e-9, 9, 0.39) == WRONG_WAY_ROUND
    assert refuse(MIN_SITES, 1e-9, 9, 0.4) is None
    assert refuse(None, np.nan, 9, 0.1) is None  # of weights alone
    row = ROW | {"refused": WRONG_WAY_ROUND}
    assert in_words(judge(row, 1.0)) == (
        "no p-value: the model calls the negatives positive, so that its sites speak for neither class"
    )


@pytest.mark.parametrize(
    ("n_sites", "sites_p", "width", "expected"),
    [
        (None, np.nan, 9, None),
        (None, np.nan, MAX_QUERY_WIDTH + 1, TOO_WIDE),
        (0, 1.0, 9, NO_SITE),
        (MIN_SITES - 1, 1e-9, 9, FEW_SITES),
        (MIN_SITES, SITES_P_VALUE, 9, None),
        (MIN_SITES, 1.1 * SITES_P_VALUE, 9, NOT_ENRICHED),
        (MIN_SITES, np.nan, 9, NOT_ENRICHED),
        (MIN_SITES, 1.1 * SITES_P_VALUE, MAX_QUERY_WIDTH + 1, NOT_ENRICHED),
        (MIN_SITES, 1e-9, MAX_QUERY_WIDTH + 1, TOO_WIDE),
        (MIN_SITES, 1e-9, MAX_QUERY_WIDTH, None),
    ],
)
def test_refusals(n_sites, sites_p, width, expected):
    assert refuse(n_sites, sites_p, width) == expected
