"""interpret on models made by hand, whose filters are known motifs, dead, noise and an artefact."""

import hashlib
import html
import re
import warnings
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure
from torch import nn

from rcinterp.comparison import COLUMNS, FewTargetsWarning, best_matches, compare_motifs
from rcinterp.data.datasets import load_dataset
from rcinterp.data.sequences import decode, write_fasta
from rcinterp.errors import InputError
from rcinterp.interpretation import interpret
from rcinterp.interpretation.interpreting import N_OF_STRANDS
from rcinterp.interpretation.verdicts import NEGLIGIBLE_SHARE
from rcinterp.motifs import Motif, information_content, load_motifs, reverse_complement_motif
from rcinterp.palindromes.finding import find_palindromes
from rcinterp.palindromes.triage import triage_palindromes
from rcinterp.reading.filter_motifs import weights_to_ppm
from rcinterp.reading.functions import faithfulness, filter_contributions
from rcinterp.reading.strands import strand_consistency
from rcinterp.training.fitting import fit
from rcinterp.training.models import compact_model
from rcinterp.training.performance import score_logits
from rcinterp.training.saving import load_model, save_model

LENGTH, WIDTH = 100, 19
N_POSITIVES, N_NEGATIVES = 160, 176
FILES = {
    "contributions.tsv",
    "faithfulness.tsv",
    "filters.meme",
    "filters.tsv",
    "logos.png",
    "logos.svg",
    "matches.tsv",
    "palindromes.tsv",
    "report.html",
    "sites.tsv",
    "triage.tsv",
}
COLUMNS_OF_TABLE = [
    "filter",
    "contribution",
    "mean_positive",
    "mean_negative",
    "contribution_low",
    "contribution_high",
    "contribution_p",
    "contribution_q",
    "active_share",
    "strand_balance",
    "rc_similarity",
    "rc_p",
    "rc_axis",
    "triage",
    "triage_motif",
    "sites_in",
    "n_sites",
    "n_other_sites",
    "sites_p",
    "information",
    "refused",
    "best_match",
    "match_orientation",
    "match_p",
    "match_q",
    "match_shuffled_p",
    "match_covered",
    "match_factor",
    "match_known",
    "match_description",
    "match_rc_similarity",
    "verdict_kinds",
    "verdict",
]


@pytest.fixture(scope="module")
def known():
    return load_motifs("encode")


@pytest.fixture(scope="module")
def filters(known):
    """Two motifs of the positives, one of the negatives, one dead, one of noise, one artefact: (6, 4, 19)."""

    def log_odds(name):
        weight = np.log2(0.95 * known[name] / 0.25 + 0.05)
        left = (WIDTH - weight.shape[1]) // 2
        return np.pad(weight, ((0, 0), (left, WIDTH - weight.shape[1] - left)))

    half = log_odds("CTCF_known1")[:, 3:12]
    artefact = np.concatenate([half, np.zeros((4, 1)), reverse_complement_motif(half)], axis=1)
    noise = 0.01 * np.random.default_rng(3).normal(size=(4, WIDTH))
    wanted = (log_odds("CTCF_known1"), np.zeros((4, WIDTH)), log_odds("MYC_known1"), noise, log_odds("SPI1_known3"))
    return np.stack([*wanted, artefact])


@pytest.fixture(scope="module")
def make_model(filters):
    """Give ``make_model(rc)``: a filter fires from a share of its best score, and its peaks are weighed alike."""
    shares, read_out = (0.55, 0.55, 0.55, 0.2, 0.55, 0.25), torch.tensor([1.0, 1.0, 0.5, 1e-4, -1.0, 5.0])

    def make(rc=True):
        model = compact_model(1, len(filters), LENGTH, rc=rc, widths=(WIDTH,), pool=20, stride=20)
        with torch.no_grad():
            model.conv1.weight.copy_(torch.tensor(filters))
            model.conv1.bias.copy_(-torch.tensor(shares) * torch.tensor(filters).amax(1).sum(1))
            model.conv1.bias[1] = -100
            if rc:
                model.weighted_sum.weight.copy_(read_out[:, None].expand(-1, model.architecture.pooled_length))
            else:
                model.head.weight.copy_(read_out.repeat_interleave(model.architecture.pooled_length)[None])
        return model.eval()

    return make


def plant(known, names, n, seed):
    """Random sequences, each with one site of each motif, on either strand."""
    rng = np.random.default_rng(seed)
    codes = rng.integers(4, size=(n, LENGTH))
    for slot, name in enumerate(names):
        for row in codes:
            site = np.array([rng.choice(4, p=column) for column in known[name].T])
            start = 45 * slot + rng.integers(45 - len(site))
            row[start : start + len(site)] = site if rng.random() < 0.5 else 3 - site[::-1]
    return nn.functional.one_hot(torch.tensor(codes), 4).transpose(1, 2).float().contiguous()


@pytest.fixture(scope="module")
def positives(known):
    return plant(known, ["CTCF_known1", "MYC_known1"], N_POSITIVES, seed=1)


@pytest.fixture(scope="module")
def negatives(known):
    return plant(known, ["SPI1_known3"], N_NEGATIVES, seed=2)


@pytest.fixture(scope="module")
def found(make_model, positives, negatives):
    return interpret(make_model(), positives, negatives)


@pytest.fixture(scope="module")
def by_filter(found):
    return found.table.set_index("filter")


@pytest.fixture(scope="module")
def saved(found, tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved") / "a" / "b"
    assert found.save(folder, "Title & more") == folder / "report.html"
    return folder


# The table.


def test_one_row_a_filter_the_largest_contribution_first(found):
    assert list(found.table.columns) == COLUMNS_OF_TABLE
    assert sorted(found.table["filter"]) == [f"filter_{i}" for i in range(6)]
    assert found.table["contribution"].is_monotonic_decreasing
    assert found.table.index.tolist() == list(range(6))


def test_filters_are_named_as_the_motifs_that_they_are(by_filter):
    for name, motif in {"filter_0": "CTCF_known1", "filter_2": "MYC_known1"}.items():
        row = by_filter.loc[name]
        assert row["best_match"] == motif
        assert row["match_q"] < 1e-6
        assert (row["n_sites"], row["n_other_sites"]) > (40, 0)
        assert row["sites_p"] < 1e-9
    assert by_filter.loc["filter_0", "match_orientation"] == "+"
    assert by_filter.loc["filter_4", "best_match"].startswith("SPI1_")


def test_verdicts(by_filter):
    verdicts = by_filter["verdict"]
    assert verdicts["filter_0"] == "resembles CTCF_known1"
    assert verdicts["filter_1"] == "dead: contributes nothing on these sequences"
    assert re.fullmatch(r"resembles MYC_known1 \(MYC::MAX\); palindromic, as MYC_\w+ is", verdicts["filter_2"])
    assert re.fullmatch(
        r"negligible contribution; no p-value: \d+ of the positives have a site and \d+ of the negatives, perhaps by "
        r"chance \(p = 0\.\d+\)",
        verdicts["filter_3"],
    )
    assert verdicts["filter_4"] == f"a motif of the negatives; resembles {by_filter.loc['filter_4', 'best_match']}"
    assert re.fullmatch(r".*no p-value.*; artefact: a hybrid of both strands of (CTCF|RAD21)_\w+", verdicts["filter_5"])
    negligible = by_filter["contribution"].abs() < NEGLIGIBLE_SHARE * by_filter["contribution"].max()
    assert set(negligible[negligible].index) == {"filter_3", "filter_1", "filter_5"}


def test_a_motif_is_read_from_the_class_that_its_filter_speaks_for(by_filter):
    """... whatever the sign of the contribution: the filter of the negatives' motif has a positive contribution."""
    assert by_filter.loc[["filter_0", "filter_2", "filter_4"], "sites_in"].tolist() == [*["positives"] * 2, "negatives"]
    row = by_filter.loc["filter_4"]
    assert row["mean_negative"] < row["mean_positive"] <= 0 < row["contribution"]
    assert row["n_sites"] > 10 * row["n_other_sites"]


def test_the_numbers_are_those_of_the_parts(found, by_filter, make_model, filters, positives, negatives):
    model = make_model()
    contributions = filter_contributions(model, positives, negatives)
    pd.testing.assert_frame_equal(found.contributions, contributions, check_exact=True)
    how = ["layer", "method", "baseline", "cut_at", "cut_reason", "output"]
    for name, row in contributions.drop(columns=how).set_index("filter").iterrows():
        np.testing.assert_array_equal(by_filter.loc[name, list(row.index)].astype(float), row.astype(float))
    judged = triage_palindromes(found.filters).set_index("filter").loc[by_filter.index]
    pd.testing.assert_frame_equal(found.triage, triage_palindromes(found.filters))
    assert by_filter["triage"].tolist() == judged["triage"].tolist()
    assert by_filter["triage_motif"].dropna().tolist() == judged["triage_motif"].dropna().tolist()
    measured = faithfulness(model, positives, negatives)
    pd.testing.assert_frame_equal(found.faithfulness.table, measured.table)
    counted = found.sites.groupby("filter").size().reindex(by_filter.index, fill_value=0)
    assert counted.tolist() == by_filter["n_sites"].tolist()

    centred = {f"filter_{i}": weight - weight.mean(0) for i, weight in enumerate(filters)}
    for name, weight in centred.items():
        np.testing.assert_allclose(found.filters[name], weight, atol=1e-6)
    palindromes = find_palindromes(found.filters)
    pd.testing.assert_frame_equal(found.palindromes, palindromes, check_exact=True)
    expected = palindromes.set_index("filter").loc[by_filter.index]
    np.testing.assert_array_equal(by_filter["rc_similarity"], expected["rc_similarity"])
    np.testing.assert_array_equal(by_filter["rc_p"], expected["rc_p"])
    np.testing.assert_array_equal(by_filter["rc_axis"], expected["rc_axis"])

    both = {"positives": positives, "negatives": negatives}
    for name, row in by_filter.iterrows():
        own = found.sites[found.sites["filter"] == name]
        counts = np.full((4, WIDTH), 0.25)
        for site in own.itertuples():
            letters = both[site.sites_in][site.sequence, :, site.start : site.end].double().numpy()
            counts += letters if site.strand == "+" else letters[::-1, ::-1]
        np.testing.assert_allclose(found.ppms[name], counts / counts.sum(0))
        assert row["information"] == pytest.approx(information_content(found.ppms[name]).sum())

    assert list(found.matches.columns) == list(COLUMNS)
    assert set(_refused(found)) >= {"filter_1", "filter_3"}
    for _, match in best_matches(found.matches).iterrows():
        row = by_filter.loc[match["Query_ID"], ["best_match", "match_orientation", "match_p", "match_q"]]
        assert row.tolist() == match[["Target_ID", "Orientation", "p-value", "q-value"]].tolist()

    with torch.no_grad():
        logits = torch.cat([model(positives), model(negatives)])
    y = torch.cat([torch.ones(N_POSITIVES, 1), torch.zeros(N_NEGATIVES, 1)])
    assert found.performance == score_logits(y, logits).iloc[0].to_dict()


def test_a_match_s_own_similarity_is_that_of_the_known_motif(by_filter, known):
    row = find_palindromes({"CTCF_known1": known["CTCF_known1"]}).iloc[0]
    assert by_filter.loc["filter_0", "match_rc_similarity"] == pytest.approx(row["rc_similarity"], abs=1e-6)
    assert np.isnan(by_filter.loc["filter_1", "match_rc_similarity"])


def test_a_dead_filter_has_no_numbers_that_it_cannot_have(by_filter):
    dead = by_filter.loc["filter_1"]
    assert dead["n_sites"] == 0
    assert dead[["rc_similarity", "rc_p", "best_match", "match_q"]].isna().all()
    assert dead["information"] == dead["contribution"] == 0


def test_a_traditional_model_reads_one_strand(make_model, positives, negatives):
    model = make_model(rc=False)
    rows = interpret(model, positives, negatives).table.set_index("filter")
    assert rows.loc["filter_0", "best_match"] == "CTCF_known1"
    assert rows.loc["filter_0", "n_sites"] < 0.6 * N_POSITIVES


def test_motifs_from_weights(make_model, filters, positives, negatives, tmp_path):
    found = interpret(make_model(), positives, negatives, motifs_from="weights")
    rows = found.table.set_index("filter")
    assert rows.loc["filter_0", "best_match"] == "CTCF_known1"
    assert rows.loc["filter_1", "verdict"] == "dead: contributes nothing on these sequences"
    assert rows[["n_sites", "n_other_sites", "sites_p"]].isna().all(axis=None)
    np.testing.assert_allclose(found.ppms["filter_2"], weights_to_ppm(filters[2]), atol=1e-5)
    found.save(tmp_path)
    assert len(load_motifs(tmp_path / "filters.meme")) == 6


# What goes in.


def test_paths_lists_and_tensors_are_sequences(found, make_model, positives, negatives, tmp_path):
    for name, x in (("positives", positives), ("negatives", negatives)):
        write_fasta(tmp_path / f"{name}.fa.gz", decode(x))
    for here, there in (
        (tmp_path / "positives.fa.gz", str(tmp_path / "negatives.fa.gz")),
        (decode(positives), decode(negatives)),
    ):
        same = interpret(make_model(), here, there, batch_size=7)
        pd.testing.assert_frame_equal(same.table, found.table, rtol=1e-5)


def test_the_model_comes_back_as_it_was(make_model, positives, negatives):
    model = make_model().train()
    model.norm1.eval()
    model.conv1.bias.requires_grad_(False)

    def state():
        return (
            [module.training for module in model.modules()],
            [parameter.requires_grad for parameter in model.parameters()],
            [len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules()],
            [value.tolist() for value in model.state_dict().values()],
        )

    before = state()
    interpret(model, positives, negatives)
    assert state() == before


def test_other_known_motifs(make_model, known, positives, negatives):
    few = {"mine": known["CTCF_known1"], "other": known["GATA_known1"]}
    with pytest.warns(FewTargetsWarning, match="got 2 targets"):
        found = interpret(make_model(), positives, negatives, few)
    assert found.table.set_index("filter").loc["filter_0", "best_match"] == "mine"


def test_a_deeper_layer_is_read_by_its_sites(make_model, positives, negatives, tmp_path):
    """A second convolution that adds what the first one says at neighbouring positions is known by what it sees."""
    first = make_model(rc=False)
    second = nn.Conv1d(6, 4, 5)
    with torch.no_grad():
        second.weight.zero_()
        second.bias.zero_()
        for f, channel in enumerate((0, 2, 4)):
            second.weight[f, channel] = 1.0
    head = nn.Linear(4, 1)
    nn.init.ones_(head.weight)
    pool = [nn.AdaptiveMaxPool1d(1), nn.Flatten(), head]
    model = nn.Sequential(first[:3], second, nn.ReLU(), *pool)
    found = interpret(model, positives, negatives, layer="1")
    assert (found.layer, found.unit) == ("1", "bits")
    rows = found.table.set_index("filter")
    assert rows.loc["filter_0", "best_match"].startswith("CTCF_")
    assert rows.loc["filter_0", "match_q"] < 1e-6
    assert rows.loc["filter_1", "best_match"].startswith(("MYC_", "MAX_", "USF1_", "SREBP_"))
    assert rows.loc["filter_3", "verdict"] == "dead: contributes nothing on these sequences"
    assert set(found.sites["end"] - found.sites["start"]) == {WIDTH + 4}
    assert found.ppms["filter_0"].shape[1] < WIDTH + 4  # its flanks are left out
    np.testing.assert_allclose(found.filters["filter_0"].sum(0), information_content(found.ppms["filter_0"]))
    found.save(tmp_path)
    with pytest.raises(InputError, match=r"layer '1' does not read the sequence itself, expected motifs_from='sites'"):
        interpret(model, positives, negatives, layer="1", motifs_from="weights")


def test_a_second_layer_that_happens_to_have_four_channels(positives, negatives):
    model = compact_model(2, 2, LENGTH, widths=(8, 5), pool=20, stride=3)
    found = interpret(model, positives, negatives, layer="conv2")
    assert found.unit == "bits"
    assert set(found.sites["end"] - found.sites["start"]) == {12}


def test_a_dilated_layer_stands_with_its_gaps(positives, negatives):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv1d(4, 3, 5, dilation=2), nn.ReLU(), nn.Flatten(), nn.Linear(3 * 92, 1))
    found = interpret(model, positives, negatives)
    weight = found.filters["filter_0"]
    assert weight.shape == (4, 9)
    assert (weight[:, 1::2] == 0).all()


def test_motifs_by_likelihood_lie_between_weights_and_sites(make_model, filters, positives, negatives):
    found = interpret(make_model(), positives, negatives, motifs_from="likelihood")
    rows = found.table.set_index("filter")
    assert rows.loc["filter_0", "best_match"] == "CTCF_known1"
    counts = interpret(make_model(), positives, negatives).ppms["filter_0"] * rows.loc["filter_0", "n_sites"]
    np.testing.assert_allclose(found.ppms["filter_0"], weights_to_ppm(filters[0], site_counts=counts), atol=1e-5)


def test_faithfulness_may_be_left_out(make_model, positives, negatives, tmp_path):
    found = interpret(make_model(), positives, negatives, measure_faithfulness=False)
    assert found.faithfulness is None
    assert not any("Faithfulness" in note for note in found.notes())
    found.save(tmp_path)
    assert not (tmp_path / "faithfulness.tsv").exists()


def test_coordinates_of_sites_from_headers(make_model, positives, negatives, tmp_path):
    names = [f"chr7:{1000 * i}-{1000 * i + LENGTH}" for i in range(N_NEGATIVES)]
    write_fasta(tmp_path / "pos.fa", decode(positives), names[:N_POSITIVES])
    write_fasta(tmp_path / "neg.fa", decode(negatives), names)
    found = interpret(make_model(), tmp_path / "pos.fa", tmp_path / "neg.fa")
    assert (found.sites["chrom_start"] == 1000 * found.sites["sequence"] + found.sites["start"]).all()
    found.save(tmp_path / "out")
    bed = pd.read_csv(tmp_path / "out/sites.bed", sep="\t", header=None)
    assert len(bed) == len(found.sites)
    assert set(bed[5]) == {"+", "-"}


def test_coordinates_of_one_class_alone(make_model, positives, negatives, tmp_path):
    """Shuffled negatives have no place in the genome; the positives' stay whole numbers."""
    names = [f"chr7:{123456780 + 1000 * i}-{123456780 + 1000 * i + LENGTH}" for i in range(N_POSITIVES)]
    write_fasta(tmp_path / "pos.fa", decode(positives), names)
    write_fasta(tmp_path / "neg.fa", decode(negatives), [f"shuffled{i}" for i in range(N_NEGATIVES)])
    found = interpret(make_model(), tmp_path / "pos.fa", tmp_path / "neg.fa", measure_faithfulness=False)
    found.save(tmp_path / "out")
    own = found.sites[found.sites["sites_in"] == "positives"]
    bed = pd.read_csv(tmp_path / "out/sites.bed", sep="\t", header=None)
    assert bed[1].tolist() == own["chrom_start"].tolist()
    assert (own["chrom_start"] == 123456780 + 1000 * own["sequence"] + own["start"]).all()
    assert len(bed) == len(own) < len(found.sites)
    read = pd.read_csv(tmp_path / "out/sites.tsv", sep="\t", dtype={"chrom_start": "Int64"})
    assert read["chrom_start"].dropna().tolist() == own["chrom_start"].tolist()


def test_exact_ablation_is_not_compared_with_itself(make_model, positives, negatives):
    assert interpret(make_model(), positives, negatives, method="ablation").faithfulness is None


@pytest.mark.filterwarnings("ignore:the model ends in a sigmoid", "ignore:the contributions disagree")
def test_any_model_of_others(others, positives, negatives):
    """Profile and counts, control tracks, dicts, two-dimensional convolutions, both strands: one call each."""
    controls = torch.rand(N_POSITIVES + N_NEGATIVES, 2, LENGTH)
    torch.manual_seed(1)
    for model, how in (
        (others.basset(LENGTH), {"target": 2}),
        (others.DeepSEA(LENGTH), {}),
        (others.BPNet(), {"func": lambda y: y[1], "args": (controls,)}),
        (others.ResidualStem(), {"func": lambda y: y["human"], "target": 1}),
        (others.Wrapped(others.basset(LENGTH)), {}),
    ):
        found = interpret(others.with_moved_statistics(model), positives, negatives, **how)
        assert len(found.table) == 6
        assert found.table["contribution"].abs().max() > 0
        assert not np.isnan(found.faithfulness.pearson)
    assert (
        "second way"
        in interpret(
            others.ResidualStem(), positives, negatives, func=lambda y: y["human"], measure_faithfulness=False
        ).notes()[1]
    )


@pytest.mark.parametrize("rc", [True, False])
def test_sequences_of_another_length_than_the_model_s(make_model, positives, negatives, rc):
    with pytest.raises(InputError, match=r"got positives of 98 bp and negatives of 100 bp, expected .* Cut them to it"):
        interpret(make_model(rc), positives[:, :, 1:-1], negatives)
    with pytest.raises(InputError, match=r"the model got x of shape \(3, 4, 98\), expected \(N, 4, 100\)"):
        interpret(make_model(rc), positives[:, :, 1:-1], negatives[:, :, 1:-1])


def test_the_same_sequences_in_another_order(make_model, positives):
    with pytest.raises(InputError, match="positives and negatives hold the same sequences"):
        interpret(make_model(), positives, positives.flip(0))


def test_sequences_in_both_sets_are_counted(make_model, positives, negatives):
    with pytest.warns(UserWarning, match="interpret: 3 sequences stand both in the positives and in the negatives"):
        interpret(make_model(), positives, torch.cat([negatives, positives[:3]]))


def test_the_meme_file_gives_the_matches_of_the_report(found, saved):
    """compare_motifs on filters.meme, which tells the numbers of sites, finds what the report says."""
    again = compare_motifs(saved / "filters.meme")
    again = again[~again["Query_ID"].isin(_refused(found))].reset_index(drop=True)
    pd.testing.assert_frame_equal(again, found.matches, rtol=1e-4)


def test_bad_arguments(make_model, positives, negatives):
    with pytest.raises(InputError, match="got motifs_from='best', expected 'sites', 'weights' or 'likelihood'"):
        interpret(make_model(), positives, negatives, motifs_from="best")
    with pytest.raises(InputError, match=r"positives and negatives hold the same sequences.* same file was not given"):
        interpret(make_model(), positives, positives.double())
    with pytest.raises(InputError, match="target: got 1, expected 0 to 0"):
        interpret(make_model(), positives, negatives, target=1)


def test_a_model_without_a_single_site(make_model, positives, negatives, tmp_path):
    model = make_model()
    nn.init.zeros_(model.conv1.weight)
    nn.init.constant_(model.conv1.bias, -1.0)
    found = interpret(model, positives, negatives)
    assert set(found.table["verdict"]) == {"dead: contributes nothing on these sequences"}
    assert len(found.matches) == 0
    with pytest.raises(InputError, match=r"filters.meme: not written, as no filter has a site"):
        found.to_meme(tmp_path / "filters.meme")
    found.save(tmp_path)  # all but that file
    assert {path.name for path in tmp_path.iterdir()} == FILES - {"filters.meme"}


# What comes out.


def test_saved_tables_are_the_tables(saved, found):
    assert {path.name for path in saved.iterdir()} == FILES
    for name, table in (
        ("filters.tsv", found.table),
        ("contributions.tsv", found.contributions),
        ("palindromes.tsv", found.palindromes),
        ("matches.tsv", found.matches),
        ("triage.tsv", found.triage),
        ("faithfulness.tsv", found.faithfulness.table),
    ):
        read = pd.read_csv(saved / name, sep="\t", comment="#")
        if "cut_reason" in read:
            read["cut_reason"] = read["cut_reason"].astype(object).fillna("")
        read = read.astype(table.dtypes.to_dict())
        pd.testing.assert_frame_equal(read, table, rtol=1e-14)
    comments = [line for line in (saved / "matches.tsv").read_text().splitlines() if line.startswith("#")]
    assert comments[0].startswith("# filter_1: no p-value, ")


def test_the_meme_file_holds_the_filters_that_have_sites(saved, found):
    expected = {f"filter_{i}" for i in (0, 2, 3, 4, 5)}
    ours = load_motifs(saved / "filters.meme")
    assert set(ours) == expected
    for name in expected:
        np.testing.assert_allclose(ours[name], found.ppms[name], atol=1e-7)


def test_memelite_reads_the_meme_file(saved, found, read_meme_by_memelite):
    theirs = read_meme_by_memelite(str(saved / "filters.meme"))
    assert len(theirs) == 5
    for name, ppm in theirs.items():
        np.testing.assert_allclose(ppm, found.ppms[name.split()[0]], atol=1e-7)


def test_pictures_are_pictures(saved):
    assert (saved / "logos.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert ElementTree.parse(saved / "logos.svg").getroot().tag == "{http://www.w3.org/2000/svg}svg"


def test_the_report_is_one_file_that_needs_no_other(saved, found):
    page = (saved / "report.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert "<title>Title &amp; more</title>" in page
    page = re.sub(r"<script>.*?</script>", "", page, flags=re.DOTALL)
    assert not re.search('<svg role="img"(?! [^>]*aria-label="[^"])', page)
    assert page.count('class="c1 logo"><svg') == page.count('class="c2 logo"><svg') == len(found.table)
    assert not re.search(r"https?:|//|<link|@import|url\(|src=", page)
    assert re.findall(r'<symbol id="(.)"', page) == list("ACGTacgt")
    identities = re.findall(r"\bid=\"?([\w-]+)", page)
    assert len(identities) == len(set(identities))
    assert set(re.findall(r"href=#([\w-]+)", page)) <= set(identities)


def test_the_filters_that_carry_the_prediction(found):
    table = found.table
    size = table["contribution"].abs()
    expected = table[(table["contribution_q"] <= 0.05) & (size >= 0.05 * size.max())]
    assert 0 < len(expected) < len(table)
    pd.testing.assert_frame_equal(found.carrying, expected)


def test_the_report_says_what_there_is_to_say(saved, found):
    page = html.unescape((saved / "report.html").read_text(encoding="utf-8"))
    for row in found.table.to_dict("records"):
        assert f">{row['filter']}</button>" in page
        body = next(one for one in page.split("<tbody") if f">{row['filter']}</button>" in one).replace("−", "-")
        assert f"<p>{row['verdict']}</p>" in body
        assert f"{row['contribution']:+.3f}" in body
        if np.isfinite(row["contribution_low"]):
            assert f"{row['contribution_low']:+.3f} to {row['contribution_high']:+.3f}" in body
        assert f"{row['n_sites']} <small>{row['sites_in']}<br>{row['n_other_sites']} of the others" in body
    assert found.answer in page
    assert all(warning in page for warning in found.warnings())
    assert f"{found.faithfulness}" in page


def test_saved_anew_the_bytes_are_the_same(saved, make_model, positives, negatives, tmp_path):
    interpret(make_model(), positives, negatives).save(tmp_path, "Title & more")
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (saved / name).read_bytes(), name


def test_plot(found):
    figure = found.plot(max_filters=2)
    assert isinstance(figure, Figure)
    assert len(figure.axes) == 2 * 2
    assert figure.axes[0].get_title("left").startswith(found.table["filter"][0])
    assert len(found.plot(max_filters=None).axes) == 2 * 6


def test_a_notebook_shows_the_table(found):
    shown = found._repr_html_()
    assert shown.startswith(f"<p>{found.answer}</p>")
    assert "<script" not in shown
    assert shown.count("<svg role") >= 2 * len(found.table)
    for text in ("filter_5", "CTCF_known1", "Verdict"):
        assert text in shown


def test_pearson_matches(make_model, positives, negatives):
    found = interpret(make_model(), positives, negatives, distance="pearson", measure_faithfulness=False)
    ppms = {name: Motif(ppm, n) for name, ppm, n in _compared(found)}
    pd.testing.assert_frame_equal(found.matches, compare_motifs(ppms, distance="pearson"))
    with pytest.raises(InputError, match="distance 'cosine', expected"):
        interpret(make_model(), positives, negatives, distance="cosine", measure_faithfulness=False)


def _refused(found):
    return found.table.loc[found.table["refused"].notna(), "filter"]


def _compared(found):
    """Name, motif and number of sites of every filter that was compared, in the model's order."""
    rows = found.table.set_index("filter").loc[found.contributions["filter"]]
    rows = rows[~rows.index.isin(_refused(found))]
    return [(name, found.ppms[name], int(n)) for name, n in rows["n_sites"].items()]


def test_probabilities_are_pointed_out(make_model, positives, negatives):
    model = nn.Sequential(make_model(), nn.Sigmoid())
    quick = {"measure_faithfulness": False}
    with pytest.warns(UserWarning, match="all outputs lie between 0 and 1"):
        found = interpret(model, positives, negatives, **quick, func=lambda y: 1 * y)
    assert any("torch.logit(y, eps=1e-6)" in note for note in found.notes())
    found = interpret(model, positives, negatives, **quick, func=lambda y: torch.logit(y, eps=1e-6))
    assert not any("torch.logit" in note for note in found.notes())


class Times(nn.Module):
    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return self.factor * x.abs()


def test_a_sigmoid_at_the_end_is_read_by_its_logit(make_model, positives, negatives):
    with pytest.warns(UserWarning, match="the model ends in a sigmoid: what is read is the logit before it"):
        found = interpret(nn.Sequential(make_model(), nn.Sigmoid()), positives, negatives, measure_faithfulness=False)
    expected = interpret(make_model(), positives, negatives, measure_faithfulness=False)
    pd.testing.assert_frame_equal(found.table, expected.table)
    assert set(found.contributions["output"]) == {"before its sigmoid"}
    weak = nn.Sequential(make_model(), Times(1e-3), nn.Sigmoid())  # logits between 0 and 1 are no probabilities
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "the model ends in a sigmoid")
        warnings.filterwarnings("ignore", ".*have no 95 % interval")
        interpret(weak, positives, negatives, measure_faithfulness=False)
    assert any("before its sigmoid" in note for note in found.notes())


def test_contributions_that_point_the_wrong_way_are_told(dna):
    """A sigmoid is flat where it is sure: what raises the probability most has the smallest gradient."""
    torch.manual_seed(0)
    positives, negatives = dna(60, 40, 0), dna(60, 40, 1)
    site = nn.functional.one_hot(torch.tensor([0, 1, 2, 3, 0, 1, 2]), 4).T.float()
    positives[:, :, 10:17] = site
    model = nn.Sequential(nn.Conv1d(4, 4, 7), nn.ReLU(), nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.Linear(4, 1))
    with torch.no_grad():
        model[0].weight.mul_(0.3)[0] = 2 * site - 1
        model[0].bias[0] = -2
        model[4].weight.fill_(0.3)[0, 0] = 4
        model[4].bias.fill_(-3)
    with (
        pytest.warns(UserWarning, match=r"contributions disagree with exact ablation \(r = -1.00 .*slope -2"),
        pytest.warns(UserWarning, match="all outputs lie between 0 and 1"),
    ):
        interpret(nn.Sequential(model, nn.Sigmoid()), positives, negatives, func=lambda y: 1 * y)


def test_shown_in_a_line(found):
    assert repr(found).startswith("Interpretation of 6 filters. On these sequences the model reaches auROC")
    assert len(repr(found)) < 600


def test_strands_are_compared_as_strand_consistency_does(found, make_model, positives, negatives):
    expected = strand_consistency(make_model(), torch.cat([positives[:N_OF_STRANDS], negatives[:N_OF_STRANDS]]))
    pd.testing.assert_frame_equal(found.strands.table, expected.table)
    np.testing.assert_array_equal(found.strands.logits["reverse"], expected.logits["reverse"])


def test_distributions_count_every_sequence_and_have_the_mean_of_the_table(found, by_filter):
    for name, one in found.distributions.items():
        assert (one.positives.sum(), one.negatives.sum()) == (N_POSITIVES, N_NEGATIVES)
        middles, width = (one.edges[1:] + one.edges[:-1]) / 2, one.edges[1] - one.edges[0]
        for counts, column in ((one.positives, "mean_positive"), (one.negatives, "mean_negative")):
            assert (counts * middles).sum() / counts.sum() == pytest.approx(by_filter[column][name], abs=width / 2)


def test_a_match_tells_the_share_of_the_known_motif_that_it_covers(found, by_filter, known):
    """Counted position by position from the columns of Tomtom's table."""
    for row in best_matches(found.matches).to_dict("records"):
        if row["Target_ID"] != by_filter["best_match"][row["Query_ID"]]:
            continue
        information = information_content(known[row["Target_ID"]])
        information = information[::-1] if row["Orientation"] == "-" else information
        width = found.ppms[row["Query_ID"]].shape[1]
        under = [bits for i, bits in enumerate(information) if 0 <= i - row["Optimal_offset"] < width]
        assert by_filter["match_covered"][row["Query_ID"]] == pytest.approx(sum(under) / sum(information))
    assert by_filter["match_covered"]["filter_0"] > 0.9


def test_letters_of_the_best_sites_are_those_of_the_sequences_as_the_filter_reads_them(found, positives, negatives):
    sequences = {"positives": decode(positives), "negatives": decode(negatives)}
    strands = set()
    for row in found.best_sites.to_dict("records"):
        letters = sequences[row["sites_in"]][row["sequence"]][row["start"] : row["end"]]
        if row["strand"] == "-":
            letters = letters[::-1].translate(str.maketrans("ACGT", "TGCA"))
        assert row["letters"] == letters
        strands.add(row["strand"])
    assert strands == {"+", "-"}
    for name, rows in found.best_sites.groupby("filter"):
        first = found.sites[found.sites["filter"] == name].head(len(rows))
        np.testing.assert_array_equal(rows["site_contribution"], first["site_contribution"])


def test_the_digest_is_of_the_letters_whatever_they_came_as(found, make_model, positives, negatives, tmp_path):
    paths = [tmp_path / "a.fa", tmp_path / "b.fa"]
    for path, x in zip(paths, (positives, negatives), strict=True):
        write_fasta(path, decode(x), [f"s{i}" for i in range(len(x))])
    of_files = interpret(make_model(), *paths, measure_faithfulness=False).origin
    expected = hashlib.sha256("".join(f"{letters}\n" for letters in decode(positives)).encode()).hexdigest()
    assert found.origin.sequences["positives"] == f"160 sequences of 100 bp, letters {expected}"
    assert of_files.sequences["positives"] == f"a.fa: 160 sequences of 100 bp, letters {expected}"
    assert of_files.sequences["negatives"] == f"b.fa: {found.origin.sequences['negatives']}"
    assert of_files.model == found.origin.model
    other = make_model()
    with torch.no_grad():
        other.conv1.weight[0, 0, 0] += 1
    assert interpret(other, *paths, measure_faithfulness=False).origin.model != found.origin.model


@pytest.mark.filterwarnings("ignore:fit")
def test_the_history_of_a_training_is_kept_with_the_model_and_shown(positives, negatives, tmp_path):
    data = load_dataset(positives, negatives)
    model = compact_model(1, 2, LENGTH, widths=(WIDTH,), pool=20, stride=20)
    history = fit(model, data, data, seed=0, recipe="paper", epochs=3, progress=False)
    save_model(model, tmp_path)
    with pytest.warns(UserWarning, match="the very ones that the model was trained on"):
        trained = interpret(load_model(tmp_path), positives, negatives, measure_faithfulness=False)
    pd.testing.assert_frame_equal(trained.history, history.drop(columns="is_best").astype(float), check_dtype=False)
    trained.to_html(tmp_path / "report.html")
    assert "Training: validation auROC" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_leakage_of_the_training_stands_in_the_report(make_model, positives, negatives):
    model = make_model()
    kept = {"shared": 3, "contradicted": 0, "overlapping": 0, "train_duplicates": 0, "valid_duplicates": 2}
    model.provenance["leakage"] = kept
    notes = interpret(model, positives, negatives, measure_faithfulness=False).notes()
    said = [note for note in notes if note.startswith("When the model was trained: ")]
    assert len(said) == 2
    assert "3 validation sequences also stand in the training set" in said[0]
    for edited in ({"shared": 3}, "none", {**kept, "more": 1}):
        model.provenance["leakage"] = edited
        assert interpret(model, positives, negatives, measure_faithfulness=False).leakage == ()


def test_a_model_at_chance_is_told_at_once_and_on_the_page(make_model, positives, tmp_path):
    half = len(positives) // 2
    with pytest.warns(UserWarning, match="no better than chance"):
        found = interpret(make_model(), positives[:half], positives[half:], measure_faithfulness=False)
    assert found.n_sequences == (half, len(positives) - half)
    assert any("no better than chance" in said for said in found.warnings())
    found.to_html(tmp_path / "report.html")
    assert "no better than chance" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_swapped_classes_are_warned_of_in_python(make_model, positives, negatives):
    with pytest.warns(UserWarning, match="is below chance; are positives and negatives the right way round"):
        found = interpret(make_model(), negatives, positives, measure_faithfulness=False)
    assert any("the wrong way round" in said for said in found.warnings())
    assert "outputs" not in found.answer
    assert not any("no better than chance" in said for said in found.warnings())


class TwoClasses(nn.Module):
    """A softmax over the negative class and the positive one."""

    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, x):
        z = self.model(x)
        return torch.cat([-z, z], 1).log_softmax(1)


@pytest.mark.filterwarnings("ignore:the model ends in a log_softmax")
def test_of_several_outputs_the_one_that_was_read_is_told_below_chance(make_model, positives, negatives, tmp_path):
    told = "the model has 2 outputs, of which output 0 was read; name another by target .--target on the command line"
    model = TwoClasses(make_model())
    with pytest.warns(UserWarning, match=rf"is below chance; {told}., or are positives and negatives the right way"):
        found = interpret(model, positives, negatives, measure_faithfulness=False)
    assert "of which output 0 was read; name another by target" in found.answer
    assert sum("name another by target" in said for said in found.warnings()) == 1
    found.to_html(tmp_path / "report.html")
    assert "are both classes the right way round" in (tmp_path / "report.html").read_text(encoding="utf-8")
    found = interpret(model, positives, negatives, target=1, measure_faithfulness=False)
    assert found.performance["auroc"] > 0.5
    assert "outputs" not in found.answer + " ".join(found.warnings())


def test_repeats_of_what_is_read_stand_in_the_report(make_model, positives, negatives):
    with pytest.warns(UserWarning, match="interpret: 2 sequences of the positives stand in it more than once"):
        found = interpret(make_model(), torch.cat([positives, positives[:2]]), negatives, measure_faithfulness=False)
    assert len(found.repeats) == 1
    assert sum("Of the sequences that were read, 2 sequences of the positives" in note for note in found.notes()) == 1


@pytest.mark.filterwarnings("ignore:fit")
def test_reading_the_training_data_is_told(make_model, positives, negatives, tmp_path):
    model = make_model()
    model.provenance["train_sha256"] = load_dataset(positives, negatives).sha256
    with pytest.warns(UserWarning, match="interpret: these sequences are the very ones that the model was trained on"):
        found = interpret(model, decode(positives), negatives, measure_faithfulness=False)
    assert found.is_training_data
    found.to_html(tmp_path / "report.html")
    assert "These sequences are the very ones that the model" in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert not interpret(model, positives[1:], negatives, measure_faithfulness=False).is_training_data


def test_few_sequences_are_told_as_such(make_model, positives, negatives):
    with pytest.warns(UserWarning, match="4 positives and 4 negatives are too few to tell whether the model tells"):
        found = interpret(make_model(), positives[:4], negatives[:4], measure_faithfulness=False)
    assert "no better than chance" not in " ".join(found.warnings())


def test_filters_without_an_interval_are_told(make_model, positives, negatives):
    with pytest.warns(UserWarning, match="interpret: the contributions of 5 filters have no 95 % interval: a class"):
        found = interpret(make_model(), positives[:9], negatives, measure_faithfulness=False)
    assert found.table[["contribution_low", "contribution_high"]].isna().all(axis=None)
    assert any("The contributions of 5 filters have no 95 % interval" in note for note in found.notes())
    assert any("a class has fewer than 10 sequences" in said for said in found.warnings())


def test_doubts_of_the_training_stand_in_the_report(make_model, positives, negatives):
    model = make_model()
    model.provenance["doubts"] = ["the model may have learned nothing: so it is."]
    notes = interpret(model, positives, negatives, measure_faithfulness=False).notes()
    assert "When the model was trained: the model may have learned nothing: so it is." in notes
    model.provenance["doubts"] = 3
    assert interpret(model, positives, negatives, measure_faithfulness=False).leakage == ()
