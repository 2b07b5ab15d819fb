"""How much each filter contributes to a prediction (section 3.5 of the paper), by one of four methods."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rcinterp.data.sequences import SequenceInput, as_one_hot
from rcinterp.errors import InputError
from rcinterp.reading.cut import At, Place, find_place, require_gradients
from rcinterp.reading.layer import find_filters
from rcinterp.reading.methods import ablate, deeplift, gradient_x_activation, integrate_gradients, mean_activation
from rcinterp.reading.model import Args, Caller, Func, first_rows, require_whole, runs_on, split_args
from rcinterp.reading.statistics import (
    N_RESAMPLES,
    PERMUTATIONS_A_COLUMN,
    benjamini_hochberg,
    bootstrap_difference,
    permutation_p_values,
)
from rclayers import by_strand

Method = Literal["gradient_x_activation", "ablation", "integrated_gradients", "deeplift"]
Baseline = Literal["zero", "mean"]

#: A filter acts in a sequence if its contribution there is more than this share of its largest one.
ACTIVE_SHARE = 0.1
#: Sequences that are run to see how a model is built.
_N_TRIED = 3

_METHODS: dict[str, Callable[..., Tensor]] = {
    "gradient_x_activation": gradient_x_activation,
    "ablation": ablate,
    "integrated_gradients": integrate_gradients,
    "deeplift": deeplift,
}


def filter_contributions(
    model: nn.Module,
    positives: SequenceInput,
    negatives: SequenceInput,
    layer: str | None = None,
    target: int = 0,
    *,
    method: Method = "gradient_x_activation",
    baseline: Baseline = "zero",
    at: At = "activation",
    args: Args = None,
    func: Func | None = None,
    n_resamples: int = N_RESAMPLES,
    seed: int = 0,
    batch_size: int = 100,
    device: str | torch.device | None = None,
    verbose: bool = False,
) -> pd.DataFrame:
    """Contribution of each filter to a logit: its mean over positives less its mean over negatives, and how sure it is.

    Parameters
    ----------
    model : nn.Module
        Any model of sequences (n, 4, L) -> logits (n, n_tasks), (n,), or a profile (n, n_tasks, positions). It comes
        back in its mode, on its device, without hooks, even after an error.
    positives, negatives : Tensor (N, 4, L), or a FASTA path, or a list of str
    layer : str, optional
        Name of the convolution, as in ``model.named_modules()``; the first one over the sequence when not given.
    target : int
        Which logit; of a profile, the row, whose positions are added up.
    method : "gradient_x_activation", "ablation", "integrated_gradients" or "deeplift"
        See Notes.
    baseline : "zero" or "mean"
        What a filter is compared with, other than by gradient x activation: 0, or its mean activation over the
        negatives.
    at : "activation" or "convolution"
        Where the activation is taken: after the nonlinearity (default) or at the convolution's own output, before
        batch norm. After batch norm but before a ReLU it is the same number as after the ReLU; before batch norm it is
        not, as the norm's shift is then left out. ``attrs["at"]`` says where it was taken, and why elsewhere than asked
        for: where a residual stem goes round the nonlinearity, or none follows.
    args : sequence of Tensor, optional
        Further inputs of the model: each with the rows of the positives and then of the negatives, or one row for all.
    func : callable, optional
        From what the model returns to scores of one of the shapes above, for models that return tuples or dicts.
    n_resamples : int
        Bootstrap samples. There are as many permutations, or 40 a filter if that is more.
    seed : int
        Of the resamples.
    batch_size : int
        Sequences at a time; memory does not grow with their number but for F numbers each.
    device : str or torch.device, optional
        Where to run; when not given, where the model is, or on CUDA if the model is on the CPU and there is one.
    verbose : bool
        Whether to show progress bars on standard error.

    Returns
    -------
    DataFrame
        One row a filter, in the model's order. In units of the logit: ``score``, ``mean_positive``, ``mean_negative``,
        ``ci_low`` and ``ci_high`` (95 % bootstrap interval of the score). ``p_value``: of the score, if the labels are
        permuted, two-sided; ``q_value``: Benjamini & Hochberg's, over the filters. ``active_share``: of all
        sequences, those in which the filter acts, its contribution above `ACTIVE_SHARE` of its largest.
        ``strand_balance``: of an RC filter's contributions (absolute values), the share of the forward channel, 0.5 if
        both strands matter alike; NaN for a filter of one strand, and by ablation, which silences both at once.
        ``attrs`` holds layer, method, baseline and at.

    Raises
    ------
    InputError
        If the model, the layer or the sequences cannot be used, or an option is out of range.

    Notes
    -----
    For sequence x and filter f, with activation a and logit z, gradient x activation is ::

        c(x, f) = sum over positions l, and over both channels of f in an RC layer, of  dz/da[f, l] · a[f, l]

    a first-order estimate of what the logit would lose if the filter were silenced; one forward and one partial
    backward pass. "ablation" is that loss itself: z less z with the filter, both strands, at its baseline; F + 1
    forward passes. "integrated_gradients" averages the gradient on the way from the baseline, and "deeplift" (rescale
    rule) takes differences in place of gradients; both add up to the logit's difference. `faithfulness` measures how
    well one predicts the ablation.

    The p-value's null hypothesis is that a filter contributes alike in both classes. Take sequences on which the model
    was not trained: on its training data, filters of noise differ too.

    References
    ----------
    Shrikumar, Greenside & Kundaje 2017, section 3.5. Sundararajan, Taly & Yan 2017 (arXiv:1703.01365). Shrikumar,
    Greenside & Kundaje 2017, DeepLIFT (arXiv:1704.02685). Kokhlikyan et al. 2020 (captum, arXiv:2009.07896).
    """
    x_positive = as_one_hot(positives, "filter_contributions: positives")
    x_negative = as_one_hot(negatives, "filter_contributions: negatives")
    caller = Caller(model, target, func, batch_size, device, verbose)
    require_whole("n_resamples", n_resamples, 1)
    require_whole("seed", seed, 0)
    args_positive, args_negative = split_args(args, len(x_positive), len(x_negative))
    with caller.borrowed():
        scorer = find_scorer(caller, x_positive, args_positive, layer, method, at)
        runs_on(caller, x_negative[:1], first_rows(args_negative, len(x_negative), 1))
        scorer = scorer.against(baseline, x_negative, args_negative)
        positive = scorer.score(x_positive, args_positive, "positives")
        negative = scorer.score(x_negative, args_negative, "negatives")
    place = scorer.place
    table = _tabulate(place, positive, negative, n_resamples, seed)
    table.attrs |= {"layer": place.filters.name, "method": method, "baseline": baseline, "at": _where(place)}
    return table


def sequence_contributions(
    model: nn.Module,
    sequences: SequenceInput,
    layer: str | None = None,
    target: int = 0,
    *,
    method: Method = "gradient_x_activation",
    at: At = "activation",
    args: Args = None,
    func: Func | None = None,
    batch_size: int = 100,
    device: str | torch.device | None = None,
    verbose: bool = False,
) -> Tensor:
    """Contribution of each filter to the logit of each sequence, shape (N, F), float64; as `filter_contributions`.

    Filters are compared with a baseline of 0.
    """
    x = as_one_hot(sequences, "sequence_contributions")
    caller = Caller(model, target, func, batch_size, device, verbose)
    with caller.borrowed():
        return find_scorer(caller, x, args, layer, method, at).total(x, args, "sequences")


def input_contributions(
    model: nn.Module,
    sequences: SequenceInput,
    target: int = 0,
    *,
    hypothetical: bool = False,
    args: Args = None,
    func: Func | None = None,
    batch_size: int = 100,
    device: str | torch.device | None = None,
    verbose: bool = False,
) -> Tensor:
    """Gradient x input of each base, shape (N, 4, L), float32, on the CPU: what a sequence shows of itself.

    Parameters
    ----------
    hypothetical : bool
        Whether to give what each base would contribute if it stood there, the gradient itself less its mean over the
        four; TF-MoDISco asks for it (`save_modisco`).
    model, target, args, func, batch_size, device, verbose
        As in `filter_contributions`.
    sequences : Tensor (N, 4, L), or a FASTA path, or a list of str

    Returns
    -------
    Tensor, shape (N, 4, L)
        ``dz/dx[c, l] · x[c, l]``: zero but for the base that is there. Hypothetical: ``dz/dx[c, l] - mean over c``.

    References
    ----------
    Shrikumar et al. 2016 (arXiv:1605.01713).
    """
    x = as_one_hot(sequences, "input_contributions")
    caller = Caller(model, target, func, batch_size, device, verbose)
    found = []
    with caller.borrowed(), torch.inference_mode(False), torch.enable_grad():
        runs_on(caller, x[:1], first_rows(args, len(x), 1))
        for own, *further in caller.batches(x, args, "input contributions"):
            letters = own.detach().clone().requires_grad_()
            (gradient,) = torch.autograd.grad(caller.scores((letters, *further)).sum(), letters)
            shown = gradient - gradient.mean(1, keepdim=True) if hypothetical else gradient * letters.detach()
            found.append(shown.float().cpu())
    return torch.cat(found)


def find_scorer(caller: Caller, x: Tensor, args: Args, layer: str | None, method: str, at: At) -> "Scorer":
    """Find the layer and where its activation is, by running the model, which is lent, on a few of the sequences.

    Filters are compared with a baseline of 0.
    """
    if method not in _METHODS:
        raise InputError(f"method: got {method!r}, expected one of {', '.join(map(repr, _METHODS))}.")
    tried, tried_args = x[:_N_TRIED], first_rows(args, len(x), _N_TRIED)
    if len(tried) == 1:  # of a single one it cannot be told which rows of an activation are its own
        tried, tried_args = torch.cat([tried, tried]), tuple(torch.cat([value, value]) for value in tried_args or ())
    runs_on(caller, tried, tried_args)
    filters = find_filters(caller.model, layer, tried, tried_args)
    (inputs,) = replace(caller, batch_size=_N_TRIED, verbose=False).batches(tried, tried_args)
    with torch.inference_mode(False):
        place = find_place(filters, at, lambda: caller.scores([value.clone() for value in inputs]))
        if method != "ablation":
            require_gradients(place, lambda: caller.scores([value.clone() for value in inputs]))
    return Scorer(caller, place, method, torch.zeros(filters.n_channels, dtype=torch.float64))


@dataclass(frozen=True)
class Scorer:
    """One method on one layer of one model, lent for as long."""

    caller: Caller
    place: Place
    method: str
    baseline: Tensor

    def against(self, baseline: str, x: Tensor, args: Args) -> "Scorer":
        """Take another baseline: "zero", or "mean" for the mean activation over these sequences."""
        if baseline not in ("zero", "mean"):
            raise InputError(f"baseline: got {baseline!r}, expected 'zero' or 'mean'.")
        if baseline == "zero" or self.method == "gradient_x_activation":
            return self
        with torch.inference_mode(False):
            return Scorer(self.caller, self.place, self.method, mean_activation(self.caller, self.place, x, args))

    def score(self, x: Tensor, args: Args, description: str) -> tuple[Tensor, Tensor | None]:
        """Contributions (N, F) of the forward and, for an RC layer, of the reverse channels."""
        found = []
        with torch.inference_mode(False):
            for inputs in self.caller.batches(x, args, description):
                baseline = () if self.method == "gradient_x_activation" else (self.baseline,)
                found.append(_METHODS[self.method](self.caller, self.place, inputs, *baseline))
        values = torch.cat(found)
        if not self.place.filters.is_rc or self.method == "ablation":
            return values, None
        forward, reverse = by_strand(values).chunk(2)
        return forward, reverse

    def total(self, x: Tensor, args: Args, description: str) -> Tensor:
        """Contributions (N, F), both strands added up."""
        forward, reverse = self.score(x, args, description)
        return forward if reverse is None else forward + reverse


def _tabulate(
    place: Place,
    positive: tuple[Tensor, Tensor | None],
    negative: tuple[Tensor, Tensor | None],
    n_resamples: int,
    seed: int,
) -> pd.DataFrame:
    here, there = (
        (forward if reverse is None else forward + reverse).numpy() for forward, reverse in (positive, negative)
    )
    for name, finite in zip(place.filters.filter_names, np.isfinite(np.concatenate([here, there])).all(0), strict=True):
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
            "filter": place.filters.filter_names,
            "score": here.mean(0) - there.mean(0),
            "mean_positive": here.mean(0),
            "mean_negative": there.mean(0),
            "ci_low": interval.low,
            "ci_high": interval.high,
            "p_value": p,
            "q_value": benjamini_hochberg(p),
            "active_share": ((size > ACTIVE_SHARE * largest) & (largest > 0)).mean(0),
            "strand_balance": _strand_balance(positive, negative),
        }
    )


def _strand_balance(*both: tuple[Tensor, Tensor | None]) -> NDArray[np.float64] | float:
    """Share of the forward channels in all that the filters contribute, signs aside; NaN where nothing is to be had."""
    (here, here_reverse), (there, there_reverse) = both
    if here_reverse is None or there_reverse is None:
        return float("nan")
    forward = torch.cat([here, there]).abs().sum(0)
    whole = forward + torch.cat([here_reverse, there_reverse]).abs().sum(0)
    return (forward / whole).numpy()  # 0 / 0 is NaN


def _where(place: Place) -> str:
    return f"{place.at} ({place.reason})" if place.reason else place.at
