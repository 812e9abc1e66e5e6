"""From a tilt series to the volumes of every method: one generator for window, shell and batch."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry import missing_range_deg
from ..projector.numba_kernels import LANES
from ..reconstruct import iter_sart, iter_sirt, iter_tvm, wbp
from ..tilt_series import TiltSeries
from ..volume import Volume
from .contract import InputContract, tvm_weight
from .events import (
    METHODS,
    SWEEPS,
    Clock,
    Done,
    Event,
    FillOptions,
    FillResult,
    Finished,
    Progress,
    check_methods,
)
from .job import Job, prepare
from .joint_model import JointModel, iter_joint
from .registry import load

__all__ = [
    "METHODS",
    "Done",
    "FillOptions",
    "FillResult",
    "Finished",
    "Progress",
    "check_methods",
    "fill",
    "iter_fill",
    "iter_preview",
]

Floats = NDArray[np.float32]

#: Slices of a slab: with a neighbour on either side it fills one strip of the projector.
SLAB = LANES - 2
#: Images wider than this are binned for a preview, which should come in a breath.
PREVIEW_WIDTH = 160


def fill(
    series: TiltSeries,
    options: FillOptions | None = None,
    on_progress: Callable[[Progress], None] | None = None,
) -> FillResult:
    """Run `iter_fill` to its end; see there."""
    volumes: dict[str, Volume] = {}
    report: dict[str, Any] = {}
    for event in iter_fill(series, options or FillOptions()):
        if isinstance(event, Finished):
            volumes[event.method] = event.volume
        elif isinstance(event, Done):
            report = event.report
        elif on_progress is not None:
            on_progress(event)
    return FillResult(volumes, report)


def iter_fill(series: TiltSeries, options: FillOptions) -> Iterator[Event]:
    """Reconstruct a tilt series with every method asked for.

    The images are not moved. Close the generator to cancel.

    Parameters
    ----------
    series : TiltSeries
        Aligned images; the tilt axis lies at ``axis_shift_px`` from their centre.
    options : FillOptions
        Methods, model, device and slices.

    Yields
    ------
    Progress, Finished or Done
        Progress often, Finished once a method, Done last.

    Raises
    ------
    WedgefillError
        Before anything is computed, if the options cannot be met.
    """
    check_methods(options.methods)
    series_part = series if options.slices is None else series.rows(*options.slices)
    model = _open_model(options) if "gan" in options.methods else None
    clock = Clock(options.methods)
    yield clock.progress("measuring intensities", 0.0)
    start = time.monotonic()
    job = prepare(series, series_part)
    seconds = {"intensities": time.monotonic() - start}
    for method in options.methods:
        start = time.monotonic()
        data = yield from _whole_volume(method, job, model, options, clock)
        seconds[method] = time.monotonic() - start
        yield Finished(method, _as_volume(series, method, data), seconds[method])
    yield Done(_report(series, options, job, model, seconds))


def iter_preview(series: TiltSeries, index: int, options: FillOptions) -> Iterator[Event]:
    """Reconstruct one slice quickly: fewer sweeps, and wide images binned.

    Parameters
    ----------
    series : TiltSeries
        The whole series.
    index : int
        Slice along the tilt axis.
    options : FillOptions
        Methods, model and device.

    Yields
    ------
    Progress, Finished or Done
        As `iter_fill`; volumes hold the one slice, (width, 1, width), on the series' own grid.
    """
    n = -(-series.width // PREVIEW_WIDTH)
    small = series.binned(n)
    at = min(index // n, small.height - 1)
    for event in iter_fill(small, replace(options, slices=(at, at + 1), preview=True)):
        if isinstance(event, Finished) and n > 1:
            event = replace(event, volume=_enlarged(event.volume, n, series))
        yield event


def _enlarged(volume: Volume, n: int, series: TiltSeries) -> Volume:
    """Repeat voxels n times along z and x; edge values stand in for what binning cropped."""
    data = volume.data.repeat(n, axis=0).repeat(n, axis=2)
    rest = series.width - data.shape[2]
    sides = (rest // 2, rest - rest // 2)
    pixel = series.pixel_nm
    return replace(
        volume,
        data=np.pad(data, (sides, (0, 0), sides), mode="edge"),
        voxel_nm=None if pixel is None else (pixel, pixel, pixel),
    )


def _whole_volume(
    method: str, job: Job, model: JointModel | None, options: FillOptions, clock: Clock
) -> Generator[Progress, None, Floats]:
    """Reconstruct slab by slab; each sees one slice more on either side than it keeps."""
    height = job.series.height
    out = np.empty((job.beam.depth, height, job.beam.width), np.float32)
    for start in range(0, height, SLAB):
        stop = min(start + SLAB, height)
        first, last_slice = max(start - 1, 0), min(stop + 1, height)
        sinogram = job.normalisation.apply(job.series.sinograms(first, last_slice))
        solver = _solver(method, job, model, options, sinogram)
        while True:
            try:
                stage, fraction = next(solver)
            except StopIteration as ended:
                volume = ended.value
                break
            done = (start + fraction * (stop - start)) / height
            yield clock.progress(stage, done)
        kept = job.normalisation.restore(volume[:, :, start - first : stop - first])
        out[:, start:stop] = kept.transpose(0, 2, 1)
    clock.finish(method)
    return out


def _solver(
    method: str, job: Job, model: JointModel | None, options: FillOptions, sinogram: Floats
) -> Generator[tuple[str, float], None, Floats]:
    """One slab of one method, densities of order one."""
    beam = job.beam
    label = method.upper()
    if method == "wbp":
        yield label, 0.0
        return wbp(beam, sinogram)
    if method == "gan":
        assert model is not None
        return (yield from iter_joint(model, beam, sinogram, job.scales))
    if method == "tvm":
        weight = tvm_weight(InputContract(), job.scales, beam.n_tilts)
        sweeps = iter_tvm(beam, sinogram, options.sweeps(method), weight=weight)
    else:
        algebraic = iter_sart if method == "sart" else iter_sirt
        sweeps = algebraic(beam, sinogram, options.sweeps(method))
    x = sinogram
    for sweep in sweeps:
        x = sweep.x
        yield label, sweep.done / sweep.total
    return x


def _open_model(options: FillOptions) -> JointModel:
    model = JointModel(load(options.model), options.device)
    model.open()
    return model


def _as_volume(series: TiltSeries, method: str, data: Floats) -> Volume:
    pixel = series.pixel_nm
    return Volume(
        data,
        voxel_nm=None if pixel is None else (pixel, pixel, pixel),
        name=f"{series.name}_{method}",
        history=(f"napari-wedgefill: {method} of {series.name}, {series.n_tilts} tilts",),
    )


def _report(
    series: TiltSeries,
    options: FillOptions,
    job: Job,
    model: JointModel | None,
    seconds: dict[str, float],
) -> dict[str, Any]:
    angles = series.angles_deg
    report: dict[str, Any] = {
        "methods": list(options.methods),
        "sweeps": {m: options.sweeps(m) for m in options.methods if m in SWEEPS},
        "slices": list(options.slices or (0, series.height)),
        "geometry": {
            "n_tilts": series.n_tilts,
            "angles_deg": [round(float(angle), 4) for angle in angles],
            "missing_range_deg": round(missing_range_deg(angles), 3),
            "axis_shift_px": series.axis_shift_px,
            "axis_deg": series.axis_deg,
            "pixel_nm": series.pixel_nm,
        },
        "normalisation": job.normalisation.to_dict(),
        "noise_over_density": float(job.scales.noise),
        "seconds": {stage: round(value, 3) for stage, value in seconds.items()},
    }
    if model is not None:
        report["model"] = {
            "name": model.model.name,
            "sha256": dict(model.model.sha256),
            "provider": model.provider,
            "device_asked": options.device,
        }
    return report
