"""What a model reads in one sequence: what each base gives the logit, and where each filter contributes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor

from rcinterp.errors import InputError
from rcinterp.reading.contributing_sites import by_row
from rcinterp.reading.contributions import input_gradients
from rcinterp.reading.inputs import Args, Inputs, as_inputs
from rcinterp.reading.methods import gradient_times_activation
from rcinterp.reading.model import Runner
from rcinterp.reading.probe import BoundLayer
from rcinterp.reading.receptive_field import ReceptiveField
from rcinterp.reading.sites import find_best_sites

#: How what a base gives the logit is measured.
InputMethod = Literal["gradient_x_input", "ism"]
#: One sequence: its letters, or its one-hot matrix (4, L) or (1, 4, L).
OneSequence: TypeAlias = "str | NDArray[Any] | Tensor"


@dataclass(frozen=True, eq=False, repr=False)
class SequenceReading:
    """What a model reads in one sequence.

    Attributes
    ----------
    x : ndarray, shape (4, L)
        The sequence, one-hot, rows A, C, G, T.
    hypothetical : ndarray, shape (4, L)
        What each base would give the logit if it stood there, above the mean of the four.
    sites : DataFrame
        One row a place at which a filter contributes, the largest contribution, whatever its sign, first: ``filter``,
        ``start``, ``end`` (bp, 0-based and half-open), ``strand``, ``site_contribution`` [logit]. Of a model without
        gradients at the layer, or that pools before its nonlinearity, each filter's best match; its contribution is
        missing.
    logit : float
        Of the sequence.
    """

    x: NDArray[np.float64]
    hypothetical: NDArray[np.float64]
    sites: pd.DataFrame
    logit: float

    def __repr__(self) -> str:
        """Put it in a line."""
        length = self.x.shape[1]
        return f"SequenceReading of {length:,} bp: logit {self.logit:.4g}, {len(self.sites):,} sites of filters"

    @property
    def contributions(self) -> NDArray[np.float64]:
        """What each base gives the logit [logit], (4, L): zero but for the base that is there."""
        return self.hypothetical * self.x


def as_one_sequence(sequence: OneSequence, args: Args, caller: str) -> Inputs:
    """One sequence, whatever it came as, as the inputs of a model.

    Raises
    ------
    InputError
        If it is not one sequence.
    """
    if isinstance(sequence, str):
        return as_inputs([sequence], args, caller)
    if not isinstance(sequence, np.ndarray | Tensor) or sequence.ndim not in (2, 3):
        raise InputError(
            f"{caller}: got {_shape_of(sequence)}, expected one sequence: letters (str), or one-hot of shape (4, L) "
            "or (1, 4, L). Of several take one, sequences[0]."
        )
    inputs = as_inputs(sequence[None] if sequence.ndim == 2 else sequence, args, caller)
    if len(inputs) != 1:
        raise InputError(f"{caller}: got {len(inputs)} sequences, expected one. Take one of them, sequences[0].")
    return inputs


def check_input_method(method: str) -> None:
    """Refuse what is no method for the bases of a sequence."""
    if method not in get_args(InputMethod):
        raise InputError(f"method: got {method!r}, expected one of {', '.join(map(repr, get_args(InputMethod)))}.")


def hypothetical_contributions(runner: Runner, inputs: Inputs, method: InputMethod) -> NDArray[np.float64]:
    """What each base would give the logit of one sequence, above the mean of the four, (4, L); the model is lent.

    Raises
    ------
    InputError
        If gradients are asked for, and the model has none.
    """
    if method == "ism":
        logits = _logits_of_mutants(runner, inputs)
        with np.errstate(invalid="ignore"):  # of a logit that is not finite, as is said
            return np.asarray(logits - logits.mean(0))
    try:
        return np.asarray(input_gradients(runner, inputs, hypothetical=True)[0].double().numpy())
    except RuntimeError as error:
        raise InputError(
            f"method='gradient_x_input': the model's gradients cannot be taken ({str(error).splitlines()[0]}), "
            "expected a model that is differentiable. Use method='ism', which needs none."
        ) from error


def logit_of(runner: Runner, inputs: Inputs) -> float:
    """Logit of one sequence; the model is lent."""
    with torch.no_grad():
        return float(runner.logits(runner.whole_batch(inputs))[0])


def sites_of_sequence(bound: BoundLayer, inputs: Inputs, field: ReceptiveField) -> pd.DataFrame:
    """Each place at which a filter contributes to the logit of one sequence; as `SequenceReading.sites`.

    Notes
    -----
    Of a filter f at position l, on the strand of its channel, the contribution is dz/da[f, l] · a[f, l]. Their sum over
    places is the filter's contribution to the sequence (`rcinterp.sequence_contributions`), but for places that do not
    lie whole within the sequence, which are left out.
    """
    if bound.gradient_fault or (field.of_letters and bound.point.is_pooled):
        return _best_matches(bound, inputs, field)
    with torch.inference_mode(False):
        products = gradient_times_activation(bound, bound.runner.whole_batch(inputs))[1]
    tables = [
        _places(bound, row[0].double().cpu().numpy(), seen.starts.numpy(), seen.is_reverse, field.width, inputs.length)
        for row, seen in zip(by_row(bound, products, 1), field.rows, strict=True)
    ]
    places = pd.concat(tables, ignore_index=True)
    # a model of both strands may read one place twice
    same = places.groupby(["filter", "start", "end", "strand"], sort=False)
    return _sorted(same["site_contribution"].sum().reset_index())


def thin_sites(sites: pd.DataFrame, least_share: float) -> pd.DataFrame:
    """The sites that a person looks at: of a filter's that overlap the largest, and none that is small.

    Parameters
    ----------
    sites : DataFrame
        As `SequenceReading.sites`.
    least_share : float
        Of the largest contribution, whatever its sign, that a site must reach.
    """
    sizes = sites["site_contribution"].abs()
    large = sites[sizes.isna() | (sizes >= least_share * sizes.max())]
    kept: list[Any] = []
    taken: dict[str, list[tuple[int, int]]] = {}
    for index, name, start, end in large[["filter", "start", "end"]].itertuples():
        own = taken.setdefault(name, [])
        if all(end <= first or last <= start for first, last in own):
            own.append((start, end))
            kept.append(index)
    shown: pd.DataFrame = large.loc[kept].reset_index(drop=True)
    return shown


def _places(
    bound: BoundLayer, products: NDArray[np.float64], starts: NDArray[Any], is_reverse: bool, width: int, length: int
) -> pd.DataFrame:
    """Places at which gradient x activation (channels, positions) is not 0."""
    channels, positions = np.nonzero(products)
    n_filters, first = bound.layer.n_filters, starts[positions]
    is_second = channels >= n_filters  # the other strand of an RC layer, its filters in opposite order
    number = np.where(is_second, bound.layer.n_channels - 1 - channels, channels)
    is_whole = (first >= 0) & (first + width <= length)
    table = pd.DataFrame(
        {
            "filter": np.array(bound.layer.filter_names, dtype=object)[number],
            "start": first,
            "end": first + width,
            "strand": np.where(is_second != is_reverse, "-", "+"),
            "site_contribution": products[channels, positions],
        }
    )
    whole: pd.DataFrame = table.iloc[np.flatnonzero(is_whole)]
    return whole


def _best_matches(bound: BoundLayer, inputs: Inputs, field: ReceptiveField) -> pd.DataFrame:
    best = find_best_sites(bound, inputs, field)
    table = best.tabulate(bound.layer.filter_names, inputs.length, 0.0)
    matches: pd.DataFrame = table[["filter", "start", "end", "strand"]].assign(site_contribution=np.nan)
    return matches


def _sorted(places: pd.DataFrame) -> pd.DataFrame:
    order = np.argsort(-places["site_contribution"].abs().to_numpy(), kind="stable")
    return places.iloc[order].reset_index(drop=True)


def _logits_of_mutants(runner: Runner, inputs: Inputs) -> NDArray[np.float64]:
    """Logit of the sequence with each base at each position, (4, L); a batch at a time."""
    whole = inputs.x[:]
    letters, positions = (
        grid.flatten() for grid in torch.meshgrid(torch.arange(4), torch.arange(inputs.length), indexing="ij")
    )
    found: list[Tensor] = []
    with torch.no_grad():
        for first in range(0, len(letters), runner.batch_size):
            which = slice(first, first + runner.batch_size)
            n = len(letters[which])
            x = whole.repeat(n, 1, 1)
            x[torch.arange(n), :, positions[which]] = 0
            x[torch.arange(n), letters[which], positions[which]] = 1
            further = tuple(value.expand(n, *value.shape[1:]) for value in inputs.further)
            found.append(runner.logits(runner.whole_batch(Inputs(x, further))).double().cpu())
    return np.asarray(torch.cat(found).reshape(4, inputs.length).numpy())


def _shape_of(given: Sequence[Any] | Any) -> str:
    return f"shape {tuple(given.shape)}" if isinstance(given, np.ndarray | Tensor) else type(given).__name__
