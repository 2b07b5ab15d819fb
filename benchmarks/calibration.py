"""Are the p-values of compare_motifs uniform where nothing matches? The tables of docs/explanation/motifs.md.

    python benchmarks/calibration.py > calibration.json    # a minute

Each row: queries against targets that share nothing but columns; the share of p-values below each threshold, and the
share of queries whose best match has an E-value below 1 and below 0.05.
"""

import argparse

import numpy as np
import pandas as pd

from rcinterp.comparison import DISTANCES, compare_motifs
from rcinterp.motifs import load_motifs

THRESHOLDS = (0.5, 0.1, 0.05, 0.01, 0.001)


def draw(columns, widths, rng, name):
    """Motifs of columns drawn at random."""
    return {f"{name}{i}": columns[:, rng.integers(0, columns.shape[1], width)] for i, width in enumerate(widths)}


def cases(known, rng, n_queries):
    """Name of each case to queries, targets and background."""
    columns, names = np.hstack(list(known.values())), list(known)
    chosen = [known[names[i]] for i in rng.choice(len(names), n_queries, replace=False)]
    as_they_are = {f"q{i}": ppm for i, ppm in enumerate(chosen)}
    shuffled = {name: ppm[:, rng.permutation(ppm.shape[1])] for name, ppm in as_they_are.items()}
    drawn = draw(columns, [12] * n_queries, rng, "q")
    random_targets = draw(columns, [ppm.shape[1] for ppm in known.values()], rng, "t")
    eight = draw(columns, [12] * 8, rng, "t")
    return {
        "real motifs / random targets": (as_they_are, random_targets, None),
        "random motifs / random targets": (drawn, random_targets, None),
        "random motifs / 8 random targets, background ENCODE": (drawn, eight, "encode"),
        "random motifs / ENCODE": (drawn, "encode", None),
        "ENCODE motifs shuffled within / ENCODE": (shuffled, "encode", None),
    }


def measure(queries, targets, background, distance):
    """One row of the table."""
    table = compare_motifs(queries, targets, distance=distance, background=background, max_q_value=None, min_bits=0)
    best = table.groupby("Query_ID")["E-value"].min()
    below = {f"p<{threshold}": (table["p-value"] < threshold).mean() for threshold in THRESHOLDS}
    return {"distance": distance, **below, "E<1": (best < 1).mean(), "E<0.05": (best < 0.05).mean()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    made = cases(load_motifs("encode"), np.random.default_rng(chosen.seed), chosen.queries)
    rows = [{"case": case, **measure(*given, distance)} for case, given in made.items() for distance in DISTANCES]
    print(pd.DataFrame(rows).to_json(orient="records", indent=1))


if __name__ == "__main__":
    main()
