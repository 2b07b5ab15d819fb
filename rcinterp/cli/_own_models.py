"""A model that a user names on the command line: a folder of `rcinterp train`, or an nn.Module in a Python file."""

import importlib.util
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rcinterp.cli._common import warn
from rcinterp.errors import InputError
from rcinterp.files import parse_whole

if TYPE_CHECKING:
    from torch import nn


def load_any_model(given: str, weights: Path | None) -> "nn.Module":
    """Model of ``folder``, or of ``file.py:name``, where name is an nn.Module or makes one without arguments.

    Parameters
    ----------
    given : str
    weights : path, optional
        Of a model in a file, as `rcinterp.reading.checkpoints.load_weights` reads them.
    """
    from rcinterp.training.saving import load_model

    file, colon, name = given.rpartition(":")
    if not colon or not file.endswith(".py"):
        if given.endswith(".py"):
            raise InputError(f"{given}: say which model in it, expected FILE.py:NAME.")
        if weights is not None:
            raise InputError(f"--weights: {given} is a folder, which holds its own weights. Leave --weights out.")
        if Path(given).is_file():
            raise InputError(f"{given}: is a file, expected the folder of a model, or FILE.py:NAME.")
        return load_model(given)
    model = _from_file(Path(file), name)
    if weights is not None:
        _load_weights(model, weights)
    return model


def warn_of_own_weights(models: Sequence[tuple[str, Path | None]]) -> None:
    """Warn of models FILE.py:NAME that were read without weights: what was read is perhaps not what was trained."""
    bare = [model for model, weights in models if weights is None and not Path(model).is_dir()]
    if bare:
        warn(
            f"{', '.join(bare)}: read with the weights that the file itself makes, perhaps random ones; trained ones "
            "are given by --weights FILE."
        )


def choose_output(output: str | None, logit: bool) -> Callable[[Any], Any] | None:
    """Function that takes one part of what a model returns, an index of a tuple or a key of a dict, or its logit."""
    if logit:
        return _logit_of(choose_output(output, False))
    if output is None:
        return None

    def choose(returned: Any) -> Any:
        part = output if isinstance(returned, dict) else parse_whole(output)
        try:
            if part is None:  # which a tensor takes as a new axis
                raise KeyError(output)
            return returned[part]
        except (KeyError, IndexError, TypeError):
            has = ", ".join(map(str, returned)) if isinstance(returned, dict) else type(returned).__name__
            raise InputError(
                f"--output: got {output!r}, expected a part of what the model returns ({has}): the key of a dict, or "
                "the number of a tuple's part, from 0."
            ) from None

    return choose


def _logit_of(choose: Callable[[Any], Any] | None) -> Callable[[Any], Any]:
    """Function from what a model returns to the logits of the probabilities in it."""
    import torch

    def logit(returned: Any) -> Any:
        values = returned if choose is None else choose(returned)
        if isinstance(values, torch.Tensor) and bool(((values < 0) | (values > 1)).any()):
            low, high = float(values.min()), float(values.max())
            raise InputError(
                f"--logit: got outputs from {low:.3g} to {high:.3g}, expected probabilities; leave it out."
            )
        return torch.logit(values, eps=1e-6)

    return logit


def _from_file(path: Path, name: str) -> "nn.Module":
    from torch import nn

    alias = f"rcinterp_own_{path.stem}"  # a file may be called as a module of the standard library is
    spec = importlib.util.spec_from_file_location(alias, path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise InputError(f"{path}: no such file, expected a Python file with a model, FILE.py:NAME.")
    module = importlib.util.module_from_spec(spec)
    sys.modules[alias] = module  # dataclasses and pickles look there
    sys.path.insert(0, str(path.parent))  # what it imports from beside itself
    try:
        spec.loader.exec_module(module)
        if not hasattr(module, name):
            own = (key for key, value in vars(module).items() if isinstance(value, nn.Module) or callable(value))
            names = ", ".join(key for key in own if not key.startswith("_")) or "nothing"
            raise InputError(f"{path}: has no {name!r}, expected one of {names}.")
        model = getattr(module, name)
        if not isinstance(model, nn.Module) and not callable(model):
            raise InputError(
                f"{path}: {name} is {type(model).__name__}, expected an nn.Module or a function that makes one."
            )
        model = model if isinstance(model, nn.Module) else model()
    except InputError:
        raise
    except Exception as error:  # whatever the user's own code raises
        raise InputError(
            f"{path}{_line_of(error, path)}: its code raised {type(error).__name__}: {error}. Mend it, then try again."
        ) from error
    finally:
        sys.path.remove(str(path.parent))
    if not isinstance(model, nn.Module):
        raise InputError(
            f"{path}: {name} is {type(model).__name__}, expected an nn.Module or a function that makes one."
        )
    return model


def _line_of(error: Exception, path: Path) -> str:
    """`` line N`` of the file in which the error arose; empty if none did."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) == path]
    return f" line {lines[-1]}" if lines else ""


def _load_weights(model: "nn.Module", path: Path) -> None:
    from rcinterp.reading.checkpoints import load_weights

    try:
        load_weights(model, path)
    except InputError as error:
        raise InputError(f"--weights: {error}") from None
