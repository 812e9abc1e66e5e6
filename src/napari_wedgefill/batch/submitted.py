"""What a batch has with Dask's scheduler: tasks handed out, and what workers tell of them."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from .. import __version__
from ..addresses import Address
from ..errors import WedgefillError
from ..pipeline.parts import Part
from ..progress import Clock, Progress
from .job import FAILED, NOT_BEGUN, Outcome, SeriesJob, count_states
from .parts import Plan
from .tasks import (
    SOLVED,
    TELL_SECONDS,
    TOGETHER,
    CutSeries,
    Line,
    Task,
    describe_lost_task,
    run_on_worker,
    solve_on_worker,
)

if TYPE_CHECKING:
    from distributed import Client, Future

#: Series that are with the scheduler at once; enough for clusters that grow with what waits.
MOST_SUBMITTED = 1000
#: Workers of this machine that have ended start again within this time, busy as it may be, or not
#: at all.
LOST_SECONDS = 900.0
#: How long series in work may take to leave things tidy when the batch is stopped.
STOP_SECONDS = 10.0
#: Priority of what a series in work needs, above series that wait.
AT_ONCE = 1


class Submitted:
    """What is with the scheduler, and what workers tell of it."""

    def __init__(
        self,
        jobs: Sequence[SeriesJob],
        folder: Path | Address,
        client: Client,
        part_voxels: int,
    ) -> None:
        self.part_voxels = part_voxels
        self.jobs, self.folder, self.client = jobs, folder, client
        self.topic = f"wedgefill-{uuid4().hex[:12]}"
        self.waiting = list(reversed(jobs))
        self.futures: dict[Task, Future[Any]] = {}
        self.by_name = {job.name: job for job in jobs}
        self.ended: SimpleQueue[Task] = SimpleQueue()
        self.begun: set[Task] = set()
        self.fractions: dict[str, float] = {}
        self.stage = ""
        self.told: dict[Task, Outcome | Plan | Part] = {}
        self.cut: dict[str, CutSeries] = {}
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
                    task = self.ended.get(timeout=TELL_SECONDS)
                except Empty:
                    self._check_connection()
                    yield self._tell(clock)
                    continue
                outcome = self._collect(task)
                if outcome is None:
                    yield self._tell(clock)
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
            # The oldest first, so that the first results come early.
            self._begin(
                Task(job.name),
                -len(self.outcomes) - len(self.futures),
                run_on_worker,
                job,
                self.part_voxels,
            )

    def _begin(
        self, task: Task, priority: int, function: Callable[..., None], *arguments: Any
    ) -> None:
        """Hand a task to the scheduler."""
        future = self.client.submit(
            function,
            *arguments,
            self.folder,
            Line(task, self.topic, __version__),
            key=f"{task}-{uuid4().hex[:8]}-{self.topic}",
            pure=False,
            priority=priority,
        )
        self.futures[task] = future
        future.add_done_callback(lambda _: self.ended.put(task))

    def _note(self, event: Any) -> None:
        """Take what a worker tells; runs in the client's own thread."""
        _, told = event
        task = Task(*told["task"])
        if task not in self.futures:
            return  # begun again by the scheduler, after its end was told
        if "ended" in told:
            # Through the scheduler: a result that stayed on the worker could die with it.
            self.told[task] = pickle.loads(told["ended"])
            self.ended.put(task)
        else:
            self.begun.add(task)
            if task.name not in self.cut:
                self.fractions[task.name] = told["fraction"]
            elif task.method == TOGETHER:
                self.fractions[task.name] = SOLVED + (1 - SOLVED) * told["fraction"]
            self.stage = f"{task.name}: {told['stage']}"

    def _collect(self, task: Task) -> Outcome | None:
        """Take what came of a task that has ended, in whatever way.

        Returns
        -------
        Outcome or None
            Of a series that has ended with it; None if none has, or it is not known yet.
        """
        if task not in self.futures:
            return None  # what came of it came first, and then its end, or the other way round
        future, job = self.futures[task], self.by_name[task.name]
        if task in self.told:
            found = self.told.pop(task)
        elif future.status == "error":
            sentence = describe_lost_task(future.exception())
            found = Outcome(job.name, job.source, FAILED, sentence)
        elif future.status in ("cancelled", "lost"):
            self._check_connection()
            found = Outcome(job.name, job.source, NOT_BEGUN, "Its task was cancelled.")
        else:
            return None  # finished, or begun again, and what came of it is on the way
        del self.futures[task]
        if not isinstance(found, Outcome):
            self._go_on(job, found)
            return None
        others = [other for other in self.futures if other.name == task.name]
        self.client.cancel([self.futures.pop(other) for other in others])
        self.fractions.pop(task.name, None)
        self.cut.pop(task.name, None)
        return found

    def _go_on(self, job: SeriesJob, found: Plan | Part) -> None:
        """Hand out the parts of a large series, and at last the task that puts it together."""
        if isinstance(found, Plan):
            self.cut[job.name] = CutSeries(found)
        cut = self.cut[job.name]
        if isinstance(found, Part):
            cut.finish(found)
        self.fractions[job.name] = cut.fraction
        if cut.is_solved:
            # Without a size it is not cut again, whatever is missing.
            self._begin(Task(job.name, TOGETHER), AT_ONCE, run_on_worker, job, None)
        for part in cut.take_ready():
            task = Task(job.name, part.method, part.start, part.stop)
            self._begin(task, AT_ONCE, solve_on_worker, job, part)

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
        waiting = [task for task in self.futures if task not in self.begun]
        self.client.cancel([self.futures.pop(task) for task in waiting])
        found = []
        while self.futures:
            try:
                task = self.ended.get(timeout=STOP_SECONDS)
            except Empty:
                break
            if isinstance(self.told.get(task), Plan | Part):
                self.futures.pop(task, None)  # nothing follows it now
                continue
            outcome = self._collect(task)
            if outcome is not None:
                found.append(outcome)
        self.client.cancel(list(self.futures.values()))
        self.futures.clear()
        return found
