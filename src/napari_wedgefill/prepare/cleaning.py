"""Intensities: a plane beneath the object, bright field as thickness, a beam that drifts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .background import Background, estimate_background
from .common_line import is_isolated

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

MAX_SAMPLES = 40_000  # pixels that a plane is fitted to
PLANE_ROUNDS = 3
#: Pixels of an image that are empty space lie within so many noises of its level.
EMPTY_SIGMAS = 3.0
MIN_TRANSMITTED = 1e-3  # of the incident intensity; less is counting noise
MAX_GAIN = 3.0  # a beam that drifts more than this was lost


def subtract_plane(images: Floats) -> Floats:
    """Subtract a plane fitted to the empty space of each image (n_tilts, h, w).

    What is far from the plane is left out, and the plane fitted anew.
    """
    h, w = images.shape[1:]
    y, x = np.mgrid[-1.0 : 1.0 : h * 1j, -1.0 : 1.0 : w * 1j]
    design = np.stack([np.ones(h * w), y.ravel(), x.ravel()], axis=1)
    some = slice(None, None, max(1, h * w // MAX_SAMPLES))
    levels = estimate_background(images).levels
    result = np.empty_like(images)
    for image, level, out in zip(images, levels, result, strict=True):
        pixels, few = image.ravel()[some].astype(np.float64), design[some]
        plane = np.array([level, 0.0, 0.0])
        for _ in range(PLANE_ROUNDS):
            rest = pixels - few @ plane
            below = np.abs(rest[rest <= np.median(rest)])
            limit = EMPTY_SIGMAS * 1.4826 * float(np.median(below))
            near = np.abs(rest) <= max(limit, 1e-12)
            if np.count_nonzero(near) < 10:
                break
            plane = np.linalg.lstsq(few[near], pixels[near], rcond=None)[0]
        out[:] = image - (design @ plane).reshape(h, w) + plane[0]
    return result


def turn_into_thickness(images: Floats) -> tuple[Floats, Doubles]:
    """Turn transmitted intensity into -log(I / I0), which adds up along the beam.

    Returns
    -------
    ndarray, float32, (n_tilts, h, w)
        In units of the absorption length.
    ndarray, float64, (n_tilts,)
        The incident intensity I0 of each image: that of empty space where there is some, else of
        the image's brightest hundredth.
    """
    background = estimate_background(images)
    if background.is_empty_space and background.contrast < 0:
        incident = background.levels
    else:
        incident = np.quantile(images, 0.99, axis=(1, 2))
    incident = np.maximum(np.asarray(incident, np.float64), 1e-12)
    share = images / incident.astype(np.float32)[:, None, None]
    return -np.log(np.maximum(share, np.float32(MIN_TRANSMITTED))), incident


def even_intensities(
    images: Floats, background: Background, rows: tuple[int, int]
) -> tuple[Floats, Doubles]:
    """Scale each image so that the object has the same total intensity at every tilt.

    Parameters
    ----------
    images : ndarray, float32, (n_tilts, h, w)
        Aligned, with empty space at zero.
    background : Background
        Of these images.
    rows : tuple of int
        First and past-the-last row that every tilt measured.

    Returns
    -------
    ndarray, float32
        The scaled images.
    ndarray, float64, (n_tilts,)
        The factors; all 1 where the object leaves the field and nothing can be said.
    """
    above = background.subtract_from(images)
    mass = above[:, rows[0] : rows[1]].sum(axis=(1, 2), dtype=np.float64)
    ones = np.ones(len(images))
    if not background.is_empty_space or not is_isolated(above) or np.any(mass <= 0):
        return images, ones
    factors = np.clip(np.median(mass) / mass, 1.0 / MAX_GAIN, MAX_GAIN)
    return images * factors.astype(np.float32)[:, None, None], factors


def estimate_tilt_offset(
    images: Floats, angles_deg: Doubles, reach_deg: float = 45.0
) -> tuple[float, float] | None:
    """Estimate what must be added to the angles of a film or lamella, in degrees.

    A film that leaves the field shows the beam a path that grows as 1 / cos of its true tilt. The
    offset is where a background plus that best explains the mean intensities.

    Returns
    -------
    tuple of float, or None
        The offset and its standard error, from how well the curve fits; None where the intensity
        does not follow such a curve.
    """
    height, width = images.shape[1:]
    middle = images[:, height // 4 : -(height // 4) or None, width // 4 : -(width // 4) or None]
    means = np.median(middle.reshape(len(images), -1), axis=1).astype(np.float64)
    reach = min(reach_deg, 88.0 - float(np.abs(angles_deg).max()))
    if reach <= 0.5 or len(means) < 7:
        return None
    trials = np.arange(-reach, reach + 0.05, 0.1)
    misfits = np.array([_misfit_of_film(means, angles_deg + trial) for trial in trials])
    best = int(np.argmin(misfits))
    total = float(((means - means.mean()) ** 2).sum())
    if not 0 < best < len(trials) - 1 or misfits[best] > 0.1 * total:
        return None
    curvature = float(misfits[best - 1] - 2.0 * misfits[best] + misfits[best + 1]) / 0.1**2
    variance = float(misfits[best]) / max(len(means) - 3, 1)
    error = float(np.sqrt(2.0 * variance / curvature)) if curvature > 0 else float("inf")
    return float(trials[best]), error


def _misfit_of_film(means: Doubles, angles_deg: Doubles) -> float:
    """Sum of squares that a background and a film's path leave unexplained."""
    design = np.stack([np.ones_like(means), 1.0 / np.cos(np.deg2rad(angles_deg))], axis=1)
    solved = np.linalg.lstsq(design, means, rcond=None)[0]
    return float(((design @ solved - means) ** 2).sum())
