"""What a study is, and how one is run from its declaration to its files."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from rcinterp.errors import InputError, require_whole
from rcinterp.files import whole_folder, write_at_once, write_table
from rcinterp.report.figures import save_figure
from rcinterp.studies._runner import run_all
from rcinterp.studies._runs import TRAINED, Reading, Run
from rcinterp.training.recipes import find_recipe

#: How labels of a simulation are made wrong: as in section 3.2, or as by Zhou, Shrikumar & Kundaje 2022.
NOISES = ("shuffled", "flipped")

_MOST_SEEDS = 10_000


@dataclass(frozen=True)
class Options:
    """What a user may choose.

    Attributes
    ----------
    seeds : int
        Number of seeds: 0, 1, ...
    data : tuple of path
        Folders as `load_split` reads them, for studies of real data.
    epochs : int, optional
        Instead of the study's own.
    recipe : str
        Of every model.
    lengths : tuple of int
        Of the simulated sequences, in bp, for studies of several lengths; the study's own when empty.
    noise : "shuffled", "flipped" or None
        How labels of the simulation are made wrong, for studies that know both; the study's own when not given.
    small : bool
        A first look in minutes: fewer and shorter runs, for which no claim is made.
    """

    seeds: int = 10
    data: tuple[Path, ...] = ()
    epochs: int | None = None
    recipe: str = "paper"
    lengths: tuple[int, ...] = ()
    noise: str | None = None
    small: bool = False

    def __post_init__(self) -> None:
        require_whole("seeds", self.seeds, 1)
        if self.seeds > _MOST_SEEDS:
            raise InputError(f"seeds: got {self.seeds}, expected at most {_MOST_SEEDS:,}, of which each is a training.")
        if self.noise not in (None, *NOISES):
            raise InputError(f"noise: got {self.noise!r}, expected one of {', '.join(NOISES)}.")
        if self.epochs is not None:
            require_whole("epochs", self.epochs, 1)


@dataclass(frozen=True, eq=False)
class Findings:
    """What a study found.

    Attributes
    ----------
    tables : mapping of str to DataFrame
        Each is written as <name>.tsv; "results" has one row a run.
    verdict : str
        On the paper's claim, in lines.
    figure : Figure
    folder : Path, optional
        Where all of it was written.
    """

    tables: Mapping[str, pd.DataFrame]
    verdict: str
    figure: Figure
    folder: Path | None = None


@dataclass(frozen=True)
class Study:
    """A declaration: which runs, what is read from each, and what is made of them.

    Attributes
    ----------
    name : str
        Of the command, and of the folder with its tables.
    make_runs : callable
        Options -> the runs.
    report : callable
        (runs, their results) -> `Findings`.
    reading : callable, optional
        What is read from each trained model.
    data : "simulated", "one", "several" or "either"
        Whether it simulates its data, or asks for a folder of sequences, or for one or more, or takes either.
    has_lengths : bool
        Whether simulated sequences may have other lengths than the study's own.
    has_noise : bool
        Whether it knows both kinds of wrong labels.
    """

    name: str
    make_runs: Callable[[Options], list[Run]]
    report: Callable[[Sequence[Run], Sequence[dict[str, Any]]], Findings]
    reading: Reading | None = None
    data: str = "simulated"
    has_lengths: bool = False
    has_noise: bool = False


def run_study(
    study: Study,
    folder: str | os.PathLike[str],
    options: Options | None = None,
    *,
    jobs: int = 1,
    scheduler: str | None = None,
    progress: bool | None = None,
) -> Findings:
    """Execute a study, write what it found, and return it. A study that was stopped goes on where it stopped.

    Parameters
    ----------
    study : Study
    folder : path
        <folder>/<name of the study>/ takes the tables (.tsv), verdict.txt and the figure (.png, .svg), with what was
        chosen after it, but for the number of seeds: "fig5-quiet-w300pad" (`name_of`);
        <folder>/runs/ takes the runs, which other studies share.
    options : Options, optional
    jobs, scheduler
        As in `run_all`.
    progress : bool, optional
        A bar on standard error; where it is a terminal, when not given.

    Raises
    ------
    InputError
        If the options do not fit the study, or a folder cannot be read.
    """
    options = options or Options()
    find_recipe(options.recipe)  # this, and what follows, before hours of training, in case it cannot be
    _check_data(study, options)
    runs = study.make_runs(options)
    for run in runs:
        run.build()
    place = Path(folder) / name_of(study, options)
    place.mkdir(parents=True, exist_ok=True)
    results = run_all(
        runs, Path(folder) / "runs", reading=study.reading, jobs=jobs, scheduler=scheduler, progress=progress
    )
    for run, result in zip(runs, results, strict=True):
        _check_complete(Path(folder) / "runs" / run.name / "result.json", result)
    findings = study.report(runs, results)
    _write(findings, study.name, place)
    return replace(findings, folder=place)


def _check_complete(path: Path, result: Mapping[str, Any]) -> None:
    """Refuse a result without the numbers that training gives."""
    for name, kind in TRAINED.items():
        value = result.get(name)
        if not isinstance(value, kind) or isinstance(value, bool):
            raise InputError(
                f"{path}: {name} is {str(value)[:40]!r}, expected {'lists' if kind is dict else 'a number'}; delete "
                "it, and the run is done again."
            )


def _write(findings: Findings, name: str, place: Path) -> None:
    """All files or none: two processes that end the same study at once do not mix theirs."""
    names = [f"{table}.tsv" for table in findings.tables] + ["verdict.txt", f"{name}.png", f"{name}.svg"]
    with whole_folder(place, names) as part:
        for table_name, table in findings.tables.items():
            write_table(part / f"{table_name}.tsv", table)
        write_at_once(part / "verdict.txt", findings.verdict + "\n")
        save_figure(findings.figure, part / name)


def name_of(study: Study, options: Options) -> str:
    """Folder of the tables: other data, lengths, recipes and sizes of the same study have others."""
    parts = [
        study.name,
        options.recipe if options.recipe != "paper" else "",
        *(path.resolve().name for path in options.data),
        *(f"{length}bp" for length in options.lengths),
        options.noise or "",
        f"{options.epochs}epochs" if options.epochs else "",
        "small" if options.small else "",
    ]
    return "-".join(part for part in parts if part)


def _check_data(study: Study, options: Options) -> None:
    n_given = len(options.data)
    if options.lengths and (not study.has_lengths or n_given):
        raise InputError(
            f"study {study.name}: got lengths {options.lengths}, but its lengths are given; leave --length out."
        )
    if options.noise is not None and not study.has_noise:
        raise InputError(
            f"study {study.name}: got noise {options.noise!r}, but its labels are given; leave --noise out."
        )
    if len(set(options.lengths)) < len(options.lengths):
        raise InputError(f"study {study.name}: got lengths {options.lengths}, expected each once.")
    if study.data == "simulated" and n_given:
        raise InputError(
            f"study {study.name}: got data, {options.data[0]}, but it simulates its own; leave --data out."
        )
    if (study.data == "one" and n_given != 1) or (study.data == "several" and not n_given):
        raise InputError(
            f"study {study.name}: got {n_given} folders of data, expected {'one' if study.data == 'one' else 'some'}: "
            "--data DIR, with one file each of train*.pos.fa*, train*.neg.fa*, valid*.pos.fa* and valid*.neg.fa*."
        )
    names = [path.resolve().name for path in options.data]
    if len(set(names)) < n_given:
        raise InputError(
            f"study {study.name}: got folders of data called {', '.join(names)}, expected different names, which stand "
            "in the tables; rename one."
        )


def tabulate(runs: Sequence[Run], results: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """One row a run: model, data, recipe, seed, and every number of its result."""
    rows = []
    for run, result in zip(runs, results, strict=True):
        numbers = {name: value for name, value in result.items() if not isinstance(value, list | dict)}
        rows.append({"model": run.label, "data": run.data.label, "recipe": run.recipe, "seed": run.seed, **numbers})
    return pd.DataFrame(rows)
