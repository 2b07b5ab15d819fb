"""How long do the error bars of contributions take? JSON: seconds for 256 filters and 20,000 sequences.

    python benchmarks/resampling.py > resampling.json    # a minute

Medians of five rounds in turn, on the wall and of the process.
"""

import json

import numpy as np
from timing import machine, medians_by_clock, rounded

from rcinterp.reading.statistics import bootstrap_difference, permutation_p_values

N_FILTERS, N_SEQUENCES = 256, 20_000


def main():
    rng = np.random.default_rng(0)
    samples = [rng.normal(size=(N_SEQUENCES // 2, N_FILTERS)) for _ in range(2)]
    timed = {
        "1,000 bootstrap samples": lambda: bootstrap_difference(*samples, seed=0),
        "1,000 permutations": lambda: permutation_p_values(*samples, seed=0, n_permutations=1000),
        "10,240 permutations (the default for 256 filters)": lambda: permutation_p_values(*samples, seed=0),
    }
    seconds = {clock: rounded(found, 3) for clock, found in medians_by_clock(timed).items()}
    print(json.dumps({"seconds": seconds, "machine": machine()}, indent=1))


if __name__ == "__main__":
    main()
