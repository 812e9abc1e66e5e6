"""How a microscope would record a simulated object: tilt scheme, dose, drift, smoothing."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from ..projector import ParallelBeam

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Scheme:
    """Tilt angles and axis error of one group of objects.

    Attributes
    ----------
    angles_deg : ndarray, float64, (n_tilts,)
        Measured tilts, ascending.
    axis_error_px : float
        Distance of the true axis from the assumed one, in the network's pixels.
    jitter_px : ndarray, float64, (n_tilts,)
        Residual misalignment of each image.
    """

    angles_deg: NDArray[np.float64]
    axis_error_px: float
    jitter_px: NDArray[np.float64]


def draw_scheme(rng: np.random.Generator) -> Scheme:
    """Draw +-50 to +-80 degrees in steps of 1 to 5, sometimes asymmetric or irregular.

    One scheme in twenty has no missing wedge: the networks must also know when to do nothing.
    """
    step = float(rng.choice([1.0, 1.5, 2.0, 2.0, 3.0, 5.0]))
    low, high = -rng.uniform(50, 80), rng.uniform(50, 80)
    if rng.random() < 0.6:
        high = -low
    if rng.random() < 0.05:
        low, high = step / 2 - 90.0, 90.0 - step / 2
    angles = np.arange(low, high + 1e-6, step)
    kind = rng.random()
    if kind < 0.15:
        angles = angles + rng.uniform(-0.4, 0.4, angles.size) * step
    elif kind < 0.25:  # lost images
        angles = angles[rng.random(angles.size) > 0.15]
    elif kind < 0.35:  # finer at high tilt
        angles = np.sign(angles) * np.abs(low) * np.sin(np.linspace(0, np.pi / 2, angles.size))
        angles = np.unique(np.concatenate([-angles, angles]))[:: 2 if angles.size > 60 else 1]
    aligned = rng.random() < 0.5
    return Scheme(
        np.sort(angles),
        0.0 if aligned else float(rng.normal(0, 0.3)),
        np.zeros(angles.size) if aligned else rng.normal(0, rng.uniform(0, 0.5), angles.size),
    )


def record(
    fine: Floats, width: int, scheme: Scheme, true_angles_deg: NDArray[np.float64] | None = None
) -> Floats:
    """Project a fine object (2 n, 2 n, n_slices) onto `width` network pixels, noise-free.

    The fine grid is twice the network's and may be larger than the field of view. With
    `true_angles_deg` the ideal rows at those angles are returned, without drift.
    """
    ideal = true_angles_deg is not None
    angles = true_angles_deg if true_angles_deg is not None else scheme.angles_deg
    shift = 0.0 if ideal else 2.0 * scheme.axis_error_px
    beam = ParallelBeam(angles, fine.shape[1], fine.shape[0], axis_shift_px=shift)
    rows = beam(fine)
    if not ideal and np.any(scheme.jitter_px):
        rows = _shift_rows(rows, 2.0 * scheme.jitter_px)
    margin = (fine.shape[1] - 2 * width) // 2
    rows = rows[:, margin : margin + 2 * width]
    # Two fine pixels side by side make one pixel; a path of two fine voxels is one voxel long.
    return rows.reshape(angles.size, width, 2, -1).mean(axis=2, dtype=np.float32) / np.float32(2)


def _shift_rows(rows: Floats, shift_px: NDArray[np.float64]) -> Floats:
    """Shift each row (n_tilts, width, n_slices) along the detector, linearly."""
    u = np.arange(rows.shape[1])
    out = np.empty_like(rows)
    for k, shift in enumerate(shift_px):
        whole = int(np.floor(shift))
        part = np.float32(shift - whole)
        a = rows[k][np.clip(u - whole, 0, u[-1])]
        b = rows[k][np.clip(u - whole - 1, 0, u[-1])]
        out[k] = (1 - part) * a + part * b
    return out


def add_noise(
    rng: np.random.Generator, rows: Floats, electrons: float, readout: float, background: float
) -> Floats:
    """Add Poisson noise at a mean of `electrons` per pixel, read-out noise and a background.

    Parameters
    ----------
    rows : ndarray, float32, (n_tilts, width, n_slices)
        Path integrals, at least zero.
    electrons : float
        Mean detected electrons per pixel of the object; infinite for no shot noise.
    readout : float
        Standard deviation divided by the mean signal.
    background : float
        Remaining background divided by the mean signal.

    Returns
    -------
    ndarray, float32
        In the units of `rows`.
    """
    signal = rows[rows > 0]
    mean = float(signal.mean()) if signal.size else 1.0
    out = rows.astype(np.float32)
    if np.isfinite(electrons):
        gain = electrons / mean
        out = (rng.poisson(np.maximum(rows, 0) * gain) / gain).astype(np.float32)
    if readout:
        out += np.float32(readout * mean) * rng.standard_normal(out.shape, dtype=np.float32)
    return out + np.float32(background * mean)


def draw_noise(rng: np.random.Generator) -> dict[str, float]:
    """Draw a dose, a read-out noise and a remaining background; a third is noise-free."""
    if rng.random() < 1 / 3:
        return {"electrons": np.inf, "readout": 0.0, "background": 0.0}
    return {
        "electrons": float(np.exp(rng.uniform(np.log(10), np.log(3000)))),
        "readout": float(rng.choice([0.0, 0.01, 0.03])),
        "background": float(rng.normal(0, 0.01)) if rng.random() < 0.5 else 0.0,
    }


def smooth(values: Floats, sigma_px: float, axes: tuple[int, ...]) -> Floats:
    """Smooth images, or a volume, with a Gaussian along some axes.

    Smoothed equally along the detector and along the tilt axis, images show an object that is
    smoothed equally in all three directions.
    """
    if sigma_px == 0:
        return values
    return scipy.ndimage.gaussian_filter(values, sigma_px, axes=axes, mode="nearest")


def draw_smoothing(rng: np.random.Generator, share: float) -> float:
    """Draw a standard deviation in pixels, 0.4 to 1.4 for a share of the objects and else zero.

    Detectors spread a signal over neighbouring pixels, an alignment interpolates once or twice (0.5
    to 0.7 pixels), and software smooths for display. The noise becomes smooth too, and nothing
    finer than that can be known of the object.
    """
    return float(rng.uniform(0.4, 1.4)) if rng.random() < share else 0.0
