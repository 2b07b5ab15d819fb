"""The answer that a person looks at: what each filter contributes, looks like and is known as."""

import os
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from rcinterp.centring import mean_center
from rcinterp.comparison import UninformativeMotifWarning, best_matches, compare_motifs, format_matches
from rcinterp.contributions import filter_contributions
from rcinterp.errors import InputError
from rcinterp.filter_motifs import sites_to_ppms, weights_to_ppm
from rcinterp.filters import FilterLayer, find_filters
from rcinterp.inference import predict
from rcinterp.logos import plot_filters
from rcinterp.metrics import score_logits
from rcinterp.motifs import information_content, load_motifs, write_meme
from rcinterp.palindromes import find_palindromes
from rcinterp.report import Section, filter_section, write_report
from rcinterp.sequences import SequenceInput, as_one_hot

#: A filter is called a palindrome above this similarity to its own reverse complement; 30 % of the ENCODE motifs are.
PALINDROME_SIMILARITY = 0.8
#: A match is named below this q-value. Basset took 0.1, at which filters of little information match noise.
MATCH_Q_VALUE = 0.01
#: A filter whose score is smaller than this share of the largest is called negligible.
NEGLIGIBLE_SHARE = 0.05


@dataclass(frozen=True, eq=False)
class Interpretation:
    """What `interpret` found.

    Attributes
    ----------
    table : DataFrame
        One row a filter, the largest contribution first: filter, score, mean_positive, mean_negative (units of the
        logit), similarity, palindrome_p, palindrome_axis (of the filter and its reverse complement), n_sites,
        information (bits, of the motif that was compared), best_match, orientation, p_value, q_value,
        match_similarity (of the best match to its own reverse complement), verdict.
    contributions, palindromes, matches : DataFrame
        As `filter_contributions`, `find_palindromes` and `compare_motifs` return them.
    filters : dict of str to ndarray, shape (4, W)
        Mean-centred weights.
    ppms : dict of str to ndarray, shape (4, W)
        The motifs that were compared: letter probabilities.
    scores : dict of str to float
        auroc and auprc of the model on the sequences given.
    """

    table: pd.DataFrame
    contributions: pd.DataFrame
    palindromes: pd.DataFrame
    matches: pd.DataFrame
    filters: dict[str, NDArray[np.float64]]
    ppms: dict[str, NDArray[np.float64]]
    scores: dict[str, float]

    def plot(self, max_filters: int | None = 8) -> Figure:
        """Logos of the centred weights, forward and reverse complement, the largest contribution first."""
        return plot_filters(self.filters, self.table, max_filters=max_filters, ylabel="weight")

    def to_meme(self, path: str | os.PathLike[str]) -> None:
        """Write the motifs that were compared to a MEME file; filters without sites are left out of it."""
        counted = self.table.dropna(subset="n_sites")
        sites = dict(zip(counted["filter"], counted["n_sites"].astype(float), strict=True))
        kept = {name: ppm for name, ppm in self.ppms.items() if sites.get(name, 1) > 0}
        if not kept:
            raise InputError(f"{path}: not written, as no filter has a site; the model is not trained.")
        write_meme(path, kept, n_sites=sites)

    def to_html(self, path: str | os.PathLike[str], title: str = "Filters") -> None:
        """Write a report: one file, its pictures inside."""
        write_report(path, title, [self.section("")])

    def save(self, folder: str | os.PathLike[str], title: str = "Filters") -> Path:
        """Write contributions.tsv, palindromes.tsv, matches.tsv, filters.meme, logos.png, logos.svg and report.html.

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
        (folder / "matches.tsv").write_text(format_matches(self.matches), encoding="utf-8")
        self.to_meme(folder / "filters.meme")
        figure = self.plot()
        figure.savefig(folder / "logos.png", dpi=150)
        figure.savefig(folder / "logos.svg", metadata={"Date": None})
        self.to_html(folder / "report.html", title)
        return folder / "report.html"

    def section(self, heading: str) -> Section:
        """Part of a report, for `rcinterp.report.write_report`."""
        return filter_section(heading, self.table, self.filters, self.ppms, self.scores)

    def _repr_html_(self) -> str:
        return str(self.table.to_html(index=False, float_format="{:.3g}".format))


def interpret(
    model: nn.Module,
    positives: SequenceInput,
    negatives: SequenceInput,
    motifs: str | os.PathLike[str] | Mapping[str, ArrayLike] = "encode",
    layer: str | None = None,
    target: int = 0,
    *,
    motifs_from: Literal["sites", "weights"] = "sites",
    batch_size: int = 100,
) -> Interpretation:
    """Every filter of a model's first layer: how much it contributes, whether it is a palindrome, which motif it is.

    Parameters
    ----------
    model : nn.Module
        (n, 4, L) -> logits (n, n_tasks); comes back as it was.
    positives, negatives : Tensor (N, 4, L), or a FASTA path, or a list of str
        Best taken from sequences that the model was not trained on.
    motifs : "encode", a path, or dict of str to (4, W) PPM
        Known motifs, as in `load_motifs`.
    layer : str, optional
        Name of the convolution; the first one over the sequence when not given. It must read one-hot letters.
    target : int
        Which logit.
    motifs_from : "sites" or "weights"
        How a filter becomes the motif that is compared: from its best-scoring sites in the positives
        (`sites_to_ppms`), or from its weights alone (`weights_to_ppm`).
    batch_size : int
        Sequences at a time.

    Returns
    -------
    Interpretation

    Raises
    ------
    InputError
        If the sequences or the layer cannot be used.

    References
    ----------
    Shrikumar, Greenside & Kundaje 2017, sections 2.2.2 and 3.5.
    """
    layer_filters = find_filters(model, layer)
    if layer_filters.weight.shape[1] != 4:
        raise InputError(
            f"interpret: layer {layer_filters.name!r} reads {layer_filters.weight.shape[1]} channels, expected 4 "
            "(one-hot letters). Its filters have no logo; filter_contributions(model, ..., layer=...) scores them."
        )
    x_positive, x_negative = (
        as_one_hot(positives, "interpret: positives"),
        as_one_hot(negatives, "interpret: negatives"),
    )
    known = load_motifs(motifs)
    contributions = filter_contributions(
        model, x_positive, x_negative, layer_filters.name, target, batch_size=batch_size
    )
    filters = _centred(layer_filters)
    palindromes = find_palindromes(filters)
    ppms, n_sites = _motifs_of(layer_filters, x_positive, motifs_from)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UninformativeMotifWarning)  # the verdicts tell it
        matches = compare_motifs(ppms, known)
    table = _tabulate(contributions, palindromes, matches, ppms, n_sites, known)
    return Interpretation(
        table, contributions, palindromes, matches, filters, ppms, _scores(model, x_positive, x_negative, target)
    )


def _centred(layer: FilterLayer) -> dict[str, NDArray[np.float64]]:
    centred = mean_center(layer.weight.double()).weight.numpy()
    return dict(zip(layer.filter_names, centred, strict=True))


def _motifs_of(
    layer: FilterLayer, x: Tensor, motifs_from: str
) -> tuple[dict[str, NDArray[np.float64]], dict[str, int | None]]:
    """PPM of each filter, and the number of sites that it was counted from (None if from weights)."""
    if motifs_from == "sites":
        found = dict(zip(layer.filter_names, sites_to_ppms(layer.weight, x, both_strands=layer.is_rc), strict=True))
        return {name: motif.ppm for name, motif in found.items()}, {name: m.n_sites for name, m in found.items()}
    if motifs_from == "weights":
        ppms = [weights_to_ppm(weight) for weight in layer.weight]
        return dict(zip(layer.filter_names, ppms, strict=True)), dict.fromkeys(layer.filter_names)
    raise InputError(f"interpret: got motifs_from={motifs_from!r}, expected 'sites' or 'weights'.")


def _scores(model: nn.Module, x_positive: Tensor, x_negative: Tensor, target: int) -> dict[str, float]:
    logits = torch.cat([predict(model, x)[:, [target]] for x in (x_positive, x_negative)])
    y = torch.cat([torch.ones(len(x_positive), 1), torch.zeros(len(x_negative), 1)])
    return {str(name): float(value) for name, value in score_logits(y, logits).iloc[0].items()}


def _tabulate(
    contributions: pd.DataFrame,
    palindromes: pd.DataFrame,
    matches: pd.DataFrame,
    ppms: dict[str, NDArray[np.float64]],
    n_sites: dict[str, int | None],
    known: dict[str, NDArray[np.float64]],
) -> pd.DataFrame:
    """One row a filter, the largest contribution first."""
    best = best_matches(matches).set_index("Query_ID")
    best = best.rename(
        columns={"Target_ID": "best_match", "Orientation": "orientation", "p-value": "p_value", "q-value": "q_value"}
    )
    named = {name: known[name] for name in best["best_match"].unique()}
    own = find_palindromes(named).set_index("filter")["similarity"] if named else pd.Series(dtype=float)
    palindrome = palindromes.rename(columns={"p_value": "palindrome_p", "axis": "palindrome_axis"})
    table = contributions.merge(palindrome.drop(columns=["shift", "overlap"]), on="filter")
    table["n_sites"] = table["filter"].map(n_sites).astype("Int64")
    table["information"] = table["filter"].map({name: information_content(ppm).sum() for name, ppm in ppms.items()})
    table = table.join(best[["best_match", "orientation", "p_value", "q_value"]], on="filter")
    table["match_similarity"] = table["best_match"].map(own).astype(float)
    refused, largest = matches.attrs["refused"], float(table["score"].abs().max())
    table["verdict"] = [_verdict(row, largest, refused.get(row["filter"])) for _, row in table.iterrows()]
    return table.sort_values("score", ascending=False, kind="stable", ignore_index=True)


def _verdict(row: pd.Series, largest: float, refusal: str | None) -> str:
    """What there is to say of a filter, in words; the thresholds are this module's constants."""
    if row["mean_positive"] == 0 and row["mean_negative"] == 0:
        return "dead: never active on these sequences"
    said = []
    if abs(row["score"]) < NEGLIGIBLE_SHARE * largest:
        said.append("negligible contribution")
    elif row["score"] < 0:
        said.append("speaks against binding")
    if refusal:
        said.append(f"no p-value: {refusal}")
    elif pd.isna(row["q_value"]) or row["q_value"] > MATCH_Q_VALUE:
        said.append("no known motif")
    else:
        said.append(f"resembles {row['best_match']}")
    if row["similarity"] >= PALINDROME_SIMILARITY:
        known_palindrome = row["match_similarity"] >= PALINDROME_SIMILARITY
        said.append("palindromic, as that motif is" if known_palindrome else "palindromic: perhaps an artefact")
    return "; ".join(said)
