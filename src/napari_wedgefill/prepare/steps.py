"""The steps of the coarse alignment, each from one pose to a better one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .common_line import axial_offsets, is_isolated, mass_paths
from .correlation import neighbour_offsets
from .pose import Binned, Floats, Pose
from .reprojection import iter_refine, residual
from .tilt_axis import misfit_of, scan_axis

WORKING_PX = 128  # images are binned to about this size for reconstructions
COMMON_LINE_ROUNDS = 3
ROUNDS = 3  # of reprojection after each scan of the axis
REACH_SHARE = 0.25  # largest neighbour-to-neighbour jump searched, as a share of the image
#: A rotation counts once it is this many standard errors from zero and moves the image's
#: ends by more than MIN_LEAN_PX (of the binned images); less is noise.
SIGNIFICANCE = 4.0
MIN_LEAN_PX = 0.25
COARSE_SCAN_PX = np.linspace(-8.0, 8.0, 9)  # of the binned images
MIDDLE_SCAN_PX = np.linspace(-2.0, 2.0, 5)
FINE_SCAN_PX = np.linspace(-1.5, 1.5, 3)
PRIOR_SHARE = 0.02  # how far from the centre a tilt axis commonly lies, as a share of the width


@dataclass(frozen=True, eq=False)
class Work:
    """What every step needs: images without background, in full and binned, and their angles."""

    full: Binned
    small: Binned
    angles_deg: NDArray[np.float64]
    isolated: bool


def prepare(estimates: Floats, angles_deg: NDArray[np.float64]) -> Work:
    """Bin the images (n_tilts, h, w), background removed, and look at whether the object fits."""
    factor = max(1, round(max(estimates.shape[1:]) / WORKING_PX))
    full = Binned.of(estimates, 1)
    small = Binned.of(estimates, factor) if factor > 1 else full
    return Work(full, small, angles_deg, is_isolated(estimates))


def first_guess(work: Work, start: Pose) -> Pose:
    """Shifts without a reconstruction: common lines if the object fits the field, else a chain."""
    if not work.isolated:
        images, factor = work.small.aligned(start), work.small.factor
        reach = REACH_SHARE * min(images.shape[1:])
        return start.moved_by(factor * neighbour_offsets(images, work.angles_deg, reach))
    pose = start.moved_by(_along(axial_offsets(work.full.aligned(start))))
    for _ in range(COMMON_LINE_ROUNDS):
        aligned = work.full.aligned(pose)
        paths = mass_paths(aligned, work.angles_deg, pose.measured_rows(*aligned.shape[1:]))
        found = _along(axial_offsets(aligned))
        found[:, 1] = paths.across_px
        turn = paths.axis_deg if abs(paths.axis_deg) > SIGNIFICANCE * paths.axis_deg_error else 0.0
        pose = replace(
            pose.moved_by(found),
            axis_shift_px=pose.axis_shift_px + paths.axis_shift_px,
            axis_deg=pose.axis_deg + turn,
        )
    return pose


def _along(offsets_px: NDArray[np.float64]) -> NDArray[np.float64]:
    """Displacements (n_tilts, 2) from those along the axis alone."""
    return np.stack([offsets_px, np.zeros_like(offsets_px)], axis=1)


def refined(work: Work, pose: Pose) -> Iterator[tuple[str, float, Pose]]:
    """Alternate axis scans and reprojection; yields (stage, fraction of the whole job, pose)."""
    reach = 4.0 * work.small.factor
    scans = [MIDDLE_SCAN_PX, FINE_SCAN_PX]
    if not work.isolated:
        scans = [COARSE_SCAN_PX, *scans]
    share = 0.6 / len(scans)
    for number, candidates in enumerate(scans):
        begun = 0.3 + share * number
        yield "Finding the tilt axis", begun, pose
        pose = with_axis(work, pose, candidates)
        for turn, step in enumerate(
            iter_refine(
                work.small,
                pose,
                work.angles_deg,
                n_rounds=ROUNDS,
                reach_px=reach,
                isolated=work.isolated,
            )
        ):
            pose = step.pose
            yield "Comparing with reprojections", begun + share * (turn + 1) / (ROUNDS + 1), pose


def with_axis(work: Work, pose: Pose, candidates_px: NDArray[np.float64]) -> Pose:
    """Move the tilt axis to the best of a scan, and turn it if the turn is beyond doubt."""
    line = scan_axis(_measured(work, pose), work.angles_deg, candidates_px)
    shifted = replace(pose, axis_shift_px=pose.axis_shift_px + line.shift_px * work.small.factor)
    lean_px = abs(line.slope) * work.small.images.shape[1] / 2
    if lean_px < MIN_LEAN_PX or abs(line.slope) < SIGNIFICANCE * line.slope_error:
        return shifted
    turned = replace(shifted, axis_deg=pose.axis_deg + float(np.rad2deg(np.arctan(line.slope))))
    fits_better = misfit(work, turned) < line.misfit
    return turned if fits_better else shifted


def _measured(work: Work, pose: Pose) -> Floats:
    """Aligned binned images, only the rows that every tilt measured."""
    small = work.small
    first, stop = pose.measured_rows(*(small.factor * n for n in small.images.shape[1:]))
    first = first // small.factor
    return small.aligned(pose)[:, first : max(stop // small.factor, first + 1)]


def misprediction(work: Work, pose: Pose) -> float:
    """Share of the images that half of the tilts fails to predict; see :func:`residual`."""
    return residual(work.small, pose, work.angles_deg, isolated=work.isolated)


def misfit(work: Work, pose: Pose) -> float:
    """Squared misfit of a quick reconstruction from all tilts; see :func:`misfit_of`."""
    return misfit_of(_measured(work, pose), work.angles_deg)


def better_of(work: Work, first: Pose, second: Pose) -> Pose:
    """Whichever pose lets half of the images predict the others better."""
    rests = [misprediction(work, pose) for pose in (first, second)]
    return first if rests[0] <= rests[1] else second


def with_least_movement(
    pose: Pose, start: Pose, angles_deg: NDArray[np.float64], width: int
) -> Pose:
    """Translate the object so that the images move least; the alignment itself does not change.

    Only the sum of an image's displacement and the axis' shift is known. What follows from a plain
    offset of the axis is called that, unless jitter leaves it in doubt: then
    the axis is held near where the input says it is.
    """
    tilts = np.deg2rad(angles_deg)
    design = np.stack([np.ones_like(tilts), np.cos(tilts), np.sin(tilts)], axis=1)
    total = pose.offsets_px[:, 1] + pose.axis_shift_px - start.axis_shift_px
    rest = total - design @ np.linalg.lstsq(design, total, rcond=None)[0]
    doubt = np.sqrt((rest**2).mean()) / (PRIOR_SHARE * width)
    held = np.vstack([design, [doubt, 0.0, 0.0]])
    shift, x, z = np.linalg.lstsq(held, np.append(total, 0.0), rcond=None)[0]
    across = total - design @ [shift, x, z]
    along = pose.offsets_px[:, 0] - np.median(pose.offsets_px[:, 0])
    return Pose(
        np.stack([along, across], axis=1), start.axis_shift_px + float(shift), pose.axis_deg
    )
