"""Any model, asked as its owner asks it: further inputs, the output that is meant, and the loan of it."""

import operator
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from tqdm import tqdm

from rcinterp.data.sequences import SequenceInput, as_one_hot
from rcinterp.errors import InputError

#: A model's further inputs: one tensor each, its rows those of the sequences, or one row for all of them.
Args: TypeAlias = tuple[Tensor, ...] | list[Tensor] | None
#: From what a model returns to its scores: (n, n_tasks), (n,) or (n, n_tasks, positions).
Func: TypeAlias = Callable[[Any], Tensor]


@dataclass(frozen=True)
class Caller:
    """How a model is called, and which number of its output is read.

    Attributes
    ----------
    model : nn.Module
        (n, 4, L), and what `args` hold, -> whatever `func` turns into scores.
    target : int
        Which task: column of (n, n_tasks), or row of a profile (n, n_tasks, positions), whose positions are added up.
    func : callable, optional
        From the model's output to a tensor of scores, e.g. ``lambda y: y["counts"]`` or ``lambda y: y[1]``.
    batch_size : int
        Sequences at a time.
    device : str or torch.device, optional
        Where to run; when not given, where the model is, or on CUDA if the model is on the CPU and there is one.
    verbose : bool
        Whether to show a progress bar on standard error.
    """

    model: nn.Module
    target: int = 0
    func: Func | None = None
    batch_size: int = 100
    device: str | torch.device | None = None
    verbose: bool = False

    def __post_init__(self) -> None:
        """Refuse what no call could use."""
        given: object = self.model
        if not isinstance(given, nn.Module):
            raise InputError(
                f"got a model of type {type(given).__name__}, expected an nn.Module, e.g. load_model(folder)."
            )
        require_whole("batch_size", self.batch_size, 1)
        require_whole("target", self.target, 0)

    @contextmanager
    def borrowed(self) -> Iterator[None]:
        """Lend the model in eval mode, on the device meant; it comes back as it was, even after an error."""
        with lent(self.model, _resolve(self.device, place_of(self.model)[0])):
            yield

    def batches(self, x: Tensor, args: Args = None, description: str = "") -> Iterator[tuple[Tensor, ...]]:
        """Batches of sequences and further inputs, on the model's device, floating-point ones in its type."""
        place = place_of(self.model)
        further = rows_of_args(args, len(x))
        starts = range(0, len(x), self.batch_size)
        for start in tqdm(starts, desc=description or None, disable=not self.verbose, leave=False):
            rows = slice(start, start + self.batch_size)
            yield tuple(_put(value[rows], place) for value in (x, *further))

    def scores(self, inputs: Sequence[Tensor]) -> Tensor:
        """Call the model and return the score of each sequence that is meant, shape (n,)."""
        return self.select(self.model(*inputs), len(inputs[0]))

    def select(self, output: Any, n: int) -> Tensor:
        """Score that is meant, (n,), of what the model returned for n sequences."""
        scores = _as_scores(output, self.func, n)
        if self.target >= scores.shape[1]:
            raise InputError(
                f"target: got {self.target}, expected 0 to {scores.shape[1] - 1}: the model has {scores.shape[1]} "
                f"output{'s' * (scores.shape[1] > 1)}."
            )
        return scores[:, self.target]


@contextmanager
def lent(model: nn.Module, device: torch.device | None = None) -> Iterator[None]:
    """Put a model in eval mode, its parameters without gradients, perhaps elsewhere, and give it back as it was.

    Also after an error. It is called as written, without torch.compile, so that hooks and what it computes are seen.
    """
    training = {module: module.training for module in model.modules()}
    trainable = {parameter: parameter.requires_grad for parameter in model.parameters()}
    home, _ = place_of(model)
    with ExitStack() as stack:
        stack.callback(_restore, training, trainable)
        if device not in (None, home):
            stack.callback(model.to, home)
            model.to(device)
        if "torch._dynamo" in sys.modules and hasattr(torch.compiler, "set_stance"):  # the latter from torch 2.6 on
            stack.enter_context(torch.compiler.set_stance("force_eager"))
        if any(isinstance(module, nn.RNNBase) for module in training):
            stack.enter_context(torch.backends.cudnn.flags(enabled=False))  # its backward pass refuses eval mode
        model.eval()
        model.requires_grad_(False)
        yield


def _restore(training: dict[nn.Module, bool], trainable: dict[nn.Parameter, bool]) -> None:
    for module, was_training in training.items():
        module.training = was_training
    for parameter, was_trainable in trainable.items():
        parameter.requires_grad_(was_trainable)


def _resolve(device: str | torch.device | None, home: torch.device) -> torch.device:
    if device is None:
        return torch.device("cuda") if home.type == "cpu" and torch.cuda.is_available() else home
    try:
        place = torch.device(device)
        torch.empty(0, device=place)
    except (RuntimeError, AssertionError) as error:
        raise InputError(
            f"device: got {str(device)!r}, which cannot be used here ({str(error).splitlines()[0]}); expected "
            "'cpu', or 'cuda' where there is one. Leave device out to run where the model is."
        ) from None
    return place


@contextmanager
def one_thread() -> Iterator[None]:
    """Calculate on one thread: small models are no slower, and the numbers are the same on any number of cores."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(n_threads)


def place_of(model: nn.Module) -> tuple[torch.device, torch.dtype]:
    """Device and floating-point type of a model's first parameter (CPU and float32 if it has none)."""
    for parameter in model.parameters():
        if parameter.is_floating_point():
            return parameter.device, parameter.dtype
    return torch.device("cpu"), torch.float32


def _put(value: Tensor, place: tuple[torch.device, torch.dtype]) -> Tensor:
    """Move a batch; whole numbers and truth values among further inputs keep their type."""
    device, dtype = place
    return value.to(device=device, dtype=dtype if value.is_floating_point() else None)


def rows_of_args(args: Args, n: int) -> tuple[Tensor, ...]:
    """Further inputs, one row a sequence each; a single row is repeated.

    Raises
    ------
    InputError
        If one is not a tensor, or has neither n rows nor one.
    """
    if args is None:
        return ()
    if not isinstance(args, tuple | list):
        raise InputError(
            f"args: got {type(args).__name__}, expected a tuple of tensors, one for each further input: "
            "args=(controls,)."
        )
    for i, value in enumerate(args):
        given: object = value
        if not isinstance(given, Tensor) or given.dim() == 0 or given.shape[0] not in (1, n):
            shape = tuple(given.shape) if isinstance(given, Tensor) else type(given).__name__
            raise InputError(
                f"args: input {i} is {shape}, expected a tensor of {n} rows, one a sequence (positives first, then "
                "negatives, where both are given), or of 1 row for all."
            )
    return tuple(value.expand(n, *value.shape[1:]) if len(value) != n else value for value in args)


def split_args(args: Args, n_first: int, n_second: int) -> tuple[Args, Args]:
    """Further inputs of the first and of the second of two sets of sequences, whose rows stand one after the other."""
    rows = rows_of_args(args, n_first + n_second)
    return tuple(value[:n_first] for value in rows), tuple(value[n_first:] for value in rows)


def _as_scores(output: Any, func: Func | None, n: int) -> Tensor:
    """(n, n_tasks) of whatever the model returned; profiles are added up over their positions."""
    scores = output if func is None else _apply(func, output)
    if not isinstance(scores, Tensor):
        keys = f" with {', '.join(map(repr, scores))}" if isinstance(scores, dict) else ""
        raise InputError(
            f"the {'model' if func is None else 'func'} returned {type(scores).__name__}{keys}, expected one tensor of "
            'scores. Say which part is meant, e.g. func=lambda y: y["counts"] for a dict, func=lambda y: y[1] for a '
            "tuple; on the command line --output counts, or --output 1."
        )
    if n == 1 and (scores.dim() == 0 or (scores.dim() == 1 and len(scores) > 1)):  # a squeezed batch axis
        scores = scores[None]
    if scores.dim() == 0 or scores.shape[0] != n:
        raise InputError(
            f"the model returned scores of shape {tuple(scores.shape)} for {n} sequences, expected (n, n_tasks), "
            "(n,) or (n, n_tasks, positions). Turn them with func=."
        )
    if scores.dim() == 1:
        return scores[:, None]
    if scores.dim() == 2:
        return scores
    wide = torch.promote_types(scores.dtype, torch.float32)  # thousands of positions are too many for half precision
    return scores.flatten(2).sum(-1, dtype=wide)


def _apply(func: Func, output: Any) -> Any:
    """Call the user's function, and turn what it raises into one line."""
    try:
        return func(output)
    except InputError:
        raise
    except Exception as error:  # whatever it is, it is the user's own
        given = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
        raise InputError(
            f"func: raised {type(error).__name__} ({error}) on what the model returned ({given}), expected a function "
            "from that to a tensor of scores."
        ) from error


def require_whole(name: str, value: object, least: int) -> None:
    """Refuse what is no whole number of at least `least`."""
    if isinstance(value, bool) or not hasattr(value, "__index__") or operator.index(value) < least:
        raise InputError(f"{name}: got {value!r}, expected a whole number of at least {least}.")


def profile_score(logits: Tensor) -> Tensor:
    """Score of a profile's shape, for models that predict reads at each base (BPNet): logits weighed by their softmax.

    Parameters
    ----------
    logits : Tensor, shape (n, n_strands, positions)

    Returns
    -------
    Tensor, shape (n, 1)
        ``sum over strands and positions of logit · softmax(logit)``, the softmax over both and without gradient; the
        logits less their mean.

    References
    ----------
    Avsec et al. 2021 (BPNet), Nat. Genet. 53:354, section "DeepLIFT contribution scores".
    """
    flat = logits.flatten(1)
    flat = flat - flat.mean(-1, keepdim=True)
    return (flat * flat.softmax(-1).detach()).sum(-1, keepdim=True)


def predict(
    model: nn.Module,
    x: SequenceInput,
    args: Args = None,
    *,
    func: Func | None = None,
    batch_size: int = 500,
    device: str | torch.device | None = None,
    verbose: bool = False,
) -> Tensor:
    """Logits of every sequence, on the CPU.

    Parameters
    ----------
    model : nn.Module
        (n, 4, L) -> (n, n_tasks), (n,), or a profile (n, n_tasks, positions), which is added up over its positions.
    x : Tensor (N, 4, L), or a FASTA path, or a list of str
    args : sequence of Tensor, optional
        Further inputs of the model: N rows each, or one row for all sequences.
    func : callable, optional
        From the model's output to one of those shapes; for models that return tuples or dicts.
    batch_size : int
        Sequences at a time.
    device : str or torch.device, optional
        Where to run; when not given, where the model is, or on CUDA if the model is on the CPU and there is one.
    verbose : bool
        Whether to show a progress bar on standard error.

    Returns
    -------
    Tensor, shape (N, n_tasks)
    """
    x = as_one_hot(x, "predict")
    caller = Caller(model, func=func, batch_size=batch_size, device=device, verbose=verbose)
    with caller.borrowed(), torch.no_grad():
        runs_on(caller, x[:1], first_rows(args, len(x), 1))
        found = [
            _as_scores(model(*inputs), func, len(inputs[0])).cpu() for inputs in caller.batches(x, args, "predicting")
        ]
    return torch.cat(found)


def first_rows(args: Args, n: int, m: int) -> Args:
    """Further inputs of the first m of n sequences."""
    return tuple(value[:m] for value in rows_of_args(args, n))


def runs_on(caller: Caller, x: Tensor, args: Args = None) -> None:
    """Run a lent model on a few sequences, and turn what it raises into one line.

    Raises
    ------
    InputError
        If the model raises.
    """
    with torch.no_grad():
        for inputs in replace(caller, verbose=False).batches(x, args):
            try:
                caller.model(*inputs)
            except InputError:
                raise
            except Exception as error:  # whatever it is, it is the user's own
                shapes = ", ".join(str(tuple(value.shape)) for value in inputs)
                raise InputError(
                    f"the model ({type(caller.model).__name__}) cannot be run on inputs of shape {shapes} "
                    f"({type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no message'}), expected "
                    "one-hot sequences (n, 4, L) of the length that it was built for. Further inputs go into "
                    "args=(...); a model that reads (n, L, 4) needs a wrapper that turns its input."
                ) from error
