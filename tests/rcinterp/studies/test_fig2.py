"""The learning curves of figure 3's models, and the numbers that are taken from them."""

import numpy as np
import pytest

from rcinterp.studies import fig2, fig3
from rcinterp.studies._study import Options

RC, SMALL, LARGE = "RC, 20 filters", "traditional, 20 filters", "traditional, 40 filters"
LEVELS = {RC: 0.3, SMALL: 0.2, LARGE: 0.1}


def test_runs_are_those_of_figure_3():
    assert fig2.STUDY.make_runs is fig3.make_runs
    assert len(fig2.STUDY.make_runs(Options())) == 30


def curves(run):
    """RC learns fastest on the whole, but the traditional model of 40 filters for the first ten epochs."""
    n_epochs = 12 + run.seed
    epochs = np.arange(1, n_epochs + 1)
    valid = 0.5 + LEVELS[run.label] + (epochs <= 10) * 0.15 * (run.label == LARGE) - abs(epochs - 11) / 100
    train = valid + epochs / 60 + 0.05 * (run.label == LARGE)  # highest at the end, when valid is not
    columns = {"epoch": epochs, "valid_auroc": valid, "train_auroc": train}
    history = {name: values.tolist() for name, values in columns.items()}
    return {"history": history, "n_epochs": n_epochs, "valid_auroc": valid.max()}


@pytest.fixture(scope="module")
def study(made_up):
    runs = fig3.make_runs(Options())[::-1]
    results = made_up(runs, curves)
    return runs, results, fig2.report(runs, results)


def test_tables_against_a_loop(study):
    runs, results, found = study
    assert len(found.tables["curves"]) == sum(result["n_epochs"] for result in results)
    table = found.tables["results"].set_index(["model", "seed"])
    assert len(table) == 30
    for run, result in zip(runs, results, strict=True):
        history = result["history"]
        best = max(range(result["n_epochs"]), key=lambda i: history["valid_auroc"][i])  # used at once
        row = table.loc[(run.label, run.seed)]
        assert row["train_auroc"] == history["train_auroc"][best]
        assert row["first_auroc"] == pytest.approx(sum(history["valid_auroc"][:10]) / 10)
        assert row["early_auroc"] == pytest.approx(sum(history["valid_auroc"][:12]) / 12)  # the shortest run has 12


def test_verdict(study):
    lines = study[2].verdict.split("\n")
    assert len(lines) == 5
    assert lines[0].startswith("10 seeds; one-sided exact Wilcoxon")
    assert lines[1].startswith(
        "faster learning: mean validation auROC over the first 12 epochs (all runs have them): RC"
    )
    assert lines[1].endswith(": higher in RC, 20 filters, p = 5.41e-06, corrected 2.17e-05")
    assert SMALL in lines[1]
    first = "faster at first: mean validation auROC over the first 10 epochs: traditional, 40 filters 0.6950"
    assert lines[2].startswith(first)
    assert lines[2].endswith(": not significantly higher in traditional, 40 filters, p = 1, corrected 1")
    assert lines[3].startswith("more over-fitting: training auROC at the best epoch: traditional, 40 filters 0.9567")
    assert lines[3].endswith(": higher in traditional, 40 filters, p = 5.41e-06, corrected 2.17e-05")
    assert SMALL in lines[3]
    assert lines[4].startswith("validation auROC at the best epoch: RC, 20 filters 0.8000")
    assert lines[4].endswith(", p = 5.41e-06, corrected 2.17e-05")
    assert LARGE in lines[4]


def test_figure(study, text_problems):
    (ax,) = study[2].figure.axes
    assert [text.get_text() for text in study[2].figure.legends[0].texts] == [
        RC,
        SMALL,
        LARGE,
        "validation",
        "training",
    ]
    shown = [line for line in ax.lines if len(line.get_xdata())]
    assert len(shown) == 60
    for style, column in (("-", "valid_auroc"), (":", "train_auroc")):
        drawn = sorted(tuple(line.get_ydata()) for line in shown if line.get_linestyle() == style)
        assert drawn == sorted(tuple(result["history"][column]) for result in study[1])
    assert len({line.get_color() for line in shown}) == 3
    assert text_problems(study[2].figure) == []


def test_no_more_epochs_are_shown_than_in_the_paper(made_up):
    runs = fig3.make_runs(Options(seeds=1))
    (ax,) = fig2.report(runs, made_up(runs, n_epochs=lambda run: 130)).figure.axes
    assert max(len(line.get_xdata()) for line in ax.lines) == 100


def test_a_recipe_that_does_not_score_the_training_set(made_up, text_problems):
    runs = fig3.make_runs(Options(seeds=2, recipe="quiet"))
    found = fig2.report(runs, made_up(runs, n_epochs=lambda run: 4))
    assert "train_auroc" not in found.tables["results"]
    lines = found.verdict.split("\n")
    assert [line.partition(":")[0] for line in lines[1:]] == [
        "faster learning",
        "faster at first",
        "validation auROC at the best epoch",
    ]
    assert "over the first 4 epochs:" in lines[2]
    assert [text.get_text() for text in found.figure.legends[0].texts] == [RC, SMALL, LARGE, "validation"]
    assert text_problems(found.figure) == []
