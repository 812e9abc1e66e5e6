"""Where the time goes: operations of sweeps of SIRT and TVM, of WBP and of a training step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

from benchmarks.gpu.networks import shapes
from benchmarks.gpu.speed import geometries
from napari_wedgefill.reconstruct import iter_sirt, iter_tvm, last, wbp
from napari_wedgefill.training.groups import Batch
from napari_wedgefill.training.networks import to_device
from napari_wedgefill.training.stages import STAGES

#: Operations kept of each piece of work, the slowest first.
KEPT = 12


def measure(device: torch.device, tiny: bool) -> list[dict[str, Any]]:
    """List the operations that take longest, as the profiler sees them."""
    beam, n_slices = next(geometries(tiny))
    y = torch.rand((beam.n_tilts, beam.width, n_slices), device=device)
    work: dict[str, Callable[[], object]] = {
        "WBP": lambda: wbp(beam, y),
        "SIRT": lambda: last(iter_sirt(beam, y, 2)),
        "TVM": lambda: last(iter_tvm(beam, y, 2)),
    }
    for name in STAGES:
        work[f"training step, {name}"] = training_step(name, device, tiny)
    rows = []
    for what, run in work.items():
        run()
        rows += _slowest(what, run, device)
    for row in rows:
        print(row)
    return rows


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


def _slowest(what: str, run: Callable[[], object], device: torch.device) -> list[dict[str, Any]]:
    on_cuda = device.type == "cuda"
    kinds = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if on_cuda else [])
    with profile(activities=kinds) as seen:
        run()
        if on_cuda:
            torch.cuda.synchronize(device)
    times = {
        event.key: (event.self_device_time_total if on_cuda else event.self_cpu_time_total)
        for event in seen.key_averages()
    }
    total = sum(times.values()) or 1.0
    slowest = sorted(times.items(), key=lambda item: -item[1])[:KEPT]
    return [
        {"what": what, "operation": name, "ms": t / 1e3, "share": t / total} for name, t in slowest
    ]
