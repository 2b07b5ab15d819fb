"""The table of filters, filters.tsv: one row a filter, its columns taken from what was measured."""

import pandas as pd

from rcinterp.comparison import best_matches
from rcinterp.interpretation.verdicts import in_words, judge
from rcinterp.motifs import Motif
from rcinterp.palindromes.finding import find_palindromes

#: Columns of Tomtom's table, and what they are called beside a filter's other numbers.
_MATCH_COLUMNS = {
    "Target_ID": "best_match",
    "Orientation": "match_orientation",
    "p-value": "match_p",
    "q-value": "match_q",
}


def tabulate_filters(
    contributions: pd.DataFrame,
    palindromes: pd.DataFrame,
    triage: pd.DataFrame,
    matches: pd.DataFrame,
    found: pd.DataFrame,
    known: dict[str, Motif],
) -> pd.DataFrame:
    """One row a filter, the largest contribution first."""
    best = best_matches(matches).set_index("Query_ID").rename(columns=_MATCH_COLUMNS)
    named = {name: known[name].ppm for name in best["best_match"].unique()}
    own = find_palindromes(named).set_index("filter")["rc_similarity"] if named else pd.Series(dtype=float)
    table = contributions.drop(columns=["layer", "method", "baseline", "cut_at", "cut_reason", "output"])
    table = table.merge(palindromes[["filter", "rc_similarity", "rc_p", "rc_axis"]], on="filter")
    table = table.merge(triage[["filter", "triage", "triage_motif"]], on="filter")
    table = table.merge(found.drop(columns="ppm"), on="filter")
    table["n_sites"] = table["n_sites"].astype("Int64")
    table = table.join(best[list(_MATCH_COLUMNS.values())], on="filter")
    table["match_rc_similarity"] = table["best_match"].map(own).astype(float)
    largest = float(table["contribution"].abs().max())
    verdicts = [judge(row, largest) for row in table.to_dict("records")]
    table["verdict_kinds"] = ["; ".join(verdict.kind for verdict in one) for one in verdicts]
    table["verdict"] = [in_words(one) for one in verdicts]
    return table.sort_values("contribution", ascending=False, kind="stable", ignore_index=True)
