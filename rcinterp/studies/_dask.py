"""Runs of a study on the workers of a Dask scheduler."""

from collections.abc import Callable, Generator, Sequence
from uuid import uuid4

from rcinterp.reading.cluster import Work, connect, outcome_of, warn_without_workers
from rcinterp.studies._runs import Run

#: Name of the run, or None if another process is at it.
Outcome = str | None

STUDY = Work(
    name="study",
    part="run",
    after_deaths="start the study again: what is done is kept, and the run goes on from its last epoch",
    after_loss="start the study again: what is done is kept",
)


def on_dask(do: Callable[[Run], Outcome], runs: Sequence[Run], scheduler: str) -> Generator[Outcome, None, None]:
    """Submit each run to the scheduler; one whose worker dies is given to another by Dask."""
    with connect(scheduler) as client:
        from distributed import as_completed

        warn_without_workers(client, scheduler, STUDY)
        futures = [client.submit(do, run, key=f"{run.name}-{uuid4().hex}", pure=False) for run in runs]
        for future in as_completed(futures, loop=client.loop):  # type: ignore[no-untyped-call]  # so it is in Dask
            yield outcome_of(future, scheduler, STUDY)
