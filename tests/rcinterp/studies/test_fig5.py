"""A study of two seeds on a handful of sequences: its numbers are those of the parts, and stay what they are."""

import itertools
import json
import math
import re
from importlib.metadata import version
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from rcinterp.datasets import load_split
from rcinterp.demo import simulate_one_motif
from rcinterp.errors import InputError
from rcinterp.inference import predict
from rcinterp.metrics import evaluate
from rcinterp.models import count_parameters, load_model
from rcinterp.motifs import load_motifs
from rcinterp.sequences import decode, write_fasta
from rcinterp.similarity import compare_matrices
from rcinterp.studies import fig5
from rcinterp.studies.fig5 import CANONICAL, Fig5Settings, study_fig5
from rclayers import reverse_complement

SETTINGS = Fig5Settings(rc_filters=2, traditional_filters=5, width=15, epochs=1)
RUNS = [("rc", 0), ("traditional", 0), ("rc", 1), ("traditional", 1)]


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    for part, dataset in zip(("train", "valid"), simulate_one_motif(CANONICAL, 100, 100, seed=0), strict=True):
        write_fasta(folder / f"{part}_tiny.pos.fa.gz", decode(dataset.positives()))
        write_fasta(folder / f"{part}_tiny.neg.fa", decode(dataset.negatives()))
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("study") / "results" / "fig5"


@pytest.fixture(scope="module")
def study(data, folder):
    return study_fig5(data, folder, seeds=2, settings=SETTINGS, progress=False)


def run_folder(folder, row):
    return folder / "runs" / f"{row['model']}-seed{row['seed']}"


def files_below(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_files(study, folder):
    assert {path.name for path in folder.iterdir()} == {
        "results.tsv",
        "top_filters.tsv",
        "verdict.txt",
        "fig5.png",
        "fig5.svg",
        "runs",
    }
    assert {path.name for path in (folder / "runs").iterdir()} == {f"{model}-seed{seed}" for model, seed in RUNS}
    for run in (folder / "runs").iterdir():
        assert {"model.json", "model.safetensors", "report.html", "filters.tsv", "result.json"} <= files_below(run)
    assert not [name for name in files_below(folder) if name.endswith(".part")]
    pd.testing.assert_frame_equal(pd.read_csv(folder / "results.tsv", sep="\t"), study.results)
    pd.testing.assert_frame_equal(pd.read_csv(folder / "top_filters.tsv", sep="\t"), study.top_filters)
    assert (folder / "verdict.txt").read_text() == study.verdict + "\n"
    assert (folder / "fig5.png").read_bytes().startswith(b"\x89PNG")
    assert ElementTree.parse(folder / "fig5.svg").getroot().tag.endswith("svg")


def test_results_are_those_of_the_models(study, folder, data):
    _, valid = load_split(data)
    assert list(study.results.columns) == [
        "model",
        "seed",
        "n_parameters",
        "auroc",
        "auprc",
        "best_epoch",
        "rc_difference",
        "filter",
        "score",
        "similarity",
        "palindrome_p",
        "best_match",
        "q_value",
        "canonical_similarity",
        "weighted_similarity",
    ]
    assert list(zip(study.results["model"], study.results["seed"], strict=True)) == RUNS
    for row in study.results.to_dict("records"):
        model = load_model(run_folder(folder, row))
        assert model.architecture.rc == (row["model"] == "rc")
        assert model.architecture.n_filters == {"rc": 2, "traditional": 5}[row["model"]]
        assert model.provenance["seed"] == row["seed"]
        assert model.provenance["augment"] == (row["model"] == "traditional")
        assert row["n_parameters"] == count_parameters(model)
        scores = evaluate(model, valid).iloc[0]
        assert (row["auroc"], row["auprc"]) == (pytest.approx(scores["auroc"]), pytest.approx(scores["auprc"]))
        difference = (predict(model, valid.x) - predict(model, reverse_complement(valid.x))).abs().max()
        assert row["rc_difference"] == pytest.approx(float(difference), abs=1e-6)
        assert row["best_epoch"] == 1
    by_model = study.results.groupby("model")["rc_difference"]
    assert by_model.max()["rc"] < 1e-5
    assert by_model.min()["traditional"] > 1e-3


def test_top_filters_are_the_first_of_each_table(study, folder):
    canonical = load_motifs("encode")[CANONICAL]
    assert len(study.top_filters) == 2 * (2 + 4)
    for (model, seed), rows in study.top_filters.groupby(["model", "seed"]):
        run = run_folder(folder, {"model": model, "seed": seed})
        table = pd.read_csv(run / "filters.tsv", sep="\t")
        assert rows["rank"].tolist() == list(range(1, len(rows) + 1))
        for column in ("filter", "score", "similarity", "palindrome_p", "best_match", "q_value"):
            found, expected = rows[column].reset_index(drop=True), table[column].head(len(rows))
            pd.testing.assert_series_equal(found, expected, check_dtype=False)
        weights = load_model(run).conv1.weight.detach()
        for row in rows.to_dict("records"):
            weight = weights[int(row["filter"].removeprefix("filter_"))]
            assert row["canonical_similarity"] == pytest.approx(compare_matrices(weight, canonical).value, abs=1e-6)
        summary = study.results[(study.results["model"] == model) & (study.results["seed"] == seed)].iloc[0]
        assert summary["filter"] == rows["filter"].iloc[0]
        assert summary["canonical_similarity"] == rows["canonical_similarity"].iloc[0]
        positive = table[table["score"] > 0]
        weighted = (positive["similarity"] * positive["score"]).sum() / positive["score"].sum()
        assert summary["weighted_similarity"] == pytest.approx(weighted)


def slow_p_greater(one, other):
    """Share of all assignments of the values to two groups whose rank sum is at least the one observed."""
    values = [*one, *other]
    ranks = [sum(other <= value for other in values) for value in values]
    observed = sum(ranks[: len(one)])
    sums = [sum(chosen) for chosen in itertools.combinations(ranks, len(one))]
    return sum(total >= observed for total in sums) / len(sums)


def test_the_verdict_says_what_the_results_say(study):
    lines = study.verdict.split("\n")
    rc, traditional = (study.results[study.results["model"] == model] for model in ("rc", "traditional"))
    assert lines[0] == "2 seeds; one-sided exact Wilcoxon rank-sum tests (section 3.8)"
    for line, column, higher, other in (
        (lines[1], "similarity", traditional, rc),
        (lines[2], "weighted_similarity", traditional, rc),
        (lines[3], "canonical_similarity", rc, traditional),
    ):
        p = slow_p_greater(higher[column], other[column])
        assert line.endswith(f", p = {p:.3g}")
        assert ("not significantly higher" in line) == (p >= 0.05)
        for rows in (rc, traditional):
            assert f"{rows[column].mean():.2f} ({rows[column].min():.2f} to {rows[column].max():.2f})" in line
    assert f"RC {rc['auroc'].mean():.4f}" in lines[4]
    assert lines[5] == f"largest |logit(x) - logit(rc x)| of the RC models: {rc['rc_difference'].max():.2g}"
    assert lines[6].endswith(f"traditional models: {traditional['rc_difference'].max():.2g}")
    assert len(lines) == 7


@pytest.mark.parametrize("seed", range(5))
def test_the_test_is_exact(seed):
    values = np.random.default_rng(seed).normal(size=9)
    one, other = (pd.DataFrame({"x": part}) for part in (values[:4], values[4:]))
    assert fig5._p_greater(one, other, "x") == pytest.approx(slow_p_greater(values[:4], values[4:]), rel=1e-12)


def test_two_groups_of_ten_that_do_not_overlap_have_the_paper_s_p_value():
    high, low = (pd.DataFrame({"x": np.arange(10.0) + shift}) for shift in (10, 0))
    assert fig5._p_greater(high, low, "x") == pytest.approx(1 / math.comb(20, 10), rel=1e-12)
    assert f"{fig5._p_greater(high, low, 'x'):.3e}" == "5.413e-06"
    assert fig5._p_greater(low, high, "x") == 1


def test_the_verdict_of_a_clear_case():
    """Ten seeds, in which everything is as the paper has it."""
    columns = ("similarity", "weighted_similarity", "canonical_similarity", "auroc", "rc_difference")
    rows = [
        {
            "model": model,
            **{column: (i + 20 * (larger == model)) / 40 for column, larger in zip(columns, who, strict=True)},
        }
        for model in ("rc", "traditional")
        for i in range(10)
        for who in [("traditional", "traditional", "rc", "rc", "traditional")]
    ]
    lines = fig5._judge(pd.DataFrame(rows)).split("\n")
    assert [line.endswith("higher in the traditional model, p = 5.41e-06") for line in lines[1:3]] == [True, True]
    assert lines[3].endswith("higher in the RC model, p = 5.41e-06")
    assert not any("not significantly" in line for line in lines)
    assert lines[1].startswith("palindrome score of the top filter: traditional 0.61 (0.50 to 0.72), RC 0.11 (0.00")


def test_the_typical_seed_is_that_of_the_median_auroc():
    results = pd.DataFrame({"model": ["rc"] * 4 + ["traditional"], "seed": [3, 1, 0, 2, 7]})
    results["auroc"] = [0.9, 0.7, 0.8, 0.6, 0.75]
    assert fig5._median_seed(results) == 1  # of 0.6, 0.7, 0.8 and 0.9, the lower of the middle two
    assert fig5._median_seed(results[1:]) == 1


def test_a_model_without_a_positive_score_has_no_weighted_similarity():
    table = pd.DataFrame({"score": [0.0, -1.0, 2.0], "similarity": [0.5, 0.5, np.nan]})
    assert np.isnan(fig5._weighted_similarity(table))


def test_the_figure_shows_the_motif_one_rc_filter_and_four_traditional_ones(study):
    titles = [ax.get_title("left") for ax in study.figure.axes[::2]]
    names = [title.partition(" · ")[0] for title in titles]
    assert names == [f"{CANONICAL} (bits)", "RC 1", *(f"Traditional {rank}" for rank in range(1, 5))]
    seed = int(re.fullmatch(r"seed (\d)", study.figure.texts[-1].get_text())[1])
    assert seed == study.results[study.results["model"] == "rc"].sort_values("auroc")["seed"].iloc[0]


def test_filters_are_drawn_as_the_motif_stands():
    canonical = load_motifs("encode")[CANONICAL]
    for weight in (canonical, canonical[::-1, ::-1]):
        np.testing.assert_array_equal(fig5._turn_to(weight, canonical), canonical)


def test_a_finished_study_trains_nothing(study, folder, data, monkeypatch):
    def fail(*_, **__):
        raise AssertionError("trained again")

    before = {name: (folder / name).read_bytes() for name in files_below(folder)}
    monkeypatch.setattr(fig5, "fit", fail)
    again = study_fig5(data, folder, seeds=2, settings=SETTINGS, progress=False)
    pd.testing.assert_frame_equal(again.results, study.results, check_exact=True)
    pd.testing.assert_frame_equal(again.top_filters, study.top_filters, check_exact=True)
    assert again.verdict == study.verdict
    assert {name: (folder / name).read_bytes() for name in files_below(folder)} == before
    with pytest.raises(AssertionError, match="trained again"):
        study_fig5(data, folder, seeds=3, settings=SETTINGS, progress=False)


def test_the_same_study_elsewhere_gives_the_same_files(study, folder, data, tmp_path):
    """... of a run, however many others there are; but the header of a checkpoint has no fixed order."""
    other = study_fig5(data, tmp_path, seeds=1, settings=SETTINGS, progress=False)
    pd.testing.assert_frame_equal(other.results, study.results[study.results["seed"] == 0], check_exact=True)
    for name in files_below(tmp_path / "runs") - {f"{model}-seed0/checkpoint.safetensors" for model, _ in RUNS}:
        here, there = (tmp_path / "runs" / name).read_bytes(), (folder / "runs" / name).read_bytes()
        assert here == there, name


def test_other_settings_or_data_are_refused(study, folder, data, tmp_path):
    changed = Fig5Settings(rc_filters=2, traditional_filters=5, width=15, epochs=2)
    with pytest.raises(InputError, match=r"rc-seed0/result.json: a result of other settings or data than asked for"):
        study_fig5(data, folder, seeds=2, settings=changed, progress=False)
    for path in data.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    write_fasta(tmp_path / "valid_tiny.neg.fa", ["ACGTA" * 20, "CCGTA" * 20])
    with pytest.raises(InputError, match="other settings or data"):
        study_fig5(tmp_path, folder, seeds=2, settings=SETTINGS, progress=False)


def test_settings_of_the_paper(folder, study):
    assert Fig5Settings() == Fig5Settings(rc_filters=8, traditional_filters=16, width=15, epochs=80)
    kept = json.loads((folder / "runs/rc-seed1/result.json").read_text())["settings"]
    assert (kept["model"], kept["seed"], kept["epochs"]) == ("rc", 1, 1)
    assert kept["rcinterp"] == version("rcinterp")
    assert len(kept["train_sha256"]) == len(kept["valid_sha256"]) == 64


def test_bad_arguments(data, tmp_path):
    with pytest.raises(InputError, match="got seeds=0, expected at least 1"):
        study_fig5(data, tmp_path, seeds=0)
    with pytest.raises(InputError, match=r"expected a folder with one file train\*.pos.fa\*, got none"):
        study_fig5(tmp_path, tmp_path / "out")
