"""Held-back families on which nothing was chosen, but whose figures are known by now.

They were written before any method was run on them and are not changed for how it fares.
"""

from __future__ import annotations

import numpy as np
import scipy.ndimage
from numpy.typing import NDArray

from napari_wedgefill.training.frames import Coordinates, Floats, rotation
from napari_wedgefill.training.phantoms import Family

Points = NDArray[np.float64]


def aggregate(rng: np.random.Generator, at: Coordinates) -> Floats:
    """Return soot: a fractal aggregate of equal primary spheres, some decorated with metal.

    References
    ----------
    P. Meakin, Physical Review Letters 51, 1119-1122 (1983).
    """
    sintering = rng.uniform(0.02, 0.15)
    centres = _cluster_aggregation(rng, int(rng.integers(20, 101)), 2.0 * (1.0 - sintering))
    centres -= (centres.max(axis=0) + centres.min(axis=0)) / 2
    radius = rng.uniform(0.65, 0.85) / (np.linalg.norm(centres[:, :2], axis=1).max() + 1.0)
    # The slab cuts where the most primaries are: elsewhere a fractal is mostly empty.
    crossed = np.abs(centres[:, None, 2] - centres[None, :, 2]) < 0.8
    centres[:, 2] -= centres[np.argmax(np.count_nonzero(crossed, axis=1)), 2]
    centres = centres * radius + np.array([0.0, 0.0, float(at[2].mean())])
    out = np.zeros(np.broadcast_shapes(*(c.shape for c in at)), np.float32)
    decorated = rng.random() < 0.5
    shell = rng.uniform(0.3, 0.6) if decorated else rng.uniform(0.7, 1.0)
    core = shell * rng.uniform(0.6, 1.0)
    for centre in centres:
        _stamp(out, at, centre, radius, shell)
    for centre in centres:  # after every shell: where two spheres sinter, both keep their core
        _stamp(out, at, centre, 0.5 * radius, core)
    if decorated:
        for _ in range(rng.integers(10, 60)):
            outward = rng.standard_normal(3)
            outward *= radius / np.linalg.norm(outward)
            metal = centres[rng.integers(len(centres))] + outward
            _stamp(out, at, metal, radius * rng.uniform(0.2, 0.35), 1.0)
    return out


def _stamp(out: Floats, at: Coordinates, centre: Points, radius: float, density: float) -> None:
    box, inside = ball(at, centre, radius)
    out[box][inside] = density


def ball(
    at: Coordinates, centre: Points, radius: float
) -> tuple[tuple[slice, ...], NDArray[np.bool_]]:
    """Return the box around a sphere, and which of its voxels are inside."""
    box = tuple(
        slice(*np.searchsorted(axis.ravel(), (c - radius, c + radius)))
        for axis, c in zip(at, centre, strict=True)
    )
    z, x, y = (
        axis.ravel()[part] - np.float32(c) for axis, part, c in zip(at, box, centre, strict=True)
    )
    squared = z[:, None, None] ** 2 + x[None, :, None] ** 2 + y[None, None, :] ** 2
    return box, squared < radius**2


def _cluster_aggregation(rng: np.random.Generator, n: int, contact: float) -> Points:
    """Centres of `n` unit spheres joined by diffusion-limited cluster aggregation, (n, 3)."""
    clusters = [np.zeros((1, 3)) for _ in range(n)]
    while len(clusters) > 1:
        first, second = sorted(rng.choice(len(clusters), 2, replace=False))
        moving = clusters.pop(second)
        clusters[first] = _join(rng, clusters[first], moving, contact)
    return clusters[0]


def _join(rng: np.random.Generator, resting: Points, moving: Points, contact: float) -> Points:
    """Let one cluster diffuse until it touches the other."""
    resting = resting - resting.mean(axis=0)
    moving = (moving - moving.mean(axis=0)) @ rotation(rng).T
    reach = sum(np.linalg.norm(c, axis=1).max() for c in (resting, moving)) + contact
    place = _direction(rng) * reach
    while True:
        offsets = (moving + place)[:, None] - resting[None]
        gap = float(np.linalg.norm(offsets, axis=2).min()) - contact
        if gap < 0.02:
            return np.concatenate([resting, moving + place])
        # Brownian motion first leaves the largest empty ball anywhere on its surface.
        place = place + _direction(rng) * gap
        if np.linalg.norm(place) > 3.0 * reach:
            place = _direction(rng) * reach


def _direction(rng: np.random.Generator) -> Points:
    vector = rng.standard_normal(3)
    return np.asarray(vector / np.linalg.norm(vector))


def cells(rng: np.random.Generator, at: Coordinates) -> Floats:
    """Return a chip of embedding resin with closed, thin-walled vesicles and granular contents."""
    turn = np.deg2rad(rng.normal(0, 8))
    down = np.cos(turn) * at[0] - np.sin(turn) * at[1]
    along = np.sin(turn) * at[0] + np.cos(turn) * at[1]
    half, length = rng.uniform(0.25, 0.45), rng.uniform(0.65, 0.85)
    resin = (down / half) ** 8 + (along / length) ** 8 + 0 * at[2] < 1
    texture = _texture(rng, at, rng.uniform(0.015, 0.03))
    out = np.float32(rng.uniform(0.12, 0.25)) * (1 + np.float32(0.15) * texture)
    placed: list[tuple[Points, float]] = []
    for _ in range(rng.integers(20, 60)):
        radius = rng.uniform(0.06, 0.28)
        where = rng.uniform([-half, -length, -radius], [half, length, radius])
        if any(np.linalg.norm(where - c) < radius + r + 0.03 for c, r in placed):
            continue
        placed.append((where, radius))
        middle = np.array([np.cos(turn) * where[0] + np.sin(turn) * where[1],
                           np.cos(turn) * where[1] - np.sin(turn) * where[0],
                           where[2] + float(at[2].mean())])  # fmt: skip
        _vesicle(rng, out, at, middle, radius, texture)
    return np.asarray((out * resin).clip(0, None), np.float32)


def _vesicle(
    rng: np.random.Generator,
    out: Floats,
    at: Coordinates,
    centre: Points,
    radius: float,
    texture: Floats,
) -> None:
    """Draw a closed membrane, a lumen, and now and then an inner membrane or dense granules."""
    z, x, y = (axis - np.float32(c) for axis, c in zip(at, centre, strict=True))
    distance = np.sqrt(z**2 + x**2 + y**2)
    wobble = np.zeros_like(distance)
    for _ in range(3):
        k = _direction(rng) * rng.uniform(1.5, 3.5) / np.maximum(radius, 0.05)
        wobble += np.cos(k[0] * z + k[1] * x + k[2] * y + rng.uniform(0, 2 * np.pi))
    surface = np.float32(radius) * (1 + np.float32(0.06) * wobble)
    wall = rng.uniform(0.02, 0.04)
    membrane, lumen = rng.uniform(0.6, 1.0), rng.uniform(0.05, 0.4)
    inside = distance < surface
    contents = np.float32(lumen) * (1 + np.float32(0.3) * texture)
    out[inside] = contents[inside]
    out[inside & (distance > surface - wall)] = membrane
    if rng.random() < 0.3 and radius > 0.12:
        inner = surface * rng.uniform(0.55, 0.75)
        out[(distance < inner) & (distance > inner - 0.7 * wall)] = membrane
    elif rng.random() < 0.5:
        for _ in range(rng.integers(1, 6)):
            granule = centre + _direction(rng) * radius * rng.uniform(0, 0.6)
            _stamp(out, at, granule, radius * rng.uniform(0.08, 0.2), rng.uniform(0.5, 1.0))


def _texture(rng: np.random.Generator, at: Coordinates, grain: float) -> Floats:
    """Granular noise of zero mean and unit variance, smooth over `grain` half fields of view."""
    shape = np.broadcast_shapes(*(c.shape for c in at))
    pixel = float(at[0][1, 0, 0] - at[0][0, 0, 0])
    sigma = grain / pixel
    noise = rng.standard_normal(shape, dtype=np.float32)
    # Slices lie two fine pixels apart.
    noise = scipy.ndimage.gaussian_filter(noise, (sigma, sigma, sigma / 2), mode="wrap")
    return np.asarray(noise / noise.std(), np.float32)


FAMILIES: dict[str, Family] = {f.__name__: f for f in (aggregate, cells)}
