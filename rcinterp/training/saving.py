"""Compact models on disk: what belongs together is known by its SHA-256."""

import hashlib
import json
import os
import platform
import warnings
from collections.abc import Mapping
from dataclasses import asdict, fields
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save

from rcinterp.errors import InputError
from rcinterp.files import digest_of_file, finish, whole_folder, write_at_once
from rcinterp.files.documents import parse_json, read_json
from rcinterp.files.paths import as_path
from rcinterp.files.proofs import removable
from rcinterp.files.results import MODEL_FILES
from rcinterp.files.tensors import open_tensors, what_is_lost
from rcinterp.training.baseline import KmerBaseline
from rcinterp.training.models import Architecture, CompactModel, check_architecture, compact_model

_FORMAT = "rcinterp model 2"
#: Before there were hashes.
_UNCHECKED = "rcinterp model 1"
_LETTERS = "ACGT"
#: What model.json says.
_NAMES = ("format", "architecture", "letters", "sha256", "provenance", "versions")
_DESCRIPTION, _WEIGHTS, _BASELINE = MODEL_FILES


def save_model(model: CompactModel, folder: str | os.PathLike[str]) -> Path:
    """Write a compact model to a folder: model.safetensors (weights), model.json, and its baseline if it has one.

    Parameters
    ----------
    model : CompactModel
    folder : path
        Made if need be; a model in it is replaced, all files or none.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    InputError
        If it is no compact model any more, or its provenance is no JSON that `load_model` would read.

    Warns
    -----
    UserWarning
        If weights are NaN or infinite.

    Notes
    -----
    model.json holds the architecture, the order of the letters (ACGT), the provenance (seed, recipe and data hashes,
    when the model was trained by `fit`), the versions of the packages, and the SHA-256 of the other files and of the
    architecture, by which `load_model` knows that they belong together. Nothing is pickled.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> from rcinterp import compact_model
    >>> model = compact_model(1, 2, 60, widths=(11,), pool=10, stride=10)
    >>> with TemporaryDirectory() as folder:
    ...     load_model(save_model(model, folder)).architecture == model.architecture
    True
    """
    if not isinstance(model, CompactModel):
        raise InputError(
            f"save_model: got {type(model).__name__}, expected a model made by compact_model. For a model of your own, "
            "save model.state_dict() with safetensors."
        )
    if repr(model) != repr(compact_model(**asdict(model.architecture))):
        raise InputError(
            "save_model: a layer of the model was replaced, so that its architecture no longer tells how to build it. "
            "Save model.state_dict() with safetensors instead."
        )
    folder = as_path(folder, "save_model")
    files = {_WEIGHTS: save({name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()})}
    if model.baseline is not None:
        files[_BASELINE] = model.baseline.to_bytes()
    description = {
        "format": _FORMAT,
        "architecture": asdict(model.architecture),
        "letters": _LETTERS,
        "sha256": {
            "architecture": _digest_of_architecture(model.architecture),
            **{name: hashlib.sha256(data).hexdigest() for name, data in files.items()},
        },
        "provenance": model.provenance,
        "versions": _versions(),
    }
    text = _as_text(description)
    removes = removable(folder, MODEL_FILES)
    if _BASELINE not in files and _BASELINE not in removes and (folder / _BASELINE).exists():
        raise InputError(
            f"{folder / _BASELINE}: is of no model that was saved here, expected none beside a model without a "
            "baseline; move it away, or give another folder."
        )
    _warn_of_nan(model)
    with whole_folder(folder, MODEL_FILES, removes) as part:
        for name, data in files.items():
            write_at_once(part / name, data)
        write_at_once(part / _DESCRIPTION, text)
    return folder


def _as_text(description: Mapping[str, Any]) -> str:
    """What model.json is to hold, if `load_model` will take it."""
    provenance = description["provenance"]
    try:
        if not isinstance(provenance, dict):
            raise TypeError(f"it is {_name(provenance)}")
        text = json.dumps(description, indent=1) + "\n"
        parse_json(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise InputError(
            f"save_model: the model's provenance cannot be kept as JSON ({error}), expected a dict of texts, numbers, "
            "lists and dicts; set model.provenance to one."
        ) from None
    return text


def _warn_of_nan(model: CompactModel) -> None:
    """Warn the caller's caller of weights that are no numbers."""
    wrong = [name for name, value in model.state_dict().items() if not value.isfinite().all()]
    if wrong:
        warnings.warn(
            f"save_model: {', '.join(wrong[:3])}{' ...' * (len(wrong) > 3)}: values that are NaN or infinite, which "
            "are saved as they are: the model has diverged.",
            stacklevel=3,
        )


def load_model(folder: str | os.PathLike[str]) -> CompactModel:
    """The model that `save_model` wrote, in eval mode, on the CPU.

    Parameters
    ----------
    folder : path
        That `save_model` or `rcinterp train` wrote.

    Returns
    -------
    CompactModel

    Raises
    ------
    InputError
        If the folder holds no such model, or its files do not belong together.

    Warns
    -----
    UserWarning
        If it was saved by a version that wrote no SHA-256, so that nothing tells whether its files belong together.

    Examples
    --------
    ``load_model("model").architecture`` says how the model in the folder "model" is built.
    """
    folder = as_path(folder, "load_model")
    if folder.is_file():
        raise InputError(f"{folder}: is a file, expected the folder of a model; use {folder.parent}.")
    finish(folder)
    path = folder / _DESCRIPTION
    if not path.is_file():
        where = "here" if folder.exists() else "here (there is no such folder)"
        raise InputError(
            f"{folder}: no model.json {where}, expected a folder written by save_model or `rcinterp train`."
        )
    description = read_json(path, "the description of a model", "train the model again")
    if description.get("format") not in (_FORMAT, _UNCHECKED):
        raise InputError(f'{path}: not a model of rcinterp, expected "format": "{_FORMAT}".')
    _check_names(path, description)
    architecture = _read_architecture(path, description)
    provenance = description.get("provenance", {})
    if not isinstance(provenance, dict):
        raise InputError(f"{path}: its provenance is {_name(provenance)}, expected an object; train the model again.")
    if description["format"] == _FORMAT:
        _check_digests(folder, description.get("sha256"), architecture)
    else:
        warnings.warn(
            f"{folder}: was saved by an earlier version, without SHA-256: whether its files belong together cannot be "
            "checked; save_model(load_model(folder), folder) adds them.",
            stacklevel=2,
        )
    model = _load_weights(folder / _WEIGHTS, architecture)
    model.provenance = provenance
    model.baseline = KmerBaseline.load(folder)
    return model.eval()


def _check_names(path: Path, description: Mapping[str, Any]) -> None:
    """Refuse what no version has written, as of a description that was changed."""
    strange = [name for name in description if name not in _NAMES]
    if strange:
        raise InputError(
            f"{path}: has {strange[0][:40]!r}, expected no more than {', '.join(_NAMES)}; copy the whole folder again, "
            "or train the model again."
        )
    versions = description.get("versions", {})
    if not isinstance(versions, dict) or not all(isinstance(one, str) for one in versions.values()):
        raise InputError(f"{path}: its versions are {_name(versions)}, expected texts by name; train the model again.")


def _load_weights(path: Path, architecture: Architecture) -> CompactModel:
    """The model of an architecture, with the weights of a file, which is looked at before the model takes memory."""
    problem = f"{path}: does not hold the weights that model.json describes"
    advice = "copy both files again, or train the model again"
    try:
        with open_tensors(path, "the weights of a model", advice) as file:
            n_weights = sum(torch.Size(shape).numel() for shape in file.shapes.values())
            if architecture.n_weights > n_weights:
                raise InputError(f"{n_weights} numbers, expected at least {architecture.n_weights:.3g}")
            weights = file.read()
        model = compact_model(**asdict(architecture))
        dtype = next((value.dtype for value in weights.values() if value.is_floating_point()), torch.float32)
        model.to(dtype)
        for name, value in model.state_dict().items():
            if name in weights and (lost := what_is_lost(weights[name], value)) is not None:
                raise InputError(f"{name} {lost}")
        model.load_state_dict(weights)
    except InputError as error:
        told = str(error).removeprefix(f"{path}: ")
        raise InputError(f"{problem} ({told})." if told == str(error) else f"{problem}: {told}") from None
    except RuntimeError as error:
        raise InputError(f"{problem} ({' '.join(str(error).split())[:200]}); {advice}.") from None
    return model


def _read_architecture(path: Path, description: Mapping[str, Any]) -> Architecture:
    """What model.json says of the model, if it is what `compact_model` takes."""
    problem = f"{path}: its architecture cannot be built"
    found = description.get("architecture")
    if not isinstance(found, dict):
        raise InputError(f"{problem}: it is {_name(found)}, expected an object; train the model again.")
    values = {"read_out": "weighted_sum" if found.get("rc") is True else "dense", **found}
    names = {field.name for field in fields(Architecture)}
    if set(values) != names:
        wrong = ", ".join(sorted(set(values) ^ names))
        raise InputError(f"{problem}: missing or unknown is {wrong[:100]}; train the model again.")
    widths = values["widths"]
    expected = dict.fromkeys(names - {"rc", "read_out", "widths"}, int) | {"rc": bool, "read_out": str}
    for name, kind in expected.items():
        if type(values[name]) is not kind:
            raise InputError(f"{problem}: {name} is {_name(values[name])}, expected {kind.__name__}.")
    if not isinstance(widths, list) or not all(type(width) is int for width in widths):
        raise InputError(f"{problem}: widths is {_name(widths)}, expected a list of whole numbers.")
    sizes = [*widths, *(values[name] for name, kind in expected.items() if kind is int)]
    if not all(1 <= size < 2**31 for size in sizes):
        least, most = (max(-(10**300), min(size, 10**300)) for size in (min(sizes), max(sizes)))  # such as floats have
        raise InputError(f"{problem}: its sizes are {least:.3g} to {most:.3g}, expected 1 to {2**31 - 1}.")
    if description.get("letters") != _LETTERS:
        raise InputError(
            f"{path}: its letters are {str(description.get('letters'))[:40]!r}, expected {_LETTERS!r}, the order of "
            "the rows of a one-hot here; save the model again."
        )
    architecture = Architecture(**{**values, "widths": tuple(widths)})
    try:
        check_architecture(architecture)
    except ValueError as error:
        raise InputError(f"{problem} ({error})") from None
    return architecture


def _check_digests(folder: Path, digests: Any, architecture: Architecture) -> None:
    """Refuse files that are not those of which model.json has the SHA-256."""
    path, advice = folder / _DESCRIPTION, "copy the whole folder again, or train the model again"
    there = {name for name in (_WEIGHTS, _BASELINE) if (folder / name).exists()}
    for name in there:
        if not (folder / name).is_file():
            raise InputError(f"{folder / name}: is no file, expected the one that was saved with model.json; {advice}.")
    if not isinstance(digests, dict) or not {"architecture", _WEIGHTS} <= set(digests):
        raise InputError(f"{path}: has no SHA-256 of the architecture and the weights, expected both; {advice}.")
    if digests["architecture"] != _digest_of_architecture(architecture):
        raise InputError(
            f"{path}: was changed after it was saved, so that {_WEIGHTS} does not hold the weights that model.json "
            f"describes; {advice}."
        )
    for name in (_WEIGHTS, _BASELINE):
        wanted = digests.get(name)
        if name not in there and wanted is None:
            continue
        found = digest_of_file(folder / name) if name in there else None
        if found != wanted:
            what = "the weights" if name == _WEIGHTS else "the baseline"
            was = "is missing" if found is None else f"its SHA-256 is {found[:12]}..., not {str(wanted)[:12]}..."
            raise InputError(
                f"{folder / name}: does not hold {what} that model.json describes ({was}): it was changed, or is of "
                f"another model; {advice}."
            )


def _digest_of_architecture(architecture: Architecture) -> str:
    """SHA-256 of what the weights mean: architecture and letters."""
    said = {"architecture": asdict(architecture), "letters": _LETTERS}
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _name(value: object) -> str:
    return f"{str(value)[:40]!r} ({type(value).__name__})"


def _versions() -> dict[str, str]:
    try:
        own = version("rcinterp")
    except PackageNotFoundError:  # run from a source tree that was never installed
        own = "unknown"
    return {"rcinterp": own, "torch": torch.__version__, "python": platform.python_version()}
