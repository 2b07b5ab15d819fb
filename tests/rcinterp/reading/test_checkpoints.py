"""Weights as people keep them: wrapped, nested, beside others; and files that hold something else."""

import argparse
import zipfile

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from rcinterp.errors import InputError
from rcinterp.reading import checkpoints
from rcinterp.reading.checkpoints import load_weights


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(4, 3, 5)
        self.norm = nn.BatchNorm1d(3)
        self.fc = nn.Linear(3, 2)


@pytest.fixture
def trained():
    model = Net()
    for value in model.state_dict().values():
        value.copy_(torch.rand(value.shape) + 1)
    return model


@pytest.fixture
def weights(trained):
    return trained.state_dict()


def with_prefix(prefix, state):
    return {prefix + name: value for name, value in state.items()}


@pytest.fixture
def load(tmp_path, weights):
    """Give ``load(content)``: save it, load it into a new model, and see that it has the weights."""

    def load(content, name="w.pt"):
        torch.save(content, tmp_path / name)
        model = Net()
        load_weights(model, tmp_path / name)
        for key, value in weights.items():
            assert torch.equal(model.state_dict()[key], value), key
        return model

    return load


@pytest.mark.parametrize(
    "pack",
    [
        lambda w: w,
        lambda w: {"state_dict": w, "epoch": 3},
        lambda w: {"model": w, "optimizer": {"state": {}}},
        lambda w: {"model_state_dict": w, "lr": 1e-3},
        pytest.param(
            lambda w: {"state_dict": w, "hyper_parameters": argparse.Namespace(lr=1)},
            marks=pytest.mark.skipif(not hasattr(torch.serialization, "safe_globals"), reason="needs torch 2.5"),
        ),
        lambda w: {"ckpt": {"net": {"weights": w}}},
        lambda w: {"model": w, "ema": {name: value.clone() for name, value in w.items()}},  # the same twice
    ],
)
def test_where_weights_lie(load, weights, pack):
    load(pack(weights))


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "model.", "model._orig_mod.module."])
def test_a_prefix_is_left_out_and_said(load, weights, prefix):
    with pytest.warns(UserWarning, match=f"'{prefix}', with which the names of its weights begin, is left out"):
        load({"state_dict": with_prefix(prefix, weights)})


def test_weights_of_others_are_left_out_and_said(load, weights):
    with pytest.warns(UserWarning, match="as the model has no such part: criterion.pos_weight"):
        load({"state_dict": {**weights, "criterion.pos_weight": torch.ones(1)}})
    with (
        pytest.warns(UserWarning, match="'net.', with which"),
        pytest.warns(UserWarning, match="as the model has no such part: loss.weight"),
    ):
        load({**with_prefix("net.", weights), "loss.weight": torch.ones(1)})


def test_old_batch_norm_has_no_counter(load, weights):
    del weights["norm.num_batches_tracked"]
    load(weights)


def test_the_model_s_own_names_come_before_others(load, weights):
    """As where a wrapper was saved beside what it wraps; which one is taken is said."""
    others = {n: v + 1 for n, v in weights.items()}
    told = r"taken is 'state_dict' \(prefix ''\); left is what fits too and differs: 'ema' \(prefix 'module\.'\)\."
    with pytest.warns(UserWarning, match=told):
        load({"state_dict": weights, "ema": with_prefix("module.", others)})
    with pytest.warns(UserWarning, match=told):
        load({"ema": with_prefix("module.", others), "state_dict": weights})
    with (
        pytest.warns(UserWarning, match="taken is the file itself"),
        pytest.warns(UserWarning, match="the model has no such part: ema.conv.weight"),
    ):
        load(weights | with_prefix("ema.", others))


@pytest.mark.parametrize(
    "pack",
    [
        lambda a, b: {"model": a, "best_model": b},
        lambda a, b: {"best_model": b, "model": a},
        lambda a, b: {"state_dict": a, "ema": b},
        lambda a, b: {**a, "nested": b},
        lambda a, b: {"state_dict": {**a, "loss.weight": torch.ones(1)}, "nested": b},
        lambda a, b: {"model": with_prefix("module.", a), "ema": b},
        lambda a, b: {"ema": b, "model": with_prefix("module.", a)},
        lambda a, b: {"x": {"state_dict": a}, "y": with_prefix("module.", b)},
        lambda a, b: {"model": a, "half": {name: value.half() for name, value in b.items()}},
    ],
)
def test_two_sets_of_the_model_s_own_names_are_not_guessed_between(tmp_path, weights, pack):
    torch.save(pack(weights, {name: value + 1 for name, value in weights.items()}), tmp_path / "w.pt")
    with pytest.raises(InputError, match=r"w\.pt: holds more than one set of weights that fit .*, expected one; save"):
        load_weights(Net(), tmp_path / "w.pt")


@pytest.mark.parametrize("dtype", [torch.int8, torch.bool, torch.uint8, torch.int64])
def test_whole_numbers_in_the_place_of_real_ones_are_told(tmp_path, weights, dtype):
    weights["fc.weight"] = (weights["fc.weight"] * 10).to(dtype)
    torch.save(weights, tmp_path / "w.pt")
    name = str(dtype).removeprefix("torch.")
    with pytest.warns(UserWarning, match=rf"w\.pt: fc\.weight: {name} numbers, taken as they are, where the model has"):
        load_weights(Net(), tmp_path / "w.pt")


def packed(path, content):
    """A file of torch.save whose members are packed, which torch reads too."""
    torch.save(content, path)
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)


def test_an_archive_that_unpacks_to_many_times_its_size_is_refused_at_once(tmp_path, trained, weights, monkeypatch):
    monkeypatch.setattr(checkpoints, "_PACKED_AT_WILL", 2**20)
    packed(tmp_path / "w.pt", weights)
    model = Net()
    load_weights(model, tmp_path / "w.pt")
    assert torch.equal(model.conv.weight, trained.conv.weight)
    packed(tmp_path / "w.pt", {**weights, "more": torch.zeros(2**19)})
    monkeypatch.setattr(checkpoints, "_unpickle", lambda _: pytest.fail("it was unpacked"))
    with pytest.raises(
        InputError, match=r"w\.pt: is an archive that unpacks to 2\.1 MB, over 200 times its size, as no"
    ):
        load_weights(Net(), tmp_path / "w.pt")


@pytest.mark.parametrize("name", ["w.pt", "w.safetensors", "w.bin"])
def test_weights_are_compared_with_the_memory_there_is(tmp_path, weights, monkeypatch, name):
    (torch.save if name.endswith("pt") else save_file)(weights, tmp_path / name)
    monkeypatch.setattr("rcinterp.memory._LITTLE", 10)
    monkeypatch.setattr("rcinterp.memory.available_memory", lambda: 100)
    with pytest.raises(InputError, match=rf"{name}(: its content)? takes about 0\.0 MB of memory, expected at most"):
        load_weights(Net(), tmp_path / name)


@pytest.mark.parametrize("name", ["w.bin", "w.pt", "w.safetensors", "w.SafeTensors", "w"])
@pytest.mark.parametrize("kind", ["safetensors", "torch", "legacy"])
def test_a_file_is_told_by_its_first_bytes(tmp_path, trained, weights, name, kind):
    if kind == "safetensors":
        save_file(weights, tmp_path / name)
    else:
        torch.save(weights, tmp_path / name, _use_new_zipfile_serialization=kind == "torch")
    model = Net()
    load_weights(model, tmp_path / name)
    assert torch.equal(model.conv.weight, trained.conv.weight)


def test_safetensors(trained, weights, tmp_path):
    save_file(with_prefix("module.", weights), tmp_path / "w.safetensors")
    model = Net()
    with pytest.warns(UserWarning, match="'module.'"):
        load_weights(model, tmp_path / "w.safetensors")
    assert torch.equal(model.conv.weight, trained.conv.weight)


def test_weights_come_through_a_pipe(trained, weights, tmp_path, piped):
    save_file(weights, tmp_path / "w.safetensors")
    torch.save(weights, tmp_path / "w.pt")
    for name in ("w.safetensors", "w.pt"):
        model = Net()
        load_weights(model, piped(f"pipe of {name}", (tmp_path / name).read_bytes()))
        assert torch.equal(model.conv.weight, trained.conv.weight)
    with pytest.raises(InputError, match=r"words: cannot be read as weights"):
        load_weights(Net(), piped("words", b"12345678{"))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w.pop("fc.bias"), r"does not hold this model's state_dict \(missing: fc.bias\)"),
        (lambda w: w.update({"fc.more": torch.ones(1)}), r"state_dict \(not in the model: fc.more\)"),
        (
            lambda w: w.update({"fc.bias": torch.ones(7)}),
            r"\(of another shape: fc.bias \(7,\), expected \(2,\)\)",
        ),
        (lambda w: w.clear(), r"\(it holds no tensors by name\)"),
    ],
)
def test_another_model_s_weights_change_nothing(tmp_path, weights, change, message):
    change(weights)
    torch.save(weights, tmp_path / "w.pt")
    model = Net()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(InputError, match=message):
        load_weights(model, tmp_path / "w.pt")
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


@pytest.mark.filterwarnings("ignore:.*[Ss]parse.*:UserWarning", "ignore:.*uantiz.*")
@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda w: w.to_sparse(), r"is sparse_coo, expected dense, as \.to_dense\(\) makes it"),
        (lambda w: w.to("meta"), r"has no values \(it is on the device meta\)"),
        (
            lambda w: torch.quantize_per_tensor(w, 0.1, 0, torch.qint8),
            r"is quantized, expected dense, as \.dequantize\(\) makes it",
        ),
        (lambda w: w.to(torch.complex64), "is complex64, expected float32"),
    ],
)
@pytest.mark.parametrize("prefix", ["", "module."])
def test_weights_that_the_model_cannot_hold_are_refused(tmp_path, weights, change, told, prefix):
    weights["fc.weight"] = change(weights["fc.weight"])
    torch.save(with_prefix(prefix, weights), tmp_path / "w.pt")
    with pytest.raises(InputError, match=rf"w\.pt: {prefix}fc\.weight {told}; save the model\.state_dict\(\)"):
        load_weights(Net(), tmp_path / "w.pt")


def test_what_would_be_cut_to_whole_numbers_is_refused_but_for_averaged_counters(tmp_path, load, weights):
    weights["norm.num_batches_tracked"] = weights["norm.num_batches_tracked"].double()
    load(weights)
    model = nn.Module()
    model.register_buffer("places", torch.tensor([1, 2]))
    save_file({"places": torch.tensor([1.5, 2])}, tmp_path / "w.safetensors")
    with pytest.raises(InputError, match=r"w\.safetensors: places is float32, expected int64"):
        load_weights(model, tmp_path / "w.safetensors")


def test_two_sets_that_differ_are_not_guessed_between(tmp_path, weights):
    both = with_prefix("model.", weights) | with_prefix("ema.", {name: value + 1 for name, value in weights.items()})
    torch.save({"state_dict": both}, tmp_path / "w.pt")
    with pytest.raises(InputError, match=r"more than one set of weights that fit .* the prefixes 'ema\.', 'model\.'"):
        load_weights(Net(), tmp_path / "w.pt")


@pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning")
def test_what_is_no_file_of_weights(tmp_path, trained):
    torch.save(trained, tmp_path / "whole.pt")
    (tmp_path / "text.pt").write_text("weights")
    (tmp_path / "text.safetensors").write_text("weights")
    torch.jit.script(nn.Linear(2, 2)).save(tmp_path / "script.pt")
    for name, message in (
        ("whole.pt", r"cannot be read as weights alone \(UnpicklingError\); save model.state_dict\(\)\."),
        ("text.pt", "cannot be read as weights alone"),
        ("text.safetensors", r"cannot be read as weights \(.*\); save model.state_dict\(\) of the nn.Module\."),
        ("script.pt", r"cannot be read as weights \(it is a TorchScript archive\); save model.state_dict\(\) of the"),
        ("none.pt", "no such file"),
    ):
        with pytest.raises(InputError, match=message) as error:
            load_weights(Net(), tmp_path / name)
        assert "\n" not in str(error.value)
