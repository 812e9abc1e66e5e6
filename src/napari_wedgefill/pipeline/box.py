"""The box of the specimen: some voxels of a volume, and the rows that show them.

Most fields of view are vacuum, and a volume of vacuum needs no solver and no network. Where the
images show that a specimen is isolated, at every tilt (`find_box`), all methods but WBP work on a
box of voxels around it. Rows are cropped to whole pixels, so that measured data stay what they are;
where the tilt axis lies in each cropped row goes into the geometry (`ParallelBeam`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..geometry import centre
from ..projector import ParallelBeam
from ..reconstruct.tvm import Beside

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

#: Vacuum around the specimen, in voxels: what networks and interpolation look at beyond its edge.
MARGIN = 12
#: Voxels of that in which a volume fades out: a streak that would run on through the field piles
#: up in the last ones.
FADE = 8


@dataclass(frozen=True)
class Box:
    """Some voxels of a volume (z, y, x), each axis as start and stop.

    Attributes
    ----------
    z, y, x : tuple of int
        In the voxels of the whole field.
    field : tuple of int
        Depth, height and width of the whole field.
    """

    z: tuple[int, int]
    y: tuple[int, int]
    x: tuple[int, int]
    field: tuple[int, int, int]

    @property
    def depth(self) -> int:
        """Voxels along z."""
        return self.z[1] - self.z[0]

    @property
    def width(self) -> int:
        """Voxels along x, and pixels of a cropped row."""
        return self.x[1] - self.x[0]

    def measure_share(self, start: int, stop: int) -> float:
        """Return the share of the voxels of some slices that lie in it."""
        inside = self.within(start, stop)
        if inside is None:
            return 0.0
        n_voxels = self.depth * (inside.y[1] - inside.y[0]) * self.width
        return n_voxels / float(np.prod(inside.field))

    def within(self, start: int, stop: int) -> Box | None:
        """Return the part of the box in some slices, counted from `start`; None if it has none."""
        first, last = max(self.y[0], start) - start, min(self.y[1], stop) - start
        if first >= last:
            return None
        return Box(self.z, (first, last), self.x, (self.field[0], stop - start, self.field[2]))

    def spread(self, n_slices: int) -> Box:
        """Return the box of other slices of the same specimen, in all of them."""
        depth, _, width = self.field
        return replace(self, y=(0, n_slices), field=(depth, n_slices, width))

    def mirrored(self, *, z: bool, x: bool) -> Box:
        """Return the box of a volume that is mirrored along some axes."""
        depth, _, width = self.field
        return replace(
            self,
            z=(depth - self.z[1], depth - self.z[0]) if z else self.z,
            x=(width - self.x[1], width - self.x[0]) if x else self.x,
        )

    def cut(self, volume: Floats) -> Floats:
        """Return the box's part of a volume (z, y, x), a view."""
        return volume[slice(*self.z), slice(*self.y), slice(*self.x)]

    def put_back(self, planes: Floats) -> Iterator[tuple[int, Floats]]:
        """Put slices of the box (depth, width, n_slices) into vacuum of the field's size.

        Yields
        ------
        tuple of int and ndarray, float32, (z, x, k)
            The first of a few slices, and those, for memory's sake.
        """
        depth, _, width = self.field
        n = max(1, (64 << 20) // (4 * depth * width))
        for first in range(0, planes.shape[2], n):
            some = planes[:, :, first : first + n]
            whole = np.zeros((depth, width, some.shape[2]), np.float32)
            whole[slice(*self.z), slice(*self.x)] = some
            yield first, whole

    def crop(self, beam: ParallelBeam) -> Crop:
        """Return how the rows of a beam, whose volume is the field, are cropped to the box."""
        depth, _, width = self.field
        z = (self.z[0] + self.z[1] - 1) / 2 - centre(depth)
        x = (self.x[0] + self.x[1] - 1) / 2 - centre(width)
        at = beam.rays.axis_u + x * beam.rays.cosines + z * beam.rays.sines
        starts = np.rint(at - centre(self.width)).astype(int).clip(0, width - self.width)
        shifts = at - starts - centre(self.width)
        cropped = ParallelBeam(beam.angles_deg, self.width, self.depth, tilt_shifts_px=shifts)
        fade = np.outer(_fade(self.z, depth), _fade(self.x, width))
        return Crop(starts, cropped, beam, fade.astype(np.float32))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for the report."""
        return {
            **{name: list(getattr(self, name)) for name in "zyx"},
            "share_of_field": round(self.measure_share(0, self.field[1]), 4),
        }


@dataclass(frozen=True, eq=False)
class Crop:
    """Where the rows of a box begin, and its geometry.

    Attributes
    ----------
    starts : ndarray of int, (n_tilts,)
        First pixel of each tilt's row.
    beam : ParallelBeam
        Projects the box to the cropped rows.
    field : ParallelBeam
        Projects the whole field to whole rows.
    fade : ndarray, float32, (depth, width)
        What a volume is multiplied by, so that it ends without a seam.
    """

    starts: NDArray[np.intp]
    beam: ParallelBeam
    field: ParallelBeam
    fade: Floats

    def apply(self, sinogram: Floats) -> tuple[Floats, Beside]:
        """Crop rows (n_tilts, width, n_slices) to the box's width, and sum up what lies beside."""
        pixels = np.arange(self.beam.n_tilts)[:, None], self.starts[:, None] + self._columns
        cropped: Floats = sinogram[pixels]
        squares = np.zeros(sinogram.shape[2])
        for row, start, stop in zip(sinogram, self.starts, self.stops, strict=True):
            squares += np.square(row[:start], dtype=np.float64).sum(axis=0)
            squares += np.square(row[stop:], dtype=np.float64).sum(axis=0)
        n_pixels = self.beam.n_tilts * (sinogram.shape[1] - self.beam.width)
        lengths = self.field.ray_lengths[pixels]
        return cropped, Beside(squares.astype(np.float32), n_pixels, lengths)

    def holds(self, extents: Doubles) -> bool:
        """Tell whether what lies between some positions (n_tilts, 2) is well within the rows."""
        room = MARGIN / 2
        left, right = extents[:, 0] - self.starts, self.stops - 1 - extents[:, 1]
        return bool((left >= room).all() and (right >= room).all())

    @property
    def _columns(self) -> NDArray[np.intp]:
        return np.arange(self.beam.width)

    @property
    def stops(self) -> NDArray[np.intp]:
        """One past the last pixel of each tilt's row."""
        return self.starts + self.beam.width


@dataclass(frozen=True)
class Field:
    """What a fill works on.

    Attributes
    ----------
    box : Box or None
        Of the specimen; None for the whole field of view.
    sentence : str
        What was chosen, and why, for people.
    """

    box: Box | None
    sentence: str

    @classmethod
    def of_box(cls, box: Box) -> Field:
        """Choose a box."""
        z, y, x = (f"{stop - start}" for start, stop in (box.z, box.y, box.x))
        field = " x ".join(str(n) for n in box.field)
        return cls(
            box,
            f"Filled in the box of the specimen, {z} x {y} x {x} of {field} voxels (z, y, x): "
            "nothing was found around it.",
        )

    @classmethod
    def of_all(cls, reason: str) -> Field:
        """Choose the whole field of view for a reason."""
        return cls(None, f"Filled over the whole field of view: {reason}.")

    def spread(self, n_slices: int) -> Field:
        """Return the field of other slices of the same specimen."""
        return self if self.box is None else replace(self, box=self.box.spread(n_slices))

    def mirrored(self, *, z: bool, x: bool) -> Field:
        """Return the field of a volume that is mirrored along some axes."""
        return self if self.box is None else replace(self, box=self.box.mirrored(z=z, x=x))

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for the report."""
        return {
            "box": None if self.box is None else self.box.to_dict(),
            "field": self.sentence,
        }


def _fade(part: tuple[int, int], whole: int) -> Doubles:
    """Weights of the voxels of a part of an axis; it fades where it ends inside the whole."""
    ramp = np.sin(np.pi / 2 * (np.arange(FADE) + 0.5) / FADE) ** 2
    weights = np.ones(part[1] - part[0])
    if part[0] > 0:
        weights[:FADE] = ramp
    if part[1] < whole:
        weights[-FADE:] = ramp[::-1]
    return weights
