"""Does `triage_palindromes` tell palindromes from hybrids of both strands? docs/explanation/palindromes.md, as JSON.

    python benchmarks/triage.py calibrate                    # what the thresholds follow from, 1 minute
    python benchmarks/triage.py measure docs/results/triage  # on the other half of the families, 2 minutes
    python benchmarks/triage.py catalogue                    # the ENCODE motifs themselves, as they are, 1 minute
    python benchmarks/triage.py small                        # palindromes judged by few motifs, 1 minute
    python benchmarks/triage.py one-motif                    # trained models of one embedded motif, 2 minutes

The ENCODE catalogue is cut in halves by family (the name before "_"). Filters made from motifs of the one half set the
thresholds of rcinterp/palindromes/triage.py; those of the other are only measured. Each is judged by the whole
catalogue, its own motif in it, and again by the catalogue without the motif's family.
"""

import argparse
import itertools
import json
import math
from pathlib import Path

import numpy as np
import pandas as pd

from rcinterp.demo import simulate_one_motif
from rcinterp.motifs import load_motifs
from rcinterp.palindromes import known_filters as q
from rcinterp.palindromes import triage
from rcinterp.palindromes.finding import find_palindromes
from rcinterp.reading.functions import filter_contributions
from rcinterp.reading.layer import find_layer
from rcinterp.training.fitting import fit
from rcinterp.training.models import compact_model

WIDTHS = (15, 21)
SPLIT_SEED, CALIBRATION_SEED, HELD_OUT_SEED = 0, 1, 2
#: Two that are no palindromes, and two that are.
ONE_MOTIF = ("CTCF_known1", "GATA_known6", "MYC_known1", "STAT_known1")
#: Values of `PALINDROME_FIRST` that are compared; the last takes no palindrome before a hybrid.
FIRST = (0.88, 0.9, 0.92, 1.01)
WHOLE, WITHOUT = "whole", "without the family"


def look_at(queries, catalogue, catalogues):
    """One row a filter and catalogue: the truth, and what the triage says."""
    own = find_palindromes({str(i): query.matrix for i, query in enumerate(queries)}, n_permutations=1)
    of_family = np.array([q.family(name) for name in catalogue.names])
    rows = []
    for query, similarity, shift in zip(queries, own["rc_similarity"], own["rc_shift"], strict=True):
        truth = {
            "kind": query.kind,
            "width": query.matrix.shape[1],
            "noise": str(query.noise or ""),
            "true": query.motif,
        }
        truth["share"] = "0.5 to 0.6" if query.share <= 0.6 else "0.6 to 0.7"
        for which in catalogues:
            without = of_family == q.family(query.motif) if which == WITHOUT and query.motif else None
            evidence = catalogue.evidence(query.matrix, int(shift), without)
            said = triage.classify(similarity, evidence, catalogue.names, catalogue.is_small(without))
            rows.append({"catalogue": which, **truth, **said})
    return pd.DataFrame(rows)


def wilson(k, n, z=1.96):
    """95 % confidence interval of a share."""
    centre, half = k + z**2 / 2, z * math.sqrt(k * (n - k) / n + z**2 / 4)
    return (centre - half) / (n + z**2), (centre + half) / (n + z**2)


def calibrate(n):
    """What the rules in rcinterp/palindromes/triage.py give on the first half of the families.

    The thresholds, and the share of the hybrids that no palindromic motif explains too well, by `PALINDROME_FIRST`.
    """
    motifs = load_motifs("encode")
    found = look_at(
        q.draw_queries(q.split_families(motifs, SPLIT_SEED)[0], n, WIDTHS, q.NOISES, CALIBRATION_SEED),
        triage.Catalogue(motifs),
        [WHOLE],
    )
    hybrids = found[found["kind"].isin(q.HYBRIDS)]
    symmetric = np.arange(0, 1, 0.05)
    symmetric = max(s for s in symmetric if (hybrids["rc_similarity"] >= s - 1e-9).mean() >= 0.97)
    noise = found[found["kind"] == q.SYMMETRIC_NOISE]["hybrid_similarity"]
    explained = min(s for s in np.arange(0, 1.05, 0.05) if (noise >= s - 1e-9).mean() < 0.1)
    steps = np.arange(0, 0.2, 0.01)
    is_hybrid = (hybrids["rc_similarity"] >= symmetric) & (hybrids["hybrid_similarity"] >= explained)
    gain_of = (hybrids["hybrid_similarity"] - hybrids["single_similarity"]).where(is_hybrid, -1)
    gain = max(s for s in steps if (gain_of >= s - 1e-9).mean() >= 0.95)
    plain = found[found["kind"] == q.MOTIF]
    half = plain["half_similarity"] >= explained
    half_gain_of = (plain["half_similarity"] - plain["single_similarity"]).where(half, -1)
    half_gain = min(s for s in steps if (half_gain_of >= s - 1e-9).mean() <= 0.01)
    rules = {"SYMMETRIC": symmetric, "EXPLAINED": explained, "GAIN": gain, "HALF_GAIN": half_gain}
    constants = [{"constant": k, "found": round(v, 2), "in use": getattr(triage, k)} for k, v in rules.items()]
    palindrome = hybrids["palindrome_similarity"]
    palindrome = palindrome.where(palindrome > hybrids["single_similarity"] - triage.GAIN, -1)
    first = [{"PALINDROME_FIRST": s, "hybrids left": ((gain_of >= gain) & (palindrome < s)).mean()} for s in FIRST]
    return pd.DataFrame(constants), pd.DataFrame(first)


def rates(found):
    """Sensitivity to hybrids, specificity on motifs, and how often verdict and name are right; by stratum."""
    is_hybrid, is_motif = found["kind"].isin(q.HYBRIDS), found["kind"].isin([q.MOTIF, q.PALINDROMIC])
    called = found["triage"] == triage.HYBRID
    right = {
        "hybrids: artefact hybrid": (is_hybrid, called),
        "hybrids found: their motif named": (is_hybrid & called, found["triage_motif"] == found["true"]),
        "hybrids found: a motif of the family named": (
            is_hybrid & called,
            found["triage_motif"].fillna("_").map(q.family) == found["true"].fillna("").map(q.family),
        ),
        "hybrids cut at the axis: artefact hybrid": (found["kind"] == q.CUT, called),
        "motifs: no hybrid": (is_motif, ~called),
        "palindromic motifs: no hybrid": (found["kind"] == q.PALINDROMIC, ~called),
        "palindromic motifs: true palindrome": (
            found["kind"] == q.PALINDROMIC,
            found["triage"] == triage.TRUE_PALINDROME,
        ),
        "other motifs: none": (found["kind"] == q.MOTIF, found["triage"] == triage.NONE),
        "half-sites: half-site": (found["kind"] == q.HALF, found["triage"] == triage.HALF_SITE),
    }
    rows = []
    for stratum in ("", "width", "noise", "kind", "share"):
        values = sorted(set(found[stratum]) - {""}) if stratum else [""]
        for what, (among, hit) in right.items():
            if stratum in ("kind", "share") and not what.startswith("hybrids"):
                continue
            for value in values:
                chosen = among & (found[stratum] == value) if stratum else among
                if n := int(chosen.sum()):
                    k = int(hit[chosen].sum())
                    low, high = wilson(k, n)
                    rows.append(
                        {
                            "what": what,
                            "stratum": f"{stratum} {value}".strip() or "all",
                            "n": n,
                            "share": k / n,
                            "low": low,
                            "high": high,
                        }
                    )
    return pd.DataFrame(rows)


def measure(n, folder):
    motifs = load_motifs("encode")
    queries = q.draw_queries(q.split_families(motifs, SPLIT_SEED)[1], n, WIDTHS, q.NOISES, HELD_OUT_SEED)
    found = look_at(queries, triage.Catalogue(motifs), [WHOLE, WITHOUT])
    tables = [rates(rows).assign(catalogue=name) for name, rows in found.groupby("catalogue", sort=False)]
    table = pd.concat(tables)
    table = table[(table["catalogue"] == WHOLE) | ~table["what"].str.contains("named")]  # without, it cannot be
    table = table[["catalogue", "what", "stratum", "n", "share", "low", "high"]]
    verdicts = pd.crosstab([found["catalogue"], found["kind"]], found["triage"]).reset_index()
    folder.mkdir(parents=True, exist_ok=True)
    table.to_csv(folder / "rates.tsv", sep="\t", index=False, float_format="%.4f")
    verdicts.to_csv(folder / "verdicts.tsv", sep="\t", index=False)
    return table[table["stratum"] == "all"], verdicts


def look_at_catalogue():
    """Verdicts on the motifs themselves, judged by all others, and by those of other families."""
    motifs = load_motifs("encode")
    catalogue, own = triage.Catalogue(motifs), find_palindromes(motifs, n_permutations=1)
    names, of_family = np.array(catalogue.names), np.array([q.family(name) for name in catalogue.names])
    rows = []
    given = zip(names, own["rc_similarity"], own["rc_shift"], strict=True)
    for name, similarity, shift in sorted(given, key=lambda one: motifs[one[0]].shape[1]):  # one width is laid out
        for which, without in (("all others", names == name), (WITHOUT, of_family == q.family(name))):
            evidence = catalogue.evidence(motifs[name], int(shift), without)
            small = catalogue.is_small(without)
            verdict = triage.classify(similarity, evidence, catalogue.names, small)["triage"]
            kind = "0.8 and more" if similarity >= 0.8 else "0.45 to 0.8" if similarity >= triage.SYMMETRIC else "less"
            rows.append({"judged by": which, "similarity to own RC": kind, "triage": verdict})
    found = pd.DataFrame(rows)
    return [pd.crosstab([found["judged by"], found["similarity to own RC"]], found["triage"]).reset_index()]


def look_at_small_catalogues(n):
    """What palindromic motifs of the first half are called by few motifs of other families, if all are judged."""
    motifs = load_motifs("encode")
    catalogue, rng = triage.Catalogue(motifs), np.random.default_rng(CALIBRATION_SEED)
    queries = q.draw_queries(q.split_families(motifs, SPLIT_SEED)[0], n, WIDTHS, q.NOISES, CALIBRATION_SEED)
    queries = [query for query in queries if query.kind == q.PALINDROMIC]
    own = find_palindromes({str(i): query.matrix for i, query in enumerate(queries)}, n_permutations=1)
    of_family = np.array([q.family(name) for name in catalogue.names])
    rows = []
    for query, similarity, shift in zip(queries, own["rc_similarity"], own["rc_shift"], strict=True):
        others = of_family != q.family(query.motif)
        palindromic, plain = (np.flatnonzero(others & (catalogue.palindromic == side)) for side in (True, False))
        for size, share in itertools.product((25, 50, 100, 200, 400), ("a third", 10, 3)):
            n_palindromic = size // 3 if share == "a third" else share
            left_out = np.ones(len(others), dtype=bool)
            left_out[rng.choice(palindromic, n_palindromic, replace=False)] = False
            left_out[rng.choice(plain, size - n_palindromic, replace=False)] = False
            evidence = catalogue.evidence(query.matrix, int(shift), left_out)
            verdict = triage.classify(similarity, evidence, catalogue.names, small=False)["triage"]
            rows.append({"motifs": size, "palindromic": str(share), "triage": verdict})
    found = pd.DataFrame(rows)
    return [pd.crosstab([found["palindromic"], found["motifs"]], found["triage"], normalize="index").reset_index()]


def look_at_models():
    """Verdicts on the live filters of models of one embedded motif, which all of them serve."""
    catalogue, rows = triage.Catalogue("encode"), []
    for name, rc, seed in itertools.product(ONE_MOTIF, (True, False), (0, 1)):
        train, valid = simulate_one_motif(name, 3000, 200, seed=seed)
        model = compact_model(1, 8, 200, rc=rc, widths=(21,), pool=20, stride=20)
        fit(model, train, valid, seed=seed, recipe="quiet", epochs=20, augment=not rc, baseline=False, progress=False)
        table = filter_contributions(model, valid.positives(), valid.negatives())
        size = table.set_index("filter")["contribution"].abs()
        layer = find_layer(model)
        weights = dict(zip(layer.filter_names, layer.weight.double().numpy(), strict=True))
        live = {f: weight for f, weight in weights.items() if size[f] >= 0.05 * size.max()}
        found = triage.triage_palindromes(live, catalogue)
        cut = pd.cut(
            found["rc_similarity"], [-1, triage.SYMMETRIC, 0.8, 1], labels=["less", "0.45 to 0.8", "0.8 and more"]
        )
        of = {"embedded": name, "model": "RC" if rc else "traditional, augmented"}
        rows.append(found.assign(**of, **{"similarity to own RC": cut.astype(str)}))
    found = pd.concat(rows)
    of = [found["embedded"], found["model"], found["similarity to own RC"]]
    return [pd.crosstab(of, found["triage"]).reset_index()]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=["calibrate", "measure", "catalogue", "small", "one-motif"])
    parser.add_argument("folder", nargs="?", type=Path, default=Path("results/triage"))
    parser.add_argument("--n", type=int, default=100, help="filters of each kind for each width and noise")
    chosen = parser.parse_args()
    if chosen.what == "measure":
        tables = measure(chosen.n, chosen.folder)
    else:
        look = {
            "calibrate": lambda: calibrate(chosen.n),
            "catalogue": look_at_catalogue,
            "small": lambda: look_at_small_catalogues(chosen.n),
            "one-motif": look_at_models,
        }
        tables = look[chosen.what]()
    print(json.dumps([json.loads(table.to_json(orient="records")) for table in tables], indent=1))


if __name__ == "__main__":
    main()
