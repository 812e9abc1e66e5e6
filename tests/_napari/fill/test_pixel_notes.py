"""What is odd about the pixels of a chosen layer is told, and blank images can be left out."""

import numpy as np
import pytest
from napari.components import ViewerModel
from napari.layers import Image, Layer
from napari.utils.notifications import notification_manager
from qtpy.QtCore import QEvent
from qtpy.QtWidgets import QApplication

from napari_wedgefill._napari.fill.dock import FillWedge
from napari_wedgefill._napari.layers import LayerMap, series_layer
from napari_wedgefill.tilt_series import TiltSeries


@pytest.fixture
def spoilt(series):
    """The two discs with two blank images and, in every other, one hot pixel."""
    images = series.images.copy()
    images[:, 3, 3] = 1e5
    images[[4, 9]] = 7.0
    return images


def choose(hands, viewer, dock, layer):
    """Choose a new layer; return what is told."""
    with notification_manager:
        dock.series.value = viewer.add_layer(layer)
        hands.rest()
        return [note.message for note in notification_manager.records]


def test_layers_that_others_made_get_the_notes_of_files(docked, spoilt, hands):
    viewer, dock = docked
    told = choose(hands, viewer, dock, Image(-spoilt, name="mine"))
    assert any("mine: Blank images, whose pixels all have the same value: 4, 9." in t for t in told)
    assert any("mine: Pixels over 100 times further" in t for t in told)
    spoilt[:, 3, 3] = 0
    told = choose(hands, viewer, dock, Image(np.delete(-spoilt, [4, 9], axis=0), name="dark"))
    assert any("dark: The specimen is darker than its surroundings" in t for t in told)
    assert "darker than its surroundings" in dock.series_fields.line.tooltip
    with notification_manager:
        n = len(notification_manager.records)
        dock.series.value = viewer.layers["mine"]
        hands.rest()
        assert len(notification_manager.records) == n  # once is enough
    dock.angles.value = "-60:60:5"
    warnings = dock.inputs().series().warnings
    assert any(note.startswith("Blank images") for note in warnings)


def test_images_of_noise_are_told_before_the_fill_and_left_out(docked, series, qtbot, hands):
    viewer, dock = docked
    notes, button = dock.pixel_notes, dock.pixel_notes.leave_out_button
    images = np.repeat(series.images, 3, axis=1)
    rng = np.random.default_rng(0)
    images[5] = images.mean() + images.std() * rng.standard_normal(images[5].shape)
    images[20] = 7.0
    made = series_layer(TiltSeries.from_arrays(images, series.angles_deg, name="spoilt"))
    with notification_manager:
        choose(hands, viewer, dock, Layer.create(*made))
        qtbot.waitUntil(lambda: bool(notes.useless), timeout=20_000)
        told = [note.message for note in notification_manager.records]
    which = "5 (-35.0 degrees) resembles neither neighbour: another place, or only noise"
    (said,) = [one for one in told if which in one]
    assert said.startswith("spoilt: Images that show nothing of the specimen: ")
    assert said.endswith("the button below the angles leaves them out, and so does Prepare.")
    assert which in dock.series_fields.line.tooltip
    assert dock.series_fields.line.value.endswith("; 1 note, see the tool tip")
    assert any(which in note for note in dock.inputs().series().warnings)  # reports hold them
    assert button.text == "Leave out 2 images that show nothing"
    button.native.click()
    hands.finish(dock)
    np.testing.assert_array_equal(dock.layer.data, np.delete(images, [5, 20], axis=0))
    assert LayerMap.of(dock.layer).warnings == ()
    assert not button.native.isVisibleTo(dock.native)


def test_a_dock_that_is_closed_before_it_has_looked_is_left_alone(series, qtbot, hands):
    viewer = ViewerModel()
    viewer.add_layer(Layer.create(*series_layer(series)))
    dock = FillWedge(viewer)
    dock.detach()
    QApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    with notification_manager:
        n = len(notification_manager.records)
        hands.rest()
        assert notification_manager.records[n:] == []


def test_blank_images_are_left_out_by_a_button(docked, series, spoilt, hands):
    viewer, dock = docked
    button = dock.pixel_notes.leave_out_button
    assert not button.native.isVisibleTo(dock.native)
    order = np.arange(len(spoilt))[::-1]  # angles descend
    angles = tuple(series.angles_deg[order])
    made = series_layer(TiltSeries.from_arrays(spoilt, series.angles_deg, name="spoilt"))
    made[1]["metadata"]["napari_wedgefill"]["angles_deg"] = angles
    choose(hands, viewer, dock, Layer.create(spoilt[order], *made[1:]))
    assert button.native.isVisibleTo(dock.native)
    assert button.text == "Leave out 2 blank images"
    button.native.click()
    hands.finish(dock)
    assert dock.layer.name == "spoilt 2 left out"
    np.testing.assert_array_equal(dock.layer.data, np.delete(spoilt, [4, 9], axis=0))
    np.testing.assert_array_equal(
        LayerMap.of(dock.layer).angles_deg, np.delete(series.angles_deg, [4, 9])
    )
    assert not any("lank" in note for note in LayerMap.of(dock.layer).warnings)
    assert not button.native.isVisibleTo(dock.native)
