"""From a model and sequences to what there is to say of each of its filters."""

import warnings
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rcinterp.comparison import (
    MAX_QUERY_WIDTH,
    UninformativeMotifWarning,
    best_matches,
    compare_motifs,
    empty_table,
)
from rcinterp.data.datasets import check_disjoint
from rcinterp.data.sequences import SequenceInput, as_one_hot, names_of
from rcinterp.errors import InputError
from rcinterp.interpretation.result import Interpretation
from rcinterp.interpretation.verdicts import refusal, verdict
from rcinterp.motifs import Motif, MotifSource, information_content, load_motifs_with_sites
from rcinterp.motifs.centring import mean_center
from rcinterp.palindromes.finding import find_palindromes
from rcinterp.palindromes.triage import triage_palindromes
from rcinterp.reading.contributions import Baseline, Method, filter_contributions, find_scorer
from rcinterp.reading.faithfulness import faithfulness
from rcinterp.reading.filter_motifs import motif_of_sites, trim_ppm, weights_to_ppm
from rcinterp.reading.layer import FilterLayer
from rcinterp.reading.model import Args, Caller, Func, split_args
from rcinterp.reading.sites import THRESHOLD, BestSites, check_threshold, find_view
from rcinterp.training.performance import score_logits

MotifsFrom = Literal["sites", "weights", "likelihood"]


def interpret(
    model: nn.Module,
    positives: SequenceInput,
    negatives: SequenceInput,
    motifs: MotifSource = "encode",
    layer: str | None = None,
    target: int = 0,
    *,
    motifs_from: MotifsFrom = "sites",
    distance: str = "euclidean",
    method: Method = "gradient_x_activation",
    baseline: Baseline = "zero",
    threshold: float = THRESHOLD,
    measure_faithfulness: bool = True,
    args: Args = None,
    func: Func | None = None,
    seed: int = 0,
    batch_size: int = 100,
    device: str | torch.device | None = None,
    verbose: bool = False,
) -> Interpretation:
    """Every filter of a layer: what it contributes, how sure that is, whether it is a palindrome, which motif it is.

    Parameters
    ----------
    model : nn.Module
        Any model of sequences (n, 4, L) -> logits (n, n_tasks), (n,), or a profile (n, n_tasks, positions); comes back
        as it was.
    positives, negatives : Tensor (N, 4, L), or a FASTA path, or a list or Series of str
        Best taken from sequences that the model was not trained on. Names such as ``chr1:1000-1200`` give the sites
        coordinates.
    motifs : "encode", a path, or dict of str to (4, W) PPM
        Known motifs, as in `load_motifs`.
    layer : str, optional
        Name of the convolution, as in ``model.named_modules()``; the first one over the sequence when not given. A
        deeper layer's filters are known by their sites alone.
    target : int
        Which logit.
    motifs_from : "sites", "weights" or "likelihood"
        How a filter becomes the motif that is compared: from its best-scoring sites (`sites_to_ppms`) in the
        class, positives or negatives, whose sites hold more information; from its weights alone (`weights_to_ppm`); or
        from its weights, at the scale under which those sites are most likely.
    distance : "euclidean" or "pearson"
        Of two positions of motifs, as in `compare_motifs`.
    method, baseline : str
        How contributions are measured, as in `filter_contributions`.
    threshold : float
        Share of a filter's best score that a site must reach.
    measure_faithfulness : bool
        Whether to compare the contributions with exact ablation (`faithfulness`), unless they are that themselves.
    args, func, seed, batch_size, device, verbose
        As in `filter_contributions`.

    Returns
    -------
    Interpretation

    Raises
    ------
    InputError
        If the model, the sequences or the layer cannot be used.

    Notes
    -----
    A filter whose sites are no more informative than the same filter's sites in the other class (by `MIN_GAIN` bits)
    gets no p-value: what they show is the choice of the best of many sites, not the data. ``matches.attrs["refused"]``,
    the verdicts and the end of matches.tsv say so. Motifs of deeper layers are as wide as what a filter sees; positions
    at their ends that hold less than `TRIM_BITS` are left out.

    References
    ----------
    Shrikumar, Greenside & Kundaje 2017, sections 2.2.2 and 3.5.
    """
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
    check_threshold(threshold, "interpret")
    if motifs_from not in ("sites", "weights", "likelihood"):
        raise InputError(f"interpret: got motifs_from={motifs_from!r}, expected 'sites', 'weights' or 'likelihood'.")
    known = load_motifs_with_sites(motifs)
    caller = Caller(model, target, func, batch_size, device, verbose)
    args_positive, args_negative = split_args(args, len(x_positive), len(x_negative))
    how: dict[str, Any] = {"method": method, "baseline": baseline, "args": args, "func": func, "seed": seed}
    how |= {"batch_size": batch_size, "device": device, "verbose": verbose}
    with caller.borrowed():  # once for all steps
        place = find_scorer(caller, x_positive, args_positive, layer, method, "activation").place
        name = place.filters.name
        view = find_view(caller, place, x_positive, args_positive)
        of_letters = view.of_letters
        if not of_letters and motifs_from != "sites":
            raise InputError(
                f"interpret: layer {name!r} does not read the sequence itself, expected motifs_from='sites': its "
                "weights are no patterns of letters."
            )
        best = _Classes(view.best_sites(x_positive, args_positive), view.best_sites(x_negative, args_negative))
        contributions = filter_contributions(model, x_positive, x_negative, name, target, **how)
        measured = None
        if measure_faithfulness and method != "ablation":  # which is what it would be compared with
            measured = faithfulness(model, x_positive, x_negative, name, target, **how)
        logits = _logits(caller, (x_positive, args_positive), (x_negative, args_negative))
    contributions.attrs["all_within_0_and_1"] = bool(((logits >= 0) & (logits <= 1)).all())
    scores = _scores(logits, len(x_positive))
    motifs_found = _motifs_of(place.filters, best, x_positive, x_negative, motifs_from, threshold, trim=not of_letters)
    ppms = dict(zip(motifs_found["filter"], motifs_found["ppm"], strict=True))
    filters = _centred(place.filters) if of_letters else {k: ppm * information_content(ppm) for k, ppm in ppms.items()}
    symmetric = filters if of_letters else ppms
    palindromes, triage = find_palindromes(symmetric), triage_palindromes(symmetric, motifs)
    matches = _compare(motifs_found, known, distance)
    sites = best.tabulate(motifs_found, x_positive.shape[2], threshold, positives, negatives)
    table = _tabulate(contributions, palindromes, triage, matches, motifs_found, known)
    return Interpretation(
        table=table,
        contributions=contributions,
        palindromes=palindromes,
        matches=matches,
        triage=triage,
        sites=sites,
        filters=filters,
        ppms=ppms,
        scores=scores,
        faithfulness=measured,
        layer=name,
        unit="weight" if of_letters else "bits",
        length=x_positive.shape[2],
    )


def _centred(layer: FilterLayer) -> dict[str, NDArray[np.float64]]:
    centred = mean_center(layer.weight.double()).weight.numpy()
    return dict(zip(layer.filter_names, centred, strict=True))


@dataclass(frozen=True)
class _Classes:
    """The best sites in either class."""

    positives: BestSites
    negatives: BestSites

    def tabulate(
        self, found: pd.DataFrame, length: int, threshold: float, positives: SequenceInput, negatives: SequenceInput
    ) -> pd.DataFrame:
        """Sites of the class that each filter's motif comes from."""
        names = found["filter"].tolist()
        tables = []
        for where, best, sequences in (
            ("positives", self.positives, positives),
            ("negatives", self.negatives, negatives),
        ):
            table = best.tabulate(names, length, threshold, names_of(sequences))
            own = found.loc[found["sites_in"].fillna("positives") == where, "filter"]
            tables.append(table[table["filter"].isin(own)].assign(sites_in=where))
        both = pd.concat(tables, ignore_index=True)
        positions = [column for column in ("chrom_start", "chrom_end") if column in both]
        both = both.astype(dict.fromkeys(positions, "Int64"))  # where one class alone has coordinates
        order = both["filter"].map({name: i for i, name in enumerate(names)})
        return both.iloc[np.argsort(order, kind="stable")].reset_index(drop=True)


def _motifs_of(
    layer: FilterLayer,
    best: _Classes,
    x_positive: Tensor,
    x_negative: Tensor,
    motifs_from: MotifsFrom,
    threshold: float,
    *,
    trim: bool,
) -> pd.DataFrame:
    """One row a filter: filter, ppm, sites_in, n_sites, information, other_information; no sites' for weights alone."""
    if motifs_from == "weights":
        ppms = [weights_to_ppm(weight) for weight in layer.weight]
        found = pd.DataFrame({"filter": layer.filter_names, "ppm": ppms})
        return found.assign(sites_in=None, n_sites=None, information=found["ppm"].map(_bits), other_information=np.nan)
    rows = []
    for f, name in enumerate(layer.filter_names):
        here = motif_of_sites(best.positives, f, x_positive.cpu().float(), threshold)
        there = motif_of_sites(best.negatives, f, x_negative.cpu().float(), threshold)
        where = "positives" if _bits(here.ppm) >= _bits(there.ppm) else "negatives"
        own, other = (here, there) if where == "positives" else (there, here)
        ppm = own.ppm
        if motifs_from == "likelihood" and own.n_sites:
            ppm = weights_to_ppm(layer.weight[f], site_counts=own.ppm * own.n_sites)
        elif trim:
            ppm = trim_ppm(ppm)
        row = {"filter": name, "ppm": ppm, "sites_in": where, "n_sites": own.n_sites, "information": _bits(own.ppm)}
        rows.append(row | {"other_information": _bits(other.ppm)})
    return pd.DataFrame(rows)


def _bits(ppm: NDArray[np.float64]) -> float:
    return float(information_content(ppm).sum())


def _compare(found: pd.DataFrame, known: dict[str, Motif], distance: str) -> pd.DataFrame:
    """Matches of the filters that have something to compare; the reasons against the others in attrs["refused"]."""
    compared, refused = {}, {}
    for row in found.to_dict("records"):
        n_sites = None if pd.isna(row["n_sites"]) else row["n_sites"]
        reason = refusal(n_sites, row["information"], row["other_information"])
        if reason is None and row["ppm"].shape[1] > MAX_QUERY_WIDTH:
            reason = f"its motif is {row['ppm'].shape[1]} bp wide, more than {MAX_QUERY_WIDTH}"
        if reason is None:
            compared[row["filter"]] = Motif(row["ppm"], n_sites)
        else:
            refused[row["filter"]] = reason
    matches = empty_table()
    if compared:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UninformativeMotifWarning)  # the verdicts tell it
            matches = compare_motifs(compared, known, distance=distance)
    matches.attrs["refused"] = refused | matches.attrs.get("refused", {})
    return matches


def _logits(caller: Caller, *classes: tuple[Tensor, Args]) -> Tensor:
    """What the model says of the sequences, (N, 1)."""
    with torch.no_grad():
        found = [
            caller.scores(inputs).double().cpu() for x, args in classes for inputs in caller.batches(x, args, "scores")
        ]
    return torch.cat(found)[:, None]


def _scores(logits: Tensor, n_positives: int) -> dict[str, float]:
    y = (torch.arange(len(logits)) < n_positives).float()[:, None]
    return {str(name): float(value) for name, value in score_logits(y, logits).iloc[0].items()}


def _tabulate(
    contributions: pd.DataFrame,
    palindromes: pd.DataFrame,
    triage: pd.DataFrame,
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
    sure = {"ci_low": "score_low", "ci_high": "score_high", "p_value": "score_p", "q_value": "score_q"}
    palindrome = palindromes.rename(columns={"p_value": "palindrome_p", "axis": "palindrome_axis"})
    table = contributions.rename(columns=sure).merge(palindrome.drop(columns=["shift", "overlap"]), on="filter")
    judged = triage[["filter", "verdict", "motif"]].rename(columns={"verdict": "triage", "motif": "triage_motif"})
    table = table.merge(judged, on="filter")
    table = table.merge(found[["filter", "sites_in", "n_sites", "information", "other_information"]], on="filter")
    table["n_sites"] = table["n_sites"].astype("Int64")
    table = table.join(best[["best_match", "orientation", "p_value", "q_value"]], on="filter")
    table["match_similarity"] = table["best_match"].map(own).astype(float)
    refused, largest = matches.attrs["refused"], float(table["score"].abs().max())
    table["verdict"] = [verdict(row, largest, refused.get(row["filter"])) for row in table.to_dict("records")]
    return table.sort_values("score", ascending=False, kind="stable", ignore_index=True)
