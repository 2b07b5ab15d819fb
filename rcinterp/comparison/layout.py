"""Targets laid out so that a query's alignments with all targets of one width are sums of contiguous numbers."""

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.signedinteger]


@dataclass(frozen=True)
class TargetGroup:
    """Targets of one width, and where they are among all.

    Its columns are all first positions, then all second ones, and so on.
    """

    width: int
    members: slice
    columns: slice

    @property
    def size(self) -> int:
        """Number of targets."""
        return int(self.members.stop - self.members.start)


class TargetColumns:
    """Targets grouped by width.

    Parameters
    ----------
    targets : list of numpy.ndarray, shape (4, V)

    Attributes
    ----------
    order : numpy.ndarray of int
        Numbers of the targets, group after group.
    widths : numpy.ndarray of int
        Of the targets in this order.
    groups : list of TargetGroup
    columns : numpy.ndarray, shape (4, T)
        Those of all groups.
    """

    def __init__(self, targets: list[Floats]) -> None:
        widths = np.array([target.shape[1] for target in targets])
        self.order = np.argsort(widths, kind="stable")
        self.widths = widths[self.order]
        self.groups: list[TargetGroup] = []
        blocks, member, column = [], 0, 0
        for width, size in zip(*np.unique(widths, return_counts=True), strict=True):
            members = slice(member, member + int(size))
            group = TargetGroup(int(width), members, slice(column, column + int(width * size)))
            self.groups.append(group)
            blocks.append(np.stack([targets[i] for i in self.order[members]], axis=-1).reshape(4, -1))
            member, column = group.members.stop, group.columns.stop
        self.columns = np.concatenate(blocks, axis=1)


class AlignmentLayout:
    """The alignments of all targets with queries of one width: for several queries, but for one thread.

    Parameters
    ----------
    targets : TargetColumns
    width : int
        Of the queries.

    Notes
    -----
    With a group's columns side by side, the alignments at one offset with all its targets lie next to each other. They
    are the sum over query positions i of row i of the scores, each shifted by i positions; empty columns, of score 0,
    lie where a query hangs over. Sums are of 16 bits, so that queries may have 327 positions (`compare_motifs`: 100).
    """

    def __init__(self, targets: TargetColumns, width: int) -> None:
        groups, n_offsets = targets.groups, [group.width + width - 1 for group in targets.groups]
        self._n_ranks = max(n_offsets)
        fits = 2 * 100 * width * self._n_ranks < np.iinfo(np.int32).max
        self._whole = np.int32 if fits else np.int64
        ends = np.cumsum([0, *(n * group.size for n, group in zip(n_offsets, groups, strict=True))])
        padded = np.cumsum([0, *((n + width - 1) * group.size for n, group in zip(n_offsets, groups, strict=True))])
        rows = np.zeros((width, int(padded[-1])), dtype=np.int16)
        self._sums: Integers = np.empty(int(ends[-1]), dtype=np.int16)
        self._keys: Integers = np.empty(self._sums.size, dtype=self._whole)
        self._spare: Integers = np.empty_like(self._keys)
        self._best: Integers = np.empty(len(targets.order), dtype=self._whole)
        self._pieces = [
            _Piece(group, rows[:, start:end], self._sums[first:last], self._keys[first:last], self._best)
            for group, start, end, first, last in zip(groups, padded[:-1], padded[1:], ends[:-1], ends[1:], strict=True)
        ]
        self._overlaps, self._ranks, self._of_rank = self._preferences(targets, width, n_offsets)
        self._group_of = np.repeat(np.arange(len(groups)), [group.size for group in groups])

    def _preferences(
        self, targets: TargetColumns, width: int, n_offsets: list[int]
    ) -> tuple[Integers, Integers, Integers]:
        """Overlap of each alignment, its rank among those of equal score, and each group's (offset, overlap) by rank.

        The larger the overlap, then the smaller the offset, the larger the rank.
        """
        overlaps, ranks = [], []
        of_rank = np.zeros((len(targets.groups), self._n_ranks, 2), dtype=np.int64)
        for number, (group, n) in enumerate(zip(targets.groups, n_offsets, strict=True)):
            offset = np.arange(n) - (width - 1)
            overlap = np.minimum(offset + width, group.width) - np.maximum(offset, 0)
            by_rank = np.lexsort((-offset, overlap))
            of_rank[number, :n] = np.stack([offset, overlap], axis=1)[by_rank]
            overlaps.append(np.repeat(overlap, group.size))
            ranks.append(np.repeat(np.argsort(by_rank), group.size))
        return np.concatenate(overlaps).astype(self._whole), np.concatenate(ranks).astype(self._whole), of_rank

    def best(self, scores: Floats, lowest: int) -> tuple[Integers, Integers, Integers]:
        """Return the best score of each target, its offset and its overlap.

        Parameters
        ----------
        scores : numpy.ndarray, shape (W, T)
            Whole numbers from 0 to 100.
        lowest : int
            What is added to every one of them.
        """
        for piece in self._pieces:
            np.copyto(piece.place, scores[:, piece.columns], casting="unsafe")
        for piece in self._pieces:
            np.add.reduce(piece.shifted, axis=0, dtype=np.int16, out=piece.sums)
        keys, spare = self._keys, self._spare  # in the order of preference: (score, overlap, smaller offset)
        np.copyto(keys, self._sums)
        keys += np.multiply(self._overlaps, lowest, out=spare)
        keys *= self._n_ranks
        keys += self._ranks
        for piece in self._pieces:
            np.maximum.reduce(piece.keys, axis=0, out=piece.best)
        best, rank = np.divmod(self._best, self._n_ranks)
        chosen = self._of_rank[self._group_of, rank]
        return best, chosen[:, 0], chosen[:, 1]


class _Piece:
    """What of an `AlignmentLayout` belongs to one group: views of its arrays, which are the same for every query.

    Parameters
    ----------
    group : TargetGroup
    rows : numpy.ndarray of int16, shape (W, .)
        The scores, with W - 1 empty positions on either side.
    sums, keys : numpy.ndarray of int, flat
        An entry an alignment.
    best : numpy.ndarray of int
        An entry a target, of all groups.
    """

    def __init__(self, group: TargetGroup, rows: Integers, sums: Integers, keys: Integers, best: Integers) -> None:
        width, (step, item) = len(rows), rows.strides
        first = (width - 1) * group.size
        self.columns = group.columns
        self.place = rows[:, first : first + group.width * group.size]
        self.shifted = as_strided(rows, (width, sums.size), (step + group.size * item, item))
        self.sums, self.keys, self.best = sums, keys.reshape(-1, group.size), best[group.members]
