"""How well logits rank positives above negatives."""

import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score, roc_auc_score
from torch import Tensor, nn

from rcinterp.data.datasets import Dataset
from rcinterp.errors import InputError
from rcinterp.reading.model import BATCH_SIZE, predict_logits


def score_logits(y: Tensor, logits: Tensor) -> pd.DataFrame:
    """Area under the ROC curve and average precision of each task.

    Parameters
    ----------
    y : Tensor, shape (N, n_tasks)
        1 for positives, 0 for negatives.
    logits : Tensor, shape (N, n_tasks)

    Returns
    -------
    DataFrame
        One row a task; columns auroc and auprc (average precision, the step-wise area of scikit-learn).

    Raises
    ------
    InputError
        If a task has no positives or no negatives, or if a logit is not finite.
    """
    truth, scores = y.numpy(), logits.double().numpy()
    if truth.shape != scores.shape:
        raise InputError(f"got {scores.shape} logits for {truth.shape} labels, expected one logit a label.")
    if not np.isfinite(scores).all():
        n_bad = int((~np.isfinite(scores).all(axis=1)).sum())
        raise InputError(
            f"the model's logits are not finite for {n_bad} of {len(scores)} sequences; its training has diverged: "
            "lower the learning rate."
        )
    for task in range(truth.shape[1]):
        if len(np.unique(truth[:, task])) < 2:
            raise InputError(f"task {task} has only one class in these sequences; positives and negatives are needed.")
    measures = {"auroc": roc_auc_score, "auprc": average_precision_score}
    columns = {name: np.atleast_1d(measure(truth, scores, average=None)) for name, measure in measures.items()}
    return pd.DataFrame(columns).rename_axis("task")


#: Said where what is read is what a compact model was trained on.
TRAINED_ON = (
    "these sequences are the very ones that the model was trained on: its performance on them, and contributions and "
    "p-values of its filters, are better than on new ones; give sequences that it has not seen"
)


def was_trained_on(model: nn.Module, sha256: Callable[[], str]) -> bool:
    """Whether a compact model was trained on the data set of this SHA-256, which is made only if need be.

    Its provenance has that of its training set, and that of what `rcinterp train` has split into training and
    validation.
    """
    provenance = getattr(model, "provenance", None)
    kept = [provenance.get(name) for name in ("train_sha256", "data_sha256")] if isinstance(provenance, dict) else []
    return any(isinstance(one, str) for one in kept) and sha256() in kept


def evaluate(model: nn.Module, data: Dataset, *, batch_size: int = BATCH_SIZE) -> pd.DataFrame:
    """How well a model tells positives from negatives (auROC, auPRC), one row a task; as `score_logits`.

    Parameters
    ----------
    model : nn.Module
        (n, 4, L) -> logits (n, n_tasks).
    data : Dataset
    batch_size : int
        Sequences at a time.

    Returns
    -------
    DataFrame
        Columns auroc and auprc.

    Warns
    -----
    UserWarning
        If a compact model was trained on these very data.

    Examples
    --------
    >>> from rcinterp import compact_model, load_dataset
    >>> data = load_dataset(["ACGT" * 15, "ACCT" * 15], ["GGGT" * 15, "CGGT" * 15])
    >>> evaluate(compact_model(1, 2, 60, widths=(11,), pool=10, stride=10), data).columns.tolist()
    ['auroc', 'auprc']
    """
    if was_trained_on(model, lambda: data.sha256):
        warnings.warn(f"evaluate: {TRAINED_ON}.", stacklevel=2)
    return score_logits(data.y, predict_logits(model, data.x, batch_size=batch_size))


#: An area under the ROC curve that is above 0.5 by less than so many of its standard errors may be chance.
N_ERRORS = 3


def is_chance(auroc: float, n_positive: int, n_negative: int) -> bool:
    """Whether an area under the ROC curve is not above 0.5 by more than `N_ERRORS` of its standard errors there.

    Two would do for one look; the best of several epochs is the luckiest one.
    """
    return auroc - 0.5 < N_ERRORS * auroc_error(0.5, n_positive, n_negative)


def can_tell(n_positive: int, n_negative: int) -> bool:
    """Whether so many sequences can show that a model is better than chance: a perfect one is, by `is_chance`."""
    return not is_chance(1.0, n_positive, n_negative)


def auroc_error(auroc: float, n_positive: int, n_negative: int) -> float:
    """Standard error of an area under the ROC curve, from itself and the numbers of sequences.

    References
    ----------
    Hanley & McNeil 1982, Radiology 143:29-36, equation 1.
    """
    both_positive, both_negative = auroc / (2 - auroc), 2 * auroc**2 / (1 + auroc)
    variance = (
        auroc * (1 - auroc)
        + (n_positive - 1) * (both_positive - auroc**2)
        + (n_negative - 1) * (both_negative - auroc**2)
    ) / (n_positive * n_negative)
    return float(max(variance, 0.0) ** 0.5)
