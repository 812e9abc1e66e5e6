"""Fill many times in one window, and see that nothing grows: memory, threads, layers, widgets.

    python -m benchmarks.pictures.many_fills [--fills 200]

A small tilt series is filled by clicks on the button, and the volumes are deleted, as a user does
who tries settings. Printed are the figures after the first fills and at the end; the script fails
where one of them has grown by more than it varies between two fills. Needs a display;
``xvfb-run -s "-screen 0 1920x1200x24"`` provides one.
"""

from __future__ import annotations

import argparse
import gc
import threading
import time
from pathlib import Path

import napari
import numpy as np
from napari.layers import Layer
from qtpy.QtCore import QEvent, Qt, QThreadPool
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication

from benchmarks.pictures.screenshot import settle
from napari_wedgefill._napari.fill.dock import FillWedge
from napari_wedgefill._napari.layers import list_volumes, series_layer
from napari_wedgefill.projector import ParallelBeam
from napari_wedgefill.tilt_series import TiltSeries

WIDTH, HEIGHT = 64, 8
ANGLES_DEG = np.arange(-60.0, 61.0, 3.0)
METHODS = ("wbp", "sart")
#: Fills after which caches are full: compiled code, shaders, letters on the canvas.
WARM_UP = 20
#: Growth that is allowed from then on, of each figure.
ALLOWED = {"memory in MB": 40.0, "threads": 1, "layers": 0, "Python's objects": 5000, "widgets": 5}


def main() -> None:
    n_fills = read_arguments().fills
    viewer = napari.Viewer(show_welcome_screen=False)
    viewer.add_layer(Layer.create(*series_layer(make_series())))
    dock = FillWedge(viewer)
    viewer.window.add_dock_widget(dock, name="Fill wedge")
    dock.update(methods=METHODS, device="cpu", self_check=False, trust_map=False)
    settle(0.5)
    started, before = time.perf_counter(), {}
    for count in range(1, n_fills + 1):
        fill_and_delete(viewer, dock)
        if count in (WARM_UP, n_fills):
            figures = measure(viewer)
            print(f"after {count} fills: {write(figures)}", flush=True)
            before = before or figures
    grown = [name for name, most in ALLOWED.items() if figures[name] - before[name] > most]
    print(f"{n_fills} fills in {time.perf_counter() - started:.0f} s")
    viewer.close()
    if grown:
        raise SystemExit(f"grown: {', '.join(grown)}")


def make_series() -> TiltSeries:
    """A disc, along the whole tilt axis."""
    z, x = np.mgrid[:WIDTH, :WIDTH] - (WIDTH - 1) / 2
    disc = (z**2 + (x - 4) ** 2 < (WIDTH / 5) ** 2).astype(np.float32)
    sinogram = ParallelBeam(ANGLES_DEG, WIDTH)(np.repeat(disc[:, :, None], HEIGHT, axis=2))
    images = sinogram.transpose(0, 2, 1)
    return TiltSeries.from_arrays(images, ANGLES_DEG, pixel_nm=1.0, name="disc")


def fill_and_delete(viewer: napari.Viewer, dock: FillWedge) -> None:
    """Click Fill wedge, wait until the volumes are shown, and delete them."""
    QTest.mouseClick(dock.footer.fill_button, Qt.MouseButton.LeftButton)
    while dock.workbench.is_running or not dock.workbench.turns.is_idle:
        QApplication.processEvents()
        time.sleep(0.002)
    volumes = list_volumes(viewer)
    if [layer.visible for layer in volumes] != [True] * len(METHODS):
        raise SystemExit(f"shown are {[layer.name for layer in viewer.layers if layer.visible]}")
    for layer in volumes:
        viewer.layers.remove(layer)
    settle(0.05)
    # Without a running event loop Qt keeps what napari has asked it to delete later.
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete.value)


def measure(viewer: napari.Viewer) -> dict[str, float]:
    """What must not grow, once all that is garbage is gone."""
    settle(1.0)
    gc.collect()
    settle(0.2)
    status = Path("/proc/self/status").read_text("ascii")
    kilobytes = next(int(line.split()[1]) for line in status.splitlines() if "VmRSS" in line)
    return {
        "memory in MB": kilobytes / 1024,
        "threads": threading.active_count() + QThreadPool.globalInstance().activeThreadCount(),
        "layers": len(viewer.layers),
        "Python's objects": len(gc.get_objects()),
        "widgets": len(QApplication.allWidgets()),
    }


def write(figures: dict[str, float]) -> str:
    return ", ".join(f"{name} {value:.0f}" for name, value in figures.items())


def read_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--fills", type=int, default=200, help=f"more than {WARM_UP}")
    return parser.parse_args()


if __name__ == "__main__":
    main()
