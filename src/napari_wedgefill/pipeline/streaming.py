"""Reading ahead and writing behind, each in a thread of its own, while slabs are computed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

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


@contextmanager
def write_behind() -> Iterator[Callable[[Callable[[], None]], None]]:
    """Give a function that runs a task in the background once the one before has ended.

    At most one task is at work, so a caller that is faster than the disk waits. Leaving the block
    waits for the last one; whatever a task raises is raised at the next call or at the end.
    """
    pending: list[Future[None]] = []

    def submit(task: Callable[[], None]) -> None:
        while pending:
            pending.pop().result()
        pending.append(thread.submit(task))

    with ThreadPoolExecutor(1, thread_name_prefix="writer") as thread:
        yield submit
        while pending:
            pending.pop().result()
