"""The engine for any distance of two columns: against MEME's own table, a slow loop, and the definitions."""

import threading

import numpy as np
import pytest
import torch

from rcinterp.comparison import DISTANCES
from rcinterp.comparison import alignment as engine
from rcinterp.comparison.alignment import COLUMN_DISTANCES, align
from rcinterp.comparison.distances import EUCLIDEAN, PEARSON
from rcinterp.motifs import load_motifs, load_motifs_with_sites, reverse_complement_motif


def random_ppms(widths, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.dirichlet([0.3] * 4, size=width).T for width in widths]


def with_pseudocount(motif):
    n_sites = motif.n_sites or 20
    return (motif.ppm * n_sites + 0.025) / (n_sites + 0.1)


def slow_score(x, y, distance):
    """The equation in the Notes of compare_motifs."""
    if distance == "euclidean":
        return -np.sqrt(((x - y) ** 2).sum())
    x, y = x - 0.25, y - 0.25
    norms = np.sqrt((x**2).sum() * (y**2).sum())
    return (x * y).sum() / norms if norms > 1e-12 else 0.0


def slow_alignments(query, targets, distance, with_p_values=True):
    """Best score, offset, overlap and p-value of each target: Tomtom's steps, one alignment at a time."""
    columns = np.hstack(targets)
    scores = np.array([[slow_score(x, y, distance) for y in columns.T] for x in query.T])
    scores -= np.sort(scores, axis=1)[:, (scores.shape[1] + 1) // 2 - 1, None]
    lowest = int(np.floor(scores.min() + 1e-12))
    scale = int(100 / max(scores.max() - lowest, 1) + 1e-12)
    whole = np.rint((scores - lowest) * scale).astype(int) + lowest * scale
    width, start, found = query.shape[1], 0, []
    for target in targets:
        best = (-np.inf, 0, 0)
        for offset in range(1 - width, target.shape[1]):
            pairs = [(i, offset + i) for i in range(width) if 0 <= offset + i < target.shape[1]]
            score = sum(whole[i, start + j] for i, j in pairs)
            if (score, len(pairs)) > best[:2]:
                best = (score, len(pairs), offset)
        found.append((*best, slow_p_value(whole, best[0], target.shape[1]) if with_p_values else np.nan))
        start += target.shape[1]
    return np.array(found).T


def slow_p_value(whole, best, n_positions):
    """The product over alignments, with each span's distribution from one column after the other."""
    log_below = 0.0
    for offset in range(1 - len(whole), n_positions):
        shares = {0: 1.0}
        for row in whole[max(-offset, 0) : max(min(n_positions - offset, len(whole)), 0)]:
            values, counts = np.unique(row, return_counts=True)
            longer = {}
            for total, share in shares.items():
                for value, count in zip(values.tolist(), counts.tolist(), strict=True):
                    longer[total + value] = longer.get(total + value, 0.0) + share * count / row.size
            shares = longer
        tail = sum(share for total, share in sorted(shares.items()) if total >= best)
        log_below += np.log1p(-tail) if tail < 1 - 1e-13 else -np.inf
    p = -np.expm1(log_below)
    return p * (2 - p)


@pytest.mark.parametrize("distance", DISTANCES)
def test_distances_are_the_definition(distance):
    query, columns = random_ppms([3, 5])
    found = COLUMN_DISTANCES[distance].between(query, columns)
    assert found.shape == (3, 5)
    for i, x in enumerate(query.T):
        for j, y in enumerate(columns.T):
            expected = np.linalg.norm(x - y) if distance == "euclidean" else -np.corrcoef(x, y)[0, 1]
            assert found[i, j] == pytest.approx(expected, abs=1e-12)
            assert found[i, j] == pytest.approx(-slow_score(x, y, distance), abs=1e-12)


def test_nearly_equal_columns_have_all_digits_of_their_distance():
    query = random_ppms([3])[0]
    step = np.array([[1.0], [-1.0], [0.0], [0.0]]) / np.sqrt(2)
    for size in (0, 1e-12, 1e-7, 1e-5, 1e-3):
        found = EUCLIDEAN.between(query, np.hstack([random_ppms([9], seed=1)[0], query[:, 1:2] + size * step]))
        assert found[1, -1] == pytest.approx(size, rel=1e-3, abs=1e-15)


def test_a_uniform_column_correlates_with_nothing():
    query = np.hstack([np.full((4, 1), 0.25), np.full((4, 1), 0.25 + 1e-16), np.eye(4)[:, :1]])
    columns = np.hstack([random_ppms([2])[0], np.full((4, 1), 0.25)])
    found = PEARSON.between(query, columns)
    np.testing.assert_array_equal(found[:2], 0)
    assert found[2, 2] == 0
    assert np.abs(found[2, :2]).min() > 0.01


def test_correlation_does_not_weigh_information():
    sharp, faint = np.eye(4)[:, :1], np.eye(4)[:, :1] * 0.2 + 0.2
    columns = random_ppms([7])[0]
    np.testing.assert_allclose(PEARSON.between(sharp, columns), PEARSON.between(faint, columns), atol=1e-12)


QUERIES = {
    "some widths": random_ppms([3, 7, 11, 7], seed=1),
    "one to three positions": random_ppms([1, 2, 3], seed=3),
    "wider than every target": random_ppms([25], seed=4),
    "equal columns": [np.repeat(random_ppms([1], seed=5)[0], 6, axis=1), np.repeat([[1.0], [0], [0], [0]], 4, axis=1)],
    "a pseudocount": [(20 * ppm + 0.025) / 20.1 for ppm in random_ppms([9], seed=6)],
}


@pytest.mark.parametrize("distance", DISTANCES)
@pytest.mark.parametrize("case", QUERIES)
def test_alignments_are_those_of_a_loop(case, distance):
    queries = QUERIES[case]
    targets = random_ppms([2, 5, 13, 1, 8, 6, 5], seed=2)
    targets += [queries[0], np.repeat(targets[1][:, :1], 7, axis=1)]  # one found entirely, and one with ties
    found = align(queries, targets, distance)
    assert found.p_values.shape == (len(queries), 9)
    for index, query in enumerate(queries):
        _, overlaps, offsets, p_values = slow_alignments(query, targets, distance)
        np.testing.assert_array_equal(found.overlaps[index], overlaps)
        np.testing.assert_array_equal(found.offsets[index], offsets)
        np.testing.assert_allclose(found.p_values[index], p_values, rtol=1e-9)


@pytest.mark.parametrize("distance", DISTANCES)
def test_a_hundred_positions_against_a_catalogue(distance):
    targets = list(load_motifs("encode").values())[::40]
    query = np.hstack(targets)[:, :100]
    _, overlaps, offsets, _ = slow_alignments(query, targets, distance, with_p_values=False)
    found = align([query], targets, distance)
    np.testing.assert_array_equal(found.overlaps[0], overlaps)
    np.testing.assert_array_equal(found.offsets[0], offsets)
    assert found.p_values.max() <= 1


@pytest.mark.parametrize("rank", [0, 5000, 10_000, 19_999])
def test_order_statistics_are_those_of_sorting(rank):
    rng = np.random.default_rng(rank)
    rows = np.stack([rng.normal(size=20_000), rng.integers(0, 3, 20_000), np.full(20_000, 0.3), np.arange(20_000.0)])
    rows = np.vstack([rows, np.where(np.arange(20_000) % (20_000 // 1024) == 0, 5.0, rows[0])])  # an unlike sample
    np.testing.assert_array_equal(engine._order_statistics(rows, rank), np.sort(rows, axis=1)[:, rank])


def test_one_thread_and_several_find_the_same():
    queries, targets = random_ppms([3, 7, 11, 7, 9], seed=1), random_ppms([2, 5, 13] * 20, seed=2)
    before, alive = torch.get_num_threads(), threading.active_count()
    found = []
    try:
        for n_threads in (1, 3):
            torch.set_num_threads(n_threads)
            found.append(align(queries, targets, "euclidean"))
            assert torch.get_num_threads() == n_threads
    finally:
        torch.set_num_threads(before)
    assert threading.active_count() == alive
    for name in ("p_values", "offsets", "overlaps"):
        np.testing.assert_array_equal(getattr(found[0], name), getattr(found[1], name))


def test_an_error_in_a_thread_is_raised():
    with pytest.raises(ValueError, match="matmul"):
        align([np.zeros((3, 5)), *random_ppms([5, 5])], random_ppms([7, 9]), "euclidean")


def test_queries_do_not_depend_on_each_other():
    queries, targets = random_ppms([3, 7, 11], seed=1), random_ppms([2, 5, 13], seed=2)
    together = align(queries, targets, "pearson")
    alone = align(queries[1:2], targets, "pearson")
    np.testing.assert_array_equal(together.p_values[1], alone.p_values[0])
    np.testing.assert_array_equal(together.offsets[1], alone.offsets[0])


def test_targets_of_equal_columns_are_no_match():
    flat = [np.full((4, width), 0.25) for width in (5, 3)]
    for distance in DISTANCES:
        found = align(random_ppms([7]), flat, distance)
        np.testing.assert_array_equal(found.p_values, 1)


def test_with_euclidean_distance_it_is_meme_s_tomtom(tomtom_files, meme):
    queries, targets = (
        {name: with_pseudocount(motif) for name, motif in load_motifs_with_sites(path).items()}
        for path in tomtom_files[:2]
    )
    both = [*targets.values(), *map(reverse_complement_motif, targets.values())]
    found = align(list(queries.values()), both, "euclidean")
    rows = [list(queries).index(name) for name in meme["Query_ID"]]
    columns = np.array([list(targets).index(name) for name in meme["Target_ID"]])
    columns += np.where(meme["Orientation"] == "-", len(targets), 0)
    assert np.abs(found.p_values[rows, columns] / meme["p-value"] - 1).max() < 6e-6  # it prints six digits
    np.testing.assert_array_equal(found.offsets[rows, columns], meme["Optimal_offset"])
    np.testing.assert_array_equal(found.overlaps[rows, columns], meme["Overlap"])
