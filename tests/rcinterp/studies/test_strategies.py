"""The table of Zhou et al.: which runs, which rows, and whose scores stand in them."""

import numpy as np
import pandas as pd
import pytest

from rcinterp.studies import fig3, strategies
from rcinterp.studies._data import Simulated
from rcinterp.studies._study import Options

STANDARD, AUGMENTED, CONJOINED = "standard", "RC augmentation", "conjoined in training"
SHARED, SUMMED = "RC weight sharing, weighted sum", "RC weight sharing, strands summed + dense"
POST_HOC, POST_HOC_AUGMENTED = "post-hoc conjoined", "post-hoc conjoined, augmented"
WIDE, WIDE_AUGMENTED = "standard, 40 filters", "RC augmentation, 40 filters"
WIDE_POST_HOC, WIDE_POST_HOC_AUGMENTED = "post-hoc conjoined, 40 filters", "post-hoc conjoined, augmented, 40 filters"
TRAINED = [STANDARD, WIDE, AUGMENTED, WIDE_AUGMENTED, CONJOINED, SHARED, SUMMED]
ROWS = [
    *(STANDARD, POST_HOC, WIDE, WIDE_POST_HOC),
    *(AUGMENTED, POST_HOC_AUGMENTED, WIDE_AUGMENTED, WIDE_POST_HOC_AUGMENTED),
    *(CONJOINED, SHARED, SUMMED),
]


def test_runs():
    runs = strategies.make_runs(Options())
    assert [(run.data.length, run.seed, run.label) for run in runs] == [
        (length, seed, label) for length in (200, 1000) for seed in range(10) for label in TRAINED
    ]
    assert len({run.name for run in runs}) == 140
    for run in runs:
        assert run.data == Simulated(length=run.data.length, label_noise=0.0, flipped=0.2, seed=2017)
        model = {"n_layers": 1, "widths": [21], "pool": 20, "stride": 20}
        model |= {"n_filters": 40 if run.label in (WIDE, WIDE_AUGMENTED) else 20}
        model |= {"rc": run.label in (SHARED, SUMMED)} | ({"read_out": "dense"} if run.label == SUMMED else {})
        assert run.model == model
        training = {"positive_weight": 1.0, "batch_size": 500, "score_train": True, "epochs": 300}
        assert run.training == training | ({"augment": True} if "augmentation" in run.label else {})
        assert run.conjoined == (run.label == CONJOINED)
    assert {run.data.length for run in strategies.make_runs(Options(lengths=(120, 300)))} == {120, 300}


def test_on_shuffled_labels_standard_and_rc_models_are_figure_3_s():
    by_label = {}
    for study in (fig3, strategies):
        for run in study.make_runs(Options(noise="shuffled")):
            if run.data.length == 200:
                by_label.setdefault(run.label, []).append(run.name)
    assert by_label[STANDARD] == by_label["traditional, 20 filters"]
    assert by_label[SHARED] == by_label["RC, 20 filters"]
    assert len(by_label[STANDARD]) == 10


@pytest.fixture(scope="module")
def study(made_up):
    runs = strategies.make_runs(Options())
    results = made_up(runs, lambda run: {"test_auroc": 0.7, "post_hoc_test_auroc": 0.99})
    for i, result in enumerate(results):  # every number its own
        result["test_auroc"] -= i / 1000
        if "post_hoc_test_auprc" in result:
            result["post_hoc_test_auroc"] -= i / 1000
        else:
            del result["post_hoc_test_auroc"]
    return runs, results, strategies.report(runs, results)


def test_every_row_has_its_own_model_s_scores(study):
    runs, results, found = study
    by_run = {(run.data.length, run.label, run.seed): result for run, result in zip(runs, results, strict=True)}
    table = found.tables["results"]
    assert len(table) == 2 * 11 * 10
    assert not [name for name in table if name.startswith("post_hoc_")]
    for row in table.to_dict("records"):
        trained = {
            POST_HOC: STANDARD,
            POST_HOC_AUGMENTED: AUGMENTED,
            WIDE_POST_HOC: WIDE,
            WIDE_POST_HOC_AUGMENTED: WIDE_AUGMENTED,
        }.get(row["strategy"], row["strategy"])
        prefix = "post_hoc_" if trained != row["strategy"] else ""
        result = by_run[row["length"], trained, row["seed"]]
        for name in ("valid_auroc", "valid_auprc", "test_auroc", "test_auprc"):
            assert row[name] == result[prefix + name], (row["strategy"], name)
        assert (row["n_parameters"], row["best_epoch"]) == (result["n_parameters"], result["best_epoch"])
        if prefix:
            assert np.isnan(row["rc_difference"])  # not measured
        else:
            assert row["rc_difference"] == (
                0.7 if row["strategy"] in (STANDARD, AUGMENTED, WIDE, WIDE_AUGMENTED) else 0
            )
        assert row["channels"] == (
            20 if row["strategy"] in (STANDARD, POST_HOC, AUGMENTED, POST_HOC_AUGMENTED, CONJOINED) else 40
        )
        assert row["passes"] == (2 if "onjoined" in row["strategy"] else 1)


def test_published_values_stand_beside_their_rows(study):
    summary = study[2].tables["summary"]
    assert list(zip(summary["length"], summary["strategy"], strict=True)) == [(n, s) for n in (200, 1000) for s in ROWS]
    assert set(summary["n_seeds"]) == {10}
    assert summary["passes"].tolist() == [1, 2, 1, 2, 1, 2, 1, 2, 2, 1, 1] * 2
    nothing = np.nan
    published = [
        *(0.919, 0.9476, nothing, nothing, 0.950, 0.9645, nothing, nothing, 0.944, nothing, 0.9609),
        *(0.655, 0.704, nothing, nothing, 0.758, 0.792, nothing, nothing, 0.742, nothing, 0.850),
    ]
    np.testing.assert_array_equal(summary["published_auroc"], published)
    published = [
        *(0.870, 0.9147, nothing, nothing, 0.919, 0.9421, nothing, nothing, 0.910, nothing, 0.9359),
        *(0.495, 0.550, nothing, nothing, 0.622, 0.670, nothing, nothing, 0.600, nothing, 0.756),
    ]
    np.testing.assert_array_equal(summary["published_auprc"], published)
    for row in summary.to_dict("records"):
        table = study[2].tables["results"]
        chosen = table[(table["length"] == row["length"]) & (table["strategy"] == row["strategy"])]
        assert row["test_auroc_mean"] == pytest.approx(sum(chosen["test_auroc"]) / 10)


def test_lengths_of_nobody_s_have_nothing_published(made_up, text_problems):
    runs = strategies.make_runs(Options(lengths=(120,), seeds=1))
    found = strategies.report(runs, made_up(runs))
    assert found.tables["summary"][["published_auroc", "published_auprc"]].isna().all(axis=None)
    assert text_problems(found.figure) == []


@pytest.mark.parametrize(
    ("options", "labels"),
    [
        (Options(), "20% flipped"),
        (Options(noise="flipped"), "20% flipped"),
        (Options(noise="shuffled"), "20% shuffled"),
    ],
)
def test_tables_say_how_labels_were_made_wrong(made_up, options, labels):
    runs = strategies.make_runs(options)
    for table in strategies.report(runs, made_up(runs)).tables.values():
        assert set(table["labels"]) == {labels}


def test_verdict(study, slow_p, slow_holm):
    _, _, found = study
    table = found.tables["results"]
    lines = found.verdict.split("\n")
    assert lines[0].startswith("10 seeds; labels of training: 20% flipped; clean test auROC; one-sided exact Wilcoxon")
    assert lines[1] == "200 bp: highest mean: post-hoc conjoined, 0.9585"
    assert lines[13] == "1000 bp: highest mean: post-hoc conjoined, 0.8885"
    assert len(lines) == 25
    means = [float(line.partition(": ")[2].split()[0]) for line in lines[2:13]]
    assert means == sorted(means, reverse=True)
    assert {line.strip().partition(":")[0] for line in lines[2:13]} == set(ROWS)
    few = table[(table["seed"] < 5) & (table["length"] == 200)]
    names = [line.strip().partition(":")[0] for line in strategies.judge(few).split("\n")[2:]]
    few_scores = {name: few.loc[few["strategy"] == name, "test_auroc"].tolist() for name in names}
    pairs = [pair for name in names if name != SHARED for pair in ((SHARED, name), (name, SHARED))]
    p_values = [slow_p(few_scores[high], few_scores[low]) for high, low in pairs]
    corrected = dict(zip(pairs, slow_holm(p_values), strict=True))
    for line in strategies.judge(few).split("\n")[2:]:
        name = line.strip().partition(":")[0]
        scores = {label: few.loc[few["strategy"] == label, "test_auroc"].tolist() for label in (SHARED, name)}
        spread = f"{np.mean(scores[name]):.4f} ({min(scores[name]):.4f} to {max(scores[name]):.4f})"
        if name == SHARED:
            assert line == f"  {name}: {spread}"
        else:
            higher, lower = slow_p(scores[SHARED], scores[name]), slow_p(scores[name], scores[SHARED])
            told = f"higher: p = {higher:.3g}, corrected {corrected[SHARED, name]:.3g}, "
            told += f"lower: p = {lower:.3g}, corrected {corrected[name, SHARED]:.3g}"
            assert line == f"  {name}: {spread}; {SHARED} {told}"


def test_figure(study, text_problems):
    figure, table = study[2].figure, study[2].tables["results"]
    assert [ax.get_title() for ax in figure.axes] == ["200 bp, labels 20% flipped", "1000 bp, labels 20% flipped"]
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ROWS[::-1]
    for ax, length in zip(figure.axes, (200, 1000), strict=True):
        dots = {int(line.get_ydata()[0]): line for line in ax.lines if len(line.get_xdata()) == 10}
        means = {
            int(line.get_ydata()[0]): line
            for line in ax.lines
            if len(line.get_xdata()) == 1 and line.get_marker() == "|"
        }
        crosses = {
            int(line.get_ydata()[0]): line
            for line in ax.lines
            if len(line.get_xdata()) == 1 and line.get_marker() == "x"
        }
        for i, name in enumerate(ROWS[::-1]):
            scores = table.loc[(table["length"] == length) & (table["strategy"] == name), "test_auroc"]
            assert dots[i].get_xdata().tolist() == scores.tolist()
            assert means[i].get_xdata()[0] == pytest.approx(scores.mean())
        assert {ROWS[::-1][i]: line.get_xdata()[0] for i, line in crosses.items()} == {
            name: auroc for (n, name), (auroc, _) in strategies.PUBLISHED.items() if n == length
        }
    assert text_problems(figure) == []


def test_a_table_that_was_read_again(study, tmp_path):
    found = study[2].tables["results"]
    found.to_csv(tmp_path / "results.tsv", sep="\t", index=False)
    assert strategies.judge(pd.read_csv(tmp_path / "results.tsv", sep="\t")) == study[2].verdict
