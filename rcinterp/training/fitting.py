"""Train a model, keep its best epoch, and be able to stop and go on at any time."""

import os
import warnings
from pathlib import Path
from typing import Literal

import pandas as pd
import torch
from torch import Tensor, nn
from tqdm import tqdm

from rcinterp.data.datasets import Dataset
from rcinterp.errors import InputError
from rcinterp.files.paths import as_path
from rcinterp.reading.model import bar_options, place_of, predict_logits
from rcinterp.training.plan import Plan, make_plan
from rcinterp.training.precision import FLOAT32, call_in
from rcinterp.training.recipes import Recipe
from rcinterp.training.run import Run, check_checkpoint, describe_threads
from rcinterp.training.starts import WORDS_ALONE, Starts, find_baseline
from rcinterp.training.steps import loss_of, make_optimiser, order_of, score, train_epoch
from rcinterp.training.words import prepare_words


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
    precision: str = FLOAT32,
    checkpoint: str | os.PathLike[str] | None = None,
    baseline: bool = True,
    progress: bool | None = None,
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
        Initialisation, optimiser and schedule (docs/explanation/recipe.md). "seeded": filters start from words of the
        training set that tell its classes apart, in one of two ways of which the validation auROC chooses. "quiet": the
        same without words. "paper": Adam at 1e-3 from the paper's initialisation (sections 3.4 and 3.7).
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
    precision : "float32" or "bf16-mixed"
        Of the forward pass of the training steps. "bf16-mixed": in bfloat16, by torch.autocast; weights, optimiser,
        batch norm's statistics, loss and validation stay in float32, and so does the model. It is refused where the
        processor has no arithmetic in bfloat16: speed is all that it is for, and torch's emulation is several times
        slower than float32.
    checkpoint : path, optional
        File (.safetensors) written after each epoch, in one step. If it exists, the run goes on from it, to the same
        numbers as a run that was never stopped (on another number of threads, the last digits may differ); a finished
        run is not repeated. A second start has a file of its own, with ".words-alone" in its name.
    baseline : bool
        Also train a logistic regression on counts of 6-mers (`rcinterp.training.baseline.fit_baseline`; seconds), and
        warn if it ranks the validation set better than the model does.
    progress : bool, optional
        A bar on standard error; where it is a terminal, when not given.

    Returns
    -------
    DataFrame
        Columns epoch, learning_rate, train_loss, valid_loss, valid_auroc, valid_auprc (means over tasks), train_auroc
        and train_auprc if asked for, baseline_auroc unless not asked for, is_best.

    Raises
    ------
    InputError
        If the data do not fit the model or each other, if the checkpoint is of another run, or if the processor has not
        the precision.

    Warns
    -----
    UserWarning
        If validation sequences stand in the training set, if sequences stand in a set twice (either strand), if the
        model gives probabilities, of which the loss takes a sigmoid again, if the epochs of the checkpoint were trained
        on another number of threads, if the baseline is better than the model, or if the model may have learned
        nothing: its loss or its weights have not moved, all filters of its first convolution are dead, or its
        validation auROC, of any task, is that of chance. If the validation set is too small to tell, or its auROC so
        far below 0.5 that classes may be swapped.

    Notes
    -----
    The loss is binary cross-entropy on logits, mean over tasks and samples of (class weight · loss), not divided by
    the sum of the weights (as Keras). The sequences are shuffled once; epochs walk through that order, round and round.

    References
    ----------
    Shrikumar, Greenside & Kundaje 2017, section 3.4.
    """
    path = None if checkpoint is None else as_path(checkpoint, "fit: checkpoint")
    plan = make_plan(
        model,
        train,
        valid,
        seed=seed,
        recipe=recipe,
        epochs=epochs,
        samples_per_epoch=samples_per_epoch,
        batch_size=batch_size,
        patience=patience,
        positive_weight=positive_weight,
        augment=augment,
        initialise=initialise,
        score_train=score_train,
        precision=precision,
    )
    words = prepare_words(model, train) if plan.recipe.words and initialise else None
    starts = Starts(model, plan, plan.settings["seed"], words)
    files = {start: path if path is None or start != WORDS_ALONE else second_checkpoint(path) for start in starts.names}
    _check_checkpoints(model, starts, files)
    for start, file in files.items():
        with starts.begun(start):
            run = Run(model, plan.recipe, make_optimiser(plan.recipe, model, train), starts.settings_of(start))
            try:
                _train(run, plan, file, progress)
            except InputError as error:
                starts.leave_out(start, error)
                continue
        starts.runs[start] = run
    if not baseline:
        return starts.keep_best(None)
    with tqdm(total=1, desc="logistic regression on 6-mers", bar_format="{desc}", **bar_options(progress)):
        found = find_baseline(train, valid)
    return starts.keep_best(found)


def _check_checkpoints(model: nn.Module, starts: Starts, files: dict[str, Path | None]) -> None:
    """Refuse checkpoints of other runs, and warn of one whose epochs were trained on another number of threads."""
    there = {start: file for start, file in files.items() if file is not None and file.exists()}
    threads: list[int] = []
    for start, file in there.items():
        threads += [n for n in check_checkpoint(file, starts.settings_of(start)) if n not in threads]
    if there and place_of(model)[0].type == "cpu":  # another device does not calculate on them
        told = describe_threads(next(iter(there.values())), threads, torch.get_num_threads())
        if told is not None:
            warnings.warn(f"fit: {told}.", stacklevel=3)


def second_checkpoint(path: Path) -> Path:
    """The checkpoint of a second start, beside that of the first."""
    return path.with_stem(f"{path.stem}.words-alone")


def _train(run: Run, plan: Plan, path: Path | None, progress: bool | None) -> None:
    """All epochs of one start, from its checkpoint if it has one."""
    if path is not None and path.exists():
        run.restore(path)
    settings, order = run.settings, order_of(plan.train, run.settings)
    train_too = plan.train if settings["score_train"] else None
    shown = {"initial": run.n_epochs, "desc": settings.get("start"), **bar_options(progress)}
    with tqdm(total=settings["epochs"], unit="epoch", mininterval=1, **shown) as bar:
        while not run.is_over:
            torch.manual_seed(settings["seed"] + 1_000_003 * (1 + run.n_epochs))  # dropout: the same after a resume
            train_loss = _train_epoch(run, plan.train, order, plan.positive_weight)
            scores = _score(run.model, train_too, plan.valid, plan.positive_weight)
            run.record({"train_loss": train_loss, **scores})
            if path is not None:
                run.save(path)
            now = run.rows[-1]["valid_auroc"]
            bar.set_postfix_str(f"valid_auroc={now:.4f}, best={run.best_auroc:.4f}", refresh=False)
            bar.update()
        bar.refresh()  # the last numbers are seen, however short the training was


def _train_epoch(run: Run, train: Dataset, order: Tensor, positive_weight: Tensor) -> float:
    model, place = run.model.train(), place_of(run.model)

    def loss(x: Tensor, y: Tensor) -> Tensor:
        return loss_of(call_in(run.settings["precision"], model, x), y, positive_weight)

    return float(train_epoch(run, train, order, place, loss))


def _score(model: nn.Module, train: Dataset | None, valid: Dataset, positive_weight: Tensor) -> dict[str, float]:
    device, _ = place_of(model)
    return score(
        lambda data: predict_logits(model, data.x, device=device), valid, train, positive_weight=positive_weight
    )
