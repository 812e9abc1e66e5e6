"""A small series of two discs, viewers that must not leak, and workers that must have ended."""

from __future__ import annotations

import gc
import time

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Layer
from qtpy.QtCore import QEvent, Qt
from qtpy.QtWidgets import QApplication
from superqt.utils import GeneratorWorker

from napari_wedgefill._napari.fill import preferences, workbench
from napari_wedgefill._napari.fill import worker as worker_module
from napari_wedgefill._napari.fill.dock import FillWedge
from napari_wedgefill._napari.layers import series_layer
from napari_wedgefill.progress import Progress
from napari_wedgefill.projector import ParallelBeam
from napari_wedgefill.tilt_series import TiltSeries

WIDTH, HEIGHT = 32, 6
ANGLES_DEG = np.arange(-60.0, 61.0, 5.0)


def two_discs() -> np.ndarray:
    """Solver volume (z, x, y), float32."""
    z, x = np.mgrid[:WIDTH, :WIDTH] - (WIDTH - 1) / 2
    section = ((z + 3) ** 2 + (x - 4) ** 2 < 36).astype(np.float32)
    section += 0.5 * ((z - 6) ** 2 + (x + 7) ** 2 < 16)
    return np.repeat(section[:, :, None], HEIGHT, axis=2)


@pytest.fixture(scope="session")
def series() -> TiltSeries:
    sinogram = ParallelBeam(ANGLES_DEG, WIDTH)(two_discs())
    return TiltSeries.from_arrays(
        sinogram.transpose(0, 2, 1),
        ANGLES_DEG,
        pixel_nm=2.5,
        name="discs",
        sources={"angles_deg": "a test"},
    )


@pytest.fixture(autouse=True)
def no_preferences(monkeypatch):
    """Keep the settings of whoever runs the tests out of them, and the tests out of these."""
    monkeypatch.setattr(preferences, "_find_settings", lambda: None)


@pytest.fixture(scope="module", autouse=True)
def imported_modules_stay():
    """Spare the collector, which is asked after each test, the million objects of libraries."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def imported_modules_go():
    """Give them back at the end."""
    yield
    gc.unfreeze()


@pytest.fixture(autouse=True)
def collects_in_the_main_thread(request):
    """Keep Python's collector out of the threads that other tests left: Qt's objects end there."""
    gc.disable()
    yield
    if "make_napari_viewer" not in request.fixturenames:  # which collects at its end
        gc.collect()
    gc.enable()


@pytest.fixture
def viewer(make_napari_viewer):
    return make_napari_viewer(strict_qt="raise")


@pytest.fixture
def loaded(viewer, series, qtbot):
    """Return a viewer with the series in it, and the dock: classical methods, CPU."""
    viewer.add_layer(Layer.create(*series_layer(series)))
    dock = FillWedge(viewer)
    viewer.window.add_dock_widget(dock, name="Fill wedge")
    dock.update(methods=("wbp", "sart", "tvm"), device="cpu")
    qtbot.waitUntil(are_idle, timeout=120_000)
    yield viewer, dock
    GeneratorWorker.await_workers(20_000)
    qtbot.wait(20)


@pytest.fixture
def docked(series, qtbot):
    """Return what `loaded` does, without a window: for what fields take and what is said."""
    viewer = ViewerModel()
    viewer.add_layer(Layer.create(*series_layer(series)))
    dock = FillWedge(viewer)
    dock.update(methods=("wbp", "sart", "tvm"), device="cpu")
    qtbot.waitUntil(are_idle, timeout=120_000)
    yield viewer, dock
    GeneratorWorker.await_workers(20_000)
    qtbot.wait(20)
    dock.detach()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)


@pytest.fixture
def quick(loaded):
    """Return the viewer and the dock with two quick methods checked."""
    viewer, dock = loaded
    dock.methods.value = ("wbp", "sart")
    return viewer, dock


@pytest.fixture
def docked_quick(docked):
    """Return what `quick` does, without a window."""
    viewer, dock = docked
    dock.methods.value = ("wbp", "sart")
    return viewer, dock


def are_idle() -> bool:
    return all(bench.turns.is_idle for bench in workbench._workbenches.values())


class Hands:
    """What a user does with the mouse."""

    def __init__(self, qtbot) -> None:
        self._qtbot = qtbot

    def click(self, button) -> None:
        self._qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
        self.rest()

    def rest(self) -> None:
        """Wait until the windows have shown all that they were asked to."""
        self._qtbot.waitUntil(are_idle, timeout=120_000)

    def finish(self, dock) -> None:
        self._qtbot.waitUntil(lambda: not dock.workbench.is_running, timeout=120_000)
        self.rest()

    def fill(self, dock) -> None:
        self.click(dock.footer.fill_button)
        self.finish(dock)


@pytest.fixture
def hands(qtbot):
    return Hands(qtbot)


@pytest.fixture
def count_for_ever():
    """Return a run that only counts."""

    def count(series, options, session):
        while True:
            time.sleep(0.01)
            yield Progress("counting", 0.5, 20.0)

    return count


@pytest.fixture
def endless(monkeypatch, count_for_ever):
    """Put a run that only counts into the place of the real one."""
    monkeypatch.setattr(worker_module, "iter_run", count_for_ever)


@pytest.fixture
def other():
    """Return the layer of another series, taller and with other angles."""
    images = np.random.default_rng(3).random((9, 12, 32), dtype=np.float32)
    angles = np.arange(-40.0, 41.0, 10.0)
    return Layer.create(*series_layer(TiltSeries.from_arrays(images, angles, name="other")))
