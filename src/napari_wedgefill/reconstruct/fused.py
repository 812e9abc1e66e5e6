"""Element-wise steps of the solvers, fused so that each array crosses memory once.

Written with numpy they would cost several times the projections, which are the actual work.
Each function is shared among the cores by rows of z.
"""

from __future__ import annotations

import itertools
from functools import partial

import numba
import numpy as np
from numpy.typing import NDArray

from ..projector.threads import available_cores, run_on_cores

Floats = NDArray[np.float32]
_OPTIONS = {"nogil": True, "cache": True, "fastmath": True, "error_model": "numpy"}


def shrink_gradient(p: Floats, ahead: Floats, x: Floats, sigma: float, weights: Floats) -> None:
    """Dual step of total variation: ``p' = project(p + sigma * grad x)``, ``ahead = 2 p' - p``.

    Parameters
    ----------
    p, ahead : ndarray, float32, (2, z, x, y)
        The dual field along z and x, updated in place, and where to write its extrapolation.
    x : ndarray, float32, (z, x, y)
        The volume.
    sigma : float
        Dual step.
    weights : ndarray, float32, (n_slices,)
        Radius of the discs: the weight of the total variation in each slice.
    """
    run_on_cores(
        partial(_shrink, p, ahead, x, np.float32(sigma), weights, part.start, part.stop)
        for part in _rows(x.shape[0])
    )


def primal_step(
    x: Floats, slope: Floats, change: Floats, boost: float, p: Floats, tau: Floats, floor: float
) -> None:
    """``slope += change``, then ``x -= tau (slope + boost change - div p)``, both in place.

    Parameters
    ----------
    x, slope, change : ndarray, float32, (z, x, y)
        The volume, the back-projected dual of the data, and how that last changed.
    boost : float
        Extrapolation of the change.
    p : ndarray, float32, (2, z, x, y)
        The extrapolated dual field of the total variation.
    tau : ndarray, float32, (z, x, 1)
        Primal steps.
    floor : float
        Least value allowed.
    """
    steps = np.ascontiguousarray(tau[:, :, 0], np.float32)
    run_on_cores(
        partial(
            _primal, x, slope, change, np.float32(boost), p, steps, np.float32(floor),
            part.start, part.stop,
        )
        for part in _rows(x.shape[0])
    )  # fmt: skip


def _rows(n: int) -> list[slice]:
    n_parts = min(n, 4 * available_cores())
    edges = np.linspace(0, n, n_parts + 1).astype(int)
    return [slice(a, b) for a, b in itertools.pairwise(edges)]


@numba.njit(**_OPTIONS)
def _shrink(
    p: Floats,
    ahead: Floats,
    x: Floats,
    sigma: np.float32,
    weights: Floats,
    start: int,
    stop: int,
) -> None:
    nz, nx, ns = x.shape
    tiny = np.float32(1e-20)
    one, two = np.float32(1.0), np.float32(2.0)
    for i in range(start, stop):
        below = min(i + 1, nz - 1)  # a zero difference at the border: Neumann
        for j in range(nx):
            right = min(j + 1, nx - 1)
            for s in range(ns):
                old_z, old_x = p[0, i, j, s], p[1, i, j, s]
                pz = old_z + sigma * (x[below, j, s] - x[i, j, s])
                px = old_x + sigma * (x[i, right, s] - x[i, j, s])
                scale = min(one, weights[s] / np.sqrt(pz * pz + px * px + tiny))
                p[0, i, j, s] = pz * scale
                p[1, i, j, s] = px * scale
                ahead[0, i, j, s] = two * pz * scale - old_z
                ahead[1, i, j, s] = two * px * scale - old_x


@numba.njit(**_OPTIONS)
def _primal(
    x: Floats,
    slope: Floats,
    change: Floats,
    boost: np.float32,
    p: Floats,
    tau: Floats,
    floor: np.float32,
    start: int,
    stop: int,
) -> None:
    _nz, nx, ns = x.shape
    for i in range(start, stop):
        up = np.float32(1.0 if i > 0 else 0.0)
        above = max(i - 1, 0)
        for j in range(nx):
            left_exists = np.float32(1.0 if j > 0 else 0.0)
            left = max(j - 1, 0)
            step = tau[i, j]
            for s in range(ns):
                # The last row and column of p stay zero, as their differences are.
                divergence = p[0, i, j, s] - up * p[0, above, j, s]
                divergence += p[1, i, j, s] - left_exists * p[1, i, left, s]
                now = slope[i, j, s] + change[i, j, s]
                slope[i, j, s] = now
                downhill = now + boost * change[i, j, s] - divergence
                x[i, j, s] = max(x[i, j, s] - step * downhill, floor)
