"""What the recipe "quiet" is made of, part by part."""

import statistics

import pytest

from rcinterp.studies import ablation, fig3, fig4, fig5
from rcinterp.studies._data import Simulated
from rcinterp.studies._rejected import compose_any
from rcinterp.studies._study import Options
from rcinterp.training.recipes import PAPER, QUIET, RECIPES

PARTS = {
    "threshold": {"threshold"},
    "level read-out": {"level"},
    "one cycle": {"cycle"},
    "rate": {"learning_rate"},
    "slow read-out": {"read_out_rate", "read_out_by_size"},
    "statistics": {"momentum"},
}
PASSES = {"passes": {"samples_per_epoch"}}  # the same on simulated data
N_SIMULATED, N_REAL = 19, 21
PAPER_IN_FULL, LARGE_BATCHES = "paper", "quiet, batches of 500"


def names_of(n_layers, is_simulated):
    """Rows of a model's table."""
    return [PAPER_IN_FULL, *ablation.variants(n_layers, is_simulated), *([LARGE_BATCHES] if is_simulated else [])]


def check_parts(run):
    """Each run has the parts of its row; the paper's recipe in full is the recipe itself."""
    found = ablation.variants(run.model["n_layers"], isinstance(run.data, Simulated))
    assert run.parts == (found | {PAPER_IN_FULL: None, LARGE_BATCHES: QUIET})[run.recipe]


@pytest.mark.parametrize("is_simulated", [True, False])
def test_variants_differ_in_what_they_say(is_simulated):
    found = ablation.variants(1, is_simulated)
    parts = PARTS | ({} if is_simulated else PASSES)
    assert len(found) == (N_SIMULATED if is_simulated else N_REAL)
    assert list(found) == [
        "no part",
        *(f"{part} alone" for part in parts),
        "tying alone",
        "threshold and level read-out",
        *(f"quiet without {part}" for part in parts),
        "quiet",
        "quiet, threshold × 0.75",
        "quiet, threshold × 1.25",
        "quiet + tying",
    ]
    assert (found["no part"], found["quiet"]) == (PAPER, QUIET)
    for part, names in parts.items():
        for name, value in found[f"{part} alone"].items():
            assert value == (QUIET if name in names else PAPER)[name]
        for name, value in found[f"quiet without {part}"].items():
            assert value == (PAPER if name in names else QUIET)[name]
    assert set.union(*PARTS.values(), *PASSES.values()) == set(QUIET) == set(PAPER)  # every argument belongs to a part
    assert found["quiet, threshold × 0.75"] == {**QUIET, "threshold": 0.75}
    assert found["quiet, threshold × 1.25"] == {**QUIET, "threshold": 1.25}
    assert found["tying alone"] == {**PAPER, "tying": 1.0}
    assert found["threshold and level read-out"] == {**PAPER, "threshold": 1.0, "level": True}
    assert found["quiet + tying"] == {**QUIET, "tying": 1.0}
    three = ablation.variants(3, is_simulated)
    assert three.pop("quiet, threshold in every layer") == {**QUIET, "every_layer": True}
    assert three == found
    for name, parts in found.items():
        assert compose_any(name, **parts).name == name
    assert RECIPES["quiet"].epochs == ablation.EPOCHS


def test_runs_on_simulated_data():
    runs = ablation.make_runs(Options())
    n_rows = N_SIMULATED + 2
    assert len(runs) == 2 * 2 * 10 * n_rows
    assert [(run.data.length, run.label, run.seed) for run in runs[::n_rows]] == [
        (length, f"{kind}, 20 filters", seed)
        for length in (200, 1000)
        for kind in ("RC", "traditional")
        for seed in range(10)
    ]
    assert [run.recipe for run in runs[:n_rows]] == names_of(1, True)
    for run in runs:
        check_parts(run)
        if run.recipe != PAPER_IN_FULL:
            batches = {"batch_size": 500} if run.recipe == LARGE_BATCHES else {}
            assert run.training == {"epochs": 20, "positive_weight": 1.0} | batches
        model = {"n_layers": 1, "widths": [21], "pool": 20, "stride": 20, "n_filters": 20}
        assert run.model == {**model, "rc": run.label.startswith("RC")}
    assert len({run.name for run in runs}) == len(runs)
    assert {run.training["epochs"] for run in ablation.make_runs(Options(small=True))} == {3}
    assert {run.data.length for run in ablation.make_runs(Options(lengths=(300,)))} == {300}
    in_full = {run.name for run in runs if run.recipe == PAPER_IN_FULL and run.data.length == 200}
    assert in_full == {run.name for run in fig3.make_runs(Options()) if run.label != "traditional, 40 filters"}


def test_runs_on_real_data(tfs):
    runs = ablation.make_runs(Options(seeds=2, data=tfs[:2]))
    assert len(runs) == 2 * 2 * 2 * (N_REAL + 1 + N_REAL + 2)
    models = {run.label: run for run in runs if run.recipe != PAPER_IN_FULL}
    assert {label: run.model for label, run in models.items()} == {
        "RC, 8 filters": {"n_layers": 1, "n_filters": 8, "rc": True},
        "traditional, augmented, 16 filters": {"n_layers": 1, "n_filters": 16, "rc": False},
        "3 layers, RC, 16 filters": {"n_layers": 3, "n_filters": 16, "rc": True},
        "3 layers, traditional, augmented, 32 filters": {"n_layers": 3, "n_filters": 32, "rc": False},
    }
    for run in models.values():
        assert run.training == {"epochs": 20} | ({} if run.model["rc"] else {"augment": True})
    for run in runs:
        check_parts(run)
    in_full = {run.name for run in runs if run.recipe == PAPER_IN_FULL}
    one = Options(seeds=2, data=tfs[:1])
    assert in_full >= {run.name for run in fig5.make_runs(one)}  # one layer
    assert in_full >= {run.name for run in fig4.make_runs(one) if "RC" in run.label or "32" in run.label}  # three


def test_real_data_are_compared_by_validation_even_with_a_test_set(made_up, tfs):
    runs = ablation.make_runs(Options(seeds=1, data=tfs[:1]))
    found = ablation.report(runs, made_up(runs, lambda run: {"test_auroc": 0.1}))
    assert found.verdict.startswith("1 seeds; validation auROC, ")
    assert "0.1000" not in found.verdict


@pytest.mark.parametrize("real", [False, True])
def test_report(made_up, tfs, text_problems, real):
    options = Options(seeds=3, data=tfs[:1] if real else ())
    runs = ablation.make_runs(options)
    results = made_up(runs)
    found = ablation.report(runs, results)
    column, words = ("valid_auroc", "validation auROC") if real else ("test_auroc", "clean test auROC")
    rows = {}
    for run, result in zip(runs, results, strict=True):
        rows.setdefault((run.data.label, run.label, run.recipe), []).append(result)
    summary = found.tables["summary"]
    assert list(zip(summary["data"], summary["model"], summary["recipe"], strict=True)) == list(rows)
    lines = found.verdict.split("\n")
    assert lines[0] == f"3 seeds; {words}, mean (lowest to highest)"
    for line, row, (key, of) in zip(lines[1:], summary.to_dict("records"), rows.items(), strict=True):
        scores, epochs = [result[column] for result in of], [result["best_epoch"] for result in of]
        assert (row["n_seeds"], row[f"{column}_max"]) == (3, max(scores))
        last = [result["history"]["valid_auroc"][-1] for result in of]
        assert row["last_valid_auroc_mean"] == pytest.approx(statistics.mean(last))
        assert line == (
            f"{'; '.join(key)}: {statistics.mean(scores):.4f} ({min(scores):.4f} to {max(scores):.4f}); "
            f"best epoch {statistics.mean(epochs):.0f} ({min(epochs)} to {max(epochs)})"
        )

    names = names_of(3 if real else 1, not real)[::-1]
    panels = list(dict.fromkeys(key[:2] for key in rows))
    assert [tuple(ax.get_title().split("\n")) for ax in found.figure.axes] == panels
    assert [label.get_text() for label in found.figure.axes[0].get_yticklabels()] == names
    assert {ax.get_ylim() for ax in found.figure.axes} == {found.figure.axes[0].get_ylim()}  # rows stand side by side
    for ax, panel in zip(found.figure.axes, panels, strict=True):
        assert ax.get_xlabel() == words
        for line in (line for line in ax.lines if len(line.get_xdata())):
            (height,) = set(line.get_ydata())
            assert line.get_xdata().tolist() == [result[column] for result in rows[(*panel, names[height])]]
            assert line.get_color() == ("#1b7837" if "RC" in panel[1] else "#2166ac")
    assert text_problems(found.figure) == []
