"""A tetrapod, on which settings were chosen."""

from __future__ import annotations

import numpy as np

from napari_wedgefill.training.frames import Coordinates, Floats, rotation


def branches(rng: np.random.Generator, at: Coordinates) -> Floats:
    """Return a tetrapod of tapering arms, each wound by a helix of beads."""
    z, x, y = at
    out = np.zeros(np.broadcast_shapes(z.shape, x.shape, y.shape), np.float32)
    arms = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / np.sqrt(3)
    turn = rotation(rng)
    density, bead = rng.uniform(0.3, 0.7), rng.uniform(0.8, 1.0)
    for arm in arms @ turn.T:
        along = arm[0] * z + arm[1] * x + arm[2] * y
        squared = z**2 + x**2 + y**2 - along**2
        radius = 0.16 - 0.12 * np.clip(along, 0, 1)
        out[(along > 0) & (along < 0.75) & (squared < radius**2)] = density
        side = np.cross(arm, [0.3, 0.5, 0.8])
        side /= np.linalg.norm(side)
        other = np.cross(arm, side)
        for t in np.arange(0.15, 0.75, 0.09):
            place = arm * t + 0.12 * (np.cos(20 * t) * side + np.sin(20 * t) * other)
            d = (z - place[0]) ** 2 + (x - place[1]) ** 2 + (y - place[2]) ** 2
            out[d < 0.04**2] = bead
    return out
