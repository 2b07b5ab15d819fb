"""Benchmarks: each asks a question and is run by one command or left out for a reason; what they share is right."""

import ast
import importlib.util
import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[1] / "benchmarks"
SCRIPTS = sorted(path for path in FOLDER.glob("*.py") if path.stem not in ("all", "timing"))
ALL = runpy.run_path(str(FOLDER / "all.py"), run_name="all_benchmarks")


@pytest.fixture
def load(monkeypatch):
    """Give ``load(name)``: a benchmark as a module, which may import those beside it."""
    monkeypatch.syspath_prepend(str(FOLDER))
    before = set(sys.modules)

    def load(name):
        spec = importlib.util.spec_from_file_location(f"benchmark_{name}", FOLDER / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, spec.name, module)
        spec.loader.exec_module(module)
        return module

    yield load
    for name in {path.stem for path in FOLDER.glob("*.py")} & (set(sys.modules) - before):
        del sys.modules[name]


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_script_asks_one_question(path):
    first = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))).splitlines()[0]
    assert "?" in first


def test_every_script_is_run_or_left_out_for_a_reason():
    run = {one.script for one in ALL["BENCHMARKS"].values()}
    assert run.isdisjoint(ALL["LEFT_OUT"])
    assert {path.stem for path in SCRIPTS} == run | set(ALL["LEFT_OUT"])


def test_medians_take_turns_and_leave_out_the_warm_up(load):
    seen, now = [], [0.0]
    lasts = {"a": [100, 1, 2, 30], "b": [100, 5, 50, 7]}

    def call(name):
        seen.append(name)
        now[0] += lasts[name][seen.count(name) - 1]

    calls = {name: (lambda name=name: call(name)) for name in lasts}
    found = load("timing").medians(calls, rounds=3, warm_up=1, clock=lambda: now[0])
    assert seen == ["a", "b"] * 4
    assert found == {"a": 2, "b": 7}


def test_both_clocks_and_the_machine(load):
    timing = load("timing")
    found = timing.medians_by_clock({"nothing": lambda: None}, rounds=2)
    assert {clock: list(of_clock) for clock, of_clock in found.items()} == {"wall": ["nothing"], "process": ["nothing"]}
    about = timing.machine("no-such-package")
    assert about["threads"] >= 1
    assert about["versions"]["torch"]
    assert about["versions"]["no-such-package"] is None


def test_growth_finds_exponents_of_the_largest_sizes(load, tmp_path):
    growth = load("growth")
    sizes = [8, 16, 32, 64, 128]
    seconds = {("filters", "training", size): 0.5 + size**2 if size == 8 else size**2 for size in sizes}
    seconds |= {(quantity, "comparison", size): 3 * size for quantity in growth.SIZES for size in sizes}
    rows = {(row["quantity"], row["what"]): row for row in growth.tabulate(seconds)}
    assert rows["filters", "training"]["exponent"] == 2
    assert rows["filters", "training"]["standard_error"] == 0
    assert rows["queries", "comparison"]["exponent"] == 1
    growth.draw(list(rows.values()), tmp_path / "growth.png")
    assert (tmp_path / "growth.png").stat().st_size > 10_000


@pytest.mark.slow
def test_growth_runs(load, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["growth.py", "--sizes", "3", "--rounds", "1"])
    load("growth").main()
    found = json.loads(capsys.readouterr().out)
    assert len(found["growth"]) == 10
    assert all(len(row["seconds"]) == 3 for row in found["growth"])


@pytest.fixture
def run_all(tmp_path, monkeypatch):
    """Give ``run_all(*arguments)``: the exit status with scripts of a line each, and the folder of results."""
    scripts = {
        "good": "print('{}')",
        "lines": "print('[1]\\n[2]')",
        "words": "print('no JSON')",
        "broken": "raise SystemExit(3)",
    }
    for name, code in scripts.items():
        (tmp_path / f"{name}.py").write_text(code)
    commands = {name: ALL["Benchmark"](name) for name in scripts}
    for name, value in {"HERE": tmp_path, "BENCHMARKS": commands}.items():
        monkeypatch.setitem(ALL["main"].__globals__, name, value)

    def run_all(*arguments):
        monkeypatch.setattr(sys, "argv", ["all.py", "--out", str(tmp_path / "out"), *arguments])
        with pytest.raises(SystemExit) as end:
            ALL["main"]()
        return end.value.code, tmp_path / "out"

    return run_all


def test_all_writes_json_and_tells_failures_at_the_end(run_all, capsys):
    status, folder = run_all()
    assert status == 1
    found = {path.name: json.loads(path.read_text()) for path in folder.iterdir()}
    assert found == {"good.json": {}, "lines.json": [[1], [2]]}
    told = capsys.readouterr().err
    assert "broken failed: exit status 3" in told
    assert "words failed" in told


def test_all_skips_what_is_there(run_all, capsys):
    assert run_all("--only", "good", "lines")[0] == 0
    (run_all("--only", "good")[1] / "good.json").write_text("[7]")
    assert run_all("--only", "good", "lines")[0] == 0
    assert "is there, skipped" in capsys.readouterr().err
    assert (run_all("--only", "good")[1] / "good.json").read_text() == "[7]"


@pytest.mark.slow
def test_nothing_that_stops_a_command_loses_or_changes_a_result():
    """A part of what benchmarks/faults.py does."""
    only = ["simulate", "train", "interpret", "dataset fetch", "study, a worker lost"]
    command = [sys.executable, str(FOLDER / "faults.py"), "--kills", "3", "--only", *only]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) >= 15
    assert {line["left"] for line in lines} == {"old or new"}
    assert {line["again"] for line in lines} <= {"the same bytes", "-"}
    assert all(len(line["said"]) == 1 for line in lines if line.get("exit_status"))
