"""Names are text, not markup."""

import pandas as pd

from rcinterp.stability import compare_models
from rcinterp.stability.page import write_patterns


def test_names_are_escaped(three, tmp_path):
    found = compare_models({"<b>a</b>": three["a"], "b": three["b"]})
    found.to_html(tmp_path / "page.html", "<i>")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;a&lt;/b&gt;" in page
    assert "<b>a</b>" not in page
    assert "<i>" not in page


def test_missing_values_are_dashes(three, tmp_path):
    found = compare_models({"a": three["a"]})
    found.to_html(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    text = page.split("<body>")[1].split("<script")[0]
    assert "nan" not in text.lower().replace("dominant", "")
    assert page.count("<td>–</td>") == 2  # seen_again and missed of the only model


def test_a_page_without_patterns_has_the_models(tmp_path):
    models = pd.DataFrame(
        {"model": ["m"], "n_filters": [3], "n_compared": [0], "n_patterns": [0], "seen_again": [None], "missed": [None]}
    ).assign(auroc=0.5, auprc=0.25)
    tables = dict.fromkeys(("patterns", "left_out", "contributions"), pd.DataFrame()) | {"models": models}
    tables["members"] = pd.DataFrame({"pattern": []})
    write_patterns(tmp_path / "page.html", "title", "summary", tables, {})
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert "<td>0.5000</td>" in page
    assert page.count("<table>") == 1
