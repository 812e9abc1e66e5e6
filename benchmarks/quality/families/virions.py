"""Enveloped viruses, on which no method had been run when they were written."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.quality.families.drawing import Points, direction, stamp
from benchmarks.quality.families.envelopes import Virion, draw_virion
from benchmarks.quality.families.nucleocapsids import Kind, draw_capsid
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
#: How long viruses are against their width, by what they hold: half the rod between the ends, in
#: radii.
_LENGTHS = {"helix": (0.8, 3.0), "rods": (0.0, 1.5), "coil": (0.0, 1.2), "cone": (0.0, 0.15),
            "empty": (0.0, 2.5)}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Layer:
    """What viruses lie in: its kind, axes (the first one is its normal), half its sizes.

    `pinch` is how much thinner the middle is than the rim; "none" is a layer that nothing fills.
    """

    kind: str
    axes: Points
    half: float
    length: float
    pinch: float

    def depth(self, at: Coordinates) -> Floats:
        """How far inside a place is, one in the middle; negative outside."""
        down, along, _ = local(at, np.zeros(3), self.axes)
        flat = (along / np.float32(self.length)) ** 2
        thick = np.float32(self.half) * (1 - np.float32(self.pinch) * (1 - flat.clip(0, 1)))
        return 1 - (down / thick) ** 8 - flat**4


def virions(rng: np.random.Generator, at: Coordinates) -> Floats:
    """Return enveloped viruses, now and then naked capsids, in a thin pale layer or in nothing.

    Ice holds them whole, a section of resin is cut through them, and in stain they are the paler
    part. Membranes are thicker against the whole than in life, or no pixel would hold one.

    References
    ----------
    A. Harris et al., Proceedings of the National Academy of Sciences 103, 19123-19127 (2006).
    """
    typical = log_uniform(rng, 0.09, 0.5)
    layer = _layer(rng, typical)
    pale = 0.0 if layer.kind == "none" else rng.uniform(0.03, 0.2)
    texture = smooth_noise(rng, at, 0.025)
    inside = layer.depth(at) > 0
    grainy = 1 + np.float32(rng.uniform(0, 0.15)) * texture
    out = np.asarray(np.float32(pale) * grainy * inside, np.float32)
    kinds = [_kind(rng, pale, typical) for _ in range(1 + (rng.random() < 0.3))]
    placed: list[Virion] = []
    wanted = rng.integers(1 if typical > 0.2 else 4, 13)  # one small one is next to nothing
    for attempt in range(400):
        if len(placed) == wanted:
            break
        kind = kinds[rng.integers(len(kinds))]
        virion = _virion(rng, at, layer, kind, typical * 0.998**attempt)
        if _fits(virion, layer, kind, placed):
            placed.append(virion)
            if kind.contents == "naked":
                draw_capsid(out, at, virion.centre, virion.axes, 0.8 * virion.radius, kind)
            else:
                draw_virion(rng, out, at, virion, kind, texture)
    if layer.kind != "none":
        _debris(rng, out, at, layer, kinds[0])
        out *= inside
    if layer.kind == "stain":
        out = inside * np.float32(rng.uniform(0.25, 0.55)) * (1 - np.float32(0.9) * out / out.max())
    if rng.random() < 0.35:
        _gold(rng, out, at, layer, placed)
    return np.asarray(out.clip(0, 1), np.float32)


def _layer(rng: np.random.Generator, typical: float) -> Layer:
    kind = ("none", "ice", "resin", "stain")[rng.choice(4, p=[0.25, 0.3, 0.3, 0.15])]
    half = rng.uniform(0.16, 0.4)
    if kind in ("ice", "stain"):
        half = min(0.5, 1.25 * typical + rng.uniform(0.06, 0.2))
    turn = np.deg2rad(rng.normal(0, 7))
    c, s = np.cos(turn), np.sin(turn)
    length = np.sqrt(_REACH**2 - half**2) * rng.uniform(0.9, 1.0)
    pinch = rng.uniform(0, 0.25) * (kind == "ice")
    return Layer(kind, np.array([[c, s, 0], [-s, c, 0], [0, 0, 1]]), half, length, pinch)


def _kind(rng: np.random.Generator, pale: float, typical: float) -> Kind:
    """Draw a kind of virus: its wall of one leaf or two, lined or not, spikes and contents."""
    contents = ("coil", "helix", "rods", "cone", "core", "capsid", "lattice", "empty", "naked")[
        rng.choice(9, p=[0.18, 0.11, 0.11, 0.14, 0.12, 0.1, 0.08, 0.06, 0.1])
    ]
    protein = rng.uniform(0.45, 0.8)
    lumen = pale + rng.uniform(0.02, 0.15)
    leaf, gap = rng.uniform(0.014, 0.02), rng.uniform(0.014, 0.024)
    if typical > 0.14 and rng.random() < 0.6:
        shells = [(0.0, protein), (leaf, 0.3 * protein), (leaf + gap, protein)]
        wall = 2 * leaf + gap
    else:
        wall = rng.uniform(0.02, 0.035)
        shells = [(0.0, protein)]
    if contents == "lattice":  # the thick inner shell of a virus that has not matured
        shells += [(wall, lumen), (wall + 0.02, rng.uniform(0.7, 1.0) * protein)]
        wall += 0.02 + typical * rng.uniform(0.12, 0.25)
    elif typical > 0.12 and rng.random() < 0.35:
        shells += [(wall, rng.uniform(0.5, 0.9) * protein)]
        wall += rng.uniform(0.014, 0.025)
    spiky = typical > 0.1 and rng.random() < 0.75
    thread = rng.uniform(0.011, 0.02) * (1 + typical)
    core = rng.uniform(0.5, 0.95) * (contents not in ("capsid", "naked") or rng.random() < 0.7)
    return Kind(contents, tuple(shells), wall, protein, lumen, core, thread,
                spacing=log_uniform(rng, 0.032, 0.12) * spiky, spike=rng.uniform(0.025, 0.07),
                stalk=rng.uniform(0.009, 0.014), head=rng.uniform(0.012, 0.022))  # fmt: skip


def _virion(
    rng: np.random.Generator, at: Coordinates, layer: Layer, kind: Kind, size: float
) -> Virion:
    """A virus of a kind anywhere near the slab, most of them not far from the size asked for."""
    radius = max(0.05, size * float(np.exp(0.15 * rng.standard_normal())))
    half = radius * rng.uniform(*_LENGTHS.get(kind.contents, (0.0, 0.0)))
    down = _REACH if layer.kind == "none" else layer.half
    centre = rng.uniform(-1, 1, 3) * [down, layer.length, 0.5 * radius] @ layer.axes
    centre[2] += at[2].mean()
    bend = rng.uniform(-0.25, 0.25) / (radius + half)
    waves = np.stack([np.append(direction(rng) * rng.uniform(1.2, 3) / radius, phase)
                      for phase in rng.uniform(0, 2 * np.pi, 3)])  # fmt: skip
    taper, rough = rng.uniform(0, 0.12), rng.uniform(0, 0.05)
    return Virion(centre, rotation(rng), radius, half, taper, bend, waves, rough)


def _fits(virion: Virion, layer: Layer, kind: Kind, placed: list[Virion]) -> bool:
    """Whether a virus lies in the field and the layer, clear of others; resin may cut it."""
    spine = virion.spine()
    spikes = (kind.spike + kind.head) * (kind.spacing > 0)
    beyond = 1.12 * virion.radius + spikes
    if np.hypot(spine[:, 0], spine[:, 1]).max() + beyond > _REACH:
        return False
    if layer.kind != "none":
        sides = np.concatenate([layer.axes[:2], -layer.axes[:2]])[:, None]
        reach = 0.0 if layer.kind == "resin" else beyond
        z, x, y = (spine + reach * sides).T.astype(np.float32)
        if layer.depth((z, x, y)).min() < 0.05:
            return False
    return all(
        np.linalg.norm(spine[:, None] - other.spine(), axis=-1).min()
        > beyond + spikes + 1.12 * other.radius
        for other in placed
    )


def _debris(
    rng: np.random.Generator, out: Floats, at: Coordinates, layer: Layer, kind: Kind
) -> None:
    """Draw loose proteins, which do not go where viruses are."""
    for _ in range(rng.integers(0, 60) * (rng.random() < 0.5)):
        place = rng.uniform([-layer.half, -layer.length, 0], [layer.half, layer.length, 0])
        place = place @ layer.axes + [0, 0, rng.uniform(at[2].min(), at[2].max())]
        if out[tuple(np.searchsorted(a.ravel(), p) for a, p in zip(at, place, strict=True))] < 0.25:
            stamp(out, at, place, rng.uniform(0.01, 0.018), 0.7 * kind.protein)


def _gold(
    rng: np.random.Generator, out: Floats, at: Coordinates, layer: Layer, placed: list[Virion]
) -> None:
    """Draw gold beads on the layer's faces, or on viruses where there is no layer."""
    radius = rng.uniform(0.018, 0.034)
    for _ in range(rng.integers(2, 9)):
        if layer.kind == "none":
            virion = placed[rng.integers(len(placed))]
            way = direction(rng) * [1, 1, 0]
            place = virion.centre + way / np.linalg.norm(way) * (virion.radius + radius)
        else:
            side = layer.half * rng.choice([-1, 1])
            place = np.array([side, 0.7 * layer.length * rng.uniform(-1, 1), 0.0]) @ layer.axes
        place[2] = rng.uniform(at[2].min(), at[2].max())
        if np.hypot(place[0], place[1]) + radius < _REACH:
            stamp(out, at, place, radius, 0.97)
