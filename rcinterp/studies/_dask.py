"""Runs of a study on the workers of a Dask scheduler that is there already, on whatever machines they are."""

import socket
import warnings
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import CancelledError
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from rcinterp.errors import InputError
from rcinterp.studies._runs import Run

if TYPE_CHECKING:
    from distributed import Client

#: For a scheduler to answer.
_SECONDS_TO_CONNECT = 10

#: Name of the run, or None if another process is at it.
Outcome = str | None


def on_dask(do: Callable[[Run], Outcome], runs: Sequence[Run], scheduler: str) -> Generator[Outcome, None, None]:
    """Submit each run to the scheduler; one whose worker dies is given to another by Dask."""
    with _connect(scheduler) as client:
        from distributed import as_completed

        if not client.scheduler_info()["workers"]:
            warnings.warn(f"no worker has joined {scheduler} yet; the runs wait for one.", stacklevel=2)
        futures = [client.submit(do, run, key=f"{run.name}-{uuid4().hex}", pure=False) for run in runs]
        for future in as_completed(futures, loop=client.loop):  # type: ignore[no-untyped-call]  # so it is in Dask
            yield _outcome_of(future, scheduler)


def _connect(scheduler: str) -> "Client":
    try:
        from distributed import Client
    except ImportError:
        raise InputError('--scheduler: Dask is not installed here; pip install "rcinterp[dask]".') from None
    try:
        _greet(scheduler)
        # Untyped, as as_completed above.
        return Client(scheduler, timeout=_SECONDS_TO_CONNECT, set_as_default=False)  # type: ignore[no-untyped-call]  # so it is in Dask
    except (OSError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(
            f"--scheduler: no Dask scheduler answers at {scheduler} ({reason}); expected an address such as "
            "tcp://10.0.0.1:8786, as `dask scheduler` prints it."
        ) from None


def _greet(scheduler: str) -> None:
    """Raise an OSError unless someone speaks first, as schedulers do: Dask itself would wait for ever, or for long."""
    from distributed.comm.addressing import get_address_host_port, parse_address

    with socket.create_connection(get_address_host_port(scheduler), timeout=_SECONDS_TO_CONNECT) as connection:
        if parse_address(scheduler)[0] == "tcp" and not connection.recv(1):
            raise OSError("it hangs up")


def _outcome_of(future: Any, scheduler: str) -> Outcome:
    """What a worker returned; what went wrong with Dask is told in one line, and an error of the run is raised."""
    from distributed import KilledWorker

    try:
        outcome: Outcome = future.result()
    except KilledWorker as error:
        raise InputError(
            f"--scheduler: {error.allowed_failures + 1} workers died one after the other at the same run, perhaps for "
            "want of memory or at the time limit of their jobs; start the study again: what is done is kept, and the "
            "run goes on from its last epoch."
        ) from None
    except CancelledError:
        raise InputError(
            f"--scheduler: {scheduler} was lost, or has dropped the study; start the study again: what is done is kept."
        ) from None
    except RuntimeError as error:
        if not isinstance(error.__cause__, ImportError | AttributeError):
            raise
        raise InputError(
            f"--scheduler: scheduler and workers cannot import what the study is made of ({error.__cause__}); start "
            "them in the environment that the study is started in."
        ) from None
    return outcome
