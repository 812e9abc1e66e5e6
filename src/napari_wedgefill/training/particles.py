"""Simulated objects that lie in the field of view: particles, fibres, crystals, blobs.

See `phantoms`.
"""

from __future__ import annotations

import numpy as np

from .frames import (
    Coordinates,
    Floats,
    few_or_many,
    local,
    log_uniform,
    rotation,
    smooth_noise,
    spot,
    voronoi,
)


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
