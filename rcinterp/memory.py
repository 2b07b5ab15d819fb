"""Memory: what is asked for is compared with what there is before it is taken."""

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from rcinterp.errors import InputError

if sys.platform != "win32":
    import resource

#: Bytes that are taken without a look at what there is.
_LITTLE = 2**27
_CGROUP = Path("/sys/fs/cgroup")

#: No machine has as many threads; what a file says of them is held against it.
MOST_THREADS = 2**16


def require_memory(what: str, n_bytes: int, advice: str) -> None:
    """Refuse what takes more memory than there is.

    Parameters
    ----------
    what : str
        What takes it, as the message begins.
    n_bytes : int
        About how many.
    advice : str
        How to need less.

    Raises
    ------
    InputError
        With both figures.

    Examples
    --------
    >>> require_memory("a small array", 800, "give fewer")
    """
    if n_bytes <= _LITTLE:
        return
    free = available_memory()
    if free is not None and n_bytes > free:
        raise InputError(
            f"{what} takes about {describe_bytes(n_bytes)} of memory, expected at most the {describe_bytes(free)} that "
            f"are free; {advice}."
        )


def describe_bytes(n_bytes: int) -> str:
    """A number of bytes as messages have it.

    Examples
    --------
    >>> describe_bytes(1_500_000_000)
    '1.5 GB'
    """
    for unit, size in (("EB", 10**18), ("TB", 10**12), ("GB", 10**9)):
        if n_bytes >= size:
            return f"{n_bytes / size:,.1f} {unit}" if n_bytes < 10**6 * size else f"over a million {unit}"
    return f"{n_bytes / 10**6:,.1f} MB"


def available_memory() -> int | None:
    """Bytes that this process may still take: of the machine, its control groups and its limit; None: unknown."""
    return min((max(0, n_bytes) for n_bytes in _limits()), default=None)


def _limits() -> Iterator[int]:
    with suppress(OSError, ValueError, KeyError):
        yield _numbers(Path("/proc/meminfo"))["MemAvailable:"] * 1024
    with suppress(OSError, ValueError, AttributeError):
        yield os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for most, used in (("memory.max", "memory.current"), ("memory.limit_in_bytes", "memory.usage_in_bytes")):
        for place in _groups():
            with suppress(OSError, ValueError):  # "max"
                cached = _numbers(place / "memory.stat")
                free = cached.get("inactive_file", 0) + cached.get("active_file", 0)  # given back if it is needed
                yield int((place / most).read_text()) - int((place / used).read_text()) + free
    if sys.platform != "win32":
        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        with suppress(OSError, ValueError):
            if limit != resource.RLIM_INFINITY:
                yield limit - int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")


def _groups() -> Iterator[Path]:
    """Folders of the control groups that hold this process, the innermost first."""
    with suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, kind, name = line.split(":", 2)
            if kind in ("", "memory"):
                root = _CGROUP / kind
                inside = root / name.lstrip("/")
                yield from (place for place in (inside, *inside.parents) if place == root or root in place.parents)


def _numbers(path: Path) -> dict[str, int]:
    """The first number of each line, by the word before it."""
    words = (line.split() for line in path.read_text().splitlines())
    return {name: int(number) for name, number, *_ in words}
