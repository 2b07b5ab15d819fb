"""Predictions from both strands: which models, and how far they agree, computed slowly."""

import json
import math
import shutil

import numpy as np
import pytest
import torch

from rcinterp.reading.model import one_thread
from rcinterp.studies import fig4
from rcinterp.studies._data import Folder
from rcinterp.studies._study import Options
from rcinterp.training.models import compact_model
from rclayers import reverse_complement

PLAIN, AUGMENTED, RC = "traditional, 16 filters", "traditional, 16 filters, augmented", "RC, 16 filters"
AS_MANY_CHANNELS = "traditional, 32 filters, augmented"
MODELS = (PLAIN, AUGMENTED, AS_MANY_CHANNELS, RC)


def test_runs_are_those_of_section_3_4_2(tfs):
    runs = fig4.make_runs(Options(data=tfs[1:2]))
    assert [(run.label, run.seed) for run in runs] == [(m, s) for s in range(10) for m in MODELS]
    for run in runs:
        n_filters = 32 if run.label == AS_MANY_CHANNELS else 16
        assert run.model == {"n_layers": 3, "n_filters": n_filters, "rc": run.label == RC}
        augmented = run.label in (AUGMENTED, AS_MANY_CHANNELS)
        assert run.training == {"patience": None} | ({"augment": True} if augmented else {})
        assert (run.recipe, run.parts, run.conjoined) == ("paper", None, False)  # 80 epochs are the recipe's own
        assert run.data == Folder(tfs[1])
    assert compact_model(length=1000, **runs[0].model).architecture.widths == (15, 14, 14)
    assert {run.training["epochs"] for run in fig4.make_runs(Options(data=tfs[:1], small=True))} == {5}
    assert {run.training["epochs"] for run in fig4.make_runs(Options(data=tfs[:1], epochs=2))} == {2}


def slow_numbers(model, x):
    """Sequence by sequence."""
    pairs = []
    for sequence in x:
        strands = (sequence[None], reverse_complement(sequence[None]))
        with torch.no_grad(), one_thread():
            pairs.append([1 / (1 + math.exp(-model(strand).item())) for strand in strands])
    n = len(pairs)
    means = [sum(pair[i] for pair in pairs) / n for i in range(2)]
    products = [sum((pair[i] - means[i]) * (pair[j] - means[j]) for pair in pairs) for i, j in ((0, 0), (1, 1), (0, 1))]
    differences = [abs(a - b) for a, b in pairs]
    return {
        "strand_correlation": products[2] / math.sqrt(products[0] * products[1]),
        "largest_difference": max(differences),
        "mean_difference": sum(differences) / n,
        "called_by_one_strand_only": sum((a > 0.5) != (b > 0.5) for a, b in pairs) / n,
        "forward": [a for a, _ in pairs],
        "reverse": [b for _, b in pairs],
    }


@pytest.fixture
def random_model():
    """Give ``random_model(rc, x)``, half of whose logits of x are above 0."""

    def make(rc, x):
        torch.manual_seed(3)
        model = compact_model(3, 4, 100, rc=rc).double().eval()
        with torch.no_grad(), one_thread():
            model.head.bias -= model(x.double()).median()
        return model

    return make


@pytest.mark.parametrize("n", [5, 10_000])
def test_reading_against_a_slow_computation(tfs, monkeypatch, tmp_path, random_model, n):
    monkeypatch.setattr(fig4, "N_SEQUENCES", n)
    run = fig4.make_runs(Options(data=tfs[:1]))[0]
    x = run.data.load()[1].x
    model = random_model(rc=False, x=x)
    found, every = fig4.read(model, run, tmp_path), slow_numbers(model, x.double())
    chosen = [every["forward"].index(pytest.approx(value, abs=1e-12)) for value in found["forward"]]
    assert len(set(chosen)) == min(n, 36)
    assert len(set(run.data.load()[1].y[chosen, 0].tolist())) == 2, "both classes"
    expected = slow_numbers(model, x[chosen].double())
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-12), name
    if n > 5:
        assert 0.1 < found["called_by_one_strand_only"] < 0.9  # so that the threshold matters
    json.dumps(found)


def test_a_test_set_is_read_where_there_is_one(tfs, tmp_path, random_model):
    folder = tmp_path / "data"
    shutil.copytree(tfs[0], folder)
    for label, other in (("pos", "neg"), ("neg", "pos")):  # of the same sizes
        shutil.copy(next(folder.glob(f"train*.{label}.fa*")), folder / f"test.{other}.fa")
    run = fig4.make_runs(Options(data=(folder,)))[0]
    _, valid, test = run.data.load()
    model = random_model(rc=False, x=test.x)
    found = fig4.read(model, run, tmp_path)
    with torch.no_grad(), one_thread():
        expected = model(test.x.double())[:, 0].sigmoid()
    assert found["forward"] == pytest.approx(expected.tolist(), abs=1e-12)  # in the order of the test set alone
    assert len(test) != len(valid)


def test_rc_models_differ_by_nothing(tfs, tmp_path, random_model):
    run = fig4.make_runs(Options(data=tfs[:1]))[-1]
    model = random_model(rc=True, x=run.data.load()[1].x).float()
    found = fig4.read(model, run, tmp_path)
    assert (found["largest_difference"], found["mean_difference"], found["called_by_one_strand_only"]) == (0, 0, 0)
    assert found["strand_correlation"] == pytest.approx(1, abs=1e-12)
    assert np.ptp(found["forward"]) > 0.001


def strands(run):
    rng = np.random.default_rng(run.seed)
    forward = rng.random(7)
    reverse = forward if run.label == RC else rng.random(7)
    return {
        "strand_correlation": float(np.corrcoef(forward, reverse)[0, 1]),
        "largest_difference": float(abs(forward - reverse).max()),
        "mean_difference": float(abs(forward - reverse).mean()),
        "called_by_one_strand_only": 0.0 if run.label == RC else 0.25,
        "forward": forward.tolist(),
        "reverse": reverse.tolist(),
    }


@pytest.fixture(scope="module")
def study(tfs, made_up):
    runs = fig4.make_runs(Options(data=tfs[:1], seeds=3))
    results = made_up(runs, strands)
    return runs, results, fig4.report(runs, results)


def test_tables_and_verdict(study):
    _, results, found = study
    lines = found.verdict.split("\n")
    assert lines[0].startswith("3 seeds; probabilities of each sequence and of its reverse complement")
    for i, label in enumerate(MODELS):
        rows = results[i::4]
        r = [row["strand_correlation"] for row in rows]
        assert lines[1 + i] == (
            f"{label}: correlation {np.mean(r):.4f} ({min(r):.4f} to {max(r):.4f}), largest difference "
            f"{max(row['largest_difference'] for row in rows):.2g}, called bound from one strand only "
            f"{0.0 if label == RC else 25.0} % of sequences"
        )
    assert lines[5:] == ["predictions of the RC models from both strands are identical"]
    assert "forward" not in found.tables["results"]
    summary = found.tables["summary"]
    assert summary["model"].tolist() == list(MODELS)
    assert summary["mean_difference_mean"].tolist() == pytest.approx(
        [np.mean([row["mean_difference"] for row in results[i::4]]) for i in range(4)]
    )


def test_rc_models_that_differ_are_told(study):
    table = study[2].tables["results"].copy()
    table.loc[table["model"] == RC, "largest_difference"] = [0.0, 2e-6, 0.0]
    assert fig4.judge(table).endswith("from both strands are NOT identical")


def test_figure_shows_the_first_seed(study, text_problems):
    runs, results, found = study
    titles = [ax.get_title().split("\n") for ax in found.figure.axes]
    r = [f"r = {result['strand_correlation']:.4f}" for result in results[:4]]
    assert titles == [[label, text] for label, text in zip(MODELS, r, strict=True)]
    for ax, result in zip(found.figure.axes, results, strict=False):
        (line,) = ax.lines
        assert (line.get_xdata().tolist(), line.get_ydata().tolist()) == (result["forward"], result["reverse"])
    colours = [ax.lines[0].get_color() for ax in found.figure.axes]
    assert colours[0] == colours[1] == colours[2] != colours[3] == "#1b7837"  # RC is green in every figure
    assert text_problems(found.figure) == []
    assert runs[0].seed == 0
