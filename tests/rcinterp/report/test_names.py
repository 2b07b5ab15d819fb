"""Names as users give them: no formula, nothing that cannot be seen, nothing that runs over the page."""

import warnings

import pytest

from rcinterp.files import printable
from rcinterp.report.figures import LogoFigure, as_label, save_figure
from rcinterp.report.page import _templates, write_page
from rcinterp.studies._drawing import new_figure

NAMES = ["a$^$b", "$x$", "$$", r"\frac{", "a\u202eb", "a\x07b", "x" * 10_000, "$\\", "%$_{"]


@pytest.mark.parametrize("name", NAMES)
def test_a_figure_takes_any_name(name, tmp_path):
    figure = LogoFigure(figsize=(3, 2), layout="constrained")
    ax = figure.subplots()
    ax.set_title(name)
    ax.set_xticks([0, 1], [as_label(name), "b"])
    ax.set_ylabel(name)
    ax.plot([0, 1], label=name)
    ax.legend()
    with warnings.catch_warnings():
        # A name so long leaves the layout no room, which matplotlib says; that it is drawn all the same is asked here.
        warnings.filterwarnings("ignore", message=".*constrained_layout not applied.*")
        save_figure(figure, tmp_path / "f")
    svg = (tmp_path / "f.svg").read_text()
    assert "\u202e" not in svg
    assert "x" * 200 not in svg


def test_figures_of_studies_take_any_name(tmp_path):
    figure, axes = new_figure(1, 1, width=3, height=2)
    axes[0].set_title("a$^$b")
    save_figure(figure, tmp_path / "f")


def test_a_page_shows_what_cannot_be_seen(tmp_path, monkeypatch):
    template = _templates().from_string("<p>{{ name }}</p>")
    monkeypatch.setattr("jinja2.Environment.get_template", lambda *_: template)
    write_page(tmp_path / "a.html", "any", name="a\u202eb\x07<c>\u2028")
    assert (tmp_path / "a.html").read_text(encoding="utf-8") == "<p>a\ufffdb\ufffd&lt;c&gt;\ufffd</p>"


def test_letters_of_any_language_stay():
    assert printable("μ Ünï 日本 −…\n\t") == "μ Ünï 日本 −…\n\t"
