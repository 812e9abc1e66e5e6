"""What a fill on a GPU takes beside the GPU's own work: reading, measuring, copying, writing.

    python -m benchmarks.gpu host --device cpu --out results

The solvers are replaced by ones that wait for a few seconds, as if a GPU were at work, and return
a volume. With `--device cpu`, main memory stands in for the GPU's, and what a GPU does in no time,
such as turning a volume, counts too.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Generator, Iterator
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import torch

from benchmarks.gpu.fill import METHODS
from benchmarks.speed.fill import write_series
from napari_wedgefill import methods
from napari_wedgefill.io import MrcSink, read_tilt_series
from napari_wedgefill.joint_model.onnx_session import CPU
from napari_wedgefill.pipeline import gpu, slabs, streaming
from napari_wedgefill.pipeline.events import Done
from napari_wedgefill.pipeline.fill import iter_fill
from napari_wedgefill.pipeline.options import FillOptions

#: Slices, and pixels of each along x and z.
WIDTH = 512
#: Seconds for which a method waits; TVM and GAN hardly take less on any GPU.
SOLVING = {"wbp": 0.0, "sart": 0.1, "tvm": 2.0, "gan": 2.0}


def measure(device: torch.device, tiny: bool) -> Iterator[dict[str, Any]]:
    """Fill a series with methods that only wait, twice: the second time, all is loaded."""
    size = 32 if tiny else WIDTH
    for which in ("first", "again"):
        with ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            _pretend(stack, device, size)
            yield {"which": which, "slices": size, "width": size} | _fill(folder, device, size)


def _pretend(stack: ExitStack, device: torch.device, size: int) -> None:
    """Have every method wait, and answer with a volume on `device`."""
    there = gpu.Gpu(device)
    # On a processor an empty tensor has no pages yet, and filling them would count.
    volume = torch.ones((size, size, size), device=device)

    def solve(
        problem: methods.Problem, seconds: float
    ) -> Generator[methods.Step, None, methods.Solution]:
        until = time.perf_counter() + (seconds if size == WIDTH else 0.0)
        while (now := time.perf_counter()) < until:
            time.sleep(min(0.05, until - now))
            yield "solving", 1.0
        return methods.Solution(volume[..., : problem.sinogram.shape[2]])

    stack.enter_context(patch.object(streaming, "find_gpu", lambda name: there))
    if device.type == "cpu":
        stack.enter_context(patch.object(streaming, "CUDA", CPU))
        # Solvers that need no memory: one slab, as where there is a GPU.
        stack.enter_context(patch.object(slabs, "measure_free_bytes", lambda: 1 << 40))
        stack.enter_context(patch.object(there, "measure_free_bytes", lambda: 1 << 40))
    quick = {
        name: replace(methods.METHODS[name], solve=partial(solve, seconds=SOLVING[name]))
        for name in METHODS
    }
    stack.enter_context(patch.dict(methods.METHODS, quick))


def _fill(folder: Path, device: torch.device, size: int) -> dict[str, Any]:
    path, out = folder / "series.mrc", folder / "out"
    out.mkdir()
    write_series(path, size, size)
    options = FillOptions(METHODS, device=device.type, whole_field=True)
    report: dict[str, Any] = {}
    begun, used = time.perf_counter(), time.process_time()
    for event in iter_fill(read_tilt_series(path), options, MrcSink(out)):
        if isinstance(event, Done):
            report = event.report
    wall, cpu = time.perf_counter() - begun, time.process_time() - used
    row = {"beside_s": wall - sum(SOLVING.values()), "cpu_s": cpu, "seconds": report["seconds"]}
    print(row, flush=True)
    return row
