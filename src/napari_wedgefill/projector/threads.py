"""One pool of threads for kernels that release the GIL."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

#: Updates of voxels in a step that one core makes before it could wake another and hand it what
#: its cache holds.
SMALL_STEP = 1 << 20


def available_cores() -> int:
    """Cores this process may use (an affinity mask or a container may allow fewer than exist)."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS or Windows
        return os.cpu_count() or 1


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(available_cores(), thread_name_prefix="projector")


if hasattr(os, "register_at_fork"):
    # A process that was forked has the pool, but none of its threads: it would wait for ever.
    os.register_at_fork(after_in_child=_pool.cache_clear)


def cut_shares(n: int, n_shares: int, unit: int = 1) -> list[NDArray[np.intp]]:
    """Cut ``range(n)`` into at most `n_shares` parts that begin at multiples of `unit`."""
    parts = np.array_split(np.arange(-(-n // unit)), n_shares)
    return [np.arange(part[0] * unit, min((part[-1] + 1) * unit, n)) for part in parts if part.size]


def count_shares(n_updates: int) -> int:
    """How many cores a step of so many updates of voxels is worth, the one that asks included.

    More than one only where each of two has a whole small step to do; and of many cores none has
    less than a quarter of one.
    """
    if n_updates < 2 * SMALL_STEP:
        return 1
    return min(4 * n_updates // SMALL_STEP, available_cores())


def run(tasks: Iterable[Callable[[], None]], *, parallel: bool) -> None:
    """Run tasks on all cores, or here and one by one."""
    if parallel:
        run_on_cores(tasks)
        return
    for task in tasks:
        task()


def run_on_cores(tasks: Iterable[Callable[[], None]]) -> None:
    """Run tasks that release the GIL on all cores, and raise the first exception."""
    for future in [_pool().submit(task) for task in tasks]:
        future.result()
