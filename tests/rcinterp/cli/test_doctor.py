"""rcinterp doctor and rcinterp completion."""

import importlib
import os
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version

import pytest


def test_doctor_names_what_is_installed(run, run_for_json):
    result = run("doctor")
    assert result.stderr == ""
    assert result.stdout.endswith("everything required works\n")
    assert f"torch             {version('torch')}\n" in result.stdout
    found = run_for_json("doctor")
    assert found["is_whole"]
    assert found["threads"] == 1
    assert found["packages"]["scikit-learn"] == {"version": version("scikit-learn"), "error": None}
    assert {"fast", "bgzip", "dask", "notebook"} == set(found["extras"])
    assert found["bfloat16"]["cpu"] in (True, False)


def test_doctor_says_how_to_install_an_extra(run, monkeypatch):
    def find(name):
        if name in ("memelite", "tqdm"):
            raise PackageNotFoundError(name)
        return "1.0"

    monkeypatch.setattr("importlib.metadata.version", find)
    result = run("doctor", status=1)
    assert "pip install 'rcinterp[fast]'" in result.stdout
    assert "BROKEN: not installed; pip install tqdm" in result.stdout
    assert result.stdout.endswith("something required is BROKEN: see above\n")


def test_doctor_names_a_package_that_cannot_be_imported(run, run_for_json, monkeypatch):
    real = importlib.import_module

    def find(name, *package):
        if name == "sklearn":
            raise ImportError("undefined symbol\nand more")
        return real(name, *package)

    monkeypatch.setattr(importlib, "import_module", find)
    found = run_for_json("doctor", status=1)
    assert not found["is_whole"]
    assert found["packages"]["scikit-learn"]["error"] == (
        "ImportError: undefined symbol; pip install --force-reinstall scikit-learn"
    )


def test_doctor_measures_the_cache(run_for_json, monkeypatch, tmp_path):
    monkeypatch.setattr("pooch.os_cache", lambda name: tmp_path)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/file").write_bytes(b"x" * 1234)
    assert run_for_json("doctor")["caches"][str(tmp_path)] == 1234


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_the_script(run, shell):
    script = run("completion", shell).stdout
    assert f"_RCINTERP_COMPLETE={shell}_complete" in script


def test_another_shell_is_refused(run):
    said = run("completion", "csh", status=2).stderr
    assert said == "Error: Invalid value for '{bash|zsh|fish}': 'csh' is not one of 'bash', 'zsh', 'fish'.\n"


def complete(line):
    """What a shell is offered for a line, and whether torch was imported for it."""
    words = line.split(" ")
    code = (
        "import atexit, sys\natexit.register(lambda: print('torch' in sys.modules))\n"
        "from rcinterp.cli import main\nmain(prog_name='rcinterp')"
    )
    asked = {"_RCINTERP_COMPLETE": "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **asked}, capture_output=True, text=True, check=True
    )
    *offered, is_slow = done.stdout.splitlines()
    assert is_slow == "False"
    return [one.partition(",")[2] for one in offered]


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("rcinterp com", ["compare", "compare-models", "completion"]),
        ("rcinterp study fig", [f"fig{i}" for i in range(2, 8)]),
        ("rcinterp train --valid-", ["--valid-positives", "--valid-negatives"]),
        ("rcinterp interpret --method a", ["ablation"]),
        ("rcinterp interpret --motifs e", ["encode"]),
        ("rcinterp rerun --q", ["--quiet"]),
    ],
)
def test_a_shell_is_offered_commands_options_and_values(line, offered):
    assert complete(line) == offered
