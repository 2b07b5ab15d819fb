"""The ways in which a model's filters may start, of which the best run is kept."""

import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from typing import Any, cast

import pandas as pd
import torch
from torch import Tensor, nn

from rcinterp.data.datasets import Dataset
from rcinterp.errors import InputError
from rcinterp.training.baseline import KmerBaseline, fit_baseline
from rcinterp.training.doubts import aurocs_of_tasks, find_doubts, have_moved, judge_validation, trainable_weights
from rcinterp.training.models import CompactModel
from rcinterp.training.performance import auroc_error
from rcinterp.training.plan import Plan
from rcinterp.training.run import Run
from rcinterp.training.steps import batch_norm_momentum
from rcinterp.training.words import Word, WordStart, measure_batch_norm

#: How filters start: all drawn at random; half of them at most from words; from words and composition alone, the others
#: silent for good.
DRAWN, WORDS_AND_DRAWN, WORDS_ALONE = "drawn", "words and drawn", "words alone"
#: Standard errors of the validation auROC by which another start must be ahead of words alone, the simpler one.
CANNOT_TELL = 0.5
_SHIFT = "head_bias_shift"  # of a model's provenance


class Starts:
    """A model, the ways in which it may start, and what has come of each.

    Parameters
    ----------
    model : nn.Module
        Trained in place.
    plan : Plan
    seed : int
        Of this model; that of the plan's settings counts for nothing.
    words : WordStart or None
        What of the model may start from words.

    Attributes
    ----------
    names : list of str
        The starts to try, the first of which is taken if they end alike.
    runs : dict of Run
        Those that were trained to their end, by start.
    """

    def __init__(self, model: nn.Module, plan: Plan, seed: int, words: WordStart | None) -> None:
        self.model, self.plan, self.words = model, plan, words
        self._settings = plan.settings | {"seed": seed}
        self._shift = _take_back_shift(model) if plan.settings["initialise"] else _shift_of(model)
        self._given = {name: value.detach().clone() for name, value in model.state_dict().items()}
        self._taken: dict[str, list[Word]] = {}
        self._has_moved: dict[str, bool] = {}
        self.runs: dict[str, Run] = {}
        self.names = [DRAWN]
        if words is not None:
            first = WORDS_AND_DRAWN if words.words else DRAWN
            self.names = [first, *([WORDS_ALONE] if words.can_stand_alone else [])]

    def settings_of(self, start: str) -> dict[str, Any]:
        """All that makes it the run from that start."""
        return self._settings if self.words is None else self._settings | {"start": start}

    @contextmanager
    def begun(self, start: str) -> Iterator[None]:
        """Let the model start in that way, to be trained within the context; it leaves other random numbers alone."""
        model, plan, words = self.model, self.plan, self.words
        with torch.random.fork_rng(), batch_norm_momentum(model, plan.recipe.momentum), ExitStack() as start_lasts:
            model.load_state_dict(self._given)
            if self._settings["initialise"]:
                torch.manual_seed(self._settings["seed"])
                plan.recipe.initialise(model, plan.train.length)
            if words is not None and start == WORDS_ALONE:
                alone = words.alone(
                    *(model, plan.train, float(plan.positive_weight[0])), shifts_frozen=isinstance(model, CompactModel)
                )
                self._taken[start] = start_lasts.enter_context(alone)
            elif words is not None and start == WORDS_AND_DRAWN:
                self._taken[start] = words.apply(plan.train)
                measure_batch_norm(model, plan.train)
            began_with = trainable_weights(model)
            yield
            self._has_moved[start] = have_moved(began_with, trainable_weights(model))

    def leave_out(self, start: str, error: InputError) -> None:
        """Do without a start whose run has failed; if there is no other, raise its error."""
        if not self.runs:
            raise error
        warnings.warn(f"fit: the start from {start} is left out ({error})", stacklevel=3)

    def keep_best(self, baseline: KmerBaseline | None) -> pd.DataFrame:
        """Give the model the weights of the best epoch of the best start, in eval mode, and its provenance.

        Parameters
        ----------
        baseline : KmerBaseline or None
            To compare with; told of the caller's caller if it is better.

        Returns
        -------
        DataFrame
            The history of that start.
        """
        model, valid = self.model, self.plan.valid
        start = _choose_start({name: run.best_auroc for name, run in self.runs.items()}, valid.y)
        run = self.runs[start]
        model.load_state_dict(run.best)
        model.eval()
        history = pd.DataFrame(run.rows)
        aurocs = aurocs_of_tasks(model, valid, run.best_auroc)
        doubts = find_doubts(model, self.plan.train, valid, run.rows, aurocs, has_moved=self._has_moved[start])
        cautions = judge_validation(model, valid, run.rows, aurocs)
        for caution in cautions:
            warnings.warn(f"fit: {caution}.", stacklevel=3)
        if doubts:
            warnings.warn(
                f"fit: the model may have learned nothing: {'; '.join(doubts)}. Try another seed, more sequences, or "
                "another learning rate.",
                stacklevel=3,
            )
        if baseline is not None:
            history["baseline_auroc"] = _compare_with_baseline(baseline, valid, run.best_auroc)
        if isinstance(model, CompactModel):
            kept = {name: value for name, value in run.settings.items() if name not in ("model", "architecture")}
            kept |= {"best_epoch": run.best_epoch, "valid_auroc": run.best_auroc, "leakage": asdict(self.plan.leakage)}
            threads = list(dict.fromkeys(n for tried in self.runs.values() for n in tried.threads))
            if len(threads) > 1:
                kept["threads"] = threads
            if doubts or cautions:
                kept["doubts"] = [f"the model may have learned nothing: {doubt}." for doubt in doubts]
                kept["doubts"] += [f"{caution}." for caution in cautions]
            shift = self._shift
            if not cast(nn.Linear, model.head).bias.requires_grad:
                shift += float(run.best["head.bias"] - self._given["head.bias"])
            if shift:
                kept[_SHIFT] = shift
            if self.words is not None:
                kept["starts"] = {name: tried.best_auroc for name, tried in self.runs.items()}
                kept["words"] = [str(word) for word in self._taken.get(start, [])]
            if baseline is not None:
                kept["baseline_auroc"] = float(history["baseline_auroc"].iloc[0])
            kept["history"] = history.to_dict("list")
            model.provenance = kept
            model.baseline = baseline
        return history.assign(is_best=history["epoch"] == run.best_epoch)


def _choose_start(aurocs: dict[str, float], y: Tensor) -> str:
    """The start of the larger validation auROC, but words alone if it is behind by less than that can tell."""
    best = max(aurocs, key=lambda name: aurocs[name])  # the first of equals
    n_positive = int(y[:, 0].sum())
    if best == WORDS_ALONE or WORDS_ALONE not in aurocs or not 0 < n_positive < len(y):
        return best
    within = CANNOT_TELL * auroc_error(aurocs[best], n_positive, len(y) - n_positive)
    return WORDS_ALONE if aurocs[best] - aurocs[WORDS_ALONE] < within else best


def _shift_of(model: nn.Module) -> float:
    """What an earlier run has added to the bias of a compact model's frozen head."""
    return float(model.provenance.get(_SHIFT, 0.0)) if isinstance(model, CompactModel) else 0.0


def _take_back_shift(model: nn.Module) -> float:
    """Take it away again, as all weights are replaced; returns what is left of it, 0."""
    if shift := _shift_of(model):
        head = cast(nn.Linear, cast(CompactModel, model).head)
        with torch.no_grad():
            head.bias.sub_(shift)
        cast(CompactModel, model).provenance.pop(_SHIFT)
    return 0.0


def find_baseline(train: Dataset, valid: Dataset) -> KmerBaseline | None:
    """The logistic regression on words, if every task has positives and negatives; warns if one has not."""
    one_class = torch.nonzero(train.y.amin(0) == train.y.amax(0)).flatten().tolist()
    if one_class:
        warnings.warn(
            f"fit: task {one_class[0]} has only one class in the training set, so that there is no baseline to compare "
            "with.",
            stacklevel=3,
        )
    return None if one_class else fit_baseline(train, valid)


def _compare_with_baseline(baseline: KmerBaseline, valid: Dataset, best_auroc: float) -> float:
    """Validation auROC of the baseline, mean over tasks; warns if it is the better one."""
    auroc = float(baseline.evaluate(valid)["auroc"].mean())
    if auroc > best_auroc:
        warnings.warn(
            f"fit: a logistic regression on counts of {baseline.k}-mers reaches validation auROC {auroc:.4f}, the "
            f"model {best_auroc:.4f}: nothing shows that it has learned more than composition and short words. Try "
            "more filters, another seed, or more sequences.",
            stacklevel=4,
        )
    return auroc
