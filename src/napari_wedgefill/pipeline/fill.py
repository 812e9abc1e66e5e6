"""From a tilt series to the volumes of every method: one generator for whoever asks."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Mapping
from dataclasses import replace
from textwrap import wrap
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..errors import WedgefillError
from ..geometry import missing_range_deg
from ..joint_model.model import JointModel
from ..methods import METHODS, Method, Step, check_methods, sort_by_dependence
from ..methods.method import Array
from ..progress import Clock, Progress
from ..projector import ParallelBeam
from ..tilt_series import TiltSeries
from ..volume import TiltRange, Volume, VolumeOutline
from .behind import Making, write_behind
from .box import Field
from .events import Done, Event, FillResult, Finished
from .options import FillOptions, check_stop
from .session import Calibration, Session
from .sinks import ArraySink, Sink
from .streaming import (
    MethodRun,
    Tally,
    add_up,
    choose_gpu,
    choose_starts,
    iter_box_slabs,
    iter_slabs,
    plan_slabs,
)

if TYPE_CHECKING:
    from .parts import KeptParts

Floats = NDArray[np.float32]
#: What an MRC label of 80 characters holds behind our name.
LINE_CHARS = 62


def fill(
    series: TiltSeries,
    options: FillOptions | None = None,
    on_progress: Callable[[Progress], None] | None = None,
    session: Session | None = None,
) -> FillResult:
    """Run `iter_fill` to its end; see there."""
    options = options or FillOptions()
    volumes: dict[str, Volume] = {}
    report: dict[str, Any] = {}
    for event in iter_fill(series, options, session=session):
        if isinstance(event, Finished):
            volumes[event.method] = event.volume
        elif isinstance(event, Done):
            report = event.report
        elif on_progress is not None:
            on_progress(event)
    return FillResult({name: volumes[name] for name in options.methods}, report)


def iter_fill(
    series: TiltSeries,
    options: FillOptions,
    sink: Sink | None = None,
    session: Session | None = None,
    kept: KeptParts | None = None,
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
    session : Session, optional
        Keeps the networks open, and what was measured on the series, for the next call.
    kept : KeptParts, optional
        Voxels that the same fill computed before; they are taken as they are.

    Yields
    ------
    Progress, Finished or Done
        Progress often, Finished once a method, in the order of `methods.METHODS`, Done last.

    Raises
    ------
    WedgefillError
        Before anything is computed, if the options cannot be met.
    """
    session = session or Session()
    clock, sink = Clock(), ArraySink() if sink is None else sink
    model = check_fill(series, options, session, sink)
    series, options, corrections = session.correct(series, options)
    part = series if options.slices is None else series.rows(*options.slices)
    methods = sort_by_dependence(options.methods)
    yield clock.tell("measuring intensities", 0.0)
    start = time.monotonic()
    calibration = session.calibrate(series)
    field = choose_field(series, options, session)
    seconds = {"intensities": time.monotonic() - start}
    first = 0 if options.slices is None else options.slices[0]
    share = 1.0 if field.box is None else field.box.measure_share(first, first + part.height)
    held: dict[str, Array] = {}
    tallies: dict[str, Tally] = {}
    with Making(sink, seconds) as making, write_behind() as behind:
        for k, method in enumerate(methods):
            names = choose_starts(method, tallies, model, options)
            if choose_gpu(method, model, options) is None or not set(names) <= set(held):
                held.clear()
                if names:  # then from where they were put, which takes until they are complete
                    yield from making.iter_finished(waits=True)
            start = time.monotonic()
            if options.max_memory is not None:
                behind.wait()  # what waits for the disk would count as taken
            outline = outline_volume(series, options, method.name)
            volume = making.begin(method.name, outline)
            run = MethodRun(method, part, calibration, options, model)
            if held:
                run = replace(run, held={name: held[name] for name in names})
            else:
                run = replace(run, earlier={name: making.finished[name] for name in names})
            if field.box is None or method.fills_field:
                slabs = plan_slabs(method, run.beam, part.height, model, options)
                steps = iter_slabs(run, slabs, volume, behind, kept)
            else:
                run = replace(run, crop=session.crop(series, field.box))
                steps = iter_box_slabs(run, field.box, first, volume, behind, kept)
            tell = _tell_steps(clock, methods, k, share)
            tallies[method.name] = tally = yield from _follow(steps, tell, making)
            volume.seal(behind)
            seconds[method.name] = time.monotonic() - start
            if tally.held is not None and any(method.name in later.uses for later in methods[k:]):
                held[method.name] = tally.held
            tally.held = None
        yield from making.iter_finished(waits=True)
    report = _write_report(series, options, calibration, model, seconds, tallies)
    if corrections is not None:
        report |= corrections.to_dict()
    yield Done(report | field.to_dict())


def check_fill(
    series: TiltSeries, options: FillOptions, session: Session, sink: Sink | None = None
) -> JointModel | None:
    """Raise `WedgefillError` where a fill could not be done; open the networks if it needs them.

    With a `sink`, there must also be room for the volumes of all methods.
    """
    check_methods(options.methods)
    check_stop(options.stop)
    part = series if options.slices is None else series.rows(*options.slices)
    methods = sort_by_dependence(options.methods)
    model = None
    if any(method.needs_model for method in methods):
        model = session.open_model(options.model, options.device, series.width)
    beam = ParallelBeam(series.angles_deg, series.width, axis_shift_px=series.axis_shift_px)
    for method in methods:
        try:
            plan_slabs(method, beam, part.height, model, options)
        except WedgefillError:
            # What does not fit into memory whole may fit where the specimen is.
            box = None if method.fills_field else choose_field(series, options, session).box
            if box is None:
                raise
            plan_slabs(method, box.crop(beam).beam, part.height, model, options)
    if sink is not None:
        sink.check_room(outline_volume(series, options, method.name) for method in methods)
    return model


def choose_field(series: TiltSeries, options: FillOptions, session: Session) -> Field:
    """Choose what a fill works on: the box of the specimen if there is one, or the whole field."""
    if options.whole_field:
        return Field.of_all("that was asked for")
    if all(METHODS[name].fills_field for name in options.methods):
        labels = " and ".join(METHODS[name].label for name in options.methods)
        return Field.of_all(f"{labels} always covers it")
    return session.find_field(series, is_preview=options.preview)


def iter_preview(
    series: TiltSeries, index: int, options: FillOptions, session: Session | None = None
) -> Iterator[Event]:
    """Reconstruct one slice quickly: fewer sweeps, and wide images binned.

    Parameters
    ----------
    series : TiltSeries
        The whole series.
    index : int
        Slice along the tilt axis.
    options : FillOptions
        Methods, model and device.
    session : Session, optional
        Keeps what was measured on the series for the next preview.

    Yields
    ------
    Progress, Finished or Done
        As `iter_fill`; volumes hold the one slice, (width, 1, width), on the series' own grid.
    """
    session = session or Session()
    small, n = session.bin_for_preview(series)
    at = min(index // n, small.height - 1)
    options = replace(options, slices=(at, at + 1), preview=True)
    for event in _iter_quickest_first(small, options, session):
        if isinstance(event, Finished) and n > 1:
            event = replace(event, volume=_enlarge(event.volume, n, series))
        yield event


def _iter_quickest_first(
    series: TiltSeries, options: FillOptions, session: Session
) -> Iterator[Event]:
    """Fill with what waits neither for the networks nor for the box of the specimen, then the rest.

    Opening the ones and finding the other takes longer than WBP of a slice, the first time.
    """
    check_methods(options.methods)
    first = tuple(name for name in options.methods if _is_ready_at_once(METHODS[name]))
    rest = tuple(name for name in options.methods if name not in first)
    if first and rest:
        for event in iter_fill(series, replace(options, methods=first), session=session):
            if not isinstance(event, Done):
                yield event
    for event in iter_fill(series, replace(options, methods=rest or first), session=session):
        if isinstance(event, Done):
            event = replace(event, report=event.report | {"methods": list(options.methods)})
        yield event


def _is_ready_at_once(method: Method) -> bool:
    return method.fills_field and not method.needs_model


def _enlarge(volume: Volume, n: int, series: TiltSeries) -> Volume:
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


def _follow(
    steps: Generator[Step, None, Tally], tell: Callable[[Step], Progress], making: Making
) -> Generator[Event, None, Tally]:
    """Yield the progress of one method, and volumes of earlier ones as they become complete."""
    while True:
        try:
            step = next(steps)
        except StopIteration as ended:
            tally: Tally = ended.value
            return tally
        yield from making.iter_finished(waits=False)
        yield tell(step)


def _tell_steps(
    clock: Clock, methods: list[Method], k: int, share: float
) -> Callable[[Step], Progress]:
    """Return what turns a step of the k-th method into the progress of the fill.

    Methods that work on the box of the specimen cost a `share` of what the whole field costs.
    """
    costs = [method.cost * (1.0 if method.fills_field else share) for method in methods]
    total, before = max(sum(costs), 1e-9), sum(costs[:k])

    def tell(step: Step) -> Progress:
        return clock.tell(step[0], (before + costs[k] * step[1]) / total)

    return tell


def outline_volume(series: TiltSeries, options: FillOptions, name: str) -> VolumeOutline:
    """Describe the volume that a method, or the trust map, makes of a series."""
    pixel = series.pixel_nm
    start, stop = options.slices or (0, series.height)
    beam = ParallelBeam(series.angles_deg, series.width, axis_shift_px=series.axis_shift_px)
    made = f"{name} of {series.name}, {series.n_tilts} tilts"
    if name in METHODS and METHODS[name].needs_model:
        made += f", model {options.model}"
    return VolumeOutline(
        name=f"{series.name}_{name}",
        shape=(beam.depth, stop - start, beam.width),
        voxel_nm=None if pixel is None else (pixel, pixel, pixel),
        history=tuple(f"napari-wedgefill: {line}" for line in (made, *_tell_alignment(series))),
        first_slice=start,
        whole_height=series.height if stop - start < series.height else None,
        tilt_range=TiltRange.of(series.angles_deg),
    )


def _tell_alignment(series: TiltSeries) -> list[str]:
    """Return the sentence of the alignment of this run, in lines that fit an MRC label."""
    sentence = series.sources.get("alignment", "")
    return wrap(f"alignment: {sentence}", LINE_CHARS) if sentence else []


def _write_report(
    series: TiltSeries,
    options: FillOptions,
    calibration: Calibration,
    model: JointModel | None,
    seconds: Mapping[str, float],
    tallies: Mapping[str, Tally],
) -> dict[str, Any]:
    """Say what ran and with which numbers, ready for JSON."""
    angles, passes = series.angles_deg, options.count_passes()
    taken = {name: tally.passes for name, tally in tallies.items() if tally.passes}
    shares = {
        name: float(np.mean(tally.noise_shares))
        for name, tally in tallies.items()
        if tally.noise_shares
    }
    stages = add_up(tally.seconds for tally in tallies.values())
    total = sum(stages.values()) or 1.0
    report: dict[str, Any] = {
        "methods": list(options.methods),
        "sweeps": {m: passes[m] for m in options.methods if _counts_in(m, "sweeps")},
        **{f"{m}_steps": passes[m] for m in METHODS if _counts_in(m, "steps")},
        "stop": options.stop,
        "sweeps_taken": {name: [min(n), max(n)] for name, n in taken.items()},
        "slices": list(options.slices or (0, series.height)),
        "geometry": {
            "n_tilts": series.n_tilts,
            "angles_deg": [round(float(angle), 4) for angle in angles],
            "missing_range_deg": round(missing_range_deg(angles), 3),
            "axis_shift_px": series.axis_shift_px,
            "axis_deg": series.axis_deg,
            "pixel_nm": series.pixel_nm,
        },
        "normalisation": calibration.normalisation.to_dict(),
        "noise_over_density": float(calibration.scales.noise),
        "noise_share": {name: round(share, 4) for name, share in shares.items()},
        "projections": {
            m: "main memory" if choose_gpu(METHODS[m], model, options) is None else "CUDA"
            for m in options.methods
        },
        "seconds": {stage: round(value, 3) for stage, value in seconds.items()},
        "share_of_stage": {stage: round(spent / total, 4) for stage, spent in stages.items()},
    }
    if model is not None:
        report["model"] = {
            "name": model.model.name,
            "sha256": dict(model.model.sha256),
            "provider": model.provider,
            "precision": model.model.precision(model.provider),
            "device_asked": options.device,
        }
        if model.model.refines:
            is_smooth = calibration.scales.is_smooth
            report["model"]["refinement"] = model.model.choose_refinement(is_smooth=is_smooth)
    return report


def _counts_in(name: str, unit: str) -> bool:
    effort = METHODS[name].effort
    return effort is not None and effort.unit == unit
