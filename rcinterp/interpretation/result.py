"""The answer that a person looks at: what each filter contributes, looks like and is known as."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib import rc_context
from matplotlib.figure import Figure
from numpy.typing import NDArray

from rcinterp.comparison import format_matches
from rcinterp.errors import InputError
from rcinterp.interpretation.verdicts import SCORE_Q_VALUE
from rcinterp.motifs import write_meme
from rcinterp.reading.faithfulness import Faithfulness
from rcinterp.report.logos import plot_filters
from rcinterp.report.page import Section, filter_section, write_report


@dataclass(frozen=True, eq=False, repr=False)
class Interpretation:
    """What `interpret` found.

    Attributes
    ----------
    table : DataFrame
        One row a filter, the largest contribution first: filter; score, mean_positive, mean_negative, score_low and
        score_high (95 % interval), in units of the logit; score_p, score_q (permutation), active_share, strand_balance,
        as in `filter_contributions`; similarity, palindrome_p, palindrome_axis (of the filter and its reverse
        complement), triage and triage_motif (`triage_palindromes`); sites_in (the class that the motif's sites come
        from), n_sites, information (bits, of the motif), other_information (bits, of the same filter's sites in the
        other class); best_match, orientation, p_value, q_value (of the motif), match_similarity (of the best match to
        its own reverse complement); verdict.
    contributions, palindromes, matches, triage, sites : DataFrame
        As `filter_contributions`, `find_palindromes`, `compare_motifs`, `triage_palindromes` and `find_sites` return
        them; sites only of the class that the motif comes from, which is a column ``sites_in``.
    filters : dict of str to ndarray, shape (4, W)
        Mean-centred weights; of a layer that does not read letters, its motifs in bits.
    ppms : dict of str to ndarray, shape (4, W)
        The motifs that were compared: letter probabilities.
    scores : dict of str to float
        auroc and auprc of the model on the sequences given.
    faithfulness : Faithfulness or None
        How well the contributions predict exact ablation; None if it was not asked for.
    layer : str
        Name of the convolution.
    unit : "weight" or "bits"
        Of `filters`.
    length : int
        Of the sequences, in bp.
    """

    table: pd.DataFrame
    contributions: pd.DataFrame
    palindromes: pd.DataFrame
    matches: pd.DataFrame
    triage: pd.DataFrame
    sites: pd.DataFrame
    filters: dict[str, NDArray[np.float64]]
    ppms: dict[str, NDArray[np.float64]]
    scores: dict[str, float]
    faithfulness: Faithfulness | None
    layer: str
    unit: str
    length: int

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

    def to_html(self, path: str | os.PathLike[str], title: str = "Filters") -> None:
        """Write a report: one file, its pictures inside."""
        write_report(path, title, [self.section("")])

    def save(self, folder: str | os.PathLike[str], title: str = "Filters") -> Path:
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
            bed = bed[["chrom", "chrom_start", "chrom_end", "filter", "score", "chrom_strand"]]
            bed.to_csv(folder / "sites.bed", sep="\t", index=False, header=False, float_format="%.6g")
        if self.faithfulness is not None:
            self.faithfulness.table.to_csv(folder / "faithfulness.tsv", sep="\t", index=False)
        (folder / "matches.tsv").write_text(format_matches(self.matches), encoding="utf-8")
        if self._n_sites():
            self.to_meme(folder / "filters.meme")
        figure = self.plot()
        figure.savefig(folder / "logos.png", dpi=150)
        with rc_context({"svg.hashsalt": "rcinterp"}):  # the same bytes for the same filters
            figure.savefig(folder / "logos.svg", metadata={"Date": None})
        self.to_html(folder / "report.html", title)
        return folder / "report.html"

    def section(self, heading: str) -> Section:
        """Part of a report, for `rcinterp.report.page.write_report`."""
        return filter_section(
            heading, self.table, self.filters, self.ppms, self.notes(), self.sites, self.length, self.unit
        )

    def notes(self) -> list[str]:
        """Sentences that belong to every report: how good the model is, what was scored how, and how faithfully."""
        attrs = self.contributions.attrs
        said = [
            f"On these sequences the model reaches auROC {self.scores['auroc']:.4f} and auPRC "
            f"{self.scores['auprc']:.4f}.",
            f"Layer {self.layer}, {len(self.table)} filters; contribution by {attrs['method'].replace('_', ' ')} at "
            f"the {attrs['at']}; {int((self.table['score_q'] <= SCORE_Q_VALUE).sum())} of them are significant (q <= "
            f"{SCORE_Q_VALUE:g}).",
        ]
        if attrs.get("all_within_0_and_1"):
            said.append(
                "All outputs lie between 0 and 1: if they are probabilities, contributions add up better on their "
                "logits, func=lambda y: torch.logit(y, eps=1e-6)."
            )
        if self.faithfulness is not None:
            said.append(f"Faithfulness: {self.faithfulness}.")
        return said

    def __repr__(self) -> str:
        return f"Interpretation of {len(self.table)} filters. " + " ".join(self.notes())

    def _repr_html_(self) -> str:
        return str(self.table.to_html(index=False, float_format="{:.3g}".format))
