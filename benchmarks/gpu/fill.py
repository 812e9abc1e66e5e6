"""Whole fills on a GPU: are they what the processor makes, and how long do they take?"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import torch

from napari_wedgefill.pipeline.options import FillOptions
from napari_wedgefill.projector.arrays import Array

METHODS = ("wbp", "sart", "tvm", "gan")
#: The model that comes first.
USUAL = FillOptions.model
#: Largest relative differences from the processor: rounding, carried through hundreds of steps;
#: and on a GPU the networks run in float16.
TOLERANCE = {"wbp": 1e-5, "sart": 1e-5, "tvm": 1e-4, "gan": 5e-3}


def measure(device: torch.device, tiny: bool) -> Iterator[dict[str, Any]]:
    """Fill series with every method and model: time them, then compare with the processor."""
    needed = {"mrcfile": "mrcfile", "onnxruntime": "ONNX Runtime"}
    for module, name in needed.items():
        if find_spec(module) is None:
            yield {"what": "fill", "skipped": f"{name} is not installed"}
            return
    from napari_wedgefill.joint_model.onnx_session import find_cuda_obstacle
    from napari_wedgefill.joint_model.registry import list_models

    if device.type == "cuda" and (reason := find_cuda_obstacle()) is not None:
        yield {"what": "fill", "skipped": reason}
        return
    names = sorted((model.name for model in list_models()), key=lambda name: name != USUAL)
    for name in names[:1] if tiny else names:
        yield from _timed(name, device, tiny)
        yield from _compared(name, device, tiny)


def _compared(model: str, device: torch.device, tiny: bool) -> Iterator[dict[str, Any]]:
    n_slices, width = (3, 32) if tiny else (40, 128)
    here, there = (_fill(model, kind, n_slices, width)[0] for kind in ("cpu", device.type))
    for method in METHODS:
        error = float(np.linalg.norm(there[method] - here[method]) / np.linalg.norm(here[method]))
        passed = error < TOLERANCE[method]
        row = {"what": f"{method} beside the processor", "model": model, "error": error}
        yield _shown(row | {"tolerance": TOLERANCE[method], "passed": passed})


def _timed(model: str, device: torch.device, tiny: bool) -> Iterator[dict[str, Any]]:
    for size in (32,) if tiny else (512, 256):
        # The first compiles kernels and chooses convolutions. The specimen is isolated: of the
        # first two, the whole field is filled, as if it were not.
        for which in ("first", "box") if tiny else ("first", "again", "box"):
            n_slices = 3 if tiny else size
            found = _fill(model, device.type, n_slices, size, whole_field=which != "box")[1]
            row = {"what": "fill", "model": model, "which": which, "width": size}
            yield _shown(row | {"slices": n_slices} | found)


def _fill(
    model: str, device: str, n_slices: int, width: int, *, whole_field: bool = True
) -> tuple[dict[str, Array], dict[str, Any]]:
    """Fill a series from a file into files; return the volumes, and what it took and where."""
    from benchmarks.speed.fill import write_series
    from napari_wedgefill.io import MrcSink, read_tilt_series
    from napari_wedgefill.pipeline.events import Done, Finished
    from napari_wedgefill.pipeline.fill import iter_fill

    volumes, seconds, report = {}, {}, {}
    with tempfile.TemporaryDirectory() as folder:
        path, out = Path(folder, "series.mrc"), Path(folder, "out")
        out.mkdir()
        write_series(path, n_slices, width)
        begun = before = time.perf_counter()
        options = FillOptions(METHODS, model, device, whole_field=whole_field)
        if device == "cuda":
            torch.cuda.reset_peak_memory_stats()
        for event in iter_fill(read_tilt_series(path), options, MrcSink(out)):
            if isinstance(event, Finished):
                before, since = time.perf_counter(), before
                seconds[event.method] = before - since
                volumes[event.method] = np.array(event.volume.data)
            elif isinstance(event, Done):
                report = event.report
        seconds["all"] = time.perf_counter() - begun
    where = {"provider": report["model"]["provider"], "projections": report["projections"]}
    if device == "cuda":
        where["arrays_gib"] = round(torch.cuda.max_memory_allocated() / 2**30, 2)
    return volumes, {"seconds": seconds, "share_of_stage": report["share_of_stage"]} | where


def _shown(row: dict[str, Any]) -> dict[str, Any]:
    print(row, flush=True)
    return row
