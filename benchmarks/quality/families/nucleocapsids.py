"""What virus particles hold: threads, rods, cones and dense cores; and capsids."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.quality.families.drawing import Points, box_around, cut
from napari_wedgefill.training.frames import Coordinates, Floats, local

#: Normals of an icosahedron's faces, one of each opposite two.
_GOLDEN = (1 + 5**0.5) / 2
_FACES = np.array(
    [[1, 1, 1], [1, 1, -1], [1, -1, 1], [-1, 1, 1]]
    + [np.roll([0, s / _GOLDEN, _GOLDEN], k) for s in (1, -1) for k in range(3)]
) / np.sqrt(3)  # fmt: skip

#: Spheres in a row: places, radii (one or one each), density.
Beads = tuple[Points, Points, float]


@dataclass(frozen=True)
class Kind:
    """What viruses of a kind share.

    `shells` are depths below the surface, as far as the next of which a density goes; after the
    last of them, `wall` deep, comes the lumen. `thread` is the radius of what is wound up inside.
    Spikes are `spacing` apart, `spike` long, and have stalks and heads of these radii.
    """

    contents: str
    shells: tuple[tuple[float, float], ...]
    wall: float
    protein: float
    lumen: float
    core: float
    thread: float
    spacing: float
    spike: float
    stalk: float
    head: float


def draw_capsid(
    out: Floats, at: Coordinates, centre: Points, axes: Points, radius: float, kind: Kind
) -> None:
    """Draw an icosahedral shell, empty or with a wound-up genome, whose turns form layers."""
    box = box_around(at, centre, np.full(3, 1.3 * radius))
    u, v, w = local(cut(at, box), centre, axes)
    q = np.zeros_like(u)
    for a, b, c in _FACES.astype(np.float32):
        np.maximum(q, np.abs(a * u + b * v + c * w), out=q)
    part = out[box]
    wall = min(0.024, 0.3 * radius)
    part[q < radius] = kind.protein
    part[q < radius - wall] = kind.lumen
    inner = q < radius - 1.7 * wall
    if kind.core and inner.any():
        layers = 1 + np.float32(0.25) * np.cos(2 * np.pi * q / np.float32(3 * kind.thread))
        part[inner] = np.float32(0.8 * kind.core) * layers[inner]


def _coil(rng: np.random.Generator, room: float, half: float, kind: Kind) -> list[Beads]:
    """A thread that winds through the lumen: a sum of waves along it, pressed into a ball."""
    share = rng.uniform(0.06, 0.25)  # of the lumen's volume
    n_waves = round(np.clip(share * (room / kind.thread) ** 2, 4, 40))
    phase = 2 * np.pi * np.linspace(0, 1, 4000)[:, None] * np.arange(1, n_waves + 1)
    waves = np.concatenate([np.cos(phase), np.sin(phase)], axis=1)
    path = waves @ rng.standard_normal((2 * n_waves, 3)) / np.sqrt(0.3 * n_waves)
    path *= (room - kind.thread) / np.sqrt(1 + np.sum(path**2, axis=1, keepdims=True))
    path[:, 2] *= 1 + half / room
    steps = np.linalg.norm(np.diff(path, axis=0, prepend=path[:1]), axis=1).cumsum()
    wanted = np.arange(0, steps[-1], 0.6 * kind.thread)
    places = np.stack([np.interp(wanted, steps, p) for p in path.T], axis=-1)
    return [(places, np.full(len(places), kind.thread), kind.core)]


def _helix(rng: np.random.Generator, room: float, half: float, kind: Kind) -> list[Beads]:
    """A thread in a regular screw below the envelope, as in a rabies virus."""
    across = (room - kind.thread) * rng.uniform(0.75, 0.95)
    rise = kind.thread * rng.uniform(2.6, 4.5) / (2 * np.pi)
    w = np.arange(-half - 0.4 * room, half + 0.4 * room, 0.6 * kind.thread * rise / across)
    turn = w / rise
    narrow = np.sqrt(1 - (np.maximum(np.abs(w) - half, 0) / room) ** 2)
    places = np.stack([across * narrow * np.cos(turn), across * narrow * np.sin(turn), w], axis=-1)
    return [(places, np.full(len(w), kind.thread), kind.core)]


def _rods(rng: np.random.Generator, room: float, half: float, kind: Kind) -> list[Beads]:
    """Rods side by side, one in the middle of seven, as in an influenza virus."""
    beads = []
    radius = min(kind.thread * 1.4, 0.2 * room)
    angles = rng.uniform(0, 2 * np.pi) + np.arange(7) * 2 * np.pi / 7
    for angle, across in zip([0.0, *angles], [0.0] + 7 * [0.62 * room], strict=True):
        longest = half + np.sqrt(room**2 - across**2) - radius
        w = np.arange(-rng.uniform(0.5, 1.0), rng.uniform(0.5, 1.0), 0.5 * radius / longest)
        ring = np.array([across * np.cos(angle), across * np.sin(angle), 0.0])
        lean = 0.1 * room * rng.standard_normal(3)
        lean[2] = longest
        places = ring + w[:, None] * lean
        beads.append((places, np.full(len(w), radius), kind.core))
    return beads


def _cone(rng: np.random.Generator, room: float, half: float, kind: Kind) -> list[Beads]:
    """A closed cone that holds dense matter at its wide end, as in a mature HIV."""
    wide, narrow = room * rng.uniform(0.42, 0.52), room * rng.uniform(0.14, 0.26)
    ends = half + 0.8 * room - wide, -half - 0.85 * room + narrow
    share = np.linspace(0, 1, 40)
    places = (ends[0] + (ends[1] - ends[0]) * share)[:, None] * [0, 0, 1]
    radii = wide + (narrow - wide) * share
    wall = 0.02
    inner = (radii - wide * 0.25 - wall).clip(0.01)
    filled = slice(0, int(rng.integers(8, 25)))
    return [
        (places, radii, kind.protein),
        (places, (radii - wall).clip(0.005), kind.lumen),
        (places[filled], inner[filled], kind.core),
    ]


def _core(rng: np.random.Generator, room: float, half: float, kind: Kind) -> list[Beads]:
    """A dense core, round or lumpy, not quite in the middle."""
    radius = room * rng.uniform(0.35, 0.7)
    lumps = int(rng.integers(1, 7))
    places = (room - radius) * 0.5 * rng.uniform(-1, 1, (lumps, 3))
    places[:, 2] += half * rng.uniform(-0.8, 0.8)
    return [(places, radius * rng.uniform(0.7, 1.0, lumps), kind.core)]


#: Ways to fill the `room` that a lumen has around an axis of +-`half`.
CONTENTS = {"coil": _coil, "helix": _helix, "rods": _rods, "cone": _cone, "core": _core}
