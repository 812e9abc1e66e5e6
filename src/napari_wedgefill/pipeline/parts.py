"""Parts of a fill: some slices of one method, which workers of a cluster solve on their own.

A part begins where a strip of its method begins and reads the neighbours that the method looks at,
so its voxels are those of a fill in one piece, to the byte. A fill that is given parts takes their
voxels in place of computing them.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..methods import METHODS, Method, Step, sort_by_dependence
from ..progress import relay
from ..projector import ParallelBeam
from ..tilt_series import TiltSeries
from .behind import write_behind
from .box import Box, Field
from .fill import check_fill, choose_field
from .options import FillOptions
from .session import Session
from .slabs import choose_lanes
from .streaming import MethodRun, SolvedSlab, choose_starts, iter_slabs, plan_slabs

Floats = NDArray[np.float32]


@dataclass(frozen=True, order=True)
class Part:
    """Slices from `start` to `stop` of what a fill is asked for, of one method."""

    method: str
    start: int
    stop: int

    def __str__(self) -> str:
        return f"{self.method}, slices {self.start} to {self.stop}"


class KeptParts(Protocol):
    """Parts that were solved before."""

    def find(self, method: str, start: int, stop: int) -> SolvedSlab | None:
        """Return some slices of a method; None if not all of them are there."""


@dataclass(frozen=True)
class Kept:
    """What was done of a run before.

    Attributes
    ----------
    parts : KeptParts
        Of its fill.
    aligned : Aligned or None
        What its alignment gave.
    field : Field or None
        What its parts were cut from.
    """

    parts: KeptParts
    aligned: Any = None
    field: Field | None = None


def count_voxels(series: TiltSeries, options: FillOptions) -> int:
    """Count the voxels of one volume of a fill."""
    start, stop = options.slices or (0, series.height)
    return series.width * series.width * (stop - start)


def cut_parts(
    series: TiltSeries, options: FillOptions, session: Session, most_voxels: int
) -> list[list[Part]]:
    """Cut a fill into parts of about so many voxels; vacuum around a box is no part.

    Returns
    -------
    list of list of Part
        Those of a list need no more than those of the lists before it.

    Raises
    ------
    WedgefillError
        If the options cannot be met.
    """
    model = check_fill(series, options, session)
    series, options, _ = session.correct(series, options)
    start, stop = options.slices or (0, series.height)
    beam = ParallelBeam(series.angles_deg, series.width, axis_shift_px=series.axis_shift_px)
    level: dict[str, int] = {}
    phases: list[list[Part]] = []
    for method in sort_by_dependence(options.methods):
        before = [level[name] for name in method.uses if name in level]
        level[method.name] = max(before, default=-1) + 1
        if level[method.name] == len(phases):
            phases.append([])
        box = _find_box(method, series, options, session)
        if box is not None and (box := box.within(start, stop)) is None:
            continue
        seen = beam if box is None else box.crop(beam).beam
        lanes = choose_lanes(method, seen, method.reach(model))
        n = max(1, round(most_voxels / (seen.depth * seen.width * lanes))) * lanes
        begin, end = (0, stop - start) if box is None else box.y
        phases[level[method.name]] += [
            Part(method.name, first, min(first + n, end)) for first in range(begin, end, n)
        ]
    return phases


def _find_box(
    method: Method, series: TiltSeries, options: FillOptions, session: Session
) -> Box | None:
    return None if method.fills_field else choose_field(series, options, session).box


def iter_part(
    series: TiltSeries, options: FillOptions, part: Part, session: Session, kept: KeptParts
) -> Generator[Step, None, SolvedSlab]:
    """Solve a part; yields steps, with fractions of the part, and returns its voxels.

    Those of a method that works on the box of the specimen are the voxels of the box.

    Parameters
    ----------
    series : TiltSeries
        The whole series, aligned.
    options : FillOptions
        Of the whole fill.
    part : Part
        What to solve.
    session : Session
        Keeps the networks open, and what was measured on the series.
    kept : KeptParts
        With the parts that this one starts from.
    """
    method = METHODS[part.method]
    model = check_fill(series, options, session)
    series, options, _ = session.correct(series, options)
    whole = series if options.slices is None else series.rows(*options.slices)
    box = _find_box(method, series, options, session)
    begin = 0 if options.slices is None else options.slices[0]
    inside = None if box is None else box.within(begin, begin + whole.height)
    lowest, highest = (0, whole.height) if inside is None else inside.y
    reach = method.reach(model)
    first, last = max(part.start - reach, lowest), min(part.stop + reach, highest)
    finished: dict[str, Floats] = {}
    for name in (name for name in method.uses if name in options.methods):
        found = kept.find(name, first, last)
        if found is not None:
            finished[name] = found.planes.transpose(0, 2, 1)
    run = MethodRun(
        method,
        whole.rows(first, last),
        session.calibrate(series),
        options,
        model,
        {name: finished[name] for name in choose_starts(method, finished, model, options)},
        None if inside is None else session.crop(series, inside),
    )
    slabs = plan_slabs(method, run.beam, last - first, model, options)
    collected = _Collected(
        part.start - first, (run.beam.depth, run.beam.width, part.stop - part.start)
    )
    with write_behind() as behind:
        steps = iter_slabs(run, slabs, collected, behind)
        tally = yield from relay(steps, partial(_name_step, part))
    return SolvedSlab(
        collected.planes,
        tuple(tally.passes),
        sum(tally.seconds.values()),
        tuple(tally.noise_shares),
    )


def _name_step(part: Part, step: Step) -> Step:
    return f"{step[0].partition(',')[0]}, slices {part.start} to {part.stop}", step[1]


@dataclass
class _Collected:
    """Takes slabs and keeps what lies in a part."""

    before: int
    shape: tuple[int, int, int]
    planes: Floats = field(init=False)

    def __post_init__(self) -> None:
        self.planes = np.empty(self.shape, np.float32)

    def write(self, start: int, planes: Floats) -> None:
        """Take slices (z, x, n_slices), counted from the first that was read."""
        first = start - self.before
        inside = slice(max(first, 0), min(first + planes.shape[2], self.shape[2]))
        if inside.start < inside.stop:
            self.planes[:, :, inside] = planes[:, :, inside.start - first : inside.stop - first]
