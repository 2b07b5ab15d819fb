"""Verdicts: cases that are known by construction, what must not matter, and families that set no threshold."""

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from rcinterp.errors import InputError
from rcinterp.motifs import load_motifs, reverse_complement_motif
from rcinterp.palindromes import known_filters as q
from rcinterp.palindromes.templates import log_odds
from rcinterp.palindromes.triage import (
    ALIKE_COLUMNS,
    FEWEST_MOTIFS,
    FEWEST_PALINDROMES,
    GAIN,
    HALF_SITE,
    HYBRID,
    NONE,
    NOT_JUDGED,
    TRUE_PALINDROME,
    Catalogue,
    share_of_mean_column,
    triage_palindromes,
)

ENCODE = load_motifs("encode")
CTCF = ENCODE["CTCF_known1"]
PLACES = ["forward_start", "reverse_start"]


@pytest.fixture(scope="module")
def catalogue():
    return Catalogue("encode")


def pad(ppm, width, start):
    padded = np.full((4, width), 0.25)
    padded[:, start : start + ppm.shape[1]] = ppm
    return padded


def weights(ppm):
    odds = np.log2(ppm + 0.02)
    return odds - odds.mean(0)


def hybrid(ppm, width, start, turned_start, share=0.5):
    turned = reverse_complement_motif(ppm)
    return share * weights(pad(ppm, width, start)) + (1 - share) * weights(pad(turned, width, turned_start))


def triage_one(matrix, catalogue):
    return triage_palindromes({"it": matrix}, catalogue).iloc[0]


def named(found):
    """Motif of each filter, None if it has none."""
    return found["triage_motif"].astype(object).where(found["triage_motif"].notna(), None)


def read(consensus, sure):
    """PPM of a consensus of A, C, G, T and S (C or G); `sure` is its probability, one for all or one a position."""
    sure = np.broadcast_to(sure, len(consensus))
    columns = []
    for symbol, most in zip(consensus, sure, strict=True):
        letters = "CG" if symbol == "S" else symbol
        rest = (1 - most) / (4 - len(letters))
        columns.append([most / len(letters) if letter in letters else rest for letter in "ACGT"])
    return np.array(columns).T


# What is known.


@pytest.mark.parametrize(("start", "turned", "share"), [(0, 0, 0.5), (0, 2, 0.6), (5, 1, 0.45), (1, 4, 0.7)])
def test_a_hybrid_names_its_motif_and_where_both_strands_are(catalogue, start, turned, share):
    row = triage_one(hybrid(CTCF, 24, start, turned, share), catalogue)
    assert (row["triage"], row["triage_motif"], row["hybrid_motif"]) == (HYBRID, "CTCF_known1", "CTCF_known1")
    assert (row["forward_start"], row["reverse_start"]) == (start, turned)
    assert row["rc_axis"] == (start + turned + 18) / 2
    assert row["weaker_share"] == pytest.approx(min(share, 1 - share), abs=0.03)
    assert row["hybrid_similarity"] > 0.98 > 0.92 > row["single_similarity"]


def test_a_hybrid_of_sites_of_both_strands(catalogue):
    row = triage_one((CTCF + reverse_complement_motif(CTCF)) / 2, catalogue)
    assert (row["triage"], row["triage_motif"], *row[PLACES]) == (HYBRID, "CTCF_known1", 0, 0)


def test_two_copies_side_by_side(catalogue):
    gata = ENCODE["GATA_known1"]
    width = gata.shape[1]
    assert width < 11
    row = triage_one(hybrid(gata, 21, 0, width), catalogue)
    assert row["triage"] == HYBRID
    assert q.family(row["triage_motif"]) == "GATA"


@pytest.mark.parametrize("name", ["MYC_known1", "SRF_known1", "STAT_known1", "AP1_disc1"])
@pytest.mark.parametrize("form", ["PPM", "weights"])
def test_a_palindromic_motif_is_no_fault(catalogue, name, form):
    padded = pad(ENCODE[name], 21, 2)
    row = triage_one(weights(padded) if form == "weights" else padded, catalogue)
    assert row["triage"] == TRUE_PALINDROME
    own = catalogue.palindromic[catalogue.names.index(row["triage_motif"])]
    assert own
    assert row["palindrome_similarity"] > 0.9
    assert row[PLACES].isna().sum() == 1


@pytest.mark.parametrize(("name", "half"), [("MYC_known1", 7), ("SRF_known1", 9)])
@pytest.mark.parametrize("turned", [False, True])
def test_half_of_a_palindrome(catalogue, name, half, turned):
    matrix = weights(pad(ENCODE[name][:, :half], 15, 3))
    row = triage_one(reverse_complement_motif(matrix) if turned else matrix, catalogue)
    assert (row["triage"], row["triage_motif"]) == (HALF_SITE, name)
    assert row["half_similarity"] > 0.98
    assert row["half_similarity"] > row["single_similarity"] + 0.05


@pytest.mark.parametrize("name", ["CTCF_known1", "GATA_known6", "RXRA_known1", "ELF1_known2"])
def test_a_motif_that_is_no_palindrome_has_no_verdict_but_a_name(catalogue, name):
    row = triage_one(weights(pad(ENCODE[name], 25, 3)), catalogue)
    assert (row["triage"], row["triage_motif"], row["single_motif"]) == (NONE, name, name)
    assert row["forward_start"] == 3
    assert row["reverse_start"] is pd.NA


def test_noise_is_nothing_symmetric_or_not(catalogue):
    rng = np.random.default_rng(0)
    bank = np.stack([q.noise_filter(15, i % 2 == 1, rng) for i in range(30)])
    found = triage_palindromes(bank, catalogue)
    assert (found["triage"] == NONE).sum() >= 28  # noise can look like a hybrid: docs/explanation/palindromes.md
    assert (found["triage"][::2] == NONE).all()
    assert found["triage_motif"][found["triage"] == NONE].isna().all()
    assert (found["rc_similarity"][1::2] > 0.99).all()


def test_dead_filters_keep_their_row(catalogue):
    bank = np.stack([weights(pad(CTCF, 21, 1)), np.zeros((4, 21)), np.full((4, 21), np.nan)])
    found = triage_palindromes(bank, catalogue)
    assert found["filter"].tolist() == ["filter_0", "filter_1", "filter_2"]
    assert found["triage"].tolist() == [NONE] * 3
    assert found.drop(columns=["filter", "triage"]).iloc[1:].isna().all(axis=None)
    assert found["triage_motif"].iloc[0] == "CTCF_known1"


def test_a_known_palindrome_comes_before_a_hybrid_that_is_better(catalogue):
    """MARE, its flanks less sure than its core, is almost MAF_disc1 (TGCTGAGTCA) on both strands."""
    mare = log_odds(read("TGCTGASTCAGCA", [0.85] * 3 + [0.97] * 3 + [0.96] + [0.97] * 3 + [0.85] * 3))
    row = triage_one(mare, catalogue)
    assert (row["triage"], row["triage_motif"], row["hybrid_motif"]) == (TRUE_PALINDROME, "MAFF_1", "MAF_disc1")
    assert row["hybrid_similarity"] >= row["single_similarity"] + GAIN
    assert row["palindrome_similarity"] >= 0.9


def test_a_motif_that_is_a_palindrome_where_the_filter_lies():
    """The motif is none as a whole, and no palindrome is known; its core is one, up to the letter in the middle."""
    known = Catalogue({"flanked": read("GGGGTGACTCAGGGG", 0.97)})
    assert not known.palindromic.any()
    row = triage_one(read("TGASTCA", 0.97), known)
    assert row["hybrid_similarity"] >= row["single_similarity"] + GAIN
    assert (row["triage"], row["triage_motif"], *row[PLACES]) == (TRUE_PALINDROME, "flanked", -4, -4)


def test_a_part_that_is_less_of_a_palindrome_makes_none():
    """As above, with two letters in the middle that do not pair."""
    core = read("TGAAATCA", 0.97)
    row = triage_one(core + reverse_complement_motif(core), {"flanked": read("GGGGTGAAATCAGGGG", 0.97)})
    assert row["hybrid_similarity"] >= row["single_similarity"] + GAIN
    assert (row["triage"], row["triage_motif"], row["hybrid_motif"]) == (NOT_JUDGED, None, "flanked")


# What must not matter.


@settings(max_examples=15, deadline=None)
@given(
    st.integers(0, 10**6), st.sampled_from([*q.HYBRIDS, q.CUT, q.MOTIF, q.PALINDROMIC, q.HALF]), st.floats(0.01, 100)
)
def test_strand_scale_and_offset(catalogue, seed, kind, scale):
    queries = q.draw_queries(ENCODE, 1, (15,), (q.NOISES[1],), seed)
    matrix = next(query.matrix for query in queries if query.kind == kind)
    variants = {"it": matrix, "scaled": scale * matrix + 0.3, "turned": reverse_complement_motif(matrix)}
    found = triage_palindromes(variants, catalogue)
    numbers = [name for name in found if name.endswith("rc_similarity") or name == "weaker_share"]
    for i in (1, 2):
        assert found["triage"][i] == found["triage"][0]
        np.testing.assert_allclose(found[numbers].iloc[i], found[numbers].iloc[0], atol=1e-9)
    assert found[PLACES].iloc[1].equals(found[PLACES].iloc[0])


@pytest.mark.parametrize("start", range(0, 9, 2))
def test_where_in_the_filter_it_lies(catalogue, start):
    filters = {
        "hybrid": hybrid(ENCODE["GATA_known6"], 25, start, start + 3),
        "palindrome": weights(pad(ENCODE["MYC_known1"], 25, start)),
    }
    found = triage_palindromes(filters, catalogue)
    assert found["triage"].tolist() == [HYBRID, TRUE_PALINDROME]
    assert found["triage_motif"].tolist() == ["GATA_known6", "MYC_known1"]
    assert found[PLACES].iloc[0].tolist() == [start, start + 3]
    assert found["forward_start"].iloc[1] == start  # it lies on both strands alike
    assert found["reverse_start"].iloc[1] is pd.NA


def test_tensors_names_and_company_do_not_matter(catalogue):
    bank = np.stack([q.perturbed_motif(CTCF, 17, q.NOISES[1], np.random.default_rng(i)) for i in range(3)])
    found = triage_palindromes(bank, catalogue)
    as_tensor = triage_palindromes(torch.tensor(bank, requires_grad=True), catalogue)
    pd.testing.assert_frame_equal(found, as_tensor)
    mixed = triage_palindromes({"wide": weights(pad(CTCF, 23, 1)), "b": bank[1]}, catalogue)
    pd.testing.assert_series_equal(mixed.iloc[1].drop("filter"), found.iloc[1].drop("filter"), check_names=False)


# Catalogues.


def test_a_catalogue_of_ones_own():
    motifs = {"CTCF": CTCF, "MYC": ENCODE["MYC_known1"]}
    filters = {"hybrid": hybrid(CTCF, 21, 0, 2), "MYC": weights(ENCODE["MYC_known1"]), "CTCF": weights(CTCF)}
    found = triage_palindromes(filters, motifs).set_index("filter")
    assert found["triage"].to_dict() == {"hybrid": NOT_JUDGED, "MYC": TRUE_PALINDROME, "CTCF": NONE}
    assert named(found).to_dict() == {"hybrid": None, "MYC": "MYC", "CTCF": "CTCF"}
    assert found["hybrid_motif"]["hybrid"] == "CTCF"
    assert found.loc["hybrid", PLACES].isna().all()


def test_the_verdict_is_relative_to_the_catalogue():
    filters = {"MYC": weights(ENCODE["MYC_known1"]), "hybrid": hybrid(CTCF, 21, 0, 2)}
    only_ctcf = triage_palindromes(filters, {"CTCF": CTCF}).set_index("filter")
    assert only_ctcf["triage"].to_dict() == {"MYC": NOT_JUDGED, "hybrid": NOT_JUDGED}
    assert only_ctcf[["palindrome_similarity", "half_similarity"]].isna().all(axis=None)
    only_myc = triage_palindromes(filters, {"MYC": ENCODE["MYC_known1"]}).set_index("filter")
    assert only_myc["triage"].to_dict() == {"MYC": TRUE_PALINDROME, "hybrid": NOT_JUDGED}
    assert only_myc[["hybrid_similarity", "weaker_share", "hybrid_motif"]].isna().all(axis=None)


def test_what_few_motifs_can_tell():
    rng = np.random.default_rng(3)
    filters = {
        "palindrome": weights(ENCODE["MYC_known1"]),
        "half": weights(pad(ENCODE["MYC_known1"][:, :7], 15, 3)),
        "motif": weights(CTCF),
        "another motif": weights(ENCODE["GATA_known6"]),
        "symmetric noise": q.noise_filter(15, True, rng),
        "noise": q.noise_filter(15, False, rng),
        "dead": np.zeros((4, 15)),
    }
    found = triage_palindromes(filters, {"CTCF": CTCF, "MYC": ENCODE["MYC_known1"]}).set_index("filter")
    expected = [TRUE_PALINDROME, HALF_SITE, NONE, NONE, NOT_JUDGED, NONE, NONE]
    assert found["triage"].to_dict() == dict(zip(filters, expected, strict=True))
    assert named(found).tolist() == ["MYC", "MYC", "CTCF", None, None, None, None]


#: Case 15: seven letters of AP-1, a palindrome but for the one in the middle, in a filter of 9 and of 7 positions.
AP1 = {"9 positions": pad(read("TGACTCA", 1.0), 9, 0), "7 positions": read("TGACTCA", 1.0)}
OF_53 = [*list(ENCODE)[::40], list(ENCODE)[7]]


def test_ap1_by_the_whole_catalogue(catalogue):
    found = triage_palindromes(AP1, catalogue)
    assert found["triage"].tolist() == [TRUE_PALINDROME] * 2
    assert all(catalogue.palindromic[catalogue.names.index(name)] for name in found["triage_motif"])


@pytest.mark.parametrize(
    ("motifs", "expected", "names"),
    [
        ({name: ENCODE[name] for name in OF_53}, [NOT_JUDGED, NONE], [None, "NFE2_disc1"]),
        ({"AP1": ENCODE["AP1_known1"]}, [NOT_JUDGED, NOT_JUDGED], [None, None]),
        ({"NFE2": ENCODE["NFE2_disc1"]}, [NOT_JUDGED, NONE], [None, "NFE2"]),
    ],
    ids=["53 motifs", "AP1", "NFE2"],
)
def test_ap1_by_few_motifs(motifs, expected, names):
    found = triage_palindromes(AP1, motifs)
    assert found["triage"].tolist() == expected
    assert named(found).tolist() == names
    assert (found["hybrid_similarity"] > 0.88).all()


def draw(n, n_palindromic):
    """So many motifs, CTCF_known1 first."""
    everything = Catalogue("encode")
    others = np.array([q.family(name) != "CTCF" for name in everything.names])
    palindromic, plain = (np.flatnonzero(others & (everything.palindromic == side)) for side in (True, False))
    chosen = [*palindromic[:n_palindromic], *plain[: n - n_palindromic - 1]]
    return {"CTCF_known1": CTCF, **{everything.names[i]: ENCODE[everything.names[i]] for i in chosen}}


@pytest.mark.parametrize(
    ("n", "n_palindromic", "expected"),
    [
        (FEWEST_MOTIFS, FEWEST_PALINDROMES, HYBRID),
        (FEWEST_MOTIFS - 1, FEWEST_PALINDROMES, NOT_JUDGED),
        (FEWEST_MOTIFS, FEWEST_PALINDROMES - 1, NOT_JUDGED),
    ],
)
def test_the_smallest_catalogue_that_tells_a_hybrid(n, n_palindromic, expected):
    assert (FEWEST_MOTIFS, FEWEST_PALINDROMES) == (100, 10)
    motifs = draw(n, n_palindromic)
    assert len(motifs) == n
    row = triage_one(hybrid(CTCF, 21, 0, 2), motifs)
    assert (row["triage"], row["hybrid_motif"]) == (expected, "CTCF_known1")


def test_motifs_left_out_count_for_nothing(catalogue):
    palindromic, plain = np.flatnonzero(catalogue.palindromic), np.flatnonzero(~catalogue.palindromic)
    assert not catalogue.is_small()
    for fewer in (0, 1):
        left = [*palindromic[: FEWEST_PALINDROMES - fewer], *plain[: FEWEST_MOTIFS - FEWEST_PALINDROMES + fewer]]
        left_out = ~np.isin(np.arange(len(catalogue.names)), left)
        assert catalogue.is_small(left_out) == bool(fewer)
    left_out[palindromic] = False  # all the palindromes, and 91 others
    assert not catalogue.is_small(left_out)
    left_out[plain] = True
    left_out[palindromic[FEWEST_MOTIFS - 1 :]] = True
    assert catalogue.is_small(left_out)


def test_what_is_left_out_is_not_found(catalogue):
    without = np.array([q.family(name) == "CTCF" for name in catalogue.names])
    matrix = hybrid(CTCF, 21, 0, 2)
    found = catalogue.evidence(matrix, 2 * 10 - 20, without)
    assert {q.family(catalogue.names[placed.motif]) for placed in found.values()}.isdisjoint({"CTCF"})


def test_bad_input(catalogue):
    with pytest.raises(
        InputError, match=r"triage_palindromes: got filters of shape \(3, 16, 5\), expected \(F, 4, W\)"
    ):
        triage_palindromes(np.ones((3, 16, 5)), catalogue)
    with pytest.raises(InputError, match="motifs: got an empty mapping"):
        triage_palindromes(np.ones((3, 4, 5)), {})


# Calibration.


def test_held_out_families(catalogue):
    """Those that set no threshold; `python benchmarks/triage.py measure` takes more of them."""
    held_out = q.split_families(ENCODE, seed=0)[1]
    queries = q.draw_queries(held_out, 6, (15, 21), q.NOISES, seed=7)
    found = triage_palindromes({str(i): query.matrix for i, query in enumerate(queries)}, catalogue)
    found["kind"] = [query.kind for query in queries]
    is_hybrid = found["kind"].isin(q.HYBRIDS)
    assert is_hybrid.sum() == 120
    assert (found["triage"][is_hybrid] == HYBRID).mean() >= 0.90
    assert (found["triage"][found["kind"] == q.CUT] == HYBRID).mean() >= 0.80
    for kind in (q.MOTIF, q.PALINDROMIC):
        assert (found["triage"][found["kind"] == kind] != HYBRID).mean() >= 0.95
    assert (found["triage"][found["kind"] == q.PALINDROMIC] == TRUE_PALINDROME).mean() >= 0.90
    assert (found["triage"][found["kind"] == q.HALF] == HALF_SITE).mean() >= 0.70
    assert (found["triage"][found["kind"] == q.NOISE] == NONE).all()


def test_filters_of_many_widths_stand_in_the_order_given():
    """One width is laid out at a time, whatever the order; each filter is judged as by itself."""
    rng = np.random.default_rng(2)
    filters = {f"f{i}": rng.normal(size=(4, width)) for i, width in enumerate((15, 9, 15, 12, 9))}
    together = triage_palindromes(filters)
    assert together["filter"].tolist() == list(filters)
    apart = pd.concat([triage_palindromes({name: matrix}) for name, matrix in filters.items()], ignore_index=True)
    pd.testing.assert_frame_equal(together, apart)


def test_a_filter_that_counts_letters_is_composition():
    rng = np.random.default_rng(0)
    counts = np.repeat([[-1.0], [1.0], [1.0], [-1.0]], 14, axis=1)
    bank = np.stack([counts, -counts, counts + rng.normal(0, 0.2, counts.shape)])
    found = triage_palindromes(bank)
    assert found["triage"].tolist() == ["composition"] * 3
    assert found["triage_motif"].isna().all()


def test_one_known_motif_in_two_thousand_has_a_hybrid_that_counts_letters():
    weights = {name: log_odds(ppm) for name, ppm in load_motifs("encode").items()}
    shares = {name: share_of_mean_column(one + reverse_complement_motif(one)) for name, one in weights.items()}
    assert [name for name, share in shares.items() if share >= ALIKE_COLUMNS] == ["TATA_disc10"]
