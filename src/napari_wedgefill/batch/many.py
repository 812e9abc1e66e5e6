"""Many series on Dask: in parallel, resumable, and none waits for one that fails."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from .. import __version__
from ..addresses import Address, Store, read_place
from ..errors import WedgefillError, write_in_one_line
from ..pipeline.options import FillOptions
from ..progress import Clock, Progress
from ..run.options import RunOptions
from .cluster import check_versions, describe_other_version, open_client
from .job import FAILED, NOT_BEGUN, Outcome, SeriesJob, check_jobs, count_states, make_job
from .series import run_series
from .summary import write_summary

if TYPE_CHECKING:
    from distributed import Client, Future

#: Series that are with the scheduler at once; enough for clusters that grow with what waits.
MOST_SUBMITTED = 1000
#: How often progress is told, and how often a worker asks whether it is to stop.
TELL_SECONDS = 0.5
#: Workers of this machine that have ended start again within this time, or not at all.
LOST_SECONDS = 300.0
#: How long series in work may take to leave things tidy when the batch is stopped.
STOP_SECONDS = 10.0


def fill_many(
    series: Iterable[str | Path | Address | SeriesJob],
    options: RunOptions | FillOptions | None = None,
    *,
    folder: str | Path | Address,
    client: Client | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> list[Outcome]:
    """Fill many tilt series on Dask workers.

    Parameters
    ----------
    series : iterable of paths, addresses or SeriesJob
        Each is named after its file; `make_job` makes a job with angles, pixel size or options of
        its own.
    options : RunOptions or FillOptions, optional
        For the series that are given as paths or addresses.
    folder : path or address
        Receives a folder for each series, with what `wedgefill fill` writes, and ``summary.csv``
        and ``index.html``; at an address such as ``s3://bucket/filled``, volumes are OME-Zarr.
        Series whose whole results are there are not computed again.
    client : distributed.Client, optional
        Its workers must see the same files and addresses. Without it, workers are started on this
        machine for this call; then the calling script needs ``if __name__ == "__main__":``.
    on_progress : callable, optional
        Is told how far the whole batch is.

    Returns
    -------
    list of Outcome
        In the order of `series`.

    Raises
    ------
    WedgefillError
        Before anything is computed, for series that cannot be told apart, or workers of another
        version.
    """
    if not isinstance(options, RunOptions):
        options = RunOptions(options or FillOptions())
    jobs = [one if isinstance(one, SeriesJob) else make_job(one, options) for one in series]
    check_jobs(jobs)
    if client is None:
        with open_client() as own:
            return fill_many(jobs, folder=folder, client=own, on_progress=on_progress)
    found: dict[str, Outcome] = {}
    for event in iter_many(jobs, read_place(str(folder)), client):
        if isinstance(event, Outcome):
            found[event.name] = event
        elif on_progress is not None:
            on_progress(event)
    return [found[job.name] for job in jobs]


def iter_many(
    jobs: Sequence[SeriesJob], folder: Path | Address, client: Client
) -> Generator[Progress | Outcome, None, None]:
    """Run series on the workers of a client.

    Close the generator to stop: series in work end at once and leave nothing half-written. Whether
    it ends or is stopped, ``summary.csv`` and ``index.html`` in `folder` say what became of each.

    Parameters
    ----------
    jobs : sequence of SeriesJob
        What to do.
    folder : Path or Address
        For the results, made if it is not there.
    client : distributed.Client
        Whose workers do it. A worker that dies costs the series that it had in work, which others
        begin again.

    Yields
    ------
    Progress
        Twice a second: how far the whole batch is.
    Outcome
        For every series, when it has ended.

    Raises
    ------
    WedgefillError
        Before anything is computed (see `check_jobs`); or if the scheduler goes away.
    """
    check_jobs(jobs)
    check_versions(client)
    folder = prepare_place(folder)
    outcomes: dict[str, Outcome] = {}
    steps = _Submitted(jobs, folder, client).iter_steps()
    try:
        with closing(steps):
            for step in steps:
                if isinstance(step, Outcome):
                    outcomes[step.name] = step
                yield step
    finally:
        for job in jobs:
            outcomes.setdefault(
                job.name, Outcome(job.name, job.source, NOT_BEGUN, "The batch was stopped.")
            )
        write_summary(folder, [outcomes[job.name] for job in jobs])


def prepare_place(folder: Path | Address) -> Path | Address:
    """Make the folder for results, or see whether an address takes them; return it in full.

    Raises
    ------
    WedgefillError
        If it cannot be made, or nothing can be written there.
    """
    if isinstance(folder, Address):
        Store(folder).check_writable()
        return folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WedgefillError(
            f"{folder}: this folder cannot be made ({error.strerror}); choose another with -o."
        ) from error
    return folder.absolute()  # workers elsewhere have another current folder


class _Submitted:
    """What is with the scheduler, and what workers tell of it."""

    def __init__(self, jobs: Sequence[SeriesJob], folder: Path | Address, client: Client) -> None:
        self.jobs, self.folder, self.client = jobs, folder, client
        self.topic = f"wedgefill-{uuid4().hex[:12]}"
        self.waiting = list(reversed(jobs))
        self.futures: dict[str, Future[Any]] = {}
        self.by_name = {job.name: job for job in jobs}
        self.ended: SimpleQueue[str] = SimpleQueue()
        self.fractions: dict[str, float] = {}
        self.stage = ""
        self.told: dict[str, Outcome] = {}
        self.outcomes: list[Outcome] = []
        self.without_worker_since: float | None = None

    def iter_steps(self) -> Generator[Progress | Outcome, None, None]:
        """Yield progress and outcomes until all is done or the disk is full."""
        from distributed import Event

        clock, stop = Clock(), Event(self.topic, client=self.client)
        self.client.subscribe_topic(self.topic, self._note)
        try:
            while len(self.outcomes) < len(self.jobs):
                self._submit()
                try:
                    name = self.ended.get(timeout=TELL_SECONDS)
                except Empty:
                    self._check_connection()
                    yield self._tell(clock)
                    continue
                outcome = self._collect(name)
                if outcome is None:
                    continue
                self.outcomes.append(outcome)
                yield outcome
                yield self._tell(clock)
                if outcome.disk_is_full:
                    stop.set()
                    yield from self._give_up()
        finally:
            if self.futures and self.client.status == "running":
                stop.set()
                self._drain()
            if self.client.status == "running":
                self.client.unsubscribe_topic(self.topic)

    def _submit(self) -> None:
        while self.waiting and len(self.futures) < MOST_SUBMITTED:
            job = self.waiting.pop()
            future = self.client.submit(
                run_on_worker,
                job,
                self.folder,
                self.topic,
                __version__,
                key=f"{job.name}-{self.topic}",
                pure=False,
                # The oldest first, so that the first results come early.
                priority=-len(self.outcomes) - len(self.futures),
            )
            self.futures[job.name] = future
            future.add_done_callback(lambda _, name=job.name: self.ended.put(name))

    def _note(self, event: Any) -> None:
        """Take what a worker tells; runs in the client's own thread."""
        _, told = event
        name = told["name"]
        if "outcome" in told:
            # Through the scheduler: a result that stayed on the worker could die with it.
            self.told[name] = pickle.loads(told["outcome"])
            self.ended.put(name)
        elif name in self.futures:
            self.fractions[name] = told["fraction"]
            self.stage = f"{name}: {told['stage']}"

    def _collect(self, name: str) -> Outcome | None:
        """Take the outcome of a task that has ended, in whatever way; None if it is not known."""
        if name not in self.futures:
            return None  # its outcome came first, and then its end, or the other way round
        future, job = self.futures[name], self.by_name[name]
        if name in self.told:
            outcome = self.told.pop(name)
        elif future.status == "error":
            sentence = describe_lost_task(future.exception())
            outcome = Outcome(job.name, job.source, FAILED, sentence)
        elif future.status in ("cancelled", "lost"):
            self._check_connection()
            outcome = Outcome(job.name, job.source, NOT_BEGUN, "Its task was cancelled.")
        else:
            return None  # finished, or begun again, and its outcome is on the way
        del self.futures[name]
        self.fractions.pop(name, None)
        return outcome

    def _check_connection(self) -> None:
        if self.client.status != "running":
            raise WedgefillError(
                "The Dask scheduler went away in the middle of the batch; start it again and "
                "repeat the command: what is whole is not computed again."
            )
        if self._count_workers():
            self.without_worker_since = None
            return
        now = time.monotonic()
        self.without_worker_since = self.without_worker_since or now
        # A scheduler that was there may get workers at any time; ours starts no others.
        is_own = self.client.cluster is not None
        if is_own and now - self.without_worker_since > LOST_SECONDS:
            raise WedgefillError(
                "No worker is left: they ended and did not start again, perhaps for lack of "
                "memory; allow less (--max-memory) and repeat the command: what is whole is not "
                "computed again."
            )

    def _count_workers(self) -> int:
        return len(self.client.scheduler_info(n_workers=-1)["workers"])

    def _tell(self, clock: Clock) -> Progress:
        n, counts = len(self.jobs), count_states(self.outcomes)
        done = len(self.outcomes)
        words = f"{done} of {n} series"
        if counts[FAILED]:
            words += f", {counts[FAILED]} failed"
        if not self.fractions and done < n:
            words += "" if self._count_workers() else ", waiting for workers"
        elif self.stage:
            words += f"; {self.stage}"
        return clock.tell(words, (done + sum(list(self.fractions.values()))) / n)

    def _give_up(self) -> Generator[Outcome, None, None]:
        """End what is in work, and say of the rest that it was not begun."""
        running = self._drain()
        names = [job.name for job in self.jobs]
        ended = {outcome.name for outcome in self.outcomes} | {one.name for one in running}
        rest = [
            Outcome(name, self.by_name[name].source, NOT_BEGUN, "The disk was full before it.")
            for name in names
            if name not in ended
        ]
        self.waiting.clear()
        self.outcomes += [*running, *rest]
        yield from [*running, *rest]

    def _drain(self) -> list[Outcome]:
        """Cancel what waits; let what is in work end tidily, and return what became of it."""
        running = set(self.fractions)
        self.client.cancel([f for name, f in self.futures.items() if name not in running])
        self.futures = {name: f for name, f in self.futures.items() if name in running}
        found = []
        while self.futures:
            try:
                name = self.ended.get(timeout=STOP_SECONDS)
            except Empty:
                break
            outcome = self._collect(name)
            if outcome is not None:
                found.append(outcome)
        self.client.cancel(list(self.futures.values()))
        self.futures.clear()
        return found


def run_on_worker(job: SeriesJob, folder: Path | Address, topic: str, version: str) -> None:
    """Run one series as a task of Dask; tell progress and the outcome, and listen for the end.

    Parameters
    ----------
    job : SeriesJob
        What to do.
    folder : Path or Address
        Of the batch.
    topic : str
        Under which progress is told, and name of the event that stops the batch.
    version : str
        Of the package where the batch was started; the worker must have the same.
    """
    from distributed import Event, get_worker

    worker = get_worker()
    stop = Event(topic)
    last = -float("inf")
    stopped = False

    def tell(stage: str, fraction: float) -> None:
        worker.log_event(topic, {"name": job.name, "stage": stage, "fraction": fraction})

    def relay(stage: str, fraction: float) -> None:
        nonlocal last, stopped
        if time.monotonic() - last > TELL_SECONDS:
            last = time.monotonic()
            tell(stage, fraction)
            stopped = stop.is_set()

    tell("reading", 0.0)
    if version == __version__:
        outcome = run_series(job, folder, relay, lambda: stopped)
    else:
        sentence = describe_other_version("The worker", __version__)
        outcome = Outcome(job.name, job.source, FAILED, sentence)
    worker.log_event(topic, {"name": job.name, "outcome": pickle.dumps(outcome)})


def describe_lost_task(error: BaseException | None) -> str:
    """Say why a task was given up that told no reason itself."""
    from distributed import KilledWorker

    if isinstance(error, KilledWorker):
        return (
            "The workers that had it in work died one after the other, perhaps for lack of "
            "memory; allow less (--max-memory), or see what killed them."
        )
    return write_in_one_line(error if isinstance(error, Exception) else RuntimeError(str(error)))
