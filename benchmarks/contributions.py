"""What does scoring filters cost, next to captum's LayerGradientXActivation on the same models?

    python benchmarks/contributions.py > contributions.json    # 3 minutes

A three-layer RC model of 16 filters and a traditional one of 32, one thread. Seconds for 1,000 sequences of 1,000 bp
in batches of 25, captum also in batches of 100; medians of five rounds in turn. "captum_over_rcinterp" is at batches of
25, "best_captum_over_rcinterp" at those of the two that suit captum better.
"""

import json
import time

import torch
from captum.attr import LayerGradientXActivation
from timing import machine, medians, rounded

from rcinterp.reading.functions import sequence_contributions
from rcinterp.training.models import compact_model

N, LENGTH, BATCH, LARGE_BATCH = 1000, 1000, 25, 100
MODELS = {
    "RC, 16 filters": lambda: compact_model(3, 16, LENGTH),
    "traditional, 32 filters": lambda: compact_model(3, 32, LENGTH, rc=False),
}
LAYERS = ("conv1", "conv3")


def by_captum(model, x, layer, batch_size):
    attribution = LayerGradientXActivation(model, getattr(model, layer.replace("conv", "relu")))
    channels = torch.cat([attribution.attribute(batch, target=0).sum(-1).detach() for batch in x.split(batch_size)])
    if not model.architecture.rc:
        return channels
    n_filters = model.architecture.n_filters
    return channels[:, :n_filters] + channels.flip(1)[:, :n_filters]


def calls(model, x, layer):
    return {
        "rcinterp": lambda: sequence_contributions(model, x, layer, batch_size=BATCH),
        "captum": lambda: by_captum(model, x, layer, BATCH),
        f"captum, batches of {LARGE_BATCH}": lambda: by_captum(model, x, layer, LARGE_BATCH),
    }


def main():
    torch.manual_seed(0)
    torch.set_num_threads(1)
    x = torch.nn.functional.one_hot(torch.randint(4, (N, LENGTH)), 4).transpose(1, 2).float()
    models = {name: make().eval() for name, make in MODELS.items()}
    timed = {
        (name, layer, who): call
        for name, model in models.items()
        for layer in LAYERS
        for who, call in calls(model, x, layer).items()
    }
    seconds = medians(timed, clock=time.process_time)
    found = {name: {} for name in models}
    for name, model in models.items():
        for layer in LAYERS:
            both = calls(model, x[:BATCH], layer)
            own, *captum = (seconds[name, layer, who] for who in both)
            found[name][layer] = {
                "seconds": rounded({who: seconds[name, layer, who] for who in both}),
                "captum_over_rcinterp": round(captum[0] / own, 3),
                "best_captum_over_rcinterp": round(min(captum) / own, 3),
                "largest_difference": float((both["rcinterp"]() - both["captum"]()).abs().max()),
            }
    print(json.dumps({"models": found, "machine": machine("captum")}, indent=1))


if __name__ == "__main__":
    main()
