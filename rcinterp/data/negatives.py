"""Negatives drawn from those that there are: as many as the positives, with their GC contents if asked."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

#: Bins of GC content in which positives and negatives are matched.
GC_BINS = 20


def draw_negatives(
    positives: pd.Series[str],
    negatives: pd.Series[str],
    per_positive: float,
    match_gc: bool,
    rng: np.random.Generator,
) -> tuple[NDArray[np.intp], int]:
    """Return which negatives are kept, in their order, drawn bin by bin; and how many were wanted."""
    bins = [gc_bins(s) if match_gc else np.zeros(len(s), dtype=np.int64) for s in (positives, negatives)]
    wanted = _whole(per_positive * np.bincount(bins[0], minlength=GC_BINS))
    drawn = []
    for gc_bin, n in enumerate(wanted.tolist()):
        available = np.flatnonzero(bins[1] == gc_bin)
        drawn.append(rng.choice(available, size=min(n, len(available)), replace=False))
    return np.sort(np.concatenate(drawn)), int(wanted.sum())


def _whole(shares: NDArray[np.floating[Any]]) -> NDArray[np.int64]:
    """Return whole numbers near the shares that add up to their rounded sum: the largest remainders are rounded up."""
    whole: NDArray[np.int64] = np.floor(shares).astype(np.int64)
    missing = round(float(shares.sum())) - int(whole.sum())
    whole[np.argsort(whole - shares, kind="stable")[:missing]] += 1
    return whole


def gc_bins(sequences: pd.Series[str]) -> NDArray[np.int64]:
    """Return the bin of each sequence's GC content: 0 for 0 to 5 %, ..., 19 for 95 to 100 %; N does not count.

    Examples
    --------
    >>> import pandas as pd
    >>> gc_bins(pd.Series(["ATNN", "GATT", "GCNN"])).tolist()
    [0, 5, 19]
    """
    counts: NDArray[np.int64] = np.array(
        [[s.count("G") + s.count("C"), len(s) - s.count("N")] for s in sequences]
    ).reshape(-1, 2)
    binned: NDArray[np.int64] = counts[:, 0] * GC_BINS // np.maximum(counts[:, 1], 1)
    return np.minimum(binned, GC_BINS - 1)
