"""What a comparison writes and shows."""

import html
import re
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from rcinterp.errors import InputError
from rcinterp.motifs import read_meme
from rcinterp.stability import compare_models

TABLES = {"patterns.tsv": "table", "members.tsv": "members", "left_out.tsv": "left_out", "models.tsv": "models"}
PICTURES = {"consensus.meme", "patterns.png", "patterns.svg"}


@pytest.fixture(scope="module")
def found(three):
    return compare_models(three)


@pytest.fixture(scope="module")
def nothing(interpretation):
    return compare_models([interpretation([("filter_0", np.full((4, 5), 0.25), 0.0, 0, 0.0)])] * 2)


@pytest.fixture(scope="module")
def saved(found, tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved") / "new"
    assert found.save(folder, "Seeds & more") == folder / "report.html"
    return folder


def test_the_answer_in_words(found):
    assert found.summary == (
        "3 models show 3 patterns, 1 of them in every model. Of what a model's filters contribute, 85% (by model 70% "
        "to 93%) lies in patterns that a second model shows too; the second has 0.7 patterns that the first lacks. A "
        "further model would add about 0.3 patterns that none of these shows. 3 models are few: what all of them show, "
        "at least 29% of such models show."
    )
    assert repr(found) == f"ModelComparison({found.summary})"
    shown = found._repr_html_()
    assert html.unescape(shown).startswith(f"<p>{found.summary}</p><table")
    assert "CTCF_known1" in shown


def test_saved_tables_are_the_tables(saved, found):
    assert {path.name for path in saved.iterdir()} == {*TABLES, *PICTURES, "pattern_contributions.tsv", "report.html"}
    for name, attribute in TABLES.items():
        table = getattr(found, attribute)
        read = pd.read_csv(saved / name, sep="\t").astype(table.dtypes.to_dict())
        if "refused" in table:
            read["refused"] = read["refused"].astype(object).where(read["refused"].notna(), None)
        pd.testing.assert_frame_equal(read, table, rtol=1e-14)
    contributions = pd.read_csv(saved / "pattern_contributions.tsv", sep="\t", index_col="pattern")
    pd.testing.assert_frame_equal(contributions, found.contributions, rtol=1e-14)


def test_the_meme_file_holds_the_consensus_motifs(saved, found):
    read = read_meme(saved / "consensus.meme")
    assert list(read) == found.table["pattern"].tolist()
    assert [motif.n_sites for motif in read.values()] == found.table["n_sites"].tolist()
    for name, motif in read.items():
        np.testing.assert_allclose(motif.ppm, found.consensus[name], atol=1e-7)


def test_motifs_without_sites_are_written_too(place, interpretation, tmp_path):
    found = compare_models([interpretation([("f", place("CTCF_known1", 1), 1.0, None, np.nan)])])
    found.to_meme(tmp_path / "c.meme")
    assert read_meme(tmp_path / "c.meme")["pattern_0"].n_sites == 20


def test_saved_anew_the_bytes_are_the_same(saved, three, tmp_path):
    compare_models(three).save(tmp_path, "Seeds & more")
    for path in saved.iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes(), path.name


def test_a_logo_and_bars_for_each_pattern(found):
    figure = found.plot()
    assert isinstance(figure, Figure)
    assert len(figure.axes) == 2 * 3
    titles = [ax.get_title("left") for ax in figure.axes[::2]]
    assert re.fullmatch(r"pattern_0 · in 3 of 3 models · CTCF_known1 \(q = \de-\d+\)", titles[0])
    assert titles[2] == "pattern_2 · in 1 of 3 models · no p-value"
    assert len(found.plot(max_patterns=2).axes) == 2 * 2
    assert len(found.plot(max_patterns=None).axes) == 2 * 3
    with pytest.raises(InputError, match="plot: got max_patterns=0, expected a whole number of at least 1"):
        found.plot(max_patterns=0)


def test_so_many_patterns_are_no_picture(found, tmp_path, monkeypatch):
    monkeypatch.setattr("rcinterp.stability.result._MAX_DRAWN", 1)
    found.save(tmp_path)
    drawn = ElementTree.parse(tmp_path / "patterns.svg").getroot()
    monkeypatch.undo()
    assert float(drawn.get("height")[:-2]) < 72 * (found.plot().get_figheight() - 1)


def test_names_are_text_in_a_notebook(three):
    shown = compare_models({"<b>": three["a"], "other": three["b"]})._repr_html_()
    assert "<b>" not in shown


def test_without_a_pattern_there_is_nothing_to_draw(nothing, tmp_path):
    message = "no filter of any model was compared, expected one; left_out tells the reasons"
    with pytest.raises(InputError, match=f"plot: {message}"):
        nothing.plot()
    with pytest.raises(InputError, match=f"c.meme: {message}"):
        nothing.to_meme(tmp_path / "c.meme")
    nothing.save(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {*TABLES, "pattern_contributions.tsv", "report.html"}
    assert nothing.summary == (
        "2 models show 0 patterns, 0 of them in every model. A further model would add about 0.0 patterns that none of "
        "these shows. Without a filter to compare, and counted all the same: model_0, model_1."
    )


def test_the_report_is_one_file_that_says_what_the_tables_say(saved, found):
    page = (saved / "report.html").read_text(encoding="utf-8")
    assert "<title>Seeds &amp; more</title>" in page
    page = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    assert page.count('<svg role="img"') == 2 * len(found.table)
    assert set(re.findall(r"href=#([\w-]+)", page)) <= set(re.findall(r"\bid=\"?([\w-]+)", page))
    assert not re.search(r"https?:|//|<script|<link|@import|url\(|src=", page)
    text = html.unescape(page)
    assert found.summary in text
    for row in found.table.to_dict("records"):
        assert f"{row['n_models']} of 3<br>" in text
        assert f"{row['contribution_mean']:+.3f}<br>" in text
        assert row["verdict"] in text
    assert all(reason in text for reason in found.left_out["reason"])
    assert text.count("<td>0.8000</td>") == 1
