"""Soot, whose figures were known when the model was made."""

from __future__ import annotations

import numpy as np

from benchmarks.quality.families.drawing import Points, direction, stamp
from napari_wedgefill.training.frames import Coordinates, Floats, rotation


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
        stamp(out, at, centre, radius, shell)
    for centre in centres:  # after every shell: where two spheres sinter, both keep their core
        stamp(out, at, centre, 0.5 * radius, core)
    if decorated:
        for _ in range(rng.integers(10, 60)):
            outward = rng.standard_normal(3)
            outward *= radius / np.linalg.norm(outward)
            metal = centres[rng.integers(len(centres))] + outward
            stamp(out, at, metal, radius * rng.uniform(0.2, 0.35), 1.0)
    return out


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
    place = direction(rng) * reach
    while True:
        offsets = (moving + place)[:, None] - resting[None]
        gap = float(np.linalg.norm(offsets, axis=2).min()) - contact
        if gap < 0.02:
            return np.concatenate([resting, moving + place])
        # Brownian motion first leaves the largest empty ball anywhere on its surface.
        place = place + direction(rng) * gap
        if np.linalg.norm(place) > 3.0 * reach:
            place = direction(rng) * reach
