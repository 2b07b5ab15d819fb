"""Which format a motif file has, told from its content."""

import os
import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

from rcinterp.errors import InputError
from rcinterp.files import split_words
from rcinterp.motifs.databases import CISBP_HEADER, UNIPROBE_ROW, parse_cisbp, parse_uniprobe
from rcinterp.motifs.matrices import Motif
from rcinterp.motifs.meme import parse_meme
from rcinterp.motifs.reading import Record, Source, iterate_records, read_motif_text, unix_lines
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
        "cisbp": parse_cisbp,
        "uniprobe": parse_uniprobe,
    }
)

#: Lines that only one format has, or, in `_WEAK`, that others may have too. No mark goes on in the next line.
_MARKS = MappingProxyType(
    {
        name: re.compile("^" + pattern.replace(r"\s", r"[^\S\n]"), re.IGNORECASE | re.MULTILINE)
        for name, pattern in (
            ("meme", r"\s*(MEME\s+version\s|letter\s*-\s*probability\s+matrix\s*:)"),
            ("transfac", rf"\s*{MATRIX_HEADER.pattern}"),
            ("jaspar", r"\s*[ACGTU]\s*\["),
            ("cisbp", CISBP_HEADER.pattern),
            ("uniprobe", UNIPROBE_ROW.pattern.removesuffix("(.*)") + r"\s*[-+.\d]"),
        )
    }
)
_WEAK = ("cisbp", "uniprobe")
_NUMBER = re.compile(r"[-+]?\.?\d")
#: Formats of files whose names end so.
_ENDINGS = MappingProxyType({".jaspar": "jaspar", ".pcm": "pfm", ".ppm": "pfm"})
#: An identifier of JASPAR.
_OF_JASPAR = re.compile(r"(MA|UN|PB|PF|PH|PL|PN|CN|SP|FP)\d{4}\.\d+$")


def read_motifs(path: Source, format: str | None = None) -> dict[str, Motif]:
    """Read a motif file in any known format, plain or gzipped.

    Parameters
    ----------
    path : str or path-like
        The file; or ``FILE:format``, such as ``a.txt:pfm``, which says the format on the command line.
    format : str, optional
        "meme", "jaspar", "transfac", "homer", "encode", "pfm", "cisbp" or "uniprobe"; told from the content if not
        given.

    Returns
    -------
    dict of str to Motif
        Name to PPM, number of sites (where the file holds counts, or says it) and other name, in the file's order.

    Raises
    ------
    InputError
        If the file cannot be read, its format is unknown or could be two, it has more than files of motifs have (see
        `rcinterp.motifs.reading`), or a motif in it is wrong; the message names file, motif and line.

    Warns
    -----
    UserWarning
        If a motif has no matrix; it names the motif, which is left out.

    Notes
    -----
    A file of ``>`` records is HOMER's if a header has a number as
    third field between tabs; JASPAR's if each motif has four rows (A, C, G, T); ENCODE's if each row is a letter and
    four numbers; and pfm if each is four numbers. Motifs all of four positions can be two of these. One format is
    taken if the other gives no motifs, if all names are JASPAR's (MA0139.1), or if the file's name ends in ``.jaspar``,
    ``.pcm`` or ``.ppm``; otherwise name it.
    Counts become probabilities position by position; see `rcinterp.motifs.reading.counts_to_motif`.

    References
    ----------
    JASPAR: https://jaspar.elixir.no/docs; HOMER: http://homer.ucsd.edu/homer/motif/creatingCustomMotifs.html; MEME:
    https://meme-suite.org/meme/doc/meme-format.html.
    """
    if format is not None and format not in PARSERS:
        raise InputError(f"read_motifs: got format {format!r}, expected one of {', '.join(PARSERS)}.")
    if not isinstance(path, str | os.PathLike):
        raise InputError(f"read_motifs: got {type(path).__name__}, expected the path of a motif file.")
    file, named = split_format(path)
    text = read_motif_text(file)
    return PARSERS[format or named or _tell_format(text, file)](text, file)


def split_format(path: Source) -> tuple[Source, str | None]:
    """Return the file and the format of ``FILE:format``; None for a path that names no format.

    Examples
    --------
    >>> split_format("a.txt:pfm"), split_format("C:a.txt")
    (('a.txt', 'pfm'), ('C:a.txt', None))
    """
    file, _, format = os.fspath(path).rpartition(":")
    if not file or format not in PARSERS or os.path.lexists(path):
        return path, None
    return file, format


def _tell_format(text: str, source: Source) -> str:
    """Return the name of the text's format."""
    text = unix_lines(text)
    found = [name for name, mark in _MARKS.items() if mark.search(text)]
    possible = [name for name in found if name not in _WEAK] or found
    if not possible:
        possible = _settle(_formats_of_records(iterate_records(text, source), source), text, source)
    if len(possible) > 1:
        raise InputError(
            f"{source}: got a file that may be {' or '.join(possible)}, expected one format (of MEME, JASPAR, "
            f'TRANSFAC, HOMER, ENCODE, pfm). Say which: read_motifs(path, format="{possible[0]}"), or '
            f"{source}:{possible[0]} on the command line."
        )
    return possible[0]


def _formats_of_records(records: Iterable[Record], source: Source) -> list[str]:
    """Return the formats that records can have; or the one of most rows, whose reader says which row is wrong."""
    n_rows, fitting = 0, Counter[str]()
    possible = {"jaspar": True, "encode": True, "pfm": True}
    wrong = ""
    for record in records:
        if _is_homer(record.header):
            return ["homer"]
        rows = [_formats_of_row(row) for row in record.rows]
        is_jaspar, n_jaspar = _fits_jaspar(record)
        possible["jaspar"] &= is_jaspar or not rows
        fitting["jaspar"] += n_jaspar
        for name in ("encode", "pfm"):
            possible[name] &= all(row == name for row in rows)
            fitting[name] += rows.count(name)
        n_rows += len(rows)
        if not wrong and not is_jaspar and "" in rows:
            index = rows.index("")
            wrong = f" Line {record.lines[index]} ({' '.join(record.rows[index])[:40]!r}) is a row of none of these."
    found = [name for name, is_possible in possible.items() if is_possible and n_rows]
    best, most = fitting.most_common(1)[0] if fitting else ("", 0)
    if not found and most and 2 * most >= n_rows:
        found = [best]
    if not found:
        raise InputError(
            f"{source}: got a file of no known format, expected MEME, JASPAR, TRANSFAC, HOMER, ENCODE or pfm (or of "
            f'CIS-BP or UniPROBE).{wrong} MEME files start with "MEME version 4"; the MEME suite\'s programs convert '
            "others to it."
        )
    return found


def _formats_of_row(row: tuple[str, ...]) -> str:
    """Return "pfm" for four numbers, "encode" for a letter and four numbers, and "" for another row."""
    if len(row) == 5 and row[0].upper() in IUPAC and all(map(_NUMBER.match, row[1:])):
        return "encode"
    return "pfm" if len(row) == 4 and all(map(_NUMBER.match, row)) else ""


def _fits_jaspar(record: Record) -> tuple[bool, int]:
    """Return whether a record has four rows A, C, G, T of numbers, as many in each, and how many rows could be so."""
    if len(record.rows) != 4 or record.has_columns:
        return False, 0
    letters = "".join(row[0] for row in record.rows).upper().replace("U", "T")
    first = int(letters == "ACGT")  # word that is a number
    n_fitting = sum(len(row) > first and all(map(_NUMBER.match, row[first:])) for row in record.rows)
    return n_fitting == 4 and len({len(row) for row in record.rows}) == 1, n_fitting


def _settle(possible: list[str], text: str, source: Source) -> list[str]:
    """Return the formats that motifs of four positions may have: which they can be read in, and what names say."""
    if len(possible) < 2:
        return possible
    readable = [name for name in possible if _is_readable(name, text, source)] or possible[:1]
    named = {_ENDINGS.get(Path(Path(source).name.removesuffix(".gz")).suffix.lower(), "")}
    if all(_OF_JASPAR.match(split_words(record.header)[0]) for record in iterate_records(text, source)):
        named.add("jaspar")
    hinted = [name for name in readable if name in named]
    return hinted if len(hinted) == 1 else readable


def _is_readable(format: str, text: str, source: Source) -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            PARSERS[format](text, source)
        except InputError:
            return False
    return True


def _is_homer(header: str) -> bool:
    fields = header.split("\t")
    return len(fields) >= 3 and bool(_NUMBER.match(fields[2].strip()))
