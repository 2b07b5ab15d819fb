"""Train a model, keep its best epoch, and be able to stop and go on at any time."""

import json
import operator
import os
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

import pandas as pd
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm
from tqdm import tqdm

from rcinterp.data.datasets import Dataset
from rcinterp.data.leakage import find_leakage
from rcinterp.errors import InputError, require_whole
from rcinterp.files import write_at_once
from rcinterp.reading.model import place_of, predict
from rcinterp.training.baseline import KmerBaseline, fit_baseline
from rcinterp.training.initialisation import read_out_parameters
from rcinterp.training.models import CompactModel
from rcinterp.training.performance import auroc_error, evaluate, score_logits
from rcinterp.training.recipes import Recipe, find_recipe
from rcinterp.training.words import Word, WordStart, measure_batch_norm, prepare_words
from rclayers import reverse_complement

#: How filters start: all drawn at random; half of them at most from words; from words and composition alone, the others
#: silent for good.
#: Standard errors of the validation auROC by which another start must be ahead of words alone, the simpler one.
CANNOT_TELL = 0.5
_SHIFT = "head_bias_shift"  # of a model's provenance
DRAWN, WORDS_AND_DRAWN, WORDS_ALONE = "drawn", "words and drawn", "words alone"


def fit(  # noqa: PLR0913  # what a user may choose of a training run, each by its name
    model: nn.Module,
    train: Dataset,
    valid: Dataset,
    *,
    seed: int,
    recipe: str | Recipe = "seeded",
    epochs: int | None = None,
    samples_per_epoch: int | None = None,
    batch_size: int = 100,
    patience: int | Literal["recipe"] | None = "recipe",
    positive_weight: str | float = "balanced",
    augment: bool = False,
    initialise: bool = True,
    score_train: bool = False,
    checkpoint: str | os.PathLike[str] | None = None,
    baseline: bool = True,
    progress: bool = True,
) -> pd.DataFrame:
    """Train a model and keep the weights of its best epoch, in eval mode; returns the history, one row an epoch.

    The weights that the model has are replaced first: `initialise=False` goes on from them.

    Parameters
    ----------
    model : nn.Module
        (n, 4, L) -> logits (n, n_tasks); trained in place, where it is.
    train, valid : Dataset
    seed : int
        Of the initial weights, the order of the sequences and dropout. The same seed, settings, machine and number of
        threads give the same numbers.
    recipe : str or Recipe
        Initialisation, optimiser and schedule (docs/recipe.md). "seeded": filters start from words of the training set
        that tell its classes apart, in one of two ways of which the validation auROC chooses. "quiet": the same without
        words. "paper": Adam at 1e-3 from the paper's initialisation (sections 3.4 and 3.7).
    epochs : int, optional
        At most; the recipe's own when not given: 20 for "seeded" and "quiet", whose schedule spans them all, and
        80 for "paper" (section 3.4.2).
    samples_per_epoch : int, optional
        The recipe's own when not given: 5,000 for "paper"; one pass over `train`, but at least 1,000 and at most 5,000,
        for the others.
    batch_size : int
        100 for the paper's ChIP-seq data, 500 for its simulated data.
    patience : int or None
        Stop after so many epochs without a better validation auROC; None: never. The recipe's own when not given: None
        for "seeded" and "quiet", 10 for "paper" (section 3.4.1).
    positive_weight : "balanced" or float
        Class weight of the positives: negatives / positives of `train`, task by task, or a number; 1 for none.
    augment : bool
        Train on each sequence and its reverse complement; an epoch shows as many samples as without.
    initialise : bool
        Draw the weights anew first. False goes on from the weights that the model has.
    score_train : bool
        Also measure the whole training set after each epoch: train_auroc and train_auprc in the history.
    checkpoint : path, optional
        File (.safetensors) written after each epoch, in one step. If it exists, the run goes on from it, to the same
        numbers as a run that was never stopped; a finished run is not repeated. A second start has a file of its own,
        with ".words-alone" in its name.
    baseline : bool
        Also train a logistic regression on counts of 6-mers (`rcinterp.training.baseline.fit_baseline`; seconds), and
        warn if it ranks the validation set better than the model does.
    progress : bool
        A bar on standard error.

    Returns
    -------
    DataFrame
        Columns epoch, learning_rate, train_loss, valid_loss, valid_auroc, valid_auprc (means over tasks), train_auroc
        and train_auprc if asked for, baseline_auroc unless not asked for, is_best.

    Raises
    ------
    InputError
        If the data do not fit the model or each other, or if the checkpoint is of another run.

    Warns
    -----
    UserWarning
        If validation sequences stand in the training set, if sequences stand in a set twice (either strand), or if the
        baseline is better than the model.

    Notes
    -----
    The loss is binary cross-entropy on logits, mean over tasks and samples of (class weight · loss), not divided by
    the sum of the weights (as Keras). The sequences are shuffled once; epochs walk through that order, round and round.

    References
    ----------
    Shrikumar, Greenside & Kundaje 2017, section 3.4.
    """
    recipe = find_recipe(recipe)
    _check_data(model, train, valid)
    leakage = find_leakage(train, valid)
    for message in leakage.messages():
        warnings.warn(f"fit: {message}", stacklevel=2)
    epochs = require_whole("epochs", recipe.epochs if epochs is None else epochs, 1, "fit")
    patience = recipe.patience if patience == "recipe" else patience
    if samples_per_epoch is None:
        fewest, most = recipe.samples_per_epoch
        samples_per_epoch = min(most, max(fewest, len(train)))
    samples_per_epoch = require_whole("samples_per_epoch", samples_per_epoch, 1, "fit")
    batch_size, seed = require_whole("batch_size", batch_size, 1, "fit"), operator.index(seed)
    loss_weight = _positive_weight(positive_weight, train.y)
    words = prepare_words(model, train) if recipe.words and initialise else None
    settings = {
        "model": {name: [str(value.dtype), *value.shape] for name, value in model.state_dict().items()},
        "architecture": asdict(model.architecture) if isinstance(model, CompactModel) else type(model).__name__,
        "initialise": initialise,
        "recipe": recipe.name,
        "rates": _rates(recipe, _make_optimiser(recipe, model, train)),
        "seed": seed,
        "epochs": epochs,
        "samples_per_epoch": samples_per_epoch,
        "batch_size": batch_size,
        "patience": patience,
        "positive_weight": positive_weight if isinstance(positive_weight, str) else float(positive_weight),
        "augment": augment,
        "score_train": score_train,
        "train_sha256": train.sha256,
        "valid_sha256": valid.sha256,
    }
    path = None if checkpoint is None else Path(checkpoint)
    shift = _take_back_shift(model) if initialise else _shift_of(model)
    given = {name: value.detach().clone() for name, value in model.state_dict().items()}
    starts = _starts(words)
    owns = {start: settings if words is None else settings | {"start": start} for start in starts}
    files = {start: path if path is None or start != WORDS_ALONE else second_checkpoint(path) for start in starts}
    for start, file in files.items():
        if file is not None and file.exists():
            _check_checkpoint(file, owns[start])
    runs: dict[str, _Run] = {}
    taken: dict[str, list[Word]] = {}
    for start in starts:
        with torch.random.fork_rng(), _batch_norm_momentum(model, recipe.momentum), ExitStack() as start_lasts:
            model.load_state_dict(given)
            if initialise:
                torch.manual_seed(seed)
                recipe.initialise(model, train.length)
            if words is not None and start == WORDS_ALONE:
                alone = words.alone(model, train, float(loss_weight[0]), shifts_frozen=isinstance(model, CompactModel))
                taken[start] = start_lasts.enter_context(alone)
            elif words is not None and start == WORDS_AND_DRAWN:
                taken[start] = words.apply(train)
                measure_batch_norm(model, train)
            run = _Run(model, recipe, _make_optimiser(recipe, model, train), owns[start])
            try:
                _train(run, train, valid, loss_weight, files[start], progress)
            except InputError as error:
                if not runs:
                    raise
                warnings.warn(f"fit: the start from {start} is left out ({error})", stacklevel=2)
                continue
        runs[start] = run
    start = _choose_start({name: run.best_auroc for name, run in runs.items()}, valid.y)
    run = runs[start]
    model.load_state_dict(run.best)
    model.eval()
    history = pd.DataFrame(run.rows)
    by_words = fit_baseline(train, valid) if baseline and _has_both_classes(train) else None
    if by_words is not None:
        history["baseline_auroc"] = _compare_with_baseline(by_words, valid, run.best_auroc)
    if isinstance(model, CompactModel):
        kept = {name: value for name, value in run.settings.items() if name not in ("model", "architecture")}
        kept |= {"best_epoch": run.best_epoch, "valid_auroc": run.best_auroc, "leakage": asdict(leakage)}
        if not cast(nn.Linear, model.head).bias.requires_grad:
            shift += float(run.best["head.bias"] - given["head.bias"])
        if shift:
            kept[_SHIFT] = shift
        if words is not None:
            kept["starts"] = {name: tried.best_auroc for name, tried in runs.items()}
            kept["words"] = [str(word) for word in taken.get(start, [])]
        if by_words is not None:
            kept["baseline_auroc"] = float(history["baseline_auroc"].iloc[0])
        model.provenance = kept
        model.baseline = by_words
    return history.assign(is_best=history["epoch"] == run.best_epoch)


def _choose_start(aurocs: dict[str, float], y: Tensor) -> str:
    """The start of the larger validation auROC, but words alone if it is behind by less than that can tell."""
    best = max(aurocs, key=lambda name: aurocs[name])  # the first of equals
    n_positive = int(y[:, 0].sum())
    if best == WORDS_ALONE or WORDS_ALONE not in aurocs or not 0 < n_positive < len(y):
        return best
    within = CANNOT_TELL * auroc_error(aurocs[best], n_positive, len(y) - n_positive)
    return WORDS_ALONE if aurocs[best] - aurocs[WORDS_ALONE] < within else best


def _shift_of(model: nn.Module) -> float:
    """What an earlier run has added to the bias of a compact model's frozen head."""
    return float(model.provenance.get(_SHIFT, 0.0)) if isinstance(model, CompactModel) else 0.0


def _take_back_shift(model: nn.Module) -> float:
    """Take it away again, as all weights are replaced; returns what is left of it, 0."""
    if shift := _shift_of(model):
        head = cast(nn.Linear, cast(CompactModel, model).head)
        with torch.no_grad():
            head.bias.sub_(shift)
        cast(CompactModel, model).provenance.pop(_SHIFT)
    return 0.0


def _has_both_classes(train: Dataset) -> bool:
    """Whether every task has positives and negatives; warns if one has not, as there is no baseline then."""
    one_class = torch.nonzero(train.y.amin(0) == train.y.amax(0)).flatten().tolist()
    if one_class:
        warnings.warn(
            f"fit: task {one_class[0]} has only one class in the training set, so that there is no baseline to compare "
            "with.",
            stacklevel=3,
        )
    return not one_class


def second_checkpoint(path: Path) -> Path:
    """The checkpoint of a second start, beside that of the first."""
    return path.with_stem(f"{path.stem}.words-alone")


def _starts(words: WordStart | None) -> list[str]:
    """The starts to try, the first of which is taken if they end alike."""
    if words is None:
        return [DRAWN]
    return [WORDS_AND_DRAWN if words.words else DRAWN, *([WORDS_ALONE] if words.can_stand_alone else [])]


def _train(run: "_Run", train: Dataset, valid: Dataset, loss_weight: Tensor, path: Path | None, progress: bool) -> None:
    """All epochs of one start, from its checkpoint if it has one."""
    if path is not None and path.exists():
        run.restore(path)
    settings = run.settings
    epochs, seed, n_orders = settings["epochs"], settings["seed"], (1 + settings["augment"]) * len(train)
    order = torch.randperm(n_orders, generator=torch.Generator().manual_seed(seed))
    what = settings.get("start")
    with tqdm(total=epochs, initial=run.n_epochs, disable=not progress, unit="epoch", mininterval=1, desc=what) as bar:
        while run.n_epochs < epochs and not run.is_stale(settings["patience"]):
            torch.manual_seed(seed + 1_000_003 * (1 + run.n_epochs))  # dropout: the same after a resume
            train_loss = _train_epoch(run, train, order, loss_weight)
            scores = _score(run.model, train if settings["score_train"] else None, valid, loss_weight)
            run.record({"train_loss": train_loss, **scores})
            if path is not None:
                run.save(path)
            now = run.rows[-1]["valid_auroc"]
            bar.set_postfix_str(f"valid_auroc={now:.4f}, best={run.best_auroc:.4f}", refresh=False)
            bar.update()


def _compare_with_baseline(baseline: KmerBaseline, valid: Dataset, best_auroc: float) -> float:
    """Validation auROC of the baseline, mean over tasks; warns if it is the better one."""
    auroc = float(baseline.evaluate(valid)["auroc"].mean())
    if auroc > best_auroc:
        warnings.warn(
            f"fit: a logistic regression on counts of {baseline.k}-mers reaches validation auROC {auroc:.4f}, the "
            f"model {best_auroc:.4f}: nothing shows that it has learned more than composition and short words. Try "
            "more filters, another seed, or more sequences.",
            stacklevel=3,
        )
    return auroc


@dataclass
class _Run:
    """What changes during training, and what a checkpoint holds."""

    model: nn.Module
    recipe: Recipe
    optimiser: torch.optim.Optimizer
    settings: dict[str, Any]
    rows: list[dict[str, float]] = field(default_factory=list)
    best: dict[str, Tensor] = field(default_factory=dict)
    base_rates: list[float] = field(init=False)

    def __post_init__(self) -> None:
        self.base_rates = [group["lr"] for group in self.optimiser.param_groups]

    @property
    def n_epochs(self) -> int:
        return len(self.rows)

    @property
    def best_epoch(self) -> int:
        return int(max(self.rows, key=lambda row: row["valid_auroc"])["epoch"])  # the first of equals

    @property
    def best_auroc(self) -> float:
        return max(row["valid_auroc"] for row in self.rows)

    def is_stale(self, patience: int | None) -> bool:
        return patience is not None and bool(self.rows) and self.n_epochs - self.best_epoch >= patience

    def set_rate(self, share_done: float) -> None:
        for group, rate in zip(self.optimiser.param_groups, self.base_rates, strict=True):
            group["lr"] = rate * self.recipe.schedule(share_done)

    def record(self, scores: dict[str, float]) -> None:
        rate = self.optimiser.param_groups[0]["lr"]
        self.rows.append({"epoch": self.n_epochs + 1, "learning_rate": rate, **scores})
        if self.best_epoch == self.n_epochs:
            self.best = {name: value.detach().clone() for name, value in self.model.state_dict().items()}

    def save(self, path: Path) -> None:
        state = self.optimiser.state_dict()["state"]
        tensors = {f"model/{name}": value for name, value in self.model.state_dict().items()}
        tensors |= {f"best/{name}": value for name, value in self.best.items()}
        tensors |= {f"optimiser/{i}/{key}": value for i, slots in state.items() for key, value in slots.items()}
        metadata = {"settings": json.dumps(self.settings), "rows": json.dumps(self.rows)}
        path.parent.mkdir(parents=True, exist_ok=True)
        write_at_once(path, save({name: value.detach().cpu().clone() for name, value in tensors.items()}, metadata))

    def restore(self, path: Path) -> None:
        try:
            with safe_open(path, framework="pt") as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # not a dict
        except (OSError, SafetensorError) as error:
            raise InputError(f"{path}: cannot be read as a checkpoint ({error}); name another file.") from None
        metadata = _check_checkpoint(path, self.settings)
        self.rows = json.loads(metadata["rows"])
        device, _ = place_of(self.model)
        self.model.load_state_dict(_below(tensors, "model"))
        self.best = {name: value.to(device) for name, value in _below(tensors, "best").items()}
        state: dict[int, dict[str, Tensor]] = {}
        for name, value in _below(tensors, "optimiser").items():
            i, key = name.split("/")
            state.setdefault(int(i), {})[key] = value
        self.optimiser.load_state_dict({"state": state, "param_groups": self.optimiser.state_dict()["param_groups"]})


def _rates(recipe: Recipe, optimiser: torch.optim.Optimizer) -> dict[str, Any]:
    """Of what a recipe does after the start all that can be told: two of the same name may differ."""
    return {
        "learning": [group["lr"] for group in optimiser.param_groups],
        "schedule": [recipe.schedule(share / 8) for share in range(8)],
        "momentum": recipe.momentum,
    }


def _make_optimiser(recipe: Recipe, model: nn.Module, train: Dataset) -> torch.optim.Optimizer:
    """Optimiser of the trainable parameters; those of the read-out are a group of their own if their rate differs."""
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    read_out_rate = recipe.read_out_rate(len(train))
    if read_out_rate == 1:
        return recipe.optimiser(trainable)
    read_out = set(read_out_parameters(model, train.length))
    parts = [p for p in trainable if p not in read_out], [p for p in trainable if p in read_out]
    optimiser = recipe.optimiser([{"params": part} for part in parts])
    optimiser.param_groups[1]["lr"] *= read_out_rate
    return optimiser


@contextmanager
def _batch_norm_momentum(model: nn.Module, momentum: float | None) -> Iterator[None]:
    """Batch norm takes up the newest batch by that share, while it lasts; None: by its own."""
    layers = {m: m.momentum for m in model.modules() if isinstance(m, _BatchNorm) and momentum is not None}
    for layer in layers:
        layer.momentum = momentum
    try:
        yield
    finally:
        for layer, own in layers.items():
            layer.momentum = own


def _train_epoch(run: _Run, train: Dataset, order: Tensor, positive_weight: Tensor) -> float:
    run.model.train()
    device, dtype = place_of(run.model)
    losses = []
    for step, batch in _epoch_batches(order, run.n_epochs, run.settings):
        run.set_rate(step)
        rows = batch % len(train)
        x = train.x[rows]
        turned = batch >= len(train)
        x[turned] = reverse_complement(x[turned])
        logits = run.model(x.to(device, dtype))
        loss = _loss(logits, train.y[rows].to(device, dtype), positive_weight)
        run.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]  # so it is in torch
        run.optimiser.step()
        losses.append(loss.detach())
    return float(torch.stack(losses).mean())


def _epoch_batches(order: Tensor, epoch: int, settings: dict[str, Any]) -> Iterator[tuple[float, Tensor]]:
    """Share of the run that is done, and the rows of the next batch, through one epoch."""
    n_samples, batch_size = settings["samples_per_epoch"], settings["batch_size"]
    for start in range(0, n_samples, batch_size):
        wanted = torch.arange(start, min(start + batch_size, n_samples)) + epoch * n_samples
        yield (epoch + start / n_samples) / settings["epochs"], order[wanted % len(order)]


def _loss(logits: Tensor, y: Tensor, positive_weight: Tensor) -> Tensor:
    if logits.numel() != y.numel():
        raise InputError(
            f"fit: the model gives {tuple(logits.shape)} logits for {tuple(y.shape)} labels, expected one a label; its "
            "number of outputs must be the data's number of tasks."
        )
    return functional.binary_cross_entropy_with_logits(
        logits.reshape(y.shape), y, pos_weight=positive_weight.to(logits.device, logits.dtype)
    )


def _score(model: nn.Module, train: Dataset | None, valid: Dataset, positive_weight: Tensor) -> dict[str, float]:
    logits = predict(model, valid.x, device=place_of(model)[0])
    means = {"valid": score_logits(valid.y, logits).mean()}
    if train is not None:
        means["train"] = evaluate(model, train).mean()
    scores = {f"{part}_{name}": float(mean[name]) for part, mean in means.items() for name in ("auroc", "auprc")}
    return {"valid_loss": float(_loss(logits, valid.y.to(logits.dtype), positive_weight)), **scores}


def _positive_weight(given: object, y: Tensor) -> Tensor:
    if given == "balanced":
        n_positive = y.sum(0)
        return (len(y) - n_positive) / n_positive.clamp(min=1)
    if not hasattr(given, "__float__") or not 0 < (weight := float(given)) < float("inf"):
        raise InputError(f"positive_weight: got {given!r}, expected 'balanced' or a number above 0.")
    return torch.full((y.shape[1],), weight)


def _check_data(model: nn.Module, train: Dataset, valid: Dataset) -> None:
    given: list[tuple[str, object]] = [("train", train), ("valid", valid)]
    for name, data in given:
        if not isinstance(data, Dataset):
            raise InputError(f"fit: got {name} as {type(data).__name__}, expected a Dataset; use load_dataset(...).")
    if train.length != valid.length or train.n_tasks != valid.n_tasks:
        raise InputError(
            f"fit: got training sequences of {train.length} bp with {train.n_tasks} tasks and validation sequences of "
            f"{valid.length} bp with {valid.n_tasks}; expected the same. Cut both to one length."
        )
    if isinstance(model, CompactModel) and model.architecture.length != train.length:
        raise InputError(
            f"fit: got sequences of {train.length} bp for a model of {model.architecture.length} bp; build it with "
            f"compact_model(..., length={train.length})."
        )
    if isinstance(model, CompactModel) and model.architecture.n_tasks != train.n_tasks:
        raise InputError(
            f"fit: got {train.n_tasks} tasks for a model of {model.architecture.n_tasks}; build it with "
            f"compact_model(..., n_tasks={train.n_tasks})."
        )


def _check_checkpoint(path: Path, wanted: dict[str, Any]) -> dict[str, str]:
    """What is written in a checkpoint beside its arrays, if it is of such a run."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata: dict[str, str] | None = file.metadata()
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path}: cannot be read as a checkpoint ({error}); name another file.") from None
    if not metadata or "rows" not in metadata:
        raise InputError(f"{path}: not a checkpoint of a training run; name another file.")
    _check_same_settings(path, json.loads(metadata["settings"]), wanted)
    return metadata


def _check_same_settings(path: Path, found: dict[str, Any], wanted: dict[str, Any]) -> None:
    for name, value in wanted.items():
        if found.get(name) != json.loads(json.dumps(value)):
            change = "has other weights" if name == "model" else f"was {found.get(name)!r}, now {value!r}"
            raise InputError(
                f"{path}: a checkpoint of another run ({name} {change}); delete it, or write to another place."
            )


def _below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(f"{prefix}/"): value for name, value in tensors.items() if name.startswith(f"{prefix}/")}
