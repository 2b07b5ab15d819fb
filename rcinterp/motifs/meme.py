"""Motif files in MEME minimal format: a tolerant reader and a strict writer."""

import os
import re
from collections.abc import Iterator, Mapping
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rcinterp.errors import InputError
from rcinterp.files import parse_number, parse_whole, split_lines, split_words, write_at_once
from rcinterp.motifs.matrices import SUM_TOLERANCE, Motif, as_background, as_ppm, check_name
from rcinterp.motifs.reading import Source, collect, read_motif_text

#: MEME cuts longer names off (MAX_MOTIF_ID_LENGTH in its sources), after which two may be the same.
MAX_NAME_LENGTH = 100
#: The number of sites that MEME assumes of a motif that does not say.
DEFAULT_N_SITES = 20.0

_MATRIX_HEADER = re.compile(r"\s*letter\s*-\s*probability\s+matrix\s*:", re.IGNORECASE)
_LOG_ODDS_HEADER = re.compile(r"\s*log\s*-\s*odds\s+matrix\s*:", re.IGNORECASE)
_ALPHABET = re.compile(r"\s*ALPHABET\s*=\s*(\S*)", re.IGNORECASE)
_WIDTH = re.compile(r"\bw\s*=\s*(\d+)")
_NUMBER = re.compile(r"[-+]?(\.?\d|(nan|inf)\b)", re.IGNORECASE)
_N_SITES = re.compile(r"\bnsites\s*=\s*(\d+(?:\.\d*)?(?:[eE][+-]?\d+)?)")


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
        If the file cannot be read, is not in MEME format, is not of DNA, has no motif, has one id twice, a matrix
        whose number of rows is not its ``w=``, or a row that is not four probabilities that sum to 1 within
        `SUM_TOLERANCE`. The message names file, motif and row (1-based).

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
    lines = split_lines(text)
    _check_header(lines, source)
    blocks = _split_motifs(lines, source)
    return collect(((name, _parse_motif(name, other, block, source)) for name, other, block in blocks), source)


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
        there), a matrix is not a PPM, a number of sites is not positive, or the file cannot be written.
    """
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
    alphabets = [match[1].upper() for line in header if (match := _ALPHABET.match(line))]
    if alphabets and alphabets[0] not in ("", "ACGT", "DNA"):
        raise InputError(f"{path}: got motifs of the alphabet {alphabets[0]}, expected DNA (ALPHABET= ACGT).")


def _split_motifs(lines: list[str], path: str | os.PathLike[str]) -> Iterator[tuple[str, str, list[str]]]:
    """Yield each motif's id, its other name and the lines after its MOTIF line."""
    starts = [number for number, line in enumerate(lines) if split_words(line)[:1] == ["MOTIF"]]
    for start, stop in pairwise([*starts, len(lines)]):
        words = split_words(lines[start])
        if len(words) < 2:
            raise InputError(f"{path}: line {start + 1} is MOTIF without an id; expected e.g. MOTIF MA0139.1 CTCF.")
        yield words[1], " ".join(words[2:]), lines[start + 1 : stop]


def _parse_motif(name: str, other_name: str, block: list[str], path: str | os.PathLike[str]) -> Motif | None:
    """Read one motif's matrix; None if it has none."""
    start = next((number for number, line in enumerate(block) if _MATRIX_HEADER.match(line)), None)
    if start is None:
        return None
    where = f"{path}: motif {name}"
    rows = [_parse_row(words, f"{where}, row {i}") for i, words in enumerate(_rows(block[start + 1 :]), start=1)]
    width = _WIDTH.search(block[start])
    if not rows or (width and parse_whole(width[1]) != len(rows)):
        expected = f"w= {width[1]}" if width else "at least one"
        raise InputError(f"{where} has {len(rows)} rows of probabilities, expected {expected}.")
    _check_rest(block[start + 1 :], len(rows), where, width is not None)
    n_sites = _N_SITES.search(block[start])
    sites = float(n_sites[1]) if n_sites else 0.0
    return Motif(as_ppm(np.array(rows).T, name), sites if 0 < sites < float("inf") else None, other_name)


def _rows(lines: list[str]) -> Iterator[list[str]]:
    """Yield the words of the lines of numbers that the block starts with, blank lines skipped."""
    for line in lines:
        words = split_words(line)
        if words and not _NUMBER.match(words[0]):
            return
        if words:
            yield words


def _check_rest(lines: list[str], n_rows: int, where: str, is_counted: bool) -> None:
    """Raise if another matrix, or more of this one, stands below the lines of numbers that were read.

    Where the header has counted the rows, further rows are of other tables, as in MEME's full text.
    """
    below = [line for line in lines if split_words(line)][n_rows:]
    is_other = is_counted
    for line in below:
        if _MATRIX_HEADER.match(line):
            raise InputError(f"{where}: got two matrices, expected one. Give the second a MOTIF line of its own.")
        is_other |= _LOG_ODDS_HEADER.match(line) is not None
        words = split_words(line)
        if not is_other and len(words) == 4 and all(parse_number(word) is not None for word in words):
            raise InputError(
                f"{where}: got the row {' '.join(words)} after {below[0].strip()[:40]!r}, which ends the matrix. "
                "Remove what stands between the rows."
            )


def _parse_row(words: list[str], where: str) -> NDArray[np.float64]:
    """Return four probabilities that sum to 1."""
    numbers = [parse_number(word) for word in words]
    row = np.array(numbers, dtype=np.float64)  # NaN for None
    if row.shape != (4,) or not ((row >= 0) & (row <= 1)).all() or abs(row.sum() - 1) > SUM_TOLERANCE + 1e-9:
        raise InputError(
            f"{where}: got {' '.join(words)}, expected four probabilities (A C G T) that sum to 1 "
            f"(within {SUM_TOLERANCE:g}). Correct the row, or divide counts by their sum."
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
    value = own if asked is None else float(asked)
    if not 0 < value < float("inf"):
        raise InputError(f"write_meme: got n_sites {value:g} for motif {name}, expected a positive number.")
    return value


def _format_motif(name: str, motif: Motif, n_sites: float | Mapping[str, float] | None) -> str:
    """Return one motif's lines."""
    if len(name) > MAX_NAME_LENGTH or name.split() != [name]:
        raise InputError(
            f"write_meme: got the motif name {name!r}, expected 1 to {MAX_NAME_LENGTH} characters without white space. "
            f"Rename it, e.g. {'_'.join(name.split())[:MAX_NAME_LENGTH] or 'motif_0'!r}."
        )
    columns = motif.ppm.T
    rows = "".join(" " + "  ".join(f"{p:.8f}" for p in column) + "\n" for column in columns)
    sites = np.format_float_positional(_n_sites_of(name, motif, n_sites), trim="-")  # no exponent, every digit
    header = f"letter-probability matrix: alength= 4 w= {len(columns)} nsites= {sites} E= 0\n"
    names = f"{name} {'_'.join(motif.other_name.split())[:MAX_NAME_LENGTH]}".rstrip()
    return f"MOTIF {names}\n{header}{rows}"
