"""Sequences, and the further inputs of a model that go with them: one row a sequence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from torch import Tensor

from rcinterp.data.coded import CodedSequences, Sequences, load_for_reading
from rcinterp.data.datasets import load_classes
from rcinterp.data.sequences import SequenceInput
from rcinterp.dense import why_not_dense
from rcinterp.errors import InputError

#: A model's further inputs: one tensor each, its rows those of the sequences, or one row for all of them.
Args: TypeAlias = "tuple[Tensor, ...] | list[Tensor] | None"
#: What a model reads: sequences alone, or a tuple of them and its further inputs, ``(sequences, control, ...)``.
ModelInput: TypeAlias = "SequenceInput | CodedSequences | tuple[Any, ...]"


@dataclass(frozen=True, eq=False)
class Inputs:
    """What a model reads, one row a sequence.

    Attributes
    ----------
    x : Tensor or CodedSequences, shape (N, 4, L)
        One-hot sequences, rows A, C, G, T, or letters of which one-hot is made a batch at a time.
    further : tuple of Tensor
        The model's further inputs, N rows each.
    names : list of str or None
        Of the sequences, where they have any.
    """

    x: Sequences
    further: tuple[Tensor, ...] = ()
    names: list[str] | None = None

    def __len__(self) -> int:
        return len(self.x)

    @property
    def length(self) -> int:
        """Length of the sequences, in bp."""
        return int(self.x.shape[2])

    @property
    def shapes(self) -> tuple[tuple[int, ...], ...]:
        """Shape of one row of each input."""
        return tuple(tuple(value.shape[1:]) for value in (self.x, *self.further))

    def rows(self, which: slice | Tensor) -> Inputs:
        """Some of the rows, without their names."""
        return Inputs(self.x[which], tuple(value[which] for value in self.further))


def as_inputs(given: ModelInput, args: Args = None, origin: str = "sequences") -> Inputs:
    """Sequences and further inputs, whatever they came as.

    Parameters
    ----------
    given : Tensor (N, 4, L), or a FASTA path or several, or a list or Series of str, or CodedSequences, or a tuple
        A tuple ``(sequences, control, ...)`` brings the further inputs along.
    args : sequence of Tensor, optional
        Further inputs that do not stand in the tuple.
    origin : str
        What messages begin with.

    Raises
    ------
    InputError
        If the sequences or the further inputs cannot be used, or these are given twice.
    """
    sequences, along = _take_apart(given)
    _check_given_once(args, along, origin)
    x, names = load_for_reading(sequences, origin)
    return Inputs(x, rows_of_args(along or args, len(x)), names)


def as_classes(
    positives: ModelInput, negatives: ModelInput, args: Args, caller: str, *, comparable: bool = False
) -> tuple[Inputs, Inputs]:
    """Inputs of both classes.

    Parameters
    ----------
    positives, negatives
        As in `as_inputs`.
    args : sequence of Tensor, optional
        Further inputs: each with the rows of the positives and then of the negatives, or one row for all.
    caller : str
        What messages begin with.
    comparable : bool
        Whether the sequences must be of one length and different ones.

    Raises
    ------
    InputError
        As `as_inputs`; if they must be comparable, and are not.
    """
    (positives, along), (negatives, other) = _take_apart(positives), _take_apart(negatives)
    _check_given_once(args, along + other, caller)
    (x, names), (y, other_names) = load_classes(positives, negatives, caller, comparable=comparable)
    if args is not None:
        rows = rows_of_args(args, len(x) + len(y))
        along, other = tuple(value[: len(x)] for value in rows), tuple(value[len(x) :] for value in rows)
    return Inputs(x, rows_of_args(along, len(x)), names), Inputs(y, rows_of_args(other, len(y)), other_names)


def rows_of_args(args: Args, n: int) -> tuple[Tensor, ...]:
    """Further inputs, one row a sequence each; a single row is repeated.

    Raises
    ------
    InputError
        If one is not a tensor, is sparse, has neither n rows nor one, or has NaN.
    """
    if args is None:
        return ()
    if not isinstance(args, tuple | list):
        raise InputError(
            f"args: got {type(args).__name__}, expected a tuple of tensors, one for each further input: "
            "args=(controls,)."
        )
    for i, value in enumerate(args):
        given: object = value
        if not isinstance(given, Tensor) or given.dim() == 0 or given.shape[0] not in (1, n):
            shape = tuple(given.shape) if isinstance(given, Tensor) else type(given).__name__
            raise InputError(
                f"args: input {i} is {shape}, expected a tensor of {n} rows, one a sequence (positives first, then "
                "negatives, where both are given), or of 1 row for all."
            )
        if (why := why_not_dense(value)) is not None:
            raise InputError(f"args: input {i} {why}; give a plain tensor.")
        if value.isnan().any():
            raise InputError(f"args: input {i} has values that are NaN, expected numbers; fill them.")
    return tuple(value.expand(n, *value.shape[1:]) if len(value) != n else value for value in args)


def _take_apart(given: ModelInput) -> tuple[SequenceInput | CodedSequences, tuple[Tensor, ...]]:
    """Sequences, and the further inputs that came along with them."""
    if not (isinstance(given, tuple) and len(given) > 1 and all(isinstance(value, Tensor) for value in given[1:])):
        return given, ()
    parts: Any = given
    return parts[0], parts[1:]


def _check_given_once(args: Args, along: tuple[Tensor, ...], origin: str) -> None:
    if along and args is not None:
        raise InputError(f"{origin}: got further inputs with the sequences and as args too, expected them once.")
