"""What a second hour in one window meets: more series, more runs, closed docks, deleted layers."""

import gc
import weakref

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Layer
from napari.qt import QtViewer
from napari.utils.notifications import notification_manager
from superqt.utils import GeneratorWorker

from napari_wedgefill._napari.fill import worker as worker_module
from napari_wedgefill._napari.fill.dock import FillWedge
from napari_wedgefill._napari.layer_kinds import list_volumes
from napari_wedgefill._napari.layers import series_layer
from napari_wedgefill._napari.runs import find_runs


def shown(viewer):
    return [layer.name for layer in viewer.layers if layer.visible]


def lit(dock):
    return [name for name, button in dock.footer.view_buttons.items() if button.isChecked()]


def test_a_series_opened_after_a_fill_is_what_is_seen(docked_quick, other, hands):
    viewer, dock = docked_quick
    hands.fill(dock)
    viewer.add_layer(other)
    hands.rest()
    assert shown(viewer) == ["other"]
    assert not viewer.canvas.grid.enabled
    assert viewer.dims.order == (0, 1, 2)
    assert dock.series.value is other
    assert dock.footer.status.text() == ""
    assert lit(dock) == ["Tilts"]
    np.testing.assert_allclose(viewer.dims.range[0], (0, 8, 1))


def test_after_deleting_everything_the_next_series_fills_the_canvas(docked_quick, other, hands):
    viewer, dock = docked_quick
    hands.fill(dock)
    viewer.layers.clear()
    assert not viewer.canvas.grid.enabled
    assert dock.workbench.runs.runs == []
    assert lit(dock) == []
    assert dock.prepare_page.tilts.summarise() == ""
    viewer.add_image(np.zeros((2, 3, 4, 5)), name="four")
    assert "four has 4 axes; a tilt series has three: tilt, y, x." in dock.angle_line.value
    assert dock.angle_line.value.endswith("From an array\N{HORIZONTAL ELLIPSIS} cuts one out.")
    viewer.layers.clear()
    viewer.add_layer(other)
    hands.rest()
    assert shown(viewer) == ["other"]
    assert dock.series.value is other
    assert viewer.dims.order == (0, 1, 2)


def test_beside_an_array_of_four_dimensions_all_views_are_there(docked_quick, hands):
    """What was cut out of the array lies along the last three axes of the viewer."""
    viewer, dock = docked_quick
    viewer.add_image(np.zeros((2, 3, 4, 5)), name="four", visible=False)
    hands.rest()
    dock.methods.value = ("wbp",)
    hands.fill(dock)
    (volume,) = list_volumes(viewer)
    for name, order in (("XY", (0, 1, 2, 3)), ("YZ", (0, 3, 1, 2)), ("XZ", (0, 2, 1, 3))):
        hands.click(dock.footer.view_buttons[name])
        assert lit(dock) == [name]
        assert viewer.dims.order == order
        assert shown(viewer) == [volume.name]
    np.testing.assert_allclose(viewer.dims.range[2], (0, 12.5, 2.5))
    assert viewer.dims.axis_labels[1:] == ("z", "y", "x")
    hands.click(dock.footer.view_buttons["Tilts"])
    assert shown(viewer) == ["discs"]
    np.testing.assert_allclose(viewer.dims.range[1], (0, 24, 1))
    assert viewer.dims.current_step[1] == 12
    assert dock.footer.status.text().startswith("Done")


def test_the_tilts_have_their_own_slider_and_keep_their_place(quick, hands):
    viewer, dock = quick
    dock.settle_in()  # as if the window were seen
    hands.fill(dock)
    np.testing.assert_allclose(viewer.dims.range[1], (0, 12.5, 2.5))
    viewer.dims.set_point(1, 10.0)
    hands.click(dock.footer.view_buttons["Tilts"])
    assert viewer.dims.axis_labels == ("tilt", "y", "x")
    np.testing.assert_allclose(viewer.dims.range[0], (0, 24, 1))
    viewer.dims.set_current_step(0, 3)
    sliders = viewer.window._qt_window.findChild(QtViewer).dims.slider_widgets
    wide = sliders[0].axis_label.width()
    hands.click(dock.footer.view_buttons["XY"])
    assert viewer.dims.axis_labels == ("z", "y", "x")
    np.testing.assert_allclose(viewer.dims.range[0], (0, 77.5, 2.5))
    assert viewer.dims.point[0] == pytest.approx(38.75, abs=2.5)
    assert viewer.dims.point[1] == 10.0
    assert sliders[0].axis_label.width() < wide
    hands.click(dock.footer.view_buttons["Tilts"])
    assert viewer.dims.current_step[0] == 3
    assert sliders[0].axis_label.width() == wide  # "tilt", and not three dots


def test_only_the_view_that_is_shown_is_lit(docked_quick, hands):
    viewer, dock = docked_quick
    assert lit(dock) == ["Tilts"]
    hands.click(dock.footer.view_buttons["XZ"])  # there are no volumes yet
    assert lit(dock) == ["Tilts"]
    hands.fill(dock)
    for name, order in (("XZ", (1, 0, 2)), ("YZ", (2, 0, 1)), ("XY", (0, 1, 2))):
        hands.click(dock.footer.view_buttons[name])
        assert viewer.dims.order == order
        assert lit(dock) == [name]
    viewer.dims.roll()
    assert lit(dock) == ["YZ"]
    viewer.dims.order = (0, 2, 1)
    assert lit(dock) == []
    viewer.dims.order = (1, 0, 2)
    assert lit(dock) == ["XZ"]
    viewer.dims.ndisplay = 3
    assert lit(dock) == ["3-D"]


def test_each_run_keeps_its_volumes_and_verdict_together(docked_quick, hands):
    viewer, dock = docked_quick
    dock.self_check.value = True
    hands.fill(dock)
    dock.update(self_check=False, axis_shift_px=2.0)
    hands.fill(dock)
    first, second = dock.workbench.runs.runs
    assert second.name == "WBP + SART, axis +2 px"
    assert shown(viewer) == [layer.name for layer in second.volumes.values()]
    assert dock.run_box.value is second
    assert "Not checked" in dock.verdict.words.text()
    dock.run_box.value = first
    hands.rest()
    assert shown(viewer) == ["discs WBP", "discs SART"]
    assert "withheld outermost" in dock.verdict.words.text()


def test_runs_that_differ_in_nothing_are_counted(docked_quick, hands):
    _, dock = docked_quick
    hands.fill(dock)
    hands.fill(dock)
    assert [run.name for run in dock.workbench.runs.runs] == ["WBP + SART", "WBP + SART (2)"]


def test_cancel_keeps_the_verdict_of_the_run_before(
    docked_quick, qtbot, monkeypatch, count_for_ever, hands
):
    _, dock = docked_quick
    dock.self_check.value = True
    hands.fill(dock)
    verdict = dock.verdict.words.text()
    monkeypatch.setattr(worker_module, "iter_run", count_for_ever)
    hands.click(dock.footer.fill_button)
    qtbot.waitUntil(lambda: "Counting" in dock.footer.status.text(), timeout=60_000)
    hands.click(dock.footer.cancel_button)
    hands.finish(dock)
    assert verdict
    assert dock.verdict.words.text() == verdict
    assert dock.run_box.value is dock.workbench.runs.runs[0]


def test_a_closed_dock_leaves_the_job_and_the_next_one_finds_it(quick, qtbot, endless, hands):
    viewer, dock = quick
    dock.update(axis_shift_px=4.0, methods=("wbp",))
    hands.click(dock.footer.fill_button)
    qtbot.waitUntil(lambda: "Counting" in dock.footer.status.text(), timeout=60_000)
    bench = dock.workbench
    with notification_manager:
        viewer.window.remove_dock_widget(dock.native)
        assert "goes on" in notification_manager.records[-1].message
    assert bench.is_running
    again = FillWedge(viewer)
    viewer.window.add_dock_widget(again, name="Fill wedge")
    assert again.workbench is bench
    assert again.axis_shift_px.value == 4.0
    qtbot.waitUntil(lambda: "Counting" in again.footer.status.text(), timeout=60_000)
    assert not again.footer.fill_button.isEnabled()
    hands.click(again.footer.cancel_button)
    hands.finish(again)
    viewer.layers.clear()  # the closed dock hears nothing of it


def test_closing_the_viewer_stops_the_job(quick, qtbot, endless):
    viewer, dock = quick
    worker = dock()
    qtbot.waitUntil(lambda: "Counting" in dock.footer.status.text(), timeout=60_000)
    with qtbot.waitSignal(worker.finished, timeout=10_000):
        viewer.close()
    assert worker.abort_requested


def test_settings_of_a_fill_are_what_the_next_dock_begins_with(quick, monkeypatch, hands):
    from types import SimpleNamespace

    from napari_wedgefill._napari.fill import preferences

    kept = SimpleNamespace(
        fill=SimpleNamespace(
            methods="wbp tvm", model="small", device="cpu", self_check=True, trust_map=False
        )
    )
    monkeypatch.setattr(preferences, "_find_settings", lambda: kept)
    viewer, dock = quick
    hands.fill(dock)
    assert kept.fill.methods == "wbp sart"
    assert kept.fill.self_check is False
    again = FillWedge(viewer)
    viewer.window.add_dock_widget(again, name="again")
    assert again.methods.value == ("wbp", "sart")


def test_deleted_volumes_and_cells_that_were_replaced_are_not_held(quick, qtbot, hands):
    viewer, dock = quick
    dock.settle_in()  # as if the window were seen
    hands.fill(dock)
    canvas = viewer.window._qt_window.findChild(QtViewer).canvas
    shape, cells = viewer.canvas.grid.shape, [weakref.ref(view) for view in canvas.grid_views]
    hands.click(dock.footer.view_buttons["YZ"])
    assert viewer.canvas.grid.shape != shape
    gc.collect()
    assert [ref() is not None for ref in cells] == [False, False]
    held = [weakref.ref(layer.data) for layer in list_volumes(viewer)]
    assert dock.footer.status.text().startswith("Done")
    viewer.layers.selection.clear()
    del viewer.layers[1:]
    qtbot.wait(50)
    gc.collect()
    assert find_runs(viewer).runs == []
    assert dock.run_box.value is None
    assert dock.footer.status.text() == ""
    assert [ref() is not None for ref in held] == [False, False]


def test_results_are_measured_once_and_their_window_opens_once(quick, hands):
    from napari_wedgefill._napari.results.window import ResultsWindow

    viewer, dock = quick
    hands.fill(dock)
    said = dock.footer.status.text()
    for _ in range(2):
        hands.click(dock.footer.results_button)
        hands.finish(dock)
        assert dock.footer.status.text() == said
    windows = viewer.window._qt_window.findChildren(ResultsWindow)
    assert len(windows) == 1
    assert windows[0].windowTitle() == "Results: discs: WBP + SART"
    windows[0].close()


def test_compare_shows_the_newest_run_and_others_at_one_click(quick, qtbot, hands):
    from napari_wedgefill._napari.compare.window import open_compare

    viewer, dock = quick
    hands.fill(dock)
    window = open_compare(viewer, viewer.window._qt_window)
    qtbot.waitExposed(window)
    dock.update(axis_shift_px=2.0)
    hands.fill(dock)
    second = dock.workbench.runs.runs[1]
    qtbot.waitUntil(
        lambda: (
            [c.data for c in window.model.methods]
            == [layer.data for layer in second.volumes.values()]
        ),
        timeout=60_000,
    )
    assert len(window.model.columns) == 2
    box = window.controls.run_box
    assert [box.itemText(i) for i in range(box.count())] == [
        "discs: WBP + SART, axis +2 px",
        "discs: WBP + SART",
    ]
    box.setCurrentText("discs: WBP + SART")
    assert window.model.methods[0].data is viewer.layers["discs WBP"].data
    assert [column.title for column in window.model.columns] == ["WBP", "SART"]
    qtbot.wait(120)


def test_ten_fills_leave_one_worker_and_no_threads_behind(docked_quick, qtbot, hands):
    from qtpy.QtCore import QThreadPool

    viewer, dock = docked_quick
    dock.update(methods=("wbp",), slices=(0, 1))
    for _ in range(10):
        hands.fill(dock)
        for layer in list_volumes(viewer):
            viewer.layers.remove(layer)
    assert [layer.name for layer in viewer.layers] == ["discs"]
    qtbot.waitUntil(lambda: QThreadPool.globalInstance().activeThreadCount() == 0, timeout=60_000)
    assert dock.workbench.runs.runs == []


def test_plain_layers_of_others_do_not_turn_the_canvas(docked_quick, hands):
    viewer, dock = docked_quick
    hands.fill(dock)
    viewer.add_layer(Layer.create(np.zeros((32, 6, 32), np.uint8), {"name": "marks"}, "labels"))
    viewer.add_image(np.random.default_rng(0).random((32, 6, 32)), name="smoothed")
    assert dock.series.value is viewer.layers["discs"]
    assert viewer.canvas.grid.enabled
    assert viewer.dims.order == (1, 0, 2)
    assert lit(dock) == ["XZ"]


def test_a_dock_that_qt_destroys_leaves_the_canvas_alone(series, qtbot):
    """Where a program ends with its windows open, the canvas may be gone before the dock."""
    viewer = ViewerModel()
    viewer.add_layer(Layer.create(*series_layer(series)))
    dock = FillWedge(viewer)
    text = viewer.canvas.overlays.text
    qtbot.waitUntil(lambda: text.visible)
    dock.native.deleteLater()
    qtbot.waitUntil(lambda: not dock._is_connected)
    assert text.visible
    viewer.dims.set_point(0, 2)  # nobody writes another angle
    assert text.text == "tilt +0.0\N{DEGREE SIGN}"
    GeneratorWorker.await_workers(20_000)
