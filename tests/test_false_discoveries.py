"""q-values of scores keep their promise on trained models whose truth is known: the benchmark, smaller."""

import importlib.util
from pathlib import Path

import pandas as pd
import pytest


@pytest.mark.slow
def test_false_discoveries_of_trained_models():
    path = Path(__file__).parents[1] / "benchmarks/false_discoveries.py"
    spec = importlib.util.spec_from_file_location("false_discoveries", path)
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    rows = pd.DataFrame([row for seed in range(100, 106) for row in benchmark.measure(seed, [1000])])
    at_five = rows[rows["level"] == 0.05]
    assert at_five["discoveries"].min() >= 10
    assert at_five["fdp"].mean() <= 0.07
    assert at_five["null_p_below_0.05"].mean() <= 0.12
