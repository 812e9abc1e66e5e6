"""Families of simulated objects: what microscopists bring, drawn at random.

Every family is a function ``(rng, coordinates) -> density`` with ``coordinates`` a tuple of
broadcastable arrays (z, x, y) in units of half the field of view and densities of order one.
Objects are drawn on a grid finer than the network's and averaged down, which anti-aliases them
and keeps the simulation from sharing its grid with the reconstruction.
Sizes are drawn on logarithmic scales, down to two pixels of 128: a field of view may hold one
particle or a hundred.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping

import numpy as np

from .crystals import atomic_film, crystallite, glass, suspension, twinned
from .frames import (
    Coordinates,
    Floats,
    about_the_axis,
    few_or_many,
    local,
    log_uniform,
    rotation,
    smooth_noise,
    spot,
    voronoi,
)

Family = Callable[[np.random.Generator, Coordinates], Floats]


def ellipsoids(rng: np.random.Generator, at: Coordinates) -> Floats:
    """Overlapping ellipsoids of several densities."""
    out = np.zeros(np.broadcast_shapes(*(c.shape for c in at)), np.float32)
    typical = log_uniform(rng, 0.03, 0.25)
    for _ in range(few_or_many(rng, 3, 16, typical / 0.2)):
        radii = typical * rng.uniform(0.4, 1.6, 3)
        u = local(at, spot(rng, 0.6), rotation(rng) / radii[:, None])
        out[u[0] ** 2 + u[1] ** 2 + u[2] ** 2 < 1] += np.float32(rng.uniform(-0.4, 1.0))
    return out.clip(0, None)


def core_shell(rng: np.random.Generator, at: Coordinates) -> Floats:
    """Spheres with shells, some hollow."""
    out = np.zeros(np.broadcast_shapes(*(c.shape for c in at)), np.float32)
    for _ in range(rng.integers(1, 10)):
        radius = rng.uniform(0.08, 0.4)
        u = local(at, spot(rng, 0.85 - radius), rotation(rng) * rng.uniform(0.8, 1.2, (3, 1)))
        r = np.sqrt(u[0] ** 2 + u[1] ** 2 + u[2] ** 2)
        core, shell = rng.uniform(0, 1), rng.uniform(0.2, 1)
        inner = radius * rng.uniform(0.3, 0.9)
        inside = r < radius
        out[inside] = np.where(r < inner, np.float32(core), np.float32(shell))[inside]
    return out


def faceted(rng: np.random.Generator, at: Coordinates) -> Floats:
    """Convex polyhedra: truncated cubes, octahedra, rods, some with a faceted core."""
    out = np.zeros(np.broadcast_shapes(*(c.shape for c in at)), np.float32)
    cube = np.eye(3)
    corners = np.array([[1, 1, 1], [1, 1, -1], [1, -1, 1], [-1, 1, 1]]) / np.sqrt(3)
    for _ in range(rng.integers(1, 7)):
        size = rng.uniform(0.12, 0.5)
        axes = rotation(rng)
        stretch = rng.uniform(0.5, 1.3, 3)
        normals = np.concatenate([cube / stretch[:, None], corners * rng.uniform(0.7, 1.3)])
        u = local(at, spot(rng, 0.7 - size / 2), axes)
        distance = np.max(
            [np.abs(sum(np.float32(c) * v for c, v in zip(n, u, strict=True))) for n in normals],
            axis=0,
        )
        out[distance < size] = np.float32(rng.uniform(0.3, 1))
        if rng.random() < 0.4:
            out[distance < size * rng.uniform(0.3, 0.8)] = np.float32(rng.uniform(0, 1))
    return out


def fibres(rng: np.random.Generator, at: Coordinates) -> Floats:
    """Rods, wires and tubes in all directions, straight or bent."""
    out = np.zeros(np.broadcast_shapes(*(c.shape for c in at)), np.float32)
    typical = log_uniform(rng, 0.015, 0.1)
    bend = rng.uniform(0, 1.5) * (rng.random() < 0.4)
    for _ in range(few_or_many(rng, 3, 16, typical / 0.06)):
        u = local(at, spot(rng, 0.5), rotation(rng))
        radius, half = typical * rng.uniform(0.5, 1.5), rng.uniform(0.2, 0.6)
        r = np.sqrt((u[0] + np.float32(bend) * u[2] ** 2) ** 2 + u[1] ** 2)
        rod = (r < radius) & (np.abs(u[2]) < half)
        if rng.random() < 0.3:
            rod &= r > radius * 0.5
        out[rod] = np.float32(rng.uniform(0.3, 1))
    return out


def lattice(rng: np.random.Generator, at: Coordinates) -> Floats:
    """Return an atomic lattice (a product of cosines to a power) cut to a polyhedron."""
    period = log_uniform(rng, 0.05, 0.25)
    u = local(at, rng.uniform(-1, 1, 3), rotation(rng) * np.pi / period)
    power = rng.integers(1, 4)
    atoms = (np.cos(u[0]) * np.cos(u[1]) * np.cos(u[2])) ** (2 * power)
    mask = faceted(rng, at) > 0
    return (atoms * mask * np.float32(rng.uniform(0.5, 1))).astype(np.float32)


def smooth(rng: np.random.Generator, at: Coordinates) -> Floats:
    """Smooth densities: blobs on filtered noise, without any edge."""
    out = np.zeros(np.broadcast_shapes(*(c.shape for c in at)), np.float32)
    typical = log_uniform(rng, 0.025, 0.15)
    for _ in range(few_or_many(rng, 3, 20, typical / 0.1)):
        u = local(at, spot(rng, 0.55), rotation(rng) / (typical * rng.uniform(0.3, 1.7, (3, 1))))
        out += np.float32(rng.uniform(0.1, 1)) * np.exp(-0.5 * (u[0] ** 2 + u[1] ** 2 + u[2] ** 2))
    if rng.random() < 0.4:
        out *= 1 + 0.3 * smooth_noise(rng, at, rng.uniform(0.03, 0.1))
    return np.asarray(out.clip(0, None) / max(1.0, float(out.max())), np.float32)


def grains(rng: np.random.Generator, at: Coordinates) -> Floats:
    """Return a polycrystal: Voronoi grains of different densities within a rounded body."""
    _, nearest, n = voronoi(rng, at, log_uniform(rng, 0.12, 0.8))
    out = rng.uniform(0.2, 1, n).astype(np.float32)[nearest]
    radii = rng.uniform(0.4, 0.85, 2)
    out[(at[0] / radii[0]) ** 2 + (at[1] / radii[1]) ** 2 + 0 * at[2] > 1] = 0
    return out


def porous(rng: np.random.Generator, at: Coordinates) -> Floats:
    """Return a porous support in an envelope, with small dense particles in its pores."""
    noise = smooth_noise(rng, at, log_uniform(rng, 0.02, 0.12))
    r = np.sqrt(at[0] ** 2 + at[1] ** 2 + 0 * at[2])
    solid = (noise > rng.uniform(-0.3, 0.6)) & (r < rng.uniform(0.5, 0.9))
    out = solid * np.float32(rng.uniform(0.15, 0.6))
    for _ in range(rng.integers(0, 12)):
        u = local(at, spot(rng, 0.75), np.eye(3) / rng.uniform(0.02, 0.08))
        out[u[0] ** 2 + u[1] ** 2 + u[2] ** 2 < 1] = np.float32(rng.uniform(0.7, 1))
    return out.astype(np.float32)


def gyroid(rng: np.random.Generator, at: Coordinates) -> Floats:
    """Return a triply periodic minimal surface in an envelope."""
    period = log_uniform(rng, 0.07, 0.5)
    u = local(at, rng.uniform(-1, 1, 3), rotation(rng) * 2 * np.pi / period)
    field = np.sin(u[0]) * np.cos(u[1]) + np.sin(u[1]) * np.cos(u[2]) + np.sin(u[2]) * np.cos(u[0])
    wall = np.abs(field) < rng.uniform(0.2, 0.6) if rng.random() < 0.5 else field > 0
    inside = at[0] ** 2 + at[1] ** 2 + 0 * at[2] < rng.uniform(0.4, 0.8) ** 2
    return (wall & inside) * np.float32(rng.uniform(0.4, 1))


def needle(rng: np.random.Generator, at: Coordinates) -> Floats:
    """Return a layered needle along the tilt axis, leaving the field of view along y."""
    z, x, y = at
    tilt = rng.uniform(-0.15, 0.15, 2)
    taper = 1 + rng.uniform(-0.4, 0.4) * y
    zc, xc = z - np.float32(tilt[0]) * y, x - np.float32(tilt[1]) * y
    roundness = rng.choice([2.0, 4.0, 8.0])
    radii = rng.uniform(0.3, 0.8, 2) * rng.uniform(0.6, 1)
    r = (np.abs(zc / radii[0]) ** roundness + np.abs(xc / radii[1]) ** roundness) * taper
    u = local(at, rng.uniform(-0.2, 0.2, 3), rotation(rng))
    out = np.full(r.shape, np.float32(rng.uniform(0.2, 0.8)))
    for _ in range(rng.integers(0, 5)):  # layers of a device
        centre, half = rng.uniform(-0.6, 0.6), rng.uniform(0.02, 0.15)
        out[np.abs(u[0] - centre) < half] = np.float32(rng.uniform(0, 1))
    for _ in range(rng.integers(0, 5)):  # fins or wires
        middle, width = rng.uniform(-0.5, 0.5, 2), rng.uniform(0.03, 0.15, 2)
        fin = (np.abs(u[0] - middle[0]) < width[0]) & (np.abs(u[1] - middle[1]) < width[1])
        out[fin] = np.float32(rng.uniform(0, 1))
    if rng.random() < 0.4:  # a protective coat
        out[r > rng.uniform(0.6, 0.9)] = np.float32(rng.uniform(0.1, 1))
    out[r > 1] = 0
    return out


def film(rng: np.random.Generator, at: Coordinates) -> Floats:
    """Return a lamella or supporting film that leaves the field of view, with inclusions."""
    normal = np.deg2rad(rng.normal(0, 12))
    axes = np.array(
        [[np.cos(normal), np.sin(normal), 0], [-np.sin(normal), np.cos(normal), 0], [0, 0, 1]]
    )
    u = local(at, np.array([rng.uniform(-0.2, 0.2), 0, 0]), axes)
    half = rng.uniform(0.03, 0.3)
    body = np.abs(u[0] + 0.03 * smooth_noise(rng, at, 0.2)) < half
    out = body * np.float32(rng.uniform(0.1, 0.7))
    typical = log_uniform(rng, 0.02, 0.12)
    for _ in range(few_or_many(rng, 2, 20, typical / 0.09)):
        place = np.array(
            [rng.uniform(-1, 1) * half * 1.5, rng.uniform(-1, 1), rng.uniform(-0.1, 0.1)]
        )
        v = local(at, place, rotation(rng) / (typical * rng.uniform(0.4, 1.6, (3, 1))))
        out[v[0] ** 2 + v[1] ** 2 + v[2] ** 2 < 1] = np.float32(rng.uniform(0, 1))
    return out.astype(np.float32)


def device(rng: np.random.Generator, at: Coordinates) -> Floats:
    """Return a piece of an integrated circuit: stacked levels of lines and the plugs between."""
    u = local(at, rng.uniform(-0.1, 0.1, 3), about_the_axis(rng, 20.0))
    half = rng.uniform(0.35, 0.75, 2)
    body = (np.abs(u[0]) < half[0]) & (np.abs(u[1]) < half[1])
    out = body * np.float32(rng.uniform(0, 0.4))
    fineness = log_uniform(rng, 0.4, 1.0)
    edges = np.cumsum(fineness * rng.uniform(0.06, 0.3, 24)) - half[0]
    for bottom, top in itertools.pairwise(edges):
        level = body & (u[0] > bottom) & (u[0] < top)
        if rng.random() < 0.3:
            out[level] = np.float32(rng.uniform(0, 1))
            continue
        across = u[rng.integers(1, 3)]
        pitch, duty = fineness * rng.uniform(0.1, 0.4), rng.uniform(0.2, 0.7)
        lines = np.mod(across + rng.uniform(0, 1), pitch) < duty * pitch
        out[level & lines] = np.float32(rng.uniform(0.2, 1))
    return out.astype(np.float32)


def matrix(rng: np.random.Generator, at: Coordinates) -> Floats:
    """Return a medium that fills the field of view, with voids, cracks and inclusions."""
    out = np.full(
        np.broadcast_shapes(*(c.shape for c in at)), np.float32(rng.uniform(0.2, 0.7)), np.float32
    )
    if rng.random() < 0.5:
        out *= 1 + np.float32(rng.uniform(0.02, 0.2)) * smooth_noise(rng, at, 0.15)
    for _ in range(rng.integers(0, 4)):
        u = local(at, spot(rng, 0.8), rotation(rng))
        out[np.abs(u[0]) < rng.uniform(0.01, 0.1)] = np.float32(rng.uniform(0, 1))
    typical = log_uniform(rng, 0.03, 0.2)
    for _ in range(few_or_many(rng, 3, 25, typical / 0.14)):
        u = local(at, spot(rng, 1.2), rotation(rng) / (typical * rng.uniform(0.4, 1.6, (3, 1))))
        out[u[0] ** 2 + u[1] ** 2 + u[2] ** 2 < 1] = np.float32(rng.uniform(0, 1))
    return out.clip(0, None)


def foam(rng: np.random.Generator, at: Coordinates) -> Floats:
    """Return a foam or an aerogel: the walls between Voronoi cells, all closed or some torn."""
    size = log_uniform(rng, 0.1, 0.5)
    (first, second), _, _ = voronoi(rng, at, size)
    half = size * rng.uniform(0.06, 0.15)
    inside = at[0] ** 2 + at[1] ** 2 + 0 * at[2] < rng.uniform(0.55, 0.85) ** 2
    wall = (second - first < 2 * half) & inside
    if rng.random() < 0.5:
        wall &= smooth_noise(rng, at, rng.uniform(0.04, 0.15)) < rng.uniform(0.3, 1.5)
    filling = np.float32(rng.uniform(0, 0.3) * (rng.random() < 0.4))
    return np.where(wall, np.float32(rng.uniform(0.4, 1)), filling * inside).astype(np.float32)


def spinodal(rng: np.random.Generator, at: Coordinates) -> Floats:
    """Return two phases as spinodal decomposition leaves them, in a rounded or a boxed body.

    Waves of one length in all directions, summed and cut at a level.

    References
    ----------
    J. W. Cahn, The Journal of Chemical Physics 42, 93-99 (1965).
    """
    number = 2 * np.pi / log_uniform(rng, 0.08, 0.35)
    field = np.zeros(np.broadcast_shapes(*(c.shape for c in at)), np.float32)
    for _ in range(24):
        u = local(at, rng.uniform(-1, 1, 3), rotation(rng) * number * rng.uniform(0.9, 1.1))
        field += np.cos(u[0])
    field /= field.std() + np.float32(1e-6)
    turned = local(at, np.zeros(3), about_the_axis(rng, 20.0))
    half, power = rng.uniform(0.4, 0.75, 2), rng.choice([2.0, 8.0])
    inside = sum(np.abs(t / h) ** power for t, h in zip(turned[:2], half, strict=True)) < 1
    out = np.where(field > rng.uniform(-0.5, 0.7), rng.uniform(0.4, 1), rng.uniform(0, 0.5))
    if rng.random() < 0.3:  # the interface is decorated
        out[np.abs(field) < rng.uniform(0.1, 0.3)] = rng.uniform(0, 1)
    return np.asarray(out * inside, np.float32)


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
        around = [
            _slice_in_fours(axis.ravel(), c, size) for axis, c in zip(at[:2], centre, strict=False)
        ]
        box = (around[0], around[1], slice(None))
        near = (at[0][around[0]], at[1][:, around[1]], at[2])
        u = tuple((c - np.float32(m)) / np.float32(size) for c, m in zip(near, centre, strict=True))
        out[box] = np.maximum(out[box], family(rng, (u[0], u[1], u[2])))
    return out


def _slice_in_fours(axis: Floats, centre: float, half: float) -> slice:
    """Which pixels of an axis lie around a place, in fours: noise is drawn four times coarser."""
    first, last = np.searchsorted(axis, (centre - half, centre + half)) // 4 * 4
    return slice(int(first), int(last))


#: Drawn in training.
FAMILIES: dict[str, Family] = {
    f.__name__: f
    for f in (
        ellipsoids, core_shell, faceted, porous, needle, fibres,
        gyroid, lattice, smooth, grains, device, film, matrix, foam, spinodal, crowd,
        crystallite, twinned, glass, atomic_film, suspension,
    )
}  # fmt: skip
#: Families whose objects leave the field of view across the tilt axis.
EXTENDED = ("film", "matrix", "atomic_film", "suspension")


def draw(rng: np.random.Generator, at: Coordinates, families: Mapping[str, Family]) -> Floats:
    """Draw one object; in one field of view of four, two families meet."""
    names = list(families)
    out = families[names[rng.integers(len(names))]](rng, at)
    if rng.random() < 0.25:
        other = families[names[rng.integers(len(names))]](rng, at)
        out = _combine(rng, out, other)
    return np.broadcast_to(out, np.broadcast_shapes(*(c.shape for c in at))).astype(np.float32)


def _combine(rng: np.random.Generator, out: Floats, other: Floats) -> Floats:
    """Lay two objects over one another, fill one with the other, or carve one by the other."""
    way = rng.random()
    if way < 0.4:
        return np.maximum(out, other)
    if way < 0.7:  # the inside of one has the structure of the other
        return np.where(out > 0, np.maximum(other, np.float32(0.3) * out), np.float32(0))
    return np.where(other > 0, np.float32(rng.uniform(0, 0.5)) * out, out)
