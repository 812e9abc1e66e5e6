"""Where the time goes: kernels and the gaps between them, in the solvers and a training step."""

from __future__ import annotations

import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from typing import Any

import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from benchmarks.gpu.launches import counting, list_solvers
from benchmarks.gpu.networks import shapes
from benchmarks.gpu.speed import geometries
from napari_wedgefill.projector import ParallelBeam
from napari_wedgefill.projector.strips import LANES
from napari_wedgefill.reconstruct import iter_sirt, last, wbp
from napari_wedgefill.training.groups import Batch
from napari_wedgefill.training.networks import to_device
from napari_wedgefill.training.stages import STAGES

#: Operations kept of each piece of work, the slowest first.
KEPT = 12
#: Passes of each solver, and how often it is timed.
PASSES, REPEATS = 8, 3


def measure(device: torch.device, tiny: bool) -> list[dict[str, Any]]:
    """Set launches against gaps, and list the operations that take longest.

    Without a GPU, launches alone are counted; the projector's kernels are then not run.
    """
    on_cuda = device.type == "cuda"
    rows = []
    for what, run in list_work(device, tiny).items():
        if on_cuda:
            for _ in range(2):  # a third pass may be played from a recording
                run()
            rows += _time_launches(what, run, device)
        else:
            with counting() as launches:
                run()
            rows.append({"what": what, "launches": launches.total})
    for row in rows:
        print(row)
    return rows


def list_work(device: torch.device, tiny: bool) -> dict[str, Callable[[], object]]:
    """What a fill does, on the slices of a whole slab and of a strip; and training steps."""
    beam, n_slices = next(geometries(tiny))
    if device.type != "cuda" and find_spec("triton") is not None:
        from napari_wedgefill.projector.triton_backend import TritonBackend

        beam = beam.with_backend(TritonBackend())
    work: dict[str, Callable[[], object]] = {}
    for n in sorted({n_slices, min(n_slices, LANES)}, reverse=True):
        y = torch.rand((beam.n_tilts, beam.width, n), device=device)
        work[f"WBP, {n} slices"] = partial(wbp, beam, y)
        work[f"SIRT, {n} slices"] = partial(_run_sirt, beam, y)
        for name, solve in list_solvers(beam, y).items():
            work[f"{name}, {n} slices"] = partial(solve, PASSES)
    for name in STAGES:
        work[f"training step, {name}"] = training_step(name, device, tiny)
    return work


def _run_sirt(beam: ParallelBeam, y: torch.Tensor) -> torch.Tensor:
    return last(iter_sirt(beam, y, PASSES))


def training_step(name: str, device: torch.device, tiny: bool) -> Callable[[], None]:
    """Return one step of a stage's generator on random examples, loss and gradients included."""
    stage = STAGES[name]
    _, channels, height, width = shapes(tiny)[name]
    side = min(width, 192)
    shape = (8, channels, height if name == "sinogram" else side, side)
    network = to_device(stage.make_network(), device)
    x = torch.rand(shape, device=device).to(memory_format=torch.channels_last)
    y = torch.rand((8, 1, *shape[2:]), device=device)
    rows_deg = torch.linspace(0, 180, shape[2] + 1)[:-1] if name == "sinogram" else None

    def step() -> None:
        network.zero_grad(set_to_none=True)
        stage.loss(network(x), Batch(x, y, rows_deg)).backward()

    return step


def _time_launches(
    what: str, run: Callable[[], object], device: torch.device
) -> list[dict[str, Any]]:
    """How many kernels run, how long they take, and for how much of the time none does.

    The time is taken without the profiler, which would lengthen the gaps.
    """
    times = []
    for _ in range(REPEATS):
        torch.cuda.synchronize(device)
        begun = time.perf_counter()
        run()
        torch.cuda.synchronize(device)
        times.append(time.perf_counter() - begun)
    wall = statistics.median(times)
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as seen:
        run()
        torch.cuda.synchronize(device)
    ran = [event for event in seen.events() if event.device_type == DeviceType.CUDA]
    return summarise(
        what, [(event.name, event.time_range.elapsed_us() / 1e6) for event in ran], wall
    )


def summarise(what: str, ran: list[tuple[str, float]], wall: float) -> list[dict[str, Any]]:
    """Set the kernels that ran, by name and seconds, against the time from begin to end."""
    busy = sum(seconds for _, seconds in ran)
    row = {"what": what, "launches": len(ran), "kernels_s": busy, "wall_s": wall}
    rows: list[dict[str, Any]] = [row | {"gaps": max(0.0, 1.0 - busy / wall)}]
    by_name: defaultdict[str, list[float]] = defaultdict(list)
    for name, seconds in ran:
        by_name[name].append(seconds)
    for name, times in sorted(by_name.items(), key=lambda item: -sum(item[1]))[:KEPT]:
        row = {"what": what, "operation": name, "launches": len(times), "ms": 1e3 * sum(times)}
        rows.append(row | {"share": sum(times) / (busy or 1.0)})
    return rows
