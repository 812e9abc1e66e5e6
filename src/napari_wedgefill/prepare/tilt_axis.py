"""The line of the tilt axis: the shift that lets each height's images agree best."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from ..geometry import centre
from ..projector import ParallelBeam
from ..reconstruct import iter_sart, last
from .common_line import parabola_vertex
from .correlation import SMOOTH_PX

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
    misfit : float
        Squared misfit of all slices at the best position.
    """

    shift_px: float
    slope: float
    slope_error: float
    misfit: float


def scan_axis(
    aligned: Floats, angles_deg: NDArray[np.float64], shifts_px: NDArray[np.float64]
) -> AxisLine:
    """Try tilt-axis positions and keep those that let the images agree best.

    A wrong axis makes the images contradict each other (arcs, half-moons), and what a
    reconstruction cannot reproduce grows with the square of the error. Each slice along the axis
    gives its own best position; a line through them gives the rotation.

    Parameters
    ----------
    aligned : ndarray, float32, (n_tilts, h, w)
        Images with the background removed; only rows measured at every tilt.
    angles_deg : ndarray, (n_tilts,)
        Tilt angles in degrees.
    shifts_px : ndarray, (n_candidates,)
        Evenly spaced positions to try, at least three.
    """
    sinogram = _some_slices(aligned)
    misfits = np.stack([_misfit(sinogram, angles_deg, float(shift)) for shift in shifts_px])
    step = float(shifts_px[1] - shifts_px[0])
    overall, _, least = _vertex(misfits.sum(axis=1), shifts_px, step)
    vertices, curvatures, _ = np.array(
        [_vertex(column, shifts_px, step) for column in misfits.T], np.float64
    ).T
    heights = np.asarray(_rows(aligned.shape[1]) - centre(aligned.shape[1]), np.float64)
    slope, error = _slope(heights, vertices, curvatures)
    return AxisLine(overall, slope, error, least)


def misfit_of(aligned: Floats, angles_deg: NDArray[np.float64]) -> float:
    """Squared misfit as in :class:`AxisLine` with the axis at the centre, from the same slices."""
    return float(_misfit(_some_slices(aligned), angles_deg, 0.0).sum())


def _rows(height: int) -> NDArray[np.int64]:
    return np.unique(np.linspace(0, height - 1, MAX_SLICES).round().astype(np.int64))


def _some_slices(aligned: Floats) -> Floats:
    """Sinograms (n_tilts, w, n_slices) of evenly spaced rows.

    Smoothed, or a pose that blurs the noise by interpolating would seem to fit better.
    """
    smooth = gaussian_filter(aligned, (0.0, SMOOTH_PX, SMOOTH_PX))
    return np.ascontiguousarray(smooth[:, _rows(aligned.shape[1])].transpose(0, 2, 1))


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
) -> tuple[float, float, float]:
    """Best position, the curvature there (0 where the scan's end is the best) and its misfit."""
    best = int(np.argmin(misfit))
    if not 0 < best < len(misfit) - 1:
        return float(shifts_px[best]), 0.0, float(misfit[best])
    below, here, above = misfit[best - 1 : best + 2]
    fraction = parabola_vertex(-misfit, best)
    least = float(here - 0.25 * (below - above) * fraction)
    return float(shifts_px[best]) + step * fraction, float(below - 2.0 * here + above), least


def _slope(
    y: NDArray[np.float64], vertices: NDArray[np.float64], weights: NDArray[np.float64]
) -> tuple[float, float]:
    """Slope of a weighted line through the slices' best positions, less outliers; its error."""
    kept = weights > 0
    slope, error = 0.0, float("inf")
    design = np.stack([np.ones_like(y), y], axis=1)
    for _ in range(FIT_ROUNDS):
        if np.count_nonzero(kept) < MIN_SLICES:
            return 0.0, float("inf")
        root = np.sqrt(weights[kept] / weights[kept].mean())
        part = design[kept] * root[:, None]
        solution = np.linalg.lstsq(part, vertices[kept] * root, rcond=None)[0]
        rest = vertices - design @ solution
        variance = float(((rest[kept] * root) ** 2).sum()) / (len(root) - 2)
        slope = float(solution[1])
        error = float(np.sqrt(variance * np.linalg.pinv(part.T @ part)[1, 1]))
        spread = 1.4826 * float(np.median(np.abs(rest[kept])))
        kept = (weights > 0) & (np.abs(rest) <= max(3.0 * spread, 0.05))
    return slope, error
