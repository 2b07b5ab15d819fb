"""From which similarity on are two filters' motifs one pattern? The table of docs/evidence/seeds.md.

    python benchmarks/stability_threshold.py > stability_threshold.json    # 15 s

ENCODE motifs as filters show them: in a window of some width, shifted so that some of the motif may be outside, on
either strand, blended with background and counted from few or many sites. Two such copies of one motif are the same
pattern; copies of two motifs that Tomtom does not call alike (p > 0.01) are different ones.
"""

import argparse
import json

import numpy as np
import pandas as pd
from sklearn.metrics import adjusted_rand_score

from rcinterp.comparison import compare_motifs
from rcinterp.motifs import information_content, load_motifs, reverse_complement_motif
from rcinterp.motifs.similarity import similarity_matrix
from rcinterp.stability.consensus import cluster_motifs

N_MOTIFS, N_COPIES, N_PATTERNS, N_REPEATS = 150, 6, 12, 20
MATRICES = {"probabilities": lambda ppm: ppm, "weighted": lambda ppm: ppm * information_content(ppm)}
THRESHOLDS = (0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8)


def perturb(ppm, width, rng):
    """A motif as a filter of that width might show it: at least 3/4 of the shorter of the two inside."""
    inside = np.ceil(0.75 * min(width, ppm.shape[1]))
    start = rng.integers(inside - ppm.shape[1], width - inside + 1)
    seen = np.full((4, width), 0.25)
    for j in range(ppm.shape[1]):
        if 0 <= start + j < width:
            seen[:, start + j] = ppm[:, j]
    blur, n_sites = rng.uniform(0, 0.5), int(np.exp(rng.uniform(np.log(10), np.log(500))))
    seen = (1 - blur) * seen + blur * 0.25
    counts = np.stack([rng.multinomial(n_sites, column) for column in seen.T], axis=1) + 0.25
    copy = counts / counts.sum(0)
    return reverse_complement_motif(copy) if rng.random() < 0.5 else copy


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=0)
    rng = np.random.default_rng(parser.parse_args().seed)
    known = load_motifs("encode")
    names = list(rng.choice([name for name in known if "_known" in name], N_MOTIFS, replace=False))
    chosen = {name: known[name] for name in names}
    found = compare_motifs(chosen, chosen | {name: known[name] for name in known}, max_q_value=None)
    p = found.pivot(index="Query_ID", columns="Target_ID", values="p-value").loc[names, names].to_numpy()
    different = np.minimum(p, p.T) > 0.01
    pairs = [row for width in (15, 21) for row in judge_pairs(chosen, different, width, rng)]
    clusters = [
        row for repeat in range(N_REPEATS) for row in judge_clusters(chosen, different, (15, 21)[repeat % 2], rng)
    ]
    means = pd.DataFrame(clusters).groupby(["matrix", "linkage", "threshold"], sort=False).mean()
    print(json.dumps({"pairs": pairs, "clusters": means.reset_index().to_dict("records")}, indent=1))


def judge_pairs(chosen, different, width, rng):
    """Shares of the pairs that are at least so similar."""
    copies = [perturb(ppm, width, rng) for ppm in chosen.values() for _ in range(N_COPIES)]
    owner = np.repeat(np.arange(N_MOTIFS), N_COPIES)
    for matrix, change in MATRICES.items():
        similarity = similarity_matrix([change(copy) for copy in copies])
        upper = np.triu(np.ones_like(similarity, dtype=bool), 1)
        same = similarity[upper & (owner[:, None] == owner)]
        other = similarity[upper & different[owner[:, None], owner]]
        for threshold in THRESHOLDS:
            row = {"width": width, "matrix": matrix, "threshold": threshold}
            yield row | {"same_above": (same >= threshold).mean(), "different_above": (other >= threshold).mean()}


def judge_clusters(chosen, different, width, rng):
    """Number of patterns, and agreement with the truth (adjusted Rand index), of copies of 12 different motifs."""
    picked = []
    for i in rng.permutation(N_MOTIFS):
        if all(different[i, j] for j in picked) and len(picked) < N_PATTERNS:
            picked.append(i)
    ppms = list(chosen.values())
    copies = [perturb(ppms[i], width, rng) for i in picked for _ in range(N_COPIES)]
    truth = np.repeat(picked, N_COPIES)
    for matrix, change in MATRICES.items():
        for method in ("average", "complete"):
            for threshold in THRESHOLDS:
                labels = cluster_motifs([change(copy) for copy in copies], threshold, method)
                row = {"matrix": matrix, "linkage": method, "threshold": threshold}
                yield row | {"n_patterns": len(set(labels)), "rand": adjusted_rand_score(truth, labels)}


if __name__ == "__main__":
    main()
