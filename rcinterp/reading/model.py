"""Run any model: its extra inputs, the output that is read, and its state restored afterwards."""

import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from multiprocessing import resource_tracker
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter
from tqdm import tqdm

from rcinterp.data.sequences import SequenceInput
from rcinterp.errors import InputError, require_whole
from rcinterp.reading.inputs import Args, Inputs, as_inputs
from rcinterp.reading.logits import Func, as_logits
from rcinterp.reading.probability import LogitsInstead, Mark, NoteSquashing, Squash

#: Sequences that a model reads at a time, when a function is not told.
BATCH_SIZE = 100
#: Sequences of each class whose outputs are looked at, for what they are.
N_LOOKED_AT = 20
#: By how much outputs may differ from run to run by rounding: shares of their range and of the largest. TF32 and
#: autocast round more than float32 does.
ROUNDING, ROUNDING_OF_HALF = (0.03, 2e-3), (0.2, 0.05)


class Watch:
    """What is seen of the outputs of sequences that a model reads; of a batch that is run several times, once.

    Attributes
    ----------
    n, n_bad : int
        Sequences that were read, and those of which a logit that was asked for is not finite.
    heads : list of Tensor, shapes (n, n_tasks)
        Outputs of the first `N_LOOKED_AT` sequences of each of the first two inputs, float64, on the CPU.
    """

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin anew."""
        self.n = self.n_bad = self._n_awaited = 0
        self.heads: list[Tensor] = []

    def expect(self, start: int, n: int) -> None:
        """A batch of n sequences is next, from that row of the inputs on."""
        self._n_awaited = n
        if start == 0:
            self.heads.append(torch.empty(0))

    def add(self, outputs: Tensor, read: Sequence[int]) -> None:
        """Outputs (n, n_tasks) of a batch, and which of them are read."""
        if len(outputs) != self._n_awaited:
            return
        self._n_awaited = 0
        outputs = outputs.detach()
        self.n += len(outputs)
        self.n_bad += int((~outputs[:, read].isfinite().all(1)).sum())
        if len(self.heads) <= 2 and len(self.heads[-1]) < N_LOOKED_AT:
            rows = outputs[: N_LOOKED_AT - len(self.heads[-1])].double().cpu()
            self.heads[-1] = torch.cat([self.heads[-1], rows]) if len(self.heads[-1]) else rows


@dataclass(frozen=True)
class Runner:
    """How a model is run, and which number of its output is read.

    Attributes
    ----------
    model : nn.Module
        (n, 4, L), and further inputs if it has any, -> whatever `func` turns into logits.
    target : int
        Which logit: column of (n, n_tasks), or row of a profile (n, n_tasks, positions), whose positions are added up.
    func : callable, optional
        From the model's output to a tensor of logits, e.g. ``lambda y: y["counts"]`` or ``lambda y: y[1]``.
    batch_size : int
        Sequences at a time.
    device : str or torch.device, optional
        Where to run; when not given, where the model is, or on CUDA if the model is on the CPU and there is one.
    verbose : bool
        Whether to show a progress bar on standard error.
    squash : Squash, optional
        The sigmoid or softmax that ends the model; its logit is read instead.
    mark : Mark, optional
        How what is read was made of a probability.
    watch : Watch
        What is seen of the outputs of batches.
    """

    model: nn.Module
    target: int = 0
    func: Func | None = None
    batch_size: int = BATCH_SIZE
    device: str | torch.device | None = None
    verbose: bool = False
    squash: Squash | None = None
    mark: Mark | None = None
    watch: Watch = field(default_factory=Watch, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Refuse what no call could use."""
        given: object = self.model
        if not isinstance(given, nn.Module):
            raise InputError(
                f"got a model of type {type(given).__name__}, expected an nn.Module, e.g. load_model(folder)."
            )
        require_whole("batch_size", self.batch_size, 1)
        require_whole("target", self.target, 0)

    def __getstate__(self) -> dict[str, Any]:
        """What is sent to another process, which shows no progress bars."""
        return {**vars(self), "verbose": False}

    @contextmanager
    def borrowed(self) -> Iterator[None]:
        """Lend the model in eval mode, on the device meant; it comes back as it was, even after an error."""
        with lent(self.model, _resolve(self.device, place_of(self.model)[0])):
            yield

    def batches(self, inputs: Inputs, description: str = "") -> Iterator[tuple[Tensor, ...]]:
        """Batches of sequences and further inputs, on the model's device, floating-point ones in its type."""
        place = place_of(self.model)
        starts = range(0, len(inputs), self.batch_size)
        for start in tqdm(starts, desc=description or None, disable=not self.verbose, leave=False):
            rows = slice(start, start + self.batch_size)
            self.watch.expect(start, min(self.batch_size, len(inputs) - start))
            yield tuple(_put(value[rows], place) for value in (inputs.x, *inputs.further))

    def whole_batch(self, inputs: Inputs) -> tuple[Tensor, ...]:
        """All of the inputs as one batch, which is not watched."""
        whole = replace(self, batch_size=max(1, len(inputs)), verbose=False, watch=Watch())
        (batch,) = whole.batches(inputs)
        return batch

    def logits(self, batch: Sequence[Tensor]) -> Tensor:
        """Call the model and return the logit of each sequence that is meant, shape (n,)."""
        outputs = self.all_logits(batch)
        logits = self._column(outputs)
        self.watch.add(outputs, [self.target])
        return logits

    def all_logits(self, batch: Sequence[Tensor]) -> Tensor:
        """Call the model and return all logits of each sequence, shape (n, n_tasks)."""
        with nullcontext() if self.squash is None else LogitsInstead(self.squash):
            output = self.model(*batch)
        return as_logits(output, self.func, len(batch[0]))

    def select(self, output: Any, n: int) -> Tensor:
        """Logit that is meant, (n,), of what the model returned for n sequences."""
        return self._column(as_logits(output, self.func, n))

    def _column(self, logits: Tensor) -> Tensor:
        if self.target >= logits.shape[1]:
            raise InputError(
                f"target: got {self.target}, expected 0 to {logits.shape[1] - 1}: the model has {logits.shape[1]} "
                f"output{'s' * (logits.shape[1] > 1)}."
            )
        return logits[:, self.target]

    def run(self, batch: Sequence[Tensor]) -> Any:
        """Call the model on a few sequences, and turn what it raises into one line.

        Raises
        ------
        InputError
            If the model raises.
        """
        try:
            return self.model(*batch)
        except InputError:
            raise
        except Exception as error:  # whatever it is, it is the user's own
            shapes = ", ".join(str(tuple(value.shape)) for value in batch)
            raise InputError(
                f"the model ({type(self.model).__name__}) cannot be run on inputs of shape {shapes} "
                f"({type(error).__name__}: {str(error).splitlines()[0] if str(error) else 'no message'}), expected "
                "one-hot sequences (n, 4, L) of the length that it was built for. Further inputs go into "
                "args=(...) (--args on the command line); a model that reads (n, L, 4) needs a wrapper that turns its "
                "input."
            ) from error

    def settled(self, inputs: Inputs) -> "Runner":
        """Run the lent model on two of these sequences: the runner of its logits, also if it ends in a sigmoid."""
        # of a single one it cannot be told whether a number is its own or a constant
        batch = self.whole_batch(inputs.rows(torch.arange(2) % len(inputs)))
        with torch.no_grad():
            with NoteSquashing() as squashing:
                output = self.run(batch)
            return self.ending(squashing, self.note_selected(squashing, output, len(batch[0])))

    def note_selected(self, squashing: NoteSquashing, output: Any, n: int) -> Tensor:
        """Logit that is meant, (n,), as `select`, with what is done on the way noted."""
        squashing.is_in_model = False
        with squashing:
            return self.select(output, n)

    def ending(self, squashing: NoteSquashing, logit: Tensor) -> "Runner":
        """The runner of a model that was seen to end so, with this logit (n,)."""
        squash = squashing.behind(logit)
        return replace(self, squash=squash, mark=squashing.mark_of(logit) if squash is None else None)

    def try_one(self, inputs: Inputs) -> Any:
        """Run the lent model on one sequence of these, to see that it can be run on them; gives what it returns."""
        with torch.no_grad():
            return self.run(self.whole_batch(inputs.rows(slice(1))))


class RowsOf:
    """Rows that come a batch at a time, in one tensor that is made for all of them.

    Parts kept in a list lie between what each batch needs for a while, and the process holds on to both.
    """

    def __init__(self, n: int) -> None:
        self.n, self.n_done = n, 0
        self.values = torch.empty(0)

    def add(self, rows: Tensor) -> None:
        """The next rows."""
        if not self.n_done:
            self.values = rows.new_empty(self.n, *rows.shape[1:])
        self.values[self.n_done : self.n_done + len(rows)] = rows
        self.n_done += len(rows)


@contextmanager
def lent(model: nn.Module, device: torch.device | None = None) -> Iterator[None]:
    """Put a model in eval mode, its parameters without gradients, perhaps elsewhere, and give it back as it was.

    Also after an error. It is called as written, without torch.compile, so that hooks and what it computes are seen.
    """
    _refuse_what_cannot_be_followed(model)
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
        try:
            model.eval()
        except NotImplementedError as error:  # torch.export's
            raise InputError(
                f"got an exported program ({type(model).__name__}), expected an nn.Module: it cannot be put into eval "
                "mode. Give the nn.Module that it was made from."
            ) from error
        model.requires_grad_(False)
        yield


def _refuse_what_cannot_be_followed(model: nn.Module) -> None:
    kind = type(model).__name__
    if isinstance(model, torch.jit.ScriptModule):
        raise InputError(
            f"got a TorchScript model ({kind}), expected an nn.Module: what a scripted or traced model computes cannot "
            "be followed. Give the nn.Module that it was made from."
        )
    lazy = [name for name, parameter in model.named_parameters() if isinstance(parameter, UninitializedParameter)]
    if lazy:
        raise InputError(
            f"the model ({kind}) has weights without a shape ({', '.join(lazy[:3])}: of lazy modules), expected one "
            "that has been run; call it once on sequences, model(x[:2]), or load its weights."
        )


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


def bar_options(progress: bool | None) -> dict[str, Any]:
    """Options of a tqdm bar: shown, or not, or, if None, where standard error is a terminal; gone when it is done."""
    return {"disable": None if progress is None else not progress, "leave": False}


def keep_bars_here() -> None:
    """Let tqdm make no lock for bars of several processes: for a process beside another one, which draws none.

    That lock is the system's; a process that is killed leaves it behind, of which Python warns beside the line that
    says what has happened.
    """
    tqdm.set_lock(threading.RLock())


@contextmanager
def interrupts_here() -> Iterator[None]:
    """Start processes that Ctrl-C does not reach, though it is sent to all of a terminal: they end with this one.

    Here it waits until they have been started. On Windows nothing is changed.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # which, started later, would let them through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


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


def find_unsteady(runner: Runner, inputs: Inputs, outputs: Tensor) -> str | None:
    """Run a lent model on two sequences again: the sentence on outputs that are not repeatable, or None.

    Parameters
    ----------
    runner : Runner
    inputs : Inputs
    outputs : Tensor, shape (N, n_tasks)
        Of these sequences.
    """
    which = sorted({0, min(len(inputs), runner.batch_size) - 1})
    two = inputs.rows(torch.tensor(which))
    quiet = replace(runner, verbose=False, watch=Watch())

    def run() -> Tensor:
        with torch.no_grad():
            return torch.cat([quiet.all_logits(batch).cpu() for batch in quiet.batches(two)]).double()

    before, again = outputs[which].double().cpu(), run()
    if not differ(runner, before, again, outputs):
        return None
    largest = f"by up to {float((before - again).abs().nan_to_num(torch.inf).max()):.2g}"
    if differ(runner, again, run(), outputs):
        return (
            f"the model is random in eval mode: its outputs for the same sequences differ {largest} from run to run, "
            "and so will all numbers. Switch off what is random: F.dropout(x, p, self.training), or nn.Dropout."
        )
    return (
        f"the model reads across a batch: its outputs for the same sequences differ {largest} between batches, and "
        "numbers will with batch_size and the order of the sequences. Let it treat each sequence by itself."
    )


def differ(runner: Runner, one: Tensor, other: Tensor, every: Tensor) -> bool:
    """Whether outputs (n, n_tasks) of the same sequences differ by more than rounding does, told from many outputs."""
    of_range, of_largest = ROUNDING_OF_HALF if place_of(runner.model)[1].itemsize == 2 else ROUNDING
    known = every.double().cpu()
    known = known.where(known.isfinite(), 0)
    rounding = of_range * (known.max(0).values - known.min(0).values) + of_largest * known.abs().max(0).values + 1e-5
    return bool((((one - other).abs() > rounding) | (one.isfinite() != other.isfinite())).any())


def predict(
    model: nn.Module,
    x: SequenceInput,
    args: Args = None,
    *,
    func: Func | None = None,
    batch_size: int = BATCH_SIZE,
    device: str | torch.device | None = None,
    verbose: bool = False,
) -> Tensor:
    """What a model predicts: the logits of every sequence, on the CPU.

    Parameters
    ----------
    model : nn.Module
        (n, 4, L) -> (n, n_tasks), (n,), or a profile (n, n_tasks, positions), which is added up over its positions.
    x : Tensor (N, 4, L), or a FASTA path, or a list of str, or a tuple of them and further inputs
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

    Warns
    -----
    UserWarning
        If logits are NaN or infinite, with the number of their sequences; if two sequences that are run again, in a
        batch of their own, get other logits.

    Examples
    --------
    >>> from rcinterp import compact_model
    >>> model = compact_model(1, 2, 60, widths=(11,), pool=10, stride=10)
    >>> predict(model, ["ACGT" * 15, "CCGT" * 15]).shape
    torch.Size([2, 1])
    """
    inputs = as_inputs(x, args, "predict")
    found, unsteady = _predict(Runner(model, 0, func, batch_size, device, verbose), inputs)
    n_bad = int((~found.isfinite().all(dim=1)).sum())
    if n_bad:
        warnings.warn(
            f"predict: the logits of {n_bad} of {len(found)} sequences are not finite (NaN or infinite): the model has "
            "diverged, or takes the logarithm of 0.",
            stacklevel=2,
        )
    if unsteady is not None:
        warnings.warn(unsteady, stacklevel=2)
    return found


def predict_logits(
    model: nn.Module,
    x: SequenceInput,
    args: Args = None,
    *,
    func: Func | None = None,
    batch_size: int = BATCH_SIZE,
    device: str | torch.device | None = None,
    verbose: bool = False,
) -> Tensor:
    """Predict as `predict` does, for callers that look themselves whether all logits are finite."""
    return _predict(Runner(model, 0, func, batch_size, device, verbose), as_inputs(x, args, "predict"))[0]


def _predict(runner: Runner, inputs: Inputs) -> tuple[Tensor, str | None]:
    """Logits (N, n_tasks), and the sentence on those that are not repeatable."""
    with runner.borrowed(), torch.no_grad():
        returned = runner.try_one(inputs)
        found = RowsOf(len(inputs))
        for batch in runner.batches(inputs, "predicting"):
            found.add(runner.all_logits(batch).cpu())
        try:
            alone = as_logits(returned, runner.func, 1).double().cpu()
            is_doubtful = differ(runner, alone, found.values[:1].double(), found.values)
            return found.values, find_unsteady(runner, inputs, found.values) if is_doubtful else None
        except InputError:  # of a model that needs as many sequences as there are
            return found.values, None
