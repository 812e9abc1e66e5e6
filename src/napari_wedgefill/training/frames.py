"""Where simulated objects live: coordinates, random frames, texture, and the way to pixels."""

from __future__ import annotations

import numpy as np
import scipy.ndimage
import scipy.spatial
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Coordinates = tuple[Floats, Floats, Floats]


def grid(n: int, n_slices: int, extent: float = 1.0, y0: float = 0.0) -> Coordinates:
    """Coordinates of ``n x n`` pixels over +-`extent` and `n_slices` slices of a pixel pair each.

    The slices are those of the network's grid, which is twice as coarse as this one.
    """
    axis = ((np.arange(n) + 0.5) / n * 2 - 1) * extent
    y = (np.arange(n_slices) - (n_slices - 1) / 2) * 4.0 * extent / n + y0
    z, x = axis[:, None, None], axis[None, :, None]
    return z.astype(np.float32), x.astype(np.float32), y[None, None, :].astype(np.float32)


def rotation(rng: np.random.Generator) -> NDArray[np.float64]:
    """Return a uniformly random rotation matrix."""
    q, r = np.linalg.qr(rng.standard_normal((3, 3)))
    return np.asarray(q * np.sign(np.diag(r)))


def local(
    coordinates: Coordinates, centre: NDArray[np.float64], axes: NDArray[np.float64]
) -> list[Floats]:
    """Coordinates along three axes from a centre, by broadcasting."""
    z, x, y = coordinates
    return [
        (
            np.float32(a[0]) * (z - np.float32(centre[0]))
            + np.float32(a[1]) * (x - np.float32(centre[1]))
            + np.float32(a[2]) * (y - np.float32(centre[2]))
        )
        for a in axes
    ]


def spot(rng: np.random.Generator, radius: float) -> NDArray[np.float64]:
    """Return a random centre within `radius` of the tilt axis, near the slab along y."""
    r, phi = radius * np.sqrt(rng.random()), rng.uniform(0, 2 * np.pi)
    return np.array([r * np.sin(phi), r * np.cos(phi), rng.uniform(-0.15, 0.15)])


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Draw a size: as many between 1 and 2 as between 2 and 4."""
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def few_or_many(rng: np.random.Generator, low: int, high: int, size: float) -> int:
    """Draw a number of things: `low` to `high` of those of size one, more of smaller ones.

    At most eight times as many: more would take longer to draw than to reconstruct.
    """
    return round(float(rng.uniform(low, high)) * min(8.0, max(1.0, size**-1.5)))


def voronoi(
    rng: np.random.Generator, at: Coordinates, size: float
) -> tuple[list[Floats], NDArray[np.intp], int]:
    """Divide space into Voronoi cells about `size` wide.

    Returns
    -------
    distances : list of ndarray
        To the nearest seed and to the next.
    nearest : ndarray of int
        The cell of every place, below the third value.
    n : int
        Number of cells.
    """
    deep = min(0.8, 2 * size)  # cells further along the axis do not reach the slab
    n = max(5, round(1.7 * 1.7 * 2 * deep / size**3))
    tree = scipy.spatial.cKDTree(rng.uniform([-0.85, -0.85, -deep], [0.85, 0.85, deep], (n, 3)))
    distances, nearest = tree.query(np.stack(np.broadcast_arrays(*at), axis=-1), k=2)
    first, second = np.moveaxis(distances.astype(np.float32), -1, 0)
    return [first, second], nearest[..., 0], n


def smooth_noise(rng: np.random.Generator, at: Coordinates, scale: float) -> Floats:
    """Gaussian noise of unit variance, smoothed over `scale` of the half field of view."""
    n, m, n_slices = (axis.size for axis in at)
    pixel = float(at[0][1, 0, 0] - at[0][0, 0, 0])
    sigma = scale / pixel / 4  # made four times coarser, then interpolated
    coarse = rng.standard_normal((n // 4, m // 4, n_slices)).astype(np.float32)
    coarse = scipy.ndimage.gaussian_filter(coarse, (sigma, sigma, sigma * 2), mode="wrap")
    coarse /= coarse.std() + 1e-9
    return scipy.ndimage.zoom(coarse, (4, 4, 1), order=1, grid_mode=True, mode="nearest")


def about_the_axis(rng: np.random.Generator, spread_deg: float) -> NDArray[np.float64]:
    """Return a rotation about the tilt axis by a few degrees, now and then by any angle."""
    turn = rng.normal(0, spread_deg) if rng.random() < 0.7 else rng.uniform(0, 180)
    c, s = np.cos(np.deg2rad(turn)), np.sin(np.deg2rad(turn))
    return np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]])


def average_pairs(fine: Floats) -> Floats:
    """Average 2 x 2 pixels of a slice stack (2 n, 2 n, n_slices)."""
    n, m, s = fine.shape
    return fine.reshape(n // 2, 2, m // 2, 2, s).mean(axis=(1, 3), dtype=np.float32)
