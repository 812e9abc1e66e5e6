"""The dual field of the total variation, inside the kernels of `fused`.

At every voxel it has a part along the rows' axis and one along a row, and is held to a disc whose
radius is the weight of the total variation.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray

from ..projector.numba_kernels import OPTIONS
from ..projector.vectors import (
    VECTOR,
    add,
    load,
    minimum,
    multiply,
    multiply_add,
    over_root,
    spread,
    store,
    subtract,
)

Floats = NDArray[np.float32]


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
def advance(
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
    radii: Floats,
    x: Floats,
    row_step: int,
    p: Floats,
    prior: Floats | None,
    prior_radii: Floats,
    q: Floats,
    row: int,
    n_across: int,
    out: Floats,
) -> None:
    """Write what `descend` of `fused` expects above row ``row + 1``; arguments as there."""
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
