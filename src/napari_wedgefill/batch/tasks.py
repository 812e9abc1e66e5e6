"""What workers are given: whole series, parts of large ones, and what puts those together."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from .. import __version__
from ..addresses import Address
from ..errors import write_in_one_line
from ..methods import METHODS
from ..pipeline.parts import Part
from .cluster import describe_other_version
from .job import FAILED, Outcome, SeriesJob
from .parts import Plan
from .series import run_or_plan, solve_part

#: How often progress is told, and how often a worker asks whether it is to stop.
TELL_SECONDS = 0.5
#: In the place of a method: the task that puts a large series together.
TOGETHER = "together"
#: Of the time of a large series, the share of its parts.
SOLVED = 0.9


class CutSeries:
    """A large series whose parts are being solved."""

    def __init__(self, plan: Plan) -> None:
        self._phases = [list(phase) for phase in plan.phases]
        self._open: set[Part] = set()
        self._all = [part for phase in plan.phases for part in phase]
        self._done: set[Part] = set()

    def take_ready(self) -> list[Part]:
        """Return the parts that may be handed out now, once."""
        if self._open or not self._phases:
            return []
        ready = self._phases.pop(0)
        self._open = set(ready)
        return ready

    def finish(self, part: Part) -> None:
        """Note that a part is solved."""
        self._open.discard(part)
        self._done.add(part)

    @property
    def is_solved(self) -> bool:
        """Whether no part is left."""
        return not self._open and not self._phases

    @property
    def fraction(self) -> float:
        """How far the series is, 0 to 1."""

        def add_up(parts: Iterable[Part]) -> float:
            return sum(METHODS[part.method].cost * (part.stop - part.start) for part in parts)

        return SOLVED * add_up(self._done) / add_up(self._all)


class Task(NamedTuple):
    """What a worker is given at once: a series, or a part of a large one."""

    name: str
    method: str = ""
    start: int = 0
    stop: int = 0

    def __str__(self) -> str:
        return f"{self.name}-{self.method}{self.start}" if self.method else self.name


@dataclass(frozen=True)
class Line:
    """What a worker needs to speak to where the batch was started.

    Attributes
    ----------
    task : Task
        What it was given.
    topic : str
        Under which progress is told, and name of the event that stops the batch.
    version : str
        Of the package where the batch was started; the worker must have the same.
    """

    task: Task
    topic: str
    version: str

    def work(self, job: SeriesJob, function: Callable[..., Outcome | Plan | Part]) -> None:
        """Run a function with what tells progress and what says that the batch was stopped.

        What comes of it goes through the scheduler, and so does progress.
        """
        import dask
        from distributed import Event, get_worker

        worker = get_worker()
        stop = Event(self.topic)
        last = -float("inf")
        stopped = False

        def tell(stage: str, fraction: float) -> None:
            worker.log_event(
                self.topic, {"task": tuple(self.task), "stage": stage, "fraction": fraction}
            )

        def relay(stage: str, fraction: float) -> None:
            nonlocal last, stopped
            if time.monotonic() - last > TELL_SECONDS:
                last = time.monotonic()
                tell(stage, fraction)
                stopped = stop.is_set()

        tell("reading", 0.0)
        ended: Outcome | Plan | Part
        if self.version == __version__:
            # Images that are read by chunks are Dask arrays. As tasks of this scheduler, they
            # would wait for this worker, and it for them.
            with dask.config.set(scheduler="threads"):
                ended = function(relay, lambda: stopped)
        else:
            sentence = describe_other_version("The worker", __version__)
            ended = Outcome(job.name, job.source, FAILED, sentence)
        worker.log_event(self.topic, {"task": tuple(self.task), "ended": pickle.dumps(ended)})


def run_on_worker(
    job: SeriesJob, part_voxels: int | None, folder: Path | Address, line: Line
) -> None:
    """Run one series as a task of Dask, or plan its parts; see `run_or_plan`."""
    line.work(job, lambda tell, is_stopped: run_or_plan(job, folder, tell, is_stopped, part_voxels))


def solve_on_worker(job: SeriesJob, part: Part, folder: Path | Address, line: Line) -> None:
    """Solve one part of a large series as a task of Dask; see `solve_part`."""
    line.work(job, lambda tell, is_stopped: solve_part(job, part, folder, tell, is_stopped))


def describe_lost_task(error: BaseException | None) -> str:
    """Say why a task was given up that told no reason itself."""
    from distributed import KilledWorker

    if isinstance(error, KilledWorker):
        return (
            "The workers that had it in work died one after the other, perhaps for lack of "
            "memory; allow less (--max-memory), or see what killed them."
        )
    return write_in_one_line(error if isinstance(error, Exception) else RuntimeError(str(error)))
