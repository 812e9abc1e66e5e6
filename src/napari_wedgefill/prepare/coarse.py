"""Coarse automatic alignment: the order of the steps, and one interpolation at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from ..tilt_series import TiltSeries
from .background import estimate_background
from .pose import Binned, Pose
from .report import Aligned, AlignmentReport, AlignProgress
from .steps import (
    better_of,
    first_guess,
    misfit,
    misprediction,
    prepare,
    refined,
    with_least_movement,
)

MIN_GAIN = 0.98  # disagreement after over before; above it, the images are better left alone
#: Moves below this (px) are the method's own noise: interpolating for them would only blur.
REST_PX = 0.15


def align(
    series: TiltSeries, *, on_progress: Callable[[AlignProgress], None] | None = None
) -> Aligned:
    """Align a tilt series: shifts, tilt-axis position and rotation.

    Parameters
    ----------
    series : TiltSeries
        Images (n_tilts, h, w), the tilt axis roughly along y. Any intensity offset.
    on_progress : callable, optional
        Called with each `AlignProgress`.

    Returns
    -------
    Aligned
        ``(series, report)``: the series with its axis at ``(w - 1) / 2``, and what was done.

    Notes
    -----
    An object may lie anywhere, so positions are found up to a translation of the object as
    a whole; of all those, the one that moves the images least is taken.
    """
    for item in iter_align(series):
        if isinstance(item, Aligned):
            return item
        if on_progress is not None:
            on_progress(item)
    raise AssertionError("iter_align ends with its result")


def iter_align(series: TiltSeries) -> Iterator[AlignProgress | Aligned]:
    """Align as `align`, yielding progress; the last item is the result.

    Closing the generator cancels.
    """
    started = time.perf_counter()

    def progress(stage: str, fraction: float) -> AlignProgress:
        spent = time.perf_counter() - started
        left = spent * (1.0 - fraction) / fraction if fraction > 0.05 else None
        return AlignProgress(stage, fraction, left)

    yield progress("Finding the background", 0.0)
    measured = series.array()
    background = estimate_background(measured)
    work = prepare(background.removed(measured), series.angles_deg)
    start = Pose(np.zeros((series.n_tilts, 2)), series.axis_shift_px)
    before = misprediction(work, start)
    yield progress("Finding the shifts", 0.1)
    pose = better_of(work, start, first_guess(work, start))
    for stage, fraction, better in refined(work, pose):
        pose = better
        yield progress(stage, fraction)
    pose = with_least_movement(pose, start, work.angles_deg, series.width)
    after = misprediction(work, pose)
    gain = min(after / before, float(np.sqrt(misfit(work, pose) / misfit(work, start))))
    applied = gain < MIN_GAIN and _moves(pose, start) > REST_PX
    yield progress("Moving the images", 0.9)
    images = measured
    if background.is_empty_space and background.contrast > 0:
        images = background.removed(images)
    report = AlignmentReport(
        shifts_px=-pose.offsets_px if applied else np.zeros_like(pose.offsets_px),
        axis_shift_px=pose.axis_shift_px if applied else series.axis_shift_px,
        axis_rotation_deg=pose.axis_deg if applied else 0.0,
        residual_before=before,
        residual_after=after if applied else before,
        background=background.levels,
        background_removed=images is not measured,
        isolated=work.isolated,
        measured_rows=(pose if applied else start).measured_rows(series.height, series.width),
        applied=applied,
        seconds=time.perf_counter() - started,
    )
    if applied:
        series = replace(series, images=Binned.of(images, 1).aligned(pose), axis_shift_px=0.0)
    else:
        series = replace(series, images=images)
    yield Aligned(series, report)


def _moves(pose: Pose, start: Pose) -> float:
    """How far the pose is from the start, px rms, the lean of the axis aside."""
    moved = pose.offsets_px + np.array([0.0, pose.axis_shift_px - start.axis_shift_px])
    return float(np.sqrt((moved**2).mean()))
