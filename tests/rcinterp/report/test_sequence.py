"""plot_sequence: its logo is what the bases contribute, its arrows are the filters' sites, in the window it says."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex
from matplotlib.patches import Polygon
from torch import nn

from rcinterp import plot_sequence
from rcinterp.data.sequences import decode, one_hot
from rcinterp.errors import InputError
from rcinterp.reading.one_sequence import thin_sites
from rcinterp.reading.reader import Reader
from rcinterp.report.figures import BLUE, FAINT
from rcinterp.report.sequence import LEAST_SHARE, WHOLE_LENGTH, WINDOW_LENGTH, richest_window
from rcinterp.training.models import compact_model

MOTIF = "TGACTCA"


@pytest.fixture
def model():
    """One filter that fires at TGACTCA, and one that fires at its T C A and lowers the logit; on both strands."""
    made = compact_model(1, 2, 60, widths=(7,), pool=54, stride=54)
    with torch.no_grad():
        made.conv1.weight.zero_()
        made.conv1.weight[0] = 2 * one_hot([MOTIF])[0] - 0.5
        made.conv1.weight[1, :, 4:] = one_hot(["CCC"])[0] - 0.25
        made.conv1.bias.copy_(torch.tensor([-7.0, -1.0]))
        made.weighted_sum.weight.copy_(torch.tensor([[1.0], [-1.0]]))
        made.head.weight.fill_(1.0)
    return made.eval()


@pytest.fixture
def sequence():
    return "A" * 20 + MOTIF + "A" * 10 + "ATATCCC" + "A" * 16


def letters_of(ax):
    """Position and signed height of every letter that has one."""
    found = {}
    for drawn in ax.collections:
        if isinstance(drawn, PathCollection):
            for path in drawn.get_paths():
                x0, y0, x1, y1 = path.get_extents().extents
                if y1 - y0 > 1e-12:
                    sign = 1 if y1 > 1e-9 else -1
                    found[round((x0 + x1) / 2)] = (drawn.get_label(), sign * (y1 - y0))
    return found


def arrows_of(ax):
    return [patch for patch in ax.patches if isinstance(patch, Polygon)]


def test_letters_are_the_contributions_of_the_bases(model, sequence):
    figure = plot_sequence(model, sequence)
    contributions = Reader(model).read_sequence(sequence).contributions
    drawn = letters_of(figure.axes[0])
    assert set(drawn) == set(np.flatnonzero(contributions.sum(0)))
    for position, (letter, height) in drawn.items():
        assert letter == sequence[position]
        assert height == pytest.approx(contributions.sum(0)[position], rel=1e-6)
    assert figure.axes[0].get_xlim() == pytest.approx((-0.6, 59.6))
    assert plt.get_fignums() == []
    assert figure._repr_png_()


def test_arrows_are_the_sites_along_their_strand(model, sequence):
    turned = decode(one_hot([sequence]).flip(1, 2))[0]
    for given, is_reverse in ((sequence, False), (turned, True)):
        figure = plot_sequence(model, given, names={"filter_0": "AP-1"})
        lanes = figure.axes[1]
        sites = thin_sites(Reader(model).read_sequence(given).sites, LEAST_SHARE)
        assert [text.get_text() for text in lanes.get_yticklabels()] == ["filter_0 · AP-1", "filter_1"]
        first = next(a for a in arrows_of(lanes) if round(a.get_xy()[:, 1].mean()) == 0)
        corners = first.get_xy()
        site = sites[sites["filter"] == "filter_0"].iloc[0]
        assert (site["start"], site["strand"]) == ((33, "-") if is_reverse else (20, "+"))
        assert (corners[:, 0].min(), corners[:, 0].max()) == (site["start"] - 0.5, site["end"] - 0.5)
        point = corners[np.isclose(corners[:, 1], 0), 0]
        assert point[0] == (corners[:, 0].min() if is_reverse else corners[:, 0].max())
        assert to_hex(first.get_facecolor()) == BLUE.lower()
        hollow = next(a for a in arrows_of(lanes) if round(a.get_xy()[:, 1].mean()) == 1)
        assert to_hex(hollow.get_facecolor()) == "#ffffff"
        assert {text.get_text() for text in lanes.texts} >= {f"{site['site_contribution']:+.2g}"}


def test_a_long_sequence_is_shown_where_it_contributes(model):
    net = nn.Sequential(model.conv1, nn.ReLU(), nn.AdaptiveMaxPool1d(1), nn.Flatten(), nn.Linear(4, 1, bias=False))
    nn.init.ones_(net[-1].weight)
    long = "A" * 700 + MOTIF + "A" * 293
    figure = plot_sequence(net, long)
    (title,) = (text.get_text() for text in figure.texts[-1:])
    assert title.startswith("654–754 of 1,000 bp, about the sites that contribute most · logit ")
    assert "".join(letter for _, (letter, _) in sorted(letters_of(figure.axes[0]).items())) == MOTIF
    assert figure.axes[0].get_xlim() == pytest.approx((653.4, 753.6))
    assert WHOLE_LENGTH < 1000
    assert WINDOW_LENGTH == 100


def test_windows():
    contributions = np.zeros((4, 50))
    contributions[2, 30] = -1
    assert richest_window(contributions, 11) == (25, 36)
    assert richest_window(np.zeros((4, 50)), 10) == (20, 30)


def test_a_window_of_one_s_own(model, sequence):
    figure = plot_sequence(model, sequence, window=(22, 40))
    assert set(letters_of(figure.axes[0])) == set(range(22, 27))
    assert figure.texts[-1].get_text().startswith("22–40 of 60 bp · ")
    assert len(arrows_of(figure.axes[1])) >= 1  # the site at 20 reaches into it
    for window in ((5, 5), (0, 61), (-1, 5), (3,), 7, ("a", "b"), (1, 2, 3)):
        with pytest.raises(InputError, match=r"got window=.*, expected \(start, end\) in bp .* end <= 60"):
            plot_sequence(model, sequence, window=window)


def test_filters_at_most(model, sequence):
    assert [t.get_text() for t in plot_sequence(model, sequence, max_filters=1).axes[1].get_yticklabels()] == [
        "filter_0"
    ]
    assert len(plot_sequence(model, sequence, max_filters=0).axes) == 1
    with pytest.raises(InputError, match="plot_sequence: got max_filters=-1"):
        plot_sequence(model, sequence, max_filters=-1)


def test_a_model_without_a_convolution_has_bases_but_no_sites():
    torch.manual_seed(0)
    linear = nn.Sequential(nn.Flatten(), nn.Linear(4 * 11, 1))
    assert len(letters_of(plot_sequence(linear, "ACGTTGCANGT", max_filters=0).axes[0])) == 10


def test_a_sequence_at_which_nothing_fires(model):
    figure = plot_sequence(model, "A" * 60)
    assert len(figure.axes) == 1
    assert not letters_of(figure.axes[0])


def test_best_matches_are_grey_where_no_contribution_of_a_place_is_to_be_had():
    torch.manual_seed(0)
    pooled = nn.Sequential(nn.Conv1d(4, 3, 5), nn.MaxPool1d(4), nn.ReLU(), nn.Flatten(), nn.Linear(3 * 4, 1))
    figure = plot_sequence(pooled, "ACGTTGCATGGTCATTACGA")
    assert {to_hex(arrow.get_facecolor()) for arrow in arrows_of(figure.axes[1])} == {FAINT.lower()}
    assert not figure.axes[1].texts


def test_no_text_is_cut_or_lies_on_another(model, sequence, text_problems):
    torch.manual_seed(0)
    mean = nn.Sequential(nn.Conv1d(4, 9, 9), nn.GELU(), nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(9, 1))
    long = torch.nn.functional.one_hot(torch.randint(4, (1000,)), 4).T.float()
    names = {f"filter_{i}": "MYC_known22 (USF1, as USF1_known3)" for i in range(9)}
    figures = [
        plot_sequence(model, sequence),
        plot_sequence(model, sequence, window=(20, 24)),
        plot_sequence(mean, long, names=names),
        plot_sequence(mean, long, window=(0, 1000), max_filters=3),
        plot_sequence(mean, long, max_filters=0, method="ism", window=(900, 1000)),
    ]
    for figure in figures:
        assert text_problems(figure) == []


def test_text_of_a_file_can_be_edited(model, sequence, tmp_path):
    for _ in range(2):
        plot_sequence(model, sequence).savefig(tmp_path / "one.svg")
        text = (tmp_path / "one.svg").read_text()
        assert ">filter_0</text>" in text
    plot_sequence(model, sequence).savefig(tmp_path / "two.svg")
    assert (tmp_path / "two.svg").read_text() == text


def test_places_just_above_a_threshold_do_not_hide_the_site():
    """Two of them have the gradient of two sites, and a tenth of what the one real site contributes."""
    conv = nn.Conv1d(4, 1, 5)
    with torch.no_grad():
        conv.weight.copy_(one_hot(["ACGTA"]))
        conv.bias.fill_(-3.9)
    net = nn.Sequential(conv, nn.ReLU(), nn.Flatten(), nn.Linear(396, 1, bias=False)).eval()
    nn.init.ones_(net[-1].weight)
    letters = list("G" * 400)
    for start, site in ((50, "ACGTA"), (300, "ACGTC"), (320, "ACGTC")):
        letters[start : start + 5] = site
    sequence = "".join(letters)
    reading = Reader(net).read_sequence(sequence)
    sizes = dict(zip(reading.sites["start"], reading.sites["site_contribution"], strict=True))
    assert sizes[50] == pytest.approx(1.1)
    assert sizes[300] == sizes[320] == pytest.approx(0.1)
    assert np.abs(reading.contributions[:, 290:330]).sum() > np.abs(reading.contributions[:, 40:60]).sum()
    first, end = (round(x) for x in plot_sequence(net, sequence).axes[0].get_xlim())
    assert first < 50 < 55 < end
    assert repr(reading) == f"SequenceReading of 400 bp: logit 1.3, {len(reading.sites)} sites of filters"
