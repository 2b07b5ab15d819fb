"""How well contributions predict what the logit loses without a filter: a number to stand beside every report."""

import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from rcinterp.errors import InputError
from rcinterp.reading.contributions import attribute
from rcinterp.reading.inputs import Inputs
from rcinterp.reading.probe import BoundLayer

#: Filters x sequences from which the number of sequences follows when it is not given.
BUDGET = 10_000
#: Sequences of each class at least.
FEWEST_SEQUENCES = 20
#: Filters that are ablated at most: of more, some that contribute, evenly over the ranks of their contributions, and
#: silent ones if there is room.
MOST_FILTERS = 64


@dataclass(frozen=True, eq=False)
class Faithfulness:
    """How the contributions of filters and their exact ablation agree.

    Attributes
    ----------
    pearson, spearman : float
        Correlation over filters of contribution and ablation (both: mean over positives minus mean over negatives);
        NaN for fewer than three filters that do anything.
    slope : float
        Of the ablation on the contribution, through the origin. It is 1 if the contribution is the loss itself, and
        less than 1 if the contribution is too large.
    pearson_sequences : float
        Correlation of contribution and ablation over all sequences and filters.
    n_sequences : int
        Of both classes.
    method, baseline : str
        As in `filter_contributions`.
    n_filters : int
        Of the layer.
    table : DataFrame
        One row a filter that was ablated (`MOST_FILTERS` at most, but all by the method "ablation"): filter,
        contribution, ablation (units of the logit),
        and pearson, the filter's own correlation over sequences.
    """

    pearson: float
    spearman: float
    slope: float
    pearson_sequences: float
    n_sequences: int
    method: str
    baseline: str
    table: pd.DataFrame
    n_filters: int

    def __str__(self) -> str:
        """Put it in a sentence."""
        if np.isnan(self.pearson):
            return f"faithfulness cannot be told: fewer than three filters do anything on {self.n_sequences} sequences"
        some = f"{len(self.table)} of the {self.n_filters} " if len(self.table) < self.n_filters else ""
        return (
            f"{self.method.replace('_', ' ')} against exact ablation (to {self.baseline}): r = {self.pearson:.3f} over "
            f"{some}filters, slope {self.slope:.2f}, r = {self.pearson_sequences:.3f} over filters and sequences "
            f"({self.n_sequences} sequences)"
        )


def faithfulness_of(
    bound: BoundLayer,
    classes: tuple[Inputs, Inputs],
    *,
    method: str,
    baseline: str,
    n_sequences: int | None,
    seed: int,
) -> Faithfulness:
    """Compare contributions by a method with the exact ablation of each filter; see `rcinterp.faithfulness`."""
    if n_sequences is not None and n_sequences < 2:
        raise InputError(f"faithfulness: got n_sequences={n_sequences}, expected at least 2 of each class.")
    attribute(bound, method, baseline)  # refuses what the model does not give
    by_ablation = attribute(bound, "ablation", baseline, classes[1])
    n_filters = bound.layer.n_filters
    n = n_sequences or max(FEWEST_SEQUENCES, BUDGET // (2 * n_filters))
    drawn = [inputs.rows(_draw(len(inputs), n, seed)) for inputs in classes]
    bound.runner.watch.reset()
    if method == "ablation":
        own = lost = [by_ablation.of(inputs, "ablation").values for inputs in drawn]
        chosen, n_bad = list(range(n_filters)), bound.runner.watch.n_bad
    else:
        own = [by_ablation.by(method).of(inputs, "faithfulness").values for inputs in drawn]
        positive, negative = (values[values.isfinite().all(1)] for values in own)
        chosen = _choose((positive.mean(0) - negative.mean(0)).nan_to_num(0).abs())
        n_bad = bound.runner.watch.n_bad
        of_some = replace(by_ablation, filters=chosen)
        lost = [of_some.of(inputs, "ablation").values for inputs in drawn]
    own, lost = _finite(own, lost, n_bad)
    names = [bound.layer.filter_names[f] for f in chosen]
    return _compare(names, own, lost, chosen, method=method, baseline=baseline, n_filters=n_filters)


def _finite(own: list[Tensor], lost: list[Tensor], n_bad: int) -> tuple[list[Tensor], list[Tensor]]:
    """Contributions and losses of the sequences for which both are numbers; says how many are not, or their logits."""
    kept = [a.isfinite().all(1) & b.isfinite().all(1) for a, b in zip(own, lost, strict=True)]
    n, n_bad = sum(map(len, kept)), max(n_bad, sum(int((~rows).sum()) for rows in kept))
    told = f"faithfulness: the logits of {n_bad} of {n} sequences are not finite (NaN or infinite)"
    if not all(bool(rows.any()) for rows in kept):
        raise InputError(
            f"{told}, expected numbers in either class: the model has diverged, or takes the logarithm of 0."
        )
    if n_bad:
        warnings.warn(
            f"{told}; those without a number are left out. The model has diverged, or takes the logarithm of 0.",
            stacklevel=4,
        )
    own, lost = ([values[rows] for values, rows in zip(both, kept, strict=True)] for both in (own, lost))
    return own, lost


def _choose(contribution: Tensor) -> list[int]:
    """The filters to ablate: those that contribute, evenly over all ranks from the largest on, and then silent ones."""
    order = torch.argsort(contribution, descending=True, stable=True)
    live, silent = order[contribution[order] != 0], order[contribution[order] == 0]
    chosen = live[torch.linspace(0, len(live) - 1, min(len(live), MOST_FILTERS)).round().long()]
    return sorted([*chosen.tolist(), *silent[: MOST_FILTERS - len(chosen)].tolist()])


def _draw(n: int, at_most: int, seed: int) -> Tensor:
    return (
        torch.arange(n) if n <= at_most else torch.randperm(n, generator=torch.Generator().manual_seed(seed))[:at_most]
    )


def _compare(
    names: list[str], own_values: list[Tensor], losses: list[Tensor], chosen: list[int], **about: Any
) -> Faithfulness:
    own_here, own_there = (values[:, chosen].numpy() for values in own_values)
    loss_here, loss_there = (values[:, chosen].numpy() for values in losses)
    contribution, loss = own_here.mean(0) - own_there.mean(0), loss_here.mean(0) - loss_there.mean(0)
    every_own, every_loss = np.concatenate([own_here, own_there]), np.concatenate([loss_here, loss_there])
    live = (every_own != 0).any(0) | (every_loss != 0).any(0)
    own = [_pearson(every_own[:, f], every_loss[:, f]) for f in range(len(names))]
    squares = float((contribution**2).sum())
    return Faithfulness(
        pearson=_pearson(contribution[live], loss[live]),
        spearman=_spearman(contribution[live], loss[live]),
        slope=float((contribution * loss).sum() / squares) if squares else np.nan,
        pearson_sequences=_pearson(every_own[:, live].ravel(), every_loss[:, live].ravel()),
        n_sequences=len(every_own),
        table=pd.DataFrame({"filter": names, "contribution": contribution, "ablation": loss, "pearson": own}),
        **about,
    )


def _vary(a: NDArray[np.float64], b: NDArray[np.float64]) -> bool:
    return len(a) >= 3 and bool(np.ptp(a) > 0 and np.ptp(b) > 0)


def _pearson(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    from scipy.stats import pearsonr  # its import takes a second

    return float(pearsonr(a, b).statistic) if _vary(a, b) else float("nan")


def _spearman(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    from scipy.stats import spearmanr

    return float(spearmanr(a, b).statistic) if _vary(a, b) else float("nan")
