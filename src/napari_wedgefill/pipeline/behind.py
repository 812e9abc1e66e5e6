"""What goes on while a method computes: the next slab is read, and what is done is written.

The last slab of a volume, its checksum and the way to the disk take as long as a method does on a
GPU. So a volume is completed while the next method runs, and is told of once it is complete.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from ..volume import VolumeOutline
from .events import Finished
from .sinks import Sink, VolumeWriter

Floats = NDArray[np.float32]
Item = TypeVar("Item")
Read = TypeVar("Read")


def read_ahead(items: Sequence[Item], read: Callable[[Item], Read]) -> Iterator[tuple[Item, Read]]:
    """Yield each item with what was read for it; the next one is being read meanwhile."""
    with ThreadPoolExecutor(1, thread_name_prefix="reader") as thread:
        coming = thread.submit(read, items[0]) if items else None
        for k, item in enumerate(items):
            assert coming is not None
            ready = coming.result()
            coming = thread.submit(read, items[k + 1]) if k + 1 < len(items) else None
            yield item, ready
            del ready  # while the caller waits for the next one, two are enough


class Behind:
    """Runs tasks in the background, one by one; what they raise is raised by a later call."""

    def __init__(self, thread: ThreadPoolExecutor) -> None:
        self._thread = thread
        self._pending: deque[Future[None]] = deque()

    def write(self, task: Callable[[], None]) -> None:
        """Run a task that holds an array, once all before it have ended.

        So only one array waits for the disk: a caller that is faster waits as well.
        """
        self.wait()
        self._pending.append(self._thread.submit(task))

    def queue(self, task: Callable[[], None]) -> Future[None]:
        """Run a task that holds no array after those that were given before; wait for none."""
        future = self._thread.submit(task)
        self._pending.append(future)
        return future

    def wait(self) -> None:
        """Wait until all tasks have ended; raises what one of them raised."""
        while self._pending:
            self._pending.popleft().result()


@contextmanager
def write_behind() -> Iterator[Behind]:
    """Give what runs tasks in the background; leaving the block waits for the last one."""
    with ThreadPoolExecutor(1, thread_name_prefix="writer") as thread:
        behind = Behind(thread)
        try:
            yield behind
        except BaseException:
            thread.shutdown(wait=False, cancel_futures=True)
            raise
        behind.wait()


class VolumeInTheMaking:
    """A volume between its first slab and the moment when it is in its place.

    What fails while it is written gives it up at once, whichever thread it fails in: nothing
    half-written stays.

    Parameters
    ----------
    method : str
        Whose it is.
    outline : VolumeOutline
        What it will be.
    sink : Sink
        Where it goes.
    """

    def __init__(self, method: str, outline: VolumeOutline, sink: Sink) -> None:
        self.method, self.outline = method, outline
        self._place: AbstractContextManager[VolumeWriter] | None = sink.open_writer(outline)
        self._writer = self._place.__enter__()
        self._sealed: Future[None] | None = None
        self._failure: BaseException | None = None

    def write(self, start: int, planes: Floats) -> None:
        """Take slices (z, x, n_slices) from `start` on; called in the background."""
        self._attempt(lambda: self._writer.write(start, planes))

    def seal(self, behind: Behind) -> None:
        """Complete it in the background, after what is being written; nothing more comes."""
        self._sealed = behind.queue(lambda: self._attempt(self._writer.seal))

    @property
    def is_sealed(self) -> bool:
        """Whether all is done but putting it in its place."""
        return self._sealed is not None and self._sealed.done()

    def finish(self) -> None:
        """Wait until it is sealed, and put it in its place."""
        assert self._sealed is not None
        self._sealed.result()
        self.leave(None)

    def leave(self, error: BaseException | None) -> None:
        """Put it in its place if there was no error; otherwise give it up, unless that is done."""
        place, self._place = self._place, None
        if place is not None:
            place.__exit__(None if error is None else type(error), error, None)

    def _attempt(self, act: Callable[[], None]) -> None:
        if self._failure is not None:
            raise self._failure  # a volume that was given up takes nothing more
        try:
            try:
                act()
            except BaseException as error:
                self.leave(error)  # now, while it is known which file this was about
                raise
        except BaseException as told:
            self._failure = told
            raise


class Making:
    """The volumes of a fill, from their first slab to their place, in the order of the methods.

    Leaving its block gives up those that are not in their place yet.

    Parameters
    ----------
    sink : Sink
        Where they go.
    seconds : dict
        By method; waiting for a volume is added to what it took.

    Attributes
    ----------
    finished : dict of str to ndarray, float32, (z, y, x)
        By method: volumes in their place.
    """

    def __init__(self, sink: Sink, seconds: dict[str, float]) -> None:
        self._sink, self._seconds = sink, seconds
        self._waiting: deque[VolumeInTheMaking] = deque()
        self.finished: dict[str, Floats] = {}

    def __enter__(self) -> Making:
        return self

    def __exit__(self, *_: object) -> None:
        while self._waiting:
            # Whatever went wrong, it was not in this file.
            self._waiting.pop().leave(GeneratorExit())

    def begin(self, method: str, outline: VolumeOutline) -> VolumeInTheMaking:
        """Begin the volume of the next method."""
        volume = VolumeInTheMaking(method, outline, self._sink)
        self._waiting.append(volume)
        return volume

    def iter_finished(self, *, waits: bool) -> Iterator[Finished]:
        """Put volumes in their place, the first of them first, and tell of them.

        Parameters
        ----------
        waits : bool
            Until all that were begun are there; otherwise only those that need no waiting.
        """
        while self._waiting and (waits or self._waiting[0].is_sealed):
            volume, start = self._waiting[0], time.monotonic()
            volume.finish()
            self._waiting.popleft()
            self._seconds[volume.method] += time.monotonic() - start
            complete = volume.outline.fill_with(self._sink.fetch(volume.outline))
            self.finished[volume.method] = complete.data
            yield Finished(volume.method, complete, self._seconds[volume.method])
