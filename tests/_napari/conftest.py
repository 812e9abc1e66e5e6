"""A small series of two discs, viewers that must not leak, and workers that must have ended."""

from __future__ import annotations

import numpy as np
import pytest
from napari.layers import Layer
from superqt.utils import GeneratorWorker

from napari_wedgefill._napari.fill.widget import FillWedgeWidget
from napari_wedgefill._napari.layers import series_layer
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


@pytest.fixture
def viewer(make_napari_viewer):
    return make_napari_viewer(strict_qt="raise")


@pytest.fixture
def loaded(viewer, series, qtbot):
    """Return a viewer with the series in it, and the docked widget: classical methods, CPU."""
    viewer.add_layer(Layer.create(*series_layer(series)))
    widget = FillWedgeWidget(viewer)
    viewer.window.add_dock_widget(widget, name="Fill wedge")
    widget.method_panel.method_checks["gan"].setChecked(False)
    widget.method_panel.device_box.setCurrentIndex(widget.method_panel.device_box.findData("cpu"))
    yield viewer, widget
    GeneratorWorker.await_workers(20_000)
    qtbot.wait(20)
