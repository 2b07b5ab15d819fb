"""Groups by likeness against compare_matrices and by hand, families by name, and the best match of each."""

import numpy as np
import pandas as pd
import pytest

from rcinterp.comparison import compare_motifs
from rcinterp.errors import InputError
from rcinterp.motifs import Motif, load_motifs, reverse_complement_motif, write_meme
from rcinterp.motifs.groups import best_groups, group_motifs, name_families
from rcinterp.motifs.similarity import similarity_matrix


def random_motifs(widths, seed=0):
    rng = np.random.default_rng(seed)
    return {f"M{i}": rng.dirichlet([0.2] * 4, size=width).T for i, width in enumerate(widths)}


def test_a_motif_of_uniform_positions_is_a_group_of_its_own():
    motifs = {"flat": np.full((4, 3), 0.25), **random_motifs([5]), "also flat": np.full((4, 2), 0.25)}
    assert group_motifs(motifs) == {name: name for name in motifs}


def test_copies_are_one_group_on_either_strand_and_shifted():
    motifs, flat = random_motifs([9, 8, 7]), np.full((4, 2), 0.25)
    copies = {
        "longer": np.hstack([flat, motifs["M1"]]),
        "turned": np.hstack([flat, reverse_complement_motif(motifs["M1"])]),
        "other": reverse_complement_motif(motifs["M2"]),
    }
    groups = group_motifs(motifs | copies)
    assert groups == {"M0": "M0", "M1": "M1", "M2": "M2", "longer": "M1", "turned": "M1", "other": "M2"}
    assert list(groups) == [*motifs, *copies]


def test_the_central_motif_gives_the_name():
    base = random_motifs([9])["M0"]
    noise = random_motifs([9, 9, 9], seed=1).values()
    around = {f"near_{i}": 0.7 * base + 0.3 * other for i, other in enumerate(noise)}
    assert set(group_motifs({**around, "base": base}, min_similarity=0.5).values()) == {"base"}


def test_linkage_is_the_mean_over_pairs():
    motifs = {name: load_motifs("encode")[name] for name in ("CTCF_known1", "CTCF_disc1", "RAD21_disc1", "SRF_known1")}
    similarity = similarity_matrix(list(motifs.values()))
    joins = similarity[:3, :3][np.triu_indices(3, 1)]
    last = np.sort([np.delete(joins, joins.argmax()).mean()])[0]  # the third joins a pair
    assert len(set(group_motifs(motifs, min_similarity=last - 1e-5).values())) == 2
    assert len(set(group_motifs(motifs, min_similarity=last + 1e-5).values())) == 3


def test_the_encode_catalogue():
    groups = group_motifs()
    assert len(groups) == 2067
    assert len(set(groups.values())) == 560
    assert groups["CTCF_known1"] == groups["CTCF_known2"] == groups["RAD21_disc1"] != groups["SRF_known1"]
    assert all(groups[centre] == centre for centre in groups.values())


def test_one_motif_is_a_group():
    assert group_motifs(random_motifs([7])) == {"M0": "M0"}


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("CTCF_known1", "CTCF"),
        ("CTCF_disc10", "CTCF"),
        ("PAX4_4", "PAX4"),
        ("EWSR1::FLI1_1", "EWSR1::FLI1"),
        ("NKX2-1_2", "NKX2-1"),
        ("AHR_HUMAN.H11MO.0.B", "AHR"),
        ("ANDR_MOUSE.H11MO.1.A", "ANDR"),
        ("AHR.H12CORE.0.P.B", "AHR"),
        ("MA0139.1", "MA0139"),
        ("MA0139", "MA0139"),
        ("fake_AACGSSAA", "fake_AACGSSAA"),
        ("_1", "_1"),
    ],
)
def test_families_by_name(name, family):
    assert name_families([name]) == {name: family}


def test_families_of_every_source(tmp_path):
    ppm = random_motifs([7])["M0"]
    jaspar = {"MA0139.1": Motif(ppm, 20, "CTCF"), "MA0139.2": Motif(ppm, 20, "CTCF"), "UN0001.1": Motif(ppm)}
    expected = {"MA0139.1": "CTCF", "MA0139.2": "CTCF", "UN0001.1": "UN0001"}
    write_meme(tmp_path / "jaspar.meme", jaspar)
    for source in (jaspar, tmp_path / "jaspar.meme", str(tmp_path / "jaspar.meme")):
        assert name_families(source) == expected
    assert name_families({"CTCF_known1": ppm}) == {"CTCF_known1": "CTCF"}
    assert len(set(name_families("encode").values())) == 619


def test_best_match_of_each_group():
    known = load_motifs("encode")
    table = compare_motifs({"q1": known["CTCF_known1"], "q2": known["SRF_known1"]})
    families = name_families("encode")
    best = best_groups(table, families)
    assert list(best.columns) == [*table.columns, "Target_group", "Group_matches"]
    assert best["Group_matches"].sum() == len(table)
    assert not best.duplicated(["Query_ID", "Target_group"]).any()
    assert best.attrs == table.attrs
    for (query, family), row in best.set_index(["Query_ID", "Target_group"]).iterrows():
        of_family = table[(table["Query_ID"] == query) & (table["Target_ID"].map(families) == family)]
        assert row["Target_ID"] == of_family["Target_ID"].iloc[0]
        assert row["p-value"] == of_family["p-value"].min()
        assert row["Group_matches"] == len(of_family)
    assert list(best.loc[best["Query_ID"] == "q1", "Target_group"][:2]) == ["CTCF", "RAD21"]


def test_an_empty_table_stays_empty():
    table = compare_motifs({"q": random_motifs([7])["M0"]}, random_motifs([5] * 60, seed=3), max_q_value=1e-9)
    best = best_groups(table, {})
    assert len(best) == 0
    pd.testing.assert_series_equal(best.dtypes[: len(table.columns)], table.dtypes)


def test_bad_input():
    for value in (0, 1.5, np.nan):
        with pytest.raises(InputError, match=r"group_motifs: got min_similarity .*, expected it in"):
            group_motifs(random_motifs([7, 5]), min_similarity=value)
    with pytest.raises(InputError, match="best_groups: target T2 has no group, expected one for every target"):
        best_groups(pd.DataFrame({"Query_ID": ["q", "q"], "Target_ID": ["T1", "T2"]}), {"T1": "T"})
    with pytest.raises(InputError, match="no such file"):
        group_motifs("nowhere.meme")
