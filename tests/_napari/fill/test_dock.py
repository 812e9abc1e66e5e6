"""The dock in a viewer: the whole way from a layer to volumes beside one another."""

import re
import shutil
import time
from dataclasses import replace

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Layer
from napari.utils.notifications import notification_manager
from qtpy.QtWidgets import QApplication
from superqt.utils import GeneratorWorker

from napari_wedgefill._napari.files import get_reader
from napari_wedgefill._napari.fill import settings
from napari_wedgefill._napari.fill import worker as worker_module
from napari_wedgefill._napari.fill.dock import FillWedge
from napari_wedgefill._napari.fill.endings import tell_cancelled
from napari_wedgefill._napari.layer_kinds import list_volumes
from napari_wedgefill._napari.layers import LayerMap, series_layer, volume_layer
from napari_wedgefill.errors import WedgefillError
from napari_wedgefill.joint_model.registry import load
from napari_wedgefill.pipeline.events import Finished
from napari_wedgefill.pipeline.options import FillOptions
from napari_wedgefill.progress import Progress
from napari_wedgefill.run.run import iter_run
from napari_wedgefill.trust.results_table import ResultsTable
from napari_wedgefill.trust.verdicts import QuickCheck, SelfCheck, TrustMap
from napari_wedgefill.volume import Volume


def test_a_dock_on_a_low_screen_opens_at_its_top(series, qtbot):
    viewer = ViewerModel()
    viewer.add_layer(Layer.create(*series_layer(series)))
    dock = FillWedge(viewer)
    qtbot.addWidget(dock.native)
    dock.native.resize(380, 400)
    dock.native.show()
    qtbot.waitExposed(dock.native)
    qtbot.wait(30)
    bar = dock.scrolling.verticalScrollBar()
    assert bar.maximum() > 0
    assert bar.value() == 0
    viewer.layers.clear()
    assert dock.asdict()["angles"] == ""
    assert (dock.pixel_nm.value, dock.slices.value) == (0.0, (0, 0))
    dock._disconnect()
    GeneratorWorker.await_workers(20_000)


def test_the_dock_shows_what_was_found(docked):
    _, dock = docked
    assert dock.series.value.name == "discs"
    assert dock.angles.value == "-60:60:5"
    assert "25 tilts" in dock.angle_line.value
    assert "60\N{DEGREE SIGN} missing" in dock.angle_line.value
    assert "a test" in dock.angle_line.value
    assert dock.pixel_nm.value == 2.5
    assert dock.inputs().slices is None


def test_a_script_drives_the_dock_as_any_magicgui_widget(docked, hands):
    viewer, dock = docked
    seen, runs = [], []
    dock.changed.connect(lambda: seen.append(dock.asdict()))
    dock.called.connect(runs.append)
    dock.methods.value = ("wbp",)
    assert seen[-1]["methods"] == ("wbp",)
    assert seen[-1]["series"] is viewer.layers["discs"]
    dock(slices=(2, 4))
    hands.finish(dock)
    (run,) = runs
    assert list(run.volumes) == ["wbp"]
    assert run.volumes["wbp"].data.shape == (32, 2, 32)
    with pytest.raises(ValueError, match="no such method"):
        dock.methods.value = ("fbp",)


def test_tool_tips_are_what_the_classes_say(docked):
    _, dock = docked
    for form in (settings.Series, settings.Methods, settings.Checks):
        for name in form.__dataclass_fields__:
            assert len(dock.get_widget(name).tooltip) > 20, name


def test_fill_lays_the_volumes_out(loaded, hands):
    viewer, dock = loaded
    hands.fill(dock)
    made = list_volumes(viewer)
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
    assert dock.footer.status.text().startswith("Done in")
    assert re.search("TVM\u00a0\\d+\u00a0s", dock.footer.status.text())
    assert dock.footer.fill_button.isEnabled()


def test_fill_of_some_slices_lies_where_they_are(docked, hands):
    viewer, dock = docked
    dock.update(slices=(4, 6), methods=("wbp", "sart"))
    hands.fill(dock)
    layer = list_volumes(viewer)[0]
    assert layer.data.shape == (32, 2, 32)
    assert "end before this one" in dock.slices[1].native.toolTip()
    assert dock.run_box.value.name == "WBP + SART, slices 4:6"  # counted as in the fields
    assert dock.run_box.native.currentText() == "WBP + SART, slices 4:6"  # of the series above
    np.testing.assert_allclose(layer.translate, (0, 10.0, 0))
    np.testing.assert_allclose(viewer.dims.range[1], (10.0, 12.5, 2.5))
    assert viewer.dims.nsteps[1] == 2


def test_slices_that_are_not_there_are_told(docked, hands):
    _, dock = docked
    dock.slices.value = (4, 4)
    hands.fill(dock)
    assert "Slices 4 to 4 are no part of the 6 slices" in dock.footer.status.text()


def test_a_refused_file_is_told_in_the_dock(loaded, tmp_path):
    """In the window, which catches errors; a script gets them raised."""
    viewer, dock = loaded
    path = tmp_path / "broken.mrc"
    path.write_bytes(b"not an image")
    read = get_reader(str(path))
    with notification_manager:
        assert read(str(path)) == [(None,)]
        record = notification_manager.records[-1]
    assert record.severity == "error"
    assert record.message == dock.footer.status.text()
    assert record.message.startswith("broken.mrc: ")
    assert len(viewer.layers) == 1
    with pytest.raises(WedgefillError, match=r"broken\.mrc"):
        read(str(path))


def test_cancel_leaves_nothing(docked, qtbot, endless, hands):
    viewer, dock = docked
    hands.click(dock.footer.fill_button)
    status = dock.footer.status
    qtbot.waitUntil(lambda: status.text() == "Counting, 20 s left", timeout=5000)
    assert not dock.footer.fill_button.isEnabled()
    hands.click(dock.footer.cancel_button)
    hands.finish(dock)
    assert [layer.name for layer in viewer.layers] == ["discs"]
    assert "Cancelled" in status.text()
    assert dock.footer.fill_button.isEnabled()
    dock.update(methods=("wbp",))
    assert status.text() == ""


def test_cancel_keeps_the_volumes_that_are_complete(docked, qtbot, monkeypatch, hands):
    viewer, dock = docked
    dock.update(methods=("wbp", "sart", "gan"))

    def stay_in_gan(series, options, session):
        first = replace(options, fill=replace(options.fill, methods=("wbp", "sart")), check=False)
        for event in iter_run(series, first, session=session):
            if isinstance(event, Finished):
                yield event
        while True:
            time.sleep(0.01)
            yield Progress("completing", 0.5, None)

    monkeypatch.setattr(worker_module, "iter_run", stay_in_gan)
    hands.click(dock.footer.fill_button)
    qtbot.waitUntil(lambda: "Completing" in dock.footer.status.text(), timeout=60_000)
    hands.click(dock.footer.cancel_button)
    hands.finish(dock)
    said = dock.footer.status.text()
    assert "the volumes stay among the layers (WBP, SART)" in said
    assert "choose GAN alone under Methods" in said
    (run,) = dock.workbench.runs.runs
    assert run.options.methods == tuple(run.volumes) == ("wbp", "sart")
    assert set(run.volumes.values()) <= set(viewer.layers)


def test_cancel_in_a_check_says_that_it_is_missing_and_how_to_get_it(
    docked, qtbot, monkeypatch, hands
):
    _, dock = docked
    dock.update(methods=("wbp", "gan"), trust_map=True)

    def stay_in_check(series, options, session):
        for event in iter_run(series, replace(options, check=False, trust=False), session=session):
            if isinstance(event, Finished):
                yield event
        while True:
            time.sleep(0.01)
            yield Progress("checking", 0.5, None)

    monkeypatch.setattr(worker_module, "iter_run", stay_in_check)
    hands.click(dock.footer.fill_button)
    qtbot.waitUntil(lambda: "Checking" in dock.footer.status.text(), timeout=60_000)
    hands.click(dock.footer.cancel_button)
    hands.finish(dock)
    assert dock.footer.status.text() == (
        "Cancelled; the volumes stay among the layers (WBP, GAN), see Export. The quick check and "
        "the trust map are missing. To get them, choose GAN alone under Methods, then Fill wedge."
    )


def test_cancel_names_only_what_is_missing():
    stay = ("sart", "gan")
    said = tell_cancelled(stay, (), [TrustMap])
    assert "The trust map is missing. To get it, choose GAN alone under Methods" in said
    said = tell_cancelled(stay, (), [SelfCheck, TrustMap])  # compares the methods: not GAN alone
    assert "self-check and the trust map are missing. To get them, press Fill wedge again" in said
    said = tell_cancelled(("sart",), ("gan",), [QuickCheck])
    assert "The quick check is missing. To go on, choose GAN alone under Methods" in said
    assert tell_cancelled(stay, (), ()).endswith("see Export.")
    said = tell_cancelled(stay, (), [ResultsTable])
    assert said == "Cancelled; the table is missing. To get it, press Results again."


#: What a user may have set, and what is said to it.
BAD = (
    ({"angles": "-50:50:5"}, "25 images but 21 angles"),
    ({"angles": "steep"}, "not understood"),
    ({"angles": ""}, "No tilt angles are known"),
    ({"angles": "-240:240:20"}, "-240 degrees is not possible"),
    ({"angles": ", ".join(["nan"] * 25)}, "not understood"),
    ({"methods": ()}, "No method"),
)


def test_bad_input_is_told_in_one_sentence(docked, hands):
    viewer, dock = docked
    for spoil, says in BAD:
        good = {name: dock.asdict()[name] for name in spoil}
        dock.update(spoil)
        with notification_manager:
            hands.fill(dock)
            assert says in notification_manager.records[-1].message
        assert says in dock.footer.status.text()
        assert dock.footer.report_button.isHidden()
        assert list_volumes(viewer) == []
        dock.update(good)


def test_angles_that_cannot_be_are_told_before_fill(docked):
    _, dock = docked
    good = dock.angles.value, dock.angle_line.value
    for text in ("nan", "-200:200:10", "steep", ""):
        dock.angles.value = text
        assert dock.angle_line.value != good[1]
        assert "tilts" not in dock.angle_line.value
        dock.angles.value = good[0]
        assert "25 tilts" in dock.angle_line.value


def test_an_error_goes_when_its_cause_does(docked, hands):
    _, dock = docked
    dock.angles.value = "steep"
    hands.fill(dock)
    assert "not understood" in dock.footer.status.text()
    dock.angles.value = "-60:60:5"
    assert dock.footer.status.text() == ""


def test_images_without_contrast_are_told(docked, hands):
    viewer, dock = docked
    viewer.layers["discs"].data = np.ones((25, 6, 32), np.float32)
    hands.fill(dock)
    assert "same value" in dock.footer.status.text()


def test_an_inner_failure_gives_a_report_to_copy(docked, monkeypatch, hands):
    _, dock = docked

    def failing(series, options, session):
        yield Progress("starting", 0.0, None)
        raise RuntimeError("a bolt came loose")

    monkeypatch.setattr(worker_module, "iter_run", failing)
    hands.fill(dock)
    assert "a bolt came loose" in dock.footer.status.text()
    assert not dock.footer.report_button.isHidden()
    dock.footer.report_button.click()
    report = QApplication.clipboard().text()
    assert "Traceback" in report
    assert "napari-wedgefill" in report
    assert dock.footer.fill_button.isEnabled()


def test_no_series_no_button(viewer):
    dock = FillWedge(viewer)
    viewer.window.add_dock_widget(dock)
    assert not dock.footer.fill_button.isEnabled()
    viewer.add_image(np.random.default_rng(0).random((5, 8, 8)), name="late")
    assert dock.series.value is viewer.layers["late"]
    assert dock.footer.fill_button.isEnabled()
    assert "No tilt angles are known" in dock.angle_line.value
    viewer.layers.clear()
    assert not dock.footer.fill_button.isEnabled()
    assert dock.series.value is None


def test_series_box_follows_names_and_leaves_volumes_out(docked):
    viewer, dock = docked
    viewer.layers["discs"].name = "renamed"
    viewer.add_layer(Layer.create(*volume_layer(Volume(np.ones((4, 6, 4), np.float32)))))
    assert [str(c) for c in dock.series.choices if c is not None] == ["renamed"]


def test_angle_file_is_loaded_in_the_order_of_the_file(docked, tmp_path):
    _, dock = docked
    path = tmp_path / "other.tlt"
    path.write_text("\n".join(f"{angle:.2f}" for angle in np.linspace(-48, 48, 25)))
    dock.series_fields.load_angles(path)
    assert dock.angles.value == "-48:48:4"
    assert "other.tlt" in dock.angle_line.value
    assert LayerMap.of(dock.series.value).angles_deg[0] == -48


def test_typed_pixel_size_reaches_the_layer(docked):
    viewer, dock = docked
    dock.pixel_nm.value = 0.5
    np.testing.assert_allclose(viewer.layers["discs"].scale, (1, 0.5, 0.5))


def test_typed_angles_stay_with_their_series(docked, other):
    viewer, dock = docked
    dock.angles.value = "-48:48:4"
    viewer.add_layer(other)
    assert dock.angles.value == "-40:40:10"
    dock.series.value = viewer.layers["discs"]
    assert dock.angles.value == "-48:48:4"
    assert "your entry" in dock.angle_line.value


def test_settings_are_remembered_for_each_series(docked, other):
    viewer, dock = docked
    dock.update(axis_shift_px=3.5, slices=(1, 4), plane=True)
    viewer.add_layer(other)
    assert (dock.axis_shift_px.value, dock.slices.value, dock.plane.value) == (0, (0, 12), False)
    dock.series.value = viewer.layers["discs"]
    assert (dock.axis_shift_px.value, dock.slices.value, dock.plane.value) == (3.5, (1, 4), True)


def test_slices_follow_the_axis(docked):
    _, dock = docked
    dock.axis.value = "x"
    assert dock.inputs().axis == "x"
    assert dock.slices.value == (0, 32)


def test_the_model_chosen_at_first_is_the_one_that_a_command_takes(docked):
    _, dock = docked
    assert dock.inputs().model == FillOptions().model


def test_a_model_folder_of_the_users_own_is_offered_and_checked_on_use(docked, tmp_path, hands):
    _, dock = docked
    dock.update(model=str(tmp_path), methods=("gan",))
    assert dock.inputs().model == str(tmp_path)
    hands.fill(dock)
    assert "There is no model" in dock.footer.status.text()


@pytest.mark.slow
def test_a_model_folder_of_the_users_own_fills(docked, tmp_path, hands):
    _, dock = docked
    folder = tmp_path / "my own pair"
    shutil.copytree(load("small").folder, folder)
    dock.update(model=str(folder), methods=("gan",), slices=(2, 3))
    assert dock.model.box.current_choice == "my own pair"
    hands.fill(dock)
    (run,) = dock.workbench.runs.runs
    assert run.name == "GAN, model my own pair, slices 2:3"


@pytest.mark.parametrize(("obstacle", "device"), [("no driver was found", "CPU"), (None, "GPU")])
def test_where_the_networks_run_is_told(monkeypatch, obstacle, device):
    monkeypatch.setattr(settings, "glance_at_cuda_obstacle", lambda: obstacle)
    assert device in settings.list_devices()[0][0]


def test_the_dock_fits_a_small_screen_and_the_footer_stays(loaded, qtbot):
    viewer, dock = loaded
    window = viewer.window._qt_window
    window.show()
    window.resize(1000, 700)
    dock.footer.set_running(True, ready=True)
    dock.workbench.say("A sentence of some length that a failure may well have. " * 4)
    qtbot.wait(50)
    assert dock.native.minimumSizeHint().width() < 420
    foot = dock.footer
    bottom = foot.mapTo(window, foot.rect().bottomLeft()).y()
    assert foot.isVisible()
    assert bottom <= 700
    for button in (foot.fill_button, foot.cancel_button, foot.compare_button, foot.export_button):
        assert button.visibleRegion().boundingRect().height() == button.height()


def test_sections_fold_away_and_say_what_they_hold(docked):
    _, dock = docked
    methods = dock.sections[2]
    methods.heading.native.click()
    assert not methods.is_open
    assert dock.methods.native.isHidden() or not dock.forms[1].native.isVisible()
    dock.methods.value = ("wbp", "tvm")
    assert "WBP, TVM" in methods.heading.text
    methods.heading.native.click()
    assert methods.is_open


def test_numbers_keep_their_units_in_a_narrow_dock(loaded, qtbot):
    viewer, dock = loaded
    dock.axis_shift_px.value = -16.1
    window = viewer.window._qt_window
    window.show()
    window.resize(window.minimumSizeHint())
    qtbot.waitUntil(lambda: dock.native.width() <= dock.native.minimumSizeHint().width() + 1)
    for field in (dock.axis_shift_px, dock.pixel_nm):
        edit = field.native.lineEdit()
        assert edit.width() > edit.fontMetrics().horizontalAdvance(field.native.text())
