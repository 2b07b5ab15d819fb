"""compare_models on filters made by hand, and on models whose filters are known."""

import warnings
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from rcinterp.comparison import FewTargetsWarning, compare_motifs
from rcinterp.data.sequences import decode, write_fasta
from rcinterp.demo import simulate_one_motif
from rcinterp.errors import InputError
from rcinterp.interpretation import interpret
from rcinterp.interpretation.answer import word_of
from rcinterp.motifs import Motif, information_content, load_motifs, reverse_complement_motif
from rcinterp.motifs.similarity import compare_matrices
from rcinterp.reading.model import one_thread
from rcinterp.reading.reader import Reader
from rcinterp.stability import compare_models
from rcinterp.training.fitting import fit
from rcinterp.training.models import compact_model

LENGTH, WIDTH = 60, 19
ONE_MODEL = nn.ReLU()


@pytest.fixture(scope="module")
def found(three):
    return compare_models(three)


# Patterns.


def test_filters_of_one_motif_are_one_pattern(found):
    patterns = found.members.set_index(["model", "filter"])["pattern"]
    assert len(patterns) == 7
    assert {
        patterns[place] for place in (("a", "filter_0"), ("a", "filter_1"), ("b", "filter_1"), ("c", "filter_0"))
    } == {"pattern_0"}
    assert patterns["a", "filter_2"] == patterns["b", "filter_0"] == "pattern_1"
    assert patterns["c", "filter_1"] == "pattern_2"


def test_the_most_frequent_pattern_comes_first(found):
    table = found.table
    assert table["pattern"].tolist() == ["pattern_0", "pattern_1", "pattern_2"]
    assert table["n_models"].tolist() == [3, 2, 1]
    assert table["n_filters"].tolist() == [4, 2, 1]
    assert table["share"].tolist() == pytest.approx([1, 2 / 3, 1 / 3])
    assert table["seen_again"].tolist() == [1, 0.5, 0]
    assert (table["share_low"] < table["share"]).all()
    assert table["share_high"].tolist() == pytest.approx([1, 0.991596, 0.905701], abs=1e-5)


def test_of_equally_frequent_patterns_the_largest_contribution_comes_first(place, interpretation):
    rows = [("f0", place("CTCF_known1", 1), 0.5, 9, 5), ("f1", place("SPI1_known3", 2), -2.0, 9, 5)]
    found = compare_models([interpretation(rows)])
    assert found.table["contribution_mean"].tolist() == [-2.0, 0.5]
    assert found.members.set_index("filter")["pattern"].to_dict() == {"f0": "pattern_1", "f1": "pattern_0"}


def test_a_model_s_contribution_is_the_sum_of_its_filters(found):
    assert found.contributions.columns.tolist() == ["a", "b", "c"]
    expected = [[3.0, 2.5, 3.5], [0.5, -0.4, np.nan], [np.nan, np.nan, 1.5]]
    np.testing.assert_allclose(found.contributions.to_numpy(), expected)
    table = found.table
    assert table["contribution_mean"].tolist() == pytest.approx([3.0, 0.05, 1.5])  # over the models that show it
    assert table["contribution_lowest"].tolist() == pytest.approx([2.5, -0.4, 1.5])
    assert table["contribution_highest"].tolist() == pytest.approx([3.5, 0.5, 1.5])


def test_patterns_are_named_and_read_as_their_match(found, known):
    table = found.table.set_index("pattern")
    assert table.loc["pattern_0", "best_match"] == "CTCF_known1"
    assert table.loc["pattern_0", "match_q"] < 1e-9
    assert table.loc["pattern_1", "best_match"].startswith("SPI1_")
    for name, best in table["best_match"].dropna().items():
        asked = Motif(found.consensus[name], table.loc[name, "n_sites"])
        row = compare_motifs({name: asked}).iloc[0]
        assert (row["Target_ID"], row["Orientation"]) == (best, "+")
        assert row["q-value"] == pytest.approx(table.loc[name, "match_q"])
    assert compare_matrices(found.consensus["pattern_0"], known["CTCF_known1"]).value > 0.95


def test_what_stands_out_no_more_than_in_the_other_class_is_not_named(found):
    row = found.table.set_index("pattern").loc["pattern_2"]
    assert pd.isna(row["best_match"])
    assert row["verdict"] == ("in 1 of 3 models; no p-value: its sites may be chance (p = 0.01)")
    assert found.table["verdict"][0] == "in every model; resembles CTCF_known1"
    assert found.table["sites_p"].tolist() == [1e-9, 1e-9, 0.01]


def test_a_pattern_s_sites_are_judged_by_the_middle_one_of_its_filters(place, interpretation):
    def compare(*sites_p):
        rows = [[("f", place("CTCF_known1", 0), 1.0, 30, p)] for p in sites_p]
        return compare_models([interpretation(one) for one in rows]).table

    assert compare(1e-9, 1e-9, 0.5)["best_match"].tolist() == ["CTCF_known1"]
    assert compare(1e-9, 0.4, 0.5)["best_match"].isna().all()


def test_few_sites_a_model_are_few_sites(place, interpretation):
    rows = [[("f", place("CTCF_known1", 0), 1.0, 16, 1e-9)] for _ in range(3)]
    found = compare_models([interpretation(one) for one in rows])
    assert found.table["refused"].tolist() == ["few sites"]


def test_models_that_call_the_negatives_positive_name_nothing(place, interpretation):
    rows = [[("f", place("CTCF_known1", 0), 1.0, 60, 1e-9)] for _ in range(3)]
    assert compare_models([interpretation(one, auroc=0.9) for one in rows]).table["best_match"].notna().all()
    assert compare_models([interpretation(one, auroc=0.2) for one in rows]).table["best_match"].isna().all()


def test_a_motif_that_no_one_knows(interpretation, known):
    ppm = np.full((4, 6), 0.1) + 0.6 * np.eye(4)[:, [0, 3, 1, 2, 0, 0]]
    some = {name: known[name] for name in list(known)[:60]}
    found = compare_models([interpretation([("f", ppm, 1.0, 30, 1e-9)])], motifs=some)
    assert found.table["verdict"].tolist() == ["in every model; no known motif"]
    assert found.table["verdict_kinds"].tolist() == ["no known motif"]
    faint = np.full((4, 6), 0.2) + 0.2 * np.eye(4)[:, [0, 3, 1, 2, 0, 0]]
    found = compare_models([interpretation([("f", faint, 1.0, 30, 1e-9)])], motifs=some)
    assert found.table["refused"].tolist() == ["0.47 bits of information, less than 2"]
    assert found.table["verdict"].tolist() == ["in every model; no p-value: 0.47 bits of information, less than 2"]


def test_members_stand_where_the_consensus_is(found, three):
    members = found.members.set_index(["model", "filter"])["consensus_orientation"]
    assert members["a", "filter_0"] == members["c", "filter_0"] == "+"
    assert members["a", "filter_1"] == members["b", "filter_1"] == "-"
    for row in found.members.to_dict("records"):
        ppm, consensus = three[row["model"]].ppms[row["filter"]], found.consensus[row["pattern"]]
        placed = compare_matrices(ppm, consensus)
        assert (row["consensus_orientation"], row["consensus_shift"]) == (placed.orientation, placed.shift)
        assert row["consensus_similarity"] == placed.value > 0.85
        turned = reverse_complement_motif(ppm) if row["consensus_orientation"] == "-" else ppm
        seen = turned[:, -row["consensus_shift"] :][:, : consensus.shape[1]]
        assert compare_matrices(seen, consensus).shift == 0
    assert dict(zip(found.members["contribution"], found.members["n_sites"], strict=True)) == {
        **{2.0: 100, 1.0: 50, 0.5: 30},
        **{2.5: 200, -0.4: 40},
        **{3.5: 70, 1.5: 60},
    }


def test_information_and_sites_are_those_of_the_consensus(found):
    assert found.table["n_sites"].tolist() == [420, 70, 60]
    for name, bits in zip(found.table["pattern"], found.table["information"], strict=True):
        assert information_content(found.consensus[name]).sum() == pytest.approx(bits)


# What is left out, and models without a filter.


def test_what_is_left_out_is_listed_with_its_reason(found):
    assert found.left_out.to_dict("records") == [
        {
            "model": "a",
            "filter": "filter_3",
            "contribution": 0.05,
            "reason": "negligible contribution: 2.5% of the model's largest",
        },
        {
            "model": "a",
            "filter": "filter_4",
            "contribution": 0.0,
            "reason": "dead: contributes nothing on these sequences",
        },
        {"model": "b", "filter": "filter_2", "contribution": 0.3, "reason": "no motif: no site contributes"},
    ]


def test_models_and_what_another_shows_of_them(found):
    rows = found.models.set_index("model")
    assert rows["n_filters"].tolist() == [5, 3, 2]
    assert rows["n_compared"].tolist() == [3, 2, 2]
    assert rows["n_patterns"].tolist() == [2, 2, 2]
    assert rows["seen_again"].tolist() == pytest.approx([3.25 / 3.5, 2.7 / 2.9, 3.5 / 5])
    assert rows["missed"].tolist() == pytest.approx([0.5, 0.5, 1.0])
    assert rows["auroc"].tolist() == [0.9, 0.8, 0.9]
    assert rows["auprc"].tolist() == pytest.approx([0.89, 0.79, 0.89])


def test_a_model_without_a_live_filter_is_counted_and_named(three, interpretation):
    dead = interpretation([("filter_0", np.full((4, 5), 0.25), 0.0, 0, 0.0)])
    found = compare_models({**three, "quiet one": dead})
    assert found.table["share"].tolist() == [0.75, 0.5, 0.25]
    row = found.models.set_index("model").loc["quiet one"]
    assert (row["n_filters"], row["n_compared"], row["n_patterns"]) == (1, 0, 0)
    assert np.isnan(row["seen_again"])
    assert found.contributions["quiet one"].isna().all()
    assert found.summary.endswith("Without a filter to compare, and counted all the same: quiet one.")


def test_no_model_has_a_live_filter(interpretation):
    dead = interpretation([("filter_0", np.full((4, 5), 0.25), 0.0, 0, 0.0)])
    found = compare_models([dead, dead])
    assert len(found.table) == len(found.members) == 0
    assert found.table.columns.tolist() == compare_models_columns()
    assert found.models["n_patterns"].tolist() == [0, 0]
    assert found.left_out["model"].tolist() == ["model_0", "model_1"]


def compare_models_columns():
    return [
        *("pattern", "n_models", "share", "share_low", "share_high", "seen_again", "n_filters"),
        *(
            "contribution_mean",
            "contribution_lowest",
            "contribution_highest",
            "hybrid_share",
            "n_sites",
            "information",
        ),
        *("sites_p", "refused", "best_match", "match_q", "match_shuffled_p", "match_factor", "match_known"),
        *("verdict_kinds", "verdict"),
    ]


def test_columns(found):
    assert found.table.columns.tolist() == compare_models_columns()
    assert found.members.columns.tolist() == [
        *(
            "model",
            "filter",
            "pattern",
            "consensus_orientation",
            "consensus_shift",
            "consensus_similarity",
            "contribution",
            "n_sites",
            "sites_in",
            "is_artefact",
        )
    ]


@pytest.mark.parametrize(
    ("artefact", "share", "word"), [(1.0, 0.2, "CTCF"), (9.0, 9 / 13, "artefact"), (None, 0, "CTCF")]
)
def test_artefacts_are_told_in_their_pattern(place, interpretation, artefact, share, word):
    """... as those of the filters that `interpret` has found; a pattern that is mostly of these is called one."""
    rows = [("a", place("CTCF_known1", 2), 2.0, 50, 1e-9), ("b", place("CTCF_known1", 3), artefact or 1.0, 50, 1e-9)]
    one, other = interpretation(rows), interpretation(rows[:1])
    if artefact is not None:
        kinds = ["known motif; artefact hybrid" if name == "b" else "known motif" for name in one.table["filter"]]
        one = replace(one, table=one.table.assign(verdict_kinds=kinds))
    found = compare_models([one, other])
    (pattern,) = found.table.to_dict("records")
    assert pattern["hybrid_share"] == pytest.approx(share)
    assert ("artefacts (hybrids of both strands) make" in pattern["verdict"]) == (share > 0)
    assert word_of(pattern | {"triage": None})[0] == word
    assert ("1 of the patterns is an artefact" in found.summary) == (word == "artefact")
    assert found.members["is_artefact"].sum() == (artefact is not None)


def test_motifs_of_weights_have_no_sites(place, interpretation):
    rows = [[("f", place("CTCF_known1", start), 1.0, None, np.nan)] for start in (0, 3)]
    found = compare_models([interpretation(one) for one in rows])
    assert found.table["n_models"].tolist() == [2]
    assert found.table[["n_sites", "sites_p"]].isna().all(axis=None)
    assert found.table["best_match"].tolist() == ["CTCF_known1"]


def test_a_single_model(three):
    found = compare_models({"a": three["a"]})
    assert found.table["share"].tolist() == [1, 1]
    assert found.table["seen_again"].isna().all()
    assert found.summary == "1 model shows 2 patterns."


# Models themselves.


@pytest.fixture(scope="module")
def sequences(known):
    """Positives with a site of CTCF each, on either strand, and negatives without."""
    rng = np.random.default_rng(1)
    codes = rng.integers(4, size=(74, LENGTH))
    for row in codes[:34]:
        site = np.array([rng.choice(4, p=column) for column in known["CTCF_known1"].T])
        start = rng.integers(LENGTH - WIDTH + 1)
        row[start : start + WIDTH] = site if rng.random() < 0.5 else 3 - site[::-1]
    x = nn.functional.one_hot(torch.tensor(codes), 4).transpose(1, 2).float()
    return x[:34], x[34:]


@pytest.fixture(scope="module")
def make_model(known):
    """Give ``make_model(rc, turned)``: the first filter is CTCF, the second dead."""

    def make(rc, turned=False):
        weight = np.log2(0.95 * known["CTCF_known1"] / 0.25 + 0.05)
        model = compact_model(1, 2, LENGTH, rc=rc, widths=(WIDTH,), pool=42 if rc else 14, stride=1 if rc else 14)
        with torch.no_grad():
            model.conv1.weight.zero_()
            model.conv1.weight[0] = torch.tensor(reverse_complement_motif(weight) if turned else weight)
            model.conv1.bias.copy_(torch.tensor([-0.4 * weight.max(0).sum(), -100.0]))
            read_out = model.weighted_sum if rc else model.head
            read_out.weight.fill_(1.0)
        return model.eval()

    return make


def test_models_are_interpreted(make_model, sequences, tmp_path):
    models = {"rc": make_model(True), "turned": make_model(True, turned=True), "traditional": make_model(False)}
    few = dict(list(load_motifs("encode").items())[::20]) | {"CTCF_known1": load_motifs("encode")["CTCF_known1"]}
    found = compare_models(models, *sequences, motifs=few, batch_size=11)
    assert found.table["n_models"].tolist() == [3]
    assert found.table["best_match"].tolist() == ["CTCF_known1"]
    members = found.members.set_index("model")
    assert members["consensus_orientation"].to_dict() == {"rc": "+", "turned": "-", "traditional": "+"}
    assert found.left_out["filter"].tolist() == ["filter_1"] * 3
    for name, model in models.items():
        one = interpret(model, *sequences, motifs=few).table.set_index("filter")
        assert members.loc[name, "contribution"] == pytest.approx(one.loc["filter_0", "contribution"])
    for part, x in zip(("pos.fa", "neg.fa.gz"), sequences, strict=True):
        write_fasta(tmp_path / part, decode(x))
    again = compare_models(
        list(models.values()), tmp_path / "pos.fa", tmp_path / "neg.fa.gz", motifs=few, names=list(models)
    )
    pd.testing.assert_frame_equal(again.table, found.table, rtol=1e-5)
    mixed = compare_models({**models, "rc": interpret(models["rc"], *sequences, motifs=few)}, *sequences, motifs=few)
    pd.testing.assert_frame_equal(mixed.table, found.table)


def test_what_would_mislead_stands_on_the_page_and_doubts_of_the_training_are_told(three, tmp_path):
    leak, doubt = "3 sequences stand here too.", "the model may have learned nothing: so it is."
    doubtful = {
        "a": replace(three["a"], leakage=(leak, doubt)),
        "b": replace(three["b"], leakage=(leak,), performance={"auroc": 0.2, "auprc": 0.2}),
        "c": replace(three["c"], leakage=(leak,), repeats=("5 sequences of the positives stand in it twice.",)),
    }
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        found = compare_models(doubtful)
    assert [str(one.message) for one in seen] == [
        f"compare_models: in the training of all models: {leak}",
        f"compare_models: in the training of a: {doubt}",
    ]
    assert found.warnings == (
        f"All models: When the model was trained: {leak}",
        f"a: When the model was trained: {doubt}",
        "b: The model calls the negatives positive: perhaps the two classes are the wrong way round.",
        "c: Of the sequences that were read, 5 sequences of the positives stand in it twice.",
    )
    found.to_html(tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert all(sentence in page for sentence in found.warnings)
    assert page.count('<p class="warn">') == 4
    assert compare_models(three).warnings == ()


def test_layers_and_outputs_of_one_model_are_different(sequences):
    """As of models that are compared by `Reader`."""
    torch.manual_seed(0)
    model = compact_model(1, 2, LENGTH, widths=(WIDTH,), pool=20, stride=20, n_tasks=2)
    found = compare_models([Reader(model, target=0), Reader(model, target=1)], *sequences)
    assert len(found.models) == 2


def test_names_are_numbers_if_not_given(three):
    assert compare_models(list(three.values())).models["model"].tolist() == ["model_0", "model_1", "model_2"]
    assert compare_models(list(three.values()), names=["x", "y", "z"]).models["model"].tolist() == ["x", "y", "z"]


def test_the_order_of_models_changes_nothing_but_the_columns(three, found):
    turned = compare_models(dict(reversed(three.items())))
    columns = ["pattern", "n_models", "n_filters", "contribution_mean", "n_sites", "best_match", "verdict"]
    pd.testing.assert_frame_equal(turned.table[columns], found.table[columns])
    pd.testing.assert_frame_equal(turned.contributions[["a", "b", "c"]], found.contributions)
    assert turned.contributions.columns.tolist() == ["c", "b", "a"]


def test_other_known_motifs(three, known):
    few = {"mine": known["CTCF_known1"], "other": known["GATA_known1"]}
    with pytest.warns(FewTargetsWarning, match="got 2 targets"):
        found = compare_models(three, motifs=few)
    assert found.table["best_match"][0] == "mine"


def test_the_same_numbers_again(three, found):
    pd.testing.assert_frame_equal(compare_models(three).table, found.table, check_exact=True)


@pytest.mark.slow
def test_an_embedded_motif_returns_in_every_seed(known):
    train, valid = simulate_one_motif("CTCF_known1", 1500, 100, seed=3)
    models = {}
    with one_thread():
        for seed in range(3):
            model = compact_model(1, 3, train.length, widths=(19,), pool=20, stride=1)
            fit(model, train, valid, seed=seed, epochs=6, progress=False)
            models[f"seed {seed}"] = model
        found = compare_models(models, valid.positives(), valid.negatives())
    assert found.table["n_models"][0] == 3
    assert found.table["best_match"][0] == "CTCF_known1"
    assert compare_matrices(found.consensus["pattern_0"], known["CTCF_known1"]).value > 0.9
    assert (found.models["seen_again"] > 0.9).all()


# Bad input.


@pytest.mark.parametrize(
    ("models", "options", "message"),
    [
        ([], {}, "got list without a model, expected a list or dict"),
        ({}, {}, "got list without a model"),
        ({1: nn.ReLU(), "1": nn.ReLU()}, {}, "got 2 models and 2 names, 1 of them different"),
        (nn.ReLU(), {}, "got ReLU without a model, expected a list or dict"),
        (["model"], {}, "got str among the models, expected a list or dict of models or of what interpret returned"),
        ([nn.ReLU()], {}, "got models without positives or negatives, .* or what interpret returned for each model"),
        (
            [nn.ReLU(), nn.ReLU()],
            {"names": ["a"]},
            "got 2 models and 1 names, 1 of them different, .* number the models",
        ),
        ([nn.ReLU(), nn.ReLU()], {"names": ["a", "a"]}, "got 2 models and 2 names, 1 of them different"),
        (
            {"a": ONE_MODEL, "b": nn.ReLU(), "c": ONE_MODEL},
            {},
            "a and c are one model object, expected different models. Give each of them once",
        ),
        ([Reader(ONE_MODEL), ONE_MODEL], {}, "model_0 and model_1 are one model object"),
        ({"a": nn.ReLU()}, {"names": ["a"]}, "got a dict and names too, expected one of them. Leave names out"),
    ],
)
def test_bad_arguments(models, options, message):
    with pytest.raises(InputError, match=message):
        compare_models(models, **options)
