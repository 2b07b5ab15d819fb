"""The whole job at full size: the demo, and figure 5's RC model on real CTCF data. Minutes: run by `make test-slow`."""

import pandas as pd
import pytest

from rcinterp import compact_model, fit, interpret, predict
from rcinterp.data.datasets import load_split
from rcinterp.demo import run_demo
from rcinterp.reading.model import one_thread
from rclayers import reverse_complement

pytestmark = pytest.mark.slow


def test_the_demo_names_ctcf(tmp_path):
    report = run_demo(tmp_path)
    assert report.stat().st_size > 100_000
    for model in ("rc", "traditional"):
        top = pd.read_csv(tmp_path / model / "filters.tsv", sep="\t").iloc[0]
        assert top["best_match"].startswith("CTCF")
        assert top["match_q"] < 1e-6


@pytest.mark.parametrize(
    ("recipe", "options", "auroc"), [("paper", {"epochs": 40, "patience": None}, 0.91), ("quiet", {}, 0.94)]
)
def test_the_rc_model_of_figure_5_on_real_data(reference, recipe, options, auroc):
    """GM12878 CTCF, chr21 -> chr22, seed 0: the numbers of docs/evidence/results.md."""
    train, valid = load_split(reference / "ctcf_gm12878_hg19/w300pad")
    model = compact_model(1, 8, train.length)
    with one_thread():
        history = fit(model, train, valid, seed=0, recipe=recipe, progress=False, **options)
    assert history["valid_auroc"].max() >= auroc
    assert (predict(model, valid.x) - predict(model, reverse_complement(valid.x))).abs().max() < 1e-5
    top = interpret(model, valid.positives(), valid.negatives()).table.iloc[0]
    assert top["best_match"].startswith("CTCF")
    assert top["match_q"] < 0.01
