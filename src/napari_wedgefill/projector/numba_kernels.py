"""CPU kernels: slices innermost, a tile of neighbouring slices at a time.

Every slice shares one geometry, so where a ray meets a row is worked out once for all slices of a
tile, a whole detector row at a time, and the rest is plain vector arithmetic. Four rows (forward)
or four angles (adjoint) are summed before a partial sum is stored: the store costs more than the
sum. A slice is rounded alike in any tile, so no result depends on how slices were grouped.

The kernels release the GIL and `ParallelBeam` runs them on its own threads, because numba's
threading layers may not be entered from two Python threads at once, and napari does just that.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numba
import numpy as np
from numpy.typing import NDArray

from .vectors import VECTOR, accumulate

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

#: Slices in a full strip. Wider strips share the index arithmetic further, until rows leave L2.
LANES = 64
#: Rows or angles summed before a store.
GROUP = 4
#: Bytes of a block of volume rows that stay in L2 while the angles pass by.
BLOCK_BYTES = 128 << 10
_OPTIONS = {"nogil": True, "cache": True, "fastmath": True, "error_model": "numpy"}


def padded_lanes(n_slices: int) -> int:
    """Slices of a tile that holds `n_slices`: few different numbers, for each is compiled."""
    lanes = VECTOR
    while lanes < n_slices:
        lanes *= 2
    return lanes


@cache
def forward_rays(lanes: int) -> Callable[..., None]:
    """Return the projection kernel for tiles of `lanes` slices."""
    n_vectors = lanes // VECTOR

    @numba.njit(**_OPTIONS)
    def forward_rays(
        tile: Floats,
        origin: int,
        row_step: int,
        tap_step: int,
        n_rows: int,
        n_across: int,
        along: Doubles,
        across: Doubles,
        axis_u: float,
        out: Floats,
        width: int,
    ) -> None:
        """Sum the rays that cross every row of a tile (Joseph's method).

        Parameters
        ----------
        tile : ndarray, float32, flat
            A volume with one zero sample before and after each axis, slices innermost; rows of
            zeros make their number a multiple of GROUP.
        origin, row_step, tap_step : int
            Floats from the start of `tile` to its first row's leading zero, from row to row, and
            from sample to sample across.
        n_rows, n_across : int
            Samples along and across the rays, without padding.
        along, across : ndarray, float64, (n_angles,)
            The detector coordinate is ``u = row * along + column * across``, all from the centres;
            ``abs(across) >= abs(along)``.
        axis_u : float
            Detector index of the rotation axis.
        out : ndarray, float32, flat (n_angles, width, lanes)
            Overwritten with path integrals, in voxels.
        """
        centre, row_centre = (n_across - 1) / 2.0, (n_rows - 1) / 2.0
        k = np.empty((GROUP, width), np.int32)
        a, b = np.empty((GROUP, width), np.float32), np.empty((GROUP, width), np.float32)
        out[:] = np.float32(0.0)
        for first in range(0, n_rows, GROUP):
            for angle in range(along.shape[0]):
                slope = 1.0 / across[angle]
                weight = abs(slope)
                shift = along[angle] * slope
                for r in range(GROUP):
                    start = centre - axis_u * slope - (first + r - row_centre) * shift
                    for u in range(width):
                        at = start + u * slope
                        lower = math.floor(at)
                        upper = (at - lower) * weight
                        inside = (at > -1.0) and (at < n_across)
                        k[r, u] = np.int32(lower) + 1 if inside else 0
                        a[r, u] = np.float32(weight - upper) if inside else np.float32(0.0)
                        b[r, u] = np.float32(upper) if inside else np.float32(0.0)
                i = origin + first * row_step
                for u in range(width):
                    i0 = i + k[0, u] * tap_step
                    i1 = i + row_step + k[1, u] * tap_step
                    i2 = i + 2 * row_step + k[2, u] * tap_step
                    i3 = i + 3 * row_step + k[3, u] * tap_step
                    o = (angle * width + u) * lanes
                    for v in range(n_vectors):
                        s = v * VECTOR
                        accumulate(
                            out, o + s, tile, i0 + s, i1 + s, i2 + s, i3 + s, tap_step,
                            a[0, u], b[0, u], a[1, u], b[1, u],
                            a[2, u], b[2, u], a[3, u], b[3, u],
                        )  # fmt: skip

    return forward_rays


@cache
def adjoint_rays(lanes: int) -> Callable[..., None]:
    """Return the back-projection kernel for tiles of `lanes` slices."""
    n_vectors = lanes // VECTOR

    @numba.njit(**_OPTIONS)
    def adjoint_rays(
        sinogram: Floats,
        width: int,
        cosines: Doubles,
        sines: Doubles,
        half_widths: Doubles,
        axis_u: float,
        first_z: float,
        n_rows: int,
        n_across: int,
        out: Floats,
    ) -> None:
        """Gather, for each voxel of some rows, the detector pixels under a triangle.

        Joseph's weight of a voxel in a ray is a triangle in detector space, centred on the voxel's
        projection, with half width ``max(|cos|, |sin|)`` and unit area; gathering with it is the
        exact adjoint of `forward_rays` and needs no atomics. The triangle covers at most two
        pixels; a half width of one is linear interpolation.

        Parameters
        ----------
        sinogram : ndarray, float32, flat (n_angles, width + 3, lanes)
            Zero-padded with one sample before and two after; the number of angles is padded with
            zeros to a multiple of GROUP (so are the three below).
        cosines, sines, half_widths : ndarray, float64, (n_angles,)
            Of the tilt angles, and the half widths of the triangles, at most 1.
        axis_u : float
            Detector index of the rotation axis.
        first_z : float
            z of the first row, from the axis.
        out : ndarray, float32, flat (n_rows, n_across, lanes)
            Overwritten.
        """
        centre = (n_across - 1) / 2.0
        k = np.empty((GROUP, n_across), np.int32)
        a, b = np.empty((GROUP, n_across), np.float32), np.empty((GROUP, n_across), np.float32)
        out[: n_rows * n_across * lanes] = np.float32(0.0)
        pitch = (width + 3) * lanes
        for g in range(0, cosines.shape[0], GROUP):
            for row in range(n_rows):
                for r in range(GROUP):
                    cosine, half = cosines[g + r], half_widths[g + r]
                    scale = 1.0 / half
                    start = axis_u + (first_z + row) * sines[g + r] - centre * cosine
                    for x in range(n_across):
                        u = start + x * cosine
                        inside = (u > -half) and (u < width - 1 + half)
                        first = math.floor(u - half) + 1.0
                        below = max(0.0, 1.0 - abs(first - u) * scale) * scale
                        above = max(0.0, 1.0 - abs(first + 1.0 - u) * scale) * scale
                        k[r, x] = np.int32(first) + 1 if inside else 0
                        a[r, x] = np.float32(below) if inside else np.float32(0.0)
                        b[r, x] = np.float32(above) if inside else np.float32(0.0)
                i = g * pitch
                for x in range(n_across):
                    i0 = i + k[0, x] * lanes
                    i1 = i + pitch + k[1, x] * lanes
                    i2 = i + 2 * pitch + k[2, x] * lanes
                    i3 = i + 3 * pitch + k[3, x] * lanes
                    o = (row * n_across + x) * lanes
                    for v in range(n_vectors):
                        s = v * VECTOR
                        accumulate(
                            out, o + s, sinogram, i0 + s, i1 + s, i2 + s, i3 + s, lanes,
                            a[0, x], b[0, x], a[1, x], b[1, x],
                            a[2, x], b[2, x], a[3, x], b[3, x],
                        )  # fmt: skip

    return adjoint_rays


@cache
def descend_rays(lanes: int) -> Callable[..., None]:
    """Return the kernel of an algebraic step for tiles of `lanes` slices."""
    gather = adjoint_rays(lanes)

    @numba.njit(**_OPTIONS)
    def descend_rays(
        sinogram: Floats,
        width: int,
        cosines: Doubles,
        sines: Doubles,
        half_widths: Doubles,
        axis_u: float,
        weights: Floats,
        floor: np.float32,
        tile: Floats,
        start: int,
        stop: int,
    ) -> None:
        """``x = max(x + weights * back projection, floor)`` in the rows ``start:stop`` of a tile.

        The back projection of a few rows is used while it is in the cache, and never stored.

        Parameters
        ----------
        weights : ndarray, float32, (n_rows, n_across)
        tile : ndarray, float32, (n_rows + padding, n_across + padding, lanes)
            A volume with one sample of padding before each axis.
        """
        n_rows, n_across = weights.shape
        n_block = max(1, BLOCK_BYTES // (4 * n_across * lanes))
        block = np.empty(n_block * n_across * lanes, np.float32)
        for first in range(start, stop, n_block):
            n = min(n_block, stop - first)
            first_z = first - (n_rows - 1) / 2.0
            gather(
                sinogram, width, cosines, sines, half_widths, axis_u, first_z, n, n_across, block
            )  # fmt: skip
            for row in range(n):
                for x in range(n_across):
                    w = weights[first + row, x]
                    o = (row * n_across + x) * lanes
                    for s in range(lanes):
                        value = tile[first + row + 1, x + 1, s] + w * block[o + s]
                        tile[first + row + 1, x + 1, s] = max(value, floor)

    return descend_rays
