"""What a `Reader` answers, asked of any model in one call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd
from torch import Tensor, nn

from rcinterp.errors import InputError
from rcinterp.reading.cut import At
from rcinterp.reading.faithfulness import Faithfulness
from rcinterp.reading.inputs import ModelInput
from rcinterp.reading.methods import Baseline, Method
from rcinterp.reading.reader import ContributionOptions, Reader, RunOptions, as_reader
from rcinterp.reading.sites import SITE_THRESHOLD

if TYPE_CHECKING:
    from typing_extensions import Unpack


class _ContributionCall(ContributionOptions, RunOptions, total=False):
    """Keywords of `filter_contributions`."""


class _FaithfulnessCall(RunOptions, total=False):
    """Keywords of `faithfulness`."""

    method: Method
    baseline: Baseline
    n_sequences: int | None
    at: At
    seed: int


def filter_contributions(
    model: nn.Module | Reader,
    positives: ModelInput,
    negatives: ModelInput,
    layer: str | list[str] | tuple[str, ...] | None = None,
    target: int | list[int] | tuple[int, ...] = 0,
    **options: Unpack[_ContributionCall],
) -> pd.DataFrame:
    """How much each filter contributes to a logit: its mean over positives minus its mean over negatives.

    Parameters
    ----------
    model : nn.Module or Reader
        Any model of sequences (n, 4, L) -> logits (n, n_tasks), (n,), or a profile (n, n_tasks, positions). It comes
        back in its mode, on its device, without hooks, even after an error. A `Reader` has its own layer, target and
        options of running.
    positives, negatives : Tensor (N, 4, L), or a FASTA path, or a list of them, or a list of str
        A list of `pathlib.Path` is read one file after another. Or a tuple ``(sequences, control, ...)`` with the
        further inputs of the model, N rows each.
    layer : str, or list of str, optional
        Name of the convolution, as in ``model.named_modules()``; the first one over the sequence when not given.
    target : int, or list of int
        Which logit; of a profile, the row, whose positions are added up. Of a list of layers or targets, all are read
        in one pass, by gradient x activation; the table then has the rows of each below the other, and a column
        ``target``.
    method : "gradient_x_activation", "ablation", "integrated_gradients" or "deeplift"
        See Notes. The first one by default.
    baseline : "zero" or "mean"
        What a filter is compared with, other than by gradient x activation: 0 (default), or its mean activation over
        the negatives.
    at : "activation" or "convolution"
        Where the activation is taken: after the nonlinearity (default) or at the convolution's own output, before
        batch norm. After batch norm but before a ReLU it is the same number as after the ReLU. Before batch norm it is
        not, as the norm's shift is then left out.
    n_resamples : int
        Bootstrap samples, 1,000 by default. There are as many permutations, or 40 a filter if that is more.
    seed : int
        Of the resamples; 0 by default.
    func, args, device, batch_size, verbose, scheduler
        How the model is run, as in `Reader`.

    Returns
    -------
    DataFrame
        One row a filter, in the model's order. In units of the logit: ``contribution``, ``mean_positive``,
        ``mean_negative``, ``contribution_low`` and ``contribution_high`` (95 % interval by the studentised
        bootstrap; NaN where it would not hold, as of fewer than 10 sequences of a class). ``contribution_p``:
        two-sided p-value of the contribution if the labels are permuted; ``contribution_q``: q-value over the filters
        (Benjamini & Hochberg). ``active_share``: share of all sequences in which the filter acts, which is where its
        contribution is above `ACTIVE_SHARE` of its largest. ``strand_balance``: share of the forward channel in an RC
        filter's contributions (absolute values), 0.5 if both strands matter alike; NaN for a filter of one strand, and
        by ablation, which silences both at once. The same in every row: ``layer``, ``method``, ``baseline``,
        ``cut_at`` (where the activation was taken) and ``cut_reason`` (why at the convolution although the activation
        was asked for: a residual stem goes round the nonlinearity, or none follows; else empty).

    Raises
    ------
    InputError
        If the model, the layer or the sequences cannot be used, or an option is out of range.

    Warns
    -----
    UserWarning
        If sequences stand in both classes, or twice in one (either strand): contributions are then too small, or
        intervals too narrow. If filters have no interval, with the reason.

    Notes
    -----
    For sequence x and filter f, with activation a and logit z, gradient x activation is ::

        c(x, f) = sum over positions l, and over both channels of f in an RC layer, of  dz/da[f, l] · a[f, l]

    It is a first-order estimate of what the logit would lose without the filter, and takes one forward and one partial
    backward pass. "ablation" is that loss itself: z minus z with the filter, both strands, at its baseline. It takes
    F + 1 forward passes. "integrated_gradients" averages the gradient on the way from the baseline. "deeplift" (rescale
    rule) takes differences in place of gradients. The last two add up to the logit's difference. `faithfulness`
    measures how well a method predicts the ablation.

    The null hypothesis of the p-value is that a filter contributes alike in both classes. Take sequences on which the
    model was not trained: on its training data, filters of noise differ too.

    References
    ----------
    Shrikumar, Greenside & Kundaje 2017, section 3.5. Sundararajan, Taly & Yan 2017 (arXiv:1703.01365). Shrikumar,
    Greenside & Kundaje 2017, DeepLIFT (arXiv:1704.02685). Kokhlikyan et al. 2020 (captum, arXiv:2009.07896).
    """
    run, own = split_options(dict(options))
    if not isinstance(layer, list | tuple) and not isinstance(target, list | tuple):
        return as_reader(model, layer, target, **run).contributions(positives, negatives, **own)
    layers = layer if isinstance(layer, list | tuple) else [layer]
    targets = target if isinstance(target, list | tuple) else [target]
    for name, only in (("method", "gradient_x_activation"), ("baseline", "zero")):
        if (given := own.pop(name, only)) != only:
            raise InputError(
                f"{name}: got {given!r} with several layers or targets, expected {only!r}, by which all are read in "
                "one pass. Ask for the others one by one."
            )
    return as_reader(model, **run).contributions_of_several(layers, targets, positives, negatives, **own)


def sequence_contributions(
    model: nn.Module | Reader,
    sequences: ModelInput,
    layer: str | None = None,
    target: int = 0,
    *,
    method: Method = "gradient_x_activation",
    at: At = "activation",
    **run: Unpack[RunOptions],
) -> Tensor:
    """How much each filter contributes to the logit of each sequence, shape (N, F), float64.

    Parameters
    ----------
    model : nn.Module or Reader
        As in `filter_contributions`.
    sequences : Tensor (N, 4, L), or a FASTA path, or a list or Series of str
    layer, target, method, at
        As in `filter_contributions`; filters are compared with a baseline of 0.
    func, args, device, batch_size, verbose, scheduler
        How the model is run, as in `Reader`.

    Returns
    -------
    Tensor, shape (N, F)

    Examples
    --------
    >>> import torch
    >>> from rcinterp import compact_model
    >>> letters = torch.randint(4, (40, 60), generator=torch.Generator().manual_seed(0))
    >>> x = torch.nn.functional.one_hot(letters, 4).transpose(1, 2).float()
    >>> model = compact_model(1, 2, 60, widths=(11,), pool=10, stride=10)
    >>> sequence_contributions(model, x).shape
    torch.Size([40, 2])
    """
    return as_reader(model, layer, target, **run).sequence_contributions(sequences, method=method, at=at)


def input_contributions(
    model: nn.Module | Reader,
    sequences: ModelInput,
    target: int = 0,
    *,
    hypothetical: bool = False,
    **run: Unpack[RunOptions],
) -> Tensor:
    """How much each base contributes to the logit of its sequence (gradient x input), (N, 4, L), float32, on the CPU.

    Parameters
    ----------
    model : nn.Module or Reader
    sequences : Tensor (N, 4, L), or a FASTA path, or a list of str
    target : int
        Which logit.
    hypothetical : bool
        Whether to give what each base would contribute if it stood there, the gradient itself less its mean over the
        four; TF-MoDISco asks for it (`save_modisco`).
    func, args, device, batch_size, verbose, scheduler
        How the model is run, as in `Reader`; this process reads all sequences, whatever the scheduler.

    Returns
    -------
    Tensor, shape (N, 4, L)
        ``dz/dx[c, l] · x[c, l]``: zero but for the base that is there. Hypothetical: ``dz/dx[c, l] - mean over c``.

    References
    ----------
    Shrikumar et al. 2016 (arXiv:1605.01713).
    """
    return as_reader(model, None, target, **run).input_contributions(sequences, hypothetical=hypothetical)


def find_sites(
    model: nn.Module | Reader,
    sequences: ModelInput,
    layer: str | None = None,
    *,
    threshold: float = SITE_THRESHOLD,
    **run: Unpack[RunOptions],
) -> pd.DataFrame:
    """Where each filter matches best: one site a sequence, if it reaches a share of the filter's best site score.

    Parameters
    ----------
    model : nn.Module or Reader
        (n, 4, L), and further inputs if it has any, -> anything.
    sequences : Tensor (N, 4, L), or a FASTA path, or a list or Series of str
    layer : str, optional
        Name of the convolution; the first one over the sequence when not given.
    threshold : float
        Share of the filter's best score that a site must reach, 0 to 1.
    func, args, device, batch_size, verbose, scheduler
        How the model is run, as in `Reader`.

    Returns
    -------
    DataFrame
        One row a site, filter by filter, the best first: ``filter``, ``sequence`` (row, 0-based), ``start``, ``end``
        (bp in the sequence, 0-based and half-open), ``strand``, ``site_score``. With named sequences also ``name``, and
        with names such as ``chr1:1000-1200`` (0-based, half-open; perhaps followed by ``(-)``) ``chrom``,
        ``chrom_start``, ``chrom_end`` and ``chrom_strand``.

    Raises
    ------
    InputError
        If the model or the layer cannot be used, or a filter sees the whole sequence, so that it has no sites.

    Notes
    -----
    A first layer's filters are laid, mean-centred, wherever the model lays them (its crop, stride and padding are kept
    to, as far as sites lie whole within the sequence), on both strands if it is an RC layer. The score of a site is the
    filter's product with it. A deeper layer's site is what lies under its largest activation, which is its score: its
    receptive field, found by putting NaN in place of each base in turn and looking where it arrives.

    Examples
    --------
    >>> import torch
    >>> from rcinterp import compact_model
    >>> letters = torch.randint(4, (40, 60), generator=torch.Generator().manual_seed(0))
    >>> x = torch.nn.functional.one_hot(letters, 4).transpose(1, 2).float()
    >>> model = compact_model(1, 2, 60, widths=(11,), pool=10, stride=10)
    >>> sites = find_sites(model, x)
    >>> set(sites["end"] - sites["start"]), sorted(set(sites["strand"]))
    ({11}, ['+', '-'])
    """
    if not isinstance(model, Reader):
        run.setdefault("func", _any_logits)
    return as_reader(model, layer, **run).sites(sequences, threshold=threshold)


def faithfulness(
    model: nn.Module | Reader,
    positives: ModelInput,
    negatives: ModelInput,
    layer: str | None = None,
    target: int = 0,
    **options: Unpack[_FaithfulnessCall],
) -> Faithfulness:
    """How well contributions predict what the logit loses without a filter, which exact ablation measures.

    Parameters
    ----------
    model, positives, negatives, layer, target
        As in `filter_contributions`.
    method : str
        The method that is tested; gradient x activation by default.
    baseline : "zero" or "mean"
        What an ablated filter is set to.
    n_sequences : int, optional
        Of each class at most, drawn at random; when not given, as many as `BUDGET` forward passes allow, at least
        `FEWEST_SEQUENCES`.
    at : "activation" or "convolution"
        As in `filter_contributions`.
    seed : int
        Of the draw.
    func, args, device, batch_size, verbose, scheduler
        How the model is run, as in `Reader`; this process reads all sequences, whatever the scheduler.

    Returns
    -------
    Faithfulness

    Notes
    -----
    Where the model is linear above its activations (or takes maxima over one filter's own positions and is linear
    then, as the one-layer models of this package), both are the same number and r = 1. Non-linear layers in between,
    saturation and filters that stand in for each other take them apart.

    Examples
    --------
    >>> import torch
    >>> from rcinterp import compact_model
    >>> letters = torch.randint(4, (40, 60), generator=torch.Generator().manual_seed(0))
    >>> x = torch.nn.functional.one_hot(letters, 4).transpose(1, 2).float()
    >>> model = compact_model(1, 3, 60, widths=(11,), pool=10, stride=10)
    >>> round(faithfulness(model, x[:20], x[20:]).pearson, 4)
    1.0
    """
    run, own = split_options(dict(options))
    return as_reader(model, layer, target, **run).faithfulness(positives, negatives, **own)


def split_options(options: dict[str, Any]) -> tuple[RunOptions, dict[str, Any]]:
    """Keywords that say how a model is run, and the others."""
    run: Any = {name: options[name] for name in RunOptions.__annotations__ if name in options}
    return run, {name: value for name, value in options.items() if name not in run}


def _any_logits(output: object) -> Tensor:
    """Some logits of whatever a model returns, where only its activations are asked for."""
    while isinstance(output, dict | list | tuple):
        output = next(iter(output.values() if isinstance(output, dict) else output))
    if not isinstance(output, Tensor):
        raise InputError(f"the model returned {type(output).__name__}, expected tensors.")
    return output.real
