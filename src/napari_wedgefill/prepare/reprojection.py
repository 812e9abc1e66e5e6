"""Refinement: reconstruct from half of the tilts, predict the others, move them, change over.

An image never takes part in its own prediction, which would hold it where it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .consistency import Consistency, halves_of
from .correlation import measure_offset, taper
from .pose import Pose

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

AT_REST_PX = 0.02
STRIPS = 8  # that the rows are dealt into, in turn, to see whether two halves say the same


def iter_refine(
    consistency: Consistency, pose: Pose, *, n_rounds: int, reach_px: float
) -> Iterator[Pose]:
    """Refine all displacements by reprojection; yields after each round.

    Parameters
    ----------
    consistency : Consistency
        The images.
    pose : Pose
        Where to start.
    n_rounds : int
        Rounds; ends early once the images rest (0.02 px).
    reach_px : float
        Largest move in a round, in pixels of the full images.

    References
    ----------
    D. Y. Parkinson et al., J. Struct. Biol. 177, 259-266 (2012).
    """
    for _ in range(n_rounds):
        before = pose.offsets_px
        for half in halves_of(consistency.n_tilts):
            pose = pose.add_offsets(measure_offsets(consistency, pose, half, reach_px))
        change = remove_drift(pose.offsets_px - before, consistency.angles_deg)
        pose = replace(pose, offsets_px=before + change)
        yield pose
        if float(np.sqrt((change**2).mean())) < AT_REST_PX:
            return


def measure_offsets(
    consistency: Consistency,
    pose: Pose,
    asked: NDArray[np.int64],
    reach_px: float,
    row_weights: tuple[Floats, ...] = (),
) -> Doubles:
    """Measure the displacements of some tilts against what the other tilts predict of them.

    Returns
    -------
    ndarray, float64, (n_tilts, 2), px of the full images; (len(row_weights), n_tilts, 2) where
    weights (h,) of the rows are given. Zero for tilts that were not asked for.
    """
    stack = consistency.stack
    n_tilts, (h, w) = consistency.n_tilts, stack.images.shape[1:]
    known = np.setdiff1d(np.arange(n_tilts), asked)
    slices = consistency.slices(pose, consistency.all_rows())
    guesses = consistency.predict(slices, known, asked)
    first = (slices.values.shape[1] - w) // 2
    images, measured = (
        part[asked, first : first + w].transpose(0, 2, 1)
        for part in (slices.values, slices.measured)
    )
    borders = [taper((h, w)) * rows[:, None] for rows in row_weights] or [taper((h, w))]
    found = np.zeros((len(borders), n_tilts, 2))
    for which, border in enumerate(borders):
        for place, tilt in enumerate(asked):
            found[which, tilt] = measure_offset(
                images[place], guesses[place], border * measured[place], reach_px / stack.factor
            )
    found *= stack.factor
    return found if row_weights else found[0]


def measure_doubt(consistency: Consistency, pose: Pose, reach_px: float) -> Doubles:
    """How far two halves of the rows disagree about each displacement, (n_tilts,), px.

    Every other strip of rows places the image, then the strips between: they show different slices
    of the object, and share nothing but the displacement. In noise they agree on nothing.
    """
    height = consistency.stack.images.shape[1]
    strip = np.arange(height) * STRIPS // height % 2
    weights = tuple(np.asarray(strip == which, np.float32) for which in (0, 1))
    places = np.zeros((2, consistency.n_tilts, 2))
    for half in halves_of(consistency.n_tilts):
        places += measure_offsets(consistency, pose, half, reach_px, weights)
    return np.asarray(np.hypot(*(places[0] - places[1]).T) / 2.0)


def remove_drift(offsets_px: Doubles, angles_deg: Doubles) -> Doubles:
    """Displacements (n_tilts, 2) less what a mere translation of the object explains."""
    tilts = np.deg2rad(angles_deg)
    path = np.stack([np.cos(tilts), np.sin(tilts)], axis=1)
    across = offsets_px[:, 1] - path @ np.linalg.lstsq(path, offsets_px[:, 1], rcond=None)[0]
    return np.stack([offsets_px[:, 0] - offsets_px[:, 0].mean(), across], axis=1)
