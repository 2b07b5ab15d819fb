"""Training steps in bfloat16, which torch emulates where the processor has none: these tests let it."""

import json

import pandas as pd
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from rcinterp.errors import InputError
from rcinterp.training import fitting, precision
from rcinterp.training.fitting import fit
from rcinterp.training.models import compact_model
from rcinterp.training.precision import has_bfloat16

SETTINGS = {"epochs": 3, "samples_per_epoch": 60, "batch_size": 20, "progress": False, "baseline": False}
MIXED = {"precision": "bf16-mixed"}
CPU = torch.device("cpu")


def _model(rc=True):
    return compact_model(1, 3, 41, rc=rc, widths=(8,), pool=10, stride=4)


@pytest.fixture
def data(planted):
    return planted(80, 0), planted(60, 1)


@pytest.fixture
def emulated(monkeypatch):
    monkeypatch.setattr(precision, "has_bfloat16", lambda device: True)


@pytest.mark.parametrize("rc", [True, False])
@pytest.mark.parametrize("recipe", ["paper", "seeded"])
def test_an_epoch_s_loss_is_that_of_float32_but_for_bfloat16_s_rounding(data, emulated, rc, recipe):
    """Within 2 %: a value is rounded by up to 1 in 256."""
    settings = SETTINGS | {"epochs": 1}
    full, mixed = (fit(_model(rc), *data, seed=1, recipe=recipe, **settings, **how) for how in ({}, MIXED))
    assert mixed["train_loss"][0] == pytest.approx(full["train_loss"][0], rel=0.02)
    assert mixed["train_loss"][0] != full["train_loss"][0]


def test_only_the_forward_pass_of_a_step_is_in_bfloat16(data, emulated):
    model, seen = _model(), {}

    def note(module, x, y):
        seen.setdefault(module.training, set()).add(y.dtype)

    model.conv1.register_forward_hook(note)
    fit(model, *data, seed=1, recipe="paper", **SETTINGS, **MIXED)
    assert seen == {True: {torch.bfloat16}, False: {torch.float32}}
    assert {value.dtype for value in model.state_dict().values()} == {torch.float32, torch.int64}
    assert model.provenance["precision"] == "bf16-mixed"


def test_the_loss_is_computed_in_float32(data, emulated, monkeypatch):
    loss_of, seen = fitting.loss_of, set()

    def note(logits, *others):
        seen.add(logits.dtype)
        return loss_of(logits, *others)

    monkeypatch.setattr(fitting, "loss_of", note)
    fit(_model(rc=False), *data, seed=1, recipe="paper", **SETTINGS, **MIXED)
    assert seen == {torch.float32}


def test_a_resumed_run_equals_an_uninterrupted_one(data, emulated, tmp_path, monkeypatch):
    whole, resumed = _model(), _model()
    expected = fit(whole, *data, seed=2, recipe="paper", checkpoint=tmp_path / "whole.safetensors", **SETTINGS, **MIXED)
    score = fitting._score

    def stop(*args):
        if (tmp_path / "cut.safetensors").exists():
            raise KeyboardInterrupt
        return score(*args)

    again = {"seed": 2, "recipe": "paper", "checkpoint": tmp_path / "cut.safetensors", **SETTINGS, **MIXED}
    with monkeypatch.context() as patch:
        patch.setattr(fitting, "_score", stop)
        with pytest.raises(KeyboardInterrupt):
            fit(resumed, *data, **again)
    history = fit(resumed, *data, **again)
    pd.testing.assert_frame_equal(history, expected, check_exact=True)
    cut, uncut = (load_file(tmp_path / f"{name}.safetensors") for name in ("cut", "whole"))
    assert cut.keys() == uncut.keys()
    assert all(torch.equal(cut[name], value) for name, value in uncut.items())
    assert all(torch.equal(value, resumed.state_dict()[name]) for name, value in whole.state_dict().items())
    with pytest.raises(InputError, match=r"another run \(precision was 'bf16-mixed', now 'float32'\)"):
        fit(resumed, *data, **again | {"precision": "float32"})


def test_a_checkpoint_older_than_the_setting_is_one_of_float32(data, emulated, tmp_path):
    path, model = tmp_path / "old.safetensors", _model()
    how = {"seed": 2, "recipe": "paper", "checkpoint": path, **SETTINGS}
    expected = fit(model, *data, **how)
    with safe_open(path, framework="pt") as file:
        metadata, tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # not a dict
    settings = json.loads(metadata["settings"])
    assert settings.pop("precision") == "float32"
    save_file(tensors, path, metadata | {"settings": json.dumps(settings)})
    pd.testing.assert_frame_equal(fit(_model(), *data, **how), expected, check_exact=True)
    with pytest.raises(InputError, match=r"another run \(precision was 'float32', now 'bf16-mixed'\)"):
        fit(_model(), *data, **how, **MIXED)


@pytest.mark.parametrize("name", ["bf16", "float16", None, 32])
def test_a_precision_that_there_is_not(data, name):
    with pytest.raises(InputError, match=rf"precision: got {name!r}, expected 'float32' or 'bf16-mixed'"):
        fit(_model(), *data, seed=0, precision=name, **SETTINGS)


def test_a_model_of_another_type(data, emulated):
    with pytest.raises(InputError, match=r"for a model of torch\.float64, expected .*; use model\.float\(\)"):
        fit(_model().double(), *data, seed=0, **SETTINGS, **MIXED)


def test_a_processor_without_bfloat16(data, monkeypatch):
    monkeypatch.setattr(precision, "has_bfloat16", lambda device: False)
    with pytest.raises(
        InputError, match=r"this processor \(cpu\) has no arithmetic in bfloat16.*\(--precision float32\)"
    ):
        fit(_model(), *data, seed=0, **SETTINGS, **MIXED)
    fit(nn.Sequential(nn.Flatten(), nn.Linear(164, 1)), *data, seed=0, recipe="paper", **SETTINGS)


@pytest.mark.parametrize(
    ("machine", "onednn", "avx512_bf16", "expected"),
    [
        ("x86_64", False, False, False),
        ("x86_64", True, False, False),
        ("AMD64", True, True, True),
        ("x86_64", True, None, True),  # torch below 2.6 cannot tell
        ("aarch64", True, False, True),
        ("arm64", False, False, False),
    ],
)
def test_which_processors_have_bfloat16(monkeypatch, machine, onednn, avx512_bf16, expected):
    monkeypatch.setattr(precision.platform, "machine", lambda: machine)
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: True)
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: onednn)
    if avx512_bf16 is None:
        monkeypatch.delattr(torch.cpu, "_is_avx512_bf16_supported", raising=False)
    else:
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: avx512_bf16, raising=False)
    assert has_bfloat16(CPU) is expected
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    assert not has_bfloat16(CPU)
    assert not has_bfloat16(torch.device("meta"))


@pytest.mark.parametrize(("capability", "expected"), [((7, 5), False), ((8, 0), True), ((9, 0), True)])
def test_which_gpus_have_bfloat16(monkeypatch, capability, expected):
    monkeypatch.setattr(torch.version, "hip", None)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert has_bfloat16(torch.device("cuda")) is expected
