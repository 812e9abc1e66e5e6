"""A simulated tilt series of a known object: a faceted particle on a porous support."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..projector import ParallelBeam
from ..tilt_series import TiltSeries
from ..volume import Volume

Floats = NDArray[np.float32]
WIDTH, N_SLICES = 128, 64
PIXEL_NM = 0.5
ANGLES_DEG = np.arange(-60.0, 61.0, 2.0)
#: Electrons counted per pixel where a voxel's length of the particle is crossed.
ELECTRONS_PER_VOXEL = 20.0
CENTRE_PX = (-7.0, 4.0, 0.0)  # (z, x, y) of the particle from the centre of the volume
FACET_100_PX, FACET_111_PX = 25.0, 23.0
CORE_PX = 13.0
#: (z, x, y, radius) of each void, from the particle's centre.
VOIDS_PX = ((-9.0, 12.0, 4.0, 5.0), (12.0, -8.0, -6.0, 4.0), (6.0, 14.0, -8.0, 3.0))
SHELL, CORE, SUPPORT = 1.0, 0.55, 0.18
SUPPORT_HALF_WIDTH_PX, SUPPORT_TOP_PX, SUPPORT_BOTTOM_PX = 50.0, 15.0, 29.0
N_PORES = 90


def simulated_particle(seed: int = 0) -> tuple[TiltSeries, Volume]:
    """Simulate a tilt series of a gold-like particle with a core and voids on a porous support.

    -60 to 60 degrees in steps of 2, Poisson noise; the same for the same `seed`, in a second.

    Returns
    -------
    TiltSeries
        Images (61, 64, 128), in units of voxels of gold crossed, 0.5 nm per pixel.
    Volume
        The truth, (128, 64, 128), 1 in the particle's shell.
    """
    rng = np.random.default_rng(seed)
    density = _density(rng)
    sinogram = ParallelBeam(ANGLES_DEG, WIDTH)(density)
    counts = rng.poisson(sinogram.clip(0) * ELECTRONS_PER_VOXEL)
    images = (counts / ELECTRONS_PER_VOXEL).astype(np.float32).transpose(0, 2, 1)
    told = {key: "simulated" for key in ("angles_deg", "pixel_nm", "tilt_axis")}
    series = TiltSeries.from_arrays(
        images, ANGLES_DEG, pixel_nm=PIXEL_NM, name="simulated particle", sources=told
    )
    truth = Volume.from_solver(
        density,
        voxel_nm=(PIXEL_NM, PIXEL_NM, PIXEL_NM),
        name="simulated particle truth",
        history=(f"napari-wedgefill: simulated particle, seed {seed}",),
    )
    return series, truth


def _density(rng: np.random.Generator) -> Floats:
    """Return the object in the solvers' layout (z, x, y)."""
    z, x, y = _coordinates(CENTRE_PX)
    # Tilted out of the axes of the grid, so that no facet is seen edge-on at a measured angle only.
    a, b, c = _turn_to_crystal((z, x, y))
    facets = [np.maximum(np.maximum(abs(a), abs(b)), abs(c)) - np.float32(FACET_100_PX)]
    facets.append((abs(a) + abs(b) + abs(c)) / np.float32(np.sqrt(3)) - np.float32(FACET_111_PX))
    particle = _inside(np.maximum(*facets))
    core = _inside(_ball((z, x, y), (-2.0, -4.0, 0.0, CORE_PX)))
    shell_and_core = particle * SHELL + particle * core * (CORE - SHELL)
    for void in VOIDS_PX:
        shell_and_core *= 1 - _inside(_ball((z, x, y), void))
    support = _porous_support(rng) * (1 - particle)
    return np.ascontiguousarray(shell_and_core + SUPPORT * support, dtype=np.float32)


def _porous_support(rng: np.random.Generator) -> Floats:
    """Return a flake below the particle, rounded at its ends, with spherical pores."""
    z, x, _ = at = _coordinates((0.0, 0.0, 0.0))
    middle = np.float32((SUPPORT_TOP_PX + SUPPORT_BOTTOM_PX) / 2)
    half = np.float32((SUPPORT_BOTTOM_PX - SUPPORT_TOP_PX) / 2)
    beyond = np.maximum(abs(x) - np.float32(SUPPORT_HALF_WIDTH_PX - half), 0)
    solid = _inside(np.sqrt(beyond**2 + (z - middle) ** 2) - half)
    flake = np.broadcast_to(solid, (WIDTH, WIDTH, N_SLICES)).astype(np.float32)
    pores = np.column_stack(
        [
            rng.uniform(SUPPORT_TOP_PX, SUPPORT_BOTTOM_PX, N_PORES),
            rng.uniform(-SUPPORT_HALF_WIDTH_PX, SUPPORT_HALF_WIDTH_PX, N_PORES),
            rng.uniform(-N_SLICES / 2, N_SLICES / 2, N_PORES),
            rng.uniform(2.5, 5.0, N_PORES),
        ]
    )
    for pore in pores:
        box = tuple(
            slice(max(int(p - pore[3] + n / 2) - 2, 0), int(p + pore[3] + n / 2) + 3)
            for p, n in zip(pore, flake.shape, strict=False)
        )
        around = tuple(axis[_along(box, i)] for i, axis in enumerate(at))
        flake[box] *= 1 - _inside(_ball(around, tuple(pore)))
    return flake


def _along(box: tuple[slice, ...], axis: int) -> tuple[slice, ...]:
    """Return the part of a box that applies to a broadcastable coordinate along `axis`."""
    return tuple(box[i] if i == axis else slice(None) for i in range(3))


def _coordinates(centre_px: tuple[float, float, float]) -> tuple[Floats, Floats, Floats]:
    """Broadcastable (z, x, y) in pixels from a point near the centre of the volume."""
    z, x, y = (
        (np.arange(n, dtype=np.float32) - (n - 1) / 2 - c).astype(np.float32)
        for n, c in zip((WIDTH, WIDTH, N_SLICES), centre_px, strict=True)
    )
    return z[:, None, None], x[None, :, None], y[None, None, :]


def _turn_to_crystal(at: tuple[Floats, Floats, Floats]) -> list[Floats]:
    """Coordinates along the crystal's axes, turned by 25 degrees about y and 20 about another."""
    z, x, y = at
    cos1, sin1, cos2, sin2 = (
        np.float32(f(np.deg2rad(angle))) for angle in (25, 20) for f in (np.cos, np.sin)
    )
    a, b = cos1 * z + sin1 * x, cos1 * x - sin1 * z
    return [cos2 * a + sin2 * y, b, cos2 * y - sin2 * a]


def _ball(at: tuple[Floats, ...], ball_px: tuple[float, ...]) -> Floats:
    """Signed distance to a sphere (z, x, y, radius), negative inside."""
    squares = sum((axis - np.float32(c)) ** 2 for axis, c in zip(at, ball_px, strict=False))
    return np.asarray(np.sqrt(squares) - ball_px[3], dtype=np.float32)


def _inside(distance_px: Floats) -> Floats:
    """Fill factor of a voxel at this signed distance from a surface: an anti-aliased inside."""
    return np.asarray(np.clip(np.float32(0.5) - distance_px, 0, 1), dtype=np.float32)
