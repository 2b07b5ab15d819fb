import json
import pickle

import pytest
import torch
from torch import nn

from rcinterp.errors import InputError
from rcinterp.training.models import compact_model, count_parameters
from rcinterp.training.saving import load_model, save_model
from rclayers import SymmetryError, exact_strands, to_rc
from rclayers.testing import check_rc


def _small(rc=True, n_tasks=1, length=61):
    return compact_model(2, 3, length, rc=rc, n_tasks=n_tasks, widths=(7, 5), pool=11, stride=4)


@pytest.mark.parametrize(
    ("arguments", "n_parameters"),
    [
        # Section 3.4.1 gives the first two.
        ({"n_layers": 1, "n_filters": 20, "length": 200, "n_tasks": 3, "widths": (21,), "pool": 20}, 1983),
        ({"n_layers": 1, "n_filters": 20, "length": 200, "n_tasks": 3, "widths": (21,), "pool": 20, "rc": False}, 2283),
        # Section 3.6 gives the rest: conv 976 + 2·7,184, norm 3·32, weighted sum 47·16, a frozen head.
        ({"n_layers": 3, "n_filters": 16, "length": 1000}, 976 + 2 * 7184 + 96 + 752),
        ({"n_layers": 3, "n_filters": 32, "length": 1000, "rc": False}, 1952 + 2 * 14368 + 192 + 47 * 32 + 1),
    ],
)
def test_parameter_counts(arguments, n_parameters):
    assert count_parameters(compact_model(**arguments)) == n_parameters


@pytest.mark.parametrize("read_out", ["weighted_sum", "dense", "separable"])
@pytest.mark.parametrize("n_tasks", [1, 3])
def test_rc_model_is_invariant_by_construction(n_tasks, read_out):
    model = compact_model(2, 3, 61, n_tasks=n_tasks, widths=(7, 5), pool=11, stride=4, read_out=read_out)
    assert model(torch.zeros(2, 4, 61)).shape == (2, n_tasks)
    assert check_rc(model, 61)


def test_a_dense_read_out_on_both_strands_weighs_their_sum():
    torch.manual_seed(0)
    model = compact_model(1, 3, 61, n_tasks=2, widths=(7,), pool=11, stride=4, read_out="dense").eval()
    x = torch.nn.functional.one_hot(torch.randint(4, (5, 61)), 4).transpose(1, 2).float()
    pooled = model[:4](x)
    expected = model.head.bias.expand(5, 2).clone()
    for f in range(3):
        for position in range(12):
            both = pooled[:, f, position] + pooled[:, 5 - f, 11 - position]
            expected += model.head.weight[:, 12 * f + position] * both[:, None]
    torch.testing.assert_close(model(x), expected)
    assert count_parameters(model) == 3 * (4 * 7 + 1) + 6 + 2 * 3 * 12 + 2


@pytest.mark.parametrize("rc", [True, False])
def test_a_separable_read_out_has_a_profile_and_a_weight_a_filter(rc, tmp_path):
    model = compact_model(1, 3, 61, rc=rc, n_tasks=2, widths=(7,), pool=11, stride=4, read_out="separable")
    assert count_parameters(model) == 3 * (4 * 7 + 1) + 6 + 2 * (3 + 12) + 2
    x = torch.rand(5, 4, 61)
    pooled, head = model.eval()[:4](x), model.head
    assert head.bias.eq(0).all()
    strands = [pooled[:, :3], pooled.flip(1, 2)[:, :3]] if rc else [pooled]
    expected = sum(torch.einsum("ncl,oc,ol->no", s, head.channel_weight, head.position_weight) for s in strands)
    torch.testing.assert_close(model(x), expected)
    save_model(model, tmp_path)
    assert torch.equal(load_model(tmp_path)(x), model(x))


@pytest.mark.parametrize("read_out", ["weighted_sum", "dense", "separable"])
def test_the_twin_of_a_traditional_model_has_the_layers_of_the_rc_model(read_out):
    plain, rc = (
        compact_model(2, 3, 61, rc=rc, n_tasks=2, widths=(7, 5), pool=11, stride=4, read_out=read_out)
        for rc in (False, True)
    )
    twin = to_rc(plain, 61)
    assert {name: repr(layer) for name, layer in twin.named_children()} == {
        name: repr(layer) for name, layer in rc.named_children()
    }
    twin.load_state_dict(rc.state_dict())
    x = torch.rand(5, 4, 61)
    assert torch.equal(twin.eval()(x), rc.eval()(x))


def test_an_unknown_read_out():
    with pytest.raises(InputError, match="got read_out='max', expected one of weighted_sum, dense, separable"):
        compact_model(1, 3, 61, widths=(7,), pool=11, stride=4, read_out="max")


def test_a_traditional_model_may_have_a_weighted_sum():
    model = compact_model(1, 3, 61, rc=False, widths=(7,), pool=11, stride=4, read_out="weighted_sum")
    assert count_parameters(model) == 3 * (4 * 7 + 1) + 6 + 3 * 12
    assert model.head.weight.eq(1).all()
    assert not model.head.weight.requires_grad


def test_a_model_saved_before_there_was_a_choice_of_read_out_is_loaded(tmp_path):
    for rc in (True, False):
        model = _small(rc=rc)
        save_model(model, tmp_path)
        description = json.loads((tmp_path / "model.json").read_text())
        del description["architecture"]["read_out"]
        (tmp_path / "model.json").write_text(json.dumps(description))
        assert repr(load_model(tmp_path)) == repr(model)


@pytest.mark.parametrize("rc", [True, False])
def test_maps_are_counted_without_running(rc):
    model = compact_model(3, 5, 61, rc=rc, widths=(7, 4, 3), pool=11, stride=1)
    sizes = []
    for i in (1, 2, 3):
        model.get_submodule(f"conv{i}").register_forward_hook(lambda *call: sizes.append(call[2][0].numel()))
    model(torch.zeros(2, 4, 61))
    assert model.architecture.map_sizes == tuple(sizes)


def test_layers_of_a_model_by_place():
    model = _small()
    assert isinstance(model[:3], nn.Sequential)
    assert model[:3][0] is model[0] is model.conv1
    assert len(model[:3]) == 3


@pytest.mark.parametrize("n_layers", [1, 3])
def test_predictions_on_both_strands_agree_to_rounding_and_on_request_to_the_last_bit(n_layers):
    torch.manual_seed(0)
    model = compact_model(n_layers, 5, 240).eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm1d):
            module.running_mean.normal_()
            module.bias.data.normal_()
    x = torch.nn.functional.one_hot(torch.randint(4, (33, 240)), 4).transpose(1, 2).float()
    torch.testing.assert_close(model(x), model(x.flip(1, 2)), rtol=1e-5, atol=1e-5)
    with exact_strands():
        assert torch.equal(model(x), model(x.flip(1, 2)))


def test_traditional_twin_is_not():
    report = check_rc(_small(rc=False), 61)
    assert not report
    assert report.first_break == "conv1"


def test_the_figure_5_model_is_invariant_here_though_the_original_was_not():
    """One layer of width 15 on 1000 bp leaves 6 positions over: shared by both ends (docs/evidence/deviations.md)."""
    model = compact_model(1, 8, 1000)
    assert model.weighted_sum.length == 48
    assert check_rc(model, 1000)
    model.pool = nn.MaxPool1d(40, 20)  # what the original did
    assert check_rc(model, 1000).first_break == "pool"


def test_single_rc_output_has_a_frozen_all_ones_head():
    head = _small().head
    assert not head.weight.requires_grad
    assert not head.bias.requires_grad
    assert head.weight.eq(1).all()
    assert head.bias.eq(0).all()
    assert _small(n_tasks=3).head.weight.requires_grad


def test_traditional_twin_starts_as_keras_does():
    model = compact_model(1, 40, 200, rc=False, widths=(21,), pool=20)
    bound = (6 / (21 * 44)) ** 0.5
    assert 0.98 * bound < model.conv1.weight.abs().max() <= bound
    assert model.conv1.bias.eq(0).all()
    assert (model.norm1.eps, model.norm1.momentum) == (1e-3, 0.01)
    assert model.head.weight.abs().max() <= (6 / (9 * 40 + 1)) ** 0.5


GIVEN = {"widths": (15, 14, 14), "pool": 40, "stride": 20}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_layers": 0}, "got n_layers=0, expected a whole number of at least 1"),
        ({"n_filters": 2.5}, "got n_filters=2.5"),
        ({"widths": (15,)}, "got 1 widths for 3 layers"),
        ({"widths": 21}, r"got widths=21, expected one a layer, e\.g\. widths=\(21,\)"),
        ({"widths": (15, 14, 0)}, "got widths=0, expected a whole number"),
        ({"widths": (15, 14, "a")}, "got widths='a'"),
        ({"length": 79, **GIVEN}, "got length=79, expected at least 80 bp"),
        ({"length": 1001, **GIVEN}, "Lengths that work: 1000 or 1002; or change a width by one .widths=, --width"),
        ({"length": 40}, "got length=40, for which no widths, pool, stride fit what is given, expected e.g. 65 bp"),
    ],
)
def test_bad_sizes(arguments, message):
    with pytest.raises((InputError, SymmetryError), match=message):
        compact_model(**({"n_layers": 3, "n_filters": 4, "length": 1000} | arguments))


def test_the_lengths_that_the_error_names_work():
    for length in (1000, 1002):
        assert check_rc(compact_model(3, 2, length), length)


@pytest.mark.parametrize("rc", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_saved_and_loaded_models_agree(tmp_path, rc, dtype):
    model = _small(rc=rc).to(dtype).eval()
    model.provenance = {"seed": 3, "train_sha256": "abc"}
    model.norm1.running_mean.uniform_()
    save_model(model, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    x = torch.randn(2, 4, 61, dtype=dtype)
    assert torch.equal(loaded(x), model(x))
    assert loaded.architecture == model.architecture
    assert loaded.provenance == model.provenance
    assert not loaded.training
    assert sorted(path.name for path in (tmp_path / "model").iterdir()) == ["model.json", "model.safetensors"]
    description = json.loads((tmp_path / "model/model.json").read_text())
    assert description["letters"] == "ACGT"
    assert set(description["versions"]) == {"rcinterp", "torch", "python"}


def test_what_is_saved_is_no_pickle(tmp_path):
    save_model(_small(), tmp_path)
    with pytest.raises(pickle.UnpicklingError):
        pickle.loads((tmp_path / "model.safetensors").read_bytes())


def test_load_errors(tmp_path):
    with pytest.raises(InputError, match=r"no model\.json here, expected a folder written by save_model"):
        load_model(tmp_path)
    save_model(_small(), tmp_path)
    good = (tmp_path / "model.json").read_text()
    (tmp_path / "model.json").write_text(good.replace('"n_filters": 3', '"n_filters": 5'))
    with pytest.raises(InputError, match=r"does not hold the weights that model\.json describes"):
        load_model(tmp_path)
    (tmp_path / "model.json").write_text("{}")
    with pytest.raises(InputError, match="not a model of rcinterp"):
        load_model(tmp_path)
    (tmp_path / "model.json").write_text("{")
    with pytest.raises(InputError, match="cannot be read"):
        load_model(tmp_path)
    (tmp_path / "model.json").write_text('{"format": "rcinterp model 1", "architecture": {"depth": 3}}')
    with pytest.raises(InputError, match="its architecture cannot be built"):
        load_model(tmp_path)
    (tmp_path / "model.json").write_text(good)
    (tmp_path / "model.safetensors").write_bytes(b"no tensors")
    with pytest.raises(InputError, match="does not hold the weights"):
        load_model(tmp_path)


def test_a_model_whose_layer_was_replaced_is_not_saved(tmp_path):
    model = _small()
    model.pool = nn.MaxPool1d(11, 4)
    with pytest.raises(InputError, match="a layer of the model was replaced"):
        save_model(model, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_provenance_that_is_no_json_leaves_the_saved_model_alone(tmp_path):
    model = _small()
    save_model(model, tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    model.conv1.weight.data += 1
    deep, circular = [], {}
    for _ in range(60):
        deep = [deep]
    circular["self"] = circular
    told = r"save_model: the model's provenance cannot be kept as JSON \({}.*\), expected a dict of texts"
    for wrong, why in (
        ({"seed": {1, 2}}, "Object of type set is not JSON serializable"),
        ({"a": deep}, "it has more than 50 lists or objects within one another"),
        (circular, "Circular reference"),
        ({1: "a", "1": "b"}, "'1' stands twice in one object"),
        (["seed"], r"it is \S+ \(list\)"),
    ):
        model.provenance = wrong
        with pytest.raises(InputError, match=told.format(why)):
            save_model(model, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_diverged_model_is_saved_with_one_warning(tmp_path):
    model = _small()
    model.conv1.weight.data[0, 0, 0] = float("nan")
    model.head.weight.data.fill_(float("inf"))
    with pytest.warns(UserWarning, match=r"save_model: conv1\.weight, head\.weight: values that are NaN or in") as told:
        save_model(model, tmp_path)
    assert len(told) == 1
    assert told[0].filename == __file__
    assert load_model(tmp_path).conv1.weight[0, 0, 0].isnan()


@pytest.mark.parametrize(
    ("shape", "fix"), [((2, 61, 4), r"use x\.transpose\(1, 2\)"), ((2, 4, 60), "Give sequences of")]
)
@pytest.mark.parametrize("rc", [True, False])
def test_inputs_of_another_shape(rc, shape, fix):
    with pytest.raises(InputError, match=rf"expected \(N, 4, 61\)\. .*{fix}"):
        _small(rc=rc)(torch.zeros(shape))


def test_only_compact_models_are_saved(tmp_path):
    with pytest.raises(InputError, match="got Linear, expected a model made by compact_model"):
        save_model(nn.Linear(2, 3), tmp_path)
