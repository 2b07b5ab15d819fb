"""Compare motifs with known ones: the p-, E- and q-values of MEME's Tomtom, with its table's columns."""

from rcinterp.comparison.composition import N_SHUFFLES, shuffled_p_values
from rcinterp.comparison.false_discovery import estimate_null_fraction, q_values
from rcinterp.comparison.memelite_engine import is_engine_compiled
from rcinterp.comparison.queries import MAX_QUERY_WIDTH, MIN_BITS, QuerySource, find_uninformative
from rcinterp.comparison.tables import COLUMNS, best_matches, empty_table, format_matches
from rcinterp.comparison.tomtom import (
    DISTANCES,
    MIN_TARGETS,
    FewTargetsWarning,
    UninformativeMotifWarning,
    compare_motifs,
)

__all__ = [
    "COLUMNS",
    "DISTANCES",
    "MAX_QUERY_WIDTH",
    "MIN_BITS",
    "MIN_TARGETS",
    "N_SHUFFLES",
    "FewTargetsWarning",
    "QuerySource",
    "UninformativeMotifWarning",
    "best_matches",
    "compare_motifs",
    "empty_table",
    "estimate_null_fraction",
    "find_uninformative",
    "format_matches",
    "is_engine_compiled",
    "q_values",
    "shuffled_p_values",
]
