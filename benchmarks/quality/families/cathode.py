"""A particle of battery cathode, on which no method had been run when it was written."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.spatial
from numpy.typing import NDArray

from benchmarks.quality.families.drawing import Points, direction, stamp
from napari_wedgefill.training.frames import (
    Coordinates,
    Floats,
    local,
    log_uniform,
    rotation,
    smooth_noise,
)

#: Nothing is drawn farther than this from the tilt axis.
_REACH = 0.84


@dataclass(frozen=True, eq=False)
class Grains:
    """Grains at the places of a mask.

    `which` is the grain of a place, `other` that beyond its nearest boundary and `edge` the
    distance there; `out` is that from the hub that grains point at, in parts of the radius.
    """

    which: NDArray[np.intp]
    other: NDArray[np.intp]
    edge: Floats
    out: Floats
    seeds: Points


def cathode(rng: np.random.Generator, at: Coordinates) -> Floats:
    """Return a secondary particle: packed grains that cracks part, carbon or binder about it.

    Cracks follow the boundaries of the grains, from the middle outward or from the surface inward;
    grains are the longer along the radius the more the synthesis aligned them.

    References
    ----------
    H.-H. Ryu, K.-J. Park, C. S. Yoon, Y.-K. Sun, Chemistry of Materials 30, 1155-1163 (2018).
    """
    company = ("none", "carbon", "binder")[rng.choice(3, p=[0.45, 0.3, 0.25])]
    radius = rng.uniform(0.55, 0.76) if company == "none" else rng.uniform(0.48, 0.64)
    off = 0.45 * (0.78 - radius) * rng.uniform(-1, 1, 2)
    centre = np.append(off, at[2].mean() + 0.35 * radius * rng.uniform(-1, 1))
    depth = _outline(rng, at, centre, radius)
    near = depth > -0.03  # some grains stand out
    size = log_uniform(rng, 0.09, 0.3) * radius / 0.6
    grains = _grains(rng, at, near, centre, radius, size)

    height = 0.04 * size * rng.standard_normal(len(grains.seeds)).clip(-2, 2)
    groove = rng.uniform(0.02, 0.15) * size * np.exp(-grains.edge / np.float32(0.12 * size))
    depth[near] += height[grains.which].astype(np.float32) - groove.astype(np.float32)

    opening = np.float32(radius) * _opening(rng, grains, smooth_noise(rng, at, 0.15)[near])
    patches = smooth_noise(rng, at, rng.uniform(0.03, 0.07))[near]
    opening += np.float32(rng.uniform(0, 0.025)) * (patches - np.float32(rng.uniform(1, 2))).clip(0)
    solid = np.zeros(depth.shape, np.float32)
    solid[near] = _solid(rng, grains, opening, depth[near])
    _pores(rng, solid, at, centre, radius)

    out = np.zeros(depth.shape, np.float32)
    if company == "carbon":
        _carbon(rng, out, at, centre, radius)
    elif company == "binder":
        thickest = 0.8 * (_REACH - np.linalg.norm(off) - radius) - 0.02
        share = 0.4 * (smooth_noise(rng, at, 0.25) + np.float32(rng.uniform(-1, 1)))
        out[-depth < share.clip(0, 1) * thickest] = rng.uniform(0.06, 0.2)
    return np.where((depth > 0) & near, solid, out)


def _outline(rng: np.random.Generator, at: Coordinates, centre: Points, radius: float) -> Floats:
    """How far a place is inside a rough ball, now and then with a milled face."""
    squeeze = rng.uniform(0.72, 1.0, 3) if rng.random() < 0.5 else rng.uniform(0.92, 1.0, 3)
    places = local(at, centre, rotation(rng) / squeeze[:, None])
    q = np.sqrt(sum(p**2 for p in places))
    rough = sum(a * smooth_noise(rng, at, s).clip(-2, 2) for a, s in ((0.025, 0.35), (0.004, 0.08)))
    depth = (radius - q) * squeeze.mean() + rng.uniform(0, 1) * rough
    if rng.random() < 0.25:
        normal = direction(rng) * [1, 1, 0.3]
        face = local(at, centre, normal[None] / np.linalg.norm(normal))[0]
        depth = np.minimum(depth, np.float32(radius * rng.uniform(0.1, 0.6)) - face)
    return np.asarray(depth, np.float32)


def _grains(
    rng: np.random.Generator,
    at: Coordinates,
    where: NDArray[np.bool_],
    centre: Points,
    radius: float,
    size: float,
) -> Grains:
    """Divide a particle into grains: Voronoi cells of a space that is shorter along the radius."""
    aligned = rng.uniform(0.3, 1.0) if rng.random() < 0.75 else 1.0
    hub = centre + 0.15 * radius * rng.uniform(-1, 1, 3)
    index = np.nonzero(where)
    offset = np.stack([a.ravel()[i] - np.float32(h)
                       for a, i, h in zip(at, index, hub, strict=True)], axis=-1)  # fmt: skip
    # A power of the distance shortens all radii by the same factor against the arcs.
    soft = np.sqrt(np.sum(offset**2, axis=1) + np.float32(0.15 * radius) ** 2) / np.float32(radius)
    scale = soft ** np.float32(aligned - 1)
    short = offset * scale[:, None]
    low, high = short.min(axis=0) - 1.5 * size, short.max(axis=0) + 1.5 * size
    wanted = max(8, round(float(np.prod(high - low)) / size**3))
    seeds = rng.uniform(low, high, (wanted, 3))
    # One step towards the cells' middles: grains that grew together are of like sizes.
    sample = rng.uniform(low, high, (30 * wanted, 3))
    mine = scipy.spatial.cKDTree(seeds).query(sample)[1]
    count = np.bincount(mine, minlength=wanted)
    sums = np.stack([np.bincount(mine, s, minlength=wanted) for s in sample.T], axis=-1)
    seeds = np.where(count[:, None] > 0, sums / count.clip(1)[:, None], seeds)

    distance, nearest = scipy.spatial.cKDTree(seeds).query(short, k=2)
    which, other = nearest.T
    apart = np.linalg.norm(seeds[which] - seeds[other], axis=1)
    edge = (distance[:, 1] ** 2 - distance[:, 0] ** 2) / (2 * apart) / scale
    return Grains(which, other, edge.astype(np.float32), soft, seeds / radius)


def _opening(rng: np.random.Generator, grains: Grains, uneven: Floats) -> Floats:
    """Half the width of the crack at each place's boundary, in parts of the particle's radius."""
    opening = np.zeros_like(grains.edge)
    if rng.random() < 0.8:  # cracks that join up: the particle comes apart in a few pieces
        hubs = 0.5 * rng.standard_normal((rng.integers(2, 9), 3))
        piece = scipy.spatial.cKDTree(hubs).query(grains.seeds)[1]
        open_ = piece[grains.which] != piece[grains.other]
        reach = rng.uniform(0.5, 1.5)
        inward = 1 - grains.out / np.float32(reach)
        kind = ("centre", "surface", "through")[rng.choice(3, p=[0.6, 0.2, 0.2])]
        profile = {"centre": inward, "surface": 1.2 - inward, "through": 0.7 + 0 * inward}[kind]
        width = np.float32(log_uniform(rng, 0.015, 0.06))
        opening += open_ * width * profile.clip(0, 1) * (1 + np.float32(0.4) * uneven).clip(0)
    # And thin ones that do not; a pair of grains has the same number from either side.
    lot = rng.random(len(grains.seeds))
    some = (lot[grains.which] + lot[grains.other]) % 1 < rng.uniform(0, 0.35)
    thin = np.float32(rng.uniform(0.008, 0.02)) * (1 + np.float32(0.5) * uneven).clip(0)
    return np.maximum(opening, some * thin)


def _solid(rng: np.random.Generator, grains: Grains, opening: Floats, depth: Floats) -> Floats:
    """Densities of grains, their boundaries and what formed on free surfaces; none in cracks."""
    mean = rng.uniform(0.45, 0.85)
    each = mean * (1 + rng.uniform(0.005, 0.04) * rng.standard_normal(len(grains.seeds)))
    out = each.astype(np.float32)[grains.which]
    out *= 1 + np.float32(rng.uniform(-0.1, 0.1)) * (grains.out - np.float32(0.5))
    out *= 1 - np.float32(rng.uniform(0, 0.15)) * (grains.edge < 0.006)
    if rng.random() < 0.45:  # a coating, or what the electrolyte made of the surface
        thick = rng.uniform(0.018, 0.04)
        layer = depth < thick
        if rng.random() < 0.4:  # it came into the cracks as well
            layer |= (opening > 0.008) & (grains.edge < opening + np.float32(0.7 * thick))
        out[layer] = mean * (rng.uniform(0.5, 0.85) if rng.random() < 0.65 else 1.17)
    out[grains.edge < opening] = 0
    return out.clip(0, 1)


def _pores(
    rng: np.random.Generator, out: Floats, at: Coordinates, centre: Points, radius: float
) -> None:
    """Draw round pores, and now and then the hollow that a particle grew around."""
    for _ in range(rng.integers(0, 40)):
        place = centre + rng.uniform(-1, 1, 3) * radius
        place[2] = rng.uniform(at[2].min() - 0.01, at[2].max() + 0.01)
        stamp(out, at, place, log_uniform(rng, 0.01, 0.035), 0.0)
    if rng.random() < 0.25:
        hollow = radius * rng.uniform(0.08, 0.3)
        for _ in range(8):
            stamp(out, at, centre + 0.7 * hollow * direction(rng), 0.7 * hollow, 0.0)


def _carbon(
    rng: np.random.Generator, out: Floats, at: Coordinates, centre: Points, radius: float
) -> None:
    """Draw chains of small spheres that start at the surface and wander outward."""
    size, density = rng.uniform(0.016, 0.04), rng.uniform(0.1, 0.3)
    clumps = rng.uniform(0, 2 * np.pi, rng.integers(1, 7))
    for angle in rng.normal(rng.choice(clumps, rng.integers(20, 70)), 0.25):
        way = np.array([np.sin(angle), np.cos(angle), 0.0])
        level = rng.uniform(at[2].min(), at[2].max()) - centre[2]
        place = centre + np.sqrt(radius**2 - level**2) * 0.85 * way + [0, 0, level]
        for _ in range(rng.integers(4, 16)):
            # Along the slab more than across it: what leaves it is not seen.
            way = way + direction(rng) * [0.9, 0.9, 0.3] - [0, 0, 0.3 * way[2]]
            way /= np.linalg.norm(way)
            place = place + 1.6 * size * way
            if np.hypot(place[0], place[1]) + 1.15 * size < _REACH:
                stamp(out, at, place, size * rng.uniform(0.8, 1.15), density)
