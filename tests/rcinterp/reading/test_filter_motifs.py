"""weights_to_ppm against its equation; sites_to_ppms against a loop over every position of every sequence."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from rcinterp.data.sequences import one_hot
from rcinterp.errors import InputError
from rcinterp.motifs import information_content, load_motifs
from rcinterp.reading.filter_motifs import BITS_PER_POSITION, sites_to_ppms, trim_ppm, weights_to_ppm

SKEWED = np.array([0.31, 0.19, 0.17, 0.33])
BACKGROUNDS = pytest.mark.parametrize("background", [None, SKEWED], ids=["uniform", "skewed"])


@pytest.fixture(params=range(3), ids="filter{}".format)
def weight(request):
    return np.random.default_rng(request.param).normal(size=(4, 7))


# From the weights.


def test_bits_per_position_is_encode_s():
    bits = [information_content(ppm) for ppm in load_motifs("encode").values()]
    assert len(bits) == 2067
    assert abs(np.concatenate(bits).mean() - BITS_PER_POSITION) < 0.01


@BACKGROUNDS
@pytest.mark.parametrize("information", [None, 0.3, 4.0])
def test_log_odds_are_the_centred_weights_times_one_scale(weight, background, information):
    ppm = weights_to_ppm(weight, background, information=information)
    assert_allclose(ppm.sum(0), 1, rtol=1e-12)
    logs = np.log(ppm / (np.full(4, 0.25) if background is None else background)[:, None])
    logs -= logs.mean(0)
    centred = weight - weight.mean(0)
    scale = np.linalg.norm(logs) / np.linalg.norm(centred)
    assert_allclose(logs, scale * centred, rtol=0, atol=1e-9)


@BACKGROUNDS
@pytest.mark.parametrize("information", [0.01, 0.5, 3.0, 9.0])
def test_total_information_is_the_one_asked_for(weight, background, information):
    ppm = weights_to_ppm(weight, background, information=information)
    assert information_content(ppm, background).sum() == pytest.approx(information, rel=1e-6)


def test_total_information_is_that_of_an_average_motif_by_default(weight):
    assert information_content(weights_to_ppm(weight)).sum() == pytest.approx(7 * BITS_PER_POSITION, rel=1e-6)


def test_a_filter_that_only_forbids_a_letter_gets_what_it_can_hold():
    weight = np.ones((4, 5))
    weight[2] = -3  # never G: at most log2(4 / 3) bits a position
    assert information_content(weights_to_ppm(weight)).sum() == pytest.approx(0.9 * 5 * np.log2(4 / 3), rel=1e-6)


@BACKGROUNDS
def test_constants_and_scale_of_the_weights_do_not_matter(weight, background):
    expected = weights_to_ppm(weight, background)
    assert_allclose(weights_to_ppm(weight + np.arange(7.0), background), expected, atol=1e-9)
    for scale in (1e-14, 0.3, 1e9):
        assert_allclose(weights_to_ppm(scale * weight, background), expected, atol=1e-9)
    best, turned = weight.argmax(0), weights_to_ppm(-weight, background)
    assert (turned[best, range(7)] < (0.25 if background is None else background[best])).all()


@BACKGROUNDS
@pytest.mark.parametrize("name", ["CTCF_known1", "MYC_known1", "SRF_known1"])
def test_log_odds_of_a_motif_give_the_motif_back(name, background):
    ppm = 0.98 * load_motifs("encode")[name] + 0.02 * SKEWED[:, None]
    log_odds = np.log2(ppm / (0.25 if background is None else background[:, None]))
    information = float(information_content(ppm, background).sum())
    assert_allclose(weights_to_ppm(log_odds, background, information=information), ppm, atol=1e-7)


@BACKGROUNDS
@pytest.mark.parametrize("size", [0.0, 1.0, 1e7])
def test_a_filter_without_preferences_gives_the_background(background, size):
    weight = np.repeat(size * np.random.default_rng(0).normal(size=(1, 7)), 4, axis=0)
    expected = np.full(4, 0.25) if background is None else background
    assert_array_equal(weights_to_ppm(weight, background), np.repeat(expected[:, None], 7, axis=1))


def test_a_trainable_tensor_is_a_filter_too(weight):
    tensor = torch.nn.Parameter(torch.tensor(weight))
    assert_array_equal(weights_to_ppm(tensor), weights_to_ppm(weight))


def test_almost_all_that_a_filter_can_hold():
    weight = np.eye(4)
    assert information_content(weights_to_ppm(weight, information=7.9999)).sum() == pytest.approx(7.9999)
    with pytest.raises(InputError, match=r"got information=8 bits, expected more than 0 and less than 8, which is"):
        weights_to_ppm(weight, information=8.0)


@pytest.mark.parametrize(
    ("weight", "options", "message"),
    [
        (np.full((4, 3), np.nan), {}, "weights that are not finite; its training has diverged"),
        (np.eye(4), {"information": 0.0}, "got information=0 bits, expected more than 0"),
        (np.eye(4), {"information": -1.0}, "got information=-1 bits"),
        (np.eye(4), {"information": np.nan}, "got information=nan bits"),
        (np.eye(4), {"background": (0.5, 0.5, 0.5, 0.5)}, "expected four positive probabilities"),
        (np.zeros((2, 4, 7)), {}, r"got shape \(2, 4, 7\), expected \(4, W\)"),
        (np.zeros((7, 4)), {}, r"got shape \(7, 4\), expected \(4, W\) with rows A, C, G, T. Transpose it"),
    ],
)
def test_what_cannot_become_a_ppm(weight, options, message):
    with pytest.raises(InputError, match=message):
        weights_to_ppm(weight, **options)


# From the sites.


def slow_best_site(weight, sequence, both_strands):
    """Score, start and strand of the best site: the forward strand wins a tie, then the first position."""
    _, width = weight.shape
    best = (-np.inf, 0, False)
    for turned, matrix in enumerate([weight, weight[::-1, ::-1]][: 1 + both_strands]):
        for start in range(sequence.shape[1] - width + 1):
            score = float((matrix * sequence[:, start : start + width]).sum())
            if score > best[0]:
                best = (score, start, bool(turned))
    return best


def slow_sites(weight, x, both_strands, threshold, pseudocount):
    counts = np.full(weight.shape, pseudocount / 4)
    found = [slow_best_site(weight - weight.mean(0), sequence, both_strands) for sequence in x]
    best = max(score for score, _, _ in found)
    n_sites = 0
    for sequence, (score, start, turned) in zip(x, found, strict=True):
        if score > 0 and score >= threshold * best:
            site = sequence[:, start : start + weight.shape[1]]
            counts += site[::-1, ::-1] if turned else site
            n_sites += 1
    return counts / counts.sum(0), n_sites


def sequences(n, length, seed, n_share=0.1):
    rng = np.random.default_rng(seed)
    letters = rng.choice(list("ACGTN"), size=(n, length), p=[*[(1 - n_share) / 4] * 4, n_share])
    return ["".join(row) for row in letters]


@pytest.mark.parametrize("both_strands", [True, False])
@pytest.mark.parametrize("threshold", [0.0, 0.5, 0.9, 1.0])
def test_equals_a_loop_over_all_sites(both_strands, threshold):
    # whole multiples of 4 have whole means, so that equal scores are equal in single precision too
    weight = 4.0 * np.random.default_rng(3).integers(-2, 3, size=(3, 4, 5))
    x = one_hot(sequences(11, 17, seed=4))
    options = {"both_strands": both_strands, "threshold": threshold, "pseudocount": 2.5}
    found = sites_to_ppms(weight, x, **options)
    assert len(found) == 3
    for one, matrix in zip(found, weight, strict=True):
        ppm, n_sites = slow_sites(matrix, x.numpy(), **options)
        assert one.n_sites == n_sites
        assert_allclose(one.ppm, ppm, rtol=1e-12)


def test_ties_are_forward_and_first():
    """The last position of the filter scores nothing: it shows which of the equally good sites was counted."""
    weight = np.pad(one_hot("GAATTC")[0].numpy(), ((0, 0), (0, 1)))[None]
    sites = {"AGAATTCACGAATTCG": "GAATTCA", "AGAATTCTCGAATTCG": "GAATTCT", "TCGAATTC": "GAATTCG"}
    for sequence, site in sites.items():
        (found,) = sites_to_ppms(weight, [sequence], both_strands=True)
        assert found.n_sites == 1
        assert "".join("ACGT"[letter] for letter in found.ppm.argmax(0)) == site


@pytest.fixture
def gattaca():
    """A filter for GATTACA, and 11 sequences: with it in 3, with its reverse complement in 4, without it in 4."""
    rows = sequences(11, 31, seed=7, n_share=0)
    planted = ["GATTACA"] * 3 + ["TGTAATC"] * 4
    rows = [
        row[: 2 * i] + word + row[2 * i + 7 :] for i, (row, word) in enumerate(zip(rows, planted, strict=False))
    ] + (rows[7:])
    assert all(len(row) == 31 for row in rows)
    return one_hot("GATTACA").numpy(), rows


@pytest.mark.parametrize(("both_strands", "n_sites"), [(True, 7), (False, 3)])
def test_a_planted_motif_is_found_on_the_strands_that_the_filter_reads(gattaca, both_strands, n_sites):
    weight, rows = gattaca
    (found,) = sites_to_ppms(weight, rows, both_strands=both_strands, threshold=1.0)
    assert found.n_sites == n_sites
    assert_allclose(found.ppm, (n_sites * weight[0] + 0.25) / (n_sites + 1), rtol=1e-12)


def test_files_lists_and_tensors_are_sequences(tmp_path, gattaca):
    weight, rows = gattaca
    path = tmp_path / "rows.fa"
    path.write_text("".join(f">{i}\n{row}\n" for i, row in enumerate(rows)))
    expected = sites_to_ppms(weight, rows, both_strands=True)[0]
    for same in (path, one_hot(rows), one_hot(rows).double()):
        found = sites_to_ppms(torch.nn.Parameter(torch.tensor(weight)), same, both_strands=True)[0]
        assert_array_equal(found.ppm, expected.ppm)


def test_the_other_strand_of_the_sequences_gives_the_same_motifs(gattaca):
    """... to a filter that reads both strands; no two sites of a sequence score alike here."""
    x = one_hot(gattaca[1])
    weight = np.random.default_rng(0).normal(size=(3, 4, 5))
    here, there = (sites_to_ppms(weight, rows, both_strands=True) for rows in (x, x.flip(1, 2)))
    for one, other in zip(here, there, strict=True):
        assert one.n_sites == other.n_sites
        assert_allclose(one.ppm, other.ppm, rtol=1e-12)


def test_batch_size_does_not_matter(gattaca):
    weight = np.random.default_rng(0).normal(size=(3, 4, 5))
    expected = sites_to_ppms(weight, gattaca[1], both_strands=True)
    for batch_size in (1, 4, 11):
        found = sites_to_ppms(weight, gattaca[1], both_strands=True, batch_size=batch_size)
        assert [motif.n_sites for motif in found] == [motif.n_sites for motif in expected]
        for one, other in zip(found, expected, strict=True):
            assert_array_equal(one.ppm, other.ppm)


def test_a_filter_without_sites_is_uniform(gattaca):
    for pseudocount in (0.0, 1.0):
        (found,) = sites_to_ppms(np.ones((1, 4, 7)), gattaca[1], both_strands=True, pseudocount=pseudocount)
        assert found.n_sites == 0
        assert_array_equal(found.ppm, np.full((4, 7), 0.25))


def test_n_columns_count_for_nothing():
    weight = one_hot("GATTACA").numpy()
    (found,) = sites_to_ppms(weight, ["CGATNACAC", "CGATTACAC"], both_strands=False, threshold=0.5, pseudocount=0.0)
    assert found.n_sites == 2
    assert_allclose(found.ppm, weight[0], atol=1e-8)
    (found,) = sites_to_ppms(weight, ["CGATNACAC"], both_strands=False)
    assert_array_equal(found.ppm[:, 3], np.full(4, 0.25))


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((3, 4, 5), {"threshold": 1.5}, "got threshold=1.5, expected a share of the best score, 0 to 1"),
        ((3, 4, 5), {"threshold": -0.1}, "got threshold=-0.1"),
        ((3, 4, 5), {"pseudocount": -1.0}, "got pseudocount=-1.0, expected a number of at least 0"),
        ((3, 4, 5), {"batch_size": 0}, "got batch_size=0, expected a whole number of at least 1"),
        ((3, 4, 32), {}, "got sequences of 31 bp, expected at least the filter's 32 bp"),
        ((4, 5), {}, r"got filters of shape \(4, 5\), expected \(F, 4, W\); weight\[None\] for one"),
        ((3, 6, 5), {}, r"got weight of shape \(3, 6, 5\), expected \(F, 4, W\)"),
    ],
)
def test_what_has_no_sites(gattaca, shape, options, message):
    with pytest.raises(InputError, match=message):
        sites_to_ppms(np.ones(shape), gattaca[1], both_strands=True, **options)


# The scale of maximum likelihood, and trimming.


def _log_likelihood(counts, ppm):
    return float((counts * np.log(ppm)).sum())


def test_the_scale_of_maximum_likelihood_beats_its_neighbours():
    rng = np.random.default_rng(4)
    weight = rng.normal(size=(4, 7))
    truth = weights_to_ppm(weight, information=6.0)
    counts = np.stack([rng.multinomial(200, column) for column in truth.T], 1)
    found = weights_to_ppm(weight, site_counts=counts)
    best = _log_likelihood(counts, found)
    bits = information_content(found).sum()
    assert bits == pytest.approx(6.0, abs=0.4)
    for other in (bits - 0.1, bits - 0.01, bits + 0.01, bits + 0.1):
        assert _log_likelihood(counts, weights_to_ppm(weight, information=other)) < best
    np.testing.assert_allclose(weights_to_ppm(5 * weight, site_counts=counts), found, atol=1e-9)
    np.testing.assert_allclose(weights_to_ppm(weight, site_counts=counts / 200), found, atol=1e-9)


def test_sites_that_do_not_prefer_the_filter_s_letters_give_the_background():
    weight, background = np.eye(4), [0.3, 0.2, 0.2, 0.3]
    against = np.full((4, 4), 5.0) - 5 * np.eye(4)
    found = weights_to_ppm(weight, background, site_counts=against)
    np.testing.assert_allclose(found, np.repeat(np.array(background)[:, None], 4, axis=1))


def test_sites_of_one_letter_each_give_what_the_filter_can_hold():
    found = weights_to_ppm(np.eye(4), site_counts=np.eye(4))
    assert 7.9 < information_content(found).sum() <= 8


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"information": 2.0, "site_counts": np.eye(4)}, "got information and site_counts, expected one of them"),
        ({"site_counts": np.ones((4, 3))}, r"site_counts of shape \(4, 3\), expected .* \(4, 4\)"),
        ({"site_counts": -np.eye(4)}, "expected numbers of at least 0, not all 0"),
        ({"site_counts": np.zeros((4, 4))}, "not all 0"),
    ],
)
def test_bad_site_counts(how, message):
    with pytest.raises(InputError, match=message):
        weights_to_ppm(np.eye(4), **how)


def test_trimming_leaves_out_flanks_alone():
    flat, faint = np.full((4, 1), 0.25), np.array([[0.4], [0.2], [0.2], [0.2]])
    core = np.concatenate([np.eye(4)[:, :2], flat, np.eye(4)[:, 2:]], axis=1) * 0.96 + 0.01
    ppm = np.concatenate([flat, faint, core, faint, flat, flat], axis=1)
    np.testing.assert_array_equal(trim_ppm(ppm), core)
    np.testing.assert_array_equal(trim_ppm(ppm, 0.01), ppm[:, 1:-2])
    np.testing.assert_array_equal(trim_ppm(ppm, 0.0), ppm)
    assert trim_ppm(np.concatenate([flat, faint, flat], axis=1)).shape == (4, 1)
