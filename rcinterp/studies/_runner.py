"""Runs of a study: each done once, its result kept, whatever stops the study in between, and wherever they run."""

import hashlib
import inspect
import json
import os
import platform
import sys
import threading
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from joblib import Parallel, delayed
from tqdm import tqdm

from rcinterp.errors import InputError, require_whole
from rcinterp.files import read_bytes, remove_left_over, write_at_once
from rcinterp.files.documents import LARGEST_JSON, first_difference, parse_json
from rcinterp.reading.model import bar_options, interrupts_here, keep_bars_here, one_thread
from rcinterp.studies._dask import Outcome, on_dask
from rcinterp.studies._runs import CHECKPOINT, Reading, Run, train
from rcinterp.training.fitting import second_checkpoint
from rcinterp.training.models import CompactModel
from rcinterp.training.saving import load_model

#: torch's random generator and number of threads belong to the process: one run at a time in it.
_ONE_AT_A_TIME = threading.Lock()

#: For a network file system to show what another machine has written (its cache may be a minute old).
_SECONDS_TO_APPEAR = 90


@dataclass(frozen=True)
class _Named:
    """A reading, and the name of the file that its results are kept in."""

    read: Reading
    name: str


def run_all(
    runs: Sequence[Run],
    folder: Path,
    *,
    reading: Reading | None = None,
    jobs: int = 1,
    scheduler: str | None = None,
    progress: bool | None = True,
) -> list[dict[str, Any]]:
    """Results of all runs, in their order; what is there already is not repeated.

    Parameters
    ----------
    runs : sequence of Run
    folder : Path
        Each run has a folder in it, named by what it is: studies that share the folder share their runs, even at the
        same time. Results are written in one step when they are done: result.json, and <name of the reading>.json.
    reading : callable, optional
        What else is read from each trained model; its result is put beside the run's.
    jobs : int
        Processes on this machine, one thread each: the numbers do not depend on how many.
    scheduler : str, optional
        Address of a Dask scheduler, e.g. tcp://10.0.0.1:8786, whose workers take the runs instead. They must see
        `folder`, and the data, under the same path.
    progress : bool or None
        A bar on standard error; None: where it is a terminal.

    Raises
    ------
    InputError
        If a number is out of its range, a result cannot be read, no scheduler answers, or workers died. What is done
        by then is kept.

    Warns
    -----
    UserWarning
        If the scheduler has no worker yet; the runs wait for one.
    """
    require_whole("jobs", jobs, 1)
    folder = folder.resolve()
    named = _named(reading)
    kept = {run.name: _result_of(run, folder, named) for run in runs}
    results = {name: result for name, result in kept.items() if result is not None}
    for name in results:
        _remove_checkpoints(folder / name)  # of a run that was stopped when its result was kept
        remove_left_over(folder / name)
    left = {run.name: run for run in runs if run.name not in results}
    for name in left:
        (folder / name).mkdir(parents=True, exist_ok=True)
    with tqdm(total=len(kept), initial=len(results), unit="run", **bar_options(progress)) as bar:
        for wait in (False, True):  # what another study is at comes last: two studies share the work
            do = partial(_run_one, folder=folder, reading=named, wait=wait)
            with closing(_spread(do, list(left.values()), jobs, scheduler)) as outcomes:
                for done in outcomes:
                    if done is not None:
                        results[done] = _await_result(left.pop(done), folder, named)
                        bar.update()
        bar.refresh()  # the last number is seen
    return [results[run.name] for run in runs]


def _spread(
    do: Callable[..., Outcome], runs: Sequence[Run], jobs: int, scheduler: str | None
) -> Generator[Outcome, None, None]:
    """Outcome of each run, in whatever order."""
    if not runs:
        return
    if scheduler is not None:
        yield from on_dask(do, runs, scheduler)
    else:
        n_jobs = min(jobs, len(runs))
        yield from _in_processes(do, runs, n_jobs)


def _in_processes(do: Callable[[Run], Outcome], runs: Sequence[Run], n_jobs: int) -> Generator[Outcome, None, None]:
    parallel = Parallel(n_jobs=n_jobs, batch_size=1, return_as="generator_unordered")
    if n_jobs == 1:
        yield from parallel(delayed(do)(run) for run in runs)
        return
    try:
        with interrupts_here():
            outcomes = parallel(delayed(partial(_in_worker, do))(run) for run in runs)
        yield from outcomes
    except BrokenProcessPool:
        raise InputError(
            f"--jobs {n_jobs}: a process of the study was killed, perhaps for want of memory; start the study again, "
            "with fewer jobs if so: what is done is kept."
        ) from None


def _in_worker(do: Callable[[Run], Outcome], run: Run) -> Outcome:
    """Do it in a process of the study."""
    keep_bars_here()
    return do(run)


def _run_one(run: Run, folder: Path, reading: _Named | None, wait: bool) -> Outcome:
    """Train and read unless it is done; a run that another process is at is waited for, or left alone.

    Parameters
    ----------
    run, folder, reading
        As in `run_all`.
    wait : bool
        Whether to wait for the other process.
    """
    place = folder / run.name
    with _ONE_AT_A_TIME, one_thread():
        _check_here(run, place)
        try:
            lock = FileLock(place / "lock").acquire(timeout=-1 if wait else 0, poll_interval=1)
        except Timeout:
            return None
        with lock:
            _complete(run, place, reading)
    return run.name


def _check_here(run: Run, place: Path) -> None:
    """Refuse a process, perhaps on another machine, that sees other files or another rcinterp than the study."""
    if not place.is_dir():
        raise InputError(
            f"{place}: not there on {platform.node()}, where the run was to be done; expected the folder of the study, "
            "on a file system that all workers share."
        )
    here = replace(run).identity  # made anew
    differing = [name for name, value in run.identity.items() if here[name] != value]
    if differing:
        raise InputError(
            f"{run.name}: {' and '.join(differing)} differ on {platform.node()} from where the study was started; "
            "expected the same files and the same version of rcinterp; start the study again once they are."
        )


def _complete(run: Run, place: Path, reading: _Named | None) -> None:
    if _kept(place / "result.json", run) is None:
        _keep(place / "result.json", train(run, place), run)
    _remove_checkpoints(place)  # only now: whatever stops the run before goes on from it
    if reading is not None and _kept(place / reading.name, run) is None:
        _keep(place / reading.name, reading.read(_model_of(run, place), run, place), run)


def _remove_checkpoints(place: Path) -> None:
    for path in (place / CHECKPOINT, second_checkpoint(place / CHECKPOINT)):
        path.unlink(missing_ok=True)


def _named(reading: Reading | None) -> _Named | None:
    """Name it by its module and a digest of that module's source, if it is known, e.g. fig5-1f0c9a7b.json.

    A study that reads its models otherwise than it did reads them again.
    """
    if reading is None:
        return None
    module = reading.__module__
    try:
        source = inspect.getsource(sys.modules[module])
    except (KeyError, OSError, TypeError):  # what was typed at a prompt has none
        source = ""
    digest = hashlib.sha256(source.encode()).hexdigest()[:8]
    return _Named(reading, f"{module.rpartition('.')[2]}-{digest}.json")


def _await_result(run: Run, folder: Path, reading: _Named | None) -> dict[str, Any]:
    """Result of a run that is done, perhaps on another machine."""
    deadline = time.monotonic() + _SECONDS_TO_APPEAR
    while (result := _result_of(run, folder, reading)) is None:
        if time.monotonic() > deadline:
            raise InputError(
                f"{folder / run.name}: the run is done, but no result came; expected the workers to write to the "
                "folder that this process sees, on a file system that they share."
            )
        time.sleep(0.5)
        os.listdir(folder / run.name)  # makes a network file system look again
    return result


def _result_of(run: Run, folder: Path, reading: _Named | None) -> dict[str, Any] | None:
    result = _kept(folder / run.name / "result.json", run)
    if result is None or reading is None:
        return result
    read = _kept(folder / run.name / reading.name, run)
    return None if read is None else result | read


def _keep(path: Path, result: dict[str, Any], run: Run) -> None:
    plain = json.loads(json.dumps(result))
    kept = {"run": run.identity, "sha256": _digest_of(plain), "result": plain}
    write_at_once(path, json.dumps(kept, indent=1) + "\n")


def _digest_of(result: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(result, sort_keys=True).encode()).hexdigest()


def _kept(path: Path, run: Run) -> dict[str, Any] | None:
    """What a file holds of this run; None if there is none."""
    if not path.exists():
        return None
    advice = "delete it, and the run is done again"
    try:
        found = parse_json(read_bytes(path, "the result of a run", advice, largest=LARGEST_JSON))
        if not isinstance(found.get("result"), dict) or "run" not in found:
            raise ValueError("it has no run and result")
    except ValueError as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"{path}: cannot be read ({error}); {advice}.") from None
    _check_same(path, found["run"], run)
    result: dict[str, Any] = found["result"]
    if found.get("sha256", digest := _digest_of(result)) != digest:  # the first of rcinterp 0.2 had none
        raise InputError(f"{path}: was changed after it was kept; {advice}.")
    return result


def _model_of(run: Run, place: Path) -> CompactModel:
    """The trained model of a run, if the folder holds that of no other."""
    model = load_model(place)
    _check_same(place, model.provenance, run)
    return model


def _check_same(path: Path, found: Any, run: Run) -> None:
    difference = first_difference(found, run.identity)
    if difference is not None:
        raise InputError(
            f"{path}: is of another run ({difference}), expected that of {run.name}; delete it, and the run is done "
            "again."
        )
