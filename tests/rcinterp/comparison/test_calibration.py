"""p-values are uniform where nothing matches: within the limits stated here, measured in docs/explanation/motifs.md."""

import numpy as np
import pytest
from scipy import stats

from rcinterp.comparison import DISTANCES, compare_motifs
from rcinterp.motifs import load_motifs


@pytest.fixture(scope="module")
def known():
    return load_motifs("encode")


def draw(known, n, width, seed):
    """Motifs of columns drawn at random from the catalogue."""
    rng, columns = np.random.default_rng(seed), np.hstack(list(known.values()))
    return {f"m{i}": columns[:, rng.integers(0, columns.shape[1], width)] for i in range(n)}


@pytest.mark.parametrize("distance", DISTANCES)
def test_motifs_of_random_columns_have_uniform_p_values(known, distance):
    queries, targets = draw(known, 400, 12, seed=1), draw(known, 400, 11, seed=2)
    table = compare_motifs(queries, targets, distance=distance, max_q_value=None, min_bits=0)
    for threshold in (0.1, 0.05, 0.01, 0.001):
        assert (table["p-value"] < threshold).mean() == pytest.approx(threshold, rel=0.2)
    of_its_own = table.loc[table["Query_ID"] == table["Target_ID"], "p-value"]  # 400 pairs without a motif in common
    assert len(of_its_own) == 400
    for threshold in (0.1, 0.05, 0.01):
        lower, upper = stats.binom.interval(0.999, 400, threshold)
        assert lower <= (of_its_own < threshold).sum() <= upper
    assert stats.kstest(of_its_own, "uniform").statistic < 0.1


@pytest.mark.parametrize("distance", DISTANCES)
def test_few_random_targets_too_if_there_is_a_background(known, distance):
    queries, targets = draw(known, 200, 12, seed=3), draw(known, 8, 11, seed=4)
    table = compare_motifs(queries, targets, background="encode", distance=distance, max_q_value=None, min_bits=0)
    for threshold, tolerance in ((0.1, 0.3), (0.05, 0.3), (0.01, 0.7)):
        assert (table["p-value"] < threshold).mean() == pytest.approx(threshold, rel=tolerance)


@pytest.mark.parametrize("distance", DISTANCES)
def test_motifs_with_their_columns_shuffled_match_a_real_catalogue_as_rarely(known, distance):
    rng, names = np.random.default_rng(0), list(known)
    chosen = [names[i] for i in rng.choice(len(names), 150, replace=False)]
    shuffled = {name: known[name][:, rng.permutation(known[name].shape[1])] for name in chosen}
    table = compare_motifs(shuffled, distance=distance, max_q_value=None)
    p = table["p-value"]
    assert (p < 0.1).mean() == pytest.approx(0.1, rel=0.25)
    assert (p < 0.05).mean() == pytest.approx(0.05, rel=0.25)
    assert 0.008 < (p < 0.01).mean() < 0.018  # columns of one motif are alike: docs/explanation/motifs.md
    assert (table.groupby("Query_ID")["E-value"].min() < 0.05).mean() < 0.2
    unshuffled = compare_motifs({name: known[name] for name in chosen}, distance=distance)
    assert (unshuffled.groupby("Query_ID")["E-value"].min() < 0.05).all()
