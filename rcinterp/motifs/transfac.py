"""Motif files in TRANSFAC's format, as TRANSFAC, JASPAR, RSAT and Biopython write it."""

import re
from collections.abc import Iterator
from itertools import pairwise, takewhile

from rcinterp.errors import InputError
from rcinterp.files import parse_number, parse_whole, split_lines, split_words
from rcinterp.motifs.matrices import Motif
from rcinterp.motifs.reading import Source, collect, counts_to_motif, numbers

_MARK = re.compile(r"[A-Z]{2}(\s|$)")
MATRIX_HEADER = re.compile(r"P[0O]((?:\s+[ACGTU]){4})(?:\s|$)", re.IGNORECASE)


def parse_transfac(text: str, source: Source) -> dict[str, Motif]:
    """Read TRANSFAC's format: entries that end with ``//``, their lines marked by two letters.

    Parameters
    ----------
    text : str
        ``AC``, ``ID`` or ``NA`` name a motif; after ``P0 A C G T`` (or ``PO``; the letters in any order) comes a line
        for each position: its number, four counts, and perhaps a consensus letter. The matrix ends at the first line
        with another mark. Other lines say more of it. Without ``//``, a further ``AC`` begins the next entry.
    source : str or path-like
        The file.

    Returns
    -------
    dict of str to Motif
        ``AC``, or else ``ID``, or else ``NA``, to the motif; the other name is the next of them.

    Raises
    ------
    InputError
        If a matrix has no name, an entry has two, a position is not four numbers, or as `counts_to_motif` and `collect`
        say.
    """
    named = (_parse_entry(lines, source) for lines in _split_entries(text))
    return collect((pair for pair in named if pair is not None), source)


def _split_entries(text: str) -> Iterator[list[str]]:
    """Yield the lines of each entry that are not blank; an entry ends with ``//``, or where the next AC begins one."""
    lines: list[str] = []
    for line in [*split_lines(text), "//"]:
        is_end = line.strip() == "//"
        if is_end or (split_words(line)[:1] == ["AC"] and any(MATRIX_HEADER.match(before) for before in lines)):
            yield lines
            lines = []
        if split_words(line) and not is_end:
            lines.append(line)


def _parse_entry(lines: list[str], source: Source) -> tuple[str, Motif | None] | None:
    """Return name and motif of an entry; None for one that is no motif, such as the version of the file."""
    names = [found for mark in ("AC", "ID", "NA") if (found := _field(lines, mark))]
    starts = [index for index, line in enumerate(lines) if MATRIX_HEADER.match(line)]
    if not names and not starts:
        return None
    if not names or len(starts) > 1:
        wrong = "a matrix without a name" if not names else f"two matrices of motif {names[0]}"
        raise InputError(f"{source}: got {wrong}, expected AC, ID or NA, one matrix, and // at the end of each entry.")
    name, other_name = "_".join(names[0].split()), " ".join(names[1:2])
    return name, _parse_matrix(lines[starts[0] :], f"{source}: motif {name}", other_name) if starts else None


def _is_position(line: str) -> bool:
    return line.lstrip(" \t")[:1].isdecimal()


def _has_four_numbers(line: str) -> bool:
    words = split_words(line)[1:5]
    return len(words) == 4 and all(parse_number(word) is not None for word in words)


def _field(lines: list[str], mark: str) -> str:
    """Return what the first line with this mark says."""
    return next((" ".join(split_words(line)[1:]) for line in lines if split_words(line)[0] == mark), "")


def _parse_matrix(lines: list[str], where: str, other_name: str) -> Motif | None:
    """Return the motif of the lines from the header of its matrix on."""
    letters = "".join(split_words(lines[0])[1:5]).upper().replace("U", "T")
    if sorted(letters) != list("ACGT"):
        raise InputError(f"{where}: got the letters {letters}, expected each of A, C, G, T once.")
    rows = [split_words(line) for line in takewhile(_is_position, lines[1:])]
    for row in rows:
        if len(row) < 5 or (len(row) > 5 and parse_number(row[5]) is not None):
            raise InputError(f"{where}, position {row[0]}: got {len(row) - 1} numbers, expected four. Correct the row.")
    below = [line.strip() for line in lines[1 + len(rows) :]]
    further = next((line for line in below if _is_position(line) and _has_four_numbers(line)), None)
    if further is not None and not _MARK.match(below[0]):  # after a mark, other tables may follow
        raise InputError(
            f"{where}: got the position {further!r} after {below[0][:40]!r}, which ends the matrix. Remove what stands "
            "between the positions."
        )
    positions = [row[0] for row in rows]
    for before, after in pairwise(positions):
        numbered = parse_whole(before), parse_whole(after)
        if None not in numbered and numbered[1] != (numbered[0] or 0) + 1:
            raise InputError(f"{where}: position {after} follows {before}; expected one after the other. Correct it.")
    if not rows:
        return None
    by_letter = numbers((row[1:5] for row in rows), where).T
    return counts_to_motif(by_letter[[letters.index(letter) for letter in "ACGT"]], where, other_name)
