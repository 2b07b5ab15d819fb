"""Which files of a folder are known to be of rcinterp, where no record of a command says so."""

import json
import os
import re
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Any

from rcinterp.errors import InputError
from rcinterp.files.documents import parse_json, read_json
from rcinterp.files.reading import digest_of_file
from rcinterp.files.results import MODEL_FILES, SIGNS
from rcinterp.files.writing import is_collected, write_at_once

_BEGINNING = 1000  # bytes of a file, by which it is known
_SEAL, _LONGEST_SEAL = "<!-- rcinterp {} -->\n", 20_000
_IN_PAGE = re.compile(r"<!-- rcinterp (\{[^<>]*\}) -->\n$")


def proved(folder: str | os.PathLike[str], names: Collection[str]) -> set[str]:
    """Those of these files that are as rcinterp has written them there.

    A file is known by a sign in its beginning, and others beside it by the SHA-256 that such a file holds of them: so
    does model.json of the weights, dataset.json of the sequences, and report.html of the tables and pictures. A
    model.json or a dataset.json of an earlier version, which held none, knows the files that it describes by their
    names.
    """
    folder, found = Path(folder), set()
    for name, sign in SIGNS.items():
        if name in names and sign in beginning_of(folder / name):
            listed, described = _digests_in(folder / name), _described_in(folder / name)
            found |= {name, *(one for one in names if one in listed and _has(folder / one, listed[one]))}
            found |= {one for one in names if one in described and _is_plain(folder / one)}
    return found


def is_without_seal(page: Path) -> bool:
    """Whether a page is of an earlier version, which did not list the files beside it."""
    return SIGNS["report.html"] in beginning_of(page) and not _digests_in(page)


def removable(folder: str | os.PathLike[str], names: Collection[str]) -> set[str]:
    """Those of these files that a new result may remove: those that are proved; all for a command, which has looked."""
    return {*names} if is_collected(folder) else proved(folder, names)


def seal(page: Path) -> None:
    """Let a page hold the SHA-256 of the files beside it, as its last line."""
    listed = {path.name: digest_of_file(path) for path in sorted(page.parent.iterdir()) if path != page}
    write_at_once(page, page.read_bytes() + _SEAL.format(json.dumps(listed)).encode())


def beginning_of(path: Path) -> bytes:
    """First bytes of a file; none of what is no file, or a link to one."""
    if not _is_plain(path):
        return b""
    with path.open("rb") as file:
        return file.read(_BEGINNING)


def _is_plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()


def _has(path: Path, digest: Any) -> bool:
    return _is_plain(path) and digest_of_file(path) == digest


def _digests_in(path: Path) -> dict[str, Any]:
    """SHA-256 of the files beside this one, by their names; none if it holds none."""
    with suppress(InputError, ValueError):
        listed = _sealed(path) if path.suffix == ".html" else read_json(path, "a result", "delete it").get("sha256")
        if isinstance(listed, dict):
            return listed
    return {}


def _described_in(path: Path) -> set[str]:
    """Names of the files that a model.json or a dataset.json without SHA-256 describes."""
    if path.name not in ("model.json", "dataset.json"):
        return set()
    with suppress(InputError, KeyError, TypeError, AttributeError):
        document = read_json(path, "a result", "delete it")
        if "sha256" not in document and path.name == "model.json":
            return {*MODEL_FILES}
        if "sha256" not in document:
            return {f"{part}.{label}.fa.gz" for part, labels in document["sets"].items() for label in labels}
    return set()


def _sealed(page: Path) -> Any:
    with page.open("rb") as file:
        file.seek(max(0, page.stat().st_size - _LONGEST_SEAL))
        found = _IN_PAGE.search(file.read().decode(errors="replace"))
    return parse_json(found[1]) if found else None
