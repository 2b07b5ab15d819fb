"""Pictures of pages against those of matplotlib, and what can be read off them."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from rcinterp.report.logos import letter_shapes, plot_logo
from rcinterp.report.svg import draw_bars, draw_logo, draw_positions, letter_definitions

MATRIX = np.random.default_rng(0).normal(size=(4, 21))
MATRIX[np.abs(MATRIX) < 0.05] = 0.05  # so that each letter can be seen


def numbers(text):
    return [float(value) for value in re.findall(r"-?[\d.]+(?:e-?\d+)?", text)]


def axis_of(picture):
    """Height of a unit of the data, and where 0 stands, from two ticks and their numbers."""
    texts = [node for node in picture.iter("text") if node.get("text-anchor") == "end"]
    ys = [float(node.get("y")) - 2.5 for node in texts]
    values = [float(node.text.replace("−", "-")) for node in texts]
    scale = (ys[0] - ys[-1]) / (values[-1] - values[0])
    return scale, ys[0] + values[0] * scale


def test_letters_are_those_of_logomaker():
    root = ElementTree.fromstring(letter_definitions())
    assert [path.get("id") for path in root.iter("path")] == list("ACGT")
    for path in root.iter("path"):
        shape = letter_shapes()[path.get("id")]
        ends = np.array(numbers(path.get("d"))).reshape(-1, 2)
        closing = shape.codes == shape.CLOSEPOLY
        np.testing.assert_allclose(ends, shape.vertices[~closing], atol=1e-3)


def test_a_letter_stands_where_plot_logo_puts_it():
    picture = ElementTree.fromstring(draw_logo(MATRIX, "Logo"))
    scale, zero = axis_of(picture)
    placed = {letter: {} for letter in "ACGT"}
    for use in picture.iter("use"):
        width, _, _, height, x, y = numbers(use.get("transform"))
        position = (x - 24) / 9 - 0.5
        placed[use.get("href")[1:]][round(position)] = (height / -scale, (zero - y) / scale)
        assert (width, position) == (9, round(position))
    ax = plot_logo(MATRIX)
    for letters, sizes in zip(ax.collections, MATRIX, strict=True):
        drawn = placed[letters.get_label()]
        assert set(drawn) == set(range(21))
        for position, path in enumerate(letters.get_paths()):
            size, base = drawn[position]
            shape = letter_shapes()[letters.get_label()]
            np.testing.assert_allclose(size, sizes[position], atol=1e-3)
            expected = np.asarray(shape.vertices) * (1, size) + (position, base)
            np.testing.assert_allclose(expected, path.vertices, atol=5e-3)


def test_letters_below_the_axis_are_paler_and_upside_down():
    picture = ElementTree.fromstring(draw_logo(MATRIX, "Logo"))
    (faded,) = picture.iter("g")
    assert faded.get("opacity") == "0.5"
    below = list(faded.iter("use"))
    assert len(below) == (MATRIX < 0).sum()
    assert all(numbers(use.get("transform"))[3] > 0 for use in below)  # y grows downwards


def test_letters_that_nobody_sees_are_left_out_and_no_height_is_no_error():
    matrix = np.zeros((4, 3))
    assert "<use" not in draw_logo(matrix, "dead")
    matrix[1, 2], matrix[0, 0] = 1, 1e-4
    (use,) = ElementTree.fromstring(draw_logo(matrix, "one")).iter("use")
    assert use.get("href") == "#C"


def test_the_span_is_the_one_asked_for():
    scale, zero = axis_of(ElementTree.fromstring(draw_logo(np.full((4, 3), 0.1), "bits", (0, 2))))
    assert (scale, zero) == (26, 56)


def test_a_label_is_text():
    picture = draw_logo(MATRIX, 'a "<b>" & c')
    assert ElementTree.fromstring(picture).get("aria-label") == 'a "<b>" & c'


def test_positions_are_a_histogram():
    middles = np.array([0.0, 4, 6, 95, 99, 99.5, 100])
    bars, _ = ElementTree.fromstring(draw_positions(middles, 100, "Positions")).iter("path")
    found = [numbers(bar) for bar in bars.get("d").split("M")[1:]]
    counts, _ = np.histogram(middles, bins=20, range=(0, 100))
    expected = [[24 + 6 * i, 56, -n * 13, 6, 56] for i, n in enumerate(counts) if n]
    np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize("values", [[2.0, -1.0, np.nan], [np.nan, np.nan], [0.0]])
def test_a_bar_a_value_and_a_cross_for_what_is_missing(values):
    picture = ElementTree.fromstring(draw_bars(values, "Contributions", (-1, 2)))
    (bars,) = (path for path in picture.iter("path") if path.get("class") == "bar")
    found = [numbers(bar)[2] for bar in bars.get("d").split("M")[1:]]
    np.testing.assert_allclose(found, [-value * 52 / 3 for value in values if not np.isnan(value)], atol=0.01)
    crosses = list(picture.iter("path"))[-1].get("d")
    assert crosses.count("M") == np.isnan(values).sum()


def test_the_same_numbers_give_the_same_bytes():
    assert draw_logo(MATRIX, "Logo") == draw_logo(MATRIX.copy(), "Logo")
