"""Motif files in TRANSFAC's format, as TRANSFAC, JASPAR, RSAT and Biopython write it."""

import re
from collections.abc import Iterator
from itertools import pairwise, takewhile

from rcinterp.errors import InputError
from rcinterp.files import parse_number, parse_whole, split_words
from rcinterp.motifs.matrices import Motif
from rcinterp.motifs.reading import (
    Line,
    Named,
    Source,
    collect,
    counts_to_motif,
    numbered_lines,
    numbers,
    unix_lines,
)

_MARK = re.compile(r"[A-Z]{2}(\s|$)")
_NAMES = ("AC", "ID", "NA")
_NAME = re.compile(rf"^[ \t]*({'|'.join(_NAMES)})[ \t]", re.MULTILINE)
_INDENT = re.compile(r"(?:[ \t]*\n)*([ \t]*)")
_SMALL_MARK = re.compile(r"[a-z]{2}(?=\s|$)")
MATRIX_HEADER = re.compile(r"P[0O]((?:\s+[ACGTU]){4})(?:\s|$)", re.IGNORECASE)


def parse_transfac(text: str, source: Source) -> dict[str, Motif]:
    """Read TRANSFAC's format: entries that end with ``//``, their lines marked by two letters.

    Parameters
    ----------
    text : str
        ``AC``, ``ID`` or ``NA`` name a motif; after ``P0 A C G T`` (or ``PO``; the letters in any order) comes a line
        for each position: its number, four counts, and perhaps a consensus letter. The matrix ends at the first line
        with another mark. Other lines say more of it. Without ``//``, a further ``AC`` begins the next entry. All lines
        may be indented alike, and all marks in small letters.
    source : str or path-like
        The file.

    Returns
    -------
    dict of str to Motif
        ``AC``, or else ``ID``, or else ``NA``, to the motif; the other name is the next of them.

    Raises
    ------
    InputError
        If a matrix has no name, an entry has two (matrices, or lines of one of AC, ID and NA), a position is not four
        numbers or stands outside the matrix, the file ends within an entry while others end with ``//`` (not behind the
        ``XX`` that closes a matrix), or as `counts_to_motif` and `collect` say.
    """
    named = (_parse_entry(lines, source) for lines in _split_entries(text, source))
    return collect((one for one in named if one is not None), source)


def _usual_lines(text: str, source: Source) -> Iterator[Line]:
    """Yield the lines of a text with their numbers, less what all are indented by, marks in capitals."""
    text = unix_lines(text)
    indent = found[1] if (found := _INDENT.match(text)) is not None else ""
    is_indented = bool(indent) and all(
        line.startswith(indent) or not split_words(line) for _, line in numbered_lines(text, source)
    )
    is_small = _NAME.search(text) is None
    for number, given in numbered_lines(text, source):
        line = given.removeprefix(indent) if is_indented else given
        if is_small and _SMALL_MARK.match(line):
            line = line[:2].upper() + line[2:]
        yield number, line


def _split_entries(text: str, source: Source) -> Iterator[list[Line]]:
    """Yield the lines of each entry that are not blank; an entry ends with ``//``, or where the next AC begins one."""
    lines: list[Line] = []
    has_matrix = has_ends = has_ended_matrices = False
    for number, line in _usual_lines(text, source):
        is_end = line.strip().startswith("//")
        has_ends |= is_end
        has_ended_matrices |= is_end and has_matrix
        if is_end or (has_matrix and split_words(line)[:1] == ["AC"]):
            yield lines
            lines, has_matrix = [], False
        if split_words(line) and not is_end:
            lines.append((number, line))
            has_matrix |= MATRIX_HEADER.match(line) is not None
    if has_ends:
        _check_end(lines, has_ended_matrices, source)
    yield lines


def _check_end(lines: list[Line], has_ended_matrices: bool, source: Source) -> None:
    """Raise if the last lines of a file, in which other entries end with ``//``, are an entry that was cut."""
    said = [line for line in lines if split_words(line[1])[0] != "XX"]
    is_within = bool(said) and (_is_position(lines[-1]) or MATRIX_HEADER.match(lines[-1][1]) is not None)
    is_closed = any(MATRIX_HEADER.match(line) for _, line in lines) and split_words(lines[-1][1]) == ["XX"]
    if is_within or (said and has_ended_matrices and not is_closed):
        names = [words[1] for _, line in said if (words := split_words(line))[0] in _NAMES and len(words) > 1]
        raise InputError(
            f"{source}: line {lines[-1][0]}: the file ends within {names[0] if names else 'an entry'} (no //, as "
            "others have), so it was cut. Copy or download it again, or write // if nothing is missing."
        )


def _parse_entry(lines: list[Line], source: Source) -> Named | None:
    """Return name and motif of an entry; None for one that is no motif, such as the version of the file."""
    names = [found for mark in _NAMES if (found := _field(lines, mark, source))]
    starts = [index for index, (_, line) in enumerate(lines) if MATRIX_HEADER.match(line)]
    for number, line in lines[: starts[0] if starts else None]:
        if _looks_like_position(line):
            raise InputError(
                f"{source}: line {number}: got the position {' '.join(split_words(line))!r}, expected a line P0 A C G "
                "T above the positions of a matrix. Write it above, or move the position."
            )
    if not names and not starts:
        return None
    if not names or len(starts) > 1:
        wrong = "a matrix without a name" if not names else f"two matrices of motif {names[0]}"
        place = f"(line {lines[starts[-1]][0]})"
        raise InputError(
            f"{source}: got {wrong}, expected AC, ID or NA, one matrix, and // at the end of each entry. Correct the "
            f"entry {place}."
        )
    name, other_name = "_".join(names[0].split()), " ".join(names[1:2])
    motif = _parse_matrix(lines[starts[0] :], f"{source}: motif {name}", other_name) if starts else None
    return Named(name, motif, next(number for number, line in lines if split_words(line)[0] in _NAMES))


def _is_position(line: Line) -> bool:
    return line[1].lstrip(" \t")[:1].isdecimal()


def _looks_like_position(line: str) -> bool:
    """Whether a line has four numbers, numbered or not, and no mark."""
    n_numbers = sum(parse_number(word) is not None for word in split_words(line)[:5])
    return n_numbers >= 4 and not _MARK.match(line.strip())


def _field(lines: list[Line], mark: str, source: Source) -> str:
    """Return what the line with this mark says; empty without one."""
    found = [(number, words[1:]) for number, line in lines if (words := split_words(line))[0] == mark]
    if len(found) > 1:
        raise InputError(
            f"{source}: line {found[1][0]}: got a second {mark} in one entry, expected one. Remove it, or end the "
            "entry above with //."
        )
    return " ".join(found[0][1]) if found else ""


def _check_below(below: list[Line], where: str) -> None:
    """Raise if further positions stand below a matrix, or a line without a mark ends it.

    Below a mark that stands alone, such as mCrossBase's XL, numbered lines are that mark's; XX is a mere rule.
    """
    start, first = below[0][0], " ".join(split_words(below[0][1]))
    is_other = False
    for number, line in below:
        if _MARK.match(line.strip()):
            is_other = line.strip() not in ("XX", "//") and len(split_words(line)) == 1
        elif _looks_like_position(line) and number > start and not is_other:
            raise InputError(
                f"{where}: got the position {' '.join(split_words(line))!r} after {first[:40]!r}, which ends the "
                f"matrix. Remove what stands between the positions (line {number})."
            )
    if not _MARK.match(first):
        raise InputError(
            f"{where}, line {start}: got {first[:40]!r} below the positions, expected a position (its number and "
            "four counts), a mark such as XX, or //. Correct the line."
        )


def _parse_matrix(lines: list[Line], where: str, other_name: str) -> Motif | None:
    """Return the motif of the lines from the header of its matrix on."""
    letters = "".join(split_words(lines[0][1])[1:5]).upper().replace("U", "T")
    if sorted(letters) != list("ACGT"):
        raise InputError(
            f"{where}: got the letters {letters}, expected each of A, C, G, T once. Correct line {lines[0][0]}."
        )
    if _looks_like_position(" ".join(split_words(lines[0][1])[5:])):
        raise InputError(
            f"{where}, line {lines[0][0]}: got numbers behind the letters, expected them below. Move them to a line of "
            "their own."
        )
    positions = [*takewhile(_is_position, lines[1:])]
    rows, line_numbers = [split_words(line) for _, line in positions], [number for number, _ in positions]
    for row, number in zip(rows, line_numbers, strict=True):
        if len(row) < 5 or (len(row) > 5 and parse_number(row[5]) is not None):
            raise InputError(
                f"{where}, position {row[0]}: got {len(row) - 1} numbers, expected four. Correct the row (line "
                f"{number})."
            )
    if below := lines[1 + len(rows) :]:
        _check_below(below, where)
    for index, ((before, *_), (after, *_)) in enumerate(pairwise(rows), start=1):
        numbered = parse_whole(before), parse_whole(after)
        if None not in numbered and numbered[1] != (numbered[0] or 0) + 1:
            raise InputError(
                f"{where}: position {after} follows {before}; expected one after the other. Correct it (line "
                f"{line_numbers[index]})."
            )
    if not rows:
        return None
    by_letter = numbers((row[1:5] for row in rows), where, line_numbers).T
    return counts_to_motif(by_letter[[letters.index(letter) for letter in "ACGT"]], where, other_name, line_numbers)
