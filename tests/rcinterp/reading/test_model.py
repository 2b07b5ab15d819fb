import contextlib

import pytest
import torch
from torch import nn

from rcinterp.errors import InputError
from rcinterp.reading.model import Runner, lent, one_thread, place_of, predict
from rcinterp.training.models import compact_model


def test_predict_in_batches_equals_the_whole(planted):
    model = compact_model(1, 3, 41, widths=(8,), pool=10, stride=4).double()
    x = planted(11, 0).x
    model.eval()
    with torch.no_grad():
        expected = model(x.double())
    model.train()
    torch.testing.assert_close(predict(model, x, batch_size=4), expected)
    assert model.training
    assert predict(model, x, batch_size=100).shape == (11, 1)


def test_one_value_a_sequence_becomes_a_column(planted):
    model = nn.Sequential(nn.Flatten(), nn.Linear(4 * 41, 1), nn.Flatten(0))
    assert predict(model, planted(6, 0).x).shape == (6, 1)


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
@pytest.mark.parametrize("how", [torch.jit.script, lambda model: torch.jit.trace(model, torch.rand(2, 4, 41))])
def test_torchscript_is_refused_in_one_line(planted, how):
    plain = nn.Sequential(nn.Conv1d(4, 3, 9), nn.ReLU(), nn.Flatten(), nn.Linear(99, 1))
    with pytest.raises(InputError, match=r"got a TorchScript model .* Give the nn.Module that it was made from"):
        predict(how(plain), planted(5, 0).x)


def test_an_exported_program_is_refused_in_one_line(planted):
    plain = nn.Sequential(nn.Conv1d(4, 3, 9), nn.ReLU(), nn.Flatten(), nn.Linear(99, 1)).eval()
    x = planted(5, 0).x
    exported = torch.export.export(plain, (x[:2],)).module()
    said = r"got an exported program \(.*\), expected an nn.Module: it cannot be put"
    with contextlib.suppress(NotImplementedError):
        exported.eval()  # as PyTorch 2.2 allows; the program is for two sequences
        said = r"the model \(GraphModule\) cannot be run on inputs of shape .* specialized at 2"
    with pytest.raises(InputError, match=said):
        predict(exported, x)


def test_a_lazy_model_must_have_been_run(planted):
    x = planted(5, 0).x
    model = nn.Sequential(nn.LazyConv1d(3, 9), nn.ReLU(), nn.Flatten(), nn.LazyLinear(1))
    with pytest.raises(InputError, match=r"weights without a shape \(0.weight, 0.bias, 3.weight: of lazy modules\)"):
        predict(model, x)
    with torch.no_grad():
        expected = model(x[:2].float())
    torch.testing.assert_close(predict(model, x)[:2], expected)


def test_a_lent_model_is_given_back_after_an_error():
    model = nn.Sequential(nn.Linear(3, 2), nn.Dropout()).train()
    model[1].eval()
    model[0].bias.requires_grad_(False)

    def borrow():
        with lent(model):
            assert not model.training
            assert not model[0].weight.requires_grad
            raise KeyError

    with pytest.raises(KeyError):
        borrow()
    assert model.training
    assert not model[1].training
    assert model[0].weight.requires_grad
    assert not model[0].bias.requires_grad


def test_place_of_a_model_without_parameters():
    assert place_of(nn.ReLU()) == (torch.device("cpu"), torch.float32)
    assert place_of(nn.Linear(2, 3).double())[1] == torch.float64


def test_further_inputs_go_with_their_sequences(dna):
    class Model(nn.Module):
        def forward(self, x, control, kind):
            assert control.dtype == torch.float64  # as the sequences; the model has no parameters
            assert kind.dtype == torch.int64
            return x.sum((1, 2)) * 0 + control[:, 0] + 100 * kind[:, 0]

    model = Model()
    model.anchor = nn.Parameter(torch.zeros(1, dtype=torch.float64))
    control, kind = torch.arange(7.0)[:, None], torch.ones(1, 3, dtype=torch.int64)
    found = predict(model, dna(7, 20, 0), (control, kind), batch_size=3)
    assert found[:, 0].tolist() == [100.0 + i for i in range(7)]


def test_outputs_of_every_kind(dna):
    x = dna(4, 20, 0)
    profile = torch.rand(4, 3, 11)
    outputs = {"profile": profile, "tuple": (profile, profile[:, :2, 0]), "flat": profile[:, 0, 0]}

    class Model(nn.Module):
        def __init__(self, output):
            super().__init__()
            self.output = output

        def forward(self, x):
            return self.output

    torch.testing.assert_close(predict(Model(profile), x), profile.sum(2))
    torch.testing.assert_close(predict(Model(outputs), x, func=lambda y: y["tuple"][1]), profile[:, :2, 0])
    torch.testing.assert_close(predict(Model(outputs["flat"]), x), profile[:, :1, 0])
    with pytest.raises(InputError, match=r"returned dict with 'profile', 'tuple', 'flat', expected one tensor"):
        predict(Model(outputs), x)
    with pytest.raises(
        InputError, match=r"returned logits of shape \(3, 3, 11\) for 4 sequences, expected \(n, n_tasks"
    ):
        predict(Model(profile[:3]), x)
    with pytest.raises(InputError, match=r"the func returned tuple"):
        predict(Model(outputs), x, func=lambda y: y["tuple"])


@pytest.mark.parametrize("broken", [RuntimeError, AssertionError, KeyError, AttributeError])
def test_a_model_that_cannot_be_run_is_told_in_one_line(broken, dna):
    class Broken(nn.Module):
        def forward(self, x):
            raise broken("first line\nsecond line")

    with pytest.raises(InputError, match=r"\(Broken\) cannot be run on inputs of shape \(1, 4, 20\) .*args=") as error:
        predict(Broken(), dna(3, 20, 0))
    assert "\n" not in str(error.value)


def test_a_function_that_fails_is_told_in_one_line(dna):
    model = nn.Sequential(nn.Flatten(), nn.Linear(80, 2))
    with pytest.raises(InputError, match=r"func: raised \w+Error .*on what the model returned \(\(\d, 2\)\)"):
        predict(model, dna(3, 20, 0), func=lambda y: y["counts"])


def test_models_that_squeeze_read_single_sequences(dna):
    """Thirty-one sequences in batches of thirty: the last batch of (1, 1) becomes (), that of (1, 2) becomes (2,)."""
    x = dna(31, 20, 0)
    for n_tasks in (1, 2):
        inner = nn.Sequential(nn.Flatten(), nn.Linear(80, n_tasks))

        class Squeezed(nn.Module):
            def forward(self, x, inner=inner):
                return inner(x).squeeze()

        model = Squeezed()
        torch.testing.assert_close(predict(model, x, batch_size=30), inner(x).detach())


def test_profiles_in_half_precision_are_added_up_in_single(dna):
    class Profile(nn.Module):
        def __init__(self):
            super().__init__()
            self.anchor = nn.Parameter(torch.zeros(1, dtype=torch.bfloat16))

        def forward(self, x):
            return torch.ones(len(x), 1, 1001, dtype=torch.bfloat16)

    assert predict(Profile(), dna(2, 20, 0)).flatten().tolist() == [1001.0, 1001.0]


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"batch_size": 2.5}, "batch_size: got 2.5, expected a whole number of at least 1"),
        ({"target": None}, "target: got None, expected a whole number of at least 0"),
        ({"target": -1}, "target: got -1, expected a whole number of at least 0"),
    ],
)
def test_numbers_that_are_none(how, message):
    with pytest.raises(InputError, match=message):
        Runner(nn.Flatten(), **how)


def test_progress_stands_on_standard_error_if_asked_for(dna, capsys):
    model = nn.Sequential(nn.Flatten(), nn.Linear(80, 1))
    predict(model, dna(6, 20, 0), batch_size=2)
    assert capsys.readouterr() == ("", "")
    predict(model, dna(6, 20, 0), batch_size=2, verbose=True)
    shown = capsys.readouterr()
    assert "predicting" in shown.err
    assert shown.out == ""


def test_bad_calls():
    with pytest.raises(InputError, match="batch_size: got 0, expected a whole number of at least 1"):
        predict(nn.Flatten(), torch.zeros(2, 4, 5), batch_size=0)
    with pytest.raises(InputError, match=r"got a model of type dict, expected an nn\.Module"):
        Runner({})


@pytest.fixture
def three_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("three_threads")
def test_one_thread_and_then_as_many_as_before():
    with one_thread():
        assert torch.get_num_threads() == 1
        with one_thread():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 1
    assert torch.get_num_threads() == 3


@pytest.mark.usefixtures("three_threads")
def test_one_thread_gives_the_threads_back_after_an_error():
    with pytest.raises(KeyError), one_thread():
        raise KeyError
    assert torch.get_num_threads() == 3
