"""Compare motifs with known ones: the p-, E- and q-values of MEME's Tomtom, with its table's columns."""

import importlib
import os
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from rcinterp.errors import InputError
from rcinterp.motifs import (
    Motif,
    MotifSource,
    consensus,
    information_content,
    load_motifs_with_sites,
    reverse_complement_motif,
)
from rcinterp.motifs.matrices import as_matrix, as_ppm, check_name
from rcinterp.motifs.meme import DEFAULT_N_SITES

#: The columns of a Tomtom table, in its order.
COLUMNS = (
    "Query_ID",
    "Target_ID",
    "Optimal_offset",
    "p-value",
    "E-value",
    "q-value",
    "Overlap",
    "Query_consensus",
    "Target_consensus",
    "Orientation",
)
#: Queries with less information than this (bits, all positions together) get no p-value; see `compare_motifs`.
MIN_BITS = 2.0
#: With fewer targets than this, Tomtom and `compare_motifs` warn that p-values are not accurate.
MIN_TARGETS = 50
#: Tomtom leaves wider queries out: its memory is cubic in the width.
MAX_QUERY_WIDTH = 100

_PSEUDOCOUNT = 0.1  # Tomtom's -motif-pseudo, spread over the letters
_N_MEDIAN_BINS = 100_000  # of memelite's approximate median; with as many, it is Tomtom's exact one
_N_LAMBDAS, _MAX_LAMBDA, _N_BOOTSTRAP, _MIN_P_VALUES = 100, 0.5, 1000, 100  # of MEME's estimate of pi_0

QuerySource = MotifSource | ArrayLike


class UninformativeMotifWarning(UserWarning):
    """Some queries say too little for a p-value and are not in the table."""


class FewTargetsWarning(UserWarning):
    """There are too few targets for accurate p-values."""


def compare_motifs(
    queries: QuerySource,
    targets: MotifSource = "encode",
    *,
    max_q_value: float | None = 0.5,
    n_sites: float = DEFAULT_N_SITES,
    min_bits: float = MIN_BITS,
) -> pd.DataFrame:
    r"""Find the known motifs that each query resembles, as MEME's ``tomtom`` does with its default options.

    Parameters
    ----------
    queries : mapping of str to array-like (4, W) or Motif, array-like of shape (F, 4, W), path, or "encode"
        PPMs (probabilities, rows A, C, G, T; at most 100 positions). Those of an array are named ``filter_0``,
        ``filter_1`` and so on.
    targets : "encode", path, or mapping of str to array-like (4, W), default "encode"
        Whatever `rcinterp.motifs.load_motifs` takes. Both orientations are compared.
    max_q_value : float or None, default 0.5
        Largest q-value kept, in (0, 1]. The default is Tomtom's, so that the table has the rows of Tomtom's; None
        keeps one row for every pair.
    n_sites : float, default 20
        Number of sites behind each query that does not say it itself (MEME files and `Motif` do). It weighs Tomtom's
        pseudocount of 0.1; 20 is what Tomtom assumes.
    min_bits : float, default 2
        Total information of a query, in bits against a uniform background, below which it is refused. See Notes.

    Returns
    -------
    pandas.DataFrame
        One row for each pair kept, in the order of the queries, then by p-value (ties as in Tomtom: larger overlap
        first, then + before -, then by name). Columns, exactly Tomtom's: ``Query_ID``, ``Target_ID``,
        ``Optimal_offset`` (position of the target, in the orientation given, that the query's first position lies
        on, 0-based; negative if the query starts before it), ``p-value``, ``E-value`` (p times the number of
        targets), ``q-value``, ``Overlap`` (positions aligned), ``Query_consensus``, ``Target_consensus`` (in the
        orientation given), ``Orientation`` (of the target, + or -). ``attrs["refused"]`` holds the queries that
        got no p-value, name to reason.

    Raises
    ------
    InputError
        If queries or targets are empty or not PPMs, a query is wider than 100 positions, or an option is out of
        range.

    Warns
    -----
    UninformativeMotifWarning
        If queries were refused: all values equal (a dead filter), NaN or infinite values, or less than `min_bits`.
        They have no rows; the warning and ``attrs["refused"]`` name them.
    FewTargetsWarning
        If there are fewer than 50 targets. The target columns are the background of every p-value, so with few of
        them p-values change by orders of magnitude with the choice of targets: trust the ranks, not the p-values.

    See Also
    --------
    best_matches : One row for each query.
    is_engine_compiled : Whether the first call on this machine will wait about a minute for the compiler.

    Notes
    -----
    A pseudocount is added to queries and targets, :math:`p \leftarrow (n p + 0.1/4)/(n + 0.1)` for n sites. An
    alignment's score is the sum over aligned positions of minus the Euclidean distance of the two columns, less the
    median of that query column's scores against all target columns. The engine (memelite) gives the probability
    :math:`p_1` that the best alignment to one orientation of a random target of that width scores as high; Tomtom's
    p-value is that of the best of both, :math:`p = 1 - (1 - p_1)^2`. The orientation with the smaller p is reported.
    q-values: `q_values` of all 2 x n_targets p-values of a query. Against MEME 5.4.1, p-values agree to 0.03 % and
    q-values to 0.3 %, the rest of its difference being the random numbers of MEME's bootstrap.

    Why weak queries are refused: a uniform column is nearest to uniform target columns, so a query of nothing but
    noise "matches" the least informative targets with tiny p-values (exactly uniform against ENCODE: PAX4_4 at
    E = 1e-5). 2 bits are one certain letter. Known ENCODE motifs blended with uniform columns down to 2 bits find
    themselves as best match in 21 % of cases, at 1 bit in 4 %; the weakest of the 2,067 ENCODE motifs has 3.6 bits.

    References
    ----------
    Gupta, Stamatoyannopoulos, Bailey & Noble (2007), Genome Biol. 8:R24.
    Tanaka, Bailey, Grant, Noble & Keich (2011), Bioinformatics 27:1603-1609 (complete scores).

    Examples
    --------
    >>> from rcinterp.motifs import load_motifs
    >>> filters = {"filter_0": load_motifs("encode")["CTCF_known1"][:, 3:14]}
    >>> best = best_matches(compare_motifs(filters))
    >>> best["Target_ID"][0], int(best["Optimal_offset"][0]), best["Orientation"][0]
    ('CTCF_known1', 3, '+')
    """
    _check_options(max_q_value, n_sites, min_bits)
    informative, refused = _sort_out(_read_queries(queries), min_bits)
    _warn_of_refused(refused)
    known = {name: _add_pseudocount(motif, DEFAULT_N_SITES) for name, motif in load_motifs_with_sites(targets).items()}
    _warn_of_few_targets(len(known))
    table = empty_table()
    if informative:
        asked = {name: _add_pseudocount(motif, n_sites) for name, motif in informative.items()}
        table = _tabulate(asked, known, 1.0 if max_q_value is None else max_q_value)
    table.attrs["refused"] = refused
    return table


def best_matches(table: pd.DataFrame) -> pd.DataFrame:
    """Return the best match of each query.

    Parameters
    ----------
    table : pandas.DataFrame
        What `compare_motifs` returned.

    Returns
    -------
    pandas.DataFrame
        The first row of each query, in the same order and with the same columns; queries without a row have none.
    """
    return table.groupby("Query_ID", sort=False).head(1).reset_index(drop=True)


def format_matches(table: pd.DataFrame) -> str:
    """Return a table of matches as the text of MEME's tomtom.tsv; queries without a p-value stand in comments below.

    Parameters
    ----------
    table : pandas.DataFrame
        What `compare_motifs` returned.

    Returns
    -------
    str
        Tab-separated, one line a row, a header first; then one line ``# query: no p-value, reason`` a refused query.
    """
    refused = table.attrs.get("refused", {})
    comments = [f"# {query}: no p-value, {reason}\n" for query, reason in refused.items()]
    return table.to_csv(sep="\t", index=False) + "".join(comments)


def q_values(p_values: ArrayLike) -> NDArray[np.float64]:
    r"""Return the smallest false discovery rate at which each p-value is significant.

    Parameters
    ----------
    p_values : array-like, shape (m,)
        Probabilities, in any order.

    Returns
    -------
    numpy.ndarray of float64, shape (m,)
        In the same order, in [0, 1], never decreasing with the p-value.

    Notes
    -----
    With :math:`\hat\pi_0` of `estimate_null_fraction` and p-values in ascending order,
    :math:`q_i = \min_{j \ge i} \min(1, \hat\pi_0\, m\, p_j / j)`.

    References
    ----------
    Storey (2002), J. R. Statist. Soc. B 64:479-498; qvalue.c of the MEME suite.
    """
    p = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    rates = np.minimum(1.0, estimate_null_fraction(p) * p.size * p[order] / np.arange(1, p.size + 1))
    q = np.empty_like(p)
    q[order] = np.minimum.accumulate(rates[::-1])[::-1]
    return q


def estimate_null_fraction(p_values: ArrayLike) -> float:
    r"""Estimate the fraction of p-values that come from the null hypothesis, as the MEME suite does.

    Parameters
    ----------
    p_values : array-like, shape (m,)
        Probabilities, in any order.

    Returns
    -------
    float
        :math:`\hat\pi_0` in (0, 1]; 1 for 100 p-values or fewer, which are too few to estimate it from.

    Notes
    -----
    With :math:`f(\lambda)` the fraction of p-values of at least :math:`\lambda`, the estimate at one
    :math:`\lambda` is :math:`\hat\pi_0(\lambda) = f(\lambda)/(1 - \lambda)`. Of :math:`\lambda` = 0.005, 0.010, ...,
    0.5, the one is taken whose estimate from bootstrap samples of 1,000 p-values has the smallest mean squared
    distance to :math:`\min_\lambda \hat\pi_0(\lambda)`. MEME averages over 100 random samples; here is the
    expectation itself (a count is binomial), so that the result is no matter of chance:

    .. math:: \frac{f (1 - f)}{1000 (1 - \lambda)^2} + (\hat\pi_0(\lambda) - \min_\lambda \hat\pi_0(\lambda))^2

    References
    ----------
    Storey (2002), J. R. Statist. Soc. B 64:479-498, section 9; qvalue.c of the MEME suite.
    """
    p = np.sort(np.asarray(p_values, dtype=np.float64))
    if p.size <= _MIN_P_VALUES:
        return 1.0
    lambdas = np.arange(1, _N_LAMBDAS + 1) / _N_LAMBDAS * _MAX_LAMBDA
    fractions = 1.0 - np.searchsorted(p, lambdas, side="left") / p.size
    lambdas, fractions = lambdas[fractions > 0], fractions[fractions > 0]
    if not fractions.size:
        return 1.0
    estimates = fractions / (1.0 - lambdas)
    variances = fractions * (1.0 - fractions) / (_N_BOOTSTRAP * (1.0 - lambdas) ** 2)
    best = int(np.argmin(variances + (estimates - estimates.min()) ** 2))
    return min(float(estimates[best]), 1.0)


def is_engine_compiled() -> bool:
    """Tell whether `compare_motifs` starts at once, or first compiles its engine (about a minute, once a machine).

    Returns
    -------
    bool
        True if the compiled engine is in this process or in numba's cache on disk, newer than its source.
    """
    engine = importlib.import_module("memelite.tomtom")
    if engine._tomtom.signatures:
        return True
    written = Path(str(engine.__file__)).stat().st_mtime
    pattern = f"tomtom._tomtom-*.py{sys.version_info.major}{sys.version_info.minor}*.nbc"
    return any(file.stat().st_mtime >= written for file in Path(engine._tomtom.stats.cache_path).glob(pattern))


def _check_options(max_q_value: float | None, n_sites: float, min_bits: float) -> None:
    """Raise on an option out of range."""
    if max_q_value is not None and not 0 < max_q_value <= 1:
        raise InputError(f"compare_motifs: got max_q_value {max_q_value:g}, expected it in (0, 1], or None for all.")
    if not 0 < n_sites < np.inf:
        raise InputError(f"compare_motifs: got n_sites {n_sites:g}, expected a positive number, e.g. 20.")
    if not 0 <= min_bits < np.inf:
        raise InputError(f"compare_motifs: got min_bits {min_bits:g}, expected a number of bits of at least 0.")


def _read_queries(queries: QuerySource) -> dict[str, tuple[NDArray[np.float64], float | None]]:
    """Return name to matrix (shape checked, values not) and number of sites."""
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


def _sort_out(
    queries: dict[str, tuple[NDArray[np.float64], float | None]], min_bits: float
) -> tuple[dict[str, Motif], dict[str, str]]:
    """Split queries into those that can be compared and the reasons against the others."""
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


def _warn_of_refused(refused: dict[str, str]) -> None:
    """Warn once, naming every query that got no p-value."""
    if refused:
        reasons = "; ".join(f"{name}: {reason}" for name, reason in refused.items())
        warnings.warn(f"no p-value for {len(refused)} queries ({reasons})", UninformativeMotifWarning, stacklevel=3)


def _warn_of_few_targets(n_targets: int) -> None:
    """Warn if the targets are no background."""
    if n_targets < MIN_TARGETS:
        warnings.warn(
            f"got {n_targets} targets, expected at least {MIN_TARGETS}: their columns are the background of the "
            'p-values, which depend strongly on the choice of so few. Use a whole catalogue, e.g. targets="encode".',
            FewTargetsWarning,
            stacklevel=3,
        )


def _add_pseudocount(motif: Motif, n_sites: float) -> NDArray[np.float64]:
    """Return the PPM that Tomtom compares; `n_sites` if the motif does not say its own."""
    sites = n_sites if motif.n_sites is None else motif.n_sites
    return (motif.ppm * sites + _PSEUDOCOUNT / 4) / (sites + _PSEUDOCOUNT)


def _tabulate(
    queries: dict[str, NDArray[np.float64]], targets: dict[str, NDArray[np.float64]], max_q_value: float
) -> pd.DataFrame:
    """Return the rows of every query."""
    both = [*targets.values(), *(reverse_complement_motif(ppm) for ppm in targets.values())]
    consensuses, names = np.array([consensus(ppm) for ppm in both]), np.array(list(targets))
    p_values, offsets, overlaps = _align(list(queries.values()), both)
    tables = []
    for index, (name, ppm) in enumerate(queries.items()):
        p, overlap = p_values[index], overlaps[index]
        chosen = _better_orientations(p, overlap)
        reverse = chosen >= len(names)
        order = np.lexsort((names, reverse, -overlap[chosen], p[chosen]))
        q = q_values(p)
        rows = chosen[order][q[chosen[order]] <= max_q_value]
        values = (
            name,
            names[rows % len(names)],
            offsets[index, rows],
            p[rows],
            p[rows] * len(names),
            q[rows],
            overlap[rows],
            consensus(ppm),
            consensuses[rows],
            np.where(rows < len(names), "+", "-"),
        )
        tables.append(pd.DataFrame(dict(zip(COLUMNS, values, strict=True))))
    return pd.concat(tables, ignore_index=True).astype(empty_table().dtypes)


def _align(
    queries: list[NDArray[np.float64]], targets: list[NDArray[np.float64]]
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Return p-values (both orientations accounted for), offsets and overlaps, each (queries, targets)."""
    from memelite import tomtom  # here, since numba takes seconds to import

    with warnings.catch_warnings():
        # Replaced by FewTargetsWarning: memelite cannot know that half of these targets are reverse complements.
        warnings.filterwarnings("ignore", message="tomtom was given")
        p, _, offsets, overlaps, _ = tomtom(
            queries, targets, n_target_bins=None, n_median_bins=_N_MEDIAN_BINS, reverse_complement=False
        )
    return np.clip(p * (2.0 - p), 0.0, 1.0), offsets.astype(np.int64), overlaps.astype(np.int64)


def _better_orientations(p: NDArray[np.float64], overlap: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each target the index of its better orientation: smaller p, then larger overlap, then forward."""
    (p_forward, p_reverse), (forward, reverse) = np.split(p, 2), np.split(overlap, 2)
    is_reverse = (p_reverse < p_forward) | ((p_reverse == p_forward) & (reverse > forward))
    forward_index = np.arange(is_reverse.size, dtype=np.int64)
    return np.where(is_reverse, forward_index + is_reverse.size, forward_index)


def empty_table() -> pd.DataFrame:
    """Return a table without rows, with the columns' types."""
    types = {"Optimal_offset": np.int64, "Overlap": np.int64, "p-value": float, "E-value": float, "q-value": float}
    return pd.DataFrame({column: pd.Series(dtype=types.get(column, str)) for column in COLUMNS})
