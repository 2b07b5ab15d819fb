import numpy as np
import pandas as pd
import pytest
import torch

from rcinterp.errors import InputError
from rcinterp.reading.functions import faithfulness, filter_contributions
from rcinterp.training.models import compact_model


def test_a_linear_model_is_predicted_exactly(planted):
    """Above the activations of a one-layer model: maxima over a filter's own positions, then sums."""
    torch.manual_seed(0)
    model = compact_model(1, 5, 41, widths=(8,), pool=10, stride=4)
    found = faithfulness(model, planted(12, 0).x, planted(10, 1).x)
    assert found.pearson == pytest.approx(1, abs=1e-6)
    assert found.spearman == pytest.approx(1)
    assert found.slope == pytest.approx(1, abs=1e-5)
    assert found.pearson_sequences == pytest.approx(1, abs=1e-6)
    assert found.n_sequences == 22
    assert "r = 1.000 over filters, slope 1.00" in str(found)


def test_numbers_are_those_of_the_two_tables(others, dna):
    torch.manual_seed(0)
    model = others.with_moved_statistics(others.basset())
    positives, negatives = dna(30, 100, 0), dna(25, 100, 1)
    found = faithfulness(model, positives, negatives, target=1, baseline="mean", method="integrated_gradients")
    how = {"target": 1, "baseline": "mean", "n_resamples": 10}
    score = filter_contributions(model, positives, negatives, method="integrated_gradients", **how)["contribution"]
    loss = filter_contributions(model, positives, negatives, method="ablation", **how)["contribution"]
    np.testing.assert_allclose(found.table["contribution"], score, atol=1e-9)
    np.testing.assert_allclose(found.table["ablation"], loss, atol=1e-9)
    assert found.pearson == pytest.approx(np.corrcoef(score, loss)[0, 1])
    assert found.slope == pytest.approx((score * loss).sum() / (score**2).sum())
    assert 0 < found.pearson_sequences < 1
    assert found.baseline == "mean"


def test_a_saturated_model_shows_it(dna):
    """Behind a steep sigmoid the gradient is almost 0, while silencing a filter changes everything."""
    torch.manual_seed(0)
    x, other = dna(40, 30, 0), dna(40, 30, 1)
    layers = [torch.nn.Conv1d(4, 5, 7), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(120, 1)]
    linear = torch.nn.Sequential(*layers)
    with torch.no_grad():
        linear[3].weight.abs_().mul_(20)
    saturated = torch.nn.Sequential(linear, torch.nn.Sigmoid())
    probability = {"func": lambda y: 1 * y}
    assert faithfulness(linear, x, other).slope == pytest.approx(1, abs=1e-4)
    with pytest.warns(UserWarning, match="all outputs lie between 0 and 1"):
        assert faithfulness(saturated, x, other, **probability).pearson_sequences < 0.9


def test_draws_no_more_sequences_than_asked_for(planted):
    torch.manual_seed(0)
    model = compact_model(1, 3, 41, widths=(8,), pool=10, stride=4)
    one, two = (
        faithfulness(model, planted(30, 0).x, planted(20, 1).x, n_sequences=7, seed=seed).table for seed in (0, 1)
    )
    assert faithfulness(model, planted(30, 0).x, planted(20, 1).x, n_sequences=7).n_sequences == 14
    assert not one.equals(two)
    with pytest.raises(InputError, match="got n_sequences=1, expected at least 2 of each class"):
        faithfulness(model, planted(4, 0).x, planted(4, 1).x, n_sequences=1)


def test_fewer_than_three_live_filters_cannot_be_correlated(planted):
    torch.manual_seed(0)
    model = compact_model(1, 2, 41, widths=(8,), pool=10, stride=4)
    found = faithfulness(model, planted(6, 0).x, planted(6, 1).x)
    assert np.isnan(found.pearson)
    assert str(found) == "faithfulness cannot be told: fewer than three filters do anything on 12 sequences"


def test_of_many_filters_some_are_ablated_evenly_over_their_ranks(dna, monkeypatch):
    torch.manual_seed(0)
    layers = [torch.nn.Conv1d(4, 23, 7), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(23 * 24, 1)]
    model, x, other = torch.nn.Sequential(*layers), dna(40, 30, 0), dna(40, 30, 1)
    whole = faithfulness(model, x, other)
    monkeypatch.setattr("rcinterp.reading.faithfulness.MOST_FILTERS", 8)
    some = faithfulness(model, x, other)
    ranked = whole.table.set_index("filter")["contribution"].abs().sort_values(ascending=False).index
    order = ranked[np.linspace(0, 22, 8).round().astype(int)]
    assert set(some.table["filter"]) == set(order)
    rows = whole.table[whole.table["filter"].isin(order)].reset_index(drop=True)
    pd.testing.assert_frame_equal(some.table, rows, atol=1e-12)
    assert "over 8 of the 23 filters" in str(some)
    assert "over filters" in str(whole)


@pytest.mark.parametrize("inplace", [False, True])
def test_the_convolution_is_run_once_however_many_filters_are_silenced(dna, inplace):
    torch.manual_seed(0)
    layers = [torch.nn.Conv1d(4, 9, 7), torch.nn.BatchNorm1d(9), torch.nn.ReLU(inplace), torch.nn.Flatten()]
    model, x, other = torch.nn.Sequential(*layers, torch.nn.Linear(9 * 24, 1)).eval(), dna(8, 30, 0), dna(8, 30, 1)
    calls, original = [], type(model[0])._conv_forward
    model[0]._conv_forward = lambda *given: calls.append(1) or original(model[0], *given)
    found = faithfulness(model, x, other)
    n_before = len(calls)
    assert "forward" not in vars(model[0])
    activation = model[:3](x).detach()
    expected = []
    for f in range(9):
        silenced = activation.clone()
        silenced[:, f] = 0
        expected.append((model[3:](activation) - model[3:](silenced)).mean().item())
    there = model[:3](other).detach()
    for f in range(9):
        silenced = there.clone()
        silenced[:, f] = 0
        expected[f] -= (model[3:](there) - model[3:](silenced)).mean().item()
    np.testing.assert_allclose(found.table["ablation"], expected, atol=1e-5)
    assert n_before < 9  # a pass or two a class, and those that find the layer


def test_of_few_live_filters_among_many_all_are_ablated(dna, monkeypatch):
    torch.manual_seed(0)
    layers = [torch.nn.Conv1d(4, 40, 7), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(40 * 24, 1)]
    model, x, other = torch.nn.Sequential(*layers), dna(40, 30, 0), dna(40, 30, 1)
    with torch.no_grad():
        model[3].weight.view(40, 24)[5:] = 0
    monkeypatch.setattr("rcinterp.reading.faithfulness.MOST_FILTERS", 8)
    found = faithfulness(model, x, other)
    assert {f"filter_{i}" for i in range(5)} < set(found.table["filter"])
    assert len(found.table) == 8
    assert found.pearson == pytest.approx(1, abs=1e-6)


def test_a_hook_of_the_users_own_sees_the_true_map(dna):
    """What a hook keeps may enter the logit on a second way, which ablation must leave as it is."""

    class Kept(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.conv, self.head = torch.nn.Conv1d(4, 5, 7), torch.nn.Linear(5 * 24, 1)
            self.conv.register_forward_hook(lambda *called: setattr(self, "map", called[2].detach().clone()))

        def forward(self, x):
            return self.head(torch.relu(self.conv(x)).flatten(1)) + 0.01 * self.map.sum((1, 2))[:, None]

    torch.manual_seed(0)
    model = Kept().eval()
    x = dna(6, 30, 0)
    activation = torch.relu(model.conv(x)).detach()
    loss = filter_contributions(model, x, dna(6, 30, 1), method="ablation", n_resamples=10)["mean_positive"]
    expected = [(activation[:, f] * model.head.weight.view(5, 24)[f]).sum(1).mean().item() for f in range(5)]
    np.testing.assert_allclose(loss, expected, atol=1e-5)
