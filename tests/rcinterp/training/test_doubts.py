"""What makes a training doubtful, told once at its end."""

import warnings

import pytest
import torch
from torch import nn

from rcinterp import compact_model, evaluate, fit, interpret, predict
from rcinterp.data.datasets import Dataset
from rcinterp.data.simulation import simulate_background
from rcinterp.errors import InputError
from rcinterp.reading.reader import Reader
from rcinterp.training.doubts import are_all_dead, find_doubts
from rcinterp.training.performance import is_chance

LENGTH = 60


def data(n, seed):
    x = simulate_background(n, LENGTH, seed=seed)
    return Dataset(x, (torch.arange(n) % 2).float()[:, None], tuple(map(str, range(n))))


class Silent(nn.Module):
    """A model whose filters are below 0 everywhere."""

    def __init__(self, bias):
        super().__init__()
        self.conv, self.relu, self.head = nn.Conv1d(4, 3, 5), nn.ReLU(), nn.Linear(3, 1)
        nn.init.constant_(self.conv.bias, bias)

    def forward(self, x):
        return self.head(self.relu(self.conv(x)).amax(2))


def test_dead_filters_are_found_and_only_those():
    train = data(250, 0)
    assert are_all_dead(Silent(-50.0), train)
    assert not are_all_dead(Silent(0.0), train)
    assert not are_all_dead(nn.Sequential(nn.Flatten(), nn.Linear(4 * LENGTH, 1)), train)
    model = Silent(-50.0).train()
    are_all_dead(model, train)
    assert model.training
    assert not model.relu._forward_hooks


@pytest.mark.parametrize(
    ("losses", "auroc", "said"),
    [
        ([0.7, 0.6, 0.5], 0.9, []),
        ([0.7, 0.6999, 0.7001], 0.9, ["training loss has not moved in 3 epochs from 0.7"]),
        ([0.7, 0.7], 0.9, []),
        ([0.7, 0.6, 0.5], 0.52, ["validation auROC, 0.5200, is not above 0.5 by more than 3"]),
    ],
)
def test_each_doubt_has_its_sentence(losses, auroc, said):
    history = [{"train_loss": loss, "valid_auroc": auroc} for loss in losses]
    found = find_doubts(Silent(0.0), data(100, 0), data(400, 1), history)
    assert len(found) == len(said)
    assert all(part in sentence for part, sentence in zip(said, found, strict=True))


def test_chance_is_three_standard_errors_wide():
    assert is_chance(0.5 + 2.9 * (201 / (12 * 100 * 100)) ** 0.5, 100, 100)  # of Mann and Whitney's U
    assert not is_chance(0.5 + 3.1 * (201 / (12 * 100 * 100)) ** 0.5, 100, 100)


@pytest.mark.filterwarnings("always")  # it is counted, though the suite ignores it elsewhere
def test_fit_on_labels_that_mean_nothing_says_so_once():
    model = compact_model(1, 3, LENGTH, rc=False, widths=(7,), pool=10, stride=10)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        fit(model, data(200, 0), data(200, 1), seed=0, recipe="quiet", epochs=3, baseline=False, progress=False)
    said = [str(one.message) for one in seen if "may have learned nothing" in str(one.message)]
    assert len(said) == 1
    assert said[0].startswith("fit: the model may have learned nothing: ")
    assert "its validation auROC, 0.5" in said[0]
    assert len(model.provenance["doubts"]) == said[0].count(";") + 1


def test_predictions_that_are_not_finite_are_counted():
    class Broken(Silent):
        def forward(self, x):
            y = super().forward(x)
            y[1:2] = float("nan")
            y[2:3] = float("inf")
            return y

    with pytest.warns(UserWarning, match=r"predict: the logits of 2 of 7 sequences are not finite \(NaN or infinite\)"):
        assert predict(Broken(0.0), data(7, 0).x).shape == (7, 1)


def test_evaluate_and_interpret_name_the_number_of_sequences_too():
    class Broken(Silent):
        def forward(self, x):
            return super().forward(x) + torch.where(x[:, :1, :1].sum(2) > 0, float("nan"), 0.0)

    held = data(80, 3)
    n_bad = int(held.x[:, 0, 0].sum())
    with pytest.raises(InputError, match=f"not finite for {n_bad} of 80 sequences"):
        evaluate(Broken(0.0), held)
    with pytest.raises(InputError, match=f"not finite for {n_bad} of 80 sequences"):
        interpret(Broken(0.0), held.positives(), held.negatives())


class Ending(Silent):
    """A model of the user's own, which gives no logits."""

    def __init__(self, end):
        super().__init__(0.0)
        self.end = end

    def forward(self, x):
        return self.end(super().forward(x))


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (torch.sigmoid, "fit: the model ends in a sigmoid, but the loss is taken of logits"),
        (nn.LogSigmoid(), "fit: the model ends in a logsigmoid, but"),
        (lambda z: torch.sigmoid(z).clamp(1e-3, 0.999), "fit: the outputs seem to be probabilities, but the loss is"),
        (lambda z: 1 / (1 + torch.exp(-z)), "fit: the outputs seem to be probabilities, but"),
        (lambda z: z, None),
    ],
)
def test_fit_of_a_model_that_gives_probabilities_says_so_at_the_start(end, words):
    model = Ending(end)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        fit(model, data(60, 0), data(60, 1), seed=0, recipe="quiet", epochs=1, baseline=False, progress=False)
    told = [str(one.message) for one in seen if "the loss is taken of logits" in str(one.message)]
    assert len(told) == (words is not None)
    assert words is None or told[0].startswith(words)
    assert set(model.state_dict()) == set(before)


def test_evaluation_of_probabilities_as_logits_is_told():
    held = data(60, 2)
    with pytest.warns(UserWarning, match=r"between 0 and 1.* \(Brier score, calibration, probabilities\) is wrong"):
        Reader(Ending(lambda z: torch.sigmoid(z) * 1.0)).logits(held.x)
