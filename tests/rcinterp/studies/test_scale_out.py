"""Studies on a real Dask scheduler with worker processes, all on the loopback interface."""

import signal
import socket
import sys
import threading
import time

import pandas as pd
import pytest
from matplotlib.figure import Figure

from rcinterp.errors import InputError
from rcinterp.reading import cluster as cluster_module
from rcinterp.reading.cluster import outcome_of
from rcinterp.studies import _dask, _runner
from rcinterp.studies._data import Simulated
from rcinterp.studies._runner import run_all
from rcinterp.studies._runs import Run
from rcinterp.studies._study import Findings, Options, Study, run_study, tabulate

distributed = pytest.importorskip("distributed", reason="needs dask.distributed (pip install rcinterp[dask])")

DATA = Simulated(("GATA_known6", "ELF1_known2"), n_per_motif=50, length=100, seed=1)


def make_runs(options):
    model = {"n_layers": 1, "n_filters": 2, "widths": [11], "pool": 20, "stride": 20}
    chosen = {"epochs": options.epochs, "samples_per_epoch": 50, "patience": None}
    return [
        Run(f"rc={rc}", DATA, seed, {**model, "rc": rc}, training=chosen)
        for seed in range(options.seeds)
        for rc in (True, False)
    ]


def report(runs, results):
    table = tabulate(runs, results)
    histories = [pd.DataFrame(result["history"]) for result in results]
    return Findings({"results": table, "histories": pd.concat(histories)}, f"{len(table)} runs", Figure((2, 2)))


STUDY = Study(name="tiny", make_runs=make_runs, report=report)


def files_of(folder):
    patterns = ("tiny*/*", "runs/*/result.json", "runs/*/model.*")
    return {str(path.relative_to(folder)): path.read_bytes() for p in patterns for path in folder.glob(p)}


@pytest.fixture(scope="module")
def modules(tmp_path_factory):
    """A folder with a module that scheduler and worker can import, and one with a module that they cannot."""
    text = "def read(model, run, folder):\n    return {'weight': float(model.conv1.weight.detach().sum())}\n"
    for name in ("known", "unknown"):
        folder = tmp_path_factory.mktemp(name)
        (folder / f"reading_{name}_to_workers.py").write_text(text)
        sys.path.append(str(folder))
        if name == "known":
            known = folder
    yield known
    del sys.path[-2:]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory, modules, processes):
    """Address of a scheduler with one worker process of two threads."""
    folder = tmp_path_factory.mktemp("cluster")
    workers = {"n_threads": 2, "path": modules}
    with processes.scheduler_in(folder, modules) as (_, address), processes.worker_of(address, folder, **workers):
        with distributed.Client(address, timeout=10, set_as_default=False) as client:
            client.wait_for_workers(1, timeout=60)
        yield address


@pytest.fixture(scope="module")
def serial(tmp_path_factory):
    """Give ``serial(seeds, epochs)``: the files of the study, run in this process."""
    done = {}

    def serial(seeds, epochs):
        if (seeds, epochs) not in done:
            folder = tmp_path_factory.mktemp("serial")
            run_study(STUDY, folder, Options(seeds=seeds, epochs=epochs), progress=False)
            done[seeds, epochs] = files_of(folder)
        return done[seeds, epochs]

    return serial


def test_a_worker_with_two_threads_gives_the_bytes_of_the_serial_run(cluster, serial, tmp_path):
    options = Options(seeds=3, epochs=3)
    run_study(STUDY, tmp_path, options, scheduler=cluster, progress=False)
    found = files_of(tmp_path)
    assert found == serial(3, 3)
    tables = ("results.tsv", "histories.tsv", "verdict.txt", "tiny.svg")
    assert {f"tiny-3epochs/{name}" for name in tables} <= found.keys()
    stamps = {path: path.stat().st_mtime_ns for path in tmp_path.glob("runs/*/*")}
    run_study(STUDY, tmp_path, Options(seeds=4, epochs=3), scheduler=cluster, progress=False)
    assert stamps.items() <= {path: path.stat().st_mtime_ns for path in tmp_path.glob("runs/*/*")}.items()


def test_a_worker_killed_amid_a_run_changes_no_byte(cluster, serial, processes, tmp_path):
    options = Options(seeds=2, epochs=40)
    runs = {run.name for run in make_runs(options)}
    expected = serial(2, 40)
    errors = []

    def study():
        try:
            run_study(STUDY, tmp_path / "results", options, scheduler=cluster, progress=False)
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=study)
    with distributed.Client(cluster, timeout=10, set_as_default=False) as client:
        others = set(client.scheduler_info()["workers"])
        with processes.worker_of(cluster, tmp_path) as victim:
            (address,) = processes.wait_until(lambda: set(client.scheduler_info()["workers"]) - others)
            thread.start()

            def run_of_the_victim():
                """Its name, once the victim has trained at least an epoch of it."""
                keys = client.run(processes.executing, workers=[address]).get(address, ())
                places = [tmp_path / "results/runs" / name for name in runs if any(name in key for key in keys)]
                return next((place for place in places if (place / "checkpoint.safetensors").exists()), None)

            place = processes.wait_until(run_of_the_victim)
            victim.send_signal(signal.SIGKILL)
            victim.wait(10)
            left = [path.name for path in place.iterdir()]
        thread.join(120)
    assert not thread.is_alive()
    assert not errors
    assert "checkpoint.safetensors" in left, "the worker was killed too late to prove anything"
    assert "result.json" not in left, "the worker was killed too late to prove anything"
    assert files_of(tmp_path / "results") == expected


def test_a_reading_that_the_workers_can_import(cluster, tmp_path):
    from reading_known_to_workers import read

    runs = make_runs(Options(seeds=1, epochs=1))
    there = run_all(runs, tmp_path / "there", reading=read, scheduler=cluster, progress=False)
    assert there == run_all(runs, tmp_path / "here", reading=read, progress=False)
    assert [type(result["weight"]) for result in there] == [float, float]


def test_a_reading_that_the_workers_cannot_import(cluster, tmp_path):
    from reading_unknown_to_workers import read

    with pytest.raises(InputError) as error:
        run_all(make_runs(Options(seeds=1, epochs=1)), tmp_path, reading=read, scheduler=cluster, progress=False)
    assert str(error.value) == (
        "--scheduler: scheduler and workers cannot import what the study is made of (No module named "
        "'reading_unknown_to_workers'); start them in the environment that the study is started in."
    )


def test_an_error_of_a_run_is_raised_and_what_is_done_is_kept(cluster, tmp_path):
    good = make_runs(Options(seeds=1, epochs=3))
    bad = Run("bad", DATA, 0, {"n_layers": 1, "n_filters": 0}, training={"epochs": 3})
    with pytest.raises(InputError) as here:
        run_all([bad], tmp_path / "here", progress=False)
    run_all(good, tmp_path / "there/runs", scheduler=cluster, progress=False)
    before = files_of(tmp_path / "there")
    with pytest.raises(InputError) as there:
        run_all([*good, bad], tmp_path / "there/runs", scheduler=cluster, progress=False)
    assert str(there.value) == str(here.value)
    assert before.items() <= files_of(tmp_path / "there").items()
    assert before


def test_workers_that_see_another_folder(cluster, tmp_path, monkeypatch):
    """As if the folder were made on a disk that only this process has."""
    monkeypatch.setattr(_runner.Path, "mkdir", lambda *_, **__: None)
    with pytest.raises(
        InputError, match=r"not there on .*, where the run was to be done; expected the folder of the st"
    ):
        run_all(make_runs(Options(epochs=1)), tmp_path / "local", scheduler=cluster, progress=False)


def test_a_scheduler_without_workers_is_told_of_and_a_lost_one_is_no_hang(processes, tmp_path):
    options = Options(seeds=1, epochs=3)
    with processes.scheduler_in(tmp_path) as (process, address):
        timer = threading.Timer(1, process.kill)
        timer.start()
        with (
            pytest.warns(UserWarning, match=f"no worker has joined {address} yet; the runs wait for one"),
            pytest.raises(InputError, match=f"{address} was lost.*; start the study again: what is done is kept"),
        ):
            run_study(STUDY, tmp_path / "results", options, scheduler=address, progress=False)
        timer.join()


def test_workers_that_die_one_after_the_other():
    class Future:
        def result(self):
            raise distributed.KilledWorker("run", None, 3)

    with pytest.raises(InputError, match="4 workers died one after the other at the same run"):
        outcome_of(Future(), "tcp://127.0.0.1:1", _dask.STUDY)


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:1", "nonsense", "http://127.0.0.1:1", "tcp://127.0.0.1:x"])
def test_no_scheduler_is_one_line_at_once(address, tmp_path):
    before = time.monotonic()
    with pytest.raises(InputError) as error:
        run_all(make_runs(Options(seeds=1, epochs=1)), tmp_path, scheduler=address, progress=False)
    assert str(error.value).startswith(f"--scheduler: no Dask scheduler answers at {address} (")
    assert str(error.value).endswith("expected an address such as tcp://10.0.0.1:8786, as `dask scheduler` prints it.")
    assert "\n" not in str(error.value)
    assert time.monotonic() - before < 10


def test_a_port_that_is_silent_is_no_scheduler(tmp_path, monkeypatch):
    """As that of Dask's own dashboard, which waits for a request."""
    monkeypatch.setattr(cluster_module, "_SECONDS_TO_CONNECT", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(InputError, match="no Dask scheduler answers"):
            run_all(make_runs(Options(seeds=1, epochs=1)), tmp_path, scheduler=address, progress=False)


def test_without_dask_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r'Dask is not installed here; pip install "rcinterp\[dask\]"'):
        run_all(make_runs(Options(seeds=1, epochs=1)), tmp_path, scheduler="tcp://127.0.0.1:1", progress=False)
    assert len(run_all(make_runs(Options(seeds=1, epochs=1)), tmp_path, progress=False)) == 2
