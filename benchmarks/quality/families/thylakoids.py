"""Stacks of thylakoids, and the lamellae that join them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from benchmarks.quality.families.drawing import Points, box_around, cut
from napari_wedgefill.training.frames import Coordinates, Floats, local


@dataclass(frozen=True)
class Membranes:
    """Thickness of a membrane and of a thylakoid's lumen, and the densities of both."""

    thickness: float
    lumen: float
    stained: float
    pale: float

    @property
    def half(self) -> float:
        """Half the thickness of a thylakoid."""
        return self.thickness + self.lumen / 2


@dataclass(frozen=True, eq=False)
class Stack:
    """A granum: discs a spacing apart along the last of its axes, bent by a curvature.

    `radii` and `shifts` have a row for each disc; `shifts` are along the first two axes.
    """

    centre: Points
    axes: Points
    radii: Points
    shifts: Points
    spacing: float
    curvature: float

    @property
    def top(self) -> float:
        """Height of the last disc's middle above the stack's."""
        return self.spacing * (len(self.radii) - 1) / 2

    def rim(self, disc: int, toward: Points) -> tuple[Points, Points]:
        """Where a disc ends on the side of a place, and the way it points there."""
        middle = self.centre + (disc * self.spacing - self.top) * self.axes[2]
        way = toward - middle
        way = way - (way @ self.axes[2]) * self.axes[2]
        way /= np.linalg.norm(way)
        radius = 0.9 * self.radii[disc]
        drop = self.curvature * radius**2 / 2 * self.axes[2]
        return middle + radius * way - drop, way


def around(at: Coordinates, stack: Stack, margin: float) -> tuple[tuple[slice, ...], list[Floats]]:
    """Return a box with a stack inside, and coordinates along its axes that bend as it does."""
    reach = float(np.hypot(stack.radii.max(), stack.top)) + margin
    box = box_around(at, stack.centre, np.full(3, reach))
    u, v, w = local(cut(at, box), stack.centre, stack.axes)
    return box, [u, v, w + np.float32(stack.curvature / 2) * (u**2 + v**2)]


def draw_stack(out: Floats, at: Coordinates, stack: Stack, membranes: Membranes) -> None:
    """Draw flat sacs with round rims, each over what was there."""
    box, (u, v, w) = around(at, stack, 0.1 + membranes.half)
    w = w + np.float32(stack.top)
    disc = np.rint(w / stack.spacing).clip(0, len(stack.radii) - 1).astype(np.intp)
    shift = stack.shifts[disc]
    across = np.hypot(u - shift[..., 0], v - shift[..., 1])
    beyond = np.maximum(across - stack.radii[disc] + membranes.half, 0)
    distance = np.hypot(beyond, w - stack.spacing * disc)
    out[box][distance < membranes.half] = membranes.stained
    out[box][distance < membranes.lumen / 2] = membranes.pale


def lamellae(
    rng: np.random.Generator, at: Coordinates, stacks: list[Stack], membranes: Membranes
) -> list[Points]:
    """Sheets from discs of each stack to discs of its nearest neighbours, as places (n, 3)."""
    sheets = []
    for k, one in enumerate(stacks):
        others = sorted(stacks[k + 1 :], key=lambda s: np.linalg.norm(s.centre - one.centre))
        for other in others[:2]:
            for share in rng.uniform(0, 1, rng.integers(1, 4)):
                ends = _ends(one, other, share)
                if ends is not None:
                    sheets.append(_sheet(at, ends, membranes.half / 2))
    return sheets


def _ends(one: Stack, other: Stack, share: float) -> tuple[Points, Points, Points] | None:
    """Rims of two discs, `share` of the way up their stacks, if they more or less face each other.

    The three arrays (2, 3) are places, the ways outward, and the ways along the rims.
    """
    same = one.axes[2] @ other.axes[2] > 0
    discs = [round(s * (len(stack.radii) - 1))
             for s, stack in ((share, one), (share if same else 1 - share, other))]  # fmt: skip
    rims = one.rim(discs[0], other.centre), other.rim(discs[1], one.centre)
    places, ways = (np.stack(part) for part in zip(*rims, strict=True))
    between = (places[1] - places[0]) / np.linalg.norm(places[1] - places[0])
    if min(ways[0] @ between, -ways[1] @ between) < 0.4:
        return None
    sides = np.cross([one.axes[2], other.axes[2]], ways)
    return places, ways, sides * [[1], [np.sign(sides[0] @ sides[1])]]


def _sheet(at: Coordinates, ends: tuple[Points, Points, Points], step: float) -> Points:
    """Places (n, 3), `step` apart, on a smooth sheet between two rims."""
    (first, last), ways, sides = ends
    length = float(np.linalg.norm(last - first))
    knots = [first, first + 0.4 * length * ways[0], last + 0.4 * length * ways[1], last]
    t = np.linspace(0, 1, int(1.5 * length / step) + 2)[:, None]
    weights = [(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3]
    line = sum((w * p for w, p in zip(weights, knots, strict=True)), np.zeros((1, 3)))
    half = float(np.ptp(at[2])) / 2 + 0.06
    across = np.arange(-half, half, step)[:, None, None]
    sheet = line + across * ((1 - t) * sides[0] + t * sides[1])
    return np.asarray(sheet.reshape(-1, 3))
