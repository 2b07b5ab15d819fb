"""Bars and crosses stand for scores and for models that do not show a pattern."""

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from rcinterp.stability.drawing import draw_consensus, draw_contributions, limits_of, plot_patterns

CONTRIBUTIONS = pd.DataFrame(
    [[2.0, np.nan, -0.5], [np.nan, np.nan, 1.0]], index=["pattern_0", "pattern_1"], columns=["seed 0", "s1", "s2"]
)


def test_a_bar_for_each_score_and_a_cross_for_each_absence():
    ax = Figure().subplots()
    draw_contributions(CONTRIBUTIONS.loc["pattern_0"], ax)
    bars = {round(bar.get_x() + bar.get_width() / 2): bar.get_height() for bar in ax.patches}
    assert bars == {0: 2.0, 2: -0.5}
    assert ax.lines[0].get_xdata().tolist() == [1]


def test_a_consensus_is_drawn_in_bits(known):
    ax = Figure().subplots()
    draw_consensus(known["CTCF_known1"], ax, "CTCF")
    assert ax.get_ylim() == (0, 2)
    assert ax.get_ylabel() == "bits"
    letters = {collection.get_label(): collection for collection in ax.collections}
    tallest = max(path.vertices[:, 1].max() for path in letters["G"].get_paths() if len(path.vertices))
    assert 1.5 < tallest <= 2


def test_all_patterns_have_one_scale_and_the_models_their_names(known):
    figure = plot_patterns(["one", "two"], [known["CTCF_known1"], known["MYC_known1"]], CONTRIBUTIONS)
    right = figure.axes[1::2]
    assert right[0].get_ylim() == right[1].get_ylim() == limits_of(CONTRIBUTIONS)
    assert [text.get_text() for text in right[1].get_xticklabels()] == ["seed 0", "s1", "s2"]
    assert [ax.get_title("left") for ax in figure.axes[::2]] == ["one", "two"]


@pytest.mark.parametrize(
    ("values", "expected"), [([1.0, 2.0], (-0.16, 2.16)), ([-1.0, np.nan], (-1.08, 0.08)), ([-1.0, 1.0], (-1.16, 1.16))]
)
def test_the_axis_holds_every_score_and_zero(values, expected):
    assert limits_of(pd.DataFrame([values])) == pytest.approx(expected)
