import dataclasses
import itertools
import math
from collections import Counter

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.stats import binomtest, chisquare

from rcinterp.data.sequences import decode, one_hot
from rcinterp.data.simulation import simulate_background, simulate_motifs
from rcinterp.errors import InputError

#: Motifs of one possible instance each, no palindromes and of different widths: sites can be checked exactly.
EXACT = {"GATTACA": one_hot("GATTACA")[0].numpy(), "CCGTA": one_hot("CCGTA")[0].numpy()}
SOFT = {
    "soft": np.array(
        [[0.7, 0.1, 0.25, 0.0, 0.4], [0.1, 0.6, 0.25, 0.0, 0.3], [0.15, 0.3, 0.25, 1.0, 0.2], [0.05, 0, 0.25, 0, 0.1]]
    )
}
#: Seeds are fixed, so a p-value is the same in each run; this is how small one may be.
SMALLEST_P = 1e-3


@pytest.fixture(scope="module")
def exact():
    return simulate_motifs(EXACT, n_per_motif=500, length=83, seed=3, label_noise=0.2)


@pytest.fixture(scope="module")
def soft():
    return simulate_motifs(SOFT, n_per_motif=20_000, length=53, seed=5)


def reverse_complement(sequence):
    return sequence[::-1].translate(str.maketrans("ACGT", "TGCA"))


# The truth ----------------------------------------------------------------------------------------------------------


def test_sizes(exact):
    assert exact.x.shape == (1000, 4, 83)
    assert exact.y.shape == exact.y_clean.shape == (1000, 2)
    assert exact.motifs == ("GATTACA", "CCGTA")
    assert exact.sites.columns.tolist() == ["sequence", "motif", "start", "end", "strand"]
    assert len(set(exact.names)) == len(exact) == 1000
    assert torch.equal(exact.x.sum(dim=1), torch.ones(1000, 83))
    assert repr(exact).startswith("Simulation(1000 sequences of 83 bp, ")


def test_every_site_holds_its_motif_on_its_strand(exact):
    sequences = decode(exact.x)
    assert set(exact.sites.strand) == {"+", "-"}
    for site in exact.sites.itertuples():
        instance = sequences[site.sequence][site.start : site.end]
        assert (instance if site.strand == "+" else reverse_complement(instance)) == site.motif


def test_no_site_overlaps_another(exact):
    assert exact.sites.equals(exact.sites.sort_values(["sequence", "start"], ignore_index=True))
    following = exact.sites.shift(-1)
    same = exact.sites.sequence == following.sequence
    assert (exact.sites.end <= following.start)[same].all()
    assert (exact.sites.start >= 0).all()
    assert (exact.sites.end <= 83).all()


def test_clean_labels_and_names_are_those_of_the_sites(exact):
    expected = torch.zeros(1000, 2)
    for site in exact.sites.itertuples():
        expected[site.sequence, exact.motifs.index(site.motif)] = 1
        assert exact.names[site.sequence].rsplit("_", 1)[0] == site.motif
    assert torch.equal(exact.y_clean, expected)
    assert expected.sum(dim=0).tolist() == [500, 500]


def test_a_sequence_without_instance_has_no_label():
    simulation = simulate_motifs(EXACT, n_per_motif=300, length=83, seed=3, min_instances=0)
    with_site = torch.zeros(600, dtype=torch.bool)
    with_site[simulation.sites.sequence.unique()] = True
    assert torch.equal(simulation.y_clean.sum(dim=1).bool(), with_site)
    assert not with_site.all()


def test_motifs_are_mixed(exact):
    runs = 1 + (exact.y_clean[1:, 0] != exact.y_clean[:-1, 0]).sum().item()
    assert 450 < runs < 550  # 501 expected, standard deviation 16


# Seeds --------------------------------------------------------------------------------------------------------------


def same(one, two):
    tensors = all(torch.equal(getattr(one, name), getattr(two, name)) for name in ("x", "y", "y_clean"))
    return tensors and one.names == two.names and one.sites.equals(two.sites)


def test_same_seed_same_numbers():
    def simulate(seed):
        return simulate_motifs(SOFT, n_per_motif=50, length=53, seed=seed, label_noise=0.2)

    assert same(simulate(7), simulate(7))
    assert same(simulate(7), simulate(np.int64(7)))
    assert not torch.equal(simulate(7).x, simulate(11).x)


def test_label_noise_changes_only_the_labels(exact):
    without = simulate_motifs(EXACT, n_per_motif=500, length=83, seed=3)
    assert same(dataclasses.replace(exact, y=exact.y_clean), without)


def test_background_of_the_same_seed_is_another():
    background = simulate_background(100, 200, seed=3)
    simulated = simulate_motifs(SOFT, n_per_motif=100, length=200, seed=3).x
    assert (background * simulated).sum().item() / (100 * 200) == pytest.approx(0.26, abs=0.02)
    assert torch.equal(background, simulate_background(100, 200, seed=3))
    assert not torch.equal(background, simulate_background(100, 200, seed=4))


# The process against its distributions ------------------------------------------------------------------------------


@pytest.mark.parametrize(("mean", "smallest", "largest"), [(2, 1, 3), (0.5, 0, 2), (3, 2, 2)])
def test_number_of_instances_is_truncated_poisson(mean, smallest, largest):
    simulation = simulate_motifs(
        SOFT, 20_000, 53, seed=7, mean_instances=mean, min_instances=smallest, max_instances=largest
    )
    n_instances = np.bincount(simulation.sites.sequence, minlength=20_000)
    weights = {k: mean**k / math.factorial(k) for k in range(smallest, largest + 1)}
    observed = [(n_instances == k).sum() for k in weights]
    expected = [20_000 * weight / sum(weights.values()) for weight in weights.values()]
    assert sum(observed) == 20_000
    assert len(weights) == 1 or chisquare(observed, expected).pvalue > SMALLEST_P


def sequential_placements(n_instances, width, length):
    """Return the probability of each sorted tuple of starts, by a slow loop over the process."""
    probabilities = {(): 1.0}
    for _ in range(n_instances):
        longer = Counter()
        for starts, probability in probabilities.items():
            free = [s for s in range(length - width + 1) if all(abs(s - other) >= width for other in starts)]
            for start in free:
                longer[tuple(sorted((*starts, start)))] += probability / len(free)
        probabilities = longer
    return probabilities


@pytest.mark.parametrize(("n_instances", "length"), [(1, 11), (2, 11), (3, 17)])
def test_starts_follow_the_slow_loop(n_instances, length):
    width, n = 3, 100_000
    motif = {"ACG": one_hot("ACG")[0]}
    simulation = simulate_motifs(motif, n, length, seed=11, min_instances=n_instances, max_instances=n_instances)
    observed = Counter(map(tuple, simulation.sites.start.to_numpy().reshape(n, n_instances).tolist()))
    probabilities = sequential_placements(n_instances, width, length)
    assert set(observed) <= set(probabilities)
    expected = [n * probability for probability in probabilities.values()]
    assert chisquare([observed[starts] for starts in probabilities], expected).pvalue > SMALLEST_P
    if n_instances > 1:  # the process is not uniform over joint placements, and this sample can tell
        assert chisquare([observed[starts] for starts in probabilities]).pvalue < 1e-9


@pytest.mark.parametrize("gc", [0.0, 0.4, 1.0])
def test_background_composition(gc):
    counts = simulate_background(500, 200, seed=13, gc=gc).sum(dim=(0, 2)).numpy()
    expected = 100_000 * np.array([1 - gc, gc, gc, 1 - gc]) / 2
    assert (counts[expected == 0] == 0).all()
    assert chisquare(counts[expected > 0], expected[expected > 0]).pvalue > SMALLEST_P


def test_background_around_the_sites_keeps_its_composition(soft):
    outside = np.ones((20_000, 53), dtype=bool)
    for offset in range(5):
        outside[soft.sites.sequence, soft.sites.start + offset] = False
    counts = (soft.x.numpy() * outside[:, None]).sum(axis=(0, 2))
    assert chisquare(counts, counts.sum() * np.array([0.3, 0.2, 0.2, 0.3])).pvalue > SMALLEST_P


def test_instances_follow_the_ppm_on_either_strand(soft):
    x, ppm = soft.x.numpy(), SOFT["soft"]
    for strand, action in (("+", np.asarray), ("-", lambda windows: windows[:, ::-1, ::-1])):
        sites = soft.sites[soft.sites.strand == strand]
        windows = np.stack([x[s, :, a:b] for s, a, b in zip(sites.sequence, sites.start, sites.end, strict=True)])
        counts = action(windows).sum(axis=0)
        assert (counts[ppm == 0] == 0).all()
        for position in range(ppm.shape[1]):
            possible = ppm[:, position] > 0
            observed, expected = counts[possible, position], len(sites) * ppm[possible, position]
            assert observed.sum() == len(sites)
            assert len(observed) == 1 or chisquare(observed, expected).pvalue > SMALLEST_P


def test_half_of_the_instances_are_reverse_complemented(soft):
    reverse = soft.sites.strand == "-"
    assert binomtest(int(reverse.sum()), len(reverse)).pvalue > SMALLEST_P
    pairs = soft.sites.assign(reverse=reverse).groupby("sequence").reverse.agg(["size", "sum"])
    of_two = pairs[pairs["size"] == 2]["sum"].value_counts()[[0, 1, 2]]  # each instance by itself
    assert chisquare(of_two, of_two.sum() * np.array([0.25, 0.5, 0.25])).pvalue > SMALLEST_P


def test_label_noise_permutes_a_fifth_of_the_rows(exact):
    changed = (exact.y != exact.y_clean).any(dim=1).sum().item()
    assert torch.equal(exact.y.sum(dim=0), exact.y_clean.sum(dim=0))
    assert torch.equal(exact.y.sum(dim=1), torch.ones(1000))
    assert changed == pytest.approx(100, abs=30)  # 200 rows shuffled, half of which get their own label back


def test_label_noise_zero_and_one():
    without = simulate_motifs(EXACT, 500, 83, seed=3)
    entirely = simulate_motifs(EXACT, 500, 83, seed=3, label_noise=1.0)
    assert torch.equal(without.y, without.y_clean)
    assert (entirely.y != entirely.y_clean).any(dim=1).sum().item() == pytest.approx(500, abs=70)


# Split --------------------------------------------------------------------------------------------------------------


def test_split_shares_out_every_sequence_once(exact):
    split = exact.split(seed=17)
    assert [len(part) for part in split] == [400, 300, 300]
    assert sorted(itertools.chain(*(part.names for part in split))) == sorted(exact.names)
    assert exact.split(fractions=(0.5, 0.2, 0.3), seed=17).valid.x.shape == (200, 4, 83)


def test_split_labels_are_noisy_but_for_the_test_part(exact):
    split = exact.split(seed=17)
    index = {name: i for i, name in enumerate(exact.names)}
    for part, labels in zip(split, (exact.y, exact.y, exact.y_clean), strict=True):
        rows = [index[name] for name in part.names]
        assert torch.equal(part.x, exact.x[rows])
        assert torch.equal(part.y, labels[rows])
    assert split.train is split[0]
    assert split.test is split[2]


def test_split_is_seeded(exact):
    assert exact.split(seed=17).train.sha256 == exact.split(seed=17).train.sha256
    assert exact.split(seed=17).train.sha256 != exact.split(seed=19).train.sha256


@pytest.mark.parametrize("fractions", [(0.5, 0.5), (0.5, 0.5, 0.5), (1.2, -0.4, 0.2), (1.0, 0.0, 0.0)])
def test_split_refuses_other_fractions(exact, fractions):
    with pytest.raises(InputError, match=r"split: got fractions .*, expected three positive numbers that sum to 1"):
        exact.split(fractions, seed=17)


def test_split_refuses_an_empty_part():
    with pytest.raises(InputError, match=r"split: got 2 sequences .*expected at least one for each part"):
        simulate_motifs(SOFT, n_per_motif=2, length=53, seed=0).split(seed=0)


# What a user may give -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("convert", [np.asarray, np.ndarray.tolist, torch.from_numpy, pd.DataFrame])
def test_motifs_may_be_any_array(convert):
    motifs = {"soft": convert(SOFT["soft"])}
    assert same(simulate_motifs(motifs, 7, 53, seed=0), simulate_motifs(SOFT, 7, 53, seed=0))


def test_rounded_motifs_are_scaled_and_left_as_they_were():
    rounded = np.full((4, 3), 0.249)
    simulation = simulate_motifs({"even": rounded}, n_per_motif=20_000, length=13, seed=0, max_instances=1)
    assert (rounded == 0.249).all()
    windows = simulation.x.numpy()[simulation.sites.sequence, :, simulation.sites.start]
    assert chisquare(windows.sum(axis=0)).pvalue > SMALLEST_P


@pytest.mark.parametrize("max_instances", [1, 2, 3, 5])
def test_shortest_length_in_the_message_works(max_instances):
    width = 7
    shortest = width + (max_instances - 1) * (2 * width - 1)
    message = f"expected at least {shortest} bp, so that {max_instances} instances of 'GATTACA' \\(7 bp\\) always find"
    with pytest.raises(InputError, match=message) as error:
        simulate_motifs(EXACT, 11, shortest - 1, seed=0, max_instances=max_instances)
    assert f"use length={shortest} or a smaller max_instances" in str(error.value)
    simulation = simulate_motifs(
        EXACT, 2000, shortest, seed=0, min_instances=max_instances, max_instances=max_instances
    )
    assert len(simulation.sites) == 4000 * max_instances


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"motifs": {}}, r"got motifs=\{\}, expected at least one motif; give a dict of name to \(4, W\) PPM"),
        ({"motifs": [SOFT["soft"]]}, "expected at least one motif; give a dict"),
        (
            {"motifs": {"a": SOFT["soft"].T}},
            r"motif a: got shape \(5, 4\), expected \(4, W\) with rows A, C, G, T\. Transpose it",
        ),
        ({"motifs": {"a": np.ones(4)}}, r"motif a: got shape \(4,\), expected \(4, W\) with rows A, C, G, T\."),
        ({"motifs": {"a": "GATA"}}, "motif a: got something that is not a matrix of numbers"),
        (
            {"motifs": {"a": SOFT["soft"] * 100}},
            r"motif a: the probabilities of position 0 .* sum to 100.*counts / counts.sum\(axis=0\)",
        ),
        ({"motifs": {"a": SOFT["soft"] - 0.25}}, r"motif a: got negative values \(down to -0.25\)"),
        ({"motifs": {"a": SOFT["soft"] * np.nan}}, "motif a: got NaN or infinite values"),
        ({"n_per_motif": 0}, "got n_per_motif=0, expected a whole number of at least 1"),
        ({"n_per_motif": 1e4}, "got n_per_motif=10000.0, expected a whole number"),
        ({"length": 53.0}, "got length=53.0, expected a whole number"),
        ({"seed": None}, "got seed=None, expected a whole number of at least 0"),
        ({"seed": -1}, "got seed=-1, expected a whole number of at least 0"),
        ({"gc": 40}, "got gc=40, expected a share from 0 to 1, e.g. 0.4 for 40 %"),
        ({"label_noise": 20}, "got label_noise=20, expected a share from 0 to 1, e.g. 0.2 for 20 %"),
        ({"mean_instances": 0}, "got mean_instances=0, expected a number above 0"),
        ({"min_instances": -1}, "got min_instances=-1, expected a whole number of at least 0"),
        ({"min_instances": 2, "max_instances": 1}, "got max_instances=1, expected a whole number of at least 2"),
        ({"min_instances": 0, "max_instances": 0}, "got max_instances=0, expected a whole number of at least 1"),
    ],
)
def test_simulate_motifs_says_what_is_wrong(changes, message):
    with pytest.raises(InputError, match=message):
        simulate_motifs(**{"motifs": SOFT, "n_per_motif": 7, "length": 53, "seed": 0} | changes)


def test_advice_for_counts_works():
    counts = SOFT["soft"] * 100
    assert len(simulate_motifs({"a": counts / counts.sum(axis=0)}, 7, 53, seed=0)) == 7


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n": 0}, "got n=0"),
        ({"length": 0}, "got length=0"),
        ({"gc": -0.1}, "got gc=-0.1"),
        ({"seed": 0.5}, "got seed=0.5"),
    ],
)
def test_simulate_background_says_what_is_wrong(changes, message):
    with pytest.raises(InputError, match=message):
        simulate_background(**{"n": 3, "length": 7, "seed": 0} | changes)
