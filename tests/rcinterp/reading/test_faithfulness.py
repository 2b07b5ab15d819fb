import numpy as np
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
