"""File > Open and File > Save, through npe2 as napari calls them."""

from dataclasses import replace
from importlib import resources

import numpy as np
import pytest
from magicgui.widgets import Dialog
from napari.layers import Layer
from napari.utils.notifications import notification_manager
from npe2 import PluginManifest, read, write
from qtpy.QtWidgets import QMenu
from superqt.utils import GeneratorWorker

import napari_wedgefill
from napari_wedgefill._napari.files import (
    get_reader,
    open_needle,
    open_simulated_particle,
    read_layers,
    write_image,
)
from napari_wedgefill._napari.layers import TRUST, LayerMap, series_layer, volume_layer
from napari_wedgefill.errors import WedgefillError
from napari_wedgefill.io import describe, read_volume, write_tilt_series, write_volume
from napari_wedgefill.trust.verdicts import TRUST_LABEL
from napari_wedgefill.volume import TiltRange, Volume


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
    import mrcfile

    path = tmp_path / "bare.st"
    with mrcfile.new(path) as file:
        file.set_data(series.images)
        file.set_image_stack()
        file.voxel_size = 25.0
    with notification_manager:
        (layer_data,) = read_layers(str(path))
        assert "no tilt angles were found" in notification_manager.records[-1].message
    layer = Layer.create(*layer_data)
    assert LayerMap.of(layer).angles_deg is None
    assert LayerMap.of(layer).pixel_nm == pytest.approx(2.5)


def test_plain_tiff_opens_as_an_image_and_colour_is_refused_in_words(tmp_path):
    """Whoever chooses this plugin for a TIFF gets an image or a reason, not a refusal of napari's.

    Row 0 of a TIFF is the picture's top, and in memory the bottom row comes first.
    """
    import tifffile

    picture = np.arange(64, dtype=np.uint8).reshape(8, 8)
    tifffile.imwrite(tmp_path / "photo.tif", picture)
    with notification_manager:
        ((data, attributes, kind),) = read_layers(str(tmp_path / "photo.tif"))
        assert "this is one image" in notification_manager.records[-1].message
    np.testing.assert_array_equal(data[0], picture[::-1])
    assert (attributes["name"], kind) == ("photo", "image")
    tifffile.imwrite(tmp_path / "rgb.tif", np.zeros((8, 8, 3), np.uint8), photometric="rgb")
    with pytest.raises(WedgefillError, match="colour"):
        read_layers(str(tmp_path / "rgb.tif"))


def test_a_dropped_folder_of_single_tilts_is_a_series(plugin, viewer, tmp_path):
    import mrcfile

    folder = tmp_path / "tilts"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for angle in (-30, 0, 30):
        with mrcfile.new(folder / f"tilt_{angle:+04d}.mrc") as file:
            file.set_data(rng.random((6, 8), dtype=np.float32))
    (layer,) = viewer.open(folder, plugin="napari-wedgefill")
    assert LayerMap.of(layer).angles_deg.tolist() == [-30, 0, 30]
    (tmp_path / "empty").mkdir()
    assert get_reader(str(tmp_path / "empty")) is None


@pytest.mark.parametrize("packer", ["gzip", "bz2"])
def test_compressed_series_open_with_their_angles(series, tmp_path, packer):
    import importlib

    ending = {"gzip": ".gz", "bz2": ".bz2"}[packer]
    path = write_tilt_series(tmp_path / "discs.preali", series)
    packed = tmp_path / f"discs.preali{ending}"
    packed.write_bytes(importlib.import_module(packer).compress(path.read_bytes()))
    path.unlink()
    ((data, attributes, _),) = read_layers(str(packed))
    np.testing.assert_array_equal(np.asarray(data), series.images)
    assert attributes["name"] == "discs"


def test_several_things_at_once_open_each_on_its_own(series, volume, tmp_path):
    paths = [write_tilt_series(tmp_path / "discs.st", series)]
    paths.append(write_volume(tmp_path / "object.rec", volume))
    kinds = [LayerMap(*layer[:2]).kind for layer in read_layers([str(path) for path in paths])]
    assert kinds == ["tilt series", "volume"]


def test_angles_dropped_with_their_series_are_used(series, tmp_path):
    path = write_tilt_series(tmp_path / "discs.st", series)
    other = tmp_path / "mine.tlt"
    np.savetxt(other, series.angles_deg / 2)
    ((_, attributes, _),) = read_layers([str(path), str(other)])
    back = LayerMap(None, attributes).angles_deg
    np.testing.assert_allclose(back, series.angles_deg / 2, atol=1e-3)
    with notification_manager:
        assert read_layers(str(other)) == [(None,)]
        assert "angles are read together" in notification_manager.records[-1].message


@pytest.mark.parametrize("suffix", [".mrc", ".tif", ".emd", ".zarr"])
def test_a_series_saved_in_any_format_keeps_angles_and_pixel_size(plugin, series, tmp_path, suffix):
    layer = Layer.create(*series_layer(series))
    path = tmp_path / f"saved{suffix}"
    write(str(path), [layer.as_layer_data_tuple()], plugin_name="napari-wedgefill")
    back = Layer.create(*read([str(path)], stack=False, plugin_name="napari-wedgefill")[0])
    np.testing.assert_array_equal(back.data, series.images)
    np.testing.assert_allclose(LayerMap.of(back).angles_deg, series.angles_deg, atol=5e-3)
    assert LayerMap.of(back).pixel_nm == pytest.approx(2.5)


def test_several_layers_are_saved_a_file_each_and_replace_nothing(plugin, series, volume, tmp_path):
    layers = [series_layer(series), volume_layer(volume, name="object GAN")]
    tuples = [Layer.create(*layer).as_layer_data_tuple() for layer in layers]
    written = write(str(tmp_path / "out.mrc"), tuples, plugin_name="napari-wedgefill")
    assert sorted(p.name for p in tmp_path.iterdir() if p.suffix == ".mrc") == [
        "out_discs.mrc",
        "out_object_GAN.mrc",
    ]
    assert len(written) == 2
    with pytest.raises(WedgefillError, match="there already"):
        write(str(tmp_path / "out.mrc"), tuples, plugin_name="napari-wedgefill")


def test_a_single_image_is_saved_as_a_stack_of_one(plugin, tmp_path):
    layer = Layer.create(np.eye(4, dtype=np.float32), {"name": "eye"}, "image")
    path = tmp_path / "eye.mrc"
    write(str(path), [layer.as_layer_data_tuple()], plugin_name="napari-wedgefill")
    np.testing.assert_array_equal(read_volume(path).data, np.eye(4)[None])


def test_slices_of_a_volume_lie_where_they_belong_and_know_their_tilts(volume, tmp_path):
    part = replace(volume, first_slice=100, tilt_range=TiltRange(-60.0, 60.0, 41))
    layer = Layer.create(*read_layers(str(write_volume(tmp_path / "part.mrc", part)))[0])
    np.testing.assert_allclose(layer.translate, (0, 100 * 2.5, 0))
    angles = LayerMap.of(layer).angles_deg
    assert (angles[0], angles[-1], len(angles)) == (-60, 60, 41)
    again = LayerMap.of(layer).to_volume()
    assert (again.first_slice, again.tilt_range) == (100, (-60, 60, 41))


def test_broken_file_is_refused_in_one_sentence(tmp_path):
    path = tmp_path / "broken.mrc"
    path.write_bytes(b"not an image")
    with pytest.raises(WedgefillError, match=r"broken\.mrc"):
        get_reader(str(path))(str(path))


def test_series_without_angles_is_not_saved(series, tmp_path):
    with pytest.raises(WedgefillError, match="no tilt angles are known"):
        write_image(
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
    assert widget.series.value is needle
    assert widget.footer.fill_button.isEnabled()


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

    def press_ok(dialog):
        dialog["folder"].value = tmp_path
        return True

    monkeypatch.setattr(Dialog, "exec", press_ok)
    get_app_model().commands.execute_command("napari-wedgefill.export_volumes").result()
    path = tmp_path / "object.mrc"
    qtbot.waitUntil(path.exists, timeout=5000)
    np.testing.assert_array_equal(read_volume(path).data, volume.data)
    GeneratorWorker.await_workers(5000)


def test_the_only_series_of_a_file_is_opened_as_everywhere_else(tmp_path, series):
    """One rule for the window and the commands; where it settles nothing, all are shown."""
    flat = np.ones((2, 6, 8), np.float32)
    arrays = {"images": np.asarray(series.images), "angles": series.angles_deg, "flat": flat}
    np.savez(tmp_path / "both.npz", **arrays)
    with notification_manager:
        ((data, _, _),) = read_layers(str(tmp_path / "both.npz"))
        told = [record.message for record in notification_manager.records]
    assert np.asarray(data).shape == series.images.shape
    assert any("only that one has tilt angles" in message for message in told)
    np.savez(tmp_path / "none.npz", one=flat, other=flat)
    with notification_manager:
        names = [attributes["name"] for _, attributes, _ in read_layers(str(tmp_path / "none.npz"))]
    assert names == ["none one", "none other"]


def test_two_folders_at_once_are_two_series(tmp_path):
    import mrcfile

    rng = np.random.default_rng(0)
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        for angle in (-30, 0, 30):
            with mrcfile.new(tmp_path / name / f"tilt_{angle:+04d}.mrc") as file:
                file.set_data(rng.random((6, 8), dtype=np.float32))
    layers = read_layers([str(tmp_path / "first"), str(tmp_path / "second")])
    assert [LayerMap(*layer[:2]).kind for layer in layers] == ["tilt series"] * 2


def test_angles_dropped_with_several_things_are_used_or_told(series, volume, tmp_path):
    paths = [write_tilt_series(tmp_path / "discs.st", series)]
    paths += [write_volume(tmp_path / "object.rec", volume), tmp_path / "mine.tlt"]
    np.savetxt(paths[-1], series.angles_deg / 2)
    with notification_manager:
        assert len(read_layers([str(path) for path in paths])) == 2
        told = [record.message for record in notification_manager.records]
    assert any("mine.tlt: it is not named like" in message for message in told)


def test_info_and_window_refuse_in_the_same_words(series, tmp_path):
    path = write_tilt_series(tmp_path / "discs.mrc", series)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(WedgefillError) as caught:
        read_layers(str(path))
    with pytest.raises(WedgefillError) as described:
        describe(path)
    assert str(caught.value) == str(described.value)
