"""What does scoring filters cost, next to captum's LayerGradientXActivation on the same model?

    python benchmarks/contributions.py > contributions.json

Seconds for 2,000 sequences of 1,000 bp, and captum / rcinterp within this run.
"""

import json
import time

import captum
import torch
from captum.attr import LayerGradientXActivation

from rcinterp.reading.functions import sequence_contributions
from rcinterp.training.models import compact_model

N, LENGTH, BATCH = 2000, 1000, 25


def main():
    torch.manual_seed(0)
    torch.set_num_threads(1)
    x = torch.nn.functional.one_hot(torch.randint(4, (N, LENGTH)), 4).transpose(1, 2).float()
    model = compact_model(3, 16, LENGTH).eval()
    found = {}
    for layer in ("conv1", "conv3"):
        start = time.perf_counter()
        ours = sequence_contributions(model, x, layer, batch_size=BATCH)
        seconds = {"rcinterp": time.perf_counter() - start}
        attribution = LayerGradientXActivation(model, getattr(model, layer.replace("conv", "relu")))
        start = time.perf_counter()
        theirs = torch.cat([attribution.attribute(batch, target=0).sum(-1).detach() for batch in x.split(BATCH)])
        seconds["captum"] = time.perf_counter() - start
        folded = theirs[:, :16] + theirs.flip(1)[:, :16]
        found[layer] = {
            "seconds": seconds,
            "captum_over_rcinterp": seconds["captum"] / seconds["rcinterp"],
            "largest_difference": float((ours - folded).abs().max()),
        }
    print(json.dumps(found | {"torch": torch.__version__, "captum": captum.__version__}, indent=1))


if __name__ == "__main__":
    main()
