"""How does the cost grow with sequences, their length, filters and motifs? JSON; --plot draws docs/images/growth.png.

    OMP_NUM_THREADS=1 python benchmarks/growth.py --plot docs/images/growth.png > growth.json    # 8 minutes
    OMP_NUM_THREADS=1 python benchmarks/growth.py --sizes 3 --rounds 1                    # half a minute, to try

One quantity is doubled again and again while the others stay at `FIXED`. Measured are:

- contributions: `sequence_contributions` of the first layer of a three-layer RC model, without error bars
- error bars: bootstrap and permutations of contributions that are there
- training: one epoch of `fit` on all sequences by recipe "quiet", with the checks and the initialisation before it
- comparison: `compare_motifs` with motifs of the ENCODE catalogue

Processor seconds of one thread, medians of rounds in turn. The exponent is the slope of log seconds over log size, by
least squares over the four largest sizes, with its standard error.
"""

import argparse
import json
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch
from matplotlib.figure import Figure
from motif_comparison import blurred
from scipy.stats import linregress
from timing import ROUNDS, WARM_UP, machine, medians, rounded

from rcinterp import compact_model, compare_motifs, fit, load_dataset, load_motifs
from rcinterp.comparison.memelite_engine import is_installed
from rcinterp.data.simulation import simulate_background
from rcinterp.reading.functions import sequence_contributions
from rcinterp.reading.statistics import bootstrap_difference, permutation_p_values

#: Smallest size of each quantity, and how many sizes, each twice the one before.
SIZES = {"sequences": (250, 6), "length": (250, 5), "filters": (8, 5), "queries": (8, 6), "targets": (64, 6)}
#: What the others are meanwhile: sequences of both classes together, bp, filters of each layer, motifs.
FIXED = {"sequences": 200, "length": 200, "filters": 16, "queries": 64, "targets": 2048}
#: Of contributions whose error bars are made: more sequences, as they cost little.
N_SCORED = 2000
#: Validation sequences: few, as their number stays.
N_VALID = 40
N_FITTED = 4


def contributions(sequences, length, filters):
    return partial(sequence_contributions, make_model(length, filters).eval(), simulate(sequences, length), "conv1")


def error_bars(sequences, filters):
    rng = np.random.default_rng(0)
    classes = [rng.normal(size=(sequences // 2, filters)) for _ in range(2)]

    def measure():
        bootstrap_difference(*classes, seed=0)
        permutation_p_values(*classes, seed=0)

    return measure


def training(sequences, length, filters):
    x, valid = simulate(sequences, length), simulate(N_VALID, length, seed=1)
    data = [load_dataset(part[: len(part) // 2], part[len(part) // 2 :]) for part in (x, valid)]
    how = {"recipe": "quiet", "epochs": 1, "samples_per_epoch": sequences, "baseline": False, "progress": False}
    return partial(fit, make_model(length, filters), *data, seed=0, **how)


def comparison(queries, targets):
    known = load_motifs("encode")
    chosen = np.random.default_rng(0).permutation(list(known))[:targets]
    filters = {f"filter_{i}": ppm for i, ppm in enumerate(blurred(known, queries))}
    return partial(compare_motifs, filters, {name: known[name] for name in chosen}, max_q_value=None)


def make_model(length, filters):
    torch.manual_seed(0)
    return compact_model(3, filters, length, widths=(15, 14, 14), pool=40, stride=20)


def simulate(n, length, seed=0):
    return simulate_background(n, length, seed=seed)


def calls(n_sizes):
    """Quantity, what is measured, and size, each with a call."""
    own = {"sequences": N_SCORED, "filters": FIXED["filters"]}
    scored = {name: FIXED[name] for name in ("sequences", "length", "filters")}
    compared = {name: FIXED[name] for name in ("queries", "targets")}
    makers = [(contributions, scored), (error_bars, own), (training, scored), (comparison, compared)]
    return {
        (quantity, make.__name__.replace("_", " "), size): make(**others | {quantity: size})
        for quantity, (smallest, most) in SIZES.items()
        for make, others in makers
        if quantity in others
        for size in (smallest * 2**i for i in range(min(most, n_sizes)))
    }


def growth(sizes, seconds):
    """Exponent of the size in the seconds, and its standard error, over the largest sizes."""
    found = linregress(np.log(sizes[-N_FITTED:]), np.log(seconds[-N_FITTED:]))
    return float(found.slope), float(found.stderr)


def tabulate(seconds):
    """A row a quantity and what was measured."""
    rows = []
    for quantity, what in dict.fromkeys(key[:2] for key in seconds):
        of_size = {key[2]: value for key, value in seconds.items() if key[:2] == (quantity, what)}
        exponent, error = growth(list(of_size), list(of_size.values()))
        row = {"quantity": quantity, "what": what, "exponent": round(exponent, 3), "standard_error": round(error, 3)}
        rows.append(row | {"seconds": rounded(of_size)})
    return rows


def draw(rows, path):
    """One panel a quantity, on logarithmic scales."""
    figure = Figure(figsize=(4 * len(SIZES), 4), layout="constrained")
    colours = {what: f"C{i}" for i, what in enumerate(dict.fromkeys(row["what"] for row in rows))}
    for ax, quantity in zip(figure.subplots(1, len(SIZES)), SIZES, strict=True):
        draw_panel(ax, quantity, [row for row in rows if row["quantity"] == quantity], colours)
    figure.savefig(path, dpi=100)


def draw_panel(ax, quantity, rows, colours):
    for row in rows:
        ax.plot(*zip(*row["seconds"].items(), strict=True), "o-", color=colours[row["what"]], label=row["what"])
    exponents = [f"{row['what']} {row['exponent']:.2f} ± {row['standard_error']:.2f}" for row in rows]
    ax.set_title("exponents: " + "\n".join(exponents), fontsize="medium")
    sizes = list(rows[0]["seconds"])
    ax.set_xscale("log", base=2)
    ax.set_xticks(sizes, [f"{size:,}" for size in sizes], rotation=30)
    ax.set_yscale("log")
    ax.set_xlabel(f"{quantity}, bp" if quantity == "length" else quantity)
    ax.set_ylabel("processor seconds")
    ax.legend()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, default=6, help="at most, of each quantity; three at least (6)")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--plot", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    rows = tabulate(medians(calls(given.sizes), given.rounds, WARM_UP, time.process_time))
    if given.plot:
        draw(rows, given.plot)
    found = {"rounds": given.rounds, "fixed": {**FIXED, "sequences of error bars": N_SCORED}, "growth": rows}
    engine = "memelite" if is_installed() else "own"
    print(json.dumps(found | {"comparison_by": engine, "machine": machine("memelite")}, indent=1))


if __name__ == "__main__":
    main()
