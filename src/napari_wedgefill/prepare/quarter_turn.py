"""Whether the tilt axis lies across the images although the series says that it lies along y.

An axis is searched for within 20 degrees of where it is said to be. Where it really lies a quarter
turn away, a search still ends somewhere, and the reconstruction is wrong throughout. So the same
images are turned by 90 degrees, placed by the same first guesses, and judged by the same withheld
tilts: along the true axis they predict each other better, shifted or not.

Nothing is turned here: +90 and -90 degrees differ by the hand of the volume, which the images
cannot tell. The user decides, with `--axis`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..io.axis import wrap_degrees
from ..tilt_series import TiltSeries
from .pose import Pose
from .reprojection import iter_refine
from .steps import Work, centre_object, iter_best_guess, prepare, scan_axis

#: Withheld error after a quarter turn over that before: below the first the axis lies across, ...
CLEAR_SHARE, DOUBT_SHARE = 0.85, 1.15
#: ... if the errors differ by this too: round objects fit either way, and leave almost no error.
CLEAR_GAIN = 0.03
MAX_TILTS, MAX_SLICES = 41, 16


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
class QuarterTurn:
    """How well withheld tilts are predicted with the axis as it is said to lie, and across.

    Attributes
    ----------
    upright, turned : float
        Share of the images that the other tilts fail to predict, counted alike.
    """

    upright: float
    turned: float

    @property
    def is_clear(self) -> bool:
        """Whether the axis lies across the images."""
        gain = self.upright - self.turned
        return self.turned < CLEAR_SHARE * self.upright and gain > CLEAR_GAIN

    @property
    def is_doubtful(self) -> bool:
        """Whether the images hardly say which of the two it is."""
        return not self.is_clear and self.turned < DOUBT_SHARE * self.upright


def iter_compare(work: Work, poses: tuple[Pose, Pose]) -> Iterator[float | QuarterTurn]:
    """Compare two poses, as read and aligned, with the best of the images turned by 90 degrees.

    Both are judged by small images of some of the tilts: it is a matter of right or wrong, not of
    a fraction of a pixel. The turned images are refined only until it is decided. Yields the
    fraction that is done; the last item is the result.
    """
    some = np.arange(0, work.coarse.n_tilts, -(-work.coarse.n_tilts // MAX_TILTS))
    upright, turned = (_look_at(work, some, turns) for turns in (0, 1))
    factor = work.coarse.stack.factor
    start = across = Pose(np.zeros((len(some), 2)))
    for guess, _ in iter_best_guess(turned, start):
        across = guess
        yield 0.0
    # An object that is wholly in the field one way only must be judged by the same structure.
    isolated = upright.isolated and turned.isolated
    judge, turned_judge = (replace(each.coarse, isolated=isolated) for each in (upright, turned))
    as_read, aligned = (_shrink(pose, some, factor) for pose in poses)
    judge, turned_judge = judge.choose_depth(aligned), turned_judge.choose_depth(across)
    found = QuarterTurn(
        min(judge.withheld_error(as_read), judge.withheld_error(aligned)),
        turned_judge.withheld_error(across),
    )
    for done, scan in enumerate(SCANS):
        if found.is_clear or found.turned > scan.if_below * found.upright:
            break
        yield (done + 1) / (len(SCANS) + 1)
        across = _refine(turned, across, start, scan)
        found = replace(found, turned=min(turned_judge.withheld_error(across), found.turned))
    yield found


def _look_at(work: Work, some: NDArray[np.int64], quarter_turns: int) -> Work:
    """Small images of some tilts, turned, as if they were all."""
    images = np.rot90(work.coarse.stack.images[some], quarter_turns, axes=(1, 2))
    look = prepare(np.ascontiguousarray(images), work.angles_deg[some])
    return replace(look, coarse=replace(look.coarse, max_slices=MAX_SLICES))


def _shrink(pose: Pose, some: NDArray[np.int64], factor: int) -> Pose:
    return Pose(pose.offsets_px[some] / factor, pose.axis_shift_px / factor, pose.axis_deg)


def _refine(work: Work, pose: Pose, start: Pose, scan: Scan) -> Pose:
    """Refine displacements and tilt axis once."""
    pose = centre_object(work, pose)
    judge = work.coarse.choose_depth(pose)
    for better in iter_refine(judge, pose, n_rounds=1, reach_px=4.0):
        pose = better
    return scan_axis(judge, pose, start, scan.step_px, scan.step_deg) if work.finds_axis else pose


def propose_axis(series: TiltSeries) -> str:
    """Return the value of `--axis` that turns the images of a series a quarter turn further."""
    axis_deg = wrap_degrees(series.axis_deg + (-90.0 if series.axis_deg > 45.0 else 90.0))
    return {0.0: "y", 90.0: "x"}.get(axis_deg, f"{axis_deg:g}")


def tell_clear(found: QuarterTurn, series: TiltSeries) -> str:
    """Say that the axis lies across, and which option says so."""
    return (
        f"turned by 90 degrees they would disagree by {100 * found.turned:.1f} % instead of "
        f"{100 * found.upright:.1f} %: the tilt axis seems to lie across them; give it with "
        f"--axis {propose_axis(series)}, or as Tilt axis in the window"
    )


def tell_doubt(found: QuarterTurn, series: TiltSeries) -> str:
    """Say that the axis may lie across; empty where it does not."""
    if not found.is_doubtful:
        return ""
    return (
        f"Turned by 90 degrees they would disagree by {100 * found.turned:.1f} % instead of "
        f"{100 * found.upright:.1f} %, so the images hardly say along which side the tilt axis "
        f"lies: make sure that it is not --axis {propose_axis(series)}."
    )
