"""What the filters of a layer see of a sequence: how wide, and where; for layers of any depth."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from rcinterp.errors import InputError
from rcinterp.reading.inputs import Inputs
from rcinterp.reading.layer import are_letters, letters_of
from rcinterp.reading.probe import BoundLayer
from rclayers import reverse_complement

#: Bases that are run through a model at once, at most, to find what a deeper layer sees.
_MOST_BASES = 2_500_000


@dataclass(frozen=True, eq=False)
class ReceptiveField:
    """What a layer's filters see of a sequence.

    Attributes
    ----------
    width : int
        Of what a filter sees at once, in bp.
    of_letters : bool
        Whether the layer reads the sequence itself, so that its filters are patterns of letters.
    rows : list of RowField
        What each of the rows that the layer reads of a sequence sees.
    """

    width: int
    of_letters: bool
    rows: "list[RowField]"

    def laid(self, length: int, *, is_rc: bool) -> tuple[Tensor, Tensor | None]:
        """Every position at which a first layer's filter lies whole within the sequence, and its RC, if it does.

        Parameters
        ----------
        length : int
            Of the sequence.
        is_rc : bool
            Whether the layer lays each filter's RC beside it.
        """
        starts: dict[bool, list[Tensor]] = {False: [], True: []}
        for row in self.rows:
            whole = row.starts[row.is_whole(self.width, length)]
            for strand in (row.is_reverse, *([not row.is_reverse] if is_rc else [])):
                starts[strand].append(whole)
        forward, reverse = (
            torch.unique(torch.cat([torch.zeros(0, dtype=torch.int64), *starts[strand]])) for strand in (False, True)
        )
        return forward, reverse if len(reverse) else None


@dataclass(frozen=True, eq=False)
class RowField:
    """What the positions of an activation see of the sequence, in one of the rows that a layer reads of it.

    Attributes
    ----------
    starts : Tensor, shape (positions,)
        In the sequence as given: before 0 or beyond it where the field is cut short.
    is_reverse : bool
        Whether the row is of the reverse strand.
    read : tuple of int, optional
        Where in the sequence the part begins and ends that the row is of, if the model cuts it out.
    """

    starts: Tensor
    is_reverse: bool
    read: tuple[int, int] | None = None

    def is_whole(self, width: int, length: int) -> Tensor:
        """Whether all that each position sees lies within the sequence, and is read."""
        first, end = (0, length) if self.read is None else (max(0, self.read[0]), min(length, self.read[1]))
        return (self.starts >= first) & (self.starts + width <= end)


def find_receptive_field(bound: BoundLayer, inputs: Inputs) -> ReceptiveField:
    """Find what a layer of a lent model sees of sequences such as these.

    Raises
    ------
    InputError
        If the layer reads letters in another order than those given, sees the whole sequence, or refuses NaN.
    """
    layer = bound.layer
    width = layer.weight.shape[2]
    read = _letters_read(bound)
    if read is None:
        seen_width, rows = field_of_positions(bound, inputs)
        return ReceptiveField(seen_width, of_letters=False, rows=rows)
    step, padding = layer.step_and_padding
    rows = []
    for is_reverse, offset, n_read, part in read:
        starts = torch.arange(offset - padding, offset + n_read + padding - width + 1, step)
        if is_reverse:
            starts, part = inputs.length - width - starts, (inputs.length - part[1], inputs.length - part[0])
        rows.append(RowField(starts, is_reverse, part))
    field = ReceptiveField(width, of_letters=True, rows=rows)
    forward, reverse = field.laid(inputs.length, is_rc=layer.is_rc)
    if not len(forward) and reverse is None:
        raise InputError(
            f"layer {layer.name!r} reads {read[0][2]} bp with filters of {width} bp: no site fits. Give longer "
            "sequences."
        )
    return field


def _letters_read(bound: BoundLayer) -> list[tuple[bool, int, int, tuple[int, int]]] | None:
    """What a layer reads of a sequence, None if it reads no letters.

    Of each row: whether it is of the reverse strand; where on that strand it begins, before 0 if it was padded; how
    many positions it has; and which part of the strand its letters are.
    """
    layer = bound.layer
    if layer.n_outputs is not None or layer.weight.shape[1] != 4 or not are_letters(bound.read[0], layer.n_copies):
        return None
    given = bound.given.cpu().float()
    found = []
    for read in bound.read:
        letters = letters_of(read.cpu().float(), layer.n_copies)
        if letters is None:
            return None
        letters = letters.reshape(1, 4, -1)
        offsets = {False: _offset(letters, given), True: _offset(letters, reverse_complement(given))}
        fitting = [(is_reverse, offset) for is_reverse, offset in offsets.items() if offset is not None]
        if not fitting:
            raise InputError(
                f"layer {bound.layer.name!r} reads letters in another order or orientation than those given, expected "
                "one-hot rows A, C, G, T as they stand, or their reverse complement. The logos would be wrong: turn "
                "the input before the model, not inside it."
            )
        (is_reverse, offset), seen = fitting[0], _letters_in(letters)
        found.append((is_reverse, offset, letters.shape[2], (offset + seen[0], offset + seen[1])))
    return found


def _offset(read: Tensor, given: Tensor) -> int | None:
    """Where what a layer reads begins in what was given: negative if it was padded, None if nowhere.

    Letters alone are compared, so that padding of any value, and N of any value, are the same.
    """
    read, given = (value[0] - value[0].mean(0) for value in (read, given))
    n_read, n_given = read.shape[1], given.shape[1]
    first, end = _letters_in(read[None])
    if end == first:
        return None
    letters = read[:, first:end]
    starts = range(max(0, n_given - len(letters[0]) + 1))
    for start in sorted(starts, key=lambda at: abs(2 * (at - first) + n_read - n_given)):  # the middle one first
        if bool((given[:, start : start + letters.shape[1]] == letters).all()):
            return start - first
    return None


def _letters_in(values: Tensor) -> tuple[int, int]:
    """Where the letters of (1, 4, L) begin and end, positions whose channels differ; both 0 if there are none."""
    is_letter = (values[0] != values[0, :1]).any(0).nonzero().flatten()
    return (int(is_letter[0]), int(is_letter[-1]) + 1) if len(is_letter) else (0, 0)


class _Enough(Exception):
    """Ends a run of a model as soon as its activation is there."""


def activations_of(bound: BoundLayer, batch: Sequence[Tensor]) -> list[Tensor]:
    """(n, channels, positions) of each row that the convolution reads of a sequence; the model is run no further."""
    n_rows = len(bound.read)  # of all its calls

    def stop(i: int, activation: Tensor) -> Tensor:
        if (i + 1) * len(activation) >= n_rows * len(batch[0]):
            raise _Enough
        return activation

    with bound.cut(stop) as cut, suppress(_Enough):
        bound.runner.model(*batch)
    rows = [row for taken in cut.taken for row in bound.point.to_sequences(taken, len(batch[0])).unbind(1)]
    return [row.movedim(bound.point.channel_axis, 1).flatten(2) for row in rows]


def field_of_positions(bound: BoundLayer, inputs: Inputs) -> tuple[int, list[RowField]]:
    """Width (bp) that each position of an activation sees, and where each begins, a row at a time; the model is lent.

    Positions near an end whose field is cut short by it begin where they would without the end: before 0, or so that
    they end beyond the sequence.

    Raises
    ------
    InputError
        If the fields are of no one width, or as wide as the sequence, or the model refuses NaN.

    Notes
    -----
    NaN is put in place of each base in turn, and it is seen where it arrives. In a row of the reverse strand later
    positions see earlier bases.
    """
    length = inputs.length
    at_once = max(bound.runner.batch_size, min(-(-length // 2), _MOST_BASES // length))
    runner = replace(bound.runner, batch_size=at_once, verbose=False)
    copies = inputs.rows(torch.zeros(length, dtype=torch.int64))  # of the first sequence, one a base
    x = copies.x[:]
    x[torch.arange(length), :, torch.arange(length)] = float("nan")
    marked = Inputs(x, copies.further)
    seen_by: list[list[Tensor]] = []
    with torch.no_grad(), torch.backends.cudnn.flags(enabled=False):  # its transforms would spread the NaN
        try:
            for batch in runner.batches(marked):
                seen_by.append([row.isnan().any(1).cpu() for row in activations_of(bound, batch)])
        except (AssertionError, ValueError, RuntimeError) as error:
            raise InputError(
                f"layer {bound.layer.name!r}: the model refuses sequences with NaN, by which it is found what a "
                f"filter sees ({type(error).__name__}: {error}). Take the check out of its forward."
            ) from error
    fields = [_field_of(torch.cat(seen), bound.layer.name) for seen in zip(*seen_by, strict=True)]
    width = max(width for width, _ in fields)
    if any(other != width for other, _ in fields):
        raise InputError(
            f"layer {bound.layer.name!r} sees different widths in its calls, expected one; name another layer."
        )
    return width, [row for _, row in fields]


def _field_of(seen: Tensor, name: str) -> tuple[int, RowField]:
    """Width and starts, from whether each base is seen at each position, (base, position)."""
    length = len(seen)
    first = seen.int().argmax(0)
    last = length - 1 - seen.flip(0).int().argmax(0)
    widths = last - first + 1
    width = int(widths.max())
    inner = torch.nonzero((widths == width) & seen.any(0)).flatten()
    steps = first[inner].diff()
    if width >= length or not seen.any(0).all() or (len(steps) and int(steps.min()) != int(steps.max())):
        raise InputError(
            f"layer {name!r} sees {width} of {length} bp at once, or not the same number at every "
            "position, expected a window that moves along the sequence: its filters have no sites. "
            "filter_contributions(model, ..., layer=...) scores them; for logos name an earlier layer, or give longer "
            "sequences."
        )
    step = int(steps[0]) if len(steps) else 1
    starts = first[inner[0]] + step * (torch.arange(seen.shape[1]) - inner[0])
    return width, RowField(starts, is_reverse=step < 0)
