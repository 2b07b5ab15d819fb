"""Shares of a training set: which runs, what is made of their scores."""

import statistics

import pytest

from rcinterp.studies import fig6
from rcinterp.studies._data import Folder
from rcinterp.studies._study import Options

RC, SMALL, LARGE = "RC, 16 filters", "traditional, 16 filters", "traditional, 32 filters"
SHARES = [0.05, 0.1, 0.2, 0.4, 0.6, 0.8]


def test_runs_are_those_of_figure_6(tfs):
    runs = fig6.make_runs(Options(data=tfs[:1]))
    expected = [(share, seed, label) for share in SHARES for seed in range(10) for label in (RC, SMALL, LARGE)]
    assert [(run.data.share, run.seed, run.label) for run in runs] == expected
    for run in runs:
        assert run.data == Folder(tfs[0], run.data.share)
        assert run.model == {"n_layers": 3, "n_filters": 32 if run.label == LARGE else 16, "rc": run.label == RC}
        assert (run.training, run.recipe, run.conjoined) == ({"patience": None}, "paper", False)
    assert len({run.name for run in runs}) == 180
    assert {run.data.share for run in fig6.make_runs(Options(data=tfs[:1], small=True))} == {0.1, 0.6}


def scores(run):
    """RC loses 0.01 from the largest to the smallest share, the others 0.03 and 0.05; ahead of all at 40 % only."""
    loss = (
        {RC: 0.01, SMALL: 0.03, LARGE: 0.05}[run.label] * (run.data.share == 0.05) * (9 if run.seed == 0 else 1)
    )  # means are no medians
    ahead = 0.1 * (run.label == RC and run.data.share == 0.4)
    noise = (3 * run.seed + 5 * (run.label == RC)) % 10 / 1000 + run.seed**4 / 1e5
    return {"valid_auroc": 0.8 - loss + ahead + noise, "valid_auprc": 0.5 + loss}


@pytest.fixture(scope="module")
def study(tfs, made_up):
    runs = fig6.make_runs(Options(data=tfs[:1]))
    results = made_up(runs, scores)
    return runs, results, fig6.report(runs, results)


def test_tables(study):
    runs, results, found = study
    table = found.tables["results"]
    assert table["train_share"].tolist() == [run.data.share for run in runs]
    n_train = {share: 2 * max(1, round(42 * share)) for share in SHARES}
    assert table["n_train"].tolist() == [n_train[run.data.share] for run in runs]
    summary = found.tables["summary"]
    assert list(zip(summary["train_share"], summary["model"], strict=True)) == [
        (share, label) for share in SHARES for label in (RC, SMALL, LARGE)
    ]
    for row in summary.to_dict("records"):
        values = [
            result["valid_auroc"]
            for run, result in zip(runs, results, strict=True)
            if (run.data.share, run.label) == (row["train_share"], row["model"])
        ]
        assert (row["n_seeds"], row["valid_auroc_min"]) == (10, min(values))
        assert row["valid_auroc_mean"] == pytest.approx(statistics.mean(values))


def test_verdict(study, slow_p):
    runs, results, found = study
    lines = found.verdict.split("\n")
    assert len(lines) == 1 + 2 * (2 * 6 + 2)
    for i, share in enumerate(SHARES):
        for line, other in zip(lines[1 + 2 * i :], (SMALL, LARGE), strict=False):
            assert line.startswith(f"{share:.0%}: validation auROC: {RC} 0.")
            assert f", {other} 0." in line
    assert [line.partition(":")[0] for line in lines[1:13:2]] == ["5%", "10%", "20%", "40%", "60%", "80%"]
    assert [line.endswith(f": higher in {RC}, p = 5.41e-06, corrected 0.000152") for line in lines[7:9]] == [True, True]
    assert [": not significantly higher in" in line for line in lines[9:13]] == [True] * 4
    five = [
        [
            result["valid_auroc"]
            for run, result in zip(runs, results, strict=True)
            if run.label == label and run.data.share == 0.1 and run.seed < 5
        ]
        for label in (RC, SMALL)
    ]
    table = found.tables["results"]
    assert f"p = {slow_p(*five):.3g}" in fig6.judge(table[table["seed"] < 5]).split("\n")[3]
    for line, column, other in zip(
        [*lines[13:15], *lines[27:]], ["valid_auroc"] * 2 + ["valid_auprc"] * 2, [SMALL, LARGE] * 2, strict=True
    ):
        scores = {
            (run.label, run.data.share, run.seed): result[column] for run, result in zip(runs, results, strict=True)
        }
        losses = [[scores[label, 0.8, seed] - scores[label, 0.05, seed] for seed in range(10)] for label in (other, RC)]
        assert line.startswith(f"loss of validation {'auROC' if column == 'valid_auroc' else 'auPRC'}, largest to smal")
        assert f": {other} {statistics.mean(losses[0]):.3f} (" in line
        assert f", {RC} {statistics.mean(losses[1]):.3f} (" in line
        assert f", p = {slow_p(*losses):.3g}, corrected " in line


def test_the_verdict_s_corrected_p_values_are_holm_s(study, slow_holm):
    claims = study[2].tables["claims"]
    assert claims["corrected_p"].tolist() == pytest.approx(slow_holm(claims["p"].tolist()))
    for line, p, corrected in zip(study[2].verdict.split("\n")[1:], claims["p"], claims["corrected_p"], strict=True):
        assert line.endswith(f", p = {p:.3g}, corrected {corrected:.3g}")
        assert ("not significantly" in line) == (corrected >= 0.05)


def test_figure(study, text_problems):
    runs, results, found = study
    figure = found.figure
    assert [text.get_text() for text in figure.legends[0].texts] == [RC, SMALL, LARGE]
    assert [ax.get_ylabel() for ax in figure.axes] == ["validation auROC", "validation auPRC"]
    for ax, column in zip(figure.axes, ("valid_auroc", "valid_auprc"), strict=True):
        assert [label.get_text() for label in ax.get_xticklabels()] == ["5%", "10%", "20%", "40%", "60%", "80%"]
        for label, line, dots in zip((RC, SMALL, LARGE), ax.lines[::2], ax.lines[1::2], strict=True):
            chosen = [(r.data.share, s[column]) for r, s in zip(runs, results, strict=True) if r.label == label]
            assert list(zip(dots.get_xdata(), dots.get_ydata(), strict=True)) == chosen
            assert line.get_xdata().tolist() == SHARES
            medians = [statistics.median(v for s, v in chosen if s == share) for share in SHARES]
            assert line.get_ydata().tolist() == pytest.approx(medians)
    assert text_problems(figure) == []


def test_figure_of_the_small_setting(tfs, made_up, text_problems):
    runs = fig6.make_runs(Options(data=tfs[:1], seeds=1, small=True))
    assert text_problems(fig6.report(runs, made_up(runs)).figure) == []
