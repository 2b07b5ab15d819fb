"""Studies in seconds: tiny data, results made up, and oracles for what is made of results."""

import itertools
from functools import partial

import numpy as np
import pytest

from rcinterp.data.sequences import decode, write_fasta
from rcinterp.data.simulation import simulate_motifs
from rcinterp.demo import simulate_one_motif
from rcinterp.motifs import load_motifs_with_sites
from rcinterp.studies import _data, recovery
from rcinterp.studies._chip import chip_run
from rcinterp.studies._data import Simulated
from rcinterp.studies._simulation import simulated_run
from rcinterp.training.fitting import fit
from rcinterp.training.models import compact_model, count_parameters


@pytest.fixture(scope="module")
def fast():
    """Epochs of 100 samples, a tenth of the simulated sequences and of ENCODE, a quarter of the filters of figure 5.

    What is proved does not depend on these numbers.
    """

    def simulate_a_tenth(motifs, n_per_motif, *arguments, **options):
        return simulate_motifs(motifs, n_per_motif // 10, *arguments, **options)

    def chip_run_of_a_quarter(label, n_filters, *arguments, **options):
        return chip_run(label, n_filters // 4, *arguments, **options)

    def load_a_tenth(source):
        return dict(list(load_motifs_with_sites(source).items())[::10])

    caches = (_data._split, recovery.true_sites)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("rcinterp.studies._runs.fit", partial(fit, samples_per_epoch=100))
        patch.setattr("rcinterp.studies._data.simulate_motifs", simulate_a_tenth)
        patch.setattr("rcinterp.studies.fig5.chip_run", chip_run_of_a_quarter)
        patch.setattr("rcinterp.studies.recovery.load_motifs_with_sites", load_a_tenth)
        for cache in caches:
            cache.cache_clear()
        yield
    for cache in caches:
        cache.cache_clear()


@pytest.fixture
def few_filters(monkeypatch):
    """A quarter of the filters of recovery, and of the studies of its runs."""

    def simulated_run_of_a_quarter(label, n_filters, *arguments, **options):
        return simulated_run(label, n_filters // 4, *arguments, **options)

    monkeypatch.setattr("rcinterp.studies.recovery.simulated_run", simulated_run_of_a_quarter)


@pytest.fixture
def slow_holm():
    """Give ``slow_holm(p_values)``: corrected by Holm's method, step by step as he wrote it."""

    def slow_holm(p_values):
        corrected, largest = {}, 0.0
        for rank, i in enumerate(sorted(range(len(p_values)), key=lambda i: p_values[i])):
            largest = max(largest, (len(p_values) - rank) * p_values[i])
            corrected[i] = min(1.0, largest)
        return [corrected[i] for i in range(len(p_values))]

    return slow_holm


def write_folder(folder, seed):
    """A folder of 42 sequences of 100 bp of either class for training, and 18 for validation."""
    folder.mkdir()
    for part, dataset in zip(("train", "valid"), simulate_one_motif("CTCF_known1", 60, 100, seed=seed), strict=True):
        write_fasta(folder / f"{part}_tiny.pos.fa.gz", decode(dataset.positives()))
        write_fasta(folder / f"{part}_tiny.neg.fa", decode(dataset.negatives()))
    return folder


@pytest.fixture(scope="session")
def tfs(tmp_path_factory):
    """Three folders of sequences, TF0 to TF2."""
    return tuple(write_folder(tmp_path_factory.mktemp("data") / f"TF{seed}", seed) for seed in range(3))


def make_up(runs, numbers=lambda run: {}, n_epochs=lambda run: 12 + run.seed):
    """Results of runs that nobody has trained, at random but for `numbers` (run -> those that a test is about)."""
    results = []
    for i, run in enumerate(runs):
        rng = np.random.default_rng(i)
        simulated = isinstance(run.data, Simulated)
        length, n_tasks = (run.data.length, len(run.data.motifs)) if simulated else (100, 1)
        names = [f"{part}_{score}" for part in ("valid", "test")[: 1 + simulated] for score in ("auroc", "auprc")]
        if not run.conjoined and not run.model["rc"]:
            names += [f"post_hoc_{name}" for name in names]
        curves = ("valid_auroc", "train_auroc")[: 1 + bool(run.training.get("score_train"))]
        history = {name: rng.uniform(0.8, 0.9, n_epochs(run)).tolist() for name in curves}
        best = int(np.argmax(history["valid_auroc"]))
        results.append(
            {
                "n_parameters": count_parameters(compact_model(length=length, n_tasks=n_tasks, **run.model)),
                "n_epochs": n_epochs(run),
                "best_epoch": best + 1,
                **{name: float(rng.uniform(0.8, 0.9)) for name in names},
                "valid_auroc": history["valid_auroc"][best],
                "rc_difference": 0.0 if run.model["rc"] or run.conjoined else 0.7,
                "history": {"epoch": list(range(1, n_epochs(run) + 1)), **history},
                **numbers(run),
            }
        )
    return results


@pytest.fixture(scope="session")
def made_up():
    """Give ``made_up(runs, numbers, n_epochs)``: see `make_up`."""
    return make_up


def enumerate_p(high, low):
    """Share of all assignments of the values to two groups whose sum of mean ranks is at least the one observed."""
    values = [*high, *low]
    ranks = [sum(other < value for other in values) + sum(other == value for other in values) / 2 for value in values]
    observed = sum(ranks[: len(high)])
    sums = [sum(chosen) for chosen in itertools.combinations(ranks, len(high))]
    return sum(total >= observed - 1e-9 for total in sums) / len(sums)


@pytest.fixture(scope="session")
def slow_p():
    """Give ``slow_p(high, low)``: the p-value of the one-sided Wilcoxon rank-sum test, by enumeration."""
    return enumerate_p
