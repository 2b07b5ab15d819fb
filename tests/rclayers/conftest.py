"""Golden outputs of the authors' own layers, channels-last there, channels-first here."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch


class Golden:
    """One golden case as float64 tensors: maps (n, L, C) become (n, C, L), kernels (W, in, F) become (F, in, W)."""

    def __init__(self, arrays, options):
        self._arrays = arrays
        self.options = options

    def __getitem__(self, key):
        array = self._arrays[f"{self.options['name']}/{key}"]
        if array.ndim == 3:
            is_kernel = key.endswith("kernel")
            array = array.transpose((2, 1, 0) if is_kernel else (0, 2, 1))
        return torch.tensor(np.ascontiguousarray(array), dtype=torch.float64)


@pytest.fixture(scope="session")
def golden(reference: Path):
    """Give ``golden(kind)``: every golden case of that kind."""
    cases = json.loads((reference / "golden/cases.json").read_text())
    files = {"conv": "conv", "bn": "bn", "wsum": "wsum", "dense_ws": "dense", "dense_conv": "dense"}
    files["sepfc"] = "sepfc"
    loaded = {name: np.load(reference / f"golden/layers_{name}.npz") for name in set(files.values())}

    def load(kind):
        found = [Golden(loaded[files[kind]], case) for case in cases if case["kind"] == kind]
        assert found
        return found

    return load


@pytest.fixture
def one_hot():
    """Give ``one_hot(n, length, seed)``: random one-hot sequences (n, 4, length), float64."""

    def draw(n, length, seed=0):
        letters = torch.randint(4, (n, length), generator=torch.Generator().manual_seed(seed))
        return torch.nn.functional.one_hot(letters, 4).transpose(1, 2).double()

    return draw


@pytest.fixture
def normal():
    """Give ``normal(*shape, seed=)``: standard normal numbers, float64."""

    def draw(*shape, seed=0):
        return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)

    return draw
