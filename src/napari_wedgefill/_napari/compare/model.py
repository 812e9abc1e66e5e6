"""What the Compare window shows: columns, crosshair, view and contrast; no Qt in here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from psygnal import Signal

from ...trust.objects import choose_box, find_object_box
from .columns import Column, DifferenceColumn, VolumeColumn
from .contrast import Contrast, Limits
from .planes import ROWS, Plane, Point
from .profile import Line, Profile, line_through, points_along, profile

#: A row of panels is at least this part of the highest one, so that thin volumes stay visible.
LEAST_SHARE = 0.2
MIN_MAGNIFICATION, MAX_MAGNIFICATION = 0.5, 64.0


@dataclass(frozen=True)
class Viewpoint:
    """Where the panels look; one for all of them.

    Attributes
    ----------
    centre : tuple of float, (z, y, x)
        World position in the middle of every panel.
    magnification : float
        1 where the volumes just fit.
    spectrum_magnification : float
        1 where the whole spectrum fits; zero frequency stays in the middle.
    """

    centre: Point = (0.0, 0.0, 0.0)
    magnification: float = 1.0
    spectrum_magnification: float = 1.0


class CompareModel:
    """The state of one Compare window.

    Attributes
    ----------
    crosshair : tuple of float, (z, y, x)
        World position; always the centre of a voxel of the first column.
    view : Viewpoint
        Zoom and pan.
    contrast : Contrast
        Contrast limits by column; use `set_limits` and `link_contrast` to change them.
    active : int
        Column whose contrast is set where it is not linked.
    unit : str
        Unit of world positions, such as "nm".
    """

    #: Something other than the crosshair changed.
    changed = Signal()
    #: The crosshair is somewhere else.
    moved = Signal()

    def __init__(self) -> None:
        self.methods: tuple[VolumeColumn, ...] = ()
        self.unit = "nm"
        self.crosshair: Point = (0.0, 0.0, 0.0)
        self.view = Viewpoint()
        self.contrast = Contrast()
        self.colourmap = "gray"
        self.rows: tuple[Plane, ...] = ROWS
        self.show_crosshair = True
        self.active = 0
        self.profile_axis: int | None = None
        self.drawn_line: Line | None = None
        self._difference: tuple[str, str] | None = None
        self.columns: tuple[Column, ...] = ()

    def set_methods(self, methods: Sequence[VolumeColumn], unit: str = "nm") -> None:
        """Show other volumes; crosshair and view stay where that is possible."""
        had_none = not self.methods
        self.methods, self.unit = tuple(methods), unit
        self._rebuild()
        if self.methods and had_none:
            self.fit_object()
            self.move_to(self.view.centre)
        elif self.methods:
            self.move_to(self.crosshair)

    def set_difference(self, minuend: str | None, reference: str | None) -> None:
        """Add a column that shows one method minus another, by title; None removes it."""
        self._difference = None if minuend is None or reference is None else (minuend, reference)
        self._rebuild()

    @property
    def difference(self) -> tuple[str, str] | None:
        """Titles of the minuend and the reference of the difference column."""
        shown = [column for column in self.columns if isinstance(column, DifferenceColumn)]
        return (shown[0].minuend.title, shown[0].reference.title) if shown else None

    def _rebuild(self) -> None:
        by_title = {method.title: method for method in self.methods}
        extra: tuple[Column, ...] = ()
        if self._difference is not None and all(t in by_title for t in self._difference):
            minuend, reference = (by_title[title] for title in self._difference)
            extra = (DifferenceColumn(minuend, reference),)
        self.columns = (*self.methods, *extra)
        self.active = min(self.active, max(len(self.columns) - 1, 0))
        self.contrast.look_at(self.columns)
        self.changed.emit()

    @property
    def extent(self) -> tuple[Point, Point]:
        """World positions of the outer faces of all volumes together."""
        if not self.methods:
            return (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
        ends = np.array([method.extent for method in self.methods])
        return tuple(ends[:, 0].min(axis=0).tolist()), tuple(ends[:, 1].max(axis=0).tolist())

    def move_to(self, point: Point) -> None:
        """Move the crosshair to the voxel at a world position, within the first volume."""
        if not self.methods:
            return
        centre = self.methods[0].nearest_centre(point)
        if centre != self.crosshair:
            self.crosshair = centre
            self.moved.emit()

    def point_in(self, plane: Plane, down: float, across: float) -> Point:
        """World position of a point in the slice that a plane shows."""
        point = list(self.crosshair)
        point[plane.down], point[plane.across] = down, across
        return point[0], point[1], point[2]

    def move_within(self, plane: Plane, down: float, across: float) -> None:
        """Move the crosshair within a plane."""
        self.move_to(self.point_in(plane, down, across))

    def step(self, axis: int, voxels: int) -> None:
        """Move the crosshair by some voxels along an axis."""
        if self.methods:
            point = list(self.crosshair)
            point[axis] += voxels * self.methods[0].voxel[axis]
            self.move_to((point[0], point[1], point[2]))

    def slice_numbers(self) -> tuple[int, int, int]:
        """Slices (z, y, x) at the crosshair, counted from the world's origin as sliders do.

        A volume of some slices of a tilt series keeps the numbers that they have there.
        """
        voxel = self.methods[0].voxel
        z, y, x = (round(p / abs(v)) for p, v in zip(self.crosshair, voxel, strict=True))
        return z, y, x

    def values(self) -> list[float]:
        """Intensity of every column at the crosshair; NaN outside its volume."""
        z, y, x = (np.array([position]) for position in self.crosshair)
        plane = ROWS[0]
        return [float(column.sample(plane, float(z[0]), y, x)[0, 0]) for column in self.columns]

    def fit(self) -> None:
        """Show all of every volume."""
        low, high = self.extent
        z, y, x = ((a + b) / 2 for a, b in zip(low, high, strict=True))
        self.view = Viewpoint((z, y, x))
        self.changed.emit()

    def fit_object(self) -> None:
        """Show the object in the volumes, with a margin, as large as the panels allow."""
        first = self.methods[0]
        alike = [method for method in self.methods if method.shape == first.shape]
        densities = [method for method in alike if not method.has_own_scale] or [first]
        box = np.array(choose_box([find_object_box(one.data) for one in densities]), dtype=float)
        faces = np.array(first.extent)
        edges = (faces[1] - faces[0]) / first.data.shape
        low, high = faces[0] + box.T * edges
        lowest, highest = self.extent
        whole = np.subtract(highest, lowest)
        whole = np.maximum(whole, LEAST_SHARE * whole.max())
        self.look_at(tuple(((low + high) / 2).tolist()), float((whole / (high - low)).min()))

    def look_at(self, centre: Point, magnification: float | None = None) -> None:
        """Pan, and zoom if asked to; the middle of the panels stays on the volumes."""
        low, high = self.extent
        z, y, x = np.clip(centre, low, high).tolist()
        chosen = self.view.magnification if magnification is None else magnification
        chosen = self.clip_magnification(chosen)
        self.view = replace(self.view, centre=(z, y, x), magnification=chosen)
        self.changed.emit()

    @staticmethod
    def clip_magnification(magnification: float) -> float:
        """Return the nearest magnification that the view allows."""
        return min(max(magnification, MIN_MAGNIFICATION), MAX_MAGNIFICATION)

    def zoom_spectrum(self, factor: float) -> None:
        """Zoom the spectra about zero frequency."""
        chosen = min(max(self.view.spectrum_magnification * factor, 1.0), MAX_MAGNIFICATION)
        self.view = replace(self.view, spectrum_magnification=chosen)
        self.changed.emit()

    def set_limits(self, limits: Limits) -> None:
        """Set the contrast limits of the active column, or of all methods where linked."""
        if self.columns:
            self.contrast.choose(self.columns[self.active], limits)
            self.changed.emit()

    def activate(self, index: int) -> None:
        """Choose the column whose contrast is set where it is not linked."""
        if index != self.active:
            self.active = index
            self.changed.emit()

    def link_contrast(self, linked: bool) -> None:
        """Put all methods on one scale, or each on its own."""
        self.contrast.linked = linked
        self.changed.emit()

    def auto_contrast(self) -> None:
        """Return to the contrast limits that suit the intensities."""
        self.contrast.forget()
        self.changed.emit()

    def set_colourmap(self, name: str) -> None:
        """Choose the colours of the methods."""
        self.colourmap = name
        self.changed.emit()

    def set_crosshair_shown(self, shown: bool) -> None:
        """Show or hide the crosshair."""
        self.show_crosshair = shown
        self.changed.emit()

    def show_row(self, plane: Plane, shown: bool) -> None:
        """Show or hide a row; the last one stays."""
        rows = tuple(r for r in ROWS if (shown if r is plane else r in self.rows))
        self.rows = rows or self.rows
        self.changed.emit()

    def set_profile_axis(self, axis: int | None) -> None:
        """Show the profile along an axis through the crosshair; None shows no profile."""
        self.profile_axis, self.drawn_line = axis, None
        self.changed.emit()

    def draw_line(self, line: Line) -> None:
        """Show the profile along a line that was drawn."""
        self.drawn_line = line
        self.changed.emit()

    @property
    def line(self) -> Line | None:
        """Line of the profile: the drawn one, in the slice at the crosshair, or one through it."""
        if self.drawn_line is not None:
            return self.drawn_line.in_slice(self.crosshair)
        if self.profile_axis is None or not self.methods:
            return None
        return line_through(self.crosshair, self.profile_axis, self.methods[0])

    def profiles(self) -> list[Profile]:
        """Intensities of every column along the line."""
        line = self.line
        if line is None or line.length == 0:
            return []
        n = points_along(line, self.methods[0])
        return [profile(column, line, n) for column in self.columns]
