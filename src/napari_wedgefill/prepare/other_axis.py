"""Whether the tilt axis lies elsewhere than the series says: across the images, or askew.

An axis is searched for within 20 degrees of where it is said to be. Where it really lies a quarter
turn away, or in between, a search still ends somewhere, and the reconstruction is wrong throughout.
So the same images are turned by 90 degrees, placed by the same first guesses, and judged by the
same withheld tilts: along the true axis they predict each other better, shifted or not. Axes in
between are tried where the common lines point there: summed across the true axis, images of all
tilts give the same profile, but for its place, and no other direction does that.

Nothing is turned here: +90 and -90 degrees differ by the hand of the volume, which the images
cannot tell. The user decides, with `--axis`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.fft import irfft, rfft

from ..io.axis import rotate, wrap_degrees
from ..projector import ParallelBeam
from ..tilt_series import TiltSeries
from .correlation import band_pass, taper
from .film_axis import place_axis
from .pose import Floats, Pose
from .reprojection import iter_refine
from .steps import (
    MAX_TURN_DEG,
    Doubles,
    Work,
    centre_object,
    choose_some_tilts,
    is_near,
    iter_best_guess,
    prepare,
    scan_axis,
)

#: Withheld error after a quarter turn over that before: below the first the axis lies across, ...
CLEAR_SHARE, DOUBT_SHARE = 0.85, 1.15
#: ... if the errors differ by this too: round objects fit either way, and leave almost no error.
CLEAR_GAIN = 0.03
MAX_SLICES = 16
ACROSS_DEG = -90.0
#: Rotations of the axis that common lines are looked at for; wider structure than a share of the
#: images' size is alike in all directions, and so are tilts near each other.
LEAN_STEP_DEG, LINE_SHARE, FAR_APART_DEG, MAX_PAIRS = 3.0, 1 / 8, 20.0, 300
#: Where even the better of two poses leaves more than this unexplained, but not all, as of noise,
#: axes halfway are tried too: each is searched for within 20 degrees.
GOOD_ERROR, NOISE_ERROR, HALFWAY_DEG = 0.25, 0.9, (-45.0, 45.0)
#: An axis askew is tried where its common lines are so much more alike than all others.
ASKEW_SHARE = 1.02


class Scan(NamedTuple):
    """One refinement of the turned images.

    Attributes
    ----------
    if_below : float
        Share of the upright images' error above which it is not worth while.
    step_px, step_deg : float
        Steps of the search for the axis, px of the small images and degrees.
    """

    if_below: float
    step_px: float
    step_deg: float


SCANS = (Scan(1.5, 2.0, 4.0), Scan(1.3, 1.5, 2.0))


@dataclass(frozen=True)
class OtherAxis:
    """How well withheld tilts are predicted with the axis as it is said to lie, and elsewhere.

    Attributes
    ----------
    upright, turned : float
        Share of the images that the other tilts fail to predict, counted alike.
    turned_deg : float
        Rotation of the other axis against the first, as `Pose` counts it.
    """

    upright: float
    turned: float
    turned_deg: float = ACROSS_DEG

    @property
    def is_clear(self) -> bool:
        """Whether the axis lies elsewhere."""
        gain = self.upright - self.turned
        return self.turned < CLEAR_SHARE * self.upright and gain > CLEAR_GAIN

    @property
    def is_doubtful(self) -> bool:
        """Whether the images hardly say which of the two it is."""
        return not self.is_clear and self.turned < DOUBT_SHARE * self.upright


def iter_compare(work: Work, poses: tuple[Pose, Pose], error: float) -> Iterator[float | OtherAxis]:
    """Compare two poses, as read and aligned, with the best for an axis that lies elsewhere.

    Both are judged by small images of some of the tilts: it is a matter of right or wrong, not of
    a fraction of a pixel. The turned images are refined only until it is decided. `error` is what
    withheld tilts leave unexplained with the better pose: if much, axes halfway are tried too.
    Yields the fraction that is done; the last item is the result.
    """
    some = choose_some_tilts(work.coarse.n_tilts)
    small = work.coarse.stack.images[some]
    leans, done = [ACROSS_DEG, *find_askew(small, work.angles_deg[some])], 0
    n_most = len(leans) + len(HALFWAY_DEG)
    best = OtherAxis(1.0, float("inf"))
    while done < len(leans):
        for item in _iter_compare_with(leans[done], work, poses, some):
            if not isinstance(item, OtherAxis):
                yield (done + item) / n_most
            # Of axes askew only what is clear is told: there are too many of them.
            elif not done or (item.is_clear and item.turned < best.turned):
                best = item
        done += 1
        if done == len(leans) and not best.is_clear and GOOD_ERROR < error < NOISE_ERROR:
            leans += [lean for lean in HALFWAY_DEG if lean not in leans]
    yield best


def _iter_compare_with(
    lean_deg: float, work: Work, poses: tuple[Pose, Pose], some: NDArray[np.int64]
) -> Iterator[float | OtherAxis]:
    """Compare with an axis that leans by some degrees."""
    small, factor = work.coarse.stack.images[some], work.coarse.stack.factor
    upright = _look_at(small, work.angles_deg[some])
    turned = _look_at(rotate(small, -lean_deg), work.angles_deg[some])
    if lean_deg != ACROSS_DEG and not (upright.isolated and turned.isolated):
        # Turned by less than a quarter, other parts of a film are in the field: no comparison.
        yield OtherAxis(1.0, float("inf"), lean_deg)
        return
    start = other = Pose(np.zeros((len(some), 2)))
    for guess, _ in iter_best_guess(turned, start):
        other = guess
        yield 0.0
    # An object that is wholly in the field one way only must be judged by the same structure.
    isolated = upright.isolated and turned.isolated
    judge, turned_judge = (replace(each.coarse, isolated=isolated) for each in (upright, turned))
    as_read, aligned = (_shrink(pose, some, factor) for pose in poses)
    judge, turned_judge = judge.choose_depth(aligned), turned_judge.choose_depth(other)
    found = OtherAxis(
        min(judge.withheld_error(as_read), judge.withheld_error(aligned)),
        turned_judge.withheld_error(other),
        lean_deg,
    )
    for done, scan in enumerate(SCANS):
        if found.is_clear or found.turned > scan.if_below * found.upright:
            break
        yield (done + 1) / (len(SCANS) + 1)
        other = _refine(turned, other, start, scan)
        found = replace(found, turned=min(turned_judge.withheld_error(other), found.turned))
    yield found


def _look_at(images: Floats, angles_deg: Doubles) -> Work:
    """Small images (n_tilts, h, w) as if they were all."""
    look = prepare(np.ascontiguousarray(images, np.float32), angles_deg)
    return replace(look, coarse=replace(look.coarse, max_slices=MAX_SLICES))


def find_askew(images: Floats, angles_deg: Doubles) -> list[float]:
    """Find the direction between upright and across that the common lines point to, if any does.

    Parameters
    ----------
    images : ndarray, float32, (n_tilts, h, w)
        Small, background removed.
    angles_deg : ndarray, (n_tilts,)
        Tilt angles in degrees.

    Returns
    -------
    list of float
        Of one direction, as `Pose` counts it, or none.
    """
    leans = np.arange(-90.0, 90.0, LEAN_STEP_DEG)
    scores = score_common_lines(images, angles_deg, leans)
    is_askew = (np.abs(leans) > MAX_TURN_DEG) & (np.abs(leans) < 90.0 - MAX_TURN_DEG)
    found = float(leans[is_askew][np.argmax(scores[is_askew])])
    return [found] if scores[is_askew].max() > ASKEW_SHARE * scores[~is_askew].max() else []


def score_common_lines(images: Floats, angles_deg: Doubles, leans_deg: Doubles) -> Doubles:
    """How much alike the images' profiles are along axes of some rotations, (n_leans,), up to 1.

    Profiles of tilts far apart are compared at their best displacement.

    References
    ----------
    R. A. Crowther, D. J. DeRosier and A. Klug, Proc. R. Soc. Lond. A 317, 319-340 (1970).
    """
    height, width = images.shape[1:]
    side = max(height, width)
    passed = np.stack([band_pass(image, side * LINE_SHARE) for image in images])
    passed *= taper((height, width))
    square = np.zeros((side, side, len(images)), np.float32)
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = passed.transpose(1, 2, 0)
    # Seen as a slice with z along the images' y, a tilt of 90 degrees less the lean sums across it.
    profiles = ParallelBeam(90.0 - leans_deg, side, side)(square)
    first, second = np.nonzero(np.subtract.outer(angles_deg, angles_deg) > FAR_APART_DEG)
    few = np.linspace(0, len(first) - 1, min(len(first), MAX_PAIRS)).astype(np.int64)
    first, second = first[few], second[few]
    if not first.size:
        return np.zeros(len(leans_deg))
    spectra = rfft(profiles, 2 * side, axis=1)
    products = irfft(spectra[:, :, first] * np.conj(spectra[:, :, second]), 2 * side, axis=1)
    power = (profiles**2).sum(axis=1)
    norms = np.sqrt(power[:, first] * power[:, second])
    return np.asarray(np.median(products.max(axis=1) / np.maximum(norms, 1e-30), axis=1))


def _shrink(pose: Pose, some: NDArray[np.int64], factor: int) -> Pose:
    return Pose(pose.offsets_px[some] / factor, pose.axis_shift_px / factor, pose.axis_deg)


def _refine(work: Work, pose: Pose, start: Pose, scan: Scan) -> Pose:
    """Refine displacements and tilt axis once."""
    pose = centre_object(work, pose)
    judge = work.coarse.choose_depth(pose)
    for better in iter_refine(judge, pose, n_rounds=1, reach_px=4.0):
        pose = better
    if not work.finds_axis:
        return pose
    if work.isolated:
        return scan_axis(judge, pose, start, scan.step_px, scan.step_deg)
    placed, _ = place_axis(work.coarse.stack, pose, work.angles_deg, n_rounds=1)
    return placed if is_near(placed, start) else pose


def propose_axis(series: TiltSeries, lean_deg: float = ACROSS_DEG) -> str:
    """Return the value of `--axis` that turns the images of a series upright from some lean."""
    by_deg = -90.0 if abs(lean_deg) == 90.0 and series.axis_deg > 45.0 else -lean_deg
    axis_deg = wrap_degrees(series.axis_deg + by_deg)
    return {0.0: "y", 90.0: "x"}.get(axis_deg, f"{axis_deg:g}")


def tell_clear(found: OtherAxis, series: TiltSeries) -> str:
    """Say that the axis lies elsewhere, and which option says so."""
    across = found.turned_deg == ACROSS_DEG
    where = "across them" if across else f"about {abs(found.turned_deg):.0f} degrees askew"
    return (
        f"turned by {abs(found.turned_deg):.0f} degrees they would disagree by "
        f"{100 * found.turned:.1f} % instead of {100 * found.upright:.1f} %: the tilt axis seems "
        f"to lie {where}; give it with --axis {propose_axis(series, found.turned_deg)}, or as Tilt "
        f"axis in the window"
    )


def tell_doubt(found: OtherAxis, series: TiltSeries) -> str:
    """Say that the axis may lie elsewhere; empty where it does not."""
    if not found.is_doubtful:
        return ""
    which = "along which side" if found.turned_deg == ACROSS_DEG else "in which direction"
    return (
        f"Turned by {abs(found.turned_deg):.0f} degrees they would disagree by "
        f"{100 * found.turned:.1f} % instead of {100 * found.upright:.1f} %, so the images hardly "
        f"say {which} the tilt axis lies: make sure that it is not "
        f"--axis {propose_axis(series, found.turned_deg)}."
    )
