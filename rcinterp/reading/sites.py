"""Which stretch of each sequence a filter likes best: its site, on either strand, for layers of any depth."""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional

from rcinterp.data.sequences import SequenceInput, as_one_hot, names_of
from rcinterp.errors import InputError
from rcinterp.motifs.centring import mean_center
from rcinterp.reading.contributions import find_scorer
from rcinterp.reading.cut import Cut, Place
from rcinterp.reading.layer import FilterLayer, are_letters
from rcinterp.reading.model import Args, Caller, first_rows
from rclayers import by_strand, reverse_complement, tie

#: Share of a filter's best score that a site must reach; 0.5 as in Basset.
THRESHOLD = 0.5

_COORDINATES = re.compile(r"^(?P<chrom>[^:\s]+):(?P<start>\d+)-(?P<end>\d+)(?:\((?P<strand>[+-])\))?$")


@dataclass(frozen=True)
class BestSites:
    """The best site of each filter in each sequence.

    Attributes
    ----------
    scores : Tensor, shape (N, F)
        Of a first layer: the centred filter's product with the site. Of a deeper one: the activation.
    starts : Tensor, shape (N, F)
        0-based, in the sequence as given.
    turned : Tensor, shape (N, F)
        Whether the site lies on the reverse strand.
    width : int
        In bp: of the filter, or of what a deeper layer's filter sees.
    """

    scores: Tensor
    starts: Tensor
    turned: Tensor
    width: int

    def chosen(self, f: int, length: int, threshold: float) -> Tensor:
        """Rows whose site counts: above 0, at least that share of the filter's best, and whole within the sequence."""
        scores, starts = self.scores[:, f], self.starts[:, f]
        whole = (starts >= 0) & (starts + self.width <= length)
        return torch.nonzero((scores > 0) & (scores >= threshold * scores.max()) & whole).flatten()

    def counts(self, f: int, x: Tensor, threshold: float) -> tuple[Tensor, int]:
        """Letters at each position of a filter's sites, (4, width), as the filter reads them; and how many sites."""
        rows = self.chosen(f, x.shape[2], threshold)
        sites = self.letters(f, rows, x)
        return sites.sum(0).double(), len(rows)

    def letters(self, f: int, rows: Tensor, x: Tensor) -> Tensor:
        """Sites of some rows, (rows, 4, width), as the filter reads them."""
        positions = self.starts[rows, f, None] + torch.arange(self.width)
        sites = x[rows[:, None], :, positions].transpose(1, 2)
        return torch.where(self.turned[rows, f, None, None], reverse_complement(sites), sites)

    def tabulate(
        self, names: Sequence[str], length: int, threshold: float, sequences: Sequence[object] | None = None
    ) -> pd.DataFrame:
        """One row a site that counts, filter by filter, the best first; see `find_sites`."""
        tables = []
        for f, name in enumerate(names):
            rows = self.chosen(f, length, threshold)
            rows = rows[self.scores[rows, f].argsort(descending=True, stable=True)]
            starts = self.starts[rows, f].numpy()
            columns = {
                "filter": name,
                "sequence": rows.numpy(),
                "start": starts,
                "end": starts + self.width,
                "strand": np.where(self.turned[rows, f].numpy(), "-", "+"),
                "score": self.scores[rows, f].double().numpy(),
            }
            tables.append(pd.DataFrame(columns))
        table = pd.concat(tables, ignore_index=True)
        return table if sequences is None else _with_names(table, [str(name) for name in sequences], length)


def find_sites(
    model: nn.Module,
    sequences: SequenceInput,
    layer: str | None = None,
    *,
    threshold: float = THRESHOLD,
    args: Args = None,
    batch_size: int = 500,
    device: str | torch.device | None = None,
    verbose: bool = False,
) -> pd.DataFrame:
    """Best site of each filter in each sequence in which it reaches a share of its best score.

    Parameters
    ----------
    model : nn.Module
        (n, 4, L), and what `args` hold, -> anything.
    sequences : Tensor (N, 4, L), or a FASTA path, or a list or Series of str
    layer : str, optional
        Name of the convolution; the first one over the sequence when not given.
    threshold : float
        Share of the filter's best score, 0 to 1.
    args, batch_size, device, verbose
        As in `predict`.

    Returns
    -------
    DataFrame
        One row a site, filter by filter, the best first: ``filter``, ``sequence`` (row, 0-based), ``start``, ``end``
        (bp in the sequence, 0-based and half-open), ``strand``, ``score``. With named sequences also ``name``, and with
        names such as ``chr1:1000-1200`` (0-based, half-open; perhaps followed by ``(-)``) ``chrom``, ``chrom_start``,
        ``chrom_end`` and ``chrom_strand``.

    Raises
    ------
    InputError
        If the model or the layer cannot be used, or a filter sees the whole sequence, so that it has no sites.

    Notes
    -----
    A first layer's filters are laid, mean-centred, wherever the model lays them (its crop, stride and padding are kept
    to, as far as sites lie whole within the sequence), on both strands if it is an RC layer. A deeper
    layer's site is what lies under its largest activation: its receptive field, found by putting NaN in place of each
    base in turn and looking where it arrives.
    """
    x = as_one_hot(sequences, "find_sites")
    check_threshold(threshold, "find_sites")
    caller = Caller(model, func=_any_score, batch_size=batch_size, device=device, verbose=verbose)
    with caller.borrowed():
        place = find_scorer(caller, x, args, layer, "ablation", "activation").place
        best = find_view(caller, place, x, args).best_sites(x, args)
    return best.tabulate(place.filters.filter_names, x.shape[2], threshold, names_of(sequences))


def check_threshold(threshold: float, caller: str) -> None:
    """Refuse what is no share."""
    if not isinstance(threshold, int | float) or not 0 <= threshold <= 1:
        raise InputError(f"{caller}: got threshold={threshold}, expected a share of the best score, 0 to 1.")


@dataclass(frozen=True)
class View:
    """What a layer of a model, which is lent, sees of a sequence.

    Attributes
    ----------
    caller : Caller
    place : Place
    width : int
        Of what a filter sees at once, in bp.
    starts : Tensor
        Where: of a first layer, every position of the sequence at which the filter is laid; of a deeper one, one a
        position of the activation, before 0 or beyond the sequence where it is cut short.
    of_letters : bool
        Whether it is a first layer.
    """

    caller: Caller
    place: Place
    width: int
    starts: Tensor
    of_letters: bool

    def best_sites(self, x: Tensor, args: Args = None) -> BestSites:
        """Best sites of the layer's filters in these sequences."""
        if self.of_letters:
            weight = mean_center(self.place.filters.weight.float()).weight
            return best_sites(weight, x.float().cpu(), self.place.filters.is_rc, self.caller.batch_size, self.starts)
        scores, positions = [], []
        with torch.no_grad():
            for inputs in self.caller.batches(x, args, "sites"):
                best = _own_activation(self.caller, self.place, inputs).max(2)
                scores.append(best.values.float().cpu())
                positions.append(best.indices.cpu())
        starts = self.starts[torch.cat(positions)]
        return _better_strand(torch.cat(scores), starts, self.place.filters.is_rc, self.width)


def find_view(caller: Caller, place: Place, x: Tensor, args: Args = None) -> View:
    """See what a layer of a model, which is lent, sees of sequences such as these.

    Raises
    ------
    InputError
        As `find_sites`.
    """
    filters = place.filters
    width = filters.weight.shape[2]
    read = _letters_read(caller, filters, x, args)
    if read is None:
        return View(caller, place, *receptive_field(caller, place, x, args), of_letters=False)
    offset, length = read
    step, padding = filters.step_and_padding
    starts = torch.arange(offset - padding, offset + length + padding - width + 1, step)
    starts = starts[(starts >= max(0, offset)) & (starts + width <= min(x.shape[2], offset + length))]
    if not len(starts):
        raise InputError(
            f"layer {filters.name!r} reads {length} bp with filters of {width} bp: no site fits. Give longer sequences."
        )
    return View(caller, place, width, starts, of_letters=True)


def best_sites(
    weight: Tensor, x: Tensor, both_strands: bool, batch_size: int, starts: Tensor | None = None
) -> BestSites:
    """Best site of each filter of a first layer in each sequence.

    Filters (F, 4, W) and sequences (N, 4, L) are float32 on the CPU; `starts` are the positions looked at, all when not
    given.
    """
    bank = tie(weight) if both_strands else weight
    if starts is None:
        starts = torch.arange(x.shape[2] - weight.shape[2] + 1)
    found = [functional.conv1d(batch, bank)[:, :, starts].max(dim=2) for batch in torch.split(x, batch_size)]
    scores, indices = torch.cat([best.values for best in found]), torch.cat([best.indices for best in found])
    return _better_strand(scores, starts[indices], both_strands, weight.shape[2])


def _better_strand(scores: Tensor, starts: Tensor, both_strands: bool, width: int) -> BestSites:
    """One site a filter from one a channel."""
    if not both_strands:
        return BestSites(scores, starts, torch.zeros_like(scores, dtype=torch.bool), width)
    forward, reverse = by_strand(scores).chunk(2)
    forward_starts, reverse_starts = by_strand(starts).chunk(2)
    turned = reverse > forward
    return BestSites(
        torch.maximum(forward, reverse), torch.where(turned, reverse_starts, forward_starts), turned, width
    )


def _letters_read(caller: Caller, filters: FilterLayer, x: Tensor, args: Args) -> tuple[int, int] | None:
    """Where in a sequence the letters begin that a layer reads, and how many; None if it reads no letters."""
    read: list[Tensor] = []
    handle = filters.convolution.register_forward_pre_hook(lambda _, inputs: read.append(inputs[0]))
    try:
        with torch.no_grad():
            for inputs in caller.batches(x[:1], first_rows(args, len(x), 1)):
                caller.model(*inputs)
    finally:
        handle.remove()
    if not read or filters.weight.shape[1] != 4 or not are_letters(read[0]):
        return None
    letters = read[0][:1].cpu().float().reshape(1, 4, -1)
    offset = _offset(letters, x[:1].cpu().float())
    if offset is None:
        raise InputError(
            f"layer {filters.name!r} reads letters in another order or orientation than those given, expected one-hot "
            "rows A, C, G, T as they stand. The logos would be wrong: turn the input before the model, not inside it."
        )
    return offset, letters.shape[2]


def _offset(read: Tensor, given: Tensor) -> int | None:
    """Where what a layer reads begins in what was given: negative if it was padded, None if nowhere."""
    short, long = sorted((read, given), key=lambda value: value.shape[2])
    for i in range(long.shape[2] - short.shape[2] + 1):
        if bool((long[:, :, i : i + short.shape[2]] == short).all()):
            return i if read.shape[2] <= given.shape[2] else -i
    return None


class _Enough(Exception):
    """Ends a run of a model as soon as its activation is there."""


def _own_activation(caller: Caller, place: Place, inputs: Sequence[Tensor]) -> Tensor:
    """(n, channels, positions) of the first call of the convolution; the model is run no further."""

    def stop(i: int, activation: Tensor) -> Tensor:
        raise _Enough

    with Cut(place, stop) as cut, suppress(_Enough):
        caller.model(*inputs)
    rows = place.to_sequences(cut.taken[0], len(inputs[0]))[:, 0]
    return rows.movedim(place.channel_axis, 1).flatten(2)


def receptive_field(caller: Caller, place: Place, x: Tensor, args: Args = None) -> tuple[int, Tensor]:
    """Width (bp) that each position of an activation sees, and where each begins, (positions,); the model is lent.

    Positions near an end whose field is cut short by it begin where they would without the end: before 0, or so that
    they end beyond the sequence.

    Raises
    ------
    InputError
        If the fields are of no one width, or as wide as the sequence, or the model refuses NaN.
    """
    length = x.shape[2]
    rows, seen_by = first_rows(args, len(x), 1), []
    with torch.no_grad(), torch.backends.cudnn.flags(enabled=False):  # its transforms would spread the NaN
        for bases in torch.split(torch.arange(length), caller.batch_size):
            marked = x[:1].repeat(len(bases), 1, 1).float()
            marked[torch.arange(len(bases)), :, bases] = float("nan")
            try:
                for inputs in caller.batches(marked, rows):
                    seen_by.append(_own_activation(caller, place, inputs).isnan().any(1).cpu())
            except (AssertionError, ValueError, RuntimeError) as error:
                raise InputError(
                    f"layer {place.filters.name!r}: the model refuses sequences with NaN, by which it is found what a "
                    f"filter sees ({type(error).__name__}: {error}). Take the check out of its forward."
                ) from error
    seen = torch.cat(seen_by)  # (base, position)
    first = seen.int().argmax(0)
    last = length - 1 - seen.flip(0).int().argmax(0)
    widths = last - first + 1
    width = int(widths.max())
    inner = torch.nonzero((widths == width) & seen.any(0)).flatten()
    steps = first[inner].diff()
    if width >= length or not seen.any(0).all() or (len(steps) and int(steps.min()) != int(steps.max())):
        raise InputError(
            f"layer {place.filters.name!r} sees {width} of {length} bp at once, or not the same number at every "
            "position, expected a window that moves along the sequence: its filters have no sites. "
            "filter_contributions(model, ..., layer=...) scores them; for logos name an earlier layer, or give longer "
            "sequences."
        )
    step = int(steps[0]) if len(steps) else 1
    return width, first[inner[0]] + step * (torch.arange(seen.shape[1]) - inner[0])


def _any_score(output: object) -> Tensor:
    """Some scores of whatever a model returns, where only its activations are asked for."""
    while isinstance(output, dict | list | tuple):
        output = next(iter(output.values() if isinstance(output, dict) else output))
    if not isinstance(output, Tensor):
        raise InputError(f"the model returned {type(output).__name__}, expected tensors.")
    return output


def _with_names(table: pd.DataFrame, names: list[str], length: int) -> pd.DataFrame:
    """Add the sequences' names, and the genome's coordinates if all names hold them."""
    table = table.assign(name=[names[row] for row in table["sequence"]])
    parsed = [_COORDINATES.match(name) for name in names]
    if not all(match and int(match["end"]) - int(match["start"]) == length for match in parsed):
        return table
    origin = pd.DataFrame([match.groupdict() for match in parsed if match]).astype({"start": int, "end": int})
    own = origin.iloc[table["sequence"]].reset_index(drop=True)
    backward = (own["strand"] == "-").to_numpy()
    start = np.where(backward, own["end"] - table["end"], own["start"] + table["start"])
    strand = np.where(backward, table["strand"].map({"+": "-", "-": "+"}), table["strand"])
    return table.assign(
        chrom=own["chrom"], chrom_start=start, chrom_end=start + (table["end"] - table["start"]), chrom_strand=strand
    )
