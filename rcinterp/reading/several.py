"""Contributions of several layers' filters to several logits, in one pass over the sequences."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial

import pandas as pd
import torch
from torch import Tensor

from rcinterp.errors import InputError, require_whole
from rcinterp.reading.contributing_sites import CLASSES
from rcinterp.reading.contributions import Attribution, Contributed, attribute, describe_cut, tabulate_contributions
from rcinterp.reading.cut import At
from rcinterp.reading.gradients import FastGradients
from rcinterp.reading.inputs import Inputs
from rcinterp.reading.methods import products_of
from rcinterp.reading.model import Runner
from rcinterp.reading.passes import passes_of
from rcinterp.reading.probability import Squash
from rcinterp.reading.probe import probe


@dataclass(frozen=True, eq=False)
class _Asked:
    """One layer and one logit."""

    attribution: Attribution
    name: str | None

    @property
    def runner(self) -> Runner:
        return self.attribution.bound.runner


def tabulate_several(
    runner: Runner,
    layers: Sequence[str | None],
    targets: Sequence[int],
    classes: tuple[Inputs, Inputs],
    *,
    at: At,
    n_resamples: int,
    seed: int,
    scheduler: str | None = None,
) -> pd.DataFrame:
    """Gradient x activation of several layers and logits: the tables of each, one below the other.

    Parameters
    ----------
    runner : Runner
        Of a lent model.
    layers : sequence of str or None
        Names of the convolutions; None for the first one over the sequence.
    targets : sequence of int
    classes : tuple of Inputs
        The positives and the negatives.
    at, n_resamples, seed
        As in `rcinterp.filter_contributions`.
    scheduler : str, optional
        As in `rcinterp.reading.Reader`.

    Returns
    -------
    DataFrame
        As of `rcinterp.filter_contributions`, layer by layer and within it target by target, with a column ``target``.

    Notes
    -----
    A batch takes one forward pass, whose graph begins at the first activation that is asked of, and one backward pass
    a target, through all layers at once.
    """
    asked = [
        _Asked(attribute(probe(replace(runner, target=target), classes[0], layer, at), "gradient_x_activation"), layer)
        for layer in layers
        for target in targets
    ]
    for one in asked:
        one.attribution.bound.require_gradients()
    with passes_of(asked, runner, scheduler) as passes:
        found = [
            passes.over(inputs, partial(_pass, description=name), _join, name)
            for inputs, name in zip(classes, CLASSES, strict=True)
        ]
    tables = []
    for one, positive, negative in zip(asked, *found, strict=True):
        names = one.attribution.bound.layer.filter_names
        table = tabulate_contributions(names, positive, negative, n_resamples=n_resamples, seed=seed)
        about = describe_cut(one.attribution, "zero")
        tables.append(table.assign(layer=about.pop("layer"), target=one.runner.target, **about))
    return pd.concat(tables, ignore_index=True)


def _pass(asked: Sequence[_Asked], inputs: Inputs, description: str) -> list[Contributed]:
    """Contributions of each to the sequences of a class."""
    found = [one.attribution.start(len(inputs)) for one in asked]
    by_squash: dict[Squash | None, list[int]] = {}  # logits before another sigmoid take a forward pass of their own
    for i, one in enumerate(asked):
        by_squash.setdefault(one.runner.squash, []).append(i)
    with torch.inference_mode(False):
        for batch in asked[0].runner.batches(inputs, description):
            for members in by_squash.values():
                for i, values in zip(members, _by_channel([asked[i] for i in members], batch), strict=True):
                    found[i].add(values)
    return found


def _join(parts: Iterable[list[Contributed]], n: int) -> list[Contributed]:
    """Contributions of each to n sequences, of those to each shard of them."""
    found: list[Contributed] = []
    for part in parts:
        found = found or [Contributed(n, False) for _ in part]  # strands, if any, are added up already
        for one, more in zip(found, part, strict=True):
            one.extend(more)
    return found


def _by_channel(asked: Sequence[_Asked], batch: Sequence[Tensor]) -> Iterator[Tensor]:
    """Gradient x activation of each, summed over positions, (n, channels), float64, on the CPU."""
    bounds = {one.name: one.attribution.bound for one in asked}
    with torch.enable_grad(), FastGradients(), ExitStack() as stack:
        cuts = {name: stack.enter_context(bound.cut(keeps_graph=True)) for name, bound in bounds.items()}
        logits = asked[0].runner.all_logits(batch)
    taken = [activation for cut in cuts.values() for activation in cut.taken]
    products: dict[int, dict[int, Tensor]] = {}
    for target in dict.fromkeys(one.runner.target for one in asked):
        logit = logits[:, target]
        gradients = torch.autograd.grad(logit.sum(), taken, allow_unused=True, retain_graph=True)
        found = products_of(taken, gradients, logit.dtype)
        products[target] = {id(activation): product for activation, product in zip(taken, found, strict=True)}
    for one in asked:
        own = [products[one.runner.target][id(activation)] for activation in cuts[one.name].taken]
        yield one.attribution.bound.point.by_channel(own, len(batch[0]))


def check_several(layers: Sequence[str | None], targets: Sequence[int]) -> None:
    """Refuse none, and one that is given twice."""
    for what, values in (("layer", list(layers)), ("target", list(targets))):
        if not values or len(set(values)) < len(values):
            raise InputError(f"{what}: got {values}, expected one or more, each once.")
    for target in targets:
        require_whole("target", target, 0)
