"""The window beside a viewer: layers, sliders, buttons, menus."""

from importlib import resources

import numpy as np
import pytest
from napari.layers import Layer
from npe2 import PluginManifest
from qtpy.QtGui import QImage
from qtpy.QtWidgets import QApplication, QFileDialog

import napari_wedgefill
from napari_wedgefill._napari.compare.layer_source import choose_at_first, list_comparable
from napari_wedgefill._napari.compare.window import CompareWidget, open_compare
from napari_wedgefill._napari.layers import series_layer, trust_layer, volume_layer
from napari_wedgefill.volume import Volume


def add(viewer, name, data=None, **options):
    if data is None:
        data = np.random.default_rng(len(name)).random((12, 6, 10), dtype=np.float32)
    return viewer.add_layer(Layer.create(*volume_layer(Volume(data, (2.5,) * 3, name), **options)))


def titles(window):
    return [column.title for column in window.model.columns]


@pytest.fixture
def filled(viewer, series):
    viewer.add_layer(Layer.create(*series_layer(series)))
    for name in ("discs TVM", "discs WBP"):
        add(viewer, name)
    return viewer


@pytest.fixture
def window(filled, qtbot):
    window = open_compare(filled, filled.window._qt_window)
    qtbot.waitExposed(window)
    yield window
    qtbot.wait(120)


def test_volumes_are_columns_with_wbp_first(window, series):
    assert titles(window) == ["WBP", "TVM"]
    assert window.model.unit == "nm"
    for column in window.model.columns:
        assert column.angles_deg == tuple(series.angles_deg)
        assert column.voxel == (2.5, 2.5, 2.5)


def test_trust_is_not_shown_on_the_scale_of_densities(filled, series, qtbot):
    trust = Volume(np.ones((12, 6, 10), np.float32), (2.5,) * 3, "discs_trust")
    filled.add_layer(Layer.create(*trust_layer(trust)))
    window = open_compare(filled, filled.window._qt_window)
    qtbot.waitExposed(window)
    shown = [(column.title, column.has_own_scale) for column in window.model.methods]
    assert ("WBP", False) in shown
    window.controls.layer_menu.checks["discs trust"].setChecked(True)
    assert ("trust", True) in [(c.title, c.has_own_scale) for c in window.model.methods]
    qtbot.wait(120)


def test_layers_of_a_run_that_come_one_by_one_are_shown_together(window, filled):
    """However slowly: the window looks at the layers between the first and the second."""
    for method in ("SART", "TVM"):
        name = f"discs {method} again"
        data = np.full((12, 6, 10), 1.0, np.float32)
        layer = volume_layer(Volume(data, (2.5,) * 3, name), fields={"run": "second"})
        filled.add_layer(Layer.create(*layer))
        window.refresh_layers()
    assert [c.data for c in window.model.methods] == [
        filled.layers[f"discs {method} again"].data for method in ("SART", "TVM")
    ]


def test_it_opens_once(window, filled):
    assert open_compare(filled, filled.window._qt_window) is window
    assert window.isWindow()


def test_the_viewers_sliders_move_the_crosshair(window, filled):
    filled.dims.set_point(range(3), (5.0, 10.0, 15.0))
    assert window.model.crosshair == (5.0, 10.0, 15.0)
    filled.dims.set_current_step(1, 2)
    assert window.model.crosshair == (5.0, 5.0, 15.0)


def test_the_crosshair_moves_the_viewers_sliders_once_it_rests(window, filled, qtbot):
    seen = []
    filled.dims.events.point.connect(lambda: seen.append(filled.dims.point))
    for z in (5.0, 7.5, 10.0):
        window.model.move_to((z, 2.5, 20.0))
    assert not seen
    qtbot.waitUntil(lambda: filled.dims.point == (10.0, 2.5, 20.0), timeout=5000)
    assert len(seen) == 1


def test_unticked_volumes_leave_and_ticked_ones_come_back(window):
    check = window.controls.layer_menu.checks["discs WBP"]
    check.setChecked(False)
    assert titles(window) == ["discs TVM"]
    check.setChecked(True)
    assert titles(window) == ["WBP", "TVM"]


def test_the_window_follows_the_layer_list(window, filled, qtbot):
    add(filled, "discs GAN")
    qtbot.waitUntil(lambda: titles(window) == ["WBP", "TVM", "GAN"], timeout=5000)
    filled.layers["discs GAN"].name = "discs network"
    qtbot.waitUntil(lambda: titles(window) == ["WBP", "TVM", "network"], timeout=5000)
    filled.layers.remove("discs WBP")
    qtbot.waitUntil(lambda: titles(window) == ["TVM", "network"], timeout=5000)
    filled.layers.clear()
    qtbot.waitUntil(lambda: titles(window) == [], timeout=5000)
    assert "no volume to compare" in window.status.text()
    assert not window.controls.save_button.isEnabled()


def test_only_volumes_along_the_axes_are_offered(filled):
    filled.add_image(np.zeros((12, 6, 10)), shear=(0, 0, 0.1), name="sheared")
    filled.add_image(np.zeros((6, 10)), name="flat")
    filled.add_image(np.zeros((12, 6, 10)), name="other")
    assert [layer.name for layer in list_comparable(filled)] == ["discs WBP", "discs TVM", "other"]


def test_at_first_only_volumes_on_one_grid_are_ticked(viewer):
    add(viewer, "old WBP", np.zeros((8, 6, 8), np.float32))
    add(viewer, "new WBP")
    add(viewer, "new GAN")
    add(viewer, "preview", fields={"preview": True})
    viewer.add_image(np.zeros((12, 6, 10)), name="other")
    ticked = choose_at_first(list_comparable(viewer))
    assert [layer.name for layer in ticked] == ["new WBP", "new GAN"]


def test_controls_and_model_agree(window):
    controls, model = window.controls, window.model
    controls.minuend_box.setCurrentText("TVM")
    assert model.difference == ("TVM", "WBP")
    controls.row_buttons["XY"].click()
    assert [row.name for row in model.rows] == ["XZ", "YZ", "Spectrum"]
    controls.profile_box.setCurrentText("along z")
    assert model.profile_axis == 0
    controls.contrast.linked_check.setChecked(False)
    model.activate(1)
    assert controls.contrast.label.text() == "Contrast of TVM"
    controls.contrast.slider.setValue((0.25, 0.5))
    assert model.contrast.scale(model.columns[1]).limits == pytest.approx((0.25, 0.5))
    controls.contrast.auto_button.click()
    assert controls.contrast.slider.value() == pytest.approx(
        model.contrast.scale(model.columns[1]).limits, abs=1e-3
    )
    controls.minuend_box.setCurrentText("none")
    assert model.difference is None


def test_save_asks_for_a_file_and_copy_fills_the_clipboard(window, tmp_path, monkeypatch):
    answers = iter([("", ""), (str(tmp_path / "compared"), "PDF (*.pdf)")])
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: next(answers))
    window.controls.save_button.click()
    assert not list(tmp_path.iterdir())
    window.controls.save_button.click()
    assert (tmp_path / "compared.pdf").read_bytes().startswith(b"%PDF")
    assert "compared.pdf" in window.status.text()
    window.controls.copy_button.click()
    image = QApplication.clipboard().image()
    assert image.width() > 1000
    assert isinstance(image, QImage)


def test_a_closed_window_hears_nothing_more(window, filled, qtbot):
    with qtbot.waitSignal(window.destroyed, timeout=5000):
        window.close()
    filled.dims.set_point(0, 5.0)
    add(filled, "discs late")
    filled.layers[1].name = "renamed"
    filled.theme = "light"
    qtbot.wait(50)


def test_the_button_waits_for_two_volumes_and_opens_the_window(loaded, qtbot):
    viewer, dock = loaded
    button = dock.footer.compare_button
    add(viewer, "discs WBP")
    assert not button.isEnabled()
    other = add(viewer, "discs TVM")
    assert button.isEnabled()
    button.click()
    (window,) = viewer.window._qt_window.findChildren(CompareWidget)
    assert titles(window) == ["WBP", "TVM"]
    viewer.layers.remove(other)
    assert not button.isEnabled()
    qtbot.wait(120)


def test_volumes_of_a_fill_know_their_tilts_without_the_series(quick, qtbot, hands):
    viewer, dock = quick
    hands.fill(dock)
    angles = tuple(viewer.layers["discs"].metadata["napari_wedgefill"]["angles_deg"])
    viewer.layers.remove("discs")
    window = open_compare(viewer, viewer.window._qt_window)
    assert titles(window) == ["WBP", "SART"]
    assert [column.angles_deg for column in window.model.columns] == [angles] * 2
    qtbot.wait(120)


def test_menus_open_the_window_and_the_dock(npe2pm, make_napari_viewer, qtbot):
    from napari._app_model import get_app_model

    with resources.as_file(resources.files(napari_wedgefill) / "napari.yaml") as path:
        npe2pm.register(PluginManifest.from_file(path))
    viewer = make_napari_viewer()
    get_app_model().commands.execute_command("napari-wedgefill.open_compare").result()
    (window,) = viewer.window._qt_window.findChildren(CompareWidget)
    assert window.isWindow()
    assert "no volume to compare" in window.status.text()
    _, docked = viewer.window.add_plugin_dock_widget("napari-wedgefill", "Compare")
    assert isinstance(docked, CompareWidget)
    for name in ("a WBP", "a GAN"):
        add(viewer, name)
    qtbot.waitUntil(lambda: titles(docked) == titles(window) == ["WBP", "GAN"], timeout=5000)
    qtbot.wait(120)


def test_limits_are_typed_and_the_histogram_counts_the_voxels(window, qtbot):
    bar = window.controls.contrast
    assert bar.histogram._scale.counts.sum() == 2 * 12 * 6 * 10
    for edit, text in ((bar.low_edit, "0.25"), (bar.high_edit, "0.5")):
        edit.clear()
        qtbot.keyClicks(edit, text)
        edit.editingFinished.emit()
    column = window.model.columns[0]
    assert window.model.contrast.scale(column).limits == (0.25, 0.5)
    bar.high_edit.clear()
    qtbot.keyClicks(bar.high_edit, "0.1")  # below the other end
    bar.high_edit.editingFinished.emit()
    assert window.model.contrast.scale(column).limits == (0.25, 0.5)
    assert bar.high_edit.text() == "0.5"
