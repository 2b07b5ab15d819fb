"""How long do the error bars of contributions take? Seconds for 256 filters and 20,000 sequences.

python benchmarks/resampling.py
"""

import json
import time

import numpy as np

from rcinterp.reading.statistics import bootstrap_difference, permutation_p_values

N_FILTERS, N_SEQUENCES = 256, 20_000


def seconds(measure, **how):
    rng = np.random.default_rng(0)
    samples = [rng.normal(size=(N_SEQUENCES // 2, N_FILTERS)) for _ in range(2)]
    start = time.perf_counter()
    measure(*samples, seed=0, **how)
    return round(time.perf_counter() - start, 2)


if __name__ == "__main__":
    found = {
        "1,000 bootstrap samples": seconds(bootstrap_difference),
        "1,000 permutations": seconds(permutation_p_values, n_permutations=1000),
        "10,240 permutations (the default for 256 filters)": seconds(permutation_p_values),
    }
    print(json.dumps(found, indent=1))
