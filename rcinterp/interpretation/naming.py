"""Which known motif a motif is: the best match that its composition alone does not explain, and whose factor it is."""

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from rcinterp.comparison import best_matches, shuffled_p_values
from rcinterp.interpretation.verdicts import MATCH_Q_VALUE, SHUFFLED_P_VALUE
from rcinterp.motifs import Motif, information_content, reverse_complement_motif
from rcinterp.motifs.groups import is_discovered, name_factors
from rcinterp.palindromes.finding import find_palindromes

#: Columns of Tomtom's table, and what they are called beside a filter's other numbers.
_MATCH_COLUMNS = {
    "Target_ID": "best_match",
    "Orientation": "match_orientation",
    "p-value": "match_p",
    "q-value": "match_q",
}
#: Columns of `name_motifs`.
MATCH_COLUMNS = [
    *_MATCH_COLUMNS.values(),
    "match_shuffled_p",
    "match_covered",
    "match_factor",
    "match_known",
    "match_description",
    "match_rc_similarity",
]


def name_motifs(matches: pd.DataFrame, queries: Mapping[str, Motif], known: Mapping[str, Motif]) -> pd.DataFrame:
    """The match that each query is named after, if it is named.

    Parameters
    ----------
    matches : DataFrame
        What `compare_motifs` returned for these queries and known motifs.
    queries, known : mapping of str to Motif

    Returns
    -------
    DataFrame
        One row a query that has a match, which is its index; the columns `MATCH_COLUMNS`.

    Notes
    -----
    Of a query's matches up to q = `MATCH_Q_VALUE`, the first by Tomtom's order is taken that is more similar than all
    but a share `SHUFFLED_P_VALUE` of the query's copies with shuffled columns (`shuffled_p_values`). A query without
    such a match keeps Tomtom's first, for its numbers to be seen. `match_known` is the first match of the same kind
    that is no motif discovered in an experiment, and `match_factor` who binds that.
    """
    if not len(matches):
        return pd.DataFrame(columns=MATCH_COLUMNS).rename_axis("Query_ID")
    significant = matches[matches["q-value"] <= MATCH_Q_VALUE]
    p = shuffled_p_values(significant, queries, {name: motif.ppm for name, motif in known.items()})
    rows = matches.assign(match_shuffled_p=p)
    named = rows[rows["match_shuffled_p"] <= SHUFFLED_P_VALUE]
    telling = named[~named["Target_ID"].map(is_discovered).astype(bool)]
    best = best_matches(pd.concat([named, rows])).set_index("Query_ID").loc[rows["Query_ID"].unique()]
    best["match_known"] = best_matches(telling).set_index("Query_ID")["Target_ID"].reindex(best.index)
    factors = name_factors(known)
    descriptions = {name: " ".join(motif.other_name.split()) or None for name, motif in known.items()}
    best["match_description"] = best["Target_ID"].map(descriptions)
    best["match_factor"] = best["match_known"].map(factors)
    ppms = {name: known[name].ppm for name in best["Target_ID"].unique()}
    best["match_covered"] = [_covered(row, ppms[row["Target_ID"]]) for row in best.to_dict("records")]
    own = find_palindromes(ppms, n_permutations=1)
    best["match_rc_similarity"] = best["Target_ID"].map(own.set_index("filter")["rc_similarity"]).astype(float)
    return best.rename(columns=_MATCH_COLUMNS)[MATCH_COLUMNS]


def _covered(row: Mapping[Hashable, Any], ppm: NDArray[np.float64]) -> float:
    """Share of a target's information that lies under the query, by a row of Tomtom's table."""
    information = information_content(reverse_complement_motif(ppm) if row["Orientation"] == "-" else ppm)
    start = max(0, row["Optimal_offset"])
    total = float(information.sum())
    return float(information[start : start + row["Overlap"]].sum()) / total if total else float("nan")
