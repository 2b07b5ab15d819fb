"""How long does a report of a lab's model take, and how large is its page? JSON.

    python benchmarks/report.py > report.json    # a minute

The model is shaped as Basset (300, 200 and 200 filters), with random weights, on 1,000 sequences of 600 bp. "interpret"
is with and without the comparison with exact ablation; "save" writes tables, logos and the page.
"""

import json
import statistics
import tempfile
import time
from pathlib import Path

import torch
from torch import nn

from rcinterp import interpret, triage_palindromes

LENGTH, N, ROUNDS = 600, 1000, 3


def block(channels, n_filters, width, pool):
    return nn.Conv1d(channels, n_filters, width), nn.BatchNorm1d(n_filters), nn.ReLU(), nn.MaxPool1d(pool)


def basset():
    torch.manual_seed(0)
    layers = *block(4, 300, 19, 3), *block(300, 200, 11, 4), *block(200, 200, 7, 4)
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(200 * 10, 100), nn.ReLU(), nn.Linear(100, 1)).eval()


def seconds(run):
    """Median time, and what the last run returned; the first is to warm up."""
    times = []
    for _ in range(ROUNDS + 1):
        start = time.perf_counter()
        result = run()
        times.append(time.perf_counter() - start)
    return round(statistics.median(times[1:]), 2), result


def main():
    model = basset()
    x = torch.nn.functional.one_hot(torch.randint(4, (N, LENGTH)), 4).transpose(1, 2).float()
    classes = x[: N // 2], x[N // 2 :]
    found = {"threads": torch.get_num_threads(), "torch": torch.__version__}
    found["forward"], _ = seconds(lambda: [model(batch) for batch in x.split(100)])
    found["triage"], _ = seconds(lambda: triage_palindromes(model[0].weight))
    for name, measured in (("interpret", True), ("interpret_without_faithfulness", False)):
        found[name], result = seconds(
            lambda measured=measured: interpret(model, *classes, measure_faithfulness=measured)
        )
    with tempfile.TemporaryDirectory() as folder:
        found["save"], _ = seconds(lambda: result.save(folder))
        found["bytes"] = {path.name: path.stat().st_size for path in sorted(Path(folder).iterdir())}
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
