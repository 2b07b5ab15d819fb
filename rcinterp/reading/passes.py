"""Passes of a layer over sequences: in this process, or on the workers of a Dask cluster, a shard of sequences each."""

from __future__ import annotations

import io
import pickle
import platform
import sys
import threading
import warnings
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import version
from types import ModuleType
from typing import TYPE_CHECKING, Any, Generic, TypeVar
from uuid import uuid4

import torch
from torch import Tensor
from tqdm import tqdm

from rcinterp.data.coded import CodedSequences, coded_if_letters
from rcinterp.errors import InputError
from rcinterp.reading.cluster import Work, connect, lost, outcome_of, warn_without_workers
from rcinterp.reading.inputs import Inputs
from rcinterp.reading.model import Runner, one_thread
from rclayers import exact_strands
from rclayers._exact import strands_must_be_exact

if TYPE_CHECKING:
    from distributed import Client

Held = TypeVar("Held")
Found = TypeVar("Found")

#: Bytes of a shard at most, if a batch is not more already, and shards of each class for a thread of the workers.
_MOST_BYTES, _SHARDS_A_THREAD = 4_000_000, 4
#: Shards for each thread that are with the scheduler at a time: the one that is read, and those that come next.
_AHEAD = 3

#: A model is lent to one shard at a time.
_ONE_AT_A_TIME = threading.Lock()

READING = Work(
    name="reading",
    part="shard",
    after_deaths="give the workers more memory, or take a smaller batch_size",
    after_loss="start it again",
)


@dataclass(frozen=True, eq=False)
class _Workers:
    """Workers that have got a model.

    Attributes
    ----------
    client : Client
    scheduler : str
        Its address.
    packed : Future
        What `_pack` made of the model.
    """

    client: Client
    scheduler: str
    packed: Any

    def submit(self, read: Callable[[Any, Inputs], Any], shard: Inputs) -> Any:
        """Future of a shard; it is done again if its worker dies."""
        given = (self.packed, version("rcinterp"), strands_must_be_exact(), read, shard)
        return _submit(self.client, _read_shard, *given)

    @property
    def n_threads(self) -> int:
        """Threads of all workers at the moment, at least one."""
        return max(1, sum(self.client.nthreads().values()))  # type: ignore[no-untyped-call]  # so it is in Dask

    @contextmanager
    def in_use(self) -> Iterator[None]:
        """Say in one line that the scheduler is lost, whatever Dask raises where that is found out."""
        from distributed.comm.core import CommClosedError

        try:
            yield
        except InputError:
            raise
        except Exception as error:
            if self.client.status == "running" and not isinstance(error, CommClosedError):
                raise
            raise lost(self.scheduler, READING) from None


@dataclass(frozen=True, eq=False)
class Passes(Generic[Held]):
    """Passes of a lent model over sequences.

    Attributes
    ----------
    held : object
        What is known of the model, a `BoundLayer` say: the first argument of whatever reads sequences.
    runner : Runner
    workers : _Workers, optional
        In this process if not given.
    """

    held: Held
    runner: Runner
    workers: _Workers | None = None

    def over(
        self,
        inputs: Inputs,
        read: Callable[[Held, Inputs], Found],
        join: Callable[[Iterator[Found], int], Found],
        description: str = "",
    ) -> Found:
        """What is found in sequences.

        Parameters
        ----------
        inputs : Inputs
        read : callable
            What is found in any number of sequences, a batch at a time; workers must be able to import it.
        join : callable
            From what is found in each shard, in order, and the number of all sequences to what is found in all.
        description : str
            Of the progress bar.
        """
        if self.workers is None:
            return read(self.held, inputs)
        bar = tqdm(total=len(inputs), desc=description or None, disable=not self.runner.verbose, leave=False)
        with bar, self.workers.in_use():
            return join(_in_order(self.workers, read, inputs, self.runner.batch_size, bar.update), len(inputs))


def _in_order(
    workers: _Workers, read: Callable[[Any, Inputs], Found], inputs: Inputs, batch_size: int, note: Callable[[int], Any]
) -> Iterator[Found]:
    """What is found in each shard; few shards are away at a time, so that all of them are never with the scheduler."""
    away: deque[tuple[Any, int]] = deque()

    def come_back() -> Found:
        future, n = away.popleft()
        found: Found = outcome_of(future, workers.scheduler, READING)
        note(n)
        return found

    for rows in _shards(inputs, batch_size, workers.n_threads):
        shard = _shard_of(inputs, rows)
        away.append((workers.submit(read, shard), len(shard)))
        if len(away) >= _AHEAD * workers.n_threads:
            yield come_back()
    while away:
        yield come_back()


@contextmanager
def passes_of(held: Held, runner: Runner, scheduler: str | None = None) -> Iterator[Passes[Held]]:
    """Passes of a lent model, in this process or on the workers of the scheduler at that address.

    Raises
    ------
    InputError
        If no scheduler answers, or the model cannot be sent.

    Notes
    -----
    Workers read whole batches of the same sequences that this process would, on one thread each, and what they find is
    put together in the order of the sequences.
    """
    if scheduler is None:
        yield Passes(held, runner)
        return
    with connect(scheduler) as client:
        warn_without_workers(client, scheduler, READING)
        yield Passes(held, runner, _Workers(client, scheduler, _submit(client, _keep, _pack(held, runner))))


def _submit(client: Client, function: Any, *given: Any) -> Any:
    with warnings.catch_warnings():
        # A model is sent as what a task returns: unlike scattered data, it is there again if all who had it have died.
        warnings.filterwarnings("ignore", message="Sending large graph")
        return client.submit(function, *given, key=f"{function.__name__.strip('_')}-{uuid4().hex}", pure=False)


def _keep(packed: bytes) -> bytes:
    return packed


def _read_shard(packed: bytes, of: str, exact: bool, read: Callable[[Any, Inputs], Found], shard: Inputs) -> Found:
    """What is found in a shard; done by a worker."""
    if version("rcinterp") != of:
        raise InputError(
            f"--scheduler: got rcinterp {of} here and {version('rcinterp')} on {platform.node()}, expected one "
            "version; start the workers in the environment that the reading is started in."
        )
    with _ONE_AT_A_TIME, one_thread(), ExitStack() as stack:
        held, runner = _unpack(packed)
        if exact:
            stack.enter_context(exact_strands())
        stack.enter_context(runner.borrowed())
        return read(held, shard)


def _pack(held: object, runner: Runner) -> bytes:
    """A model and what is known of it, in one piece, so that what refers to the model's modules goes on to do so."""
    import cloudpickle

    buffer = io.BytesIO()
    try:
        with _by_value(_found_by_no_import()):
            torch.save((held, runner), buffer, pickle_module=cloudpickle, pickle_protocol=pickle.HIGHEST_PROTOCOL)
    except Exception as error:  # whatever the user's own objects raise
        kind, reason = type(runner.model).__name__, str(error).partition("\n")[0]
        raise InputError(
            f"--scheduler: the model ({kind}), or func, cannot be sent to workers ({type(error).__name__}: {reason}), "
            "expected what pickle takes: no open files, locks or generators among its attributes. Without a scheduler "
            "it can be read."
        ) from None
    return buffer.getvalue()


@lru_cache(maxsize=1)
def _unpack(packed: bytes) -> tuple[Any, Runner]:
    """What was packed, on the CPU; it comes from the process that started the reading, as the task itself does."""
    try:
        held, runner = torch.load(io.BytesIO(packed), map_location="cpu", weights_only=False, pickle_module=pickle)
    except Exception as error:  # whatever the user's own objects raise
        reason = str(error).partition("\n")[0]
        raise InputError(
            f"--scheduler: the model cannot be made on {platform.node()} ({type(error).__name__}: {reason}); start the "
            "workers in the environment that the reading is started in, where they can import the model's code."
        ) from None
    return held, runner


def _found_by_no_import() -> list[ModuleType]:
    """Modules of Python files that an import would not find, such as the file of FILE.py:NAME."""
    return [
        module
        for name, module in list(sys.modules.items())
        if "." not in name
        and name == getattr(module, "__name__", None) != "__main__"
        and str(getattr(module, "__file__", None)).endswith(".py")
        and not any(finder.find_spec(name, None) for finder in sys.meta_path)
    ]


@contextmanager
def _by_value(modules: Sequence[ModuleType]) -> Iterator[None]:
    """Let what these modules define be sent itself, and not by its name."""
    import cloudpickle

    with ExitStack() as stack:
        for module in modules:
            cloudpickle.register_pickle_by_value(module)
            stack.callback(cloudpickle.unregister_pickle_by_value, module)
        yield


def _shards(inputs: Inputs, batch_size: int, n_threads: int) -> Iterator[slice]:
    """Rows of each shard: whole batches, so that each sequence stands in the batch that it stands in here."""
    first = _shard_of(inputs, slice(1))
    held = first.x.codes if isinstance(first.x, CodedSequences) else first.x
    n_bytes = held.nbytes + sum(value.nbytes for value in first.further)
    n_rows = min(_MOST_BYTES // n_bytes, -(-len(inputs) // (_SHARDS_A_THREAD * n_threads)))
    size = batch_size * max(1, n_rows // batch_size)
    return (slice(start, start + size) for start in range(0, len(inputs), size))


def _shard_of(inputs: Inputs, rows: slice) -> Inputs:
    """Some sequences to be sent, at one byte a base if they are letters, and no more than these."""
    x = inputs.x
    own = CodedSequences(x.read(rows)) if isinstance(x, CodedSequences) else coded_if_letters(_apart(x[rows]))
    return Inputs(own, tuple(_apart(value[rows]) for value in inputs.further))


def _apart(values: Tensor) -> Tensor:
    """Values without the rest of the memory that they lie in, which would be sent along."""
    return values.detach().cpu().clone(memory_format=torch.contiguous_format)
