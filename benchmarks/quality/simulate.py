"""Simulated objects of the held-back families, and spheres, as a microscope would record them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality import families
from benchmarks.quality.conditions import Condition
from napari_wedgefill.training.acquisition import Scheme, add_noise, record
from napari_wedgefill.training.frames import average_pairs, grid
from napari_wedgefill.training.phantoms import draw

Floats = NDArray[np.float32]
#: Slices of an object.
SLICES = 8
#: Families that settings were chosen on; families that no setting was chosen on, but whose results
#: were known when the model was made; and families whose results nobody had seen.
CHOSEN_ON, KNOWN = tuple(families.CHOSEN_ON), tuple(families.KNOWN)
UNTOUCHED, FAMILIES = tuple(families.UNTOUCHED), families.FAMILIES
#: Radii of the spheres in half fields of view: 3 to 11 px of 128.
SPHERE_RADII = (0.05, 0.05, 0.08, 0.08, 0.12, 0.17)
SPHERES = "spheres"
KINDS = (*FAMILIES, SPHERES)
#: Stacks of spheres, each with other places.
N_SPHERE_STACKS = 2
MIDDLE_Y = 0.05


@dataclass(frozen=True)
class Ball:
    """A sphere: centre (z, x, y) and radius in voxels of the reconstruction."""

    centre: tuple[float, float, float]
    radius: float


@dataclass(frozen=True, eq=False)
class Object:
    """One simulated object.

    Attributes
    ----------
    family : str
        A family's name, or "spheres".
    seed : int
        The object's number in its family.
    rows : ndarray, float32, (n_tilts, width, SLICES)
        What was recorded.
    truth : ndarray, float32, (width, width, SLICES)
        Densities.
    ideal : ndarray, float32, (n_rows, width, SLICES)
        Noise-free rows at the angles asked for.
    balls : tuple of Ball
        The spheres, if it is a stack of them.
    """

    family: str
    seed: int
    rows: Floats
    truth: Floats
    ideal: Floats
    balls: tuple[Ball, ...] = ()


def simulate(family: str, seed: int, condition: Condition, rows_deg: NDArray[np.float64]) -> Object:
    """Draw and record one object; read-out noise comes with a finite dose."""
    rng = np.random.default_rng(seed)
    at = grid(2 * condition.width, SLICES, y0=MIDDLE_Y)
    balls: tuple[Ball, ...] = ()
    if family == SPHERES:
        fine, balls = _spheres(rng, at, condition.width)
    elif family in CHOSEN_ON:
        fine = draw(rng, at, {family: FAMILIES[family]})
    else:
        fine = FAMILIES[family](rng, at)
    angles = condition.angles_deg
    scheme = Scheme(angles, 0.0, np.zeros(angles.size))
    rows = record(fine, condition.width, scheme)
    readout = 0.01 if np.isfinite(condition.electrons) else 0.0
    noisy = add_noise(rng, rows, condition.electrons, readout, 0.0)
    ideal = record(fine, condition.width, scheme, rows_deg)
    return Object(family, seed, noisy, average_pairs(fine), ideal, balls)


def simulate_all(
    condition: Condition, rows_deg: NDArray[np.float64], kinds: Sequence[str] = KINDS
) -> list[Object]:
    """All objects of a condition, of these kinds."""
    counts = dict.fromkeys(FAMILIES, condition.n_objects) | {SPHERES: N_SPHERE_STACKS}
    return [simulate(k, s, condition, rows_deg) for k in kinds for s in range(counts[k])]


def _spheres(
    rng: np.random.Generator, at: tuple[Floats, Floats, Floats], width: int
) -> tuple[Floats, tuple[Ball, ...]]:
    """Spheres of several sizes, apart from each other, centred in the stack's middle slices."""
    z, x, y = at
    out = np.zeros(np.broadcast_shapes(z.shape, x.shape, y.shape), np.float32)
    placed: list[tuple[float, float, float]] = []
    balls = []
    for radius in sorted(SPHERE_RADII, reverse=True):
        while True:
            place = rng.uniform(-0.8, 0.8, 2)
            apart = [np.hypot(place[0] - b, place[1] - c) - r - radius for b, c, r in placed]
            if np.hypot(*place) + radius < 0.85 and min(apart, default=1.0) > 0.12:
                break
        placed.append((float(place[0]), float(place[1]), radius))
        k = SLICES // 2 - int(rng.integers(2))
        squared = (z - np.float32(place[0])) ** 2 + (x - np.float32(place[1])) ** 2
        out[squared + (y - y.ravel()[k]) ** 2 < radius**2] = np.float32(rng.uniform(0.6, 1.0))
        index = (place + 1) / 2 * width - 0.5
        balls.append(Ball((float(index[0]), float(index[1]), float(k)), radius * width / 2))
    return out, tuple(balls)
