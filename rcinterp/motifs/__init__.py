"""Known motifs: where they come from, and what can be said of one by itself."""

import os
from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rcinterp.errors import InputError
from rcinterp.motifs.encode import encode_descriptions, load_encode
from rcinterp.motifs.formats import read_motifs
from rcinterp.motifs.matrices import Motif, as_ppm, check_name, consensus, information_content, reverse_complement_motif
from rcinterp.motifs.meme import read_meme, write_meme

__all__ = [
    "Motif",
    "MotifSource",
    "consensus",
    "encode_descriptions",
    "information_content",
    "load_motifs",
    "load_motifs_with_sites",
    "read_meme",
    "read_motifs",
    "reverse_complement_motif",
    "write_meme",
]


#: Where motifs come from; see `load_motifs`.
MotifSource: TypeAlias = str | os.PathLike[str] | Mapping[str, ArrayLike | Motif]


def load_motifs(source: MotifSource) -> dict[str, NDArray[np.float64]]:
    """Return motifs as position probability matrices (PPMs).

    Parameters
    ----------
    source : "encode", path, or mapping of str to array-like, shape (4, W)
        ``"encode"``: the 2,067 motifs of the ENCODE catalogue (`load_encode`). A path: a file in the format of
        MEME, JASPAR, TRANSFAC, HOMER, ENCODE, pfm, CIS-BP or UniPROBE, which is told from its content, plain or gzipped
        (`read_motifs`), or named behind the path, as in ``"a.txt:pfm"``;
        write ``"./encode"`` for a file of that name. A mapping: PPMs, which are checked and copied.

    Returns
    -------
    dict of str to numpy.ndarray of float64, shape (4, W)
        Name to probabilities, rows A, C, G, T, in the source's order; every column divided by its sum. The arrays
        are new.

    Raises
    ------
    InputError
        If the source cannot be read, is empty, has a name twice, or holds something that is not a PPM.

    Warns
    -----
    UserWarning
        If a motif in a file has no matrix; it names the motif, which is left out.

    Examples
    --------
    >>> from rcinterp.motifs import consensus, load_motifs
    >>> consensus(load_motifs("encode")["CTCF_known1"])
    'TGGCCACCAGGGGGCGCTA'
    """
    return {name: motif.ppm / motif.ppm.sum(axis=0) for name, motif in load_motifs_with_sites(source).items()}


def load_motifs_with_sites(source: MotifSource) -> dict[str, Motif]:
    """Return motifs with the number of sites that each was estimated from, where the source says so.

    Parameters
    ----------
    source : "encode", path, or mapping of str to array-like, shape (4, W)
        As in `load_motifs`. MEME files and files of counts give numbers of sites, and so does a mapping to `Motif`.

    Returns
    -------
    dict of str to Motif
        Name to PPM, number of sites and other name.

    Raises
    ------
    InputError
        As `load_motifs`.
    """
    if isinstance(source, Mapping):
        if not source:
            raise InputError("motifs: got an empty mapping, expected at least one motif: {name: (4, W) PPM}.")
        return {check_name(name): _as_motif(motif, name) for name, motif in source.items()}
    if not isinstance(source, str | os.PathLike):
        raise InputError(
            f'motifs: got {type(source).__name__}, expected "encode", the path of a motif file, or a mapping '
            "{name: (4, W) PPM}."
        )
    if source == "encode":
        descriptions = encode_descriptions()
        return {name: Motif(ppm, None, descriptions[name]) for name, ppm in load_encode().items()}
    return read_motifs(source)


def _as_motif(motif: ArrayLike | Motif, name: str) -> Motif:
    if isinstance(motif, Motif):
        return Motif(as_ppm(motif.ppm, name), motif.n_sites, motif.other_name)
    return Motif(as_ppm(motif, name))
