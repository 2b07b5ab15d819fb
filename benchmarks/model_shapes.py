"""What does interpret say of models of five shapes, trained on one data set?

    python benchmarks/model_shapes.py FOLDER --out docs/results/model-shapes

FOLDER holds train*/valid* .pos.fa and .neg.fa of 300 bp (w300pad: GM12878 CTCF, chr21 -> chr22). Writes shapes.tsv (a
row a shape), verdicts.tsv (a row a filter of the compact models), and prints both as JSON. Minutes on one core. A
shape that stands in shapes.tsv is not run again.
"""

import argparse
import json
import sys
import time
from pathlib import Path

import pandas as pd
import torch

sys.path.append(str(Path(__file__).parents[1] / "examples"))

from common import on_labels, train, with_both_strands
from shapes import BPNet, DeepSEA, ResidualStem, basset

import rcinterp
from rcinterp.data.datasets import load_split
from rcinterp.reading.model import one_thread

SEED, EPOCHS, RATE = 0, 10, 3e-3
#: Of each class, on which filters are silenced one by one.
N_SILENCED = 50
METHODS = {"gradient x activation": "gradient_x_activation", "IG": "integrated_gradients", "DeepLIFT": "deeplift"}
VERDICTS = {"rc": "RC, one layer, 8 filters", "traditional": "traditional, one layer, 16 filters, augmented"}


def as_it_is(output):
    return output


def other_people_s(length):
    """Model and function from its output to logits."""
    return {
        "Basset-like": (
            lambda: basset(length, 1, channels=(64, 48, 48), widths=(19, 11, 7), pools=(3, 4, 4), n_hidden=64),
            as_it_is,
        ),
        "DeepSEA-like": (lambda: DeepSEA(length, 1, (64, 48), (19, 8), 8), lambda y: y.logit(eps=1e-6)),
        "BPNet-like": (lambda: BPNet(n_filters=32, n_layers=3, width=21, trimming=40), lambda y: y[1]),
        "residual stem": (lambda: ResidualStem(48, 1, width=19, n_tower=32), lambda y: y["human"]),
    }


def trained(shape, training, valid):
    """Model of a shape, and the function that makes logits of its output."""
    torch.manual_seed(SEED)
    if shape == "RC, three layers":
        model = rcinterp.compact_model(3, 32, training.length)
        rcinterp.fit(model, training, valid, seed=SEED, recipe="quiet", baseline=False, progress=False)
        return model, None
    build, func = other_people_s(training.length)[shape]
    model, both = build(), with_both_strands(training)
    train(model, (both.x,), on_labels(both.y, func), epochs=EPOCHS, seed=SEED, rate=RATE)
    return model, func


def measure(shape, training, valid):
    """One row: how good the model is, where its filters are, how faithful the methods are, what the filters are."""
    start = time.perf_counter()
    model, func = trained(shape, training, valid)
    seconds = time.perf_counter() - start
    positives, negatives = valid.positives(), valid.negatives()
    start = time.perf_counter()
    found = rcinterp.interpret(model, positives, negatives, func=func, measure_faithfulness=False)
    row = {
        "shape": shape,
        "auroc": found.performance["auroc"],
        "layer": found.layer,
        "at": found.contributions["cut_at"][0],
        "filters": len(found.table),
    }
    for name, method in METHODS.items():
        try:
            options = {"method": method, "func": func, "n_sequences": N_SILENCED}
            how = rcinterp.faithfulness(model, positives, negatives, **options)
        except rcinterp.InputError:
            continue  # deeplift has no rule for some operation; the cells stay empty
        row |= {
            f"r, {name}": how.pearson,
            f"slope, {name}": how.slope,
            f"r over sequences, {name}": how.pearson_sequences,
        }
    named = found.table[found.table["verdict_kinds"].str.split("; ").map(lambda kinds: "known motif" in kinds)]
    top = found.table.dropna(subset="best_match").head(3)
    return row | {
        "significant": int((found.table["contribution_q"] <= 0.05).sum()),
        "named": len(named),
        "hybrids": int(found.table["triage"].str.contains("hybrid").sum()),
        "top matches": "; ".join(f"{m} ({q:.1g})" for m, q in zip(top["best_match"], top["match_q"], strict=True)),
        "seconds_training": seconds,
        "seconds_reading": time.perf_counter() - start,
    }


def verdicts(kind, training, valid):
    """A row a filter of a one-layer model, as in figure 5."""
    rc = kind == "rc"
    model = rcinterp.compact_model(1, 8 if rc else 16, training.length, rc=rc)
    rcinterp.fit(model, training, valid, seed=SEED, recipe="quiet", augment=not rc, baseline=False, progress=False)
    found = rcinterp.interpret(model, valid.positives(), valid.negatives(), measure_faithfulness=False)
    table = found.table.assign(model=VERDICTS[kind], auroc=found.performance["auroc"])
    sure = ["contribution", "contribution_low", "contribution_high", "contribution_q"]
    columns = ["model", "auroc", "filter", *sure, "rc_similarity", "triage", "triage_motif"]
    return table[[*columns, "best_match", "match_q", "verdict"]]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    training, valid = load_split(given.folder)
    path = given.out / "shapes.tsv"
    rows = pd.read_csv(path, sep="\t").to_dict("records") if path.exists() else []
    with one_thread():
        for shape in [*other_people_s(training.length), "RC, three layers"]:
            if shape not in [row["shape"] for row in rows]:
                rows.append(measure(shape, training, valid))
                pd.DataFrame(rows).to_csv(path, sep="\t", index=False, float_format="%.4g")
                print(shape, rows[-1], file=sys.stderr)
        judged = pd.concat([verdicts(kind, training, valid) for kind in VERDICTS])
    judged.to_csv(given.out / "verdicts.tsv", sep="\t", index=False, float_format="%.4g")
    tables = {"shapes": pd.read_csv(path, sep="\t"), "verdicts": judged}
    print(json.dumps({name: json.loads(table.to_json(orient="records")) for name, table in tables.items()}, indent=1))


if __name__ == "__main__":
    main()
