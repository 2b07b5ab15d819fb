"""How much each filter contributes to a logit (section 3.5 of the paper), by one of four methods."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from rcinterp.errors import InputError
from rcinterp.reading.gradients import FastGradients
from rcinterp.reading.inputs import Inputs
from rcinterp.reading.methods import METHODS, ablate, check_method, mean_activation
from rcinterp.reading.model import RowsOf, Runner
from rcinterp.reading.passes import Passes
from rcinterp.reading.probe import BoundLayer
from rcinterp.reading.statistics import (
    FEWEST_DIFFERING,
    FEWEST_SEQUENCES,
    PERMUTATIONS_A_COLUMN,
    blocks,
    bootstrap_difference,
    permutation_p_values,
)
from rclayers import by_strand

#: A filter acts in a sequence if its contribution there is more than this share of its largest one.
ACTIVE_SHARE = 0.1
#: Bins of a histogram of contributions.
N_BINS = 24


class Contributed:
    """Contributions to the sequences of a class, which come a batch at a time: no more is kept than they need.

    Parameters
    ----------
    n : int
        Sequences that will come.
    has_strands : bool
        Whether they come by channel of an RC layer, the forward ones first.

    Attributes
    ----------
    by_strand : Tensor, shape (2, F), or None
        Sum of the absolute values so far of the forward and of the reverse channels of each filter.
    """

    def __init__(self, n: int, has_strands: bool) -> None:
        self.has_strands = has_strands
        self.by_strand: Tensor | None = None
        self._rows = RowsOf(n)

    def add(self, values: Tensor) -> None:
        """Contributions of the next sequences: (n, channels), or (n, F) if there are no strands."""
        if self.has_strands:
            forward, reverse = by_strand(values).chunk(2)
            sums = torch.stack([forward.abs().sum(0), reverse.abs().sum(0)])
            self.by_strand = sums if self.by_strand is None else self.by_strand + sums
            values = forward + reverse
        self._rows.add(values)

    def extend(self, part: "Contributed") -> None:
        """Take up what was contributed to the next sequences."""
        if part.by_strand is not None:
            self.by_strand = part.by_strand if self.by_strand is None else self.by_strand + part.by_strand
        self._rows.add(part.values)

    @property
    def values(self) -> Tensor:
        """Contribution of each filter to each sequence, both strands added up, (N, F)."""
        return self._rows.values


def join_contributed(parts: Iterable[Contributed], n: int) -> Contributed:
    """Contributions to n sequences, of those to each shard of them."""
    found = Contributed(n, False)  # strands, if any, are added up already
    for part in parts:
        found.extend(part)
    return found


@dataclass(frozen=True, eq=False)
class Attribution:
    """One method on one layer of a lent model.

    Attributes
    ----------
    bound : BoundLayer
    method : str
    baseline : Tensor, shape (channels,)
        What a filter is compared with, other than by gradient x activation.
    filters : sequence of int, optional
        Those that ablation is asked of; all by default.
    """

    bound: BoundLayer
    method: str
    baseline: Tensor
    filters: Sequence[int] | None = None

    def by(self, method: str) -> "Attribution":
        """Take another method, with the same baseline."""
        return replace(self, method=method)

    def start(self, n: int) -> Contributed:
        """What takes up the contributions to n sequences."""
        return Contributed(n, self.bound.layer.is_rc and self.method != "ablation")

    def over(self, passes: Passes[BoundLayer], inputs: Inputs, description: str) -> Contributed:
        """Contributions to all sequences of a class, by passes that may be made elsewhere."""
        read = partial(
            _contributed, method=self.method, baseline=self.baseline, filters=self.filters, description=description
        )
        return passes.over(inputs, read, join_contributed, description)

    def of(self, inputs: Inputs, description: str) -> Contributed:
        """Contributions to all sequences of a class."""
        found = self.start(len(inputs))
        with torch.inference_mode(False):
            for batch in self.bound.runner.batches(inputs, description):
                found.add(self.of_batch(batch))
        return found

    def of_batch(self, batch: Sequence[Tensor]) -> Tensor:
        """Contributions of each channel, (n, channels), or by ablation of each filter, (n, F)."""
        if self.method == "ablation":
            return ablate(self.bound, batch, self.baseline, self.filters)
        baseline = () if self.method == "gradient_x_activation" else (self.baseline,)
        return METHODS[self.method](self.bound, batch, *baseline)


def _contributed(bound: BoundLayer, inputs: Inputs, *, description: str, **how: Any) -> Contributed:
    return Attribution(bound, **how).of(inputs, description)


def attribute(
    bound: BoundLayer,
    method: str,
    baseline: str = "zero",
    background: Inputs | None = None,
    passes: Passes[BoundLayer] | None = None,
) -> Attribution:
    """Choose a method, and its baseline: "zero", or "mean" for the mean activation over the background.

    The mean takes a pass over the background, made by `passes` if they are given.
    """
    check_method(method, baseline)
    if method != "ablation":
        bound.require_gradients()
    if baseline == "zero" or method == "gradient_x_activation" or background is None:
        return Attribution(bound, method, torch.zeros(bound.layer.n_channels, dtype=torch.float64))
    mean, _ = (passes or Passes(bound, bound.runner)).over(background, _mean, _join_means, "mean activation")
    return Attribution(bound, method, mean)


def _mean(bound: BoundLayer, inputs: Inputs) -> tuple[Tensor, int]:
    """Mean activation of each channel, and of how many sequences."""
    with torch.inference_mode(False):
        return mean_activation(bound, inputs), len(inputs)


def _join_means(parts: Iterable[tuple[Tensor, int]], n: int) -> tuple[Tensor, int]:
    return torch.stack([mean * (n_own / n) for mean, n_own in parts]).sum(0), n


def tabulate_contributions(
    names: Sequence[str], positive: Contributed, negative: Contributed, *, n_resamples: int, seed: int
) -> pd.DataFrame:
    """One row a filter, as `rcinterp.filter_contributions` returns it, but for what is the same in every row.

    Parameters
    ----------
    names : sequence of str
        Of the filters.
    positive, negative : Contributed
        To the sequences of each class.
    n_resamples, seed : int
    """
    from scipy.stats import false_discovery_control  # its import takes a second

    here, there = positive.values.numpy(), negative.values.numpy()
    finite = np.all([np.isfinite(block).all(0) for _, block in blocks(here, there)], axis=0)
    for f, name in enumerate(names):
        if not finite[f]:
            n_bad = int((~np.isfinite(here[:, f])).sum() + (~np.isfinite(there[:, f])).sum())
            raise InputError(
                f"the contribution of {name} is not finite on some sequences, {n_bad} of {len(here) + len(there)}, "
                "expected numbers: the model has diverged, or takes the logarithm of 0."
            )
    interval = bootstrap_difference(here, there, seed=seed, n_resamples=n_resamples)
    n_permutations = max(n_resamples, PERMUTATIONS_A_COLUMN * here.shape[1])
    p = permutation_p_values(here, there, seed=seed, n_permutations=n_permutations)
    largest = np.max([np.abs(block).max(0) for _, block in blocks(here, there)], axis=0)
    n_active = np.sum([(np.abs(block) > ACTIVE_SHARE * largest).sum(0) for _, block in blocks(here, there)], axis=0)
    return pd.DataFrame(
        {
            "filter": names,
            "contribution": here.mean(0) - there.mean(0),
            "mean_positive": here.mean(0),
            "mean_negative": there.mean(0),
            "contribution_low": interval.low,
            "contribution_high": interval.high,
            "contribution_p": p,
            "contribution_q": false_discovery_control(p),
            "active_share": n_active / (len(here) + len(there)),  # none is above a largest of 0
            "strand_balance": _strand_balance(positive, negative),
        }
    )


@dataclass(frozen=True, eq=False)
class Histogram:
    """How the contributions of one filter to the sequences of either class are distributed.

    Attributes
    ----------
    edges : ndarray, shape (bins + 1,)
        Of the bins, evenly spaced from the smallest contribution to the largest [logit].
    positives, negatives : ndarray of int, shape (bins,)
        Sequences of the class in each bin.
    """

    edges: NDArray[np.float64]
    positives: NDArray[np.int64]
    negatives: NDArray[np.int64]


def distribute_contributions(
    names: Sequence[str], positive: Contributed, negative: Contributed
) -> dict[str, Histogram]:
    """Histogram of each filter's contributions, `N_BINS` bins."""
    found = {}
    for f, name in enumerate(names):
        here, there = (one.values[:, f].numpy() for one in (positive, negative))
        ends = min(here.min(), there.min()), max(here.max(), there.max())
        edges = np.histogram_bin_edges([], N_BINS, ends)  # about the value if all are equal
        found[name] = Histogram(edges, np.histogram(here, edges)[0], np.histogram(there, edges)[0])
    return found


def describe_missing_intervals(table: pd.DataFrame, n_sequences: tuple[int, int]) -> str | None:
    """How many filters that act have no interval, and why, without a full stop; None if all have one.

    Parameters
    ----------
    table : DataFrame
        Columns contribution_low, contribution_high and active_share.
    n_sequences : tuple of int
        Positives and negatives.
    """
    acting = table[table["active_share"] > 0]  # of the others it is said that they do nothing
    n = int(acting[["contribution_low", "contribution_high"]].isna().any(axis=1).sum())
    if not n:
        return None
    reason = (
        f"a class has fewer than {FEWEST_SEQUENCES} sequences"
        if min(n_sequences) < FEWEST_SEQUENCES
        else f"in a class they act in fewer than {FEWEST_DIFFERING} sequences, too few to tell"
    )
    return f"the contributions of {n} filter{'s' * (n > 1)} have no 95 % interval: {reason}"


def describe_cut(attribution: Attribution, baseline: str) -> dict[str, Any]:
    """Columns that are the same for every filter: layer, method, baseline, cut_at, cut_reason and output."""
    point, squash = attribution.bound.point, attribution.bound.runner.squash
    return {
        "layer": point.layer.name,
        "method": attribution.method,
        "baseline": baseline,
        "cut_at": point.at,
        "cut_reason": point.reason,
        "output": "as returned" if squash is None else f"before its {squash.kind}",
    }


def input_gradients(runner: Runner, inputs: Inputs, *, hypothetical: bool) -> Tensor:
    """Gradient x input of each base, (N, 4, L), or the gradient less its mean over the letters; the model is lent.

    In float64 of a model of that type, else in float32.
    """
    found = []
    with torch.inference_mode(False), torch.enable_grad(), FastGradients():
        for own, *further in runner.batches(inputs, "input contributions"):
            letters = own.detach().clone().requires_grad_()
            (gradient,) = torch.autograd.grad(runner.logits((letters, *further)).sum(), letters)
            shown = gradient - gradient.mean(1, keepdim=True) if hypothetical else gradient * letters.detach()
            found.append((shown if shown.dtype == torch.float64 else shown.float()).cpu())
    return torch.cat(found)


def _strand_balance(positive: Contributed, negative: Contributed) -> NDArray[np.float64] | float:
    """Share of the forward channels in all that the filters contribute, signs aside; NaN where nothing is to be had."""
    if positive.by_strand is None or negative.by_strand is None:
        return float("nan")
    forward, reverse = positive.by_strand + negative.by_strand
    shares: NDArray[np.float64] = (forward / (forward + reverse)).numpy()  # 0 / 0 is NaN
    return shares
