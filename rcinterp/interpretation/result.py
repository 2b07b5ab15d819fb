"""The answer that a person looks at: what each filter contributes, looks like and is known as."""

import os
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from rcinterp.comparison import format_matches
from rcinterp.errors import InputError
from rcinterp.interpretation.findings import Findings
from rcinterp.interpretation.report import notebook_table, write_report
from rcinterp.interpretation.verdicts import judge_match
from rcinterp.motifs import write_meme
from rcinterp.report.figures import save_figure
from rcinterp.report.logos import plot_filters


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

    Examples
    --------
    ``found = interpret(model, positives, negatives)``, then ``found.answer``, ``found.table``, ``found.plot()``,
    ``found.save("report")``.
    """

    def plot(self, max_filters: int | None = 8) -> Figure:
        """Logos of the centred weights, forward and reverse complement, the largest contribution first."""
        return plot_filters(self.filters, self.table, max_filters=max_filters, ylabel=self.unit)

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
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self.table.to_csv(folder / "filters.tsv", sep="\t", index=False)
        self.contributions.to_csv(folder / "contributions.tsv", sep="\t", index=False)
        self.palindromes.to_csv(folder / "palindromes.tsv", sep="\t", index=False)
        self.triage.to_csv(folder / "triage.tsv", sep="\t", index=False)
        self.sites.to_csv(folder / "sites.tsv", sep="\t", index=False, float_format="%.6g")
        if "chrom" in self.sites:
            bed = self.sites.dropna(subset=["chrom"])
            bed = bed[["chrom", "chrom_start", "chrom_end", "filter", "site_contribution", "chrom_strand"]]
            bed.to_csv(folder / "sites.bed", sep="\t", index=False, header=False, float_format="%.6g")
        if self.faithfulness is not None:
            self.faithfulness.table.to_csv(folder / "faithfulness.tsv", sep="\t", index=False)
        (folder / "matches.tsv").write_text(format_matches(self.matches, self._refused()), encoding="utf-8")
        if self._n_sites():
            self.to_meme(folder / "filters.meme")
        save_figure(self.plot(), folder / "logos")
        self.to_html(folder / "report.html", title, genome=genome)
        return folder / "report.html"

    def __repr__(self) -> str:
        return f"Interpretation of {len(self.table)} filters. " + " ".join(self.notes())

    def _repr_html_(self) -> str:
        return notebook_table(self)
