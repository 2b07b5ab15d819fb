"""Where a filter matches each sequence best: its site, on either strand, for layers of any depth."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional

from rcinterp.data.coded import Sequences, windows_of
from rcinterp.data.coordinates import parse_coordinates
from rcinterp.errors import InputError
from rcinterp.reading.inputs import Inputs
from rcinterp.reading.model import RowsOf
from rcinterp.reading.probe import BoundLayer
from rcinterp.reading.receptive_field import ReceptiveField, activations_of
from rclayers import by_strand, reverse_complement, tie

#: Share of a filter's best score that a site must reach; 0.5 as in Basset.
SITE_THRESHOLD = 0.5


@dataclass(frozen=True)
class BestSites:
    """The best site of each filter in each sequence.

    Attributes
    ----------
    site_scores : Tensor, shape (N, F)
        Of a first layer: the centred filter's product with the site. Of a deeper one: the activation.
    starts : Tensor, shape (N, F)
        0-based, in the sequence as given.
    is_reverse : Tensor, shape (N, F)
        Whether the site lies on the reverse strand.
    width : int
        In bp: of the filter, or of what a deeper layer's filter sees.
    """

    site_scores: Tensor
    starts: Tensor
    is_reverse: Tensor
    width: int

    def level(self, f: int, threshold: float) -> float:
        """That share of the filter's best score."""
        return threshold * float(self.site_scores[:, f].max())

    def chosen(self, f: int, length: int, level: float, flank: int = 0) -> Tensor:
        """Rows whose site counts: above 0, at least at that level, and whole within the sequence with its flanks."""
        scores, starts = self.site_scores[:, f], self.starts[:, f]
        whole = (starts >= flank) & (starts + self.width + flank <= length)
        return torch.nonzero((scores > 0) & (scores >= level) & whole).flatten()

    def letters(self, f: int, rows: Tensor, x: Sequences, flank: int = 0) -> Tensor:
        """Sites of some rows, (rows, 4, width + 2 flank), as the filter reads them."""
        positions = self.starts[rows, f, None] + torch.arange(-flank, self.width + flank)
        sites = windows_of(x, rows, positions)
        return torch.where(self.is_reverse[rows, f, None, None], reverse_complement(sites), sites)

    def tabulate(
        self, names: Sequence[str], length: int, threshold: float, sequences: Sequence[object] | None = None
    ) -> pd.DataFrame:
        """One row a site that counts, filter by filter, the best first; see `find_sites`."""
        chosen = {name: self.chosen(f, length, self.level(f, threshold)) for f, name in enumerate(names)}
        tables = [self.rows_of(f, name, rows) for f, (name, rows) in enumerate(chosen.items())]
        return with_names(pd.concat(tables, ignore_index=True), sequences, length)

    def rows_of(self, f: int, name: str, rows: Tensor) -> pd.DataFrame:
        """Sites of one filter in some sequences, the best first; the columns of `find_sites`."""
        rows = rows[self.site_scores[rows, f].argsort(descending=True, stable=True)]
        starts = self.starts[rows, f].numpy()
        columns = {
            "filter": name,
            "sequence": rows.numpy(),
            "start": starts,
            "end": starts + self.width,
            "strand": np.where(self.is_reverse[rows, f].numpy(), "-", "+"),
            "site_score": self.site_scores[rows, f].double().numpy(),
        }
        return pd.DataFrame(columns)


def check_threshold(threshold: float, caller: str) -> None:
    """Refuse what is no share."""
    if not isinstance(threshold, int | float) or not 0 <= threshold <= 1:
        raise InputError(f"{caller}: got threshold={threshold}, expected a share of the best score, 0 to 1.")


def find_best_sites(bound: BoundLayer, inputs: Inputs, field: ReceptiveField) -> BestSites:
    """Best sites of a lent model's layer in these sequences."""
    if field.of_letters:
        weight = bound.layer.centred(torch.float32)
        laid = field.laid(inputs.length, is_rc=bound.layer.is_rc)
        return best_sites(weight, inputs.x, laid[1] is not None, bound.runner.batch_size, laid)
    found = SitesOf(len(inputs))
    with torch.no_grad():
        for batch in bound.runner.batches(inputs, "sites"):
            rows = []
            for activation, row in zip(activations_of(bound, batch), field.rows, strict=True):
                best = activation.max(2)
                starts = row.starts[best.indices.cpu()]
                sites = better_strand(best.values.float().cpu(), starts, bound.layer.is_rc, field.width)
                rows.append(replace(sites, is_reverse=sites.is_reverse != row.is_reverse))
            found.add(reduce(better, rows))
    return found.joined


class SitesOf:
    """Sites of sequences that come a batch at a time."""

    def __init__(self, n: int) -> None:
        self.scores, self.starts, self.is_reverse = RowsOf(n), RowsOf(n), RowsOf(n)
        self.width = 0

    def add(self, sites: BestSites) -> None:
        """Those of the next sequences."""
        self.scores.add(sites.site_scores)
        self.starts.add(sites.starts)
        self.is_reverse.add(sites.is_reverse)
        self.width = sites.width

    @property
    def joined(self) -> BestSites:
        """Those of all."""
        return BestSites(self.scores.values, self.starts.values, self.is_reverse.values, self.width)


def join_sites(parts: Iterable[BestSites], n: int) -> BestSites:
    """Sites of n sequences, of those of each shard of them."""
    found = SitesOf(n)
    for part in parts:
        found.add(part)
    return found.joined


def better(one: BestSites, other: BestSites) -> BestSites:
    """The better of two sites of each filter in each sequence, the first of equals."""
    is_other = other.site_scores > one.site_scores
    return BestSites(
        torch.maximum(one.site_scores, other.site_scores),
        torch.where(is_other, other.starts, one.starts),
        torch.where(is_other, other.is_reverse, one.is_reverse),
        one.width,
    )


def best_sites(
    weight: Tensor,
    x: Sequences,
    both_strands: bool,
    batch_size: int,
    starts: tuple[Tensor | None, Tensor | None] = (None, None),
) -> BestSites:
    """Best site of each filter of a first layer in each sequence.

    Filters (F, 4, W) are float32 on the CPU; `starts` are the positions looked at on either strand of the sequences
    (N, 4, L), all when not given.
    """
    bank = tie(weight) if both_strands else weight
    every = torch.arange(x.shape[2] - weight.shape[2] + 1)
    looked_at = [every if places is None else places for places in starts[: 1 + both_strands]]
    found = SitesOf(len(x))
    for first in range(0, len(x), batch_size):
        batch = x[first : first + batch_size].float().cpu()
        halves = torch.split(functional.conv1d(batch, bank), len(weight), dim=1)
        best = [_best_of(half, places) for half, places in zip(halves, looked_at, strict=True)]
        scores, positions = (torch.cat([one[i] for one in best], 1) for i in (0, 1))
        found.add(better_strand(scores, positions, both_strands, weight.shape[2]))
    return found.joined


def _best_of(values: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
    """Largest of (n, channels, positions) at these positions, and where it is; -inf if there are none."""
    if not len(places):
        return torch.full(values.shape[:2], -torch.inf), torch.zeros(values.shape[:2], dtype=torch.int64)
    best = values[:, :, places].max(dim=2)
    return best.values, places[best.indices]


def better_strand(scores: Tensor, starts: Tensor, both_strands: bool, width: int) -> BestSites:
    """One site a filter from one a channel."""
    if not both_strands:
        return BestSites(scores, starts, torch.zeros_like(scores, dtype=torch.bool), width)
    forward, reverse = by_strand(scores).chunk(2)
    forward_starts, reverse_starts = by_strand(starts).chunk(2)
    is_reverse = reverse > forward
    return BestSites(
        torch.maximum(forward, reverse), torch.where(is_reverse, reverse_starts, forward_starts), is_reverse, width
    )


def with_names(table: pd.DataFrame, sequences: Sequence[object] | None, length: int) -> pd.DataFrame:
    """Add the sequences' names, if there are any, and the genome's coordinates if all names hold them."""
    if sequences is None:
        return table
    names = [str(name) for name in sequences]
    table = table.assign(name=[names[row] for row in table["sequence"]])
    origin = parse_coordinates(names, length)
    if origin is None:
        return table
    own = origin.iloc[table["sequence"]].reset_index(drop=True)
    backward = (own["strand"] == "-").to_numpy()
    start = np.where(backward, own["end"] - table["end"], own["start"] + table["start"])
    strand = np.where(backward, table["strand"].map({"+": "-", "-": "+"}), table["strand"])
    return table.assign(
        chrom=own["chrom"], chrom_start=start, chrom_end=start + (table["end"] - table["start"]), chrom_strand=strand
    )
