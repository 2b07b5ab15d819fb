"""How often are p-values wrong where nothing is to be found, and intervals where the truth is known?

    python benchmarks/reliability.py > reliability.json    # the table of docs/reliability.md

Type-I error: of 1,000 draws under the null hypothesis of each p-value, the share with p at most 0.05 and 0.01; of
rules that look at many p-values, the share of draws in which anything is claimed. Coverage: of draws whose truth is
known, the share whose 95 % interval holds it, of those that are given.
"""

import argparse
import json
import sys
import time
import warnings

import numpy as np
import pandas as pd
import torch
from scipy.special import expit
from scipy.stats import false_discovery_control, norm
from timing import machine

from rcinterp import compact_model, find_palindromes, fit, interpret, load_dataset, sequence_contributions
from rcinterp.comparison import DISTANCES, compare_motifs
from rcinterp.data.datasets import Dataset
from rcinterp.data.sequences import decode
from rcinterp.data.simulation import simulate_background, simulate_motifs
from rcinterp.interpretation.naming import name_motifs
from rcinterp.interpretation.verdicts import MATCH_Q_VALUE, SHUFFLED_P_VALUE, SITES_P_VALUE
from rcinterp.motifs import Motif, load_motifs, load_motifs_with_sites
from rcinterp.reading.model import one_thread
from rcinterp.reading.statistics import bootstrap_difference, permutation_p_values
from rcinterp.stability.rates import exact_interval
from rcinterp.studies._statistics import claim, p_greater, tabulate_claims
from rcinterp.training.evaluation import measure_performance

DRAWS, SIZES = 1000, (10, 20, 50, 200)
LEVELS = (0.05, 0.01)
COLUMNS = 100  # draws that share their resamples
N_FILTERS, LENGTH = 20, 120  # of models that are trained on shuffled labels
STRANDS = 300
MANY = (1_000_000, 1_000_000)  # logits of either class, for the truth


def zero_inflated(rng, size):
    return rng.exponential(size=size) * (rng.random(size) >= 0.7)


#: Distributions of contributions, and their means.
DISTRIBUTIONS = {
    "normal": (lambda rng, size: rng.normal(size=size), 0.0),
    "exponential": (lambda rng, size: rng.exponential(size=size), 1.0),
    "70 % zeros": (zero_inflated, 0.3),
    "lognormal": (lambda rng, size: rng.lognormal(size=size), float(np.exp(0.5))),
}


#: Distributions of which few sequences do not show what their mean rests on.
UNSEEN = {
    "lognormal of sigma 1.5": (lambda rng, size: rng.lognormal(sigma=1.5, size=size), float(np.exp(1.5**2 / 2))),
    "lognormal of sigma 2": (lambda rng, size: rng.lognormal(sigma=2, size=size), float(np.exp(2))),
    "0, and 1 in 2 % of sequences, with noise of 0.01": (
        lambda rng, size: 0.01 * rng.normal(size=size) + (rng.random(size) < 0.02),
        0.02,
    ),
}


def draw(columns, widths, rng, name):
    """Motifs of columns drawn at random."""
    return {f"{name}{i}": columns[:, rng.integers(0, columns.shape[1], width)] for i, width in enumerate(widths)}


def share_below(what, p):
    """A row: how often p is at most each level."""
    p = np.asarray(p)
    return {"what": what, "draws": len(p), **{f"p<={level:g}": float((p <= level).mean()) for level in LEVELS}}


def claimed(what, any_claimed, bound):
    """A row: how often a rule claims something, and how often it may."""
    return {"what": what, "draws": len(any_claimed), "claimed": float(np.mean(any_claimed)), "allowed": bound}


def test_contributions(draws, seed):
    """Permutation p of contributions, alone and after Benjamini-Hochberg."""
    rows = []
    for name, (distribution, _) in DISTRIBUTIONS.items():
        for n, m in [(n, n) for n in SIZES] + [(10, 100)]:
            p = []
            for part in range(draws // COLUMNS):
                rng = np.random.default_rng((seed, n, m, part))
                samples = (distribution(rng, (size, COLUMNS)) for size in (n, m))
                p += list(permutation_p_values(*samples, seed=part, n_permutations=1000))
            rows.append(share_below(f"contribution_p, {name}, {n} and {m} sequences", p))
    for spread, n, m in [(5, 10, 10), (5, 10, 100), (5, 20, 200), (3, 100, 1000), (0.2, 10, 100)]:
        p = []
        for part in range(draws // COLUMNS):
            rng = np.random.default_rng((seed, n, m, part))
            samples = rng.normal(0, spread, (n, COLUMNS)), rng.normal(size=(m, COLUMNS))
            p += list(permutation_p_values(*samples, seed=part, n_permutations=1000))
        rows.append(share_below(f"contribution_p, normal, {spread:g} times as spread, {n} and {m} sequences", p))
    found = []
    for part in range(draws):
        rng = np.random.default_rng((seed, part))
        both = rng.exponential(size=(100, 5)) @ rng.random((5, N_FILTERS))  # correlated, as filters are
        p = permutation_p_values(both[:50], both[50:], seed=part, n_permutations=1000)
        found.append(bool((false_discovery_control(p) <= 0.05).any()))
    return [*rows, claimed("contribution_q <= 0.05 of any of 20 filters", found, 0.05)]


def test_comparison(draws, seed):
    """Tomtom's p, its q, the p of shuffled columns, and the rule that names a motif."""
    known, rng = load_motifs_with_sites("encode"), np.random.default_rng(seed)
    ppms = load_motifs("encode")
    columns = np.hstack(list(ppms.values()))
    queries = draw(columns, [12] * draws, rng, "q")
    targets = draw(columns, [ppm.shape[1] for ppm in list(ppms.values())[::10]], rng, "t")
    rows = []
    for distance in DISTANCES:
        table = compare_motifs(queries, targets, distance=distance, max_q_value=None, min_bits=0)
        one = table.groupby("Query_ID").sample(1, random_state=seed)  # one target a query: independent draws
        rows.append(share_below(f"match_p, {distance}, random columns against random targets", one["p-value"]))
        best = table.groupby("Query_ID")["q-value"].min().reindex(list(queries), fill_value=1.0)
        rows.append(claimed(f"match_q <= {MATCH_Q_VALUE:g} of any target, {distance}", best <= MATCH_Q_VALUE, 0.01))
    names = list(ppms)
    for what, made in {
        "random columns": queries,
        "ENCODE motifs with shuffled columns": {
            f"q{i}": ppms[names[j]][:, rng.permutation(ppms[names[j]].shape[1])]
            for i, j in enumerate(rng.integers(len(names), size=draws))
        },
    }.items():
        made = {name: Motif(ppm, 100.0) for name, ppm in made.items()}
        matches = compare_motifs(made, known)
        named = name_motifs(matches, made, known).reindex(list(made))
        is_match = named["match_q"] <= MATCH_Q_VALUE
        is_named = is_match & (named["match_shuffled_p"] <= SHUFFLED_P_VALUE)
        rows.append(claimed(f"match_q <= {MATCH_Q_VALUE:g} alone, {what} against ENCODE", is_match, None))
        rows.append(claimed(f"named by q and shuffled p, {what} against ENCODE", is_named, SHUFFLED_P_VALUE))
    return rows


def test_shuffled_p(draws, seed):
    """P of shuffled columns, of whichever known motif is most similar, for queries whose columns have no order."""
    from rcinterp.comparison import shuffled_p_values

    ppms = dict(list(load_motifs("encode").items())[::10])
    rng = np.random.default_rng(seed)
    queries = draw(np.hstack(list(ppms.values())), [12] * draws, rng, "q")
    pairs = pd.DataFrame([{"Query_ID": name, "Target_ID": target} for name in queries for target in ppms])
    pairs["p"] = shuffled_p_values(pairs, queries, ppms)
    return [share_below("match_shuffled_p, the most similar of 207 motifs", pairs.groupby("Query_ID")["p"].min())]


def test_palindromes(draws, seed):
    """P that a filter is a palindrome, of columns in any order."""
    p = find_palindromes(np.random.default_rng(seed).normal(size=(draws, 4, 15)), n_permutations=1000)["rc_p"]
    return [share_below("rc_p, random filters of 15 bp", p)]


def test_models(draws, seed):
    """Filters of models that are trained on shuffled labels: sites, and names by all rules together."""
    tables = []
    known = load_motifs_with_sites("encode")
    for i in range(draws // N_FILTERS):
        x = simulate_background(4 * STRANDS, LENGTH, seed=1000 * seed + i)
        y = (torch.arange(len(x)) % 2).float()[:, None]
        sets = [Dataset(x[rows], y[rows], ("",) * STRANDS) for rows in (slice(0, STRANDS), slice(STRANDS, 2 * STRANDS))]
        torch.manual_seed(i)
        model = compact_model(1, N_FILTERS, LENGTH, rc=False, widths=(15,), pool=20, stride=20)
        fit(model, *sets, seed=i, recipe="quiet", epochs=3, baseline=False, progress=False)
        new, labels = x[2 * STRANDS :], y[2 * STRANDS :, 0]
        found = interpret(model, new[labels == 1], new[labels == 0], known, measure_faithfulness=False, seed=i)
        tables.append(found.table.assign(model=i))
    table = pd.concat(tables)
    is_named = table["verdict_kinds"].map(lambda kinds: "known motif" in str(kinds))
    live = table[table["n_sites"].fillna(0) > 0]
    return [
        share_below("contribution_p, filters of models of shuffled labels", table["contribution_p"]),
        share_below("sites_p, filters with a site", live["sites_p"]),
        claimed(f"sites_p <= {SITES_P_VALUE:g}, filters with a site", live["sites_p"] <= SITES_P_VALUE, SITES_P_VALUE),
        claimed("named by all rules, all filters", is_named, SITES_P_VALUE),
        claimed(
            "contribution_q <= 0.05 of any filter of a model",
            (table["contribution_q"] <= 0.05).groupby(table["model"]).any(),
            0.05,
        ),
    ]


def test_studies(draws, seed):
    """The one-sided Wilcoxon test of studies, and a verdict of seven claims."""
    rng, rows = np.random.default_rng(seed), []
    for n in (3, 5, 10):
        p = [p_greater(*(pd.Series(rng.normal(size=n)) for _ in range(2))) for _ in range(draws)]
        rows.append(share_below(f"Wilcoxon's p of studies, {n} seeds", p))
    p = [p_greater(*(pd.Series(rng.integers(5, size=10)) for _ in range(2))) for _ in range(draws)]
    rows.append(share_below("Wilcoxon's p of studies, 10 seeds, equal values among them", p))
    raw, corrected = [], []
    for _ in range(draws):
        drawn = pd.DataFrame({"model": ["a"] * 10 + ["b"] * 10, **{str(i): rng.normal(size=20) for i in range(7)}})
        table = tabulate_claims([claim("", drawn, str(i), "a", "b") for i in range(7)])
        raw.append((table["p"] < 0.05).any())
        corrected.append((table["corrected_p"] < 0.05).any())
    rows.append(claimed("any of seven claims of a verdict, p alone", raw, None))
    rows.append(claimed("any of seven claims of a verdict, p corrected", corrected, 0.05))
    return rows


def cover_contributions(draws, seed, distributions=DISTRIBUTIONS):
    """Intervals of contributions: equal classes, and one of ten times as many, of normal values or the same kind."""
    rows = []
    for name, (distribution, mean) in distributions.items():
        for n in SIZES:
            for m, other in dict.fromkeys(((n, name), (10 * n, name), (10 * n, "normal"))):
                draw_other, other_mean = {**DISTRIBUTIONS, **distributions}[other]
                holds, widths = [], []
                for part in range(draws // COLUMNS):
                    rng = np.random.default_rng((seed, n, m, part))
                    first, second = distribution(rng, (n, COLUMNS)), draw_other(rng, (m, COLUMNS))
                    low, high = bootstrap_difference(first, second, seed=part)
                    truth, given = mean - other_mean, np.isfinite(low)
                    holds += list(((low <= truth) & (truth <= high))[given])
                    welch = 2 * 1.96 * np.sqrt(first.var(0, ddof=1) / n + second.var(0, ddof=1) / m)
                    widths += list(((high - low) / welch)[given])
                rows.append(
                    {
                        "interval": f"contribution, {name} against {other}",
                        "n": n,
                        "of the other": m,
                        "draws": draws,
                        "given": len(holds) / draws,
                        "coverage": float(np.mean(holds)) if holds else None,
                        "width / normal interval": float(np.median(widths)) if holds else None,
                    }
                )
    return rows


def cover_unseen(draws, seed):
    """Intervals of contributions where few sequences cannot show what there is."""
    return cover_contributions(draws, seed, UNSEEN)


def cover_read(draws, seed):
    """Intervals of contributions of a trained model: 5,000 sequences a class are the population."""
    known = load_motifs("encode")
    chosen = {name: known[name] for name in ("GATA_disc1", "ELF1_known2", "RXRA_known1")}

    def drawn(n, seed):
        with_motif = simulate_motifs(chosen, -(-n // 3), 200, seed=seed, max_instances=2).x[:n]
        return with_motif, simulate_background(n, 200, seed=seed)

    torch.manual_seed(seed)
    model = compact_model(1, N_FILTERS, 200)
    sets = [load_dataset(*map(decode, drawn(n, 3 * seed + i))) for i, n in enumerate((1000, 500))]
    fit(model, *sets, seed=seed, epochs=10, baseline=False, progress=False)
    populations = [sequence_contributions(model, x).numpy() for x in drawn(5000, 3 * seed + 2)]
    live = populations[0].any(0) & populations[1].any(0)
    populations = [population[:, live] for population in populations]
    columns = np.arange(COLUMNS) % live.sum()
    truth = (populations[0].mean(0) - populations[1].mean(0))[columns]
    rows = []
    for n in SIZES:
        for m in (n, 10 * n):
            for sizes in dict.fromkeys(((n, m), (m, n))):
                holds = []
                for part in range(draws // COLUMNS):
                    rng = np.random.default_rng((seed, *sizes, part))
                    low, high = bootstrap_difference(
                        *(
                            population[rng.integers(len(population), size=(size, COLUMNS)), columns]
                            for population, size in zip(populations, sizes, strict=True)
                        ),
                        seed=part,
                    )
                    holds += list(((low <= truth) & (truth <= high))[np.isfinite(low)])
                rows.append(
                    {
                        "interval": f"contribution, {live.sum()} live filters of a model",
                        "n": sizes[0],
                        "of the other": sizes[1],
                        "draws": draws,
                        "given": len(holds) / draws,
                        "coverage": float(np.mean(holds)) if holds else None,
                    }
                )
    return rows


def cover_performance(draws, seed):
    """Intervals of `evaluate`: logits that are right, of classes of auROC 0.98, 0.92 and 0.64."""
    draws, rows = draws // 2, []  # each takes 200 resamples
    for shift in (3.0, 2.0, 0.5):
        rng = np.random.default_rng(seed)

        def logits(rng, n, shift=shift):  # calibrated: the log odds of two normals a shift apart
            return shift * (rng.normal(shift / 2, 1, n)), shift * (rng.normal(-shift / 2, 1, n))

        truth = measure_performance(*logits(rng, 1_000_000), n_resamples=1)["value"]
        truth["auroc"] = float(norm.cdf(shift / np.sqrt(2)))
        for n in SIZES:
            holds = []
            for i in range(draws):
                found = measure_performance(*logits(np.random.default_rng((seed, n, i)), n), n_resamples=200, seed=i)
                held = ((found["low"] <= truth) & (truth <= found["high"])).astype(float)
                holds.append(held.where(found["low"].notna()))
            shares, given = pd.DataFrame(holds).mean(), pd.DataFrame(holds).notna().mean()
            for name in ("auroc", "auprc", "brier", "mean_probability"):
                rows.append(
                    {
                        "interval": f"{name}, auROC {truth['auroc']:.2f}",
                        "n": n,
                        "of the other": n,
                        "draws": draws,
                        "given": float(given[name]),
                        "coverage": float(shares[name]),
                    }
                )
    return rows


#: Logits of two classes on which no rule was chosen: skewed, too sure of themselves, with rare large ones.
OTHER_LOGITS = {
    "skewed": lambda rng, n, m: (4 - 2 * rng.gumbel(size=n), -4 - 2 * rng.gumbel(size=m)),
    "overconfident": lambda rng, n, m: (6 * rng.normal(1.5, 1, n), 6 * rng.normal(-1.5, 1, m)),
    "heavy-tailed": lambda rng, n, m: (2.5 + rng.standard_t(3, n), -2.5 + rng.standard_t(3, m)),
    "confident, with 5 % of negatives wrong,": lambda rng, n, m: (
        rng.normal(8, 1, n),
        np.where(rng.random(m) < 0.05, 8, -8) + rng.normal(size=m),
    ),
    "confident, with 3 % of both classes wrong,": lambda rng, n, m: (
        np.where(rng.random(n) < 0.03, -8, 8) + rng.normal(size=n),
        np.where(rng.random(m) < 0.03, 8, -8) + rng.normal(size=m),
    ),
}


def cover_probabilities(draws, seed):
    """Intervals of the Brier score and the mean probability, of classes of other distributions and sizes."""
    draws, rows = 3 * draws // 10, []
    for name, logits in OTHER_LOGITS.items():
        positive, negative = logits(np.random.default_rng(seed), *MANY)
        of_class = {
            "brier": [(expit(-positive) ** 2).mean(), (expit(negative) ** 2).mean()],
            "mean_probability": [expit(positive).mean(), expit(negative).mean()],
        }
        for n, m in ((10, 10), (20, 20), (20, 200), (50, 50)):
            holds = {measure: [] for measure in of_class}
            for i in range(draws):
                given = logits(np.random.default_rng((seed, n, m, i)), n, m)
                found = measure_performance(*given, n_resamples=200, seed=i)
                for measure, means in of_class.items():
                    low, high = found.loc[measure, ["low", "high"]]
                    if np.isfinite(low):
                        holds[measure].append(low <= np.average(means, weights=[n, m]) <= high)
            for measure, held in holds.items():
                rows.append(
                    {
                        "interval": f"{measure}, {name} logits",
                        "n": n,
                        "of the other": m,
                        "draws": draws,
                        "given": len(held) / draws,
                        "coverage": float(np.mean(held)) if held else None,
                    }
                )
    return rows


def cover_shares(draws, seed):
    """The exact interval of a share of models."""
    rng, rows = np.random.default_rng(seed), []
    for n in SIZES:
        for share in (0.1, 0.5, 0.9):
            low, high = exact_interval(rng.binomial(n, share, 20 * draws), n)
            coverage = float(((low <= share) & (share <= high)).mean())
            rows.append({"interval": f"share {share:g} of models", "n": n, "draws": 20 * draws, "coverage": coverage})
    return rows


PARTS = {
    "type_i_error": [
        test_contributions,
        test_comparison,
        test_shuffled_p,
        test_palindromes,
        test_models,
        test_studies,
    ],
    "coverage": [
        cover_contributions,
        cover_read,
        cover_performance,
        cover_probabilities,
        cover_shares,
    ],
    "coverage where few sequences cannot show what there is": [cover_unseen],
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=DRAWS, help="a multiple of 100")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", nargs="+", help="names of parts, e.g. test_studies")
    chosen = parser.parse_args()
    found = {}
    with one_thread(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that models of shuffled labels have learned nothing
        for kind, parts in PARTS.items():
            found[kind] = []
            for part in parts:
                if chosen.only and part.__name__ not in chosen.only:
                    continue
                start = time.perf_counter()
                found[kind] += part(chosen.draws, chosen.seed)
                print(f"{part.__name__}: {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
    print(json.dumps({**found, "seed": chosen.seed, "machine": machine()}, indent=1))


if __name__ == "__main__":
    main()
