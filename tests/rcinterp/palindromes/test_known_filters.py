"""Filters of known origin: what they hold before the noise, where, of which strand, and again."""

from collections import Counter

import numpy as np
import pytest

from rcinterp.motifs import load_motifs, reverse_complement_motif
from rcinterp.motifs.similarity import compare_matrices
from rcinterp.palindromes import known_filters as q
from rcinterp.palindromes.finding import find_palindromes

ENCODE = load_motifs("encode")
GATA, CTCF = ENCODE["GATA_known6"], ENCODE["CTCF_known1"]
CLEAN = q.Noise("PPM", 10**6)


@pytest.mark.parametrize("width", [15, 21, 40])
@pytest.mark.parametrize("seed", range(3))
def test_a_motif_with_many_sites_is_itself_somewhere(width, seed):
    rng = np.random.default_rng(seed)
    matrix = q.perturbed_motif(GATA, width, CLEAN, rng)
    assert matrix.shape == (4, width)
    np.testing.assert_allclose(matrix.sum(0), 1)
    assert compare_matrices(GATA, matrix).value > 0.89  # at most a fifth of its norm lies outside


def test_starts_and_orientations_are_all_drawn():
    rng = np.random.default_rng(0)
    found = [compare_matrices(GATA, q.perturbed_motif(GATA, 16, CLEAN, rng)) for _ in range(200)]
    drawn = Counter((match.orientation, match.shift) for match in found)
    assert {orientation for orientation, _ in drawn} == {"+", "-"}
    shifts = {shift for _, shift in drawn}
    assert shifts >= {0, 1, 2, 3}
    assert min(shifts) < 0 or max(shifts) > 3  # some hang over


def test_a_wide_motif_fills_a_narrow_filter():
    matrix = q.perturbed_motif(CTCF, 9, CLEAN, np.random.default_rng(0))
    norm = ((CTCF - 0.25) ** 2).sum(0)
    most = max(norm[i : i + 9].sum() for i in range(11))
    assert ((matrix - 0.25) ** 2).sum() > 0.78 * most


@pytest.mark.parametrize("noise", [CLEAN, q.Noise("weights", 10**6)])
@pytest.mark.parametrize("share", [0.5, 0.7])
def test_a_hybrid_is_the_shares_of_both_strands(noise, share):
    ppm = np.eye(4)[:, [0, 0, 1, 0]] * 0.96 + 0.01  # AACA, and GTTG never looks like it
    matrix = q.perturbed_hybrid(ppm, 20, share, "side by side", noise, np.random.default_rng(2))
    centred = matrix - matrix.mean(0)
    shares = []
    for turned in (ppm, reverse_complement_motif(ppm)):
        odds = turned - 0.25 if noise.form == "PPM" else np.log2(turned)
        odds = odds - odds.mean(0)
        shares.append(max((centred[:, s : s + 4] * odds).sum() for s in range(17)) / (odds**2).sum())
    assert max(shares) / sum(shares) == pytest.approx(share, abs=0.03)


def test_kinds_of_hybrids_are_apart():
    rng = np.random.default_rng(1)
    near = [q.perturbed_hybrid(GATA, 30, 0.5, "superposed", CLEAN, rng) for _ in range(20)]
    far = [q.perturbed_hybrid(GATA, 30, 0.5, "side by side", CLEAN, rng) for _ in range(20)]
    positions = [np.mean([(((m - 0.25) ** 2).sum(0) > 0.02).sum() for m in bank]) for bank in (near, far)]
    assert positions[1] > positions[0] + 4
    assert q.perturbed_hybrid(CTCF, 15, 0.5, "side by side", CLEAN, rng) is None  # 19 bp do not fit in twice


@pytest.mark.parametrize("seed", range(3))
def test_a_hybrid_cut_at_the_axis_is_symmetric_and_has_most_of_the_motif_on_each_side(seed):
    matrix = q.perturbed_hybrid(GATA, 24, 0.5, q.CUT, CLEAN, np.random.default_rng(seed))
    row = find_palindromes(matrix[None]).iloc[0]
    assert row["rc_similarity"] > 0.99
    axis = int(row["rc_axis"] + 0.5)
    sides = [matrix[:, :axis] - 0.25, matrix[:, axis:] - 0.25]
    # each side of a PPM is a half: one strand's letters and the other's background
    assert all((side**2).sum() > 0.69 * ((GATA - 0.25) ** 2).sum() / 4 for side in sides)
    assert q.perturbed_hybrid(CTCF, 15, 0.5, q.CUT, CLEAN, np.random.default_rng(seed)) is None


def test_noise_has_the_norm_that_is_asked_for():
    def weights(level):
        return q.perturbed_motif(GATA, 15, q.Noise("weights", 100, level), np.random.default_rng(3))

    clean = weights(0.0)
    for level in (0.1, 0.5):
        # the last draw, of the orientation, comes after another number of draws: either may be turned
        added = min(np.linalg.norm(weights(level) - of) for of in (clean, reverse_complement_motif(clean)))
        assert added == pytest.approx(level * np.linalg.norm(clean))


def test_fewer_sites_are_farther_from_the_motif():
    rng = np.random.default_rng(4)
    means = [
        np.mean([compare_matrices(GATA, q.perturbed_motif(GATA, 25, q.Noise("PPM", n), rng)).value for _ in range(30)])
        for n in (10, 30, 200)
    ]
    assert means[0] < means[1] < means[2]


def test_noise_filters():
    rng = np.random.default_rng(0)
    bank = np.stack([q.noise_filter(11, symmetric, rng) for symmetric in (False, True)])
    found = find_palindromes(bank)["rc_similarity"]
    assert found[0] < 0.7
    assert found[1] == pytest.approx(1)


def test_queries_of_every_kind_width_and_noise():
    queries = q.draw_queries(ENCODE, 2, (15, 21), q.NOISES[:3], seed=5)
    kinds = [q.MOTIF, q.PALINDROMIC, q.HALF, *q.HYBRIDS, q.CUT]
    counts = Counter((query.kind, query.matrix.shape[1], query.noise) for query in queries)
    expected = {(kind, width, noise): 2 for kind in kinds for width in (15, 21) for noise in q.NOISES[:3]}
    assert counts == expected | {(kind, width, None): 2 for kind in (q.NOISE, q.SYMMETRIC_NOISE) for width in (15, 21)}
    own = find_palindromes(ENCODE, n_permutations=1).set_index("filter")["rc_similarity"]
    for query in queries:
        if query.motif is not None:
            assert (own[query.motif] >= 0.75) == (query.kind in (q.PALINDROMIC, q.HALF))
        assert (q.SHARES[0] <= query.share <= q.SHARES[1]) if query.kind in (*q.HYBRIDS, q.CUT) else query.share == 1
    assert [str(noise) for noise in q.NOISES[1::2]] == ["weights, 100 sites, noise 0.3", "PPM, 200 sites"]


def test_the_same_seed_the_same_queries():
    first, again, other = (q.draw_queries(ENCODE, 1, (15,), q.NOISES[:1], seed) for seed in (1, 1, 2))
    assert all((a.matrix == b.matrix).all() and a.motif == b.motif for a, b in zip(first, again, strict=True))
    assert not all((a.matrix == b.matrix).all() for a, b in zip(first, other, strict=True))


def test_halves_share_no_family():
    one, other = q.split_families(ENCODE, seed=0)
    assert {**one, **other}.keys() == ENCODE.keys()
    families = [{q.family(name) for name in half} for half in (one, other)]
    assert families[0].isdisjoint(families[1])
    assert len(families[0]) == pytest.approx(len(families[1]), abs=1)
    assert q.split_families(ENCODE, seed=0)[0].keys() == one.keys() != q.split_families(ENCODE, seed=1)[0].keys()
