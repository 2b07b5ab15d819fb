"""One data set made into a training and a validation set: by chromosome where names allow it, else at random."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rcinterp.data.coordinates import parse_coordinates
from rcinterp.data.datasets import Dataset
from rcinterp.data.sequences import strandless_keys
from rcinterp.errors import InputError, require_whole

#: Share of the sequences that are held out.
VALID_SHARE = 0.2
#: How much less or more of them whole chromosomes may hold, as factors.
_TOLERANCE = (0.5, 1.5)
#: Fewest sequences of either class on either side.
_FEWEST = 10


def split_dataset(data: Dataset, *, seed: int, share: float = VALID_SHARE) -> tuple[Dataset, Dataset, dict[str, Any]]:
    """Hold out some sequences for validation.

    Parameters
    ----------
    data : Dataset
    seed : int
        Of the order in which chromosomes are looked at, or of the random draw.
    share : float
        Of the sequences that are held out, 0.2 by default.

    Returns
    -------
    train, valid : Dataset
    how : dict
        ``by``: "chromosome" or "random"; ``valid_chromosomes``: those held out; ``seed`` and ``share``.

    Raises
    ------
    InputError
        If the share is none, or either side would lack a class.

    Notes
    -----
    If all names hold coordinates (`parse_coordinates`), whole chromosomes are held out. They are looked at in a random
    order. Each is taken that does not make them hold more than 1.5 times the share, until they hold the share. If they
    hold less than half of it, or fewer than ten sequences of a class lie on either side, sequences are drawn at random
    instead, class by class; a sequence and its copies, on either strand, stay together.
    """
    require_whole("seed", seed, 0)
    if not isinstance(share, float) or not 0 < share < 1:
        raise InputError(f"split_dataset: got share={share}, expected a number between 0 and 1, e.g. 0.2.")
    held_out = _by_chromosome(data, seed, share)
    how: dict[str, Any] = {"by": "random", "seed": seed, "share": share}
    if held_out is not None:
        how |= {"by": "chromosome", "valid_chromosomes": sorted(held_out[1])}
    rows = _at_random(data, seed, share) if held_out is None else held_out[0]
    for side in (rows, ~rows):
        labels = data.y.numpy()[side]
        if not len(labels) or (labels.min(0) == labels.max(0)).any():
            raise InputError(
                f"split_dataset: got {data!r}, expected enough of either class to hold out a share of {share:g}; give "
                "validation sequences of your own."
            )
    return take_rows(data, ~rows), take_rows(data, rows), how


def take_rows(data: Dataset, rows: NDArray[np.bool_]) -> Dataset:
    """The sequences of some rows, in their order."""
    chosen = np.flatnonzero(rows)
    return Dataset(data.x[chosen], data.y[chosen], tuple(data.names[i] for i in chosen))


def _by_chromosome(data: Dataset, seed: int, share: float) -> tuple[NDArray[np.bool_], list[str]] | None:
    """Rows of whole chromosomes that hold about that share, and which; None where there are none."""
    places = parse_coordinates(data.names, data.length)
    if places is None:
        return None
    counts = places["chrom"].value_counts().sort_index()
    most, wanted = _TOLERANCE[1] * share * len(data), share * len(data)
    held_out: list[str] = []
    n_held_out = 0
    for i in np.random.default_rng(seed).permutation(len(counts)):
        if n_held_out < wanted and n_held_out + counts.iloc[i] <= most:
            held_out.append(str(counts.index[i]))
            n_held_out += int(counts.iloc[i])
    rows = places["chrom"].isin(held_out).to_numpy()
    labels = data.y.numpy()
    sides = [np.minimum(labels[side].sum(0), (1 - labels[side]).sum(0)).min() for side in (rows, ~rows)]
    return (rows, held_out) if n_held_out >= _TOLERANCE[0] * wanted and min(sides) >= _FEWEST else None


def _at_random(data: Dataset, seed: int, share: float) -> NDArray[np.bool_]:
    """Rows drawn from each set of labels; copies of a sequence are drawn together."""
    groups: dict[bytes, list[int]] = {}
    for row, key in enumerate(strandless_keys(data.x)):
        groups.setdefault(key, []).append(row)
    by_labels: dict[tuple[float, ...], list[list[int]]] = {}
    for rows in groups.values():
        by_labels.setdefault(tuple(data.y[rows[0]].tolist()), []).append(rows)
    classes = [members for _, members in sorted(by_labels.items())]
    large = [members for members in classes if len(members) >= _FEWEST]
    rest = [rows for members in classes if len(members) < _FEWEST for rows in members]  # rare sets of labels
    rng = np.random.default_rng(seed)
    held_out = np.zeros(len(data), dtype=bool)
    for members in [*large, rest]:
        for i in rng.permutation(len(members))[: round(share * len(members))]:
            held_out[members[i]] = True
    return held_out
