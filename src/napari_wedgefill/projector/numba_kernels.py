"""CPU kernels: slices innermost, a tile of neighbouring slices at a time.

Every slice shares one geometry, so where a ray meets a row is worked out once for all slices of a
tile, many rays at a time, and the rest is plain vector arithmetic. Four rows (forward) or four
angles (adjoint) are summed before a partial sum is stored: the store costs more than the sum.

The kernels release the GIL and `Processor` runs them on its own threads, because numba's
threading layers may not be entered from two Python threads at once, and napari does just that.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .kernel_cache import compile_into_callers, compile_kernel
from .vectors import (
    VECTOR,
    add,
    floor,
    load,
    magnitude,
    make_aligned,
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

#: Rows or angles summed before a store.
GROUP = 4
#: Voxels along z and x that the angles pass by while they and their rays stay in the first-level
#: cache.
SQUARE = 8
CELLS = SQUARE * SQUARE


class Rows(NamedTuple):
    """How the rows of a volume lie that rays cross: of constant z, or of constant x.

    Attributes
    ----------
    row_step, tap_step : int
        Floats from row to row, and from sample to sample across. The first row begins a row's step
        after the start, for a volume has a row of zeros before it.
    n_rows, n_across : int
        Samples along and across the rays, without padding.
    """

    row_step: int
    tap_step: int
    n_rows: int
    n_across: int


class Detector(NamedTuple):
    """What some tilts saw, or are to give back, and from where.

    Attributes
    ----------
    sinogram : ndarray, float32, flat (n_angles, width + 3, lanes)
        Zero-padded with one sample before and two after; the number of angles is padded with
        zeros to a multiple of GROUP (so are the four below).
    width : int
        Pixels, without padding.
    cosines, sines, half_widths : ndarray, float64, (n_angles,)
        Of the tilt angles, and the half widths of the triangles, at most 1.
    axis_u : ndarray, float64, (n_angles,)
        Detector index of the rotation axis at each angle.
    """

    sinogram: Floats
    width: int
    cosines: Doubles
    sines: Doubles
    half_widths: Doubles
    axis_u: Doubles


#: Where `back_project_square` keeps what it works out for all slices of a tile: the first of two
#: padded pixels and two weights of each voxel and angle, and where in the square a voxel is.
SquareTables = tuple[Integers, Floats, Floats, Floats, Floats]


def pad_lanes(n_slices: int) -> int:
    """Slices of a tile that holds `n_slices`: few different numbers, for each is compiled."""
    lanes = VECTOR
    while lanes < n_slices:
        lanes *= 2
    return lanes


@compile_kernel
def project_rays(
    vectors: tuple[int, ...],
    tile: Floats,
    rows: Rows,
    along: Doubles,
    across: Doubles,
    axis_u: Doubles,
    out: Floats,
    width: int,
) -> None:
    """Sum the rays that cross every row of a tile (Joseph's method).

    Parameters
    ----------
    vectors : tuple
        Of a tile, by its length.
    tile : ndarray, float32, flat
        A volume with one zero sample before and two after each axis, slices innermost; rows of
        zeros make their number a multiple of GROUP.
    rows : Rows
        Those of the tile that the rays cross.
    along, across : ndarray, float64, (n_angles,)
        The detector coordinate is ``u = row * along + column * across``, all from the centres;
        ``abs(across) >= abs(along)``.
    axis_u : ndarray, float64, (n_angles,)
        Detector index of the rotation axis at each angle.
    out : ndarray, float32, flat (n_angles, width, lanes)
        Overwritten with path integrals, in voxels.
    """
    row_step, tap_step, n_rows, n_across = rows
    n_vectors = len(vectors)
    lanes = n_vectors * VECTOR
    centre, row_centre = (n_across - 1) / 2.0, (n_rows - 1) / 2.0
    k = np.empty(GROUP * VECTOR, np.int32)
    a, b = np.empty(GROUP * VECTOR, np.float32), np.empty(GROUP * VECTOR, np.float32)
    counts = np.arange(VECTOR).astype(np.float32)
    out[:] = np.float32(0.0)
    for first in range(0, n_rows, GROUP):
        i = (first + 1) * row_step
        for angle in range(along.shape[0]):
            slope = 1.0 / across[angle]
            shift = along[angle] * slope
            start = centre - axis_u[angle] * slope - (first - row_centre) * shift
            for left in range(0, width, VECTOR):
                at, end = start + left * slope, start + (left + VECTOR - 1) * slope
                last = (GROUP - 1) * shift
                if (
                    max(at, end) + max(0.0, -last) <= -1.0
                    or min(at, end) - max(0.0, last) >= n_across
                ):
                    continue
                for r in range(GROUP):
                    _find_taps(at - r * shift, slope, n_across, counts, k, a, b, r * VECTOR)
                for c in range(min(VECTOR, width - left)):
                    i0 = i + k[c] * tap_step
                    i1 = i + row_step + k[VECTOR + c] * tap_step
                    i2 = i + 2 * row_step + k[2 * VECTOR + c] * tap_step
                    i3 = i + 3 * row_step + k[3 * VECTOR + c] * tap_step
                    a0, b0 = spread(a[c]), spread(b[c])
                    a1, b1 = spread(a[VECTOR + c]), spread(b[VECTOR + c])
                    a2, b2 = spread(a[2 * VECTOR + c]), spread(b[2 * VECTOR + c])
                    a3, b3 = spread(a[3 * VECTOR + c]), spread(b[3 * VECTOR + c])
                    o = (angle * width + left + c) * lanes
                    for v in range(n_vectors):
                        s = v * VECTOR
                        total = multiply_add(a0, load(tile, i0 + s), load(out, o + s))
                        other = multiply(b0, load(tile, i0 + tap_step + s))
                        total = multiply_add(a1, load(tile, i1 + s), total)
                        other = multiply_add(b1, load(tile, i1 + tap_step + s), other)
                        total = multiply_add(a2, load(tile, i2 + s), total)
                        other = multiply_add(b2, load(tile, i2 + tap_step + s), other)
                        total = multiply_add(a3, load(tile, i3 + s), total)
                        other = multiply_add(b3, load(tile, i3 + tap_step + s), other)
                        store(out, o + s, add(total, other))


@compile_into_callers
def _find_taps(
    at: float, slope: float, n_across: int, counts: Floats,
    k: Integers, a: Floats, b: Floats, place: int,
) -> None:  # fmt: skip
    """Where VECTOR rays, from `at` on, meet a row: the lower of two padded samples, two weights.

    Positions within a few rays are short enough for float32.
    """
    whole = math.floor(at)
    weight = spread(np.float32(abs(slope)))
    position = multiply_add(
        load(counts, 0), spread(np.float32(slope)), spread(np.float32(at - whole))
    )
    lower = floor(position)
    upper = multiply(subtract(position, lower), weight)
    store(a, place, subtract(weight, upper))
    store(b, place, upper)
    # What lies outside finds two zeros behind the last sample.
    sample = add(lower, spread(np.float32(whole + 1.0)))
    store_whole(k, place, sample, np.int32(n_across + 1))


@compile_kernel
def back_project_rays(
    vectors: tuple[int, ...],
    detector: Detector,
    first_z: float,
    n_rows: int,
    n_across: int,
    out: Floats,
) -> None:
    """Gather, for each voxel of some rows, the detector pixels under a triangle.

    With Joseph's triangles (`Rays.half_widths`) this is the exact adjoint of `project_rays`, and
    needs no atomics. A triangle covers at most two pixels; a half width of one is linear
    interpolation.

    Parameters
    ----------
    vectors : tuple
        Of a tile, by its length.
    detector : Detector
        What is gathered.
    first_z : float
        z of the first row, from the axis.
    n_rows : int
        At most SQUARE.
    out : ndarray, float32, flat (n_rows, n_across, lanes)
        Overwritten.
    """
    lanes = len(vectors) * VECTOR
    tables = make_square_tables()
    for left in range(0, n_across, SQUARE):
        back_project_square(
            vectors, detector, first_z, left - (n_across - 1) / 2.0,
            n_rows, min(SQUARE, n_across - left), tables, out, left * lanes, n_across * lanes,
        )  # fmt: skip


@compile_kernel
def make_square_tables() -> SquareTables:
    """Make room for a square of voxels."""
    k = np.empty(GROUP * CELLS, np.int32)
    a, b = np.empty(GROUP * CELLS, np.float32), np.empty(GROUP * CELLS, np.float32)
    down, along = np.empty(CELLS, np.float32), np.empty(CELLS, np.float32)
    for c in range(CELLS):
        down[c], along[c] = np.float32(c // SQUARE), np.float32(c % SQUARE)
    return k, a, b, down, along


@compile_into_callers
def back_project_square(
    vectors: tuple[int, ...],
    detector: Detector,
    z: float,
    x: float,
    n_rows: int,
    n_columns: int,
    tables: SquareTables,
    out: Floats,
    origin: int,
    row_step: int,
) -> None:
    """`back_project_rays` for a square of voxels, which all angles pass while it is in the cache.

    Parameters
    ----------
    z, x : float
        The first voxel, from the axis.
    n_rows, n_columns : int
        At most SQUARE each.
    tables : tuple of ndarray
        From `make_square_tables`.
    origin, row_step : int
        Floats from the start of `out` to the first voxel, and from row to row.
    """
    sinogram, width, cosines, sines, half_widths, axis_u = detector
    k, a, b, down, along = tables
    lanes = len(vectors) * VECTOR
    pitch = (width + 3) * lanes
    for g in range(0, cosines.shape[0], GROUP):
        for r in range(GROUP):
            sine, cosine = sines[g + r], cosines[g + r]
            corner = axis_u[g + r] + z * sine + x * cosine
            _find_pixels(
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


@compile_into_callers
def _find_pixels(
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


@compile_kernel
def descend_rays(
    vectors: tuple[int, ...],
    detector: Detector,
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
    block = make_aligned(SQUARE * n_across * lanes)
    for first in range(start, stop, SQUARE):
        n = min(SQUARE, stop - first)
        back_project_rays(
            vectors, detector, first - (n_rows - 1) / 2.0, n, n_across, block
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
