"""The locked files have the versions of constraints.txt, and a hash for each package."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
#: The files, in the order in which they are installed. torch-cpu.txt and torch.txt take turns.
NAMES = ["build", "torch-cpu", "torch", "run", "test", "browser", "tools"]
#: Packages of `make test-peers`, `make fuzz` and `make mutants`, which are not locked.
OTHERS = {"llvmlite", "memelite", "numba", "atheris", "mutmut"}


def read_versions(path):
    """Give the version of each package that a file pins."""
    found = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;]+)", path.read_text(encoding="utf-8"), flags=re.M)
    assert found
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in found}


CONSTRAINTS = read_versions(ROOT / "constraints.txt")


def test_every_file_is_known():
    assert sorted(path.stem for path in (ROOT / "locked").iterdir()) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_versions_are_those_of_the_constraints(name):
    locked = read_versions(ROOT / f"locked/{name}.txt")
    assert not {
        package: version
        for package, version in locked.items()
        if CONSTRAINTS.get(package, version) != version.removesuffix("+cpu")
    }


@pytest.mark.parametrize("name", NAMES)
def test_every_package_has_a_hash(name):
    """Each entry is one line for the package, and one for each file that it may be installed from."""
    text = (ROOT / f"locked/{name}.txt").read_text(encoding="utf-8")
    entry = r"[a-z0-9-]+==\S+(?: ; .*)?(?: \\\n    --hash=sha256:[0-9a-f]{64})+\n"
    assert re.fullmatch(rf"# .*\n(?:{entry})+", text)


def test_all_constraints_are_locked():
    """The lock is made anew, by `make lock`, when constraints.txt has another package."""
    locked = set().union(*(read_versions(ROOT / f"locked/{name}.txt") for name in NAMES))
    assert set(CONSTRAINTS) - locked == OTHERS


def test_torch_has_one_version():
    with_cuda = read_versions(ROOT / "locked/torch.txt")["torch"]
    assert read_versions(ROOT / "locked/torch-cpu.txt") == {"torch": f"{with_cuda}+cpu"}
