"""Intensities along a line, for every column at once."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .columns import Column, DifferenceColumn, Floats, VolumeColumn
from .planes import PLANES, Plane, Point


@dataclass(frozen=True)
class Line:
    """A straight line within a plane.

    Attributes
    ----------
    plane : Plane
        The plane it was drawn in.
    start, end : tuple of float, (z, y, x)
        World positions.
    """

    plane: Plane
    start: Point
    end: Point

    def in_slice(self, point: Point) -> Line:
        """Return the line moved to the slice that holds `point`."""
        ends = []
        for end in (self.start, self.end):
            moved = list(end)
            moved[self.plane.cut] = point[self.plane.cut]
            ends.append((moved[0], moved[1], moved[2]))
        return Line(self.plane, *ends)

    @property
    def length(self) -> float:
        """Length in world units."""
        return math.dist(self.start, self.end)


@dataclass(frozen=True, eq=False)
class Profile:
    """One column's intensities along a line; NaN outside its volume."""

    title: str
    distances: NDArray[np.float64]
    values: Floats


def line_through(point: Point, axis: int, column: Column) -> Line:
    """Line along an axis through `point`, between the outermost voxel centres of a column."""
    plane = next(plane for plane in PLANES if axis in (plane.down, plane.across))
    low, high = column.extent
    half = abs(column.voxel[axis]) / 2
    start, end = list(point), list(point)
    start[axis], end[axis] = low[axis] + half, high[axis] - half
    return Line(plane, (start[0], start[1], start[2]), (end[0], end[1], end[2]))


def profile(column: Column, line: Line, n: int) -> Profile:
    """Intensities at `n` evenly spaced points of a line, between voxels interpolated linearly."""
    distances = np.linspace(0.0, line.length, n)
    return Profile(column.title, distances, _along(column, line, n))


def points_along(line: Line, column: Column) -> int:
    """Number of points that leaves out no voxel of a column; at least 2."""
    steps = [
        abs(end - start) / abs(voxel)
        for start, end, voxel in zip(line.start, line.end, column.voxel, strict=True)
    ]
    return max(2, math.ceil(math.hypot(*steps) - 1e-6) + 1)


def _along(column: Column, line: Line, n: int) -> Floats:
    if isinstance(column, DifferenceColumn):
        return _along(column.minuend, line, n) - _along(column.reference, line, n)
    section = column.section(line.plane, line.start[line.plane.cut])
    if section is None:
        return np.full(n, np.nan, np.float32)
    places = [_index_along(column, line, axis, n) for axis in (line.plane.down, line.plane.across)]
    found = ndimage.map_coordinates(section, places, order=1, mode="constant", cval=np.nan)
    return np.asarray(found, np.float32)


def _index_along(column: VolumeColumn, line: Line, axis: int, n: int) -> NDArray[np.float64]:
    ends = (np.array([line.start[axis], line.end[axis]]) - column.origin[axis]) / column.voxel[axis]
    # Voxel centres are hit exactly, in spite of rounding: the outermost ones would be outside.
    return np.linspace(ends[0], ends[1], n, dtype=np.float64).round(6)
