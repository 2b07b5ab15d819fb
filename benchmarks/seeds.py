"""Is one run of several seeds faster than several runs?

    python benchmarks/seeds.py > seeds.json                       # on one thread; about 3 minutes
    python benchmarks/seeds.py --device cuda --seeds 2 10 50 > seeds.json

A training step of S models, one after the other as `fit` takes it, and of all in a stack as `fit_seeds` does, in turn.
`speed_up` is the time of the S steps over that of the one: above 1, the stack is faster.
"""

import argparse
import json

import torch
from timing import ROUNDS, WARM_UP, machine, medians_by_clock, rounded
from torch.nn import functional

from rcinterp.training.models import compact_model
from rcinterp.training.recipes import find_recipe
from rcinterp.training.steps import loss_of
from rcinterp.training.together import stacked_models

#: Layers, filters, length, whether RC, and sequences of a batch.
MODELS = {
    "RC, 1 layer, 4 filters, 60 bp": (1, 4, 60, True, 100),
    "RC, 1 layer, 8 filters, 200 bp": (1, 8, 200, True, 100),
    "RC, 1 layer, 20 filters, 200 bp": (1, 20, 200, True, 100),
    "RC, 3 layers, 16 filters, 1000 bp": (3, 16, 1000, True, 100),
    "traditional, 1 layer, 8 filters, 200 bp": (1, 8, 200, False, 100),
    "traditional, 1 layer, 8 filters, 200 bp, batches of 20": (1, 8, 200, False, 20),
}


def measure(model, n_seeds, rounds, device):
    """Medians of both ways, by each clock."""
    n_layers, n_filters, length, rc, batch = model
    ones = torch.ones(1)
    x = functional.one_hot(torch.randint(4, (n_seeds, batch, length)), 4).transpose(2, 3).float().contiguous()
    x, y = x.to(device), torch.randint(2, (n_seeds, batch, 1)).float().to(device)
    singles, others = ([compact_model(n_layers, n_filters, length, rc=rc).to(device) for _ in x] for _ in range(2))
    make_optimiser = find_recipe("paper").optimiser
    optimisers = [make_optimiser([p for p in single.parameters() if p.requires_grad]) for single in singles]

    def finish(loss, optimiser):
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    with stacked_models(others) as stack:
        of_all = make_optimiser([p for p in stack.parameters.values() if p.requires_grad])

        def one_by_one():
            for single, optimiser, sequences, labels in zip(singles, optimisers, x, y, strict=True):
                finish(loss_of(single.train()(sequences), labels, ones), optimiser)
            wait(device)

        def together():
            losses = torch.vmap(lambda logits, labels: loss_of(logits, labels, ones))(stack.logits(x), y)
            finish(losses.sum(), of_all)
            wait(device)

        found = medians_by_clock({"one by one": one_by_one, "together": together}, rounds)
    return {
        clock: {"seconds": rounded(took), "speed_up": round(took["one by one"] / took["together"], 3)}
        for clock, took in found.items()
    }


def wait(device):
    if device == "cuda":
        torch.cuda.synchronize()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--seeds", type=int, nargs="+", default=[2, 10])
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    given = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    found = {
        name: {n_seeds: measure(model, n_seeds, given.rounds, given.device) for n_seeds in given.seeds}
        for name, model in MODELS.items()
    }
    gpu = torch.cuda.get_device_name() if given.device == "cuda" else None
    settings = vars(given) | {"warm_up": WARM_UP, "gpu": gpu}
    print(json.dumps({"steps": found, "settings": settings} | machine(), indent=1))


if __name__ == "__main__":
    main()
