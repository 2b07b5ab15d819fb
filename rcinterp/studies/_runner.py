"""Runs of a study: each done once, its result kept, whatever stops the study in between."""

import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from joblib import Parallel, delayed
from tqdm import tqdm

from rcinterp.errors import InputError
from rcinterp.inference import one_thread


@dataclass(frozen=True)
class Run:
    """One training run of a study.

    Attributes
    ----------
    name : str
        Its folder, e.g. ``rc-seed3``.
    settings : mapping
        All that its result depends on; JSON. A result of other settings is not taken for this run's.
    """

    name: str
    settings: Mapping[str, Any]


Work = Callable[[Run, Path], dict[str, Any]]


def run_all(
    runs: Sequence[Run], work: Work, folder: Path, *, jobs: int = 1, progress: bool = True
) -> list[dict[str, Any]]:
    """Results of all runs, in their order; those whose result is there already are not repeated.

    Parameters
    ----------
    runs : sequence of Run
    work : callable
        (run, its folder) -> result, JSON. Must be importable if jobs > 1. It runs on one thread, so that the numbers do
        not depend on `jobs`.
    folder : Path
        Each run has a folder in it, and its result there: result.json, written in one step when the run is done.
    jobs : int
        Processes.
    progress : bool
        A bar on standard error.
    """
    if jobs < 1:
        raise InputError(f"jobs: got {jobs}, expected at least 1.")
    wanted = [run for run in runs if _result_of(run, folder) is None]
    tasks = (delayed(_run_one)(run, work, folder) for run in wanted)
    done = Parallel(n_jobs=min(jobs, max(1, len(wanted))), return_as="generator_unordered")(tasks)
    for _ in tqdm(done, total=len(runs), initial=len(runs) - len(wanted), disable=not progress, unit="run"):
        pass
    results = [_result_of(run, folder) for run in runs]
    return [result for result in results if result is not None]


def _run_one(run: Run, work: Work, folder: Path) -> None:
    with one_thread():
        result = work(run, folder / run.name)
    path = folder / run.name / "result.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".json.part")
    part.write_text(json.dumps({"settings": run.settings, "result": result}, indent=1) + "\n", encoding="utf-8")
    os.replace(part, path)


def _result_of(run: Run, folder: Path) -> dict[str, Any] | None:
    path = folder / run.name / "result.json"
    if not path.exists():
        return None
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path}: cannot be read ({error}); delete it, and the run is done again.") from None
    if kept["settings"] != json.loads(json.dumps(run.settings)):
        raise InputError(
            f"{path}: a result of other settings or data than asked for; name another folder, or delete this one."
        )
    result: dict[str, Any] = kept["result"]
    return result
