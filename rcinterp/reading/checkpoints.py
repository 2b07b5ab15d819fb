"""Weights of a model from a checkpoint, as people have them: nested, with a prefix, with a loss beside them."""

import argparse
import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, load_file
from torch import Tensor, nn

from rcinterp.errors import InputError, one_line
from rcinterp.files import is_pipe, open_input
from rcinterp.files.paths import as_path
from rcinterp.files.tensors import what_is_lost

_DEPTH = 3  # dictionaries within dictionaries that are looked into
_COUNTER = "num_batches_tracked"  # of batch norm; files before torch 0.4.1 lack it, and nothing here needs it


@dataclass(frozen=True)
class _Fit:
    """Weights of a file that fit a model: what their names begin with, and names that are no part of the model."""

    weights: dict[str, Tensor]
    prefix: str
    others: tuple[str, ...]


def load_weights(model: nn.Module, path: str | os.PathLike[str]) -> None:
    """Load a model's weights from a file of torch.save or safetensors, however they are packed.

    Parameters
    ----------
    model : nn.Module
        Its weights are replaced.
    path : path
        A file, or a pipe, of a state_dict, or of a checkpoint that holds one, such as Lightning's. Names may share a
        prefix (``module.``, ``model.``, ``_orig_mod.``), and weights of other modules may stand beside the model's,
        such as a loss's.

    Raises
    ------
    InputError
        If the file cannot be read as weights alone, its weights are not the model's, or two sets in it fit the model.

    Warns
    -----
    UserWarning
        If a prefix is left out, or weights that are not the model's.

    Examples
    --------
    >>> import torch
    >>> from torch import nn
    >>> trained, model = nn.Linear(3, 1), nn.Linear(3, 1)
    >>> torch.save({"state_dict": trained.state_dict(), "epoch": 7}, "trained.ckpt")
    >>> load_weights(model, "trained.ckpt")
    >>> torch.equal(model.weight, trained.weight)
    True
    """
    path = as_path(path, "load_weights")
    states = list(_states(_read(path)))
    fits = [fit for state in states for fit in _fits(model, state)]
    fits = [fit for fit in fits if not fit.prefix and not fit.others][:1] or fits
    if not fits:
        raise InputError(f"{path}: does not hold this model's state_dict ({_why_none_fits(model, states)}).")
    _check_values(path, fits, model.state_dict())
    chosen, *rest = fits
    differing = [fit for fit in rest if any(not torch.equal(fit.weights[n], w) for n, w in chosen.weights.items())]
    if differing:
        names = ", ".join(repr(fit.prefix) for fit in (chosen, *differing))
        raise InputError(
            f"{path}: holds more than one set of weights that fit the model, with the prefixes {names}, expected one; "
            "save the one that you mean by itself."
        )
    model.load_state_dict(chosen.weights, strict=False)
    if chosen.prefix:
        warnings.warn(
            f"{path}: {chosen.prefix!r}, with which the names of its weights begin, is left out.", stacklevel=2
        )
    if chosen.others:
        names = one_line(", ".join(chosen.others[:5]))
        warnings.warn(f"{path}: left out, as the model has no such part: {names}.", stacklevel=2)


def _read(path: Path) -> Any:
    """What a file holds; nothing but tensors and plain values is unpickled."""
    try:
        if is_pipe(path):
            with open_input(path) as file:
                return load(file.read()) if _is_safetensors(file) else _unpickle(file)
        return load_file(path) if path.suffix == ".safetensors" else _unpickle(path)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file.") from None
    except (OSError, SafetensorError, RuntimeError, ValueError, EOFError) as error:
        told = " ".join(str(error).split())[:300] or type(error).__name__
        if "TorchScript" in told:
            told = "it is a TorchScript archive"
        raise InputError(
            f"{path}: cannot be read as weights ({told}); save model.state_dict() of the nn.Module."
        ) from None
    except Exception as error:  # torch.load raises pickle's own errors
        raise InputError(
            f"{path}: cannot be read as weights alone ({type(error).__name__}); save model.state_dict()."
        ) from None


def _unpickle(source: Path | IO[bytes]) -> Any:
    """What torch.save wrote."""
    with _with_namespaces(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that it looks like TorchScript: an error says so
        held = torch.load(source, map_location="cpu", weights_only=True)
    if isinstance(held, torch.jit.ScriptModule):  # what torch before 2.6 makes of its archives
        raise RuntimeError("TorchScript")
    return held


def _is_safetensors(file: IO[bytes]) -> bool:
    """Whether a file begins as one of safetensors: a number of 8 bytes, and JSON."""
    head = file.read(9)
    file.seek(0)
    return head[8:] == b"{"


def _with_namespaces() -> AbstractContextManager[Any]:
    """Lets a file hold an argparse.Namespace, as Lightning's do with the settings of a run: plain values in a bag."""
    safe_globals = getattr(torch.serialization, "safe_globals", None)  # from torch 2.5 on
    return nullcontext() if safe_globals is None else safe_globals([argparse.Namespace])


def _states(held: Any, depth: int = 0) -> Iterator[dict[str, Tensor]]:
    """Every dictionary in a file that holds tensors, the outermost first."""
    if not isinstance(held, Mapping) or depth > _DEPTH:
        return
    tensors = {name: value for name, value in held.items() if isinstance(name, str) and isinstance(value, Tensor)}
    if tensors:
        yield tensors
    for value in held.values():
        yield from _states(value, depth + 1)


def _fits(model: nn.Module, state: Mapping[str, Tensor]) -> Iterator[_Fit]:
    """Each prefix behind which a dictionary has every weight of the model, in its shape."""
    own = model.state_dict()
    required = [name for name in own if not name.endswith(_COUNTER)]
    if not required:
        return
    longest = max(required, key=len)
    prefixes = {name.removesuffix(longest) for name in state if name.endswith(longest)}
    for prefix in sorted(prefix for prefix in prefixes if prefix == "" or prefix.endswith(".")):
        weights = {name: state[prefix + name] for name in own if prefix + name in state}
        if not set(required) <= set(weights) or any(w.shape != own[name].shape for name, w in weights.items()):
            continue
        others = [name for name in state if name not in {prefix + own_name for own_name in own}]
        if not any(_is_part(model, name, prefix) for name in others):
            yield _Fit(weights, prefix, tuple(others))


def _check_values(path: Path, fits: list[_Fit], own: Mapping[str, Tensor]) -> None:
    """Refuse weights that the model cannot hold as they are."""
    for fit in fits:
        for name, value in fit.weights.items():
            lost = what_is_lost(value, value if name.endswith(_COUNTER) else own[name])  # averaged counters are real
            if lost is not None:
                raise InputError(
                    f"{path}: {fit.prefix + name} {lost}; save the model.state_dict() of a model of dense real weights "
                    "on the CPU."
                )


def _is_part(model: nn.Module, name: str, prefix: str) -> bool:
    """Whether a name would be a weight of the model, which the model does not have."""
    return name.startswith(prefix) and (bool(prefix) or hasattr(model, name.split(".")[0]))


def _why_none_fits(model: nn.Module, states: list[dict[str, Tensor]]) -> str:
    if not states:
        return "it holds no tensors by name"
    own = model.state_dict()
    state = max(states, key=lambda state: len(set(state) & set(own)))
    wrong = {
        "missing": [name for name in own if name not in state],
        "not in the model": [name for name in state if name not in own],
        "of another shape": [
            f"{name} {tuple(state[name].shape)}, expected {tuple(own[name].shape)}"
            for name in own
            if name in state and state[name].shape != own[name].shape
        ],
    }
    return "; ".join(
        f"{what}: {', '.join(names[:3])}{' ...' if len(names) > 3 else ''}" for what, names in wrong.items() if names
    )
