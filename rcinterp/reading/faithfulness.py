"""How well a filter score predicts what silencing the filter does: a number to stand next to every report."""

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.stats import pearsonr, spearmanr
from torch import Tensor, nn

from rcinterp.data.sequences import SequenceInput, as_one_hot
from rcinterp.errors import InputError
from rcinterp.reading.contributions import Baseline, Method, find_scorer
from rcinterp.reading.cut import At
from rcinterp.reading.model import Args, Caller, Func, first_rows, runs_on, split_args

#: Forward passes (filters x sequences) that are spent when no number of sequences is given.
BUDGET = 10_000
#: Sequences of each class at least.
FEWEST_SEQUENCES = 20


@dataclass(frozen=True, eq=False)
class Faithfulness:
    """How a score of filters and their exact ablation go together.

    Attributes
    ----------
    pearson, spearman : float
        Correlation over filters of the two scores (means over positives less means over negatives); NaN for fewer than
        three filters that do anything.
    slope : float
        Of the ablation on the score, through the origin: 1 if the score is the loss itself, less if it says too much.
    pearson_sequences : float
        Correlation over all sequences and filters of what one filter adds to one logit.
    n_sequences : int
        Of both classes.
    method, baseline : str
        As in `filter_contributions`.
    table : DataFrame
        One row a filter: filter, score, ablation (units of the logit), and its own pearson over sequences.
    """

    pearson: float
    spearman: float
    slope: float
    pearson_sequences: float
    n_sequences: int
    method: str
    baseline: str
    table: pd.DataFrame

    def __str__(self) -> str:
        """Put it in a sentence."""
        if np.isnan(self.pearson):
            return f"faithfulness cannot be told: fewer than three filters do anything on {self.n_sequences} sequences"
        return (
            f"{self.method.replace('_', ' ')} against exact ablation (to {self.baseline}): r = {self.pearson:.3f} over "
            f"filters, slope {self.slope:.2f}, r = {self.pearson_sequences:.3f} over filters and sequences "
            f"({self.n_sequences} sequences)"
        )


def faithfulness(
    model: nn.Module,
    positives: SequenceInput,
    negatives: SequenceInput,
    layer: str | None = None,
    target: int = 0,
    *,
    method: Method = "gradient_x_activation",
    baseline: Baseline = "zero",
    n_sequences: int | None = None,
    at: At = "activation",
    args: Args = None,
    func: Func | None = None,
    seed: int = 0,
    batch_size: int = 100,
    device: str | torch.device | None = None,
    verbose: bool = False,
) -> Faithfulness:
    """Compare a filter score with the exact ablation of each filter, both its strands.

    Parameters
    ----------
    model, positives, negatives, layer, target, at, args, func, batch_size, device, verbose
        As in `filter_contributions`.
    method : str
        The score that is tested.
    baseline : "zero" or "mean"
        What an ablated filter is set to.
    n_sequences : int, optional
        Of each class at most, drawn at random; when not given, as many as `BUDGET` forward passes allow, at least
        `FEWEST_SEQUENCES`.
    seed : int
        Of the draw.

    Returns
    -------
    Faithfulness

    Notes
    -----
    Where the model is linear above its activations (or takes maxima over one filter's own positions and is linear
    then, as the one-layer models of this package), both are the same number and r = 1. Non-linear layers in between,
    saturation and filters that stand in for each other take them apart.
    """
    x_positive = as_one_hot(positives, "faithfulness: positives")
    x_negative = as_one_hot(negatives, "faithfulness: negatives")
    if n_sequences is not None and n_sequences < 2:
        raise InputError(f"faithfulness: got n_sequences={n_sequences}, expected at least 2 of each class.")
    caller = Caller(model, target, func, batch_size, device, verbose)
    args_positive, args_negative = split_args(args, len(x_positive), len(x_negative))
    with caller.borrowed():
        from_score = find_scorer(caller, x_positive, args_positive, layer, method, at)
        runs_on(caller, x_negative[:1], first_rows(args_negative, len(x_negative), 1))
        by_ablation = replace(from_score, method="ablation").against(baseline, x_negative, args_negative)
        from_score = replace(by_ablation, method=method)
        n = n_sequences or max(FEWEST_SEQUENCES, BUDGET // (2 * by_ablation.place.filters.n_filters))
        values = []
        for x, further in ((x_positive, args_positive), (x_negative, args_negative)):
            rows = _draw(len(x), n, seed)
            own = tuple(value[rows] for value in further or ())
            lost = by_ablation.total(x[rows], own, "ablation")
            values.append([lost if method == "ablation" else from_score.total(x[rows], own, "faithfulness"), lost])
    names = by_ablation.place.filters.filter_names
    return _compare(names, values[0], values[1], method, baseline)


def _draw(n: int, at_most: int, seed: int) -> Tensor:
    return (
        torch.arange(n) if n <= at_most else torch.randperm(n, generator=torch.Generator().manual_seed(seed))[:at_most]
    )


def _compare(
    names: list[str], positive: list[Tensor], negative: list[Tensor], method: str, baseline: str
) -> Faithfulness:
    (score_here, loss_here), (score_there, loss_there) = ([v.numpy() for v in pair] for pair in (positive, negative))
    score, loss = score_here.mean(0) - score_there.mean(0), loss_here.mean(0) - loss_there.mean(0)
    every_score, every_loss = np.concatenate([score_here, score_there]), np.concatenate([loss_here, loss_there])
    live = (every_score != 0).any(0) | (every_loss != 0).any(0)
    own = [_pearson(every_score[:, f], every_loss[:, f]) for f in range(len(names))]
    squares = float((score**2).sum())
    return Faithfulness(
        pearson=_pearson(score[live], loss[live]),
        spearman=float(spearmanr(score[live], loss[live]).statistic) if _vary(score[live], loss[live]) else np.nan,
        slope=float((score * loss).sum() / squares) if squares else np.nan,
        pearson_sequences=_pearson(every_score[:, live].ravel(), every_loss[:, live].ravel()),
        n_sequences=len(every_score),
        method=method,
        baseline=baseline,
        table=pd.DataFrame({"filter": names, "score": score, "ablation": loss, "pearson": own}),
    )


def _vary(a: NDArray[np.float64], b: NDArray[np.float64]) -> bool:
    return len(a) >= 3 and bool(np.ptp(a) > 0 and np.ptp(b) > 0)


def _pearson(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    return float(pearsonr(a, b).statistic) if _vary(a, b) else float("nan")
