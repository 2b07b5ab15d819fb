"""Processes that are stopped at a step that is drawn: killed there, or interrupted as by Ctrl-C."""

import os
import signal
import traceback
import warnings
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from rcinterp.errors import InputError

#: What a process asks of the file system, at each of which it may be stopped.
STEPS = ("open", "mkdir", "write", "ftruncate", "fsync", "rename", "replace", "unlink", "rmdir")
DONE, FAILED, REFUSED, KILLED, INTERRUPTED = 0, 1, 2, 9, 130


@dataclass(frozen=True)
class Stop:
    """At which step a process is stopped, counted from 0, and whether it is killed or interrupted there."""

    at: int
    killed: bool


@dataclass(frozen=True)
class Ended:
    """How a process ended (one of the constants above), and what it said."""

    how: int
    said: str


class Child:
    """A function that runs in a process of its own, which is a copy of this one.

    Parameters
    ----------
    function : callable
        Called in the other process; what it returns as text is what the process says.
    stop : Stop, optional
    """

    def __init__(self, function, stop=None):
        self._read, write = os.pipe()
        with warnings.catch_warnings():  # of Python 3.12 on, if there are threads: the copy needs none of them
            warnings.simplefilter("ignore", DeprecationWarning)
            self.pid = os.fork()
        if self.pid:
            os.close(write)
            return
        say, end = os.write, os._exit
        how, said = FAILED, ""
        try:
            _stop_at(stop)
            said = str(function())
            how = DONE
        except InputError as error:
            how, said = REFUSED, str(error)
        except KeyboardInterrupt:
            how = INTERRUPTED
        except BaseException:
            said = traceback.format_exc()
        finally:
            with suppress(BaseException):
                say(write, said.encode(errors="replace")[:60_000])
            end(how)

    def wait(self):
        """Wait for its end."""
        with open(self._read, "rb") as file:
            said = file.read().decode()
        _, status = os.waitpid(self.pid, 0)
        ended = Ended(-status if os.WIFSIGNALED(status) else os.WEXITSTATUS(status), said)
        assert ended.how != FAILED, said
        return ended


def run_in_child(function, stop=None):
    """Run a function in a process of its own, to its end."""
    return Child(function, stop).wait()


def _stop_at(stop):
    """Let this process be stopped at that step."""
    os.fsync = lambda file: None  # nothing here is about power cuts, and a disk takes its time
    if stop is None:
        return
    seen = [0]
    end = os._exit

    def is_now():
        seen[0] += 1
        return seen[0] == stop.at + 1

    def stop_here():
        if stop.killed:
            end(KILLED)
        raise KeyboardInterrupt

    def stopping(function):
        def call(*arguments, **options):
            if is_now():
                stop_here()
            return function(*arguments, **options)

        return call

    for name in STEPS:
        setattr(os, name, stopping(getattr(os, name)))
    write_bytes = Path.write_bytes

    def write_half(self, data):
        if is_now():
            write_bytes(self, data[: len(data) // 2])
            stop_here()
        return write_bytes(self, data)

    Path.write_bytes = write_half


@contextmanager
def another(function):
    """A process that is at something meanwhile: ``function(say_begun, wait)``; killed at the end, unless let go.

    Gives its number, and a function that lets `wait` return, and waits for the end of the process.
    """
    (begun, say), (waiting, go_on) = os.pipe(), os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if not pid:
        os.close(go_on)
        with suppress(BaseException):
            function(lambda: os.write(say, b"x"), lambda: os.read(waiting, 1))
        os._exit(DONE)
    os.close(say)
    os.close(waiting)
    ended = []

    def let_go():
        os.write(go_on, b"x")
        ended.append(os.waitpid(pid, 0))

    try:
        with open(begun, "rb") as file:
            assert file.read(1) == b"x"
        yield pid, let_go
    finally:
        os.close(go_on)
        if not ended:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def run_examples(machine, n, steps):
    """Run a state machine: so many examples of so many steps, the same ones every time."""
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=n,
            stateful_step_count=steps,
            derandomize=True,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
