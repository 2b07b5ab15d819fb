"""The whole job on an embedded default: simulate, train both kinds of model, read them, report."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rcinterp.data.datasets import Dataset, load_dataset
from rcinterp.data.simulation import simulate_background, simulate_motifs
from rcinterp.interpretation import Interpretation, interpret
from rcinterp.interpretation.verdicts import LIMITS
from rcinterp.motifs import load_motifs
from rcinterp.reading.model import one_thread
from rcinterp.report.page import write_report
from rcinterp.training.fitting import fit
from rcinterp.training.models import CompactModel, compact_model, count_parameters, save_model

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
    sections = []
    for rc, name in ((True, "RC model"), (False, "Traditional model, trained with RC augmentation")):
        n_filters = settings.n_filters if rc else 2 * settings.n_filters
        model = compact_model(1, n_filters, settings.length, rc=rc, widths=(21,), pool=20, stride=20)
        say(f"training: {name}, {n_filters} filters, {count_parameters(model):,} parameters")
        found = _train_and_read(model, train, valid, settings.epochs, seed)
        found.save(folder / ("rc" if rc else "traditional"), f"{name}: {MOTIF} simulated")
        save_model(model, folder / ("rc" if rc else "traditional"))
        sections.append(found.section(f"{name}: {n_filters} filters, {count_parameters(model):,} parameters"))
    report = folder / "report.html"
    summary = (
        f"Both models learned from {len(train):,} simulated sequences of {settings.length} bp, half of them with one "
        f"to three sites of {MOTIF} on either strand (seed {seed}). What is shown was measured on {len(valid):,} "
        "others."
    )
    write_report(report, f"What two networks learned of {MOTIF}", sections, summary, limits=LIMITS)
    return report


def simulate_one_motif(motif: str, n_per_class: int, length: int, *, seed: int) -> tuple[Dataset, Dataset]:
    """Training (70 %) and validation set of an ENCODE motif, as in section 3.2, against background without it."""
    with_motif = simulate_motifs({motif: load_motifs("encode")[motif]}, n_per_class, length, seed=seed).x
    without = simulate_background(n_per_class, length, seed=seed)
    n_train = round(0.7 * n_per_class)
    return load_dataset(with_motif[:n_train], without[:n_train]), load_dataset(with_motif[n_train:], without[n_train:])


def _train_and_read(model: CompactModel, train: Dataset, valid: Dataset, epochs: int, seed: int) -> Interpretation:
    with one_thread():
        fit(model, train, valid, seed=seed, epochs=epochs, augment=not model.architecture.rc)
        return interpret(model, valid.positives(), valid.negatives())
