"""Sizes of compact models that fit the length of the sequences by themselves."""

import pytest
import torch

from rcinterp import compact_model
from rcinterp.errors import InputError
from rcinterp.training.sizes import Sizes, choose_sizes
from rclayers.testing import check_rc

#: Lengths of public sets.
LENGTHS = (101, 147, 150, 200, 230, 256, 500, 600, 1000, 2114)


@pytest.mark.parametrize("n_layers", [1, 3])
@pytest.mark.parametrize("length", LENGTHS)
def test_every_common_length_works_at_once(n_layers, length):
    for rc in (True, False):
        model = compact_model(n_layers, 2, length, rc=rc)
        assert model.architecture.pooled_length >= 4
        assert model(torch.zeros(2, 4, length)).shape == (2, 1)
    if length <= 256:
        assert check_rc(compact_model(n_layers, 2, length), length)


@pytest.mark.parametrize("n_layers", [1, 3])
def test_the_paper_s_sizes_stay_where_they_fit(n_layers):
    widths = (15, *[14] * (n_layers - 1))
    for length in (300, 500, 600, 1000, 2114):
        assert choose_sizes(n_layers, length) == Sizes(widths, 40, 20)


@pytest.mark.parametrize("n_layers", [1, 3])
def test_few_windows_cover_every_position_once(n_layers):
    """Laid one after the other; in a model, a site counts the same wherever it lies."""
    for length in (101, 147, 150, 200, 230, 256):
        sizes = choose_sizes(n_layers, length)
        positions = length - sum(width - 1 for width in sizes.widths)
        covered = [p for start in range(0, positions, sizes.stride) for p in range(start, start + sizes.pool)]
        assert covered == list(range(positions))


def test_windows_are_counted_and_tile():
    """By laying them one after the other."""
    for length in range(40, 300):
        sizes = choose_sizes(1, length)
        positions = length - sizes.widths[0] + 1
        starts = range(0, positions - sizes.pool + 1, sizes.stride)
        assert sizes.windows(length) == len(starts)
        assert (positions - (starts[-1] + sizes.pool)) % 2 == 0


def test_what_is_given_is_kept():
    assert choose_sizes(1, 200, (21,), 20) == Sizes((21,), 20, 20)
    assert choose_sizes(1, 101, (12,)).widths == (12,)
    assert choose_sizes(1, 101, pool=30).pool == 30
    assert choose_sizes(1, 101, stride=6).stride == 6
    assert choose_sizes(2, 101, (8, 5), 11, 6) == Sizes((8, 5), 11, 6)
    assert choose_sizes(1, 101, (80,), 7, 7) == Sizes((80,), 7, 7)  # tiled or not, if all are given
    for length in range(60, 120):
        for given in ({"widths": (19,)}, {"pool": 20}, {"stride": 10}, {"widths": (9,), "stride": 5}):
            sizes = choose_sizes(1, length, **given)
            assert all(getattr(sizes, name) == value for name, value in given.items())
            assert sizes.tiles(length)


def test_fewer_windows_are_better_than_none():
    sizes = choose_sizes(1, 37)
    assert (sizes.tiles(37), sizes.windows(37)) == (True, 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((1, 20), "got length=20, for which no widths, pool, stride fit what is given, expected e.g. 39 bp"),
        ((1, 100, (95,)), "no pool, stride fit what is given, expected e.g. 119 bp"),
        ((1, 60, None, 60), r"no widths, stride fit .* \(--width, --pool and --stride on the command line\)"),
    ],
)
def test_nothing_fits(arguments, message):
    with pytest.raises(InputError, match=message):
        choose_sizes(*arguments)
