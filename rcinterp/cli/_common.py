"""What all commands share: messages and warnings on standard error, and what torch needs of the process."""

import ctypes
import os
import sys
from typing import Any, TextIO

import click

from rcinterp.errors import one_line

#: Keys of what every command may be asked for, in click's ``Context.meta``.
JSON, QUIET, VERBOSE = "rcinterp.json", "rcinterp.quiet", "rcinterp.verbose"
OVERWRITE = "rcinterp.overwrite"
_SHOWN = "rcinterp.shown"  # warnings


def is_asked(key: str) -> bool:
    """Whether the command that runs was given ``--json``, ``--quiet`` or ``--verbose``."""
    ctx = click.get_current_context(silent=True)
    return ctx is not None and bool(ctx.meta.get(key))


def show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    """Show a warning as one line, and once a command, however many models it is true of."""
    ctx = click.get_current_context(silent=True)
    shown = set() if ctx is None else ctx.meta.setdefault(_SHOWN, set())
    if str(message) not in shown:
        shown.add(str(message))
        warn(str(message))


def say(message: str) -> None:
    """Say what is going on, on standard error, unless quiet was asked for."""
    if not is_asked(QUIET):
        click.echo(message, err=True)


def warn(message: str) -> None:
    """Warn on standard error, also if quiet was asked for."""
    click.echo(f"Warning: {one_line(message)}", err=True)


def shows_progress() -> bool:
    """Whether bars are drawn: where a person looks at standard error, who has not asked for quiet."""
    return sys.stderr.isatty() and not is_asked(QUIET)


def keep_freed_memory() -> None:
    """Let glibc keep what a step of training frees, for the next one, instead of giving it back to the system.

    Each step frees and takes again the same few megabytes; to have them cleared anew each time costs more than a tenth
    of the training. It holds for this process and, by the environment, for those that it starts; what a user has set
    stands. Other C libraries do not know these settings.
    """
    at_most = {"MALLOC_TRIM_THRESHOLD_": (-1, 2**29), "MALLOC_MMAP_THRESHOLD_": (-3, 2**25)}  # numbers of malloc.h
    is_set = any(name in os.environ for name in at_most) or "glibc.malloc" in os.environ.get("GLIBC_TUNABLES", "")
    if is_set or not sys.platform.startswith("linux"):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    for name, (number, n_bytes) in at_most.items():
        os.environ[name] = str(n_bytes)
        if mallopt is not None:
            mallopt(number, n_bytes)


def warn_below_chance(auroc: float, n_outputs: int = 1, target: int = 0) -> None:
    """Warn of a model that ranks negatives above positives."""
    from rcinterp.interpretation.verdicts import LEAST_AUROC, describe_below_chance

    if auroc < LEAST_AUROC:
        warn(describe_below_chance(auroc, n_outputs, target))


def warm_up() -> None:
    """Say so if the motif comparison must be compiled first."""
    from rcinterp.comparison import is_engine_compiled

    if not is_engine_compiled():
        say("the motif comparison compiles itself at its first use on this machine: about a minute more")


def quiet_fit() -> dict[str, Any]:
    """Keywords that keep `rcinterp.fit` and what calls it from drawing bars, which they do on a terminal."""
    return {"progress": False} if is_asked(QUIET) else {}
