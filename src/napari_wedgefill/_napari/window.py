"""Open napari with finished results: ``python -m napari_wedgefill._napari.window FILE...``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import napari
from napari.layers import Layer

from .files import read_layers
from .fill.volume_view import volumes_in
from .fill.widget import FillWedgeWidget


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
    widget = FillWedgeWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Fill wedge", area="right")
    if volumes := volumes_in(viewer):
        widget.compare(volumes)
    return viewer


if __name__ == "__main__":
    open_results(sys.argv[1:])
    napari.run()
