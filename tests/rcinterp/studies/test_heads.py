"""Which read-outs are compared, at how many parameters, and what is made of their scores."""

import numpy as np
import pytest

from rcinterp.studies import fig3, heads, strategies
from rcinterp.studies._data import Simulated
from rcinterp.studies._study import Options
from rcinterp.training.models import count_parameters

MODELS = ["RC, separable", "RC, dense", "traditional, separable", "traditional, dense"]


def test_runs():
    runs = heads.make_runs(Options(recipe="quiet"))
    assert [(run.label, run.seed) for run in runs] == [(model, seed) for seed in range(10) for model in MODELS]
    assert len({run.name for run in runs}) == 40
    assert {run.data for run in runs} == {Simulated(seed=2017)}
    assert {run.recipe for run in runs} == {"quiet"}
    assert [run.model.get("read_out") for run in runs[:4]] == ["separable", "dense", "separable", None]
    assert [run.model["rc"] for run in runs[:4]] == [True, True, False, False]
    assert [type(run.build().head).__name__ for run in runs[:4]] == [
        *("SeparableLinear", "RCLinear", "SeparableLinear", "Linear")
    ]


@pytest.mark.parametrize(("length", "n_filters"), [(200, 25), (1000, 50)])
def test_parameters_are_equal_within_two_percent(length, n_filters):
    runs = heads.make_runs(Options(seeds=1, lengths=(length,)))
    sizes = {run.label: count_parameters(run.build()) for run in runs}
    for kind in ("RC", "traditional"):
        assert sizes[f"{kind}, separable"] == pytest.approx(sizes[f"{kind}, dense"], rel=0.02)
    assert [run.model["n_filters"] for run in runs] == [n_filters, 20, n_filters, 20]
    per_filter = 4 * 21 + 1 + 2
    n_positions = (length - 40) // 20 + 1
    assert sizes["RC, separable"] == n_filters * (per_filter + 3) + 3 * (n_positions + 1)
    assert sizes["RC, dense"] == 20 * per_filter + 3 * (20 * n_positions + 1)


def test_no_other_number_of_filters_comes_closer():
    runs = heads.make_runs(Options(seeds=1, lengths=(220,)))
    sizes = {run.label: count_parameters(run.build()) for run in runs}
    gap = abs(sizes["RC, separable"] - sizes["RC, dense"])
    assert gap <= (4 * 21 + 3 + 3) / 2


def test_dense_models_are_runs_of_other_studies():
    options = Options(seeds=2, noise="shuffled")
    names = {run.label: {r.name for r in heads.make_runs(Options(seeds=2)) if r.label == run.label}
             for run in heads.make_runs(Options(seeds=1))}  # fmt: skip
    assert names["traditional, dense"] <= {run.name for run in fig3.make_runs(Options(seeds=2))}
    assert names["RC, dense"] <= {run.name for run in strategies.make_runs(options)}


def scores(run):
    """Separable ahead among RC models, behind among traditional ones."""
    rank = {"RC, separable": 30, "RC, dense": 20, "traditional, separable": 0, "traditional, dense": 10}[run.label]
    return {"test_auroc": 0.9 + (rank + run.seed**2 / 100) / 1000}


@pytest.fixture(scope="module")
def study(made_up):
    runs = heads.make_runs(Options(lengths=(200, 1000)))
    results = made_up(runs, scores)
    return runs, results, heads.report(runs, results)


def test_tables(study):
    runs, results, found = study
    table = found.tables["results"]
    assert table["model"].tolist() == [run.label for run in runs]
    assert table["n_filters"].tolist() == [run.model["n_filters"] for run in runs]
    assert table["test_auroc"].tolist() == [result["test_auroc"] for result in results]
    summary = found.tables["summary"]
    assert summary["data"].tolist() == ["200 bp"] * 4 + ["1000 bp"] * 4
    assert summary["model"].tolist() == MODELS * 2
    assert summary["n_parameters"].tolist()[:4] == [2280, 2283, 2280, 2283]
    assert set(summary["n_seeds"]) == {10}
    values = [r["test_auprc"] for run, r in zip(runs, results, strict=True) if run.label == MODELS[2]][10:]
    assert summary.loc[6, "test_auprc_mean"] == pytest.approx(np.mean(values))


def test_verdict(study):
    lines = study[2].verdict.split("\n")
    assert lines[0].startswith("10 seeds; one-sided exact Wilcoxon")
    assert lines[1] == (
        "200 bp: parameters: RC, separable 25 filters, 2,280; RC, dense 20 filters, 2,283; traditional, separable 25 "
        "filters, 2,280; traditional, dense 20 filters, 2,283"
    )
    first = "200 bp: clean test auROC: RC, separable 0.9303 (0.9300 to 0.9308), RC, dense 0.9203 (0.9200 to 0.9208)"
    assert lines[2] == f"{first}: higher in RC, separable, p = 5.41e-06, corrected 0.000162"
    assert lines[3].endswith("not significantly higher in RC, dense, p = 1, corrected 1")
    assert lines[4].endswith("not significantly higher in traditional, separable, p = 1, corrected 1")
    assert lines[5].endswith("higher in traditional, dense, p = 5.41e-06, corrected 0.000162")
    assert lines[6].startswith("200 bp: clean test auROC: RC, separable 0.9303")
    assert lines[6].endswith("higher in RC, separable, p = 5.41e-06, corrected 0.000162")
    assert len(lines) == 1 + 2 * (1 + 3 * 5)
    assert sum(line.startswith("1000 bp: ") for line in lines) == 16


def test_figure(study, text_problems):
    figure = study[2].figure
    assert [ax.get_title() for ax in figure.axes] == ["200 bp", "1000 bp"]
    means = study[2].tables["summary"]["test_auroc_mean"].to_numpy().reshape(2, 4)
    for ax, expected in zip(figure.axes, means, strict=True):
        assert [label.get_text().replace("\n", ", ") for label in ax.get_xticklabels()] == MODELS
        np.testing.assert_allclose([line.get_ydata()[0] for line in ax.lines[1::2]], expected)
        assert [len(line.get_ydata()) for line in ax.lines[::2]] == [10] * 4
    assert text_problems(figure) == []
    one = study[2].tables["results"].query("seed == 0 and data == '200 bp'")
    assert text_problems(heads.draw(one)) == []
