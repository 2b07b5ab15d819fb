"""The engine for any score of two columns: against MEME's own table, a slow loop, and the definitions."""

import numpy as np
import pytest

from rcinterp.comparison.alignment import align, euclidean_scores, pearson_scores
from rcinterp.motifs import load_motifs_with_sites, reverse_complement_motif

SCORES = [euclidean_scores, pearson_scores]


def random_ppms(widths, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.dirichlet([0.3] * 4, size=width).T for width in widths]


def with_pseudocount(motif):
    n_sites = motif.n_sites or 20
    return (motif.ppm * n_sites + 0.025) / (n_sites + 0.1)


def slow_alignments(query, targets, column_scores):
    """Best score, offset and overlap of each target: Tomtom's steps, one alignment at a time."""
    scores = column_scores(query, np.hstack(targets))
    scores = scores - np.sort(scores, axis=1)[:, (scores.shape[1] + 1) // 2 - 1, None]
    lowest = int(np.floor(scores.min()))
    scale = int(100 // (scores.max() - lowest))
    start, found = 0, []
    for target in targets:
        best = (-np.inf, 0, 0)
        for offset in range(1 - query.shape[1], target.shape[1]):
            pairs = [(i, offset + i) for i in range(query.shape[1]) if 0 <= offset + i < target.shape[1]]
            score = sum(round((scores[i, start + j] - lowest) * scale) + lowest * scale for i, j in pairs)
            if (score, len(pairs)) > best[:2]:
                best = (score, len(pairs), offset)
        found.append(best)
        start += target.shape[1]
    return np.array(found).T


@pytest.mark.parametrize("column_scores", SCORES)
def test_scores_are_the_definition(column_scores):
    query, columns = random_ppms([3, 5])
    scores = column_scores(query, columns)
    assert scores.shape == (3, 5)
    for i in range(3):
        for j in range(5):
            x, y = query[:, i], columns[:, j]
            expected = -np.linalg.norm(x - y) if column_scores is euclidean_scores else np.corrcoef(x, y)[0, 1]
            assert scores[i, j] == pytest.approx(expected, abs=1e-12)


def test_a_uniform_column_correlates_with_nothing():
    query = np.hstack([np.full((4, 1), 0.25), np.full((4, 1), 0.25 + 1e-16), np.eye(4)[:, :1]])
    columns = np.hstack([random_ppms([2])[0], np.full((4, 1), 0.25)])
    scores = pearson_scores(query, columns)
    np.testing.assert_array_equal(scores[:2], 0)
    assert scores[2, 2] == 0
    assert np.abs(scores[2, :2]).min() > 0.01


def test_correlation_does_not_weigh_information():
    sharp, faint = np.eye(4)[:, :1], np.eye(4)[:, :1] * 0.2 + 0.2
    columns = random_ppms([7])[0]
    np.testing.assert_allclose(pearson_scores(sharp, columns), pearson_scores(faint, columns), atol=1e-12)


@pytest.mark.parametrize("column_scores", SCORES)
def test_alignments_are_those_of_a_loop(column_scores):
    queries, targets = random_ppms([3, 7, 11, 7], seed=1), random_ppms([2, 5, 13, 1, 8, 6], seed=2)
    found = align(queries, targets, column_scores)
    assert found.p_values.shape == (4, 6)
    for index, query in enumerate(queries):
        _, overlaps, offsets = slow_alignments(query, targets, column_scores)
        np.testing.assert_array_equal(found.overlaps[index], overlaps)
        np.testing.assert_array_equal(found.offsets[index], offsets)


def test_queries_do_not_depend_on_each_other():
    queries, targets = random_ppms([3, 7, 11], seed=1), random_ppms([2, 5, 13], seed=2)
    together = align(queries, targets, pearson_scores)
    alone = align(queries[1:2], targets, pearson_scores)
    np.testing.assert_array_equal(together.p_values[1], alone.p_values[0])
    np.testing.assert_array_equal(together.offsets[1], alone.offsets[0])


def test_targets_of_equal_columns_are_no_match():
    flat = [np.full((4, width), 0.25) for width in (5, 3)]
    for column_scores in SCORES:
        found = align(random_ppms([7]), flat, column_scores)
        np.testing.assert_array_equal(found.p_values, 1)


def test_with_euclidean_distance_it_is_meme_s_tomtom(tomtom_files, meme):
    queries, targets = (
        {name: with_pseudocount(motif) for name, motif in load_motifs_with_sites(path).items()}
        for path in tomtom_files[:2]
    )
    both = [*targets.values(), *map(reverse_complement_motif, targets.values())]
    found = align(list(queries.values()), both, euclidean_scores)
    rows = [list(queries).index(name) for name in meme["Query_ID"]]
    columns = np.array([list(targets).index(name) for name in meme["Target_ID"]])
    columns += np.where(meme["Orientation"] == "-", len(targets), 0)
    assert np.abs(found.p_values[rows, columns] / meme["p-value"] - 1).max() < 6e-6  # it prints six digits
    np.testing.assert_array_equal(found.offsets[rows, columns], meme["Optimal_offset"])
    np.testing.assert_array_equal(found.overlaps[rows, columns], meme["Overlap"])
