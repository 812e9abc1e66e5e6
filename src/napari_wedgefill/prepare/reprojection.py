"""Refinement: reconstruct from half of the tilts, predict the others, move them, change over.

An image never takes part in its own prediction, which would hold it where it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..projector import ParallelBeam
from ..reconstruct import iter_sart, last
from .correlation import band_passed, inside, offset_between, taper
from .pose import Binned, Pose

Floats = NDArray[np.float32]
Halves = tuple[NDArray[np.int64], NDArray[np.int64]]

SWEEPS = 4  # of SART: enough for edges to a fraction of a pixel, too few to fit the noise


@dataclass(frozen=True, eq=False)
class Round:
    """One round of refinement.

    Attributes
    ----------
    pose : Pose
        After the round.
    moved_px : float
        Root mean square move in the round, pixels of the full images.
    """

    pose: Pose
    moved_px: float


def halves_of(n_tilts: int) -> Halves:
    """Return the indices of the even and the odd tilts."""
    return np.arange(0, n_tilts, 2), np.arange(1, n_tilts, 2)


def predicted(
    aligned: Floats, angles_deg: NDArray[np.float64], other_deg: NDArray[np.float64]
) -> Floats:
    """Images (n_other, h, w) at other tilts, from a quick SART of aligned ones (n_tilts, h, w)."""
    sinogram = np.ascontiguousarray(aligned.transpose(0, 2, 1))
    width = aligned.shape[2]
    x = last(iter_sart(ParallelBeam(angles_deg, width), sinogram, SWEEPS))
    there: Floats = ParallelBeam(other_deg, width)(x)
    return there.transpose(0, 2, 1)


def residual(
    stack: Binned, pose: Pose, angles_deg: NDArray[np.float64], *, isolated: bool = True
) -> float:
    """Share of the aligned images that the other half of the tilts fails to predict.

    Root mean square of the difference over that of the images: 0 is perfect, 1 is nothing right.
    Both are smoothed first, or a pose that blurs the noise by interpolating would seem better.
    Of an object that leaves the field, only structure finer than an eighth of the field counts.
    """
    aligned = stack.aligned(pose)
    coarse, weights = _comparison(aligned.shape[2], isolated), taper(aligned.shape[1:])
    wrong = total = 0.0
    halves = halves_of(len(aligned))
    for known, asked in (halves, halves[::-1]):
        guesses = predicted(aligned[known], angles_deg[known], angles_deg[asked])
        for image, guess in zip(aligned[asked], guesses, strict=True):
            seen = band_passed(image, coarse)
            wrong += float((weights * (band_passed(guess, coarse) - seen) ** 2).sum())
            total += float((weights * seen**2).sum())
    return float(np.sqrt(wrong / max(total, 1e-30)))


def _comparison(width: int, isolated: bool) -> float:
    """Width in pixels of the coarsest structure to compare; 0 compares all."""
    return 0.0 if isolated else width / 8


def iter_refine(
    stack: Binned,
    pose: Pose,
    angles_deg: NDArray[np.float64],
    *,
    n_rounds: int,
    reach_px: float,
    isolated: bool,
) -> Iterator[Round]:
    """Refine all displacements by reprojection; yields after each round.

    Parameters
    ----------
    stack : Binned
        Images with the background removed.
    pose : Pose
        Where to start.
    angles_deg : ndarray, (n_tilts,)
        Tilt angles in degrees.
    n_rounds : int
        Rounds; ends early once the images rest (0.02 px).
    reach_px : float
        Largest move in a round, in pixels of the full images.
    isolated : bool
        Whether the object is wholly in the field; if not, only its finer structure is compared.

    References
    ----------
    D. Y. Parkinson et al., J. Struct. Biol. 177, 259-266 (2012).
    """
    halves = halves_of(len(angles_deg))
    for _ in range(n_rounds):
        before = pose.offsets_px
        for known, asked in (halves, halves[::-1]):
            pose = _half_round(stack, pose, angles_deg, (known, asked), reach_px, isolated)
        change = without_drift(pose.offsets_px - before, angles_deg)
        pose = Pose(before + change, pose.axis_shift_px, pose.axis_deg)
        moved = float(np.sqrt((change**2).mean()))
        yield Round(pose, moved)
        if moved < 0.02:
            return


def _half_round(
    stack: Binned,
    pose: Pose,
    angles_deg: NDArray[np.float64],
    halves: Halves,
    reach_px: float,
    isolated: bool,
) -> Pose:
    known, asked = halves
    guesses = predicted(stack.aligned(pose, known), angles_deg[known], angles_deg[asked])
    coarse = _comparison(stack.images.shape[2], isolated)
    found = np.zeros_like(pose.offsets_px)
    moved = (pose.offsets_px + np.array([0.0, pose.axis_shift_px])) / stack.factor
    for tilt, guess in zip(asked, guesses, strict=True):
        image = stack.aligned(pose, np.array([tilt]))[0]
        weights = taper(image.shape) * inside(moved[tilt], image.shape)
        pair = band_passed(image, coarse), band_passed(guess, coarse)
        found[tilt] = offset_between(*pair, weights, reach_px / stack.factor)
    return pose.moved_by(found * stack.factor)


def without_drift(
    offsets_px: NDArray[np.float64], angles_deg: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Displacements (n_tilts, 2) less what a mere translation of the object explains."""
    tilts = np.deg2rad(angles_deg)
    path = np.stack([np.cos(tilts), np.sin(tilts)], axis=1)
    across = offsets_px[:, 1] - path @ np.linalg.lstsq(path, offsets_px[:, 1], rcond=None)[0]
    return np.stack([offsets_px[:, 0] - offsets_px[:, 0].mean(), across], axis=1)
