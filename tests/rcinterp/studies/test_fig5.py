"""Figure 5 of two seeds on a handful of sequences: its numbers are those of the models, and what it says of them."""

import json
import re

import numpy as np
import pandas as pd
import pytest

from rcinterp.data.datasets import load_split
from rcinterp.motifs import load_motifs
from rcinterp.motifs.similarity import compare_matrices
from rcinterp.reading.model import predict
from rcinterp.studies import fig5
from rcinterp.studies._data import Folder
from rcinterp.studies._study import Options, run_study
from rcinterp.studies.fig5 import CANONICAL, RC, TRADITIONAL
from rcinterp.training.models import count_parameters
from rcinterp.training.performance import evaluate
from rcinterp.training.saving import load_model
from rclayers import reverse_complement

MODELS = [(RC, 0), (TRADITIONAL, 0), (RC, 1), (TRADITIONAL, 1)]
#: Few, but enough for a filter that contributes.
EPOCHS = 40


def test_runs_are_those_of_section_3_5(tfs):
    runs = fig5.make_runs(Options(data=tfs[:1]))
    assert [(run.label, run.seed) for run in runs] == [(m, seed) for seed in range(10) for m in (RC, TRADITIONAL)]
    assert (RC, TRADITIONAL) == ("RC, 8 filters", "traditional, 16 filters, augmented")
    for run in runs:
        assert run.model == {"n_layers": 1, "n_filters": 8 if run.label == RC else 16, "rc": run.label == RC}
        assert run.training == {"patience": None} | ({} if run.label == RC else {"augment": True})
        assert (run.recipe, run.data) == ("paper", Folder(tfs[0]))
    assert len({run.name for run in runs}) == 20


@pytest.fixture(scope="module")
def options(tfs):
    return Options(seeds=2, epochs=EPOCHS, data=tfs[:1])


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    return tmp_path_factory.mktemp("study") / "new" / "results"


@pytest.fixture(scope="module")
def study(fast, out, options):
    """With 2 and 4 filters: see ``fast``."""
    return run_study(fig5.STUDY, out, options, progress=False)


@pytest.fixture(scope="module")
def folders(study, out, options):
    """Folder of each run by model and seed."""
    return {(run.label, run.seed): out / "runs" / run.name for run in fig5.make_runs(options)}


def test_every_run_leaves_its_model_and_its_interpretation(study, folders):
    assert list(folders) == MODELS
    for (label, seed), folder in folders.items():
        names = {path.name for path in folder.iterdir()} - {"lock"}
        (reading,) = folder.glob("fig5-*.json")
        assert names == {"model.json", "model.safetensors", "result.json", reading.name, "filters"}
        assert {"report.html", "filters.tsv", "filters.meme", "logos.png"} <= {
            path.name for path in (folder / "filters").iterdir()
        }
        kept = json.loads(reading.read_text())
        assert kept["run"]["seed"] == seed
        assert kept["run"]["model"]["rc"] == (label == RC)
        assert kept["run"]["training"]["epochs"] == EPOCHS


def test_results_are_those_of_the_models(study, folders, options):
    _, valid = load_split(options.data[0])
    table = study.tables["results"]
    assert list(table.columns) == [
        *("model", "data", "recipe", "seed", "n_parameters", "n_epochs", "best_epoch"),
        *("valid_auroc", "valid_auprc", "rc_difference"),
        *("filter", "contribution", "rc_similarity", "rc_p", "best_match", "match_q"),
        *("canonical_similarity", "weighted_rc_similarity", "post_hoc_valid_auroc", "post_hoc_valid_auprc"),
    ]
    assert list(zip(table["model"], table["seed"], strict=True)) == MODELS
    for row in table.to_dict("records"):
        model = load_model(folders[row["model"], row["seed"]])
        assert model.architecture.rc == (row["model"] == RC)
        assert model.architecture.n_filters == {RC: 2, TRADITIONAL: 4}[row["model"]]
        assert model.provenance["seed"] == row["seed"]
        assert model.provenance["augment"] == (row["model"] == TRADITIONAL)
        assert row["n_parameters"] == count_parameters(model)
        scores = evaluate(model, valid).iloc[0]
        assert row["valid_auroc"] == pytest.approx(scores["auroc"])
        assert row["valid_auprc"] == pytest.approx(scores["auprc"])
        difference = (predict(model, valid.x) - predict(model, reverse_complement(valid.x))).abs().max()
        assert row["rc_difference"] == pytest.approx(float(difference), abs=1e-6)
        assert row["best_epoch"] == model.provenance["best_epoch"] <= EPOCHS == row["n_epochs"]
    by_model = table.groupby("model")["rc_difference"]
    assert by_model.max()[RC] < 1e-5
    assert by_model.min()[TRADITIONAL] > 1e-3


def test_top_filters_are_the_first_of_each_table(study, folders):
    canonical = load_motifs("encode")[CANONICAL]
    results = study.tables["results"].set_index(["model", "seed"])
    assert len(study.tables["top_filters"]) == 2 * (2 + 4)
    for (model, seed), rows in study.tables["top_filters"].groupby(["model", "seed"]):
        table = pd.read_csv(folders[model, seed] / "filters" / "filters.tsv", sep="\t")
        assert rows["rank"].tolist() == list(range(1, len(rows) + 1))
        for column in ("filter", "contribution", "rc_similarity", "rc_p", "best_match", "match_q"):
            found, expected = rows[column].reset_index(drop=True), table[column].head(len(rows))
            pd.testing.assert_series_equal(found, expected, check_dtype=False)
        weights = load_model(folders[model, seed]).conv1.weight.detach()
        for row in rows.to_dict("records"):
            weight = weights[int(row["filter"].removeprefix("filter_"))]
            assert row["canonical_similarity"] == pytest.approx(compare_matrices(weight, canonical).value, abs=1e-6)
        summary = results.loc[(model, seed)]
        assert summary["filter"] == rows["filter"].iloc[0]
        assert summary["canonical_similarity"] == rows["canonical_similarity"].iloc[0]
        positive = table[table["contribution"] > 0]
        weighted = (positive["rc_similarity"] * positive["contribution"]).sum() / positive["contribution"].sum()
        assert summary["weighted_rc_similarity"] == pytest.approx(weighted)


def test_the_verdict_says_what_the_results_say(study, slow_p, slow_holm):
    lines = study.verdict.split("\n")
    results = study.tables["results"]
    rc, traditional = (results[results["model"] == model] for model in (RC, TRADITIONAL))
    assert lines[0] == (
        "2 seeds; one-sided exact Wilcoxon rank-sum tests (section 3.8), judged after Holm's correction for the number "
        "of tests below, whose smallest p is 0.17"
    )
    claims = (
        (lines[1], "rc_similarity", traditional, rc, 2),
        (lines[2], "weighted_rc_similarity", traditional, rc, 2),
        (lines[3], "canonical_similarity", rc, traditional, 2),
        (lines[4], "valid_auroc", rc, traditional, 4),
        (lines[5], "valid_auprc", rc, traditional, 4),
    )
    p_values = [slow_p(higher[column], lower[column]) for _, column, higher, lower, _ in claims]
    for (line, column, higher, _, digits), p, corrected in zip(claims, p_values, slow_holm(p_values), strict=True):
        assert line.endswith(
            f": not significantly higher in {higher['model'].iloc[0]}, p = {p:.3g}, corrected {corrected:.3g}"
        )
        for rows in (rc, traditional):
            values = [f"{value:.{digits}f}" for value in (rows[column].mean(), rows[column].min(), rows[column].max())]
            assert f"{rows['model'].iloc[0]} {values[0]} ({values[1]} to {values[2]})" in line
    for line, rows in ((lines[6], rc), (lines[8], traditional)):
        n_named = sum(str(name).startswith("CTCF") for name in rows["best_match"])
        assert line == f"{rows['model'].iloc[0]}: top filter named CTCF in {n_named} of 2 seeds"
    for line, rows in ((lines[7], rc), (lines[9], traditional)):
        largest = rows["rc_difference"].max()
        assert line == f"largest |logit(x) - logit(rc x)|, {rows['model'].iloc[0]}: {largest:.2g}"
    assert len(lines) == 10


def test_the_verdict_of_a_clear_case():
    """Ten seeds, in which everything is as the paper has it."""
    larger = {"rc_similarity": TRADITIONAL, "weighted_rc_similarity": TRADITIONAL, "canonical_similarity": RC}
    larger |= {"valid_auroc": RC, "valid_auprc": RC, "rc_difference": TRADITIONAL}
    rows = [
        {
            "model": model,
            "seed": seed,
            "best_match": "CTCF_known1" if model == RC and seed < 9 else None if seed else "RAD21_disc1",
            **{column: (seed + 20 * (who == model)) / 40 for column, who in larger.items()},
        }
        for model in (RC, TRADITIONAL)
        for seed in range(10)
    ]
    lines = fig5.judge(fig5._typed(pd.DataFrame(rows).assign(match_q=0.1))).split("\n")
    assert [line.endswith(f"higher in {TRADITIONAL}, p = 5.41e-06, corrected 2.71e-05") for line in lines[1:3]] == [
        True,
        True,
    ]
    assert [line.endswith(f"higher in {RC}, p = 5.41e-06, corrected 2.71e-05") for line in lines[3:6]] == [
        True,
        True,
        True,
    ]
    assert not any("not significantly" in line for line in lines)
    assert lines[1].startswith(
        f"RC similarity of the top filter: {TRADITIONAL} 0.61 (0.50 to 0.72), {RC} 0.11 (0.00 to 0.23)"
    )
    assert lines[6] == f"{RC}: top filter named CTCF in 9 of 10 seeds"
    assert lines[8] == f"{TRADITIONAL}: top filter named CTCF in 0 of 10 seeds"
    assert lines[9].endswith(": 0.72")


def test_the_typical_seed_is_that_of_the_median_auroc():
    results = pd.DataFrame({"model": [RC] * 4 + [TRADITIONAL], "seed": [3, 1, 0, 2, 7]})
    results["valid_auroc"] = [0.9, 0.7, 0.8, 0.6, 0.75]
    assert fig5._median_seed(results) == 1  # of 0.6, 0.7, 0.8 and 0.9, the lower of the middle two
    assert fig5._median_seed(results[1:]) == 1


def test_a_model_without_a_positive_score_has_no_weighted_similarity():
    table = pd.DataFrame({"contribution": [0.0, -1.0, 2.0], "rc_similarity": [0.5, 0.5, np.nan]})
    assert np.isnan(fig5._weighted_similarity(table))


def test_the_figure_shows_the_motif_one_rc_filter_and_four_traditional_ones(study, text_problems):
    titles = [ax.get_title("left") for ax in study.figure.axes[::2]]
    names = [title.partition(" · ")[0] for title in titles]
    assert names == [f"{CANONICAL} (bits)", "RC 1", *(f"Traditional {rank}" for rank in range(1, 5))]
    seed = int(re.fullmatch(r"seed (\d)", study.figure.texts[-1].get_text())[1])
    results = study.tables["results"]
    assert seed == results[results["model"] == RC].sort_values("valid_auroc")["seed"].iloc[0]
    assert text_problems(study.figure) == []


def test_filters_are_drawn_as_the_motif_stands():
    canonical = load_motifs("encode")[CANONICAL]
    for weight in (canonical, canonical[::-1, ::-1]):
        np.testing.assert_array_equal(fig5._turn_to(weight, canonical), canonical)


def test_more_seeds_leave_those_that_are_there_alone(study, folders, out, options, monkeypatch):
    trained = []

    def stop(run, place, reading):
        trained.append((run.label, run.seed))
        raise InterruptedError

    before = {path: path.stat().st_mtime_ns for folder in folders.values() for path in folder.rglob("*")}
    monkeypatch.setattr("rcinterp.studies._runner._complete", stop)
    with pytest.raises(InterruptedError):
        run_study(fig5.STUDY, out, Options(seeds=3, epochs=EPOCHS, data=options.data), progress=False)
    assert trained == [(RC, 2)]
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_other_settings_or_data_are_other_runs(folders, options, tfs):
    names = {folder.name for folder in folders.values()}
    for others in (
        Options(seeds=2, epochs=EPOCHS + 1, data=options.data),
        Options(seeds=2, epochs=EPOCHS, data=tfs[1:2]),
        Options(seeds=2, epochs=EPOCHS, data=options.data, recipe="quiet"),
    ):
        assert not names & {run.name for run in fig5.make_runs(others)}
