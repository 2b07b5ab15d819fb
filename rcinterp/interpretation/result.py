"""The answer that a person looks at: what each filter contributes, looks like and is known as."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd
from matplotlib.figure import Figure
from torch import nn

from rcinterp.comparison import format_matches
from rcinterp.errors import InputError
from rcinterp.files import whole_folder, write_at_once, write_table
from rcinterp.files.paths import as_path
from rcinterp.files.proofs import removable, seal
from rcinterp.files.results import INTERPRETATION
from rcinterp.interpretation.figures import (
    figure_of_contributions,
    figure_of_logos,
    figure_of_match,
    figure_of_sites,
    figure_of_strands,
    names_beside,
)
from rcinterp.interpretation.findings import Findings
from rcinterp.interpretation.report import notebook_table, write_report
from rcinterp.interpretation.verdicts import judge_match
from rcinterp.motifs import write_meme
from rcinterp.reading.one_sequence import OneSequence
from rcinterp.reading.reader import Reader
from rcinterp.report.figures import save_figure
from rcinterp.report.sequence import SequenceFigureOptions, plot_sequence

if TYPE_CHECKING:
    from typing_extensions import Unpack


@dataclass(frozen=True, eq=False, repr=False)
class Interpretation(Findings):
    """What `interpret` found.

    Attributes
    ----------
    table : DataFrame
        One row a filter, the largest contribution first; docs/explanation/definitions.md has its columns.
    contributions, palindromes, matches, triage, sites : DataFrame
        As `filter_contributions`, `find_palindromes`, `compare_motifs` and `triage_palindromes` return them; sites as
        `find_sites` does, but by contribution, and only of the class that the filter speaks for, a column ``sites_in``.
    filters : dict of str to ndarray, shape (4, W)
        Mean-centred weights; of a layer that does not read letters, its motifs in bits.
    ppms : dict of str to ndarray, shape (4, W)
        The motifs that were compared: letter probabilities.
    performance : dict of str to float
        auroc and auprc of the model on the sequences given.
    faithfulness : Faithfulness or None
        How well the contributions predict exact ablation; None if it was not asked for.
    settings : Settings
        What was chosen.
    layer : str
        Name of the convolution.
    unit : "weight" or "bits"
        Of `filters`.
    length : int
        Of the sequences, in bp.
    is_probability : bool
        Whether all outputs that were read lie between 0 and 1, as behind a sigmoid.
    baseline : dict of str to float, or None
        auroc and auprc, on the same sequences, of the logistic regression on 6-mers that was trained beside the model;
        None if there is none.
    repeats : tuple of str
        Of the sequences that were read: those of both classes, or twice in one, in sentences.
    n_sequences : tuple of int, or None
        Positives and negatives that were read.
    is_training_data : bool
        Whether they are the very data set that a compact model was trained on.
    leakage : tuple of str
        What the training set of a compact model shared with its validation set, in sentences.
    other_layers : tuple of str
        Names of further layers that read the sequence, whose filters are not shown.
    targets : dict of str to ndarray, shape (4, W)
        Known motifs that some filter is named after, or that are among its first matches: letter probabilities.
    best_sites : DataFrame
        The first sites of each filter, as in `sites`, and their letters.
    distributions : dict of str to Histogram
        How each filter's contributions to the sequences of either class are distributed.
    strands : StrandConsistency or None
        Logits of the two strands of the first 100 sequences of each class.
    history : DataFrame or None
        How the training of a compact model went, one row an epoch.
    origin : Origin or None
        What all this was made from.
    motif_starts : dict of str to int
        Where the motif in `ppms` begins in the filter's sites [bp]: 0, but where flanks were looked at or left out.
    of_outputs : tuple of str
        Sentences on what is doubtful of the model's outputs: probabilities that pass for logits, or other outputs when
        a sequence is run again.
    n_outputs : int
        Logits that the model has.

    Examples
    --------
    ``found = interpret(model, positives, negatives)``, then ``found.answer``, ``found.table``, ``found.plot()``,
    ``found.save("report")``.
    """

    def plot(self, filter: str | int | None = None, *, max_filters: int | None = 8) -> Figure:
        """Logos of the centred weights, forward and reverse complement, the largest contribution first.

        Parameters
        ----------
        filter : str, optional
            Name of the one filter that is drawn; all when not given. A number is taken for `max_filters`.
        max_filters : int or None
            Filters drawn at most; None for all.

        Returns
        -------
        Figure
            As those of all methods below: unknown to pyplot, so that it needs no closing; Jupyter shows it, and
            ``figure.savefig("logos.svg")`` keeps text as text. Heights are in `unit`; nothing where a weight is not
            finite.

        Raises
        ------
        InputError
            If there is no filter of that name.
        """
        if filter is not None and not isinstance(filter, str):
            filter, max_filters = None, filter
        return figure_of_logos(self, filter, max_filters)

    def plot_match(self, filter: str, match: str | int = 1) -> Figure:
        """A filter's motif, as it was compared, above the known motif that it resembles, aligned with it [bits].

        Parameters
        ----------
        filter : str
            Name of a filter, as in `table`.
        match : int or str
            Rank of the match, 1 for the motif that the filter is named after, or the name of a known motif. The first
            five of a filter are kept.

        Returns
        -------
        Figure
            Both logos on the axis of the filter's motif [bp], the overlap shaded; the known motif lies as `matches`
            says, turned if its orientation is "-". The title has its q-value and E-value.

        Raises
        ------
        InputError
            If there is no filter of that name, or it has no such match; it says why.
        """
        return figure_of_match(self, filter, match)

    def plot_contributions(self, max_filters: int | None = 24) -> Figure:
        """Bars of the filters' contributions with their 95 % intervals [logit], the largest, signs aside, first.

        Colour and hatch tell the kind of verdict, which stands beside each bar in a word.

        Parameters
        ----------
        max_filters : int or None
            Filters drawn at most; None for all.
        """
        return figure_of_contributions(self, max_filters)

    def plot_sites(self, filter: str, n_sites: int = 8) -> Figure:
        """A filter's best sites in letters under its logo, and a histogram of where all its sites lie [bp].

        Parameters
        ----------
        filter : str
            Name of a filter, as in `table`.
        n_sites : int
            Sites in letters at most, of the first eight, which are kept. Letters are those that the filter reads, so of
            the reverse strand where the site lies on it.

        Raises
        ------
        InputError
            If there is no filter of that name, or it has no site.
        """
        return figure_of_sites(self, filter, n_sites)

    def plot_strands(self, target: int | None = None) -> Figure:
        """Logits of sequences against those of their reverse complements, with the line on which both are equal.

        Parameters
        ----------
        target : int, optional
            Which output of the model; by default the one that was read.

        Raises
        ------
        InputError
            If the result has no logits of both strands, or the model no such output.
        """
        return figure_of_strands(self, target)

    def plot_sequence(
        self, model: nn.Module | Reader, sequence: OneSequence, **options: Unpack[SequenceFigureOptions]
    ) -> Figure:
        """What the model reads in one sequence: `rcinterp.plot_sequence` of this layer and output, filters named.

        Parameters
        ----------
        model : nn.Module or Reader
            The model that was interpreted; a result does not hold it.
        sequence : str, or ndarray or Tensor of shape (4, L) or (1, 4, L)
        method, window, max_filters, func, args, device, batch_size
            As in `rcinterp.plot_sequence`.
        """
        given: SequenceFigureOptions = {"names": names_beside(self), **options}
        if isinstance(model, Reader):
            return plot_sequence(model, sequence, **given)
        return plot_sequence(model, sequence, self.layer, self.target, **given)

    def to_meme(self, path: str | os.PathLike[str]) -> None:
        """Write the filters' motifs to a MEME file, with their numbers of sites; filters without sites are left out."""
        n_sites = self._n_sites()
        if not n_sites:
            raise InputError(f"{path}: not written, as no filter has a site; the model is not trained.")
        kept = {name: ppm for name, ppm in self.ppms.items() if name in n_sites}
        write_meme(path, kept, n_sites={name: n for name, n in n_sites.items() if n is not None})

    def _n_sites(self) -> dict[str, int | None]:
        """Sites of each filter's motif, those without any left out; None for a motif made of weights."""
        rows = self.table[["filter", "n_sites"]].to_dict("records")
        found = {row["filter"]: None if pd.isna(row["n_sites"]) else int(row["n_sites"]) for row in rows}
        return {name: n for name, n in found.items() if n != 0}

    def _refused(self) -> dict[str, str]:
        """Filters that were not compared with known motifs, and why."""
        in_order = self.table.set_index("filter", drop=False).loc[self.contributions["filter"]]
        rows = in_order[in_order["refused"].notna()].to_dict("records")
        return {row["filter"]: judge_match(row).reason or "" for row in rows}

    def to_html(self, path: str | os.PathLike[str], title: str = "Filters", *, genome: str | None = None) -> None:
        """Write a report: one file, its pictures inside; `rcinterp.write_report` writes one on several models.

        Parameters
        ----------
        path : path
        title : str
        genome : str, optional
            Assembly by its name at the UCSC Genome Browser, such as "hg38", to which the sites' coordinates are linked.
        """
        write_report(path, self, title, genome=genome)

    def save(self, folder: str | os.PathLike[str], title: str = "Filters", *, genome: str | None = None) -> Path:
        r"""Write filters.tsv (the table), its parts as .tsv, sites.bed, logos and report.html.

        The parts are contributions, palindromes, triage, matches and sites; sites.bed is written where the sequences'
        names hold coordinates, and faithfulness.tsv where it was measured. filters.meme holds the motif of every filter
        that has sites, the refused ones too; it is not written if there is none. Queries without a p-value stand in
        lines that begin with # at the end of matches.tsv
        (``pandas.read_csv(..., sep="\t", comment="#")``).

        Returns
        -------
        Path
            Of the report.
        """
        folder = as_path(folder, "save")
        with whole_folder(folder, INTERPRETATION, removable(folder, INTERPRETATION)) as part:
            for name in ("contributions", "palindromes", "triage"):
                write_table(part / f"{name}.tsv", getattr(self, name))
            write_table(part / "filters.tsv", self.table)
            write_table(part / "sites.tsv", self.sites, float_format="%.6g")
            if "chrom" in self.sites:
                bed = self.sites.dropna(subset=["chrom"])
                bed = bed[["chrom", "chrom_start", "chrom_end", "filter", "site_contribution", "chrom_strand"]]
                write_table(part / "sites.bed", bed, header=False, float_format="%.6g")
            if self.faithfulness is not None:
                write_table(part / "faithfulness.tsv", self.faithfulness.table)
            write_at_once(part / "matches.tsv", format_matches(self.matches, self._refused()))
            if self._n_sites():
                self.to_meme(part / "filters.meme")
            save_figure(self.plot(), part / "logos")
            self.to_html(part / "report.html", title, genome=genome)
            seal(part / "report.html")
        return folder / "report.html"

    def __repr__(self) -> str:
        return f"Interpretation of {len(self.table)} filters. " + " ".join(self.notes())

    def _repr_html_(self) -> str:
        return notebook_table(self)
