"""Simulated materials: porous and structured bodies, needles, films, devices, media.

See `phantoms`.
"""

from __future__ import annotations

import itertools

import numpy as np

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
