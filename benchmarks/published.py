"""Does interpret name the filters of models that others trained, and only those? (docs/evidence/published-models.md)

    python benchmarks/published.py MODELS DATA --out docs/results/published-models [--only NAME ...] [--motifs FILE]

MODELS holds published weights and DATA sequences: DeepBind's models of five factors (one layer; four have sequences
here), a BPNet of CTCF (nine layers) and an ExplaiNN of three factors (grouped convolutions over repeated letters; its
sequences are simulated, with motifs of each factor). Writes filters.tsv, a row a filter, and layers.tsv, a row a model
and layer, and prints that as JSON. A layer that stands in layers.tsv is not run again. An hour on one core, of it
the deeper layers of BPNet all but minutes.

A name is right if it is, by Tomtom, one of the motifs that the model's factor and its partners are known for
(REFERENCES); every other name counts as wrong, also where it may be true. The nulls are the names from shuffled labels,
from sites of the class that a filter does not speak for, from swapped classes, from models whose filters of letters
have shuffled columns, and from motifs whose columns are shuffled.
"""

import argparse
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import nn
from torch.nn import functional

import rcinterp
from rcinterp.comparison import compare_motifs, find_uninformative
from rcinterp.data.simulation import simulate_background
from rcinterp.interpretation.naming import name_motifs
from rcinterp.interpretation.verdicts import MATCH_Q_VALUE, SHUFFLED_P_VALUE, refuse
from rcinterp.motifs import Motif, load_motifs, load_motifs_with_sites
from rcinterp.reading.filter_motifs import motif_of_sites, trim_ppm
from rcinterp.reading.model import one_thread
from rcinterp.reading.reader import Reader
from rcinterp.reading.sites import SITE_THRESHOLD

SEED, N, N_LONG = 0, 500, 300
#: Of ENCODE: what a model of each factor may show. SRF binds with ETS factors, TEAD4 with AP-1.
REFERENCES = {
    "CTCF": ["CTCF_known1", "CTCF_known2", "CTCF_disc1", "RAD21_disc1"],
    "SRF": ["SRF_known7", "SRF_known9", "SRF_disc1", "ETS_known1", "ELK1_1"],
    "TEAD4": ["TEAD4_1", "TEAD1_2", "AP1_known1", "SOX2_1"],
    "ZNF143": ["ZNF143_known1", "ZNF143_known2", "ZNF143_disc1", "ZNF143_disc2"],
    "MAX": ["MYC_known1", "MYC_known2", "MYC_known3"],
    "FOXA1": ["FOXA_known1", "FOXA_known2"],
    "JUND": ["AP1_known1", "AP1_known2", "JDP2_1", "JDP2_2", "ATF3_known1"],
}
#: Families that name a piece of the reference although Tomtom may not tell it from so short a piece.
FAMILIES = {"CTCF": ("CTCF", "CTCFL", "RAD21", "SMC3")}
#: Tomtom's p-value, of all references together, up to which a catalogue's motif is one of them.
SAME = 1e-4
#: Draws of each null.
N_LABELS, N_COLUMNS = 3, 5


def read_weights(path):
    """What a file says of its model, and the weights in it."""
    with safe_open(path, "pt") as file:
        about = file.metadata()
    return about, load_file(path)


class DeepBind(nn.Module):
    """Alipanahi et al. 2015: padded by 0.25, one convolution, ReLU, maximum; the larger of both strands."""

    def __init__(self, path):
        super().__init__()
        about, weights = read_weights(path)
        n, self.width = int(about["num_detectors"]), int(about["detector_len"])
        n_hidden, self.both_strands = int(about["num_hidden"]), about["reverse_complement"] == "1"
        self.conv = nn.Conv1d(4, n, self.width)
        self.conv.weight.data = weights["detectors"].reshape(self.width, 4, n).permute(2, 1, 0).contiguous()
        self.conv.bias.data = weights["thresholds"]
        self.hidden = nn.Linear(n, n_hidden or 1)
        self.hidden.weight.data = weights["weights1"].reshape(n, n_hidden or 1).T.contiguous()
        self.hidden.bias.data = weights["biases1"]
        self.out = nn.Identity()
        if n_hidden:
            self.out = nn.Sequential(nn.ReLU(), nn.Linear(n_hidden, 1))
            self.out[1].weight.data, self.out[1].bias.data = weights["weights2"].reshape(1, -1), weights["biases2"]

    def strand(self, x):
        padded = functional.pad(x, (self.width - 1, self.width - 1), value=0.25)
        return self.out(self.hidden(functional.relu(self.conv(padded)).amax(2)))

    def forward(self, x):
        return torch.maximum(self.strand(x), self.strand(x.flip(1, 2))) if self.both_strands else self.strand(x)


class BPNet(nn.Module):
    """Avsec et al. 2021, as bpnet-lite writes it, without controls: profile logits and log counts."""

    def __init__(self, path):
        super().__init__()
        about, weights = read_weights(path)
        self.trimming = int(about["trimming"])
        self.iconv = nn.Conv1d(4, 64, 21, padding=10)
        dilations = [2**i for i in range(1, int(about["n_layers"]) + 1)]
        self.rconvs = nn.ModuleList([nn.Conv1d(64, 64, 3, padding=d, dilation=d) for d in dilations])
        self.fconv, self.linear = nn.Conv1d(64, 2, 75), nn.Linear(64, 1)
        self.load_state_dict(weights)

    def forward(self, x):
        x = functional.relu(self.iconv(x))
        for convolution in self.rconvs:
            x = x + functional.relu(convolution(x))
        inner = x[:, :, self.trimming - 37 : x.shape[2] - self.trimming + 37]
        return self.fconv(inner), self.linear(inner.mean(2))


class Exponential(nn.Module):
    """exp(x)."""

    def forward(self, x):
        return torch.exp(x)


class ExplaiNN(nn.Module):
    """Novakovsky et al. 2023: a hundred units, each with one filter over its own copy of the letters."""

    def __init__(self, path, n=100, n_windows=26, n_hidden=100):
        super().__init__()
        self.n = n
        first = [nn.Conv1d(4 * n, n, 19, groups=n), nn.BatchNorm1d(n), Exponential(), nn.MaxPool1d(7, 7)]
        hidden = [
            nn.Flatten(),
            nn.Unflatten(1, (n * n_windows, 1)),
            nn.Conv1d(n_windows * n, n_hidden * n, 1, groups=n),
        ]
        hidden += [nn.BatchNorm1d(n_hidden * n), nn.ReLU(), nn.Dropout(0.3), nn.Conv1d(n_hidden * n, n, 1, groups=n)]
        self.linears = nn.Sequential(*first, *hidden, nn.BatchNorm1d(n), nn.ReLU(), nn.Flatten())
        self.final = nn.Linear(n, 3)
        self.load_state_dict(read_weights(path)[1])

    def forward(self, x):
        return self.final(self.linears(x.repeat(1, self.n, 1)))


def middle(sequences, length):
    """The middle of each sequence."""
    return [sequence[(len(sequence) - length) // 2 :][:length] for sequence in sequences]


def in_random(sequences, length, seed):
    """Each sequence in the middle of random bases."""
    rng, found = np.random.default_rng(seed), []
    for sequence in sequences:
        n_left = (length - len(sequence)) // 2
        left, right = ("".join(rng.choice(list("ACGT"), n)) for n in (n_left, length - len(sequence) - n_left))
        found.append(left + sequence + right)
    return found


def read(*paths):
    """Sequences of FASTA files."""
    return [sequence for path in paths for sequence in rcinterp.read_fasta(path)]


def open_model(name, models, data):
    """Model, positives, negatives, factors, and options of interpret; `name` is ``model`` or ``model:layer``."""
    model, _, layer = name.partition(":")
    options = {"layer": layer} if layer else {}
    if model.startswith("DeepBind"):
        factor = model.split()[1]
        net = DeepBind(models / "deepbind" / f"{factor}.safetensors")
        if factor == "CTCF":
            folder = data / "ctcf_gm12878_hg19" / "open200"
            positives = middle(read(next(folder.glob("valid*.pos.fa*"))), 101)
            negatives = middle(read(next(folder.glob("valid*.neg.fa*")), next(folder.glob("train*.neg.fa*"))), 101)
        else:
            folder = data / "chipseq_101bp" / factor
            positives, negatives = read(folder / "test.pos.fa.gz"), read(folder / "test.neg.fa.gz")
        return net.eval(), positives[:N], negatives[:N], (factor,), options
    if model == "BPNet CTCF":
        folder = data / "ctcf_dragonn_chr12_1kb"
        positives = in_random(read(folder / "train.pos.fa.gz")[:N_LONG], 2114, SEED)
        negatives = read(folder / "train.neg.fa.gz", folder / "valid.neg.fa.gz")[:N_LONG]
        options["func"] = lambda y: y[1]  # the counts
        return (
            BPNet(models / "bpnet_ctcf.safetensors").eval(),
            positives,
            in_random(negatives, 2114, 1),
            ("CTCF",),
            options,
        )
    factors = ("MAX", "FOXA1", "JUND")  # in the order of its outputs, as simulated motifs show
    target = factors.index(model.split()[1])
    known = load_motifs("encode")
    embedded = {motif: known[motif] for motif in REFERENCES[factors[target]][-3:] if motif in known}
    positives = rcinterp.simulate_motifs(embedded, 200, 200, seed=target, max_instances=2).x
    negatives = simulate_background(len(positives), 200, seed=target)
    net = ExplaiNN(models / "explainn_max_jund_foxa1.safetensors").eval()
    return net, positives, negatives, factors, options | {"target": target}


def names_of(table):
    """Of the filters that are named, the known motif."""
    named = table[(table["match_q"] <= MATCH_Q_VALUE) & (table["match_shuffled_p"] <= SHUFFLED_P_VALUE)]
    return named.set_index("filter")["best_match"]


def references(factors, known):
    """Motifs of a catalogue that are one of the references, and families that are."""
    encode = load_motifs("encode")
    wanted = {name: encode[name] for factor in factors for name in REFERENCES[factor] if name in encode}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        matches = compare_motifs(known, wanted, background="encode", max_q_value=None)
    same = set(matches.loc[matches["p-value"] <= SAME / len(wanted), "Query_ID"])
    families = tuple(family for factor in factors for family in FAMILIES.get(factor, ()))
    return same | {name for name in known if name.split("_")[0] in families}


def with_shuffled_columns(model, layer, seed):
    """The model, its filters of letters with their columns in another order, each in its own."""
    convolution = dict(model.named_modules())[layer]
    rng = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in convolution.weight:
            weight.copy_(weight[:, torch.randperm(weight.shape[1], generator=rng)])
    return model


def measure(name, models, data, motifs):
    """A row of layers.tsv, and the table of its filters."""
    model, positives, negatives, factors, options = open_model(name, models, data)
    options |= {"motifs": motifs, "measure_faithfulness": False}
    known = load_motifs_with_sites(motifs)
    right = references(factors, known)
    found = rcinterp.interpret(model, positives, negatives, **options)
    names = names_of(found.table)
    row = {
        "model": name,
        "layer": found.layer,
        "filters": len(found.table),
        "live": int(((found.table["mean_positive"] != 0) | (found.table["mean_negative"] != 0)).sum()),
        "auroc": found.performance["auroc"],
        "compared": int(found.table["refused"].isna().sum()),
        "named": len(names),
        "right": int(names.isin(right).sum()),
        "wrong": ", ".join(sorted(names[~names.isin(right)])),
    }
    row["other class"] = named_from_the_other_class(model, positives, negatives, known, options)
    row["classes swapped"] = len(names_of(rcinterp.interpret(model, negatives, positives, **options).table))
    both = positives + negatives if isinstance(positives, list) else torch.cat([positives, negatives])
    for draw in range(N_LABELS):
        order = np.random.default_rng(draw).permutation(len(both))
        mixed = [both[i] for i in order] if isinstance(both, list) else both[torch.from_numpy(order)]
        classes = mixed[: len(positives)], mixed[len(positives) :]
        row[f"labels shuffled {draw}"] = len(names_of(rcinterp.interpret(model, *classes, **options).table))
    if found.unit == "weight":
        shuffled = with_shuffled_columns(model, found.layer, SEED)
        row["filters shuffled"] = len(names_of(rcinterp.interpret(shuffled, positives, negatives, **options).table))
    compared = found.table[found.table["refused"].isna()]
    n_named = 0
    for draw in range(N_COLUMNS):
        rng = np.random.default_rng(draw)
        queries = {
            one.filter: Motif(rng.permutation(found.ppms[one.filter], axis=1), float(one.n_sites))
            for one in compared.itertuples()
        }
        if queries:
            matches = compare_motifs(queries, known)
            n_named += len(names_of(name_motifs(matches, queries, known).rename_axis("filter").reset_index()))
    row |= {"motifs shuffled": n_named, "of": N_COLUMNS * len(compared)}
    is_right = found.table["filter"].map(names).isin(right)
    return row, found.table.drop(columns=["verdict_kinds"]).assign(model=name, right=is_right)


def named_from_the_other_class(model, positives, negatives, known, options):
    """How many filters are named from sites in the class that they do not speak for, by the same rules."""
    reader = Reader(model, options.get("layer"), options.get("target", 0), func=options.get("func"))
    reading = reader.read_classes(positives, negatives, measure_faithfulness=False)
    queries = {}
    for f, name in enumerate(reading.layer.filter_names):
        own, is_raising = reading.sites.direction(f)
        sites = reading.sites.sites_of(f, 1 - own, SITE_THRESHOLD, is_raising=is_raising)
        motif = motif_of_sites(sites.letters)
        ppm = motif.ppm if reading.field.of_letters else trim_ppm(motif.ppm)
        if refuse(motif.n_sites, sites.p, ppm.shape[1]) is None:
            queries[name] = Motif(ppm, motif.n_sites)
    queries = {name: queries[name] for name in queries.keys() - find_uninformative(queries).keys()}
    if not queries:
        return 0
    matches = compare_motifs(queries, known)
    return len(names_of(name_motifs(matches, queries, known).rename_axis("filter").reset_index()))


NAMES = [
    *(f"DeepBind {factor}" for factor in ("CTCF", "SRF", "TEAD4", "ZNF143")),
    *(f"ExplaiNN {factor}" for factor in ("MAX", "FOXA1", "JUND")),
    "BPNet CTCF",
    *(f"BPNet CTCF:rconvs.{i}" for i in range(4)),
]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--only", nargs="+", default=NAMES, choices=NAMES)
    parser.add_argument("--motifs", default="encode", help="encode, or a file of motifs")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    paths = {what: given.out / f"{what}.tsv" for what in ("layers", "filters")}
    tables = {what: pd.read_csv(path, sep="\t") if path.exists() else pd.DataFrame() for what, path in paths.items()}
    with one_thread():
        for name in given.only:
            if len(tables["layers"]) and name in set(tables["layers"]["model"]):
                continue
            row, filters = measure(name, given.models, given.data, given.motifs)
            tables["layers"] = pd.concat([tables["layers"], pd.DataFrame([row])], ignore_index=True)
            tables["filters"] = pd.concat([tables["filters"], filters], ignore_index=True)
            for what, path in paths.items():
                tables[what].to_csv(path, sep="\t", index=False, float_format="%.4g")
            print(row, file=sys.stderr, flush=True)
    print(tables["layers"].to_json(orient="records", indent=1))


if __name__ == "__main__":
    main()
