"""Windows cut from a genome about the summits of regions, as section 3.3 of the paper does.

Windows are 0-based and half-open. Whatever is left out is counted by reason.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from rcinterp.data.genome import Genome, GenomeInput
from rcinterp.data.regions import read_regions
from rcinterp.errors import InputError, require_whole

#: The reason why a region of a chromosome that the genome lacks is left out.
ABSENT = "chromosome not in the genome"


@dataclass(frozen=True, eq=False)
class Windows:
    """What was cut, and what was left out.

    Parameters
    ----------
    table : pandas.DataFrame
        One row a window: chrom, start, end, sequence.
    left_out : dict of str to int
        How many regions gave no window, by reason.
    n_wanted : int, optional
        How many were to be drawn, where some were.
    """

    table: pd.DataFrame
    left_out: dict[str, int]
    n_wanted: int | None = None

    @property
    def sequences(self) -> pd.Series[str]:
        """The sequences, indexed by "chrom:start-end" (0-based, half-open), as `rcinterp.read_fasta` returns them."""
        table = self.table
        names = table["chrom"] + ":" + table["start"].astype(str) + "-" + table["end"].astype(str)
        return pd.Series(table["sequence"].to_numpy(), index=pd.Index(names, name="name"), name="sequence")


def place_windows(regions: pd.DataFrame, width: int) -> pd.DataFrame:
    """Return the window about each region's summit: chrom, start and end.

    Notes
    -----
    It begins width // 2 before the summit: an odd window has as many bases on both sides of it, an even one has one
    more before it. About the centre of a region as wide as itself it is that region.

    Examples
    --------
    >>> import pandas as pd
    >>> place_windows(pd.DataFrame({"chrom": ["chr1"], "summit": [130]}), 60).values.tolist()
    [['chr1', 100, 160]]
    """
    start = regions["summit"] - width // 2
    return pd.DataFrame({"chrom": regions["chrom"], "start": start, "end": start + width})


def cut_windows(regions: pd.DataFrame, genome: Genome, width: int, max_n: float = 0.0) -> Windows:
    """Cut the windows about the summits of regions; the rules are those of `extract_windows`."""
    require_whole("width", width, 1)
    if not 0 <= max_n <= 1:
        raise InputError(f"max_n: got {max_n:g}, expected a share of N from 0 to 1, e.g. 0 for none.")
    table = place_windows(regions.reset_index(drop=True), width)
    lengths = table["chrom"].map(genome.lengths)
    left_out = {}
    table, left_out[ABSENT] = _leave_out(table, lengths.isna())
    table, left_out["over an edge"] = _leave_out(table, (table["start"] < 0) | (table["end"] > lengths[table.index]))
    table, left_out["duplicate"] = _leave_out(table, table.duplicated())
    sequences = [genome.fetch(*window) for window in table.itertuples(index=False)]
    table = table.assign(sequence=pd.Series(sequences, index=table.index, dtype=str))
    table, left_out["too many N"] = _leave_out(table, [sequence.count("N") / width > max_n for sequence in sequences])
    return Windows(table.reset_index(drop=True), left_out)


def _leave_out(table: pd.DataFrame, bad: ArrayLike) -> tuple[pd.DataFrame, int]:
    is_bad = np.asarray(bad, dtype=bool)
    return table[~is_bad], int(is_bad.sum())


def extract_windows(
    bed: str | os.PathLike[str] | pd.DataFrame, genome: GenomeInput, width: int, *, max_n: float = 0.0
) -> pd.Series[str]:
    r"""Cut the window about each region's summit from a genome.

    Parameters
    ----------
    bed : path or pandas.DataFrame
        BED or narrowPeak, plain or gzip, in any order; or what `read_regions` returned.
    genome : path, or sequence of paths
        A FASTA file, plain or bgzip, a folder of them, or several files.
    width : int
        Of each window in bp. It begins width // 2 before the summit (BED: before the centre).
    max_n : float, default 0.0
        The largest share of N in a window. By default none may have any: N is an all-zero column, by which a model
        could tell two sets apart.

    Returns
    -------
    pandas.Series of str
        Upper-case sequences of one length, indexed by "chrom:start-end" (0-based, half-open), in the order of the
        regions: what `rcinterp.load_dataset`, `rcinterp.one_hot` and `rcinterp.write_fasta` take.

    Raises
    ------
    InputError
        For input that cannot be read, a width or share out of range, or if no window is left.

    Warns
    -----
    UserWarning
        If regions were left out, with how many by reason: a chromosome that is not in the genome; a window over an edge
        of its chromosome (never shifted); the same window again; too many N.

    References
    ----------
    Section 3.3 of the paper.

    Examples
    --------
    >>> from pathlib import Path
    >>> _ = Path("genome.fa").write_text(">chr1\nTTTTTACGTATTTTT\n")
    >>> _ = Path("peaks.bed").write_text("chr1\t5\t10\n")
    >>> extract_windows("peaks.bed", "genome.fa", 5).to_dict()
    {'chr1:5-10': 'ACGTA'}
    """
    regions = bed if isinstance(bed, pd.DataFrame) else read_regions(bed)
    if not {"chrom", "summit"} <= set(regions.columns):
        raise InputError(
            f"extract_windows: got a table of {', '.join(map(str, regions.columns))}, expected columns chrom and "
            "summit; read the file with read_regions."
        )
    with Genome(genome) as opened:
        windows = cut_windows(regions, opened, width, max_n)
    n, left_out = sum(windows.left_out.values()), describe_left_out(windows.left_out)
    if windows.table.empty:
        raise InputError(
            f"extract_windows: no window is left of {len(regions)} regions ({left_out}), expected some; check width "
            f"and genome, whose chromosomes are {name_some(opened.lengths)}."
        )
    if n:
        warnings.warn(f"extract_windows: {n} of {len(regions)} regions are left out: {left_out}.", stacklevel=2)
    return windows.sequences


def describe_left_out(left_out: dict[str, int]) -> str:
    """Return how many were left out by reason, as messages say it."""
    return ", ".join(f"{n} {reason}" for reason, n in left_out.items() if n) or "none left out"


def name_some(names: Iterable[str]) -> str:
    """Return the first 5 names, and how many there are if there are more."""
    names = list(names)
    return ", ".join(names[:5]) + (f", ... ({len(names)})" if len(names) > 5 else "")
