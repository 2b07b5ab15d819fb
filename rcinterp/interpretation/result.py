"""The answer that a person looks at: what each filter contributes, looks like and is known as."""

import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import NDArray

from rcinterp.comparison import format_matches
from rcinterp.errors import InputError
from rcinterp.interpretation.answer import answer
from rcinterp.interpretation.origin import Origin
from rcinterp.interpretation.report import notebook_table, write_report
from rcinterp.interpretation.settings import Settings
from rcinterp.interpretation.verdicts import CONTRIBUTION_Q_VALUE, LEAST_AUROC, judge_match
from rcinterp.motifs import write_meme
from rcinterp.reading.contributions import Histogram
from rcinterp.reading.faithfulness import Faithfulness
from rcinterp.reading.strands import StrandConsistency
from rcinterp.report.figures import save_figure
from rcinterp.report.logos import plot_filters


@dataclass(frozen=True, eq=False, repr=False)
class Interpretation:
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
        Logits of the two strands of the first 200 sequences of each class.
    history : DataFrame or None
        How the training of a compact model went, one row an epoch.
    origin : Origin or None
        What all this was made from.
    """

    table: pd.DataFrame
    contributions: pd.DataFrame
    palindromes: pd.DataFrame
    matches: pd.DataFrame
    triage: pd.DataFrame
    sites: pd.DataFrame
    filters: dict[str, NDArray[np.float64]]
    ppms: dict[str, NDArray[np.float64]]
    performance: dict[str, float]
    faithfulness: Faithfulness | None
    settings: Settings
    layer: str
    unit: str
    length: int
    is_probability: bool
    other_layers: tuple[str, ...] = ()
    baseline: dict[str, float] | None = None
    leakage: tuple[str, ...] = ()
    targets: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    best_sites: pd.DataFrame | None = None
    distributions: dict[str, Histogram] = field(default_factory=dict)
    strands: StrandConsistency | None = None
    history: pd.DataFrame | None = None
    origin: Origin | None = None

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

    @property
    def target(self) -> int:
        """Which logit was read."""
        return 0 if self.origin is None else self.origin.target

    @property
    def answer(self) -> str:
        """The answer in a few sentences: how many filters carry the prediction, what they show, what is an artefact."""
        return answer(self.table, self.performance["auroc"])

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

    def notes(self) -> list[str]:
        """Sentences on the model and on how it was read: how good it is, what was scored how, and how faithfully."""
        row = self.contributions.iloc[0]
        cut_at = f"{row['cut_at']} ({row['cut_reason']})" if row["cut_reason"] else row["cut_at"]
        n_significant = int((self.table["contribution_q"] <= CONTRIBUTION_Q_VALUE).sum())
        output = "" if row["output"] == "as returned" else f" to the model's output {row['output']}"
        said = [
            f"On these sequences the model reaches auROC {self.performance['auroc']:.4f} and auPRC "
            f"{self.performance['auprc']:.4f}.",
            f"Layer {self.layer}, {len(self.table)} filters; contribution{output} by "
            f"{row['method'].replace('_', ' ')} at the {cut_at}; {n_significant} of them are significant "
            f"(q <= {CONTRIBUTION_Q_VALUE:g}).",
        ]
        if self.baseline is not None:
            said.insert(1, _compare_with_baseline(self.performance, self.baseline))
        said += self._cautions()
        if self.faithfulness is not None:
            said.append(f"Faithfulness: {self.faithfulness}.")
        return said

    def warnings(self) -> list[str]:
        """Sentences on what would mislead a reader who does not know it."""
        said = self._cautions()
        if self.performance["auroc"] < LEAST_AUROC:
            said.append("The model calls the negatives positive: perhaps the two classes are the wrong way round.")
        if self.baseline is not None and self.performance["auroc"] <= self.baseline["auroc"]:
            said.append(_compare_with_baseline(self.performance, self.baseline))
        reason = self.contributions.iloc[0]["cut_reason"]
        if reason:
            said.append(f"Contributions were taken at the convolution, not after its nonlinearity: {reason}.")
        output = self.contributions.iloc[0]["output"]
        if output != "as returned":
            said.append(f"Contributions are to the model's output {output}.")
        if self.faithfulness is not None and (self.faithfulness.pearson < 0 or self.faithfulness.slope < 0):
            said.append(
                f"The contributions disagree with exact ablation (r = {self.faithfulness.pearson:.2f}, slope "
                f"{self.faithfulness.slope:.2f}): do not trust their signs or their order."
            )
        return said

    def _cautions(self) -> list[str]:
        said = [f"When the model was trained: {message}" for message in self.leakage]
        if self.other_layers:
            said.append(f"The sequence is also read by {', '.join(self.other_layers)}, whose filters are not shown.")
        if self.is_probability:
            said.append(
                "All outputs lie between 0 and 1: if they are probabilities, contributions add up better on their "
                "logits, func=lambda y: torch.logit(y, eps=1e-6)."
            )
        return said

    def __repr__(self) -> str:
        return f"Interpretation of {len(self.table)} filters. {self.answer} {' '.join(self.notes())}"

    def _repr_html_(self) -> str:
        return notebook_table(self)


def _compare_with_baseline(performance: dict[str, float], baseline: dict[str, float]) -> str:
    """The sentence on composition and short words alone."""
    gain = performance["auroc"] - baseline["auroc"]
    what = "the model has learned more" if gain > 0 else "nothing shows that the model has learned more"
    return (
        f"A logistic regression on counts of 6-mers, trained on the same sequences as the model, reaches auROC "
        f"{baseline['auroc']:.4f} and auPRC {baseline['auprc']:.4f}: {what} than composition and short words."
    )
