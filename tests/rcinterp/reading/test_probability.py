"""Models that end in a sigmoid or softmax are read by the logit before it, however they are written."""

import warnings

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn
from torch.nn import functional

from rcinterp.reading.functions import faithfulness, filter_contributions, find_sites, input_contributions
from rcinterp.reading.probability import logits_of_softmax
from rcinterp.reading.reader import Reader


class Body(nn.Module):
    """Logits of two or three classes, behind a gate, which is a sigmoid that ends nothing."""

    def __init__(self, n_classes=3):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.gate, self.head = nn.Conv1d(4, 5, 7), nn.Linear(5, 5), nn.Linear(5, n_classes)
        self.ends = nn.Sigmoid()

    def logits(self, x):
        pooled = functional.relu(self.conv(x)).amax(2)
        return 9 * self.head(pooled * torch.sigmoid(self.gate(pooled)))

    def forward(self, x):
        return self.end(self.logits(x))

    def end(self, z):
        return z


def ending(end, n_classes=3):
    return type("Ending", (Body,), {"end": end})(n_classes).double()


SIGMOIDS = {
    "function": lambda model, z: torch.sigmoid(z),
    "method": lambda model, z: z.sigmoid(),
    "in place": lambda model, z: z.sigmoid_(),
    "module": lambda model, z: model.ends(z),
    "functional": lambda model, z: functional.sigmoid(z),
    "special": lambda model, z: torch.special.expit(z),
    "in a dict": lambda model, z: {"p": torch.sigmoid(z)},
    "one column": lambda model, z: torch.sigmoid(z)[:, 1:2].squeeze(1),
}
HOW = {"in a dict": {"func": lambda y: y["p"], "target": 1}, "one column": {"target": 0}}


@pytest.fixture
def classes(dna):
    return dna(17, 40, 0).double(), dna(13, 40, 1).double()


@pytest.mark.parametrize("method", ["gradient_x_activation", "ablation", "integrated_gradients"])
@pytest.mark.parametrize("end", SIGMOIDS)
def test_contributions_are_those_to_the_logit(classes, end, method):
    how = {"method": method, "n_resamples": 10}
    with pytest.warns(UserWarning, match="the model ends in a sigmoid: what is read is the logit before it"):
        found = filter_contributions(ending(SIGMOIDS[end]), *classes, **how, **HOW.get(end, {"target": 1}))
    expected = filter_contributions(ending(lambda model, z: z), *classes, **how, target=1)
    assert set(found["output"]) == {"before its sigmoid"}
    pd.testing.assert_frame_equal(found.drop(columns="output"), expected.drop(columns="output"))


@pytest.mark.parametrize(
    "end",
    [
        lambda model, z: nn.Softmax(dim=1)(z),
        lambda model, z: torch.softmax(z, -1),
        lambda model, z: z.softmax(dim=1),
        lambda model, z: functional.softmax(z, 1),
    ],
)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_softmax_is_read_by_the_logit_of_its_probability(classes, end, n_classes):
    def by_hand(model, z):
        others = torch.cat([z[:, :1], z[:, 2:]], 1)
        return z[:, 1] - others.logsumexp(1)

    with pytest.warns(UserWarning, match="the model ends in a softmax"):
        found = filter_contributions(ending(end, n_classes), *classes, target=1, n_resamples=10)
    expected = filter_contributions(ending(by_hand, n_classes), *classes, n_resamples=10)
    assert set(found["output"]) == {"before its softmax"}
    np.testing.assert_allclose(found["contribution"], expected["contribution"], rtol=1e-9)


def test_logits_of_a_softmax_are_those_of_the_probabilities():
    for n_classes in (1, 2, 5, 300):
        z = 3 * torch.randn(7, n_classes, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        expected = z if n_classes == 1 else torch.logit(z.softmax(1))
        torch.testing.assert_close(logits_of_softmax(z), expected)
    sure = torch.tensor([[60.0, 0.0], [0.0, 0.0]])
    assert logits_of_softmax(sure).tolist() == [[60.0, -60.0], [0.0, 0.0]]  # where the probability is 1 exactly
    many = torch.zeros(1, 300)
    many[0, 0] = 500
    assert torch.isfinite(logits_of_softmax(many)).all()


@pytest.mark.filterwarnings("ignore:the model reads across a batch")  # of the softmax over sequences
@pytest.mark.parametrize(
    "end",
    [
        lambda model, z: 1 * torch.sigmoid(z),
        lambda model, z: (torch.sigmoid(z) + torch.sigmoid(z.flip(0)).flip(0)) / 2,
        lambda model, z: torch.cat([torch.sigmoid(z[:, :1]), torch.sigmoid(z[:, 1:])], 1),
        lambda model, z: torch.sigmoid(z).sum(1, keepdim=True).expand(-1, 3),
        lambda model, z: z.softmax(0),
        lambda model, z: z[..., None].softmax(1),
    ],
)
def test_what_was_changed_since_is_read_as_it_is(classes, end):
    reader = Reader(ending(end), target=1)
    with pytest.warns(UserWarning, match="if they are probabilities") as told:
        assert set(reader.contributions(*classes, n_resamples=10)["output"]) == {"as returned"}
    assert len([one for one in told if "if they are probabilities" in str(one.message)]) == 1
    model = ending(end)
    with torch.no_grad():
        returned = model(classes[0])
    expected = returned.flatten(2).sum(-1) if returned.dim() > 2 else returned
    if len(classes[0]) <= 100:  # one batch, as above
        with pytest.warns(UserWarning, match="if they are probabilities"):
            found = Reader(model, target=1).logits(classes[0])
        torch.testing.assert_close(found, expected[:, 1])


def test_it_is_said_once_and_only_where_logits_are_read(classes):
    reader = Reader(ending(SIGMOIDS["function"]), target=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        reader.activations(classes[0])
        reader.sites(classes[0])
        find_sites(ending(SIGMOIDS["function"]), classes[0])
    with pytest.warns(UserWarning, match=r"sigmoid.*For the probability give func=lambda y: 1 \* y \(in Python\)\.$"):
        reader.contributions(*classes, n_resamples=10)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        reader.faithfulness(*classes, n_sequences=5)
        found = reader.logits(classes[0])
    with torch.no_grad():
        torch.testing.assert_close(found, Body().double().logits(classes[0])[:, 1])


@pytest.mark.filterwarnings("ignore:the model ends in a sigmoid")
def test_every_question_is_of_the_logit(classes):
    model, plain = ending(SIGMOIDS["module"]), ending(lambda model, z: z)
    torch.testing.assert_close(input_contributions(model, classes[0], 2), input_contributions(plain, classes[0], 2))
    torch.testing.assert_close(Reader(model).logits(classes[0]), Reader(plain).logits(classes[0]))
    assert faithfulness(model, *classes).slope == pytest.approx(faithfulness(plain, *classes).slope)


@pytest.mark.filterwarnings("ignore:the model ends in a sigmoid")
def test_the_model_comes_back_as_it_was(classes):
    model = ending(SIGMOIDS["module"])
    with torch.no_grad():
        before = model(classes[0])
    Reader(model).contributions(*classes, n_resamples=10)
    with torch.no_grad():
        torch.testing.assert_close(model(classes[0]), before)


@pytest.mark.filterwarnings("ignore:the model ends in a sigmoid")
def test_deeplift_is_to_the_logit(dna):
    torch.manual_seed(0)
    body = [nn.Conv1d(4, 5, 7), nn.ReLU(), nn.Flatten(), nn.Linear(5 * 34, 1)]
    x = dna(9, 40, 0), dna(8, 40, 1)
    found = filter_contributions(nn.Sequential(*body, nn.Sigmoid()), *x, method="deeplift", n_resamples=10)
    expected = filter_contributions(nn.Sequential(*body), *x, method="deeplift", n_resamples=10)
    np.testing.assert_allclose(found["contribution"], expected["contribution"], atol=1e-6)
