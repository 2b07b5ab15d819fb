"""Motifs on a filter: every position against loops and a least-squares solver, for motifs wider than the filter too."""

import numpy as np
import pytest

from rcinterp.motifs import reverse_complement_motif
from rcinterp.palindromes.templates import KEPT, Hybrids, Templates, log_odds

WIDTH = 7
WIDTHS = (3, 5, 7, 11)


@pytest.fixture(scope="module")
def motifs():
    rng = np.random.default_rng(4)
    return [log_odds(rng.dirichlet(np.full(4, 0.4), size=width).T) for width in WIDTHS]


@pytest.fixture(scope="module")
def filters():
    weights = np.random.default_rng(5).normal(size=(6, 4, WIDTH))
    return weights - weights.mean(axis=1, keepdims=True)


def lay(motif, start):
    """What of a motif lies in the filter."""
    placed = np.zeros((4, WIDTH))
    for j in range(motif.shape[1]):
        if 0 <= start + j < WIDTH:
            placed[:, start + j] = motif[:, j]
    return placed


def slow_placements(motif):
    """Start and what lies in the filter, where enough of the motif does."""
    starts = range(1 - motif.shape[1], WIDTH)
    norms = {start: (lay(motif, start) ** 2).sum() for start in starts}
    return [(start, lay(motif, start)) for start in starts if norms[start] >= KEPT * max(norms.values())]


def slow_best_single(filter_, motifs):
    found = []
    for m, motif in enumerate(motifs):
        for strand, turned in enumerate((motif, reverse_complement_motif(motif))):
            for start, placed in slow_placements(turned):
                cosine = (filter_ * placed).sum() / np.linalg.norm(filter_) / np.linalg.norm(placed)
                found.append((cosine, m, strand, start))
    return max(found)


def slow_best_hybrid(filter_, motifs, axis, min_share):
    """By a solver, pair by pair."""
    found = []
    for m, motif in enumerate(motifs):
        width = motif.shape[1]
        for start, placed in slow_placements(motif):
            for turned_start, turned in slow_placements(reverse_complement_motif(motif)):
                if abs((start + turned_start + width - 1) / 2 - axis) > 0.5:
                    continue
                columns = np.stack([placed.ravel(), turned.ravel()], axis=1)
                columns /= np.linalg.norm(columns, axis=0)
                if columns[:, 0] @ columns[:, 1] >= 0.95:
                    continue
                shares = np.linalg.lstsq(columns, filter_.ravel(), rcond=None)[0]
                if shares.min() <= 0 or shares.min() < min_share * shares.sum():
                    continue
                fit = columns @ shares
                cosine = fit @ filter_.ravel() / np.linalg.norm(fit) / np.linalg.norm(filter_)
                found.append(
                    (cosine, m, start, turned_start, shares.min() / shares.sum(), columns[:, 0] @ columns[:, 1])
                )
    return max(found, default=None)


def test_best_single_motif_of_a_loop(motifs, filters):
    templates, everything = Templates(motifs, WIDTH), np.ones(len(motifs), dtype=bool)
    strands = set()
    for filter_ in filters:
        found = templates.best(templates.cosines(filter_), everything)
        cosine, m, strand, start = slow_best_single(filter_, motifs)
        assert found.similarity == pytest.approx(cosine)
        assert (found.motif, found.share, found.alike) == (m, 0, 0)
        assert (found.forward, found.reverse) == ((None, start) if strand else (start, None))
        strands.add(strand)
    assert strands == {0, 1}


@pytest.mark.parametrize("min_share", [0.0, 0.3])
@pytest.mark.parametrize("shift", [-2, 0, 3])
def test_best_hybrid_of_a_solver(motifs, filters, shift, min_share):
    templates, everything = Templates(motifs, WIDTH), np.ones(len(motifs), dtype=bool)
    hybrids = Hybrids(templates, np.arange(len(motifs)))
    for filter_ in filters:
        found = hybrids.best(templates.cosines(filter_), shift, min_share, everything)
        expected = slow_best_hybrid(filter_, motifs, (WIDTH - 1 + shift) / 2, min_share)
        if expected is None:
            assert found is None
            continue
        cosine, m, start, turned, share, alike = expected
        assert (found.motif, found.forward, found.reverse) == (m, start, turned)
        assert (found.similarity, found.share, found.alike) == pytest.approx((cosine, share, alike))


def test_what_is_not_allowed_is_not_found(motifs, filters):
    templates = Templates(motifs, WIDTH)
    hybrids, cosines = Hybrids(templates, np.arange(len(motifs))), templates.cosines(filters[0])
    for m in range(len(motifs)):
        only = np.arange(len(motifs)) == m
        assert templates.best(cosines, only).motif == hybrids.best(cosines, 0, 0.0, only).motif == m
    nothing = np.zeros(len(motifs), dtype=bool)
    assert templates.best(cosines, nothing) is hybrids.best(cosines, 0, 0.0, nothing) is None


def test_an_empty_catalogue_and_a_motif_without_preferences(filters):
    for motifs in ([], [np.zeros((4, 5))]):
        templates = Templates(motifs, WIDTH)
        cosines = templates.cosines(filters[0])
        everything = np.ones(len(motifs), dtype=bool)
        assert templates.best(cosines, everything) is None
        hybrids = Hybrids(templates, np.arange(len(motifs)))
        assert hybrids.best(cosines, 0, 0.0, everything) is None


def test_strands_that_are_each_others_opposite_make_no_hybrid():
    """On one position, the reverse complement of (a, b, -b, -a) is its opposite: two unknowns, one equation."""
    rng = np.random.default_rng(0)
    for a, b in rng.normal(size=(60, 2)):
        templates = Templates([np.array([[a], [b], [-b], [-a]])], 1)
        filter_ = rng.normal(size=(4, 1))
        cosines = templates.cosines(filter_ - filter_.mean())
        assert Hybrids(templates, np.arange(1)).best(cosines, 0, 0.0, np.ones(1, dtype=bool)) is None


def test_log_odds_are_centred_and_finite():
    odds = log_odds(np.eye(4)[:, [0, 2, 1]])
    np.testing.assert_allclose(odds.sum(0), 0, atol=1e-12)
    assert odds[0, 0] - odds[1, 0] == pytest.approx(np.log2(1.01 / 0.01))
