"""Figures as files: text that stays text, no dates, settings of matplotlib left as they were."""

import errno
import io
import os

import matplotlib as mpl
import numpy as np
import pytest

from rcinterp.errors import InputError
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


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_a_disk_that_is_full_leaves_the_old_picture(figure, tmp_path, monkeypatch, kind):
    path = tmp_path / f"logo.{kind}"
    path.write_text("old")

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left") as error:
        figure.savefig(path)
    assert error.value.filename == str(path)
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == [path.name]


def test_metadata_that_are_no_text_leave_the_old_picture(figure, tmp_path):
    path = tmp_path / "logo.svg"
    path.write_text("old")
    with pytest.raises(InputError, match=r"logo\.svg: not written, as '\\udcff' cannot be written as text"):
        figure.savefig(str(path), metadata={"Title": "a\udcff"})
    assert path.read_text() == "old"


def test_a_picture_without_an_ending_gets_matplotlib_s(figure, tmp_path):
    figure.savefig(tmp_path / "a")
    figure.savefig(str(tmp_path / "b."))
    figure.savefig(tmp_path / "c", format="svg")
    assert sorted(os.listdir(tmp_path)) == ["a.png", "b.png", "c"]
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "c").read_text().startswith("<?xml")


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
