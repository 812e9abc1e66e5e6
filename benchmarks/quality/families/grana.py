"""A chloroplast, of which no figure had been seen when the model was made."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality.families.drawing import Points, direction, stamp
from benchmarks.quality.families.thylakoids import Membranes, Stack, around, draw_stack, lamellae
from napari_wedgefill.training.frames import Coordinates, Floats, local, rotation, smooth_noise

Mask = NDArray[np.bool_]


def grana(rng: np.random.Generator, at: Coordinates) -> Floats:
    """Return a small chloroplast: stacked thylakoids in an oval, double envelope.

    Lamellae join the stacks; starch and dense plastoglobules lie between. Membranes are thicker
    against the whole than in life, or no pixel would hold one.

    References
    ----------
    J. R. Austin II, L. A. Staehelin, Plant Physiology 155, 1601-1611 (2011).
    """
    thickness = rng.uniform(0.024, 0.032)
    membranes = Membranes(thickness, thickness * rng.uniform(1, 1.8), rng.uniform(0.6, 0.9),
                          rng.uniform(0.02, 0.12))  # fmt: skip
    axes, depth = _oval(rng, at)
    stroma = np.float32(rng.uniform(0.15, 0.35))
    texture = smooth_noise(rng, at, 0.03) + smooth_noise(rng, at, 0.15)
    out = np.asarray(stroma * (1 + np.float32(0.08) * texture).clip(0, None), np.float32)
    gap = thickness * rng.uniform(1.0, 1.5)
    # Whether things have room is asked at every second place.
    coarse = at[0][::2], at[1][:, ::2], at[2][..., ::2]
    free = depth[::2, ::2, ::2] > 2 * thickness + gap + 0.02

    stacks = _stacks(rng, coarse, axes, free, membranes)
    starch = _starch(rng, coarse, axes, free)
    for sheet in lamellae(rng, at, stacks, membranes):
        for radius, density in ((membranes.half, membranes.stained),
                                (membranes.lumen / 2, membranes.pale)):  # fmt: skip
            for place in sheet:
                stamp(out, at, place, radius, density)
    for stack in stacks:
        draw_stack(out, at, stack, membranes)
    _plastoglobules(rng, out, at, _places(rng, coarse, free, 8))
    density = rng.uniform(0.04, 0.12) if rng.random() < 0.7 else rng.uniform(0.45, 0.6)
    for centre, radii in starch:
        out[_ellipsoid(at, centre, axes, radii)] = density
    out[depth < 2 * thickness + gap] = membranes.stained
    out[(depth > thickness) & (depth < thickness + gap)] = membranes.pale
    return np.asarray(out * (depth > 0), np.float32)


def _middle(at: Coordinates) -> Points:
    return np.array([0.0, 0.0, float(at[2].mean())])


def _oval(rng: np.random.Generator, at: Coordinates) -> tuple[Points, Floats]:
    """Axes of an oval that is bent a little, short one first, and the depth inside it."""
    turn = rng.uniform(0, np.pi)
    axes = np.array([[np.cos(turn), np.sin(turn), 0], [-np.sin(turn), np.cos(turn), 0], [0, 0, 1]])
    radii = np.array([rng.uniform(0.42, 0.7), rng.uniform(0.74, 0.82), rng.uniform(0.7, 1.0)])
    u, v, w = (c / np.float32(r) for c, r in zip(local(at, _middle(at), axes), radii, strict=True))
    u = u + np.float32(rng.uniform(-0.2, 0.2)) * (v**2 - np.float32(0.5))
    q = np.sqrt(u**2 + v**2 + w**2)
    # To first order, the distance from where q is one.
    steepness = np.sqrt((u / radii[0]) ** 2 + (v / radii[1]) ** 2 + (w / radii[2]) ** 2)
    depth = q * (1 - q) / np.maximum(steepness, 1e-6)
    return axes, np.asarray(depth, np.float32)


def _places(rng: np.random.Generator, at: Coordinates, free: Mask, n: int) -> Points:
    """Up to `n` free places (n, 3)."""
    where = np.argwhere(free)
    if len(where):
        where = where[rng.integers(len(where), size=rng.integers(1, n + 1))]
    return np.stack([a.ravel()[i] for a, i in zip(at, where.T, strict=True)], axis=1)


def _starch(
    rng: np.random.Generator, at: Coordinates, axes: Points, free: Mask
) -> list[tuple[Points, Points]]:
    """Middles and radii of starch grains; what is near them is no longer free."""
    found: list[tuple[Points, Points]] = []
    for centre in _places(rng, at, free, 150):
        radii = rng.uniform(0.06, 0.15) * np.array([1.0, rng.uniform(1.2, 2.0), 1.0])
        near = _ellipsoid(at, centre, axes, radii + 0.015)
        if len(found) < 3 and free[near].all():
            found.append((centre, radii))
            free &= ~near
    return found


def _ellipsoid(at: Coordinates, centre: Points, axes: Points, radii: Points) -> Mask:
    u, v, w = local(at, centre, axes / radii[:, None])
    return u**2 + v**2 + w**2 < 1


def _stacks(
    rng: np.random.Generator, at: Coordinates, axes: Points, free: Mask, membranes: Membranes
) -> list[Stack]:
    """Stacks in places that are free; those places no longer are."""
    # Neighbours are pressed together and share a stained layer, or a gap of stroma is between.
    apart = -1.0 if rng.random() < 0.7 else rng.uniform(1.0, 1.4)
    spacing = 2 * membranes.half + apart * membranes.thickness
    wanted = rng.integers(2, 10)
    stacks: list[Stack] = []
    for size in np.linspace(1, 0, 400):  # the smaller ones go where room is left
        if len(stacks) == wanted:
            break
        for centre in _places(rng, at, free, 1):
            stack = _stack(rng, centre, axes, spacing, float(size))
            box, (u, v, w) = around(at, stack, 0.05 + spacing)
            near = np.hypot(u, v) < stack.radii.max() + 0.02
            near &= np.abs(w) < stack.top + 0.8 * spacing
            if near.any() and free[box][near].all():
                free[box] &= ~near
                stacks.append(stack)
    return stacks


def _stack(
    rng: np.random.Generator, near: Points, axes: Points, spacing: float, size: float
) -> Stack:
    """A stack, most often across the oval's short axis; the greatest there is has size one."""
    n = int(rng.integers(3, 1 + min(15, max(4, int((0.3 + 0.6 * size) / spacing)))))
    radius = 0.08 + size * rng.uniform(0.06, 0.2)
    frame = rotation(rng)
    if rng.random() < 0.92:
        normal = axes[0] + 0.25 * rng.standard_normal(3)
        frame[2] = normal / np.linalg.norm(normal)
        frame[0] = np.cross(frame[1], frame[2])
        frame[0] /= np.linalg.norm(frame[0])
        frame[1] = np.cross(frame[2], frame[0])
    return Stack(
        near + np.array([0, 0, 0.4 * radius * rng.uniform(-1, 1)]),
        frame,
        radius * rng.uniform(0.85, 1.0, n),
        radius * rng.uniform(-0.08, 0.08, (n, 2)),
        spacing,
        rng.uniform(-1.5, 1.5),
    )


def _plastoglobules(rng: np.random.Generator, out: Floats, at: Coordinates, places: Points) -> None:
    """Draw dense droplets of several sizes, some in clusters."""
    density = rng.uniform(0.85, 1.0)
    for place in places:
        for _ in range(rng.integers(1, 4)):
            radius = rng.uniform(0.018, 0.045)
            stamp(out, at, place, radius, density)
            place = place + direction(rng) * 1.8 * radius
