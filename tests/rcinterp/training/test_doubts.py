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
from rcinterp.training.doubts import are_all_dead, find_doubts, judge_validation
from rcinterp.training.performance import can_tell, is_chance
from rcinterp.training.recipes import Recipe, constant

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


def still(rate, **options):
    """A recipe of a learning rate, which leaves the first weights alone."""
    return Recipe("still", lambda model, length: None, lambda p: torch.optim.Adam(p, lr=rate), constant, **options)


def messages(train, valid, model, **options):
    """What `fit` warns of."""
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        fit(model, train, valid, seed=0, baseline=False, progress=False, **options)
    return [str(one.message) for one in seen]


class Wobbly(Silent):
    """Dropout and batch norm let the loss differ from epoch to epoch, whatever the weights do."""

    def __init__(self, n_tasks=1):
        super().__init__(0.0)
        self.norm, self.head, self.unused = nn.BatchNorm1d(3), nn.Linear(3, n_tasks), nn.Parameter(torch.zeros(2))

    def forward(self, x):
        return (
            self.head(nn.functional.dropout(self.norm(self.conv(x)).amax(2), 0.5, self.training))
            + 0 * self.unused.sum()
        )


def test_weights_that_do_not_change_are_told_though_the_loss_wobbles():
    train, valid = data(300, 0), data(100, 1)
    kept = {"samples_per_epoch": 50, "epochs": 4}
    told = [one for one in messages(train, valid, Wobbly(), recipe=still(0.0), **kept) if "weights has changed" in one]
    assert len(told) == 1
    assert "training loss has not moved" not in told[0]
    frozen = Wobbly()
    for name, parameter in frozen.named_parameters():
        parameter.requires_grad = name == "unused"
    assert any("weights has changed" in one for one in messages(train, valid, frozen, recipe=still(1e-2), **kept))
    assert not any("weights has changed" in one for one in messages(train, valid, Wobbly(), recipe=still(1e-3), **kept))


def by_letter(n, seed, turned=()):
    """Two tasks: whether the first letter is A or C, and the same of the second; labels of the turned ones swapped."""
    x = simulate_background(n, LENGTH, seed=seed)
    y = torch.stack([x[:, :2, 0].sum(1), x[:, :2, 1].sum(1)], 1)
    for task in turned:
        y[:, task] = 1 - y[:, task]
    return Dataset(x, y, tuple(map(str, range(n))))


class Letters(nn.Module):
    """Reads the first two letters, and knows the names of its tasks or not."""

    def __init__(self, n_tasks=2, names=None):
        super().__init__()
        torch.manual_seed(0)
        self.head, self.task_names = nn.Linear(8, n_tasks), names

    def forward(self, x):
        return self.head(x[:, :, :2].flatten(1))


@pytest.mark.parametrize("names", [None, ["CTCF", "SPI1"]])
def test_a_task_at_chance_is_named(names):
    valid = by_letter(200, 1)
    y = valid.y.clone()
    y[:, 1] = y[torch.randperm(200, generator=torch.Generator().manual_seed(0)), 1]
    said = messages(by_letter(400, 0), Dataset(valid.x, y, valid.names), Letters(2, names), recipe=still(0.1), epochs=5)
    (told,) = [one for one in said if "may have learned nothing" in one]
    assert f"its validation auROC of {'task 1' if names is None else 'SPI1'} (0." in told
    assert "task 0" not in told
    assert "CTCF" not in told


def test_a_task_of_swapped_labels_is_named():
    said = messages(by_letter(400, 0), by_letter(200, 1, turned=[1]), Letters(), recipe=still(0.1), epochs=5)
    assert sum("the validation auROC of task 1 (0.0" in one and "may be swapped" in one for one in said) == 1
    assert not any("learned nothing" in one for one in said)


def test_swapped_validation_classes_are_told_as_such():
    train, valid = by_letter(400, 0), by_letter(200, 1, turned=[0])
    one_task = [Dataset(one.x, one.y[:, :1].clone(), one.names) for one in (train, valid)]
    (told,) = messages(*one_task, Letters(1), recipe=still(0.1), epochs=5)
    assert told.startswith("fit: the validation auROC, 0.0")
    assert "is well below 0.5: the positives and the negatives of the validation set" in told
    history = [{"train_loss": 0.7 - 0.1 * i, "valid_auroc": auroc} for i, auroc in enumerate([0.48, 0.1, 0.04])]
    assert "0.0400" in judge_validation(Letters(1), one_task[1], history, [0.48])[0]  # the first is kept as the best
    assert find_doubts(Letters(1), *one_task, history) == []


def test_a_model_at_chance_on_many_sequences_has_no_swapped_classes():
    history = [{"train_loss": 0.7 - 0.1 * i, "valid_auroc": auroc} for i, auroc in enumerate([0.484, 0.503, 0.507])]
    valid = data(10_000, 1)
    assert judge_validation(Letters(1), valid, history, [0.507]) == []
    assert "is not above 0.5" in find_doubts(Letters(1), data(100, 0), valid, history)[0]


@pytest.mark.parametrize("n", [2, 4])
def test_a_validation_set_that_is_too_small_is_told_as_such(n):
    history = [{"train_loss": 0.5, "valid_auroc": 1.0}]
    assert find_doubts(Silent(0.0), data(100, 0), data(2 * n, 1), history) == []
    (told,) = judge_validation(Silent(0.0), data(2 * n, 1), history, [1.0])
    assert told.startswith(f"the validation set has {n} positives and {n} negatives, too few to tell whether the model")
    assert (can_tell(6, 6), can_tell(7, 7)) == (False, True)


def test_what_the_validation_cannot_tell_is_kept_with_the_model():
    model = compact_model(1, 3, LENGTH, rc=False, widths=(7,), pool=10, stride=10)
    said = messages(data(200, 0), data(4, 1), model, recipe="quiet", epochs=1)
    (told,) = [one for one in said if "too few to tell" in one]
    assert told.removeprefix("fit: ") in model.provenance["doubts"]


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
