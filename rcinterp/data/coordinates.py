"""The genome's coordinates that stand in the names of sequences."""

import re
from collections.abc import Sequence

import pandas as pd

from rcinterp.files import parse_whole

_NUMBER = r"\d{1,3}(?:,\d{3})+|\d+"
_WINDOW = rf":(?P<start>{_NUMBER})-(?P<end>{_NUMBER})(?:\((?P<strand>[+.-])\))?(?:\|(?P<more>[^:]*))?$"
#: Names such as ``chr1:100-200``, ``chr1:100-200(-)`` (bedtools getfasta -s), ``peak_1::chr1:100-200(+)`` (-name) and
#: ``chr1:1,000-1,200|CTCF``; after a single colon or a bar the chromosome must begin with chr: ``peak:chr1:100-200``.
_COLON = (
    re.compile(r"^(?:.*::)?(?:[^:]*[:|])?(?P<chrom>chr[^:|\s]+)" + _WINDOW),
    re.compile(r"^(?:.*::)?(?P<chrom>[^:\s]+)" + _WINDOW),
)
#: Names such as ``chr1_100_200``, ``chr1-100-200`` and ``chrX_random.100.200``.
_JOINED = re.compile(r"^(?P<chrom>chr\w+?)(?P<by>[_.|-])(?P<start>\d+)(?P=by)(?P<end>\d+)$")


def find_windows(names: Sequence[str], length: int) -> pd.DataFrame:
    """Columns chrom, start, end (0-based half-open) and strand of those of these names that hold such a window.

    Parameters
    ----------
    names : sequence of str
        As FASTA headers have them: ``chr1:100-200``, ``chr1:1,000-1,100``, ``chr1:100-200(-)``,
        ``peak_1::chr1:100-200(+)``, ``peak_1:chr1:100-200``, ``chr1:100-200|CTCF``, ``chr1_100_200``, ``chr1-100-200``.
    length : int
        Of the sequences, in bp. Coordinates that are not as far apart are none of the sequences; those that are one
        less are 1-based and closed, as `samtools faidx` writes them.

    Returns
    -------
    DataFrame
        Its index is the place of each name among all. ``strand`` is None where the name does not tell one.

    Examples
    --------
    >>> find_windows(["decoy", "chr1:100-200", "peak_7:chr2:1,301-1,400"], 100).to_dict("index")[2]["start"]
    1300
    """
    table = _read(names)
    is_closed = (table["end"] - table["start"] == length - 1) & (table["start"] > 0)
    table["start"] -= is_closed.astype(int)
    return table[table["end"] - table["start"] == length]


def _read(names: Sequence[str]) -> pd.DataFrame:
    """Chromosome, both numbers and strand of the names that have them, whatever lies between the numbers."""
    rows: dict[int, tuple[str, int, int, str | None]] = {}
    for place, name in enumerate(names):
        match = next((found for form in (*_COLON, _JOINED) if (found := form.match(name))), None)
        if match is None:
            continue
        start, end = (parse_whole(match[side].replace(",", "")) for side in ("start", "end"))
        if start is not None and end is not None:
            rows[place] = match["chrom"], start, end, _strand_of(match.groupdict())
    table = pd.DataFrame.from_dict(rows, orient="index", columns=["chrom", "start", "end", "strand"])
    table["strand"] = pd.Series([row[3] for row in rows.values()], index=table.index, dtype=object)
    return table.astype({"start": "int64", "end": "int64"})


def _strand_of(groups: dict[str, str | None]) -> str | None:
    """Plus or minus as it stands in brackets, or between bars after the window."""
    after = (groups.get("more") or "").split("|")
    return next((one for one in (groups.get("strand"), *after) if one in ("+", "-")), None)


def parse_coordinates(names: Sequence[str], length: int) -> pd.DataFrame | None:
    """Columns chrom, start, end (0-based half-open) and strand of these names; None if any holds no such window.

    Parameters
    ----------
    names : sequence of str
        As in `find_windows`.
    length : int
        Of the sequences, in bp. Coordinates that are not as far apart are none of the sequences; if all are one less,
        they are 1-based and closed, as `samtools faidx` writes them.

    Returns
    -------
    DataFrame or None
        ``strand`` is None where the name does not tell one.

    Examples
    --------
    >>> parse_coordinates(["chr1:100-200", "peak_7::chr2:300-400(-)"], 100).values.tolist()
    [['chr1', 100, 200, None], ['chr2', 300, 400, '-']]
    >>> parse_coordinates(["chr1:100-200", "shuffled_1"], 100) is None
    True
    """
    table = _read(names)
    if len(table) < len(names):
        return None
    widths = table["end"] - table["start"]
    if (widths == length - 1).all() and (table["start"] > 0).all():  # 1-based and closed, as of samtools faidx
        return table.assign(start=table["start"] - 1)
    return table if (widths == length).all() else None
