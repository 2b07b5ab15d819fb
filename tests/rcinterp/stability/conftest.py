"""Interpretations made by hand: filters that are known motifs, moved, turned and blurred."""

import numpy as np
import pandas as pd
import pytest

from rcinterp.interpretation import Interpretation
from rcinterp.interpretation.settings import Settings
from rcinterp.motifs import information_content, load_motifs, reverse_complement_motif

WIDTH = 23


@pytest.fixture(scope="session")
def known():
    return load_motifs("encode")


@pytest.fixture(scope="session")
def place(known):
    """Give ``place(name, start, turned=False, blur=0.1)``: a motif in a window of 23 bp, uniform around it."""

    def make(name, start, turned=False, blur=0.1):
        motif = known[name]
        window = np.full((4, WIDTH), 0.25)
        for j in range(motif.shape[1]):
            if 0 <= start + j < WIDTH:
                window[:, start + j] = (1 - blur) * motif[:, j] + blur / 4
        return reverse_complement_motif(window) if turned else window

    return make


@pytest.fixture(scope="session")
def interpretation():
    """Give ``interpretation([(name, ppm, score, n_sites, sites_p), ...])``: what `interpret` would return."""

    def make(filters, auroc=0.9):
        rows = [
            {
                "filter": name,
                "contribution": score,
                "mean_positive": score,
                "mean_negative": 0.0,
                "sites_in": None if n_sites is None else "positives",
                "n_sites": n_sites,
                "n_other_sites": None if n_sites is None else 0,
                "sites_p": sites_p,
                "information": information_content(ppm).sum(),
            }
            for name, ppm, score, n_sites, sites_p in filters
        ]
        table = pd.DataFrame(rows).astype({"n_sites": "Int64", "n_other_sites": "Int64", "sites_p": float})
        table = table.sort_values("contribution", ascending=False, kind="stable", ignore_index=True)
        ppms = {name: ppm for name, ppm, *_ in filters}
        empty = dict.fromkeys(("contributions", "palindromes", "matches", "triage", "sites"), pd.DataFrame())
        return Interpretation(
            table=table,
            **empty,
            filters={},
            ppms=ppms,
            performance={"auroc": auroc, "auprc": auroc - 0.01},
            faithfulness=None,
            settings=Settings(),
            layer="conv1",
            unit="weight",
            length=100,
            is_probability=False,
        )

    return make


@pytest.fixture(scope="session")
def three(place, interpretation):
    """CTCF in all three models, in two filters of the first; SPI1 in two; MYC in one; and what is left out."""
    uniform = np.full((4, WIDTH), 0.25)
    return {
        "a": interpretation(
            [
                ("filter_0", place("CTCF_known1", 0), 2.0, 100, 1e-9),
                ("filter_1", place("CTCF_known1", 3, turned=True), 1.0, 50, 1e-9),
                ("filter_2", place("SPI1_known3", 4), 0.5, 30, 1e-9),
                ("filter_3", place("MYC_known1", 6), 0.05, 20, 1e-9),
                ("filter_4", uniform, 0.0, 0, 1.0),
            ]
        ),
        "b": interpretation(
            [
                ("filter_0", place("SPI1_known3", 7, turned=True), -0.4, 40, 1e-9),
                ("filter_1", place("CTCF_known1", 2, turned=True), 2.5, 200, 1e-9),
                ("filter_2", uniform, 0.3, 0, 1.0),
            ],
            auroc=0.8,
        ),
        "c": interpretation(
            [
                ("filter_0", place("CTCF_known1", 4), 3.5, 70, 1e-9),
                ("filter_1", place("MYC_known1", 6), 1.5, 60, 0.01),
            ]
        ),
    }
