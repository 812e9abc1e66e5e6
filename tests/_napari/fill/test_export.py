"""Export: the right volumes, under names of their own, where they lay; nothing replaced unasked."""

from pathlib import Path

import mrcfile
import numpy as np
import pytest
from magicgui.widgets import Dialog
from napari.layers import Layer
from qtpy.QtWidgets import QMessageBox

from napari_wedgefill._napari.compare.layer_source import short_titles
from napari_wedgefill._napari.files import read_layers
from napari_wedgefill._napari.fill import export as export_module
from napari_wedgefill._napari.fill.export import ExportDialog, name_file, plan_jobs
from napari_wedgefill._napari.fill.settings import EVERY_RUN, SELECTED
from napari_wedgefill._napari.layer_entries import name_entry
from napari_wedgefill._napari.layer_kinds import list_volumes
from napari_wedgefill._napari.layers import volume_layer
from napari_wedgefill._napari.runs import Run, find_runs
from napari_wedgefill.errors import WedgefillError
from napari_wedgefill.pipeline.options import FillOptions
from napari_wedgefill.samples import needle_path
from napari_wedgefill.volume import Volume


def answer(monkeypatch, **values) -> list[ExportDialog]:
    """Press OK in the dialog after setting its fields; return the dialogs that were shown."""
    shown = []

    def fill_in(dialog):
        for name, value in values.items():
            dialog[name].value = value
        shown.append(dialog.asdict())
        return True

    monkeypatch.setattr(Dialog, "exec", fill_in)
    return shown


@pytest.fixture
def filled(docked, hands):
    viewer, dock = docked
    dock.update(methods=("wbp",), slices=(3, 5))
    hands.fill(dock)
    return viewer, dock


def wait_for_files(qtbot, *paths) -> None:
    qtbot.waitUntil(lambda: all(path.exists() for path in paths), timeout=20_000)


def test_volumes_come_back_with_their_voxels_and_where_they_lay(
    filled, qtbot, monkeypatch, tmp_path, hands
):
    viewer, dock = filled
    answer(monkeypatch, folder=tmp_path)
    hands.click(dock.footer.export_button)
    path = tmp_path / "discs_WBP_3-5.mrc"
    wait_for_files(qtbot, path)
    qtbot.waitUntil(lambda: "Wrote discs_WBP_3-5.mrc" in dock.footer.status.text(), timeout=5000)
    with mrcfile.open(path) as file:
        np.testing.assert_array_equal(file.data, viewer.layers["WBP 3:5 discs"].data)
        np.testing.assert_allclose(float(file.voxel_size.x), 25.0, rtol=1e-5)
    (_, attributes, _), *_ = read_layers(str(path))
    np.testing.assert_allclose(attributes["translate"], (0, 7.5, 0))


def test_planes_along_the_beam_stay_in_their_place(filled, qtbot, monkeypatch, tmp_path, hands):
    viewer, dock = filled
    whole = viewer.layers["WBP 3:5 discs"]
    answer(monkeypatch, folder=tmp_path, planes=(4, 9))
    hands.click(dock.footer.export_button)
    path = tmp_path / "discs_WBP_3-5_planes_4-9.mrc"
    wait_for_files(qtbot, path)
    (data, attributes, _), *_ = read_layers(str(path))
    np.testing.assert_array_equal(np.asarray(data), whole.data[4:9])
    shift = np.asarray(attributes["translate"]) - whole.translate
    np.testing.assert_allclose(shift, (4 * whole.scale[0], 0, 0), atol=1e-3)


def test_planes_that_a_volume_lacks_are_refused(filled, tmp_path):
    viewer, _ = filled
    with pytest.raises(WedgefillError, match="planes 4:999 were asked for, but it has"):
        plan_jobs(list_volumes(viewer), tmp_path, (4, 999))
    assert not list(tmp_path.iterdir())


def test_planes_up_to_the_end_are_those_of_each_volume(docked, monkeypatch, tmp_path):
    viewer, _ = docked
    for name, depth in (("thin", 6), ("thick", 9)):
        data = np.zeros((depth, 2, 3), np.float32)
        viewer.add_layer(Layer.create(*volume_layer(Volume(data), name=name)))
    answer(monkeypatch, folder=tmp_path, which=EVERY_RUN, planes=(4, 9))
    jobs = ExportDialog(viewer, find_runs(viewer)).ask(None)
    assert [job.planes for job in jobs] == [(4, 6), (4, 9)]
    assert [job.path.name for job in jobs] == ["thin_planes_4-6.mrc", "thick_planes_4-9.mrc"]
    answer(monkeypatch, folder=tmp_path, which=EVERY_RUN, planes=(0, 9))
    assert {job.planes for job in ExportDialog(viewer, find_runs(viewer)).ask(None)} == {None}
    answer(monkeypatch, folder=tmp_path, which=EVERY_RUN, planes=(7, 9))
    with pytest.raises(WedgefillError, match="thin: the planes begin at 7, but it has 6"):
        ExportDialog(viewer, find_runs(viewer)).ask(None)


def test_only_the_run_that_is_shown_is_written(filled, qtbot, monkeypatch, tmp_path, hands):
    _, dock = filled
    dock.axis_shift_px.value = 2.0
    hands.fill(dock)
    answer(monkeypatch, folder=tmp_path)
    hands.click(dock.footer.export_button)
    wait_for_files(qtbot, tmp_path / "discs_WBP_axis_+2_px_3-5.mrc")
    qtbot.waitUntil(lambda: len(list(tmp_path.iterdir())) == 1, timeout=20_000)


def test_nothing_is_replaced_without_a_question(filled, qtbot, monkeypatch, tmp_path, hands):
    _, dock = filled
    path = tmp_path / "discs_WBP_3-5.mrc"
    path.write_text("mine")
    asked = []
    said = QMessageBox.StandardButton.No
    monkeypatch.setattr(QMessageBox, "question", lambda *args: asked.append(args[2]) or said)
    answer(monkeypatch, folder=tmp_path)
    hands.click(dock.footer.export_button)
    assert "discs_WBP_3-5.mrc" in asked[0]
    assert path.read_text() == "mine"
    answer(monkeypatch, folder=tmp_path, overwrite=True)
    hands.click(dock.footer.export_button)
    qtbot.waitUntil(lambda: path.stat().st_size > 1024, timeout=20_000)
    assert len(asked) == 1


def test_names_that_a_file_system_cannot_tell_apart_get_files_of_their_own(tmp_path):
    data = np.zeros((2, 2, 2), np.float32)
    names = ("a/b", "a:b", "A b", "other")
    layers = [Layer.create(*volume_layer(Volume(data), name=name)) for name in names]
    files = [job.path.name for job in plan_jobs(layers, tmp_path)]
    assert files == ["a_b_1.mrc", "a_b_2.mrc", "A_b_3.mrc", "other.mrc"]


def test_what_cannot_be_written_is_told(filled, tmp_path):
    viewer, _ = filled
    with pytest.raises(WedgefillError, match="does not exist"):
        plan_jobs(list_volumes(viewer), tmp_path / "nowhere")
    with pytest.raises(WedgefillError, match="no volume to export"):
        plan_jobs([], tmp_path)


def test_the_selected_layers_and_all_of_them(filled, hands):
    viewer, dock = filled
    hands.fill(dock)
    first, second = list_volumes(viewer)
    viewer.layers.selection = {first}
    run = dock.workbench.runs.runs[1]
    assert export_module.list_exportable(viewer, SELECTED, run) == [first]
    assert export_module.list_exportable(viewer, EVERY_RUN, run) == [first, second]


def test_the_dialog_begins_where_the_series_lies(viewer, tmp_path):
    data = np.zeros((2, 2, 2), np.float32)
    fields = {"path": str(tmp_path / "series.mrc")}
    viewer.add_layer(Layer.create(*volume_layer(Volume(data), fields=fields)))
    assert ExportDialog(viewer, find_runs(viewer)).form.folder.value == tmp_path


def test_layers_of_a_first_run_say_which_slices_they_hold(series):
    """The whole goes by the series' name, and a part must not look like it."""
    first = Run("standard", series, FillOptions())
    assert first.name_volume("tvm") == ("discs TVM", "discs TVM")
    part = Run("slices 3:5", series, FillOptions(slices=(3, 5)))
    assert part.name_volume("tvm") == ("TVM 3:5 discs", "discs TVM 3-5")
    assert part.name_trust() == ("trust 3:5 discs", "discs trust 3-5")


def test_the_dialog_of_a_sample_does_not_begin_inside_the_package(viewer):
    fields = {"path": str(needle_path())}
    made = volume_layer(Volume(np.zeros((2, 2, 2), np.float32)), fields=fields)
    viewer.add_layer(Layer.create(*made))
    assert ExportDialog(viewer, find_runs(viewer)).form.folder.value == Path.home()


def test_a_second_run_of_some_methods_has_names_of_its_own(series):
    """Fill, Cancel in a check, and GAN alone for what is missing: its volume is another one."""
    first = Run("slices 3:5", series, FillOptions(slices=(3, 5)))
    again = Run("GAN, slices 3:5", series, FillOptions(("gan",), slices=(3, 5)))
    again.follow([first])
    assert again.name_volume("gan") == ("GAN 3:5 run 2 discs", "discs GAN 3-5 run 2")
    other = Run("SIRT, slices 3:5", series, FillOptions(("sirt",), slices=(3, 5)))
    other.follow([first, again])
    assert other.name_volume("sirt") == ("SIRT 3:5 discs", "discs SIRT 3-5")


def test_names_of_a_later_run_begin_with_what_differs(series, tmp_path):
    methods = ("wbp", "gan")
    run = Run("WBP + GAN, slices 3:5", series, FillOptions(methods, slices=(3, 5)), n_earlier=1)
    named = [run.name_volume(method) for method in methods]
    assert named == [("WBP 3:5 discs", "discs WBP 3-5"), ("GAN 3:5 discs", "discs GAN 3-5")]
    assert short_titles(["WBP 3:5 discs", "GAN 3:5 discs (doubtful)"]) == ["WBP", "GAN (doubtful)"]
    assert run.name_trust() == ("trust 3:5 discs", "discs trust 3-5")
    same = Run("WBP", series, FillOptions(("wbp",)), n_earlier=1)
    assert same.name_volume("wbp") == ("WBP run 2 discs", "discs WBP run 2")
    counted = Run("standard (2)", series, FillOptions(), n_earlier=1)
    assert counted.name_volume("tvm")[0] == "TVM (2) discs"
    volume = Volume(np.zeros((2, 2, 2), np.float32))
    made = volume_layer(volume, name=named[1][0], fields=name_entry(*named[1]))
    layer = Layer.create(*made)
    layer.name += " (doubtful)"
    assert plan_jobs([layer], tmp_path)[0].path.name == "discs_GAN_3-5_doubtful.mrc"
    layer.name = "mine"
    assert plan_jobs([layer], tmp_path)[0].path.name == "mine.mrc"


@pytest.mark.parametrize(
    ("name", "file"),
    [("needle TVM", "needle_TVM.mrc"), ("a/b: c", "a_b_c.mrc"), (" ", "volume.mrc")],
)
def test_file_names(name, file):
    assert name_file(name) == file
