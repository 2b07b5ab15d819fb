"""The null distribution against every outcome counted out, and against random targets."""

from itertools import product

import numpy as np
import pytest

from rcinterp.comparison import null


def best_alignment_p_values(scores, best, widths):
    """Of scores as they are, not counted."""
    lowest, n = scores.min(), np.ptp(scores) + 1
    counts = np.array([np.bincount(row - lowest, minlength=n) for row in scores])
    return null.best_alignment_p_values(counts, int(lowest), best, widths)


def counted_out(scores, best, width):
    """The equation: each span's distribution from all combinations of columns."""
    n_positions, n_columns = scores.shape
    below = 1.0
    for start in range(1 - width, n_positions):
        span = range(max(start, 0), min(start + width, n_positions))
        sums = [
            sum(scores[i, c] for i, c in zip(span, drawn, strict=True))
            for drawn in product(range(n_columns), repeat=len(span))
        ]
        below *= np.mean(np.array(sums) < best)
    return 1 - below**2


@pytest.mark.parametrize("width", [1, 2, 3, 5])
def test_is_the_equation(width):
    scores = np.random.default_rng(width).integers(-9, 8, size=(3, 5))
    best = np.arange(-30, 26)
    p = best_alignment_p_values(scores, best, np.full(best.size, width))
    np.testing.assert_allclose(p, [counted_out(scores, value, width) for value in best], atol=1e-12)
    assert p[0] == 1
    assert p[-1] == 0
    assert (np.diff(p) <= 0).all()


def test_each_target_has_its_own_width():
    scores = np.random.default_rng(0).integers(-9, 8, size=(3, 7))
    best, widths = np.array([4, 4, 9, 2]), np.array([2, 5, 2, 11])
    together = best_alignment_p_values(scores, best, widths)
    alone = [best_alignment_p_values(scores, best[[i]], widths[[i]])[0] for i in range(4)]
    np.testing.assert_allclose(together, alone, rtol=1e-12)


def test_small_p_values_keep_their_digits():
    scores = np.zeros((11, 1000), dtype=np.int64)
    scores[:, 0] = 100
    p = best_alignment_p_values(scores, np.array([1100]), np.array([11]))
    assert p[0] == pytest.approx(2e-33, rel=1e-9)


def test_random_targets_score_as_foretold():
    rng = np.random.default_rng(3)
    scores = rng.integers(-40, 30, size=(6, 500))
    drawn = scores[:, rng.integers(0, 500, size=(20_000, 2, 8))]  # position, target, orientation, column
    sums = [sum(drawn[i, :, :, i - start] for i in range(6) if 0 <= i - start < 8) for start in range(-7, 6)]
    best = np.max(sums, axis=(0, 2))  # over alignments and orientations
    p = best_alignment_p_values(scores, best, np.full(best.size, 8))
    for threshold in (0.1, 0.01):
        assert (p <= threshold).mean() == pytest.approx(threshold, rel=0.15)
