"""run.toml: what made the folder of a result, so that it can be made again."""

import os
import platform
import shlex
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from rcinterp.cli._common import warn
from rcinterp.cli._toml import TomlError, read_toml, write_toml
from rcinterp.cli._types import files_behind
from rcinterp.errors import InputError
from rcinterp.files import digest_of_file, is_pipe, read_text, write_at_once
from rcinterp.memory import MOST_THREADS

RECORD = "run.toml"
_PACKAGES = ("rcinterp", "torch", "numpy")
_HEADING = "# What made this folder. `rcinterp rerun FOLDER` makes it again, and compares the bytes.\n"
#: Bytes of a record.
_LARGEST = 2**24


@dataclass(frozen=True)
class Record:
    """What run.toml says.

    Attributes
    ----------
    command : str
        Such as "dataset build".
    threads : int
    options : dict
        Values by the names of options and arguments; without ``--out``, and without those that had none.
    versions : dict of str to str
    folder : str, optional
        Where relative paths begin; None if none was given.
    inputs : dict of str to str
        SHA-256 of each file that was read, by its path as it was given.
    chosen : dict
        What the command chose itself.
    files : list of str
        Names of what it wrote.
    pipes : list of str
        Inputs that were no files, and are gone.
    changed : list of str
        Inputs that were changed while the command ran: their SHA-256 is that of its beginning.
    """

    command: str
    threads: int
    options: dict[str, Any]
    versions: dict[str, str]
    folder: str | None = None
    inputs: dict[str, str] = field(default_factory=dict)
    chosen: dict[str, Any] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    pipes: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Input:
    """A file that is read: its SHA-256, and what the system says of it, which no change leaves as it was."""

    digest: str
    status: tuple[int, ...]


def look_at_inputs(ctx: click.Context, before: Mapping[Path, Input] | None = None) -> dict[Path, Input]:
    """The files that the options name; those that are as they were `before` are not read again."""
    files = {path for parameter in recorded(ctx.command) for path in files_behind(parameter, _value(ctx, parameter))}
    found = {}
    for path in sorted(files):
        with suppress(OSError):  # the command tells of what cannot be read
            if path.is_file():
                status, known = _status(path), (before or {}).get(path)
                is_same = known is not None and known.status == status
                found[path] = known if known is not None and is_same else Input(digest_of_file(path), status)
    return found


def _status(path: Path) -> tuple[int, ...]:
    found = path.stat()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def write_record(
    ctx: click.Context,
    folder: Path,
    chosen: Mapping[str, Any],
    names: Sequence[str] = (),
    before: Mapping[Path, Input] | None = None,
) -> None:
    """Write run.toml into the folder of a result.

    Parameters
    ----------
    ctx : Context
    folder : Path
    chosen : mapping
        As `Done.chosen`.
    names : sequence of str
        What the command has written there.
    before : mapping of Path to Input, optional
        What it read, when it began.
    """
    files = [path for parameter in recorded(ctx.command) for path in files_behind(parameter, _value(ctx, parameter))]
    named = [path for parameter in recorded(ctx.command) for path in _paths_in(parameter, _value(ctx, parameter))]
    now = look_at_inputs(ctx, before)
    before = now if before is None else before
    changed = [path.as_posix() for path in sorted({*now, *before}) if _digest(now, path) != _digest(before, path)]
    for name in changed:
        warn(
            f"{name} was changed while the command ran: what was read of it is not known; run the command again, while "
            "it stays as it is"
        )
    values = {
        "command": command_name(ctx),
        "folder": os.getcwd() if any(not path.is_absolute() for path in [*files, *named]) else None,
        "threads": count_threads(),
        "options": settings_of(ctx),
        "files": list(names),
        "chosen": _plain(dict(chosen)),
        "versions": list_versions(),
        "pipes": sorted({path.as_posix() for path in files if is_pipe(path)}),
        "changed": changed,
        "inputs": {path.as_posix(): one.digest for path, one in sorted({**now, **before}.items())},
    }
    kept = {name: value for name, value in values.items() if value not in ({}, [])}
    write_at_once(folder / RECORD, _HEADING + write_toml(kept))


def _digest(inputs: Mapping[Path, Input], path: Path) -> str | None:
    return inputs[path].digest if path in inputs else None


def read_record(folder: Path) -> Record:
    """Read run.toml of a folder.

    Raises
    ------
    InputError
        If there is none, or it says too little.
    """
    path = folder / RECORD
    try:
        if not folder.exists():
            raise InputError(f"{folder}: no such folder, expected one that a command of rcinterp wrote.")
        if not path.exists():
            raise InputError(
                f"{folder}: no {RECORD} here, expected a folder that a command of rcinterp 0.2 or later wrote."
            )
        said = read_toml(read_text(path, "the record of a command", largest=_LARGEST))
        record = Record(**{name: said[name] for name in Record.__dataclass_fields__ if name in said})
        _check_types(record)
        return record
    except (TomlError, RecursionError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path}: cannot be read ({error}), expected what rcinterp wrote; run the command again."
        ) from None


def _check_types(record: Record) -> None:
    tables = (record.options, record.versions, record.inputs, record.chosen)
    lists = (record.files, record.pipes, record.changed)
    texts = [record.command, *(text for one in lists for text in one)]
    texts += [*record.inputs.values(), *record.versions.values()]
    if (
        not all(isinstance(table, dict) for table in tables)
        or not all(isinstance(one, list) for one in lists)
        or not all(isinstance(text, str) for text in texts)
        or not isinstance(record.folder, str | None)
        or type(record.threads) is not int
    ):
        raise TypeError("a value is of another kind")
    if not 1 <= record.threads <= MOST_THREADS:
        raise TypeError(f"its threads are {str(record.threads)[:40]}, expected 1 to {MOST_THREADS}")


def check_pipes(ctx: click.Context) -> None:
    """Refuse a pipe that is given twice: it can be read once.

    Raises
    ------
    InputError
        If two options name the same one.
    """
    seen: dict[tuple[int, int], str] = {}
    for parameter in recorded(ctx.command):
        for path in files_behind(parameter, _value(ctx, parameter)):
            if not is_pipe(path):
                continue
            found, name = path.stat(), max(parameter.opts, key=len)
            identity = (found.st_dev, found.st_ino)
            if identity in seen:
                raise InputError(
                    f"{name}: {path} is the pipe that {seen[identity]} names too, and can be read only once; write it "
                    "to a file first, and give that."
                )
            seen[identity] = name


def check_names(ctx: click.Context) -> None:
    """Refuse a name that the record could not hold, before the work.

    Raises
    ------
    InputError
        If it is no text: the bytes of a file's name need not be.
    """
    for parameter in recorded(ctx.command):
        try:
            str(_plain(_value(ctx, parameter))).encode()
        except UnicodeEncodeError as error:
            raise InputError(
                f"{max(parameter.opts, key=len)}: got {error.object!r}, whose bytes are no text (UTF-8), so that "
                f"{RECORD} cannot hold it; rename the file."
            ) from None


def recorded(command: click.Command) -> list[click.Parameter]:
    """Parameters that decide what a command does: all but where it writes, and what it prints."""
    return [parameter for parameter in command.params if parameter.expose_value and parameter.name != "out"]


def settings_of(ctx: click.Context) -> dict[str, Any]:
    """Value of each parameter, given or not, by its name on the command line."""
    return {_name(parameter): _plain(_value(ctx, parameter)) for parameter in recorded(ctx.command)}


def command_name(ctx: click.Context) -> str:
    """Name of a command, below the program's: "train", or "dataset build"."""
    names: list[str] = []
    while ctx.parent is not None:
        names.insert(0, str(ctx.info_name))
        ctx = ctx.parent
    return " ".join(names)


def command_line(ctx: click.Context) -> str:
    """The command that makes a result again, in a folder called "again"; what is as by default is left out."""
    defaults = {_name(parameter): _plain(parameter.default) for parameter in recorded(ctx.command)}
    values = {name: value for name, value in settings_of(ctx).items() if value not in (None, defaults[name])}
    words = [*command_name(ctx).split(), *arguments_of(ctx.command, values), "--out", "again"]
    return shlex.join(["rcinterp", *words])


def arguments_of(command: click.Command, values: Mapping[str, Any]) -> list[str]:
    """The words of a command line that give a command these values.

    Raises
    ------
    InputError
        If the command has no parameter of that name.
    """
    known = {_name(parameter): parameter for parameter in recorded(command)}
    strange = [name for name in values if name not in known]
    if strange:
        raise InputError(
            f"{RECORD}: has {strange[0]!r}, which {command.name} does not take; expected the options of this version "
            "of rcinterp. Install the version that the record names."
        )
    return [word for name, value in values.items() for word in _words(known[name], value)]


def list_versions() -> dict[str, str]:
    """Versions of what may change a number."""
    return {"python": platform.python_version(), **{name: version_of(name) for name in _PACKAGES}}


def version_of(package: str) -> str:
    """Version of an installed package; "unknown" for one that is run from its sources."""
    from importlib import metadata  # only now: it takes a fifth of the time of --help

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "unknown"


def count_threads() -> int:
    """Threads on which torch calculates."""
    import torch

    return torch.get_num_threads()


def _name(parameter: click.Parameter) -> str:
    """Its long name, without hyphens before it."""
    if isinstance(parameter, click.Argument):
        return str(parameter.name)
    return max(parameter.opts, key=len).lstrip("-")


def _value(ctx: click.Context, parameter: click.Parameter) -> Any:
    return ctx.params.get(str(parameter.name))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(one) for one in value]
    return os.fspath(value) if isinstance(value, os.PathLike) else value


def _paths_in(parameter: click.Parameter, value: Any) -> Iterable[Path]:
    """Paths among a parameter's values, whether or not a file of them is read."""
    values = value if isinstance(value, tuple | list) else [value]
    return [one for one in values if isinstance(one, Path)]


def _words(parameter: click.Parameter, value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    if isinstance(parameter, click.Argument):
        return [str(one) for one in values]
    if getattr(parameter, "is_flag", False):
        names = parameter.opts if value else parameter.secondary_opts
        return [max(names, key=len)] if names else []
    return [word for one in values for word in (max(parameter.opts, key=len), str(one))]
