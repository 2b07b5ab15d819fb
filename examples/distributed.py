"""One model trained by several processes, a GPU each, or two on a CPU: torch's DistributedDataParallel.

python examples/distributed.py [FOLDER]
torchrun --nproc-per-node 2 examples/distributed.py [FOLDER]

Each process takes its share of every batch, and torch averages the gradients. Prints by how much weights and running
statistics then differ from those that one process gets.
"""

import argparse
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import torch
from common import load, read_arguments
from safetensors.torch import load_file, save_file
from torch import distributed, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.parallel import DistributedDataParallel

import rcinterp
from rcinterp import Dataset
from rcinterp.training.models import CompactModel
from rcinterp.training.recipes import find_recipe
from rcinterp.training.words import measure_batch_norm

#: Sequences of a step, in all processes together.
BATCH = 64
#: What batch norm divides by: the statistics of a share, or running ones that were measured before the training.
NORMS = ("of each share", "frozen")


def main() -> None:
    """Train in several processes, then in one, and print the differences."""
    given = read_arguments(__doc__)
    n_processes = int(os.environ.get("WORLD_SIZE", torch.cuda.device_count() or 2))
    if BATCH % n_processes:
        raise SystemExit(f"batches of {BATCH} cannot be shared by {n_processes} processes alike; change BATCH.")
    with tempfile.TemporaryDirectory() as folder:
        if "RANK" in os.environ:  # torchrun has started this process, and others
            rank = int(os.environ["RANK"])
            train_share(rank, n_processes, "env://", folder, given)
        else:
            rank = 0
            arguments = (n_processes, f"file://{folder}/meeting", folder, given)
            torch.multiprocessing.spawn(train_share, arguments, nprocs=n_processes)
        if rank == 0:
            compare(Path(folder), n_processes, given)


def train_share(rank: int, n_processes: int, meeting: str, folder: str, given: argparse.Namespace) -> None:
    """What each process does; the first one writes the models to the folder."""
    torch.set_num_threads(1)  # more would wait for each other
    device = own_device(rank)
    backend = "nccl" if device.type == "cuda" else "gloo"
    distributed.init_process_group(backend, meeting, rank=rank, world_size=n_processes)
    try:
        training, _ = load(given)
        for norms in NORMS:
            model = DistributedDataParallel(fresh_model(training, norms).to(device))
            train(model, training, given.epochs, [rank], n_processes, norms)
            if rank == 0:
                save_file(model.module.state_dict(), Path(folder) / f"{norms}.safetensors")
    finally:
        distributed.destroy_process_group()


def own_device(rank: int) -> torch.device:
    """The GPU of a process, which its machine's torchrun numbers anew, or the CPU."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", rank)))
    torch.cuda.set_device(device)
    return device


def fresh_model(training: Dataset, norms: str) -> CompactModel:
    """The same in every process."""
    torch.manual_seed(0)
    model = rcinterp.compact_model(1, 8, training.length, widths=(21,), pool=20, stride=20)
    find_recipe("quiet").initialise(model, training.length)
    if norms == "frozen":
        measure_batch_norm(model, training)
    return model


def train(model: nn.Module, data: Dataset, epochs: int, shares: Sequence[int], n_shares: int, norms: str) -> None:
    """Train in place on these shares of every batch in turn, and average their gradients."""
    recipe, device = find_recipe("quiet"), next(model.parameters()).device
    optimiser = recipe.optimiser(p for p in model.parameters() if p.requires_grad)
    n_steps = len(data) // BATCH  # what is left over is not shown: shares must be of one size to count alike
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: recipe.schedule(step / (epochs * n_steps)))
    order = torch.Generator().manual_seed(0)  # the same in every process
    model.train()
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.momentum = recipe.momentum
            module.train(norms != "frozen")
    for _ in range(epochs):
        for rows in torch.randperm(len(data), generator=order).split(BATCH)[:n_steps]:
            optimiser.zero_grad()
            for share in shares:
                own = rows[share::n_shares]
                running = [buffer.clone() for buffer in model.buffers()]
                logits = model(data.x[own].to(device))
                loss = functional.binary_cross_entropy_with_logits(logits, data.y[own].to(device))
                (loss / len(shares)).backward()
                if share > 0:  # running statistics are those of the first share, which torch gives to all processes
                    for buffer, value in zip(model.buffers(), running, strict=True):
                        buffer.copy_(value)
            optimiser.step()
            schedule.step()


def compare(folder: Path, n_processes: int, given: argparse.Namespace) -> None:
    """Print how far the models of several processes are from those of one, and how well they do."""
    torch.set_num_threads(1)
    training, valid = load(given)
    rows = []
    for norms in NORMS:
        together = load_file(folder / f"{norms}.safetensors")
        for alone, n_shares in ((f"{n_processes} shares in turn", n_processes), ("whole batches", 1)):
            model = fresh_model(training, norms).to(own_device(0))
            train(model, training, given.epochs, range(n_shares), n_shares, norms)
            found = model.cpu().state_dict()
            difference = max(float((found[name] - value).abs().max()) for name, value in together.items())
            row = {"batch norm": norms, "one process": alone, "largest difference": f"{difference:.1e}"}
            scores = {"its auROC": auroc(model, valid)}
            model.load_state_dict(together)
            rows.append(row | scores | {f"auROC of {n_processes} processes": auroc(model, valid)})
    print(pd.DataFrame(rows).to_string(index=False, float_format="{:.3f}".format))


def auroc(model: nn.Module, valid: Dataset) -> float:
    """Of the validation set."""
    return float(rcinterp.evaluate(model, valid)["auroc"].mean())


if __name__ == "__main__":
    main()
