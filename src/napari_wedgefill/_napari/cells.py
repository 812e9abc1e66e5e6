"""Cells of the canvas: how many rows and columns, and the camera that shows the object largest."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from ..trust.objects import Box, choose_box, find_object_box
from .layers import VOLUME, LayerMap

if TYPE_CHECKING:
    import napari
    from napari.layers import Layer
    from qtpy.QtWidgets import QMainWindow

Doubles = NDArray[np.float64]

TILTS = "Tilts"
#: Order of the axes (z, y, x); napari slices the first and shows the last two (down, across).
ORIENTATIONS = {"XZ": (1, 0, 2), "XY": (0, 1, 2), "YZ": (2, 0, 1)}
SOLID = "3-D"
#: Of a cell left free around the object, on both sides together.
FREE = 0.05


@dataclass(frozen=True)
class Grid:
    """Cells of a canvas.

    Attributes
    ----------
    is_enabled : bool
        Whether there is more than one.
    shape : tuple of int
        Rows, columns.
    """

    is_enabled: bool
    shape: tuple[int, int]

    def differs(self, viewer: napari.Viewer) -> bool:
        """Whether the canvas has other cells, which are built anew."""
        grid = viewer.canvas.grid
        return bool(
            self.is_enabled != grid.enabled or (self.is_enabled and grid.shape != self.shape)
        )

    def apply(self, viewer: napari.Viewer) -> None:
        """Give the canvas these cells; napari, which builds them at each change, is told once."""
        grid = viewer.canvas.grid
        switches = self.is_enabled != grid.enabled
        with ExitStack() as silent:
            for event in (grid.events.stride, grid.events.shape) if switches else ():
                silent.enter_context(event.blocker())
            grid.stride = 1
            grid.shape = self.shape
        grid.enabled = self.is_enabled


def order_axes(orientation: str, n_dims: int) -> tuple[int, ...]:
    """Order of a viewer's axes that shows a view of volumes.

    Parameters
    ----------
    orientation : str
        "XZ", "XY" or "YZ".
    n_dims : int
        Axes of the viewer. Where someone brought an array of four, volumes lie along the last
        three.
    """
    before = n_dims - 3
    return (*range(before), *(before + axis for axis in ORIENTATIONS[orientation]))


def release_old_cells(window: QMainWindow) -> None:
    """Let go of the cells that napari has replaced by others.

    napari builds its grid anew whenever its shape changes and takes the old one off the canvas, but
    not off the list of widgets that vispy keeps: shaders and events of 1 MB a cell would stay until
    the window closes, and each resize would lay them all out.
    """
    from napari.qt import QtViewer

    seen = window.findChild(QtViewer)
    if seen is None:
        return
    central = seen.canvas.central_widget
    for widget in list(getattr(central, "_widgets", ())):
        if widget.parent is None:
            central.remove_widget(widget)


def choose_grid(n_cells: int, size: Doubles, orientation: str, canvas: tuple[int, int]) -> Grid:
    """Choose the cells that show volumes largest.

    Parameters
    ----------
    n_cells : int
        Number of pictures.
    size : ndarray, (3,)
        Of the object (z, y, x), in any unit.
    orientation : str
        "XZ", "XY", "YZ", or "3-D".
    canvas : tuple of int
        Height and width of the canvas in screen pixels.
    """
    if not n_cells:
        return Grid(False, (1, 1))
    if orientation == SOLID:
        size = np.full(3, size.max())  # it turns
    down, across = ORIENTATIONS.get(orientation, ORIENTATIONS["XY"])[1:]
    return Grid(n_cells > 1, choose_grid_shape(n_cells, size[across], size[down], canvas))


def choose_grid_shape(
    n_cells: int, cell_width: float, cell_height: float, canvas: tuple[int, int]
) -> tuple[int, int]:
    """Rows and columns that show `n_cells` pictures of a given shape largest.

    Parameters
    ----------
    n_cells : int
        Number of pictures, at least 1.
    cell_width, cell_height : float
        Size of one picture, in any unit.
    canvas : tuple of int
        Height and width of the canvas in screen pixels.

    Returns
    -------
    tuple of int
        Rows, columns.
    """
    height, width = canvas

    def zoom(rows: int) -> float:
        columns = math.ceil(n_cells / rows)
        return min(width / columns / cell_width, height / rows / cell_height)

    # Ties go to fewer rows.
    rows = max(range(1, n_cells + 1), key=lambda n: (round(zoom(n), 9), -n))
    return rows, math.ceil(n_cells / rows)


class ObjectBoxes:
    """The box of the object in each volume, looked for once."""

    def __init__(self) -> None:
        self._known: WeakKeyDictionary[Layer, Box] = WeakKeyDictionary()

    def find_ends(self, shown: Sequence[Layer]) -> tuple[Doubles, Doubles]:
        """Outer faces of the box that holds the object in all volumes, in world units."""
        for _ in self.iter_find(shown):
            pass
        alike = _list_alike(shown)
        first = alike[0]
        low, high = np.array(choose_box([self._known[layer] for layer in alike])).T - 0.5
        ends = np.array([first.data_to_world(low), first.data_to_world(high)])
        return ends.min(axis=0), ends.max(axis=0)

    def iter_find(self, shown: Sequence[Layer]) -> Iterator[None]:
        """Look for the boxes that are not known yet, a volume for each turn."""
        for layer in _list_alike(shown):
            if layer not in self._known:
                self._known[layer] = find_object_box(layer.data)
                yield

    def find_size(self, shown: Sequence[Layer]) -> Doubles:
        """Size of that box along z, y and x, in world units."""
        low, high = self.find_ends(shown)
        return high - low


def _list_alike(shown: Sequence[Layer]) -> list[Layer]:
    """Return the volumes that have the shape of the first; the first layer where there is none."""
    volumes = [layer for layer in shown if LayerMap.of(layer).kind == VOLUME] or list(shown)[:1]
    return [layer for layer in volumes if layer.data.shape == volumes[0].data.shape]


def aim_camera(viewer: napari.Viewer, low: Doubles, high: Doubles) -> None:
    """Show a box of given faces (world units) as large as a cell lets it."""
    before = viewer.dims.ndim - 3
    shown_axes = [axis - before for axis in viewer.dims.displayed if axis >= before]
    size, centre = (high - low)[shown_axes], ((low + high) / 2)[shown_axes]
    cells = viewer.canvas.grid.shape if viewer.canvas.grid.enabled else (1, 1)
    room = np.asarray(viewer.canvas.size) / np.asarray(cells)
    if len(size) == 3:
        size = np.full(2, np.linalg.norm(size))  # it turns
    camera = viewer.scene.camera
    camera.center = (0.0, *centre) if len(centre) == 2 else tuple(centre)
    camera.zoom = (1 - FREE) * float((room / size).min())
