"""The runs that studies keep under all that happens to them: stops at any step, two studies at once, a person's hands.

A machine of hypothesis draws what happens; each study is a process of its own, in which training is made up. What must
hold:

- a study that comes to its end gives the table of one that was never disturbed, and leaves nothing but results;
- a run whose result is kept is not trained again;
- a kept result that was changed, cut, or is of another run or of other settings is refused in one line, before anything
  is trained; without it, its run is done again.
"""

import json
import runpy
import shutil
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from rcinterp.files import write_at_once
from rcinterp.studies import _runner
from rcinterp.studies._data import Simulated
from rcinterp.studies._runs import CHECKPOINT, Run
from rcinterp.studies._study import tabulate

stopping = SimpleNamespace(**runpy.run_path(str(Path(__file__).parents[1] / "stopping.py")))
DATA = Simulated(("GATA_known6", "ELF1_known2"), n_per_motif=50, length=100, seed=1)
RUNS = [Run("tiny", DATA, seed, {"n_layers": 1, "n_filters": 2}, training={"epochs": 3}) for seed in (2, 0, 1)]
#: Of one run, and of a study; a few more than there are, so that it may go through.
N_STEPS = (26, 80)
counts = st.sampled_from([1, 2, 3])
EDITS = ("a number", "cut", "of another run", "other settings", "nonsense")


def train(run, folder):
    """Numbers of a run that nobody trains, with a checkpoint on the way, and a line in a list of what was trained."""
    with (folder.parent / "trained").open("a") as file:
        file.write(f"{run.name}\n")
    for epoch in range(2):
        write_at_once(folder / CHECKPOINT, f"epoch {epoch}")
    write_at_once(folder / "model.json", f"model of seed {run.seed}")
    return {"n_parameters": 7, "valid_auroc": 0.1 * run.seed, "valid_auprc": 1 / 3, "history": {"epoch": [1, 2]}}


def read(model, run, folder):
    return {"seed_read": run.seed}


@pytest.fixture
def made_up(monkeypatch):
    """Let runs be made up, and their models be whatever is there."""
    monkeypatch.setattr(_runner, "train", train)
    monkeypatch.setattr(_runner, "_model_of", lambda run, place: None)


class Store(RuleBasedStateMachine):
    """The folder of runs, and what may happen to it."""

    @initialize()
    def begin(self):
        self.folder = Path(tempfile.mkdtemp(prefix="rcinterp-runs-"))
        self.bad = {}  # names of files that a person has made unusable, by the names of their runs

    def teardown(self):
        if hasattr(self, "folder"):
            shutil.rmtree(self.folder)

    def trained(self):
        """How often each run was trained."""
        path = self.folder / "trained"
        names = path.read_text().split() if path.exists() else []
        return {run.name: names.count(run.name) for run in RUNS}

    def is_kept(self, run):
        return (self.folder / run.name / "result.json").exists()

    def study(self, n_runs, reading):
        """What the process of a study does: all runs, and its table."""
        runs = RUNS[:n_runs]
        results = _runner.run_all(runs, self.folder, reading=read if reading else None, progress=False)
        return tabulate(runs, results).to_csv()

    def judge(self, ended, n_runs, reading, before, kept):
        """What must hold after a study, however it ended."""
        runs, now = RUNS[:n_runs], self.trained()
        for run in RUNS:
            again = now[run.name] - before[run.name]
            assert again <= int(run.name not in kept), "what was kept was trained again"
        if ended.how == stopping.DONE:
            results = [made_up_numbers(run, reading) for run in runs]
            assert ended.said == tabulate(runs, results).to_csv()
            for run in runs:
                own = [path.name for path in (self.folder / run.name).iterdir() if not path.name.startswith("test_")]
                assert sorted(own) == ["lock", "model.json", "result.json"], "a file was left"

    @rule(n_runs=counts, reading=st.booleans())
    def run(self, n_runs, reading):
        self.run_and_stop(n_runs, reading, None)

    @rule(n_runs=counts, reading=st.booleans(), at=st.sampled_from(range(N_STEPS[0])), killed=st.booleans())
    def stop_in_a_run(self, n_runs, reading, at, killed):
        self.run_and_stop(n_runs, reading, stopping.Stop(at, killed))

    @rule(reading=st.booleans(), at=st.sampled_from(range(N_STEPS[1])), killed=st.booleans())
    def stop(self, reading, at, killed):
        self.run_and_stop(len(RUNS), reading, stopping.Stop(at, killed))

    def run_and_stop(self, n_runs, reading, stop):
        before, kept = self.trained(), {run.name for run in RUNS if self.is_kept(run)}
        bad = [path for run in RUNS[:n_runs] for path in self.bad.get(run.name, []) if reading or not is_reading(path)]
        ended = stopping.run_in_child(lambda: self.study(n_runs, reading), stop)
        self.judge(ended, n_runs, reading, before, kept)
        if ended.how == stopping.DONE:
            assert not bad, f"{bad} was taken"
        elif ended.how == stopping.REFUSED:
            assert any(ended.said.startswith(f"{path}: ") for path in bad), ended.said
            assert ended.said.endswith("delete it, and the run is done again.")
            assert "\n" not in ended.said
            assert self.trained() == before
        else:
            assert stop is not None

    @precondition(lambda self: not self.bad)
    @rule(reading=st.booleans())
    def two_studies_at_once(self, reading):
        before, kept = self.trained(), {run.name for run in RUNS if self.is_kept(run)}
        studies = [stopping.Child(lambda: self.study(3, reading)) for _ in range(2)]
        for study in studies:
            ended = study.wait()
            assert ended.how == stopping.DONE, ended.said
            self.judge(ended, 3, reading, before, kept)

    # What a person does.

    def results(self):
        """Files that hold a result and that nobody has touched."""
        bad = {path for paths in self.bad.values() for path in paths}
        found = (path for path in self.folder.glob("*/*.json") if not path.name.startswith("."))
        return sorted(path for path in found if path.name != "model.json" and path not in bad)

    @precondition(lambda self: self.results())
    @rule(data=st.data(), how=st.sampled_from(EDITS))
    def edit(self, data, how):
        path = data.draw(st.sampled_from(self.results()))
        text = path.read_text()
        said = json.loads(text)
        if how == "a number":
            said["result"] |= {name: value + 1 for name, value in said["result"].items() if isinstance(value, int)}
        elif how == "of another run":
            said["run"] = next(run.identity for run in RUNS if run.name != path.parent.name)
        elif how == "other settings":
            said["run"]["training"] = {"epochs": 4}
        cut = data.draw(st.integers(0, len(text) - 3))
        path.write_text(text[:cut] if how == "cut" else "[1]" if how == "nonsense" else json.dumps(said))
        self.bad.setdefault(path.parent.name, []).append(path)

    @precondition(lambda self: self.results() or self.bad)
    @rule(data=st.data())
    def delete(self, data):
        """One result; of a run, or what a study has read of it."""
        paths = [*self.results(), *(path for paths in self.bad.values() for path in paths)]
        path = data.draw(st.sampled_from(sorted(paths)))
        path.unlink()
        name = path.parent.name
        self.bad[name] = [other for other in self.bad.get(name, []) if other != path]
        self.bad = {name: paths for name, paths in self.bad.items() if paths}

    @rule(seed=st.sampled_from([0, 1, 2]))
    def delete_a_run(self, seed):
        run = next(run for run in RUNS if run.seed == seed)
        shutil.rmtree(self.folder / run.name, ignore_errors=True)
        self.bad.pop(run.name, None)

    # What holds.

    @invariant()
    def no_lock_is_held(self):
        """... once a study has ended, however it did: another can be started at once."""
        for run in RUNS:
            lock = self.folder / run.name / "lock" if hasattr(self, "folder") else Path()
            if lock.is_file():
                with _runner.FileLock(lock, timeout=0):
                    pass


def is_reading(path):
    return path.name != "result.json"


def made_up_numbers(run, reading):
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / run.name
        place.mkdir()
        return train(run, place) | (read(None, run, place) if reading else {})


def run_machine(n, steps):
    stopping.run_examples(Store, n, steps)


def test_the_runs_of_studies(made_up):
    run_machine(15, 12)


@pytest.mark.slow
def test_the_runs_of_studies_for_longer(made_up):
    run_machine(20, 15)
