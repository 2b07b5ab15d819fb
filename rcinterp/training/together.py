"""Train one model for each of several seeds in one run, with the weights of all in one stack."""

import operator
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal, cast

import pandas as pd
import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state
from tqdm import tqdm

from rcinterp.data.datasets import Dataset
from rcinterp.errors import InputError
from rcinterp.reading.logits import as_logits
from rcinterp.reading.model import BATCH_SIZE, bar_options, place_of
from rcinterp.training.plan import Plan, make_plan
from rcinterp.training.precision import FLOAT32, call_in
from rcinterp.training.recipes import Recipe
from rcinterp.training.run import Run
from rcinterp.training.starts import Starts, find_baseline
from rcinterp.training.steps import loss_of, make_optimiser, order_of, score, train_epoch
from rcinterp.training.words import prepare_words_of_all


def fit_seeds(  # noqa: PLR0913  # the settings of `fit`
    models: Sequence[nn.Module],
    train: Dataset,
    valid: Dataset,
    *,
    seeds: Sequence[int],
    recipe: str | Recipe = "seeded",
    epochs: int | None = None,
    samples_per_epoch: int | None = None,
    batch_size: int = 100,
    patience: int | Literal["recipe"] | None = "recipe",
    positive_weight: str | float = "balanced",
    augment: bool = False,
    initialise: bool = True,
    score_train: bool = False,
    precision: str = FLOAT32,
    baseline: bool = True,
    progress: bool | None = None,
) -> list[pd.DataFrame]:
    """Train models of one architecture, each with a seed of its own, in one run; returns their histories.

    It is meant for a GPU, which one small model leaves idle. **On a CPU it is slower than `fit` for one seed after the
    other** for all but the smallest models: start several processes there, as ``rcinterp study --jobs`` does.

    Parameters
    ----------
    models : sequence of nn.Module
        Alike but for their weights, and all in one place; trained in place, as by `fit`.
    train, valid : Dataset
    seeds : sequence of int
        One a model.
    recipe, epochs, samples_per_epoch, batch_size, patience, positive_weight : optional
        As in `fit`.
    augment, initialise, score_train, precision, baseline, progress : optional
        As in `fit`.

    Returns
    -------
    list of DataFrame
        One a model, as `fit` returns it.

    Raises
    ------
    InputError
        As in `fit`; and if the models are not alike, or cannot be run as a stack: dropout and other random layers
        cannot, nor can operations that `torch.vmap` does not know.

    Warns
    -----
    UserWarning
        As in `fit`.

    Notes
    -----
    Each model gets the initial weights, the order of the sequences and the optimiser that `fit` gives it with that
    seed, so that both agree but for rounding: to 1e-5 after one epoch. Rounding grows while a model trains, and counts
    for more where nothing else decides: in biases before batch norm, whose gradient is 0 but for rounding, of which
    Adam makes steps all the same (batch norm takes them away again), and in filters of composition ("seeded"), which
    match many places of a pooling window equally well. A model whose patience is at its end is carried along, and what
    is kept of it stays, until all have ended. There is no checkpoint.

    Parameters and running statistics lie in stacks (S, ...), of which each model's own are rows; the forward pass is
    `torch.vmap` over them, the loss the sum of the models' losses, and the optimiser works on the stacks. An optimiser
    must therefore treat each number by itself, as Adam and SGD do. Hooks on the gradients of parameters are called.

    Examples
    --------
    >>> from rcinterp import compact_model, load_dataset
    >>> train = load_dataset(["ACGT" * 15, "ACCT" * 15], ["GGGT" * 15, "CGGT" * 15])
    >>> valid = load_dataset(["AAGT" * 15, "AACT" * 15], ["GGGG" * 15, "CGGC" * 15])
    >>> models = [compact_model(1, 2, 60, widths=(11,), pool=10, stride=10) for seed in range(2)]
    >>> histories = fit_seeds(models, train, valid, seeds=[0, 1], recipe="quiet", epochs=1, baseline=False)
    >>> [len(history) for history in histories]
    [1, 1]
    """
    models, seeds = _checked(models, seeds)
    plan = make_plan(
        models[0],
        train,
        valid,
        seed=seeds[0],
        recipe=recipe,
        epochs=epochs,
        samples_per_epoch=samples_per_epoch,
        batch_size=batch_size,
        patience=patience,
        positive_weight=positive_weight,
        augment=augment,
        initialise=initialise,
        score_train=score_train,
        precision=precision,
    )
    plan = replace(plan, settings=plan.settings | {"seeds_together": seeds})
    words = prepare_words_of_all(models, train) if plan.recipe.words and initialise else [None] * len(models)
    all_starts = [Starts(model, plan, seed, own) for model, seed, own in zip(models, seeds, words, strict=True)]
    failures: dict[int, InputError] = {}
    for start in all_starts[0].names:
        with ExitStack() as begun:
            for starts in all_starts:
                begun.enter_context(starts.begun(start))
            runs, errors = _train(models, plan, [starts.settings_of(start) for starts in all_starts], progress)
        for seed, starts, run, error in zip(seeds, all_starts, runs, errors, strict=True):
            if error is None:
                starts.runs[start] = run
            elif starts.runs:
                starts.leave_out(start, error)
            else:
                failures.setdefault(seed, error)
    by_words = find_baseline(train, valid) if baseline else None
    histories = [starts.keep_best(by_words) for starts in all_starts if starts.runs]
    if len(histories) < len(models):
        lost = [seed for seed, starts in zip(seeds, all_starts, strict=True) if not starts.runs]
        others = "the others are trained" if histories else "no other is trained"
        raise InputError(f"fit_seeds: the model of seed {lost[0]} failed ({failures[lost[0]]}); {others}.")
    return histories


def _train(
    models: list[nn.Module], plan: Plan, settings: list[dict[str, Any]], progress: bool | None
) -> tuple[list[Run], list[InputError | None]]:
    """All epochs of one start of each model, and what ended a run before its time."""
    place, precision, weight = place_of(models[0]), plan.settings["precision"], plan.positive_weight
    orders = torch.stack([order_of(plan.train, own) for own in settings])
    scored = [plan.valid, *([plan.train] if plan.settings["score_train"] else [])]
    errors: list[InputError | None] = [None] * len(models)
    with stacked_models(models) as stack:
        stack.try_out(plan.train.x[:2].to(*place))
        optimiser = make_optimiser(plan.recipe, models[0], plan.train, stack.parameters)
        runs = [Run(model, plan.recipe, optimiser, own) for model, own in zip(models, settings, strict=True)]

        def losses(x: Tensor, y: Tensor) -> Tensor:
            logits = call_in(precision, stack.logits, x)
            return torch.vmap(lambda own, labels: loss_of(own, labels, weight))(logits, y)

        shown = {"desc": settings[0].get("start"), **bar_options(progress)}
        with tqdm(total=plan.settings["epochs"], unit="epoch", mininterval=1, **shown) as bar:
            while going := [i for i, run in enumerate(runs) if errors[i] is None and not run.is_over]:
                train_losses = train_epoch(runs[going[0]], plan.train, orders, place, losses).tolist()
                logits = {data: stack.predict(data.x) for data in scored}
                for i in going:
                    own = {data: of_all[i] for data, of_all in logits.items()}
                    try:
                        scores = score(own.__getitem__, *scored, positive_weight=weight)
                    except InputError as error:
                        errors[i] = error
                    else:
                        runs[i].record({"train_loss": train_losses[i], **scores})
                best = [run.best_auroc for run in runs if run.rows] or [float("nan")]
                bar.set_postfix_str(f"best valid_auroc={min(best):.4f} to {max(best):.4f}", refresh=False)
                bar.update()
            bar.refresh()  # the last numbers are seen, however short the training was
    return runs, errors


@dataclass(frozen=True, eq=False)
class Stack:
    """Parameters and buffers of S models, (S, ...) each, and the model that is called with them."""

    model: nn.Module
    parameters: dict[str, Tensor]
    buffers: dict[str, Tensor]

    def logits(self, x: Tensor) -> Tensor:
        """What each model gives for its own sequences: (S, n, 4, L) -> (S, n, n_tasks)."""
        self.model.train()
        return self._call(self.buffers, x, 0)

    @torch.no_grad()
    def predict(self, x: Tensor) -> Tensor:
        """What each model gives, in eval mode, for the same sequences: (N, 4, L) -> (S, N, n_tasks), on the CPU."""
        self.model.eval()
        place = place_of(self.model)
        found = []
        for batch in torch.split(x, BATCH_SIZE):
            logits = self._call(self.buffers, batch.to(*place), None)
            found.append(torch.stack([as_logits(own, None, len(batch)) for own in logits]).cpu())
        return torch.cat(found, dim=1)

    @torch.no_grad()
    def try_out(self, x: Tensor) -> None:
        """Refuse models that cannot be run in a stack, in training mode, on a few sequences (n, 4, L)."""
        self.model.train()
        kept = {name: buffer.clone() for name, buffer in self.buffers.items()}
        try:
            logits = self._call(kept, x.expand(len(next(iter(self.parameters.values()))), *x.shape), 0)
        except InputError:
            raise
        except Exception as error:  # whatever it is, it is the user's own or vmap's
            raise InputError(
                f"fit_seeds: the model ({type(self.model).__name__}) cannot be run in a stack ({type(error).__name__}: "
                f"{str(error).splitlines()[0] if str(error) else 'no message'}), expected one without dropout or other "
                "random layers, and of operations that torch.vmap knows. Use fit, one seed after the other."
            ) from error
        as_logits(logits[0], None, len(x))

    def _call(self, buffers: dict[str, Tensor], x: Tensor, x_dim: int | None) -> Tensor:
        def call(parameters: dict[str, Tensor], buffers: dict[str, Tensor], x: Tensor) -> Any:
            return functional_call(self.model, (parameters, buffers), (x,))

        return cast(Tensor, torch.vmap(call, in_dims=(0, 0, x_dim))(self.parameters, buffers, x))


@contextmanager
def stacked_models(models: list[nn.Module]) -> Iterator[Stack]:
    """Stack of the models' parameters and buffers, of which each model's own are rows as long as the context lasts."""
    for model in models:
        model.train()
    parameters, buffers = stack_module_state(models)
    for name, stacked in parameters.items():
        of_all = [model.get_parameter(name) for model in models]
        if any(parameter._backward_hooks for parameter in of_all):
            stacked.register_hook(partial(_through_hooks, of_all))
    rows: list[tuple[Tensor, Tensor]] = []
    for i, model in enumerate(models):
        rows += [(parameter, parameters[name][i]) for name, parameter in model.named_parameters()]
        rows += [(buffer, buffers[name][i]) for name, buffer in model.named_buffers()]
    for tensor, row in rows:
        tensor.data = row.data
    try:
        yield Stack(models[0], parameters, buffers)
    finally:
        for tensor, _ in rows:
            tensor.data = tensor.data.clone()


def _through_hooks(parameters: list[nn.Parameter], gradient: Tensor) -> Tensor:
    """The gradient (S, ...) after what hooks on each model's own parameter make of its row."""
    rows = list(gradient.unbind())
    for i, parameter in enumerate(parameters):
        for hook in (parameter._backward_hooks or {}).values():
            changed = hook(rows[i])
            rows[i] = rows[i] if changed is None else changed
    return torch.stack(rows)


def _checked(given: Sequence[nn.Module], given_seeds: Sequence[int]) -> tuple[list[nn.Module], list[int]]:
    """Models and seeds as lists, if they go together."""
    try:
        models, seeds = list(given), [operator.index(seed) for seed in given_seeds]
    except TypeError:
        raise InputError(
            f"fit_seeds: got models of type {type(given).__name__} and seeds of type {type(given_seeds).__name__}, "
            "expected a list of models and a list of whole numbers."
        ) from None
    if not all(isinstance(model, nn.Module) and any(True for _ in model.parameters()) for model in models):
        raise InputError("fit_seeds: expected every model to be an nn.Module with parameters, e.g. compact_model(...).")
    if not models or len(models) != len(seeds):
        raise InputError(
            f"fit_seeds: got {len(models)} models and {len(seeds)} seeds, expected as many of each, and at least one; "
            "e.g. models = [compact_model(1, 16, 200) for _ in seeds]."
        )
    parameters = [parameter for model in models for parameter in model.parameters()]
    if len({id(parameter) for parameter in parameters}) < len(parameters):
        raise InputError("fit_seeds: got models that share weights, expected a model of its own for each seed.")
    first = _description(models[0])
    for i, model in enumerate(models):
        if _description(model) != first:
            raise InputError(
                f"fit_seeds: model {i} is not like model 0 but for its weights, expected the same layers, sizes, "
                "types, device and frozen parameters; build all in the same way."
            )
    return models, seeds


def _description(model: nn.Module) -> tuple[object, ...]:
    """All but the values."""
    values = [(name, value.dtype, value.shape, value.device) for name, value in model.state_dict().items()]
    return repr(model), values, [parameter.requires_grad for parameter in model.parameters()]
