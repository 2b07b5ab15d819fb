"""Motif files as the databases CIS-BP and UniPROBE give them, often one motif a file."""

import re
from collections.abc import Iterator

from rcinterp.errors import InputError
from rcinterp.files import parse_number, parse_whole, split_words
from rcinterp.motifs.matrices import Motif
from rcinterp.motifs.reading import (
    MOST_POSITIONS,
    Line,
    Named,
    Source,
    collect,
    counts_to_motif,
    name_of,
    numbered_lines,
    numbers,
    too_long,
)

#: The line above a matrix of CIS-BP.
CISBP_HEADER = re.compile(r"[ \t]*Pos(?:ition)?((?:[ \t]+[ACGTU]){4})[ \t]*$", re.IGNORECASE)
#: A row of UniPROBE.
UNIPROBE_ROW = re.compile(r"[ \t]*([ACGTU]):(.*)", re.IGNORECASE)


def parse_cisbp(text: str, source: Source) -> dict[str, Motif]:
    """Read CIS-BP's format: ``Pos A C G T``, then a line for each position: its number and four probabilities.

    Parameters
    ----------
    text : str
        Above the matrix may stand lines such as ``TF Name``, ``Motif`` and ``Species``, tabs behind these words; or
        ``>`` and a name.
    source : str or path-like
        The file; a matrix without ``Motif`` is named after it.

    Returns
    -------
    dict of str to Motif
        ``Motif`` to the motif; the other name is ``TF Name``.

    Raises
    ------
    InputError
        If positions are not numbered one after the other from 1, or are not four numbers, a row stands outside a
        matrix, or as `counts_to_motif` and `collect` say.
    """
    return collect(_cisbp_motifs(text, source), source)


def _cisbp_motifs(text: str, source: Source) -> Iterator[Named]:
    above: list[Line] = []
    rows: list[Line] | None = None  # of the matrix that is read, the line of its letters first
    for number, line in numbered_lines(text, source):
        words = split_words(line)
        if not words or line.startswith("#"):
            continue
        is_header = CISBP_HEADER.match(line) is not None
        if rows is not None and (is_header or parse_whole(words[0]) is None):
            yield _cisbp_motif(above, rows, source)
            above, rows = [], None
        if is_header:
            rows = [(number, line)]
        elif rows is not None:
            rows.append((number, line))
            if len(rows) - 1 > MOST_POSITIONS:
                raise too_long(f"{source}: the matrix of line {rows[0][0]}", number)
        else:
            yield from _names_without_matrix(above, line)
            above.append((number, line))
            _check_above(number, words, source)
    if rows is not None:
        yield _cisbp_motif(above, rows, source)
    elif above:
        number, line = above[-1]
        raise InputError(
            f"{source}: line {number}: got {line.strip()[:40]!r} and no matrix below, expected Pos A C G T and rows. "
            "Remove the line, or complete it; was the file cut?"
        )


def _check_above(number: int, words: list[str], source: Source) -> None:
    """Raise if what stands above a matrix looks like a row of one."""
    if sum(parse_number(word) is not None for word in words) >= 3:
        raise InputError(
            f"{source}: line {number}: got the row {' '.join(words)!r}, expected a line Pos A C G T above rows, and "
            "nothing between them. Correct the line."
        )


def _names_without_matrix(above: list[Line], line: str) -> Iterator[Named]:
    """Yield the motif of the lines above, if this one names a further motif; they are of it alone then."""
    if not _says(line, "Motif"):
        return
    for i, (number, one) in enumerate(above):
        if name := _says(one, "Motif"):
            yield Named(name, None, number)
            del above[: i + 1]
            return


def _says(line: str, key: str) -> str:
    """What a line says behind a word; empty for another line."""
    words, n_words = split_words(line), len(key.split())
    if key == "Motif" and words[0].startswith(">"):
        return "".join(split_words(line.strip(" \t")[1:])[:1])
    return " ".join(words[n_words:]) if " ".join(words[:n_words]) == key else ""


def _cisbp_motif(above: list[Line], rows: list[Line], source: Source) -> Named:
    named = [(number, name) for number, line in above if (name := _says(line, "Motif"))]
    line, name = named[0] if named else (rows[0][0], name_of(source))
    where = f"{source}: motif {name}"
    letters = "".join(split_words(rows[0][1])[1:]).upper().replace("U", "T")
    if sorted(letters) != list("ACGT"):
        raise InputError(
            f"{where}: got the letters {letters}, expected each of A, C, G, T once. Correct line {rows[0][0]}."
        )
    words = [split_words(row) for _, row in rows[1:]]
    for i, ((number, _), row) in enumerate(zip(rows[1:], words, strict=True), start=1):
        if len(row) != 5 or parse_whole(row[0]) != i:
            raise InputError(
                f"{where}: got {' '.join(row)!r}, expected the position {i} and four probabilities. Correct the row "
                f"(line {number})."
            )
    if not words:
        return Named(name, None, line)
    other_name = next((found for _, one in above if (found := _says(one, "TF Name"))), "")
    lines = [number for number, _ in rows[1:]]
    by_letter = numbers((row[1:] for row in words), where, lines).T
    motif = counts_to_motif(by_letter[[letters.index(letter) for letter in "ACGT"]], where, other_name, lines)
    return Named(name, motif, line)


def parse_uniprobe(text: str, source: Source) -> dict[str, Motif]:
    """Read UniPROBE's format: a line with a name, then rows ``A:``, ``C:``, ``G:`` and ``T:`` of probabilities.

    Parameters
    ----------
    text : str
        ``Protein: Alx3	Seed k-mer: CAATTAAA	Enrichment Score: 0.49`` or a name alone, with ``>`` or without, then
        ``A:	0.1	0.7`` and so on. One matrix alone needs no name.
    source : str or path-like
        The file; a matrix without a name is named after it.

    Returns
    -------
    dict of str to Motif
        The first word, or that behind ``Protein:`` or ``Gene:``, to the motif; what follows is its other name.

    Raises
    ------
    InputError
        If there are not four rows of numbers, one a letter, lines stand between them, or two above them, or as
        `counts_to_motif` and `collect` say.
    """
    return collect(_uniprobe_motifs(text, source), source)


def _uniprobe_motifs(text: str, source: Source) -> Iterator[Named]:
    name: Line | None = None
    rows: dict[str, tuple[int, list[str]]] = {}
    for number, line in numbered_lines(text, source):
        if not split_words(line) or line.startswith("#"):
            continue
        row = UNIPROBE_ROW.match(line)
        letter = row[1].upper().replace("U", "T") if row is not None else ""
        if (row is None and (rows or name is not None)) or letter in rows:
            missing = ", ".join(f"{base}:" for base in "ACGT" if base not in rows)
            raise InputError(
                f"{source}: line {number}: got {line.strip()[:40]!r}, expected a row {missing} of the motif above. "
                "Correct the line."
            )
        if row is None:
            name = (number, line)
            continue
        rows[letter] = number, split_words(row[2])
        if len(rows) == 4:
            yield _uniprobe_motif(name, rows, source)
            name, rows = None, {}
    if rows or name is not None:
        last = max([number for number, _ in rows.values()], default=name[0] if name is not None else 0)
        missing = ", ".join(f"{base}:" for base in "ACGT" if base not in rows)
        raise InputError(
            f"{source}: line {last}: the file ends here, expected the row {missing} too. Complete it; was the file cut?"
        )


def _uniprobe_motif(named: Line | None, rows: dict[str, tuple[int, list[str]]], source: Source) -> Named:
    lines = [rows[letter][0] for letter in "ACGT"]
    words = split_words(named[1].strip(" \t").removeprefix(">")) if named is not None else []
    if len(words) > 1 and words[0] in ("Protein:", "Gene:"):
        del words[0]
    line = named[0] if named is not None else lines[0]
    name, *others = words or [name_of(source)]
    where = f"{source}: motif {name}"
    matrix = numbers((rows[letter][1] for letter in "ACGT"), where, lines)
    return Named(name, counts_to_motif(matrix, where, " ".join(others), below=line), line)
