"""The regular grid of directions on which the sinogram network works."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..geometry import median_step_deg, widest_gap_deg
from ..projector import ParallelBeam
from ..projector.arrays import Array, convert_like, namespace

Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class AngularGrid:
    """Rows that cover 180 degrees once, with the missing wedge in the middle.

    A projection at t + 180 degrees is the mirror image of the one at t, so the two sides of a wedge
    around 90 degrees are neighbours: rows run from -90 to +90 degrees about the wedge's centre,
    and measured tilts are mirrored where the grid meets them from behind.

    Parameters
    ----------
    measured_deg : ndarray, float64, (n_tilts,)
        Measured tilt angles in degrees.
    n_rows : int
        Rows of the grid.
    """

    measured_deg: NDArray[np.float64]
    n_rows: int

    @property
    def step_deg(self) -> float:
        """Distance of two rows in degrees."""
        return 180.0 / self.n_rows

    @cached_property
    def angles_deg(self) -> NDArray[np.float64]:
        """Angle of each row in degrees, ascending over 180 degrees, (n_rows,)."""
        start, extent = widest_gap_deg(self.measured_deg)
        middle = start + extent / 2.0
        rows = np.arange(self.n_rows, dtype=np.float64) - (self.n_rows - 1) / 2
        return middle + rows * self.step_deg

    @cached_property
    def _offsets_deg(self) -> NDArray[np.float64]:
        """How far each row lies above each measured direction, in [-90, 90), (n_rows, n_tilts)."""
        difference = self.angles_deg[:, None] - self.measured_deg[None, :]
        return np.mod(difference + 90.0, 180.0) - 90.0

    @cached_property
    def distance_deg(self) -> NDArray[np.float64]:
        """Distance of each row to the nearest measured direction, (n_rows,)."""
        return np.abs(self._offsets_deg).min(axis=1)

    @cached_property
    def measured_fraction(self) -> Floats:
        """1 for a row that was measured, falling to 0 one row away from one, (n_rows,)."""
        return np.clip(1.0 - self.distance_deg / self.step_deg, 0.0, 1.0).astype(np.float32)

    @property
    def unmeasured(self) -> NDArray[np.bool_]:
        """Rows far enough from every measurement to add a direction, (n_rows,)."""
        return self.distance_deg >= 0.75 * self.step_deg

    def interpolate(self, rows: Array, axis_u: float) -> Array:
        """Interpolate measured rows onto the grid; zero where nothing was measured near.

        Parameters
        ----------
        rows : ndarray or torch tensor, float32, (n_tilts, width, n_slices)
            Values at the measured angles, such as residuals of a reconstruction.
        axis_u : float
            Detector index of the tilt axis, about which rows are mirrored.

        Returns
        -------
        of the rows' kind, float32, (n_rows, width, n_slices)
        """
        weights, mirrored = self._weights
        # Few tilts count for a row. Not a matrix product, whose rounding depends on its size.
        nearest = np.argsort(weights == 0, axis=1, kind="stable")
        ahead, behind = np.where(mirrored, 0.0, weights), np.where(mirrored, weights, 0.0)
        each = np.arange(len(weights))
        out = back = convert_like(np.zeros((len(weights), 1, 1)), rows) * rows[:1]
        for tilts in nearest.T[: np.count_nonzero(weights, axis=1).max()]:
            out = out + convert_like(ahead[each, tilts][:, None, None], rows) * rows[tilts]
            back = back + convert_like(behind[each, tilts][:, None, None], rows) * rows[tilts]
        return out + _mirror(back, axis_u)

    @cached_property
    def _weights(self) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Linear weights (n_rows, n_tilts), and where a tilt is met from behind."""
        offsets = self._offsets_deg
        turns = (self.angles_deg[:, None] - offsets - self.measured_deg[None, :]) / 180.0
        mirrored = np.rint(turns).astype(int) % 2 == 1
        step = max(median_step_deg(self.measured_deg), 1e-6)
        weights = np.zeros_like(offsets)
        for row, offset in enumerate(offsets):
            below = np.where(offset >= 0, offset, np.inf).min()
            above = np.where(offset < 0, -offset, np.inf).min()
            # Between two neighbours: linear. Into a wedge: fades out over one step.
            reach = below + above if below + above <= 2.0 * step + 1e-6 else step
            for side, distance in ((offset, below), (-offset, above)):
                at = np.isclose(side, distance, atol=1e-6)
                weights[row, at] = max(0.0, 1.0 - distance / reach) / max(1, np.count_nonzero(at))
        return weights, mirrored


def _mirror(rows: Array, axis_u: float) -> Array:
    """Mirror (n, width, n_slices) about a detector position, linearly; zero from outside."""
    width = rows.shape[1]
    source = 2.0 * axis_u - np.arange(width)
    lower = np.floor(source).astype(int)
    upper_weight = convert_like((source - lower)[None, :, None], rows)
    xp = namespace(rows)
    nothing = xp.zeros_like(rows[:, :1])
    padded = xp.concatenate([nothing, rows, nothing], axis=1)
    low = padded[:, np.clip(lower + 1, 0, width + 1)]
    high = padded[:, np.clip(lower + 2, 0, width + 1)]
    return (1 - upper_weight) * low + upper_weight * high


def align_rows(beam: ParallelBeam, rows: Array) -> Array:
    """Move rows (n_tilts, width, n_slices) so that no tilt is shifted, linearly.

    What comes in from outside is zero. Where `beam` has no shifts, these are the rows themselves.
    """
    if beam.tilt_shifts_px is None:
        return rows
    width, xp = beam.width, namespace(rows)
    source = np.arange(width) + beam.tilt_shifts_px[:, None]
    lower = np.floor(source).astype(int)
    upper_weight = convert_like((source - lower)[:, :, None], rows)
    nothing = xp.zeros_like(rows[:, :1])
    padded = xp.concatenate([nothing, rows, nothing], axis=1)
    tilts = np.arange(beam.n_tilts)[:, None]
    low = padded[tilts, np.clip(lower + 1, 0, width + 1)]
    high = padded[tilts, np.clip(lower + 2, 0, width + 1)]
    return (1 - upper_weight) * low + upper_weight * high


def grid_for(measured_deg: ArrayLike, n_rows: int) -> AngularGrid:
    """Return the grid for these measured tilt angles in degrees."""
    angles_deg = np.asarray(measured_deg, dtype=np.float64)
    return _make_grid(tuple(angles_deg.tolist()), n_rows)


@lru_cache(maxsize=8)  # every slab, and every stage of it, has the same
def _make_grid(measured_deg: tuple[float, ...], n_rows: int) -> AngularGrid:
    return AngularGrid(np.array(measured_deg, dtype=np.float64), n_rows)
