"""Refinement: reconstruct from half of the tilts, predict the others, move them, change over.

An image never takes part in its own prediction, which would hold it where it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from .consistency import WITHHELD_SWEEPS, Consistency, halves_of
from .correlation import measure_offset, taper
from .masked_sart import Slices
from .pose import Pose

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

AT_REST_PX = 0.008
STRIPS = 8  # that the rows are dealt into, in turn, to see whether two halves say the same


def iter_refine(
    consistency: Consistency,
    pose: Pose,
    *,
    n_rounds: int,
    reach_px: float,
    n_sweeps: int = WITHHELD_SWEEPS,
) -> Iterator[Pose]:
    """Refine all displacements by reprojection; yields after each round.

    Each round goes on with the reconstructions of the last one. What a reconstruction does not yet
    explain is not the same on both sides of the object, and so displaces its images smoothly from
    tilt to tilt: the more sweeps, the less.

    Parameters
    ----------
    consistency : Consistency
        The images.
    pose : Pose
        Where to start.
    n_rounds : int
        Rounds; ends early once the images rest (0.008 px).
    reach_px : float
        Largest move in a round, in pixels of the full images.
    n_sweeps : int
        Sweeps of each half's reconstruction in a round.

    References
    ----------
    D. Y. Parkinson et al., J. Struct. Biol. 177, 259-266 (2012).
    """
    halves = halves_of(consistency.n_tilts)
    volumes: list[Floats | None] = [None] * len(halves)
    for _ in range(n_rounds):
        before = pose.offsets_px
        for which, half in enumerate(halves):
            slices = consistency.slices(pose, consistency.all_rows())
            known = np.setdiff1d(np.arange(consistency.n_tilts), half)
            volume = consistency.reconstruct(slices, known, n_sweeps, volumes[which])
            volumes[which] = volume
            found = measure_offsets(consistency, slices, volume, half, reach_px)[0]
            pose = pose.add_offsets(found)
        change = remove_drift(pose.offsets_px - before, consistency.angles_deg)
        pose = replace(pose, offsets_px=before + change)
        yield pose
        if float(np.sqrt((change**2).mean())) < AT_REST_PX:
            return


def measure_offsets(
    consistency: Consistency,
    slices: Slices,
    volume: Floats,
    asked: NDArray[np.int64],
    reach_px: float,
    row_weights: Sequence[Floats] = (),
) -> Doubles:
    """Measure the displacements of some tilts against what a volume of the others predicts of them.

    Parameters
    ----------
    consistency : Consistency
        The images.
    slices : Slices
        Their sinograms, of all rows.
    volume : ndarray, float32, (depth, width, n_slices)
        Reconstruction from other tilts.
    asked : ndarray of int
        Tilts to be measured.
    reach_px : float
        Largest displacement, in pixels of the full images.
    row_weights : sequence of ndarray, (h,)
        Each measures by itself; all rows by default.

    Returns
    -------
    ndarray, float64, (n_weights or 1, n_tilts, 2)
        Pixels of the full images; zero for tilts that were not asked for.
    """
    stack = consistency.stack
    h, w = stack.images.shape[1:]
    guesses = consistency.predict(slices, volume, asked)
    first = (slices.values.shape[1] - w) // 2
    images, measured = (
        part[asked, first : first + w].transpose(0, 2, 1)
        for part in (slices.values, slices.measured)
    )
    borders = [taper((h, w)) * rows[:, None] for rows in row_weights] or [taper((h, w))]
    found = np.zeros((len(borders), consistency.n_tilts, 2))
    for which, border in enumerate(borders):
        for place, tilt in enumerate(asked):
            found[which, tilt] = measure_offset(
                images[place], guesses[place], border * measured[place], reach_px / stack.factor
            )
    return found * stack.factor


def measure_doubt(consistency: Consistency, pose: Pose, reach_px: float) -> Doubles:
    """How far two halves of the rows disagree about each displacement, (n_tilts,), px.

    Every other strip of rows places the image, then the strips between: they show different slices
    of the object, and share nothing but the displacement. In noise they agree on nothing.
    """
    height = consistency.stack.images.shape[1]
    strip = np.arange(height) * STRIPS // height % 2
    weights = [np.asarray(strip == which, np.float32) for which in (0, 1)]
    places = np.zeros((2, consistency.n_tilts, 2))
    slices = consistency.slices(pose, consistency.all_rows())
    for half in halves_of(consistency.n_tilts):
        known = np.setdiff1d(np.arange(consistency.n_tilts), half)
        volume = consistency.reconstruct(slices, known, WITHHELD_SWEEPS)
        places += measure_offsets(consistency, slices, volume, half, reach_px, weights)
    return np.asarray(np.hypot(*(places[0] - places[1]).T) / 2.0)


def remove_drift(offsets_px: Doubles, angles_deg: Doubles) -> Doubles:
    """Displacements (n_tilts, 2) less what a mere translation of the object explains."""
    tilts = np.deg2rad(angles_deg)
    path = np.stack([np.cos(tilts), np.sin(tilts)], axis=1)
    across = offsets_px[:, 1] - path @ np.linalg.lstsq(path, offsets_px[:, 1], rcond=None)[0]
    return np.stack([offsets_px[:, 0] - offsets_px[:, 0].mean(), across], axis=1)
