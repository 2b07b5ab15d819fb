"""Motif files in MEME minimal format: a tolerant reader and a strict writer."""

import os
import re
from collections.abc import Iterator, Mapping
from itertools import chain, pairwise, takewhile
from types import MappingProxyType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rcinterp.errors import InputError
from rcinterp.files import parse_number, parse_whole, split_words, write_at_once
from rcinterp.files.paths import as_path
from rcinterp.motifs.matrices import SUM_TOLERANCE, Motif, as_background, as_ppm, check_name
from rcinterp.motifs.reading import (
    MOST_POSITIONS,
    Line,
    Named,
    Source,
    collect,
    numbered_lines,
    read_motif_text,
    too_long,
)

#: MEME cuts longer names off (MAX_MOTIF_ID_LENGTH in its sources), after which two may be the same.
MAX_NAME_LENGTH = 100
#: The number of sites that MEME assumes of a motif that does not say.
DEFAULT_N_SITES = 20.0

_MATRIX_HEADER = re.compile(r"\s*letter\s*-\s*probability\s+matrix\s*:", re.IGNORECASE)
_LOG_ODDS_HEADER = re.compile(r"\s*log\s*-\s*odds\s+matrix\s*:", re.IGNORECASE)
_ALPHABET = re.compile(r"\s*ALPHABET\s*=\s*(\S*)", re.IGNORECASE)
_OWN_ALPHABET = re.compile(r"\s*ALPHABET\s+[^=\s]")
_BACKGROUND = re.compile(r"\s*Background\b", re.IGNORECASE)  # below which numbers may stand
_QUOTED = re.compile(r'"[^"]*"')
_KEY = re.compile(r"\b(alength|w|nsites)\s*=\s*(\S*)", re.IGNORECASE)
_ANY_KEY = re.compile(r"\b\w+\s*=\s*\S*")
_KEYS = MappingProxyType(
    {
        "alength": "4, one a letter of DNA",
        "w": "a whole number, that of the rows",
        "nsites": "a number that is not negative",
    }
)
_NUMBER = re.compile(r"[-+]?(\.?\d|(nan|inf)\b)", re.IGNORECASE)
_NO_WORDS = re.compile(r"[\s\[\](){},;|]+")
_SURROGATE = re.compile("[\ud800-\udfff]")
_RULE = re.compile(r"\s*(-{3}|\*{3})")
_REMARK = re.compile(r"\s*((URL|Time|MEME\s+version)\b|#)")
_MOTIF = re.compile(r"[^\w#]*MOTIF(?![a-z])", re.IGNORECASE)


def read_meme(path: str | os.PathLike[str]) -> dict[str, Motif]:
    """Read a motif file in MEME format.

    Parameters
    ----------
    path : str or path-like
        A MEME minimal file (or MEME's full text output), plain or gzipped; which is told from its first two bytes.

    Returns
    -------
    dict of str to Motif
        Motif id (the first word after ``MOTIF``) to PPM, number of sites and other name (what follows the id), in
        the file's order.

    Raises
    ------
    InputError
        If the file cannot be read, is not in MEME format, is not of DNA (letters in the order A, C, G, T), has no
        motif, has one id twice, a matrix before the first ``MOTIF``, one whose number of rows is not its ``w=``, a row
        that is not four probabilities that sum to 1 within `SUM_TOLERANCE`, or what looks like a row beside a matrix.
        The message names file, motif and row or line (1-based).

    Warns
    -----
    UserWarning
        If a motif has no letter-probability matrix; it names the motif, which is left out.

    Notes
    -----
    ``alength=``, ``w=``, ``nsites=``, ``E=``, ``URL`` lines, the header's alphabet, strands and background, blank
    lines, tabs, Windows line ends and the last newline are all optional. Rows that
    sum to 1 within 1e-5 are left as they are and others divided by their sums, as in MEME.

    References
    ----------
    https://meme-suite.org/meme/doc/meme-format.html
    """
    return parse_meme(read_motif_text(path), path)


def parse_meme(text: str, source: Source) -> dict[str, Motif]:
    """Read a text in MEME format.

    Parameters
    ----------
    text : str
        As `read_meme` takes it from a file.
    source : str or path-like
        The file, for messages.

    Returns
    -------
    dict of str to Motif
        As `read_meme`.

    Raises
    ------
    InputError
        As `read_meme`.
    """
    lines = [line for _, line in numbered_lines(text, source)]
    _check_header(lines, source)
    blocks = _split_motifs(lines, source)
    return collect(
        (Named(name, _parse_motif(name, other, block, source), line) for name, line, other, block in blocks), source
    )


def write_meme(
    path: str | os.PathLike[str],
    motifs: Mapping[str, ArrayLike | Motif],
    background: ArrayLike | None = None,
    n_sites: float | Mapping[str, float] | None = None,
) -> None:
    """Write PPMs to a file in MEME minimal format, version 5, which the MEME suite's programs read.

    Parameters
    ----------
    path : str or path-like
        The file; an existing one is replaced.
    motifs : mapping of str to array-like, shape (4, W), or Motif
        Name to probabilities, rows A, C, G, T. The other name of a `Motif` is written after its name, white space in it
        as ``_``, at most 100 characters of it.
    background : array-like, shape (4,), optional
        Probabilities of A, C, G, T outside the motifs; uniform by default.
    n_sites : float, or mapping of str to float, optional
        Number of sites that each motif was estimated from; 20 (what MEME assumes) by default, and for motifs that
        the mapping does not name. A `Motif` that says its own number keeps it unless this names another.

    Raises
    ------
    InputError
        If there is no motif, a name is empty, longer than 100 characters or has white space (MEME ends an id
        there) or characters that cannot be seen, a matrix is not a PPM, a number of sites is not positive, or the file
        cannot be written.
    """
    path = as_path(path, "write_meme")
    if not isinstance(motifs, Mapping):
        raise InputError(
            f"write_meme: got motifs of type {type(motifs).__name__}, expected a mapping of name to PPM. The path "
            "comes first: write_meme(path, motifs)."
        )
    if not motifs:
        raise InputError("write_meme: got no motif, expected at least one; there is nothing to write.")
    frequencies = " ".join(f"{letter} {p:.6f}" for letter, p in zip("ACGT", as_background(background), strict=True))
    parts = [
        "MEME version 5\n\nALPHABET= ACGT\n\nstrands: + -\n\n"
        f"Background letter frequencies (from unknown source):\n{frequencies}\n"
    ]
    parts += [_format_motif(name, _as_motif(motif, name), n_sites) for name, motif in motifs.items()]
    try:
        write_at_once(path, "\n".join(parts))
    except OSError as error:
        advice = "Give a path in a folder that exists."
        raise InputError(f"write_meme: cannot write {path} ({error.strerror}). {advice}") from error


def _check_header(lines: list[str], path: str | os.PathLike[str]) -> None:
    """Raise unless the file says that it is MEME's and of DNA."""
    header = [line for line in lines if split_words(line)[:1] != ["MOTIF"]]
    if not any(re.match(r"\s*MEME\s+version\s+\d", line, re.IGNORECASE) for line in header):
        raise InputError(
            f'{path}: got a file without a line "MEME version ...", expected MEME minimal format. '
            "The MEME suite's jaspar2meme, transfac2meme and others convert to it."
        )
    checked = 0  # lines up to the end of an alphabet
    for number, line in enumerate(lines, start=1):
        alphabet = _ALPHABET.match(line)
        letters = alphabet[1].upper() if alphabet else ""
        if letters not in ("", "ACGT", "DNA"):
            raise InputError(
                f"{path}: line {number}: got motifs of the alphabet {letters}, expected DNA (ALPHABET= ACGT)."
            )
        if number > checked and _OWN_ALPHABET.match(line):
            below = range(number, len(lines))
            checked = next((i for i in below if split_words(lines[i])[:2] == ["END", "ALPHABET"]), len(lines))
            if checked < len(lines):
                _check_letters(lines[number:checked], f"{path}: line {number}")


def _check_letters(lines: list[str], where: str) -> None:
    """Raise unless an alphabet that the file defines, up to END ALPHABET, has the letters of DNA in their order."""
    letters: list[str] = []
    others: list[str] = []
    for line in lines:
        text = _QUOTED.sub("", line)
        if not split_words(text) or text.lstrip().startswith("#") or "=" in text:  # = defines ambiguous letters
            continue
        letter, *other = (split_words(part)[:1] for part in text.split("~"))  # A ~ T: two that are complementary
        letters += letter
        others += [*chain.from_iterable(other)]
    found = "".join(letters + others).upper().replace("U", "T")
    if sorted(found) != list("ACGT") or letters != sorted(letters):
        raise InputError(
            f"{where}: got an alphabet of the letters {' '.join(letters + others)}, expected A, C, G, T in this order. "
            "Order the columns of the matrices so, and write ALPHABET= ACGT."
        )


def _split_motifs(lines: list[str], path: str | os.PathLike[str]) -> Iterator[tuple[str, int, str, list[Line]]]:
    """Yield each motif's id, the number of its MOTIF line, its other name and the lines below that are not blank."""
    numbered = [(number, line) for number, line in enumerate(lines, start=1) if split_words(line)]
    starts = [index for index, (_, line) in enumerate(numbered) if split_words(line)[0] == "MOTIF"]
    header = numbered[: starts[0] if starts else None]
    for number, line in header:
        if _MATRIX_HEADER.match(line):
            raise InputError(
                f"{path}: line {number}: got a matrix before the first MOTIF, expected each below a line such as MOTIF "
                "MA0139.1 CTCF. Write it above."
            )
    _check_above([line for before, line in pairwise([(0, ""), *header]) if not _BACKGROUND.match(before[1])], str(path))
    for start, stop in pairwise([*starts, len(numbered)]):
        number, line = numbered[start]
        words = split_words(line)
        if len(words) < 2:
            raise InputError(f"{path}: line {number} is MOTIF without an id; expected e.g. MOTIF MA0139.1 CTCF.")
        yield words[1], number, " ".join(words[2:]), numbered[start + 1 : stop]


def _parse_motif(name: str, other_name: str, lines: list[Line], path: str | os.PathLike[str]) -> Motif | None:
    """Read one motif's matrix; None if it has none."""
    where = f"{path}: motif {name}"
    _check_names(lines, where)
    start = next((index for index, (_, line) in enumerate(lines) if _MATRIX_HEADER.match(line)), len(lines))
    _check_above(lines[:start], where)
    if start == len(lines):
        return None
    number, header = lines[start]
    keys = _read_keys(header, f"{where}, line {number}")
    written = [*takewhile(_is_row, lines[start + 1 :])]
    if len(written) > MOST_POSITIONS:
        raise too_long(where, written[MOST_POSITIONS][0])
    rows = [_parse_row(line, f"{where}, row {i}") for i, line in enumerate(written, start=1)]
    if not rows or keys.get("w", len(rows)) != len(rows):
        expected = f"w= {keys['w']}" if "w" in keys else "at least one"
        raise InputError(f"{where} has {len(rows)} rows of probabilities, expected {expected} (line {number}).")
    _check_below(lines[start + len(rows) :], where, "w" in keys)
    return Motif(as_ppm(np.array(rows).T, name), keys.get("nsites") or None, other_name)


def _is_row(line: Line) -> bool:
    return _NUMBER.match(split_words(line[1])[0]) is not None


def _read_keys(header: str, where: str) -> dict[str, float]:
    """Return the numbers of letters, rows and sites that the line above a matrix says."""
    keys: dict[str, float] = {}
    for written, word in _KEY.findall(header):
        key, value = written.lower(), word.rstrip(",")
        number = parse_number(value) if key == "nsites" else parse_whole(value)
        if number is None or number < 0 or (key == "alength" and number != 4) or key in keys:
            again = " again" if key in keys else ""
            raise InputError(f"{where}: got {key}= {value}{again}, expected {_KEYS[key]}. Correct it, or leave it out.")
        keys[key] = number
    if _looks_like_row(_ANY_KEY.sub("", header.partition(":")[2])):
        raise InputError(
            f"{where}: got numbers behind 'letter-probability matrix:', expected them below it. Move them to a line of "
            "their own."
        )
    return keys


def _check_names(lines: list[Line], where: str) -> None:
    """Raise for a line that is meant to begin a motif, but does not; MEME's full text has titles under rules."""
    above = ""
    for number, line in lines:
        if _MOTIF.match(line) and not _RULE.match(above):
            raise InputError(
                f"{where}, line {number}: got {line.strip(' ')[:40]!r}, expected MOTIF in capitals, a blank and a "
                "name. Correct the line."
            )
        above = line


def _looks_like_row(line: str) -> bool:
    """Whether a line is mostly numbers, in brackets or not, and not a remark."""
    words = [word for word in _NO_WORDS.split(line) if word]
    n_numbers = sum(parse_number(word) is not None for word in words)
    return n_numbers >= 3 and 2 * n_numbers > len(words) and not _REMARK.match(line)


def _is_table(line: str) -> bool:
    """Whether numbers below this line are of other tables, as in MEME's full text."""
    return bool(_RULE.match(line) or _LOG_ODDS_HEADER.match(line))


def _check_above(lines: list[Line], where: str) -> None:
    """Raise if a row stands above its matrix, or without one."""
    for number, line in takewhile(lambda line: not _is_table(line[1]), lines):
        if _looks_like_row(line):
            raise InputError(
                f"{where}, line {number}: got the row {' '.join(split_words(line))!r}, expected a line "
                '"letter-probability matrix:" above the rows. Write it above, or move the row.'
            )


def _check_below(lines: list[Line], where: str, is_counted: bool) -> None:
    """Raise if another matrix, or more of this one, stands below its last row, the first of the lines.

    Where the header has counted the rows, further rows of four numbers below a rule are of other tables.
    """
    (last, _), *below = lines
    if not below:
        return
    start, first = below[0]
    is_table = is_log_odds = False
    for number, line in below:
        if _MATRIX_HEADER.match(line):
            raise InputError(
                f"{where}: got two matrices, expected one. Give the second (line {number}) a MOTIF line of its own."
            )
        is_log_odds |= _LOG_ODDS_HEADER.match(line) is not None
        is_table |= _is_table(line)
        words = split_words(line)
        is_four = len(words) == 4 and all(parse_number(word) is not None for word in words)
        is_row = (is_four and not is_counted and not is_log_odds) or (_looks_like_row(line) and not is_table)
        if is_row and number > start:
            raise InputError(
                f"{where}: got the row {' '.join(words)} after {first.strip()[:40]!r}, which ends the matrix. Remove "
                f"what stands between the rows (line {number})."
            )
    if _looks_like_row(first) or (start == last + 1 and not (_is_table(first) or _REMARK.match(first))):
        raise InputError(
            f"{where}, line {start}: got {first.strip(' ')[:40]!r} below the rows, expected a further row (four "
            "probabilities), URL, or an empty line. Correct the row, or set an empty line above."
        )


def _parse_row(line: Line, where: str) -> NDArray[np.float64]:
    """Return four probabilities that sum to 1."""
    words = split_words(line[1])
    numbers = [parse_number(word) for word in words]
    row = np.array(numbers, dtype=np.float64)  # NaN for None
    if row.shape != (4,) or not ((row >= 0) & (row <= 1)).all() or abs(row.sum() - 1) > SUM_TOLERANCE + 1e-9:
        raise InputError(
            f"{where}: got {' '.join(words)}, expected four probabilities (A C G T) that sum to 1 "
            f"(within {SUM_TOLERANCE:g}). Correct the row (line {line[0]}), or divide counts by their sum."
        )
    return row


def _as_motif(motif: ArrayLike | Motif, name: str) -> Motif:
    """Return a motif whose PPM is checked."""
    if isinstance(motif, Motif):
        return Motif(as_ppm(motif.ppm, check_name(name)), motif.n_sites, motif.other_name)
    return Motif(as_ppm(motif, check_name(name)))


def _n_sites_of(name: str, motif: Motif, n_sites: float | Mapping[str, float] | None) -> float:
    """Return the number of sites to write for a motif."""
    asked = n_sites.get(name) if isinstance(n_sites, Mapping) else n_sites
    own = DEFAULT_N_SITES if motif.n_sites is None else motif.n_sites
    try:
        value = own if asked is None else float(asked)
    except (TypeError, ValueError, OverflowError):
        value = float("nan")
    if not 0 < value < float("inf"):
        shown = repr(asked) if isinstance(asked, str) else str(own if asked is None else asked)
        raise InputError(f"write_meme: got n_sites {shown[:40]} for motif {name}, expected a positive number.")
    return value


def _format_motif(name: str, motif: Motif, n_sites: float | Mapping[str, float] | None) -> str:
    """Return one motif's lines."""
    if len(name) > MAX_NAME_LENGTH or name.split() != [name]:
        raise InputError(
            f"write_meme: got the motif name {name!r}, expected 1 to {MAX_NAME_LENGTH} characters without white space. "
            f"Rename it, e.g. {'_'.join(name.split())[:MAX_NAME_LENGTH] or 'motif_0'!r}."
        )
    if not _SURROGATE.sub("", name).isprintable():  # what is no text is refused where it is written
        raise InputError(f"write_meme: got the motif name {name!r}, with a character that cannot be seen. Rename it.")
    columns = motif.ppm.T
    rows = "".join(" " + "  ".join(f"{p:.8f}" for p in column) + "\n" for column in columns)
    sites = np.format_float_positional(_n_sites_of(name, motif, n_sites), trim="-")  # no exponent, every digit
    header = f"letter-probability matrix: alength= 4 w= {len(columns)} nsites= {sites} E= 0\n"
    names = f"{name} {'_'.join(motif.other_name.split())[:MAX_NAME_LENGTH]}".rstrip()
    return f"MOTIF {names}\n{header}{rows}"
