"""Open napari with finished results: ``python -m napari_wedgefill._napari.window FILE...``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import napari
from napari.layers import Layer

from .files import read_layers
from .fill.dock import FillWedge
from .layer_kinds import list_volumes
from .shared_contrast import share_contrast
from .stage import find_stage


def open_results(paths: Sequence[str | Path]) -> napari.Viewer:
    """Open tilt series and volumes, dock the Fill wedge widget, and lay the volumes out.

    Parameters
    ----------
    paths : sequence of path
        Files to open: tilt series, volumes, or both.

    Returns
    -------
    napari.Viewer
        The window; call `napari.run` to hand it to the user.
    """
    viewer = napari.Viewer(title="Wedgefill")
    for path in paths:
        for data in read_layers(str(path)):
            viewer.add_layer(Layer.create(*data))
    viewer.window.add_dock_widget(FillWedge(viewer), name="Fill wedge", area="right")
    if volumes := list_volumes(viewer):
        limits = share_contrast([layer.data for layer in volumes])
        for layer in volumes:
            layer.contrast_limits = limits
        find_stage(viewer).show_volumes(volumes)
    return viewer


if __name__ == "__main__":
    open_results(sys.argv[1:])
    napari.run()
