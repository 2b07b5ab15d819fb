"""Pictures of pages against those of matplotlib, and what can be read off them."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from rcinterp.report.logos import ACCESSIBLE_COLORS, letter_shapes, plot_logo
from rcinterp.report.svg import (
    draw_alignment,
    draw_bars,
    draw_curves,
    draw_interval,
    draw_logo,
    draw_points,
    draw_reverse_complement,
    letter_definitions,
)

MATRIX = np.random.default_rng(0).normal(size=(4, 21))
MATRIX[np.abs(MATRIX) < 0.05] = 0.05  # so that each letter can be seen


def numbers(text):
    return [float(value) for value in re.findall(r"-?[\d.]+(?:e-?\d+)?", text)]


def parsed(markup):
    """The tree of a picture, whose attributes HTML allows to stand without quotes."""
    return ElementTree.fromstring(re.sub(r"=([^\s\"<>]+)(?=[\s>])", r'="\1"', str(markup)))


def axis_of(picture):
    """Height of a unit of the data, and where 0 stands, from two ticks and their numbers."""
    texts = [node for node in picture.iter("text") if node.get("text-anchor") == "end"]
    ys = [float(node.get("y")) - 2.5 for node in texts]
    values = [float(node.text.replace("−", "-")) for node in texts]
    scale = (ys[0] - ys[-1]) / (values[-1] - values[0])
    return scale, ys[0] + values[0] * scale


def letters_of(picture):
    """(letter, position, top, height) of each letter, in units of the picture; lower case below the axis."""
    (stacks,) = (node for node in picture.iter("svg") if node.get("preserveAspectRatio"))
    assert (stacks.get("x"), stacks.get("y"), stacks.get("width"), stacks.get("height")) == ("24", "4", "9", "52")
    assert stacks.get("viewBox") == "0 0 1 520"  # so that a letter is as wide as the viewport, and steps are a tenth
    return [
        (use.get("href")[1:], int(use.get("x")), 4 + int(use.get("y")) / 10, int(use.get("height")) / 10)
        for use in stacks.iter("use")
    ]


def test_letters_are_those_of_logomaker_and_those_of_the_other_strand_their_mirror_images():
    root = parsed(letter_definitions())
    symbols = {symbol.get("id"): symbol for symbol in root.iter("symbol")}
    assert list(symbols) == list("ACGTacgt")
    for name, symbol in symbols.items():
        assert symbol.get("viewBox") == "0 0 1 1"
        forward, reverse = symbol.iter("path")
        for path, kind, letter, turn in (
            (forward, "f", name, 1),
            (reverse, "r", "ACGT"["TGCA".index(name.upper())], -1),
        ):
            shape = letter_shapes()[letter.upper()]
            ends = np.array(numbers(path.get("d"))).reshape(-1, 2)
            x, y = shape.vertices[shape.codes != shape.CLOSEPOLY].T
            upright = name.isupper()
            np.testing.assert_allclose(ends, np.stack([turn * x + 0.5, 1 - y if upright else y], 1), atol=1e-3)
            assert path.get("class") == kind
            assert path.get("style") == f"fill:var(--{letter.upper()},{ACCESSIBLE_COLORS[letter.upper()]})"
            assert path.get("fill-opacity") == (None if upright else "0.5")


def test_a_letter_stands_where_plot_logo_puts_it():
    picture = parsed(draw_logo(MATRIX, "Logo"))
    scale, zero = axis_of(picture)
    placed = {
        (letter.upper(), position): (letter, top, height) for letter, position, top, height in letters_of(picture)
    }
    assert len(placed) > 0.7 * MATRIX.size
    ax = plot_logo(MATRIX)
    for letters in ax.collections:
        for position, path in enumerate(letters.get_paths()):
            low, high = path.vertices[:, 1].min(), path.vertices[:, 1].max()
            if (letters.get_label(), position) not in placed:
                assert (high - low) * scale < 2.05
                continue
            letter, top, height = placed[letters.get_label(), position]
            assert letter.islower() == (MATRIX["ACGT".index(letters.get_label()), position] < 0)
            assert top == pytest.approx(zero - high * scale, abs=0.11)
            assert top + height == pytest.approx(zero - low * scale, abs=0.16)


def test_letters_that_nobody_can_read_are_left_out_and_no_height_is_no_error():
    matrix = np.zeros((4, 3))
    assert letters_of(parsed(draw_logo(matrix, "dead"))) == []
    matrix[1, 2], matrix[0, 0] = 1, 0.03
    assert [letter for letter, *_ in letters_of(parsed(draw_logo(matrix, "one")))] == ["C"]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_no_letter(value):
    matrix = np.zeros((4, 3))
    matrix[1, 2], matrix[0, 0] = 1, value
    assert [letter for letter, *_ in letters_of(parsed(draw_logo(matrix, "diverged")))] == ["C"]


def test_the_span_is_the_one_asked_for():
    scale, zero = axis_of(parsed(draw_logo(np.full((4, 3), 0.1), "bits", (0, 4))))
    assert (scale, zero) == (13, 56)
    picture = parsed(draw_logo(np.full((4, 3), 0.5), "bits", (0, 2)))
    assert next(picture.iter("use")).get("href") == "#bits"
    (shared,) = (group for group in parsed(letter_definitions()).iter("g") if group.get("id") == "bits")
    assert axis_of(shared) == (26, 56)
    assert letters_of(picture)[0][2:] == (pytest.approx(56 - 13, abs=39), 13)


def test_the_reverse_complement_is_the_logo_itself_in_a_mirror():
    forward = parsed(draw_logo(MATRIX, "Logo", identity="logo-7"))
    assert {"logo-7", "logo-7-axes"} == {node.get("id") for node in forward.iter() if node.get("id")}
    axes, letters = parsed(draw_reverse_complement(21, "RC", "logo-7")).iter("use")
    assert axes.get("href") == "#logo-7-axes"
    assert (letters.get("href"), letters.get("class")) == ("#logo-7", "rc")
    a, b, c, d, e, f = numbers(letters.get("transform"))
    assert (a, b, c, d, f) == (-1, 0, 0, 1, 0)
    assert e - 24 == 24 + 9 * 21  # the left end becomes the right one


def test_a_label_is_text():
    picture = draw_logo(MATRIX, 'a "<b>" & c')
    assert parsed(picture).get("aria-label") == 'a "<b>" & c'


@pytest.mark.parametrize("values", [[2.0, -1.0, np.nan], [np.nan, np.nan], [0.0]])
def test_a_bar_a_value_and_a_cross_for_what_is_missing(values):
    picture = parsed(draw_bars(values, "Contributions", (-1, 2)))
    (bars,) = (path for path in picture.iter("path") if path.get("class") == "bar")
    found = [numbers(bar)[2] for bar in bars.get("d").split("M")[1:]]
    np.testing.assert_allclose(found, [-value * 52 / 3 for value in values if not np.isnan(value)], atol=0.06)
    crosses = list(picture.iter("path"))[-1].get("d")
    assert crosses.count("M") == np.isnan(values).sum() + 1  # and the line at 0


def test_an_interval_is_a_bar_from_nought_and_a_line():
    picture = parsed(draw_interval(2.0, 1.0, 3.0, (-1.0, 5.0)))
    bar, zero, line = (numbers(path.get("d")) for path in picture.iter("path"))
    assert (bar[0], bar[2]) == (20, 60)  # 120 units for 6
    assert zero[0] == 20
    assert (line[0], line[2]) == (40, 80)
    assert len(list(parsed(draw_interval(2.0, None, None, (0.0, 2.0))).iter("path"))) == 2


def test_an_alignment_has_the_target_above_at_its_place():
    motif, target = np.zeros((4, 3)), np.zeros((4, 5))
    motif[0], target[3] = 2.0, 2.0
    for start, first in ((1, (33, 24)), (-2, (24, 42))):  # left ends of the target and of the motif, 9 units a base
        picture = parsed(draw_alignment(motif, target, start, "T above M"))
        above, below = (one for one in picture.iter("svg") if one.get("preserveAspectRatio"))
        assert (float(above.get("x")), float(below.get("x"))) == first
        assert float(above.get("y")) < float(below.get("y"))
        assert {use.get("href") for use in above.iter("use")} == {"#T"}
        assert {use.get("href") for use in below.iter("use")} == {"#A"}
        (shade,) = picture.iter("rect")
        both = (33, 18) if start == 1 else (42, 27)
        assert (float(shade.get("x")), float(shade.get("width"))) == both


def test_curves_go_through_their_values():
    picture = parsed(draw_curves({"a": [0.0, 1.0, np.nan, 0.5], "none": [np.nan] * 4}, "Loss", "epoch"))
    (line,) = (path for path in picture.iter("path") if path.get("class").startswith("line"))
    places = np.array(numbers(line.get("d"))).reshape(-1, 2)
    np.testing.assert_allclose(places[:, 0], 44 + np.array([0, 1, 3]) * 260 / 3, atol=0.06)
    np.testing.assert_allclose(places[:, 1], [154, 4, 79], atol=0.06)


def test_points_lie_where_their_values_say_and_equal_ones_on_the_line():
    picture = parsed(draw_points([0.0, 1.0, np.nan], [1.0, 1.0, 0.0], "Strands", "x", "y"))
    (points,) = (path for path in picture.iter("path") if path.get("class") == "points")
    assert [numbers(one)[:2] for one in points.get("d").split("M")[1:]] == [[44, 4], [194, 4]]
    (line,) = (path for path in picture.iter("path") if "faint" in path.get("class"))
    assert numbers(line.get("d")) == [44, 154, 194, 4]


def test_the_same_numbers_give_the_same_bytes():
    assert draw_logo(MATRIX, "Logo") == draw_logo(MATRIX.copy(), "Logo")
