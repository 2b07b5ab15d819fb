"""Do q-values of contributions keep their promise? On models of known truth (docs/explanation/contributions.md).

    python benchmarks/false_discoveries.py > false_discoveries.json    # 20 seeds: 3 minutes

Sequences of 200 bp: positives have one of two motifs in their left half, negatives have not; the right half is alike
in both classes, a third of it with a decoy motif. Half of the filters of a traditional one-layer model are read in the
left half only, the others in the right half only (the weights of the other windows are held at 0). The model is
trained, so that filters of the right half fit the noise of the training set; on new sequences their true contribution
is exactly 0. Whatever is called significant among them is a false discovery.
"""

import argparse
import sys

import pandas as pd
import torch

from rcinterp import compact_model, filter_contributions, fit, load_dataset, load_motifs
from rcinterp.data.sequences import decode
from rcinterp.data.simulation import simulate_background, simulate_motifs
from rcinterp.reading.model import one_thread
from rcinterp.training.recipes import find_recipe

MOTIFS, DECOY = ("GATA_disc1", "ELF1_known2"), "RXRA_known1"
HALF, N_FILTERS, POOL = 100, 40, 20
N_TRAIN, N_TEST = 1000, 4000
LEVELS = (0.01, 0.05, 0.1)


def draw(n, seed):
    """n positives and n negatives."""
    known = load_motifs("encode")
    per_motif = -(-n // len(MOTIFS))
    with_motif = simulate_motifs({name: known[name] for name in MOTIFS}, per_motif, HALF, seed=seed, max_instances=2).x[
        :n
    ]
    left = torch.cat([with_motif, simulate_background(n, HALF, seed=seed)])
    n_decoys = 2 * n // 3
    right = torch.cat(
        [
            simulate_motifs({DECOY: known[DECOY]}, n_decoys, HALF, seed=seed + 1, max_instances=2).x,
            simulate_background(2 * n - n_decoys, HALF, seed=seed + 1),
        ]
    )
    right = right[torch.randperm(2 * n, generator=torch.Generator().manual_seed(seed))]
    both = torch.cat([left, right], 2)
    return both[:n], both[n:]


def train(seed):
    """A model whose filters 0 to 19 see the left half, 20 to 39 the right; trained on new sequences of both classes."""
    torch.manual_seed(seed)
    sizes = {"widths": (21,), "pool": POOL, "stride": POOL}
    model = compact_model(1, N_FILTERS, 2 * HALF, rc=False, read_out="weighted_sum", **sizes)
    find_recipe("quiet").initialise(model, 2 * HALF)
    windows = torch.arange(model.architecture.pooled_length)
    seen = torch.zeros(N_FILTERS, len(windows))
    seen[: N_FILTERS // 2, (windows + 1) * POOL + 20 <= HALF] = 1
    seen[N_FILTERS // 2 :, windows * POOL >= HALF] = 1
    with torch.no_grad():
        model.weighted_sum.weight.mul_(seen)
    model.weighted_sum.weight.register_hook(lambda gradient: gradient * seen)
    sets = [load_dataset(*(decode(x) for x in draw(n, 1000 * seed + i))) for i, n in ((1, N_TRAIN), (2, 500))]
    fit(model, *sets, seed=seed, initialise=False, baseline=False, progress=False)
    if not torch.equal(model.weighted_sum.weight != 0, seen.bool()):
        raise RuntimeError("a weight outside a filter's half has moved, or one inside is 0")
    return model


def measure(seed, n_test):
    """One row a level: false and all discoveries of one model on new sequences."""
    model = train(seed)
    rows = []
    for n in n_test:
        table = filter_contributions(model, *draw(n, 1000 * seed + 3), seed=seed)
        null = table["filter"].isin([f"filter_{f}" for f in range(N_FILTERS // 2, N_FILTERS)])
        uncorrected = float((table.loc[null, "contribution_p"] <= 0.05).mean())
        for level in LEVELS:
            found = table["contribution_q"] <= level
            false = int((found & null).sum())
            rows.append(
                {
                    "seed": seed,
                    "n_per_class": n,
                    "level": level,
                    "discoveries": int(found.sum()),
                    "false": false,
                    "fdp": false / max(1, int(found.sum())),
                    "null_p_below_0.05": uncorrected,
                }
            )
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--n-test", type=int, nargs="+", default=[300, N_TEST], help="test sequences of each class")
    chosen = parser.parse_args()
    rows = []
    with one_thread():
        for seed in range(chosen.seeds):
            rows += measure(seed, chosen.n_test)
            print(f"seed {seed} done", file=sys.stderr)
    table = pd.DataFrame(rows)
    print(table.to_json(orient="records", indent=1))
    columns = ["discoveries", "false", "fdp", "null_p_below_0.05"]
    print(table.groupby(["n_per_class", "level"])[columns].mean().to_string(), file=sys.stderr)


if __name__ == "__main__":
    main()
