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


def descend(x: Floats, step: Floats, weights: Floats, nonnegative: bool) -> None:
    """``x += weights * step`` in place, clipped at zero if asked; all (z, x, y)."""
    columns = np.ascontiguousarray(weights[:, :, 0], np.float32)
    floor = np.float32(0.0 if nonnegative else -np.inf)
    run_on_cores(
        partial(_descend, x[part], step[part], columns[part], floor) for part in _rows(x.shape[0])
    )


def shrink_gradient(p: Floats, x: Floats, sigma: float, weights: Floats) -> None:
    """Dual step of total variation: ``p = project(p + sigma * grad x)`` onto discs.

    Parameters
    ----------
    p : ndarray, float32, (2, z, x, y)
        The dual field along z and x; updated in place.
    x : ndarray, float32, (z, x, y)
        The extrapolated volume.
    sigma : float
        Dual step.
    weights : ndarray, float32, (n_slices,)
        Radius of the discs: the weight of the total variation in each slice.
    """
    run_on_cores(
        partial(_shrink, p, x, np.float32(sigma), weights, part.start, part.stop)
        for part in _rows(x.shape[0])
    )


def primal_step(
    x: Floats, extrapolated: Floats, p: Floats, back: Floats, tau: Floats, nonnegative: bool
) -> None:
    """``x' = x - tau (back - div p)``, clipped; ``extrapolated = 2 x' - x``; both in place."""
    steps = np.ascontiguousarray(tau[:, :, 0], np.float32)
    floor = np.float32(0.0 if nonnegative else -np.inf)
    run_on_cores(
        partial(_primal, x, extrapolated, p, back, steps, floor, part.start, part.stop)
        for part in _rows(x.shape[0])
    )


def _rows(n: int) -> list[slice]:
    n_parts = min(n, 4 * available_cores())
    edges = np.linspace(0, n, n_parts + 1).astype(int)
    return [slice(a, b) for a, b in itertools.pairwise(edges)]


@numba.njit(**_OPTIONS)
def _descend(x: Floats, step: Floats, weights: Floats, floor: np.float32) -> None:
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            w = weights[i, j]
            for s in range(x.shape[2]):
                x[i, j, s] = max(x[i, j, s] + w * step[i, j, s], floor)


@numba.njit(**_OPTIONS)
def _shrink(
    p: Floats, x: Floats, sigma: np.float32, weights: Floats, start: int, stop: int
) -> None:
    nz, nx, ns = x.shape
    tiny = np.float32(1e-20)
    one = np.float32(1.0)
    for i in range(start, stop):
        below = min(i + 1, nz - 1)  # a zero difference at the border: Neumann
        for j in range(nx):
            right = min(j + 1, nx - 1)
            for s in range(ns):
                pz = p[0, i, j, s] + sigma * (x[below, j, s] - x[i, j, s])
                px = p[1, i, j, s] + sigma * (x[i, right, s] - x[i, j, s])
                scale = min(one, weights[s] / np.sqrt(pz * pz + px * px + tiny))
                p[0, i, j, s] = pz * scale
                p[1, i, j, s] = px * scale


@numba.njit(**_OPTIONS)
def _primal(
    x: Floats,
    extrapolated: Floats,
    p: Floats,
    back: Floats,
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
                old = x[i, j, s]
                new = max(old - step * (back[i, j, s] - divergence), floor)
                x[i, j, s] = new
                extrapolated[i, j, s] = np.float32(2.0) * new - old
