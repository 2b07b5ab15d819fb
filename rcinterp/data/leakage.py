"""Sequences that stand in a training set and in what it is measured on, on either strand; and duplicates."""

from __future__ import annotations

import warnings
from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rcinterp.data.coded import Sequences, batches_of
from rcinterp.data.coordinates import find_windows
from rcinterp.data.datasets import Dataset
from rcinterp.data.regions import overlap_any
from rcinterp.data.sequences import strandless_keys

_LETTERS = 1_000_000  # at a time: their floats, and what is made of them, take many times their number


@dataclass(frozen=True)
class Leakage:
    """How much a validation set has of its training set.

    Attributes
    ----------
    shared : int
        Validation sequences that stand in the training set, as they are or as their reverse complement (RC).
    contradicted : int
        Those of them that have other labels there.
    overlapping : int
        Further validation sequences that overlap a training sequence by at least half, of those whose names hold
        coordinates.
    train_duplicates, valid_duplicates : int
        Sequences of the set that stood in it before, on either strand.
    train_contradicted, valid_contradicted : int
        Those of them that stood in it with another label: negatives that are positives, or their RCs.
    """

    shared: int
    contradicted: int
    overlapping: int
    train_duplicates: int
    valid_duplicates: int
    train_contradicted: int = 0
    valid_contradicted: int = 0

    def messages(self) -> list[str]:
        """One sentence on each thing that was found; none if nothing was."""
        said = []
        if self.shared:
            other = f", {self.contradicted} of them with another label" if self.contradicted else ""
            said.append(
                f"{self.shared} validation sequences also stand in the training set, as they are or as their reverse "
                f"complement{other}: performance on them says nothing about new sequences; remove them from one."
            )
        if self.overlapping:
            said.append(
                f"{self.overlapping} validation sequences overlap a training sequence by half or more; keep "
                "chromosomes apart."
            )
        for name, n, n_other in (
            ("training", self.train_duplicates, self.train_contradicted),
            ("validation", self.valid_duplicates, self.valid_contradicted),
        ):
            if n:
                other = f", {n_other} of them with another label" if n_other else ""
                said.append(
                    f"{n} sequences of the {name} set stand in it more than once (reverse complements included){other}."
                )
        return said


def find_leakage(train: Dataset, valid: Dataset) -> Leakage:
    """Count what a training and a validation set share.

    Parameters
    ----------
    train, valid : Dataset
        Of one length.

    Returns
    -------
    Leakage

    Notes
    -----
    Sequences are compared letter by letter. One that is shifted by a base, or differs in a letter, is found only if the
    names of both sets hold coordinates (`rcinterp.data.coordinates.find_windows`); names without are passed over.

    Examples
    --------
    >>> from rcinterp import load_dataset
    >>> train = load_dataset(["ACCTA", "CCGTA"], ["TTGTT", "GGGCG"])
    >>> find_leakage(train, load_dataset(["TAGGT"], ["CCCCA"])).shared
    1
    """
    in_train, in_valid = strandless_keys(train.x), strandless_keys(valid.x)
    labels: dict[bytes, set[tuple[float, ...]]] = {}
    for key, label in zip(in_train, map(tuple, train.y.tolist()), strict=True):
        labels.setdefault(key, set()).add(label)
    shared = np.array([key in labels for key in in_valid], dtype=bool)
    given = zip(in_valid, map(tuple, valid.y.tolist()), strict=True)
    return Leakage(
        shared=int(shared.sum()),
        contradicted=sum(key in labels and label not in labels[key] for key, label in given),
        overlapping=int((_overlap_by_half(train, valid) & ~shared).sum()),
        train_duplicates=_duplicates(in_train),
        valid_duplicates=_duplicates(in_valid),
        train_contradicted=_contradictions(in_train, train),
        valid_contradicted=_contradictions(in_valid, valid),
    )


@dataclass(frozen=True)
class Repeats:
    """Sequences of two classes that stand there more than once, on either strand.

    Attributes
    ----------
    in_both : int
        Different sequences that stand in both classes.
    in_positives, in_negatives : int
        Sequences of the class that stood in it before.
    """

    in_both: int
    in_positives: int
    in_negatives: int

    def messages(self) -> list[str]:
        """One sentence on each thing that was found; none if nothing was."""
        said = []
        if self.in_both:
            said.append(
                f"{self.in_both} sequences stand both in the positives and in the negatives, as they are or as their "
                "reverse complement."
            )
        for name, n in (("positives", self.in_positives), ("negatives", self.in_negatives)):
            if n:
                said.append(f"{n} sequences of the {name} stand in it more than once (reverse complements included).")
        return said

    def warn(self, caller: str, stacklevel: int) -> None:
        """Warn of each thing that was found; messages begin with `caller`."""
        for message in self.messages():
            warnings.warn(f"{caller}: {message}", stacklevel=stacklevel)


def find_repeats(positives: Sequences, negatives: Sequences) -> Repeats:
    """Count the sequences that stand in both classes, or in one of them twice.

    Examples
    --------
    >>> from rcinterp.data.sequences import one_hot
    >>> find_repeats(one_hot(["ACCTA", "TAGGT"]), one_hot(["TAGGT", "GGGGG"]))
    Repeats(in_both=1, in_positives=1, in_negatives=0)
    """
    return repeats_of(keys_of(positives), keys_of(negatives))


def keys_of(x: Sequences) -> NDArray[np.bytes_]:
    """One key a sequence, (N,), the same for its reverse complement; a part of the sequences at a time."""
    batches = [np.array(strandless_keys(batch), "S16") for batch in batches_of(x, _LETTERS)]
    return np.concatenate([np.empty(0, "S16"), *batches])


def repeats_of(positives: NDArray[np.bytes_], negatives: NDArray[np.bytes_]) -> Repeats:
    """Count as `find_repeats`, of the keys of sequences."""
    here, there = np.unique(positives), np.unique(negatives)
    n_both = len(np.intersect1d(here, there, assume_unique=True))
    return Repeats(n_both, len(positives) - len(here), len(negatives) - len(there))


def _contradictions(keys: list[bytes], data: Dataset) -> int:
    """Sequences that stood in a set before, with another label than at first."""
    first: dict[bytes, tuple[float, ...]] = {}
    labels = map(tuple, data.y.tolist())
    return sum(first.setdefault(key, label) != label for key, label in zip(keys, labels, strict=True))


def _duplicates(keys: list[bytes]) -> int:
    return sum(n - 1 for n in Counter(keys).values())


def _overlap_by_half(train: Dataset, valid: Dataset) -> NDArray[np.bool_]:
    """Whether each validation window shares half of its length with a training window: their middle halves meet."""
    here, there = (find_windows(data.names, data.length) for data in (train, valid))
    quarter = train.length // 4
    cores = [table.assign(start=table["start"] + quarter, end=table["end"] - quarter) for table in (there, here)]
    found = np.zeros(len(valid), dtype=bool)
    found[there.index] = overlap_any(*cores)
    return found
