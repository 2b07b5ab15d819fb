"""One training run: what changes while it lasts, and its checkpoint."""

import json
import math
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn

from rcinterp.errors import InputError
from rcinterp.files import write_at_once
from rcinterp.files.documents import parse_json
from rcinterp.files.tensors import TensorFile, open_tensors
from rcinterp.memory import MOST_THREADS
from rcinterp.reading.model import place_of
from rcinterp.training.precision import FLOAT32
from rcinterp.training.recipes import Recipe

#: What checkpoints were trained with that do not say it, as they are older than the setting.
_BEFORE = {"precision": FLOAT32}
#: In the metadata: what changes no number but in its last digits, and so makes it no other run.
_THREADS = "threads"
#: Of the history, in every run, and in one that scores its training set.
_COLUMNS = {"epoch", "learning_rate", "train_loss", "valid_loss", "valid_auroc", "valid_auprc"}
_SCORED_COLUMNS = _COLUMNS | {"train_auroc", "train_auprc"}


@dataclass
class Run:
    """What changes while a model trains from one start, and what a checkpoint holds.

    Attributes
    ----------
    model : nn.Module
    recipe : Recipe
    optimiser : Optimizer
        Of the model's parameters, or of the stack that these are a row of (`rcinterp.training.together`).
    settings : dict
        All that makes it this run; a checkpoint of others is refused.
    rows : list of dict
        The history, an epoch each.
    threads : list of int
        Numbers of threads on which its epochs were trained, in the order in which they came; none is known of epochs
        before rcinterp noted them.
    best : dict of Tensor
        The model's state after its best epoch.
    base_rates : list of float
        Learning rates of the optimiser's groups before the schedule.
    """

    model: nn.Module
    recipe: Recipe
    optimiser: torch.optim.Optimizer
    settings: dict[str, Any]
    rows: list[dict[str, float]] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)
    base_rates: list[float] = field(init=False)

    def __post_init__(self) -> None:
        self.base_rates = [group["lr"] for group in self.optimiser.param_groups]

    @property
    def n_epochs(self) -> int:
        """How many it has had."""
        return len(self.rows)

    @property
    def best_epoch(self) -> int:
        """The one of the largest validation auROC, counted from 1."""
        return int(max(self.rows, key=lambda row: row["valid_auroc"])["epoch"])  # the first of equals

    @property
    def best_auroc(self) -> float:
        """Its validation auROC, mean over tasks."""
        return max(row["valid_auroc"] for row in self.rows)

    @property
    def is_over(self) -> bool:
        """Whether it has all its epochs, or has had no better one for too long."""
        patience = self.settings["patience"]
        is_stale = patience is not None and bool(self.rows) and self.n_epochs - self.best_epoch >= patience
        return is_stale or bool(self.n_epochs >= self.settings["epochs"])

    def set_rate(self, share_done: float) -> None:
        """Set the learning rates to what the schedule has for that share of the run."""
        for group, rate in zip(self.optimiser.param_groups, self.base_rates, strict=True):
            group["lr"] = rate * self.recipe.schedule(share_done)

    def record(self, scores: dict[str, float]) -> None:
        """Note what an epoch has reached, and keep its weights if it is the best."""
        rate, n_threads = self.optimiser.param_groups[0]["lr"], torch.get_num_threads()
        self.rows.append({"epoch": self.n_epochs + 1, "learning_rate": rate, **scores})
        if n_threads not in self.threads:
            self.threads.append(n_threads)
        if self.best_epoch == self.n_epochs:
            self.best = {name: value.detach().clone() for name, value in self.model.state_dict().items()}

    def save(self, path: Path) -> None:
        """Write a checkpoint, in one step."""
        state = self.optimiser.state_dict()["state"]
        tensors = {f"model/{name}": value for name, value in self.model.state_dict().items()}
        tensors |= {f"best/{name}": value for name, value in self.best.items()}
        tensors |= {f"optimiser/{i}/{key}": value for i, slots in state.items() for key, value in slots.items()}
        metadata = {
            name: json.dumps(value)
            for name, value in (("settings", self.settings), ("rows", self.rows), (_THREADS, self.threads))
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        data = save({name: value.detach().cpu().clone() for name, value in tensors.items()}, metadata)
        write_at_once(path, sort_metadata(data))

    def restore(self, path: Path) -> None:
        """Go on from a checkpoint."""
        with _opened(path) as file:
            self.rows, self.threads = _check_metadata(path, file.metadata, self.settings)
            tensors = file.read()
        device, _ = place_of(self.model)
        problem = f"{path}: does not hold the state of the run"
        try:
            best, slots, weights = (_below(tensors, part) for part in ("best", "optimiser", "model"))
            if {name: value.shape for name, value in best.items()} != {n: v.shape for n, v in self._state().items()}:
                raise ValueError("the weights of its best epoch are others")
            self._check_weights(best, "best")
            self._check_weights(weights, "model")
            state: dict[int, dict[str, Tensor]] = {}
            for name, value in slots.items():
                i, key = name.split("/")
                state.setdefault(int(i), {})[key] = value
            self._check_slots(state)
            self.model.load_state_dict(weights)
        except (ValueError, RuntimeError) as error:
            told = " ".join(str(error).split())[:200]
            raise InputError(f"{problem} ({told}); delete it, and the run begins anew.") from None
        self.best = {name: value.to(device) for name, value in best.items()}
        self.optimiser.load_state_dict({"state": state, "param_groups": self.optimiser.state_dict()["param_groups"]})

    def _state(self) -> dict[str, Tensor]:
        state: dict[str, Tensor] = self.model.state_dict()
        return state

    def _check_weights(self, found: dict[str, Tensor], part: str) -> None:
        """Refuse weights of another type, and NaN and infinity where the model does not begin with them itself."""
        for name, own in self._state().items():
            value = found.get(name, own).to(own.device)
            if value.dtype != own.dtype:
                raise ValueError(f"{part}/{name} is {value.dtype}, expected {own.dtype}")
            if value.shape == own.shape and not (value.isfinite() | ~own.isfinite()).all():
                raise ValueError(f"{part}/{name} has values that are NaN or infinite")

    def _check_slots(self, state: dict[int, dict[str, Tensor]]) -> None:
        """Refuse an optimiser's state that is of other parameters, of another optimiser, or NaN."""
        parameters = [parameter for group in self.optimiser.param_groups for parameter in group["params"]]
        names = {frozenset(slots) for slots in state.values()}
        shapes = {i: {value.shape for value in slots.values() if value.dim()} for i, slots in state.items()}
        if len(names) > 1 or any(
            not 0 <= i < len(parameters) or found - {parameters[i].shape} for i, found in shapes.items()
        ):
            raise ValueError("what its optimiser has gathered is of other parameters")
        for i, slots in state.items():
            for key, value in slots.items():
                own = parameters[i].dtype
                if value.is_complex() > own.is_complex or (value.dim() and value.dtype != own):
                    raise ValueError(f"optimiser/{i}/{key} is {value.dtype}, expected {own}")
                if value.isnan().any():
                    raise ValueError(f"optimiser/{i}/{key} has values that are NaN")


def sort_metadata(data: bytes) -> bytes:
    """A safetensors file whose metadata stand by name; the library leaves their order, and so the bytes, to chance."""
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:end])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)  # the arrays begin at a multiple of 8 bytes
    return len(text).to_bytes(8, "little") + text + data[end:]


def check_checkpoint(path: Path, wanted: dict[str, Any]) -> list[int]:
    """Refuse a file that is no checkpoint of such a run; gives the numbers of threads that its epochs had."""
    with _opened(path) as file:
        return _check_metadata(path, file.metadata, wanted)[1]


def describe_threads(path: Path, before: list[int], now: int) -> str | None:
    """What the epochs of a checkpoint mean for going on from it on so many threads; None if nothing."""
    if set(before) <= {now}:
        return None
    had = f"{path}: its epochs were trained on {' and '.join(map(str, before))} threads"
    if len(before) > 1:  # whatever comes now
        return f"{had}, so that last digits may differ from those on one number; delete it, and the run begins anew"
    return f"{had}, not {now}: last digits may differ; set OMP_NUM_THREADS={before[0]} for the same bytes"


def _opened(path: Path) -> AbstractContextManager[TensorFile]:
    return open_tensors(path, "a checkpoint", "name another file")


def _check_metadata(
    path: Path, metadata: dict[str, str], wanted: dict[str, Any]
) -> tuple[list[dict[str, float]], list[int]]:
    """The history and the numbers of threads that stand in a checkpoint beside its arrays, if it is of such a run."""
    if not {"rows", "settings"} <= set(metadata):
        raise InputError(f"{path}: not a checkpoint of a training run; name another file.")
    problem = f"{path}: cannot be read as a checkpoint"
    try:
        found = parse_json(metadata["settings"])
        rows, threads = (
            parse_json(f'{{"{name}": {metadata.get(name, "[]")}}}').get(name) for name in ("rows", _THREADS)
        )
    except ValueError as error:
        raise InputError(f"{problem} ({error}); name another file.") from None
    _check_same_settings(path, found, wanted)
    columns = _SCORED_COLUMNS if found.get("score_train") else _COLUMNS
    is_history = isinstance(rows, list) and rows and all(_is_row(row, i, columns) for i, row in enumerate(rows, 1))
    if not isinstance(rows, list) or not is_history:
        raise InputError(
            f"{problem} (its history is not one row of numbers an epoch); delete it, or name another file."
        )
    if len(rows) > wanted.get("epochs", len(rows)):
        raise InputError(
            f"{problem} (its history has {len(rows)} epochs, expected at most {wanted['epochs']}); delete it, or name "
            "another file."
        )
    for i, row in enumerate(rows, start=1):
        if (wrong := _wrong_in(row)) is not None:
            raise InputError(f"{problem} (epoch {i} of its history has {wrong}); delete it, or name another file.")
    if not isinstance(threads, list) or not all(type(n) is int and 1 <= n <= MOST_THREADS for n in threads):
        raise InputError(f"{problem} (its threads are no list of numbers); delete it, or name another file.")
    return rows, threads


def _is_row(row: Any, epoch: int, columns: set[str]) -> bool:
    return (
        isinstance(row, dict)
        and row.get("epoch") == epoch
        and set(row) == columns
        and all(type(value) is float or (type(value) is int and abs(value) < 2**63) for value in row.values())
    )


def _wrong_in(row: dict[str, float]) -> str | None:
    """What no epoch has: a loss may be NaN, but neither negative, nor is what is measured on finite logits NaN."""
    for name, value in row.items():
        if name.endswith(("_auroc", "_auprc")) and not 0 <= value <= 1:
            return f"{name} {value}, expected 0 to 1"
        if name.endswith("_loss") and value < 0:
            return f"{name} {value}, expected 0 or more"
        if name == "learning_rate" and not math.isfinite(value):
            return f"{name} {value}, expected a finite number"
    return None


#: Settings that a user has chosen, in the order in which a difference is told; of some it is told in words.
_TOLD_FIRST = ("train_sha256", "valid_sha256", "seed", "recipe", "architecture", "epochs", "batch_size", "augment")
_CHANGES = {
    "train_sha256": "the training sequences are others",
    "valid_sha256": "the validation sequences are others",
    "model": "model has other weights",
}


def _check_same_settings(path: Path, found: dict[str, Any], wanted: dict[str, Any]) -> None:
    found = {**_BEFORE, **found}
    other = [
        name for name, value in wanted.items() if name not in found or found[name] != json.loads(json.dumps(value))
    ]
    if other:
        name = min(other, key=lambda one: _TOLD_FIRST.index(one) if one in _TOLD_FIRST else len(_TOLD_FIRST))
        was, now = found.get(name), wanted[name]
        change = _CHANGES.get(name, f"{name} was {was!r}, now {now!r}")
        raise InputError(f"{path}: a checkpoint of another run ({change}); delete it, or write to another place.")


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(f"{prefix}/"): value for name, value in tensors.items() if name.startswith(f"{prefix}/")}
