"""How fast is a three-layer RC model of 16 filters next to a plain one of 32 (the same number of channels)?

    python benchmarks/layers.py > layers.json

Samples a second, and RC / plain within this run: absolute figures depend on the machine, and on what else it does.
"""

import json
import statistics
import time

import torch

from rcinterp.training.models import compact_model
from rcinterp.training.recipes import find_recipe

BATCH, LENGTH, ROUNDS = 100, 1000, 7


def seconds(step):
    """Median time of one step, after two to warm up."""
    times = []
    for _ in range(ROUNDS + 2):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return statistics.median(times[2:])


def measure(model, x, y):
    optimiser = find_recipe("paper").optimiser(p for p in model.parameters() if p.requires_grad)

    def train():
        loss = torch.nn.functional.binary_cross_entropy_with_logits(model(x), y)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    def infer():
        with torch.no_grad():
            model(x)

    return {"train": BATCH / seconds(train), "infer": BATCH / seconds(infer)}


def main():
    torch.manual_seed(0)
    x = torch.nn.functional.one_hot(torch.randint(4, (BATCH, LENGTH)), 4).transpose(1, 2).float()
    y = torch.randint(2, (BATCH, 1)).float()
    speed = {
        name: measure(compact_model(3, n_filters, LENGTH, rc=rc), x, y)
        for name, n_filters, rc in (("rc16", 16, True), ("plain32", 32, False))
    }
    ratio = {what: speed["rc16"][what] / speed["plain32"][what] for what in ("train", "infer")}
    print(json.dumps({"samples_per_second": speed, "rc_over_plain": ratio, "torch": torch.__version__}, indent=1))


if __name__ == "__main__":
    main()
