"""Families of simulated objects: what microscopists bring, drawn at random.

Every family is a function ``(rng, coordinates) -> density`` with ``coordinates`` a tuple of
broadcastable arrays (z, x, y) in units of half the field of view and densities of order one.
Objects are drawn on a grid finer than the network's and averaged down, which anti-aliases them
and keeps the simulation from sharing its grid with the reconstruction.
Sizes are drawn on logarithmic scales, down to two pixels of 128: a field of view may hold one
particle or a hundred.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .frames import Coordinates, Floats, log_uniform, spot
from .materials import device, film, foam, gyroid, matrix, needle, porous, spinodal
from .particles import core_shell, ellipsoids, faceted, fibres, grains, lattice, smooth

Family = Callable[[np.random.Generator, Coordinates], Floats]
#: Families whose objects lie inside the field of view, and can be drawn small.
_COMPACT = (
    ellipsoids,
    core_shell,
    faceted,
    porous,
    fibres,
    gyroid,
    lattice,
    smooth,
    grains,
    device,
)


def crowd(rng: np.random.Generator, at: Coordinates) -> Floats:
    """Many small objects of one family: powders, clusters, catalysts."""
    family = _COMPACT[rng.integers(len(_COMPACT))]
    out = np.zeros(np.broadcast_shapes(*(c.shape for c in at)), np.float32)
    size = log_uniform(rng, 0.18, 0.5)
    n = round(float(rng.uniform(0.5, 1.5)) / size**2)
    for _ in range(n):
        centre = spot(rng, 0.9 - size) * [1, 1, size]
        around = [_fours(axis.ravel(), c, size) for axis, c in zip(at[:2], centre, strict=False)]
        box = (around[0], around[1], slice(None))
        near = (at[0][around[0]], at[1][:, around[1]], at[2])
        u = tuple((c - np.float32(m)) / np.float32(size) for c, m in zip(near, centre, strict=True))
        out[box] = np.maximum(out[box], family(rng, (u[0], u[1], u[2])))
    return out


def _fours(axis: Floats, centre: float, half: float) -> slice:
    """Which pixels of an axis lie around a place, in fours: noise is drawn four times coarser."""
    first, last = np.searchsorted(axis, (centre - half, centre + half)) // 4 * 4
    return slice(int(first), int(last))


#: Drawn in training.
FAMILIES: dict[str, Family] = {
    f.__name__: f
    for f in (
        ellipsoids, core_shell, faceted, porous, needle, fibres,
        gyroid, lattice, smooth, grains, device, film, matrix, foam, spinodal, crowd,
    )
}  # fmt: skip
#: Families whose objects leave the field of view across the tilt axis.
EXTENDED = ("film", "matrix")


def draw(rng: np.random.Generator, at: Coordinates, families: dict[str, Family]) -> Floats:
    """Draw one object; in one field of view of four, two families meet."""
    names = list(families)
    out = families[names[rng.integers(len(names))]](rng, at)
    if rng.random() < 0.25:
        other = families[names[rng.integers(len(names))]](rng, at)
        out = _combined(rng, out, other)
    return np.broadcast_to(out, np.broadcast_shapes(*(c.shape for c in at))).astype(np.float32)


def _combined(rng: np.random.Generator, out: Floats, other: Floats) -> Floats:
    """Lay two objects over one another, fill one with the other, or carve one by the other."""
    way = rng.random()
    if way < 0.4:
        return np.maximum(out, other)
    if way < 0.7:  # the inside of one has the structure of the other
        return np.where(out > 0, np.maximum(other, np.float32(0.3) * out), np.float32(0))
    return np.where(other > 0, np.float32(rng.uniform(0, 0.5)) * out, out)
