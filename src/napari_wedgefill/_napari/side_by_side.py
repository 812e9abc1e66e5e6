"""Lay volumes out side by side: one grid cell each, camera, slice and contrast shared."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .layers import LayerMap

if TYPE_CHECKING:
    import napari

#: Order of the axes (z, y, x); napari slices the first and shows the last two (down, across).
ORIENTATIONS = {"XZ": (1, 0, 2), "XY": (0, 1, 2), "YZ": (2, 0, 1)}
#: Part of the voxels left saturated at either end of the shared contrast.
SATURATED_PERCENT = 0.2
#: Voxels looked at in each volume.
LOOKED_AT = 500_000


def grid_shape(
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


def shared_contrast(volumes: Sequence[NDArray[np.float32]]) -> tuple[float, float]:
    """Contrast limits for volumes that share an intensity scale.

    Some voxels spread over each volume are looked at, since all of them would take seconds. The
    range is the median over the volumes, so that one method's overshoot does not dim the others.
    """
    ends = []
    for volume in volumes:
        step = max(1, round((volume.size / LOOKED_AT) ** (1 / 3)))
        # A single slice is not thinned along y.
        seen = volume[::step, :: min(step, volume.shape[1]), ::step]
        ends.append(np.percentile(seen, (SATURATED_PERCENT, 100 - SATURATED_PERCENT)))
    low, high = np.median(np.array(ends), axis=0)
    if not high > low:
        return float(low), float(low) + 1.0
    return float(low), float(high)


class SideBySide:
    """The comparison of result layers in one viewer.

    Parameters
    ----------
    viewer : napari.Viewer
        The viewer whose canvas, dims and layer visibility it arranges.
    """

    def __init__(self, viewer: napari.Viewer) -> None:
        self._viewer = viewer
        self._compared: list[napari.layers.Image] = []
        self.orientation = "XZ"
        self._fitted: tuple[Any, ...] | None = None
        viewer.canvas.events.size.connect(self._fit_again)

    def show(self, layers: Sequence[napari.layers.Image]) -> None:
        """Show only `layers`, in a grid, at their middle slices.

        Parameters
        ----------
        layers : sequence of Image
            Volumes (z, y, x) on one scale; their contrast becomes linked.
        """
        viewer = self._viewer
        self._compared = list(layers)
        for layer in viewer.layers:
            layer.visible = layer in layers
            if LayerMap.of(layer).kind == "tilt series":
                # Hidden layers still shape the sliders: one tilt must not be finer than one voxel.
                layer.scale = (layers[0].scale[0], *layer.scale[1:])
        for layer in layers:
            layer.name_overlay.visible = True
        if len(layers) > 1:
            viewer.layers.link_layers(layers, ("contrast_limits", "gamma", "colormap"))
        viewer.canvas.grid.stride = 1
        viewer.canvas.overlays.scale_bar.visible = True
        viewer.layers.selection = {layers[-1]}
        low, high = layers[0].extent.world
        for axis, middle in enumerate((low + high) / 2):
            viewer.dims.set_point(axis, middle)
        self.orient(self.orientation)

    def add(self, layer: napari.layers.Image) -> None:
        """Show one more layer beside those that are compared, with a contrast of its own."""
        self._compared.append(layer)
        layer.name_overlay.visible = True
        self.orient(self.orientation)

    def orient(self, orientation: str) -> None:
        """Show XZ, XY or YZ slices of the compared volumes and fit them to the canvas.

        Where those were deleted, every volume of this plugin is shown.
        """
        self.orientation = orientation
        viewer = self._viewer
        shown = [layer for layer in self._compared if layer in viewer.layers]
        shown = shown or [layer for layer in viewer.layers if _is_volume(layer)]
        if not shown:
            return
        for layer in viewer.layers:
            layer.visible = layer in shown
        viewer.dims.ndisplay = 2
        viewer.dims.order = ORIENTATIONS[orientation]
        extent = shown[0].extent
        size = extent.world[1] - extent.world[0] + extent.step
        down, across = ORIENTATIONS[orientation][1:]
        grid = viewer.canvas.grid
        grid.enabled = len(shown) > 1
        grid.shape = grid_shape(len(shown), size[across], size[down], viewer.canvas.size)
        viewer.reset_view(layers=shown)
        self._fitted = self._view()

    def _fit_again(self, event: Any = None) -> None:
        """Fit the volumes to a canvas of another size, unless they were moved or zoomed since."""
        if self._fitted is not None and self._fitted == self._view():
            self.orient(self.orientation)

    def _view(self) -> tuple[Any, ...]:
        viewer = self._viewer
        camera = viewer.scene.camera
        shown = tuple(layer.visible for layer in viewer.layers)
        return viewer.dims.order, viewer.dims.ndisplay, shown, camera.zoom, camera.center

    def show_series(self, layer: napari.layers.Image) -> None:
        """Show one tilt series alone: images (y, x), with a slider over the tilts."""
        viewer = self._viewer
        for other in viewer.layers:
            other.visible = other is layer
        viewer.canvas.grid.enabled = False
        viewer.dims.ndisplay = 2
        viewer.dims.order = ORIENTATIONS["XY"]
        viewer.layers.selection = {layer}
        viewer.dims.set_point(0, layer.extent.world[:, 0].mean())
        viewer.reset_view(layers=[layer])


def _is_volume(layer: napari.layers.Layer) -> bool:
    return LayerMap.of(layer).kind == "volume"
