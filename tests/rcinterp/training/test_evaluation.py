"""Performance with intervals, and calibration, of logits whose truth is known."""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from click.testing import CliRunner
from scipy.special import expit
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from rcinterp.cli import main
from rcinterp.data.sequences import decode, write_fasta
from rcinterp.errors import InputError
from rcinterp.training.evaluation import _Ranked, measure_performance
from rcinterp.training.models import compact_model
from rcinterp.training.saving import save_model


def draw(n, seed, slope=1.0):
    """Labels that are drawn from the probabilities of logits, and logits that may be too steep."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(-1, 2, n)
    y = rng.random(n) < 1 / (1 + np.exp(-logits))
    return slope * logits[y], slope * logits[~y]


def test_values_are_scikit_learn_s():
    positives, negatives = draw(500, 0)
    found = measure_performance(positives, negatives, n_resamples=20)
    y, z = np.repeat([1, 0], [len(positives), len(negatives)]), np.concatenate([positives, negatives])
    assert found.loc["auroc", "value"] == pytest.approx(roc_auc_score(y, z))
    assert found.loc["auprc", "value"] == pytest.approx(average_precision_score(y, z))
    assert found.loc["brier", "value"] == pytest.approx(brier_score_loss(y, 1 / (1 + np.exp(-z))))
    assert found.loc["positive_share", ["value", "low", "high"]].tolist() == pytest.approx([y.mean()] * 3)
    given = found.drop(index="calibration_error")
    assert (given["low"] <= given["high"]).all()


def test_samples_are_scikit_learn_s_with_weights_and_ties():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=60).round(1)  # some of them equal
    ranked = _Ranked(logits, 25)
    order, y = np.argsort(-logits, kind="stable"), np.arange(60) < 25
    for _ in range(5):
        weights = ranked.draw(rng)
        assert (weights[ranked.y == 1].sum(), weights.sum()) == (25, 60)
        found = ranked.measure(weights)
        assert found["auroc"] == pytest.approx(roc_auc_score(y[order], logits[order], sample_weight=weights))
        assert found["auprc"] == pytest.approx(average_precision_score(y[order], logits[order], sample_weight=weights))


def test_calibrated_logits_and_others():
    right, steep = (measure_performance(*draw(5000, 0, slope), n_resamples=20)["value"] for slope in (1, 5))
    assert right["calibration_error"] < 0.02 < 0.05 < steep["calibration_error"]
    assert right["mean_probability"] == pytest.approx(right["positive_share"], abs=0.02)
    assert right["auroc"] == pytest.approx(steep["auroc"])


def test_intervals_cover_the_truth():
    """Of the area under the curve of two normal distributions, which is known."""
    from scipy.stats import norm

    truth, covered = norm.cdf(1 / np.sqrt(2)), []
    for seed in range(100):
        rng = np.random.default_rng(seed)
        row = measure_performance(rng.normal(1, 1, 60), rng.normal(0, 1, 60), n_resamples=200, seed=seed).loc["auroc"]
        covered.append(row["low"] <= truth <= row["high"])
    assert np.mean(covered) >= 0.88


def test_the_same_seed_gives_the_same_numbers():
    one, same, other = (measure_performance(*draw(200, 0), n_resamples=20, seed=seed) for seed in (0, 0, 1))
    pd.testing.assert_frame_equal(one, same)
    assert not one.equals(other)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros(9), np.zeros(20)), "positives: got 9 sequences, expected at least 10 for an interval"),
        ((np.zeros(20), np.zeros(0)), "negatives: got 0 sequences"),
        ((np.zeros(20), np.full(20, np.nan)), "negatives: a logit is not finite"),
    ],
)
def test_too_few_or_no_numbers(arguments, message):
    with pytest.raises(InputError, match=message):
        measure_performance(*arguments)


def test_on_the_command_line(dna, tmp_path):
    torch.manual_seed(0)
    save_model(compact_model(1, 3, 41, widths=(8,), pool=10, stride=4), tmp_path / "model")
    for seed, name in enumerate(("pos.fa", "neg.fa")):
        write_fasta(tmp_path / name, decode(dna(30, 41, seed)))
    files = ["--positives", str(tmp_path / "pos.fa"), "--negatives", str(tmp_path / "neg.fa")]
    result = CliRunner().invoke(main, ["evaluate", str(tmp_path / "model"), *files])
    assert result.exit_code == 0, result.stderr
    lines = [line.split("\t") for line in result.stdout.splitlines()]
    assert lines[0] == ["measure", "value", "low", "high"]
    result = CliRunner().invoke(main, ["evaluate", str(tmp_path / "model"), *files, "--json"])
    found = json.loads(result.stdout)
    assert set(found) == {line[0] for line in lines[1:]}
    assert found["auroc"]["value"] == pytest.approx(float(lines[1][1]), rel=1e-5)


@pytest.mark.parametrize("n", [20, 50])
def test_intervals_of_few_sequences_cover_the_truth(n):
    """Of those that are given: 93 % and more, three standard errors of 200 draws apart (0.876)."""
    from scipy.stats import norm

    rng = np.random.default_rng(9)
    many = measure_performance(2 * rng.normal(1, 1, 10**6), 2 * rng.normal(-1, 1, 10**6), n_resamples=1)["value"]
    truth = many.to_dict() | {"auroc": norm.cdf(np.sqrt(2))}
    covered = {name: [] for name in ("auroc", "auprc", "brier", "mean_probability")}
    for seed in range(200):
        rng = np.random.default_rng((n, seed))
        found = measure_performance(2 * rng.normal(1, 1, n), 2 * rng.normal(-1, 1, n), n_resamples=200, seed=seed)
        for name, row in found.loc[list(covered)].iterrows():
            if np.isfinite(row["low"]):
                covered[name].append(row["low"] <= truth[name] <= row["high"])
    assert min(map(len, covered.values())) > 100
    assert all(np.mean(of) >= 0.876 for of in covered.values())


def test_there_is_no_interval_where_hardly_any_sequence_is_ranked_wrongly():
    rng = np.random.default_rng(0)
    found = measure_performance(rng.normal(9, 1, 40), rng.normal(-9, 1, 40), n_resamples=50)
    assert found.drop(index="positive_share")[["low", "high"]].isna().all(axis=None)
    assert found.loc["positive_share", ["low", "high"]].tolist() == [0.5, 0.5]


def test_rare_mistakes_leave_the_mean_probability_without_an_interval_if_none_is_seen():
    """One negative in twenty is called positive, with certainty; in a third of the draws of 20 none is."""

    def draw(seed, n):
        rng = np.random.default_rng(seed)
        return rng.normal(8, 1, n), np.where(rng.random(n) < 0.05, 8, -8) + rng.normal(size=n)

    truth = np.mean([expit(logits).mean() for logits in draw(0, 10**6)])
    holds = []
    for seed in range(1, 101):
        row = measure_performance(*draw(seed, 20), n_resamples=200).loc["mean_probability"]
        holds += [row["low"] <= truth <= row["high"]] if np.isfinite(row["low"]) else []
    assert len(holds) > 30
    assert np.mean(holds) >= 0.93


def test_the_mean_probability_of_unsure_models_has_an_interval_however_well_they_rank():
    found = measure_performance(np.linspace(1, 3, 20), np.linspace(-3, -1, 20), n_resamples=50)
    assert found.loc["auroc", "value"] == 1
    assert found.loc["mean_probability", ["low", "high"]].notna().all()


def test_the_error_of_calibration_has_no_interval():
    """That of few sequences is too large: no interval about it would hold that of the model."""
    rng = np.random.default_rng(0)
    found = measure_performance(rng.normal(1, 1, 500), rng.normal(-1, 1, 500), n_resamples=50)
    assert found.loc["calibration_error", ["low", "high"]].isna().all()
    assert found.drop(index="calibration_error")[["low", "high"]].notna().all(axis=None)


def test_the_brier_score_has_an_interval_of_fewer_mistakes():
    """20 of 1,600 pairs are ranked wrongly: half a sequence of 40."""
    positives, negatives = np.linspace(1, 9, 40), np.linspace(-9, -1, 40)
    negatives[-1] = positives[20] - 0.01
    found = measure_performance(positives, negatives, n_resamples=50)
    assert 40 * (1 - found.loc["auroc", "value"]) == pytest.approx(0.5)
    assert found.loc["brier", ["low", "high"]].notna().all()
    assert found.loc[["auroc", "auprc", "calibration_error"], ["low", "high"]].isna().all(axis=None)
