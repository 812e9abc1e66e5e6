"""What several families draw with: boxes around places, spheres and directions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from napari_wedgefill.training.frames import Coordinates, Floats

Points = NDArray[np.float64]


def box_around(at: Coordinates, centre: Points, extents: Points) -> tuple[slice, ...]:
    """Return the slices within +-`extents` of a place."""
    return tuple(
        slice(*np.searchsorted(axis.ravel(), (c - e, c + e)))
        for axis, c, e in zip(at, centre, extents, strict=True)
    )


def cut(at: Coordinates, box: tuple[slice, ...]) -> Coordinates:
    """Return the coordinates of a box."""
    z, x, y = at
    return z[box[0]], x[:, box[1]], y[..., box[2]]


def stamp(out: Floats, at: Coordinates, centre: Points, radius: float, density: float) -> None:
    """Draw a sphere."""
    box, inside = ball(at, centre, radius)
    out[box][inside] = density


def ball(
    at: Coordinates, centre: Points, radius: float
) -> tuple[tuple[slice, ...], NDArray[np.bool_]]:
    """Return the box around a sphere, and which of its voxels are inside."""
    box = box_around(at, centre, np.full(3, radius))
    z, x, y = (
        axis.ravel()[part] - np.float32(c) for axis, part, c in zip(at, box, centre, strict=True)
    )
    squared = z[:, None, None] ** 2 + x[None, :, None] ** 2 + y[None, None, :] ** 2
    return box, squared < radius**2


def direction(rng: np.random.Generator) -> Points:
    vector = rng.standard_normal(3)
    return np.asarray(vector / np.linalg.norm(vector))
