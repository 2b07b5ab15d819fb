"""The command line of making a result again."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from rcinterp.cli._command import Command, Done
from rcinterp.cli._common import say, warn
from rcinterp.cli._help import option
from rcinterp.cli._record import (
    RECORD,
    Record,
    arguments_of,
    count_threads,
    list_versions,
    read_record,
)
from rcinterp.cli._types import FOLDER, OUT
from rcinterp.errors import InputError
from rcinterp.files import digest_of_file


@click.command(
    cls=Command,
    short_help="Make a result again, and compare the bytes.",
    example="rcinterp rerun report\nrcinterp rerun report --out report-again",
)
@click.argument("folder", type=FOLDER)
@option(
    "--from",
    "base",
    type=FOLDER,
    help="Where relative paths of inputs begin now, if they were moved.  [default: where the command ran]",
)
@option(
    "--out",
    type=OUT,
    help="New folder in which the second result is kept.  [default: a temporary one, deleted afterwards]",
)
@click.pass_context
def rerun(ctx: click.Context, folder: Path, base: Path | None, out: Path | None) -> Done:
    """Make the result in FOLDER again by its run.toml, and compare the bytes of all files.

    FOLDER stays as it is. Inputs must have the SHA-256 that run.toml names. Other versions of packages and another
    number of threads are warned of; that run.toml names them is no difference. Exit status 0: every file that the
    command writes has the same bytes; 1: one has not. Files of FOLDER that the command does not write, such as your
    own, are counted and left aside.
    """
    record = read_record(folder)
    command, parent = _find_command(ctx.find_root(), record.command)
    words = arguments_of(command, record.options)
    if out is not None and out.exists() and any(out.iterdir()):
        raise InputError(f"--out: {out} is not empty, expected a new folder. Name another one.")
    old, start = folder.resolve(), _start_of(record, folder, base)
    with ExitStack() as stack:
        place = _new_folder(stack) if out is None else out.resolve()
        stack.enter_context(_working_in(start))
        _check_inputs(record, folder)
        _warn_of_differences(record)
        say(f"running rcinterp {record.command} again")
        name = record.command.rpartition(" ")[2]
        with command.make_context(name, [*words, "--out", str(place)], parent=parent) as inner:
            made = command.perform(inner).folder or place
        found = _compare(old, made)
    return Done(_describe(found, folder, out), _result(found, folder, out), status=int(not found.is_same))


@dataclass(frozen=True)
class _Comparison:
    """Names of files: those of the same bytes, of others, not there in the old folder, and there in it alone."""

    same: list[str]
    different: list[str]
    missing: list[str]
    others: list[str]

    @property
    def is_same(self) -> bool:
        return not self.different and not self.missing


def _find_command(root: click.Context, name: str) -> tuple[Command, click.Context]:
    """A command by the name in a record, and the context that it runs in."""
    command: Any = root.command
    parent, names = root, name.split()
    for i, one in enumerate(names):
        command = command.get_command(parent, one) if isinstance(command, click.Group) else None
        if isinstance(command, click.Group) and i < len(names) - 1:
            parent = click.Context(command, parent, info_name=one)
    if not isinstance(command, Command):
        raise InputError(
            f"{RECORD}: names the command {name!r}, which this version of rcinterp does not have; install the version "
            "that the record names."
        )
    return command, parent


def _start_of(record: Record, folder: Path, base: Path | None) -> Path:
    """Where relative paths begin."""
    start = base if base is not None else Path(record.folder or ".")
    if not start.is_dir():
        raise InputError(
            f"{folder}: was made in {start}, which is not there, expected the folder in which its inputs' paths begin; "
            "give it by --from."
        )
    return start


def _check_inputs(record: Record, folder: Path) -> None:
    """Refuse inputs that are missing, or not what they were."""
    if record.pipes:
        raise InputError(
            f"{folder}: its input {record.pipes[0]} was a pipe, which is gone, expected files; run the command itself "
            "on files, and its result can be made again."
        )
    if record.changed:
        raise InputError(
            f"{folder}: its input {record.changed[0]} was changed while the command ran, so that what was read of it "
            "is not known; run the command itself again."
        )
    for name, digest in record.inputs.items():
        if not Path(name).is_file():
            raise InputError(
                f"{folder}: its input {name} is not in {os.getcwd()}, expected the file that the first run read; put "
                "it back, or give --from."
            )
        found = digest_of_file(Path(name))
        if found != digest:
            raise InputError(
                f"{folder}: its input {name} has changed since (SHA-256 {found[:12]}…, expected {digest[:12]}…); put "
                "the old file back, or run the command itself on the new one."
            )


def _warn_of_differences(record: Record) -> None:
    here = list_versions()
    then = record.versions
    other = [f"{name} {here.get(name, 'missing')}, not {then[name]}" for name in then if here.get(name) != then[name]]
    if other:
        warn(f"here is {'; '.join(other)}: numbers may differ")
    if count_threads() != record.threads:
        warn(
            f"torch calculates on {count_threads()} threads, not {record.threads}: last digits may differ; set "
            f"OMP_NUM_THREADS={record.threads}"
        )
    stopped = record.chosen.get("threads")
    if stopped:
        warn(f"the first run was stopped and went on, on {stopped} threads one after the other: last digits may differ")


def _new_folder(stack: ExitStack) -> Path:
    return Path(stack.enter_context(TemporaryDirectory(prefix="rcinterp-rerun-"))).resolve()


@contextmanager
def _working_in(folder: Path) -> Iterator[None]:
    before = os.getcwd()
    os.chdir(folder)
    try:
        yield
    finally:
        os.chdir(before)


def _compare(old: Path, new: Path) -> _Comparison:
    """Compare the bytes of files."""
    written = _files_of(new)
    missing = [name for name in written if not (old / name).is_file()]
    different = [name for name in written if name not in missing and not _is_same(old / name, new / name)]
    same = [name for name in written if name not in missing and name not in different]
    return _Comparison(same, different, missing, [name for name in _files_of(old) if name not in written])


def _is_same(old: Path, new: Path) -> bool:
    """Whether two files have the same bytes; of records, whether they differ in what was warned of alone."""
    if old.read_bytes() == new.read_bytes():
        return True
    if old.name != RECORD:
        return False
    first, second = (replace(read_record(path.parent), threads=0, versions={}, folder=None) for path in (old, new))
    return first == (second if first.files else replace(second, files=[]))  # a version that did not list them


def _files_of(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def _describe(found: _Comparison, folder: Path, out: Path | None) -> str:
    """Say in a line whether the bytes are the same, and which are not."""
    n = len(found.same) + len(found.different) + len(found.missing)
    beside = f"; {len(found.others)} other files in {folder} are not of this command" if found.others else ""
    kept = f"; the second result is in {out}" if out is not None else ""
    if found.is_same:
        return f"{folder}: all {n} files have the same bytes{beside}{kept}"
    said = []
    if found.different:
        said.append(f"{len(found.different)} of {n} files have other bytes ({', '.join(found.different)})")
    if found.missing:
        said.append(f"not there before: {', '.join(found.missing)}")
    advice = "" if out is not None else "; to look at them, give --out NEW"
    return f"{folder}: {'; '.join(said)}{beside}{kept}{advice}"


def _result(found: _Comparison, folder: Path, out: Path | None) -> dict[str, Any]:
    return {"folder": folder, "again": out, "is_same": found.is_same, **vars(found)}
