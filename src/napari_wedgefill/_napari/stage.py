"""What a viewer's canvas shows: the images of one tilt series, or volumes side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, ref

import numpy as np
from psygnal import Signal

from .arranging import DRAW, Arranger
from .cells import (
    ORIENTATIONS,
    SOLID,
    TILTS,
    Grid,
    ObjectBoxes,
    aim_camera,
    choose_grid,
    order_axes,
    release_old_cells,
)
from .layer_kinds import list_volumes
from .layers import SERIES_AXES, VOLUME, VOLUME_AXES, LayerMap
from .sliders import choose_middle, hold_sliders, make_room_for_names, move_sliders
from .solid.turning import FIRST_DEG, look_from

if TYPE_CHECKING:
    import napari
    from napari.layers import Image, Layer
    from numpy.typing import NDArray


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
    arranger : Arranger
        Does the rearranging, a piece at a time where it is given turns.
    """

    changed = Signal(str)

    def __init__(self, viewer: napari.Viewer) -> None:
        self._viewer = ref(viewer)
        self._shown: list[Image] = []
        self._is_series = self._is_overlay = False
        self._orientation = "XZ"
        self._fitted: tuple[Any, ...] | None = None
        self._places: WeakKeyDictionary[Image, Place] = WeakKeyDictionary()
        self._boxes = ObjectBoxes()
        self.arranger = Arranger(self._tell)
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
    def is_arranging(self) -> bool:
        """Whether layers are being arranged, a piece at a time."""
        return self.arranger.is_busy

    @property
    def shows_volumes(self) -> bool:
        """Whether volumes are on the stage."""
        return bool(self.shown) and not self._is_series

    @property
    def shows_overlay(self) -> bool:
        """Whether one volume is seen with a trust map over it."""
        return self._is_overlay and len(self.shown) == 2

    @property
    def view(self) -> str:
        """Name of the view that the canvas shows; empty where someone arranged it otherwise."""
        viewer, shown = self.viewer, self.shown
        if not shown or not any(layer.visible for layer in shown):
            return ""
        if viewer.dims.ndisplay == 3:
            return "" if self._is_series else SOLID
        if self._is_series:
            return TILTS if self._is_ordered("XY") else ""
        return next((name for name in ORIENTATIONS if self._is_ordered(name)), "")

    def _is_ordered(self, orientation: str) -> bool:
        dims = self.viewer.dims
        return bool(dims.ndim >= 3 and dims.order == order_axes(orientation, dims.ndim))

    def show_series(self, layer: Image) -> None:
        """Show the images of one tilt series, with a slider over the tilts."""
        self.arranger.arrange(self._iter_series(layer))

    def show_volumes(
        self,
        layers: Sequence[Image],
        orientation: str | None = None,
        point: tuple[float, ...] | None = None,
    ) -> None:
        """Show volumes in a grid, a cell each, with one camera, slice and contrast.

        Parameters
        ----------
        layers : sequence of Image
            Volumes (z, y, x) on one scale, whose contrast becomes linked, and trust maps.
        orientation : str, optional
            "XZ", "XY" or "YZ"; by default as these volumes were last seen, XZ at first.
        point : tuple of float, optional
            Where the sliders stand at first, in world units; in the middle by default.
        """
        if layers:
            self.arranger.arrange(self._iter_volumes(list(layers), orientation, point))

    def show_over(self, base: Image, over: Image) -> None:
        """Show one volume with a trust map lying over it, in the orientation of before."""
        self.arranger.arrange(self._iter_over(base, over))

    def show_solid(self, layers: Sequence[Layer]) -> None:
        """Show volumes, and labels of their objects, in three dimensions, turned in step."""
        if layers:
            self.arranger.arrange(self._iter_volumes(list(layers), SOLID, None))

    def orient(self, orientation: str) -> None:
        """Show XZ, XY or YZ slices of the volumes, or of any that there are, and fit them."""
        shown = self.shown if self.shows_volumes else list_volumes(self.viewer)
        if shown:
            self.arranger.arrange(self._iter_orient(shown, orientation, self.shows_overlay))

    # Arranging, a piece at a time

    def _iter_series(self, layer: Image) -> Iterator[Any]:
        self._put_on([layer], is_series=True)
        layer.visible = True
        yield
        yield from self._iter_hide_others([layer])
        viewer = self.viewer
        self._give_cells(Grid(False, (1, 1)))
        yield
        viewer.dims.ndisplay = 2
        viewer.dims.order = order_axes("XY", viewer.dims.ndim)
        yield
        if self.shown:
            viewer.layers.selection = {layer}
            self._return_to_place(layer)

    def _iter_volumes(
        self,
        layers: list[Image],
        orientation: str | None,
        point: tuple[float, ...] | None,
    ) -> Iterator[Any]:
        self._put_on(layers, is_series=False)
        viewer = self.viewer
        alike = [layer for layer in layers if LayerMap.of(layer).kind == VOLUME]
        if len(alike) > 1:
            viewer.layers.link_layers(alike, ("contrast_limits", "gamma", "colormap"))
        for layer in layers:
            if not layer.name_overlay.visible:
                layer.name_overlay.visible = True
                yield
        bar = viewer.canvas.overlays.scale_bar
        if not bar.visible or bar.gridded:
            bar.gridded = False  # all cells have one zoom
            bar.visible = True
            yield DRAW
        place = self._places.get(layers[0])
        known = place.view if place is not None and place.view in ORIENTATIONS else "XZ"
        self._orientation = orientation or known
        if place is None and point is not None:
            self._places[layers[0]] = Place(self._orientation, point, None)
        yield from self._iter_cells()
        if self.shown:
            viewer.layers.selection = {self.shown[-1]}
            self._return_to_place(self.shown[0])

    def _iter_over(self, base: Image, over: Image) -> Iterator[Any]:
        self._put_on([base, over], is_series=False)
        self._is_overlay = True
        yield from self._iter_cells()
        if self.shows_overlay:
            self.viewer.layers.selection = {over}
            self._return_to_place(base)

    def _iter_orient(self, shown: list[Image], orientation: str, is_overlay: bool) -> Iterator[Any]:
        self._put_on(shown, is_series=False)
        self._is_overlay = is_overlay
        self._orientation = orientation
        yield from self._iter_cells()
        if self.shown:
            place = self._places.get(self.shown[0])
            self._set_point(place.point if place else None)
            self._fit()

    def _iter_cells(self) -> Iterator[Any]:
        """Build the cells around the first volume, then let the others in one by one.

        What is new in the picture compiles its shaders at the first drawing; what is seen while
        the grid changes its shape does so again.
        """
        viewer, shown = self.viewer, self.shown
        yield from self._boxes.iter_find(shown)
        n_rebuilt = 1 if self._choose_grid().differs(viewer) else len(shown)
        for layer in shown[:1]:
            layer.visible = True
            yield
        yield from self._iter_hide_others(self.shown[:n_rebuilt])
        is_solid = self._orientation == SOLID
        orientation = "XY" if is_solid else self._orientation
        viewer.dims.order = order_axes(orientation, viewer.dims.ndim)
        viewer.dims.ndisplay = 3 if is_solid else 2
        yield
        self._give_cells(self._choose_grid())
        yield
        if self.shown:
            self._set_point(self._place_of_shown())
            self._fit()
        yield DRAW
        for layer in shown[1:]:
            if layer in viewer.layers and not layer.visible:
                layer.visible = True
                yield DRAW

    def _iter_hide_others(self, kept: Sequence[Image]) -> Iterator[Any]:
        for layer in list(self.viewer.layers):
            if layer.visible and layer not in kept:
                layer.visible = False
                yield

    def _put_on(self, layers: Sequence[Image], *, is_series: bool) -> None:
        self._remember_place()
        self.arranger.is_complete = False
        self._shown, self._is_series, self._is_overlay = list(layers), is_series, False

    def _choose_grid(self) -> Grid:
        shown = self.shown
        size = self._boxes.find_size(shown) if shown else np.ones(3)
        n_cells = 1 if self._is_overlay else len(shown)
        return choose_grid(n_cells, size, self._orientation, self.viewer.canvas.size)

    def _give_cells(self, grid: Grid) -> None:
        grid.apply(self.viewer)
        if (window := self.arranger.find_window()) is not None:
            release_old_cells(window)

    def _place_of_shown(self) -> tuple[float, ...] | None:
        place = self._places.get(self.shown[0])
        return None if place is None else place.point

    def _fit(self) -> None:
        """Fit the cells to the images of a series, or to the object in the volumes."""
        self._hold_sliders()
        viewer, shown = self.viewer, self.shown
        is_solid = self._orientation == SOLID and not self._is_series
        if is_solid:
            viewer.scene.camera.set_view_direction(look_from(FIRST_DEG))
        if self._is_series:
            # Not napari's own fit, which fails where another layer has more axes.
            extent = viewer.layers.get_extent(shown)
            half = np.asarray(extent.step) / 2
            aim_camera(viewer, extent.world[0] - half, extent.world[1] + half)
        else:
            aim_camera(viewer, *self._boxes.find_ends(shown))
        self._fitted = self._camera()

    def _remember_place(self) -> None:
        shown = self.shown
        if not shown or not self.view or not self.arranger.is_complete:
            return
        viewer = self.viewer
        camera = None if self._fitted == self._camera() else self._camera()[-2:]
        self._places[shown[0]] = Place(self.view, tuple(viewer.dims.point[-3:]), camera)

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
            point = choose_middle(self.viewer, *self._find_ends())
        move_sliders(self.viewer, point)

    def _find_ends(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        if not self._is_series:
            return self._boxes.find_ends(self.shown)
        low, high = self.viewer.layers.get_extent(self.shown).world
        return low, high

    def _hold_sliders(self, event: Any = None) -> None:
        """Keep the sliders to the layers that are seen."""
        if shown := self.shown:
            hold_sliders(self.viewer, shown[0], SERIES_AXES if self._is_series else VOLUME_AXES)

    def _fit_again(self, event: Any = None) -> None:
        """Fit to a canvas of another size, unless someone moved or zoomed since."""
        if (
            self.arranger.is_busy
            or self._fitted is None
            or self._fitted != self._camera()
            or not self.shown
        ):
            return
        if not self._is_series:
            self._give_cells(self._choose_grid())
        self._fit()
        self._tell()

    def _camera(self) -> tuple[Any, ...]:
        viewer = self.viewer
        camera = viewer.scene.camera
        seen = tuple(layer.visible for layer in viewer.layers)
        return viewer.dims.order, viewer.dims.ndisplay, seen, camera.zoom, tuple(camera.center)

    def _forget_removed(self, event: Any = None) -> None:
        """Leave no grid and no turned axes behind when what was shown is gone."""
        if not self._shown:
            return
        had, self._shown = len(self._shown), self.shown
        if not self._shown:
            self._is_series, self._fitted = False, None
            self._give_cells(Grid(False, (1, 1)))
            self.viewer.canvas.overlays.scale_bar.visible = False
            self.viewer.dims.order = tuple(range(self.viewer.dims.ndim))
        elif self.arranger.is_busy:
            return  # what is under way takes those that are left
        elif not self._is_series and len(self._shown) < had:
            self._give_cells(self._choose_grid())
            self._fit()
        self._tell()

    def _tell(self, event: Any = None) -> None:
        if not self.arranger.is_busy:
            if (window := self.arranger.find_window()) is not None:
                make_room_for_names(window)
            self.changed.emit(self.view)


_stages: WeakKeyDictionary[Any, Stage] = WeakKeyDictionary()


def find_stage(viewer: napari.Viewer) -> Stage:
    """Return the stage of a viewer, whether it comes itself or as the proxy that plugins get."""
    viewer = getattr(viewer, "__wrapped__", viewer)
    if viewer not in _stages:
        _stages[viewer] = Stage(viewer)
    return _stages[viewer]
