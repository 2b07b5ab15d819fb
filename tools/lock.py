"""The locked files: name, version and SHA-256 of all published files of each package that `make test` installs.

`make lock` runs this. The versions are those of constraints.txt, the ranges those of pyproject.toml; uv looks up the
rest, for every platform and for Python 3.11 or later. Of build, torch, run, test and browser.txt, each holds what those
before it do not; torch-cpu.txt stands for torch.txt where pip finds that build.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

import tomllib

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "locked"

#: What PyTorch's build with CUDA requires on Linux, and its build for CPUs does not.
OF_CUDA = re.compile(r"(torch|triton|nvidia-[a-z0-9-]+|cuda-[a-z]+)==")

#: What `make lock`, `make licences` and `make dist-check` run, in an environment of its own.
TOOLS = ["build", "cyclonedx-bom", "pip-licenses", "twine", "uv"]

HEADER = "# Written by `make lock`; docs/project/dependencies.md says how it is used.\n"


def main() -> None:
    """Write the files of locked/."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = project["project"]["optional-dependencies"]
    build = locked("-", requirements=project["build-system"]["requires"])
    run = locked("pyproject.toml")
    test = locked("pyproject.toml", "--extra", "dev")
    browser = locked("pyproject.toml", "--extra", "dev", "-", requirements=extras["browser"])
    tools = locked("-", requirements=TOOLS)
    torch = [entry for entry in run if OF_CUDA.match(entry)]
    (version,) = re.findall(r"^torch==(\S+)", "\n".join(torch), flags=re.M)

    write("torch-cpu.txt", [cpu_build(version)])
    write("tools.txt", tools)
    written: set[str] = set()
    for name, entries in (("build", build), ("torch", torch), ("run", run), ("test", test), ("browser", browser)):
        write(f"{name}.txt", [entry for entry in entries if entry not in written])
        written.update(entries)


def locked(*arguments: str, requirements: list[str] | None = None) -> list[str]:
    """Return what uv makes of requirements: one entry a package, of a line for each hash."""
    command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--universal", "--python-version=3.11"]
    command += ["--generate-hashes", "--no-annotate", "--no-header", "--constraints=constraints.txt", *arguments]
    text = "\n".join(requirements or [])
    done = subprocess.run(command, input=text, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return re.findall(r"^[a-z0-9].*\n(?: .*\n)*", done.stdout, flags=re.M)


def cpu_build(version: str) -> str:
    """Return the entry of PyTorch's build for CPUs, of the wheel that pip finds."""
    requirement = f"torch=={version}+cpu"
    pip = [sys.executable, "-m", "pip"]
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([*pip, "download", "--quiet", "--no-deps", "--dest", folder, requirement], check=True)
        (wheel,) = Path(folder).iterdir()
        digest = subprocess.run([*pip, "hash", str(wheel)], stdout=subprocess.PIPE, text=True, check=True).stdout
    return f"{requirement} \\\n    {digest.splitlines()[-1].strip()}\n"


def write(name: str, entries: list[str]) -> None:
    """Write one of the files."""
    (FOLDER / name).write_text(HEADER + "".join(entries), encoding="utf-8")


if __name__ == "__main__":
    main()
