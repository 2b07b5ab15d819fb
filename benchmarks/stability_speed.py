"""How long does it take to compare 10 models of 300 filters? JSON: seconds in all, and for the similarities alone.

    OMP_NUM_THREADS=1 python benchmarks/stability_speed.py > stability_speed.json    # 2 minutes

Medians of five rounds in turn, on the wall and of the process.
"""

import json

import numpy as np
import pandas as pd
from stability_threshold import perturb
from timing import machine, medians_by_clock, rounded

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


def main():
    rng = np.random.default_rng(0)
    known = load_motifs("encode")
    motifs = [known[name] for name in rng.choice(list(known), N_FILTERS, replace=False)]
    models = [make_interpretation(motifs, rng) for _ in range(N_MODELS)]
    patterns = compare_models(models).table  # imports and compiles what is compiled once
    ppms = [ppm for model in models for ppm in model.ppms.values()]
    timed = {"in all": lambda: compare_models(models), "similarities": lambda: similarity_matrix(ppms)}
    seconds = {clock: rounded(found, 3) for clock, found in medians_by_clock(timed, warm_up=0).items()}
    sizes = {"filters": len(ppms), "width": WIDTH, "patterns": len(patterns)}
    print(json.dumps({**sizes, "seconds": seconds, "machine": machine()}, indent=1))


if __name__ == "__main__":
    main()
