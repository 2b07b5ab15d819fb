"""Where a filter matters in each sequence, and in which class: sites by contribution, for layers of any depth."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, reduce

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from rcinterp.data.coded import Sequences, coded_if_letters
from rcinterp.data.sequences import letters_of
from rcinterp.reading.contributions import Contributed
from rcinterp.reading.inputs import Inputs
from rcinterp.reading.methods import gradient_times_activation
from rcinterp.reading.model import RowsOf
from rcinterp.reading.probe import BoundLayer
from rcinterp.reading.receptive_field import ReceptiveField
from rcinterp.reading.sites import BestSites, SitesOf, better, better_strand, find_best_sites, with_names

#: The contribution that a site's is a share of: this quantile of those above 0, of both classes. Their largest is often
#: that of a single sequence.
TOP_QUANTILE = 0.95

#: Sites of a filter whose letters are shown.
N_EXAMPLES = 8

#: Names of the two classes.
CLASSES = ("positives", "negatives")


@dataclass(frozen=True, eq=False)
class ClassReading:
    """One pass over the sequences of a class.

    Attributes
    ----------
    logits : Tensor, shape (N,)
        float64, on the CPU.
    contributions : Contributed or None
        Gradient x activation; None where no gradient is to be had.
    raising, lowering : BestSites
        Where each filter raises the logit of each sequence most, and where it lowers it most; site scores are these
        contributions, both as positive numbers. Where no gradient is to be had, both are the best matches.
    """

    logits: Tensor
    contributions: Contributed | None
    raising: BestSites
    lowering: BestSites


def read_class(bound: BoundLayer, inputs: Inputs, field: ReceptiveField) -> ClassReading:
    """Run a lent model forward and half backward once over each sequence: logits, contributions and sites.

    A site counts where the filter is active, which takes its activation above 0.
    """
    logits, contributions = RowsOf(len(inputs)), Contributed(len(inputs), bound.layer.is_rc)
    raising, lowering = SitesOf(len(inputs)), SitesOf(len(inputs))
    has_gradient = not bound.gradient_fault
    # pooled before its nonlinearity, a filter's activation has the places of windows, not those of the filter
    has_places = has_gradient and not (field.of_letters and bound.point.is_pooled)
    with torch.inference_mode(False):
        for batch in bound.runner.batches(inputs, "sites"):
            if not has_gradient:
                with torch.no_grad():
                    logits.add(bound.runner.logits(batch).double().cpu())
                continue
            logit, products, activations = gradient_times_activation(bound, batch)
            logits.add(logit.double().cpu())
            contributions.add(bound.point.by_channel(products, len(batch[0])))
            if has_places:
                rows, active = (by_row(bound, values, len(batch[0])) for values in (products, activations))
                own = [torch.where(here > 0, row, 0) for row, here in zip(rows, active, strict=True)]
                raising.add(_best_of_rows(bound, field, own, inputs.length))
                lowering.add(_best_of_rows(bound, field, [-row for row in own], inputs.length))
    total = contributions if has_gradient else None
    if has_places:
        return ClassReading(logits.values, total, raising.joined, lowering.joined)
    matches = find_best_sites(bound, inputs, field)
    return ClassReading(logits.values, total, matches, matches)


def join_readings(parts: Iterable[ClassReading], n: int) -> ClassReading:
    """One pass over n sequences, of those over each shard of them."""
    logits, contributions = RowsOf(n), Contributed(n, False)  # strands, if any, are added up already
    raising, lowering = SitesOf(n), SitesOf(n)
    has_gradient = are_matches = False
    for part in parts:
        logits.add(part.logits)
        raising.add(part.raising)
        has_gradient, are_matches = part.contributions is not None, part.raising is part.lowering
        if part.contributions is not None:
            contributions.extend(part.contributions)
        if not are_matches:
            lowering.add(part.lowering)
    sites = raising.joined
    return ClassReading(
        logits.values, contributions if has_gradient else None, sites, sites if are_matches else lowering.joined
    )


def by_row(bound: BoundLayer, values: Sequence[Tensor], n: int) -> list[Tensor]:
    """Activations, or values of their shape, as (n, channels, positions) of each row that is read of a sequence."""
    rows = [row for value in values for row in bound.point.to_sequences(value, n).unbind(1)]
    return [row.movedim(bound.point.channel_axis, 1).flatten(2) for row in rows]


def _best_of_rows(bound: BoundLayer, field: ReceptiveField, rows: Sequence[Tensor], length: int) -> BestSites:
    """The largest value of each filter in each sequence, and where it is; 0 where the model does not read all of it."""
    found = []
    for row, seen in zip(rows, field.rows, strict=True):
        best = row.max(2)
        places = best.indices.cpu()
        values = best.values.float().cpu() * seen.is_whole(field.width, length)[places]
        sites = better_strand(values, seen.starts[places], bound.layer.is_rc, field.width)
        found.append(replace(sites, is_reverse=sites.is_reverse != seen.is_reverse))
    return reduce(better, found)


@dataclass(frozen=True, eq=False)
class FilterSites:
    """The sites of one filter, in the class that it speaks for.

    Attributes
    ----------
    sites_in : "positives" or "negatives"
    is_raising : bool
        Whether the filter raises the logit there.
    letters : Tensor, shape (n, 4, width + 2 flank)
        As the filter reads them.
    rows : Tensor, shape (n,)
        Sequences of that class that have a site.
    n_other : int
        Sequences of the other class that have one, by the same level.
    p : float
        Of Fisher's exact test, one-sided: that as many more sequences of the class have one by chance.
    """

    sites_in: str
    is_raising: bool
    letters: Tensor
    rows: Tensor
    n_other: int
    p: float


@dataclass(frozen=True, eq=False)
class ContributingSites:
    """Where each filter contributes most to each sequence of either class.

    Attributes
    ----------
    inputs : tuple of Inputs
        The positives and the negatives.
    classes : tuple of ClassReading
        Of them.
    """

    inputs: tuple[Inputs, Inputs]
    classes: tuple[ClassReading, ClassReading]

    @property
    def are_matches(self) -> bool:
        """Whether no contribution of a place is to be had, so that sites are the best matches."""
        return any(one.raising is one.lowering for one in self.classes)

    def of_filter(self, f: int, threshold: float, flank: int = 0) -> FilterSites:
        """Sites of one filter in the class that it speaks for.

        Parameters
        ----------
        f : int
        threshold : float
            Share of the top contribution that a site must reach, in both classes: of the quantile `TOP_QUANTILE` of
            the sequences' largest contributions.
        flank : int
            Further bp of letters on either side; sites whose flanks are cut short count for the p-value alone.

        Notes
        -----
        A filter speaks for the positives if it raises their logits, at its sites, by more than those of the negatives,
        and for the negatives if it lowers theirs by more: whichever difference is larger. If neither is above 0, it is
        taken for what it does most. Where sites are the best matches, it speaks for the class that it matches better.
        """
        own, is_raising = self.direction(f)
        return self.sites_of(f, own, threshold, flank, is_raising=is_raising)

    def direction(self, f: int) -> tuple[int, bool]:
        """The class that a filter speaks for, 0 the positives, and whether it raises the logit there."""
        raised, lowered = ([one.clamp(min=0).mean() for one in self._scores(f, way)] for way in (True, False))
        raises_more, lowers_more = float(raised[0] - raised[1]), float(lowered[1] - lowered[0])
        if self.are_matches:
            return (0, True) if raises_more >= 0 else (1, True)
        is_raising = raises_more >= lowers_more
        if max(raises_more, lowers_more) <= 0:
            is_raising = float(sum(raised)) >= float(sum(lowered))
        return (0, True) if is_raising else (1, False)

    def sites_of(self, f: int, own: int, threshold: float, flank: int = 0, *, is_raising: bool) -> FilterSites:
        """Sites at which a filter raises or lowers the logit, in the class of that number."""
        from scipy.stats import hypergeom  # its import takes a second

        scores = torch.cat(self._scores(f, is_raising))
        above = scores[scores > 0]
        level = threshold * float(np.quantile(above.numpy(), TOP_QUANTILE)) if len(above) else np.inf
        best = [one.raising if is_raising else one.lowering for one in self.classes]
        rows = [one.chosen(f, inputs.length, level) for one, inputs in zip(best, self.inputs, strict=True)]
        n, n_sites = [len(inputs) for inputs in self.inputs], [len(chosen) for chosen in rows]
        p = float(hypergeom.sf(n_sites[own] - 1, sum(n), sum(n_sites), n[own]))
        whole = best[own].chosen(f, self.inputs[own].length, level, flank)
        letters = best[own].letters(f, whole, self.letters[own], flank)
        return FilterSites(CLASSES[own], is_raising, letters, whole, n_sites[1 - own], p)

    @cached_property
    def letters(self) -> tuple[Sequences, Sequences]:
        """The sequences, as codes where they are letters: windows of one byte a base are cut faster."""
        here, there = (coded_if_letters(inputs.x) for inputs in self.inputs)
        return here, there

    def _scores(self, f: int, is_raising: bool) -> list[Tensor]:
        """Largest contribution of a filter in each sequence of either class, (N,)."""
        return [(one.raising if is_raising else one.lowering).site_scores[:, f] for one in self.classes]

    def tabulate(self, chosen: dict[str, FilterSites]) -> pd.DataFrame:
        """One row a site, filter by filter in the order given, those that contribute most first.

        Columns as those of `find_sites`, but ``sites_in``, and for the score ``site_contribution``, which is missing
        for the best matches.
        """
        tables = []
        for own, where in enumerate(CLASSES):
            rows = []
            for f, (name, sites) in enumerate(chosen.items()):
                best = self.classes[own].raising if sites.is_raising else self.classes[own].lowering
                table = best.rows_of(f, name, sites.rows if sites.sites_in == where else sites.rows[:0])
                sign = np.nan if self.are_matches else 1 if sites.is_raising else -1
                rows.append(table.assign(site_score=table["site_score"] * sign))
            inputs = self.inputs[own]
            table = pd.concat(rows, ignore_index=True).rename(columns={"site_score": "site_contribution"})
            tables.append(with_names(table, inputs.names, inputs.length).assign(sites_in=where))
        both = pd.concat(tables, ignore_index=True)
        positions = [column for column in ("chrom_start", "chrom_end") if column in both]
        both = both.astype(dict.fromkeys(positions, "Int64"))  # where one class alone has coordinates
        order = both["filter"].map({name: i for i, name in enumerate(chosen)})
        return both.iloc[np.argsort(order, kind="stable")].reset_index(drop=True)

    def examples(self, table: pd.DataFrame, chosen: dict[str, FilterSites]) -> pd.DataFrame:
        """The first `N_EXAMPLES` sites of each filter in a table of `tabulate`, with a column ``letters``.

        Letters are those that the filter reads, so of the reverse strand where the site lies on it; N where a base is
        unknown.
        """
        best, numbers = table.groupby("filter", sort=False).head(N_EXAMPLES), {n: f for f, n in enumerate(chosen)}
        letters = pd.Series("", index=best.index)
        for name, rows in best.groupby("filter", sort=False)["sequence"]:
            sites = chosen[str(name)]
            own = CLASSES.index(sites.sites_in)
            where = self.classes[own].raising if sites.is_raising else self.classes[own].lowering
            cut = where.letters(numbers[str(name)], torch.tensor(rows.to_numpy()), self.letters[own])
            letters.update(pd.Series(letters_of(cut), index=rows.index))
        return best.assign(letters=letters).reset_index(drop=True)
