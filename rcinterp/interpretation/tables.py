"""The table of filters, filters.tsv: one row a filter, its columns taken from what was measured."""

import pandas as pd

from rcinterp.interpretation.naming import MATCH_COLUMNS
from rcinterp.interpretation.verdicts import in_words, judge


def tabulate_filters(
    contributions: pd.DataFrame,
    palindromes: pd.DataFrame,
    triage: pd.DataFrame,
    found: pd.DataFrame,
    names: pd.DataFrame,
) -> pd.DataFrame:
    """One row a filter, the largest contribution first."""
    table = contributions.drop(columns=["layer", "method", "baseline", "cut_at", "cut_reason", "output"])
    table = table.merge(palindromes[["filter", "rc_similarity", "rc_p", "rc_axis"]], on="filter")
    table = table.merge(triage[["filter", "triage", "triage_motif"]], on="filter")
    table = table.merge(found.drop(columns=["ppm", "start"]), on="filter")
    table = table.astype({"n_sites": "Int64", "n_other_sites": "Int64"})
    table = table.join(names[MATCH_COLUMNS], on="filter")
    largest = float(table["contribution"].abs().max())
    verdicts = [judge(row, largest) for row in table.to_dict("records")]
    table["verdict_kinds"] = ["; ".join(verdict.kind for verdict in one) for one in verdicts]
    table["verdict"] = [in_words(one) for one in verdicts]
    return table.sort_values("contribution", ascending=False, kind="stable", ignore_index=True)
