"""A session of yesterday: everything is there again, and what is not is told."""

import json

import numpy as np
import pytest
from napari.layers import Layer
from qtpy.QtWidgets import QMessageBox

from napari_wedgefill._napari.files import read_layers
from napari_wedgefill._napari.fill.dock import FillWedge
from napari_wedgefill._napari.layers import KEY
from napari_wedgefill._napari.runs import Run
from napari_wedgefill._napari.session.document import read_session
from napari_wedgefill.errors import WedgefillError
from napari_wedgefill.io import write_tilt_series
from napari_wedgefill.pipeline.options import FillOptions
from napari_wedgefill.trust.verdicts import QuickCheck, SelfCheck
from napari_wedgefill.volume import Volume

FOUND = SelfCheck({"wbp": 0.3, "sart": 0.2}, {"wbp": 0.5, "sart": 0.4}, (0.0,), (60.0,), (0, 6))
DOUBT = QuickCheck("gan", 0.1, 25, errors={"gan": 0.5, "tvm": 0.3}, withheld_deg=(60.0,))


@pytest.fixture
def saved(viewer, series, other, qtbot, hands, monkeypatch, tmp_path):
    """Save a session of two runs; return the viewer, the dock and the file."""
    monkeypatch.setattr(QMessageBox, "question", lambda *_: QMessageBox.StandardButton.Save)
    stack = write_tilt_series(tmp_path / "discs.st", series)
    viewer.add_layer(Layer.create(*read_layers(str(stack))[0]))
    dock = FillWedge(viewer)
    viewer.window.add_dock_widget(dock, name="Fill wedge")
    dock.update(methods=("wbp", "sart"), axis_shift_px=1.5, pixel_nm=4.0)
    bench = dock.workbench
    built = dock.inputs().series()
    data = np.random.default_rng(0).random((2, 32, 6, 32), dtype=np.float32)
    for name, offset in (("first", 0), ("second", 1)):
        run = Run(name, built, FillOptions(("wbp", "sart")), dock.series.value)
        if name == "first":
            run.quick_check, run.self_check = DOUBT, FOUND
        volumes = {
            method: Volume(values + offset, (4.0,) * 3, method)
            for method, values in zip(("wbp", "sart"), data, strict=True)
        }
        bench.turns.add(bench.iter_bring(run, volumes))
    hands.rest()
    viewer.add_layer(other)
    hands.rest()
    dock.series.value = viewer.layers["discs"]
    dock.run_box.value = dock.workbench.runs.runs[0]
    hands.rest()
    hands.click(dock.footer.view_buttons["XY"])
    viewer.dims.set_point(0, 20.0)
    path = tmp_path / "yesterday.wedgefill.json"
    dock.actions.save_session(path)
    qtbot.waitUntil(lambda: "Saved the session" in dock.footer.status.text(), timeout=120_000)
    return viewer, dock, path


def reopen(dock, path, qtbot):
    dock.workbench.viewer.layers.clear()
    dock.actions.open_session(path)
    qtbot.waitUntil(lambda: "Opened" in dock.footer.status.text(), timeout=120_000)


@pytest.mark.parametrize("older", [{}, {"box": False}, {"box": True}])
def test_older_runs_filled_the_whole_field_unless_a_box_was_asked_for(tmp_path, older):
    run = {
        "name": "run", "series": 0, "axis": "y", "axis_shift_px": 0, "angles_deg": [0],
        "options": {"methods": ["wbp"], **older}, "seconds": {}, "volumes": {},
    }  # fmt: skip
    path = tmp_path / "older.wedgefill.json"
    path.write_text(json.dumps({"runs": [run]}))
    assert read_session(path).runs[0].options.whole_field is (older != {"box": True})


def test_all_is_as_it_was(saved, qtbot, hands):
    viewer, dock, path = saved
    before = {layer.name: np.array(layer.data) for layer in viewer.layers}
    point, shown = viewer.dims.point, [layer.name for layer in viewer.layers if layer.visible]
    dock.update(methods=("tvm",), axis_shift_px=0.0)
    reopen(dock, path, qtbot)
    hands.rest()
    assert {layer.name for layer in viewer.layers} == set(before)
    for layer in viewer.layers:
        np.testing.assert_array_equal(layer.data, before[layer.name])
    first, second = dock.workbench.runs.runs
    assert (first.name, second.name) == ("first", "second")
    assert first.self_check == FOUND
    assert first.quick_check == DOUBT
    believed = [layer.metadata[KEY].get("recommended") for layer in first.volumes.values()]
    assert believed == ["tvm", "tvm"]
    assert dock.series.value is viewer.layers["discs"]
    assert dock.run_box.value is first
    assert first.series.pixel_nm == 4.0
    assert first.series.axis_shift_px == 1.5
    assert dock.axis_shift_px.value == 1.5
    assert dock.methods.value == ("wbp", "sart")
    assert [layer.name for layer in viewer.layers if layer.visible] == shown
    assert dock.footer.view_buttons["XY"].isChecked()
    np.testing.assert_allclose(viewer.dims.point, point)
    # What has a file is not written again.
    files = {file.name for file in path.parent.rglob("*")}
    dock.actions.save_session(path)
    qtbot.waitUntil(lambda: "Saved the session" in dock.footer.status.text(), timeout=120_000)
    assert {file.name for file in path.parent.rglob("*")} == files


def test_what_is_missing_or_changed_is_told_and_left_out(saved, qtbot, hands):
    _, dock, path = saved
    folder = path.with_name("yesterday_files")
    gone, changed = folder / "discs_WBP.mrc", folder / "discs_SART_second.mrc"
    gone.unlink()
    changed.write_bytes(changed.read_bytes() + b"more")
    reopen(dock, path, qtbot)
    hands.rest()
    said = dock.footer.status.text()
    assert f"{gone}: this file of the session is not there" in said
    assert f"{changed}: this file was changed" in said
    assert [list(run.volumes) for run in dock.workbench.runs.runs] == [["sart"], ["wbp"]]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "no session of this version"),
        (json.dumps({"format": "another"}), "format is 'another'"),
        (json.dumps({"series": 3}), "series is 3"),
    ],
)
def test_what_is_no_session_is_told(tmp_path, text, says):
    path = tmp_path / "odd.wedgefill.json"
    path.write_text(text)
    with pytest.raises(WedgefillError, match=says):
        read_session(path)
