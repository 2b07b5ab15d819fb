"""The study of trained models: truth by hand, planted filters, and the cross table."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from rcinterp.motifs import load_motifs, reverse_complement_motif
from rcinterp.studies import recovery, triage
from rcinterp.studies._data import Simulated
from rcinterp.studies._runs import Run
from rcinterp.studies._study import Options
from rcinterp.training.models import compact_model

ENCODE = load_motifs("encode")
MYC, RXRA = "MYC_known1", "RXRA_known1"


def test_runs_are_those_of_recovery():
    runs = triage.make_runs(Options(seeds=2))
    assert {run.name for run in runs} < {run.name for run in recovery.make_runs(Options(seeds=2))}
    assert len(runs) == 2 * 2 * 2
    assert {run.label for run in runs} == set(triage.MODELS)


@pytest.mark.parametrize(
    ("palindrome", "motif", "truth"),
    [
        (0.8, 0.2, triage.ARTEFACT),
        (0.79, 0.2, triage.PARTIAL),
        (0.45, 0.74, triage.PARTIAL),
        (0.44, 0.2, triage.PLAIN),
        (0.9, 0.75, triage.OF_PALINDROME),
        (0.5, 0.99, triage.OF_PALINDROME),
        (0.3, 0.99, triage.HALF_OF_PALINDROME),
        (0.8, None, triage.UNKNOWN),
        (0.3, None, triage.UNKNOWN_PLAIN),
    ],
)
def test_truth_by_hand(palindrome, motif, truth):
    assert triage.judge_truth(palindrome, motif) == truth


def plant(weights):
    """A traditional model in which each filter fires above 40 % of its best score, for both tasks alike."""
    model = compact_model(1, len(weights), 200, rc=False, n_tasks=2, widths=(21,), pool=20, stride=20).eval()
    with torch.no_grad():
        model.conv1.weight.copy_(torch.tensor(np.stack(weights)))
        model.conv1.bias.copy_(torch.tensor([-0.4 * weight.max(0).sum() for weight in weights]))
        head = torch.tensor([[1.0, 0, 0], [0, 1, 0]])
        model.head.weight.copy_(head.repeat_interleave(model.architecture.pooled_length, dim=1))
    return model


def test_planted_filters(tmp_path):
    def odds(ppm):
        weight = np.zeros((4, 21))
        weight[:, : ppm.shape[1]] = np.log2((ppm + 0.01) / 1.04 / 0.25)
        return weight

    rxra = ENCODE[RXRA]
    weights = [odds((rxra + reverse_complement_motif(rxra)) / 2), odds(ENCODE[MYC]), odds(rxra)]
    run = Run("planted", Simulated((RXRA, MYC), n_per_motif=500, label_noise=0.0, seed=3), 0, {"rc": False})
    found = triage.read(plant(weights), run, tmp_path)
    assert json.loads(json.dumps(found)) == found
    rows = found["filters"]  # the third has no weight in the head: it is not live
    assert [(row["filter"], row["truth"], row["triage"]) for row in rows] == [
        ("filter_0", triage.ARTEFACT, "artefact hybrid"),
        ("filter_1", triage.OF_PALINDROME, "true palindrome"),
    ]
    assert [row["site_motif"] for row in rows] == [RXRA, MYC]
    assert rows[1]["triage_motif"] == MYC
    assert rows[0]["weaker_share"] > 0.4


def test_a_model_without_live_filters(tmp_path):
    run = Run("dead", Simulated((RXRA, MYC), n_per_motif=100, label_noise=0.0, seed=3), 0, {"rc": False})
    assert triage.read(plant([np.ones((4, 21))] * 3), run, tmp_path) == {"filters": []}


def test_the_table_counts_filters():
    row = {
        "filter": "f",
        "rc_similarity": 0.9,
        "site_motif": RXRA,
        "truth": triage.ARTEFACT,
        "triage": "artefact hybrid",
    }
    row |= {"triage_motif": RXRA}
    other = row | {"truth": triage.PLAIN, "triage": "none"}
    misnamed = row | {"triage_motif": MYC}
    runs = [
        Run(label, Simulated((RXRA, MYC)), seed, {"rc": label == "RC"}) for seed in (0, 1) for label in triage.MODELS
    ]
    found = triage.report(runs, [{"filters": [row, other]}, {"filters": [row, misnamed]}] * 2)
    counts = found.tables["classes"]
    assert counts.columns.tolist() == ["data", "model", "truth", *triage.CLASSES]
    assert counts[["model", "truth", "artefact hybrid", "none"]].values.tolist() == [
        ["RC", triage.ARTEFACT, 2, 0],
        ["RC", triage.PLAIN, 0, 2],
        ["traditional, augmented", triage.ARTEFACT, 4, 0],
    ]
    assert found.verdict.split("\n")[1:] == [
        f"{triage.ARTEFACT} (6): artefact hybrid 6",
        f"{triage.PLAIN} (2): none 2",
        "artefact hybrids named as the motif that their sites lie on: 4 of 6",
    ]
    assert len(found.tables["filters"]) == 8
    assert isinstance(found.tables["results"], pd.DataFrame)
    assert found.figure.axes[0].get_xlabel() == "live filters"
