import copy
import pickle

import pytest
import torch
from torch import nn

from rclayers import RandomReverseComplement, reverse_complement
from rclayers.testing import check_rc


def seeded(seed):
    return torch.Generator().manual_seed(seed)


def test_each_sequence_is_turned_or_not(one_hot):
    x = one_hot(300, 11)
    y = RandomReverseComplement(0.3, seeded(0))(x)
    turned = reverse_complement(x)
    was_turned = torch.tensor([torch.equal(b, c) for b, c in zip(y, turned, strict=True)])
    was_kept = torch.tensor([torch.equal(a, b) for a, b in zip(x, y, strict=True)])
    assert (was_turned | was_kept).all()
    assert 0.22 < (was_turned & ~was_kept).double().mean() < 0.38


def test_certain_and_impossible(one_hot):
    x = one_hot(7, 11)
    assert torch.equal(RandomReverseComplement(1.0)(x), reverse_complement(x))
    assert torch.equal(RandomReverseComplement(0.0)(x), x)


def test_the_same_seed_gives_the_same_draws(one_hot):
    x = one_hot(30, 11)
    first, second = RandomReverseComplement(0.5, seeded(1)), RandomReverseComplement(0.5, seeded(1))
    once = first(x)
    assert torch.equal(once, second(x))
    assert not torch.equal(once, first(x))
    with torch.random.fork_rng():
        torch.manual_seed(3)
        a = RandomReverseComplement()(x)
        torch.manual_seed(3)
        assert torch.equal(a, RandomReverseComplement()(x))


def test_profiles_turn_with_their_sequences(one_hot, normal):
    x, profile, coverage = one_hot(30, 11), normal(30, 2, 7), normal(30, 1, 5)
    y, turned_profile, turned_coverage = RandomReverseComplement(0.5, seeded(0))(x, profile, coverage)
    n_turned = 0
    for i in range(30):
        turned = not torch.equal(y[i], x[i])
        n_turned += turned
        assert torch.equal(turned_profile[i], profile[i].flip(0, 1) if turned else profile[i])
        assert torch.equal(turned_coverage[i], coverage[i].flip(0, 1) if turned else coverage[i])
    assert 5 < n_turned < 25


def test_a_single_sequence(one_hot, normal):
    x, profile = one_hot(1, 11)[0], normal(2, 11)
    transform = RandomReverseComplement(0.5, seeded(0))
    seen = set()
    for _ in range(20):
        y, turned_profile = transform(x, profile)
        turned = torch.equal(y, reverse_complement(x))
        assert turned or torch.equal(y, x)
        assert torch.equal(turned_profile, reverse_complement(profile) if turned else profile)
        seen.add(turned)
    assert seen == {True, False}


def test_in_eval_mode_nothing_is_turned(one_hot):
    x = one_hot(7, 11)
    model = nn.Sequential(RandomReverseComplement(1.0), nn.Flatten(), nn.Linear(44, 2)).double()
    assert torch.equal(model.eval()(x), model[1:](x))
    assert torch.equal(model.train()(x), model[1:](reverse_complement(x)))
    assert model[0](x, x[:, :2])[1].shape == (7, 2, 11)


def test_a_model_that_begins_with_it_can_be_copied_and_checked():
    model = nn.Sequential(RandomReverseComplement(0.5, seeded(0)), nn.Flatten(), nn.Linear(44, 2))
    assert check_rc(model, 11).first_break == "2"
    assert repr(copy.deepcopy(model)[0]) == "RandomReverseComplement(p=0.5)"


def test_a_copy_draws_what_the_original_draws_and_not_from_its_generator(one_hot):
    x = one_hot(30, 11)
    original = RandomReverseComplement(0.5, seeded(0))
    for twin in (copy.deepcopy(original), pickle.loads(pickle.dumps(original))):
        assert torch.equal(twin(x), RandomReverseComplement(0.5, seeded(0))(x))
    assert torch.equal(original(x), RandomReverseComplement(0.5, seeded(0))(x))
    assert copy.deepcopy(RandomReverseComplement(0.5)).generator is None


@pytest.mark.parametrize(
    ("x", "profiles", "message"),
    [
        (torch.zeros(4), (), r"got x of shape \(4,\), expected \(N, C, L\), or \(C, L\)"),
        (torch.zeros(3, 4, 11), (torch.zeros(3, 11),), r"got a profile of shape \(3, 11\).*Use profile\[:, None\]"),
        (
            torch.zeros(3, 4, 11),
            (torch.zeros(2, 1, 11),),
            r"got a profile of shape \(2, 1, 11\) for sequences of shape",
        ),
        (torch.zeros(4, 11), (torch.zeros(1, 2, 11),), r"expected .* and \(C', L'\) for \(C, L\)"),
    ],
)
def test_refuses_other_shapes(x, profiles, message):
    with pytest.raises(ValueError, match=f"RandomReverseComplement: .*{message}"):
        RandomReverseComplement()(x, *profiles)


def test_refuses_what_is_no_probability():
    with pytest.raises(ValueError, match=r"RandomReverseComplement: got p=1.5, expected a probability, from 0 to 1"):
        RandomReverseComplement(1.5)
