"""Centres, the missing wedge and angular weights: the geometry every room shares."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray


def centre(n: int) -> float:
    """Index of the centre of `n` samples: ``(n - 1) / 2``, between two samples when `n` is even."""
    return (n - 1) / 2


def missing_range_deg(angles_deg: ArrayLike) -> float:
    """Largest gap between neighbouring tilt directions, in degrees, modulo 180.

    A series from -60 to 60 degrees in steps of 2 has a gap of 60 degrees.
    """
    return widest_gap_deg(angles_deg)[1]


def widest_gap_deg(angles_deg: ArrayLike) -> tuple[float, float]:
    """Start (in [0, 180)) and extent, in degrees, of the widest gap between tilt directions."""
    directions = np.unique(np.mod(np.asarray(angles_deg, dtype=np.float64), 180.0))
    gaps = np.diff(np.append(directions, directions[0] + 180.0))
    widest = int(np.argmax(gaps))
    return float(directions[widest]), float(gaps[widest])


def median_step_deg(angles_deg: ArrayLike) -> float:
    """Median distance in degrees between neighbouring, distinct tilt angles."""
    steps = np.diff(np.unique(np.asarray(angles_deg, dtype=np.float64)))
    return float(np.median(steps)) if steps.size else 0.0


def angular_weights(angles_deg: ArrayLike) -> NDArray[np.float64]:
    """Radians of direction that each tilt stands for, (n_tilts,).

    Each tilt owns the half gaps to its neighbours; a gap wider than twice the median step is
    missing data, not wider sampling, and counts as one median step. Tilts that share an angle
    share its weight. A full range adds up to pi.
    """
    angles = np.asarray(angles_deg, dtype=np.float64)
    directions, owner, count = np.unique(
        np.round(np.mod(angles, 180.0), 6), return_inverse=True, return_counts=True
    )
    if directions.size == 1:
        return np.full(angles.shape, np.pi / angles.size)
    gaps = np.diff(np.append(directions, directions[0] + 180.0))
    step = float(np.median(gaps))
    gaps = np.where(gaps > 2.0 * step, step, gaps)
    per_direction = (gaps + np.roll(gaps, 1)) / 2.0
    return np.deg2rad(per_direction / count)[owner.reshape(angles.shape)]
