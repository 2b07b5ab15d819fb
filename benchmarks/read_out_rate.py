"""How fast should the read-out of a small data set learn? Without the validation set; docs/explanation/recipe.md.

    python benchmarks/read_out_rate.py FOLDER > read_out_rate.json    # 8 minutes; --factors 0.06 alone: 2

The training set of the folder (names chrom:start-end) is cut into three blocks by position, each of them in turn what
the others are validated on. One-layer RC models of 8 filters, recipe "quiet" but for the factor of the read-out's rate.
"""

import argparse
from dataclasses import replace

import pandas as pd
import torch

from rcinterp.data.datasets import load_split
from rcinterp.training.fitting import fit
from rcinterp.training.models import compact_model
from rcinterp.training.recipes import QUIET, compose

FACTORS = (0.3, 0.2, 0.1, 0.06, 0.03)
N_BLOCKS = 3


def cut_into_blocks(data):
    """Pairs of training and validation set."""
    starts = torch.tensor([int(name.split(":")[1].split("-")[0]) for name in data.names]).float()
    edges = torch.quantile(starts, torch.linspace(0, 1, N_BLOCKS + 1))[1:-1]
    block = torch.bucketize(starts, edges, right=True)
    return [(take(data, block != i), take(data, block == i)) for i in range(N_BLOCKS)]


def take(data, chosen):
    rows = chosen.nonzero()[:, 0].tolist()
    return replace(data, x=data.x[rows], y=data.y[rows], names=tuple(data.names[i] for i in rows))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--factors", type=float, nargs="+", default=FACTORS)
    parser.add_argument("--seeds", type=int, default=8)
    chosen = parser.parse_args()
    blocks = cut_into_blocks(load_split(chosen.folder)[0])
    rows = []
    for factor in chosen.factors:
        recipe = compose("factor", **{**QUIET, "read_out_rate": factor, "read_out_by_size": False}, epochs=20)
        for i, (train, valid) in enumerate(blocks):
            for seed in range(100, 100 + chosen.seeds):  # none of those that results are reported on
                model = compact_model(n_layers=1, n_filters=8, length=train.length)
                scores = fit(model, train, valid, seed=seed, recipe=recipe, progress=False)["valid_auroc"]
                rows.append({"factor": factor, "block": i, "best": scores.max(), "last": scores.iloc[-1]})
    means = pd.DataFrame(rows).groupby("factor", sort=False)[["best", "last"]].mean()
    print(means.reset_index().to_json(orient="records", indent=1))


if __name__ == "__main__":
    main()
