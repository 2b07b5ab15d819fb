import pytest
import torch
from torch import nn

from rcinterp.errors import InputError
from rcinterp.inference import lent, one_thread, place_of, predict
from rcinterp.models import compact_model


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


def test_batches_have_a_size():
    with pytest.raises(InputError, match="batch_size: got 0, expected at least 1"):
        predict(nn.Flatten(), torch.zeros(2, 4, 5), batch_size=0)


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
