"""A model that is bound once: how often it is run, that it comes back, and that functions are its methods."""

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import rcinterp
from rcinterp import Reader
from rcinterp.errors import InputError
from rcinterp.reading import reader as reader_module
from rcinterp.reading.logits import profile_score
from rcinterp.training.models import compact_model


@pytest.fixture
def basset(others):
    torch.manual_seed(0)
    return others.with_moved_statistics(others.basset())


@pytest.fixture
def classes(dna):
    return dna(12, 100, 0), dna(9, 100, 1)


def test_functions_are_the_methods(basset, classes):
    reader = Reader(basset, target=1, batch_size=5)
    how = {"target": 1, "batch_size": 5}
    pd.testing.assert_frame_equal(
        reader.contributions(*classes, method="ablation", n_resamples=10),
        rcinterp.filter_contributions(basset, *classes, method="ablation", n_resamples=10, **how),
    )
    assert torch.equal(
        reader.sequence_contributions(classes[0]), rcinterp.sequence_contributions(basset, classes[0], **how)
    )
    assert torch.equal(reader.input_contributions(classes[0]), rcinterp.input_contributions(basset, classes[0], **how))
    pd.testing.assert_frame_equal(reader.sites(classes[0]), rcinterp.find_sites(basset, classes[0], batch_size=5))
    found = reader.faithfulness(*classes, n_sequences=4, seed=3)
    expected = rcinterp.faithfulness(basset, *classes, n_sequences=4, seed=3, **how)
    pd.testing.assert_frame_equal(found.table, expected.table)
    np.testing.assert_allclose(reader.logits(classes[0]), rcinterp.predict(basset, classes[0])[:, 1], atol=1e-6)


def test_functions_take_a_reader(basset, classes):
    reader = Reader(basset, "4", target=2)
    pd.testing.assert_frame_equal(
        rcinterp.filter_contributions(reader, *classes, n_resamples=10),
        rcinterp.filter_contributions(basset, *classes, "4", 2, n_resamples=10),
    )
    assert set(rcinterp.filter_contributions(reader, *classes, n_resamples=10)["layer"]) == {"4"}
    sites = rcinterp.find_sites(reader, classes[0])
    pd.testing.assert_frame_equal(sites, rcinterp.find_sites(basset, classes[0], "4"))
    for more in ({"layer": "0"}, {"target": 1}, {"batch_size": 3}):
        with pytest.raises(
            InputError, match=f"got a Reader and {next(iter(more))} too, expected what it was made with"
        ):
            rcinterp.filter_contributions(reader, *classes, **more)


def test_activations(basset, classes):
    with torch.no_grad():
        first = torch.relu(basset[1](basset[0](classes[0])))
    found = Reader(basset, batch_size=5).activations(classes[0])
    torch.testing.assert_close(found, first)
    assert Reader(basset, "4").activations(classes[0]).shape == (12, 7, 33)
    convolution = Reader(basset).activations(classes[0], at="convolution")
    torch.testing.assert_close(convolution, basset[0](classes[0]).detach())


def test_further_inputs_beside_the_sequences_or_with_them(others, dna):
    torch.manual_seed(0)
    model, x, y = others.BPNet(), dna(6, 60, 0), dna(5, 60, 1)
    control = torch.rand(11, 2, 60)

    def shape(output):
        return profile_score(output[0])

    beside = Reader(model, func=shape, args=(control,)).contributions(x, y, n_resamples=10)
    reader = Reader(model, func=shape)
    along = reader.contributions((x, control[:6]), (y, control[6:]), n_resamples=10)
    pd.testing.assert_frame_equal(beside, along)
    without = reader.contributions(x, y, n_resamples=10)
    assert not np.allclose(without["contribution"], along["contribution"])
    found = rcinterp.interpret(reader, (x, control[:6]), (y, control[6:]), measure_faithfulness=False)
    by_filter = found.contributions.set_index("filter")["contribution"]
    np.testing.assert_allclose(by_filter, along.set_index("filter")["contribution"])


@pytest.fixture
def runs(monkeypatch):
    """Give ``runs(model)``: a list of the sequences in each run of it, and "batch" where batches begin."""

    def watch(model):
        seen = []
        model.register_forward_pre_hook(lambda module, inputs: seen.append(len(inputs[0])))
        read = reader_module.read_class

        def first_batch(*given, **named):
            seen.append("batch")
            return read(*given, **named)

        monkeypatch.setattr(reader_module, "read_class", first_batch)
        return seen

    return watch


@pytest.mark.filterwarnings("ignore:the model ends in a sigmoid")
@pytest.mark.parametrize("name", ["basset", "DeepSEA", "BPNet", "ResidualStem", "Wrapped", "deep", "compact"])
def test_a_model_is_run_at_most_four_times_before_the_first_batch_of_interpret(name, others, dna, runs):
    torch.manual_seed(0)
    models = {
        "basset": (others.basset, {}),
        "DeepSEA": (others.DeepSEA, {}),
        "BPNet": (others.BPNet, {"func": lambda y: y[1]}),
        "ResidualStem": (others.ResidualStem, {"func": lambda y: y["human"]}),
        "Wrapped": (lambda: others.Wrapped(others.basset()), {}),
        "deep": (others.basset, {"layer": "4"}),
        "compact": (lambda: compact_model(1, 3, 100, widths=(11,), pool=18, stride=18), {}),
    }
    build, how = models[name]
    model = build().eval()
    seen = runs(model)
    rcinterp.interpret(model, dna(20, 100, 0), dna(20, 100, 1), measure_faithfulness=False, **how)
    before = seen[: seen.index("batch")]
    assert 2 <= len(before) <= 4
    if name != "deep":
        assert before == [3, 3]


def test_a_second_question_probes_no_more(basset, classes):
    seen = []
    basset.register_forward_pre_hook(lambda module, inputs: seen.append(len(inputs[0])))
    reader = Reader(basset)
    reader.sequence_contributions(classes[0])
    assert seen == [3, 3, 12]
    seen.clear()
    reader.sequence_contributions(classes[1])
    assert seen == [9]


def test_the_model_is_lent_once_and_comes_back(basset, classes):
    basset.train()
    reader = Reader(basset)
    with reader.borrowed():
        assert not basset.training
        with reader.borrowed():
            reader.sequence_contributions(classes[0])
            assert not basset.training
        assert not basset.training
    assert basset.training
    with pytest.raises(KeyError), reader.borrowed():
        raise KeyError
    assert basset.training
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in basset.modules())


def test_bad_readers(basset, classes):
    with pytest.raises(InputError, match=r"got a model of type str, expected an nn\.Module"):
        Reader("model")
    with pytest.raises(InputError, match=r"target: got -1"):
        Reader(basset, target=-1)
    with pytest.raises(InputError, match=r"target: got 3, expected 0 to 2: the model has 3 outputs"):
        Reader(basset, target=3).contributions(*classes)
    with pytest.raises(TypeError, match="unexpected keyword argument 'methods'"):
        rcinterp.filter_contributions(basset, *classes, methods="ablation")
    with pytest.raises(TypeError, match="unexpected keyword argument 'methods'"):
        rcinterp.interpret(basset, *classes, methods="ablation")
    assert repr(Reader(nn.Identity(), "conv", 1)) == "Reader of layer 'conv' of Identity, target 1"
