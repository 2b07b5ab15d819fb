"""What the timing scripts share: medians of calls that take turns, and the machine on which they ran."""

import os
import platform
import statistics
import time
from collections.abc import Callable, Hashable, Mapping
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, TypeVar

import torch

Name = TypeVar("Name", bound=Hashable)
Clock = Callable[[], float]

#: Fewer rounds give no median to speak of.
ROUNDS, WARM_UP = 5, 1
#: Time on the wall, and that of all threads of this process, which other processes disturb less.
CLOCKS: dict[str, Clock] = {"wall": time.perf_counter, "process": time.process_time}


def medians(
    calls: Mapping[Name, Callable[[], object]],
    rounds: int = ROUNDS,
    warm_up: int = WARM_UP,
    clock: Clock = time.perf_counter,
) -> dict[Name, float]:
    """Seconds of each call: all take turns, round after round, so that what else the machine does falls on all alike.

    The first rounds, `warm_up` of them, do not count.
    """
    return medians_by_clock(calls, rounds, warm_up, {"own": clock})["own"]


def medians_by_clock(
    calls: Mapping[Name, Callable[[], object]],
    rounds: int = ROUNDS,
    warm_up: int = WARM_UP,
    clocks: Mapping[str, Clock] = CLOCKS,
) -> dict[str, dict[Name, float]]:
    """As `medians`, by each clock; the same runs."""
    times: dict[str, dict[Name, list[float]]] = {clock: {name: [] for name in calls} for clock in clocks}
    for _ in range(warm_up + rounds):
        for name, call in calls.items():
            starts = {clock: now() for clock, now in clocks.items()}
            call()
            for clock, now in clocks.items():
                times[clock][name].append(now() - starts[clock])
    return {
        clock: {name: statistics.median(values[warm_up:]) for name, values in of_clock.items()}
        for clock, of_clock in times.items()
    }


def rounded(seconds: Mapping[Name, float], digits: int = 4) -> dict[Name, float]:
    """Seconds with so many digits that count."""
    return {name: float(f"{value:.{digits}g}") for name, value in seconds.items()}


def machine(*packages: str) -> dict[str, Any]:
    """Processor, threads and versions, of these packages too; the load is that of the last minute."""
    versions: dict[str, str | None] = {}
    for name in ("torch", "numpy", "rcinterp", *packages):
        try:
            versions[name] = version(name)
        except PackageNotFoundError:
            versions[name] = None
    return {
        "date": str(date.today()),
        "processor": _processor(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "load": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "versions": versions,
    }


def _processor() -> str:
    """Name of the processor: Linux keeps it in a file."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
