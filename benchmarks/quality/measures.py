"""Figures of merit of volumes, of the sinogram network alone, and of predicted images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.simulate import Ball
from napari_wedgefill.geometry import widest_gap_deg
from napari_wedgefill.joint_model.angular_grid import AngularGrid
from napari_wedgefill.projector import ParallelBeam
from napari_wedgefill.trust import (
    dice,
    elongation,
    otsu_threshold,
    psnr,
    ssim,
    wedge_correlation,
)

Floats = NDArray[np.float32]


def measure_volume(
    volume: Floats, truth: Floats, angles_deg: NDArray[np.float64]
) -> dict[str, float]:
    """PSNR (dB), SSIM, Fourier correlation inside the wedge, and Dice after Otsu."""
    return {
        "psnr": psnr(volume, truth),
        "ssim": ssim(volume, truth),
        "wedge": wedge_correlation(volume, truth, angles_deg),
        "dice": dice(volume > otsu_threshold(volume), truth > otsu_threshold(truth)),
    }


def measure_elongation(volume: Floats, balls: tuple[Ball, ...]) -> float:
    """Mean elongation of the spheres along z over those that can still be found."""
    found = [elongation(volume, ball.centre, ball.radius) for ball in balls]
    return float(np.nanmean(found)) if np.any(np.isfinite(found)) else float("nan")


def find_rows_inside(grid: AngularGrid) -> NDArray[np.bool_]:
    """Rows of the grid that lie inside the missing wedge, away from measured ones."""
    start, extent = widest_gap_deg(grid.measured_deg)
    return np.asarray(grid.unmeasured & (np.mod(grid.angles_deg - start, 180.0) < extent))


def interpolate_across_wedge(grid: AngularGrid, rows: Floats) -> Floats:
    """Fill the wedge linearly between the measured rows on its two sides.

    Parameters
    ----------
    grid : AngularGrid
        Where rows are wanted.
    rows : ndarray, float32, (n_tilts, width, n_slices)
        Measured rows, the axis in the detector's middle.

    Returns
    -------
    ndarray, float32, (n_inside, width, n_slices)
        At `rows_inside`.
    """
    start, extent = widest_gap_deg(grid.measured_deg)
    angles = grid.angles_deg[find_rows_inside(grid)]
    beyond = np.mod(angles - start, 180.0)
    sides = []
    for direction in (start, start + extent):
        turns = (direction - grid.measured_deg) / 180.0
        k = int(np.argmin(np.abs(turns - np.rint(turns))))
        # Half a turn mirrors a projection: the side's own, and the row's against its direction.
        half_turns = np.rint(turns[k]) + np.rint((start + beyond - angles) / 180.0)
        mirrored = half_turns.astype(int) % 2 == 1
        sides.append(np.where(mirrored[:, None, None], rows[k][None, ::-1], rows[k][None]))
    weight = (beyond / extent).astype(np.float32)[:, None, None]
    return (1 - weight) * sides[0] + weight * sides[1]


def gain_db(error: Floats, reference: Floats) -> float:
    """By how many decibels an error is smaller than a reference's."""
    powers = [float(np.mean(np.square(e, dtype=np.float64))) for e in (error, reference)]
    return float(10 * np.log10(max(powers[1], 1e-20) / max(powers[0], 1e-20)))


def measure_sinogram(
    grid: AngularGrid, rows: Floats, ideal: Floats, warm: Floats, answer: Floats
) -> dict[str, float]:
    """Gains in the unmeasured rows of the wedge, in dB, against the noise-free rows.

    `rows` were measured; the others, (n_rows, width, n_slices), lie on the grid.
    """
    inside = find_rows_inside(grid)
    wanted = ideal[inside]
    error = answer[inside] - wanted
    return {
        "over_linear": gain_db(error, interpolate_across_wedge(grid, rows) - wanted),
        "over_warm_start": gain_db(error, warm[inside] - wanted),
    }


def prediction_error(
    beam: ParallelBeam,
    volume: Floats,
    measured: Floats,
    kept: NDArray[np.intp],
    withheld: NDArray[np.intp],
) -> float:
    """Relative error of images predicted at withheld tilts, after one scale fitted to the kept.

    `beam` has every tilt, and `measured` (n_tilts, width, n_slices) all images, vacuum at zero.
    """
    predicted = beam(np.ascontiguousarray(volume, np.float32)).astype(np.float64)
    power = float(np.sum(np.square(predicted[kept])))
    scale = float(np.sum(predicted[kept] * measured[kept])) / power if power > 0 else 0.0
    difference = scale * predicted[withheld] - measured[withheld]
    return float(np.linalg.norm(difference) / np.linalg.norm(measured[withheld]))
