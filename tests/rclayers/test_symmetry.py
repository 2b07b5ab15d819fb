import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rclayers import by_strand, join_strands, reverse_complement, tie
from rclayers._symmetry import act, mirror

sizes = st.integers(1, 7)


def test_reverse_complement_of_a_known_sequence():
    letters = torch.tensor([0, 1, 1, 2])  # ACCG
    x = torch.nn.functional.one_hot(letters, 4).T
    assert reverse_complement(x).argmax(0).tolist() == [1, 2, 2, 3]  # CGGT


@given(sizes, sizes, sizes)
def test_twice_is_the_identity(n, channels, length):
    x = torch.randn(n, channels, length)
    assert torch.equal(reverse_complement(reverse_complement(x)), x)
    assert torch.equal(act(act(x[..., 0])), x[..., 0])


def test_a_vector_has_no_strand():
    with pytest.raises(ValueError, match=r"shape \(3,\).*expected \(\.\.\., C, L\)"):
        reverse_complement(torch.zeros(3))


@given(sizes, sizes, sizes)
def test_tie_makes_a_bank_that_its_own_action_leaves_alone(n_filters, channels, width):
    kernel = torch.randn(n_filters, channels, width)
    bank = tie(kernel)
    assert torch.equal(bank[:n_filters], kernel)
    for f in range(n_filters):
        assert torch.equal(bank[2 * n_filters - 1 - f], reverse_complement(kernel[f]))


def test_tie_of_biases():
    assert tie(torch.tensor([1, 2, 3])).tolist() == [1, 2, 3, 3, 2, 1]


@given(sizes, sizes, sizes)
def test_join_undoes_split(n, n_filters, length):
    for x in (torch.randn(n, 2 * n_filters, length), torch.randn(n, 2 * n_filters)):
        assert torch.equal(join_strands(by_strand(x)), x)


def test_the_two_strands_are_what_each_strand_shows():
    x = torch.randn(3, 2 * 5, 7)
    forward, reverse = by_strand(x).split(3)
    assert torch.equal(forward, x[:, :5])
    assert torch.equal(reverse, reverse_complement(x)[:, :5])


@given(st.integers(1, 9))
def test_mirror_reads_the_same_from_both_ends(length):
    full = mirror(torch.randn(2, (length + 1) // 2), length)
    assert full.shape == (2, length)
    assert torch.equal(full, full.flip(1))
