"""The whole job on an embedded default: simulate, train both kinds of model, read them, report."""

import multiprocessing
import os
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from joblib import cpu_count
from joblib.externals.loky import ProcessPoolExecutor
from joblib.externals.loky.process_executor import TerminatedWorkerError

from rcinterp.data.datasets import Dataset, load_dataset
from rcinterp.data.simulation import simulate_background, simulate_motifs
from rcinterp.errors import InputError
from rcinterp.interpretation import Interpretation, interpret, write_report
from rcinterp.motifs import load_motifs
from rcinterp.reading.model import interrupts_here, keep_bars_here, one_thread
from rcinterp.training.fitting import fit
from rcinterp.training.models import CompactModel, compact_model, count_parameters
from rcinterp.training.saving import save_model

#: The motif that the demo embeds.
MOTIF = "CTCF_known1"


@dataclass(frozen=True)
class DemoSettings:
    """Sizes of the demo; the defaults take about a minute on two cores.

    Attributes
    ----------
    n_per_class : int
        Sequences with the motif, and as many without.
    length : int
        In bp.
    n_filters : int
        Of the RC model; the traditional one has twice as many, as in figure 5.
    epochs : int
    """

    n_per_class: int = 5000
    length: int = 200
    n_filters: int = 8
    epochs: int = 20


def run_demo(
    folder: str | os.PathLike[str],
    *,
    seed: int = 0,
    settings: DemoSettings | None = None,
    say: Callable[[str], None] = lambda message: None,
    progress: bool | None = None,
) -> Path:
    """Write a report on an RC and a traditional model of simulated CTCF sites; each model and its tables beside it.

    Parameters
    ----------
    folder : path
        Made if need be.
    seed : int
        Of the simulation and of both models.
    settings : DemoSettings, optional
    say : callable
        Told in a line what is being done.
    progress : bool, optional
        A bar on standard error; where it is a terminal, when not given.

    Returns
    -------
    Path
        Of the report.

    References
    ----------
    Shrikumar, Greenside & Kundaje 2017, sections 3.2 (simulation), 3.4.1 (width 21, pooling 20/20) and 3.5.
    """
    settings = settings or DemoSettings()
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)  # before the training, in case it cannot be
    say(f"simulating {2 * settings.n_per_class} sequences of {settings.length} bp, half of them with {MOTIF}")
    train, valid = simulate_one_motif(MOTIF, settings.n_per_class, settings.length, seed=seed)
    work = []
    for rc, name in ((True, "RC model"), (False, "Traditional model, trained with RC augmentation")):
        n_filters = settings.n_filters if rc else 2 * settings.n_filters
        model = compact_model(1, n_filters, settings.length, rc=rc, widths=(21,), pool=20, stride=20)
        say(f"training: {name}, {n_filters} filters, {count_parameters(model):,} parameters")
        work.append(_Work(model, name, train, valid, settings.epochs, seed))
    both = {}
    beside, here = work  # the traditional model takes longer, and the other process starts later
    for one, (model, found) in zip(work, reversed(_do_both(here, beside, progress=progress)), strict=True):
        place = folder / ("rc" if model.architecture.rc else "traditional")
        found.save(place, f"{one.name}: {MOTIF} simulated")
        save_model(model, place)
        n_filters = model.architecture.n_filters
        both[f"{one.name}: {n_filters} filters, {count_parameters(model):,} parameters"] = found
    report = folder / "report.html"
    summary = (
        f"Both models learned from {len(train):,} simulated sequences of {settings.length} bp, half of them with one "
        f"to three sites of {MOTIF} on either strand (seed {seed}). What is shown was measured on {len(valid):,} "
        "others."
    )
    write_report(report, both, f"What two networks learned of {MOTIF}", summary=summary)
    return report


def simulate_one_motif(motif: str, n_per_class: int, length: int, *, seed: int) -> tuple[Dataset, Dataset]:
    """Training (70 %) and validation set of an ENCODE motif, as in section 3.2, against background without it."""
    with_motif = simulate_motifs({motif: load_motifs("encode")[motif]}, n_per_class, length, seed=seed).x
    without = simulate_background(n_per_class, length, seed=seed)
    n_train = round(0.7 * n_per_class)
    return load_dataset(with_motif[:n_train], without[:n_train]), load_dataset(with_motif[n_train:], without[n_train:])


@dataclass(frozen=True)
class _Work:
    """A model to be trained and read."""

    model: CompactModel
    name: str
    train: Dataset
    valid: Dataset
    epochs: int
    seed: int

    def do(self, progress: bool | None = None) -> tuple[CompactModel, Interpretation]:
        """The trained model, and what its filters have learned; the same numbers in any process."""
        with one_thread():
            augment = not self.model.architecture.rc
            fit(
                self.model,
                self.train,
                self.valid,
                seed=self.seed,
                epochs=self.epochs,
                augment=augment,
                progress=progress,
            )
            return self.model, interpret(self.model, self.valid.positives(), self.valid.negatives())


def _do_both(here: _Work, beside: _Work, progress: bool | None = None) -> list[tuple[CompactModel, Interpretation]]:
    """One here, with a progress bar, and at the same time the other in a process of its own, if there is a core for it.

    They must not share a model, since what is trained here may not have been sent yet.
    The process is one of joblib's, which scripts without ``if __name__ == "__main__"`` can start too.
    """
    if cpu_count() < 2 or multiprocessing.current_process().daemon:  # which may start no other
        return [here.do(progress), beside.do(progress)]
    executor = ProcessPoolExecutor(max_workers=1)
    try:
        with interrupts_here():
            future = executor.submit(_do_and_note, beside)
        own = here.do(progress)
        other, caught = future.result()
    except TerminatedWorkerError:
        raise InputError(
            f"demo: the process that trained the {beside.name[:1].lower() + beside.name[1:]} was killed, perhaps for "
            "want of memory; give it more, or a single core (taskset -c 0), so that one model follows the other."
        ) from None
    except BaseException:  # of an interrupted process too: the other one would go on alone
        executor.shutdown(kill_workers=True)
        raise
    executor.shutdown()
    for category, message in caught:
        warnings.warn(f"{beside.name}: {message}", category, stacklevel=2)
    return [own, other]


def _do_and_note(work: _Work) -> tuple[tuple[CompactModel, Interpretation], list[tuple[type[Warning], str]]]:
    """The work, without a progress bar, and what it warned of, each once."""
    keep_bars_here()
    with warnings.catch_warnings(record=True) as caught:
        done = work.do(progress=False)
    return done, list(dict.fromkeys((one.category, str(one.message)) for one in caught))
