"""The line of the tilt axis: the shift that lets each height's images agree best."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..geometry import centre
from ..projector import ParallelBeam
from ..reconstruct import iter_sart, last
from .common_line import parabola_vertex

Floats = NDArray[np.float32]

SWEEPS = 8  # of SART; fewer favour an axis through the object's middle
MAX_SLICES = 32
MIN_SLICES = 5  # fewer give no line to fit
FIT_ROUNDS = 4


@dataclass(frozen=True)
class AxisLine:
    """The tilt axis as found, in pixels of the images that were scanned.

    Attributes
    ----------
    shift_px : float
        Position along x at mid-height, from ``(w - 1) / 2``.
    slope : float
        Pixels along x a pixel along y.
    slope_error : float
        Standard error of the slope.
    """

    shift_px: float
    slope: float
    slope_error: float


def scan_axis(
    aligned: Floats, angles_deg: NDArray[np.float64], shifts_px: NDArray[np.float64]
) -> AxisLine:
    """Try tilt-axis positions and keep those that let the images agree best.

    A wrong axis makes the images contradict each other (arcs, half-moons), and what a reconstruction
    cannot reproduce grows with the square of the error. Each slice along the axis gives its own
    best position; a line through them gives the shift and the rotation.

    Parameters
    ----------
    aligned : ndarray, float32, (n_tilts, h, w)
        Images with the background removed; only rows measured at every tilt.
    angles_deg : ndarray, (n_tilts,)
        Tilt angles in degrees.
    shifts_px : ndarray, (n_candidates,)
        Evenly spaced positions to try, at least three.
    """
    rows = np.unique(np.linspace(0, aligned.shape[1] - 1, MAX_SLICES).round().astype(int))
    sinogram = np.ascontiguousarray(aligned[:, rows].transpose(0, 2, 1))
    misfits = np.stack([_misfit(sinogram, angles_deg, float(shift)) for shift in shifts_px])
    step = float(shifts_px[1] - shifts_px[0])
    overall, _ = _vertex(misfits.sum(axis=1), shifts_px, step)
    if len(rows) < MIN_SLICES:
        return AxisLine(overall, 0.0, float("inf"))
    vertices, curvatures = np.array([_vertex(column, shifts_px, step) for column in misfits.T]).T
    return _line(rows - centre(aligned.shape[1]), vertices, curvatures, overall)


def _misfit(
    sinogram: Floats, angles_deg: NDArray[np.float64], shift_px: float
) -> NDArray[np.float64]:
    """Squared misfit of each slice (n_slices,) with the axis at `shift_px`."""
    beam = ParallelBeam(angles_deg, sinogram.shape[1], axis_shift_px=shift_px)
    wrong = beam(last(iter_sart(beam, sinogram, SWEEPS)))
    wrong -= sinogram
    return np.asarray((wrong**2).sum(axis=(0, 1), dtype=np.float64))


def _vertex(
    misfit: NDArray[np.float64], shifts_px: NDArray[np.float64], step: float
) -> tuple[float, float]:
    """Best position and the curvature there (0 where the scan's end is the best)."""
    best = int(np.argmin(misfit))
    if not 0 < best < len(misfit) - 1:
        return float(shifts_px[best]), 0.0
    below, here, above = misfit[best - 1 : best + 2]
    found = float(shifts_px[best]) + step * parabola_vertex(-misfit, best)
    return found, float(below - 2.0 * here + above)


def _line(
    y: NDArray[np.float64],
    vertices: NDArray[np.float64],
    weights: NDArray[np.float64],
    fallback: float,
) -> AxisLine:
    """Weighted line through the slices' best positions, without those far from it."""
    kept = weights > 0
    solution, error = np.array([fallback, 0.0]), float("inf")
    design = np.stack([np.ones_like(y), y], axis=1)
    for _ in range(FIT_ROUNDS):
        if np.count_nonzero(kept) < MIN_SLICES:
            return AxisLine(fallback, 0.0, float("inf"))
        root = np.sqrt(weights[kept] / weights[kept].mean())
        part = design[kept] * root[:, None]
        solution = np.linalg.lstsq(part, vertices[kept] * root, rcond=None)[0]
        rest = vertices - design @ solution
        variance = float(((rest[kept] * root) ** 2).sum()) / (len(root) - 2)
        error = float(np.sqrt(variance * np.linalg.pinv(part.T @ part)[1, 1]))
        spread = 1.4826 * float(np.median(np.abs(rest[kept])))
        kept = (weights > 0) & (np.abs(rest) <= max(3.0 * spread, 0.05))
    return AxisLine(float(solution[0]), float(solution[1]), error)
