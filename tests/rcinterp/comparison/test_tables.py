"""The table's best rows, and the table as text."""

import re
from io import StringIO

import numpy as np
import pandas as pd
import pytest

from rcinterp.comparison import COLUMNS, UninformativeMotifWarning, compare_motifs
from rcinterp.comparison.queries import find_uninformative
from rcinterp.comparison.tables import best_matches, format_matches


def random_motifs(n, width, seed=0):
    """Motifs M0, M1, ... of `width` and more positions, with sharp columns."""
    rng = np.random.default_rng(seed)
    return {f"M{i}": rng.dirichlet([0.1] * 4, size=width + i % 5).T for i in range(n)}


def test_best_matches_is_the_first_row_of_each_query():
    table = compare_motifs(random_motifs(3, 9, seed=1), random_motifs(60, 7), max_q_value=None)
    best = best_matches(table)
    assert list(best["Query_ID"]) == ["M0", "M1", "M2"]
    pd.testing.assert_frame_equal(best, table.iloc[[0, 60, 120]].reset_index(drop=True))


def test_text_is_tomtom_s_with_the_refused_in_comments_below(ctcf):
    queries = {"dead": np.full((4, 7), 0.25), "q": ctcf, "weak": 0.9 * np.full((4, 7), 0.25) + 0.1 * ctcf[:, :7]}
    with pytest.warns(UninformativeMotifWarning):
        table = compare_motifs(queries)
    text = format_matches(table, find_uninformative(queries))
    lines = text.splitlines()
    assert lines[0] == "\t".join(COLUMNS)
    assert len(lines) == 1 + len(table) + 2
    assert lines[-2] == "# dead: no p-value, all values are equal (a dead filter)"
    assert re.fullmatch(r"# weak: no p-value, 0\.\d+ bits of information, less than 2", lines[-1])
    assert text.endswith("\n")
    read = pd.read_csv(StringIO(text), sep="\t", comment="#")
    pd.testing.assert_frame_equal(read, table, rtol=1e-14)


def test_text_is_read_as_tomtom_s_own_is(tomtom_files, every_pair):
    own = pd.read_csv(tomtom_files[2], sep="\t", comment="#", nrows=3)
    ours = pd.read_csv(StringIO(format_matches(every_pair.head(3))), sep="\t", comment="#")
    assert list(ours.columns) == list(own.columns)
    assert ours.dtypes.to_dict() == own.dtypes.to_dict()


def test_text_of_nothing_and_of_a_table_of_one_s_own(ctcf):
    with pytest.warns(UninformativeMotifWarning):
        nothing = compare_motifs({"dead": np.full((4, 7), 0.25)})
    lines = format_matches(nothing, {"dead": "no letter is preferred"}).splitlines()
    assert lines == ["\t".join(COLUMNS), "# dead: no p-value, no letter is preferred"]
    assert format_matches(pd.DataFrame({"Query_ID": ["q"], "p-value": [0.5]})) == "Query_ID\tp-value\nq\t0.5\n"
