"""Compare motifs with known ones: the p-, E- and q-values of MEME's Tomtom."""

import warnings

import numpy as np
import pandas as pd

from rcinterp.comparison.alignment import Alignments, Floats, align
from rcinterp.comparison.memelite_engine import align_by_memelite, is_installed
from rcinterp.comparison.queries import MIN_BITS, QuerySource, read_queries, sort_out
from rcinterp.comparison.tables import empty_table, tabulate
from rcinterp.errors import InputError
from rcinterp.motifs import Motif, MotifSource, load_motifs_with_sites, reverse_complement_motif
from rcinterp.motifs.meme import DEFAULT_N_SITES

#: With fewer targets than this, Tomtom and `compare_motifs` warn that p-values are not accurate.
MIN_TARGETS = 50
#: The distances of two columns that `compare_motifs` knows.
DISTANCES = ("euclidean", "pearson")

_PSEUDOCOUNT = 0.1  # Tomtom's -motif-pseudo, spread over the letters


class UninformativeMotifWarning(UserWarning):
    """Some queries say too little for a p-value and are not in the table."""


class FewTargetsWarning(UserWarning):
    """There are too few targets for accurate p-values."""


def compare_motifs(
    queries: QuerySource,
    targets: MotifSource = "encode",
    *,
    distance: str = "euclidean",
    background: MotifSource | None = None,
    max_q_value: float | None = 0.5,
    n_sites: float = DEFAULT_N_SITES,
    min_bits: float = MIN_BITS,
    progress: bool = False,
) -> pd.DataFrame:
    r"""Find the known motifs that each query resembles, as MEME's ``tomtom`` does.

    Parameters
    ----------
    queries : mapping of str to array-like (4, W) or Motif, array-like of shape (F, 4, W), path, or "encode"
        PPMs (probabilities, rows A, C, G, T; at most 100 positions). Those of an array are named ``filter_0``,
        ``filter_1`` and so on.
    targets : "encode", path, or mapping of str to array-like (4, W), default "encode"
        Whatever `rcinterp.motifs.load_motifs` takes. Both orientations are compared.
    distance : "euclidean" or "pearson", default "euclidean"
        How two columns are compared: Tomtom's ``-dist ed``, its default, or ``-dist pearson``, the correlation of their
        probabilities, which Basset, TF-MoDISco and tfomics ask of Tomtom.
    background : "encode", path, or mapping of str to array-like (4, W), optional
        Motifs whose columns join those of the targets as the background of every p-value, but which are not compared.
        With it, few targets, such as another model's filters, get accurate p-values too.
    max_q_value : float or None, default 0.5
        Largest q-value kept, in (0, 1]. The default is Tomtom's, so that the table has the rows of Tomtom's; None
        keeps one row for every pair.
    n_sites : float, default 20
        Number of sites behind each query that does not say it itself (MEME files and `Motif` do). It weighs Tomtom's
        pseudocount of 0.1; 20 is what Tomtom assumes.
    min_bits : float, default 2
        Total information of a query, in bits against a uniform background, below which it is refused. See Notes.
    progress : bool, default False
        A bar on standard error; memelite shows none.

    Returns
    -------
    pandas.DataFrame
        One row for each pair kept, in the order of the queries, then by p-value (ties as in Tomtom: larger overlap
        first, then + before -, then by name). Columns, exactly Tomtom's: ``Query_ID``, ``Target_ID``,
        ``Optimal_offset`` (position of the target, in the orientation given, that the query's first position lies
        on, 0-based; negative if the query starts before it), ``p-value``, ``E-value`` (p times the number of
        targets), ``q-value``, ``Overlap`` (positions aligned), ``Query_consensus``, ``Target_consensus`` (in the
        orientation given), ``Orientation`` (of the target, + or -).

    Raises
    ------
    InputError
        If queries or targets are empty or not PPMs, a query is wider than 100 positions, or an option is out of
        range.

    Warns
    -----
    UninformativeMotifWarning
        If queries were refused: all values equal (a dead filter), NaN or infinite values, or less than `min_bits`.
        They have no rows; the warning names them, and so does `find_uninformative`.
    FewTargetsWarning
        If there are fewer than 50 targets, background included. Their columns are the background of every p-value, so
        with few of them p-values change by orders of magnitude with the choice of targets: trust the ranks, not the
        p-values, or give a `background`.

    See Also
    --------
    best_matches : One row for each query.
    find_uninformative : The queries that get no p-value.
    rcinterp.motifs.groups.best_groups : One row for each query and group of targets.

    Notes
    -----
    A pseudocount is added to queries and targets, :math:`p \leftarrow (n p + 0.1/4)/(n + 0.1)` for n sites. An
    alignment's score is the sum over aligned positions of the two columns' score, less the median of that query
    column's scores against all target columns. For two columns x and y the score is

    .. math:: -\sqrt{\textstyle\sum_b (x_b - y_b)^2} \quad\text{or}\quad
        \frac{\sum_b (x_b - 1/4)(y_b - 1/4)}{\sqrt{\sum_b (x_b - 1/4)^2 \sum_b (y_b - 1/4)^2}} ,

    the latter 0 if one of them is uniform. The engine (`rcinterp.comparison.alignment`;
    memelite for Euclidean distance where it is installed) gives the probability :math:`p_1` that the best alignment
    to one orientation of a random target of that width scores as high; Tomtom's p-value is that of the best of both,
    :math:`p = 1 - (1 - p_1)^2`. The orientation with the smaller p is reported. q-values: `q_values` of all
    2 x n_targets p-values of a query. Against MEME 5.4.1, p-values agree to 0.03 % and q-values to 0.3 %, the rest of
    its difference being the random numbers of MEME's bootstrap.

    The correlation does not say how informative a column is: 0.4, 0.2, 0.2, 0.2 and 1, 0, 0, 0 are the same to it.

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
    >>> from rcinterp import best_matches, load_motifs
    >>> filters = {"filter_0": load_motifs("encode")["CTCF_known1"][:, 3:14]}
    >>> best = best_matches(compare_motifs(filters))
    >>> best["Target_ID"][0], int(best["Optimal_offset"][0]), best["Orientation"][0]
    ('CTCF_known1', 3, '+')
    """
    _check_options(distance, max_q_value, n_sites, min_bits)
    informative, refused = sort_out(read_queries(queries), min_bits)
    _warn_of_refused(refused)
    known = _load(targets)
    others = [] if background is None else list(_load(background).values())
    _warn_of_few_targets(len(known) + len(others))
    if not informative:
        return empty_table()
    asked = {name: _add_pseudocount(motif, n_sites) for name, motif in informative.items()}
    found = _align(list(asked.values()), list(known.values()), others, distance, progress)
    return tabulate(asked, known, found, 1.0 if max_q_value is None else max_q_value)


def _check_options(distance: str, max_q_value: float | None, n_sites: float, min_bits: float) -> None:
    """Raise on an option out of range."""
    if distance not in DISTANCES:
        raise InputError(f'compare_motifs: got distance {distance!r}, expected "euclidean" or "pearson".')
    if max_q_value is not None and not 0 < max_q_value <= 1:
        raise InputError(f"compare_motifs: got max_q_value {max_q_value:g}, expected it in (0, 1], or None for all.")
    if not 0 < n_sites < np.inf:
        raise InputError(f"compare_motifs: got n_sites {n_sites:g}, expected a positive number, e.g. 20.")
    if not 0 <= min_bits < np.inf:
        raise InputError(f"compare_motifs: got min_bits {min_bits:g}, expected a number of bits of at least 0.")


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
            "p-values, which depend strongly on the choice of so few. Use a whole catalogue, or add one's columns: "
            'background="encode".',
            FewTargetsWarning,
            stacklevel=3,
        )


def _add_pseudocount(motif: Motif, n_sites: float) -> Floats:
    """Return the PPM that Tomtom compares; `n_sites` if the motif does not say its own."""
    sites = n_sites if motif.n_sites is None else motif.n_sites
    return (motif.ppm * sites + _PSEUDOCOUNT / 4) / (sites + _PSEUDOCOUNT)


def _load(source: MotifSource) -> dict[str, Floats]:
    """Return targets with their pseudocount."""
    return {name: _add_pseudocount(motif, DEFAULT_N_SITES) for name, motif in load_motifs_with_sites(source).items()}


def _align(
    queries: list[Floats], targets: list[Floats], others: list[Floats], distance: str, progress: bool
) -> Alignments:
    """Return the alignments with the targets, forward and then reverse; the others are only background."""
    forward = [*targets, *others]
    both = [*forward, *(reverse_complement_motif(ppm) for ppm in forward)]
    if distance == "euclidean" and is_installed():
        found = align_by_memelite(queries, both)
    else:
        found = align(queries, both, distance, progress=progress)
    kept = np.concatenate([np.arange(len(targets)), len(forward) + np.arange(len(targets))])
    return Alignments(found.p_values[:, kept], found.offsets[:, kept], found.overlaps[:, kept])
