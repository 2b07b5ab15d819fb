"""What is compared: queries from every source, and which of them say too little to be."""

import os
from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from rcinterp.errors import InputError
from rcinterp.motifs import Motif, MotifSource, information_content, load_motifs_with_sites
from rcinterp.motifs.matrices import as_matrix, as_ppm, check_name

#: Tomtom leaves wider queries out: its memory is cubic in the width.
MAX_QUERY_WIDTH = 100

#: Queries with less information than this (bits, all positions together) get no p-value; see `compare_motifs`.
MIN_BITS = 2.0

QuerySource = MotifSource | ArrayLike
RawQueries = dict[str, tuple[NDArray[np.float64], float | None]]


def read_queries(queries: QuerySource) -> RawQueries:
    """Return name to matrix (shape checked, values not) and number of sites.

    Parameters
    ----------
    queries : mapping, array-like of shape (F, 4, W), path, or "encode"
        As `compare_motifs` takes them.

    Returns
    -------
    dict of str to tuple of numpy.ndarray, shape (4, W), and float or None
        In the order given.

    Raises
    ------
    InputError
        If there is none, or something is not a (4, W) matrix.
    """
    if isinstance(queries, str | os.PathLike):
        return {name: (motif.ppm, motif.n_sites) for name, motif in load_motifs_with_sites(queries).items()}
    if not isinstance(queries, Mapping):
        try:
            stack = np.asarray(queries).astype(np.float64)
        except (TypeError, ValueError, RuntimeError) as error:  # RuntimeError: a tensor that requires grad
            raise InputError(f"compare_motifs: got queries that are not an array of numbers ({error}).") from error
        if stack.ndim != 3 or stack.shape[1] != 4:
            raise InputError(
                f"compare_motifs: got queries of shape {stack.shape}, expected (F, 4, W) PPMs with rows A, C, G, T. "
                "For one motif use {name: ppm}; for (F, W, 4) use queries.transpose(0, 2, 1)."
            )
        queries = {f"filter_{index}": matrix for index, matrix in enumerate(stack)}
    if not queries:
        raise InputError("compare_motifs: got no query, expected at least one PPM.")
    named = {check_name(name): query for name, query in queries.items()}
    return {
        name: (as_matrix(query.ppm, name), query.n_sites)
        if isinstance(query, Motif)
        else (as_matrix(query, name), None)
        for name, query in named.items()
    }


def find_uninformative(queries: QuerySource, min_bits: float = MIN_BITS) -> dict[str, str]:
    """Find the queries that say too little for a p-value, which `compare_motifs` leaves out.

    Parameters
    ----------
    queries : mapping of str to array-like (4, W) or Motif, array-like of shape (F, 4, W), path, or "encode"
        As in `compare_motifs`; a mapping may be empty.
    min_bits : float, default 2
        Total information of a query, in bits, below which it says too little.

    Returns
    -------
    dict of str to str
        Name to reason, of those queries alone.
    """
    if isinstance(queries, Mapping) and not queries:
        return {}
    return sort_out(read_queries(queries), min_bits)[1]


def sort_out(queries: RawQueries, min_bits: float) -> tuple[dict[str, Motif], dict[str, str]]:
    """Split queries into those that can be compared and the reasons against the others.

    Parameters
    ----------
    queries : dict
        What `read_queries` returned.
    min_bits : float
        Information, all positions together, below which a query is refused.

    Returns
    -------
    informative : dict of str to Motif
        The queries that can be compared.
    refused : dict of str to str
        The others, name to reason.

    Raises
    ------
    InputError
        If a query is wider than 100 positions or not a PPM.
    """
    informative, refused = {}, {}
    for name, (matrix, n_sites) in queries.items():
        width = matrix.shape[1]
        if width > MAX_QUERY_WIDTH:
            raise InputError(f"compare_motifs: query {name} has {width} positions, expected at most 100. Trim it.")
        if not np.isfinite(matrix).all():
            refused[name] = "NaN or infinite values"
        elif np.ptp(matrix) == 0:
            refused[name] = "all values are equal (a dead filter)"
        elif (bits := float(information_content(ppm := as_ppm(matrix, name)).sum())) < min_bits:
            refused[name] = f"{bits:.2g} bits of information, less than {min_bits:g}"
        else:
            informative[name] = Motif(ppm, n_sites)
    return informative, refused
