"""Half precision, and sequences as int8 or bool: a quarter of the memory, the same ranking of the filters.

python examples/half_precision.py [FOLDER]
"""

import copy

import pandas as pd
import torch
from common import load, read_arguments

import rcinterp


def main() -> None:
    """Print the contributions of one model in three types, and by how much they differ."""
    given = read_arguments(__doc__)
    training, valid = load(given)
    model = rcinterp.compact_model(1, 8, training.length, widths=(21,), pool=20, stride=20)
    rcinterp.fit(model, training, valid, seed=0, epochs=given.epochs, progress=False)
    models = {kind: copy.deepcopy(model).to(kind) for kind in (torch.float32, torch.bfloat16, torch.float16)}
    scores = {}
    for weights, narrow in models.items():
        for letters in (torch.float32, torch.int8, torch.bool):
            sequences = valid.positives().to(letters), valid.negatives().to(letters)
            table = rcinterp.filter_contributions(narrow, *sequences)
            scores[f"{weights}, {letters}".replace("torch.", "")] = table.set_index("filter")["contribution"]
    scores = pd.DataFrame(scores)
    exact = scores["float32, float32"]
    largest = (scores.sub(exact, axis=0).abs().max() / exact.abs().max()).rename("largest difference")
    correlation = scores.corrwith(exact).rename("correlation")
    both = pd.concat([largest, correlation], axis=1).rename_axis("weights, letters")
    print(both.to_string(float_format="{:.4g}".format))


if __name__ == "__main__":
    main()
