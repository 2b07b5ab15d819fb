"""Ground truth: models whose filters are planted, so that every measure is known before it is taken."""

import json
from unittest.mock import Mock

import numpy as np
import pandas as pd
import pytest
import torch

from rcinterp.data.sequences import decode
from rcinterp.motifs import load_motifs, reverse_complement_motif
from rcinterp.motifs.similarity import compare_matrices
from rcinterp.reading.layer import find_layer
from rcinterp.studies import _data, fig3, recovery, strategies
from rcinterp.studies._data import PAPER_MOTIFS, Simulated
from rcinterp.studies._runs import Run
from rcinterp.studies._study import Options
from rcinterp.training.models import compact_model

KINDS = ["RC", "traditional", "traditional, twice the filters", "traditional, augmented"]
GATA, MYC, RXRA = MOTIFS = ("GATA_known6", "MYC_known1", "RXRA_known1")
WIDTH = 21
DATA = Simulated(MOTIFS, n_per_motif=1_000, label_noise=0.0, seed=3)


# Runs.


def test_runs():
    runs = recovery.make_runs(Options())
    assert [(len(run.data.motifs), run.seed, run.label) for run in runs] == [
        (n, seed, kind) for n in (3, 12) for seed in range(10) for kind in KINDS
    ]
    assert len({run.name for run in runs}) == 80
    for run in runs:
        n_filters = (20 if len(run.data.motifs) == 3 else 32) * (2 if run.label == KINDS[2] else 1)
        model = {"n_layers": 1, "widths": [21], "pool": 20, "stride": 20, "n_filters": n_filters}
        assert run.model == {**model, "rc": run.label == "RC"}
        training = {"positive_weight": 1.0, "batch_size": 500, "score_train": True, "epochs": 300}
        assert run.training == training | ({"augment": True} if run.label == KINDS[3] else {})
    assert {run.data for run in runs} == {
        Simulated(PAPER_MOTIFS, 10_000, 200, label_noise=0.2, seed=2017),
        Simulated(recovery.TWELVE_MOTIFS, 2_000, 200, label_noise=0.0, seed=2017),
    }
    assert len(set(recovery.TWELVE_MOTIFS)) == 12
    small = {run.data.n_per_motif for run in recovery.make_runs(Options(small=True))}
    assert small == {1_000, 200}


def test_runs_of_other_studies_are_found_again():
    names = {(run.label, run.seed): run.name for run in recovery.make_runs(Options()) if len(run.data.motifs) == 3}
    for run in fig3.make_runs(Options()):
        kind = dict(zip([label for label, *_ in fig3.MODELS], KINDS, strict=False))[run.label]
        assert names[kind, run.seed] == run.name
    augmented = [run for run in strategies.make_runs(Options(noise="shuffled")) if run.label == "RC augmentation"]
    assert [names[KINDS[3], run.seed] for run in augmented if run.data.length == 200] == [
        run.name for run in augmented if run.data.length == 200
    ]


def test_which_of_the_twelve_motifs_are_palindromes():
    motifs = {name: ENCODE[name] for name in (*recovery.TWELVE_MOTIFS, *PAPER_MOTIFS)}
    found = recovery.find_palindromes(motifs).set_index("filter")["rc_similarity"]
    assert set(found.index[found >= recovery.PALINDROMIC_FILTER]) == {"MYC_known1", "STAT_known1"}
    assert set(found.index[found >= recovery.PALINDROMIC_MOTIF]) == {"MYC_known1", "STAT_known1", "SRF_known1"}
    assert sorted(found)[-4] < 0.6  # far from the threshold


# Truth about the sequences.


@pytest.fixture
def words(monkeypatch):
    """Two motifs without any chance in them, of different widths; none is a palindrome."""
    words = {"first": "GATTACA", "second": "CCATGTTCTTA"}
    ppms = {name: np.eye(4)[:, ["ACGT".index(letter) for letter in word]] for name, word in words.items()}
    monkeypatch.setattr(_data, "load_motifs", lambda source: ppms)
    caches = (_data._split, recovery.true_sites)
    for cache in caches:
        cache.cache_clear()
    yield words
    for cache in caches:
        cache.cache_clear()


def turn(word):
    return word.translate(str.maketrans("ACGT", "TGCA"))[::-1]


def test_true_sites_are_in_the_sequences(words):
    data = Simulated(("first", "second"), n_per_motif=50, length=83, seed=5)
    test, sites = data.load().test, recovery.true_sites(data)
    sequences = list(decode(test.x))
    for site in sites.to_dict("records"):
        found = sequences[site["sequence"]][site["start"] : site["end"]]
        assert (found if site["strand"] == "+" else turn(found)) == words[site["motif"]]
        assert test.y[site["sequence"], ("first", "second").index(site["motif"])] == 1
    assert set(sites["strand"]) == {"+", "-"}
    assert set(sites["sequence"]) == set(range(30))  # each has one at least
    counts = sites.groupby("sequence").size()
    assert counts.between(1, 3).all()
    for row, sequence in enumerate(sequences):  # no site is missing: chance alone makes few others
        here = sum(sequence.count(w) for word in words.values() for w in (word, turn(word)))
        assert counts[row] <= here <= counts[row] + 1


@pytest.mark.parametrize("seed", range(3))
def test_covered_by_sites_against_a_loop(seed):
    rng = np.random.default_rng(seed)
    motifs, n, length = ["a", "b", "c"], 5, 17
    start = rng.integers(0, length, size=11)
    sites = pd.DataFrame({"motif": rng.choice(motifs[:2], 11), "sequence": rng.integers(n, size=11), "start": start})
    sites["end"] = np.minimum(start + rng.integers(1, 9, size=11), length)  # overlapping, nested, up to the end
    expected = np.zeros((3, n, length), dtype=bool)
    for site in sites.to_dict("records"):
        for position in range(site["start"], site["end"]):
            expected[motifs.index(site["motif"]), site["sequence"], position] = True
    np.testing.assert_array_equal(recovery.covered_by_sites(sites, motifs, n, length), expected)


def slow_shares(layer, x, sites, motifs, n_sites):
    """Sequence by sequence, window by window, site by site."""
    bank = layer.weight.double() - layer.weight.double().mean(1, keepdim=True)
    n, _, length = x.shape
    n_filters, _, width = bank.shape
    shares = np.zeros((n_filters, len(motifs)))
    for f in range(n_filters):
        strands = [bank[f], bank[f].flip(0, 1)] if layer.is_rc else [bank[f]]
        best = []
        for i in range(n):
            scores = [
                (float((w * x[i, :, s : s + width]).sum()), s) for w in strands for s in range(length - width + 1)
            ]
            score, start = max(scores)
            best.append((score, i, start))
        for _, i, start in sorted(best, reverse=True)[:n_sites]:
            for m, motif in enumerate(motifs):
                rows = sites[(sites["sequence"] == i) & (sites["motif"] == motif)]
                spans = [set(range(row["start"], row["end"])) for row in rows.to_dict("records")]
                bases = set().union(*spans) & set(range(start, start + width))
                motif_width = (sites["end"] - sites["start"])[sites["motif"] == motif].iloc[0]
                shares[f, m] += (len(bases) >= min(width, motif_width) / 2) / n_sites
    return shares


@pytest.mark.parametrize("rc", [False, True])
def test_shares_on_motifs_against_a_loop(words, monkeypatch, rc):
    monkeypatch.setattr(recovery, "N_SITES", 5)
    data = Simulated(("first", "second"), n_per_motif=50, length=83, seed=5)
    torch.manual_seed(1)
    layer = find_layer(compact_model(1, 7, 83, rc=rc, widths=(9,), pool=5, stride=5, n_tasks=2))
    sites, x = recovery.true_sites(data), data.load().test.x
    found = recovery._shares_on_motifs(layer, x, sites, ["first", "second"])
    np.testing.assert_allclose(found, slow_shares(layer, x, sites, ["first", "second"], 5))
    assert len(np.unique(found)) > 2  # the case says something


def test_no_more_sites_are_looked_at_than_half_of_the_rarest_motif_has_sequences(words):
    data = Simulated(("first", "second"), n_per_motif=50, length=83, seed=5)
    layer = find_layer(compact_model(1, 3, 83, rc=True, widths=(9,), pool=5, stride=5, n_tasks=2))
    sites, x = recovery.true_sites(data), data.load().test.x
    n_sites = int(data.load().test.y.sum(0).min()) // 2
    assert 0 < n_sites < 15
    found = recovery._shares_on_motifs(layer, x, sites, ["second", "first"])
    np.testing.assert_allclose(found, slow_shares(layer, x, sites, ["second", "first"], n_sites))


# Planted filters.


def log_odds(ppm):
    """Of a motif against a uniform background, with one position of nothing on its left if there is room."""
    weight = np.zeros((4, WIDTH))
    shift = min(1, WIDTH - ppm.shape[1])
    weight[:, shift : shift + ppm.shape[1]] = np.log2((ppm + 0.01) / 1.04 / 0.25)
    return weight


def hybrid(ppm):
    """What a filter of one strand becomes if it serves both: half the motif, half its reverse complement."""
    return log_odds((ppm + reverse_complement_motif(ppm)) / 2)


ENCODE = load_motifs("encode")
RNG = np.random.default_rng(0)
#: Filters, the motif that each serves, and what must be found: motif, artefact.
PLANTED = {
    "gata": (log_odds(ENCODE[GATA]), 0, GATA, False),
    "myc": (log_odds(ENCODE[MYC]), 1, MYC, False),
    "hybrid": (hybrid(ENCODE[RXRA]), 2, RXRA, True),
    "dead": (np.ones((4, WIDTH)), 1, None, False),
    "random": (RNG.normal(size=(4, WIDTH)), 0, None, False),
    "turned": (reverse_complement_motif(log_odds(ENCODE[RXRA])), 2, RXRA, False),
    "idle": (log_odds(ENCODE[GATA]), None, GATA, False),
}


def plant(rc):
    """A model with those filters: each fires above 40 % of its best score, and its task's logit adds up."""
    model = compact_model(1, len(PLANTED), 200, rc=rc, n_tasks=3, widths=(WIDTH,), pool=20, stride=20).eval()
    n_positions = model.architecture.pooled_length
    with torch.no_grad():
        head = torch.zeros(3, len(PLANTED))
        for f, (name, (weight, task, *_)) in enumerate(PLANTED.items()):
            model.conv1.weight[f] = torch.tensor(weight)
            model.conv1.bias[f] = -0.4 * weight.max(0).sum()
            if task is not None:
                head[task, f] = 10 if name == "random" else 1
        if rc:
            model.weighted_sum.weight.fill_(1)
            model.head.weight.copy_(head)
        else:
            model.head.weight.copy_(head.repeat_interleave(n_positions, dim=1))
    return model


@pytest.fixture(scope="module", params=[True, False], ids=["rc", "traditional"])
def planted(request, tmp_path_factory):
    run = Run("planted", DATA, 0, {"rc": request.param})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recovery, "N_SITES", 40)
        patch.setattr(recovery, "sites_to_ppms", Mock(wraps=recovery.sites_to_ppms))
        found = recovery.read(plant(request.param), run, tmp_path_factory.mktemp("run"))
        assert recovery.sites_to_ppms.call_args.kwargs == {"both_strands": request.param}
    return request.param, found, dict(zip(PLANTED, found["filters"], strict=True))


def test_every_filter_has_its_row(planted):
    _, found, rows = planted
    assert [row["filter"] for row in found["filters"]] == [f"filter_{i}" for i in range(7)]
    assert json.loads(json.dumps(found)).keys() == found.keys() == {*recovery.MEASURES, "filters"}
    for name, row in rows.items():
        weight = PLANTED[name][0]
        if name == "dead":
            assert np.isnan(row["rc_similarity"])
            assert (row["truth_similarity"], row["most_similar"], row["matched"]) == (None, None, [])
            continue
        assert row["rc_similarity"] == pytest.approx(slow_palindrome(weight), abs=1e-5)
        similarity = {m: compare_matrices(weight, ENCODE[m]).value for m in MOTIFS}
        assert row["truth_similarity"] == pytest.approx(max(similarity.values()), abs=1e-5)
        assert similarity[row["most_similar"]] == max(similarity.values())


def slow_palindrome(weight):
    """Similarity of a filter to its reverse complement, the largest over shifts that leave 4 positions or more."""
    centred = weight - weight.mean(0)
    turned, width = centred[::-1, ::-1], centred.shape[1]
    values = []
    for shift in range(-(width - 4), width - 3):
        pairs = [(j, j - shift) for j in range(width) if 0 <= j - shift < width]
        values.append(sum(centred[:, j] @ turned[:, k] for j, k in pairs) / (centred**2).sum())
    return max(values)


def test_filters_are_found_to_be_what_was_planted(planted):
    _, _, rows = planted
    assert {name: row["site_motif"] for name, row in rows.items() if name != "dead"} == {
        name: motif for name, (_, _, motif, _) in PLANTED.items() if name != "dead"
    }
    for name in ("gata", "myc", "turned", "idle"):
        assert rows[name]["share_on_motif"] > 0.85, name
        assert PLANTED[name][2] in rows[name]["matched"], name
    assert rows["random"]["share_on_motif"] < 0.5
    assert rows["random"]["matched"] == []
    assert rows["hybrid"]["rc_similarity"] == pytest.approx(1)
    assert rows["myc"]["rc_similarity"] > recovery.PALINDROMIC_FILTER
    assert max(rows[name]["rc_similarity"] for name in ("gata", "random", "turned", "idle")) < 0.6


def test_filters_that_do_nothing_are_not_live(planted):
    _, _, rows = planted
    assert {name for name, row in rows.items() if row["live"]} == {"gata", "myc", "hybrid", "random", "turned"}
    assert rows["idle"]["contribution"] == rows["dead"]["contribution"] == 0


def test_contributions_are_the_largest_over_the_tasks(planted):
    rc, _, rows = planted
    model, test = plant(rc), DATA.load().test
    f = list(PLANTED).index("turned")
    scores = []
    for task in range(3):
        means = []
        for x in (test.positives(task)[:300], test.negatives(task)[:300]):
            with torch.no_grad():
                pooled = model[:4](x)
                channels = [f, 2 * len(PLANTED) - 1 - f] if rc else [f]
                means.append(float(pooled[:, channels].sum((1, 2)).mean()) * (task == 2))  # linear above the pooling
        scores.append(abs(means[0] - means[1]))
    assert rows["turned"]["contribution"] == pytest.approx(max(scores), rel=1e-4)


def test_measures_count_the_planted_filters(planted):
    _, found, rows = planted
    matched = [row for row in found["filters"] if row["live"] and row["matched"]]
    expected = {
        "n_live": 5,
        "match_share": len(matched) / 5,
        "match_share_of_all": sum(bool(row["matched"]) for row in found["filters"]) / len(PLANTED),
        "motifs_matched": 1,
        "right_share": 4 / 5,
        "motifs_found": 1,
        "artefact_share": 1 / 5,
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected)
    assert len(matched) in (3, 4)  # the hybrid's motif may or may not match
    best = [
        max(rows[name]["truth_similarity"] for name in names) for names in (["gata"], ["myc"], ["hybrid", "turned"])
    ]
    assert found["similarity_to_truth"] == pytest.approx(np.mean(best))


# Measures.


def filter_row(live=True, palindrome=0.1, matched=(), motif=None, similarity=0.5, most_similar="GATA_known6"):
    return {
        "live": live,
        "rc_similarity": palindrome,
        "matched": list(matched),
        "site_motif": motif,
        "truth_similarity": similarity,
        "most_similar": most_similar,
    }


def test_measures_by_hand():
    srf, yy1, elf = "SRF_known1", "YY1_known1", "ELF1_known2"
    motifs = {name: ENCODE[name] for name in (GATA, MYC, RXRA, srf, yy1, elf)}
    rows = [
        filter_row(matched=[GATA, elf], motif=GATA, similarity=0.75),
        filter_row(matched=[GATA], motif=GATA, palindrome=0.8, similarity=0.9),  # artefact, at the threshold
        filter_row(motif=MYC, palindrome=1.0, most_similar=MYC, similarity=0.6),  # as its motif is
        filter_row(motif=srf, palindrome=0.82, most_similar=srf, similarity=0.7),  # as its motif nearly is
        filter_row(motif=None, palindrome=0.9, similarity=0.2),  # artefact: on no motif
        filter_row(motif=yy1, palindrome=0.79, similarity=0.3),
        filter_row(live=False, motif=RXRA, palindrome=1.0, matched=[RXRA], most_similar=RXRA, similarity=1.0),
        filter_row(live=False, palindrome=float("nan"), similarity=None, most_similar=None),
    ]
    assert recovery.summarise_filters(rows, motifs) == pytest.approx(
        {
            "n_live": 6,
            "match_share": 2 / 6,
            "match_share_of_all": 3 / 8,
            "motifs_matched": 2 / 6,
            "right_share": 5 / 6,
            "motifs_found": 4 / 6,
            "artefact_share": 2 / 6,
            "similarity_to_truth": (0.9 + 0.6 + 0 + 0.7 + 0 + 0) / 6,
        }
    )


def test_a_model_without_a_live_filter():
    motifs = {GATA: ENCODE[GATA]}
    assert set(recovery.summarise_filters([filter_row(live=False)], motifs).values()) == {0}


# The report.


@pytest.fixture(scope="module")
def study(made_up):
    runs = recovery.make_runs(Options())

    def measures(run):
        rng = np.random.default_rng(run.seed)
        level = 0.1 * KINDS.index(run.label) + 0.5 * (len(run.data.motifs) == 12)
        found = {name: level + rng.integers(5) / 100 for name in recovery.MEASURES}
        rows = [
            {"filter": f"filter_{i}", "live": True, "matched": ["a", "b"][:i], "site_motif": None} for i in range(3)
        ]
        return found | {"n_live": 17.0 + run.seed, "filters": rows}

    results = made_up(runs, measures)
    return runs, results, recovery.report(runs, results)


def test_tables(study):
    runs, results, found = study
    assert set(found.tables) == {"results", "summary", "filters", "claims"}
    filters = found.tables["filters"]
    assert len(filters) == 3 * 80
    assert filters.columns.tolist() == ["model", "data", "seed", "filter", "live", "matched", "site_motif"]
    assert filters["matched"].tolist() == ["", "a", "a,b"] * 80
    assert filters["model"].tolist()[::3] == [run.label for run in runs]
    assert filters["seed"].tolist()[2::3] == [run.seed for run in runs]
    summary = found.tables["summary"]
    assert list(zip(summary["data"], summary["model"], strict=True)) == [
        (data, kind) for data in ("200 bp", "12 motifs, 200 bp") for kind in KINDS
    ]
    values = [r["artefact_share"] for run, r in zip(runs, results, strict=True) if run.label == KINDS[1]]
    assert summary["artefact_share_mean"][1] == pytest.approx(np.mean(values[:10]))
    assert summary["artefact_share_max"][5] == max(values[10:])


def test_verdict(study, slow_p, slow_holm):
    runs, _, found = study
    lines = found.verdict.split("\n")
    assert lines[0] == "10 seeds; mean (lowest to highest)"
    assert len(lines) == 1 + 2 * (8 + 3)
    for start, data in ((1, "200 bp"), (12, "12 motifs, 200 bp")):
        for line, meaning in zip(lines[start:], recovery.MEASURES.values(), strict=False):
            assert line.startswith(f"{data}: {meaning}: RC ")
            assert all(f", {kind} " in line for kind in KINDS[1:])
        assert lines[start].endswith("live filters: " + ", ".join(f"{kind} 21.5 (17.0 to 26.0)" for kind in KINDS))
        for line, kind in zip(lines[start + 8 :], KINDS[1:], strict=False):
            assert line.startswith(f"{data}: artefact palindromes: {kind} ")
            assert line.endswith(f": higher in {kind}, p = 5.41e-06, corrected 3.25e-05")
    table = found.tables["results"]
    few = table[(table["seed"] < 4) & (table["data"] == "200 bp")]
    equal = few.assign(artefact_share=few["artefact_share"].round(1))  # shares are often equal
    shares = {kind: equal.loc[equal["model"] == kind, "artefact_share"].tolist() for kind in ("RC", *KINDS[1:])}
    p_values = [slow_p(shares[kind], shares["RC"]) for kind in KINDS[1:]]
    p = p_values[0]
    assert recovery.judge(equal).split("\n")[9].endswith(f"p = {p:.3g}, corrected {slow_holm(p_values)[0]:.3g}")
    assert len(runs) == 80


def test_figure(study, text_problems):
    figure, table = study[2].figure, study[2].tables["results"]
    measures = [name for name in recovery.MEASURES if name != "n_live"]
    titles = [ax.get_title() for ax in figure.axes]
    assert [" ".join(title.split()) for title in titles] == [
        f"{recovery.MEASURES[name]} {data}" for data in ("200 bp", "12 motifs, 200 bp") for name in measures
    ]
    assert "E\u00a0<\u00a00.1)" in titles[0].split("\n")  # not broken
    assert max(len(line) for title in titles for line in title.split("\n")) <= 26
    means = table.groupby(["data", "model"])["motifs_found"].mean()
    bars = [bar.get_height() for bar in figure.axes[7 + measures.index("motifs_found")].patches]
    assert bars == pytest.approx([means["12 motifs, 200 bp", kind] for kind in KINDS])
    assert text_problems(figure) == []
