"""Which benchmarks run by themselves? This runs them, one after the other: NAME.json of each in a folder.

    python benchmarks/all.py [--out results/bench] [--only NAME ...]    # on two cores that do nothing else

A benchmark whose NAME.json is there is skipped, so that the command goes on where it was stopped. Failures are told at
the end, and the exit status is then 1. `LEFT_OUT` has the others: they need data, or hours.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Benchmark:
    """A command: the script, its arguments, and whether it is to calculate on one thread."""

    script: str
    arguments: tuple[str, ...] = ()
    one_thread: bool = True


BENCHMARKS = {
    # How fast.
    "layers": Benchmark("layers", one_thread=False),
    "layers-one-thread": Benchmark("layers", ("--threads", "1")),
    "contributions": Benchmark("contributions"),
    "growth": Benchmark("growth"),
    "memory": Benchmark("memory", ("--most", "100000"), one_thread=False),
    "motif_comparison": Benchmark("motif_comparison", one_thread=False),
    "report": Benchmark("report", one_thread=False),
    "resampling": Benchmark("resampling"),
    "stability_speed": Benchmark("stability_speed"),
    "precision": Benchmark("precision"),
    "seeds": Benchmark("seeds"),
    # How safe.
    "faults": Benchmark("faults"),
    # How good.
    "calibration": Benchmark("calibration"),
    "false_discoveries": Benchmark("false_discoveries"),
    "reliability": Benchmark("reliability"),
    "stability_threshold": Benchmark("stability_threshold"),
    "triage-calibrate": Benchmark("triage", ("calibrate",)),
    "triage-catalogue": Benchmark("triage", ("catalogue",)),
    "triage-measure": Benchmark("triage", ("measure",)),
    "triage-one-motif": Benchmark("triage", ("one-motif",)),
    "triage-small": Benchmark("triage", ("small",)),
}
#: Scripts that are not run, and what they need.
LEFT_OUT = {
    "fuzz": "atheris, and hours (`make fuzz`)",
    "mutants": "mutmut, and hours (`make mutants`)",
    "model_shapes": "the CTCF data",
    "published": "published weights and data, and an hour",
    "read_out_rate": "the CTCF data",
    "recipes": "data, and a night",
    "stability": "the CTCF data",
}


def run(benchmark):
    """What a benchmark printed, as JSON knows it; lines of JSON become a list.

    Raises
    ------
    RuntimeError, ValueError
        If it failed, or did not print JSON.
    """
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1") if benchmark.one_thread else {}
    command = [sys.executable, str(HERE / f"{benchmark.script}.py"), *benchmark.arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, env=os.environ | threads)
    if done.returncode:
        raise RuntimeError(f"exit status {done.returncode}")
    try:
        return json.loads(done.stdout)
    except json.JSONDecodeError:
        return [json.loads(line) for line in done.stdout.splitlines()]


def write_at_once(path, found):
    """No half a file is left if this is stopped."""
    part = path.with_suffix(".part")
    part.write_text(json.dumps(found, indent=1) + "\n")
    part.replace(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("results/bench"))
    parser.add_argument("--only", nargs="+", default=list(BENCHMARKS), choices=list(BENCHMARKS), metavar="NAME")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    failures = {}
    for name in given.only:
        benchmark, path = BENCHMARKS[name], given.out / f"{name}.json"
        if path.exists():
            print(f"{name}: {path} is there, skipped", file=sys.stderr)
        else:
            start = time.perf_counter()
            try:
                write_at_once(path, run(benchmark))
            except (RuntimeError, ValueError) as error:
                failures[name] = error
            outcome = "failed" if name in failures else f"written to {path}"
            print(f"{name}: {outcome} after {time.perf_counter() - start:.0f} s", file=sys.stderr)
    for name, failure in failures.items():
        print(f"{name} failed: {failure}", file=sys.stderr)
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
