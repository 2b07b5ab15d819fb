"""docs/how-to/own-model.md: the code of its rows runs, and prints what stands below it."""

import contextlib
import io
import re
import warnings
from pathlib import Path

PAGE = Path(__file__).resolve().parents[1] / "docs" / "how-to" / "own-model.md"


def test_the_page_s_code_prints_what_the_page_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = PAGE.read_text(encoding="utf-8").partition("## On the command line")[0]
    blocks = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", rows, flags=re.S)
    headings = re.findall(r"^## \.\.\. (.*)\?$", rows, flags=re.M)
    assert len(blocks) == rows.count("```python") == len(headings) + 1
    assert [row.lower() for row in re.findall(r"^\| \[(.*?)\]\(#", rows, flags=re.M)] == [h.lower() for h in headings]
    names = {}
    with warnings.catch_warnings():  # the page shows them in its own way
        for code, expected in blocks:
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(compile(code, str(PAGE), "exec"), names)
            assert printed.getvalue() == expected, code
