"""Outputs that are probabilities or their logarithms, other ones when run again, or not finite, are told once."""

import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

from rcinterp import interpret, plot_sequence
from rcinterp.data.coded import turned
from rcinterp.data.sequences import decode
from rcinterp.errors import InputError
from rcinterp.interpretation.report import _chart_strands
from rcinterp.reading.functions import (
    faithfulness,
    filter_contributions,
    find_sites,
    input_contributions,
    sequence_contributions,
)
from rcinterp.reading.model import predict
from rcinterp.reading.reader import Reader
from rcinterp.reading.strands import strand_consistency
from rcinterp.stability import compare_models


class Body(nn.Module):
    """Logits of two classes, behind a gate, a tanh and an exponential, which end nothing."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.gate, self.head = nn.Conv1d(4, 5, 7), nn.Linear(5, 5), nn.Linear(5, 2)

    def logits(self, x):
        pooled = functional.relu(self.conv(x)).amax(2)
        gated = pooled * torch.sigmoid(self.gate(pooled)) + torch.exp(-pooled) + torch.tanh(pooled)
        return 36 * self.head(gated) - torch.tensor([9.2, 25.3]).to(x)

    def forward(self, x):
        return self.end(self.logits(x))


def ending(end):
    return type("Ending", (Body,), {"end": lambda self, z: end(z)})().double()


def raw(z):
    return z


def over_all(z):
    return z / z.sum(1, keepdim=True)


def odds(p):
    return p / (1 - p)


def second_less_first(y):
    return y[:, 1:] - y[:, :1]


#: Ends whose logit is found, and the words for them.
KNOWN = {
    "log_softmax": (lambda z: functional.log_softmax(z, 1), "a log_softmax"),
    "log_softmax, a module": (lambda z: nn.LogSoftmax(dim=-1)(z), "a log_softmax"),
    "logarithm of a softmax": (lambda z: torch.log(z.softmax(1)), "the logarithm of a softmax"),
    "logsigmoid": (lambda z: functional.logsigmoid(z), "a logsigmoid"),
    "logsigmoid, a module": (lambda z: nn.LogSigmoid()(z), "a logsigmoid"),
    "logarithm of a sigmoid": (lambda z: z.sigmoid().log(), "the logarithm of a sigmoid"),
    "logarithm of a sigmoid, by name": (
        lambda z: torch.log(input=torch.sigmoid(input=z)),
        "the logarithm of a sigmoid",
    ),
    "softmax, by name": (lambda z: torch.softmax(dim=1, input=z), "a softmax"),
    "hardsigmoid": (lambda z: functional.hardsigmoid(z), "a hardsigmoid"),
}
PROBABILITIES = {
    "clamped": lambda z: torch.sigmoid(z).clamp(1e-6, 1 - 1e-6),
    "turned": lambda z: 1 - torch.sigmoid(-z),
    "times 1": lambda z: torch.sigmoid(z) * 1.0,
    "by hand": lambda z: 1 / (1 + torch.exp(-z)),
    "tanh": lambda z: 0.5 * (1 + torch.tanh(z / 2)),
    "exp over sum": lambda z: over_all(torch.exp(z)),
    "softplus": lambda z: torch.exp(-functional.softplus(-z)),
    "clamped line": lambda z: (z / 6 + 0.5).clamp(0, 1),
}
LOGARITHMS = {
    "with a little": lambda z: torch.log(z.softmax(1) + 1e-9),
    "logsumexp": lambda z: z - z.logsumexp(1, keepdim=True),
    "softplus": lambda z: -functional.softplus(-z),
    "times": lambda z: 2 * functional.logsigmoid(z),
    "of a share": lambda z: torch.log(over_all(torch.exp(z))),
    "less that of the sum": lambda z: torch.log(torch.exp(z)) - torch.log(torch.exp(z).sum(1, keepdim=True)),
}
PER_CENT = {"per cent": lambda z: 100 * torch.sigmoid(z)}
OTHERS = {
    **{
        name: (end, "all outputs lie between 0 and 1: if they are probabilities") for name, end in PROBABILITIES.items()
    },
    **{
        f"log, {name}": (end, "no output is above 0: if they are log-probabilities") for name, end in LOGARITHMS.items()
    },
    **{name: (end, "made of what a sigmoid or softmax returned") for name, end in PER_CENT.items()},
}
LOGITS = {
    "raw": raw,
    "all below 0": lambda z: z - 60,
    "all above 0": lambda z: z.abs(),
    "small": lambda z: z / 200 + 0.4,
    "the logit by hand": lambda z: torch.logit(torch.sigmoid(z).clamp(1e-6, 1 - 1e-6)),
    "a difference of logarithms": lambda z: functional.logsigmoid(z) - functional.logsigmoid(-z),
    "exp": lambda z: torch.exp(z / 9),
    "odds": lambda z: odds(torch.sigmoid(z - 60)).log(),
    "odds and a little": lambda z: torch.log(odds(torch.sigmoid(z - 60)) + 1e-9),
    "log less log": lambda z: torch.sigmoid(z - 60).log() - (1 - torch.sigmoid(z - 60)).log(),
    "log less log1p": lambda z: torch.log(torch.sigmoid(z - 60)) - torch.log1p(-torch.sigmoid(z - 60)),
    "log_softmaxes": lambda z: functional.log_softmax(z, 1) - functional.log_softmax(z + 60, 1).flip(1) - 60,
    "added by name": lambda z: torch.add(torch.sigmoid(z), other=5 * z),
}
#: Of a single output, of which one sequence has a single number.
ONE_LOGIT = {
    "a gate": lambda z: 10 * z[:, :1] * torch.sigmoid(z[:, 1:]) - 3,
    "swish": lambda z: z[:, :1] * torch.sigmoid(z[:, :1]),
    "log_softmaxes": lambda z: second_less_first(functional.log_softmax(z + torch.tensor([200, 0]), 1)),
    "logsigmoids": lambda z: functional.logsigmoid(z[:, :1] - 60) - functional.logsigmoid(60 - z[:, :1]),
}


@pytest.fixture
def classes(dna):
    return dna(23, 40, 0).double(), dna(21, 40, 1).double()


@pytest.mark.parametrize("name", KNOWN)
def test_the_logit_beneath_is_read(classes, name):
    end, words = KNOWN[name]
    gives = "probability" if name in ("hardsigmoid", "softmax, by name") else "log-probability"
    with pytest.warns(UserWarning, match=f"the model ends in {words}: what is read is the logit.* not the {gives}"):
        found = filter_contributions(ending(end), *classes, target=1, n_resamples=10)
    is_softmax = "softmax" in name
    plain = ending((lambda z: z - z.flip(1)) if is_softmax else raw)
    expected = filter_contributions(plain, *classes, target=1, n_resamples=10)
    np.testing.assert_allclose(found["contribution"], expected["contribution"], rtol=1e-9)
    assert set(found["output"]) == {f"before its {words.split()[-1]}"}
    with pytest.warns(UserWarning, match=f"ends in {words}"):
        torch.testing.assert_close(
            Reader(ending(end), target=1).logits(classes[0]), Reader(plain, target=1).logits(classes[0])
        )


def said(call):
    """What a call warned of the outputs."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call()
    return [str(one.message) for one in caught if "the model tells these classes" not in str(one.message)]


QUESTIONS = {
    "filter_contributions": lambda m, p, n: filter_contributions(m, p, n, n_resamples=10),
    "several": lambda m, p, n: filter_contributions(m, p, n, target=[0, 1], n_resamples=10),
    "ablation": lambda m, p, n: filter_contributions(m, p, n, method="ablation", n_resamples=10),
    "integrated_gradients, mean": lambda m, p, n: filter_contributions(
        m, p, n, method="integrated_gradients", baseline="mean", n_resamples=10
    ),
    "sequence_contributions": lambda m, p, n: sequence_contributions(m, p),
    "input_contributions": lambda m, p, n: input_contributions(m, p),
    "faithfulness": lambda m, p, n: faithfulness(m, p, n),
    "logits": lambda m, p, n: Reader(m).logits(p),
    "strands": lambda m, p, n: strand_consistency(m, p),
}


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("name", ["clamped", "by hand", "exp over sum", "log, with a little", "per cent"])
def test_every_question_of_the_logit_tells_once(classes, name, question):
    end, words = OTHERS[name]
    found = said(lambda: QUESTIONS[question](ending(end), *classes))
    assert len(found) == 1, found
    assert words in found[0]
    assert "func=lambda y: torch.logit(" in found[0]


@pytest.mark.parametrize("name", OTHERS)
def test_ends_of_every_kind_are_told(classes, name):
    end, words = OTHERS[name]
    found = said(lambda: filter_contributions(ending(end), *classes, n_resamples=10))
    assert len(found) == 1, found
    assert words in found[0]


@pytest.mark.parametrize("name", LOGITS)
@pytest.mark.parametrize("question", ["filter_contributions", "several", "logits", "strands"])
def test_logits_are_not_told(classes, name, question):
    assert not said(lambda: QUESTIONS[question](ending(LOGITS[name]), *classes))


@pytest.mark.parametrize("name", ONE_LOGIT)
@pytest.mark.parametrize("question", ["filter_contributions", "logits", "strands"])
def test_the_logit_of_a_single_output_is_not_told(classes, name, question):
    assert not said(lambda: QUESTIONS[question](ending(ONE_LOGIT[name]), *classes))
    assert not said(lambda: QUESTIONS["logits"](ending(ONE_LOGIT[name]), classes[0][:1], None))


@pytest.mark.parametrize(
    ("name", "func"),
    [
        ("by hand", lambda y: torch.logit(y, eps=1e-6)),
        ("log, softplus", lambda y: torch.logit(y.exp(), eps=1e-6)),
        ("per cent", lambda y: torch.logit(y / 100, eps=1e-6)),
    ],
)
@pytest.mark.parametrize("question", ["filter_contributions", "faithfulness", "logits", "strands"])
def test_the_advice_is_followed(classes, name, func, question):
    """Nothing is told then, and the contributions are those to the logit."""
    model, plain = ending(OTHERS[name][0]), ending(raw)
    ask = {
        "filter_contributions": lambda m, **how: filter_contributions(m, *classes, n_resamples=10, **how),
        "faithfulness": lambda m, **how: faithfulness(m, *classes, **how),
        "logits": lambda m, **how: Reader(m, **how).logits(classes[0]),
        "strands": lambda m, **how: strand_consistency(m, classes[0], **how),
    }[question]
    assert not said(lambda: ask(model, func=func))
    if question == "filter_contributions":
        expected = ask(plain)["contribution"]
        np.testing.assert_allclose(ask(model, func=func)["contribution"], expected, rtol=0.02, atol=0.02)


def test_few_outputs_tell_only_what_the_functions_show(classes):
    few = [x[:4] for x in classes]
    assert said(lambda: Reader(ending(PROBABILITIES["clamped"])).logits(few[0]))
    assert not said(lambda: Reader(ending(PROBABILITIES["tanh"])).logits(few[0]))


class Hidden(torch.autograd.Function):
    """A sigmoid that no function of torch shows."""

    @staticmethod
    def forward(ctx, z):
        p = torch.from_numpy(1 / (1 + np.exp(-z.numpy())))
        ctx.save_for_backward(p)
        return p

    @staticmethod
    def backward(ctx, gradient):
        (p,) = ctx.saved_tensors
        return gradient * p * (1 - p)


def test_values_tell_what_no_function_shows(classes):
    found = said(lambda: filter_contributions(ending(lambda z: Hidden.apply(3 * z)), *classes, n_resamples=10))
    assert len(found) == 1
    assert "all outputs lie between 0 and 1" in found[0]


def test_interpret_and_compare_models_tell_once_each(classes):
    motifs = {"GATTACA": np.full((4, 7), 0.1) + 0.6 * np.eye(4)[:, [2, 0, 3, 3, 0, 1, 0]]}
    for name in ("by hand", "log, with a little"):
        end, words = OTHERS[name]
        found = []
        told = said(
            lambda end=end, found=found: found.append(
                interpret(ending(end), *classes, motifs, measure_faithfulness=False)
            )
        )
        assert len([one for one in told if "if they are" in one]) == 1, told
        assert any(words[:20] in one for one in told)
        assert len([one for one in found[0].warnings() if words[1:20] in one]) == 1
        assert found[0].strands.table.loc[0, ["flipped", "conjoined_flipped"]].isna().all()
        (chart,) = _chart_strands(found[0])
        assert "called positive is not compared, as the outputs seem to be" in chart.text
        assert "%" not in chart.text
        told = said(lambda end=end: compare_models([ending(end)], *classes, motifs))
        assert len([one for one in told if words in one]) == 1, told


@pytest.mark.parametrize("name", ["by hand", "log, with a little", "per cent"])
def test_calls_of_probabilities_are_not_compared(classes, name):
    with pytest.warns(UserWarning, match="which strand's are called positive cannot be told"):
        found = strand_consistency(ending(OTHERS[name][0]), classes[0])
    assert found.table[["flipped", "conjoined_flipped"]].isna().all(axis=None)
    assert found.table[["rc_difference", "logit_correlation"]].notna().all(axis=None)
    assert "calls not compared, as the outputs seem to be" in str(found)
    assert "%" not in str(found)
    plain = strand_consistency(ending(raw), classes[0])
    assert plain.table["flipped"].notna().all()
    assert "% of the sequences called from one strand alone" in str(plain)


class Dropped(Body):
    def end(self, z):
        return functional.dropout(z, 0.5)


class Standardised(Body):
    def end(self, z):
        return (z - z.mean(0)) / (z.std(0) + 1e-3)


STEADY = {name: QUESTIONS[name] for name in ("filter_contributions", "several", "sequence_contributions", "logits")}
STEADY |= {"strands": QUESTIONS["strands"], "predict": lambda m, p, n: predict(m, p)}


@pytest.mark.filterwarnings("ignore:std")
@pytest.mark.parametrize("question", STEADY)
@pytest.mark.parametrize(
    ("model", "words"),
    [(Dropped, "the model is random in eval mode"), (Standardised, "the model reads across a batch")],
)
def test_outputs_that_do_not_repeat_are_told(classes, model, words, question):
    torch.manual_seed(0)
    told = said(lambda: STEADY[question](model().double(), *classes))
    found = [one for one in told if "degrees of" not in one and "no 95 % interval" not in one]
    assert len(found) == 1, found
    assert found[0].startswith(words)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("question", STEADY)
def test_rounding_is_not_told(dna, dtype, question):
    model = ending(raw).to(dtype)
    assert not said(lambda: STEADY[question](model, dna(150, 40, 0), dna(30, 40, 1)))


class Broken(Body):
    """The logarithm of 0 where a sequence begins with A."""

    def forward(self, x):
        z = self.logits(x)
        return torch.where(x[:, :1, 0] > 0, -torch.inf, z)


FINITE = {
    "filter_contributions": QUESTIONS["filter_contributions"],
    "sequence_contributions": QUESTIONS["sequence_contributions"],
    "input_contributions": QUESTIONS["input_contributions"],
    "logits": QUESTIONS["logits"],
    "several": QUESTIONS["several"],
}


@pytest.mark.parametrize("question", FINITE)
def test_logits_that_are_not_finite_are_counted_once(classes, question):
    of_both = question in ("filter_contributions", "several")
    read = torch.cat(classes) if of_both else classes[0]
    found = said(lambda: FINITE[question](Broken().double(), *classes))
    assert len(found) == 1, found
    assert f"the logits of {int(read[:, 0, 0].sum())} of {len(read)} sequences are not finite" in found[0]


def test_faithfulness_leaves_out_what_is_not_finite(classes):
    n_bad = int(torch.cat(classes)[:, 0, 0].sum())
    with pytest.warns(UserWarning, match=f"faithfulness: the logits of {n_bad} of 44 sequences are not finite"):
        found = faithfulness(Broken().double(), *classes)
    assert np.isfinite(found.slope)
    kept = [x[x[:, 0, 0] == 0] for x in classes]
    assert found.slope == pytest.approx(faithfulness(ending(raw), *kept).slope)
    bad = classes[0].clone()
    bad[:, :, 0] = torch.tensor([1.0, 0, 0, 0])
    with pytest.raises(InputError, match=r"faithfulness: the logits of .* expected numbers in either class"):
        faithfulness(Broken().double(), bad, classes[1])


def test_strands_say_how_many_are_not_finite(classes):
    n_bad = int(classes[0][:, 0, 0].sum())
    with pytest.raises(InputError, match=f"not finite on some sequences, {n_bad} of 23, expected numbers"):
        strand_consistency(Broken().double(), classes[0])
    assert turned(classes[0]).shape == classes[0].shape


def test_one_sequence_whose_logit_is_not_finite(classes):
    one = classes[0][classes[0][:, 0, 0] > 0][:1]
    for method in ("gradient_x_input", "ism"):
        found = said(lambda method=method: Reader(Broken().double()).read_sequence(one, method=method))
        assert len(found) == 1, found
        assert "the logits of 1 of 1 sequences are not finite" in found[0]
    letters = decode(one)[0]
    assert said(lambda: plot_sequence(ending(PROBABILITIES["clamped"]), letters))


def test_sites_of_scores_that_are_not_finite(classes):
    """Scores of a deeper layer are its activations: no site is given where they are NaN, and all others stay."""

    class Deep(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.one, self.two, self.head = nn.Conv1d(4, 5, 7), nn.Conv1d(5, 3, 3), nn.Linear(3, 1)
            self.is_broken = True

        def forward(self, x):
            y = functional.relu(self.one(x))
            if self.is_broken:
                y = torch.where(x[:, :1, :1] > 0, torch.nan, y)
            return self.head(functional.relu(self.two(y)).amax(2))

    model, x = Deep().double(), classes[0].clone()
    x[:, :, 0] = torch.tensor([0.0, 1, 0, 0])
    x[10:14, :, 0] = torch.tensor([1.0, 0, 0, 0])
    with pytest.warns(UserWarning, match="find_sites: scores of 4 of 23 sequences are not finite"):
        found = find_sites(model, x, "two", threshold=0)
    model.is_broken = False
    expected = find_sites(model, x, "two", threshold=0)
    is_bad = expected["sequence"].between(10, 13)
    assert found.values.tolist() == expected[~is_bad].values.tolist()
