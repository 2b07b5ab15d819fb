"""compare_motifs against MEME Tomtom's own table, and against what must hold of any such table."""

import re

import numpy as np
import pandas as pd
import pytest
import torch

from rcinterp.comparison import (
    COLUMNS,
    FewTargetsWarning,
    UninformativeMotifWarning,
    best_matches,
    compare_motifs,
    find_uninformative,
)
from rcinterp.errors import InputError
from rcinterp.motifs import load_motifs, reverse_complement_motif, write_meme

PAIR = ["Query_ID", "Target_ID"]


def random_motifs(n, width, seed=0):
    """Motifs M0, M1, ... of `width` and more positions, with sharp columns."""
    rng = np.random.default_rng(seed)
    return {f"M{i}": rng.dirichlet([0.1] * 4, size=width + i % 5).T for i in range(n)}


@pytest.fixture(scope="module")
def joined(meme, every_pair):
    table = meme.merge(every_pair, on=PAIR, suffixes=("", "_ours"))
    assert len(table) == len(meme) == 1635
    return table


# MEME 5.4.1's table, printed with six digits.


def test_columns_are_tomtom_s(meme, every_pair):
    assert list(every_pair.columns) == list(meme.columns) == list(COLUMNS)
    assert len(every_pair) == 50 * 746
    assert not every_pair.attrs


def test_p_values_are_tomtom_s(joined):
    logs = np.log10(joined[["p-value", "p-value_ours"]])
    assert np.corrcoef(logs.T)[0, 1] > 0.9999999
    relative = (joined["p-value_ours"] / joined["p-value"] - 1).abs()
    assert relative.median() < 2e-5
    assert relative.max() < 3e-4


def test_e_values_are_p_times_the_number_of_targets(joined, every_pair):
    np.testing.assert_allclose(every_pair["E-value"], every_pair["p-value"] * 746, rtol=1e-12)
    np.testing.assert_allclose(joined["E-value_ours"], joined["E-value"], rtol=3e-4)


def test_p_values_are_probabilities(every_pair):
    assert every_pair["p-value"].between(0, 1).all()
    assert every_pair["q-value"].between(0, 1).all()
    assert (every_pair["p-value"] > 0).all()


@pytest.mark.parametrize("column", ["Optimal_offset", "Overlap", "Orientation", "Query_consensus", "Target_consensus"])
def test_every_alignment_and_consensus_is_tomtom_s(joined, column):
    assert (joined[column] == joined[f"{column}_ours"]).mean() == 1


def test_q_values_are_tomtom_s_up_to_its_random_bootstrap(joined):
    logs = np.log10(joined[["q-value", "q-value_ours"]])
    assert np.corrcoef(logs.T)[0, 1] > 0.999999
    relative = (joined["q-value_ours"] / joined["q-value"] - 1).abs()
    assert relative.median() < 5e-5
    assert relative.max() < 0.003


def test_q_values_differ_by_pi_0_alone(joined):
    ratio = joined["q-value_ours"] / joined["q-value"]
    of_query = ratio.groupby(joined["Query_ID"]).agg(["min", "median", "max"])
    assert len(of_query) == 28
    assert (of_query["max"] - of_query["min"]).max() < 3e-4
    assert ((of_query["median"] - 1).abs() < 1e-4).sum() >= 22  # the same lambda was chosen


def test_rows_and_their_order_are_tomtom_s(tomtom_files, meme):
    table = compare_motifs(tomtom_files[0], tomtom_files[1])
    ours, theirs = (pd.MultiIndex.from_frame(rows[PAIR]) for rows in (table, meme))
    assert len(ours.symmetric_difference(theirs)) <= 2  # q-values next to 0.5
    assert list(ours[ours.isin(theirs)]) == list(theirs[theirs.isin(ours)])
    assert table["q-value"].max() <= 0.5


# Without any reference.


def test_a_catalogue_motif_finds_itself(ctcf):
    first = best_matches(compare_motifs({"q": ctcf})).iloc[0]
    assert (first["Target_ID"], first["Optimal_offset"], first["Overlap"]) == ("CTCF_known1", 0, 19)
    assert first["Orientation"] == "+"
    assert first["Query_consensus"] == first["Target_consensus"] == "TGGCCACCAGGGGGCGCTA"
    assert 0 < first["p-value"] < 1e-50


def test_the_other_strand_has_the_same_matches_in_the_other_orientation(ctcf):
    queries = {"forward": ctcf, "reverse": reverse_complement_motif(ctcf)}
    first = best_matches(compare_motifs(queries)).set_index("Query_ID")
    assert list(first["Target_ID"]) == ["CTCF_known1", "CTCF_known1"]
    assert list(first["Orientation"]) == ["+", "-"]
    assert first.loc["reverse", "Target_consensus"] == first.loc["reverse", "Query_consensus"] == "TAGCGCCCCCTGGTGGCCA"
    assert first.loc["reverse", "p-value"] == pytest.approx(first.loc["forward", "p-value"], rel=1e-6)


def test_offset_is_where_the_query_starts_on_the_target(ctcf):
    longer = np.hstack([np.full((4, 2), 0.25), ctcf, np.full((4, 3), 0.25)])
    first = best_matches(compare_motifs({"inner": ctcf[:, 3:14], "outer": longer})).set_index("Query_ID")
    assert list(first["Target_ID"]) == ["CTCF_known1"] * 2
    assert list(first["Optimal_offset"]) == [3, -2]
    assert list(first["Overlap"]) == [11, 19]


def test_p_values_of_random_queries_are_about_uniform():
    table = compare_motifs(random_motifs(40, 11, seed=1), random_motifs(200, 8, seed=2), max_q_value=None)
    share = [(table["p-value"] < threshold).mean() for threshold in (0.5, 0.1, 0.01)]
    np.testing.assert_allclose(share, [0.5, 0.1, 0.01], rtol=0.4)


def test_every_source_of_queries_gives_the_same_table(tmp_path):
    targets, stack = random_motifs(60, 7), np.stack([ppm[:, :7] for ppm in random_motifs(3, 7, seed=1).values()])
    by_name = {f"filter_{index}": ppm for index, ppm in enumerate(stack)}
    write_meme(tmp_path / "queries.meme", by_name)
    write_meme(tmp_path / "targets.meme", targets)
    expected = compare_motifs(by_name, targets, max_q_value=None)
    assert set(expected["Query_ID"]) == {"filter_0", "filter_1", "filter_2"}
    pd.testing.assert_frame_equal(compare_motifs(stack, targets, max_q_value=None), expected)
    read = compare_motifs(str(tmp_path / "queries.meme"), tmp_path / "targets.meme", max_q_value=None)
    pd.testing.assert_frame_equal(read, expected, rtol=1e-5)


def test_a_tensor_is_an_array():
    stack = np.stack([ppm[:, :7] for ppm in random_motifs(2, 7, seed=1).values()])
    targets = random_motifs(60, 7)
    pd.testing.assert_frame_equal(
        compare_motifs(torch.tensor(stack), targets, max_q_value=None), compare_motifs(stack, targets, max_q_value=None)
    )


def test_number_of_sites_weighs_the_pseudocount(tmp_path):
    query, targets = random_motifs(1, 7, seed=1), random_motifs(60, 7)
    write_meme(tmp_path / "q.meme", query, n_sites=2)
    few = compare_motifs(query, targets, n_sites=2, max_q_value=None)
    assert not np.allclose(few["p-value"], compare_motifs(query, targets, max_q_value=None)["p-value"], rtol=1e-6)
    of_file = compare_motifs(tmp_path / "q.meme", targets, n_sites=1000, max_q_value=None)
    pd.testing.assert_frame_equal(of_file, few, rtol=1e-5)


def test_queries_do_not_depend_on_each_other_and_keep_their_order():
    queries, targets = random_motifs(5, 9, seed=1), random_motifs(60, 7)
    together = compare_motifs(dict(reversed(queries.items())), targets, max_q_value=None)
    assert list(together["Query_ID"].unique()) == ["M4", "M3", "M2", "M1", "M0"]
    alone = compare_motifs({"M2": queries["M2"]}, targets, max_q_value=None)
    of_together = together[together["Query_ID"] == "M2"].reset_index(drop=True)
    pd.testing.assert_frame_equal(of_together, alone)
    for _, rows in together.groupby("Query_ID"):
        assert rows["p-value"].is_monotonic_increasing
        assert rows["q-value"].is_monotonic_increasing
        assert sorted(rows["Target_ID"]) == sorted(targets)


def test_largest_q_value():
    queries, targets = random_motifs(3, 9, seed=1), random_motifs(60, 7)
    everything = compare_motifs(queries, targets, max_q_value=None)
    limit = float(everything["q-value"].quantile(0.2))
    kept = compare_motifs(queries, targets, max_q_value=limit)
    pd.testing.assert_frame_equal(kept, everything[everything["q-value"] <= limit].reset_index(drop=True))
    assert 0 < len(kept) < len(everything) == 180


def test_equal_orientations_are_reported_as_forward():
    palindrome = np.eye(4)[[1, 0, 1, 2, 3, 2]].T  # CACGTG
    table = compare_motifs({"q": palindrome}, {"E-box": palindrome, **random_motifs(60, 7)}, max_q_value=None)
    assert tuple(table.loc[0, ["Target_ID", "Orientation", "Optimal_offset"]]) == ("E-box", "+", 0)


# Refused queries.


def test_uninformative_queries_are_refused_with_a_reason(ctcf):
    queries = {
        "flat": np.full((4, 5), 0.25),
        "dead": np.zeros((4, 7)),
        "broken": np.where(np.arange(28).reshape(4, 7) == 3, np.nan, 0.25),
        "ctcf": ctcf,
        "infinite": np.full((4, 5), np.inf),
        "noise": np.random.default_rng(0).dirichlet([100] * 4, size=15).T,
    }
    with pytest.warns(UninformativeMotifWarning) as caught:
        table = compare_motifs(queries)
    refused = find_uninformative(queries)
    assert list(refused) == ["flat", "dead", "broken", "infinite", "noise"]
    assert refused["flat"] == refused["dead"] == "all values are equal (a dead filter)"
    assert refused["broken"] == refused["infinite"] == "NaN or infinite values"
    assert re.fullmatch(r"0\.0\d+ bits of information, less than 2", refused["noise"])
    assert set(table["Query_ID"]) == {"ctcf"}
    assert len(caught) == 1
    assert str(caught[0].message).startswith(
        "no p-value for 5 queries (flat: all values are equal (a dead filter); dead: "
    )
    assert caught[0].filename == __file__


def test_a_table_without_rows_has_the_same_columns_and_types(ctcf):
    full = compare_motifs({"q": ctcf})
    with pytest.warns(UninformativeMotifWarning, match="no p-value for 1 queries"):
        refused = compare_motifs(np.full((1, 4, 7), 0.25))
    none_kept = compare_motifs({"q": random_motifs(1, 7)["M0"]}, random_motifs(60, 5, seed=3), max_q_value=1e-9)
    for empty in (refused, none_kept, best_matches(refused)):
        assert len(empty) == 0
        pd.testing.assert_series_equal(empty.dtypes, full.dtypes)


def test_the_threshold_is_total_information():
    one_base = np.full((4, 7), 0.25)
    one_base[:, 3] = [1, 0, 0, 0]  # 2 bits
    assert compare_motifs({"q": one_base}, random_motifs(60, 7)) is not None  # without a warning
    assert find_uninformative({"q": one_base}) == {}
    assert list(find_uninformative({"q": one_base}, min_bits=2.5)) == ["q"]
    assert find_uninformative({}) == {}
    with pytest.warns(UninformativeMotifWarning, match="2 bits of information, less than 2.5"):
        compare_motifs({"q": one_base}, random_motifs(60, 7), min_bits=2.5)


def test_why_there_is_a_threshold(ctcf):
    faint = 0.01 * ctcf + 0.99 / 4
    first = best_matches(compare_motifs({"q": faint}, min_bits=0)).iloc[0]
    assert first["Target_ID"] == "PAX4_4"  # the least informative target, whatever the query is a faint copy of
    assert first["E-value"] < 1e-3


def test_few_targets_are_a_warning_of_our_own():
    query = random_motifs(1, 7, seed=1)
    for n_targets in (1, 24, 49):
        with pytest.warns(FewTargetsWarning, match=f"got {n_targets} targets, expected at least 50") as caught:
            table = compare_motifs(query, random_motifs(n_targets, 5), max_q_value=None)
        assert [warning.category for warning in caught] == [FewTargetsWarning]
        assert len(table) == n_targets
        assert table["p-value"].between(0, 1).all()
    assert len(compare_motifs(query, random_motifs(50, 5), max_q_value=None)) == 50


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"distance": "ed"}, 'got distance \'ed\', expected "euclidean" or "pearson"'),
        ({"background": {}}, "got an empty mapping"),
        ({"max_q_value": 0}, r"got max_q_value 0, expected it in \(0, 1\], or None for all"),
        ({"max_q_value": 1.5}, r"got max_q_value 1\.5"),
        ({"n_sites": 0}, "got n_sites 0, expected a positive number"),
        ({"n_sites": np.inf}, "got n_sites inf, expected a positive number"),
        ({"min_bits": -1}, "got min_bits -1, expected a number of bits of at least 0"),
        ({"queries": {}}, "got no query, expected at least one PPM"),
        ({"queries": np.zeros((0, 4, 7))}, "got no query, expected at least one PPM"),
        ({"queries": np.zeros((3, 7, 4))}, r"got queries of shape \(3, 7, 4\).*queries\.transpose\(0, 2, 1\)"),
        ({"queries": np.zeros((4, 7))}, r"got queries of shape \(4, 7\).*For one motif use \{name: ppm\}"),
        ({"queries": [[1, 2], [3]]}, "got queries that are not an array of numbers"),
        ({"queries": {"q": np.zeros((7, 4))}}, r"motif q: got shape \(7, 4\).*Transpose it"),
        ({"queries": {7: np.zeros((4, 7))}}, r"got the name 7 \(int\), expected a str"),
        ({"queries": {"q": np.eye(4) - 0.5}}, "motif q: got negative values"),
        ({"queries": {"q": 10 * np.eye(4)}}, "motif q: the probabilities of position 0"),
        (
            {"queries": {"q": np.eye(4)[:, np.arange(101) % 4]}},
            "query q has 101 positions, expected at most 100. Trim it",
        ),
        ({"queries": "nowhere.meme"}, "nowhere.meme: no such file"),
        ({"targets": {}}, "got an empty mapping"),
        ({"targets": {"t": np.full((4, 5), np.nan)}}, "motif t: got NaN or infinite values"),
    ],
)
def test_bad_input(arguments, message):
    with pytest.raises(InputError, match=message):
        compare_motifs(**{"queries": random_motifs(1, 7), "targets": random_motifs(60, 7)} | arguments)


# Pearson correlation.


def test_pearson_finds_the_motif_too(ctcf):
    queries = {"forward": ctcf[:, 3:14], "reverse": reverse_complement_motif(ctcf)}
    best = best_matches(compare_motifs(queries, distance="pearson")).set_index("Query_ID")
    assert list(best["Target_ID"]) == ["CTCF_known1", "CTCF_known1"]
    assert list(best["Optimal_offset"]) == [3, 0]
    assert list(best["Orientation"]) == ["+", "-"]
    assert best["q-value"].max() < 1e-9


def test_pearson_has_the_same_columns_and_pairs_but_other_p_values():
    queries, targets = random_motifs(3, 9, seed=1), random_motifs(60, 7)
    euclidean = compare_motifs(queries, targets, max_q_value=None)
    pearson = compare_motifs(queries, targets, max_q_value=None, distance="pearson")
    assert list(pearson.columns) == list(COLUMNS)
    pd.testing.assert_series_equal(pearson.dtypes, euclidean.dtypes)
    assert set(map(tuple, pearson[PAIR].to_numpy())) == set(map(tuple, euclidean[PAIR].to_numpy()))
    both = euclidean.merge(pearson, on=PAIR)
    assert 0.5 < np.corrcoef(np.log(both["p-value_x"]), np.log(both["p-value_y"]))[0, 1] < 0.99


@pytest.mark.parametrize("distance", ["euclidean", "pearson"])
def test_dead_filters_never_match(distance):
    rng = np.random.default_rng(0)
    noise = {f"noise_{i}": rng.dirichlet([80] * 4, size=19).T for i in range(20)}
    dead = {"zeros": np.zeros((4, 19)), "uniform": np.full((4, 19), 0.25), "almost": np.full((4, 19), 0.25) + 1e-9}
    with pytest.warns(UninformativeMotifWarning, match="no p-value for 23 queries"):
        table = compare_motifs(dead | noise, distance=distance, max_q_value=None)
    assert len(table) == 0
    assert list(find_uninformative(dead | noise)) == [*dead, *noise]


def test_a_strong_filter_matches_no_more_in_uniform_positions():
    query = np.hstack([np.full((4, 5), 0.25), np.eye(4)[[1, 0, 1, 2, 3, 2]].T, np.full((4, 5), 0.25)])
    table = compare_motifs({"q": query}, distance="pearson")
    assert "MYC" in best_matches(table)["Target_ID"][0] or "CACGTG" in best_matches(table)["Target_consensus"][0]


# Filter sets against each other.


def test_two_sets_of_eight_filters_find_each_other():
    rng, known = np.random.default_rng(5), load_motifs("encode")
    names = [
        "CTCF_known1",
        "SRF_known1",
        "GATA_known1",
        "MYC_known1",
        "ETS_known1",
        "NRF1_known1",
        "REST_known1",
        "AP1_known1",
    ]
    first, second = (
        {
            f"{side}_{i}": 0.85 * known[name] + 0.15 * rng.dirichlet([1] * 4, known[name].shape[1]).T
            for i, name in enumerate(names)
        }
        for side in "ab"
    )
    second = {name: reverse_complement_motif(ppm) if i % 2 else ppm for i, (name, ppm) in enumerate(second.items())}
    for distance in ("euclidean", "pearson"):
        table = compare_motifs(first, second, background="encode", distance=distance, max_q_value=None)
        assert len(table) == 64
        best = best_matches(table)
        assert list(best["Target_ID"]) == [f"b_{i}" for i in range(8)]
        assert list(best["Orientation"]) == list("+-+-+-+-")
        assert best["q-value"].max() < 1e-4
        np.testing.assert_allclose(table["E-value"], 8 * table["p-value"], rtol=1e-12)


@pytest.mark.parametrize("distance", ["euclidean", "pearson"])
def test_background_takes_the_place_of_many_targets(distance):
    query, catalogue = random_motifs(3, 9, seed=1), random_motifs(200, 7, seed=2)
    few = {name: catalogue[name] for name in ("M3", "M7", "M11")}
    rest = {name: ppm for name, ppm in catalogue.items() if name not in few}
    with_background = compare_motifs(query, few, background=rest, distance=distance, max_q_value=None)
    whole = compare_motifs(query, catalogue, distance=distance, max_q_value=None)
    joined = with_background.merge(whole, on=PAIR, suffixes=("", "_whole"))
    assert len(joined) == 9
    for column in ("p-value", "Optimal_offset", "Overlap"):
        np.testing.assert_allclose(joined[column], joined[f"{column}_whole"], rtol=1e-9)


def test_a_small_background_is_few_targets_too():
    said = (
        "got 49 targets, expected at least 50: their columns are the background of the p-values, which depend strongly "
        'on the choice of so few. Use a whole catalogue, or add one\'s columns: background="encode".'
    )
    with pytest.warns(FewTargetsWarning, match=f"^{re.escape(said)}$"):
        compare_motifs(random_motifs(1, 7, seed=1), random_motifs(7, 5), background=random_motifs(42, 5, seed=3))
    compare_motifs(random_motifs(1, 7, seed=1), random_motifs(7, 5), background=random_motifs(43, 5, seed=3))


def test_a_bar_says_what_takes_so_long(capsys):
    compare_motifs(random_motifs(2, 7, seed=1), random_motifs(60, 5), progress=True)
    assert "comparing motifs" in capsys.readouterr().err
    compare_motifs(random_motifs(2, 7, seed=1), random_motifs(60, 5))
    assert capsys.readouterr().err == ""
