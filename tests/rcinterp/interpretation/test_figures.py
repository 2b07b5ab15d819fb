"""Figures of an interpretation: what they draw is what its tables say; errors say why there is nothing to draw."""

import dataclasses
import hashlib
import re
import warnings

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.colors import to_hex
from torch import nn

from rcinterp.data.sequences import decode
from rcinterp.errors import InputError
from rcinterp.interpretation import interpret
from rcinterp.interpretation.answer import word_of
from rcinterp.motifs import information_content, load_motifs, reverse_complement_motif
from rcinterp.motifs.groups import name_in_full
from rcinterp.reading.reader import Reader
from rcinterp.report.contribution_figure import TONES
from rcinterp.report.logos import ACCESSIBLE_COLORS
from rcinterp.training.models import compact_model

LENGTH, WIDTH, N = 80, 19, 70


def log_odds(ppm):
    weight = np.log2(0.95 * ppm / 0.25 + 0.05)
    left = (WIDTH - weight.shape[1]) // 2
    return np.pad(weight, ((0, 0), (left, WIDTH - weight.shape[1] - left)))


def plant(ppm, n, seed):
    rng = np.random.default_rng(seed)
    codes = rng.integers(4, size=(n, LENGTH))
    for row in codes:
        site = np.array([rng.choice(4, p=column) for column in ppm.T])
        start = rng.integers(LENGTH - len(site))
        row[start : start + len(site)] = site if rng.random() < 0.5 else 3 - site[::-1]
    return nn.functional.one_hot(torch.tensor(codes), 4).transpose(1, 2).float().contiguous()


@pytest.fixture(scope="module")
def classes():
    known = load_motifs("encode")
    return plant(known["CTCF_known1"], N, 1), plant(known["SPI1_known3"], N + 3, 2)


@pytest.fixture(scope="module")
def model():
    """CTCF, its reverse complement, a dead filter, one of the negatives, and one that contributes little."""
    known = load_motifs("encode")
    ctcf = log_odds(known["CTCF_known1"])
    wanted = [ctcf, reverse_complement_motif(ctcf), np.zeros((4, WIDTH)), log_odds(known["SPI1_known3"]), ctcf]
    filters = torch.tensor(np.stack(wanted)).float()
    made = compact_model(1, 5, LENGTH, n_tasks=2, widths=(WIDTH,), pool=20, stride=20)
    with torch.no_grad():
        made.conv1.weight.copy_(filters)
        made.conv1.bias.copy_(-0.5 * filters.amax(1).sum(1))
        made.conv1.bias[2] = -100
        read_out = torch.tensor([1.0, 0.7, 1.0, -1.0, 1e-4])
        made.weighted_sum.weight.copy_(read_out[:, None].expand(-1, made.architecture.pooled_length))
        made.head.weight.copy_(torch.tensor([[1.0], [0.5]]).expand(-1, made.head.weight.shape[1]))
    return made.eval()


@pytest.fixture(scope="module")
def found(model, classes):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return interpret(model, *classes, measure_faithfulness=False)


@pytest.fixture(scope="module")
def deep(classes):
    """Of a second convolution, which reads no letters."""
    torch.manual_seed(3)
    net = nn.Sequential(nn.Conv1d(4, 6, 7), nn.ReLU(), nn.Conv1d(6, 3, 5), nn.ReLU())
    net = nn.Sequential(*net, nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.Linear(3, 1))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return interpret(net, *classes, layer="2", measure_faithfulness=False)


def heights(ax):
    """Left end and signed height of every letter of a logo: {letter: (n, 2)}."""
    found = {}
    for letters in ax.collections:
        if isinstance(letters, PathCollection) and letters.get_label() in "ACGT":
            boxes = np.array([path.get_extents().extents for path in letters.get_paths()])
            found[letters.get_label()] = boxes
    return found


def drawn_matrix(ax):
    """First position of a logo of letters above its axis, and their heights (4, W)."""
    boxes = heights(ax)
    matrix = np.stack([boxes[letter][:, 3] - boxes[letter][:, 1] for letter in "ACGT"])
    centres = np.stack([(boxes[letter][:, 0] + boxes[letter][:, 2]) / 2 for letter in "ACGT"])
    return round(float(centres[:, 0].mean())), matrix


def every_figure(found, filter):
    return {
        "plot": found.plot(filter),
        "match": found.plot_match(filter),
        "contributions": found.plot_contributions(),
        "sites": found.plot_sites(filter),
        "strands": found.plot_strands(),
    }


# What all have in common.


def test_no_figure_is_pyplot_s_and_jupyter_shows_each(found):
    for figure in every_figure(found, "filter_0").values():
        assert figure._repr_png_().startswith(b"\x89PNG")
    assert plt.get_fignums() == []


@pytest.mark.parametrize("suffix", ["svg", "pdf"])
def test_files_are_the_same_bytes_each_time(found, tmp_path, suffix):
    for name, figure in every_figure(found, "filter_0").items():
        digests = []
        for again in (figure, every_figure(found, "filter_0")[name]):
            again.savefig(tmp_path / f"{name}.{suffix}")
            digests.append(hashlib.sha256((tmp_path / f"{name}.{suffix}").read_bytes()).hexdigest())
        assert digests[0] == digests[1], name


def test_text_can_be_edited_and_is_no_smaller_than_6_points(found, tmp_path):
    for name, figure in every_figure(found, "filter_0").items():
        figure.savefig(tmp_path / "one.svg")
        text = (tmp_path / "one.svg").read_text()
        assert "<text" in text, name
        sizes = [float(size) for size in re.findall(r"font(?:-size)?: (?:\w+ )?(\d+(?:\.\d+)?)px", text)]
        assert sizes, name
        assert min(sizes) >= 6, name
        figure.savefig(str(tmp_path / "one.pdf"))
        assert b"/Type3" not in (tmp_path / "one.pdf").read_bytes(), name


@pytest.mark.parametrize("suffix", ["svg", "pdf"])
def test_a_figure_saved_again_is_the_same_file(found, tmp_path, suffix):
    for name, figure in every_figure(found, "filter_0").items():
        written = []
        for _ in range(2):
            figure.savefig(tmp_path / f"one.{suffix}")
            written.append((tmp_path / f"one.{suffix}").read_bytes())
            figure.savefig(tmp_path / "one.png", dpi=70)
        assert written[0] == written[1], name


def test_no_text_is_cut_or_lies_on_another(found, deep, model, classes, text_problems):
    factor = {"match_factor": "NR1H3::RXRA", "match_known": "NR1H3_known22"}
    long = dataclasses.replace(found, table=found.table.assign(**factor))
    figures = [
        *every_figure(found, "filter_0").values(),
        *every_figure(found, "filter_3").values(),
        long.plot_match("filter_0", 1),
        long.plot_match("filter_1", 2),
        found.plot("filter_2"),
        found.plot_contributions(1),
        found.plot_sites("filter_1", 1),
        deep.plot_contributions(),
        deep.plot_strands(),
        *(deep.plot_sites(name) for name in deep.best_sites["filter"].unique()),
        found.plot_sequence(model, classes[0][1]),
        found.plot_sequence(model, classes[1][1], method="ism", window=(10, 30)),
    ]
    for figure in figures:
        assert text_problems(figure) == [], figure.axes[0].get_title("left")


@pytest.mark.parametrize(
    "call", [lambda f: f.plot("filter_9"), lambda f: f.plot_match("filter_9"), lambda f: f.plot_sites("filter_9")]
)
def test_an_unknown_filter_is_refused_and_near_names_are_proposed(found, call):
    with pytest.raises(InputError, match=r"there is no filter 'filter_9', expected one of 5 names such as 'filter_\d'"):
        call(found)


def test_what_is_not_finite_shows_no_letters(found):
    filters = found.filters | {"filter_0": np.full((4, WIDTH), np.nan)}
    table = found.table.assign(contribution_low=np.nan, contribution_high=np.nan)
    diverged = dataclasses.replace(found, filters=filters, table=table)
    _, drawn = drawn_matrix(diverged.plot("filter_0").axes[0])
    assert not drawn.any()
    assert not [c for c in diverged.plot_contributions().axes[0].collections if len(c.get_paths())]
    for figure in every_figure(diverged, "filter_0").values():
        assert figure._repr_png_()


def test_a_result_of_one_filter(found):
    keep = {"table": found.table[found.table["filter"] == "filter_0"].reset_index(drop=True)}
    one = dataclasses.replace(found, **keep)
    assert one.plot_contributions().axes[0].get_title("left") == "1 filter of layer conv1"
    for figure in every_figure(one, "filter_0").values():
        assert figure._repr_png_()


# plot


def test_one_filter_by_name_forward_and_reverse(found):
    forward, reverse = found.plot("filter_1").axes
    assert forward.get_title("left").startswith("filter_1 ")
    weight = found.filters["filter_1"]
    for ax, matrix in ((forward, weight), (reverse, reverse_complement_motif(weight))):
        first, drawn = drawn_matrix(ax)
        assert first == 0
        np.testing.assert_allclose(drawn, np.abs(matrix), atol=1e-9)


def test_a_number_is_taken_for_max_filters(found):
    for figure in (found.plot(2), found.plot(max_filters=2)):
        assert len(figure.axes) == 2 * 2
    assert len(found.plot(max_filters=None).axes) == 2 * 5
    with pytest.raises(InputError, match="max_filters=0"):
        found.plot(0)


# plot_match


@pytest.mark.parametrize("name", ["filter_0", "filter_1", "filter_3"])
def test_a_match_lies_as_the_table_of_matches_says(found, name):
    row = found.table.set_index("filter").loc[name]
    rows = found.matches[found.matches["Query_ID"] == name].set_index("Target_ID")
    match = rows.loc[row["best_match"]]
    upper, lower = found.plot_match(name).axes
    first, drawn = drawn_matrix(upper)
    assert first == 0
    np.testing.assert_allclose(drawn, found.ppms[name] * information_content(found.ppms[name]), atol=1e-9)
    known = found.targets[row["best_match"]]
    known = reverse_complement_motif(known) if match["Orientation"] == "-" else known
    first, drawn = drawn_matrix(lower)
    assert first == -match["Optimal_offset"]
    np.testing.assert_allclose(drawn, known * information_content(known), atol=1e-9)
    shaded = lower.patches[0].get_extents()
    left, right = (lower.transData.inverted().transform((x, 0))[0] for x in (shaded.x0, shaded.x1))
    assert right - left == pytest.approx(match["Overlap"])
    assert left == pytest.approx(max(0, first) - 0.5)


def test_a_filter_and_its_reverse_complement_match_in_opposite_orientations(found):
    rows = found.table.set_index("filter").loc[["filter_0", "filter_1"]]
    assert rows["best_match"].nunique() == 1
    assert set(rows["match_orientation"]) == {"+", "-"}
    for name, orientation in rows["match_orientation"].items():
        label = found.plot_match(name).axes[1].get_title("left")
        assert label.endswith("reverse complement") == (orientation == "-")


def test_the_title_of_a_match_has_its_name_in_full_and_its_values(found):
    for name in ("filter_0", "filter_3"):
        row = found.table.set_index("filter").loc[name]
        match = found.matches[(found.matches["Query_ID"] == name) & (found.matches["Target_ID"] == row["best_match"])]
        title = found.plot_match(name).get_suptitle().replace("\n", " ")
        full = name_in_full(row["best_match"], row["match_factor"], row["match_known"])
        assert title.startswith(f"{name} and {full}: q = {match['q-value'].iloc[0]:.2g}, ")
        assert f"E = {match['E-value'].iloc[0]:.2g}, {match['Overlap'].iloc[0]} bp aligned" in title


def test_other_matches_by_rank_and_by_name(found):
    best = found.table.set_index("filter").loc["filter_0", "best_match"]
    rows = found.matches[found.matches["Query_ID"] == "filter_0"]
    other = next(target for target in rows["Target_ID"] if target != best)
    for figure in (found.plot_match("filter_0", 2), found.plot_match("filter_0", other)):
        assert f"filter_0 and {other}: q" in figure.get_suptitle()
        assert "not the match that the filter is named after" in figure.get_suptitle()
    with pytest.raises(InputError, match=r"got match=99, expected 1 to \d: so many matches are kept of 'filter_0'"):
        found.plot_match("filter_0", 99)
    with pytest.raises(InputError, match=f"got match='nobody', expected a motif that is kept of 'filter_0': '{best}'"):
        found.plot_match("filter_0", "nobody")


def test_a_filter_without_a_match_says_why(found):
    with pytest.raises(
        InputError, match=r"filter 'filter_2' has no match: no p-value: it has no site; expected .*'filter_\d'"
    ):
        found.plot_match("filter_2")
    unlike = dataclasses.replace(found, matches=found.matches[found.matches["Query_ID"] != "filter_0"])
    with pytest.raises(InputError, match=r"none of the known motifs resembles it at q <= 0\.5"):
        unlike.plot_match("filter_0")
    nothing = dataclasses.replace(found, matches=found.matches[:0])
    with pytest.raises(InputError, match="and neither has any other filter"):
        nothing.plot_match("filter_0")


def test_a_match_that_is_no_name_says_so(found):
    table = found.table.copy()
    table.loc[table["filter"] == "filter_0", "match_q"] = 0.3
    title = dataclasses.replace(found, table=table).plot_match("filter_0").get_suptitle()
    assert title.endswith("no name for it: q is above 0.01")


# plot_contributions


def test_bars_are_the_contributions_the_largest_first(found):
    ax = found.plot_contributions().axes[0]
    rows = found.table.iloc[np.argsort(-found.table["contribution"].abs(), kind="stable")]
    assert [text.get_text() for text in ax.get_yticklabels()] == rows["filter"].tolist()
    assert [bar.get_width() for bar in ax.patches] == rows["contribution"].tolist()
    lines = [one for one in ax.collections if isinstance(one, LineCollection)]
    for one in lines:
        ends = np.array([path.vertices[:, 0] for path in one.get_paths()])
        intervals = rows[["contribution_low", "contribution_high"]].dropna()  # a silent filter has none
        np.testing.assert_allclose(ends, intervals.to_numpy(float))
    assert lines


def test_each_bar_has_the_word_and_the_colour_of_its_verdict(found):
    figure = found.plot_contributions()
    ax = figure.axes[0]
    (words,) = (child for child in ax.child_axes)
    rows = found.table.set_index("filter").loc[[text.get_text() for text in ax.get_yticklabels()]]
    expected = [word_of(row) for row in rows.reset_index().to_dict("records")]
    assert [text.get_text() for text in words.get_yticklabels()] == [word for word, _ in expected]
    for bar, (_, tone) in zip(ax.patches, expected, strict=True):
        assert to_hex(bar.get_facecolor()) == TONES[tone][0].lower()
        assert (bar.get_hatch() or "") == TONES[tone][1]
    legend = {text.get_text() for text in figure.legends[0].get_texts()}
    assert legend == {TONES[tone][2] for _, tone in expected}


def test_contributions_of_some_filters(found):
    ax = found.plot_contributions(2).axes[0]
    assert len(ax.patches) == 2
    assert ax.get_title("left") == "The 2 largest of 5 filters of layer conv1"
    with pytest.raises(InputError, match="plot_contributions: got max_filters=0"):
        found.plot_contributions(0)


# plot_sites


def test_letters_are_those_of_the_sites(found, classes):
    _, rows, histogram = found.plot_sites("filter_0").axes
    own = found.sites[found.sites["filter"] == "filter_0"]
    lines = {}
    for text in rows.texts:
        lines.setdefault(round(text.get_position()[1]), []).append(text)
    assert len(lines) == 8
    for y, texts in lines.items():
        *letters, beside = texts
        site = own.iloc[y]
        x = classes[0 if site["sites_in"] == "positives" else 1][site["sequence"], :, site["start"] : site["end"]]
        x = x if site["strand"] == "+" else x.flip(0, 1)
        (expected,) = decode(x[None])
        assert "".join(text.get_text() for text in letters) == expected
        assert [text.get_position()[0] for text in letters] == list(range(WIDTH))
        assert [text.get_color() for text in letters] == [ACCESSIBLE_COLORS[letter] for letter in expected]
        assert beside.get_text().startswith(f"{site['site_contribution']:+.3g}")
        assert f"sequence {site['sequence']}, {site['start']}–{site['end']} ({site['strand']})" in beside.get_text()
    middles = (own["start"] + own["end"]) / 2
    (stairs,) = (patch for patch in histogram.patches if hasattr(patch, "get_data"))
    counts, edges, _ = stairs.get_data()
    np.testing.assert_array_equal(counts, np.histogram(middles, edges)[0])
    assert (counts.sum(), edges[0], edges[-1]) == (len(own), 0, LENGTH)


def test_a_logo_lies_on_the_letters_of_its_sites(deep, classes):
    """... where flanks without information were left out, which here they are on the left."""
    shifted = 0
    for name, start in deep.motif_starts.items():
        own = deep.sites[deep.sites["filter"] == name]
        if len(own) < 5:
            continue
        logo, _, _ = deep.plot_sites(name).axes
        first, drawn = drawn_matrix(logo)
        np.testing.assert_allclose(drawn, deep.filters[name], atol=1e-9)
        assert first == start
        counts = np.full((4, 11), 0.25)
        for site in own.itertuples():
            counts += classes[0 if site.sites_in == "positives" else 1][site.sequence, :, site.start : site.end].numpy()
        ppm = counts / counts.sum(0)
        np.testing.assert_allclose(ppm[:, start : start + drawn.shape[1]], deep.ppms[name])
        shifted += start > 0
    assert shifted


def test_flanks_that_a_motif_shows_lie_beside_its_filter(model, classes):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wide = interpret(model, *classes, measure_faithfulness=False, flank=4)
    own = wide.sites[wide.sites["filter"] == "filter_0"]
    start, ppm = wide.motif_starts["filter_0"], wide.ppms["filter_0"]
    whole = own[(own["start"] >= 4) & (own["end"] + 4 <= LENGTH)]
    counts = np.full((4, ppm.shape[1]), 0.25)
    for site in whole.itertuples():
        x = classes[0][site.sequence].numpy()
        x, first = (x, site.start) if site.strand == "+" else (x[::-1, ::-1], LENGTH - site.end)
        counts += x[:, first + start : first + start + ppm.shape[1]]
    np.testing.assert_allclose(counts / counts.sum(0), ppm)


def test_fewer_sites_and_none(found):
    figure = found.plot_sites("filter_0", 1)
    assert len(figure.axes[1].texts) == WIDTH + 1
    assert figure.texts[0].get_text().endswith("in the positives, the best shown")
    with pytest.raises(InputError, match=r"filter 'filter_2' has no site on these sequences \(dead: .*'filter_0'"):
        found.plot_sites("filter_2")
    with pytest.raises(InputError, match="plot_sites: got n_sites=0"):
        found.plot_sites("filter_0", 0)


# plot_strands


@pytest.mark.parametrize("task", [None, 0, 1])
def test_points_are_the_logits_of_both_strands(found, task):
    figure = found.plot_strands(task)
    identity, points = figure.axes[0].lines
    logits = found.strands.logits[found.strands.logits["task"] == (task or 0)]
    np.testing.assert_array_equal(points.get_data(), [logits["forward"], logits["reverse"]])
    assert np.array_equal(*identity.get_data())
    assert figure.axes[0].get_xlim() == figure.axes[0].get_ylim()
    assert figure.get_suptitle().startswith(f"output {task or 0} (of 2, counted from 0)\n143 sequences")


def test_strands_that_are_not_there_or_all_alike(found):
    with pytest.raises(InputError, match="got target=2, expected one of the model's outputs, 0 to 1"):
        found.plot_strands(2)
    with pytest.raises(InputError, match="holds no logits of the two strands"):
        dataclasses.replace(found, strands=None).plot_strands()
    alike = found.strands.logits.assign(forward=1.0, reverse=1.0)
    table = found.strands.table.assign(logit_correlation=np.nan, rc_difference=0.0)
    flat = dataclasses.replace(found.strands, logits=alike, table=table)
    assert dataclasses.replace(found, strands=flat).plot_strands()._repr_png_()


# plot_sequence of a result


def test_a_sequence_of_a_result_names_its_filters(found, model, classes):
    site = found.sites[found.sites["filter"] == "filter_0"].iloc[0]
    figure = found.plot_sequence(model, classes[0][site["sequence"]])
    labels = [text.get_text() for text in figure.axes[1].get_yticklabels()]
    assert "filter_0 · CTCF" in labels
    assert pd.isna(found.table.set_index("filter").loc["filter_2", "best_match"])
    assert not any(label.startswith("filter_2") for label in labels)
    reader = Reader(model, "conv1", 1)
    other = found.plot_sequence(reader, classes[0][site["sequence"]], max_filters=1)
    assert len(other.axes[1].get_yticklabels()) == 1
