"""The data of a study's runs, as recipes that any process on any machine can follow again."""

from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import torch

from rcinterp.data.datasets import Dataset, load_split, load_test
from rcinterp.data.simulation import Simulation, Split, simulate_motifs
from rcinterp.errors import InputError
from rcinterp.motifs import load_motifs

#: The motifs of section 3.2, as ENCODE names them.
PAPER_MOTIFS = ("GATA_known6", "ELF1_known2", "RXRA_known1")


class Data(Protocol):
    """Training and validation set of a run, and a test set where there is one."""

    @property
    def label(self) -> str:
        """What tables and figures call it."""

    @property
    def sizes(self) -> tuple[int, int]:
        """Length of the sequences in bp, and number of tasks."""

    def identity(self) -> dict[str, Any]:
        """All that decides what is in it, wherever it is; JSON."""

    def load(self) -> tuple[Dataset, Dataset, Dataset | None]:
        """Training, validation and test set."""


@dataclass(frozen=True)
class Simulated:
    """Sequences with embedded motifs, as in section 3.2: wrong labels in training and validation, none in the test set.

    Attributes
    ----------
    motifs : tuple of str
        ENCODE motifs, one task each.
    n_per_motif : int
    length : int
        In bp.
    label_noise : float
        Share of the sequences of training and validation set whose labels are shuffled (section 3.2).
    flipped : float
        Share of the labels of the training set alone that are turned, each by itself (Zhou, Shrikumar & Kundaje 2022).
    seed : int
        Of the simulation, of its split and of what is turned.
    """

    motifs: tuple[str, ...] = PAPER_MOTIFS
    n_per_motif: int = 10_000
    length: int = 200
    label_noise: float = 0.2
    flipped: float = 0.0
    seed: int = 0

    @property
    def label(self) -> str:
        """What tables and figures call it."""
        return f"{self.length} bp" if self.motifs == PAPER_MOTIFS else f"{len(self.motifs)} motifs, {self.length} bp"

    @property
    def sizes(self) -> tuple[int, int]:
        """Length of the sequences in bp, and number of tasks."""
        return self.length, len(self.motifs)

    def identity(self) -> dict[str, Any]:
        """All that decides what is in it."""
        return {"simulated": asdict(self)}

    def simulate(self) -> Simulation:
        """The sequences with the truth about them, before the split."""
        catalogue = load_motifs("encode")
        motifs = {name: catalogue[name] for name in self.motifs}
        return simulate_motifs(motifs, self.n_per_motif, self.length, seed=self.seed, label_noise=self.label_noise)

    def load(self) -> Split:
        """Training, validation and test set: 40, 30 and 30 %."""
        return _split(self)


@lru_cache(maxsize=2)
def _split(data: Simulated) -> Split:
    split = data.simulate().split(seed=data.seed)
    if not data.flipped:
        return split
    y = split.train.y
    turned = torch.rand(y.shape, generator=torch.Generator().manual_seed(data.seed)) < data.flipped
    return split._replace(train=replace(split.train, y=torch.where(turned, 1 - y, y)))


@dataclass(frozen=True)
class Folder:
    """A folder as `load_split` reads it, or a share of its training set; with a test set if it holds one.

    Attributes
    ----------
    path : Path
    share : float
        Of the training sequences of either class, the same for every seed; smaller shares are parts of larger ones.
    """

    path: Path
    share: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.share <= 1:
            raise InputError(f"share: got {self.share}, expected a share of the training set above 0 and up to 1.")

    @property
    def label(self) -> str:
        """What tables and figures call it."""
        return self.path.resolve().name

    @property
    def sizes(self) -> tuple[int, int]:
        """Length of the sequences in bp, and number of tasks."""
        train = self.load()[0]
        return train.length, train.n_tasks

    def identity(self) -> dict[str, Any]:
        """Hashes of the sets; the path plays no part."""
        return dict(_hashes(self, _stamp(self.path)))

    def load(self) -> tuple[Dataset, Dataset, Dataset | None]:
        """Training, validation and test set."""
        return _share(self, _stamp(self.path))


#: Names, sizes and times of the files in a folder: a process that lives longer than its data must not mix them up.
_Stamp = tuple[tuple[str, int, int], ...]


def _stamp(folder: Path) -> _Stamp:
    files = sorted(folder.glob("*.fa*"))
    return tuple((path.name, (status := path.stat()).st_size, status.st_mtime_ns) for path in files)


@lru_cache(maxsize=256)
def _hashes(data: Folder, stamp: _Stamp) -> dict[str, str]:
    sets = zip(("train", "valid", "test"), _share(data, stamp), strict=True)
    return {f"{part}_sha256": one.sha256 for part, one in sets if one is not None}


def _share(data: Folder, stamp: _Stamp) -> tuple[Dataset, Dataset, Dataset | None]:
    train, valid, test = _read(data.path, stamp)
    return (train if data.share == 1 else _take(train, data.share)), valid, test


@lru_cache(maxsize=2)
def _read(folder: Path, stamp: _Stamp) -> tuple[Dataset, Dataset, Dataset | None]:
    train, valid, test = *load_split(folder), load_test(folder)
    if test is not None and test.length != train.length:  # now, not when the first model is trained
        raise InputError(
            f"{folder}: its test sequences have {test.length} bp, those for training {train.length}; expected as many."
        )
    return train, valid, test


def _take(data: Dataset, share: float) -> Dataset:
    """The first share of either class in an order drawn once and for all; at least one sequence of each."""
    order = torch.randperm(len(data), generator=torch.Generator().manual_seed(0))
    taken = []
    for label in (1, 0):
        rows = order[data.y[order, 0] == label]
        taken.append(rows[: max(1, round(share * len(rows)))])
    chosen = torch.cat(taken)
    return Dataset(data.x[chosen], data.y[chosen], tuple(data.names[i] for i in chosen.tolist()))
