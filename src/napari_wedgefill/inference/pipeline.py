"""From a tilt series to the volumes of every method: one generator for window, shell and batch."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import WedgefillError
from ..geometry import missing_range_deg
from ..normalise import Normalisation, vacuum_level
from ..projector import ParallelBeam
from ..projector.numba_kernels import LANES
from ..reconstruct import iter_sart, iter_sirt, iter_tvm, last, wbp
from ..reconstruct.tvm import noise_level
from ..tilt_series import TiltSeries
from ..volume import Volume
from .contract import InputContract, Scales, density_scale, sinogram_scale, tvm_weight
from .joint_model import JointModel, iter_joint
from .registry import load

Floats = NDArray[np.float32]

#: What a plain fill computes.
METHODS = ("wbp", "sart", "tvm", "gan")
#: Sweeps of each iterative method.
SWEEPS = {"sart": 10, "sirt": 50, "tvm": 200}
#: Rough cost of a slab, for the progress bar alone.
_COST = {"wbp": 1.0, "sart": 12.0, "sirt": 40.0, "tvm": 250.0, "gan": 250.0}
#: Slices of a slab: with a neighbour on either side it fills one strip of the projector.
SLAB = LANES - 2


@dataclass(frozen=True)
class FillOptions:
    """What to compute, and where.

    Attributes
    ----------
    methods : tuple of str
        Any of "wbp", "sart", "sirt", "tvm", "gan", in the order wanted.
    model : str
        Name of a bundled model, or a folder.
    device : {"auto", "cpu", "cuda"}
        Where the networks run.
    slices : tuple of int, optional
        Start and stop along the tilt axis; all by default.
    """

    methods: tuple[str, ...] = METHODS
    model: str = "small"
    device: str = "auto"
    slices: tuple[int, int] | None = None


@dataclass(frozen=True)
class Progress:
    """How far the whole job is.

    Attributes
    ----------
    stage : str
        What is being done, for people.
    fraction : float
        0 to 1 over the whole job.
    seconds_left : float or None
        None until there is something to judge by.
    """

    stage: str
    fraction: float
    seconds_left: float | None


@dataclass(frozen=True, eq=False)
class Finished:
    """One method's volume, and the seconds it took."""

    method: str
    volume: Volume
    seconds: float


@dataclass(frozen=True, eq=False)
class Done:
    """The last item: what ran and with which numbers, ready for JSON."""

    report: dict[str, Any]


@dataclass(frozen=True, eq=False)
class FillResult:
    """Volumes by method, and the report."""

    volumes: dict[str, Volume]
    report: dict[str, Any]


Event = Progress | Finished | Done


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
    clock = _Clock(options.methods)
    yield clock.progress("measuring intensities", 0.0)
    start = time.monotonic()
    job = prepare(series, series_part)
    seconds = {"intensities": time.monotonic() - start}
    for method in options.methods:
        start = time.monotonic()
        data = yield from _whole_volume(method, job, model, clock)
        seconds[method] = time.monotonic() - start
        yield Finished(method, _as_volume(series, method, data), seconds[method])
    yield Done(_report(series, options, job, model, seconds))


def check_methods(methods: tuple[str, ...]) -> None:
    """Raise `WedgefillError` for a method that does not exist, or for none at all."""
    unknown = [method for method in methods if method not in _COST]
    if unknown:
        raise WedgefillError(
            f"There is no method {unknown[0]!r}; choose from {', '.join(_COST)}."
        )
    if not methods:
        raise WedgefillError(f"No method was chosen; choose from {', '.join(_COST)}.")


@dataclass(frozen=True, eq=False)
class Job:
    """A series and the numbers that hold for all of it."""

    series: TiltSeries
    beam: ParallelBeam
    normalisation: Normalisation
    scales: Scales


def prepare(series: TiltSeries, part: TiltSeries | None = None) -> Job:
    """Measure vacuum, noise and scales on slices spread over the whole series.

    They hold for every slab and for a preview, so no result depends on how slices were grouped.
    """
    beam = ParallelBeam(series.angles_deg, series.width, axis_shift_px=series.axis_shift_px)
    offset = vacuum_level(series)
    blocks = [series.sinograms(*block) - np.float32(offset) for block in _sample(series.height)]
    noise = float(np.median([noise_level(block) for block in blocks]))
    sample = np.concatenate(blocks, axis=2)
    density = density_scale(last(iter_sirt(beam, sample, 10)))
    scales = Scales(sinogram_scale(sample) / density, noise / density)
    return Job(part or series, beam, Normalisation(offset, density), scales)


def _sample(height: int) -> list[tuple[int, int]]:
    """Eight blocks of eight neighbouring slices, evenly spread; all slices if there are few."""
    if height <= LANES:
        return [(0, height)]
    starts = np.linspace(0, height - 8, 8).astype(int)
    return [(int(start), int(start) + 8) for start in starts]


def _whole_volume(
    method: str, job: Job, model: JointModel | None, clock: _Clock
) -> Generator[Progress, None, Floats]:
    """Reconstruct slab by slab; each sees one slice more on either side than it keeps."""
    height = job.series.height
    out = np.empty((job.beam.depth, height, job.beam.width), np.float32)
    for start in range(0, height, SLAB):
        stop = min(start + SLAB, height)
        first, last_slice = max(start - 1, 0), min(stop + 1, height)
        sinogram = job.normalisation.apply(job.series.sinograms(first, last_slice))
        solver = _solver(method, job, model, sinogram)
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
    method: str, job: Job, model: JointModel | None, sinogram: Floats
) -> Generator[tuple[str, float], None, Floats]:
    """One slab of one method, densities of order one."""
    beam = job.beam
    label = method.upper()
    if method == "wbp":
        yield label, 0.0
        return wbp(beam, sinogram)
    if method == "gan":
        assert model is not None  # noqa: S101 - opened with the options
        return (yield from iter_joint(model, beam, sinogram, job.scales))
    if method == "tvm":
        weight = tvm_weight(InputContract(), job.scales, beam.n_tilts)
        sweeps = iter_tvm(beam, sinogram, SWEEPS[method], weight=weight)
    else:
        sweeps = (iter_sart if method == "sart" else iter_sirt)(beam, sinogram, SWEEPS[method])
    x = sinogram
    for sweep in sweeps:
        x = sweep.x
        yield label, sweep.done / sweep.total
    return x


class _Clock:
    """Turns the fraction of a method into the fraction of the job and the time left."""

    def __init__(self, methods: tuple[str, ...]) -> None:
        self._start = time.monotonic()
        self._total = sum(_COST[method] for method in methods)
        self._finished = 0.0
        self._methods = list(methods)

    def progress(self, stage: str, fraction_of_method: float) -> Progress:
        now = _COST[self._methods[0]] if self._methods else 0.0
        fraction = min(1.0, (self._finished + now * fraction_of_method) / self._total)
        elapsed = time.monotonic() - self._start
        left = elapsed * (1.0 - fraction) / fraction if elapsed > 1.0 and fraction > 0.02 else None
        return Progress(stage, fraction, left)

    def finish(self, method: str) -> None:
        self._finished += _COST[method]
        self._methods.remove(method)


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
        "sweeps": {m: SWEEPS[m] for m in options.methods if m in SWEEPS},
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
