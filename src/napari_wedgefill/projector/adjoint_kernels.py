"""CPU kernels of the back projection: see `numba_kernels` for how slices lie."""

from __future__ import annotations

import math

import numba
import numpy as np
from numpy.typing import NDArray

from .numba_kernels import GROUP, OPTIONS
from .vectors import (
    VECTOR,
    add,
    aligned,
    floor,
    load,
    magnitude,
    maximum,
    multiply,
    multiply_add,
    spread,
    store,
    store_whole,
    subtract,
)

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Integers = NDArray[np.int32]

#: Voxels along z and x that the angles pass by while they and their rays stay in the first-level
#: cache.
SQUARE = 8
CELLS = SQUARE * SQUARE


@numba.njit(**OPTIONS)
def adjoint_rays(
    vectors: tuple[int, ...],
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
    vectors : tuple
        Of a tile, by its length.
    sinogram : ndarray, float32, flat (n_angles, width + 3, lanes)
        Zero-padded with one sample before and two after; the number of angles is padded with
        zeros to a multiple of GROUP (so are the three below).
    cosines, sines, half_widths : ndarray, float64, (n_angles,)
        Of the tilt angles, and the half widths of the triangles, at most 1.
    axis_u : float
        Detector index of the rotation axis.
    first_z : float
        z of the first row, from the axis.
    n_rows : int
        At most SQUARE.
    out : ndarray, float32, flat (n_rows, n_across, lanes)
        Overwritten.
    """
    lanes = len(vectors) * VECTOR
    k, a, b, down, along = square_tables()
    for left in range(0, n_across, SQUARE):
        adjoint_square(
            vectors, sinogram, width, cosines, sines, half_widths, axis_u, first_z,
            left - (n_across - 1) / 2.0, n_rows, min(SQUARE, n_across - left), k, a, b, down, along,
            out, left * lanes, n_across * lanes,
        )  # fmt: skip


@numba.njit(**OPTIONS)
def square_tables() -> tuple[Integers, Floats, Floats, Floats, Floats]:
    """Where `adjoint_square` keeps what it works out for all slices of a tile."""
    k = np.empty(GROUP * CELLS, np.int32)
    a, b = np.empty(GROUP * CELLS, np.float32), np.empty(GROUP * CELLS, np.float32)
    down, along = np.empty(CELLS, np.float32), np.empty(CELLS, np.float32)
    for c in range(CELLS):
        down[c], along[c] = np.float32(c // SQUARE), np.float32(c % SQUARE)
    return k, a, b, down, along


@numba.njit(inline="always", **OPTIONS)
def adjoint_square(
    vectors: tuple[int, ...],
    sinogram: Floats,
    width: int,
    cosines: Doubles,
    sines: Doubles,
    half_widths: Doubles,
    axis_u: float,
    z: float,
    x: float,
    n_rows: int,
    n_columns: int,
    k: Integers,
    a: Floats,
    b: Floats,
    down: Floats,
    along: Floats,
    out: Floats,
    origin: int,
    row_step: int,
) -> None:
    """`adjoint_rays` for a square of voxels, which all angles pass while it is in the cache.

    Parameters
    ----------
    z, x : float
        The first voxel, from the axis.
    n_rows, n_columns : int
        At most SQUARE each.
    k, a, b, down, along : ndarray
        From `square_tables`.
    origin, row_step : int
        Floats from the start of `out` to the first voxel, and from row to row.
    """
    lanes = len(vectors) * VECTOR
    pitch = (width + 3) * lanes
    for g in range(0, cosines.shape[0], GROUP):
        for r in range(GROUP):
            sine, cosine = sines[g + r], cosines[g + r]
            corner = axis_u + z * sine + x * cosine
            _pixels(
                corner, sine, cosine, half_widths[g + r], width, down, along, k, a, b, r * CELLS
            )
        i = g * pitch
        for row in range(n_rows):
            for column in range(n_columns):
                c = row * SQUARE + column
                i0 = i + k[c] * lanes
                i1 = i + pitch + k[CELLS + c] * lanes
                i2 = i + 2 * pitch + k[2 * CELLS + c] * lanes
                i3 = i + 3 * pitch + k[3 * CELLS + c] * lanes
                a0, b0 = spread(a[c]), spread(b[c])
                a1, b1 = spread(a[CELLS + c]), spread(b[CELLS + c])
                a2, b2 = spread(a[2 * CELLS + c]), spread(b[2 * CELLS + c])
                a3, b3 = spread(a[3 * CELLS + c]), spread(b[3 * CELLS + c])
                o = origin + row * row_step + column * lanes
                for v in range(len(vectors)):
                    s = v * VECTOR
                    total = multiply(a0, load(sinogram, i0 + s))
                    other = multiply(b0, load(sinogram, i0 + lanes + s))
                    total = multiply_add(a1, load(sinogram, i1 + s), total)
                    other = multiply_add(b1, load(sinogram, i1 + lanes + s), other)
                    total = multiply_add(a2, load(sinogram, i2 + s), total)
                    other = multiply_add(b2, load(sinogram, i2 + lanes + s), other)
                    total = multiply_add(a3, load(sinogram, i3 + s), total)
                    other = multiply_add(b3, load(sinogram, i3 + lanes + s), other)
                    total = add(total, other)
                    if g > 0:
                        total = add(total, load(out, o + s))
                    store(out, o + s, total)


@numba.njit(inline="always", **OPTIONS)
def _pixels(
    corner: float, sine: float, cosine: float, half: float, width: int,
    down: Floats, along: Floats, k: Integers, a: Floats, b: Floats, place: int,
) -> None:  # fmt: skip
    """Where a square of voxels is seen: the first of two padded pixels, two weights.

    Positions within a square are short enough for float32.
    """
    whole = math.floor(corner - half)
    base = spread(np.float32(corner - half - whole))
    z_step, x_step = spread(np.float32(sine)), spread(np.float32(cosine))
    # With d from a voxel to the first pixel under its triangle, the two under it weigh
    # (1 - |d| / half) / half and (1 - (d + 1) / half) / half; d + 1 is never negative.
    peak, fall = spread(np.float32(1.0 / half)), spread(np.float32(-1.0 / half**2))
    rest, nearest = spread(np.float32(1.0 / half - 1.0 / half**2)), spread(np.float32(1.0 - half))
    zero, shift = spread(np.float32(0.0)), spread(np.float32(whole + 2.0))
    for c in range(0, CELLS, VECTOR):
        position = multiply_add(load(along, c), x_step, base)
        position = multiply_add(load(down, c), z_step, position)
        before = floor(position)
        d = add(subtract(before, position), nearest)
        store(a, place + c, maximum(multiply_add(magnitude(d), fall, peak), zero))
        store(b, place + c, maximum(multiply_add(d, fall, rest), zero))
        # What lies outside finds two zeros behind the last pixel.
        store_whole(k, place + c, add(before, shift), np.int32(width + 1))


@numba.njit(**OPTIONS)
def descend_rays(
    vectors: tuple[int, ...],
    sinogram: Floats,
    width: int,
    cosines: Doubles,
    sines: Doubles,
    half_widths: Doubles,
    axis_u: float,
    weights: Floats,
    least: np.float32,
    tile: Floats,
    row_step: int,
    start: int,
    stop: int,
) -> None:
    """``x = max(x + weights * back projection, least)`` in the rows ``start:stop`` of a tile.

    The back projection of a few rows is used while it is in the cache, and never stored.

    Parameters
    ----------
    weights : ndarray, float32, (n_rows, n_across)
    tile : ndarray, float32, flat (n_rows + padding, n_across + padding, lanes)
        A volume with one sample of padding before each axis.
    row_step : int
        Floats from row to row of `tile`.
    """
    n_rows, n_across = weights.shape
    lanes = len(vectors) * VECTOR
    floor_vector = spread(least)
    block = aligned(SQUARE * n_across * lanes)
    for first in range(start, stop, SQUARE):
        n = min(SQUARE, stop - first)
        adjoint_rays(
            vectors, sinogram, width, cosines, sines, half_widths, axis_u,
            first - (n_rows - 1) / 2.0, n, n_across, block,
        )  # fmt: skip
        for row in range(n):
            for x in range(n_across):
                w = spread(weights[first + row, x])
                i = (first + row + 1) * row_step + (x + 1) * lanes
                o = (row * n_across + x) * lanes
                for v in range(len(vectors)):
                    s = v * VECTOR
                    moved = multiply_add(w, load(block, o + s), load(tile, i + s))
                    store(tile, i + s, maximum(moved, floor_vector))
