"""How long the window is blocked when volumes arrive and when one looks at them.

    python -m benchmarks.speed.window_blocks [--size 512] [--clock cpu]

Adds a tilt series and four volumes as a fill does, in a real napari, and prints for each step how
long the main thread was busy with it. Needs a display; ``xvfb-run -s "-screen 0 1920x1200x24"``
provides one, which draws in software, so that a graphics card is quicker.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import napari
import numpy as np
from napari.layers import Layer
from qtpy.QtWidgets import QApplication

from napari_wedgefill._napari.fill.dock import FillWedge
from napari_wedgefill._napari.layers import series_layer, volume_layer
from napari_wedgefill._napari.shared_contrast import share_contrast
from napari_wedgefill.methods import DEFAULT_METHODS, label_of
from napari_wedgefill.tilt_series import TiltSeries
from napari_wedgefill.volume import Volume

CLOCKS = {"wall": time.perf_counter, "cpu": time.thread_time}
WINDOW = (1600, 1000)


class Blocks:
    """Prints how long each step keeps the main thread busy, events included."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock

    def time(self, what: str, step: Callable[[], object]) -> None:
        started = self._clock()
        step()
        QApplication.processEvents()
        print(f"{what:32} {1e3 * (self._clock() - started):7.0f} ms", flush=True)


def main() -> None:
    args = read_arguments()
    viewer = napari.Viewer(show_welcome_screen=False)
    viewer.window._qt_window.resize(*WINDOW)
    dock = FillWedge(viewer)
    viewer.window.add_dock_widget(dock, name="Fill wedge")
    settle(1.0)
    blocks, n = Blocks(CLOCKS[args.clock]), args.size
    rng = np.random.default_rng(0)
    images = rng.random((61, n, n), dtype=np.float32)
    series = TiltSeries.from_arrays(images, np.arange(-60.0, 61.0, 2.0), pixel_nm=1.0, name="s")
    blocks.time("a series arrives", lambda: viewer.add_layer(Layer.create(*series_layer(series))))
    settle(0.5)
    volume = rng.random((n, n, n), dtype=np.float32)
    blocks.time("contrast of four volumes", lambda: share_contrast([volume] * 4))
    for attempt in ("first", "second"):
        blocks.time(f"four volumes arrive, {attempt}", lambda: show(dock, volume))
        settle(0.5)
    for step in range(3):
        blocks.time(f"slice {step}", lambda step=step: viewer.dims.set_current_step(1, 100 + step))
    for name in ("YZ", "XY", "XZ", "Tilts", "XZ"):
        blocks.time(f"view {name}", dock.footer.view_buttons[name].click)
    viewer.close()


def show(dock: FillWedge, data: np.ndarray) -> None:
    """Show four volumes as a run is shown."""
    stage = dock.workbench.stage
    with stage.holding_screen():
        layers = []
        for method in DEFAULT_METHODS:
            made = volume_layer(
                Volume(data, (1.0, 1.0, 1.0), label_of(method)),
                contrast_limits=(0.0, 1.0),
                visible=False,
            )
            layers.append(stage.viewer.add_layer(Layer.create(*made)))
        stage.show_volumes(layers)


def settle(seconds: float) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        QApplication.processEvents()
        time.sleep(0.01)


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument(
        "--clock", choices=CLOCKS, default="wall", help="cpu: where other work shares the cores"
    )
    return parser.parse_args()


if __name__ == "__main__":
    main()
