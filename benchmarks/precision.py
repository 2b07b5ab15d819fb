"""What does bfloat16 in training gain, and what does it cost?

    python benchmarks/precision.py > precision.json    # on one thread; about 2 minutes where bfloat16 is emulated

`steps`: seconds of a training step of the paper's models, batches of 100, in both precisions in turn; the speed-up is
float32 over bf16-mixed. `auroc`: of models that `fit` trained in both precisions, on simulated CTCF sites of which they
saw none; differences are bf16-mixed less float32. Where the processor has no bfloat16, which `fit` refuses, torch
emulates it here: the cost is then as good as measured, the speed is not.
"""

import argparse
import json
import time

import torch
from timing import ROUNDS, WARM_UP, machine, medians_by_clock, rounded
from torch.nn import functional

from rcinterp.demo import simulate_one_motif
from rcinterp.training import precision
from rcinterp.training.fitting import fit
from rcinterp.training.models import compact_model
from rcinterp.training.performance import evaluate
from rcinterp.training.precision import BFLOAT16, FLOAT32, call_in
from rcinterp.training.recipes import find_recipe
from rcinterp.training.steps import loss_of

BATCH = 100
PRECISIONS = (FLOAT32, BFLOAT16)
#: Layers, filters and length.
MODELS = {"three_layers": (3, 16, 1000), "one_layer": (1, 20, 200)}


def step(sizes, in_precision, device):
    """A training step."""
    model = compact_model(*sizes).to(device).train()
    x = functional.one_hot(torch.randint(4, (BATCH, sizes[2])), 4).transpose(1, 2).float().contiguous().to(device)
    y = torch.randint(2, (BATCH, 1)).float().to(device)
    optimiser = find_recipe("paper").optimiser(p for p in model.parameters() if p.requires_grad)

    def call():
        loss = loss_of(call_in(in_precision, model, x), y, torch.ones(1))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if device == "cuda":
            torch.cuda.synchronize()

    return call


def measure_steps(rounds, device):
    calls = {(name, kind): step(sizes, kind, device) for name, sizes in MODELS.items() for kind in PRECISIONS}
    found = {}
    for clock, seconds in medians_by_clock(calls, rounds).items():
        for name in MODELS:
            took = {kind: seconds[name, kind] for kind in PRECISIONS}
            speed_up = round(took[FLOAT32] / took[BFLOAT16], 3)
            found.setdefault(name, {})[clock] = {"seconds": rounded(took), "speed_up": speed_up}
    return found


def measure_auroc(seeds, n_per_class, epochs, device):
    rows = []
    for seed in range(seeds):
        train, valid = simulate_one_motif("CTCF_known1", n_per_class, 200, seed=seed)
        _, test = simulate_one_motif("CTCF_known1", n_per_class, 200, seed=1000 + seed)
        row = {"seed": seed}
        for kind in PRECISIONS:
            model = compact_model(1, 8, 200).to(device)
            how = {"seed": seed, "epochs": epochs, "precision": kind, "baseline": False, "progress": False}
            start = time.process_time()
            fit(model, train, valid, **how)
            row[f"{kind} seconds"] = round(time.process_time() - start, 1)
            row[kind] = round(float(evaluate(model, test)["auroc"].iloc[0]), 5)
        rows.append(row | {"difference": round(row[BFLOAT16] - row[FLOAT32], 5)})
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--n-per-class", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    given = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    emulated = not precision.has_bfloat16(torch.device(given.device))
    precision.has_bfloat16 = lambda device: True
    found = {
        "emulated": emulated,
        "steps": measure_steps(given.rounds, given.device),
        "auroc": measure_auroc(given.seeds, given.n_per_class, given.epochs, given.device),
        "settings": vars(given) | {"batch": BATCH, "warm_up": WARM_UP},
    }
    print(json.dumps(found | machine(), indent=1))


if __name__ == "__main__":
    main()
