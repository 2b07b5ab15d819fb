"""From a model and sequences to what there is to say of each of its filters."""

from __future__ import annotations

import warnings
from dataclasses import MISSING, fields, replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from rcinterp.comparison import compare_motifs, empty_table, find_uninformative
from rcinterp.data.datasets import digest_of_classes
from rcinterp.data.leakage import Leakage, find_repeats
from rcinterp.interpretation.naming import name_motifs
from rcinterp.interpretation.origin import trace_origin
from rcinterp.interpretation.result import Interpretation
from rcinterp.interpretation.settings import InterpretOptions, Settings
from rcinterp.interpretation.tables import tabulate_filters
from rcinterp.interpretation.verdicts import LEAST_AUROC, describe_below_chance, refuse
from rcinterp.motifs import Motif, MotifSource, information_content, load_motifs_with_sites
from rcinterp.palindromes.finding import find_palindromes
from rcinterp.palindromes.triage import triage_palindromes
from rcinterp.reading.filter_motifs import motifs_of_filters
from rcinterp.reading.functions import split_options
from rcinterp.reading.inputs import ModelInput
from rcinterp.reading.layer import FilterLayer
from rcinterp.reading.probability import are_probabilities
from rcinterp.reading.reader import Reader, Reading, as_reader
from rcinterp.reading.strands import StrandConsistency, compare_strands, without_calls
from rcinterp.report.filters import N_MATCHES
from rcinterp.training.baseline import KmerBaseline
from rcinterp.training.models import CompactModel
from rcinterp.training.performance import TRAINED_ON, score_logits, was_trained_on

if TYPE_CHECKING:
    from typing_extensions import Unpack


#: Sequences of each class whose two strands are compared.
N_OF_STRANDS = 100


def interpret(
    model: nn.Module | Reader,
    positives: ModelInput,
    negatives: ModelInput,
    motifs: MotifSource = "encode",
    layer: str | None = None,
    target: int = 0,
    **options: Unpack[InterpretOptions],
) -> Interpretation:
    """What the filters of a layer have learned: what each contributes, which motif it is, whether it is a palindrome.

    Parameters
    ----------
    model : nn.Module or Reader
        Any model of sequences (n, 4, L) -> logits (n, n_tasks), (n,), or a profile (n, n_tasks, positions); comes back
        as it was. A `Reader` has its own layer, target and options of running.
    positives, negatives : Tensor (N, 4, L), or a FASTA path, or a list of them, or a list or Series of str
        Best taken from sequences that the model was not trained on. A list of `pathlib.Path` is read one file after
        another. Names such as ``chr1:1000-1200`` give the sites coordinates. Or a tuple ``(sequences, control, ...)``
        with the further inputs of the model.
    motifs : "encode", a path, or dict of str to (4, W) PPM
        Known motifs, as in `load_motifs`.
    layer : str, optional
        Name of the convolution, as in ``model.named_modules()``; the first one over the sequence when not given. A
        deeper layer's filters are known by their sites alone.
    target : int
        Which logit.
    motifs_from : "sites", "weights" or "likelihood"
        How a filter becomes the motif that is compared: from its sites (the default), the places where it contributes
        most, in the class that it speaks for; from its weights alone (`weights_to_ppm`); or from its weights, at the
        scale under which those sites are most likely.
    distance : "euclidean" or "pearson"
        Of two positions of motifs, as in `compare_motifs`; the first by default.
    method, baseline : str
        How contributions are measured, as in `filter_contributions`.
    threshold : float
        Share of a filter's top contribution that a site must reach; 0.5 by default.
    flank : int
        Further bp on either side of each site that its motif may show; 0 by default. Flanks without information are
        left out of it.
    measure_faithfulness : bool
        Whether to compare the contributions with exact ablation (`faithfulness`), unless they are that themselves.
    seed : int
        Of the resamples, as in `filter_contributions`.
    func, args, device, batch_size, verbose, scheduler
        How the model is run, as in `Reader`.

    Returns
    -------
    Interpretation

    Raises
    ------
    InputError
        If the model, the sequences or the layer cannot be used.

    Notes
    -----
    A filter's site in a sequence is where its gradient x activation is largest, if that reaches `threshold` of the top
    contribution: the 95 % quantile of the sequences' largest ones, of both classes. A filter speaks for the positives
    if it raises their logits at its sites by more than those of the negatives, and for the negatives if it lowers
    theirs by more, whichever difference is larger. With ``motifs_from="weights"`` the motif owes nothing to them.

    A filter gets no p-value if it has fewer than `MIN_SITES` sites, or if as many more of them in its own class than in
    the other one may be chance (Fisher's exact test, `SITES_P_VALUE`), or if the model calls the negatives positive
    (auROC below `LEAST_AUROC`): the best sites of a filter that has learned
    nothing still resemble it. It is named after its best match that the composition of its columns does not explain
    (`rcinterp.comparison.shuffled_p_values`). The columns ``refused`` and ``match_shuffled_p``, the verdicts and the
    end of matches.tsv say so. Motifs of deeper layers are as wide as what a filter sees; positions at their ends that
    hold less than `TRIM_BITS` are left out.

    References
    ----------
    Shrikumar, Greenside & Kundaje 2017, sections 2.2.2 and 3.5.
    """
    run, own = split_options(dict(options))
    settings = Settings(**own)
    known = load_motifs_with_sites(motifs)
    reader = as_reader(model, layer, target, **run)
    reading = reader.read_classes(
        positives,
        negatives,
        method=settings.method,
        baseline=settings.baseline,
        seed=settings.seed,
        measure_faithfulness=settings.measure_faithfulness,
        letters_only=settings.motifs_from != "sites",
    )
    found = replace(
        _interpret(reading, known, motifs, settings, reader.runner.verbose),
        baseline=_measure_baseline(reader, reading),
        leakage=(*_leakage_of(reader.model), *_doubts_of(reader.model)),
        repeats=_find_repeats(reading),
        n_sequences=(len(reading.sites.inputs[0]), len(reading.sites.inputs[1])),
        is_training_data=_is_training_data(reader, reading),
        strands=_measure_strands(reader, reading),
        history=_history_of(reader.model),
        n_outputs=reader.n_outputs,
        origin=trace_origin(reader, reading.sites.letters, (positives, negatives), motifs),
    )
    _warn_of_what_is_doubtful(found)
    return found


def _warn_of_what_is_doubtful(found: Interpretation) -> None:
    """Say at once what would else stand in the report alone: a model at chance, signs that are wrong."""
    auroc = found.performance["auroc"]
    if auroc < LEAST_AUROC:
        warnings.warn(describe_below_chance(auroc, found.n_outputs, found.target), stacklevel=3)
    elif (chance := found.chance()) is not None:
        warnings.warn(chance, stacklevel=3)
    if found.is_training_data:
        warnings.warn(f"interpret: {TRAINED_ON}.", stacklevel=3)
    if (without := found.missing_intervals()) is not None:
        warnings.warn(f"interpret: {without}; give more sequences.", stacklevel=3)
    faith = found.faithfulness
    if faith is not None and (faith.pearson < 0 or faith.slope < 0):
        warnings.warn(
            f"the contributions disagree with exact ablation (r = {faith.pearson:.2f} over filters, slope "
            f"{faith.slope:.2f}): do not trust their signs or their order. Use method='ablation'.",
            stacklevel=3,
        )


def _interpret(
    reading: Reading, known: dict[str, Motif], catalogue: MotifSource, settings: Settings, verbose: bool
) -> Interpretation:
    """Compare, triage and judge the filters of a layer that was read."""
    layer, of_letters = reading.layer, reading.field.of_letters
    chosen = {
        name: reading.sites.of_filter(f, settings.threshold, settings.flank)
        for f, name in enumerate(layer.filter_names)
    }
    found = motifs_of_filters(
        layer,
        chosen,
        motifs_from=settings.motifs_from,
        trim=not of_letters or settings.flank > 0,
        flank=settings.flank,
    )
    ppms = dict(zip(found["filter"], found["ppm"], strict=True))
    filters = _centred(layer) if of_letters else {name: ppm * information_content(ppm) for name, ppm in ppms.items()}
    symmetric = filters if of_letters else ppms
    palindromes, triage = find_palindromes(symmetric), triage_palindromes(symmetric, catalogue)
    logits = reading.sites.classes[0].logits, reading.sites.classes[1].logits
    performance = _performance(logits)
    found["refused"] = _find_refused(found, performance["auroc"])
    compared = {
        row["filter"]: Motif(row["ppm"], None if pd.isna(row["n_sites"]) else row["n_sites"])
        for row in found[found["refused"].isna()].to_dict("records")
    }
    matches = empty_table()
    if compared:
        matches = compare_motifs(compared, known, distance=settings.distance, progress=verbose)
    names = name_motifs(matches, compared, known)
    table = tabulate_filters(reading.contributions, palindromes, triage, found, names)
    sites = reading.sites.tabulate(chosen)
    return Interpretation(
        table=table,
        contributions=reading.contributions,
        palindromes=palindromes,
        matches=matches,
        triage=triage,
        sites=sites,
        filters=filters,
        ppms=ppms,
        performance=performance,
        faithfulness=reading.faithfulness,
        settings=settings,
        layer=layer.name,
        unit="weight" if of_letters else "bits",
        length=reading.sites.inputs[0].length,
        is_probability=are_probabilities(logits),
        of_outputs=reading.said_of_outputs,
        other_layers=reading.other_layers,
        best_sites=reading.sites.examples(sites, chosen),
        distributions=reading.distributions,
        targets=_shown_targets(matches, names, known),
        motif_starts={name: int(start) for name, start in zip(found["filter"], found["start"], strict=True)},
    )


def _centred(layer: FilterLayer) -> dict[str, NDArray[np.float64]]:
    return dict(zip(layer.filter_names, layer.centred(torch.float64).numpy(), strict=True))


def _find_refused(found: pd.DataFrame, auroc: float) -> pd.Series:
    """Why a filter's motif is not compared with known ones; missing if it is."""
    reasons = {}
    for row in found.to_dict("records"):
        n_sites = None if pd.isna(row["n_sites"]) else row["n_sites"]
        reasons[row["filter"]] = refuse(n_sites, row["sites_p"], row["ppm"].shape[1], auroc)
    rest = {row["filter"]: row["ppm"] for row in found.to_dict("records") if reasons[row["filter"]] is None}
    return found["filter"].map(reasons | find_uninformative(rest)).astype(object)


def _shown_targets(
    matches: pd.DataFrame, names: pd.DataFrame, known: dict[str, Motif]
) -> dict[str, NDArray[np.float64]]:
    """Known motifs that some filter is named after, or that are among its first matches."""
    first = matches.groupby("Query_ID", sort=False).head(N_MATCHES)["Target_ID"]
    return {name: known[name].ppm for name in dict.fromkeys([*names["best_match"], *first])}


def _measure_strands(reader: Reader, reading: Reading) -> StrandConsistency:
    """Logits of both strands of the first sequences of either class."""
    parts = [
        replace(inputs.rows(slice(N_OF_STRANDS)), names=None if inputs.names is None else inputs.names[:N_OF_STRANDS])
        for inputs in reading.sites.inputs
    ]
    with reader.borrowed():
        found = compare_strands(reader.runner, parts)
    return found if reader.outputs is None else without_calls(found, reader.outputs.kinds)


def _history_of(model: nn.Module) -> pd.DataFrame | None:
    """One row an epoch, as `fit` returned it; None where it is not kept."""
    kept = model.provenance.get("history") if isinstance(model, CompactModel) else None
    try:
        return pd.DataFrame(kept).astype(float) if kept else None
    except (TypeError, ValueError):  # an edited file
        return None


def _measure_baseline(reader: Reader, reading: Reading) -> dict[str, float] | None:
    """Performance of the logistic regression that stands beside a compact model, on the same sequences."""
    words = getattr(reader.model, "baseline", None)
    if not isinstance(words, KmerBaseline):
        return None
    here, there = (words.logits(inputs.x)[:, reader.runner.target] for inputs in reading.sites.inputs)
    return _performance((here, there))


def _leakage_of(model: nn.Module) -> tuple[str, ...]:
    """What the training set of a compact model shared with its validation set, in sentences."""
    kept = model.provenance.get("leakage") if isinstance(model, CompactModel) else None
    known, needed = (
        {field.name for field in fields(Leakage)},
        {field.name for field in fields(Leakage) if field.default is MISSING},
    )
    if not isinstance(kept, dict) or not needed <= kept.keys() <= known:
        return ()  # trained by an older version, or edited
    return tuple(Leakage(**kept).messages())


def _doubts_of(model: nn.Module) -> tuple[str, ...]:
    """What `fit` doubted of the training of a compact model, in sentences."""
    kept = model.provenance.get("doubts", []) if isinstance(model, CompactModel) else []
    return tuple(map(str, kept)) if isinstance(kept, list) else ()


def _find_repeats(reading: Reading) -> tuple[str, ...]:
    """Sequences that stand in both classes, or in one of them twice, in sentences; warns of the latter.

    Those of both classes were warned of when they were read.
    """
    found = find_repeats(*(inputs.x for inputs in reading.sites.inputs))
    replace(found, in_both=0).warn("interpret", stacklevel=4)
    return tuple(found.messages())


def _is_training_data(reader: Reader, reading: Reading) -> bool:
    """Whether the positives and negatives, in this order, are all that a compact model was trained on."""
    positives, negatives = (inputs.x for inputs in reading.sites.inputs)
    return was_trained_on(reader.model, lambda: digest_of_classes(positives, negatives))


def _performance(logits: tuple[Tensor, Tensor]) -> dict[str, float]:
    """Area under the ROC curve and average precision of the logits of positives and negatives."""
    y = torch.cat([torch.ones(len(logits[0])), torch.zeros(len(logits[1]))])[:, None]
    measured = score_logits(y, torch.cat(logits)[:, None]).iloc[0]
    return {str(name): float(value) for name, value in measured.items()}
