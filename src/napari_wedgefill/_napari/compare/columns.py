"""What a column of the window shows: a volume, or the difference of two."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..shared_contrast import LOOKED_AT
from .planes import XZ, Plane, Point
from .shading import gather

Floats = NDArray[np.float32]
Positions = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class VolumeColumn:
    """A volume and where it lies; the data are shared, and read one slice at a time.

    Attributes
    ----------
    title : str
        Short name, above the column.
    data : array_like, (z, y, x)
        Any real type, in memory, mapped from a file, or lazy.
    origin : tuple of float, (z, y, x)
        World position of the centre of voxel (0, 0, 0).
    voxel : tuple of float, (z, y, x)
        Edges of a voxel in world units.
    angles_deg : tuple of float
        Tilt angles that the volume was made from; empty where unknown.
    has_own_scale : bool
        Whether its values are of another kind than the methods' densities, as trust is, so that
        they never share their contrast.
    colour : str
        Of its line in plots, as ``#rrggbb``; empty for any.
    """

    title: str
    data: Any
    origin: Point = (0.0, 0.0, 0.0)
    voxel: Point = (1.0, 1.0, 1.0)
    angles_deg: tuple[float, ...] = ()
    has_own_scale: bool = False
    colour: str = ""

    #: Whether zero is the middle of the colour scale.
    is_difference = False

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along z, y and x."""
        z, y, x = self.data.shape
        return z, y, x

    @property
    def extent(self) -> tuple[Point, Point]:
        """World positions of the outer faces: lowest (z, y, x), highest (z, y, x)."""
        ends = [
            sorted((o - v / 2, o + (n - 0.5) * v))
            for o, v, n in zip(self.origin, self.voxel, self.shape, strict=True)
        ]
        low, high = zip(*ends, strict=True)
        return low, high

    def indices(self, axis: int, positions: Positions) -> NDArray[np.int64]:
        """Voxel of each world position along an axis; -1 outside the volume."""
        found = np.rint((positions - self.origin[axis]) / self.voxel[axis]).astype(np.int64)
        found[(found < 0) | (found >= self.shape[axis])] = -1
        return found

    def positions(self, axis: int, step: int = 1) -> Positions:
        """World positions of the voxel centres along an axis, of every `step`-th."""
        return self.origin[axis] + self.voxel[axis] * np.arange(
            0, self.shape[axis], step, dtype=np.float64
        )

    def nearest_centre(self, point: Point) -> Point:
        """Centre of the voxel at `point`, or of the outermost one towards it."""
        z, y, x = (
            o + v * min(max(round((p - o) / v), 0), n - 1)
            for p, o, v, n in zip(point, self.origin, self.voxel, self.shape, strict=True)
        )
        return z, y, x

    def section(self, plane: Plane, at: float) -> Floats | None:
        """Slice (down, across) at a world position; None outside. A view where that is possible."""
        index = int(self.indices(plane.cut, np.array([at]))[0])
        if index < 0:
            return None
        where: list[Any] = [slice(None)] * 3
        where[plane.cut] = index
        return np.asarray(self.data[tuple(where)]).astype(np.float32, copy=False)

    def sample(self, plane: Plane, at: float, down: Positions, across: Positions) -> Floats:
        """Nearest voxels at a grid of world positions in a plane.

        Parameters
        ----------
        plane : Plane
            The plane.
        at : float
            World position along the axis that the plane cuts.
        down, across : ndarray, (n_rows,) and (n_columns,)
            World positions of the rows and columns.

        Returns
        -------
        ndarray, float32, (n_rows, n_columns)
            NaN outside the volume.
        """
        section = self.section(plane, at)
        if section is None:
            return np.full((len(down), len(across)), np.nan, np.float32)
        return gather(section, self.indices(plane.down, down), self.indices(plane.across, across))

    def coarse(self) -> Floats:
        """Some voxels spread over the volume, float32, in three axes."""
        step = coarse_step(self.shape)
        return np.asarray(self.data[::step, :: min(step, self.shape[1]), ::step], np.float32)


@dataclass(frozen=True, eq=False)
class DifferenceColumn:
    """A volume minus another, on the first one's grid; read one slice at a time.

    Attributes
    ----------
    minuend, reference : VolumeColumn
        It shows ``minuend - reference``.
    """

    minuend: VolumeColumn
    reference: VolumeColumn

    is_difference = True
    has_own_scale = True
    colour = ""

    @property
    def title(self) -> str:
        """Short name, above the column."""
        return f"{self.minuend.title} \N{MINUS SIGN} {self.reference.title}"

    @property
    def voxel(self) -> Point:
        """Edges (z, y, x) of a voxel in world units."""
        return self.minuend.voxel

    @property
    def extent(self) -> tuple[Point, Point]:
        """World positions of the outer faces: lowest (z, y, x), highest (z, y, x)."""
        return self.minuend.extent

    @property
    def angles_deg(self) -> tuple[float, ...]:
        """Tilt angles of the minuend."""
        return self.minuend.angles_deg

    def section(self, plane: Plane, at: float) -> Floats | None:
        """Slice (down, across) at a world position; None outside."""
        first = self.minuend
        own = first.section(plane, at)
        if own is None:
            return None
        down, across = first.positions(plane.down), first.positions(plane.across)
        return own - self.reference.sample(plane, at, down, across)

    def sample(self, plane: Plane, at: float, down: Positions, across: Positions) -> Floats:
        """Difference at a grid of world positions in a plane; NaN where either volume ends."""
        values = self.minuend.sample(plane, at, down, across)
        values -= self.reference.sample(plane, at, down, across)
        return values

    def coarse(self) -> Floats:
        """Some voxels spread over the difference, float32, in three axes."""
        first = self.minuend
        step = coarse_step(first.shape)
        z, x = first.positions(0, step), first.positions(2, step)
        heights = first.positions(1, min(step, first.shape[1]))
        return np.stack([self.sample(XZ, y, z, x) for y in heights], axis=1)


Column = VolumeColumn | DifferenceColumn


def coarse_step(shape: tuple[int, int, int]) -> int:
    """Look at every n-th voxel along each axis, so that a look takes no time."""
    return max(1, round(float(np.prod(shape) / LOOKED_AT) ** (1 / 3)))
