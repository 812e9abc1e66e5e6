"""Timing on a device, and choosing the path that projections take."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch

from napari_wedgefill.projector import torch_backend


def seconds(function: Callable[[], object], device: torch.device, repeats: int) -> float:
    """Return the median time of several runs, after two to warm up, by the device's own clock."""
    for _ in range(2):
        function()
    times = []
    for _ in range(repeats):
        if device.type == "cuda":
            start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            start.record()
            function()
            end.record()
            torch.cuda.synchronize(device)
            times.append(start.elapsed_time(end) / 1e3)
        else:
            begin = time.perf_counter()
            function()
            times.append(time.perf_counter() - begin)
    return statistics.median(times)


@contextmanager
def plain_torch() -> Iterator[None]:
    """Project in plain torch on any device, as where there is no Triton."""
    kept = (torch_backend.triton_kernels_for, torch_backend._gather, torch_backend._scatter)
    torch_backend.triton_kernels_for = lambda device: None
    torch_backend._gather = torch_backend.gather_rows
    torch_backend._scatter = torch_backend.scatter_rows
    try:
        yield
    finally:
        (
            torch_backend.triton_kernels_for,
            torch_backend._gather,
            torch_backend._scatter,
        ) = kept
