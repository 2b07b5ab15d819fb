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
from rcinterp.reading.cut import At, Cut
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
    a target, through all layers at once. A layer that is applied to what it gave itself has a pass of its own, since
    its earlier activations count for what goes round the later ones alone; so have logits before another sigmoid.
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
    with torch.inference_mode(False):
        groups = _in_one_pass(asked, asked[0].runner.whole_batch(inputs.rows(slice(2))))
        for batch in asked[0].runner.batches(inputs, description):
            for members in groups:
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


def _in_one_pass(asked: Sequence[_Asked], few: Sequence[Tensor]) -> list[list[int]]:
    """Places of those that one pass can tell, found by running the model on a few sequences."""
    by_squash: dict[Squash | None, list[int]] = {}
    for i, one in enumerate(asked):
        by_squash.setdefault(one.runner.squash, []).append(i)
    groups = []
    for members in by_squash.values():
        cuts, logits = _run([asked[i] for i in members], few)
        alone = {name for name, cut in cuts.items() if cut.n_kept and len(cut.taken) > 1}
        try:
            for i in members:
                _gradients(cuts, logits[:, asked[i].runner.target])
        except RuntimeError:  # of a model that writes over what a backward pass through all of it needs
            alone = set(cuts)
        groups += [[i for i in members if asked[i].name == name] for name in cuts if name in alone]
        groups.append([i for i in members if asked[i].name not in alone])
    return [group for group in groups if group]


def _run(asked: Sequence[_Asked], batch: Sequence[Tensor]) -> tuple[dict[str | None, Cut], Tensor]:
    """The cuts of the layers and all logits, (n, n_tasks), of one forward pass."""
    bounds = {one.name: one.attribution.bound for one in asked}
    with torch.enable_grad(), FastGradients(), ExitStack() as stack:
        cuts = {name: stack.enter_context(bound.cut(keeps_graph=len(bounds) > 1)) for name, bound in bounds.items()}
        return cuts, asked[0].runner.all_logits(batch)


def _gradients(cuts: dict[str | None, Cut], logit: Tensor) -> dict[str | None, list[Tensor | None]]:
    """Gradient of a logit (n,) at each activation of each cut, None where it does not depend on it."""
    leaves = [activation for cut in cuts.values() for activation in cut.taken if activation.requires_grad]
    for cut in cuts.values():
        cut.gradients.clear()
    gradients = torch.autograd.grad(logit.sum(), leaves, allow_unused=True, retain_graph=True)
    found = {id(leaf): gradient for leaf, gradient in zip(leaves, gradients, strict=True)}
    return {
        name: [cut.gradients.get(i, found.get(id(activation))) for i, activation in enumerate(cut.taken)]
        for name, cut in cuts.items()
    }


def _by_channel(asked: Sequence[_Asked], batch: Sequence[Tensor]) -> Iterator[Tensor]:
    """Gradient x activation of each, summed over positions, (n, channels), float64, on the CPU."""
    cuts, logits = _run(asked, batch)
    targets = dict.fromkeys(one.runner.target for one in asked)
    asked[0].runner.watch.add(logits, list(targets))
    gradients = {target: _gradients(cuts, logits[:, target]) for target in targets}
    for one in asked:
        products = products_of(cuts[one.name].taken, gradients[one.runner.target][one.name], logits.dtype)
        yield one.attribution.bound.point.by_channel(products, len(batch[0]))


def check_several(layers: Sequence[str | None], targets: Sequence[int]) -> None:
    """Refuse none, and one that is given twice."""
    for what, values in (("layer", list(layers)), ("target", list(targets))):
        if not values or len(set(values)) < len(values):
            raise InputError(f"{what}: got {values}, expected one or more, each once.")
    for target in targets:
        require_whole("target", target, 0)
