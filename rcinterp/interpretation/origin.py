"""What a result was made from, and how to make it again."""

import hashlib
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Any

import numpy as np
import torch
from torch import nn

from rcinterp.data.coded import CodedSequences, Sequences, batches_of, coded_if_letters
from rcinterp.motifs import MotifSource
from rcinterp.reading.contributing_sites import CLASSES
from rcinterp.reading.reader import Reader

#: Packages whose versions may change a number.
PACKAGES = ("rcinterp", "torch", "numpy", "scipy", "pandas")

_LINE, _LINE_END = np.frombuffer(b"ACGTN", np.uint8), ord("\n")
_ROWS = 10_000  # sequences at a time


@dataclass(frozen=True)
class Origin:
    """What a result was made from.

    Attributes
    ----------
    model : str
        Its class, its number of parameters and the SHA-256 of its weights.
    sequences : dict of str to str
        Of each class: files if they are known, number, length, and the SHA-256 of the letters.
    motifs : str
        The known motifs.
    target : int
        Which logit.
    versions : dict of str to str
    command : str
        On the command line; empty for a call from Python.
    """

    model: str
    sequences: dict[str, str]
    motifs: str
    target: int
    versions: dict[str, str] = field(default_factory=dict)
    command: str = ""


def trace_origin(reader: Reader, letters: Sequence[Sequences], given: Sequence[Any], motifs: MotifSource) -> Origin:
    """Take down what `interpret` was given: `letters` are the sequences of both classes, whatever they came as."""
    model = reader.model
    n_parameters = sum(parameter.numel() for parameter in model.parameters())
    return Origin(
        model=f"{type(model).__name__}, {n_parameters:,} parameters, weights {_digest_of_weights(model)}",
        sequences={
            name: f"{_name_files(one)}{len(own):,} sequences of {own.shape[2]} bp, letters {digest_of_letters(own)}"
            for name, one, own in zip(CLASSES, given, letters, strict=True)
        },
        motifs=os.fspath(motifs) if isinstance(motifs, str | os.PathLike) else f"{len(motifs):,} given in Python",
        target=reader.runner.target,
        versions={"python": platform.python_version(), **{name: version(name) for name in PACKAGES}},
    )


def digest_of_letters(x: Sequences) -> str:
    """SHA-256 of the letters, as upper-case lines; of sequences that are no letters, of their numbers (float32)."""
    digest, coded = hashlib.sha256(), coded_if_letters(x)
    if not isinstance(coded, CodedSequences):
        for batch in batches_of(x):
            digest.update(np.ascontiguousarray(batch.detach().float().cpu().numpy()).tobytes())
        return digest.hexdigest()
    for start in range(0, len(coded), _ROWS):
        lines = _LINE[coded.read(slice(start, start + _ROWS))]
        digest.update(np.pad(lines, ((0, 0), (0, 1)), constant_values=_LINE_END).tobytes())
    return digest.hexdigest()


def _digest_of_weights(model: nn.Module) -> str:
    digest = hashlib.sha256()
    for name, value in model.state_dict().items():
        if isinstance(value, torch.Tensor):
            digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
            digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def _name_files(given: Any) -> str:
    """``a.fa, b.fa: `` where sequences came from files."""
    if isinstance(given, tuple) and given and not isinstance(given[0], str | os.PathLike):
        given = given[0]
    paths = [given] if isinstance(given, str | os.PathLike) else given
    if not isinstance(paths, list) or not paths:
        return ""
    is_path = all(isinstance(one, os.PathLike) for one in paths) or isinstance(given, str)
    return ", ".join(os.path.basename(os.fspath(one)) for one in paths) + ": " if is_path else ""
