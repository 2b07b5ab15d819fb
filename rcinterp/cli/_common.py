"""What all commands share: types of options, errors and warnings as one line, messages on standard error."""

import ctypes
import os
import sys
import warnings
from pathlib import Path
from typing import Any, TextIO

import click

from rcinterp.errors import InputError

SEED = click.IntRange(0, 2**32 - 1)
FOLDER = click.Path(file_okay=False, path_type=Path)
OUT = click.Path(file_okay=False, writable=True, path_type=Path)
FILE = click.Path(dir_okay=False, path_type=Path)


class _InputProblem(click.ClickException):
    """One line on standard error, exit status 2."""

    exit_code = 2


class Commands(click.Group):
    """Turns what is wrong with the input into one line, and warnings too."""

    def invoke(self, ctx: click.Context) -> Any:
        warnings.showwarning = _show_warning
        try:
            return super().invoke(ctx)
        except (click.MissingParameter, BrokenPipeError):  # shown with the usage; a reader that left, as click does
            raise
        except click.BadParameter as error:
            raise _InputProblem(error.format_message()) from error
        except OSError as error:
            raise _InputProblem(f"{error.filename or 'file'}: {error.strerror or error}") from error
        except ValueError as error:
            from rclayers import SymmetryError  # only now: it imports torch, for which --help should not wait

            if not isinstance(error, InputError | SymmetryError):
                raise
            raise _InputProblem(str(error)) from error


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    click.echo(f"Warning: {message}", err=True)


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


def say(message: str) -> None:
    click.echo(message, err=True)


def warn_below_chance(auroc: float) -> None:
    from rcinterp.interpretation.verdicts import LEAST_AUROC

    if auroc < LEAST_AUROC:
        say(f"Warning: auROC {auroc:.4f} is below chance; are positives and negatives the right way round?")


def warn_of_composition(matches: Any, queries: Path, motifs: str) -> None:
    """Name the queries whose best match is one by composition alone, by the limits of `interpret`."""
    from rcinterp.comparison import best_matches, shuffled_p_values
    from rcinterp.interpretation.verdicts import MATCH_Q_VALUE, SHUFFLED_P_VALUE

    best = best_matches(matches)
    best = best[best["q-value"] <= MATCH_Q_VALUE]
    doubtful = best["Query_ID"][shuffled_p_values(best, queries, motifs) > SHUFFLED_P_VALUE].tolist()
    if doubtful:
        shown = ", ".join(doubtful[:5]) + (f" and {len(doubtful) - 5} more" if len(doubtful) > 5 else "")
        say(
            f"Warning: {len(doubtful)} of {len(best)} best matches (q <= {MATCH_Q_VALUE:g}) may be of composition "
            f"alone; with their columns in other orders these are as similar to some known motif: {shown}"
        )


def warm_up() -> None:
    from rcinterp.comparison import is_engine_compiled

    if not is_engine_compiled():
        say("the motif comparison compiles itself at its first use on this machine: about a minute more")


def describe_split(how: dict[str, Any], valid: Any) -> str:
    if how["by"] == "chromosome":
        return f"validation: {len(valid)} sequences of {', '.join(how['valid_chromosomes'])}, held out of training"
    return (
        f"validation: {len(valid)} sequences drawn at random (seed {how['seed']}), as their names tell no chromosomes, "
        "or too few"
    )


def describe_start(provenance: dict[str, Any]) -> str:
    words, starts, taken = provenance["words"], provenance["starts"], provenance["start"]
    others = ", ".join(f"{name} {auroc:.4f}" for name, auroc in starts.items() if name != taken)
    beside = f" (validation auROC with the start from {others})" if others else ""
    more = "" if len(words) <= 6 else f" and {len(words) - 6} more"
    return f"filters started from {taken}{beside}; words: {', '.join(words[:6])}{more}"
