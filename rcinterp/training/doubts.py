"""What makes a training doubtful at its end: nothing moved, dead filters, no better than chance, swapped classes."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from rcinterp.data.datasets import Dataset
from rcinterp.reading.model import BATCH_SIZE, lent, place_of, predict_logits
from rcinterp.training.performance import N_ERRORS, can_tell, is_chance, score_logits

#: A training loss that stays within this share of its first epoch's has not moved.
UNMOVED = 1e-3
#: Nor have weights whose change is at most this share of them, both as root sums of squares.
UNMOVED_WEIGHTS = 1e-5
#: A validation auROC above this does not look like classes that are swapped.
SWAPPED = 0.45
#: Epochs of which that is asked of the loss, at least.
_FEWEST_EPOCHS = 3
#: Tasks that are named, at most.
_MOST_TASKS = 5


def find_doubts(
    model: nn.Module,
    train: Dataset,
    valid: Dataset,
    history: Sequence[dict[str, float]],
    aurocs: Sequence[float] | None = None,
    *,
    has_moved: bool = True,
) -> list[str]:
    """Sentences on what shows that a model may have learned nothing; none if nothing does.

    Parameters
    ----------
    model : nn.Module
        With the weights that are kept.
    train, valid : Dataset
    history : list of dict
        The epochs of its run: train_loss, valid_auroc.
    aurocs : list of float, optional
        Validation auROC of each task, as `aurocs_of_tasks`; of a single task, the best of the history when not given.
    has_moved : bool
        Whether the training has changed any weight (`have_moved`).
    """
    said = []
    losses = [row["train_loss"] for row in history]
    if len(losses) >= _FEWEST_EPOCHS and all(abs(loss - losses[0]) <= UNMOVED * abs(losses[0]) for loss in losses):
        said.append(f"its training loss has not moved in {len(losses)} epochs from {losses[0]:.4g}")
    if not has_moved:
        said.append("none of its weights has changed in the training (is the learning rate 0, or are they frozen?)")
    if are_all_dead(model, train):
        said.append("all filters of its first convolution are dead: none is above 0 anywhere in the training set")
    aurocs = [max(row["valid_auroc"] for row in history)] if aurocs is None else aurocs
    by_chance = [
        task
        for task, (auroc, n) in enumerate(zip(aurocs, _numbers(valid), strict=True))
        if can_tell(*n) and is_chance(auroc, *n) and not _is_swapped(task, aurocs, n, history)
    ]
    if by_chance:
        where = _describe_tasks(model, by_chance, aurocs)
        said.append(f"its validation auROC{where} is not above 0.5 by more than {N_ERRORS} of its standard errors")
    return said


def judge_validation(
    model: nn.Module, valid: Dataset, history: Sequence[dict[str, float]], aurocs: Sequence[float]
) -> list[str]:
    """Sentences on a validation set that cannot tell, or that calls the positives negative; none if there are none.

    Parameters
    ----------
    model, valid, history, aurocs
        As in `find_doubts`.
    """
    said, numbers = [], _numbers(valid)
    few = [task for task, n in enumerate(numbers) if not can_tell(*n)]
    if few:
        n_positive, n_negative = numbers[few[0]]
        of_tasks = f" of {_name_tasks(model, few)}" if len(numbers) > 1 else ""
        said.append(
            f"the validation set{of_tasks} has {n_positive} positives and {n_negative} negatives, too few to tell "
            "whether the model has learned anything: any auROC may be chance; give more validation sequences"
        )
    swapped = [task for task, n in enumerate(numbers) if can_tell(*n) and _is_swapped(task, aurocs, n, history)]
    if swapped:
        lowest = [min(aurocs[task], _lowest(aurocs, history)) for task in range(len(aurocs))]
        said.append(
            f"the validation auROC{_describe_tasks(model, swapped, lowest)} is well below 0.5: the positives and the "
            "negatives of the validation set, or of the training set, may be swapped; check which file is which"
        )
    return said


def aurocs_of_tasks(model: nn.Module, valid: Dataset, best_auroc: float) -> list[float]:
    """Validation auROC of each task with the weights that are kept; that of a single task is known."""
    if valid.n_tasks == 1:
        return [best_auroc]
    logits = predict_logits(model, valid.x, device=place_of(model)[0])
    return [float(auroc) for auroc in score_logits(valid.y, logits)["auroc"]]


def trainable_weights(model: nn.Module) -> dict[str, Tensor]:
    """Copies of the parameters that a training may change; running statistics are none."""
    return {name: value.detach().clone() for name, value in model.named_parameters() if value.requires_grad}


def have_moved(before: Mapping[str, Tensor], after: Mapping[str, Tensor]) -> bool:
    """Whether weights have changed by more than `UNMOVED_WEIGHTS` of them."""
    change = sum(float((after[name] - value).abs().double().square().sum()) for name, value in before.items())
    size = sum(float(value.abs().double().square().sum()) for value in before.values())
    return not change <= UNMOVED_WEIGHTS**2 * size  # so have those that are NaN now


def _is_swapped(task: int, aurocs: Sequence[float], n: tuple[int, int], history: Sequence[dict[str, float]]) -> bool:
    """Whether an auROC, of a single task in any epoch, is as far below 0.5 as one that is no chance is above, and far.

    The least of many epochs is further below than that of one, and of many sequences a hundredth is no chance.
    """
    lowest = min(aurocs[task], _lowest(aurocs, history))
    return lowest <= SWAPPED and is_chance(aurocs[task], *n) and not is_chance(1 - lowest, *n)


def _lowest(aurocs: Sequence[float], history: Sequence[dict[str, float]]) -> float:
    """Of a single task, the least of all epochs, as the best is kept; 1 of several, of which the means are known."""
    return min(row["valid_auroc"] for row in history) if len(aurocs) == 1 else 1.0


def _numbers(valid: Dataset) -> list[tuple[int, int]]:
    """Positives and negatives of each task."""
    return [(int(n), len(valid) - int(n)) for n in valid.y.sum(0)]


def _describe_tasks(model: nn.Module, tasks: Sequence[int], aurocs: Sequence[float]) -> str:
    """`` of CTCF (0.5012)`` and so on; the number alone where there is one task."""
    if len(aurocs) == 1:
        return f", {aurocs[0]:.4f},"
    return f" of {_name_tasks(model, tasks, aurocs)}"


def _name_tasks(model: nn.Module, tasks: Sequence[int], aurocs: Sequence[float] | None = None) -> str:
    """Tasks by their names where the model has `task_names`, or numbers; five at most, each with its auROC if given."""
    known = getattr(model, "task_names", None)
    names = known if isinstance(known, list | tuple) and len(known) > max(tasks) else None
    shown = [
        (f"task {task}" if names is None else str(names[task])) + ("" if aurocs is None else f" ({aurocs[task]:.4f})")
        for task in tasks[:_MOST_TASKS]
    ]
    return ", ".join(shown) + (f" and {len(tasks) - _MOST_TASKS} more" if len(tasks) > _MOST_TASKS else "")


def are_all_dead(model: nn.Module, train: Dataset) -> bool:
    """Whether the first ReLU gives 0 on all training sequences; False where a model has no module of that kind."""
    first = next((module for module in model.modules() if isinstance(module, nn.ReLU)), None)
    if first is None:
        return False
    is_alive: list[bool] = []

    def note(module: nn.Module, given: Any, output: Tensor) -> None:
        if len(is_alive) < n_batches:  # of this batch, the first time that it is called
            is_alive.append(bool((output > 0).any()))

    hook, (device, dtype), n_batches = first.register_forward_hook(note), place_of(model), 0
    try:
        with lent(model), torch.no_grad():
            for start in range(0, len(train), BATCH_SIZE):
                n_batches += 1
                model(train.x[start : start + BATCH_SIZE].to(device=device, dtype=dtype))
                if len(is_alive) < n_batches or is_alive[-1]:
                    return False
    finally:
        hook.remove()
    return True
