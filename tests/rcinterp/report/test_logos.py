"""Logos: where every letter stands (against logomaker), what the axes and titles say, and that nothing leaks."""

from itertools import combinations, pairwise

import logomaker
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.colors import to_rgb, to_rgba
from matplotlib.figure import Figure
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from rcinterp.errors import InputError
from rcinterp.report.logos import ACCESSIBLE_COLORS, plot_filters, plot_logo

W, F = 7, 5


def boxes(ax: Axes) -> NDArray[np.float64]:
    """Left, bottom, right and top of every letter, (4, W, 4)."""
    collections = {c.get_label(): c for c in ax.collections if isinstance(c, PathCollection)}
    assert list(collections) == list("ACGT")
    return np.array([[path.get_extents().extents for path in collections[letter].get_paths()] for letter in "ACGT"])


@pytest.fixture
def weights() -> NDArray[np.float64]:
    """Weights (4, W) of either sign, two of them zero; no ties, which logomaker stacks in no fixed order."""
    matrix = np.random.default_rng(4).normal(size=(4, W))
    matrix[:, 2] = [0, 1, 0, -1]
    return matrix


@pytest.fixture
def bank() -> NDArray[np.float64]:
    """Filters (F, 4, W), each larger than the one before."""
    return np.random.default_rng(6).normal(size=(F, 4, W)) * np.arange(1, F + 1)[:, None, None]


def test_letters_stand_where_logomaker_puts_them(weights: NDArray[np.float64]) -> None:
    drawn = boxes(plot_logo(weights))
    reference = logomaker.Logo(pd.DataFrame(weights.T, columns=list("ACGT")), ax=Figure().subplots())
    n_letters = 0
    for c, letter in enumerate("ACGT"):
        for position in range(W):
            glyph = reference.glyph_df.loc[position, letter]
            if glyph.patch is None:
                assert drawn[c, position, 1] == drawn[c, position, 3]
                continue
            n_letters += 1
            assert_allclose(drawn[c, position], glyph.patch.get_path().get_extents().extents, atol=1e-9)
    assert n_letters == 4 * W - 2


def test_heights_are_those_given(weights: NDArray[np.float64]) -> None:
    drawn = boxes(plot_logo(torch.as_tensor(weights)))
    assert_allclose(drawn[..., 3] - drawn[..., 1], np.abs(weights), atol=1e-12)
    assert_allclose((drawn[..., 0] + drawn[..., 2]) / 2, np.tile(np.arange(W), (4, 1)), atol=1e-9)
    assert (drawn[..., 1] > -1e-12)[weights > 0].all()
    assert (drawn[..., 3] < 1e-12)[weights < 0].all()


def test_the_tallest_letter_is_on_top(weights: NDArray[np.float64]) -> None:
    ax = plot_logo(weights)
    tops = boxes(ax)[..., 3]
    assert tops.argmax(axis=0).tolist() == weights.argmax(axis=0).tolist()
    assert_allclose(ax.get_ylim(), [np.minimum(weights, 0).sum(0).min(), np.maximum(weights, 0).sum(0).max()])


def test_a_ppm_fills_the_unit_interval() -> None:
    ppm = np.random.default_rng(0).dirichlet(np.ones(4), size=W).T
    ax = plot_logo(ppm)
    assert_allclose(ax.get_ylim(), [0, 1])
    assert_allclose(boxes(ax)[..., 3].max(axis=0), 1)


def test_axes_go_in_and_come_out(weights: NDArray[np.float64]) -> None:
    figure = Figure(figsize=(3, 1.5))
    left, right = figure.subplots(1, 2)
    assert plot_logo(weights, right, title="name", ylabel="bits") is right
    assert (right.get_title("left"), right.get_ylabel()) == ("name", "bits")
    assert not left.collections
    assert right.get_xlim()[0] < 0
    assert right.get_xlim()[1] > W - 1


@pytest.mark.parametrize(("width", "inches"), [(5, 1.0), (21, 1.2), (21, 6.0), (180, 2.0)])
def test_positions_are_0_based_and_their_labels_do_not_overlap(width: int, inches: float) -> None:
    figure = Figure(figsize=(inches + 0.6, 1.5))
    ax = figure.add_axes((0.5 / (inches + 0.6), 0.3, inches / (inches + 0.6), 0.6))
    plot_logo(np.ones((4, width)), ax)
    figure.draw_without_rendering()
    low, high = ax.get_xlim()
    shown = [tick for tick in ax.get_xticks() if low <= tick <= high]
    assert shown[0] == 0
    assert shown[-1] <= width - 1
    assert all(tick == int(tick) for tick in shown)
    labels = [tick.label1.get_window_extent() for tick in ax.xaxis.get_major_ticks() if low <= tick.get_loc() <= high]
    assert all(a.x1 < b.x0 for a, b in pairwise(labels))


def test_letters_below_the_axis_are_paler(weights: NDArray[np.float64]) -> None:
    ax = plot_logo(weights, color_scheme={**ACCESSIBLE_COLORS, "A": "black"})
    for collection, letter, row in zip(ax.collections, "ACGT", weights, strict=True):
        colors = collection.get_facecolor()
        assert_allclose(colors[:, :3], [to_rgb("black" if letter == "A" else ACCESSIBLE_COLORS[letter])] * W)
        assert (colors[:, 3] < 1).tolist() == (row < 0).tolist()


def test_a_matrix_of_zeros_is_an_empty_logo() -> None:
    ax = plot_logo(np.zeros((4, W)))
    assert ax.get_ylim() == (0, 1)
    assert not boxes(ax)[..., 3].any()


#: What a reader without red, green or blue cones sees, in linear RGB: Machado, Oliveira & Fernandes 2009, severity 1.
COLOR_VISION = {
    "all cones": np.eye(3),
    "no red": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "no green": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "no blue": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}
RGB_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)


def lab(linear_rgb: NDArray[np.float64]) -> NDArray[np.float64]:
    """CIELAB coordinates of a linear RGB colour."""
    x, y, z = np.cbrt(RGB_TO_XYZ @ np.clip(linear_rgb, 0, 1) / [0.95047, 1, 1.08883])
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


@pytest.mark.parametrize("vision", COLOR_VISION)
def test_colors_are_told_apart(vision: str) -> None:
    srgb = {letter: np.array(to_rgb(color)) for letter, color in ACCESSIBLE_COLORS.items()}
    linear = {letter: ((color + 0.055) / 1.055) ** 2.4 for letter, color in srgb.items()}
    seen = {letter: lab(np.array(COLOR_VISION[vision]) @ color) for letter, color in linear.items()}
    assert min(np.linalg.norm(seen[a] - seen[b]) for a, b in combinations("ACGT", 2)) > 25
    assert all(1.05 / (RGB_TO_XYZ[1] @ color + 0.05) > 3 for color in linear.values())


def test_a_row_is_a_filter_and_its_reverse_complement(bank: NDArray[np.float64]) -> None:
    figure = plot_filters(bank, ylabel="weight")
    assert len(figure.axes) == 2 * F
    for f, (left, right) in enumerate(zip(figure.axes[::2], figure.axes[1::2], strict=True)):
        forward, reverse = boxes(left), boxes(right)
        assert_allclose(forward[..., 3] - forward[..., 1], np.abs(bank[f]), atol=1e-12)
        assert_allclose(reverse[..., [1, 3]], forward[::-1, ::-1][..., [1, 3]], atol=1e-12)
        assert left.get_ylim() == right.get_ylim()
        assert left.get_title("left") == f"filter_{f}"
        assert left.get_ylabel() == "weight"
        assert right.get_title("right") == "reverse complement"
    assert figure.axes[0].get_ylim() != figure.axes[2].get_ylim()


def test_rows_and_titles_are_those_of_the_table(bank: NDArray[np.float64]) -> None:
    table = pd.DataFrame(
        {
            "filter": ["filter_3", "filter_0", "filter_4", "filter_1"],
            "contribution": [12.345, -0.5, np.nan, 0],
            "best_match": ["CTCF_known1", None, "SRF_known1", "MAX_known1"],
            "match_q": [1.2e-7, np.nan, np.nan, 1],
            "match_factor": ["CTCF", None, "SRF_like", None],
            "match_known": ["CTCF_known1", None, "SRF_known2", None],
            "rc_similarity": [0.512, np.nan, -0.03, np.nan],
            "n_sites": [1, 2, 3, 4],
        }
    )
    figure = plot_filters(bank, table)
    assert [ax.get_title("left") for ax in figure.axes[::2]] == [
        "filter_3 · contribution +12.3 · CTCF_known1 (q = 1e-07) · similarity to its RC 0.51",
        "filter_0 · contribution −0.5 · no match",
        "filter_4 · SRF_known1 (SRF_like, as SRF_known2) · similarity to its RC −0.03",
        "filter_1 · contribution +0 · no match",
    ]
    for ax, f in zip(figure.axes[::2], [3, 0, 4, 1], strict=True):
        assert_allclose(boxes(ax)[..., 3] - boxes(ax)[..., 1], np.abs(bank[f]), atol=1e-12)


def test_names_may_be_given_by_the_index(bank: NDArray[np.float64]) -> None:
    table = pd.DataFrame({"contribution": [2.0, 1.0]}, index=pd.Index(["d", "a"], name="filter"))
    from_bank = plot_filters(bank, table, names=list("abcde"))
    from_dict = plot_filters(dict(zip("abcde", bank, strict=True)), table)
    for figure in (from_bank, from_dict):
        assert [ax.get_title("left") for ax in figure.axes[::2]] == ["d · contribution +2", "a · contribution +1"]
        assert_allclose(boxes(figure.axes[2])[..., 3] - boxes(figure.axes[2])[..., 1], np.abs(bank[0]), atol=1e-12)


def test_fewer_rows_and_one_strand(bank: NDArray[np.float64]) -> None:
    figure = plot_filters(torch.as_tensor(bank), max_filters=2, both_strands=False)
    assert [ax.get_title("left") for ax in figure.axes] == ["filter_0", "filter_1"]


@pytest.mark.parametrize("both_strands", [True, False])
@pytest.mark.parametrize("n_filters", [1, 11])
def test_titles_and_axes_do_not_collide(n_filters: int, both_strands: bool) -> None:
    bank = np.random.default_rng(0).normal(size=(n_filters, 4, 21))
    names = [f"conv1_filter_{i}" for i in range(n_filters)]
    table = pd.DataFrame(
        {"filter": names, "contribution": -1.234, "best_match": "CTCF.H12CORE.0.P.B", "match_q": 1.2e-12}
    )
    figure = plot_filters(
        bank, table.assign(rc_similarity=0.513), names=names, both_strands=both_strands, ylabel="weight"
    )
    figure.draw_without_rendering()
    extents = [ax.get_tightbbox() for ax in figure.axes]
    assert all(e.x0 >= 0 and e.y0 >= 0 and e.x1 <= figure.bbox.x1 and e.y1 <= figure.bbox.y1 for e in extents)
    columns = 1 + both_strands
    above, below = extents[:-columns], extents[columns:]
    assert all(a.y0 > b.y1 for a, b in zip(above, below, strict=True))
    if both_strands:
        left_title, right_title = vars(figure.axes[0])["_left_title"], vars(figure.axes[1])["_right_title"]
        assert left_title.get_window_extent().x1 < right_title.get_window_extent().x0


def test_nothing_is_left_in_pyplot_and_jupyter_shows_the_figure(bank: NDArray[np.float64]) -> None:
    before = plt.get_fignums()
    figures = [plot_filters(bank, max_filters=2), plot_logo(bank[0]).figure]
    assert plt.get_fignums() == before
    assert all(figure._repr_png_().startswith(b"\x89PNG") for figure in figures)


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.ones((W, 4)), r"got shape \(7, 4\), expected \(4, W\) .*Transpose"),
        (np.ones((F, 4, W)), r"got shape \(5, 4, 7\)"),
        (np.array([[np.nan, 1.0, np.inf]] * 4), r"matrix with 8 entries that are not finite.*np.nan_to_num\(matrix\)"),
    ],
)
def test_matrices_that_cannot_be_drawn(matrix: NDArray[np.float64], message: str) -> None:
    with pytest.raises(InputError, match=message):
        plot_logo(matrix)


@pytest.mark.parametrize("scheme", [{"A": "black", "C": "blue", "T": "red"}, {**ACCESSIBLE_COLORS, "G": "no colour"}])
def test_a_color_scheme_without_a_color(scheme: dict[str, str]) -> None:
    with pytest.raises(InputError, match="without a matplotlib colour for G, expected one for each of A, C, G, T"):
        plot_logo(np.ones((4, W)), color_scheme=scheme)
    advice = {**ACCESSIBLE_COLORS, "A": "black"}
    ax = plot_logo(np.ones((4, W)), color_scheme=advice)
    assert tuple(ax.collections[0].get_facecolor()[0]) == to_rgba("black")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"max_filters": 0}, "got max_filters=0, expected a whole number of at least 1"),
        (
            {"table": pd.DataFrame({"contribution": [1.0]})},
            r"1 rows with columns index, contribution, .*rename_axis\('filter'\)",
        ),
        ({"table": pd.DataFrame({"filter": []})}, "a table of 0 rows"),
        ({"table": pd.DataFrame({"filter": ["filter_1", 9]})}, r"filter 9, but .* 'filter_2' \.\.\. 'filter_4'\."),
        ({"table": pd.DataFrame({"filter": ["b"]}), "names": [1, 2, 3, 4, 5]}, r"filter 'b', .* names=\[\.\.\.\]"),
        ({"names": ["a"]}, "plot_filters: got 5 filters and 1 names"),
    ],
)
def test_tables_and_names_that_do_not_fit(bank: NDArray[np.float64], options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        plot_filters(bank, **options)
