"""What every command is: a function that says what it did; what is printed and recorded of it is decided here once."""

import json
import math
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from rcinterp.cli._common import JSON, OVERWRITE, QUIET, VERBOSE, is_asked, say, show_warning
from rcinterp.cli._help import GENERAL, Option, write_commands, write_example, write_options
from rcinterp.cli._place import place_to_write
from rcinterp.cli._record import check_names, check_pipes, command_name, look_at_inputs, settings_of, write_record
from rcinterp.errors import InputError, one_line
from rcinterp.files import pipes_kept

#: Of every command by itself, as click remembers the options of the help that it was first asked for.
HELP: dict[str, Any] = {"context_settings": {"help_option_names": ["-h", "--help"], "show_default": True}}


@dataclass(frozen=True)
class Done:
    """What a command did.

    Attributes
    ----------
    text : str
        For standard output.
    result : mapping
        The same for ``--json``, and the main numbers.
    folder : Path, optional
        That it wrote, which takes a record.
    chosen : mapping
        What it chose itself where an option was not given.
    status : int
        Exit status.
    """

    text: str
    result: Mapping[str, Any] = field(default_factory=dict)
    folder: Path | None = None
    chosen: Mapping[str, Any] = field(default_factory=dict)
    status: int = 0


class Command(click.Command):
    """A command whose function returns `Done`; it has ``--json``, ``--quiet``, ``--verbose`` and an example.

    Parameters
    ----------
    example : str
        A command line or several, shown at the end of the help.
    writes : sequence of str, or callable, optional
        Names, or patterns of names, of the files that it writes into ``--out``, or a function that gives them for the
        options. The folder is then held while it runs, none of these is replaced that it has not recorded there, and
        those of the last time that it does not write again are removed.
    place : callable, optional
        The folder that it writes for the options, if that is another than ``--out``.
    """

    def __init__(
        self,
        *arguments: Any,
        example: str,
        writes: Sequence[str] | Callable[[dict[str, Any]], Sequence[str]] = (),
        place: Callable[[dict[str, Any]], Path] | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(*arguments, **HELP | settings)
        self.example, self.writes, self.place = example, writes, place
        if any(parameter.name == "out" for parameter in self.params):
            self.params.append(
                _flag("--overwrite", OVERWRITE, "Replace files in --out that no command of rcinterp wrote.", "Output")
            )
        self.params += [
            _flag("--json", JSON, "Print one JSON object on standard output: what was written, and the main numbers."),
            _flag("--quiet", QUIET, "Only warnings and errors on standard error."),
            _flag("--verbose", VERBOSE, "Also settings and times, and where in the code an error arose."),
        ]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options in groups."""
        write_options(self, ctx, formatter)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the example."""
        write_example(self.example, formatter)

    def perform(self, ctx: click.Context) -> Done:
        """Do the work, and leave a record of it."""
        out, written, inputs = ctx.params.get("out"), None, None
        check_pipes(ctx)
        with ExitStack() as stack:
            stack.enter_context(pipes_kept())
            if self.writes and isinstance(out, Path):
                check_names(ctx)
                names = self.writes(ctx.params) if callable(self.writes) else self.writes
                folder = out if self.place is None else self.place(ctx.params)
                held = place_to_write(folder, command_name(ctx), names, is_asked(OVERWRITE))
                written = stack.enter_context(held)
                inputs = look_at_inputs(ctx)
            done: Done = super().invoke(ctx)
            if written is not None:
                written.remove_the_rest()
            if done.folder is not None and done.folder.is_dir():
                write_record(ctx, done.folder, done.chosen, written.list() if written is not None else (), inputs)
        return done

    def invoke(self, ctx: click.Context) -> None:
        """Do the work, and say what was done."""
        start, is_verbose = time.perf_counter(), is_asked(VERBOSE)
        if is_verbose:
            say(f"{command_name(ctx)}: {_list(settings_of(ctx))}")
        done = self.perform(ctx)
        if is_verbose:
            if done.chosen:
                say(f"chosen: {_list(done.chosen)}")
            say(f"took {time.perf_counter() - start:.1f} s")
        if is_asked(JSON):
            files = {} if done.folder is None else {"files": _files_in(done.folder)}
            click.echo(json.dumps(as_json({**done.result, **files}), indent=1, ensure_ascii=False, allow_nan=False))
        elif done.text:
            click.echo(done.text, nl=not done.text.endswith("\n"))
        if done.status:
            ctx.exit(done.status)


class Group(click.Group):
    """Commands under headings, with an example.

    Parameters
    ----------
    example : str
    headings : mapping of str to sequence of str, optional
        Names of commands, by the heading that they stand under.
    """

    def __init__(
        self, *arguments: Any, example: str, headings: Mapping[str, Sequence[str]] | None = None, **settings: Any
    ) -> None:
        super().__init__(*arguments, **HELP | settings)
        self.example, self.headings = example, dict(headings or {})

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, then the commands."""
        write_options(self, ctx, formatter)
        self.format_commands(ctx, formatter)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands under their headings."""
        write_commands(self, ctx, formatter, self.headings)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the example."""
        write_example(self.example, formatter)


class Program(Group):
    """The whole command line: what is wrong with the input becomes one line, and so do warnings."""

    def make_context(self, *arguments: Any, **settings: Any) -> click.Context:
        """Read the arguments; --help and --version print here."""
        try:
            return super().make_context(*arguments, **settings)
        except BrokenPipeError:  # a reader that left
            raise
        except OSError as error:
            raise _problem(_describe(error)) from error

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; bad input gives one line and exit status 2."""
        with warnings.catch_warnings():
            warnings.showwarning = show_warning
            try:
                return super().invoke(ctx)
            except (click.MissingParameter, BrokenPipeError):  # shown with the usage; a reader that left, as click does
                raise
            except click.BadParameter as error:
                raise _InputProblem(error.format_message()) from error
            except OSError as error:
                raise _problem(_describe(error)) from error
            except ValueError as error:
                from rclayers import SymmetryError  # only now: it imports torch, for which --help should not wait

                if not isinstance(error, InputError | SymmetryError):
                    raise
                raise _problem(str(error)) from error
            except (MemoryError, RuntimeError) as error:
                if not _is_want_of_memory(error):
                    raise
                raise _problem(_WANT_OF_MEMORY) from error


_WANT_OF_MEMORY = (
    "the memory is used up, expected enough for one batch; give fewer sequences or a smaller --batch-size, where the "
    "command has it, or another --device."
)


class _InputProblem(click.ClickException):
    """One line on standard error, exit status 2."""

    exit_code = 2


def _problem(message: str) -> _InputProblem:
    """The one line; where the error arose stands above it if that was asked for."""
    if is_asked(VERBOSE):
        click.echo(traceback.format_exc(), err=True, nl=False)
    return _InputProblem(one_line(message))


def _describe(error: OSError) -> str:
    """What the system says, and of which file; what click was printing has no name."""
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    is_printed = bool(frames) and frames[-1].f_globals.get("__name__") == click.echo.__module__
    return f"{error.filename or ('standard output' if is_printed else 'file')}: {error.strerror or error}"


def _is_want_of_memory(error: BaseException) -> bool:
    """Whether it is Python's, or torch's on a device or in main memory."""
    return isinstance(error, MemoryError) or (
        "torch" in sys.modules and ("out of memory" in str(error) or "can't allocate memory" in str(error))
    )


def _flag(name: str, key: str, text: str, group: str = GENERAL) -> click.Option:
    def note(ctx: click.Context, parameter: click.Parameter, value: bool) -> None:
        if value:
            ctx.meta[key] = True

    return Option([name], group=group, is_flag=True, expose_value=False, callback=note, help=text)


def _files_in(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def _list(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value}" for name, value in values.items() if value is not None)


def as_json(value: Any) -> Any:
    """What strict JSON can hold of a value: no NaN, no infinity, no numpy; paths as text."""
    if isinstance(value, Mapping):
        return {str(name): as_json(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(one) for one in value]
    if isinstance(value, str | bool) or value is None:
        return value
    if hasattr(value, "item"):  # numpy's
        return as_json(value.item())
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return str(value)
