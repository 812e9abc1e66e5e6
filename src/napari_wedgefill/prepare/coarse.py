"""Automatic alignment: what is looked at, what is found, and when the images are left alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..errors import WedgefillError
from ..progress import Clock, Progress
from ..tilt_series import MIN_TILTS, TiltSeries
from .background import estimate_background
from .bad_images import BadImage, choose_binning, find_bad_images, renew_image_notes
from .measured_extents import Inside, find_inside
from .options import ShiftMethod
from .other_axis import OtherAxis, iter_compare, tell_clear, tell_doubt
from .periods import Repeats, measure_repeats
from .pose import Binned, Pose
from .report import Aligned, AlignmentReport
from .reprojection import measure_doubt
from .spikes import replace_spikes
from .steps import (
    FIRST_GUESSES,
    Work,
    is_applicable,
    iter_search,
    minimise_movement,
    prepare,
)

MIN_GAIN = 0.98  # disagreement after over before; above it, the images are better left alone
#: Moves below this (px) are the method's own noise: interpolating for them would only blur.
REST_PX = 0.15
#: Fewer tilts fit any displacement: nothing is left to check it with.
MIN_TILTS_TO_ALIGN = 5
MIN_SIDE_PX = 16
#: Half of the rows must place an image this much better than it is moved, or it is noise.
MAX_DOUBT_SHARE = 0.5
#: A displacement of more than this share of the image leaves too little of it to compare.
MAX_MOVE_SHARE = 0.5
STILL_SHARE = 1e-5  # of their contrast; images that differ by less are copies
#: Withheld tilts judge two directions of the axis by shifts, and here shifts cannot be told.
CANNOT_JUDGE = (
    "the specimen repeats itself and leaves the field, so that neither the shifts nor the "
    "direction of the tilt axis can be told from them"
)


def align(
    series: TiltSeries,
    *,
    shifts_by: ShiftMethod = "best",
    on_progress: Callable[[Progress], None] | None = None,
) -> Aligned:
    """Align a tilt series: shifts, tilt-axis position and rotation.

    Parameters
    ----------
    series : TiltSeries
        Images (n_tilts, h, w), the tilt axis roughly along y. Any intensity offset.
    shifts_by : str
        How the shifts are first guessed, see `PrepareOptions`; they are always refined.
    on_progress : callable, optional
        Called with each `Progress`.

    Returns
    -------
    Aligned
        ``(series, report)``: the series with its axis at ``(w - 1) / 2``, and what was done.
        Images that show nothing of the specimen are left out; the report names them.

    Raises
    ------
    WedgefillError
        If fewer than three images show the specimen.

    Notes
    -----
    An object may lie anywhere, so positions are found up to a translation of the object as
    a whole; of all those, the one that moves the images least is taken.

    What is found is applied only if the images then predict each other better at tilts that were
    withheld, if two halves of the rows agree about it, and if the images do not predict each other
    better still when the axis is taken to lie across them.
    """
    for item in iter_align(series, shifts_by):
        if isinstance(item, Aligned):
            return item
        if on_progress is not None:
            on_progress(item)
    raise AssertionError("iter_align ends with its result")


def iter_align(series: TiltSeries, shifts_by: ShiftMethod = "best") -> Iterator[Progress | Aligned]:
    """Align as `align`, yielding progress; the last item is the result.

    Closing the generator cancels.
    """
    started = time.perf_counter()

    progress = Clock().tell
    yield progress("Looking for hot pixels and blank images", 0.0)
    # The edges of padding stay where they are in every image, and would be followed.
    whole, inside = series, find_inside(series)
    if inside is not None:
        series = inside.cut(series)
    images = replace_spikes(series.array()).images
    left_out = find_useless_images(images, series)
    kept = np.setdiff1d(np.arange(series.n_tilts), [bad.tilt for bad in left_out])
    series, images = renew_image_notes(series.tilts(kept)), images[kept]
    refuse_a_still(images, series)
    background = estimate_background(images)
    start = Pose(np.zeros((series.n_tilts, 2)), series.axis_shift_px)
    work = prepare(background.subtract_from(images), series.angles_deg)
    yield progress("Comparing the images", 0.05)
    before = work.coarse.least_error(start) if _is_worth(series) else 1.0
    cannot = tell_what_lacks(series)
    pose, method, reason, axis_doubt, after = start, "", cannot, "", before
    repeats = Repeats(None, None)
    if not reason and not is_applicable(shifts_by, work):
        repeats = measure_repeats(work.fine.stack, start, work.angles_deg)
        reason = (
            f"{FIRST_GUESSES[shifts_by].words} place only an object that is wholly in the field "
            f"across the tilt axis, and this one leaves it; choose another method for the shifts"
        )
    elif not reason:
        for stage, fraction, better, guess in iter_search(work, start, shifts_by):
            pose, method = better, guess
            yield progress(stage, 0.1 + 0.65 * fraction)
        pose = minimise_movement(pose, start, work.angles_deg, series.width)
        after = work.coarse.least_error(pose)
        reason = tell_why_not(work, pose, start, (before, after), series)
        repeats = measure_repeats(work.fine.stack, pose, work.angles_deg)
        can_judge = work.isolated or not repeats.sentence
        for item in iter_compare(work, (start, pose), min(before, after)):
            if isinstance(item, OtherAxis):
                if item.is_clear:
                    reason = tell_clear(item, series) if can_judge else CANNOT_JUDGE
                axis_doubt = tell_doubt(item, series) if can_judge else ""
            else:
                yield progress("Trying the tilt axis across the images", 0.75 + 0.15 * item)
    after = before if reason else after
    found = start if reason else pose
    yield progress("Moving the images", 0.9)
    by_tilt = (
        work.coarse.choose_depth(found).withheld_by_tilt(found)
        if _is_worth(series)
        else np.ones(series.n_tilts)
    )
    measured = series.array()
    is_subtracted = background.is_empty_space and background.contrast > 0
    if is_subtracted:
        measured = background.subtract_from(measured)
    report = AlignmentReport(
        shifts_px=-found.offsets_px,
        axis_shift_px=found.axis_shift_px,
        axis_rotation_deg=found.axis_deg,
        residual_before=before,
        residual_after=after,
        residual_by_tilt=by_tilt,
        background=background.levels,
        background_removed=is_subtracted,
        isolated=work.isolated,
        measured_rows=_place_rows(found.find_measured_rows(series.height, series.width), inside),
        applied=not reason,
        method=method if not reason else "",
        reason=reason,
        axis_doubt=axis_doubt,
        shift_doubt=repeats.sentence,
        left_out=left_out,
        kept=kept,
        inside=inside,
        seconds=time.perf_counter() - started,
    )
    if report.applied:
        # Hot pixels would ring in the interpolation, so the images without them are moved.
        clean = background.subtract_from(images) if is_subtracted else images
        series = replace(series, images=Binned.of(clean, 1).align(found), axis_shift_px=0.0)
    else:
        series = replace(series, images=measured)
    if inside is not None:
        series = _put_rows_back(series, whole, inside, is_vacuum=is_subtracted)
    yield Aligned(series, report)


def _place_rows(rows: tuple[int, int], inside: Inside | None) -> tuple[int, int]:
    """Return rows of what was measured as rows of the whole images."""
    top = 0 if inside is None else inside.rows[0]
    return rows[0] + top, rows[1] + top


def _put_rows_back(
    series: TiltSeries, whole: TiltSeries, inside: Inside, *, is_vacuum: bool
) -> TiltSeries:
    """Return the series with as many rows as before, so that slices keep their numbers.

    Those of the padding hold vacuum, or else the value that they had.
    """
    top, bottom = inside.rows[0], whole.height - inside.rows[1]
    value = 0.0 if is_vacuum else float(whole.images[0, 0 if top else -1, whole.width // 2])
    rows = ((0, 0), (top, bottom), (0, 0))
    return replace(series, images=np.pad(series.array(), rows, constant_values=value))


def find_useless_images(images: NDArray[np.float32], series: TiltSeries) -> tuple[BadImage, ...]:
    """Find the images that show nothing of the specimen, and make sure that others do.

    Raises
    ------
    WedgefillError
        If fewer than three are left.
    """
    small = Binned.of(images, choose_binning(*images.shape[1:])).images
    found = find_bad_images(small, series.angles_deg)
    useless = tuple(bad for bad in found if bad.is_useless)
    n_left = series.n_tilts - len(useless)
    if n_left < MIN_TILTS:
        raise WedgefillError(
            f"{series.name}: only {n_left} of {series.n_tilts} images show a specimen (the others "
            f"are blank or noise); give a series with at least {MIN_TILTS} usable tilts."
        )
    return useless


def refuse_a_still(images: NDArray[np.float32], series: TiltSeries) -> None:
    """Raise `WedgefillError` if the images do not change with the tilt.

    Any noise differs from image to image, so that a stack of copies is no measurement. Copies
    agree with each other perfectly, and would be taken for an object to be moved and turned.
    """
    change = max(float(np.abs(image - images[0]).max()) for image in images[1:])
    if change <= STILL_SHARE * float(np.ptp(images[0])):
        raise WedgefillError(
            f"{series.name}: all {series.n_tilts} images are the same, so they are no tilt series; "
            f"check that each was recorded at its own angle, and export them again."
        )


def _is_worth(series: TiltSeries) -> bool:
    return min(series.height, series.width) >= MIN_SIDE_PX


def tell_what_lacks(series: TiltSeries) -> str:
    """Why a series cannot be aligned at all, in plain words; empty where it can."""
    if not _is_worth(series):
        return (
            f"with {series.height} x {series.width} pixels they are too small to be compared "
            f"({MIN_SIDE_PX} are needed each way)"
        )
    if series.n_tilts < MIN_TILTS_TO_ALIGN:
        return (
            f"{series.n_tilts} tilts fit any displacement, and none is left to check it with "
            f"({MIN_TILTS_TO_ALIGN} are needed)"
        )
    return ""


def tell_why_not(
    work: Work, pose: Pose, start: Pose, errors: tuple[float, float], series: TiltSeries
) -> str:
    """Why a pose that was found had better not be applied; empty where it should be.

    `errors` are what withheld tilts leave unexplained before and after.
    """
    before, after = errors
    moves = pose.offsets_px + np.array([0.0, pose.axis_shift_px - start.axis_shift_px])
    rms = float(np.sqrt((moves**2).mean()))
    turned_px = abs(np.sin(np.deg2rad(pose.axis_deg))) * series.height / 4
    if after >= MIN_GAIN * before:
        return "no displacement that was found lets them predict each other better"
    if after >= 1.0:  # a guess of nothing at all would be as good
        return "even moved as was found, they would predict nothing of each other, as noise does"
    if max(rms, turned_px) < REST_PX:
        return "they agree to a fraction of a pixel as they are"
    far = np.abs(moves) > MAX_MOVE_SHARE * np.array([series.height, series.width])
    if (
        np.any(far, axis=1).sum() > 0.1 * series.n_tilts
        or abs(pose.axis_shift_px) > MAX_MOVE_SHARE * series.width
    ):
        return "what was found would move them out of the field, which is not credible"
    doubt = float(np.median(measure_doubt(work.coarse, pose, 4.0 * work.coarse.stack.factor)))
    if doubt > MAX_DOUBT_SHARE * max(rms, turned_px):
        return (
            f"different rows of them ask for displacements that differ by {2 * doubt:.1f} px, "
            f"so that no displacement can be trusted"
        )
    return ""
