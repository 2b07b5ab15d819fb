"""The page itself: what is shown, what is left out, and that nothing in it can be taken for markup."""

import re

import numpy as np
import pandas as pd
import pytest
from jinja2 import UndefinedError

from rcinterp.interpretation.verdicts import LIMITS
from rcinterp.motifs import information_content, load_motifs
from rcinterp.report.page import filter_section, write_report
from rcinterp.report.svg import draw_logo, draw_positions, draw_reverse_complement

NOTES = ["On these sequences the model reaches auROC 0.9124.", "Faithfulness: r = 0.9 < 1."]
SITES = pd.DataFrame({"filter": ["filter_1", "filter_1", "filter_2"], "start": [0, 40, 3], "end": [5, 45, 8]})


@pytest.fixture
def table():
    """A filter with everything, one whose match is none, and one without anything."""
    return pd.DataFrame(
        {
            "filter": ["filter_1", "filter_0", "filter_2"],
            "contribution": [1.23456, -0.5, 0.0],
            "contribution_low": [1.1, -0.75, np.nan],
            "contribution_high": [1.4, -0.25, np.nan],
            "contribution_q": [0.0012, 0.5, np.nan],
            "active_share": [0.4567, 0.25, np.nan],
            "rc_similarity": [0.4567, 0.12, np.nan],
            "rc_p": [0.0312, 0.5, np.nan],
            "sites_in": ["positives", None, "negatives"],
            "n_sites": pd.Series([17, None, 0], dtype="Int64"),
            "n_other_sites": pd.Series([3, None, 0], dtype="Int64"),
            "best_match": ["CTCF<known>1", "MYC_known1", None],
            "match_orientation": ["-", "+", None],
            "match_p": [1.2e-9, 0.3, np.nan],
            "match_q": [3.4e-7, 1.0, np.nan],
            "match_shuffled_p": [0.01, np.nan, np.nan],
            "match_factor": ["CTCFL", "MYC::MAX", None],
            "match_known": ["CTCFL<&>", "MYC_known1", None],
            "match_description": ["in <K562>", None, None],
            "verdict": ["resembles CTCF<known>1", "no known motif", "dead"],
        }
    )


@pytest.fixture
def filters():
    rng = np.random.default_rng(0)
    return {f"filter_{i}": rng.normal(size=(4, 5)) if i < 2 else np.zeros((4, 5)) for i in range(3)}


@pytest.fixture
def ppms():
    return {f"filter_{i}": np.random.default_rng(i).dirichlet(np.ones(4), size=5).T for i in range(3)}


@pytest.fixture
def page(table, filters, ppms, tmp_path):
    """Give ``page(...)``: the text of a report with that heading, title and summary."""

    def write(heading="", title="Filters", summary=""):
        section = filter_section(heading, table, filters, ppms, NOTES, SITES, 50)
        write_report(tmp_path / "report.html", title, [section], summary, limits=LIMITS)
        return (tmp_path / "report.html").read_text(encoding="utf-8")

    return write


def rows_of(page):
    """Text of each cell of each row, its pictures aside."""
    rows = re.findall(r"<tr>\n(<th scope=\"row\">.*?)</tr>", page, re.DOTALL)
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in rows]
    return [[re.sub(r"<svg.*?</svg>|<[^>]*>", " ", cell).split() for cell in row] for row in cells]


def test_rows_are_those_of_the_table_in_its_order(page):
    first, second, third = rows_of(page())
    assert first[:5] == [
        ["filter_1"],
        ["+1.235", "+1.100", "to", "+1.400", "q", "=", "0.0012", "acts", "in", "46", "%"],
        [
            *("CTCF&lt;known&gt;1", "(CTCFL,", "as", "CTCFL&lt;&amp;&gt;)", "strand", "-"),
            *("p", "=", "1.2e-09", "q", "=", "3.4e-07", "shuffled:", "0.01", "in", "&lt;K562&gt;"),
        ],
        ["0.46", "p", "=", "0.031"],
        ["resembles", "CTCF&lt;known&gt;1"],
    ]
    assert first[5:] == [[], [], [], ["17", "of", "the", "positives", "3", "of", "the", "others"]]
    assert (second[0], second[1][0]) == (["filter_0"], "-0.500")
    assert second[2:4] == [["–"], ["0.12", "p", "=", "0.500"]]  # q = 1 is no match
    assert second[8] == []  # made from weights, not of sites
    assert third == [
        ["filter_2"],
        ["+0.000"],
        ["–"],
        ["–"],
        ["dead"],
        [],
        [],
        [],
        [*["0", "of", "the", "negatives", "0", "of", "the", "others"]],
    ]


def test_the_notes_stand_above(page):
    assert "the model reaches auROC 0.9124. Faithfulness: r = 0.9 &lt; 1.</p>" in page()


def test_nothing_given_is_taken_for_markup(page):
    text = page(heading="<i>A</i>", title='T & "U"', summary="<script>1</script>")
    assert "<i>" not in text
    assert "<script>" not in text
    assert "<h2>&lt;i&gt;A&lt;/i&gt;</h2>" in text
    assert "<title>T &amp; &#34;U&#34;</title>" in text
    assert "&lt;script&gt;" in text


def test_heading_and_summary_may_be_left_out(page):
    without, given = page(), page(heading="Model A", summary="Two models.")
    assert "<h2>" not in without
    assert "<h2>Model A</h2>" in given
    assert given.count("<p>") == without.count("<p>") + 1
    assert "<p>Two models.</p>" in given


def test_the_same_filters_give_the_same_bytes(page):
    assert page() == page()


def test_pictures_are_of_the_weights_their_reverse_complement_and_the_motif_in_bits(table, filters, ppms):
    row = filter_section("", table, filters, ppms, NOTES, SITES, 50).rows[0]
    weight, ppm = filters["filter_1"], ppms["filter_1"]
    (identity,) = re.findall(r"<svg id=(\S+)", row["forward"])
    assert row["forward"] == draw_logo(weight, "Centred weights of filter_1", identity=identity)
    assert row["reverse"] == draw_reverse_complement(5, "Reverse complement of filter_1", identity)
    assert row["compared"] == draw_logo(ppm * information_content(ppm), "Motif of filter_1", (0, 2))
    assert row["positions"] == draw_positions(np.array([2.5, 42.5]), 50, "Positions of the sites of filter_1")


def test_identities_on_a_page_are_of_one_picture_each(table, filters, ppms, tmp_path):
    others = {name: weight + 1.5 for name, weight in filters.items()}
    sections = [filter_section("Same", table, given, ppms, NOTES) for given in (filters, others)]
    write_report(tmp_path / "report.html", "Both", sections, limits=LIMITS)
    identities = re.findall(r"<svg id=(\S+)", (tmp_path / "report.html").read_text(encoding="utf-8"))
    assert len(identities) == len(set(identities)) == 6


def test_sections_stand_one_below_the_other(table, filters, ppms, tmp_path):
    sections = [filter_section(f"Model {name}", table, filters, ppms, NOTES) for name in "AB"]
    write_report(tmp_path / "report.html", "Both", sections, limits=LIMITS)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert re.findall("<h2>(.*?)</h2>", text) == ["Model A", "Model B"]
    assert len(rows_of(text)) == 2 * 3
    assert text.count("<!DOCTYPE html>") == text.count("</html>") == 1


def test_a_row_that_lacks_something_is_an_error_not_a_gap(table, filters, ppms, tmp_path):
    section = filter_section("", table, filters, ppms, NOTES)
    del section.rows[1]["verdict"]
    with pytest.raises(UndefinedError, match="verdict"):
        write_report(tmp_path / "report.html", "T", [section], limits=LIMITS)
    assert not (tmp_path / "report.html").exists()


def test_a_layer_without_weights_of_letters_says_so(table, filters, ppms, tmp_path):
    sections = [filter_section(unit, table, filters, ppms, NOTES, unit=unit) for unit in ("weight", "bits")]
    write_report(tmp_path / "report.html", "Both", sections, limits=LIMITS)
    weight, bits = (tmp_path / "report.html").read_text(encoding="utf-8").split("<h2>bits</h2>")
    assert "Centred weights</th>" in weight
    assert "Motif, letters in bits</th>" not in weight
    assert "Motif, letters in bits</th>" in bits
    assert 'aria-label="Centred weights of filter_1"' in weight
    assert 'aria-label="Motif of filter_1"' in bits


def test_three_hundred_filters_take_less_than_one_and_a_half_megabytes(table, tmp_path):
    rng, motifs = np.random.default_rng(0), list(load_motifs("encode").values())
    names = [f"filter_{i}" for i in range(300)]
    ppms = {name: rng.dirichlet([3] * 4, 19).T for name in names}
    for name, motif in zip(names, motifs[::6], strict=False):  # as trained filters have: a motif, and noise about it
        width = min(19, motif.shape[1])
        ppms[name][:, :width] = 0.9 * motif[:, :width] + 0.1 * ppms[name][:, :width]
    filters = {name: np.log2(ppm / 0.25) + rng.normal(0, 0.3, ppm.shape) for name, ppm in ppms.items()}
    many = pd.concat([table] * 100, ignore_index=True).assign(filter=names)
    sites = pd.DataFrame({"filter": np.repeat(names, 50), "start": rng.integers(0, 580, 15000)})
    section = filter_section("", many, filters, ppms, NOTES, sites.assign(end=sites["start"] + 19), 600)
    write_report(tmp_path / "report.html", "Many", [section], limits=LIMITS)
    assert (tmp_path / "report.html").stat().st_size < 1.5e6
