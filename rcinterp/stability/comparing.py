"""Filters of several models, grouped into patterns, and in how many models each pattern returns."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import pandas as pd
from torch import nn

from rcinterp.comparison import compare_motifs, empty_table, find_uninformative
from rcinterp.errors import InputError
from rcinterp.interpretation import Interpretation, interpret
from rcinterp.interpretation.naming import name_motifs
from rcinterp.interpretation.verdicts import refuse
from rcinterp.motifs import Motif, MotifSource, load_motifs_with_sites, reverse_complement_motif
from rcinterp.motifs.similarity import compare_matrices
from rcinterp.reading.inputs import ModelInput
from rcinterp.reading.reader import Reader, RunOptions
from rcinterp.stability.consensus import cluster_motifs, find_consensus
from rcinterp.stability.result import ModelComparison
from rcinterp.stability.tables import list_filters, sum_contributions, tabulate_models, tabulate_patterns

if TYPE_CHECKING:
    from typing_extensions import Unpack

#: Columns that say how a filter's motif lies on the consensus.
_ALIGNMENT = ["consensus_orientation", "consensus_shift", "consensus_similarity"]
_ALL = "all models"
#: Models, or what `interpret` found in them.
Models: TypeAlias = Sequence[nn.Module | Reader | Interpretation] | Mapping[str, nn.Module | Reader | Interpretation]


def compare_models(
    models: Models,
    positives: ModelInput | None = None,
    negatives: ModelInput | None = None,
    motifs: MotifSource = "encode",
    layer: str | None = None,
    target: int = 0,
    *,
    names: Sequence[str] | None = None,
    **run: Unpack[RunOptions],
) -> ModelComparison:
    """Which patterns several models have learned, and in how many of them each returns.

    Parameters
    ----------
    models : sequence, or dict of str to model
        Models (n, 4, L) -> logits (n, n_tasks), of several seeds or architectures; or a `Reader` of each, where layers,
        targets or outputs differ; or an `Interpretation` of each.
    positives, negatives : Tensor (N, 4, L), or a FASTA path, or a list of str, optional
        What models are read with, best not seen in training; not needed for interpretations. Or a tuple
        ``(sequences, control, ...)`` with the further inputs of the models.
    motifs : "encode", a path, or dict of str to (4, W) PPM
        Known motifs that patterns are named by, as in `load_motifs`.
    layer, target, func, args, device, batch_size, verbose, scheduler
        As in `interpret`, of all models but readers, which have their own.
    names : sequence of str, optional
        Of a sequence of models; ``model_0``, ``model_1``, ... by default.

    Returns
    -------
    ModelComparison
        Its ``table`` has one row a pattern.

    Raises
    ------
    InputError
        If there is no model, two have one name or are one object, sequences are missing, or as `interpret`.

    Warns
    -----
    UserWarning
        As `interpret`; and of what was doubtful in the training of a compact model: sequences that its validation set
        shared with its training set, or that it may have learned nothing.

    Notes
    -----
    Filters are compared if they contribute at least 5 % (`NEGLIGIBLE_SHARE`) of their model's largest contribution and
    have a motif; ``left_out`` lists the others. Their motifs are clustered (`cluster_motifs`) and averaged
    (`find_consensus`). A model shows a pattern if one of its filters is in the cluster.

    A pattern's contribution in a model is the sum over its filters there. A network may give one motif to one filter or
    spread it over four, and contributions add up: the sum is the first-order estimate of what the logit loses without
    all of them. The largest alone would make a motif look unstable that is merely shared out.

    ``share`` estimates the chance that a further model of this kind shows the pattern, if the models differ by their
    seeds alone; ``seen_again`` corrects for the pattern being in the list because one model showed it.

    ``hybrid_share`` is the share of what a pattern's filters contribute that is of artefact hybrids, as `interpret`
    calls them; from a half on the pattern is called one itself.

    A consensus is named as a filter is in `interpret`: if half of its filters or more have enough sites, and more of
    them in their own class than chance gives, and if its composition alone does not explain the match.

    Examples
    --------
    >>> import torch
    >>> from rcinterp import compact_model
    >>> letters = torch.randint(4, (40, 60), generator=torch.Generator().manual_seed(0))
    >>> x = torch.nn.functional.one_hot(letters, 4).transpose(1, 2).float()
    >>> models = {f"seed {i}": compact_model(1, 2, 60, widths=(11,), pool=10, stride=10) for i in range(2)}
    >>> found = compare_models(models, x[:20], x[20:])
    >>> found.models["model"].tolist()
    ['seed 0', 'seed 1']
    """
    found = _interpret_all(_by_name(models, names, layer, target, run), positives, negatives, motifs)
    filters = pd.concat([list_filters(name, one) for name, one in found.items()], ignore_index=True)
    compared = filters[filters["reason"].isna()].drop(columns="reason").reset_index(drop=True)
    compared["pattern"], consensus = _find_patterns(compared, list(found))
    consensus, matches = _name_patterns(compared, consensus, motifs)
    contributions = sum_contributions(compared, list(consensus), list(found))
    for who, message in _by_sentence({name: one.leakage for name, one in found.items()}):
        warnings.warn(f"compare_models: in the training of {who}: {message}", stacklevel=2)
    members = compared.join(_align(compared, consensus))
    return ModelComparison(
        tabulate_patterns(compared, consensus, contributions, matches),
        members[["model", "filter", "pattern", *_ALIGNMENT, "contribution", "n_sites", "sites_in", "is_artefact"]],
        filters.loc[filters["reason"].notna(), ["model", "filter", "contribution", "reason"]].reset_index(drop=True),
        tabulate_models(found, filters, contributions),
        contributions,
        {name: motif.ppm for name, motif in consensus.items()},
        tuple(
            f"{'All models' if who == _ALL else who}: {sentence}"
            for who, sentence in _by_sentence({name: one.warnings() for name, one in found.items()})
        ),
    )


def _by_sentence(said: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
    """Each sentence once, after the names of the models of which it holds."""
    models: dict[str, list[str]] = {}
    for name, sentences in said.items():
        for sentence in sentences:
            models.setdefault(sentence, []).append(name)
    return [(_ALL if 1 < len(said) == len(names) else ", ".join(names), sentence) for sentence, names in models.items()]


def _by_name(
    models: Models, names: Sequence[str] | None, layer: str | None, target: int, run: RunOptions
) -> dict[str, Reader | Interpretation]:
    """Interpretations as they are, readers of all else, by their names."""
    named: dict[str, Any] = {}
    if isinstance(models, Mapping):
        if names is not None:
            raise InputError("compare_models: got a dict and names too, expected one of them. Leave names out.")
        names, models = list(models), [*models.values()]
    if isinstance(models, Sequence):
        names = [f"model_{i}" for i in range(len(models))] if names is None else [str(name) for name in names]
        if len(names) != len(models) or len(set(names)) != len(names):
            raise InputError(
                f"compare_models: got {len(models)} models and {len(names)} names, {len(set(names))} of them "
                "different, expected one name each. Leave names out to number the models."
            )
        named = dict(zip(names, models, strict=True))
    known = nn.Module | Reader | Interpretation
    strange = {type(model).__name__ for model in named.values() if not isinstance(model, known)}
    if strange or not named:
        got = (
            f"{', '.join(sorted(strange))} among the models" if strange else f"{type(models).__name__} without a model"
        )
        raise InputError(f"compare_models: got {got}, expected a list or dict of models or of what interpret returned.")
    readers = {
        name: Reader(model, layer, target, **run) if isinstance(model, nn.Module) else model
        for name, model in named.items()
    }
    _check_different(readers)
    return readers


def _check_different(readers: Mapping[str, Reader | Interpretation]) -> None:
    """Refuse one model that stands for two, as its patterns would return; other layers and outputs are others."""
    first: dict[tuple[object, ...], str] = {}
    for name, reader in readers.items():
        if isinstance(reader, Reader):
            key = id(reader.model), reader.layer, reader.runner.target, reader.runner.func
            if (other := first.setdefault(key, name)) != name:
                raise InputError(
                    f"compare_models: {other} and {name} are one model object, expected different models. Give each of "
                    "them once."
                )


def _interpret_all(
    models: dict[str, Reader | Interpretation],
    positives: ModelInput | None,
    negatives: ModelInput | None,
    motifs: MotifSource,
) -> dict[str, Interpretation]:
    found: dict[str, Interpretation] = {}
    for name, model in models.items():
        if isinstance(model, Interpretation):
            found[name] = model
        elif positives is None or negatives is None:
            raise InputError(
                "compare_models: got models without positives or negatives, expected both to read them with. Give "
                "them, or what interpret returned for each model."
            )
        else:
            found[name] = interpret(model, positives, negatives, motifs, measure_faithfulness=False)
    return found


def _find_patterns(compared: pd.DataFrame, models: list[str]) -> tuple[list[str], dict[str, Motif]]:
    """The pattern of each filter, and each pattern's motif; patterns in the order of the table."""
    if compared.empty:
        return [], {}
    labels = cluster_motifs(list(compared["ppm"]))
    sums = sum_contributions(compared.assign(pattern=labels), sorted(set(labels)), models)
    order = pd.DataFrame({"n": -sums.notna().sum(axis=1), "size": -sums.mean(axis=1).abs()})
    ranked = order.sort_values(["n", "size"], kind="stable").index
    names = {label: f"pattern_{i}" for i, label in enumerate(ranked)}
    motifs = [
        Motif(ppm, None if pd.isna(n) else float(n))
        for ppm, n in zip(compared["ppm"], compared["n_sites"], strict=True)
    ]
    consensus = {
        name: find_consensus([motif for motif, own in zip(motifs, labels, strict=True) if own == label])
        for label, name in names.items()
    }
    return [names[label] for label in labels], consensus


def _name_patterns(
    compared: pd.DataFrame, consensus: dict[str, Motif], motifs: MotifSource
) -> tuple[dict[str, Motif], pd.DataFrame]:
    """Consensus motifs, as their best matches read; and each pattern's sites_p, refused, and match."""
    sites_p = compared.groupby("pattern")["sites_p"].median().reindex(list(consensus)).astype(float)
    n_sites = compared.groupby("pattern")["n_sites"].median()
    refused = {
        name: refuse(None if pd.isna(n_sites[name]) else n_sites[name], float(sites_p[name]), motif.ppm.shape[1])
        for name, motif in consensus.items()
    }
    refused |= find_uninformative({name: motif for name, motif in consensus.items() if refused[name] is None})
    asked = {name: motif for name, motif in consensus.items() if refused[name] is None}
    known = load_motifs_with_sites(motifs)
    best = name_motifs(compare_motifs(asked, known) if asked else empty_table(), asked, known)
    reverse = set(best.index[best["match_orientation"] == "-"])
    read = {
        name: Motif(reverse_complement_motif(motif.ppm), motif.n_sites) if name in reverse else motif
        for name, motif in consensus.items()
    }
    named = pd.DataFrame({"sites_p": sites_p, "refused": pd.Series(refused, dtype=object)})
    return read, named.join(best[["best_match", "match_q", "match_shuffled_p", "match_factor", "match_known"]])


def _align(compared: pd.DataFrame, consensus: dict[str, Motif]) -> pd.DataFrame:
    found = [
        compare_matrices(ppm, consensus[pattern].ppm)
        for ppm, pattern in zip(compared["ppm"], compared["pattern"], strict=True)
    ]
    rows = [(one.orientation, one.shift, one.value) for one in found]
    return pd.DataFrame(rows, columns=_ALIGNMENT, index=compared.index)
