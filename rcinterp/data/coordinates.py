"""The genome's coordinates that stand in the names of sequences."""

import re
from collections.abc import Sequence

import pandas as pd

from rcinterp.files import parse_whole

#: Names such as ``chr1:100-200``, ``chr1:100-200(-)`` (bedtools getfasta -s) and ``peak_1::chr1:100-200(+)`` (-name).
_COLON = re.compile(r"^(?:.*::)?(?P<chrom>[^:\s]+):(?P<start>\d+)-(?P<end>\d+)(?:\((?P<strand>[+.-])\))?$")
#: Names such as ``chr1_100_200``, ``chr1-100-200`` and ``chrX_random.100.200``.
_JOINED = re.compile(r"^(?P<chrom>chr\w+?)(?P<by>[_.|-])(?P<start>\d+)(?P=by)(?P<end>\d+)$")


def parse_coordinates(names: Sequence[str], length: int) -> pd.DataFrame | None:
    """Columns chrom, start, end (0-based half-open) and strand of these names; None if any holds no such window.

    Parameters
    ----------
    names : sequence of str
        As FASTA headers have them: ``chr1:100-200``, ``chr1:100-200(-)``, ``peak_1::chr1:100-200(+)``,
        ``chr1_100_200``, ``chr1-100-200``.
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
    rows = []
    for name in names:
        match = _COLON.match(name) or _JOINED.match(name)
        if match is None:
            return None
        strand, start, end = match.groupdict().get("strand"), parse_whole(match["start"]), parse_whole(match["end"])
        if start is None or end is None:
            return None
        rows.append((match["chrom"], start, end, None if strand == "." else strand))
    table = pd.DataFrame(rows, columns=["chrom", "start", "end", "strand"])
    table["strand"] = pd.Series([row[3] for row in rows], dtype=object)
    widths = table["end"] - table["start"]
    if (widths == length - 1).all() and (table["start"] > 0).all():  # 1-based and closed, as of samtools faidx
        return table.assign(start=table["start"] - 1)
    return table if (widths == length).all() else None
