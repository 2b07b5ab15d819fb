"""Which match gives the name, and whose motif it is."""

import numpy as np
import pandas as pd
import pytest

from rcinterp.comparison import compare_motifs
from rcinterp.interpretation.naming import MATCH_COLUMNS, name_motifs
from rcinterp.motifs import Motif, load_motifs_with_sites
from rcinterp.motifs.groups import name_factors, name_in_full


@pytest.fixture(scope="module")
def known():
    return load_motifs_with_sites("encode")


def named(queries, known, **options):
    asked = {name: Motif(ppm, None) for name, ppm in queries.items()}
    matches = compare_motifs(asked, known, **options)
    return matches, name_motifs(matches, asked, known)


def test_the_first_match_that_composition_does_not_explain_gives_the_name(known):
    """Of blurred motifs Tomtom has PAX4 first, whose weak columns nearly any motif resembles."""

    def blur(name, share):
        return (1 - share) * known[name].ppm + share / 4

    matches, names = named({"TEAD1_4": blur("TEAD1_4", 0.55), "SRF_known1": blur("SRF_known1", 0.6)}, known)
    for name, family in (("TEAD1_4", "TEAD1"), ("SRF_known1", "SRF")):
        row, own = names.loc[name], matches[matches["Query_ID"] == name]
        assert own["Target_ID"].iloc[0].startswith("PAX4_")
        assert row["best_match"].startswith(family)
        assert row["match_shuffled_p"] <= 0.02
        match = own[own["Target_ID"] == row["best_match"]].iloc[0]
        assert (row["match_p"], row["match_q"]) == (match["p-value"], match["q-value"])


def test_without_such_a_match_tomtom_s_first_is_shown_with_its_p_value(known):
    blurred = 0.5 * known["CTCF_known1"].ppm + 0.125
    shuffled = blurred[:, np.random.default_rng(0).permutation(blurred.shape[1])]
    matches, names = named({"q": shuffled}, known)
    assert names.loc["q", "best_match"] == matches["Target_ID"][0]
    assert names.loc["q", "match_q"] <= 0.01
    assert names.loc["q", "match_shuffled_p"] > 0.02
    assert pd.isna(names.loc["q", ["match_known", "match_factor"]]).all()


def test_a_disc_name_has_a_known_one_beside_it(known):
    _, names = named({"q": known["EGR1_disc4"].ppm, "r": known["MYC_known22"].ppm}, known)
    assert names.loc["q", ["best_match", "match_factor"]].tolist() == ["EGR1_disc4", "ZNF143"]
    assert names.loc["q", "match_known"].startswith("ZNF143_known")
    assert names.loc["q", "match_description"].startswith("EGR1_")
    assert names.loc["r", ["best_match", "match_factor", "match_known"]].tolist() == [
        "MYC_known22",
        "USF1",
        "MYC_known22",
    ]


def test_jaspar_s_other_name_is_the_factor(known):
    jaspar = {"MA0526.5": Motif(known["MYC_known22"].ppm, 100, "USF2"), "MA0139.1": known["CTCF_known1"]}
    with pytest.warns(UserWarning, match="got 2 targets"):
        _, names = named({"q": known["MYC_known22"].ppm}, jaspar, max_q_value=None)
    assert names.loc["q", ["best_match", "match_factor"]].tolist() == ["MA0526.5", "USF2"]
    assert name_in_full("MA0526.5", "USF2", "MA0526.5") == "MA0526.5 (USF2)"


def test_no_match_is_no_row(known):
    _, names = named({"q": known["CTCF_known1"].ppm}, known, max_q_value=1e-300)
    assert names.columns.tolist() == MATCH_COLUMNS
    assert names.empty


def test_factors_of_a_catalogue(known):
    factors = name_factors(known)
    assert {name for name, factor in factors.items() if factor is None} == {n for n in known if "_disc" in n}
    assert (factors["TEAD4_1"], factors["AP1_known1"], factors["SRF_known9"]) == ("TEAD4", "AP1", "SRF")
    assert name_factors({"AHR.H12CORE.0.P.B": Motif(known["CTCF_known1"].ppm, None)}) == {"AHR.H12CORE.0.P.B": "AHR"}
