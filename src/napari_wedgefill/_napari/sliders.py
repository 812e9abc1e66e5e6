"""The sliders of a viewer: their ranges and names belong to the layers that are seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import napari
    from napari.layers import Layer
    from qtpy.QtWidgets import QMainWindow

Doubles = NDArray[np.float64]


def hold_sliders(viewer: napari.Viewer, first: Layer, labels: tuple[str, ...]) -> None:
    """Keep the sliders to the layers that are seen: napari resets them to all layers.

    Parameters
    ----------
    viewer : napari.Viewer
        Nothing changes where it does not show `first`.
    first : Layer
        One of those that are meant to be seen.
    labels : tuple of str
        Names of the last three axes.
    """
    seen = [layer for layer in viewer.layers if layer.visible and layer.ndim == 3]
    if first not in seen:
        return
    before = viewer.dims.ndim - 3
    extent = viewer.layers.get_extent(seen)
    # napari counts whole steps: a hair more, or a rounding error hides the last slice.
    ranges = tuple(map(tuple, viewer.dims.range[:before])) + tuple(
        (float(start), float(stop + 1e-9 * step), float(step))
        for start, stop, step in zip(*extent.world, extent.step, strict=True)
    )
    if tuple(map(tuple, viewer.dims.range)) != ranges:
        viewer.dims.range = ranges
    if tuple(viewer.dims.axis_labels[before:]) != labels:
        viewer.dims.axis_labels = (*viewer.dims.axis_labels[:before], *labels)


def make_room_for_names(window: QMainWindow) -> None:
    """Give the names beside a window's sliders the width that they need.

    napari measures them when a slider comes or is resized, not when a name becomes longer: "tilt"
    in the place of "z" would be cut to three dots.
    """
    from napari.qt import QtViewer

    seen = window.findChild(QtViewer)
    if seen is not None and seen.dims.slider_widgets:
        seen.dims.slider_widgets[0].size_changed.emit()


def choose_middle(viewer: napari.Viewer, low: Doubles, high: Doubles) -> tuple[float, ...]:
    """Return the voxel in the middle of a box of given faces, in world units.

    On a voxel: between two, the slider counts one and the canvas shows the other.
    """
    return tuple(
        axis.start + round((middle - axis.start) / axis.step) * axis.step
        for axis, middle in zip(viewer.dims.range[-3:], (low + high) / 2, strict=True)
    )


def move_sliders(viewer: napari.Viewer, point: tuple[float, ...]) -> None:
    """Move the sliders of the last axes to a point in world units."""
    n_dims = viewer.dims.ndim
    viewer.dims.set_point(range(n_dims - len(point), n_dims), point)
