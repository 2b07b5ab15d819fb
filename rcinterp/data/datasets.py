"""Labelled sequences: what a model is trained and tested on."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray

from rcinterp.data.coded import CodedSequences, Sequences, batches_of, load_for_reading
from rcinterp.data.sequences import (
    SequenceInput,
    as_one_hot,
    as_records,
    name_record,
    paths_of,
    read_fasta,
    strandless_keys,
)
from rcinterp.errors import InputError
from rcinterp.files import finish
from rcinterp.files.paths import is_aside


@dataclass(frozen=True, eq=False, repr=False)
class Dataset:
    """N one-hot sequences of one length with their labels for each task.

    Parameters
    ----------
    x : torch.Tensor
        Shape (N, 4, L), float32: the sequences, rows A, C, G, T, N an all-zero column.
    y : torch.Tensor
        Shape (N, n_tasks), float32, 0 or 1: the labels.
    names : tuple of str
        N names, which may repeat.

    Raises
    ------
    InputError
        If a shape, a type or a label is another one.

    Examples
    --------
    >>> data = load_dataset(["ACGTA", "CCGTA"], ["TTTTT", "NACGT", "GGGGG"])
    >>> len(data), data.length, data.n_tasks, data.names[2]
    (5, 5, 1, 'negative_0')
    """

    x: torch.Tensor
    y: torch.Tensor
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        for name, value in (("x", self.x), ("y", self.y)):
            if not isinstance(value, torch.Tensor) or value.dtype != torch.float32:
                given = value.dtype if isinstance(value, torch.Tensor) else type(value).__name__
                raise InputError(
                    f"Dataset: got {name} as {given}, expected a float32 tensor; "
                    f"use torch.as_tensor({name}, dtype=torch.float32)."
                )
        as_one_hot(self.x, origin="Dataset")  # raises for another shape
        if self.y.ndim != 2 or self.y.shape[0] != len(self) or not self.n_tasks:
            raise InputError(
                f"Dataset: got y of shape {tuple(self.y.shape)} for x of shape {tuple(self.x.shape)}, expected "
                f"({len(self)}, n_tasks). For one task, use y[:, None]."
            )
        if not ((self.y == 0) | (self.y == 1)).all():
            raise InputError(
                "Dataset: got y with other values than labels, expected 0 and 1; make labels of them, "
                "e.g. (y > 0.5).float()."
            )
        if not isinstance(self.names, tuple) or len(self.names) != len(self):
            raise InputError(
                f"Dataset: got names as {type(self.names).__name__} of length {len(self.names)}, expected a tuple of "
                f"{len(self)}, one for each sequence; use tuple(names)."
            )

    def __len__(self) -> int:
        return self.x.shape[0]

    def __repr__(self) -> str:
        n_positives = self.y.sum(dim=0).int().tolist()
        return f"Dataset({len(self)} sequences of {self.length} bp, positives for each task: {n_positives})"

    @property
    def length(self) -> int:
        """The sequences' length L in bp."""
        return self.x.shape[2]

    @property
    def n_tasks(self) -> int:
        """How many labels each sequence has."""
        return self.y.shape[1]

    @property
    def sha256(self) -> str:
        """Hexadecimal SHA-256 of the shapes and contents of x and y (names aside), for provenance."""
        return _sha256([self.x], self.y)

    def positives(self, task: int = 0) -> torch.Tensor:
        """Return the sequences with label 1 in a task (counted from 0), shape (n_positives, 4, L)."""
        return self._labelled(1, task)

    def negatives(self, task: int = 0) -> torch.Tensor:
        """Return the sequences with label 0 in a task (counted from 0), shape (n_negatives, 4, L)."""
        return self._labelled(0, task)

    def _labelled(self, label: int, task: int) -> torch.Tensor:
        if not 0 <= task < self.n_tasks:
            raise InputError(
                f"Dataset: got task {task}, expected 0 to {self.n_tasks - 1}; tasks are the columns of y, "
                "counted from 0."
            )
        return self.x[self.y[:, task] == label]


def digest_of_classes(positives: Sequences, negatives: Sequences) -> str:
    """`Dataset.sha256` of the data set that `load_dataset` makes of these classes, without making it."""
    y = torch.cat([torch.ones(len(positives), 1), torch.zeros(len(negatives), 1)])
    return _sha256((batch for x in (positives, negatives) for batch in batches_of(x)), y)


def _sha256(batches: Iterable[torch.Tensor], y: torch.Tensor) -> str:
    """Of the shapes and contents of sequences, which come in batches, and of their labels."""
    digest = hashlib.sha256()
    for i, batch in enumerate(batches):
        if i == 0:
            digest.update(str((len(y), *batch.shape[1:])).encode())
        digest.update(batch.detach().to("cpu", torch.float32).contiguous().numpy().data)
    digest.update(str(tuple(y.shape)).encode())
    digest.update(y.detach().cpu().contiguous().numpy().data)
    return digest.hexdigest()


def load_dataset(positives: SequenceInput, negatives: SequenceInput) -> Dataset:
    """Make a data set of one task from bound and unbound sequences.

    Parameters
    ----------
    positives : path, list of paths, list, tuple or Series of str, ndarray, or tensor
        Sequences with label 1, all of one length L: a FASTA path, or several, strings, or a one-hot (N, 4, L).
    negatives : path, list of paths, list, tuple or Series of str, ndarray, or tensor
        Sequences with label 0, of the same length.

    Returns
    -------
    Dataset
        On the CPU, positives first, y of shape (N, 1). Names come from FASTA headers or a Series' index; others are
        "positive_0", ...

    Raises
    ------
    InputError
        If a set is empty or cannot be read, lengths differ within or between the sets, or both sets hold the same
        sequences.

    Warns
    -----
    UserWarning
        If some sequences stand in both sets, with their number.

    Examples
    --------
    >>> load_dataset(["ACGTA", "CCGTA"], ["TTTTT", "NACGT", "GGGGG"])
    Dataset(5 sequences of 5 bp, positives for each task: [2])
    """
    sets = (_Labelled.read(positives, "positive"), _Labelled.read(negatives, "negative"))
    _check_lengths(*sets)
    x_positive, x_negative = (labelled.one_hot() for labelled in sets)
    check_disjoint(x_positive, x_negative, "load_dataset")
    y = torch.cat([torch.ones(len(x_positive), 1), torch.zeros(len(x_negative), 1)])
    return Dataset(torch.cat([x_positive, x_negative]), y, sets[0].names + sets[1].names)


@dataclass(frozen=True, eq=False)
class _Labelled:
    """The sequences of one label, with what names and messages need of them."""

    label: str
    source: str
    records: pd.Series[str] | torch.Tensor

    @classmethod
    def read(cls, sequences: SequenceInput, label: str) -> _Labelled:
        origin = f"load_dataset: {label}s"
        paths = paths_of(sequences, origin)
        if paths is not None:
            records = pd.concat([read_fasta(path) for path in paths])
            return cls(label, f"{label}s ({', '.join(map(str, paths))})", records)
        if isinstance(sequences, (np.ndarray, torch.Tensor)):
            return cls(label, f"{label}s", as_one_hot(sequences, origin))
        return cls(label, f"{label}s", as_records(sequences, origin))

    @property
    def lengths(self) -> NDArray[np.integer]:
        if isinstance(self.records, torch.Tensor):
            return np.full(len(self.records), self.records.shape[2])
        return self.records.str.len().to_numpy()

    @property
    def index(self) -> pd.Index:
        return pd.RangeIndex(len(self.records)) if isinstance(self.records, torch.Tensor) else self.records.index

    @property
    def names(self) -> tuple[str, ...]:
        if isinstance(self.index, pd.RangeIndex):
            return tuple(f"{self.label}_{i}" for i in self.index)
        return tuple(map(str, self.index))

    def one_hot(self) -> torch.Tensor:
        return as_one_hot(self.records, f"load_dataset: {self.source}").to("cpu", torch.float32)

    def describe_lengths(self) -> str:
        shortest, longest = self.lengths.min(), self.lengths.max()
        return (
            f"{self.source} of {shortest} bp" if shortest == longest else f"{self.source} of {shortest} to {longest} bp"
        )


def _check_lengths(positives: _Labelled, negatives: _Labelled) -> None:
    expected = positives.lengths[0]
    for labelled in (positives, negatives):
        differing = np.flatnonzero(labelled.lengths != expected)
        if differing.size:
            i = int(differing[0])
            raise InputError(
                f"load_dataset: got {positives.describe_lengths()} and {negatives.describe_lengths()}, expected one "
                f"length; the first to differ is {name_record(labelled.index, i)} of the {labelled.label}s "
                f"({labelled.lengths[i]} bp, not {expected}). Cut windows of one length, "
                "e.g. with bedtools getfasta."
            )


def check_disjoint(x_positive: Sequences, x_negative: Sequences, caller: str) -> None:
    """Refuse positives and negatives that are the same sequences, in whatever order; warn of those in both.

    Parameters
    ----------
    x_positive, x_negative : torch.Tensor or CodedSequences
        Shapes (N, 4, L), one-hot.
    caller : str
        What the message begins with.
    """
    here, there = (_distinct(_digests, x) for x in (x_positive, x_negative))
    if np.array_equal(here, there):
        raise InputError(
            f"{caller}: positives and negatives hold the same sequences, expected different ones; "
            "check that the same file was not given twice."
        )
    here, there = (_distinct(strandless_keys, x) for x in (x_positive, x_negative))
    if shared := len(np.intersect1d(here, there, assume_unique=True)):
        warnings.warn(
            f"{caller}: {shared} sequences stand both in the positives and in the negatives, as they are or as their "
            "reverse complement; remove them from one, or no model of both strands can label them.",
            stacklevel=3,
        )


def _distinct(keys_of: Callable[[torch.Tensor], list[bytes]], x: Sequences) -> NDArray[np.bytes_]:
    """Different keys of 16 bytes, in order; of a million sequences they take 16 MB."""
    return np.unique(np.concatenate([np.array(keys_of(batch), dtype="S16") for batch in batches_of(x)]))


def _digests(x: torch.Tensor) -> list[bytes]:
    """One key a sequence (N, 4, L), whatever its columns hold."""
    return [hashlib.blake2b(row.tobytes(), digest_size=16).digest() for row in x.float().cpu().numpy()]


def load_classes(
    positives: SequenceInput | CodedSequences,
    negatives: SequenceInput | CodedSequences,
    caller: str,
    *,
    comparable: bool = False,
) -> tuple[tuple[Sequences, list[str] | None], tuple[Sequences, list[str] | None]]:
    """Positives and negatives, letters at one byte a base, each with their names.

    Parameters
    ----------
    positives, negatives : path, list of paths, list, tuple or Series of str, ndarray, tensor, or CodedSequences
        As in `as_one_hot`.
    caller : str
        What messages begin with.
    comparable : bool
        Whether they must be of one length and different sequences.

    Raises
    ------
    InputError
        As `as_one_hot`; if they must be comparable, and are not.
    """
    here = load_for_reading(positives, f"{caller}: positives")
    there = load_for_reading(negatives, f"{caller}: negatives")
    if comparable:
        (x, _), (other, _) = here, there
        if x.shape[2] != other.shape[2]:
            raise InputError(
                f"{caller}: got positives of {x.shape[2]} bp and negatives of {other.shape[2]} bp, expected one "
                "length, the model's. Cut them to it."
            )
        check_disjoint(x, other, caller)
    return here, there


def load_split(folder: str | os.PathLike[str]) -> tuple[Dataset, Dataset]:
    """Load the training and the validation set of a folder.

    Parameters
    ----------
    folder : path
        Holds one FASTA file, plain or gzip, of each of the patterns train*.pos.fa*, train*.neg.fa*, valid*.pos.fa* and
        valid*.neg.fa*; indexes (.fai, .gzi) and backups (~, .bak) beside them are passed over.

    Returns
    -------
    train, valid : Dataset

    Raises
    ------
    InputError
        If the folder does not hold exactly one file of each, or as `load_dataset`.
    """
    finish(Path(folder))
    parts = [
        [_only_file(Path(folder), f"{part}*.{label}.fa*") for label in ("pos", "neg")] for part in ("train", "valid")
    ]
    return load_dataset(*parts[0]), load_dataset(*parts[1])


def load_test(folder: str | os.PathLike[str]) -> Dataset | None:
    """Load the test set of a folder, test*.pos.fa* and test*.neg.fa* as in `load_split`; None if it has neither."""
    finish(Path(folder))
    patterns = [f"test*.{label}.fa*" for label in ("pos", "neg")]
    if not any(_files(Path(folder), pattern) for pattern in patterns):
        return None
    return load_dataset(*(_only_file(Path(folder), pattern) for pattern in patterns))


def _only_file(folder: Path, pattern: str) -> Path:
    found = _files(folder, pattern)
    if len(found) != 1:
        names = ", ".join(path.name for path in found) or "none"
        raise InputError(f"{folder}: expected a folder with one file {pattern}, got {names}.")
    return found[0]


def _files(folder: Path, pattern: str) -> list[Path]:
    """Files of a folder, but for indexes and backups beside them."""
    return sorted(path for path in folder.glob(pattern) if not is_aside(path)) if folder.is_dir() else []
