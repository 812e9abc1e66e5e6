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

import numpy as np

from ..io.axis import wrap_degrees
from ..tilt_series import TiltSeries
from .pose import Pose
from .steps import Work, iter_best_guess, iter_search, prepare

#: Withheld error after a quarter turn over that before: below the first the axis lies across, ...
CLEAR_SHARE, DOUBT_SHARE = 0.85, 1.15
#: ... if the errors differ by this too: round objects fit either way, and leave almost no error.
CLEAR_GAIN = 0.03
#: A first guess for turned images that is worse than this is not worth refining.
REFINE_SHARE = 1.5


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


def iter_compare(work: Work, poses: tuple[Pose, ...]) -> Iterator[float | QuarterTurn]:
    """Compare the best of some poses with the best first guess for the images turned by 90 degrees.

    Where that does not decide it, the guess is refined too. Yields the fraction that is done; the
    last item is the result.
    """
    turned = prepare(np.ascontiguousarray(np.rot90(work.full.images, axes=(1, 2))), work.angles_deg)
    start = across = Pose(np.zeros_like(poses[0].offsets_px))
    for guess, _ in iter_best_guess(turned, start):
        across = guess
        yield 0.0
    # An object that is wholly in the field one way only must be judged by the same structure.
    isolated = work.isolated and turned.isolated
    judge, turned_judge = (replace(each.coarse, isolated=isolated) for each in (work, turned))
    upright = min(map(judge.least_error, poses))
    found = QuarterTurn(upright, turned_judge.least_error(across))
    if not found.is_clear and found.turned < REFINE_SHARE * upright:
        for _, fraction, refined, _ in iter_search(turned, start):
            across = refined
            yield fraction
        found = replace(found, turned=min(turned_judge.least_error(across), found.turned))
    yield found


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
