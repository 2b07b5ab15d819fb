import numpy as np
import pytest
import torch
from torch import nn

from rcinterp import compact_model, fit, load_dataset
from rcinterp.data.coded import CodedSequences
from rcinterp.data.datasets import digest_of_classes
from rcinterp.data.sequences import letter_codes
from rcinterp.errors import InputError
from rcinterp.training.performance import auroc_error, evaluate, score_logits


def test_equals_counting_pairs():
    y = torch.tensor([[1, 0], [0, 1], [1, 1], [0, 0], [0, 1]], dtype=torch.float32)
    logits = torch.tensor([[0.9, 0.1], [0.8, 0.7], [0.3, 0.6], [0.1, 0.5], [0.3, 0.4]])
    table = score_logits(y, logits)
    for task in range(2):
        positive, negative = logits[y[:, task] == 1, task], logits[y[:, task] == 0, task]
        wins = sum(float(p > n) + 0.5 * float(p == n) for p in positive for n in negative)
        assert table["auroc"][task] == pytest.approx(wins / (len(positive) * len(negative)))
    assert table["auprc"][1] == pytest.approx((1 + 1 + 3 / 4) / 3)


def test_evaluate_runs_the_model(planted):
    class CountsA(nn.Module):
        def forward(self, x):
            return x[:, 0].sum(-1, keepdim=True)

    data = planted(20, 0)
    expected = score_logits(data.y, data.x[:, 0].sum(-1, keepdim=True))
    assert evaluate(CountsA(), data, batch_size=7).equals(expected)


def test_bad_input():
    with pytest.raises(InputError, match="task 0 has only one class"):
        score_logits(torch.ones(3, 1), torch.ones(3, 1))
    with pytest.raises(InputError, match="not finite"):
        score_logits(torch.tensor([[1.0], [0.0]]), torch.tensor([[float("nan")], [1.0]]))
    with pytest.raises(InputError, match=r"got \(2, 2\) logits for \(2, 1\) labels"):
        score_logits(torch.ones(2, 1), torch.ones(2, 2))


def test_standard_error_is_that_of_many_draws():
    """Two normal classes, a distance of 1.5 apart: auROC .856; 40 and 60 of them, drawn 2,000 times."""
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(2000):
        here, there = rng.normal(1.5, size=40), rng.normal(size=60)
        drawn.append((here[:, None] > there).mean())
    error = auroc_error(float(np.mean(drawn)), 40, 60)
    assert error == pytest.approx(np.std(drawn), rel=0.2)  # exact for other distributions than the normal


@pytest.mark.filterwarnings("ignore:fit")
def test_the_training_data_are_known_again(planted):
    train, valid = planted(40, 0), planted(40, 1)
    model = compact_model(1, 2, 41, widths=(8,), pool=10, stride=4)
    fit(model, train, valid, seed=0, recipe="quiet", epochs=1, baseline=False, progress=False)
    with pytest.warns(UserWarning, match="evaluate: these sequences are the very ones that the model was trained on"):
        evaluate(model, train)
    evaluate(model, valid)
    by_class = load_dataset(train.positives(), train.negatives())
    assert digest_of_classes(train.positives(), CodedSequences(letter_codes(train.negatives()))) == by_class.sha256
