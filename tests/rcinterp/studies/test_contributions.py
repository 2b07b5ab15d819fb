"""The study of contributions: rankings by hand, planted filters, and the table of names."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from rcinterp.interpretation.verdicts import SITES_P_VALUE
from rcinterp.motifs import load_motifs
from rcinterp.studies import contributions, recovery
from rcinterp.studies._data import Simulated
from rcinterp.studies._runs import Run
from rcinterp.studies._study import Options
from rcinterp.training.models import compact_model

MYC, RXRA = "MYC_known1", "RXRA_known1"


def test_runs_are_those_of_recovery():
    runs = contributions.make_runs(Options(seeds=2))
    assert {run.name for run in runs} < {run.name for run in recovery.make_runs(Options(seeds=2))}
    assert {run.label for run in runs} == set(contributions.MODELS)


def test_rankings_by_hand():
    right = np.array([True, False, True, False, False])
    found = contributions.rank_well(np.array([5.0, 4, 3, 2, 1]), right)
    assert found == {
        "precision_at_1": 1.0,
        "precision_at_k": 0.5,
        "average_precision": pytest.approx((1 + 2 / 3) / 2),
        "chance": 0.4,
    }
    assert contributions.rank_well(np.array([1.0, 5, 2, 3, 4]), right)["precision_at_k"] == 0
    assert contributions.precision(np.array([1.0, 5, 2, 3, 4]), right, 4) == 0.25


def test_planted_filters(tmp_path):
    """One filter a motif, each in its own task, and one of noise that weighs nothing."""
    encode = load_motifs("encode")
    weights = np.zeros((3, 4, 21))
    for f, name in enumerate((RXRA, MYC)):
        weights[f, :, : encode[name].shape[1]] = np.log2((encode[name] + 0.01) / 1.04 / 0.25)
    weights[2] = np.random.default_rng(0).normal(size=(4, 21))
    model = compact_model(1, 3, 200, rc=False, n_tasks=2, widths=(21,), pool=20, stride=20).eval()
    with torch.no_grad():
        model.conv1.weight.copy_(torch.tensor(weights))
        model.conv1.bias.copy_(torch.tensor([-0.4 * weight.max(0).sum() for weight in weights]))
        head = torch.tensor([[1.0, 0, 1e-6], [0, 1, 1e-6]])
        model.head.weight.copy_(head.repeat_interleave(model.architecture.pooled_length, dim=1))
    run = Run("planted", Simulated((RXRA, MYC), n_per_motif=500, label_noise=0.0, seed=3), 0, {"rc": False})
    found = contributions.read(model, run, tmp_path)
    assert json.loads(json.dumps(found)) == found
    assert (found["precision_at_1"], found["precision_at_k"], found["average_precision"]) == (1, 1, 1)
    by_ranking = {(row["motif"], row["ranking"]): row["precision_at_k"] for row in found["rankings"]}
    assert len(by_ranking) == 2 * len(contributions.RANKINGS)
    assert by_ranking[MYC, "norm"] == 0  # the noise has the largest weights
    names = {row["filter"]: row for row in found["names"]}
    assert [names[f"filter_{f}"]["site_motif"] for f in range(2)] == [RXRA, MYC]
    assert [names[f"filter_{f}"]["is_right"] for f in range(2)] == [True, True]
    assert [names[f"filter_{f}"]["task"] for f in range(2)] == [RXRA, MYC]
    assert not names["filter_2"]["live"]
    assert names["filter_2"]["sites_p"] > SITES_P_VALUE > names["filter_0"]["sites_p"]


def test_names_are_counted_by_kind_and_p_value():
    names = pd.DataFrame(
        {
            "live": [True, True, True, False],
            "site_motif": [MYC, MYC, None, None],
            "n_sites": [50, 50, 50, 50],
            "sites_p": [1e-20, 1e-20, 2e-3, 0.5],
            "match_q": [1e-5, 1e-5, 1e-3, 0.005],
            "match_shuffled_p": [0.01, 0.01, 0.02, 0.01],
            "is_right": [True, False, False, False],
        }
    )

    def count(names):
        return contributions.tabulate_names(names).set_index("sites_p")

    table = count(names)
    assert table.loc[1.0].tolist() == [2, 2, 1, 1, 1, 1, 1]
    assert table.loc[SITES_P_VALUE].tolist() == [2, 2, 1, 0, 1, 0, 1]
    assert (table["on_a_motif"] == 2).all()
    for change in ({"match_q": 0.02}, {"match_shuffled_p": 0.03}, {"n_sites": 19}):
        none = count(names.assign(**change))
        assert (none[["on_a_motif_named", "live_on_none_named", "not_live_on_none_named"]] == 0).all(axis=None)
