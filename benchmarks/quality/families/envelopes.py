"""Virus particles: envelopes with spikes, and their contents."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.quality.families.drawing import Points, box_around, cut, stamp
from benchmarks.quality.families.nucleocapsids import CONTENTS, Kind, draw_capsid
from napari_wedgefill.training.frames import Coordinates, Floats, local


@dataclass(frozen=True, eq=False)
class Virion:
    """A ball, or a bent rod with round ends along the last of its axes, and waves on its surface.

    One end is thicker by `taper`; `half` is half the length between the ends' middles.
    """

    centre: Points
    axes: Points
    radius: float
    half: float
    taper: float
    bend: float
    waves: Points
    rough: float

    def depth(self, at: Coordinates) -> Floats:
        """How far a place is inside; negative outside."""
        u, v, w = local(at, self.centre, self.axes)
        surface = 1 + np.float32(self.taper / (self.half + self.radius)) * w
        for *k, phase in self.waves.astype(np.float32):
            surface += np.float32(self.rough) * np.cos(k[0] * u + k[1] * v + k[2] * w + phase)
        u = u + np.float32(self.bend) * w**2
        beyond = np.maximum(np.abs(w) - np.float32(self.half), 0)
        return np.float32(self.radius) * surface - np.sqrt(u**2 + v**2 + beyond**2)

    def places(self, straight: Points) -> Points:
        """Where places (n, 3) along its axes lie once it is bent."""
        bent = straight - np.outer(straight[:, 2] ** 2, [self.bend, 0, 0])
        return np.asarray(self.centre + bent @ self.axes)

    def spine(self) -> Points:
        """Places (7, 3) from the middle of one end to that of the other."""
        return self.places(np.linspace(-self.half, self.half, 7)[:, None] * [0, 0, 1])


def draw_virion(
    rng: np.random.Generator,
    out: Floats,
    at: Coordinates,
    virion: Virion,
    kind: Kind,
    texture: Floats,
) -> None:
    """Draw an envelope with its spikes and contents over what was there."""
    reach = 1.3 * virion.radius + virion.half + abs(virion.bend) * virion.half**2
    box = box_around(at, virion.centre, np.full(3, reach))
    depth = virion.depth(cut(at, box))
    part = out[box]
    for below, density in kind.shells:
        part[depth > below] = density
    lumen = np.float32(kind.lumen) * (1 + np.float32(0.25) * texture[box]).clip(0)
    part[depth > kind.wall] = lumen[depth > kind.wall]
    room = 0.93 * virion.radius - kind.wall
    if kind.contents == "capsid" and room > 0.06:
        draw_capsid(out, at, virion.centre, virion.axes, 0.62 * room, kind)
    elif kind.contents in CONTENTS and room > 0.04:
        for places, radii, density in CONTENTS[kind.contents](rng, room, virion.half, kind):
            _draw_beads(out, at, virion.places(places), radii, density)
    if kind.spacing:
        _spikes(rng, out, at, virion, kind)


def _draw_beads(
    out: Floats, at: Coordinates, places: Points, radii: Points, density: float
) -> None:
    y = at[2].ravel()
    seen = (places[:, 2] > y[0] - radii) & (places[:, 2] < y[-1] + radii)
    for place, radius in zip(places[seen], np.broadcast_to(radii, len(places))[seen], strict=True):
        stamp(out, at, place, float(radius), density)


def _spikes(
    rng: np.random.Generator, out: Floats, at: Coordinates, virion: Virion, kind: Kind
) -> None:
    """Draw stalks with heads all over the surface, as far as it is near the slab."""
    r, half = virion.radius, virion.half
    n = min(6000, int(20 * np.pi * r * (r + half) / kind.spacing**2) + 1)
    turn, w = rng.uniform(0, 2 * np.pi, n), rng.uniform(-half - r, half + r, n)
    beyond = np.sign(w) * np.maximum(np.abs(w) - half, 0) / r
    ring = np.sqrt(1 - beyond**2)
    ways = np.stack([ring * np.cos(turn), ring * np.sin(turn), beyond], axis=-1)
    roots = virion.places(r * ways + np.clip(w, -half, half)[:, None] * [0, 0, 1])
    ways = ways @ virion.axes
    near = np.abs(roots[:, 2] - at[2].mean()) < np.ptp(at[2]) / 2 + kind.spike + kind.head
    roots, ways = roots[near], ways[near]
    z, x, y = roots.T.astype(np.float32)
    roots = roots + ways * virion.depth((z, x, y))[:, None]  # out or in to where the waves are
    kept: list[int] = []
    for i, root in enumerate(roots):
        if not kept or np.linalg.norm(roots[kept] - root, axis=1).min() > kind.spacing:
            kept.append(i)
    roots, ways = roots[kept], ways[kept] + 0.12 * rng.standard_normal((len(kept), 3))
    for height in np.arange(0, kind.spike, 0.01):
        _draw_beads(out, at, roots + height * ways, np.full(len(kept), kind.stalk), kind.protein)
    _draw_beads(out, at, roots + kind.spike * ways, np.full(len(kept), kind.head), kind.protein)
