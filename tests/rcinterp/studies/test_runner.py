"""Runs that are stopped, killed, shared and repeated: the same bytes in the end, and nothing done twice."""

import hashlib
import json
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing, suppress
from pathlib import Path

import pytest
import torch
from filelock import FileLock

from rcinterp.data.sequences import write_fasta
from rcinterp.errors import InputError
from rcinterp.reading.model import one_thread
from rcinterp.studies import _runner, _runs, _study
from rcinterp.studies._data import Folder, Simulated
from rcinterp.studies._runner import run_all
from rcinterp.studies._runs import Run
from rcinterp.training import fitting

DATA = Simulated(("GATA_known6", "ELF1_known2"), n_per_motif=50, length=100, seed=1)
#: What runs a study in a process of its own: it waits for the file "go", and writes a line for each run that it trains.
SCRIPT = """
import pickle, sys, time
from pathlib import Path
from rcinterp.studies import _runner
from rcinterp.studies._runs import train

def logged(run, folder):
    with Path(sys.argv[2]).open("a") as log:
        log.write(run.name + "\\n")
    return train(run, folder)

if __name__ == "__main__":
    runs, folder, jobs = pickle.loads(Path(sys.argv[1]).read_bytes())
    if jobs == 1:
        _runner.train = logged
    Path(sys.argv[2]).touch()
    while not (folder / "go").exists():
        time.sleep(0.01)
    _runner.run_all(runs, folder, jobs=jobs, progress=False)
"""


def tiny(seed, epochs=3, label="tiny"):
    model = {"n_layers": 1, "n_filters": 2, "widths": [11], "pool": 20, "stride": 20}
    return Run(label, DATA, seed, model, training={"epochs": epochs, "samples_per_epoch": 50, "patience": None})


RUNS = [tiny(seed) for seed in (2, 0, 1)]
#: Long enough to be killed on the way.
LONG = [tiny(seed, epochs=40) for seed in range(3)]


def files_of(folder, names=("result.json", "model.json", "model.safetensors")):
    return {str(path.relative_to(folder)): path.read_bytes() for name in names for path in folder.glob(f"*/{name}")}


def stamps_of(folder, pattern="*/*.json"):
    return {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.glob(pattern)}


def stamps_of_done(folder):
    """Of finished runs: one that is killed between its model and its result is, rightly, saved again."""
    return stamps_of(folder, "*/result.json")


def wait_until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.005)


@pytest.fixture(scope="module")
def serial(tmp_path_factory):
    """The results of RUNS, and their files, never interrupted."""
    folder = tmp_path_factory.mktemp("serial")
    return run_all(RUNS, folder, progress=False), files_of(folder)


@pytest.fixture(scope="module")
def serial_long(tmp_path_factory):
    folder = tmp_path_factory.mktemp("serial_long")
    run_all(LONG, folder, progress=False)
    return files_of(folder)


@pytest.fixture
def trained(monkeypatch):
    """Names of the runs that this process trains, as it does."""
    names = []

    def train(run, folder):
        names.append(run.name)
        return _runs.train(run, folder)

    monkeypatch.setattr(_runner, "train", train)
    return names


@pytest.fixture
def epochs(monkeypatch):
    """The epochs that this process trains, as it does."""
    done = []
    train_epoch = fitting._train_epoch

    def count(*args):
        done.append(1)
        return train_epoch(*args)

    monkeypatch.setattr(fitting, "_train_epoch", count)
    return done


@pytest.fixture
def start(tmp_path):
    """Give ``start(runs, folder, jobs)``: such a study in a process group of its own, and the log of what it trains."""
    processes = []

    def start(runs, folder, jobs):
        i = len(processes)
        (tmp_path / f"study{i}").write_bytes(pickle.dumps((runs, folder, jobs)))
        command = [sys.executable, "-c", SCRIPT, str(tmp_path / f"study{i}"), str(tmp_path / f"log{i}")]
        process = subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True, preexec_fn=heed_interrupts)
        processes.append(process)
        wait_until((tmp_path / f"log{i}").exists)
        return process, tmp_path / f"log{i}"

    yield start
    for process in processes:
        kill_group(process)
        process.stderr.close()


def heed_interrupts():
    """Undo what a shell does to what it starts in the background, such as these tests: it lets them ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def kill_group(process):
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(10)


def group_is_gone(process):
    """Whether no process of the group is left but zombies, which wait for their parent."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, group = stat.read_text().rpartition(")")[2].split()[:3]
        except OSError:
            continue
        if int(group) == process.pid and state != "Z":
            return False
    return True


def test_results_are_in_the_order_of_the_runs_and_kept(serial, trained, tmp_path):
    results = run_all(RUNS, tmp_path / "new" / "runs", progress=False)
    assert results == serial[0]
    assert [len(result["history"]["epoch"]) for result in results] == [3, 3, 3]
    assert len({result["valid_auroc"] for result in results}) == 3
    assert trained == [run.name for run in RUNS]
    for run, result in zip(RUNS, results, strict=True):
        place = tmp_path / "new/runs" / run.name
        sha256 = hashlib.sha256(json.dumps(result, sort_keys=True).encode()).hexdigest()
        kept = {"run": run.identity, "sha256": sha256, "result": result}
        assert json.loads((place / "result.json").read_text()) == kept
        assert {path.name for path in place.iterdir()} == {"result.json", "model.json", "model.safetensors", "lock"}


def test_a_finished_run_is_not_repeated_nor_touched(serial, trained, tmp_path):
    run_all(RUNS, tmp_path, progress=False)
    before = stamps_of(tmp_path)
    assert run_all(RUNS, tmp_path, progress=False) == serial[0]
    assert run_all(RUNS, tmp_path, progress=False, jobs=2) == serial[0]
    assert len(trained) == 3
    assert stamps_of(tmp_path) == before


def test_a_finished_study_needs_no_scheduler(serial, tmp_path):
    run_all(RUNS, tmp_path, progress=False)
    assert run_all(RUNS, tmp_path, progress=False, scheduler="tcp://127.0.0.1:1") == serial[0]


def test_new_runs_are_done_beside_finished_ones(serial, trained, tmp_path):
    run_all(RUNS[1:], tmp_path, progress=False)
    assert run_all(RUNS, tmp_path, progress=False) == serial[0]
    assert trained == [RUNS[i].name for i in (1, 2, 0)]


def test_equal_runs_are_done_once(serial, trained, tmp_path):
    twice = [RUNS[0], tiny(RUNS[0].seed, label="the same under another name"), RUNS[1], RUNS[0]]
    assert run_all(twice, tmp_path, progress=False) == [serial[0][i] for i in (0, 0, 1, 0)]
    assert trained == [RUNS[0].name, RUNS[1].name]


def test_no_runs_no_results(tmp_path):
    assert run_all([], tmp_path, progress=False) == []
    assert run_all([], tmp_path, progress=False, jobs=2) == []


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_an_interrupted_study_goes_on_where_it_stopped(error, serial, trained, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:

        def train(run, folder):
            if run is RUNS[1]:
                raise error("stopped")
            return _runs.train(run, folder)

        patch.setattr(_runner, "train", train)
        with pytest.raises(error, match="stopped"):
            run_all(RUNS, tmp_path, progress=False)
    assert run_all(RUNS, tmp_path, progress=False) == serial[0]
    assert trained == [RUNS[1].name, RUNS[2].name]
    assert files_of(tmp_path) == serial[1]


def test_a_run_stopped_in_training_goes_on_from_its_last_epoch(serial, epochs, tmp_path, monkeypatch):
    save = fitting.Run.save

    def stop(self, path):
        save(self, path)
        if self.n_epochs == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(fitting.Run, "save", stop)
        with pytest.raises(KeyboardInterrupt):
            run_all(RUNS[:1], tmp_path, progress=False)
    assert len(epochs) == 2
    run_all(RUNS, tmp_path, progress=False)
    assert len(epochs) == 3 * 3
    assert files_of(tmp_path) == serial[1]


def test_a_run_stopped_after_training_trains_no_epoch_again(serial, epochs, tmp_path, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    for step in ("rcinterp.studies._runs.evaluate", "rcinterp.studies._runner._keep"):
        with monkeypatch.context() as patch:
            patch.setattr(step, stop)
            with pytest.raises(KeyboardInterrupt):
                run_all(RUNS, tmp_path, progress=False)
    run_all(RUNS, tmp_path, progress=False)
    assert len(epochs) == 3 * 3
    assert files_of(tmp_path) == serial[1]


def test_a_result_is_there_wholly_or_not_at_all(serial, trained, tmp_path, monkeypatch):
    replace = os.replace

    def stop(source, target):
        if Path(target).name == "result.json":
            raise KeyboardInterrupt
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", stop)
        with pytest.raises(KeyboardInterrupt):
            run_all(RUNS, tmp_path, progress=False)
    assert [path.name for path in tmp_path.glob("*/result.json*")] == []
    assert run_all(RUNS, tmp_path, progress=False) == serial[0]
    assert trained == [RUNS[i].name for i in (0, 0, 1, 2)]
    assert not list(tmp_path.glob("*/*.part"))


@pytest.mark.parametrize("damaged", ["", "{", "{}", '{"result": null}', '{"result": 3}', "[]", "\xff"])
def test_an_unreadable_result_is_one_line_before_anything_is_done(damaged, serial, trained, tmp_path):
    path = tmp_path / RUNS[2].name / "result.json"
    path.parent.mkdir()
    path.write_text(damaged, encoding="latin-1")
    with pytest.raises(InputError) as error:
        run_all(RUNS, tmp_path, progress=False)
    message = str(error.value)
    assert message.startswith(f"{path}: cannot be read (")
    assert message.endswith("); delete it, and the run is done again.")
    assert "\n" not in message
    assert trained == []
    path.unlink()
    assert run_all(RUNS, tmp_path, progress=False) == serial[0]


def test_the_result_of_another_run_is_refused_before_anything_is_done(trained, tmp_path):
    run_all(RUNS[:2], tmp_path, progress=False)
    first, second = (tmp_path / run.name for run in RUNS[:2])
    trained.clear()
    (first / "result.json").write_bytes((second / "result.json").read_bytes())
    with pytest.raises(InputError, match=r"result\.json: is of another run \(seed was 0, now 2\), expected"):
        run_all(RUNS[:2], tmp_path, progress=False)
    assert trained == []
    (first / "result.json").write_text(json.dumps({"run": RUNS[0].identity | {"rcinterp": "0"}, "result": {}}))
    with pytest.raises(InputError, match=r"is of another run \(rcinterp was '0', now "):
        run_all(RUNS[:2], tmp_path, progress=False)


def test_a_result_that_was_changed_is_refused_before_anything_is_done(serial, trained, tmp_path):
    """... but not one that was kept before there was a SHA-256."""
    run_all(RUNS[:1], tmp_path, progress=False)
    path = tmp_path / RUNS[0].name / "result.json"
    kept = json.loads(path.read_text())
    path.write_text(json.dumps(kept | {"result": kept["result"] | {"valid_auroc": 0.99}}))
    with pytest.raises(InputError) as error:
        run_all(RUNS, tmp_path, progress=False)
    assert str(error.value) == f"{path}: was changed after it was kept; delete it, and the run is done again."
    assert trained == [RUNS[0].name]
    path.write_text(json.dumps({name: kept[name] for name in ("run", "result")}))
    assert run_all(RUNS, tmp_path, progress=False) == serial[0]


def test_a_run_stopped_when_its_result_was_kept_leaves_no_checkpoint(serial, tmp_path, monkeypatch):
    def stop(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(_runner, "_remove_checkpoints", stop)
        with pytest.raises(KeyboardInterrupt):
            run_all(RUNS[:1], tmp_path, progress=False)
    assert (tmp_path / RUNS[0].name / "result.json").exists()
    assert run_all(RUNS, tmp_path, progress=False) == serial[0]
    assert not list(tmp_path.glob("*/checkpoint*"))


def test_the_model_of_another_run_is_not_read(reading, tmp_path):
    run_all(RUNS[:2], tmp_path, progress=False)
    first, second = (tmp_path / run.name for run in RUNS[:2])
    for path in second.glob("model.*"):
        (first / path.name).write_bytes(path.read_bytes())
    with pytest.raises(InputError, match=r"is of another run \(seed was 0, now 2\)"):
        run_all(RUNS[:1], tmp_path, reading=reading, progress=False)


def test_a_result_without_its_numbers_is_one_line():
    whole = {"n_parameters": 3, "n_epochs": 1, "best_epoch": 1, "rc_difference": 0.0, "history": {}}
    whole |= {"valid_auroc": 0.5, "valid_auprc": 1}
    _study._check_complete(Path("result.json"), whole)
    for name in whole:
        for wrong in ("x", None, True):
            with pytest.raises(InputError, match=rf"result\.json: {name} is '{wrong}', expected .*; delete it"):
                _study._check_complete(Path("result.json"), whole | {name: wrong})


@pytest.fixture
def reading():
    """A function within a function, which other processes get whole: they cannot import this file."""

    def read(model, run, folder):
        with (folder / "calls").open("a") as calls:
            calls.write("x")
        return {"weight": float(next(iter(model.parameters())).detach().sum()), "seed_read": run.seed}

    return read


def test_a_reading_is_kept_beside_the_result(reading, serial, trained, tmp_path):
    run_all(RUNS[:1], tmp_path, progress=False)
    results = run_all(RUNS, tmp_path, reading=reading, progress=False)
    assert run_all(RUNS, tmp_path, reading=reading, progress=False) == results
    for run, result, without in zip(RUNS, results, serial[0], strict=True):
        (file,) = (tmp_path / run.name).glob(f"{Path(__file__).stem}-*.json")
        kept = json.loads(file.read_text())
        assert kept["run"] == run.identity
        assert kept["result"].keys() == {"weight", "seed_read"}
        assert result == without | kept["result"]
        assert result["seed_read"] == run.seed
        assert (tmp_path / run.name / "calls").read_text() == "x"
    assert trained == [run.name for run in RUNS]
    assert files_of(tmp_path) == serial[1]


def test_two_processes_give_the_same_bytes(reading, serial, tmp_path):
    results = run_all(RUNS, tmp_path / "two", reading=reading, jobs=2, progress=False)
    assert results == run_all(RUNS, tmp_path / "one", reading=reading, progress=False)
    assert files_of(tmp_path / "two") == serial[1]
    assert not list(tmp_path.glob("*/*/*.part"))
    assert not list(tmp_path.glob("*/*/checkpoint*"))


def test_a_reading_whose_source_has_changed_is_done_again(serial, reading, tmp_path, monkeypatch):
    run_all(RUNS[:1], tmp_path, reading=reading, progress=False)
    monkeypatch.setattr(_runner.inspect, "getsource", lambda module: "another source")
    run_all(RUNS[:1], tmp_path, reading=reading, progress=False)
    place = tmp_path / RUNS[0].name
    assert (place / "calls").read_text() == "xx"
    assert len(list(place.glob(f"{Path(__file__).stem}-*.json"))) == 2


def test_an_error_in_another_process_is_that_of_the_run(serial, tmp_path):
    def fail(model, run, folder):
        raise InputError(f"bad data of {run.seed}")

    with pytest.raises(InputError, match="bad data of"):
        run_all(RUNS, tmp_path, reading=fail, jobs=2, progress=False)
    assert run_all(RUNS, tmp_path, progress=False) == serial[0]


def test_a_killed_process_is_one_line_and_what_is_done_is_kept(serial, tmp_path):
    def die(model, run, folder):
        os.kill(os.getpid(), signal.SIGKILL)

    with pytest.raises(InputError) as error:
        run_all(RUNS, tmp_path, reading=die, jobs=2, progress=False)
    assert str(error.value) == (
        "--jobs 2: a process of the study was killed, perhaps for want of memory; start the study again, with fewer "
        "jobs if so: what is done is kept."
    )
    before = stamps_of_done(tmp_path)
    assert before
    assert run_all(RUNS, tmp_path, progress=False) == serial[0]
    assert before.items() <= stamps_of(tmp_path).items()
    assert files_of(tmp_path) == serial[1]


@pytest.mark.parametrize(
    ("how", "jobs"), [pytest.param("kill", 1, marks=pytest.mark.slow), ("kill", 2), ("interrupt", 2)]
)
def test_a_study_stopped_from_outside_goes_on_to_the_same_bytes(how, jobs, serial_long, start, epochs, tmp_path):
    folder = tmp_path / "runs"
    folder.mkdir()
    process, _ = start(LONG, folder, jobs)
    (folder / "go").touch()
    # One is enough: on a busy machine the first process may have done all runs before the second is up.
    wait_until(lambda: list(folder.glob("*/checkpoint.safetensors")))
    if how == "kill":
        kill_group(process)
    else:
        os.killpg(process.pid, signal.SIGINT)  # as a terminal does
        process.wait(30)
        assert process.returncode != 0
        wait_until(lambda: group_is_gone(process), 30)
        assert b"KeyboardInterrupt" in process.stderr.read()
    assert len(list(folder.glob("*/result.json"))) < len(LONG)
    before = stamps_of_done(folder)
    run_all(LONG, folder, progress=False)
    assert files_of(folder) == serial_long
    assert before.items() <= stamps_of(folder).items()
    assert len(epochs) < 3 * 40, "what was trained before was trained again"


def workers_of(process):
    """Numbers of the processes that a study has started for its runs."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    return [int(one) for one in children if b"popen_loky" in Path(f"/proc/{one}/cmdline").read_bytes()]


@pytest.mark.slow
def test_a_study_whose_process_is_killed_says_so_and_goes_on_to_the_same_bytes(serial_long, start, epochs, tmp_path):
    """As the system does for want of memory."""
    folder = tmp_path / "runs"
    folder.mkdir()
    process, _ = start(LONG, folder, 2)
    (folder / "go").touch()
    wait_until(lambda: list(folder.glob("*/checkpoint.safetensors")), 300)
    os.kill(workers_of(process)[0], signal.SIGKILL)
    assert process.wait(120) == 1
    wait_until(lambda: group_is_gone(process), 30)
    said = process.stderr.read().decode().splitlines()
    assert said[-1].startswith("rcinterp.errors.InputError: --jobs 2: a process of the study was killed, perhaps for")
    before = stamps_of_done(folder)
    run_all(LONG, folder, progress=False)
    assert files_of(folder) == serial_long
    assert before.items() <= stamps_of(folder).items()
    assert len(epochs) < 3 * 40, "what was trained before was trained again"


def test_two_studies_at_the_same_time_share_the_runs(serial_long, start, tmp_path):
    folder = tmp_path / "runs"
    folder.mkdir()
    studies = [start(LONG, folder, 1) for _ in range(2)]
    (folder / "go").touch()
    for process, _ in studies:
        assert process.wait(120) == 0, process.stderr.read()
    logs = [log.read_text().split() for _, log in studies]
    assert sorted(logs[0] + logs[1]) == sorted(run.name for run in LONG)
    assert logs[0]
    assert logs[1], "one study waited for the other instead of taking another run"
    assert files_of(folder) == serial_long


def test_a_run_that_another_process_is_at_comes_last(serial, trained, tmp_path):
    (tmp_path / RUNS[0].name).mkdir()
    results = []
    study = threading.Thread(target=lambda: results.extend(run_all(RUNS, tmp_path, progress=False)))
    with FileLock(tmp_path / RUNS[0].name / "lock"):
        study.start()
        wait_until(lambda: len(list(tmp_path.glob("*/result.json"))) == 2)
        assert trained == [RUNS[1].name, RUNS[2].name]
        with one_thread():
            _runner._complete(RUNS[0], tmp_path / RUNS[0].name, None)
        stamp = stamps_of(tmp_path)
    study.join(30)
    assert results == serial[0]
    assert stamps_of(tmp_path) == stamp, "what the other has done was done again"


def test_a_process_does_one_run_at_a_time_whatever_its_threads(monkeypatch, tmp_path):
    """Dask's workers may have several threads, and torch's random generator belongs to the process."""
    running = []

    def train(run, folder):
        running.append(run)
        time.sleep(0.1)
        together.append(len(running))
        running.remove(run)
        return {}

    together = []
    monkeypatch.setattr(_runner, "train", train)
    for run in RUNS:
        (tmp_path / run.name).mkdir()
    threads = [threading.Thread(target=_runner._run_one, args=(run, tmp_path, None, False)) for run in RUNS]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert together == [1, 1, 1]


def test_a_run_has_one_thread_and_the_caller_keeps_its_own(monkeypatch, tmp_path):
    monkeypatch.setattr(_runner, "train", lambda run, folder: {"threads": torch.get_num_threads()})
    (tmp_path / RUNS[0].name).mkdir()
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        assert _runner._run_one(RUNS[0], tmp_path, None, False) == RUNS[0].name
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)
    assert run_all(RUNS[:1], tmp_path, progress=False) == [{"threads": 1}]


def test_runs_go_on_whatever_the_number_of_threads_and_give_the_same_bytes(serial, tmp_path, monkeypatch):
    """... as each is done on one: nothing is to be told of (a warning is an error here)."""
    save, before = fitting.Run.save, torch.get_num_threads()

    def stop(self, path):
        save(self, path)
        if self.n_epochs == 2:
            raise KeyboardInterrupt

    try:
        torch.set_num_threads(3)
        with monkeypatch.context() as patch:
            patch.setattr(fitting.Run, "save", stop)
            with pytest.raises(KeyboardInterrupt):
                run_all(RUNS, tmp_path, progress=False)
        torch.set_num_threads(2)
        assert run_all(RUNS, tmp_path, progress=False) == serial[0]
    finally:
        torch.set_num_threads(before)
    assert files_of(tmp_path) == serial[1]


def test_a_worker_that_does_not_see_the_folder_says_so(tmp_path):
    with pytest.raises(InputError, match=r"elsewhere/rc-paper-seed2-\w+: not there on .*, on a file system that all"):
        _runner._run_one(RUNS[0], tmp_path / "elsewhere", None, False)
    assert not (tmp_path / "elsewhere").exists()


def test_a_worker_with_another_version_says_so(tmp_path, monkeypatch):
    (tmp_path / RUNS[0].name).mkdir()
    monkeypatch.setattr(_runs, "version", lambda name: "0.0.7")
    with pytest.raises(
        InputError, match=r"rcinterp differ on .*; expected the same files and the same version of rcint"
    ):
        _runner._run_one(RUNS[0], tmp_path, None, False)


def test_data_that_change_after_the_start_are_no_part_of_the_study(tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    for part in ("train", "valid"):
        write_fasta(data / f"{part}.pos.fa", ["ACGTACGT" * 5, "ACGTTCGT" * 5])
        write_fasta(data / f"{part}.neg.fa", ["TTTTACGT" * 5, "ACCCCCGT" * 5])
    run = Run("x", Folder(data), 0, {"n_layers": 1, "n_filters": 1}, training={"epochs": 1})
    (tmp_path / run.name).mkdir()
    write_fasta(data / "valid.neg.fa", ["TTTTACGT" * 5, "ACCCCCGA" * 5])
    with pytest.raises(InputError, match="data differ on"):
        _runner._run_one(run, tmp_path, None, False)
    assert not (tmp_path / run.name / "result.json").exists()


def test_a_result_may_come_late_but_not_never(tmp_path, monkeypatch):
    """A network file system shows after some time what another machine has written."""
    place = tmp_path / RUNS[0].name
    place.mkdir()
    timer = threading.Timer(0.3, lambda: _runner._keep(place / "result.json", {"here": 1}, RUNS[0]))
    timer.start()
    assert _runner._await_result(RUNS[0], tmp_path, None) == {"here": 1}
    timer.join()
    (place / "result.json").unlink()
    monkeypatch.setattr(_runner, "_SECONDS_TO_APPEAR", 0.1)
    with pytest.raises(InputError, match="the run is done, but no result came"):
        _runner._await_result(RUNS[0], tmp_path, None)


def test_a_bar_if_wanted(tmp_path, capsys):
    run_all(RUNS[:1], tmp_path, progress=False)
    assert capsys.readouterr().err == ""
    run_all(RUNS, tmp_path)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "1/3" in captured.err
    assert "3/3" in captured.err


def test_there_is_at_least_one_process(tmp_path):
    with pytest.raises(InputError, match="jobs: got 0, expected a whole number of at least 1"):
        run_all(RUNS, tmp_path, jobs=0)


def blocked(*_):
    """Whether Ctrl-C reaches this process."""
    return signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, [])


def test_ctrl_c_reaches_the_study_and_none_of_its_processes():
    """... which would each say so in many lines, while they import; they end with the study."""
    with closing(_runner._in_processes(blocked, [1, 2], 2)) as found:
        assert not blocked()
        assert list(found) == [True, True]
    assert not blocked()
    assert list(_runner._in_processes(blocked, [1], 1)) == [False]
