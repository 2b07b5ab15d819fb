"""The answer that a person looks at: what each filter contributes, looks like and is known as."""

import os
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
import torch
from matplotlib import rc_context
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor, nn

from rcinterp.centring import mean_center
from rcinterp.comparison import UninformativeMotifWarning, best_matches, compare_motifs, empty_table, format_matches
from rcinterp.contributions import filter_contributions
from rcinterp.datasets import check_disjoint
from rcinterp.errors import InputError
from rcinterp.filter_motifs import sites_to_ppms, weights_to_ppm
from rcinterp.filters import FilterLayer, find_filters
from rcinterp.inference import predict
from rcinterp.logos import plot_filters
from rcinterp.metrics import score_logits
from rcinterp.motifs import Motif, MotifSource, information_content, load_motifs_with_sites, write_meme
from rcinterp.palindromes import find_palindromes
from rcinterp.report import Section, filter_section, write_report
from rcinterp.sequences import SequenceInput, as_one_hot

#: A filter is called a palindrome above this similarity to its own reverse complement; 30 % of the ENCODE motifs are.
PALINDROME_SIMILARITY = 0.8
#: A match is named below this q-value. Basset took 0.1, at which filters of little information match noise.
MATCH_Q_VALUE = 0.01
#: Bits by which a filter's best sites in its own class must exceed those in the other class before they are compared
#: with known motifs. The best sites of a filter that has learned nothing still resemble the filter, in both alike: such
#: filters gained up to 1.0 bits, and filters that had learned CTCF 2.8 to 11 (docs/motifs.md).
MIN_GAIN = 2.0
#: A filter whose score is smaller than this share of the largest is called negligible.
NEGLIGIBLE_SHARE = 0.05


@dataclass(frozen=True, eq=False)
class Interpretation:
    """What `interpret` found.

    Attributes
    ----------
    table : DataFrame
        One row a filter, the largest contribution first: filter, score, mean_positive, mean_negative (units of the
        logit), similarity, palindrome_p, palindrome_axis (of the filter and its reverse complement), sites_in (the
        class that the motif's sites come from), n_sites, information (bits, of the motif), other_information (bits, of
        the same filter's sites in the other class), best_match, orientation, p_value, q_value, match_similarity (of
        the best match to its own reverse complement), verdict.
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
        r"""Write filters.tsv (the table), contributions.tsv, palindromes.tsv, matches.tsv, logos and report.html.

        filters.meme holds the motif of every filter that has sites, the refused ones too; it is not written if there is
        none. Queries without a p-value stand in lines that begin with # at the end of matches.tsv
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
        """Part of a report, for `rcinterp.report.write_report`."""
        return filter_section(heading, self.table, self.filters, self.ppms, self.scores)

    def _repr_html_(self) -> str:
        return str(self.table.to_html(index=False, float_format="{:.3g}".format))


def interpret(
    model: nn.Module,
    positives: SequenceInput,
    negatives: SequenceInput,
    motifs: MotifSource = "encode",
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
        How a filter becomes the motif that is compared: from its best-scoring sites (`sites_to_ppms`) in the
        class, positives or negatives, whose sites hold more information; or from its weights alone (`weights_to_ppm`).
    batch_size : int
        Sequences at a time.

    Returns
    -------
    Interpretation

    Raises
    ------
    InputError
        If the sequences or the layer cannot be used.

    Notes
    -----
    A filter whose sites are no more informative than the same filter's sites in the other class (by `MIN_GAIN` bits)
    gets no p-value: what they show is the choice of the best of many sites, not the data. ``matches.attrs["refused"]``,
    the verdicts and the end of matches.tsv say so.

    References
    ----------
    Shrikumar, Greenside & Kundaje 2017, sections 2.2.2 and 3.5.
    """
    layer_filters = find_filters(model, layer)
    x_positive, x_negative = (
        as_one_hot(positives, "interpret: positives"),
        as_one_hot(negatives, "interpret: negatives"),
    )
    if x_positive.shape[2] != x_negative.shape[2]:
        raise InputError(
            f"interpret: got positives of {x_positive.shape[2]} bp and negatives of {x_negative.shape[2]} bp, expected "
            "one length, the model's. Cut them to it."
        )
    check_disjoint(x_positive, x_negative, "interpret")
    _check_reads_letters(model, layer_filters, x_positive)
    known = load_motifs_with_sites(motifs)
    contributions = filter_contributions(
        model, x_positive, x_negative, layer_filters.name, target, batch_size=batch_size
    )
    filters = _centred(layer_filters)
    palindromes = find_palindromes(filters)
    motifs_found = _motifs_of(layer_filters, x_positive, x_negative, motifs_from)
    matches = _compare(motifs_found, known)
    table = _tabulate(contributions, palindromes, matches, motifs_found, known)
    ppms = dict(zip(motifs_found["filter"], motifs_found["ppm"], strict=True))
    return Interpretation(
        table, contributions, palindromes, matches, filters, ppms, _scores(model, x_positive, x_negative, target)
    )


def _check_reads_letters(model: nn.Module, layer: FilterLayer, x: Tensor) -> None:
    """Refuse a layer whose filters are no patterns of letters."""
    read: list[Tensor] = []
    handle = layer.convolution.register_forward_pre_hook(lambda module, args: read.append(args[0]))
    try:
        predict(model, x[:1])
    finally:
        handle.remove()
    if not read or read[0].shape != x[:1].shape or not torch.equal(read[0].cpu(), x[:1].to(read[0].dtype).cpu()):
        raise InputError(
            f"interpret: layer {layer.name!r} does not read the sequence itself, expected a first layer over one-hot "
            "letters. Its filters have no logo; filter_contributions(model, ..., layer=...) scores them."
        )
    dilation = layer.convolution.dilation
    if dilation not in (1, (1,)):
        raise InputError(
            f"interpret: layer {layer.name!r} has dilation {dilation}, expected 1: its filters have gaps that a logo "
            "does not show. filter_contributions(model, ..., layer=...) scores them."
        )


def _centred(layer: FilterLayer) -> dict[str, NDArray[np.float64]]:
    centred = mean_center(layer.weight.double()).weight.numpy()
    return dict(zip(layer.filter_names, centred, strict=True))


def _motifs_of(layer: FilterLayer, x_positive: Tensor, x_negative: Tensor, motifs_from: str) -> pd.DataFrame:
    """One row a filter: filter, ppm, information; and, from sites only, sites_in, n_sites, other_information."""
    if motifs_from == "weights":
        ppms = [weights_to_ppm(weight) for weight in layer.weight]
        found = pd.DataFrame({"filter": layer.filter_names, "ppm": ppms})
        found = found.assign(sites_in=None, n_sites=None, other_information=np.nan)
    elif motifs_from == "sites":
        positive, negative = (
            sites_to_ppms(layer.weight, x, both_strands=layer.is_rc) for x in (x_positive, x_negative)
        )
        rows = []
        for name, here, there in zip(layer.filter_names, positive, negative, strict=True):
            where = "positives" if _bits(here.ppm) >= _bits(there.ppm) else "negatives"
            own, other = (here, there) if where == "positives" else (there, here)
            row = {"filter": name, "ppm": own.ppm, "sites_in": where, "n_sites": own.n_sites}
            rows.append(row | {"other_information": _bits(other.ppm)})
        found = pd.DataFrame(rows)
    else:
        raise InputError(f"interpret: got motifs_from={motifs_from!r}, expected 'sites' or 'weights'.")
    return found.assign(information=found["ppm"].map(_bits))


def _bits(ppm: NDArray[np.float64]) -> float:
    return float(information_content(ppm).sum())


def _compare(found: pd.DataFrame, known: dict[str, Motif]) -> pd.DataFrame:
    """Matches of the filters that have something to compare; the reasons against the others in attrs["refused"]."""
    compared, refused = {}, {}
    for row in found.to_dict("records"):
        own, other = row["information"], row["other_information"]
        if row["n_sites"] == 0:
            refused[row["filter"]] = "no site scores above 0 (a dead filter)"
        elif own - other < MIN_GAIN:
            refused[row["filter"]] = (
                f"its best sites hold {own:.1f} bits, hardly more than those in the other class ({other:.1f})"
            )
        else:
            compared[row["filter"]] = Motif(row["ppm"], None if pd.isna(row["n_sites"]) else row["n_sites"])
    matches = empty_table()
    if compared:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UninformativeMotifWarning)  # the verdicts tell it
            matches = compare_motifs(compared, known)
    matches.attrs["refused"] = refused | matches.attrs.get("refused", {})
    return matches


def _scores(model: nn.Module, x_positive: Tensor, x_negative: Tensor, target: int) -> dict[str, float]:
    logits = torch.cat([predict(model, x)[:, [target]] for x in (x_positive, x_negative)])
    y = torch.cat([torch.ones(len(x_positive), 1), torch.zeros(len(x_negative), 1)])
    return {str(name): float(value) for name, value in score_logits(y, logits).iloc[0].items()}


def _tabulate(
    contributions: pd.DataFrame,
    palindromes: pd.DataFrame,
    matches: pd.DataFrame,
    found: pd.DataFrame,
    known: dict[str, Motif],
) -> pd.DataFrame:
    """One row a filter, the largest contribution first."""
    best = best_matches(matches).set_index("Query_ID")
    best = best.rename(
        columns={"Target_ID": "best_match", "Orientation": "orientation", "p-value": "p_value", "q-value": "q_value"}
    )
    named = {name: known[name].ppm for name in best["best_match"].unique()}
    own = find_palindromes(named).set_index("filter")["similarity"] if named else pd.Series(dtype=float)
    palindrome = palindromes.rename(columns={"p_value": "palindrome_p", "axis": "palindrome_axis"})
    table = contributions.merge(palindrome.drop(columns=["shift", "overlap"]), on="filter")
    table = table.merge(found[["filter", "sites_in", "n_sites", "information", "other_information"]], on="filter")
    table["n_sites"] = table["n_sites"].astype("Int64")
    table = table.join(best[["best_match", "orientation", "p_value", "q_value"]], on="filter")
    table["match_similarity"] = table["best_match"].map(own).astype(float)
    refused, largest = matches.attrs["refused"], float(table["score"].abs().max())
    table["verdict"] = [_verdict(row, largest, refused.get(row["filter"])) for _, row in table.iterrows()]
    return table.sort_values("score", ascending=False, kind="stable", ignore_index=True)


def _verdict(row: pd.Series, largest: float, refusal: str | None) -> str:
    """What there is to say of a filter, in words; the thresholds are this module's constants."""
    if row["mean_positive"] == 0 and row["mean_negative"] == 0:
        return "dead: contributes nothing on these sequences"
    said = []
    if abs(row["score"]) < NEGLIGIBLE_SHARE * largest:
        said.append("negligible contribution")
    elif row["sites_in"] == "negatives" and not refusal:
        said.append("a motif of the negatives")
    is_named = not refusal and row["q_value"] <= MATCH_Q_VALUE
    if refusal:
        said.append(f"no p-value: {refusal}")
    else:
        said.append(f"resembles {row['best_match']}" if is_named else "no known motif")
    if row["similarity"] >= PALINDROME_SIMILARITY:
        known_palindrome = is_named and row["match_similarity"] >= PALINDROME_SIMILARITY
        said.append("palindromic, as that motif is" if known_palindrome else "palindromic: perhaps an artefact")
    return "; ".join(said)
