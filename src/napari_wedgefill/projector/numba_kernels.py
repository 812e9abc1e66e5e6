"""CPU kernels: slices innermost, one strip of slices at a time.

Every slice shares one geometry, so the index arithmetic is done once for a whole strip of
neighbouring slices and the inner loop is plain vector arithmetic. Four rows (forward) or four
angles (adjoint) are summed before a partial sum is stored: the store costs more than the sum.
The kernels release the GIL and `ParallelBeam` runs them on its own threads, because numba's
threading layers may not be entered from two Python threads at once, and napari does just that.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numba
import numpy as np
from numpy.typing import NDArray

#: Slices in a full strip. Wider strips share the index arithmetic further, until rows leave L2.
LANES = 64
#: Rows or angles summed before a store.
GROUP = 4
_OPTIONS = {"nogil": True, "cache": True, "fastmath": True, "error_model": "numpy"}


@numba.njit(inline="always", **_OPTIONS)
def _taps(position: float, n: int) -> tuple[int, np.float32, np.float32]:
    """Padded index of the sample below `position` (of `n`), and the weights of it and the next."""
    if position <= -1.0 or position >= n:
        return 0, np.float32(0.0), np.float32(0.0)
    lower = math.floor(position)
    upper = np.float32(position - lower)
    return int(lower) + 1, np.float32(1.0) - upper, upper


@numba.njit(inline="always", **_OPTIONS)
def _triangle(u: float, half_width: float, n: int) -> tuple[int, np.float32, np.float32]:
    """Padded index of the first detector pixel under a triangle at `u`, and two weights.

    The triangle has unit area and a half width of at most one pixel, so it covers at most two.
    """
    if u <= -half_width or u >= n - 1 + half_width:
        return 0, np.float32(0.0), np.float32(0.0)
    first = math.floor(u - half_width) + 1
    scale = 1.0 / half_width
    below = max(0.0, 1.0 - abs(first - u) * scale) * scale
    above = max(0.0, 1.0 - abs(first + 1 - u) * scale) * scale
    return int(first) + 1, np.float32(below), np.float32(above)


def _forward(fixed: int) -> Callable[..., None]:
    @numba.njit(**_OPTIONS)
    def forward_rays(
        rows: NDArray[np.float32],
        row_centre: float,
        along: NDArray[np.float64],
        across: NDArray[np.float64],
        axis_u: float,
        out: NDArray[np.float32],
    ) -> None:
        """Sum the rays that cross every row of a strip (Joseph's method).

        Parameters
        ----------
        rows : ndarray, float32, (n_rows, n_across + 2, lanes)
            The strip with one zero sample at each end of the second axis; the number of rows is
            padded with zeros to a multiple of GROUP.
        row_centre : float
            Row index of the rotation axis.
        along, across : ndarray, float64, (n_angles,)
            The detector coordinate is ``u = row * along + column * across``, all from the centres;
            ``abs(across) >= abs(along)``.
        axis_u : float
            Detector index of the rotation axis.
        out : ndarray, float32, (n_angles, w, lanes)
            Overwritten with path integrals, in voxels.
        """
        n_rows, n_across = rows.shape[0], rows.shape[1] - 2
        n_angles, width, n = out.shape
        centre = (n_across - 1) / 2.0
        lanes = fixed if fixed > 0 else n
        out[:] = np.float32(0.0)
        for first in range(0, n_rows, GROUP):
            for angle in range(n_angles):
                slope = 1.0 / across[angle]
                weight = np.float32(abs(slope))
                shift = along[angle] * slope
                start = centre - axis_u * slope - (first - row_centre) * shift
                for u in range(width):
                    at = start + u * slope
                    k0, a0, b0 = _taps(at, n_across)
                    k1, a1, b1 = _taps(at - shift, n_across)
                    k2, a2, b2 = _taps(at - 2.0 * shift, n_across)
                    k3, a3, b3 = _taps(at - 3.0 * shift, n_across)
                    for s in range(lanes):
                        total = a0 * rows[first, k0, s] + b0 * rows[first, k0 + 1, s]
                        total += a1 * rows[first + 1, k1, s] + b1 * rows[first + 1, k1 + 1, s]
                        total += a2 * rows[first + 2, k2, s] + b2 * rows[first + 2, k2 + 1, s]
                        total += a3 * rows[first + 3, k3, s] + b3 * rows[first + 3, k3 + 1, s]
                        out[angle, u, s] += weight * total

    return forward_rays


def _adjoint(fixed: int) -> Callable[..., None]:
    @numba.njit(**_OPTIONS)
    def adjoint_rays(
        sinogram: NDArray[np.float32],
        cosines: NDArray[np.float64],
        sines: NDArray[np.float64],
        half_widths: NDArray[np.float64],
        axis_u: float,
        first_row: int,
        depth_centre: float,
        out: NDArray[np.float32],
    ) -> None:
        """Gather, for each voxel of some rows, the detector pixels under a triangle.

        Joseph's weight of a voxel in a ray is a triangle in detector space, centred on the voxel's
        projection, with half width ``max(|cos|, |sin|)`` and unit area; gathering with it is the
        exact adjoint of `forward_rays` and needs no atomics. A half width of one is linear
        interpolation.

        Parameters
        ----------
        sinogram : ndarray, float32, (n_angles, w + 3, lanes)
            Zero-padded with one sample before and two after; the number of angles is padded with
            zeros to a multiple of GROUP (so are the three below).
        cosines, sines, half_widths : ndarray, float64, (n_angles,)
            Of the tilt angles, and the half widths of the triangles, at most 1.
        axis_u : float
            Detector index of the rotation axis.
        first_row, depth_centre : int, float
            z index of ``out[0]`` and of the axis.
        out : ndarray, float32, (n_rows, n_across, lanes)
            Overwritten.
        """
        n_angles, width = sinogram.shape[0], sinogram.shape[1] - 3
        n_rows, n_across, n = out.shape
        centre = (n_across - 1) / 2.0
        lanes = fixed if fixed > 0 else n
        out[:] = np.float32(0.0)
        for g in range(0, n_angles, GROUP):
            c0, c1, c2, c3 = cosines[g], cosines[g + 1], cosines[g + 2], cosines[g + 3]
            h0, h1 = half_widths[g], half_widths[g + 1]
            h2, h3 = half_widths[g + 2], half_widths[g + 3]
            for row in range(n_rows):
                z = first_row + row - depth_centre
                u0 = axis_u + z * sines[g] - centre * c0
                u1 = axis_u + z * sines[g + 1] - centre * c1
                u2 = axis_u + z * sines[g + 2] - centre * c2
                u3 = axis_u + z * sines[g + 3] - centre * c3
                for x in range(n_across):
                    k0, a0, b0 = _triangle(u0 + x * c0, h0, width)
                    k1, a1, b1 = _triangle(u1 + x * c1, h1, width)
                    k2, a2, b2 = _triangle(u2 + x * c2, h2, width)
                    k3, a3, b3 = _triangle(u3 + x * c3, h3, width)
                    for s in range(lanes):
                        total = a0 * sinogram[g, k0, s] + b0 * sinogram[g, k0 + 1, s]
                        total += a1 * sinogram[g + 1, k1, s] + b1 * sinogram[g + 1, k1 + 1, s]
                        total += a2 * sinogram[g + 2, k2, s] + b2 * sinogram[g + 2, k2 + 1, s]
                        total += a3 * sinogram[g + 3, k3, s] + b3 * sinogram[g + 3, k3 + 1, s]
                        out[row, x, s] += total

    return adjoint_rays


# A literal number of slices is unrolled into whole registers, which is faster than a variable one.
_FORWARD = {LANES: _forward(LANES)}
_ADJOINT = {LANES: _adjoint(LANES)}
_FORWARD_ANY, _ADJOINT_ANY = _forward(0), _adjoint(0)


def forward_rays(lanes: int) -> Callable[..., None]:
    """Return the projection kernel for strips of `lanes` slices."""
    return _FORWARD.get(lanes, _FORWARD_ANY)


def adjoint_rays(lanes: int) -> Callable[..., None]:
    """Return the back-projection kernel for strips of `lanes` slices."""
    return _ADJOINT.get(lanes, _ADJOINT_ANY)
