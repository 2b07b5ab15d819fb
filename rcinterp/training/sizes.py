"""Sizes of a compact model that fit the length of the sequences: width of the filters, pooling and its stride."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rcinterp.errors import InputError

#: Widths of the first convolution and of the others (section 3.4.2), and its pooling: tried first.
FIRST_WIDTH, OTHER_WIDTH, POOL, STRIDE = 15, 14, 40, 20
#: Pooling windows at least, of sizes that are chosen.
FEWEST_WINDOWS = 4
#: Fewer windows than these do not overlap: the ends would count half of what the middle counts.
FEWEST_OVERLAPPING = 12
#: Widths of the first convolution and pools that are tried for them, the nearest to these first.
_NEAR_WIDTH, _NEAR_POOL = range(12, 21), range(8, 31)
#: The last ones are for widths that are given: they leave an even number of positions over where the others do not.
_POOLINGS = ((POOL, STRIDE), (20, 10), (20, 20), (10, 10), (10, 5), (41, 20), (21, 10), (11, 10), (11, 5))


@dataclass(frozen=True)
class Sizes:
    """Sizes of a compact model.

    Attributes
    ----------
    widths : tuple of int
        Of each convolution.
    pool, stride : int
        Of the max pooling.
    """

    widths: tuple[int, ...]
    pool: int
    stride: int

    def windows(self, length: int) -> int:
        """Pooling windows in sequences of that length; 0 or less if there is none."""
        return 1 + self._spare(length) // self.stride

    def tiles(self, length: int) -> bool:
        """Whether windows, laid from both ends, are the same: an even number of positions is left over."""
        return self._spare(length) >= 0 and self._spare(length) % self.stride % 2 == 0

    def covers(self, length: int) -> bool:
        """Whether every position lies in one window."""
        return self.stride == self.pool and self._spare(length) >= 0 and self._spare(length) % self.stride == 0

    def _spare(self, length: int) -> int:
        return length - sum(width - 1 for width in self.widths) - self.pool


def choose_sizes(
    n_layers: int, length: int, widths: Sequence[int] | None = None, pool: int | None = None, stride: int | None = None
) -> Sizes:
    """Sizes that fit a length; those that are given are kept.

    Parameters
    ----------
    n_layers : int
    length : int
        Of the sequences, in bp.
    widths, pool, stride
        As in `rcinterp.compact_model`.

    Returns
    -------
    Sizes
        The paper's, 15 (then 14) and 40/20, if their windows tile the length and are at least `FEWEST_OVERLAPPING`.
        Else, if nothing is given, windows that do not overlap and leave no position over: at least `FEWEST_WINDOWS`,
        with a first width near 15 and a pool near 20. Else the first of a fixed list whose windows tile the length and
        are enough, with a first width of 15 or 16 and a pooling of 40/20, 20/10, 20/20, 10/10 or 10/5 (or of one
        position more). If all three are given, they are returned as they are.

    Raises
    ------
    InputError
        If none of them fits.

    Examples
    --------
    >>> choose_sizes(1, 1000)
    Sizes(widths=(15,), pool=40, stride=20)
    >>> choose_sizes(1, 101)
    Sizes(widths=(14,), pool=22, stride=22)
    """
    tried = [
        Sizes(tuple(chosen), *pooling)
        for pooling in _poolings(pool, stride)
        for chosen in ([widths] if widths is not None else _widths(n_layers))
    ]
    if None not in (widths, pool, stride):
        return tried[0]
    if (widths, pool, stride) == (None, None, None) and tried[0].windows(length) < FEWEST_OVERLAPPING:
        tried = [*_without_overlap(n_layers, length), *tried]
    for sizes in tried:
        if sizes.tiles(length) and sizes.windows(length) >= FEWEST_WINDOWS:
            return sizes
    fewer = [sizes for sizes in tried if sizes.tiles(length)]
    if fewer:  # what was given, or the length, leaves no more windows
        return max(fewer, key=lambda sizes: sizes.windows(length))
    enough = (n for n in range(length, 10**6) if any(s.tiles(n) and s.windows(n) >= FEWEST_WINDOWS for s in tried))
    longer = next(enough, None)
    free = [name for name, value in (("widths", widths), ("pool", pool), ("stride", stride)) if value is None]
    raise InputError(
        f"compact_model: got length={length}, for which no {', '.join(free)} fit what is given, expected "
        f"{'sizes below a million' if longer is None else f'e.g. {longer} bp'}. Give longer sequences, or smaller "
        "widths and pool (--width, --pool and --stride on the command line)."
    )


def _without_overlap(n_layers: int, length: int) -> list[Sizes]:
    """Sizes whose windows cover every position once, the nearest to the paper's width and half of its pool first."""
    every = [Sizes((w, *[OTHER_WIDTH] * (n_layers - 1)), pool, pool) for w in _NEAR_WIDTH for pool in _NEAR_POOL]
    covering = [sizes for sizes in every if sizes.covers(length) and sizes.windows(length) >= FEWEST_WINDOWS]
    return sorted(covering, key=lambda s: 2 * abs(s.widths[0] - FIRST_WIDTH) + abs(s.pool - STRIDE))


def _widths(n_layers: int) -> Iterator[tuple[int, ...]]:
    for first in (FIRST_WIDTH, FIRST_WIDTH + 1):  # one of them leaves an even number of positions over
        yield (first, *[OTHER_WIDTH] * (n_layers - 1))


def _poolings(pool: int | None, stride: int | None) -> list[tuple[int, int]]:
    """Poolings to try, those of the paper first."""
    if pool is None and stride is None:
        return list(_POOLINGS)
    if pool is not None and stride is not None:
        return [(pool, stride)]
    if pool is not None:
        strides = dict.fromkeys(s for s in (STRIDE, pool // 2, pool, pool // 2 + 1) if 1 <= s <= pool)
        return [(pool, each) for each in strides]
    assert stride is not None
    pools = dict.fromkeys(p for p in (POOL, 2 * stride, stride, POOL + 1, 2 * stride + 1) if p >= stride)
    return [(each, stride) for each in pools]
