"""How much each filter contributes to a logit (section 3.5 of the paper), by one of four methods."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from rcinterp.errors import InputError
from rcinterp.reading.inputs import Inputs
from rcinterp.reading.methods import METHODS, ablate, check_method, mean_activation
from rcinterp.reading.model import RowsOf, Runner
from rcinterp.reading.probe import BoundLayer
from rcinterp.reading.statistics import PERMUTATIONS_A_COLUMN, bootstrap_difference, permutation_p_values
from rclayers import by_strand

#: Contributions (N, F) of the forward channels and, of an RC layer, of the reverse ones.
ByStrand: TypeAlias = tuple[Tensor, Tensor | None]

#: A filter acts in a sequence if its contribution there is more than this share of its largest one.
ACTIVE_SHARE = 0.1


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

    def by_strand(self, inputs: Inputs, description: str) -> ByStrand:
        """Contributions (N, F) of the forward and, for an RC layer, of the reverse channels."""
        rows = RowsOf(len(inputs))
        with torch.inference_mode(False):
            for batch in self.bound.runner.batches(inputs, description):
                if self.method == "ablation":
                    rows.add(ablate(self.bound, batch, self.baseline, self.filters))
                    continue
                baseline = () if self.method == "gradient_x_activation" else (self.baseline,)
                rows.add(METHODS[self.method](self.bound, batch, *baseline))
        return self.strands_of(rows.values)

    def strands_of(self, values: Tensor) -> ByStrand:
        """(N, channels) -> (N, F) of the forward and, for an RC layer, of the reverse channels."""
        if not self.bound.layer.is_rc or self.method == "ablation":
            return values, None
        forward, reverse = by_strand(values).chunk(2)
        return forward, reverse

    def by_filter(self, inputs: Inputs, description: str) -> Tensor:
        """Contributions (N, F), both strands added up."""
        forward, reverse = self.by_strand(inputs, description)
        return forward if reverse is None else forward + reverse


def attribute(bound: BoundLayer, method: str, baseline: str = "zero", background: Inputs | None = None) -> Attribution:
    """Choose a method, and its baseline: "zero", or "mean" for the mean activation over the background."""
    check_method(method, baseline)
    if method != "ablation":
        bound.require_gradients()
    if baseline == "zero" or method == "gradient_x_activation" or background is None:
        return Attribution(bound, method, torch.zeros(bound.layer.n_channels, dtype=torch.float64))
    with torch.inference_mode(False):
        return Attribution(bound, method, mean_activation(bound, background))


def tabulate_contributions(
    names: Sequence[str], positive: ByStrand, negative: ByStrand, *, n_resamples: int, seed: int
) -> pd.DataFrame:
    """One row a filter, as `rcinterp.filter_contributions` returns it, but for what is the same in every row.

    Parameters
    ----------
    names : sequence of str
        Of the filters.
    positive, negative : tuple of Tensor (N, F), and Tensor (N, F) or None
        Contributions to the sequences of each class, of either strand, as `Attribution.by_strand` returns them.
    n_resamples, seed : int
    """
    from scipy.stats import false_discovery_control  # its import takes a second

    here, there = (
        (forward if reverse is None else forward + reverse).numpy() for forward, reverse in (positive, negative)
    )
    for name, finite in zip(names, np.isfinite(np.concatenate([here, there])).all(0), strict=True):
        if not finite:
            raise InputError(
                f"the contribution of {name} is not finite on some sequences, expected numbers: the model has "
                "diverged, or takes the logarithm of 0."
            )
    interval = bootstrap_difference(here, there, seed=seed, n_resamples=n_resamples)
    n_permutations = max(n_resamples, PERMUTATIONS_A_COLUMN * here.shape[1])
    p = permutation_p_values(here, there, seed=seed, n_permutations=n_permutations)
    size = np.abs(np.concatenate([here, there]))
    largest = size.max(0)
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
            "active_share": ((size > ACTIVE_SHARE * largest) & (largest > 0)).mean(0),
            "strand_balance": _strand_balance(positive, negative),
        }
    )


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
    """Gradient x input of each base, (N, 4, L), or the gradient less its mean over the letters; the model is lent."""
    found = []
    with torch.inference_mode(False), torch.enable_grad():
        for own, *further in runner.batches(inputs, "input contributions"):
            letters = own.detach().clone().requires_grad_()
            (gradient,) = torch.autograd.grad(runner.logits((letters, *further)).sum(), letters)
            shown = gradient - gradient.mean(1, keepdim=True) if hypothetical else gradient * letters.detach()
            found.append(shown.float().cpu())
    return torch.cat(found)


def _strand_balance(*both: ByStrand) -> NDArray[np.float64] | float:
    """Share of the forward channels in all that the filters contribute, signs aside; NaN where nothing is to be had."""
    (here, here_reverse), (there, there_reverse) = both
    if here_reverse is None or there_reverse is None:
        return float("nan")
    forward = torch.cat([here, there]).abs().sum(0)
    whole = forward + torch.cat([here_reverse, there_reverse]).abs().sum(0)
    return (forward / whole).numpy()  # 0 / 0 is NaN
