"""CPU kernels: slices innermost, a tile of neighbouring slices at a time.

Every slice shares one geometry, so where a ray meets a row is worked out once for all slices of a
tile, many rays at a time, and the rest is plain vector arithmetic. Four rows (forward) or four
angles (adjoint) are summed before a partial sum is stored: the store costs more than the sum.

The kernels release the GIL and `ParallelBeam` runs them on its own threads, because numba's
threading layers may not be entered from two Python threads at once, and napari does just that.
"""

from __future__ import annotations

import math

import numba
import numpy as np
from numpy.typing import NDArray

from .vectors import (
    VECTOR,
    add,
    floor,
    load,
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

#: Slices in a full strip. Wider strips share the index arithmetic further, until rows leave L2.
LANES = 64
#: Rows or angles summed before a store.
GROUP = 4
# Without "fastmath": it would let sums be reordered, and differently for tiles of another width.
OPTIONS = {"nogil": True, "cache": True, "error_model": "numpy"}


def padded_lanes(n_slices: int) -> int:
    """Slices of a tile that holds `n_slices`: few different numbers, for each is compiled."""
    lanes = VECTOR
    while lanes < n_slices:
        lanes *= 2
    return lanes


@numba.njit(**OPTIONS)
def forward_rays(
    vectors: tuple[int, ...],
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
    vectors : tuple
        Of a tile, by its length.
    tile : ndarray, float32, flat
        A volume with one zero sample before and two after each axis, slices innermost; rows of
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
    n_vectors = len(vectors)
    lanes = n_vectors * VECTOR
    centre, row_centre = (n_across - 1) / 2.0, (n_rows - 1) / 2.0
    k = np.empty(GROUP * VECTOR, np.int32)
    a, b = np.empty(GROUP * VECTOR, np.float32), np.empty(GROUP * VECTOR, np.float32)
    counts = np.arange(VECTOR).astype(np.float32)
    out[:] = np.float32(0.0)
    for first in range(0, n_rows, GROUP):
        i = origin + first * row_step
        for angle in range(along.shape[0]):
            slope = 1.0 / across[angle]
            shift = along[angle] * slope
            start = centre - axis_u * slope - (first - row_centre) * shift
            for left in range(0, width, VECTOR):
                at, end = start + left * slope, start + (left + VECTOR - 1) * slope
                last = (GROUP - 1) * shift
                if (
                    max(at, end) + max(0.0, -last) <= -1.0
                    or min(at, end) - max(0.0, last) >= n_across
                ):
                    continue
                for r in range(GROUP):
                    _taps(at - r * shift, slope, n_across, counts, k, a, b, r * VECTOR)
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


@numba.njit(inline="always", **OPTIONS)
def _taps(
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
