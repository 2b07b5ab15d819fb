"""What composition and short words alone tell: a logistic regression on counts of 6-mers, beside any network."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypeAlias

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from safetensors.numpy import save
from scipy.sparse import csr_matrix, vstack
from torch import Tensor

from rcinterp.data.coded import Sequences, batches_of
from rcinterp.data.datasets import Dataset
from rcinterp.data.sequences import letter_codes
from rcinterp.errors import InputError
from rcinterp.files import write_at_once
from rcinterp.files.tensors import open_tensors
from rcinterp.training.performance import score_logits

Words: TypeAlias = NDArray[np.int64]

#: Letters of a word.
K = 6
#: Inverse strengths of the L2 penalty, of which the validation set chooses one a task.
STRENGTHS = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
#: More training sequences than these are not looked at; as many are drawn.
MOST = 20_000
#: Sequences of a class that are taken at least, if there are as many.
_ENOUGH = 1000
_LETTERS_AT_A_TIME = 2_000_000
_SEED = 0


@dataclass(frozen=True, eq=False)
class KmerBaseline:
    """A logistic regression on counts of words and their reverse complements (RC).

    Attributes
    ----------
    weights : ndarray, shape (n_tasks, 4^k)
        Of each word, in the order AAAAAA, AAAAAC, ...; a word and its RC are counted together, under the first of them.
    bias : ndarray, shape (n_tasks,)
    strengths : tuple of float
        Of the penalty, one a task, as scikit-learn's C.
    """

    FILE: ClassVar[str] = "baseline.safetensors"  # beside a model

    weights: NDArray[np.float64]
    bias: NDArray[np.float64]
    strengths: tuple[float, ...]

    @property
    def k(self) -> int:
        """Letters of a word."""
        n_words: int = self.weights.shape[1]
        return (n_words.bit_length() - 1) // 2

    def logits(self, x: Sequences) -> Tensor:
        """Logits (N, n_tasks) of one-hot sequences (N, 4, L)."""
        return torch.from_numpy(count_words(x, self.k) @ self.weights.T + self.bias)

    def evaluate(self, data: Dataset) -> pd.DataFrame:
        """Columns auroc and auprc, one row a task, as `rcinterp.evaluate`."""
        return score_logits(data.y, self.logits(data.x))

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write baseline.safetensors beside a model."""
        write_at_once(Path(folder) / KmerBaseline.FILE, self.to_bytes())

    def to_bytes(self) -> bytes:
        """What baseline.safetensors holds."""
        return save({"weights": self.weights, "bias": self.bias, "strengths": np.array(self.strengths)})

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> KmerBaseline | None:
        """The baseline that stands beside a model; None if there is none."""
        path = Path(folder) / KmerBaseline.FILE
        if not path.exists():
            return None
        with open_tensors(path, "a baseline", "train the model again") as file:
            shapes = {name: file.shapes.get(name, ()) for name in ("weights", "bias", "strengths")}
            n_tasks = shapes["bias"][0] if shapes["bias"] else 0
            wanted = {"weights": (n_tasks, 4**K), "bias": (n_tasks,), "strengths": (n_tasks,)}
            if not n_tasks or set(file.shapes) != set(wanted) or shapes != wanted:
                raise InputError(f"{path}: does not hold the weights of a baseline; train the model again.")
            tensors = file.read()
            if any(tensor.is_complex() for tensor in tensors.values()):
                raise InputError(f"{path}: does not hold the weights of a baseline, but complex numbers; train again.")
            found = {name: tensor.double().numpy() for name, tensor in tensors.items()}
        if not all(np.isfinite(array).all() for array in found.values()):
            raise InputError(f"{path}: does not hold the weights of a baseline, but NaN; train the model again.")
        weights, bias, strengths = (found[name] for name in wanted)
        return cls(weights, bias, tuple(strengths.tolist()))


def fit_baseline(train: Dataset, valid: Dataset) -> KmerBaseline:
    """Train a logistic regression on counts of 6-mers.

    Parameters
    ----------
    train, valid : Dataset
        The validation set chooses the penalty, by its auROC.

    Returns
    -------
    KmerBaseline

    Raises
    ------
    InputError
        If a task has one class alone.

    Notes
    -----
    A word and its reverse complement are counted together, on both strands of the sequence as it were; words with N are
    not counted. The classes weigh the same. Of more than `MOST` training sequences as many are drawn.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    rows = _draw_rows(train)
    here, there = count_words(train.x[rows], K), count_words(valid.x, K)
    weights, bias, strengths = [], [], []
    for task in range(train.n_tasks):
        y = train.y[rows, task].numpy()
        if y.min() == y.max():
            raise InputError(f"task {task} has only one class in the training set; positives and negatives are needed.")
        model = LogisticRegression(class_weight="balanced", max_iter=200, tol=1e-3, warm_start=True)
        best = -1.0
        for strength in STRENGTHS:
            model.set_params(C=strength)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)  # near enough to be a baseline
                model.fit(here, y)
            logits = torch.from_numpy(model.decision_function(there))
            auroc = float(score_logits(valid.y[:, [task]], logits[:, None])["auroc"].iloc[0])
            if auroc > best:
                best, chosen = auroc, (model.coef_[0].copy(), float(model.intercept_[0]), strength)
        weights.append(chosen[0])
        bias.append(chosen[1])
        strengths.append(chosen[2])
    return KmerBaseline(np.array(weights, dtype=np.float64), np.array(bias), tuple(strengths))


def _draw_rows(train: Dataset) -> NDArray[np.int64]:
    """All sequences, or `MOST` of them and enough of either class of each task."""
    rows = np.arange(len(train))
    if len(train) <= MOST:
        return rows
    rng = np.random.default_rng(_SEED)
    drawn = [rng.choice(rows, MOST, replace=False)]
    labels = train.y.numpy()
    for task in range(train.n_tasks):
        for label in (0, 1):
            members = np.flatnonzero(labels[:, task] == label)
            if (labels[drawn[0], task] == label).sum() < _ENOUGH:
                drawn.append(rng.permutation(members)[:_ENOUGH])
    return np.unique(np.concatenate(drawn))


def count_words(x: Sequences, k: int) -> csr_matrix:
    """Counts (N, 4^k) of the words of one-hot sequences (N, 4, L), each counted with its reverse complement."""
    return vstack([count_words_in(letter_codes(some), k) for some in batches_of(x, _LETTERS_AT_A_TIME)], format="csr")


def count_words_in(codes: NDArray[np.integer[Any]], k: int) -> csr_matrix:
    """The same of letters (N, L) as `letter_codes` has them."""
    forward, reverse, whole = words_at(codes, k)
    rows = np.nonzero(whole)[0]
    columns = np.minimum(forward, reverse)[whole]
    return csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(codes), 4**k))


def words_at(codes: NDArray[np.integer[Any]], k: int) -> tuple[Words, Words, NDArray[np.bool_]]:
    """The word at each position of letters (N, L) on either strand, 0 to 4^k - 1, and whether it is whole."""
    n_words = max(codes.shape[1] - k + 1, 0)
    forward = np.zeros((len(codes), n_words), dtype=np.int64)
    reverse, whole = np.zeros_like(forward), np.ones_like(forward, dtype=bool)
    for j in range(k):
        letters = codes[:, j : j + n_words].astype(np.int64)
        forward = 4 * forward + letters
        reverse += (3 - letters) * 4**j
        whole &= letters < 4
    return forward, reverse, whole
