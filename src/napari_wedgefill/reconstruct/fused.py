"""Kernels of total-variation minimisation, each of which crosses memory once.

A step touches the whole volume and three more arrays of its size, so it waits for memory rather
than for arithmetic; written one operation after the other it would cross memory several times.
All arrays are flat parts of tiles, slices innermost.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

from ..projector.adjoint_kernels import SQUARE, adjoint_square, square_tables
from ..projector.numba_kernels import OPTIONS
from ..projector.vectors import (
    VECTOR,
    add,
    aligned,
    fetch,
    load,
    maximum,
    multiply,
    multiply_add,
    spread,
    store,
    subtract,
)
from .dual_field import advance

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

#: Bytes of the next rows that are fetched from memory while their back projection is worked out:
#: what the second-level cache holds beside it.
FETCH_BYTES = 384 << 10


@numba.njit(**OPTIONS)
def dual_step(
    vectors: tuple[int, ...],
    change: Floats,
    pitch: int,
    measured: Floats,
    rates: Floats,
    common: Floats,
    dual: Floats,
    squares: Floats,
) -> None:
    """Advance the dual variable of some tilts, as `dual_steps` says.

    Parameters
    ----------
    vectors : tuple
        Of a tile, by its length.
    change : ndarray, float32, flat (n_tilts, width + padding, lanes)
        A padded sinogram that holds projections of the volume; by how much the dual variable
        changed takes their place.
    pitch : int
        Floats from tilt to tilt of `change`.
    measured, dual : ndarray, float32, flat (n_tilts, width, lanes)
        What was measured, and the dual variable, updated in place.
    rates, common : ndarray, float32, (n_tilts, width) and (n_tilts, n_common, width)
        The preconditioner.
    squares : ndarray, float32, (lanes,)
        The squares of what the volume leaves unexplained are added.
    """
    n_tilts, n_common, width = common.shape
    lanes = len(vectors) * VECTOR
    shared = aligned(n_common * VECTOR)
    for tilt in range(n_tilts):
        for v in range(len(vectors)):
            s = v * VECTOR
            total = load(squares, s)
            shared[:] = np.float32(0.0)
            for u in range(width):
                i, o = tilt * pitch + (u + 1) * lanes + s, (tilt * width + u) * lanes + s
                unexplained = subtract(load(change, i), load(measured, o))
                total = multiply_add(unexplained, unexplained, total)
                ahead = subtract(unexplained, load(dual, o))
                store(change, i, ahead)
                for k in range(n_common):
                    weight = spread(common[tilt, k, u])
                    store(shared, k * VECTOR, multiply_add(weight, ahead, load(shared, k * VECTOR)))
            store(squares, s, total)
            for u in range(width):
                i, o = tilt * pitch + (u + 1) * lanes + s, (tilt * width + u) * lanes + s
                step = multiply(spread(rates[tilt, u]), load(change, i))
                for k in range(n_common):
                    weight = spread(-common[tilt, k, u])
                    step = multiply_add(weight, load(shared, k * VECTOR), step)
                store(change, i, step)
                store(dual, o, add(load(dual, o), step))


@numba.njit(**OPTIONS)
def descend(
    vectors: tuple[int, ...],
    sinogram: Floats,
    width: int,
    cosines: Doubles,
    sines: Doubles,
    half_widths: Doubles,
    axis_u: float,
    boost: np.float32,
    sigma: np.float32,
    radii: Floats,
    tau: Floats,
    floor: np.float32,
    x: Floats,
    row_step: int,
    p: Floats,
    prior: Floats | None,
    prior_radii: Floats,
    q: Floats,
    slope: Floats,
    start: int,
    stop: int,
    above: Floats,
    below: Floats,
) -> None:
    """Dual step of the total variation, then the primal step, in the rows ``start:stop``.

    ``p' = project(p + sigma grad x)``, ``slope += change`` and then ``x = max(x - tau (slope +
    boost change - div (2 p' - p)), floor)``, where `change` is the back projection of `sinogram`.
    With a prior, the difference from it has a dual field `q` that is treated as `p` is. A row of x
    is overwritten only when nothing needs its old values any more, so nothing but x, the prior, the
    dual fields and `slope` is read or written.

    Parameters
    ----------
    radii : ndarray, float32, (lanes,)
        Of the discs that `p` is projected to: the weight of the total variation in each slice.
    tau : ndarray, float32, (n_rows, n_across)
        Primal steps.
    x : ndarray, float32, flat (n_rows + padding, n_across + padding, lanes)
        A volume with one sample of padding before each axis.
    row_step : int
        Floats from row to row of `x`.
    p : ndarray, float32, flat (n_rows, n_across, 2, lanes)
        The dual field along the rows' axis and along a row.
    prior, prior_radii, q : ndarrays as `x`, `radii` and `p`
        The volume to stay near to, or None; the other two are not read then.
    slope : ndarray, float32, flat (n_rows, n_across, lanes)
        The back projected dual variable of the data.
    above : ndarray, float32, flat (n_across, lanes)
        ``2 p' - p`` (and the same of `q`) along the rows' axis in row ``start - 1``, zero for the
        first row; overwritten.
    below : ndarray, float32, flat (n_across, lanes)
        Row `stop` of `x` before the step.
    """
    n_rows, n_across = tau.shape
    n_vectors = len(vectors)
    lanes = n_vectors * VECTOR
    least, rate, further = spread(floor), spread(sigma), spread(boost)
    k, a, b, down, along = square_tables()
    n_fetched = FETCH_BYTES // (16 * n_across * lanes)
    block, left = aligned(SQUARE * n_across * lanes), aligned(lanes)
    for first in range(start, stop, SQUARE):
        n = min(SQUARE, stop - first)
        for side in range(0, n_across, SQUARE):
            n_columns = min(SQUARE, n_across - side)
            for row in range(first, first + min(n, n_fetched)):
                i, o = (row + 1) * row_step + (side + 1) * lanes, (row * n_across + side) * lanes
                for s in range(0, n_columns * lanes, VECTOR):
                    fetch(x, i + s)
                    fetch(slope, o + s)
                    fetch(p, 2 * (o + s))
                    fetch(p, 2 * (o + s) + VECTOR)
            adjoint_square(
                vectors, sinogram, width, cosines, sines, half_widths, axis_u,
                first - (n_rows - 1) / 2.0, side - (n_across - 1) / 2.0, n, n_columns,
                k, a, b, down, along, block, side * lanes, n_across * lanes,
            )  # fmt: skip
        for row in range(first, first + n):
            left[:] = np.float32(0.0)
            for j in range(n_across):
                i = (row + 1) * row_step + (j + 1) * lanes
                # A zero difference at the border: Neumann.
                right = i + lanes if j < n_across - 1 else i
                under = i + row_step if row < n_rows - 1 else i
                step = spread(-tau[row, j])
                o = (row * n_across + j) * lanes
                for v in range(n_vectors):
                    s = v * VECTOR
                    here = load(x, i + s)
                    if row == stop - 1 and stop < n_rows:
                        next_row = load(below, j * lanes + s)
                    else:
                        next_row = load(x, under + s)
                    beside = load(x, right + s)
                    ahead_z, ahead_x = advance(
                        p, 2 * o + s, lanes, here, beside, next_row, rate, load(radii, s)
                    )
                    if prior is not None:
                        more_z, more_x = advance(
                            q, 2 * o + s, lanes,
                            subtract(here, load(prior, i + s)),
                            subtract(beside, load(prior, right + s)),
                            subtract(next_row, load(prior, under + s)),
                            rate, load(prior_radii, s),
                        )  # fmt: skip
                        ahead_z, ahead_x = add(ahead_z, more_z), add(ahead_x, more_x)
                    divergence = add(
                        subtract(ahead_z, load(above, j * lanes + s)),
                        subtract(ahead_x, load(left, s)),
                    )
                    store(above, j * lanes + s, ahead_z)
                    store(left, s, ahead_x)
                    change = load(block, o - first * n_across * lanes + s)
                    now = add(load(slope, o + s), change)
                    store(slope, o + s, now)
                    downhill = subtract(multiply_add(further, change, now), divergence)
                    store(x, i + s, maximum(multiply_add(step, downhill, here), least))
