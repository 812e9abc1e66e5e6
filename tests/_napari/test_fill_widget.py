"""The widget in a viewer: the whole way from a layer to volumes beside one another."""

import re
import shutil
import time

import mrcfile
import numpy as np
import pytest
from napari.layers import Image, Layer
from napari.utils.notifications import notification_manager
from qtpy.QtWidgets import QApplication, QFileDialog

from napari_wedgefill._napari.fill import method_panel
from napari_wedgefill._napari.fill import worker as worker_module
from napari_wedgefill._napari.fill.export import file_name
from napari_wedgefill._napari.layers import LayerMap, volume_layer
from napari_wedgefill.joint_model.registry import load
from napari_wedgefill.pipeline.options import FillOptions
from napari_wedgefill.progress import Progress
from napari_wedgefill.volume import Volume


def run(widget, qtbot, press) -> None:
    press()
    qtbot.waitUntil(lambda: not widget.is_running, timeout=30_000)


def volumes(viewer) -> list[Image]:
    return [layer for layer in viewer.layers if LayerMap.of(layer).kind == "volume"]


def test_widget_shows_what_was_found(loaded):
    _, widget = loaded
    panel = widget.series_panel
    assert panel.layer_box.currentText() == "discs"
    assert panel.angle_edit.text() == "-60:60:5"
    assert "25 tilts" in panel.angle_line.text()
    assert "60\N{DEGREE SIGN} missing" in panel.angle_line.text()
    assert "a test" in panel.angle_line.text()
    assert panel.pixel_nm == 2.5
    assert widget.method_panel.slices is None


def test_fill_lays_the_volumes_out(loaded, qtbot):
    viewer, widget = loaded
    run(widget, qtbot, widget.run_panel.fill_button.click)
    made = volumes(viewer)
    assert [layer.name for layer in made] == ["discs WBP", "discs SART", "discs TVM"]
    for layer in made:
        assert layer.data.shape == (32, 6, 32)
        np.testing.assert_allclose(layer.scale, 2.5)
        assert [str(unit) for unit in layer.units] == ["nanometer"] * 3
        assert layer.axis_labels == ("z", "y", "x")
        assert layer.contrast_limits == made[0].contrast_limits
        assert layer.visible
    assert viewer.canvas.grid.enabled
    assert not viewer.layers["discs"].visible
    assert viewer.dims.order == (1, 0, 2)
    assert widget.run_panel.status.text().startswith("Done in")
    assert re.search("TVM\u00a0\\d+\u00a0s", widget.run_panel.status.text())
    assert widget.run_panel.fill_button.isEnabled()


def test_fill_of_some_slices_lies_where_they_are(loaded, qtbot):
    viewer, widget = loaded
    widget.method_panel.stop_box.setValue(6)
    widget.method_panel.first_box.setValue(4)
    widget.method_panel.method_checks["tvm"].setChecked(False)
    run(widget, qtbot, widget.fill)
    layer = volumes(viewer)[0]
    assert layer.data.shape == (32, 2, 32)
    np.testing.assert_allclose(layer.translate, (0, 10.0, 0))
    assert widget.run_panel.slice_box.value() == viewer.dims.current_step[1] >= 4


def test_preview_is_one_slice_and_makes_room_for_the_next(loaded, qtbot):
    viewer, widget = loaded
    widget.run_panel.slice_box.setValue(4)
    run(widget, qtbot, widget.run_panel.preview_button.click)
    run(widget, qtbot, widget.run_panel.preview_button.click)
    made = volumes(viewer)
    assert len(made) == 3
    assert made[0].data.shape == (32, 1, 32)
    assert viewer.dims.current_step[1] == 4
    run(widget, qtbot, widget.fill)
    assert [layer.data.shape[1] for layer in volumes(viewer)] == [6, 6, 6]


def test_cancel_leaves_nothing(loaded, qtbot, monkeypatch):
    viewer, widget = loaded

    def endless(series, options):
        while True:
            time.sleep(0.01)
            yield Progress("counting", 0.5, 20.0)

    monkeypatch.setattr(worker_module, "iter_fill", endless)
    widget.fill()
    status = widget.run_panel.status
    qtbot.waitUntil(lambda: status.text() == "Counting, 20 s left", timeout=5000)
    assert not widget.run_panel.fill_button.isEnabled()
    run(widget, qtbot, widget.run_panel.cancel_button.click)
    assert [layer.name for layer in viewer.layers] == ["discs"]
    assert "Cancelled" in widget.run_panel.status.text()
    assert widget.run_panel.fill_button.isEnabled()


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda w: w.series_panel.angle_edit.setText("-50:50:5"), "25 images but 21 angles"),
        (lambda w: w.series_panel.angle_edit.setText("steep"), "not understood"),
        (lambda w: w.series_panel.angle_edit.setText(""), "No tilt angles are known"),
        (lambda w: w.series_panel.layer.data.fill(1.0), "same value"),
        (
            lambda w: [c.setChecked(False) for c in w.method_panel.method_checks.values()],
            "No method",
        ),
    ],
)
def test_bad_input_is_told_in_one_sentence(loaded, qtbot, spoil, says):
    viewer, widget = loaded
    layer = viewer.layers["discs"]
    layer.data = layer.data.copy()
    spoil(widget)
    with notification_manager:
        run(widget, qtbot, widget.fill)
        assert says in notification_manager.records[-1].message
    assert says in widget.run_panel.status.text()
    assert widget.run_panel.report_button.isHidden()
    assert volumes(viewer) == []


def test_an_inner_failure_gives_a_report_to_copy(loaded, qtbot, monkeypatch):
    _, widget = loaded

    def failing(series, options):
        yield Progress("starting", 0.0, None)
        raise RuntimeError("a bolt came loose")

    monkeypatch.setattr(worker_module, "iter_fill", failing)
    run(widget, qtbot, widget.fill)
    assert "a bolt came loose" in widget.run_panel.status.text()
    assert not widget.run_panel.report_button.isHidden()
    widget.run_panel.report_button.click()
    report = QApplication.clipboard().text()
    assert "Traceback" in report
    assert "napari-wedgefill" in report
    assert widget.run_panel.fill_button.isEnabled()


def test_no_series_no_button(viewer, qtbot):
    from napari_wedgefill._napari.fill.widget import FillWedgeWidget

    widget = FillWedgeWidget(viewer)
    viewer.window.add_dock_widget(widget)
    assert not widget.run_panel.fill_button.isEnabled()
    viewer.add_image(np.random.default_rng(0).random((5, 8, 8)), name="late")
    assert widget.series_panel.layer_box.currentText() == "late"
    assert widget.run_panel.fill_button.isEnabled()
    assert "No tilt angles are known" in widget.series_panel.angle_line.text()
    viewer.layers.clear()
    assert not widget.run_panel.fill_button.isEnabled()


def test_series_box_follows_names_and_leaves_volumes_out(loaded):
    viewer, widget = loaded
    viewer.layers["discs"].name = "renamed"
    viewer.add_layer(Layer.create(*volume_layer(Volume(np.ones((4, 6, 4), np.float32)))))
    box = widget.series_panel.layer_box
    assert [box.itemText(i) for i in range(box.count())] == ["renamed"]


def test_angle_file_is_loaded_in_the_order_of_the_file(loaded, tmp_path):
    _, widget = loaded
    path = tmp_path / "other.tlt"
    path.write_text("\n".join(f"{angle:.2f}" for angle in np.linspace(-48, 48, 25)))
    widget.series_panel.load_angles(path)
    assert widget.series_panel.angle_edit.text() == "-48:48:4"
    assert "other.tlt" in widget.series_panel.angle_line.text()
    assert LayerMap.of(widget.series_panel.layer).angles_deg[0] == -48


def test_typed_pixel_size_reaches_the_layer(loaded):
    viewer, widget = loaded
    widget.series_panel.pixel_box.setValue(0.5)
    widget.series_panel.pixel_box.editingFinished.emit()
    np.testing.assert_allclose(viewer.layers["discs"].scale, (1, 0.5, 0.5))


def test_views(loaded, qtbot):
    viewer, widget = loaded
    run(widget, qtbot, widget.fill)
    assert widget.run_panel.view_buttons["XZ"].isChecked()
    widget.run_panel.view_buttons["YZ"].click()
    assert viewer.dims.order == (2, 0, 1)
    widget.run_panel.view_buttons["Tilts"].click()
    assert viewer.layers["discs"].visible
    assert not viewer.canvas.grid.enabled


def test_export_writes_every_volume_with_its_voxels(loaded, qtbot, monkeypatch, tmp_path):
    viewer, widget = loaded
    run(widget, qtbot, widget.fill)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(tmp_path))
    widget.run_panel.export_all.trigger()
    paths = [tmp_path / f"discs_{method}.mrc" for method in ("WBP", "SART", "TVM")]
    qtbot.waitUntil(lambda: all(path.exists() for path in paths), timeout=10_000)
    with mrcfile.open(paths[1]) as file:
        np.testing.assert_array_equal(file.data, viewer.layers["discs SART"].data)
        np.testing.assert_allclose(float(file.voxel_size.x), 25.0, rtol=1e-5)


def test_export_without_volumes_is_told(loaded):
    _, widget = loaded
    widget.export()
    assert "no volume to export" in widget.run_panel.status.text()


@pytest.mark.parametrize(
    ("name", "file"),
    [("needle TVM", "needle_TVM.mrc"), ("a/b: c", "a_b__c.mrc"), (" ", "volume.mrc")],
)
def test_file_names(name, file):
    assert file_name(name) == file


def test_closing_the_viewer_during_a_run_does_not_crash(loaded, qtbot, monkeypatch):
    viewer, widget = loaded

    def endless(series, options):
        while True:
            time.sleep(0.01)
            yield Progress("counting", 0.5, None)

    monkeypatch.setattr(worker_module, "iter_fill", endless)
    widget.fill()
    qtbot.waitUntil(lambda: "Counting" in widget.run_panel.status.text(), timeout=5000)
    worker = widget._worker
    with qtbot.waitSignal(worker.finished, timeout=10_000):
        viewer.close()
    assert worker.abort_requested


def test_alignment_leaves_the_aligned_series_and_fills_it(loaded, qtbot):
    viewer, widget = loaded
    for method in ("sart", "tvm"):
        widget.method_panel.method_checks[method].setChecked(False)
    widget.series_panel.align_check.setChecked(True)
    run(widget, qtbot, widget.fill)
    assert widget.series_panel.layer is viewer.layers["discs aligned"]
    assert not widget.series_panel.align_check.isChecked()
    assert [layer.name for layer in volumes(viewer)] == ["discs aligned WBP"]
    assert "Images were" in widget.run_panel.status.text() or (
        "images were left" in widget.run_panel.status.text()
    )
    assert "alignment:" in widget.series_panel.angle_line.toolTip()


def test_preview_follows_the_slider_of_the_slices(loaded, qtbot):
    viewer, widget = loaded
    run(widget, qtbot, widget.fill)
    viewer.dims.set_current_step(1, 5)
    assert widget.run_panel.slice_box.value() == 5
    widget.run_panel.view_buttons["Tilts"].click()
    viewer.dims.set_current_step(0, 3)
    assert widget.run_panel.slice_box.value() == 5


def test_slices_follow_the_axis(loaded):
    _, widget = loaded
    widget.series_panel.axis_box.setCurrentIndex(1)
    assert widget.inputs().axis == "x"
    assert widget.run_panel.slice_box.maximum() == 31
    assert widget.method_panel.stop_box.value() == 32


def test_closed_dock_hears_nothing_more(loaded, qtbot, monkeypatch):
    viewer, widget = loaded

    def endless(series, options):
        while True:
            time.sleep(0.01)
            yield Progress("counting", 0.5, None)

    monkeypatch.setattr(worker_module, "iter_fill", endless)
    widget.fill()
    qtbot.waitUntil(lambda: "Counting" in widget.run_panel.status.text(), timeout=5000)
    worker = widget._worker
    with qtbot.waitSignal(worker.finished, timeout=10_000):
        viewer.window.remove_dock_widget(widget)
        widget.deleteLater()
    viewer.add_image(np.random.default_rng(0).random((5, 6, 7)), name="later")
    viewer.dims.set_current_step(0, 1)
    viewer.layers.clear()


def test_the_model_chosen_at_first_is_the_one_that_a_command_takes(loaded):
    _, widget = loaded
    assert widget.inputs().model == FillOptions().model


def test_a_model_folder_of_the_users_own_is_offered_and_checked_on_use(loaded, qtbot, tmp_path):
    _, widget = loaded
    widget.method_panel.add_model_folder(tmp_path)
    assert widget.inputs().model == str(tmp_path)
    assert "gan" in widget.inputs().methods
    run(widget, qtbot, widget.fill)
    assert "There is no model" in widget.run_panel.status.text()


def test_a_model_folder_of_the_users_own_fills(loaded, qtbot, tmp_path):
    viewer, widget = loaded
    folder = tmp_path / "my own pair"
    shutil.copytree(load("small").folder, folder)
    widget.method_panel.add_model_folder(folder)
    assert widget.method_panel.model_box.currentText() == "my own pair"
    run(widget, qtbot, widget.run_panel.preview_button.click)
    assert any("GAN" in layer.name for layer in volumes(viewer))
    assert "GAN" in widget.run_panel.status.text()


@pytest.mark.parametrize(("obstacle", "device"), [("no driver was found", "CPU"), (None, "GPU")])
def test_where_the_networks_run_is_told_and_why_not_on_a_gpu(qtbot, monkeypatch, obstacle, device):
    monkeypatch.setattr(method_panel, "obstacle_at_a_glance", lambda: obstacle)
    panel = method_panel.MethodPanel()
    qtbot.addWidget(panel)
    assert device in panel.device_box.itemText(0)
    assert ("cannot be used: no driver was found" in panel.device_box.toolTip()) == bool(obstacle)


def test_widget_fits_beside_a_small_screen(loaded):
    _, widget = loaded
    widget.run_panel.set_running(True)
    widget.run_panel.say("A sentence of some length that a failure may well have. " * 4)
    assert widget.minimumSizeHint().height() < 500
    assert widget.minimumSizeHint().width() < 420


def test_numbers_keep_their_units_in_a_narrow_dock(loaded, qtbot):
    viewer, widget = loaded
    widget.series_panel.shift_box.setValue(-16.1)
    window = viewer.window._qt_window
    window.show()
    window.resize(window.minimumSizeHint())
    qtbot.waitUntil(lambda: widget.width() <= widget.minimumSizeHint().width() + 1)
    for box in (widget.series_panel.shift_box, widget.series_panel.pixel_box):
        edit = box.lineEdit()
        assert edit.width() > edit.fontMetrics().horizontalAdvance(box.text())


def test_preview_of_images_to_be_aligned_says_what_it_shows(loaded, qtbot):
    _, widget = loaded
    for method in ("sart", "tvm"):
        widget.method_panel.method_checks[method].setChecked(False)
    widget.series_panel.align_check.setChecked(True)
    run(widget, qtbot, widget.preview)
    assert "not aligned" in widget.run_panel.status.text()
    assert widget.series_panel.align_check.isChecked()
