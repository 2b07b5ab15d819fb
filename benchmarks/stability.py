"""Which patterns return in other seeds? The tables of docs/evidence/seeds.md.

    python benchmarks/stability.py FOLDER --out stability > stability.json    # 5 minutes on one core

FOLDER is as `load_split` reads it; each comparison is saved in a folder of its own below stability.

One-layer RC models of 8 filters and traditional ones of 16, trained with augmentation, by recipe "quiet": on the
folder's data, and on a simulation of three embedded motifs, whose patterns are known.
"""

import argparse
import json
from pathlib import Path

import rcinterp
from rcinterp.data.datasets import load_dataset, load_split
from rcinterp.data.simulation import simulate_background, simulate_motifs
from rcinterp.motifs import load_motifs
from rcinterp.motifs.similarity import compare_matrices
from rcinterp.reading.model import one_thread

EMBEDDED = ("GATA_known6", "ELF1_known2", "RXRA_known1")
N_PER_MOTIF, LENGTH = 2000, 200
MODELS = {"RC-8": (8, True), "traditional-16": (16, False)}


def simulate():
    """Training and validation set: sequences with one of three motifs, and as many without, halved at random."""
    known = load_motifs("encode")
    simulation = simulate_motifs({name: known[name] for name in EMBEDDED}, N_PER_MOTIF, LENGTH, seed=2017)
    without = simulate_background(len(simulation), LENGTH, seed=2017)
    half = len(simulation) // 2
    return load_dataset(simulation.x[:half], without[:half]), load_dataset(simulation.x[half:], without[half:])


def train(data, n_filters, rc, seed, **sizes):
    train_data, valid = data
    model = rcinterp.compact_model(1, n_filters, train_data.length, rc=rc, **sizes)
    rcinterp.fit(model, train_data, valid, seed=seed, recipe="quiet", augment=not rc, baseline=False, progress=False)
    return model


def describe(found, expected):
    """Rows of the table with few columns, and the expected motif that each consensus is most like."""
    known = load_motifs("encode")
    rows = found.table[
        ["pattern", "n_models", "share_low", "share_high", "seen_again", "n_filters", "contribution_mean"]
    ]
    rows = rows.join(
        found.table[["contribution_lowest", "contribution_highest", "information", "sites_p", "best_match", "match_q"]]
    )
    alike = [
        {name: compare_matrices(found.consensus[pattern], known[name]).value for name in expected}
        for pattern in rows["pattern"]
    ]
    nearest = [max(values, key=values.get) for values in alike]
    rows = rows.assign(truth=nearest, like_truth=[values[name] for values, name in zip(alike, nearest, strict=True)])
    return records(rows)


def records(table):
    """Rows as JSON knows them."""
    return json.loads(table.to_json(orient="records"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("stability"))
    chosen = parser.parse_args()
    kinds = {
        "real": (load_split(chosen.folder), {}),
        "simulated": (simulate(), {"widths": (21,), "pool": 20, "stride": 20}),
    }
    compared = []
    with one_thread():
        for data_name, (data, sizes) in kinds.items():
            for model_name, (n_filters, rc) in MODELS.items():
                models = {f"seed {s}": train(data, n_filters, rc, s, **sizes) for s in range(chosen.seeds)}
                found = rcinterp.compare_models(models, data[1].positives(), data[1].negatives())
                found.save(chosen.out / f"{data_name}-{model_name}", f"{model_name}, {data_name}")
                patterns = describe(found, EMBEDDED if data_name == "simulated" else ("CTCF_known1",))
                row = {"data": data_name, "model": model_name, "summary": found.summary}
                compared.append(row | {"patterns": patterns, "models": records(found.models)})
    print(json.dumps(compared, indent=1))


if __name__ == "__main__":
    main()
