"""Sizes and data sets: which runs, and which model is held against which."""

import numpy as np
import pytest

from rcinterp.studies import fig7
from rcinterp.studies._data import Folder
from rcinterp.studies._study import Options


def test_runs_are_those_of_figure_7(tfs):
    runs = fig7.make_runs(Options(data=tfs))
    first = [("RC", 8), ("RC", 16), ("RC", 32), *(("traditional", n) for n in (8, 16, 32, 64))]
    others = [("RC", 16), ("traditional", 16), ("traditional", 32)]
    assert [(run.data.path, run.seed, run.label) for run in runs] == [
        (path, seed, f"{kind}, {n} filters")
        for path, models in ((tfs[0], first), (tfs[1], others), (tfs[2], others))
        for seed in range(10)
        for kind, n in models
    ]
    for run in runs:
        n = int(run.label.split()[1])
        assert run.model == {"n_layers": 3, "n_filters": n, "rc": run.label.startswith("RC")}
        assert run.data == Folder(run.data.path)
        assert (run.training, run.recipe, run.conjoined) == ({"patience": None}, "paper", False)
    assert len({run.name for run in runs}) == 130
    small = fig7.make_runs(Options(data=tfs[:1], seeds=1, small=True))
    assert [run.label for run in small] == [f"{kind}, {n} filters" for kind, n in others]
    assert {run.training["epochs"] for run in small} == {5}


def scores(run):
    """RC of n filters ahead of traditional ones of n, but not of 2n, on TF0; ahead of both on TF1; behind on TF2."""
    n, rc = run.model["n_filters"], run.model["rc"]
    level = {"TF0": np.log2(n) + 0.5 * rc, "TF1": 9 * rc, "TF2": -9 * rc}[run.data.label]
    return {"valid_auroc": 0.7 + level / 100 + run.seed**2 / 1e5, "valid_auprc": 0.5 + level / 100 - run.seed**2 / 1e5}


@pytest.fixture(scope="module")
def study(tfs, made_up):
    runs = fig7.make_runs(Options(data=tfs))
    results = made_up(runs, scores)
    return runs, results, fig7.report(runs, results)


def test_tables(study):
    runs, results, found = study
    table = found.tables["results"]
    assert table["n_filters"].tolist() == [run.model["n_filters"] for run in runs]
    assert table["data"].tolist() == [run.data.label for run in runs]
    summary = found.tables["summary"]
    assert summary["data"].tolist() == ["TF0"] * 7 + ["TF1"] * 3 + ["TF2"] * 3
    assert set(summary["n_seeds"]) == {10}
    assert summary["n_parameters"].is_unique is False  # the same models on every data set
    for row in summary.to_dict("records"):
        chosen = [
            result["valid_auprc"]
            for run, result in zip(runs, results, strict=True)
            if (run.data.label, run.label) == (row["data"], row["model"])
        ]
        assert (row["valid_auprc_min"], row["valid_auprc_max"]) == (min(chosen), max(chosen))


def test_verdict_compares_with_as_many_filters_and_with_twice_as_many(study):
    lines = study[2].verdict.split("\n")[1:]
    pairs = [("TF0", n, other) for n in (8, 16, 32) for other in (n, 2 * n)]
    pairs += [(data, 16, other) for data in ("TF1", "TF2") for other in (16, 32)]
    assert len(lines) == 2 * len(pairs)
    for line, (data, n, other) in zip(lines[len(pairs) :], pairs, strict=True):
        assert line.startswith(f"{data}: validation auPRC: RC, {n} filters 0.")
        assert f", traditional, {other} filters 0." in line
    for line, (data, n, other) in zip(lines, pairs, strict=False):
        assert line.startswith(f"{data}: validation auROC: RC, {n} filters 0.")
        assert f", traditional, {other} filters 0." in line
        ahead = {"TF0": other == n, "TF1": True, "TF2": False}[data]
        end = "higher in" if ahead else "not significantly higher in"
        assert line.endswith(
            f": {end} RC, {n} filters, p = {'5.41e-06, corrected 0.000108' if ahead else '1, corrected 1'}"
        )


def test_figure(study, text_problems):
    figure = study[2].figure
    assert len(figure.axes) == 4
    assert [ax.get_title() for ax in figure.axes] == ["(a) TF0", "(b) 16 filters"] * 2
    assert [ax.get_ylabel() for ax in figure.axes[::2]] == ["validation auROC", "validation auPRC"]
    ticks = [[label.get_text() for label in ax.get_xticklabels()] for ax in figure.axes]
    assert ticks == [["8 filters", "16 filters", "32 filters"], ["TF0", "TF1", "TF2"]] * 2
    legend = [text.get_text() for text in figure.legends[0].texts]
    assert legend == ["RC", "traditional, as many filters", "traditional, twice as many"]
    summary = study[2].tables["summary"].set_index(["data", "model"])
    for ax, column, groups in (
        (figure.axes[0], "valid_auroc", [("TF0", 8), ("TF0", 16), ("TF0", 32)]),
        (figure.axes[3], "valid_auprc", [("TF0", 16), ("TF1", 16), ("TF2", 16)]),
    ):
        models = [
            (data, f"{kind}, {factor * n} filters")
            for data, n in groups
            for kind, factor in (("RC", 1), ("traditional", 1), ("traditional", 2))
        ]
        for bar, model in zip(ax.containers, models, strict=True):
            middle, _, (ends,) = bar.lines
            assert middle.get_ydata()[0] == pytest.approx(summary.loc[model, f"{column}_mean"])
            found = ends.get_segments()[0][:, 1]
            np.testing.assert_allclose(found, summary.loc[model, [f"{column}_min", f"{column}_max"]].astype(float))
    assert text_problems(figure) == []


def test_one_data_set_and_one_size(tfs, made_up, text_problems):
    runs = fig7.make_runs(Options(data=tfs[2:], seeds=2, small=True))
    found = fig7.report(runs, made_up(runs))
    assert len(found.verdict.split("\n")) == 5
    assert text_problems(found.figure) == []
