"""How fast is the Tomtom engine beside memelite's? JSON: seconds of both, warm, medians of five rounds in turn.

python benchmarks/motif_comparison.py [CATALOGUE.meme]    # 4 minutes; ENCODE, and another catalogue if given
"""

import json
import sys

import numpy as np
from timing import machine, medians, rounded

from rcinterp.comparison.alignment import align
from rcinterp.comparison.memelite_engine import align_by_memelite, is_installed
from rcinterp.motifs import load_motifs, reverse_complement_motif

SIZES = (8, 64, 256, 1000)


def blurred(motifs, n, seed=0):
    """Motifs as filters show them: cut or padded to 11 to 21 positions, and blurred by noise."""
    rng = np.random.default_rng(seed)
    queries = []
    for name in rng.choice(list(motifs), n):
        width, motif = int(rng.integers(11, 22)), motifs[name]
        query = rng.dirichlet([1] * 4, size=width).T
        kept = min(width, motif.shape[1])
        query[:, :kept] = 0.8 * motif[:, :kept] + 0.2 * query[:, :kept]
        queries.append(query)
    return queries


def measure(queries, targets):
    engines = {
        "euclidean": lambda: align(queries, targets, "euclidean"),
        "pearson": lambda: align(queries, targets, "pearson"),
    }
    if is_installed():
        engines["memelite"] = lambda: align_by_memelite(queries, targets)
    return rounded(medians(engines, warm_up=0), 3)


def main():
    rows = []
    for catalogue in ("encode", *sys.argv[1:]):
        motifs = load_motifs(catalogue)
        both = [0.995 * ppm + 0.00125 for ppm in motifs.values()]
        both += [reverse_complement_motif(ppm) for ppm in both]
        measure(blurred(motifs, 2), both)  # compiles and imports what is compiled and imported once
        for size in SIZES:
            found = measure(blurred(motifs, size), both)
            ratio = {"ratio": round(found["euclidean"] / found["memelite"], 2)} if "memelite" in found else {}
            rows.append({"targets": len(motifs), "queries": size, **found, **ratio})
    print(json.dumps({"seconds": rows, "machine": machine("memelite")}, indent=1))


if __name__ == "__main__":
    main()
