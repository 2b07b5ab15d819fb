"""Tables of matches with the columns of Tomtom's."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rcinterp.comparison.alignment import Alignments, Floats
from rcinterp.comparison.false_discovery import q_values
from rcinterp.motifs import consensus, reverse_complement_motif

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


def tabulate(
    queries: Mapping[str, Floats], targets: Mapping[str, Floats], found: Alignments, max_q_value: float
) -> pd.DataFrame:
    """Return the rows of every query.

    Parameters
    ----------
    queries, targets : mapping of str to numpy.ndarray, shape (4, W)
        PPMs that hold the pseudocount.
    found : Alignments
        Of the queries with the targets, all of them forward, then all of them reverse.
    max_q_value : float
        Largest q-value kept.

    Returns
    -------
    pandas.DataFrame
        What `compare_motifs` returns.
    """
    both = [*targets.values(), *(reverse_complement_motif(ppm) for ppm in targets.values())]
    consensuses, names = np.array(_consensuses(both)), np.array(list(targets))
    tables = []
    for index, (name, ppm) in enumerate(queries.items()):
        p, overlap = found.p_values[index], found.overlaps[index]
        chosen = _better_orientations(p, overlap)
        reverse = chosen >= len(names)
        order = np.lexsort((names, reverse, -overlap[chosen], p[chosen]))
        q = q_values(p)
        rows = chosen[order][q[chosen[order]] <= max_q_value]
        values = (
            name,
            names[rows % len(names)],
            found.offsets[index, rows],
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


def format_matches(table: pd.DataFrame, refused: Mapping[str, str] | None = None) -> str:
    """Return a table of matches as the text of MEME's tomtom.tsv; queries without a p-value stand in comments below.

    Parameters
    ----------
    table : pandas.DataFrame
        What `compare_motifs` returned.
    refused : mapping of str to str, optional
        Queries without a p-value, name to reason, as `find_uninformative` has them.

    Returns
    -------
    str
        Tab-separated, one line a row, a header first; then one line ``# query: no p-value, reason`` a refused query.
    """
    comments = [f"# {query}: no p-value, {reason}\n" for query, reason in (refused or {}).items()]
    return table.to_csv(sep="\t", index=False) + "".join(comments)


def empty_table() -> pd.DataFrame:
    """Return a table without rows, with the columns' types."""
    types = {"Optimal_offset": np.int64, "Overlap": np.int64, "p-value": float, "E-value": float, "q-value": float}
    return pd.DataFrame({column: pd.Series(dtype=types.get(column, str)) for column in COLUMNS})


def _consensuses(ppms: Sequence[Floats]) -> list[str]:
    """Return the consensus of every PPM; of all at once, as there are thousands."""
    letters = consensus(np.concatenate(ppms, axis=1))
    ends = np.cumsum([ppm.shape[1] for ppm in ppms])
    return [letters[end - ppm.shape[1] : end] for ppm, end in zip(ppms, ends, strict=True)]


def _better_orientations(p: NDArray[np.float64], overlap: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each target the index of its better orientation: smaller p, then larger overlap, then forward."""
    (p_forward, p_reverse), (forward, reverse) = np.split(p, 2), np.split(overlap, 2)
    is_reverse = (p_reverse < p_forward) | ((p_reverse == p_forward) & (reverse > forward))
    forward_index = np.arange(is_reverse.size, dtype=np.int64)
    return np.where(is_reverse, forward_index + is_reverse.size, forward_index)
