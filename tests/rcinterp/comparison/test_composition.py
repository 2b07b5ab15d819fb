"""Names that composition alone would give."""

import numpy as np
import pandas as pd
import pytest

from rcinterp.comparison import compare_motifs, shuffled_p_values
from rcinterp.errors import InputError
from rcinterp.motifs import load_motifs
from rcinterp.motifs.similarity import compare_matrices


@pytest.fixture(scope="module")
def known():
    return load_motifs("encode")


def shuffled(ppm, seed):
    return ppm[:, np.random.default_rng(seed).permutation(ppm.shape[1])]


def test_the_p_value_is_that_of_a_loop(known):
    few = {name: known[name] for name in list(known)[:40]} | {"CTCF": known["CTCF_known1"]}
    queries = {"q": 0.7 * known["CTCF_known2"] + 0.075, "r": known["SPI1_known3"]}
    rows = pd.DataFrame({"Query_ID": ["q", "r", "q"], "Target_ID": ["CTCF", "CTCF", next(iter(few))]}, index=[7, 3, 5])
    found = shuffled_p_values(rows, queries, few, n_shuffles=30, seed=4)
    assert found.index.tolist() == [7, 3, 5]
    for query, target, p in zip(rows["Query_ID"], rows["Target_ID"], found, strict=True):
        rng, ppm = np.random.default_rng(4), queries[query]
        copies = [ppm[:, rng.permutation(ppm.shape[1])] for _ in range(30)]
        best = [max(compare_matrices(copy, one).value for one in few.values()) for copy in copies]
        own = compare_matrices(ppm, few[target]).value
        assert p == (1 + sum(value >= own - 1e-6 for value in best)) / 31
    assert found[7] == pytest.approx(1 / 31)
    twice = shuffled_p_values(rows.set_axis([0, 0, 1]), queries, few, n_shuffles=30, seed=4)
    assert twice.tolist() == found.tolist()


def test_a_motif_of_one_column_over_and_over_has_no_order(known):
    queries = {"GGGGGGGG": np.repeat([[0.03], [0.03], [0.91], [0.03]], 8, axis=1)}
    matches = compare_motifs(queries)
    assert (matches["q-value"] < 0.01).any()
    assert (shuffled_p_values(matches.head(3), queries) == 1).all()


def test_shuffled_motifs_are_named_at_the_nominal_rate(known):
    """... though by its q-value nearly every shuffle of a blurred CTCF motif would be."""
    blurred = 0.5 * known["CTCF_known1"] + 0.125
    queries = {f"CTCF {seed}": shuffled(blurred, seed) for seed in range(60)}
    queries |= {f"{name} {seed}": shuffled(known[name], seed) for seed in range(2) for name in list(known)[::69]}
    matches = compare_motifs(queries)
    named = matches[matches["q-value"] <= 0.01]
    assert named["Query_ID"].nunique() >= 55
    by_order = named["Query_ID"][shuffled_p_values(named, queries) <= 0.02]
    assert by_order.nunique() <= 0.03 * len(queries)
    own = compare_motifs({"CTCF": blurred}).head(1)
    assert own["Target_ID"].str.startswith("CTCF").all()
    assert shuffled_p_values(own, {"CTCF": blurred}).tolist() == [0.01]


def test_real_motifs_keep_their_names(known):
    some = {name: known[name] for name in ("CTCF_known1", "SPI1_known3", "GATA_known1", "AP1_known1", "MYC_known3")}
    best = compare_motifs({name: 0.9 * ppm + 0.025 for name, ppm in some.items()}).groupby("Query_ID").head(1)
    assert (shuffled_p_values(best, {name: 0.9 * ppm + 0.025 for name, ppm in some.items()}) <= 0.02).all()


def test_a_query_s_p_values_do_not_depend_on_the_others(known):
    queries = {name: shuffled(known[name], 1) for name in ("CTCF_known1", "GATA_known1", "MYC_known1")}
    matches = compare_motifs(queries)
    best = matches.groupby("Query_ID", sort=False).head(2)
    alone = [shuffled_p_values(rows, queries) for _, rows in best.groupby("Query_ID", sort=False)]
    pd.testing.assert_series_equal(shuffled_p_values(best, queries), pd.concat(alone))


def test_what_does_not_belong_together(known):
    rows = pd.DataFrame({"Query_ID": ["q"], "Target_ID": ["CTCF_known1"]})
    with pytest.raises(InputError, match="query q of the matches is not among those given"):
        shuffled_p_values(rows, {"r": known["CTCF_known1"]})
    with pytest.raises(InputError, match="target CTCF_known1 of the matches is not among those given"):
        shuffled_p_values(rows, {"q": known["CTCF_known1"]}, {"SPI1": known["SPI1_known3"]})
    with pytest.raises(InputError, match=r"^shuffled_p_values: 1,000,000,000,000 copies takes about .*use fewer"):
        shuffled_p_values(rows, {"q": known["CTCF_known1"]}, n_shuffles=10**12)
    with pytest.raises(InputError, match=r"^shuffled_p_values: .*n_shuffles=0"):
        shuffled_p_values(rows, {"q": known["CTCF_known1"]}, n_shuffles=0)
    assert shuffled_p_values(rows[:0], {"q": known["CTCF_known1"]}).empty
