"""Validation sequences held out: by chromosome, or at random with copies kept together."""

import numpy as np
import pytest
import torch

from rcinterp.data.datasets import Dataset
from rcinterp.data.leakage import find_leakage
from rcinterp.data.splitting import split_dataset
from rcinterp.errors import InputError
from rclayers import reverse_complement


def _data(n, names=None, seed=0, length=30):
    letters = torch.from_numpy(np.random.default_rng(seed).integers(4, size=(n, length)))
    x = torch.nn.functional.one_hot(letters, 4).transpose(1, 2).float().contiguous()
    return Dataset(x, (torch.arange(n) % 3 == 0).float()[:, None], tuple(names or (f"s{i}" for i in range(n))))


def test_whole_chromosomes_where_names_tell_them():
    names = [f"chr{1 + i // 100}:{50 * i}-{50 * i + 30}" for i in range(1000)]
    train, valid, how = split_dataset(_data(1000, names), seed=3)
    assert how["by"] == "chromosome"
    assert len(how["valid_chromosomes"]) == 2
    assert len(valid) == 200
    sides = [{name.split(":")[0] for name in side.names} for side in (train, valid)]
    assert not sides[0] & sides[1]
    assert sides[1] == set(how["valid_chromosomes"])
    again = split_dataset(_data(1000, names), seed=3)
    assert again[1].names == valid.names
    assert split_dataset(_data(1000, names), seed=4)[2]["valid_chromosomes"] != how["valid_chromosomes"]


@pytest.mark.parametrize("names", [None, [f"chr1:{50 * i}-{50 * i + 30}" for i in range(300)]])
def test_at_random_where_they_do_not_or_there_is_one(names):
    train, valid, how = split_dataset(_data(300, names), seed=0)
    assert how == {"by": "random", "seed": 0, "share": 0.2}
    assert (len(train), len(valid)) == (240, 60)
    assert (train.y.sum(), valid.y.sum()) == (80, 20)
    assert sorted(train.names + valid.names) == sorted(_data(300, names).names)


def test_copies_stay_together_on_either_strand():
    data = _data(150)
    both = Dataset(
        torch.cat([data.x, reverse_complement(data.x), data.x]),
        torch.cat([data.y] * 3),
        tuple(f"{name}_{i}" for i in range(3) for name in data.names),
    )
    train, valid, _ = split_dataset(both, seed=1)
    assert find_leakage(train, valid).shared == 0
    assert len(valid) == 90


def test_many_tasks_are_held_out_together():
    data = _data(1000)
    y = torch.from_numpy(np.random.default_rng(1).integers(2, size=(1000, 14))).float()
    train, valid, _ = split_dataset(Dataset(data.x, y, data.names), seed=0)
    assert 190 <= len(valid) <= 210
    assert len(train) + len(valid) == 1000


def test_too_few_of_a_class():
    data = _data(30)
    one = Dataset(data.x, (torch.arange(30) == 0).float()[:, None], data.names)
    with pytest.raises(InputError, match="expected enough of either class to hold out a share of 0"):
        split_dataset(one, seed=0)
    with pytest.raises(InputError, match="got share=2"):
        split_dataset(data, seed=0, share=2.0)
