"""The authors' trained model of section 3.4.1, and small data sets."""

import numpy as np
import pytest
import torch

from rcinterp.datasets import Dataset
from rcinterp.models import compact_model


def load_original(model, arrays, prefix="weights"):
    """Put the original's arrays into a compact model, as docs/original-weights.md says."""

    def get(name):
        return torch.tensor(arrays[f"{prefix}/{name}"], dtype=torch.float64)

    state = {}
    for i in range(model.architecture.n_layers):
        state[f"conv{i + 1}.weight"] = get(f"conv{i}_kernel").permute(2, 1, 0)
        state[f"conv{i + 1}.bias"] = get(f"conv{i}_bias")
        for ours, original in {
            "weight": "gamma",
            "bias": "beta",
            "running_mean": "moving_mean",
            "running_var": "moving_var",
        }.items():
            state[f"norm{i + 1}.{ours}"] = get(f"bn{i}_{original}")
        state[f"norm{i + 1}.num_batches_tracked"] = torch.tensor(0)
    state["weighted_sum.weight"] = get("wsum_W").T
    state["head.weight"] = get("dense_W")[: model.architecture.n_filters].T
    state["head.bias"] = get("dense_b")
    model.double().load_state_dict(state)
    return model


@pytest.fixture
def original_simulation_model(shared):
    """The trained model of section 3.4.1 and the arrays that the original computed with it."""
    arrays = np.load(shared / "golden/e2e_sim.npz")
    model = compact_model(1, 20, 200, n_tasks=3, widths=(21,), pool=20, stride=20)
    return load_original(model, arrays).eval(), arrays


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
