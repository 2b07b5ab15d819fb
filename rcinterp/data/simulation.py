"""Simulated sequences with embedded motifs (the paper's section 3.2), and where each motif instance stands."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray

from rcinterp.data.datasets import Dataset
from rcinterp.data.sequences import codes_to_one_hot
from rcinterp.errors import InputError, require_whole
from rcinterp.memory import require_memory
from rcinterp.motifs.matrices import as_ppm

#: The spawn keys that keep the random streams of one seed apart.
_MOTIFS_STREAM, _BACKGROUND_STREAM, _SPLIT_STREAM = range(3)

#: Of memory while they are drawn: a uniform number of 8 bytes, codes, and a one-hot of 16 bytes.
_BYTES_A_BASE = 26


class Split(NamedTuple):
    """The three parts of a simulation: noisy labels in `train` and `valid`, clean labels in `test`."""

    train: Dataset
    valid: Dataset
    test: Dataset


@dataclass(frozen=True, eq=False, repr=False)
class Simulation:
    """N simulated sequences, one embedded motif each, in random order, with the truth about them.

    Parameters
    ----------
    x : torch.Tensor
        Shape (N, 4, L), float32: one-hot sequences.
    y : torch.Tensor
        Shape (N, n_motifs), float32: y[i, k] = 1 if sequence i carries motif k, after label noise.
    y_clean : torch.Tensor
        The same before label noise.
    names : tuple of str
        N names: the motif and a number.
    sites : pandas.DataFrame
        One row an instance, ordered by sequence and start: `sequence` (row of x), `motif`, `start` and `end` (bp,
        0-based half-open), `strand` ("+", or "-" for an instance inserted as its reverse complement).
    motifs : tuple of str
        The motif of each column of y.
    """

    x: torch.Tensor
    y: torch.Tensor
    y_clean: torch.Tensor
    names: tuple[str, ...]
    sites: pd.DataFrame
    motifs: tuple[str, ...]

    def __len__(self) -> int:
        return self.x.shape[0]

    def __repr__(self) -> str:
        return f"Simulation({len(self)} sequences of {self.x.shape[2]} bp, {len(self.sites)} sites of {self.motifs})"

    def split(self, fractions: tuple[float, float, float] = (0.4, 0.3, 0.3), *, seed: int) -> Split:
        """Allocate the sequences at random to training, validation and test.

        Parameters
        ----------
        fractions : tuple of three floats, default (0.4, 0.3, 0.3)
            The shares of train, valid and test; their sum is 1.
        seed : int
            The same seed gives the same split.

        Returns
        -------
        Split
            Three data sets, (train, valid, test). Labels are `y` in train and valid, `y_clean` in test.

        Raises
        ------
        InputError
            If the fractions are not three positive numbers that sum to 1, or a part would be empty.

        References
        ----------
        Section 3.2 of the paper: 40 % training, 30 % validation, 30 % testing.
        """
        if len(fractions) != 3 or min(fractions) <= 0 or not math.isclose(sum(fractions), 1, abs_tol=1e-6):
            raise InputError(f"split: got fractions {fractions}, expected three positive numbers that sum to 1.")
        bounds = [round(len(self) * share) for share in np.cumsum(fractions)[:2]]
        parts = np.split(_generator(seed, _SPLIT_STREAM).permutation(len(self)), bounds)
        if not all(part.size for part in parts):
            raise InputError(
                f"split: got {len(self)} sequences for fractions {fractions}, expected at least one for each part; "
                "simulate more sequences."
            )
        labels = (self.y, self.y, self.y_clean)
        return Split(
            *(Dataset(self.x[p], y[p], tuple(self.names[i] for i in p)) for p, y in zip(parts, labels, strict=True))
        )


def simulate_motifs(  # noqa: PLR0913  # the numbers of section 3.2, each by its name
    motifs: Mapping[str, ArrayLike],
    n_per_motif: int = 10_000,
    length: int = 200,
    *,
    seed: int,
    gc: float = 0.4,
    label_noise: float = 0.0,
    mean_instances: float = 2,
    min_instances: int = 1,
    max_instances: int = 3,
) -> Simulation:
    """Simulate sequences that each carry a few instances of one motif.

    Parameters
    ----------
    motifs : dict of str to (4, W) array
        Position probability matrices (PPM), rows A, C, G, T; widths may differ.
    n_per_motif : int, default 10_000
        Sequences for each motif.
    length : int, default 200
        Their length in bp.
    seed : int
        The same seed and arguments give the same numbers. `label_noise` changes nothing but `y`.
    gc : float, default 0.4
        Probability of a G or C in the background.
    label_noise : float, default 0
        Share of the sequences whose labels are shuffled among them, as whole rows of y. The paper's is 0.2.
    mean_instances : float, default 2
        Mean of the Poisson distribution of the number of instances, before truncation.
    min_instances, max_instances : int, default 1 and 3
        Where it is truncated.

    Returns
    -------
    Simulation
        n_motifs * n_per_motif sequences in random order, their labels with and without noise, and all sites.

    Raises
    ------
    InputError
        If a matrix is no PPM, a number is out of its range, or the length is too short for the widest motif.

    Notes
    -----
    For each sequence: (1) a background of independent bases; (2) the number of instances, Poisson, drawn again until in
    range, which is the same as drawing from the probabilities in range scaled to sum to 1; (3) each instance sampled
    from the PPM, (4) reverse complemented with probability 0.5 and (5) inserted, one after the other, at a start drawn
    uniformly from those that overlap no earlier instance. That sequential process is the authors'; it is not uniform
    over joint placements. It cannot jam if length - W + 1 > (max_instances - 1)(2W - 1), which is required.

    A shuffled label may come back to a sequence of the same motif, so fewer than `label_noise` of the rows differ.

    References
    ----------
    Section 3.2 of the paper (10,000 sequences of 200 bp for each of three motifs, label noise 0.2).

    Examples
    --------
    >>> import numpy as np
    >>> tata = np.array([[0, 1, 0, 1, 1], [0, 0, 0, 0, 0], [0, 0, 0, 0, 0], [1, 0, 1, 0, 0]])
    >>> simulate_motifs({"TATAA": tata}, n_per_motif=3, length=50, seed=0).x.shape
    torch.Size([3, 4, 50])
    """
    ppms = _check_motifs(motifs)
    _check_counts(n_per_motif, label_noise, mean_instances, min_instances, max_instances)
    _check_length(length, ppms, max_instances)
    n = len(ppms) * n_per_motif
    _check_memory(n, length)
    rng = _generator(seed, _MOTIFS_STREAM)
    codes = _sample_bases(_background_ppm(gc, length), n, rng)
    rows_of = rng.permutation(n).reshape(len(ppms), n_per_motif)
    y_clean = torch.zeros(n, len(ppms))
    names = np.empty(n, dtype=object)
    sites = []
    for k, (name, ppm) in enumerate(ppms.items()):
        counts = _sample_counts(n_per_motif, mean_instances, min_instances, max_instances, rng)
        sites.append(_insert(codes, rows_of[k], _sample_starts(counts, ppm.shape[1], length, rng), ppm, rng))
        sites[-1].insert(1, "motif", name)
        y_clean[rows_of[k][counts > 0], k] = 1
        names[rows_of[k]] = [f"{name}_{i}" for i in range(n_per_motif)]
    table = pd.concat(sites).sort_values(["sequence", "start"], ignore_index=True)
    y = _shuffle_labels(y_clean, label_noise, rng)
    return Simulation(codes_to_one_hot(codes), y, y_clean, tuple(names), table, tuple(ppms))


def simulate_background(n: int, length: int, *, seed: int, gc: float = 0.4) -> torch.Tensor:
    """Simulate sequences of independent bases, the negatives of a task of one motif.

    Parameters
    ----------
    n : int
        How many.
    length : int
        Their length in bp.
    seed : int
        The same seed gives the same sequences; they are independent of `simulate_motifs` with the same seed.
    gc : float, default 0.4
        Probability of a G or C.

    Returns
    -------
    torch.Tensor
        Shape (n, 4, length), float32, one-hot.

    Raises
    ------
    InputError
        If a number is out of its range.

    References
    ----------
    Section 3.2 of the paper, step 1.

    Examples
    --------
    >>> simulate_background(2, 7, seed=0).shape
    torch.Size([2, 4, 7])
    """
    require_whole("n", n, 1, "simulate")
    require_whole("length", length, 1, "simulate")
    _check_memory(n, length)
    return codes_to_one_hot(_sample_bases(_background_ppm(gc, length), n, _generator(seed, _BACKGROUND_STREAM)))


def _check_memory(n: int, length: int) -> None:
    what = f"simulate: {n:,} sequences of {length:,} bp"
    require_memory(what, _BYTES_A_BASE * int(n) * int(length), "simulate fewer or shorter ones")


def _generator(seed: int, stream: int) -> np.random.Generator:
    require_whole("seed", seed, 0, "simulate")
    return np.random.default_rng(np.random.SeedSequence(int(seed), spawn_key=(stream,)))


def _background_ppm(gc: float, length: int) -> NDArray[np.float64]:
    if not 0 <= gc <= 1:
        raise InputError(f"simulate: got gc={gc}, expected a share from 0 to 1, e.g. 0.4 for 40 %.")
    return np.repeat([[(1 - gc) / 2], [gc / 2], [gc / 2], [(1 - gc) / 2]], length, axis=1)


def _sample_bases(ppm: NDArray[np.float64], n: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return n sequences sampled from a PPM (4, W) as codes of shape (n, W)."""
    uniform = rng.random((n, ppm.shape[1]))
    codes = np.zeros(uniform.shape, dtype=np.uint8)
    for threshold in ppm.cumsum(axis=0)[:3]:
        codes += uniform >= threshold
    return codes


def _sample_counts(n: int, mean: float, smallest: int, largest: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return n draws from Poisson(mean), truncated to smallest, ..., largest."""
    values = np.arange(smallest, largest + 1)
    log_weights = np.array([k * math.log(mean) - math.lgamma(k + 1) for k in values])
    weights = np.exp(log_weights - log_weights.max())
    return rng.choice(values, size=n, p=weights / weights.sum())


def _sample_starts(counts: NDArray[np.int64], width: int, length: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return starts (n, largest count), drawn one instance after the other, again while it overlaps; absent: -width."""
    starts = np.full((len(counts), counts.max()), -width)
    for j in range(starts.shape[1]):
        pending = np.flatnonzero(counts > j)
        while pending.size:
            drawn = rng.integers(length - width + 1, size=pending.size)
            starts[pending, j] = drawn
            overlaps = (np.abs(starts[pending, :j] - drawn[:, None]) < width).any(axis=1)
            pending = pending[overlaps]
    return starts


def _insert(
    codes: NDArray[np.uint8],
    rows: NDArray[np.int64],
    starts: NDArray[np.int64],
    ppm: NDArray[np.float64],
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Overwrite codes[rows] at the starts with instances of the PPM, either strand, and return the table of sites."""
    sequence, start = rows[np.nonzero(starts >= 0)[0]], starts[starts >= 0]
    instances = _sample_bases(ppm, len(start), rng)
    reverse = rng.random(len(start)) < 0.5
    instances[reverse] = 3 - instances[reverse, ::-1]
    width = ppm.shape[1]
    codes[sequence[:, None], start[:, None] + np.arange(width)] = instances
    strand = np.where(reverse, "-", "+")
    return pd.DataFrame({"sequence": sequence, "start": start, "end": start + width, "strand": strand})


def _shuffle_labels(y: torch.Tensor, share: float, rng: np.random.Generator) -> torch.Tensor:
    """Return y with the rows of a random share of the sequences permuted among them."""
    chosen = rng.permutation(len(y))[: round(share * len(y))]
    noisy = y.clone()
    noisy[chosen] = y[rng.permutation(chosen)]
    return noisy


def _check_motifs(motifs: Mapping[str, ArrayLike]) -> dict[str, NDArray[np.float64]]:
    if not isinstance(motifs, Mapping) or not motifs:
        raise InputError(
            f"simulate_motifs: got motifs={str(motifs)[:40]}, expected at least one motif; "
            "give a dict of name to (4, W) PPM."
        )
    ppms = {name: as_ppm(motif, name) for name, motif in motifs.items()}
    return {name: ppm / ppm.sum(axis=0) for name, ppm in ppms.items()}


def _check_counts(n_per_motif: int, label_noise: float, mean: float, smallest: int, largest: int) -> None:
    require_whole("n_per_motif", n_per_motif, 1, "simulate")
    require_whole("min_instances", smallest, 0, "simulate")
    require_whole("max_instances", largest, max(1, smallest), "simulate")
    if not 0 < mean < math.inf:
        raise InputError(f"simulate_motifs: got mean_instances={mean}, expected a number above 0, e.g. 2.")
    if not 0 <= label_noise <= 1:
        raise InputError(
            f"simulate_motifs: got label_noise={label_noise}, expected a share from 0 to 1, e.g. 0.2 for 20 %."
        )


def _check_length(length: int, ppms: Mapping[str, NDArray[np.float64]], max_instances: int) -> None:
    require_whole("length", length, 1, "simulate")
    name, width = max(((name, ppm.shape[1]) for name, ppm in ppms.items()), key=lambda pair: pair[1])
    shortest = width + (max_instances - 1) * (2 * width - 1)
    if length < shortest:
        raise InputError(
            f"simulate_motifs: got length={length} bp, expected at least {shortest} bp, so that {max_instances} "
            f"instances of {name!r} ({width} bp) always find room; use length={shortest} or a smaller max_instances."
        )
