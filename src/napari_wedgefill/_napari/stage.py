"""What a viewer's canvas shows: the images of one tilt series, or volumes side by side."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import ReferenceType, WeakKeyDictionary, ref

import numpy as np
from psygnal import Signal

from .layers import SERIES_AXES, TRUST, VOLUME_AXES, LayerMap, list_volumes

if TYPE_CHECKING:
    import napari
    from napari.layers import Image
    from qtpy.QtWidgets import QWidget

TILTS = "Tilts"
#: Order of the axes (z, y, x); napari slices the first and shows the last two (down, across).
ORIENTATIONS = {"XZ": (1, 0, 2), "XY": (0, 1, 2), "YZ": (2, 0, 1)}


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


@dataclass(frozen=True)
class Place:
    """Where one looked: view, slider positions, and the camera if it was moved by hand."""

    view: str
    point: tuple[float, ...]
    camera: tuple[float, tuple[float, ...]] | None


class Stage:
    """Arranges one viewer's canvas, sliders and layer visibility; one for each viewer.

    napari has one set of sliders for all layers. The stage keeps their ranges, names and positions
    to what is shown, so that 77 tilts have a slider of 77 positions even where a volume of 256
    slices lies hidden beside them, and each series and each run of volumes keeps its own place.

    Parameters
    ----------
    viewer : napari.Viewer
        Use it on the main thread only.

    Attributes
    ----------
    changed : Signal
        Says the name of the view, or an empty text where the canvas shows something else.
    window : weak reference to QWidget, or None
        The viewer's window, which is not drawn while the stage rearranges it.
    """

    changed = Signal(str)

    def __init__(self, viewer: napari.Viewer) -> None:
        self._viewer = ref(viewer)
        self._shown: list[Image] = []
        self._is_series = False
        self._orientation = "XZ"
        self._fitted: tuple[Any, ...] | None = None
        self._places: WeakKeyDictionary[Image, Place] = WeakKeyDictionary()
        self._is_busy = False
        self.window: ReferenceType[QWidget] | None = None
        viewer.canvas.events.size.connect(self._fit_again)
        viewer.layers.events.removed.connect(self._forget_removed)
        for event in (viewer.dims.events.range, viewer.dims.events.axis_labels):
            event.connect(self._hold_sliders)
        for event in (viewer.dims.events.order, viewer.dims.events.ndisplay):
            event.connect(self._tell)

    @property
    def viewer(self) -> napari.Viewer:
        """The viewer."""
        viewer = self._viewer()
        if viewer is None:
            raise RuntimeError("the viewer is gone")
        return viewer

    @property
    def shown(self) -> list[Image]:
        """The layers that were put on the stage and are still there."""
        return [layer for layer in self._shown if layer in self.viewer.layers]

    @property
    def shows_volumes(self) -> bool:
        """Whether volumes are on the stage."""
        return bool(self.shown) and not self._is_series

    @property
    def view(self) -> str:
        """Name of the view that the canvas shows; empty where someone arranged it otherwise."""
        viewer, shown = self.viewer, self.shown
        if not shown or viewer.dims.ndisplay != 2 or not any(layer.visible for layer in shown):
            return ""
        if self._is_series:
            return TILTS if viewer.dims.order == ORIENTATIONS["XY"] else ""
        return next((n for n, order in ORIENTATIONS.items() if viewer.dims.order == order), "")

    def show_series(self, layer: Image) -> None:
        """Show the images of one tilt series, with a slider over the tilts."""
        with self._rearranging():
            self._put_on([layer], is_series=True)
            viewer = self.viewer
            viewer.canvas.grid.enabled = False
            viewer.dims.ndisplay = 2
            viewer.dims.order = ORIENTATIONS["XY"]
            viewer.layers.selection = {layer}
            self._return_to_place(layer)

    def show_volumes(self, layers: Sequence[Image], orientation: str | None = None) -> None:
        """Show volumes in a grid, a cell each, with one camera, slice and contrast.

        Parameters
        ----------
        layers : sequence of Image
            Volumes (z, y, x) on one scale, whose contrast becomes linked, and trust maps.
        orientation : str, optional
            "XZ", "XY" or "YZ"; by default as these volumes were last seen, XZ at first.
        """
        if not layers:
            return
        with self._rearranging():
            self._put_on(layers, is_series=False)
            viewer = self.viewer
            for layer in layers:
                layer.name_overlay.visible = True
            alike = [layer for layer in layers if LayerMap.of(layer).kind != TRUST]
            if len(alike) > 1:
                viewer.layers.link_layers(alike, ("contrast_limits", "gamma", "colormap"))
            viewer.canvas.overlays.scale_bar.visible = True
            viewer.layers.selection = {layers[-1]}
            place = self._places.get(layers[0])
            self._orientation = orientation or (place.view if place else "XZ")
            self._fill_grid()
            self._return_to_place(layers[0])

    def add_volume(self, layer: Image, *, over: Image | None = None) -> None:
        """Show one more layer beside the others, or in the cell of one; its contrast is its own."""
        if not self.shows_volumes:
            return
        with self._rearranging():
            self._shown.append(layer)
            layer.name_overlay.visible = over is None
            self._fill_grid()
            self._fit()

    def orient(self, orientation: str) -> None:
        """Show XZ, XY or YZ slices of the volumes, or of any that there are, and fit them."""
        with self._rearranging():
            shown = self.shown if self.shows_volumes else list_volumes(self.viewer)
            if not shown:
                return
            self._put_on(shown, is_series=False)
            self._orientation = orientation
            self._fill_grid()
            place = self._places.get(shown[0])
            self._set_point(place.point if place else None)
            self._fit()

    def _put_on(self, layers: Sequence[Image], *, is_series: bool) -> None:
        self._remember_place()
        if set(layers) != set(self._shown):
            # With a grid, napari builds every cell anew for each layer that comes or goes.
            self.viewer.canvas.grid.enabled = False
        self._shown, self._is_series = list(layers), is_series
        for layer in self.viewer.layers:
            layer.visible = layer in layers

    def _fill_grid(self) -> None:
        viewer, shown = self.viewer, self.shown
        viewer.dims.ndisplay = 2
        viewer.dims.order = ORIENTATIONS[self._orientation]
        extent = shown[0].extent
        size = extent.world[1] - extent.world[0] + extent.step
        down, across = ORIENTATIONS[self._orientation][1:]
        grid = viewer.canvas.grid
        grid.stride = 1
        grid.shape = choose_grid_shape(len(shown), size[across], size[down], viewer.canvas.size)
        grid.enabled = len(shown) > 1

    def _fit(self) -> None:
        self._hold_sliders()
        self.viewer.reset_view(layers=self.shown)
        self._fitted = self._camera()

    def _remember_place(self) -> None:
        shown = self.shown
        if not shown or not self.view:
            return
        viewer = self.viewer
        camera = None if self._fitted == self._camera() else self._camera()[-2:]
        self._places[shown[0]] = Place(self.view, tuple(viewer.dims.point), camera)

    def _return_to_place(self, layer: Image) -> None:
        place = self._places.get(layer)
        self._set_point(place.point if place else None)
        self._fit()
        if place is not None and place.camera is not None:
            zoom, centre = place.camera
            self.viewer.scene.camera.center = centre
            self.viewer.scene.camera.zoom = zoom

    def _set_point(self, point: tuple[float, ...] | None) -> None:
        """Move the sliders; to the middle of what is shown by default."""
        self._hold_sliders()
        if point is None:
            low, high = self.viewer.layers.get_extent(self.shown).world
            point = tuple((low + high) / 2)
        self.viewer.dims.set_point(range(len(point)), point)

    def _hold_sliders(self, event: Any = None) -> None:
        """Keep the sliders to the layers that are seen: napari resets them to all layers."""
        viewer, shown = self.viewer, self.shown
        seen = [layer for layer in viewer.layers if layer.visible and layer.ndim == 3]
        if not shown or shown[0] not in seen or viewer.dims.ndim != 3:
            return
        extent = viewer.layers.get_extent(seen)
        ranges = tuple(zip(*extent.world, extent.step, strict=True))
        if not np.allclose(viewer.dims.range, ranges):
            viewer.dims.range = ranges
        labels = SERIES_AXES if self._is_series else VOLUME_AXES
        if tuple(viewer.dims.axis_labels) != labels:
            viewer.dims.axis_labels = labels

    def _fit_again(self, event: Any = None) -> None:
        """Fit to a canvas of another size, unless someone moved or zoomed since."""
        if self._fitted is None or self._fitted != self._camera() or not self.shown:
            return
        with self._rearranging():
            if not self._is_series:
                self._fill_grid()
            self._fit()

    def _camera(self) -> tuple[Any, ...]:
        viewer = self.viewer
        camera = viewer.scene.camera
        seen = tuple(layer.visible for layer in viewer.layers)
        return viewer.dims.order, viewer.dims.ndisplay, seen, camera.zoom, tuple(camera.center)

    def _forget_removed(self, event: Any = None) -> None:
        """Leave no grid and no turned axes behind when what was shown is gone."""
        if not self._shown or self._is_busy:
            return
        with self._rearranging():
            had, self._shown = len(self._shown), self.shown
            if not self._shown:
                self._is_series, self._fitted = False, None
                self.viewer.canvas.grid.enabled = False
                self.viewer.dims.order = tuple(range(self.viewer.dims.ndim))
            elif not self._is_series and len(self._shown) < had:
                self._fill_grid()
                self._fit()

    @contextmanager
    def holding_screen(self) -> Iterator[None]:
        """Draw nothing until all is in place: each draw in between is time, and flashes."""
        window = None if self.window is None else self.window()
        if window is None or not window.updatesEnabled():
            yield
            return
        window.setUpdatesEnabled(False)
        try:
            yield
        finally:
            window.setUpdatesEnabled(True)

    @contextmanager
    def _rearranging(self) -> Iterator[None]:
        """Draw, and tell the view, once it is complete."""
        was_busy, self._is_busy = self._is_busy, True
        with self.holding_screen():
            try:
                yield
            finally:
                self._is_busy = was_busy
        self._tell()

    def _tell(self, event: Any = None) -> None:
        if not self._is_busy:
            self.changed.emit(self.view)


_stages: WeakKeyDictionary[Any, Stage] = WeakKeyDictionary()


def find_stage(viewer: napari.Viewer) -> Stage:
    """Return the stage of a viewer, whether it comes itself or as the proxy that plugins get."""
    viewer = getattr(viewer, "__wrapped__", viewer)
    if viewer not in _stages:
        _stages[viewer] = Stage(viewer)
    return _stages[viewer]
