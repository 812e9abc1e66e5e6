"""A head, on which settings were chosen."""

from __future__ import annotations

import numpy as np

from napari_wedgefill.training.frames import Coordinates, Floats


def head(rng: np.random.Generator, at: Coordinates) -> Floats:
    """Return a skull of nested ellipsoids with soft tissue inside, after Shepp and Logan."""
    z, x, y = at
    turn = rng.uniform(0, np.pi)
    c, s = np.cos(turn), np.sin(turn)
    a, b = c * z + s * x, -s * z + c * x
    outer = rng.uniform(0.6, 0.8), rng.uniform(0.45, 0.65)
    r = (a / outer[0]) ** 2 + (b / outer[1]) ** 2 + (y / 0.9) ** 2
    out = np.where(r < 1, np.float32(1.0), np.float32(0.0))
    out[r < rng.uniform(0.8, 0.9)] = rng.uniform(0.2, 0.35)
    for _ in range(rng.integers(4, 9)):
        centre = rng.uniform(-0.3, 0.3, 2)
        radii = rng.uniform(0.04, 0.22, 3)
        inside = ((a - centre[0]) / radii[0]) ** 2 + ((b - centre[1]) / radii[1]) ** 2
        out[(inside + (y / radii[2]) ** 2 < 1) & (r < 0.8)] += rng.uniform(-0.2, 0.3)
    return out.clip(0, None)
