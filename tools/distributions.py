"""The wheel and the source distribution: what is in them, and the tests on what they install, in clean environments.

`make dist-check` runs this, with the Python of .venv/tools. Both are written to dist/, byte for byte the same for one
commit. The tests are those of the unpacked source distribution, run in a folder that has no code of the packages.
"""

import gzip
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("rcinterp", "rclayers")
#: What setuptools adds to the source distribution.
ADDED = {"PKG-INFO", "setup.cfg"}


def main() -> None:
    """Build both, look at what is in them, and run the tests on each; arguments are handed on to pytest."""
    os.environ.pop("PYTHONPATH", None)
    os.environ.setdefault("SOURCE_DATE_EPOCH", output("git", "log", "-1", "--format=%ct").strip())
    shutil.rmtree(ROOT / "dist", ignore_errors=True)
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", "dist", ".", quiet=True)
    (wheel,), (source,) = (ROOT / "dist").glob("*.whl"), (ROOT / "dist").glob("*.tar.gz")
    make_reproducible(source)
    run(sys.executable, "-m", "twine", "check", "--strict", wheel, source)
    check_contents(wheel, source)
    installed = {path.name: test(path, source, sys.argv[1:]) for path in (wheel, source)}
    if len(set(installed.values())) > 1:
        sys.exit("The source distribution installs other files than the wheel.")
    print(f"{wheel.name} and {source.name}: both install the same files, and the tests passed on each.")


def make_reproducible(source: Path) -> None:
    """Give all files of a source distribution one time and one owner, which setuptools takes from the machine."""
    time = int(os.environ["SOURCE_DATE_EPOCH"])
    tar = io.BytesIO()
    with tarfile.open(source) as given, tarfile.open(fileobj=tar, mode="w") as made:
        for member in sorted(given.getmembers(), key=lambda member: member.name):
            member.mtime, member.uid, member.gid, member.uname, member.gname, member.pax_headers = (
                time,
                0,
                0,
                "",
                "",
                {},
            )
            member.mode = 0o755 if member.mode & 0o100 else 0o644
            made.addfile(member, given.extractfile(member) if member.isfile() else None)
    source.write_bytes(gzip.compress(tar.getvalue(), mtime=time))


def check_contents(wheel: Path, source: Path) -> None:
    """Demand that the wheel has all files of the packages, that the source distribution has all, and no others."""
    tracked = set(output("git", "ls-files").splitlines())
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        licences = [name for name in archive.namelist() if name.endswith(".dist-info/licenses/LICENSE")]
    compare(wheel, names, {name for name in tracked if name.startswith(tuple(f"{one}/" for one in PACKAGES))})
    if not licences:
        sys.exit(f"{wheel.name} has no LICENSE.")
    with tarfile.open(source) as archive:
        names = {member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()}
    compare(source, {name for name in names if ".egg-info/" not in name} - ADDED, tracked)


def compare(path: Path, names: set[str], expected: set[str]) -> None:
    """Stop if a distribution lacks files, or has others."""
    if missing := sorted(expected - names):
        sys.exit(f"{path.name} lacks {', '.join(missing)}.")
    if more := sorted(names - expected):
        sys.exit(f"{path.name} has {', '.join(more)}, which git does not track.")
    print(f"{path.name}: {len(names)} files, as in the repository.")


def test(path: Path, source: Path, options: list[str]) -> str:
    """Install a distribution in an environment of its own, run the demo and the tests; the installed files' hashes."""
    with tempfile.TemporaryDirectory() as place:
        run(sys.executable, "-m", "venv", f"{place}/env")
        python = f"{place}/env/bin/python"
        install(python, path)
        site = Path(output(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())

        folder = Path(place) / "repository"
        with tarfile.open(source) as archive:
            archive.extractall(place, filter="data")
        (Path(place) / source.name.removesuffix(".tar.gz")).rename(folder)
        for code in [*folder.glob("rc*/**/*.py*")]:
            code.unlink()
        shutil.rmtree(folder / "rclayers")

        asked = f"import {', '.join(PACKAGES)}; print({', '.join(f'{name}.__file__' for name in PACKAGES)}, sep='\\n')"
        for file in output(python, "-c", asked, cwd=folder).splitlines():
            if not Path(file).is_relative_to(site):
                sys.exit(f"{file} is imported, expected a file in {site}.")
        run(f"{place}/env/bin/rcinterp", "demo", "--out", f"{place}/demo", cwd=Path(place))
        tests = ["tests", *(str(site / name) for name in PACKAGES)]
        run(python, "-m", "pytest", "-q", "-m", "not slow", *options, *tests, cwd=folder)
        (record,) = site.glob("rcinterp-*.dist-info/RECORD")
        lines = record.read_text(encoding="utf-8").splitlines()
        return "\n".join(
            line for line in lines if line.startswith(PACKAGES) and ".dist-info/" not in line and ".pyc" not in line
        )


def install(python: str, path: Path) -> None:
    """Install the locked packages of the tests, and one distribution."""
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile", "--no-deps"]
    pip += ["--no-build-isolation"]
    locked = [*pip, "--use-pep517", "--require-hashes", "--requirement"]
    run(*locked, "locked/build.txt")
    if subprocess.run([*locked, "locked/torch-cpu.txt"], cwd=ROOT, stderr=subprocess.DEVNULL).returncode:
        run(*locked, "locked/torch.txt")
    run(*locked, "locked/run.txt")
    run(*locked, "locked/test.txt")
    run(*pip, path)
    run(python, "-m", "pip", "check")


def run(*command: object, cwd: Path = ROOT, quiet: bool = False) -> None:
    """Run a command that must succeed."""
    print("+", *command, flush=True)
    done = subprocess.run([str(word) for word in command], cwd=cwd, capture_output=quiet, text=True)
    if done.returncode:
        sys.exit(f"{done.stdout or ''}{done.stderr or ''}{command[0]} failed.")


def output(*command: str, cwd: Path = ROOT) -> str:
    """Give what a command prints."""
    return subprocess.run(command, cwd=cwd, stdout=subprocess.PIPE, text=True, check=True).stdout


if __name__ == "__main__":
    main()
