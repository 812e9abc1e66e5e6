"""Drive the Fill wedge dock from a script: set its fields, start a fill, use what comes of it.

Fills a few slices of a simulated particle in napari:

    python examples/drive_the_dock.py

The dock is a magicgui container, so that everything a user can set has a name and a `value`, and
everything that happens has a signal.
"""

from __future__ import annotations

from typing import Any

import napari


def open_dock(viewer: napari.Viewer) -> Any:
    """Open a sample and the dock beside it."""
    viewer.open_sample("napari-wedgefill", "simulated_particle")
    _, dock = viewer.window.add_plugin_dock_widget("napari-wedgefill", "Fill wedge")
    return dock


def fill_some_slices(dock: Any) -> list[Any]:
    """Start a fill of the middle slices; the list gets the run once its volumes are shown."""
    runs: list[Any] = []
    dock.called.connect(runs.append)
    dock.called.connect(lambda run: print(f"{run.title}: {', '.join(run.volumes)}"))

    middle = dock.slices.value[1] // 2
    dock.methods.value = ("wbp", "sart")  # a field by name
    dock.update(slices=(middle, middle + 2), self_check=False)  # several at once
    print(dock.asdict())
    dock()  # as if Fill wedge was pressed; it runs in the background
    return runs


def main() -> None:
    viewer = napari.Viewer()
    fill_some_slices(open_dock(viewer))
    napari.run()


if __name__ == "__main__":
    main()
