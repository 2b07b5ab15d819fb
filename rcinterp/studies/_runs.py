"""One training run: what it is, what makes it the same run, and what it leaves behind."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

from torch import nn

from rcinterp.data.datasets import Dataset
from rcinterp.reading.model import predict
from rcinterp.studies._data import Data
from rcinterp.studies._rejected import compose_any
from rcinterp.training.fitting import fit
from rcinterp.training.models import CompactModel, compact_model, count_parameters
from rcinterp.training.performance import evaluate
from rcinterp.training.recipes import PARTS, find_recipe
from rcinterp.training.saving import save_model
from rcinterp.training.sizes import POOL, STRIDE
from rclayers import Conjoined, reverse_complement

#: In the folder of a run, until its result is kept.
CHECKPOINT = "checkpoint.safetensors"


@dataclass(frozen=True)
class Run:
    """A model to train: architecture, data, recipe and seed.

    Attributes
    ----------
    label : str
        What tables and figures call the model; no part of the run's identity.
    data : Data
    seed : int
    model : mapping
        Arguments of `compact_model` but for length and n_tasks, which the data give.
    recipe : str
        Name of a recipe.
    parts : mapping, optional
        Arguments of `compose_any`, if the recipe is to be made of them; JSON.
    training : mapping
        Further arguments of `fit`; JSON.
    conjoined : bool
        Whether the model is trained as the mean of both strands (`rclayers.Conjoined`).
    """

    label: str
    data: Data
    seed: int
    model: Mapping[str, Any]
    recipe: str = "paper"
    parts: Mapping[str, Any] | None = None
    training: Mapping[str, Any] = field(default_factory=dict)
    conjoined: bool = False

    @cached_property
    def identity(self) -> dict[str, Any]:
        """All that its numbers depend on, but for the versions of the libraries; JSON."""
        identity = {
            "rcinterp": version("rcinterp"),
            "data": self.data.identity(),
            "seed": self.seed,
            "model": self.model,
            "recipe": {"name": self.recipe, **PARTS[self.recipe]} if self.parts is None else self.parts,
            "training": self.training,
            "conjoined": self.conjoined,
        }
        plain: dict[str, Any] = json.loads(json.dumps(identity))
        return plain

    def build(self) -> CompactModel:
        """The model before training, with the paper's pooling if none is named; what does not fit is an error."""
        length, n_tasks = self.data.sizes
        pooling = {"pool": POOL, "stride": STRIDE} if length >= _FEWEST_PAPER else {}
        return compact_model(length=length, n_tasks=n_tasks, **{**pooling, **self.model})

    @cached_property
    def name(self) -> str:
        """Its folder: the same for the same run, in whatever study it stands."""
        digest = hashlib.sha256(json.dumps(self.identity, sort_keys=True).encode()).hexdigest()[:12]
        kind = "rc" if self.model.get("rc", True) else "traditional"
        return f"{kind}-{self.recipe}-seed{self.seed}-{digest}"


#: From this length on there are four of the paper's windows, behind one layer or three.
_FEWEST_PAPER = 150
#: What `train` gives of every run, by the kinds of values.
TRAINED: Mapping[str, Any] = {
    **dict.fromkeys(("n_parameters", "n_epochs", "best_epoch"), int),
    **dict.fromkeys(("valid_auroc", "valid_auprc", "rc_difference"), (int, float)),
    "history": dict,
}
#: What a study reads from a trained model: (model, its run, its folder, where more may be left) -> numbers, JSON.
Reading = Callable[[CompactModel, Run, Path], dict[str, Any]]


def train(run: Run, folder: Path) -> dict[str, Any]:
    """Train the model of a run, save it to the folder, and return its numbers.

    It goes on from the checkpoint in the folder if there is one, and leaves it there: it is of use until the numbers
    are kept.
    """
    train_data, valid, test = run.data.load()
    model = run.build()
    trained: nn.Module = Conjoined(model) if run.conjoined else model
    recipe = find_recipe(run.recipe) if run.parts is None else compose_any(run.recipe, **run.parts)
    history = fit(
        trained,
        train_data,
        valid,
        seed=run.seed,
        recipe=recipe,
        checkpoint=folder / CHECKPOINT,
        baseline=False,
        progress=False,
        **run.training,
    )
    best = history[history["is_best"]].iloc[0]
    # `fit` left none if the model was wrapped.
    found = {"best_epoch": int(best["epoch"]), "valid_auroc": float(best["valid_auroc"])}
    model.provenance |= found | run.identity
    save_model(model, folder)
    strands = predict(trained, valid.x) - predict(trained, reverse_complement(valid.x))
    return {
        "n_parameters": count_parameters(model),
        "n_epochs": len(history),
        "best_epoch": int(best["epoch"]),
        **_performance(trained, valid, test, ""),
        **({} if run.conjoined or model.architecture.rc else _performance(Conjoined(model), valid, test, "post_hoc_")),
        "rc_difference": float(strands.abs().max()),
        "history": history.drop(columns="is_best").to_dict("list"),
    }


def _performance(model: nn.Module, valid: Dataset, test: Dataset | None, prefix: str) -> dict[str, float]:
    """Mean over tasks of auROC and auPRC, e.g. post_hoc_test_auroc."""
    scores = {}
    for part, data in (("valid", valid), ("test", test)):
        if data is not None:
            for name, value in evaluate(model, data).mean().items():
                scores[f"{prefix}{part}_{name}"] = float(value)
    return scores
