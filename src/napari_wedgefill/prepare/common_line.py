"""Shifts from what no tilt can change: the mass of each row, and its centre's circular path.

Summed across the tilt axis, an isolated object gives the same profile along the axis at every
tilt; and the centre of mass of each row follows ``x cos t + z sin t``. Both hold exactly for an
object wholly inside the field across the axis, whatever its shape, and need no reconstruction.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import shift as spline_shift

from ..geometry import centre

EDGE_SHARE = 0.04  # width of the border strips looked at, as a share of the image's width
MAX_EDGE_SHARE = 0.04  # an isolated object leaves less than this share of its height there
MIN_ROW_SHARE = 0.1  # rows with less than this share of the heaviest row's mass are not used
MAX_SHIFT_SHARE = 0.45  # largest displacement searched, as a share of the image's height
PROFILE_ROUNDS = 4


def is_isolated(estimates: NDArray[np.float32]) -> bool:
    """Whether the object ends inside the field across the axis in nearly every image.

    Parameters
    ----------
    estimates : ndarray, (n_tilts, h, w)
        Images with the background removed, object positive.
    """
    strip = max(2, round(EDGE_SHARE * estimates.shape[2]))
    edges = [
        np.abs(part.mean(axis=(1, 2), dtype=np.float64))
        for part in (estimates[:, :, :strip], estimates[:, :, -strip:])
    ]
    heights = np.quantile(estimates, 0.99, axis=(1, 2))
    leaves = np.maximum(*edges) > MAX_EDGE_SHARE * heights
    return bool(np.mean(leaves) < 0.1)


def measure_axial_offsets(estimates: NDArray[np.float32]) -> NDArray[np.float64]:
    """Displacement of each image along the axis, (n_tilts,), with zero median.

    Profiles are correlated with the middle tilt's, then with their running mean; unlike
    a chain of neighbours, this does not add up small errors over the series.

    References
    ----------
    M. C. Scott et al., Nature 483, 444-447 (2012).
    """
    profiles = estimates.sum(axis=2, dtype=np.float64)
    reference = profiles[len(profiles) // 2]
    offsets = np.zeros(len(profiles))
    for _ in range(PROFILE_ROUNDS):
        offsets = np.array([_profile_offset(profile, reference) for profile in profiles])
        offsets -= np.median(offsets)
        moved = [
            spline_shift(profile, -offset, order=3, mode="nearest")
            for profile, offset in zip(profiles, offsets, strict=True)
        ]
        reference = np.median(moved, axis=0)
    return offsets


def _profile_offset(profile: NDArray[np.float64], reference: NDArray[np.float64]) -> float:
    """Displacement of a profile (h,) against the reference, by correlation over their overlap."""
    # Slopes, not heights: a shaft that leaves the field would otherwise outweigh every feature.
    a, b = np.gradient(profile), np.gradient(reference)
    reach = int(MAX_SHIFT_SHARE * len(a))
    middle = len(a) - 1
    scores = np.correlate(a, b, "full")[middle - reach : middle + reach + 1]
    best = int(np.argmax(scores))
    return best - reach + parabola_vertex(scores, best)


def parabola_vertex(scores: NDArray[np.float64], peak: int) -> float:
    """Position of the parabola's extremum through the peak and its neighbours, within +-0.5."""
    if not 0 < peak < len(scores) - 1:
        return 0.0
    below, here, above = scores[peak - 1 : peak + 2]
    curvature = below - 2.0 * here + above
    return 0.0 if curvature == 0 else float(np.clip(0.5 * (below - above) / curvature, -0.5, 0.5))


@dataclass(frozen=True, eq=False)
class Paths:
    """What the rows' centres of mass say.

    Attributes
    ----------
    across_px : ndarray, float64, (n_tilts,)
        Displacement of each image across the axis, free of a constant and of an object's own path.
    axis_shift_px : float
        Position of the tilt axis from ``(w - 1) / 2``.
    axis_deg : float
        Rotation of the tilt axis in the image plane.
    axis_deg_error : float
        Standard error of that rotation.
    """

    across_px: NDArray[np.float64]
    axis_shift_px: float
    axis_deg: float
    axis_deg_error: float


def mass_paths(
    aligned: NDArray[np.float32], angles_deg: NDArray[np.float64], rows: tuple[int, int]
) -> Paths:
    """Fit ``x cos t + z sin t + axis + displacement`` to the centres of mass of the rows.

    Parameters
    ----------
    aligned : ndarray, (n_tilts, h, w)
        Images with the background removed, already aligned along the axis.
    angles_deg : ndarray, (n_tilts,)
        Tilt angles in degrees.
    rows : tuple of int
        First and past-the-last row that were measured at every tilt.

    Notes
    -----
    What all rows share is displacement of the image; how the rows differ from each other is free
    of it, and its constant part leans with the tilt axis.
    """
    tilts = np.deg2rad(angles_deg)
    basis = np.stack([np.ones_like(tilts), np.cos(tilts), np.sin(tilts)], axis=1)
    mass = aligned.sum(axis=2, dtype=np.float64)
    weights = np.median(mass, axis=0)
    weights[: rows[0]] = weights[rows[1] :] = 0.0
    # A row that is empty in some image (noise about zero) has no centre of mass there.
    steady = mass.min(axis=0) > MIN_ROW_SHARE * weights
    used = np.flatnonzero((weights > MIN_ROW_SHARE * weights.max()) & steady)
    if not used.size:
        return Paths(np.zeros(len(tilts)), 0.0, 0.0, float("inf"))
    weights = weights[used] / weights[used].sum()
    u = np.arange(aligned.shape[2]) - centre(aligned.shape[2])
    centres = (aligned[:, used] @ u.astype(np.float32)) / mass[:, used]
    common = centres @ weights
    own = np.linalg.lstsq(basis, centres - common[:, None], rcond=None)[0][0]
    y = np.asarray(used - centre(aligned.shape[1]), np.float64)
    mean_y = float(weights @ y)
    slope, error = _fit_slope(y - mean_y, own, weights)
    constants = np.linalg.lstsq(basis, common, rcond=None)[0]
    return Paths(
        across_px=common - basis @ constants,
        axis_shift_px=float(constants[0] - slope * mean_y),
        axis_deg=float(np.rad2deg(np.arctan(slope))),
        axis_deg_error=float(np.rad2deg(error)),
    )


def _fit_slope(
    y: NDArray[np.float64], values: NDArray[np.float64], weights: NDArray[np.float64]
) -> tuple[float, float]:
    """Slope of values against y (zero weighted mean) and its standard error."""
    spread = float(weights @ y**2)
    if len(y) < 3 or spread == 0:
        return 0.0, float("inf")
    slope = float(weights @ (y * values)) / spread
    rest = values - slope * y
    return slope, float(np.sqrt((weights @ rest**2) / spread / (len(y) - 2)))
