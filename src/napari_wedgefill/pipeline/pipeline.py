"""From a tilt series to the volumes of every method: one generator for window, shell and batch."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from ..joint_model.model import JointModel
from ..joint_model.registry import load
from ..tilt_series import TiltSeries
from ..volume import TiltRange, Volume, VolumeOutline
from .events import (
    METHODS,
    Clock,
    Done,
    Event,
    FillOptions,
    FillResult,
    Finished,
    Progress,
    check_methods,
    check_stop,
)
from .job import Job, prepare
from .one_method import iter_volume, plan
from .report import report_of
from .sink import ArraySink, Sink

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
_last_model: list[JointModel] = []
#: Series as previews see them, for as long as the series themselves live.
_small: WeakKeyDictionary[TiltSeries, TiltSeries] = WeakKeyDictionary()

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


def iter_fill(
    series: TiltSeries, options: FillOptions, sink: Sink | None = None
) -> Generator[Event, None, None]:
    """Reconstruct a tilt series with every method asked for.

    The images are not moved. Close the generator to cancel.

    Parameters
    ----------
    series : TiltSeries
        Aligned images; the tilt axis lies at ``axis_shift_px`` from their centre.
    options : FillOptions
        Methods, model, device, slices and memory.
    sink : Sink, optional
        Where volumes go while they are computed, such as `io.MrcSink`; arrays by default.

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
    check_stop(options.stop)
    series_part = series if options.slices is None else series.rows(*options.slices)
    model = open_model(options, series.width) if "gan" in options.methods else None
    sink = ArraySink() if sink is None else sink
    clock = Clock(options.methods)
    yield clock.progress("measuring intensities", 0.0)
    start = time.monotonic()
    job = prepare(series, series_part)
    seconds = {"intensities": time.monotonic() - start}
    plans = [plan(method, job, model, options) for method in options.methods]
    for method, slabs in zip(options.methods, plans, strict=True):
        start = time.monotonic()
        outline = _outline(series, job, method, options)
        with sink.writing(outline) as writer:
            yield from iter_volume(method, slabs, job, model, options, clock, writer)
        seconds[method] = time.monotonic() - start
        volume = outline.filled(sink.written(outline))
        job.finished[method] = volume.data
        yield Finished(method, volume, seconds[method])
    yield Done(report_of(series, options, job, model, seconds))


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
    if n > 1 and series not in _small:
        _small[series] = series.binned(n)
    small = _small[series] if n > 1 else series
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


def open_model(options: FillOptions, width: int) -> JointModel:
    """Open the model for images of this width; the last one used stays open for the next job."""
    info = load(options.model)
    if not _last_model or (_last_model[0].model, _last_model[0].device) != (info, options.device):
        _last_model[:] = [JointModel(info, options.device)]
    model = _last_model[0]
    model.open(width)
    return model


def _outline(series: TiltSeries, job: Job, method: str, options: FillOptions) -> VolumeOutline:
    pixel = series.pixel_nm
    model = f", model {options.model}" if method == "gan" else ""
    return VolumeOutline(
        name=f"{series.name}_{method}",
        shape=(job.beam.depth, job.series.height, job.beam.width),
        voxel_nm=None if pixel is None else (pixel, pixel, pixel),
        history=(f"napari-wedgefill: {method} of {series.name}, {series.n_tilts} tilts{model}",),
        first_slice=options.slices[0] if options.slices else 0,
        tilt_range=TiltRange.of(series.angles_deg),
    )
