"""Model folders, checkpoints: what does not belong together, or cannot be, is one line before memory is taken."""

import json
import os
import shutil
import warnings

import pytest
import safetensors.torch
import torch
from safetensors.torch import load_file, save_file

from rcinterp.data.datasets import load_dataset
from rcinterp.errors import InputError
from rcinterp.training.baseline import KmerBaseline, fit_baseline
from rcinterp.training.fitting import fit
from rcinterp.training.models import compact_model
from rcinterp.training.run import sort_metadata
from rcinterp.training.saving import load_model, save_model


@pytest.fixture
def folder(tmp_path):
    """A model with a baseline."""
    data = load_dataset(["ACGTACGTAC", "CCCCAACGTA"], ["TTTTTACGTA", "GGGGACGTAG"])
    model = compact_model(1, 3, 61, widths=(7,), pool=11, stride=4)
    model.baseline = fit_baseline(data, data)
    return save_model(model, tmp_path / "model")


def change(folder, **new):
    path = folder / "model.json"
    description = json.loads(path.read_text())
    description["architecture"] |= new.pop("architecture", {})
    path.write_text(json.dumps(description | new))


def make_old(folder):
    """As an earlier version saved it."""
    path = folder / "model.json"
    description = json.loads(path.read_text())
    del description["sha256"]
    path.write_text(json.dumps(description | {"format": "rcinterp model 1"}, indent=1))


def test_the_same_model_is_saved_to_the_same_bytes(folder, tmp_path):
    save_model(load_model(folder), tmp_path / "again")
    for path in folder.iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()


def test_an_old_folder_is_loaded_with_one_warning(folder):
    make_old(folder)
    with pytest.warns(UserWarning, match="saved by an earlier version, without SHA-256") as told:
        model = load_model(folder)
    assert len(told) == 1
    save_model(model, folder)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load_model(folder)


def test_a_model_without_a_baseline_replaces_an_old_one_with_one(folder):
    make_old(folder)
    with pytest.warns(UserWarning, match="saved by an earlier version"):
        model = load_model(folder)
    model.baseline = None
    save_model(model, folder)
    assert sorted(os.listdir(folder)) == ["model.json", "model.safetensors"]


@pytest.mark.parametrize("name", ["model.safetensors", "baseline.safetensors"])
def test_files_of_another_model_are_refused(folder, name, tmp_path):
    other = shutil.copytree(folder, tmp_path / "other")
    state = load_file(folder / name)
    save_file({key: value + 1 for key, value in state.items()}, other / name)
    with pytest.raises(
        InputError, match=rf"{name}: does not hold the \w+ that model\.json describes \(its SHA-256 is "
    ):
        load_model(other)
    (other / name).unlink()
    with pytest.raises(InputError, match=rf"{name}: does not hold the \w+ that model\.json describes \(is missing\)"):
        load_model(other)


def test_a_baseline_of_another_model_is_refused_where_there_was_none(folder, tmp_path):
    bare = save_model(compact_model(1, 3, 61, widths=(7,), pool=11, stride=4), tmp_path / "bare")
    shutil.copy(folder / "baseline.safetensors", bare)
    with pytest.raises(
        InputError, match=r"baseline\.safetensors: does not hold the baseline that model\.json describes"
    ):
        load_model(bare)
    assert KmerBaseline.load(bare) is not None


@pytest.mark.parametrize("new", [{"rc": False, "read_out": "weighted_sum"}, {"stride": 2}, {"n_filters": 2}])
def test_another_architecture_is_refused_even_if_the_shapes_fit(folder, new):
    change(folder, architecture=new)
    with pytest.raises(InputError, match=r"model\.json: was changed after it was saved"):
        load_model(folder)


@pytest.mark.parametrize(
    ("new", "message"),
    [
        ({"provenance": 5}, r"its provenance is '5' \(int\), expected an object"),
        ({"provenance": "abc"}, r"its provenance is 'abc' \(str\)"),
        ({"letters": "TGCA"}, r"its letters are 'TGCA', expected 'ACGT'"),
        ({"letters": None}, r"its letters are 'None', expected 'ACGT'"),
        ({"sha256": None}, "has no SHA-256 of the architecture and the weights"),
        ({"sha256": {"architecture": 3}}, "has no SHA-256 of the architecture and the weights"),
        ({"format": "rcinterp model 9"}, "not a model of rcinterp"),
        ({"architecture": {"n_filters": 2**63}}, r"its sizes are 1 to 9\.22e\+18, expected 1 to 2147483647"),
        ({"architecture": {"n_filters": True}}, r"n_filters is 'True' \(bool\), expected int"),
        ({"architecture": {"n_filters": 3.0}}, r"n_filters is '3\.0' \(float\), expected int"),
        ({"architecture": {"rc": 1}}, r"rc is '1' \(int\), expected bool"),
        ({"architecture": {"widths": 7}}, r"widths is '7' \(int\), expected a list of whole numbers"),
        ({"architecture": {"widths": [7, 7]}}, r"got 2 widths for 1 layers"),
        ({"architecture": {"pool": 0}}, r"its sizes are 0 to 61, expected 1"),
        ({"architecture": {"read_out": "sum"}}, r"got read_out='sum'"),
        ({"architecture": {"depth": 3}}, "missing or unknown is depth"),
        (
            {"extra": 1},
            "has 'extra', expected no more than format, architecture, letters, sha256, provenance, versions;",
        ),
        ({"versions": [1]}, r"its versions are '\[1\]' \(list\), expected texts by name"),
        ({"versions": {"torch": 2}}, "its versions are .*, expected texts by name"),
    ],
)
def test_a_description_that_cannot_be_is_one_line(folder, new, message):
    change(folder, **new)
    with pytest.raises(InputError, match=rf"model\.json: .*{message}") as error:
        load_model(folder)
    assert "\n" not in str(error.value)


def test_too_deep_or_too_long_a_description_is_one_line(folder, monkeypatch):
    (folder / "model.json").write_text("[" * 200_000)
    with pytest.raises(InputError, match="more than 50 lists or objects within one another"):
        load_model(folder)
    monkeypatch.setattr("rcinterp.files.documents.LARGEST_JSON", 100)
    with pytest.raises(InputError, match="has more than 0 MiB"):
        load_model(folder)


@pytest.mark.parametrize("name", ["model.safetensors", "baseline.safetensors"])
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file_is_refused_and_not_waited_for(folder, name, make):
    (folder / name).unlink()
    make(folder / name)
    with pytest.raises(
        InputError, match=rf"{name}: is no file, expected the one that was saved with model\.json; copy"
    ):
        load_model(folder)


def test_a_name_that_stands_twice_is_refused(folder):
    path = folder / "model.json"
    path.write_text(path.read_text().replace('"letters": "ACGT"', '"letters": "TGCA", "letters": "ACGT"'))
    with pytest.raises(InputError, match=r"model\.json: cannot be read \('letters' stands twice in one object\)"):
        load_model(folder)


@pytest.mark.skipif("C64" not in safetensors.torch._TYPES, reason="needs safetensors of complex numbers")
def test_complex_weights_are_refused_and_not_halved(folder):
    make_old(folder)
    weights = load_file(folder / "model.safetensors")
    save_file(weights | {"conv1.weight": weights["conv1.weight"] * 1j}, folder / "model.safetensors")
    with (
        pytest.warns(UserWarning, match="without SHA-256"),
        pytest.raises(InputError, match=r"describes \(conv1\.weight is complex64, expected float32\)"),
    ):
        load_model(folder)


def test_a_huge_model_is_compared_with_its_weights_before_it_is_built(folder, monkeypatch):
    make_old(folder)
    change(folder, architecture={"n_filters": 10**9})
    monkeypatch.setattr("rcinterp.training.saving.compact_model", None)  # never called
    with (
        pytest.warns(UserWarning, match="without SHA-256"),
        pytest.raises(InputError, match=r"describes \(\d+ numbers, expected at least \d"),
    ):
        load_model(folder)


@pytest.mark.parametrize("read_out", ["weighted_sum", "dense", "separable"])
@pytest.mark.parametrize("rc", [True, False])
@pytest.mark.parametrize("sizes", [((7,), 1), ((7, 4, 3), 1), ((7, 4), 5)])
def test_weights_are_counted_without_building(rc, read_out, sizes):
    widths, n_tasks = sizes
    model = compact_model(len(widths), 3, 63, rc, n_tasks, widths, 9, 1, read_out)
    state = model.state_dict()
    n_vectors = sum(value.numel() for value in state.values() if value.dim() < 2)
    n = sum(value.numel() for value in state.values())
    assert 0.5 * (n - n_vectors) < model.architecture.n_weights <= n


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"n_filters": 10**12},
            r"a model of \S+ weights takes about .* TB of memory, expected at most the .* free",
        ),
        ({"stride": 2**64}, r"got stride=1\.84e\+19, expected a whole number of at least 1 and at most"),
        ({"stride": 10**9}, "no widths, pool fit|got stride=1000000000 for a length of 61 bp, expected no more"),
        ({"pool": 20, "stride": 62, "widths": (3,)}, "got stride=62 for a length of 61 bp, expected no more than that"),
        ({"pool": 2**62}, "expected sizes below a million"),
        ({"n_layers": 10**15}, r"got n_layers=1000000000000000 for a length of 61 bp, expected fewer layers"),
        ({"n_tasks": 10**15}, "of memory"),
    ],
)
def test_sizes_that_cannot_be_are_refused_at_once(arguments, message):
    with pytest.raises(InputError, match=message):
        compact_model(**{"n_layers": 1, "n_filters": 2, "length": 61, **arguments})


# Checkpoints.


@pytest.fixture
def begun(tmp_path):
    """A checkpoint, and what goes on from it."""
    data = load_dataset(["ACGTACGTAC", "CCCCAACGTA"], ["TTTTTACGTA", "GGGGACGTAG"])
    path = tmp_path / "c.safetensors"

    def go_on():
        model = compact_model(1, 1, 10, widths=(3,), pool=4, stride=2)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return fit(
                model, data, data, seed=0, epochs=2, recipe="quiet", checkpoint=path, progress=False, baseline=False
            )

    go_on()
    return path, go_on


def metadata_of(path):
    data = path.read_bytes()
    return json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"]


@pytest.mark.parametrize(
    ("new", "message"),
    [
        ({"rows": "[]"}, "its history is not one row of numbers an epoch"),
        ({"rows": "{}"}, "its history is not one row of numbers an epoch"),
        ({"rows": "["}, "cannot be read as a checkpoint"),
        ({"rows": "[" * 100_000}, "cannot be read as a checkpoint"),
        ({"rows": '[{"epoch": 1}]'}, "its history is not one row of numbers an epoch"),
        ({"rows": '[{"epoch": 7, "valid_auroc": 1}]'}, "its history is not one row of numbers an epoch"),
        ({"settings": "{"}, "cannot be read as a checkpoint"),
        ({"settings": "[]"}, "it holds a list, expected an object"),
        ({"settings": "{}"}, "a checkpoint of another run"),
        ({"settings": None}, "not a checkpoint of a training run"),
    ],
)
def test_a_checkpoint_that_says_nonsense_is_one_line(begun, new, message):
    path, go_on = begun
    said = {key: value for key, value in (metadata_of(path) | new).items() if value is not None}
    save_file(load_file(path), path, said)
    path.write_bytes(sort_metadata(path.read_bytes()))
    with pytest.raises(InputError, match=rf"c\.safetensors: .*{message}") as error:
        go_on()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda state: {name: value for name, value in state.items() if not name.startswith("best")},
        lambda state: {name: value for name, value in state.items() if not name.startswith("model/conv1")},
        lambda state: state | {"best/conv1.weight": torch.zeros(2, 2)},
        lambda state: state | {"model/conv1.weight": torch.zeros(2, 2)},
        lambda state: state | {"optimiser/0/exp_avg": torch.zeros(7, 7)},
        lambda state: state | {"optimiser/99/exp_avg": torch.zeros(1)},
        lambda state: state | {"optimiser/x/y/z": torch.zeros(1)},
    ],
)
def test_a_checkpoint_of_other_arrays_is_one_line(begun, spoil):
    path, go_on = begun
    said = metadata_of(path)
    save_file(spoil(load_file(path)), path, said)
    with pytest.raises(InputError, match=r"c\.safetensors: does not hold the state of the run") as error:
        go_on()
    assert "\n" not in str(error.value)


def test_a_finished_checkpoint_gives_the_same_history(begun):
    _, go_on = begun
    assert go_on().equals(go_on())
