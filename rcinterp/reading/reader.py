"""A model, its layer, its output and its device, bound once; what can be asked of them is a method."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, TypedDict

import pandas as pd
import torch
from torch import Tensor, nn

from rcinterp.data.leakage import find_repeats
from rcinterp.errors import InputError, require_whole
from rcinterp.reading.contributing_sites import CLASSES, ContributingSites, join_readings, read_class
from rcinterp.reading.contributions import (
    Attribution,
    Contributed,
    Histogram,
    attribute,
    describe_cut,
    describe_missing_intervals,
    distribute_contributions,
    input_gradients,
    tabulate_contributions,
)
from rcinterp.reading.cut import At
from rcinterp.reading.faithfulness import Faithfulness, faithfulness_of
from rcinterp.reading.inputs import Args, Inputs, ModelInput, as_classes, as_inputs
from rcinterp.reading.layer import FilterLayer
from rcinterp.reading.logits import Func
from rcinterp.reading.methods import Baseline, Method, check_method
from rcinterp.reading.model import BATCH_SIZE, RowsOf, Runner, differ
from rcinterp.reading.one_sequence import (
    InputMethod,
    OneSequence,
    SequenceReading,
    as_one_sequence,
    check_input_method,
    hypothetical_contributions,
    logit_of,
    sites_of_sequence,
)
from rcinterp.reading.outputs import Outputs, look_at_outputs, run_heads
from rcinterp.reading.passes import Passes, passes_of
from rcinterp.reading.probe import BoundLayer, probe
from rcinterp.reading.receptive_field import ReceptiveField, find_receptive_field
from rcinterp.reading.several import check_several, tabulate_several
from rcinterp.reading.sites import SITE_THRESHOLD, BestSites, check_threshold, find_best_sites, join_sites
from rcinterp.reading.statistics import N_RESAMPLES

if TYPE_CHECKING:
    from typing_extensions import Unpack


#: What becomes of probabilities that pass for logits.
WRONG_SIGN = "contributions may have the wrong sign"
#: Rows of sequences, and the logits that a model gave them before.
_NOTHING = torch.empty(0, dtype=torch.int64), torch.empty(0)
_NO_LOGITS = "what is made of them as logits (Brier score, calibration, probabilities) is wrong"
_MEANINGLESS = "their contributions mean nothing. The model has diverged, or takes the logarithm of 0"


class RunOptions(TypedDict, total=False):
    """How a model is run: what every function of a model takes by keyword, and hands to its `Reader`."""

    func: Func | None
    args: Args
    device: str | torch.device | None
    batch_size: int
    verbose: bool
    scheduler: str | None


class ContributionOptions(TypedDict, total=False):
    """How contributions are measured, and how sure they are; the defaults are those of `Reader.contributions`."""

    method: Method
    baseline: Baseline
    at: At
    n_resamples: int
    seed: int


class Reader:
    """A model, one of its layers, one of its outputs and a device, bound once.

    Its methods answer what a layer's filters do. The model is lent while one of them runs, and comes back in its mode,
    on its device, without hooks, even after an error. How it is built is found out at the first question, in two runs
    on three sequences, and kept.

    Parameters
    ----------
    model : nn.Module
        Any model of sequences (n, 4, L) -> logits (n, n_tasks), (n,), or a profile (n, n_tasks, positions).
    layer : str, optional
        Name of the convolution, as in ``model.named_modules()``; the first one over the sequence when not given.
    target : int
        Which logit; of a profile, the row, whose positions are added up.
    func : callable, optional
        From what the model returns to logits of one of the shapes above, for models that return tuples or dicts.
    args : sequence of Tensor, optional
        Further inputs of the model: each with the rows of the positives and then of the negatives, or one row for all.
        They can be given with the sequences instead, as a tuple ``(sequences, control, ...)``.
    device : str or torch.device, optional
        Where to run; when not given, where the model is, or on CUDA if the model is on the CPU and there is one.
    batch_size : int
        Sequences at a time.
    verbose : bool
        Whether to show progress bars on standard error.
    scheduler : str, optional
        Address of a Dask scheduler, e.g. tcp://10.0.0.1:8786, whose workers read the sequences of `contributions`,
        `sequence_contributions`, `sites` and `rcinterp.interpret`, a shard each; the model is sent to them. The rest is
        done in this process.

    Raises
    ------
    InputError
        If the model is none, or an option is out of range.

    Notes
    -----
    Workers read the batches that this process would read, on one thread each. Every number is the same to the last bit
    as in a process of one thread (``torch.set_num_threads(1)``) on the same kind of processor and device, but for two
    that are sums over all batches, which may be rounded otherwise: the strand balance, and a baseline of "mean". So may
    all numbers of a one-hot tensor that does not lie row by row in memory, as one of `transpose` does not.

    Examples
    --------
    >>> import torch
    >>> from rcinterp import compact_model
    >>> letters = torch.randint(4, (40, 60), generator=torch.Generator().manual_seed(0))
    >>> x = torch.nn.functional.one_hot(letters, 4).transpose(1, 2).float()
    >>> reader = Reader(compact_model(1, 2, 60, widths=(11,), pool=10, stride=10))
    >>> reader.contributions(x[:20], x[20:])["filter"].tolist()
    ['filter_0', 'filter_1']
    >>> reader.activations(x).shape
    torch.Size([40, 4, 50])
    """

    def __init__(  # noqa: PLR0913  # how a model is run, each choice by its name
        self,
        model: nn.Module,
        layer: str | None = None,
        target: int = 0,
        func: Func | None = None,
        args: Args = None,
        device: str | torch.device | None = None,
        batch_size: int = BATCH_SIZE,
        verbose: bool = False,
        scheduler: str | None = None,
    ) -> None:
        self.runner = Runner(model, target, func, batch_size, device, verbose)
        self.layer = layer
        self.args = args
        self.scheduler = scheduler
        self._bound: dict[tuple[object, ...], BoundLayer] = {}
        self._passes: Passes[BoundLayer] | None = None
        self._is_lent = False
        self._is_settled = self._has_said = False
        self.outputs: Outputs | None = None
        self._reference = _NOTHING

    def __repr__(self) -> str:
        layer = "the first layer" if self.layer is None else f"layer {self.layer!r}"
        return f"Reader of {layer} of {type(self.model).__name__}, target {self.runner.target}"

    @property
    def model(self) -> nn.Module:
        """The model."""
        return self.runner.model

    @property
    def n_outputs(self) -> int:
        """How many logits the model has, once they were looked at; 1 before."""
        return 1 if self.outputs is None else len(self.outputs.kinds)

    @contextmanager
    def borrowed(self) -> Iterator[None]:
        """Lend the model for several questions at once; it comes back as it was, even after an error."""
        if self._is_lent:
            yield
            return
        with self.runner.borrowed():
            self._is_lent = True
            try:
                yield
            finally:
                self._is_lent = False

    def contributions(
        self,
        positives: ModelInput,
        negatives: ModelInput,
        *,
        method: Method = "gradient_x_activation",
        baseline: Baseline = "zero",
        at: At = "activation",
        n_resamples: int = N_RESAMPLES,
        seed: int = 0,
    ) -> pd.DataFrame:
        """How much each filter contributes to the logit: one row a filter; see `rcinterp.filter_contributions`."""
        classes = as_classes(positives, negatives, self.args, "filter_contributions")
        find_repeats(*(inputs.x for inputs in classes)).warn("filter_contributions", stacklevel=4)
        with self.borrowed():
            table, *_ = self._contributions(classes, method, baseline, at, n_resamples, seed)
            self._judge(classes, [self.runner.target])
            self._say_how_many_are_finite("filter_contributions", _MEANINGLESS)
        _warn_of_missing_intervals(table, classes)
        return table

    def contributions_of_several(
        self,
        layers: Sequence[str | None],
        targets: Sequence[int],
        positives: ModelInput,
        negatives: ModelInput,
        *,
        at: At = "activation",
        n_resamples: int = N_RESAMPLES,
        seed: int = 0,
    ) -> pd.DataFrame:
        """Gradient x activation of several layers and logits in one pass, whatever layer and target the reader has.

        As `rcinterp.filter_contributions` returns it for several.
        """
        check_several(layers, targets)
        require_whole("n_resamples", n_resamples, 1)
        require_whole("seed", seed, 0)
        classes = as_classes(positives, negatives, self.args, "filter_contributions")
        find_repeats(*(inputs.x for inputs in classes)).warn("filter_contributions", stacklevel=4)
        with self.borrowed():
            self._try(classes[0])
            self._try_other(*classes)
            self.runner.watch.reset()
            table = tabulate_several(
                self.runner,
                layers,
                targets,
                classes,
                at=at,
                n_resamples=n_resamples,
                seed=seed,
                scheduler=self.scheduler,
            )
            self._judge(classes, targets)
            self._say_how_many_are_finite("filter_contributions", _MEANINGLESS)
        _warn_of_missing_intervals(table, classes)
        return table

    def sequence_contributions(
        self, sequences: ModelInput, *, method: Method = "gradient_x_activation", at: At = "activation"
    ) -> Tensor:
        """How much each filter contributes to the logit of each sequence, (N, F); `rcinterp.sequence_contributions`."""
        inputs = as_inputs(sequences, self.args, "sequence_contributions")
        check_method(method)
        with self.borrowed():
            bound = self._bind_logit([inputs], at)
            with self._passes_of(bound) as passes:
                self.runner.watch.reset()
                found = attribute(bound, method).over(passes, inputs, "sequences").values
            self._judge([inputs], [self.runner.target])
            self._say_how_many_are_finite("sequence_contributions", _MEANINGLESS, found)
        return found

    def input_contributions(self, sequences: ModelInput, *, hypothetical: bool = False) -> Tensor:
        """How much each base contributes to the logit of its sequence, (N, 4, L): `rcinterp.input_contributions`."""
        inputs = as_inputs(sequences, self.args, "input_contributions")
        with self.borrowed():
            self._try(inputs)
            self.runner.watch.reset()
            found = input_gradients(self.runner, inputs, hypothetical=hypothetical).float()
            self._judge([inputs], [self.runner.target])
            self._say_how_many_are_finite("input_contributions", _MEANINGLESS, found)
        return found

    def read_sequence(
        self, sequence: OneSequence, *, method: InputMethod = "gradient_x_input", with_sites: bool = True
    ) -> SequenceReading:
        """What the model reads in one sequence: the numbers that `rcinterp.plot_sequence` draws.

        Parameters
        ----------
        sequence : str, or ndarray or Tensor of shape (4, L) or (1, 4, L)
        method : "gradient_x_input" or "ism"
            As in `rcinterp.plot_sequence`.
        with_sites : bool
            Whether to look for the filters' sites; without, the model needs no convolution.

        Returns
        -------
        SequenceReading
            ``contributions`` of its bases (4, L), ``sites`` of the filters, and its ``logit``.

        Raises
        ------
        InputError
            If the model cannot be run on it, it is not one sequence, or the layer's filters have no sites.
        """
        check_input_method(method)
        inputs = as_one_sequence(sequence, self.args, "read_sequence")
        with self.borrowed():
            sites = pd.DataFrame(columns=["filter", "start", "end", "strand", "site_contribution"])
            if with_sites:
                bound = self._bind_logit([inputs])
                sites = sites_of_sequence(bound, inputs, find_receptive_field(bound, inputs))
            else:
                self._try(inputs)
            effects = hypothetical_contributions(self.runner, inputs, method)
            self.runner.watch.reset()
            self.runner.watch.expect(0, 1)
            logit = logit_of(self.runner, inputs)
            self._judge([inputs], [self.runner.target])
            self._say_how_many_are_finite("read_sequence", _MEANINGLESS)
        return SequenceReading(inputs.x[:][0].double().cpu().numpy(), effects, sites, logit)

    def sites(self, sequences: ModelInput, *, threshold: float = SITE_THRESHOLD) -> pd.DataFrame:
        """Where each filter matches the sequences best: one row a site; see `rcinterp.find_sites`."""
        inputs = as_inputs(sequences, self.args, "find_sites")
        check_threshold(threshold, "find_sites")
        with self.borrowed():
            bound = self._bind(inputs)
            field = find_receptive_field(bound, inputs)
            with self._passes_of(bound) as passes:
                best = passes.over(inputs, partial(find_best_sites, field=field), join_sites, "sites")
        best = self._without_nan(best)
        return best.tabulate(bound.layer.filter_names, inputs.length, threshold, inputs.names)

    def faithfulness(
        self,
        positives: ModelInput,
        negatives: ModelInput,
        *,
        method: Method = "gradient_x_activation",
        baseline: Baseline = "zero",
        n_sequences: int | None = None,
        at: At = "activation",
        seed: int = 0,
    ) -> Faithfulness:
        """How well contributions predict what the logit loses without a filter; see `rcinterp.faithfulness`."""
        classes = as_classes(positives, negatives, self.args, "faithfulness")
        check_method(method, baseline)
        with self.borrowed():
            bound = self._bind_logit(classes, at)
            self._try_other(*classes)
            found = faithfulness_of(
                bound, classes, method=method, baseline=baseline, n_sequences=n_sequences, seed=seed
            )
            self._reference = _NOTHING  # the sequences are drawn
            self._judge(classes, [self.runner.target])
        return found

    def activations(self, x: ModelInput, *, at: At = "activation") -> Tensor:
        """Activation of each channel at each position of each sequence, on the CPU.

        Parameters
        ----------
        x : Tensor (N, 4, L), or a FASTA path, or a list of str
        at : "activation" or "convolution"
            After the first nonlinearity, or at the convolution's own output.

        Returns
        -------
        Tensor, shape (N, channels, positions)
            In the model's type. An RC layer has the forward channels first. Of a model that reads a sequence more than
            once (both strands, say), the activation of the first time.
        """
        inputs = as_inputs(x, self.args, "activations")
        found = []
        with self.borrowed(), torch.no_grad():
            bound = self._bind(inputs, at)
            for batch in self.runner.batches(inputs, "activations"):
                with bound.cut(lambda i, activation: activation) as cut:
                    self.model(*batch)
                first = bound.point.to_sequences(cut.taken[0], len(batch[0]))[:, 0]
                found.append(first.movedim(bound.point.channel_axis, 1).flatten(2).cpu())
        return torch.cat(found)

    def logits(self, sequences: ModelInput) -> Tensor:
        """Logit of each sequence, shape (N,), float64, on the CPU."""
        inputs = as_inputs(sequences, self.args, "logits")
        with self.borrowed():
            self._try(inputs)
            self.runner.watch.reset()
            found = self._logits(inputs)
            self._judge([inputs], [self.runner.target], _NO_LOGITS)
            self._say_how_many_are_finite("logits", "the model has diverged, or takes the logarithm of 0")
        return found

    def read_classes(
        self,
        positives: ModelInput,
        negatives: ModelInput,
        *,
        method: Method = "gradient_x_activation",
        baseline: Baseline = "zero",
        seed: int = 0,
        measure_faithfulness: bool = True,
        letters_only: bool = False,
    ) -> Reading:
        """All that `rcinterp.interpret` asks of a model, with the model lent once.

        Raises
        ------
        InputError
            If the two classes are not of one length, or hold the same sequences; if only a layer that reads letters
            will do, and this one does not; or as the methods that it calls.
        """
        classes = as_classes(positives, negatives, self.args, "interpret", comparable=True)
        check_method(method, baseline)
        with self.borrowed():
            bound = self._bind_logit(classes)
            field = find_receptive_field(bound, classes[0])
            if letters_only and not field.of_letters:
                raise InputError(
                    f"interpret: layer {bound.layer.name!r} does not read the sequence itself, expected "
                    "motifs_from='sites': its weights are no patterns of letters."
                )
            self._try_other(*classes)
            if method != "ablation":
                bound.require_gradients()
            self.runner.watch.reset()
            with self._passes_of(bound) as passes:
                first, second = (
                    passes.over(inputs, partial(read_class, field=field), join_readings, "sites") for inputs in classes
                )
                read = first, second
                known = [one.contributions for one in read] if method == "gradient_x_activation" else None
                contributions, *contributed = self._contributions(
                    classes, method, baseline, "activation", N_RESAMPLES, seed, known
                )
            self._judge(classes, [self.runner.target])
            faithfulness = None
            are_finite = all(bool(one.logits.isfinite().all()) for one in read)
            # not with ablation, which is what it would be compared with
            if measure_faithfulness and method != "ablation" and are_finite:
                faithfulness = faithfulness_of(
                    bound, classes, method=method, baseline=baseline, n_sequences=None, seed=seed
                )
        return Reading(
            bound.layer,
            field,
            contributions,
            distribute_contributions(bound.layer.filter_names, *contributed),
            faithfulness,
            ContributingSites(classes, read),
            bound.other_layers,
            () if self.outputs is None else tuple(self.outputs.messages(WRONG_SIGN, [self.runner.target])),
        )

    def _bind(self, inputs: Inputs, at: At = "activation") -> BoundLayer:
        """The layer, found by probing the lent model on a few of these sequences, if not on such ones before."""
        key = (at, *inputs.shapes)
        if key not in self._bound:
            self._bound[key] = probe(self.runner, inputs, self.layer, at)
            self.runner, self._is_settled = self._bound[key].runner, True
            self._say_what_else_reads(self._bound[key])
        return self._bound[key]

    @contextmanager
    def _passes_of(self, bound: BoundLayer) -> Iterator[Passes[BoundLayer]]:
        """Passes of the layer, for several in one call: the model is sent to workers once."""
        if self._passes is not None:
            yield self._passes
            return
        with passes_of(bound, bound.runner, self.scheduler) as self._passes:
            try:
                yield self._passes
            finally:
                self._passes = None

    def _say_what_else_reads(self, bound: BoundLayer) -> None:
        """Say, once, that other layers read the sequence too, as where convolutions of several widths stand beside."""
        if bound.other_layers and len(self._bound) == 1:
            names = ", ".join(map(repr, bound.other_layers))
            warnings.warn(
                f"layer {bound.layer.name!r} is shown; the sequence is also read by {names}, whose filters are not: "
                "name it, layer=... (--layer on the command line).",
                stacklevel=4,
            )

    def _bind_logit(self, parts: Sequence[Inputs], at: At = "activation") -> BoundLayer:
        """The layer, for what is asked of the logit: that it stands before a sigmoid, or is none, is said."""
        bound = self._bind(parts[0], at)
        self._say_how_it_ends()
        is_own = bool(len(bound.rows)) and torch.equal(bound.given, parts[0].x[bound.rows[:1]])
        self._reference = (bound.rows, bound.logit) if is_own else _NOTHING
        return bound

    def _judge(self, parts: Sequence[Inputs], targets: Sequence[int], harm: str = WRONG_SIGN) -> None:
        """Say, once, what is doubtful of the outputs that were read, of these inputs or of some of them."""
        if self.outputs is not None:
            return
        heads = self.runner.watch.heads
        if len(heads) < len(parts):  # they were read elsewhere
            heads = run_heads(self.runner, parts)
        is_doubtful = self._is_doubtful(heads[0])
        self.outputs = look_at_outputs(self.runner, parts[0], heads[: len(parts)], is_doubtful)
        for message in self.outputs.messages(harm, targets):
            warnings.warn(message, stacklevel=4)

    def _is_doubtful(self, head: Tensor) -> bool:
        """Whether outputs of the first inputs differ from those that the model gave before."""
        rows, logit = self._reference
        rows, logit = rows[rows < len(head)], logit[rows < len(head)]
        read = head[:, [self.runner.target]]
        return differ(self.runner, logit[:, None], read[rows], read)

    def _say_how_many_are_finite(self, caller: str, consequence: str, found: Tensor | None = None) -> None:
        """Say for how many of the sequences that were just read the logit, or what was found, is not finite."""
        n, n_bad = self.runner.watch.n, self.runner.watch.n_bad
        if found is not None:
            n, n_bad = len(found), max(n_bad, int((~found.flatten(1).isfinite().all(1)).sum()))
        if n_bad:
            warnings.warn(
                f"{caller}: the logits of {n_bad} of {n} sequences are not finite (NaN or infinite): {consequence}.",
                stacklevel=4,
            )

    def _without_nan(self, best: BestSites) -> BestSites:
        """Sites of sequences whose scores are numbers, and none of the others; says how many these are."""
        is_bad = best.site_scores.isnan() | best.site_scores.isposinf()
        n_bad = int(is_bad.any(1).sum())
        if not n_bad:
            return best
        warnings.warn(
            f"find_sites: scores of {n_bad} of {len(is_bad)} sequences are not finite (NaN or infinite), where no site "
            "is given: the model has diverged.",
            stacklevel=4,
        )
        return replace(best, site_scores=best.site_scores.masked_fill(is_bad, -torch.inf))

    def _say_how_it_ends(self) -> None:
        """Say, once, that the model ends in a sigmoid or softmax."""
        if self.runner.squash is not None and not self._has_said:
            self._has_said = True
            gives = self.runner.squash.gives
            warnings.warn(
                f"the model ends in {self.runner.squash}: what is read is the logit before it, not the {gives}. For "
                f"the {gives} give func=lambda y: 1 * y (in Python).",
                stacklevel=4,
            )

    def _try(self, inputs: Inputs) -> None:
        """Run the model on one sequence, to see that it can be run, and how it ends if that is not known."""
        if self._is_settled:
            self.runner.try_one(inputs)
        else:
            self.runner, self._is_settled = self.runner.settled(inputs), True
        self._say_how_it_ends()
        if self.outputs is None:
            with torch.no_grad():
                logit = self.runner.logits(self.runner.whole_batch(inputs.rows(slice(2)))).double().cpu()
            self._reference = torch.arange(len(logit)), logit

    def _try_other(self, first: Inputs, second: Inputs) -> None:
        """Run the model on the second class, if it is not as the first was."""
        if first.shapes != second.shapes:
            self.runner.try_one(second)

    def _contributions(
        self,
        classes: tuple[Inputs, Inputs],
        method: Method,
        baseline: Baseline,
        at: At,
        n_resamples: int,
        seed: int,
        known: Sequence[Contributed | None] | None = None,
    ) -> tuple[pd.DataFrame, Contributed, Contributed]:
        """The table, and the contributions to either class that it is of, which may be known already."""
        check_method(method, baseline)
        require_whole("n_resamples", n_resamples, 1)
        require_whole("seed", seed, 0)
        with self.borrowed():
            bound = self._bind_logit(classes, at)
            self._try_other(*classes)
            with self._passes_of(bound) as passes:
                attribution: Attribution = attribute(bound, method, baseline, classes[1], passes)
                if known is None:
                    self.runner.watch.reset()
                positive, negative = (
                    attribution.over(passes, inputs, name) if contributed is None else contributed
                    for inputs, name, contributed in zip(classes, CLASSES, known or (None, None), strict=True)
                )
            names = bound.layer.filter_names
            table = tabulate_contributions(names, positive, negative, n_resamples=n_resamples, seed=seed)
        return table.assign(**describe_cut(attribution, baseline)), positive, negative

    def _logits(self, inputs: Inputs) -> Tensor:
        with torch.no_grad():
            found = RowsOf(len(inputs))
            for batch in self.runner.batches(inputs, "logits"):
                found.add(self.runner.logits(batch).double().cpu())
        return found.values


def _warn_of_missing_intervals(table: pd.DataFrame, classes: tuple[Inputs, Inputs]) -> None:
    """Say once, to the caller's caller, that contributions have no interval."""
    without = describe_missing_intervals(table, (len(classes[0]), len(classes[1])))
    if without is not None:
        warnings.warn(f"filter_contributions: {without}; give more sequences.", stacklevel=4)


@dataclass(frozen=True, eq=False)
class Reading:
    """What a `Reader` found in positives and negatives.

    Attributes
    ----------
    layer : FilterLayer
    field : ReceptiveField
        What its filters see.
    contributions : DataFrame
        As `rcinterp.filter_contributions` returns it.
    distributions : dict of str to Histogram
        Of each filter's contributions.
    faithfulness : Faithfulness or None
        None if it was not asked for.
    sites : ContributingSites
        Logits of either class, and where each filter contributes most.
    other_layers : tuple of str
        Names of further layers that read the sequence.
    said_of_outputs : tuple of str
        Sentences on what is doubtful of the model's outputs.
    """

    layer: FilterLayer
    field: ReceptiveField
    contributions: pd.DataFrame
    distributions: dict[str, Histogram]
    faithfulness: Faithfulness | None
    sites: ContributingSites
    other_layers: tuple[str, ...] = ()
    said_of_outputs: tuple[str, ...] = ()


def as_reader(
    model: nn.Module | Reader, layer: str | None = None, target: int = 0, **options: Unpack[RunOptions]
) -> Reader:
    """A reader of a model, or the reader itself, which has its own layer, target and options.

    Raises
    ------
    InputError
        If a reader comes with what it has already.
    """
    if not isinstance(model, Reader):
        return Reader(model, layer, target, **options)
    given = {"layer": layer, "target": target or None, **options}
    twice = [name for name, value in given.items() if value is not None]
    if twice:
        raise InputError(
            f"got a Reader and {', '.join(twice)} too, expected what it was made with alone. Make another Reader."
        )
    return model
