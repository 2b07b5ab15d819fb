"""Clusters of motifs, and the consensus against one counted from all sites."""

import numpy as np
import pytest

from rcinterp.motifs import Motif, information_content, reverse_complement_motif
from rcinterp.motifs.similarity import compare_matrices
from rcinterp.stability.consensus import MIN_FLANK_BITS, SAME_PATTERN, cluster_motifs, find_consensus

NAMES = ("CTCF_known1", "SPI1_known3", "GATA_known6")


def groups(labels):
    return [set(np.flatnonzero(labels == label)) for label in sorted(set(labels))]


def test_copies_of_one_motif_are_one_cluster_whatever_their_shift_and_strand(place):
    copies = [place(name, start, turned) for name in NAMES for start, turned in ((0, False), (3, True), (5, False))]
    found = cluster_motifs(copies)
    assert sorted(map(sorted, groups(found))) == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]
    assert set(found) == {0, 1, 2}
    order = np.random.default_rng(0).permutation(len(copies))
    again = cluster_motifs([copies[i] for i in order])
    assert sorted(sorted(order[list(g)]) for g in groups(again)) == [[0, 1, 2], [3, 4, 5], [6, 7, 8]]


def test_motifs_of_different_widths(known, place):
    assert cluster_motifs([known["CTCF_known1"][:, 2:17], place("CTCF_known1", 3, True)]).tolist() == [0, 0]


def test_one_motif_is_one_cluster(known):
    assert cluster_motifs([known["CTCF_known1"]]).tolist() == [0]


def test_the_threshold_is_on_the_mean_similarity(place):
    first, second = place("CTCF_known1", 0), place("CTCF_known1", 2, blur=0.6)
    second[:, 8:] = 0.25
    similarity = compare_matrices(first, second).value
    assert 0.3 < similarity < SAME_PATTERN
    assert len(set(cluster_motifs([first, second]))) == 2
    assert len(set(cluster_motifs([first, second], similarity - 1e-4))) == 1
    assert len(set(cluster_motifs([first, second], similarity + 1e-4))) == 2


def test_average_linkage_does_not_chain():
    """Of three motifs the middle one is like both others, which are unlike each other."""
    left, right = np.eye(4)[:, [0, 1, 0, 2]], np.eye(4)[:, [2, 2, 3, 1]]
    wide = [np.full((4, 8), 0.25) for _ in range(3)]
    wide[0][:, :4] = wide[1][:, :4] = left
    wide[1][:, 4:] = wide[2][:, 4:] = right
    ends = compare_matrices(wide[0], wide[2]).value
    middle = compare_matrices(wide[0], wide[1]).value
    assert middle == pytest.approx(np.sqrt(0.5), abs=1e-6)
    assert ends < 0.5
    threshold = (middle + (middle + ends) / 2) / 2  # below one pair's similarity, above the mean of two
    assert len(set(cluster_motifs(wide, threshold))) == 2
    assert len(set(cluster_motifs(wide, threshold, "single"))) == 1


def test_the_consensus_is_that_of_all_sites_together(known):
    """Of three cuts of one motif, the frequencies are those of the sites as if counted at once."""
    truth = known["CTCF_known1"]
    rng = np.random.default_rng(3)

    def count(n, cut):
        counts = np.stack([rng.multinomial(n, column) for column in truth.T[cut]], axis=1)
        return counts, Motif(counts / n, n)

    cuts = (slice(1, 18), slice(0, 15), slice(3, 19))
    counted = [count(n, cut) for n, cut in zip((40, 100, 60), cuts, strict=True)]
    expected = np.zeros_like(truth)
    for cut, (counts, _) in zip(cuts, counted, strict=True):
        expected[:, cut] += counts
    expected /= expected.sum(0)
    motifs = [motif for _, motif in counted]
    motifs[1] = Motif(reverse_complement_motif(motifs[1].ppm), motifs[1].n_sites)
    found = find_consensus(motifs)
    assert found.n_sites == 200
    ours = found.ppm
    if compare_matrices(ours, expected).orientation == "-":
        ours = reverse_complement_motif(ours)
    reached = expected[:, 1:15]  # by more than 100 of the 200 sites
    kept = np.flatnonzero(information_content(reached) >= MIN_FLANK_BITS)
    np.testing.assert_allclose(ours, reached[:, kept[0] : kept[-1] + 1], atol=1e-12)
    assert ours.shape[1] >= 12


def test_positions_that_few_sites_reach_are_cut_off(known):
    core, flank = known["CTCF_known1"], np.eye(4)[:, [0, 3, 0]]
    many, few = Motif(core, 90), Motif(np.concatenate([core, flank], axis=1), 30)
    assert find_consensus([many, few]).ppm.shape[1] == core.shape[1] - trimmed(core)
    assert find_consensus([Motif(core, 30), Motif(few.ppm, 90)]).ppm.shape[1] > core.shape[1]


def trimmed(ppm):
    """Positions at the ends of too little information."""
    kept = np.flatnonzero(information_content(ppm) >= MIN_FLANK_BITS)
    return ppm.shape[1] - (kept[-1] + 1 - kept[0])


def test_flanks_without_information_are_cut_off(place, known):
    found = find_consensus([Motif(place("CTCF_known1", 2, blur=0), 7)])
    kept = np.flatnonzero(information_content(known["CTCF_known1"]) >= MIN_FLANK_BITS)
    np.testing.assert_allclose(found.ppm, known["CTCF_known1"][:, kept[0] : kept[-1] + 1], atol=1e-12)
    assert found.n_sites == 7
    flat = np.array([[0.3, 0.2], [0.2, 0.3], [0.2, 0.3], [0.3, 0.2]])
    assert find_consensus([Motif(flat, 5)]).ppm.shape == (4, 2)


def test_motifs_without_sites_count_alike(known):
    core = known["CTCF_known1"]
    blurred = 0.5 * core + 0.125
    found = find_consensus([Motif(core), Motif(blurred)])
    assert found.n_sites is None
    mean = (core + blurred) / 2
    start = compare_matrices(found.ppm, mean).shift
    np.testing.assert_allclose(found.ppm, mean[:, start : start + found.ppm.shape[1]], atol=1e-12)


def test_sites_that_share_no_position_with_half_of_the_others(known):
    """Three that each meet the medoid at another place still give a motif."""
    motif = known["CTCF_known1"]
    found = find_consensus([Motif(motif[:, :7], 5), Motif(motif, 5), Motif(motif[:, -7:], 5)])
    assert np.isfinite(found.ppm).all()
    assert found.ppm.shape[1] <= motif.shape[1]
