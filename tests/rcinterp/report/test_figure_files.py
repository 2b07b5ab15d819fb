"""Figures as files: text that stays text, no dates, settings of matplotlib left as they were."""

import io

import matplotlib as mpl
import numpy as np
import pytest

from rcinterp.report.figures import LogoFigure, settle, signed, small_numbers, wrap_title
from rcinterp.report.logos import plot_logo


@pytest.fixture
def figure():
    return plot_logo(np.eye(4) - 0.25, title="a filter").figure


def test_a_plain_logo_has_text_that_can_be_edited(figure, tmp_path):
    before = dict(mpl.rcParams)
    figure.savefig(tmp_path / "logo.svg")
    assert ">a filter</text>" in (tmp_path / "logo.svg").read_text()
    assert "<dc:date>" not in (tmp_path / "logo.svg").read_text()
    figure.savefig(tmp_path / "logo.pdf")
    written = (tmp_path / "logo.pdf").read_bytes()
    assert b"/Type3" not in written
    assert b"CreationDate" not in written
    assert dict(mpl.rcParams) == before


def test_the_format_may_be_said_and_metadata_given(figure):
    into = io.BytesIO()
    figure.savefig(into, format="svg", metadata={"Title": "my logo"})
    assert "my logo" in into.getvalue().decode()
    assert "<dc:date>" not in into.getvalue().decode()
    into = io.BytesIO()
    figure.savefig(into)  # matplotlib's default
    assert into.getvalue().startswith(b"\x89PNG")


def test_a_figure_that_is_settled_stays_as_it_is():
    figure = LogoFigure(figsize=(3, 2), layout="constrained")
    ax = figure.subplots()
    ax.set_ylabel("far out")
    settle(figure)
    place = ax.get_position().bounds
    figure.savefig(io.BytesIO(), dpi=300)
    assert ax.get_position().bounds == place


def test_numbers_and_titles():
    assert (signed(-0.01234), signed(2.0), signed(0.5, 1)) == ("−0.0123", "+2", "+0.5")
    assert (small_numbers(-8e-05), small_numbers(0.25)) == ("−8e−05", "0.25")
    assert wrap_title("one two three\nfour", 0.6) == "one two\nthree\nfour"
