"""A quick reconstruction from images that lack parts: displaced, turned, wider than the field.

Alignment asks for many small reconstructions from images that are shifted against each other, so
that the borders of each lack something else, and from films that reach past the field. What was
not measured has no say here, and the volume may be wider than the images.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ..projector import ParallelBeam
from ..reconstruct.sart import spread_steps

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

MIN_RAY_PX = 1.0  # shorter rays, at the volume's corners, would weigh too much
MIN_COVERAGE = 0.3  # of a voxel by a step's tilts; less would fling it about
MAX_WIDENING = 3.0


@dataclass(frozen=True, eq=False)
class Slices:
    """Sinograms of some slices, and where they were measured.

    Attributes
    ----------
    values : ndarray, float32, (n_tilts, w, n_slices)
        Path integrals.
    measured : ndarray, float32, (n_tilts, w, n_slices)
        How far each is to be trusted, 0 to 1.
    """

    values: Floats
    measured: Floats

    def at(self, tilts: NDArray[np.int64]) -> Slices:
        """Those of some tilts."""
        return Slices(self.values[tilts], self.measured[tilts])

    def widen(self, width: int) -> Slices:
        """With unmeasured columns on both sides, so that both have `width` columns."""
        before = (width - self.values.shape[1]) // 2
        after = width - self.values.shape[1] - before
        pad = ((0, 0), (before, after), (0, 0))
        return Slices(np.pad(self.values, pad), np.pad(self.measured, pad))


def width_for(width: int, angles_deg: Doubles, isolated: bool) -> int:
    """Width of a volume that holds all that the images see: of a film, more than the field.

    It differs from the images' width by an even number, and so has the same centre.
    """
    if isolated:
        return width
    seen = 1.0 / max(float(np.abs(np.cos(np.deg2rad(angles_deg))).min()), 1e-3)
    return width + 2 * round(width * (min(seen, MAX_WIDENING) - 1.0) / 2)


@lru_cache(maxsize=8)
def find_beam(
    angles_deg: tuple[float, ...], width: int, depth: int, axis_shift_px: float = 0.0
) -> ParallelBeam:
    """Return the geometry with the lengths of its rays, which an alignment asks for many times."""
    return ParallelBeam(angles_deg, width, depth, axis_shift_px=axis_shift_px)


def reconstruct_masked(
    slices: Slices,
    angles_deg: Doubles,
    n_sweeps: int,
    *,
    depth: int,
    nonnegative: bool,
    axis_shift_px: float = 0.0,
    start: Floats | None = None,
) -> Floats:
    """Reconstruct (depth, w, n_slices) from what was measured, by ordered subsets of the tilts.

    With a `start`, go on from there instead of from nothing.

    References
    ----------
    A. H. Andersen and A. C. Kak, Ultrasonic Imaging 6, 81-94 (1984).
    """
    n_tilts, width, n_slices = slices.values.shape
    x = np.zeros((depth, width, n_slices), np.float32) if start is None else start.copy()
    whole = find_beam(tuple(angles_deg.tolist()), width, depth, axis_shift_px)
    rows = slices.measured / np.maximum(whole.ray_lengths, MIN_RAY_PX)
    steps = []
    for tilts in spread_steps(n_tilts):
        beam = whole.subset(tilts)
        measured = np.ascontiguousarray(slices.measured[tilts])
        steps.append((beam, tilts, 1.0 / np.maximum(beam.T(measured), MIN_COVERAGE)))
    for _ in range(n_sweeps):
        for beam, tilts, columns in steps:
            wrong = slices.values[tilts] - beam(x)
            wrong *= rows[tilts]
            x += columns * beam.T(wrong)
            if nonnegative:
                np.maximum(x, 0.0, out=x)
    return x
