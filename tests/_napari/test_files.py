"""File > Open and File > Save, through npe2 as napari calls them."""

from dataclasses import replace
from importlib import resources

import numpy as np
import pytest
from napari.layers import Layer
from napari.utils.notifications import notification_manager
from npe2 import PluginManifest, read, write
from qtpy.QtWidgets import QFileDialog, QMenu
from superqt.utils import GeneratorWorker

import napari_wedgefill
from napari_wedgefill._napari.files import (
    get_reader,
    open_needle,
    open_simulated_particle,
    read_layers,
    write_mrc,
)
from napari_wedgefill._napari.layers import TRUST, LayerMap, series_layer, volume_layer
from napari_wedgefill.errors import WedgefillError
from napari_wedgefill.io import read_volume, write_tilt_series, write_volume
from napari_wedgefill.trust.verdicts import TRUST_LABEL
from napari_wedgefill.volume import Volume


@pytest.fixture
def plugin(npe2pm):
    with resources.as_file(resources.files(napari_wedgefill) / "napari.yaml") as path:
        npe2pm.register(PluginManifest.from_file(path))
    return npe2pm


@pytest.fixture
def volume() -> Volume:
    data = np.random.default_rng(0).random((4, 6, 5), dtype=np.float32)
    return Volume(data, voxel_nm=(2.0, 2.5, 3.0), name="object", history=("wbp",))


def test_series_saved_by_napari_opens_as_it_was(plugin, series, tmp_path):
    layer = Layer.create(*series_layer(series))
    path = tmp_path / "discs.mrc"
    written = write(str(path), [layer.as_layer_data_tuple()], plugin_name="napari-wedgefill")
    assert written == [str(path)]
    (data, attributes, kind), *others = read([str(path)], stack=False)
    assert (kind, others) == ("image", [])
    back = LayerMap.of(Layer.create(data, attributes, kind))
    np.testing.assert_array_equal(back.data, series.images)
    np.testing.assert_allclose(back.angles_deg, series.angles_deg, atol=1e-3)
    assert back.pixel_nm == pytest.approx(2.5)
    assert back.angle_source


def test_volume_saved_by_napari_opens_with_its_voxels(plugin, volume, tmp_path):
    layer = Layer.create(*volume_layer(volume))
    path = tmp_path / "object.mrc"
    write(str(path), [layer.as_layer_data_tuple()], plugin_name="napari-wedgefill")
    back = Layer.create(*read([str(path)], stack=False)[0])
    np.testing.assert_array_equal(back.data, volume.data)
    np.testing.assert_allclose(back.scale, volume.voxel_nm)
    assert back.axis_labels == ("z", "y", "x")
    assert LayerMap.of(back).kind == "volume"


def test_a_trust_map_opens_as_one(volume, tmp_path):
    history = (f"{TRUST_LABEL} discs by gan, 4 views",)
    trust = replace(volume, history=history, name="discs_trust")
    path = write_volume(tmp_path / "discs_trust.mrc", trust)
    layer = Layer.create(*read_layers(str(path))[0])
    assert LayerMap.of(layer).kind == TRUST
    assert layer.name == "discs trust"
    assert layer.contrast_limits == [0.7, 1.0]


def test_viewer_opens_a_dropped_file(plugin, viewer, series, tmp_path):
    path = write_tilt_series(tmp_path / "discs.st", series)
    (layer,) = viewer.open(path, plugin="napari-wedgefill")
    assert layer.name == "discs"
    assert viewer.dims.axis_labels == ("tilt", "y", "x")


def test_stack_without_angles_opens_with_a_word_of_advice(series, tmp_path):
    path = write_tilt_series(tmp_path / "bare.st", series)
    path.with_suffix(".tlt").unlink()
    with notification_manager:
        (layer_data,) = read_layers(str(path))
        assert "no tilt angles were found" in notification_manager.records[-1].message
    layer = Layer.create(*layer_data)
    assert LayerMap.of(layer).angles_deg is None
    assert LayerMap.of(layer).pixel_nm == pytest.approx(2.5)


def test_plain_tiff_is_left_to_napari(tmp_path):
    import tifffile

    tifffile.imwrite(tmp_path / "photo.tif", np.zeros((8, 8), np.uint8))
    assert get_reader(str(tmp_path / "photo.tif")) is None


def test_broken_file_is_refused_in_one_sentence(tmp_path):
    path = tmp_path / "broken.mrc"
    path.write_bytes(b"not an image")
    with pytest.raises(WedgefillError, match=r"broken\.mrc"):
        get_reader(str(path))(str(path))


def test_series_without_angles_is_not_saved(series, tmp_path):
    with pytest.raises(WedgefillError, match="no tilt angles are known"):
        write_mrc(
            str(tmp_path / "a.mrc"),
            series.images,
            {"name": "a", "metadata": {"napari_wedgefill": {"kind": "tilt series"}}},
        )
    assert not list(tmp_path.iterdir())


def test_volume_file_is_not_taken_for_a_series(volume, tmp_path):
    path = write_volume(tmp_path / "object.rec", volume)
    ((_, attributes, _),) = read_layers(str(path))
    assert attributes["axis_labels"] == ("z", "y", "x")


def test_sample_needle():
    ((images, attributes, _),) = open_needle()
    seen = LayerMap(images, attributes)
    assert seen.kind == "tilt series"
    assert len(seen.angles_deg) == len(images)
    assert seen.pixel_nm is not None


def test_sample_particle_comes_with_its_truth():
    truth, simulated = (
        LayerMap(data, attributes) for data, attributes, _ in open_simulated_particle()
    )
    assert (truth.kind, simulated.kind) == ("volume", "tilt series")
    assert truth.data.shape[1:] == simulated.data.shape[1:]


def test_napari_opens_sample_and_widget_by_their_names(plugin, make_napari_viewer):
    viewer = make_napari_viewer()
    (needle,) = viewer.open_sample("napari-wedgefill", "needle")
    _, widget = viewer.window.add_plugin_dock_widget("napari-wedgefill", "Fill wedge")
    assert widget.series_panel.layer is needle
    assert widget.run_panel.fill_button.isEnabled()


def test_menus_offer_the_widget_and_the_export(plugin, make_napari_viewer):
    viewer = make_napari_viewer()
    layers_menu = viewer.window.layers_menu.findChild(QMenu, "napari/layers/transform")
    file_menu = viewer.window.file_menu.findChild(QMenu, "napari/file/io_utilities")
    titles = [a.text() for menu in (layers_menu, file_menu) for a in menu.actions()]
    assert any("Fill wedge" in title for title in titles)
    assert any("Export volumes as MRC" in title for title in titles)


def test_export_from_the_menu_asks_and_writes(plugin, viewer, volume, tmp_path, monkeypatch, qtbot):
    from napari._app_model import get_app_model

    viewer.add_layer(Layer.create(*volume_layer(volume)))
    path = tmp_path / "exported.mrc"
    monkeypatch.setattr(QFileDialog, "getSaveFileName", lambda *_: (str(path), ""))
    get_app_model().commands.execute_command("napari-wedgefill.export_volumes").result()
    qtbot.waitUntil(path.exists, timeout=5000)
    np.testing.assert_array_equal(read_volume(path).data, volume.data)
    GeneratorWorker.await_workers(5000)
