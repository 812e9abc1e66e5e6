"""A microscope that writes tilt by tilt, and the dock that shows what there is."""

from __future__ import annotations

import shutil
from pathlib import Path

import mrcfile
import numpy as np
import pytest
from napari.utils.notifications import notification_manager
from superqt.utils import GeneratorWorker

from napari_wedgefill._napari.live.dock import WatchFolder
from napari_wedgefill.pipeline.fill import fill
from napari_wedgefill.pipeline.options import FillOptions


@pytest.fixture
def tilts(series, tmp_path) -> list[Path]:
    """A file for each of nine tilts, with its angle beside it."""
    folder = tmp_path / "microscope"
    folder.mkdir()
    paths = []
    for k in range(0, series.n_tilts, 3):
        path = folder / f"tilt_{k:02d}.mrc"
        with mrcfile.new(path) as file:
            file.set_data(np.asarray(series.images)[k : k + 1])
            file.set_image_stack()
            file.voxel_size = 25.0
        path.with_suffix(".tlt").write_text(f"{series.angles_deg[k]}\n")
        paths.append(path)
    return paths


@pytest.fixture
def watching(viewer, tmp_path, qtbot):
    """Return a dock in a window, and the folder that it watches."""
    folder = tmp_path / "today"
    folder.mkdir()
    dock = WatchFolder(viewer)
    viewer.window.add_dock_widget(dock, name="Watch a folder")
    dock.folder.value, dock.poll_s.value = folder, 0.1
    yield dock, folder
    dock.stop()
    GeneratorWorker.await_workers(20_000)
    qtbot.wait(20)


def deliver(paths: list[Path], folder: Path) -> None:
    for path in paths:
        shutil.copy(path.with_suffix(".tlt"), folder)
        shutil.copy(path, folder)


def test_the_tilts_and_the_volumes_grow_and_the_series_is_opened_when_complete(
    viewer, tilts, watching, qtbot
):
    dock, folder = watching
    dock.n_tilts.value = len(tilts)
    dock.button.native.click()
    assert dock.button.text == "Stop"
    seen = []
    for n in (3, 6):
        deliver(tilts[:n], folder)
        qtbot.waitUntil(
            lambda n=n: bool(dock.layers) and len(dock.layers[0].data) == n, timeout=60_000
        )
        tilts_layer, wbp, sart = dock.layers
        seen.append(np.array(wbp.data))
        assert [layer.name for layer in (tilts_layer, wbp, sart)] == [
            "tilt, tilts so far", "tilt, WBP so far", "tilt, SART so far",
        ]  # fmt: skip
        assert wbp.visible
        assert not tilts_layer.visible
    assert not np.array_equal(*seen)
    dock.shows_tilts.value = True
    assert dock.layers[0].visible
    assert not dock.layers[1].visible
    deliver(tilts, folder)
    qtbot.waitUntil(lambda: not dock.is_watching, timeout=60_000)
    assert dock.status.value.startswith(f"Complete: {len(tilts)} tilts")
    complete, wbp, _ = dock.layers
    assert complete.name == "tilt"
    from napari_wedgefill._napari.layers import LayerMap

    series = LayerMap.of(complete).to_series(LayerMap.of(complete).angles_deg, 2.5)
    whole = fill(series, FillOptions(methods=("wbp",))).volumes["wbp"]
    np.testing.assert_array_equal(wbp.data, whole.data)
    assert dock.button.text == "Start"


def test_closing_the_dock_stops_it_and_what_is_shown_stays(viewer, tilts, watching, qtbot):
    dock, folder = watching
    deliver(tilts[:4], folder)
    dock.start()
    qtbot.waitUntil(lambda: bool(dock.layers), timeout=60_000)
    viewer.window.remove_dock_widget(dock.native)
    qtbot.waitUntil(lambda: not dock.is_watching, timeout=60_000)
    assert len(dock.layers) == 3
    assert not dock._growing.exists()


def test_stop_says_what_stays_and_how_to_go_on(tilts, watching, qtbot):
    dock, folder = watching
    deliver(tilts[:3], folder)
    dock.button.native.click()
    qtbot.waitUntil(lambda: bool(dock.layers), timeout=60_000)
    dock.button.native.click()
    qtbot.waitUntil(lambda: not dock.is_watching, timeout=60_000)
    assert dock.status.value == (
        f"Stopped. The volumes so far stay, among the layers. Start goes on with all tilts in "
        f"{folder}."
    )
    assert len(dock.layers) == 3


def test_what_cannot_be_watched_is_told(watching, qtbot, tmp_path):
    dock, folder = watching
    with notification_manager:
        dock.folder.value = tmp_path / "nowhere"
        dock.start()
        assert "there is no such folder" in notification_manager.records[-1].message
        dock.folder.value, dock.idle_s.value = folder, 1.0
        dock.start()
        qtbot.waitUntil(lambda: not dock.is_watching, timeout=60_000)
        assert "there is no tilt series yet" in notification_manager.records[-1].message
    assert "there is no tilt series yet" in dock.status.value
