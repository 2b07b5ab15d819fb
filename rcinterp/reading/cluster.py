"""Work on the workers of a Dask scheduler that is there already, on whatever machines they are."""

import socket
import warnings
from concurrent.futures import CancelledError
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rcinterp.errors import InputError

if TYPE_CHECKING:
    from distributed import Client

#: For a scheduler to answer.
_SECONDS_TO_CONNECT = 10


@dataclass(frozen=True)
class Work:
    """What messages call the work that workers are given.

    Attributes
    ----------
    name : str
        "study", say.
    part : str
        What one worker does of it at a time: "run".
    after_deaths, after_loss : str
        What to do if workers died at the same part, and if the scheduler was lost.
    """

    name: str
    part: str
    after_deaths: str
    after_loss: str


def connect(scheduler: str) -> "Client":
    """Client of the scheduler at an address, for use in a ``with``.

    Raises
    ------
    InputError
        If Dask is not installed, or no scheduler answers.
    """
    try:
        from distributed import Client
    except ImportError:
        raise InputError('--scheduler: Dask is not installed here; pip install "rcinterp[dask]".') from None
    try:
        _greet(scheduler)
        return Client(scheduler, timeout=_SECONDS_TO_CONNECT, set_as_default=False)  # type: ignore[no-untyped-call]  # so it is in Dask
    except (OSError, ValueError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(
            f"--scheduler: no Dask scheduler answers at {scheduler} ({reason}); expected an address such as "
            "tcp://10.0.0.1:8786, as `dask scheduler` prints it."
        ) from None


def warn_without_workers(client: "Client", scheduler: str, work: Work) -> None:
    """Say that the scheduler has no worker yet."""
    if not client.scheduler_info()["workers"]:
        warnings.warn(f"no worker has joined {scheduler} yet; the {work.part}s wait for one.", stacklevel=3)


def _greet(scheduler: str) -> None:
    """Raise an OSError unless someone speaks first, as schedulers do: Dask itself would wait for ever, or for long."""
    from distributed.comm.addressing import get_address_host_port, parse_address

    with socket.create_connection(get_address_host_port(scheduler), timeout=_SECONDS_TO_CONNECT) as connection:
        if parse_address(scheduler)[0] == "tcp" and not connection.recv(1):
            raise OSError("it hangs up")


def outcome_of(future: Any, scheduler: str, work: Work) -> Any:
    """What a worker returned; what went wrong with Dask is told in one line, and an error of the work is raised."""
    from distributed import KilledWorker

    try:
        return future.result()
    except KilledWorker as error:
        raise InputError(
            f"--scheduler: {error.allowed_failures + 1} workers died one after the other at the same {work.part}, "
            f"perhaps for want of memory or at the time limit of their jobs; {work.after_deaths}."
        ) from None
    except CancelledError:
        raise lost(scheduler, work) from None
    except RuntimeError as error:
        if not isinstance(error.__cause__, ImportError | AttributeError):
            raise
        raise InputError(
            f"--scheduler: scheduler and workers cannot import what the {work.name} is made of ({error.__cause__}); "
            f"start them in the environment that the {work.name} is started in."
        ) from None


def lost(scheduler: str, work: Work) -> InputError:
    """Error to be raised where a scheduler answers no more."""
    return InputError(f"--scheduler: {scheduler} was lost, or has dropped the {work.name}; {work.after_loss}.")
