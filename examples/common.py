"""What every example needs: sequences with labels, a training loop, and the table that it prints."""

import argparse
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from rcinterp import Dataset, load_dataset, load_motifs, simulate_motifs
from rcinterp.data.datasets import load_split
from rcinterp.data.simulation import simulate_background
from rclayers import reverse_complement

#: The motif that is simulated.
MOTIF = "CTCF_known1"
#: Columns of an interpretation's table that the examples show.
COLUMNS = ["filter", "contribution", "contribution_q", "triage", "best_match", "match_q"]


def read_arguments(description: str | None) -> argparse.Namespace:
    """``folder`` or None, ``n`` simulated sequences of each class, ``epochs``."""
    parser = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    parser.add_argument("folder", nargs="?", help="of train*/valid* .pos.fa and .neg.fa; simulated when not given")
    parser.add_argument("--n", type=int, default=1500, help="simulated sequences of each class (1500)")
    parser.add_argument("--epochs", type=int, default=8, help="of training (8)")
    return parser.parse_args()


def load(given: argparse.Namespace, length: int = 120) -> tuple[Dataset, Dataset]:
    """Training and validation set: of the folder, or CTCF sites against background (seed 0)."""
    torch.manual_seed(0)
    if given.folder:
        return load_split(given.folder)
    motif = {MOTIF: load_motifs("encode")[MOTIF]}
    bound = simulate_motifs(motif, given.n, length, seed=0, mean_instances=1, max_instances=1).x
    unbound = simulate_background(given.n, length, seed=0)
    n_train = round(0.7 * given.n)
    return load_dataset(bound[:n_train], unbound[:n_train]), load_dataset(bound[n_train:], unbound[n_train:])


def with_gc_task(data: Dataset) -> Dataset:
    """Add a second label: whether a sequence holds more G and C than the median one."""
    gc = data.x[:, 1:3].sum((1, 2))
    return Dataset(data.x, torch.cat([data.y, (gc > gc.median()).float()[:, None]], 1), data.names)


def with_both_strands(data: Dataset) -> Dataset:
    """Add each sequence's reverse complement."""
    return Dataset(torch.cat([data.x, reverse_complement(data.x)]), torch.cat([data.y, data.y]), 2 * data.names)


def train(
    model: nn.Module,
    inputs: tuple[Tensor, ...],
    loss: Callable[[Any, Tensor], Tensor],
    *,
    epochs: int,
    seed: int = 0,
    rate: float = 2e-3,
    batch_size: int = 64,
) -> nn.Module:
    """Train with Adam on ``loss(model(*batch), rows of the batch)``; the rate falls to 0 (cosine). In eval mode."""
    torch.manual_seed(seed)
    optimiser = torch.optim.Adam(model.parameters(), rate)
    n = len(inputs[0])
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs * -(-n // batch_size))
    model.train()
    for _ in range(epochs):
        for rows in torch.randperm(n).split(batch_size):
            optimiser.zero_grad()
            loss(model(*(value[rows] for value in inputs)), rows).backward()
            optimiser.step()
            schedule.step()
    return model.eval()


def on_labels(y: Tensor, func: Callable[[Any], Tensor] = lambda output: output) -> Callable[[Any, Tensor], Tensor]:
    """Binary cross-entropy of logits, ``func`` of the output, with the rows' labels y, (n, n_tasks)."""
    return lambda output, rows: functional.binary_cross_entropy_with_logits(func(output), y[rows])
