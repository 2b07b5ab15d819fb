"""Weights of a model from a checkpoint, as people have them: nested, with a prefix, with a loss beside them."""

import argparse
import os
import struct
import warnings
import zipfile
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
from rcinterp.memory import describe_bytes, require_memory

_DEPTH = 3  # dictionaries within dictionaries that are looked into
#: Bytes up to which an archive may unpack to any multiple of its size, and that multiple beyond them: torch packs
#: nothing, and zip packs weights hardly.
_PACKED_AT_WILL, _MOST_PACKED = 2**26, 200
_COUNTER = "num_batches_tracked"  # of batch norm; files before torch 0.4.1 lack it, and nothing here needs it


@dataclass(frozen=True)
class _Fit:
    """Weights of a file that fit a model.

    Attributes
    ----------
    weights : dict of str to Tensor
        By the model's names.
    place : tuple of str
        Names of the dictionaries within one another that hold them.
    prefix : str
        What their names begin with.
    others : tuple of str
        Names beside them that are no part of the model.
    """

    weights: dict[str, Tensor]
    place: tuple[str, ...]
    prefix: str
    others: tuple[str, ...]

    def differs(self, other: "_Fit") -> bool:
        """Whether any weight of the model is another one."""
        pairs = [(value, other.weights.get(name)) for name, value in self.weights.items()]
        return any(b is None or a.dtype != b.dtype or not torch.equal(a, b) for a, b in pairs)

    @property
    def where(self) -> str:
        """Its place as messages have it."""
        return repr(".".join(self.place)[:60]) if self.place else "the file itself"

    def __str__(self) -> str:
        return f"{self.where} (prefix {self.prefix!r})"


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
        If the file cannot be read as weights alone, is an archive that unpacks to many times its size or to more than
        there is memory, its weights are not the model's, or two sets in it fit the model and differ.

    Warns
    -----
    UserWarning
        If a prefix is left out, or weights that are not the model's; if weights are whole numbers and the model's are
        not; if the file's own state_dict is taken and another set that fits, with a prefix, is left.

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
    fits = [fit for place, state in states for fit in _fits(model, place, state)]
    if not fits:
        raise InputError(f"{path}: does not hold this model's state_dict ({_why_none_fits(model, states)}).")
    fits.sort(key=lambda fit: (bool(fit.prefix), bool(fit.others)))  # those of the model's own names first
    _check_values(path, fits, model.state_dict())
    chosen, *rest = fits
    differing = [fit for fit in rest if chosen.differs(fit)]
    is_own = not chosen.prefix and chosen.place in ((), ("state_dict",)) and all(fit.prefix for fit in differing)
    if differing and not is_own:
        both = (chosen, *differing)
        prefixes = f"the prefixes {', '.join(repr(fit.prefix) for fit in both)}" if any(f.prefix for f in both) else ""
        places = ", ".join(fit.where for fit in both)
        raise InputError(
            f"{path}: holds more than one set of weights that fit the model, {prefixes and f'with {prefixes} '}in "
            f"{places}, expected one; save the one that you mean by itself."
        )
    if differing:
        warnings.warn(
            f"{path}: taken is {chosen}; left is what fits too and differs: {', '.join(map(str, differing))}.",
            stacklevel=2,
        )
    whole = [name for name, value in model.state_dict().items() if _would_be_real(chosen.weights.get(name), value)]
    model.load_state_dict(chosen.weights, strict=False)
    if whole:
        kind = str(chosen.weights[whole[0]].dtype).removeprefix("torch.")
        warnings.warn(
            f"{path}: {one_line(', '.join(whole[:3]))}: {kind} numbers, taken as they are, where the model has real "
            "ones; if they were quantized, save the weights before that.",
            stacklevel=2,
        )
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
        with open_input(path) as file:
            size = os.fstat(file.fileno()).st_size
            is_safetensors = _is_safetensors(file, path)
            if not is_safetensors:
                _check_archive(path, file, size)
                return _unpickle(file)
            require_memory(f"{path}", size, "free memory, or use another machine")
            return load(file.read()) if is_pipe(path) else load_file(path)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file.") from None
    except InputError:
        raise
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


def _is_safetensors(file: IO[bytes], path: Path) -> bool:
    """Whether a file begins as one of safetensors, with a number and JSON, or is called so if as no other."""
    head = file.read(9)
    file.seek(0)
    return head[8:] == b"{" or (path.suffix == ".safetensors" and not head.startswith((b"PK", b"\x80")))


def _check_archive(path: Path, file: IO[bytes], size: int) -> None:
    """Refuse an archive, as torch.save writes it, that unpacks to more than there is memory, or than weights do."""
    try:
        with zipfile.ZipFile(file) as archive:
            n_bytes = sum(info.file_size for info in archive.infolist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError, UnicodeError, OverflowError, struct.error, OSError):
        return  # an older format, or damaged, which torch tells
    finally:
        file.seek(0)
    if n_bytes > max(_PACKED_AT_WILL, _MOST_PACKED * size):
        raise InputError(
            f"{path}: is an archive that unpacks to {describe_bytes(n_bytes)}, over {_MOST_PACKED} times its size, as "
            "no weights do; is it the right file?"
        )
    require_memory(f"{path}: its content", n_bytes, "free memory, or use another machine")


def _with_namespaces() -> AbstractContextManager[Any]:
    """Lets a file hold an argparse.Namespace, as Lightning's do with the settings of a run: plain values in a bag."""
    safe_globals = getattr(torch.serialization, "safe_globals", None)  # from torch 2.5 on
    return nullcontext() if safe_globals is None else safe_globals([argparse.Namespace])


def _states(held: Any, place: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], dict[str, Tensor]]]:
    """Every dictionary in a file that holds tensors, the outermost first, and where it is."""
    if not isinstance(held, Mapping) or len(place) > _DEPTH:
        return
    tensors = {name: value for name, value in held.items() if isinstance(name, str) and isinstance(value, Tensor)}
    if tensors:
        yield place, tensors
    for name, value in held.items():
        yield from _states(value, (*place, str(name)))


def _fits(model: nn.Module, place: tuple[str, ...], state: Mapping[str, Tensor]) -> Iterator[_Fit]:
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
            yield _Fit(weights, place, prefix, tuple(others))


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


def _would_be_real(found: Tensor | None, own: Tensor) -> bool:
    """Whether whole numbers or truth values would become real numbers, as those do whose scale was left out."""
    return found is not None and own.is_floating_point() and not (found.is_floating_point() or found.is_complex())


def _is_part(model: nn.Module, name: str, prefix: str) -> bool:
    """Whether a name would be a weight of the model, which the model does not have."""
    return name.startswith(prefix) and (bool(prefix) or hasattr(model, name.split(".")[0]))


def _why_none_fits(model: nn.Module, states: list[tuple[tuple[str, ...], dict[str, Tensor]]]) -> str:
    if not states:
        return "it holds no tensors by name"
    own = model.state_dict()
    state = max((state for _, state in states), key=lambda state: len(set(state) & set(own)))
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
