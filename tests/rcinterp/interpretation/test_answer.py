"""The answer in sentences, and the order of the filters."""

import pandas as pd
import pytest

from rcinterp.interpretation.answer import answer, arrange, carries, factor_of, word_of


def row(name, contribution, kinds, **others):
    """One filter of a table."""
    return {
        "filter": name,
        "contribution": contribution,
        "verdict_kinds": kinds,
        "triage": "none",
        "triage_motif": None,
        "best_match": None,
        "match_factor": None,
        "match_covered": 0.9,
        "sites_in": "positives",
        "refused": None,
    } | others


def ctcf(name, contribution, **others):
    return row(name, contribution, "known motif", best_match="RAD21_disc1", match_factor="CTCF", **others)


def hybrid(name, contribution, motif="CTCF_known1"):
    return row(name, contribution, "no known motif; artefact hybrid", triage="artefact hybrid", triage_motif=motif)


def say(*rows, auroc=0.9):
    return answer(pd.DataFrame(rows), auroc)


def test_all_are_one_motif():
    dead = [row(f"d{i}", 0.0, "dead") for i in range(3)]
    four = [ctcf(f"f{i}", 1.0) for i in range(4)]
    assert say(*four, ctcf("part", 0.5, match_covered=0.79), *dead) == (
        "Five of eight filters carry the prediction; all five are CTCF, four of them whole motifs. No artefact "
        "palindromes."
    )
    assert "all four are CTCF, all of them whole motifs" in say(*four)
    assert say(ctcf("f", 1.0)) == (
        "The filter carries the prediction; it is CTCF, the whole motif. No artefact palindromes."
    )
    assert "it is CTCF, part of the motif" in say(ctcf("f", 1.0, match_covered=0.5), *dead)


def test_several_kinds():
    said = say(
        *(ctcf(f"f{i}", 1.0) for i in range(3)),
        row("s", 0.8, "motif of the negatives; known motif", best_match="SPI1_known3", sites_in="negatives"),
        hybrid("h0", 0.5),
        hybrid("h1", 0.5),
        row("u", 0.4, "no known motif"),
        row("n", 0.3, "not significant; no known motif"),
    )
    assert said == (
        "Seven of eight filters carry the prediction; three are CTCF, one is SPI1, two are artefacts and one is no "
        "known motif; all of the named show whole motifs. Two are artefact palindromes: hybrids of both strands of "
        "CTCF. One speaks for the negatives."
    )


def test_many_motifs_of_hybrids_are_listed_the_most_frequent_first():
    motifs = ["SPI1_known3", "CTCF_known1", "CTCF_known2", "GATA_known1"]
    assert "Four are artefact palindromes: hybrids of both strands of CTCF, SPI1 and GATA." in say(
        *(hybrid(f"h{i}", 0.5, motif) for i, motif in enumerate(motifs))
    )
    motifs += ["MYC_known1", "YY1_known1"]
    assert "hybrids of both strands of CTCF, SPI1, GATA and two other motifs." in say(
        *(hybrid(f"h{i}", 0.5, motif) for i, motif in enumerate(motifs))
    )


def test_none_carries():
    rows = [row("a", 0.1, "not significant; no known motif"), row("b", 0.0, "dead")]
    assert say(*rows) == (
        "None of the two filters carries the prediction: no contribution is significant (q of at most 0.05) and at "
        "least 5 % of the largest."
    )


def test_swapped_classes_are_said_first():
    assert say(ctcf("f", 1.0), auroc=0.2).startswith("The model calls the negatives positive (auROC 0.20)")


@pytest.mark.parametrize(
    ("kinds", "word"),
    [
        ("dead", ("dead", "faint")),
        ("negligible; known motif", ("negligible", "faint")),
        ("known motif; unexplained palindrome", ("artefact?", "warn")),
        ("known motif; true palindrome", ("CTCF", "good")),
        ("composition", ("composition", "warn")),
        ("not compared", ("not compared", "plain")),
    ],
)
def test_words(kinds, word):
    assert word_of(row("f", 1.0, kinds, best_match="CTCF_known2")) == word


def test_a_hybrid_stands_with_its_motif_and_idle_filters_last():
    rows = [
        row("idle", 0.01, "negligible; known motif", best_match="CTCF_known1"),
        row("u", 3.0, "no known motif"),
        row("s", -2.5, "known motif", best_match="SPI1_known3"),
        ctcf("small", 1.0),
        hybrid("h", -2.0),
    ]
    groups = arrange(pd.DataFrame(rows))
    assert [(group.name, [one["filter"] for one in group.rows]) for group in groups] == [
        ("CTCF", ["h", "small"]),
        ("SPI1", ["s"]),
        ("", ["u"]),
        ("", ["idle"]),
    ]
    assert [group.is_idle for group in groups] == [False, False, False, True]
    assert groups[0].contribution == -1.0


def test_factors():
    assert factor_of(ctcf("f", 1.0)) == "CTCF"
    assert factor_of(row("f", 1.0, "known motif", best_match="TEAD4_1")) == "TEAD4"
    assert factor_of(hybrid("f", 1.0)) == "CTCF"
    assert factor_of(row("f", 1.0, "no known motif", best_match="CTCF_known1")) == ""


def test_what_carries():
    assert carries(ctcf("f", 1.0))
    assert not carries(row("f", 1.0, "not significant; known motif"))
    assert not carries(row("f", 1.0, "negligible"))
