"""How long does a report of a lab's model take, and how large is its page? JSON.

    python benchmarks/report.py > report.json    # 3 minutes

The model is shaped as Basset (300, 200 and 200 filters), with random weights, on 1,000 sequences of 600 bp. "interpret"
is with and without the comparison with exact ablation; "save" writes tables, logos and the page. Seconds are medians of
five rounds in turn, on the wall and of the process.
"""

import json
import tempfile
from pathlib import Path

import torch
from timing import machine, medians_by_clock, rounded
from torch import nn

from rcinterp import interpret, triage_palindromes

LENGTH, N = 600, 1000


def block(channels, n_filters, width, pool):
    return nn.Conv1d(channels, n_filters, width), nn.BatchNorm1d(n_filters), nn.ReLU(), nn.MaxPool1d(pool)


def basset():
    torch.manual_seed(0)
    layers = *block(4, 300, 19, 3), *block(300, 200, 11, 4), *block(200, 200, 7, 4)
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(200 * 10, 100), nn.ReLU(), nn.Linear(100, 1)).eval()


def main():
    model = basset()
    x = torch.nn.functional.one_hot(torch.randint(4, (N, LENGTH)), 4).transpose(1, 2).float()
    classes = x[: N // 2], x[N // 2 :]
    result = interpret(model, *classes, measure_faithfulness=False)
    with tempfile.TemporaryDirectory() as folder:
        timed = {
            "forward": lambda: [model(batch) for batch in x.split(100)],
            "triage": lambda: triage_palindromes(model[0].weight),
            "interpret": lambda: interpret(model, *classes),
            "interpret_without_faithfulness": lambda: interpret(model, *classes, measure_faithfulness=False),
            "save": lambda: result.save(folder),
        }
        seconds = {clock: rounded(found, 3) for clock, found in medians_by_clock(timed).items()}
        sizes = {path.name: path.stat().st_size for path in sorted(Path(folder).iterdir())}
    print(json.dumps({"seconds": seconds, "bytes": sizes, "machine": machine()}, indent=1))


if __name__ == "__main__":
    main()
