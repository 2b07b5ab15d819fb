"""A real Dask scheduler and real workers, all on the loopback interface."""

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager


def wait_until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)
    return value


@contextmanager
def started(*command, cwd, path=""):
    """A process that is gone afterwards."""
    paths = os.pathsep.join(filter(None, (str(path), os.environ.get("PYTHONPATH", ""))))
    environment = {**os.environ, "PYTHONPATH": paths}
    with (cwd / f"{command[0]}{time.monotonic_ns()}.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "dask", *command], cwd=cwd, env=environment, stdout=log, stderr=log
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait(10)


@contextmanager
def scheduler_in(folder, path=""):
    """Process and address of a scheduler."""
    file = folder / "scheduler.json"
    command = ("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard", "--scheduler-file", str(file))
    with started(*command, cwd=folder, path=path) as process:
        wait_until(lambda: file.exists() and file.read_text().endswith("}"))
        yield process, json.loads(file.read_text())["address"]


def worker_of(address, folder, n_threads=1, path=""):
    options = ("--no-nanny", "--nthreads", str(n_threads), "--memory-limit", "0", "--no-dashboard")
    return started("worker", address, "--host", "127.0.0.1", *options, cwd=folder, path=path)


def executing(dask_worker):
    """Keys of what a worker is at; workers, which cannot import this file, get it whole."""
    return [task.key for task in dask_worker.state.executing]
