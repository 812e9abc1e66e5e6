"""One method over all slices, slab by slab."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..joint_model.model import JointModel
from ..joint_model.onnx_session import CUDA
from ..memory import release_pages
from ..methods import Method, Problem, Solution, Step
from ..methods.method import Array
from ..progress import relay
from ..projector import ParallelBeam
from ..reconstruct.tvm import Beside
from ..tilt_series import TiltSeries
from .behind import Behind, read_ahead
from .box import Box, Crop
from .gpu import Gpu, find_gpu
from .options import FillOptions
from .session import Calibration
from .sinks import SlabWriter
from .slabs import Slab, cut_slabs

if TYPE_CHECKING:
    from .parts import KeptParts

Floats = NDArray[np.float32]

Result = TypeVar("Result")

#: What is left unexplained, over the noise, at which SART and SIRT may stop. Above one, for
#: vacuum, alignment and projection model are never exact.
DISCREPANCY = 1.25


@dataclass(frozen=True, eq=False)
class MethodRun:
    """One method on the slices that a fill is asked for.

    Attributes
    ----------
    method : Method
        What to run.
    series : TiltSeries
        The slices to reconstruct.
    calibration : Calibration
        Of the whole series that they are a part of.
    options : FillOptions
        Of the fill.
    model : JointModel or None
        The networks, if any method of the fill needs them.
    earlier : mapping of str to ndarray, float32, (z, y, x)
        Volumes, in the units of the file, of the methods that this one starts from.
    crop : Crop or None
        Where the rows of the specimen's box lie; None for the whole field.
    held : mapping of str to tensor, float32, (z, x, n_slices)
        Of the methods that this one starts from, volumes that lie on the GPU still: densities of
        order one, of all slices that are computed.
    """

    method: Method
    series: TiltSeries
    calibration: Calibration
    options: FillOptions
    model: JointModel | None
    earlier: Mapping[str, Floats] = field(default_factory=dict)
    crop: Crop | None = None
    held: Mapping[str, Array] = field(default_factory=dict)

    @property
    def beam(self) -> ParallelBeam:
        """The geometry of what is reconstructed."""
        return self.calibration.beam if self.crop is None else self.crop.beam

    def read(self, slab: Slab) -> tuple[Floats, Beside | None]:
        """Read the rows of a slab, (n_tilts, width, n_slices), and what is beside the box."""
        whole = self.series.sinograms(slab.first, slab.last)
        rows = self.calibration.normalisation.apply(whole)
        return (rows, None) if self.crop is None else self.crop.apply(rows)


@dataclass(frozen=True, eq=False)
class SolvedSlab:
    """Slices that were solved before.

    Attributes
    ----------
    planes : ndarray, float32, (z, x, n_slices)
        In the units of the file.
    passes : tuple of int
        That each slab took of an iterative method.
    seconds : float
        Time taken.
    noise_shares : tuple of float
        Of each slab that networks made (`methods.Solution`).
    """

    planes: Floats
    passes: tuple[int, ...] = ()
    seconds: float = 0.0
    noise_shares: tuple[float, ...] = ()


@dataclass
class Tally:
    """What running a method took: passes of each slab, and seconds by stage of the work.

    Also how far the measurements counted in each slab that networks made; and the volume, in units
    of the density scale, where it lies on the GPU as a whole.
    """

    passes: list[int] = field(default_factory=list)
    noise_shares: list[float] = field(default_factory=list)
    seconds: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    held: Array | None = None


def add_up(parts: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """Add up seconds by stage."""
    total: dict[str, float] = {}
    for part in parts:
        for stage, seconds in part.items():
            total[stage] = total.get(stage, 0.0) + seconds
    return total


def plan_slabs(
    method: Method, beam: ParallelBeam, height: int, model: JointModel | None, options: FillOptions
) -> list[Slab]:
    """Cut `height` slices into slabs for one method; see `slabs.cut_slabs`."""
    gpu = choose_gpu(method, model, options)
    gpu_bytes = None if gpu is None else gpu.measure_free_bytes()
    reach = method.reach(model)
    return cut_slabs(method, beam, height, options.max_memory, reach, gpu_bytes=gpu_bytes)


def choose_gpu(method: Method, model: JointModel | None, options: FillOptions) -> Gpu | None:
    """Return the GPU that a method's slabs go to; None where they stay in main memory."""
    if options.stop == "discrepancy":  # slices that stop apart are a matter for processors
        return None
    if method.needs_model and (model is None or model.provider != CUDA):
        return None
    return find_gpu(options.device)


def choose_starts(
    method: Method, made: Collection[str], model: JointModel | None, options: FillOptions
) -> tuple[str, ...]:
    """Choose the volumes, of those `made`, that a method starts from: all that it uses, or none.

    None where slices stopped apart from each other: they are no fixed effort.
    """
    if options.stop == "discrepancy" or not set(method.uses) <= set(made):
        return ()
    suits = None if options.preview else method.suits
    if suits is not None and not suits(options.count_passes(), model):
        return ()
    return method.uses


def iter_slabs(
    run: MethodRun,
    slabs: Sequence[Slab],
    writer: SlabWriter,
    behind: Behind,
    kept: KeptParts | None = None,
) -> Generator[Step, None, Tally]:
    """Reconstruct slab by slab; yields the stage and how far the method is, and returns a tally.

    The last slab may be written still when this ends. What was `kept` of an earlier run is not
    computed again.
    """
    tally, height = Tally(), run.series.height

    def read(slab: Slab) -> SolvedSlab | tuple[Floats, Beside | None]:
        found = None if kept is None else kept.find(run.method.name, slab.start, slab.stop)
        return run.read(slab) if found is None else found

    for slab, rows in read_ahead(slabs, read):
        if isinstance(rows, SolvedSlab):
            tally.passes += rows.passes
            tally.noise_shares += rows.noise_shares
            tally.seconds[run.method.label] += rows.seconds
            behind.write(partial(writer.write, slab.start, rows.planes))
            yield f"{run.method.label} of parts", slab.stop / height
            continue
        where = "" if len(slabs) == 1 else f", slice {slab.start} of {height}"
        steps = _time_stages(_solve_slab(run, slab, *rows), run.method, tally)
        solution, gpu = yield from relay(steps, partial(_place_step, slab, where, height))
        if solution.n_passes is not None:
            tally.passes.append(solution.n_passes)
        if solution.noise_share is not None:
            tally.noise_shares.append(solution.noise_share)
        volume = solution.volume
        del solution
        if gpu is None:
            task = partial(_write_slab, writer, slab, volume, run)
        else:
            with _timed(tally, "copying to main memory"):
                gpu.fade(volume, None if run.crop is None else run.crop.fade)
                scale = run.calibration.normalisation.scale
                planes = gpu.get_slices(_keep(slab, volume), scale)
            task = partial(writer.write, slab.start, planes)
            if slab.stop - slab.start == height:
                tally.held = volume
            del planes
        del volume
        with _timed(tally, "waiting for the disk"):
            behind.write(task)
        del task
    return tally


def iter_box_slabs(
    run: MethodRun,
    box: Box,
    first: int,
    writer: SlabWriter,
    behind: Behind,
    kept: KeptParts | None = None,
) -> Generator[Step, None, Tally]:
    """Reconstruct slab by slab what lies in a box; all around it there is vacuum.

    Parameters
    ----------
    run : MethodRun
        On the slices of the whole field, cropped to the box.
    box : Box
        Of the whole series.
    first : int
        Where the run's slices begin in the series.
    writer : SlabWriter
        Takes slices of the whole field.
    behind : Behind
        Writes in the background.
    kept : KeptParts, optional
        What an earlier run computed, (z, x) as in the box.
    """
    height = run.series.height
    inside = box.within(first, first + height)
    around = _BoxWriter(writer, box if inside is None else inside)
    if inside is None:
        behind.write(partial(around.write_vacuum, 0, height))
        return Tally()
    run = replace(
        run,
        series=run.series.rows(*inside.y),
        earlier={name: inside.cut(volume) for name, volume in run.earlier.items()},
    )
    kept = None if kept is None else _KeptInBox(kept, inside.y[0])
    behind.write(partial(around.write_vacuum, 0, inside.y[0]))
    behind.write(partial(around.write_vacuum, inside.y[1], height))
    n_slices = inside.y[1] - inside.y[0]
    slabs = plan_slabs(run.method, run.beam, n_slices, run.model, run.options)
    return (yield from iter_slabs(run, slabs, around, behind, kept))


@dataclass(frozen=True)
class _KeptInBox:
    """Finds parts by the slices of a box, which begin somewhere in the fill."""

    parts: KeptParts
    first: int

    def find(self, method: str, start: int, stop: int) -> SolvedSlab | None:
        """Return some slices of a method; None if not all of them are there."""
        return self.parts.find(method, self.first + start, self.first + stop)


class _BoxWriter:
    """Takes the slabs of a box, and passes slices of the whole field on."""

    def __init__(self, writer: SlabWriter, box: Box) -> None:
        self._writer, self._box = writer, box

    def write(self, start: int, planes: Floats) -> None:
        """Take slices of the box (depth, width, n_slices), counted from its first one."""
        for first, whole in self._box.put_back(planes):
            self._writer.write(self._box.y[0] + start + first, whole)

    def write_vacuum(self, start: int, stop: int) -> None:
        """Fill some slices of the field with vacuum."""
        nothing = np.zeros((self._box.depth, self._box.width, 1), np.float32)
        nothing = np.broadcast_to(nothing, (*nothing.shape[:2], stop - start))
        for first, whole in self._box.put_back(nothing):
            self._writer.write(start + first, whole)


def _place_step(slab: Slab, where: str, height: int, step: Step) -> Step:
    """Say how far the whole method is, for how far it is in a slab."""
    stage, fraction = step
    return stage + where, (slab.start + fraction * (slab.stop - slab.start)) / height


def _time_stages(
    steps: Generator[Step, None, Result], method: Method, tally: Tally
) -> Generator[Step, None, Result]:
    """Add the seconds that a method spends to the stage that it was in."""
    stage, now = method.label, time.monotonic()
    try:
        while True:
            step = next(steps)
            tally.seconds[stage] += time.monotonic() - now
            yield step
            stage, now = step[0], time.monotonic()
    except StopIteration as ended:
        tally.seconds[stage] += time.monotonic() - now
        result: Result = ended.value
        return result


@contextmanager
def _timed(tally: Tally, stage: str) -> Iterator[None]:
    """Add the seconds of a block to a stage."""
    start = time.monotonic()
    yield
    tally.seconds[stage] += time.monotonic() - start


def _keep(slab: Slab, volume: Array) -> Array:
    """Return the slices that a slab keeps of those that were read, a view."""
    return volume[:, :, slab.start - slab.first : slab.stop - slab.first]


def _write_slab(writer: SlabWriter, slab: Slab, volume: Floats, run: MethodRun) -> None:
    """Write the slices that a slab keeps, in the units of the file; changes `volume`."""
    kept = _keep(slab, volume)
    if run.crop is not None:
        kept *= run.crop.fade[:, :, None]
    run.calibration.normalisation.restore(kept, out=kept)
    writer.write(slab.start, kept)


def _solve_slab(
    run: MethodRun, slab: Slab, sinogram: Floats, beside: Beside | None
) -> Generator[Step, None, tuple[Solution, Gpu | None]]:
    """Solve one slab, densities of order one; on a GPU if there is one and the slab fits.

    Returns
    -------
    Solution
        With a volume (z, x, n_slices) of all slices that were read.
    Gpu or None
        Where that volume lies.
    """
    method, scales = run.method, run.calibration.scales
    can_stop = method.effort is not None and method.effort.stops_at_noise
    stops = can_stop and run.options.stop == "discrepancy"
    problem = Problem(
        beam=run.beam,
        sinogram=sinogram,
        scales=scales,
        passes=run.options.count_passes(),
        stop_at=DISCREPANCY * float(scales.noise) if stops else None,
        model=run.model,
        beside=beside,
    )
    gpu = choose_gpu(method, run.model, run.options)
    held = {name: volume[:, :, slab.first : slab.last] for name, volume in run.held.items()}
    starts: dict[str, Array] = {}
    if gpu is not None:
        try:
            # Copies: what a solver starts from it may change.
            starts = {name: volume.clone() for name, volume in held.items()}
            for name, volume in run.earlier.items():
                starts[name] = _cut_start(volume, run, slab, gpu)
            return (yield from method.solve(replace(gpu.move(problem), starts=starts))), gpu
        except gpu.short_of_memory:
            starts = {name: gpu.get(volume) for name, volume in held.items()}
            # main memory is larger
    for name, volume in run.earlier.items():
        starts[name] = _cut_start(volume, run, slab, None)
    return (yield from method.solve(replace(problem, starts=starts))), None


def _cut_start(volume: Floats, run: MethodRun, slab: Slab, gpu: Gpu | None) -> Array:
    """Cut a slab (z, x, n_slices) out of an earlier volume, and bring it to order one."""
    rows = volume[:, slab.first : slab.last]
    scale = np.float32(run.calibration.normalisation.scale)
    start: Array
    if gpu is None:
        start = np.ascontiguousarray(rows.transpose(0, 2, 1)) / scale
    else:
        start = gpu.put_slices(rows) / float(scale)
    release_pages(rows)
    return start
