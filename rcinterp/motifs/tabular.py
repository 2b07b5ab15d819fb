"""Motif files whose motifs start with ``>``: JASPAR, HOMER, ENCODE, and pfm as gimme and HOCOMOCO write it."""

from dataclasses import replace

from rcinterp.errors import InputError
from rcinterp.files import split_words
from rcinterp.motifs.matrices import Motif
from rcinterp.motifs.reading import Named, Record, Source, collect, counts_to_motif, iterate_records, numbers

#: The letters of DNA and of its ambiguities.
IUPAC = frozenset("ACGTURYSWKMBDHVN")


def parse_jaspar(text: str, source: Source) -> dict[str, Motif]:
    """Read JASPAR's format: four lines of counts, A, C, G and T.

    Parameters
    ----------
    text : str
        ``>MA0004.1 Arnt``, then ``A [ 4 19 0 ]`` and so on; or the same without letters and brackets (JASPAR's raw
        pfm), for one matrix without the line ``>`` too.
    source : str or path-like
        The file; a matrix without ``>`` is named after it.

    Returns
    -------
    dict of str to Motif
        The first word after ``>`` to the motif; what follows is its other name.

    Raises
    ------
    InputError
        If a motif has not four lines of numbers, in the order A, C, G, T, or as `counts_to_motif` and `collect` say.
    """
    records = iterate_records(text, source)
    return collect((Named(_first_word(r), _jaspar_motif(r, source), r.line) for r in records), source)


def parse_pfm(text: str, source: Source) -> dict[str, Motif]:
    """Read one line of four counts or probabilities (A C G T) for each position, as gimme and HOCOMOCO write it.

    Parameters
    ----------
    text : str
        ``>AHR_HUMAN.H11MO.0.B``, perhaps a line ``A C G T``, then ``40.5 18.2 56.4 38.7`` and so on.
    source : str or path-like
        The file.

    Returns
    -------
    dict of str to Motif
        The first word after ``>`` to the motif; what follows is its other name.

    Raises
    ------
    InputError
        If a line is not four numbers, or as `counts_to_motif` and `collect` say.
    """
    return collect((_motif_of_words(r, source) for r in iterate_records(text, source)), source)


def parse_homer(text: str, source: Source) -> dict[str, Motif]:
    """Read HOMER's format: as pfm, with consensus, name, threshold and statistics after ``>``, tabs between them.

    Parameters
    ----------
    text : str
        ``>ATGACTCATC<TAB>AP-1(bZIP)/ThioMac-PU.1-ChIP-Seq/Homer<TAB>6.05``, then ``0.419 0.275 0.277 0.028`` and so on.
    source : str or path-like
        The file.

    Returns
    -------
    dict of str to Motif
        The second field (white space in it as ``_``) to the motif; the consensus is its other name. The number of sites
        is not known: HOMER's statistics count sequences.

    Raises
    ------
    InputError
        If a motif has no name, a line is not four numbers, or as `counts_to_motif` and `collect` say.
    """
    return collect((_homer_motif(record, source) for record in iterate_records(text, source)), source)


def _homer_motif(record: Record, source: Source) -> Named:
    consensus, *fields = record.header.split("\t")
    if not fields or not fields[0].strip():
        raise InputError(
            f"{source}: motif {consensus} has no name, expected >consensus, a tab, name, threshold. Name it (line "
            f"{record.line})."
        )
    name = "_".join(fields[0].split())
    return Named(name, _motif_of_positions(record, f"{source}: motif {name}", consensus), record.line)


def parse_encode(text: str, source: Source) -> dict[str, Motif]:
    """Read the ENCODE catalogue's format: a letter (IUPAC) and four probabilities for each position.

    Parameters
    ----------
    text : str
        ``>SIX5_disc1 description``, then ``G 0.008511 0.004255 0.987234 0.000000`` and so on.
    source : str or path-like
        The file.

    Returns
    -------
    dict of str to Motif
        The first word after ``>`` to the motif; the description is its other name.

    Raises
    ------
    InputError
        If a line is not a letter and four numbers, or as `counts_to_motif` and `collect` say.
    """
    records = (_without_letters(record, source) for record in iterate_records(text, source))
    return collect((_motif_of_words(record, source) for record in records), source)


def _without_letters(record: Record, source: Source) -> Record:
    for number, (index, row) in zip(record.lines, enumerate(record.rows, start=1), strict=True):
        if row[0].upper() not in IUPAC:
            raise InputError(
                f"{source}: motif {_first_word(record)}, row {index}: got {' '.join(row)}, expected a letter (IUPAC) "
                f"and four probabilities. Correct the row (line {number})."
            )
    return replace(record, rows=tuple(row[1:] for row in record.rows))


def _first_word(record: Record) -> str:
    return split_words(record.header)[0]


def _other_words(record: Record) -> str:
    return " ".join(split_words(record.header)[1:])


def _jaspar_motif(record: Record, source: Source) -> Motif | None:
    """Return the motif of four rows, one a letter; None if there are none."""
    where = f"{source}: motif {_first_word(record)}"
    if not record.rows:
        return None
    if record.has_columns:
        raise InputError(
            f"{where}: got a line A C G T above the rows, so that these are positions, expected four rows A, C, G, T. "
            f"Read it as pfm, or remove the line (below line {record.line})."
        )
    letters = "".join(row[0] for row in record.rows).upper().replace("U", "T")
    labelled = letters.isalpha()
    if len(record.rows) != 4 or (labelled and letters != "ACGT"):
        got = f"{len(record.rows)} rows" + (f" named {letters}" if labelled else "")
        raise InputError(
            f"{where}: got {got}, expected four in the order A, C, G, T. Reorder the rows (below line {record.line})."
        )
    rows = [row[1:] if labelled else row for row in record.rows]
    return counts_to_motif(numbers(rows, where, record.lines), where, _other_words(record), below=record.line)


def _motif_of_words(record: Record, source: Source) -> Named:
    """Return the motif of one row a position, named by the first word."""
    name = _first_word(record)
    motif = _motif_of_positions(record, f"{source}: motif {name}", _other_words(record))
    return Named(name, motif, record.line)


def _motif_of_positions(record: Record, where: str, other_name: str) -> Motif | None:
    """Return the motif of one row a position; None if there are none."""
    if not record.rows:
        return None
    return counts_to_motif(numbers(record.rows, where, record.lines).T, where, other_name, record.lines)
