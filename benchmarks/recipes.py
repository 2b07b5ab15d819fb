"""Is the default of `fit` better than baselines on every set? RC and traditional, 5 seeds on each of 3 random splits.

    python benchmarks/recipes.py run FOLDER [--data SHARED] [--sets NAME ...] [--kinds KIND ...] [--seeds 5]
    python benchmarks/recipes.py table FOLDER
    python benchmarks/recipes.py hybrids
    python benchmarks/recipes.py chr22 [--data SHARED]

`run` adds rows to FOLDER/KIND.jsonl and skips those that are there. Real sets need the folder of data (--data);
simulated ones are made here. Kinds:

- rc and traditional: rcinterp.fit as it is; quiet: the recipe "quiet", RC
- words: logistic regression on counts of 6-mers
- plain: Conv1d-ReLU-MaxPool-Linear of as many parameters as rc under Adam, rate and pooling chosen on validation
- motif: the best single known ENCODE motif, chosen on 600 training and validation sequences

Everything within a run is chosen on training and validation sequences, never on the test set.
"""

import argparse
import copy
import json
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from sklearn.metrics import roc_auc_score
from torch import nn

from rcinterp import (
    compact_model,
    count_parameters,
    filter_contributions,
    fit,
    load_dataset,
    load_motifs,
    predict,
    simulate_motifs,
    triage_palindromes,
)
from rcinterp.data.datasets import Dataset
from rcinterp.data.simulation import simulate_background
from rcinterp.data.splitting import take_rows
from rcinterp.demo import simulate_one_motif
from rcinterp.interpretation.verdicts import NEGLIGIBLE_SHARE
from rcinterp.palindromes.triage import HYBRID
from rcinterp.training.baseline import fit_baseline
from rclayers import reverse_complement

N_FILTERS = 16
SPLITS = 3
N_TEST = 2000


def _load(folder, part):
    return load_dataset(folder / f"{part}.pos.fa.gz", folder / f"{part}.neg.fa.gz")


def ctcf(name, data):
    """Train on chr21, test on chr22."""
    folder = data / "ctcf_gm12878_hg19" / name
    return _load(folder, "train_chr21"), _load(folder, "valid_chr22")


def dragonn(data):
    """CTCF, 1,000 bp; the blocks of validation are the test set here."""
    folder = data / "ctcf_dragonn_chr12_1kb"
    return _load(folder, "train"), _load(folder, "valid")


def chip(positives, negatives, data):
    """101 bp; training and validation sequences are split anew."""
    folder = data / "chipseq_101bp"
    parts = []
    for part in ("train", "valid", "test"):
        other = (
            folder / positives / f"{part}.neg.fa.gz" if negatives is None else folder / negatives / f"{part}.pos.fa.gz"
        )
        parts.append(load_dataset(folder / positives / f"{part}.pos.fa.gz", other))
    train, valid, test = parts
    names = tuple(f"s{i}" for i in range(len(train) + len(valid)))
    return Dataset(torch.cat([train.x, valid.x]), torch.cat([train.y, valid.y]), names), test


def _embed(x, name, seed, share):
    """Put one instance of an ENCODE motif into a share of the sequences."""
    motif = load_motifs("encode")[name]
    drawn = simulate_motifs({name: motif}, len(x), x.shape[2], seed=seed, mean_instances=1, max_instances=1)
    chosen, found = np.random.default_rng(seed).random(len(x)) < share, x.clone()
    for site in drawn.sites.to_dict("records"):
        if chosen[site["sequence"]]:
            where = slice(site["start"], site["end"])
            found[site["sequence"], :, where] = drawn.x[site["sequence"], :, where]
    return found


def simulated(kind, n, length, gc, negative_gc, _data):
    """Positives and negatives of a simulation, n of them for training and validation."""

    def make(n, seed):
        here = simulate_background(n, length, seed=seed, gc=gc)
        there = simulate_background(n, length, seed=seed + 1, gc=negative_gc)
        half = n // 2
        if kind == "one motif":
            here = _embed(here, "SPI1_known1", seed + 2, 0.8)
        elif kind == "a motif in either class":
            here, there = _embed(here, "GATA_known1", seed + 2, 0.9), _embed(there, "NRF1_known1", seed + 3, 0.9)
        elif kind == "a motif in the negatives alone":
            there = _embed(there, "SPI1_known1", seed + 3, 0.9)
        elif kind == "activator, and repressor beside it":
            here = _embed(here, "NFY_known1", seed + 2, 0.95)
            both = _embed(_embed(there[:half], "NFY_known1", seed + 3, 1), "SPI1_known1", seed + 4, 1)
            there = torch.cat([both, there[half:]])
        else:  # two motifs in the positives, one in the negatives
            here = torch.cat(
                [_embed(here[:half], "SPI1_known1", seed + 2, 1), _embed(here[half:], "MYC_known1", seed + 4, 1)]
            )
            there = _embed(there, "GATA_known1", seed + 3, 0.7)
        y = torch.cat([torch.ones(n, 1), torch.zeros(n, 1)])
        return Dataset(torch.cat([here, there]), y, tuple(f"s{i}" for i in range(2 * n)))

    return make(n // 2, 1000), make(N_TEST, 9000)


def _sim(kind, n, length, gc=0.4, negative_gc=0.4):
    return partial(simulated, kind, n, length, gc, negative_gc)


SETS = {
    "CTCF w300pad": partial(ctcf, "w300pad"),
    "CTCF w300": partial(ctcf, "w300"),
    "CTCF open200": partial(ctcf, "open200"),
    "CTCF 1,000 bp": dragonn,
    "SRF": partial(chip, "SRF", None),
    "TEAD4": partial(chip, "TEAD4", None),
    "ZNF143": partial(chip, "ZNF143", None),
    "SRF against ZNF143": partial(chip, "SRF", "ZNF143"),
    "one motif, 300 x 200 bp": _sim("one motif", 300, 200),
    "one motif, 1,000 x 200 bp": _sim("one motif", 1000, 200),
    "one motif, 10,000 x 101 bp": _sim("one motif", 10_000, 101),
    "one motif, 2,000 x 500 bp": _sim("one motif", 2000, 500),
    "one motif, 4,000 x 1,000 bp": _sim("one motif", 4000, 1000),
    "a motif in either class, 300 x 101 bp": _sim("a motif in either class", 300, 101),
    "a motif in either class, 2,000 x 200 bp": _sim("a motif in either class", 2000, 200),
    "a motif in the negatives alone, 2,000 x 200 bp": _sim("a motif in the negatives alone", 2000, 200),
    "activator and repressor, 4,000 x 200 bp": _sim("activator, and repressor beside it", 4000, 200),
    "two motifs against one, 3,000 x 200 bp": _sim("two against one", 3000, 200),
    "GC .5 against .4, 2,000 x 200 bp": _sim("one motif", 2000, 200, 0.5, 0.4),
    "GC .4 against .55, 2,000 x 200 bp": _sim("one motif", 2000, 200, 0.4, 0.55),
}


def split(pool, seed):
    """A fifth of either class for validation."""
    rng, y = np.random.default_rng([77, seed]), pool.y[:, 0].numpy()
    rows = np.zeros(len(y), dtype=bool)
    for label in (0, 1):
        members = rng.permutation(np.flatnonzero(y == label))
        rows[members[: round(0.2 * len(members))]] = True
    return take_rows(pool, ~rows), take_rows(pool, rows)


def auroc(data, logits):
    return float(roc_auc_score(data.y[:, 0].numpy(), np.asarray(logits).ravel()))


def train_default(rc, recipe, train, valid, test, seed):
    model = compact_model(1, N_FILTERS if rc else 2 * N_FILTERS, train.length, rc=rc)
    history = fit(model, train, valid, seed=seed, recipe=recipe, augment=not rc, baseline=False, progress=False)
    start = model.provenance.get("start", "drawn")
    return {"valid": history["valid_auroc"].max(), "test": auroc(test, predict(model, test.x)), "start": start}


def train_plain(train, valid, test, seed, rate=None, pool=None, epochs=20, width=15):
    """Conv1d, ReLU, MaxPool, Linear under Adam; rate and pooling chosen on validation with seed 0."""
    if rate is None:
        tried = [train_plain(train, valid, test, 0, r, p) for r in (3e-3, 1e-2) for p in (20, 10**6)]
        best = max(tried, key=lambda found: found["valid"])
        return best if seed == 0 else train_plain(train, valid, test, seed, best["rate"], best["pool"])
    torch.manual_seed(seed)
    n_positions = train.length - width + 1
    size = min(pool, n_positions)
    n_windows = (n_positions - size) // size + 1
    wanted = count_parameters(compact_model(1, N_FILTERS, train.length))
    n_filters = max(2, round(wanted / (4 * width + 1 + n_windows)))
    model = nn.Sequential(
        nn.Conv1d(4, n_filters, width), nn.ReLU(), nn.MaxPool1d(size), nn.Flatten(), nn.Linear(n_filters * n_windows, 1)
    )
    optimiser = torch.optim.Adam(model.parameters(), lr=rate)
    weight, best = (train.y == 0).sum() / (train.y == 1).sum(), {"valid": 0.0}
    generator, n_samples = torch.Generator().manual_seed(seed), min(max(len(train), 1000), 5000)
    kept = model
    for _ in range(epochs):
        passes = [torch.randperm(len(train), generator=generator) for _ in range(-(-n_samples // len(train)))]
        for rows in torch.split(torch.cat(passes)[:n_samples], 100):
            optimiser.zero_grad()
            logits = model(train.x[rows])
            nn.functional.binary_cross_entropy_with_logits(logits, train.y[rows], pos_weight=weight).backward()
            optimiser.step()
        with torch.no_grad():
            now = auroc(valid, model(valid.x))
            if now > best["valid"]:
                best, kept = {"valid": now, "rate": rate, "pool": pool}, copy.deepcopy(model)
    with torch.no_grad():
        return {**best, "test": auroc(test, kept(test.x))}


def train_words(train, valid, test, _seed):
    found = fit_baseline(train, valid)
    return {"valid": auroc(valid, found.logits(valid.x)), "test": auroc(test, found.logits(test.x))}


def train_motif(train, valid, test, _seed):
    """Best site of one ENCODE motif on either strand; motif and sign are the best on some of what is not the test."""
    known = Dataset(torch.cat([train.x, valid.x]), torch.cat([train.y, valid.y]), train.names + valid.names)

    def best_site(motif, x):
        weight = torch.from_numpy(np.log2((motif + 0.01) / 1.04 / 0.25)).float()[None]
        strands = [nn.functional.conv1d(x, w).amax(2) for w in (weight, reverse_complement(weight))]
        return torch.maximum(*strands)[:, 0]

    motifs = {
        name: ppm for name, ppm in load_motifs("encode").items() if "known" in name and ppm.shape[1] <= known.length
    }
    rows = torch.randperm(len(known), generator=torch.Generator().manual_seed(0))[:600]
    some, labels = known.x[rows], known.y[rows, 0].numpy()
    found = {name: roc_auc_score(labels, best_site(ppm, some)) for name, ppm in motifs.items()}
    name = max(found, key=lambda one: abs(found[one] - 0.5))
    sign = 1 if found[name] > 0.5 else -1
    return {
        "valid": max(found[name], 1 - found[name]),
        "test": auroc(test, sign * best_site(motifs[name], test.x)),
        "motif": name,
    }


KINDS = {
    "rc": partial(train_default, True, "seeded"),
    "traditional": partial(train_default, False, "seeded"),
    "quiet": partial(train_default, True, "quiet"),
    "words": train_words,
    "plain": train_plain,
    "motif": train_motif,
}
#: Of these no seed is drawn.
FIXED = ("words", "motif")


def run(given):
    given.folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    for kind in given.kinds:
        path = given.folder / f"{kind}.jsonl"
        rows = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        there = {(row["set"], row["split"], row["seed"]) for row in rows}
        for name in given.sets:
            pool, test = SETS[name](given.data)
            for s in range(SPLITS):
                train, valid = split(pool, s)
                for seed in range(1 if kind in FIXED else given.seeds):
                    if (name, s, seed) not in there:
                        row = {
                            "set": name,
                            "n": len(pool),
                            "split": s,
                            "seed": seed,
                            **KINDS[kind](train, valid, test, seed),
                        }
                        with path.open("a") as file:
                            file.write(json.dumps(row) + "\n")


def hybrids(given):
    """Live filters, and artefact hybrids among them, on simulated CTCF sites, by recipe and kind of model."""
    torch.set_num_threads(1)
    train, valid = simulate_one_motif("CTCF_known1", 5000, 200, seed=0)
    for rc, n_filters in ((True, 8), (False, 16)):
        for recipe in ("quiet", "seeded"):
            n_live, n_hybrids = 0, 0
            for seed in range(given.seeds):
                model = compact_model(1, n_filters, 200, rc=rc, widths=(21,), pool=20, stride=20)
                fit(model, train, valid, seed=seed, recipe=recipe, augment=not rc, baseline=False, progress=False)
                table = filter_contributions(model, valid.positives()[:400], valid.negatives()[:400])
                size = table.set_index("filter")["contribution"].abs()
                live = size.index[size >= NEGLIGIBLE_SHARE * size.max()]
                triage = triage_palindromes(model.conv1.weight).set_index("filter")["triage"]
                n_live, n_hybrids = n_live + len(live), n_hybrids + int((triage[live] == HYBRID).sum())
            row = {"model": "RC" if rc else "traditional", "recipe": recipe, "hybrids": n_hybrids, "live": n_live}
            print(json.dumps(row), flush=True)


def chr22(given):
    """Validation auROC on chr22 of models trained on chr21, as the paper's figures have it, by recipe."""
    torch.set_num_threads(1)
    folder = given.data / "ctcf_gm12878_hg19" / "w300pad"
    train, valid = _load(folder, "train_chr21"), _load(folder, "valid_chr22")
    for n_layers, n_filters in ((1, 8), (1, 16), (3, 16)):
        for recipe in ("quiet", "seeded"):
            found = []
            for seed in range(given.seeds):
                model = compact_model(n_layers, n_filters, train.length)
                history = fit(model, train, valid, seed=seed, recipe=recipe, baseline=False, progress=False)
                found.append(history["valid_auroc"].max())
            row = {"layers": n_layers, "filters": n_filters, "recipe": recipe}
            print(json.dumps(row | {"mean": round(np.mean(found), 4), "lowest": round(min(found), 4)}), flush=True)


def table(given):
    rows = pd.concat(pd.read_json(path, lines=True).assign(kind=path.stem) for path in given.folder.glob("*.jsonl"))
    shown = {}
    for (name, kind), group in rows.groupby(["set", "kind"]):
        low = "" if kind in FIXED else f" ({group['test'].min():.3f}, {len(group)})"
        shown.setdefault(name, {})[kind] = f"{group['test'].mean():.3f}{low}"
    kinds = [kind for kind in KINDS if kind in set(rows["kind"])]
    print("| set | " + " | ".join(kinds) + " |\n|" + "---|" * (1 + len(kinds)))
    for name in SETS:
        if name in shown:
            print(f"| {name} | " + " | ".join(shown[name].get(kind, "–") for kind in kinds) + " |")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    for name, what in (("run", run), ("table", table), ("hybrids", hybrids), ("chr22", chr22)):
        command = commands.add_parser(name)
        command.set_defaults(what=what)
        if name in ("hybrids", "chr22"):
            command.add_argument("--seeds", type=int, default=3)
            command.add_argument("--data", type=Path, default=Path("../shared/data"))
            continue
        command.add_argument("folder", type=Path)
        if name == "run":
            command.add_argument("--data", type=Path, default=Path("../shared/data"))
            command.add_argument("--sets", nargs="+", default=list(SETS), choices=list(SETS))
            command.add_argument("--kinds", nargs="+", default=list(KINDS), choices=list(KINDS))
            command.add_argument("--seeds", type=int, default=5)
    given = parser.parse_args()
    given.what(given)


if __name__ == "__main__":
    main()
