"""Passes of a solver that a GPU repeats from a recording, as a CUDA graph.

A pass launches the same kernels on the same arrays every time, and asks nothing of their results.
From a recording, a GPU takes one kernel after the other without waiting for the processor.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch

LOG = logging.getLogger(__name__)
_IS_WANTED: ContextVar[bool] = ContextVar("_IS_WANTED", default=False)
#: Devices on which a recording failed, and why; none is tried again there.
_FAILED: dict[torch.device, str] = {}


@contextmanager
def recording() -> Iterator[None]:
    """Let passes of solvers that begin in the block be recorded, where they run on CUDA."""
    token = _IS_WANTED.set(True)
    try:
        yield
    finally:
        _IS_WANTED.reset(token)


def find_failure() -> str | None:
    """Say why a recording failed in this process; None if none did."""
    return next(iter(_FAILED.values()), None)


class Replay:
    """Runs a function that launches the same kernels on the same arrays whenever it is called.

    The first time it is run as it is, which also compiles its kernels and copies its tables. Then
    it is recorded, if `recording` says so and the arrays lie on a CUDA device, and the recording is
    played from there on. Where that fails, the function goes on being run as it is.

    Parameters
    ----------
    run : callable
        Allocates nothing that outlives it, reads no result back, and changes nothing but arrays,
        all of which live as long as this object.
    device : torch.device
        Where its arrays lie.
    """

    def __init__(self, run: Callable[[], None], device: torch.device) -> None:
        self._run, self._device = run, device
        self._is_first = True
        self._may_record = _IS_WANTED.get() and device.type == "cuda"
        self._graph: torch.cuda.CUDAGraph | None = None

    @property
    def is_recorded(self) -> bool:
        """Whether a recording is played."""
        return self._graph is not None

    def __call__(self) -> None:
        """Run the function, or play what was recorded of it."""
        if self._may_record and not self._is_first and self._graph is None:
            self._graph = record(self._run, self._device)
            self._may_record = self._graph is not None
        self._is_first = False
        if self._graph is None:
            self._run()
            return
        with torch.cuda.device(self._device):
            self._graph.replay()


def record(run: Callable[[], None], device: torch.device) -> torch.cuda.CUDAGraph | None:
    """Record what a function launches, without running any of it; None where that fails."""
    if device in _FAILED:
        return None
    try:
        graph = torch.cuda.CUDAGraph()
        # What other threads do with the GPU meanwhile is no part of it.
        with (
            torch.cuda.device(device),
            torch.cuda.graph(graph, capture_error_mode="thread_local"),
        ):
            run()
    # A driver that cannot raises whatever it likes; the launches then go on one by one.
    except Exception as failure:
        _FAILED[device] = (str(failure).strip() or type(failure).__name__).splitlines()[0]
        LOG.warning(
            "Passes cannot be recorded on %s, and are launched: %s", device, _FAILED[device]
        )
        return None
    return graph
