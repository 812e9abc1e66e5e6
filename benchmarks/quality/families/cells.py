"""Vesicles in resin, whose figures were known when the model was made."""

from __future__ import annotations

import numpy as np
import scipy.ndimage

from benchmarks.quality.families.drawing import Points, direction, stamp
from napari_wedgefill.training.frames import Coordinates, Floats


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
        k = direction(rng) * rng.uniform(1.5, 3.5) / np.maximum(radius, 0.05)
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
            granule = centre + direction(rng) * radius * rng.uniform(0, 0.6)
            stamp(out, at, granule, radius * rng.uniform(0.08, 0.2), rng.uniform(0.5, 1.0))


def _texture(rng: np.random.Generator, at: Coordinates, grain: float) -> Floats:
    """Granular noise of zero mean and unit variance, smooth over `grain` half fields of view."""
    shape = np.broadcast_shapes(*(c.shape for c in at))
    pixel = float(at[0][1, 0, 0] - at[0][0, 0, 0])
    sigma = grain / pixel
    noise = rng.standard_normal(shape, dtype=np.float32)
    # Slices lie two fine pixels apart.
    noise = scipy.ndimage.gaussian_filter(noise, (sigma, sigma, sigma / 2), mode="wrap")
    return np.asarray(noise / noise.std(), np.float32)
