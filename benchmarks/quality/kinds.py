"""Kinds of specimens and series on which the quick check of a fill must be right.

None of them was looked at while training families were drawn, and none is trained on. Each is
recorded as a microscope of its kind would do it, and comes with its truth.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from napari_wedgefill.tilt_series import TiltSeries
from napari_wedgefill.training.acquisition import Scheme, add_noise, record
from napari_wedgefill.training.crystals import add_gaussians
from napari_wedgefill.training.frames import average_pairs, grid

Floats = NDArray[np.float32]
Coordinates = tuple[Floats, Floats, Floats]
WIDTH, SLICES = 96, 6
#: Gains of the tilts of `uneven_gain`.
GAINS = 0.6, 1.3


@dataclass(frozen=True, eq=False)
class Recorded:
    """A simulated series and its truth.

    Attributes
    ----------
    series : TiltSeries
        What was recorded.
    truth : ndarray, float32, (z, y, x)
        Densities.
    leaves_field : bool
        Whether matter lies outside the field of view.
    """

    series: TiltSeries
    truth: Floats
    leaves_field: bool = False


def tilt(limit_deg: float, step_deg: float) -> NDArray[np.float64]:
    """Tilts from -limit to +limit."""
    return np.arange(-limit_deg, limit_deg + step_deg / 2, step_deg)


def observe(
    rng: np.random.Generator,
    fine: Floats,
    angles_deg: NDArray[np.float64],
    electrons: float = np.inf,
    gains: NDArray[np.float64] | None = None,
    *,
    leaves_field: bool = False,
) -> Recorded:
    """Record an object drawn twice as finely, which may be wider than the field of view."""
    rows = record(fine, WIDTH, Scheme(angles_deg, 0.0, np.zeros(angles_deg.size)))
    rows = add_noise(rng, rows, electrons, 0.01 if np.isfinite(electrons) else 0.0, 0.0)
    if gains is not None:
        rows = rows * gains[:, None, None].astype(np.float32)
    margin = (fine.shape[1] - 2 * WIDTH) // 2
    field = slice(margin, margin + 2 * WIDTH)
    truth = average_pairs(fine[field, field]).transpose(0, 2, 1)
    series = TiltSeries.from_arrays(rows.transpose(0, 2, 1), angles_deg)
    return Recorded(series, truth, leaves_field)


def needle(rng: np.random.Generator, at: Coordinates, cupping: float = 0.0) -> Floats:
    """Return a needle of three materials with pores; its density may fall towards its core."""
    z, x, y = at
    phase, out = rng.uniform(0, 2 * np.pi), np.zeros((z.size, x.size, y.size), np.float32)
    angle = np.arctan2(z, x)
    radius = 0.5 * (1 + 0.06 * np.cos(3 * angle + phase) + 0.04 * np.cos(5 * angle))
    off = np.hypot(z, x) + 0 * y
    inside = off < radius
    out[inside] = 0.6
    layer = z * np.cos(phase) + x * np.sin(phase) + 0 * y
    out[inside & (np.abs(layer) < 0.12)] = 1.0
    out[inside & (np.abs(layer - 0.2) < 0.05)] = 0.3
    for _ in range(10):
        r, at_angle = 0.42 * np.sqrt(rng.random()), rng.uniform(0, 2 * np.pi)
        place = r * np.sin(at_angle), r * np.cos(at_angle), rng.uniform(-0.1, 0.1)
        distance = (z - place[0]) ** 2 + (x - place[1]) ** 2 + (y - place[2]) ** 2
        out[inside & (distance < rng.uniform(0.02, 0.07) ** 2)] = 0.05
    smooth = (1.0 - cupping * (1.0 - np.minimum(off / radius, 1.0) ** 2)).astype(np.float32)
    return out * smooth


def particles(
    rng: np.random.Generator, at: Coordinates, n: int, reach: float, sizes: tuple[float, float]
) -> Floats:
    """Return round and faceted particles, some with a core of another density."""
    z, x, y = at
    out = np.zeros((z.size, x.size, y.size), np.float32)
    for _ in range(n):
        place = rng.uniform(-reach, reach, 3) * (1, 1, 0.3)
        radius, density = rng.uniform(*sizes), rng.uniform(0.5, 1.0)
        dz, dx, dy = z - place[0], x - place[1], y - place[2]
        turn = rng.uniform(0, np.pi)
        u, v = dz * np.cos(turn) + dx * np.sin(turn), dx * np.cos(turn) - dz * np.sin(turn)
        far = np.sqrt(u**2 + v**2 + dy**2)
        if rng.random() < 0.5:
            far = np.maximum(np.maximum(abs(u), abs(v)), abs(dy) + 0 * u) * 1.2
        out[far < radius] = density
        if rng.random() < 0.5:
            out[far < 0.6 * radius] = density * rng.uniform(0.3, 1.6)
    return out


def atoms(
    rng: np.random.Generator,
    at: Coordinates,
    spacing_px: float,
    inside: Callable[[NDArray[np.float64]], NDArray[np.bool_]],
    jitter: float = 0.05,
    drawn: list[NDArray[np.float64]] | None = None,
) -> Floats:
    """Return an ordered fcc lattice (L1_2: corners heavier than faces) as Gaussians of 1.15 px.

    Where they are is added to `drawn`, (n, 3) as (z, x, y) in half fields.
    """
    z, x, y = (axis.astype(np.float64) for axis in at)
    pixel = float(x[0, 1, 0] - x[0, 0, 0]) * 2.0  # of the network's grid, in half fields
    cell = spacing_px * np.sqrt(2.0) * pixel
    reach = np.array([z.max(), x.max(), np.abs(y).max() + 4 * pixel])
    n = np.ceil(1.75 * reach.max() / cell).astype(int)
    corners = np.stack(np.meshgrid(*[np.arange(-n, n + 1)] * 3, indexing="ij"), -1).reshape(-1, 3)
    basis = np.array([[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
    weights = np.array([1.0, 0.55, 0.55, 0.55])
    q, r = np.linalg.qr(rng.standard_normal((3, 3)))
    turn = q * np.sign(np.diag(r))
    out = np.zeros((z.size, x.size, y.size), np.float32)
    sigma = 1.15 * pixel
    for offset, weight in zip(basis, weights, strict=True):
        places = (corners + offset) * cell @ turn
        places += rng.normal(0, jitter * spacing_px * pixel, places.shape)
        places = places[(np.abs(places) < reach).all(axis=1)]
        places = places[inside(places) & (rng.random(len(places)) > 0.02)]
        if drawn is not None:
            drawn.append(places)
        heights = np.full(len(places), weight, np.float32)
        add_gaussians(out, at, places, heights, sigma)
    return out


def isolated_needle(rng: np.random.Generator) -> Recorded:
    """Return a needle, +-60 degrees, 400 electrons."""
    fine = needle(rng, grid(2 * WIDTH, SLICES))
    return observe(rng, fine, tilt(60, 2), 400)


def dim_needle(rng: np.random.Generator) -> Recorded:
    """Return a needle, +-60 degrees, 60 electrons."""
    fine = needle(rng, grid(2 * WIDTH, SLICES))
    return observe(rng, fine, tilt(60, 2), 60)


def coarse_steps(rng: np.random.Generator) -> Recorded:
    """Return particles, +-65 degrees in steps of 5, 100 electrons."""
    fine = particles(rng, grid(2 * WIDTH, SLICES), 14, 0.5, (0.08, 0.2))
    return observe(rng, fine, tilt(65, 5), 100)


def cupped_needle(rng: np.random.Generator) -> Recorded:
    """Return a needle whose density falls by 15 % to its core, +-60 degrees, 400 electrons."""
    fine = needle(rng, grid(2 * WIDTH, SLICES), cupping=0.15)
    return observe(rng, fine, tilt(60, 2), 400)


def uneven_gain(rng: np.random.Generator) -> Recorded:
    """Return particles whose images are too bright or too dark by a factor each."""
    fine = particles(rng, grid(2 * WIDTH, SLICES), 14, 0.5, (0.08, 0.2))
    angles = tilt(60, 3)
    return observe(rng, fine, angles, 400, rng.uniform(*GAINS, angles.size))


def catalyst(rng: np.random.Generator) -> Recorded:
    """Return particles, +-45 degrees only, 1000 electrons."""
    fine = particles(rng, grid(2 * WIDTH, SLICES), 14, 0.5, (0.08, 0.2))
    return observe(rng, fine, tilt(45, 2), 1000)


def eds_map(rng: np.random.Generator) -> Recorded:
    """Return one element of a few particles: 15 tilts, 3 counts in a pixel on average."""
    fine = particles(rng, grid(2 * WIDTH, SLICES), 6, 0.45, (0.15, 0.3))
    return count(rng, fine, tilt(70, 10), 3.0)


def count(
    rng: np.random.Generator, fine: Floats, angles_deg: NDArray[np.float64], counts: float
) -> Recorded:
    """Record an element of an object drawn twice as finely: so many counts in a pixel of it."""
    rows = record(fine, WIDTH, Scheme(angles_deg, 0.0, np.zeros(angles_deg.size)))
    mean = float(rows[rows > 0].mean())
    counted = rng.poisson(counts * np.maximum(rows, 0.0) / mean + 0.05).astype(np.float32)
    truth = average_pairs(fine).transpose(0, 2, 1)
    return Recorded(TiltSeries.from_arrays(counted.transpose(0, 2, 1), angles_deg), truth)


def in_liquid(rng: np.random.Generator) -> Recorded:
    """Return particles in a liquid that goes on outside the field: +-60 degrees, 400 electrons."""
    n_fine, extent = 5 * WIDTH, 2.5
    at = grid(n_fine, SLICES, extent=extent)
    thickness = 0.45
    film = (np.abs(at[0]) < thickness) & (np.abs(at[1]) < extent) & (np.abs(at[2]) < 9)
    fine = np.where(film, np.float32(0.25), np.float32(0.0))
    drawn = particles(rng, at, 60, 2.3, (0.05, 0.15))
    fine = np.where((drawn > 0) & (np.abs(at[0]) < thickness - 0.05), 0.4 + 0.6 * drawn, fine)
    return observe(rng, fine.astype(np.float32), tilt(60, 2), 400, leaves_field=True)


def atomic_film(rng: np.random.Generator) -> Recorded:
    """Return a crystalline film, 4.5 px between atoms, that leaves the field on two sides."""
    n_fine, extent = 5 * WIDTH, 2.5
    at = grid(n_fine, SLICES, extent=extent)
    fine = atoms(rng, at, 4.5, lambda places: np.abs(places[:, 0]) < 0.2)
    return observe(rng, fine, tilt(60, 2), 400, leaves_field=True)


def ordered_alloy(rng: np.random.Generator) -> Recorded:
    """Return a particle of an ordered alloy, 4.5 px between atoms, 400 electrons."""
    at = grid(2 * WIDTH, SLICES)
    fine = atoms(rng, at, 4.5, lambda places: np.hypot(places[:, 0], places[:, 1]) < 0.5)
    return observe(rng, fine, tilt(65, 2), 400)


KINDS: dict[str, Callable[[np.random.Generator], Recorded]] = {
    "needle, 400 electrons": isolated_needle,
    "EDS map, 3 counts, 15 tilts": eds_map,
    "particles, gains 0.6 to 1.3": uneven_gain,
    "ordered alloy": ordered_alloy,
    "particles in liquid": in_liquid,
    "atomic film": atomic_film,
    "cupped needle": cupped_needle,
    "particles, ±45 degrees": catalyst,
    "needle, 60 electrons": dim_needle,
    "particles, steps of 5 degrees": coarse_steps,
}
