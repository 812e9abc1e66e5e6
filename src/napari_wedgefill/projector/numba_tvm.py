"""Kernels of total-variation minimisation, each of which crosses memory once.

A step touches the whole volume and three more arrays of its size, so it waits for memory rather
than for arithmetic; written one operation after the other it would cross memory several times.
All arrays are flat parts of tiles, slices innermost.

The dual field of the total variation has, at every voxel, a part along the rows' axis and one along
a row, and is held to a disc whose radius is the weight of the total variation.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
from numpy.typing import NDArray

from .numba_kernels import OPTIONS, SQUARE, Detector, back_project_square, make_square_tables
from .vectors import (
    VECTOR,
    add,
    fetch,
    load,
    make_aligned,
    maximum,
    minimum,
    multiply,
    multiply_add,
    over_root,
    spread,
    store,
    subtract,
)

Floats = NDArray[np.float32]

#: Bytes of the next rows that are fetched from memory while their back projection is worked out:
#: what the second-level cache holds beside it.
FETCH_BYTES = 384 << 10


class TvmTile(NamedTuple):
    """A few slices of the volume and of its dual variables.

    Attributes
    ----------
    x : ndarray, float32, flat (n_rows + padding, n_across + padding, lanes)
        The volume, with one sample of padding before each axis.
    row_step : int
        Floats from row to row of `x`.
    p : ndarray, float32, flat (n_rows, n_across, 2, lanes)
        The dual field along the rows' axis and along a row.
    radii : ndarray, float32, (lanes,)
        Of the discs that `p` is held to: the weight of the total variation in each slice.
    q, prior_radii : ndarrays as `p` and `radii`
        Of the difference from the prior; not read where there is none.
    slope : ndarray, float32, flat (n_rows, n_across, lanes)
        The back projected dual variable of the data.
    """

    x: Floats
    row_step: int
    p: Floats
    radii: Floats
    q: Floats
    prior_radii: Floats
    slope: Floats


class Steps(NamedTuple):
    """How far a step goes.

    Attributes
    ----------
    sigma : float32
        The dual step of the gradient.
    tau : ndarray, float32, (n_rows, n_across)
        The primal steps.
    boost : float32
        How many steps a sweep has, by which the change of the slope counts more.
    floor : float32
        Least density.
    """

    sigma: np.float32
    tau: Floats
    boost: np.float32
    floor: np.float32


@numba.njit(**OPTIONS)
def shrink(
    here: Any, right: Any, under: Any, old_z: Any, old_x: Any, rate: Any, radius: Any
) -> Any:
    """Dual step of the total variation at one voxel: the dual field along z and x."""
    new_z = multiply_add(rate, subtract(under, here), old_z)
    new_x = multiply_add(rate, subtract(right, here), old_x)
    tiny = spread(np.float32(1e-20))
    square = multiply_add(new_z, new_z, multiply_add(new_x, new_x, tiny))
    scale = minimum(spread(np.float32(1.0)), over_root(radius, square))
    return multiply(new_z, scale), multiply(new_x, scale)


@numba.njit(**OPTIONS)
def advance_field(
    field: Floats, o: int, lanes: int, here: Any, right: Any, under: Any, rate: Any, radius: Any
) -> Any:
    """Take a dual step in place at one voxel and return twice the new field less the old one."""
    old_z, old_x = load(field, o), load(field, o + lanes)
    new_z, new_x = shrink(here, right, under, old_z, old_x, rate, radius)
    store(field, o, new_z)
    store(field, o + lanes, new_x)
    two = spread(np.float32(2.0))
    return subtract(multiply(two, new_z), old_z), subtract(multiply(two, new_x), old_x)


@numba.njit(**OPTIONS)
def extrapolate_row(
    vectors: tuple[int, ...],
    sigma: np.float32,
    tile: TvmTile,
    prior: Floats | None,
    row: int,
    n_across: int,
    out: Floats,
) -> None:
    """Write what `descend_tvm` expects above row ``row + 1``; arguments as there."""
    x, row_step, p, radii, q, prior_radii, _ = tile
    lanes = len(vectors) * VECTOR
    rate, two = spread(sigma), spread(np.float32(2.0))
    for j in range(n_across):
        i = (row + 1) * row_step + (j + 1) * lanes
        right = i + lanes if j < n_across - 1 else i
        o = 2 * (row * n_across + j) * lanes
        for v in range(len(vectors)):
            s = v * VECTOR
            here, beside, under = load(x, i + s), load(x, right + s), load(x, i + row_step + s)
            old_z, old_x = load(p, o + s), load(p, o + lanes + s)
            new_z, _ = shrink(here, beside, under, old_z, old_x, rate, load(radii, s))
            ahead = subtract(multiply(two, new_z), old_z)
            if prior is not None:
                old_z, old_x = load(q, o + s), load(q, o + lanes + s)
                new_z, _ = shrink(
                    subtract(here, load(prior, i + s)),
                    subtract(beside, load(prior, right + s)),
                    subtract(under, load(prior, i + row_step + s)),
                    old_z, old_x, rate, load(prior_radii, s),
                )  # fmt: skip
                ahead = add(ahead, subtract(multiply(two, new_z), old_z))
            store(out, j * lanes + s, ahead)


@numba.njit(**OPTIONS)
def advance_dual(
    vectors: tuple[int, ...],
    change: Floats,
    pitch: int,
    measured: Floats,
    rates: Floats,
    common: Floats,
    dual: Floats,
    squares: Floats,
) -> None:
    """Advance the dual variable of some tilts, as `precondition_dual` of `reconstruct.tvm` says.

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
    shared = make_aligned(n_common * VECTOR)
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
def descend_tvm(
    vectors: tuple[int, ...],
    detector: Detector,
    tile: TvmTile,
    steps: Steps,
    prior: Floats | None,
    start: int,
    stop: int,
    edges: tuple[Floats, Floats],
) -> None:
    """Dual step of the total variation, then the primal step, in the rows ``start:stop``.

    ``p' = project(p + sigma grad x)``, ``slope += change`` and then ``x = max(x - tau (slope +
    boost change - div (2 p' - p)), floor)``, where `change` is the back projection of what the
    detector holds. With a prior, the difference from it has a dual field `q` that is treated as `p`
    is. A row of x is overwritten only when nothing needs its old values any more, so nothing but x,
    the prior, the dual fields and `slope` is read or written.

    Parameters
    ----------
    prior : ndarray, float32, as `x` of the tile
        The volume to stay near to, or None. (numba compiles a kernel of its own for None only where
        it is an argument.)
    edges : tuple of two ndarrays, float32, flat (n_across, lanes)
        ``2 p' - p`` (and the same of `q`) along the rows' axis in row ``start - 1``, zero for the
        first row, overwritten; and row `stop` of `x` before the step.
    """
    x, row_step, p, radii, q, prior_radii, slope = tile
    sigma, tau, boost, floor = steps
    above, below = edges
    n_rows, n_across = tau.shape
    n_vectors = len(vectors)
    lanes = n_vectors * VECTOR
    least, rate, further = spread(floor), spread(sigma), spread(boost)
    tables = make_square_tables()
    n_fetched = FETCH_BYTES // (16 * n_across * lanes)
    block, left = make_aligned(SQUARE * n_across * lanes), make_aligned(lanes)
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
            back_project_square(
                vectors, detector, first - (n_rows - 1) / 2.0, side - (n_across - 1) / 2.0,
                n, n_columns, tables, block, side * lanes, n_across * lanes,
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
                    ahead_z, ahead_x = advance_field(
                        p, 2 * o + s, lanes, here, beside, next_row, rate, load(radii, s)
                    )
                    if prior is not None:
                        more_z, more_x = advance_field(
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
