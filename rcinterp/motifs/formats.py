"""Which format a motif file has, told from its content."""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from rcinterp.errors import InputError
from rcinterp.files import split_lines
from rcinterp.motifs.matrices import Motif
from rcinterp.motifs.meme import parse_meme
from rcinterp.motifs.reading import Record, Source, read_motif_text, split_records
from rcinterp.motifs.tabular import IUPAC, parse_encode, parse_homer, parse_jaspar, parse_pfm
from rcinterp.motifs.transfac import MATRIX_HEADER, parse_transfac

#: The formats that `read_motifs` knows, and their readers.
PARSERS: Mapping[str, Callable[[str, Source], dict[str, Motif]]] = MappingProxyType(
    {
        "meme": parse_meme,
        "jaspar": parse_jaspar,
        "transfac": parse_transfac,
        "homer": parse_homer,
        "encode": parse_encode,
        "pfm": parse_pfm,
    }
)

_MARKS = (  # lines that only one format has
    ("meme", re.compile(r"\s*(MEME\s+version\s|letter\s*-\s*probability\s+matrix\s*:)", re.IGNORECASE)),
    ("transfac", MATRIX_HEADER),
    ("jaspar", re.compile(r"\s*[ACGTU]\s*\[", re.IGNORECASE)),
)
_NUMBER = re.compile(r"[-+]?\.?\d")


def read_motifs(path: Source, format: str | None = None) -> dict[str, Motif]:
    """Read a motif file in any known format, plain or gzipped.

    Parameters
    ----------
    path : str or path-like
        The file.
    format : str, optional
        "meme", "jaspar", "transfac", "homer", "encode" or "pfm"; told from the content if not given.

    Returns
    -------
    dict of str to Motif
        Name to PPM, number of sites (where the file holds counts, or says it) and other name, in the file's order.

    Raises
    ------
    InputError
        If the file cannot be read, its format is unknown or could be two, or a motif in it is wrong; the message names
        file, motif and row.

    Warns
    -----
    UserWarning
        If a motif has no matrix; it names the motif, which is left out.

    Notes
    -----
    Neither the file's name nor its extension matters. A file of ``>`` records is HOMER's if a header has a number as
    third field between tabs; JASPAR's if each motif has four rows (A, C, G, T); ENCODE's if each row is a letter and
    four numbers; and pfm if each is four numbers. Motifs all of four positions can be two of these: name the format.
    Counts become probabilities position by position; see `rcinterp.motifs.reading.counts_to_motif`.

    References
    ----------
    JASPAR: https://jaspar.elixir.no/docs; HOMER: http://homer.ucsd.edu/homer/motif/creatingCustomMotifs.html; MEME:
    https://meme-suite.org/meme/doc/meme-format.html.
    """
    if format is not None and format not in PARSERS:
        raise InputError(f"read_motifs: got format {format!r}, expected one of {', '.join(PARSERS)}.")
    text = read_motif_text(path)
    return PARSERS[format or _tell_format(text, path)](text, path)


def _tell_format(text: str, source: Source) -> str:
    """Return the name of the text's format."""
    lines = split_lines(text)
    possible = [name for name, mark in _MARKS if any(map(mark.match, lines))]
    if not possible:
        possible = _formats_of_records(split_records(text, source))
    if not possible:
        raise InputError(
            f"{source}: got a file of no known format, expected MEME, JASPAR, TRANSFAC, HOMER, ENCODE or pfm. "
            'MEME files start with "MEME version 4"; the MEME suite\'s programs convert others to it.'
        )
    if len(possible) > 1:
        raise InputError(
            f"{source}: got a file that may be {' or '.join(possible)}, expected one format (of MEME, JASPAR, "
            f'TRANSFAC, HOMER, ENCODE, pfm). Say which: read_motifs(path, format="{possible[0]}").'
        )
    return possible[0]


def _formats_of_records(records: list[Record]) -> list[str]:
    """Return the formats that records can have."""
    filled = [record for record in records if record.rows]
    rows = [row for record in filled for row in record.rows]
    labelled = {not _NUMBER.match(row[0]) for row in rows}
    if len(labelled) != 1 or not all(_NUMBER.match(word) for row in rows for word in row[1:]):
        return []
    if any(_is_homer(record.header) for record in records):
        return ["homer"]
    is_jaspar = all(len(record.rows) == 4 and len({len(row) for row in record.rows}) == 1 for record in filled)
    if labelled == {True}:
        letters = ["".join(row[0] for row in record.rows).upper() for record in filled]
        is_jaspar = is_jaspar and {word.replace("U", "T") for word in letters} == {"ACGT"}
        is_encode = all(len(row) == 5 for row in rows) and set("".join(letters)) <= IUPAC
        return ["jaspar"] * is_jaspar + ["encode"] * is_encode
    return ["jaspar"] * is_jaspar + ["pfm"] * all(len(row) == 4 for row in rows)


def _is_homer(header: str) -> bool:
    fields = header.split("\t")
    return len(fields) >= 3 and bool(_NUMBER.match(fields[2].strip()))
