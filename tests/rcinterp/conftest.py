"""The authors' trained model of section 3.4.1, and small data sets."""

from pathlib import Path

import numpy as np
import pytest
import torch

from rcinterp.datasets import Dataset


def documented_loader():
    """The snippet of docs/original-weights.md: the model that it builds, and its ``load``."""
    page = (Path(__file__).parents[2] / "docs/original-weights.md").read_text(encoding="utf-8")
    names = {}
    exec(page.split("```python\n")[1].split("```")[0], names)
    return names["model"], names["load"]


@pytest.fixture
def original_simulation_model(shared):
    """The trained model of section 3.4.1 and the arrays that the original computed with it."""
    arrays = np.load(shared / "golden/e2e_sim.npz")
    model, load = documented_loader()
    weights = {name.removeprefix("weights/"): arrays[name] for name in arrays if name.startswith("weights/")}
    return load(model, weights), arrays


@pytest.fixture
def original_x():
    """Give ``original_x(arrays)``: its sequences as (n, 4, L) float64."""
    return lambda arrays: torch.tensor(arrays["x"].transpose(0, 2, 1).copy(), dtype=torch.float64)


@pytest.fixture
def planted():
    """Give ``planted(n, seed)``: 41 bp sequences, half of them with the motif GATTACA on one strand or the other."""

    def draw(n, seed):
        generator = torch.Generator().manual_seed(seed)
        letters = torch.randint(4, (n, 41), generator=generator)
        motif = torch.tensor([2, 0, 3, 3, 0, 1, 0])
        for i in range(0, n, 2):
            start = int(torch.randint(35, (1,), generator=generator))
            letters[i, start : start + 7] = motif if i % 4 else 3 - motif.flip(0)
        x = torch.nn.functional.one_hot(letters, 4).transpose(1, 2).float().contiguous()
        y = (torch.arange(n) % 2 == 0).float()[:, None]
        return Dataset(x, y, tuple(f"s{i}" for i in range(n)))

    return draw
