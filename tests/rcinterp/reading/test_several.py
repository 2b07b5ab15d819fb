"""Several layers and targets in one pass are the same numbers as one after the other."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from rcinterp import Reader, compact_model, filter_contributions
from rcinterp.errors import InputError


@pytest.fixture(scope="module")
def x():
    letters = torch.randint(4, (60, 120), generator=torch.Generator().manual_seed(0))
    return nn.functional.one_hot(letters, 4).transpose(1, 2).float()


class OfTwoStems(nn.Module):
    """Two convolutions read the sequence, a third one of them; ReLUs work in place, and one output is a probability."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.other = nn.Conv1d(4, 6, 9), nn.Conv1d(6, 5, 5), nn.Conv1d(4, 6, 9)
        self.relu = nn.ReLU(inplace=True)
        self.head = nn.Linear(11, 2)

    def forward(self, x):
        deep = self.relu(self.second(self.relu(self.first(x)))).amax(2)
        wide = self.relu(self.other(x)).amax(2)
        y = self.head(torch.cat([deep, wide], 1))
        return torch.stack([y[:, 0], y[:, 1].sigmoid()], 1)


class Scaled(nn.Module):
    """ReLUs in place, and a map that is changed in place afterwards."""

    def __init__(self, inplace=True):
        super().__init__()
        self.first, self.second = nn.Conv1d(4, 6, 9), nn.Conv1d(6, 5, 5)
        self.head = nn.Linear(5, 2)
        self.inplace = inplace

    def forward(self, x):
        x = nn.functional.relu(self.first(x), inplace=self.inplace)
        x *= 3
        x = nn.functional.relu(self.second(x), inplace=self.inplace)
        return self.head(x.amax(2))


class OnItself(nn.Module):
    """The second convolution is applied to what it gave, and goes round its second time too."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv1d(4, 6, 9), nn.Conv1d(6, 6, 5, padding=2)
        self.head = nn.Linear(12, 2)

    def forward(self, x):
        once = self.second(self.first(x).relu()).relu()
        twice = self.second(once).relu()
        return self.head(torch.cat([once.amax(2), twice.amax(2)], 1))


def compact():
    return compact_model(3, 4, 120, n_tasks=3, widths=(11, 5, 5), pool=20, stride=10).eval()


@pytest.mark.filterwarnings("ignore:.*the sequence is also read by")
@pytest.mark.parametrize(
    ("make", "layers", "targets"),
    [
        (compact, ["conv3", "conv1", "conv2"], [2, 0]),
        (OfTwoStems, ["first", "second", "other"], [0, 1]),
        (OfTwoStems, ["second", "first"], [1]),
        (Scaled, ["first", "second"], [1, 0]),
        (OnItself, ["first", "second"], [0, 1]),
        (OnItself, ["second"], [0]),
    ],
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_it_is_each_by_itself(make, layers, targets, dtype, x):
    torch.manual_seed(1)
    model = make().to(dtype)
    found = filter_contributions(model, x[:30], x[30:], layers, targets, batch_size=7, seed=3)
    each = [
        filter_contributions(model, x[:30], x[30:], layer, target, batch_size=7, seed=3).assign(target=target)
        for layer in layers
        for target in targets
    ]
    expected = pd.concat(each, ignore_index=True)
    assert found["contribution"].abs().max() > 0
    assert set(found) == set(expected)
    tight = {"rtol": 1e-12, "atol": 1e-12} if dtype == torch.float64 else {"rtol": 1e-5, "atol": 1e-6}
    pd.testing.assert_frame_equal(found[list(expected)], expected, **tight)
    assert all(not module._forward_hooks for module in model.modules())


@pytest.mark.parametrize("layers", ["first", "second", ["first", "second"]])
def test_what_a_model_writes_over_its_activations_does_not_count(layers, x):
    torch.manual_seed(1)
    model, plain = Scaled(), Scaled(inplace=False)
    plain.load_state_dict(model.state_dict())
    found, expected = (filter_contributions(one, x[:30], x[30:], layers) for one in (model, plain))
    assert expected["contribution"].abs().max() > 0.001
    np.testing.assert_allclose(found["contribution"], expected["contribution"], rtol=1e-4, atol=1e-6)


def test_a_batch_takes_one_forward_pass(x):
    model = compact()
    sizes = []
    model.head.register_forward_hook(lambda module, inputs, output: sizes.append(len(output)))
    filter_contributions(model, x[:40], x[40:], ["conv1", "conv3"], [0, 1, 2], batch_size=20)
    assert sizes.count(20) == 3  # the others are of a few sequences, to see how the model is built


def test_either_may_be_one(x):
    model = compact()
    by_target = filter_contributions(model, x[:30], x[30:], target=[1, 0])
    assert by_target["target"].tolist() == [1] * 4 + [0] * 4
    assert set(by_target["layer"]) == {"conv1"}
    by_layer = filter_contributions(model, x[:30], x[30:], ["conv1", "conv2"], 1)
    pd.testing.assert_frame_equal(by_layer[:4], by_target[:4])
    from_reader = filter_contributions(Reader(model), x[:30], x[30:], ["conv1", "conv2"], 1)
    pd.testing.assert_frame_equal(from_reader, by_layer)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layer": []}, r"layer: got \[\], expected one or more, each once\."),
        ({"target": [0, 0]}, r"target: got \[0, 0\], expected one or more, each once\."),
        ({"target": [0, 3]}, "target: got 3, expected 0 to 2: the model has 3 outputs"),
        ({"target": [0, -1]}, "target: got -1"),
        ({"layer": ["conv1", "convX"]}, "convX"),
        ({"layer": ["conv1", "conv2"], "method": "ablation"}, "method: got 'ablation' with several layers"),
        ({"target": [0], "baseline": "mean"}, "baseline: got 'mean' with several layers"),
    ],
)
def test_what_cannot_be_asked(options, message, x):
    with pytest.raises(InputError, match=message):
        filter_contributions(compact(), x[:30], x[30:], **options)
