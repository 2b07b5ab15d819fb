"""How long does it take to compare 10 models of 300 filters? JSON: seconds in all, and for the similarities alone.

OMP_NUM_THREADS=1 python benchmarks/stability_speed.py    # 20 s; the second of two runs, compiled
"""

import json
import time

import numpy as np
import pandas as pd
from stability_threshold import perturb

from rcinterp.interpretation import Interpretation
from rcinterp.interpretation.settings import Settings
from rcinterp.motifs import load_motifs
from rcinterp.motifs.similarity import similarity_matrix
from rcinterp.stability import compare_models

N_MODELS, N_FILTERS, WIDTH = 10, 300, 21


def make_interpretation(motifs, rng):
    """A model whose filters show these motifs, without the training."""
    ppms = {f"filter_{i}": perturb(motif, WIDTH, rng) for i, motif in enumerate(motifs)}
    table = pd.DataFrame({"filter": list(ppms), "contribution": rng.uniform(0.5, 2, len(ppms))})
    table = table.assign(mean_positive=1.0, mean_negative=0.0, sites_in="positives", n_sites=100)
    table = table.assign(n_other_sites=0, sites_p=1e-9, information=10.0)
    parts = dict.fromkeys(("contributions", "palindromes", "matches", "triage", "sites"), pd.DataFrame())
    measured = {"performance": {"auroc": 0.9, "auprc": 0.9}, "faithfulness": None, "is_probability": False}
    layer = {"layer": "conv1", "unit": "weight", "length": 200}
    return Interpretation(table, **parts, filters={}, ppms=ppms, settings=Settings(), **measured, **layer)


def timed(function, *arguments):
    start = time.perf_counter()
    found = function(*arguments)
    return found, round(time.perf_counter() - start, 2)


def main():
    rng = np.random.default_rng(0)
    known = load_motifs("encode")
    motifs = [known[name] for name in rng.choice(list(known), N_FILTERS, replace=False)]
    models = [make_interpretation(motifs, rng) for _ in range(N_MODELS)]
    compare_models(models[:1])  # imports and compiles what is compiled once
    found, seconds = timed(compare_models, models)
    _, similarities = timed(similarity_matrix, [ppm for model in models for ppm in model.ppms.values()])
    sizes = {"filters": N_MODELS * N_FILTERS, "width": WIDTH, "patterns": len(found.table)}
    print(json.dumps({**sizes, "seconds": seconds, "seconds_of_similarities": similarities}))


if __name__ == "__main__":
    main()
