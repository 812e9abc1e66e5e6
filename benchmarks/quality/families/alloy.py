"""An aged alloy, of which no figure had been seen when the model was made."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.families.drawing import Points, box_around, cut, stamp
from napari_wedgefill.training.frames import (
    Coordinates,
    Floats,
    about_the_axis,
    local,
    rotation,
    smooth_noise,
)

#: Half length of a body that passes through the slab.
_THROUGH = 10.0
#: All precipitates lie within this of the middle: no body reaches farther.
_REACH = 0.82
#: Least and greatest ratio of a plate's diameter to its thickness.
ASPECT = 5.0, 25.0


@dataclass(frozen=True, eq=False)
class Plate:
    """A round plate: its middle, its axes (the last one is its normal), its size."""

    centre: Points
    axes: Points
    radius: float
    thickness: float


def alloy(rng: np.random.Generator, at: Coordinates) -> Floats:
    """Return a milled piece of metal with plates on the cube planes, particles and voids.

    Plates of a grain have three variants at right angles, as theta prime has in aluminium-copper.

    References
    ----------
    J. M. Silcock, T. J. Heal, H. K. Hardy, Journal of the Institute of Metals 82, 239-248
    (1953-54).
    """
    depth = _body(rng, at)
    matrix = rng.uniform(0.35, 0.6)
    texture = smooth_noise(rng, at, rng.uniform(0.08, 0.3))
    out = np.float32(matrix) * (1 + np.float32(rng.uniform(0.01, 0.04)) * texture)
    heavy, light = matrix + rng.uniform(0.2, 0.4), matrix * rng.uniform(0.2, 0.6)
    if rng.random() < 0.35:
        heavy, light = light, heavy
    for grain in _grains(rng, at, out, heavy):
        crystal = rotation(rng)
        for plate in _plates(rng, at, crystal):
            draw_plate(out, at, plate, grain, heavy)
    for _ in range(rng.integers(0, 6)):
        _dislocation(rng, out, at, heavy)
    _spheres(rng, out, at, int(rng.integers(0, 150)), (0.013, 0.05), light)
    if rng.random() < 0.5:
        _spheres(rng, out, at, int(rng.integers(2, 12)), (0.03, 0.09), 0.0)
    if rng.random() < 0.5:  # an oxide, or what the ion beam left amorphous
        out[depth < rng.uniform(0.024, 0.05)] = matrix * rng.uniform(0.4, 0.7)
    return np.asarray((out * (depth > 0)).clip(0, 1), np.float32)


def _body(rng: np.random.Generator, at: Coordinates) -> Floats:
    """How far a place is inside a needle, a lamella or a particle; negative outside."""
    kind = ("needle", "lamella", "particle")[rng.integers(3)]
    slimness = {"needle": (0.7, 1.0), "lamella": (0.2, 0.45), "particle": (0.55, 1.0)}[kind]
    halves = np.array([rng.uniform(*slimness), 1.0, rng.uniform(0.6, 1.0)])
    corner = halves.min() * (rng.uniform(0.1, 0.4) if kind == "lamella" else rng.uniform(0.5, 1))
    within = halves if kind == "particle" else halves[:2]
    scale = rng.uniform(0.68, 0.79) / (np.linalg.norm(within - corner) + corner)
    halves, corner = halves * scale, corner * scale
    if kind != "particle":
        halves[2] = _THROUGH
    axes = rotation(rng) if kind == "particle" else about_the_axis(rng, 8.0)
    off = [np.abs(u) - np.float32(h - corner)
           for u, h in zip(local(at, _middle(at), axes), halves, strict=True)]  # fmt: skip
    beyond = np.sqrt(sum(np.maximum(o, 0) ** 2 for o in off))
    within_all = np.minimum(np.maximum(np.maximum(off[0], off[1]), off[2]), 0)
    taper = rng.uniform(-0.15, 0.15) * (at[2] - at[2].mean()) * (kind == "needle")
    rough = rng.uniform(0, 0.01) * smooth_noise(rng, at, rng.uniform(0.05, 0.3))
    return np.asarray(corner - beyond - within_all + taper + rough, np.float32)


def _middle(at: Coordinates) -> Points:
    return np.array([0.0, 0.0, float(at[2].mean())])


def _grains(
    rng: np.random.Generator, at: Coordinates, out: Floats, density: float
) -> list[NDArray[np.bool_]]:
    """Where plates of each grain can be: everywhere, or on either side of a bare boundary."""
    if rng.random() < 0.55:
        return [np.ones(out.shape, np.bool_)]
    normal = rng.standard_normal(3) * [1.0, 1.0, 0.4]
    axes = np.array([normal / np.linalg.norm(normal)])
    centre = _middle(at) + np.append(rng.uniform(-0.2, 0.2, 2), 0.0)
    side = local(at, centre, axes)[0] + np.float32(0.03) * smooth_noise(rng, at, 0.5)
    bare = rng.uniform(0.03, 0.08)  # the boundary drains the solute beside it
    if rng.random() < 0.6:
        film = np.abs(side) < rng.uniform(0.012, 0.018)
        patchy = smooth_noise(rng, at, rng.uniform(0.04, 0.1)) > rng.uniform(-1, 0.5)
        out[film & patchy] = density
    return [side > bare, side < -bare]


def _plates(rng: np.random.Generator, at: Coordinates, crystal: Points) -> list[Plate]:
    """Plates on the three cube planes of a crystal, as many as make up a share of the volume."""
    thick = float(np.exp(rng.uniform(np.log(0.025), np.log(0.05))))
    aspect = float(np.exp(rng.uniform(np.log(5.5), np.log(20.0))))
    radius = thick * aspect / 2
    deep = float(np.ptp(at[2])) / 2 + radius
    volume = (2 * _REACH) ** 2 * 2 * deep
    n = round(rng.uniform(0.04, 0.16) * volume / (np.pi * radius**2 * thick))
    favour = rng.dirichlet([4.0, 4.0, 4.0])  # what ageing under stress does
    plates = []
    for variant in rng.choice(3, n, p=favour):
        thickness = thick * rng.uniform(0.95, 1.2)
        ratio = float(np.clip(aspect * np.exp(0.25 * rng.standard_normal()), *ASPECT))
        centre = _middle(at) + rng.uniform(-1, 1, 3) * [_REACH, _REACH, deep]
        axes = np.roll(crystal, 2 - variant, axis=0)
        plates.append(Plate(centre, axes, ratio * thickness / 2, thickness))
    return plates


def draw_plate(
    out: Floats, at: Coordinates, plate: Plate, grain: NDArray[np.bool_], density: float
) -> None:
    """Draw a plate as far as its grain goes."""
    normal = plate.axes[2]
    extents = plate.radius * np.sqrt((1 - normal**2).clip(0)) + plate.thickness * np.abs(normal) / 2
    box = box_around(at, plate.centre, extents)
    u, v, w = local(cut(at, box), plate.centre, plate.axes)
    inside = (u**2 + v**2 < plate.radius**2) & (np.abs(w) < plate.thickness / 2)
    out[box][inside & grain[box]] = density


def _dislocation(rng: np.random.Generator, out: Floats, at: Coordinates, density: float) -> None:
    """Draw a bowed line, thin with solute, and the small particles that grew on it."""
    heading = rng.standard_normal(3) * [1.0, 1.0, 0.06]
    heading /= np.linalg.norm(heading)
    bow = rng.uniform(-0.5, 0.5) * np.array([-heading[1], heading[0], 0.0])
    start = _middle(at) + rng.uniform(-1, 1, 3) * [0.5, 0.5, 0.03]
    radius = rng.uniform(0.012, 0.016)
    s = np.arange(-0.4, 0.4, radius / 2)[:, None]
    middle = rng.uniform(0.3, 0.6) * (density - out.mean()) + out.mean()
    for place in start + s * heading + s**2 * bow:
        stamp(out, at, place, radius, middle)
    for t in rng.uniform(-0.4, 0.4, rng.integers(3, 14)):
        stamp(out, at, start + t * heading + t**2 * bow, rng.uniform(0.018, 0.035), density)


def _spheres(
    rng: np.random.Generator,
    out: Floats,
    at: Coordinates,
    n: int,
    radii: tuple[float, float],
    density: float,
) -> None:
    """Draw particles or voids, the larger ones now and then around a core of the other kind."""
    core = rng.uniform(0.5, 0.75) * (rng.random() < 0.3 and density > 0)
    for _ in range(n):
        radius = float(np.exp(rng.uniform(*np.log(radii))))
        deep = float(np.ptp(at[2])) / 2 + 0.7 * radius
        centre = _middle(at) + rng.uniform(-1, 1, 3) * [_REACH, _REACH, deep]
        stamp(out, at, centre, radius, density)
        if core and core * radius > 0.02:
            stamp(out, at, centre, core * radius, 1.0 - density)
