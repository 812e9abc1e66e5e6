import numpy as np
import pytest
from napari.layers import Image, Layer

from napari_wedgefill._napari.fill.inputs import FillInputs
from napari_wedgefill._napari.layer_entries import remember_angles, remember_pixel
from napari_wedgefill._napari.layers import LayerMap, bare_stack_layer, series_layer, volume_layer
from napari_wedgefill.errors import WedgefillError
from napari_wedgefill.tilt_series import TiltSeries
from napari_wedgefill.volume import Volume


@pytest.fixture
def layer(series) -> Image:
    return Layer.create(*series_layer(series))


def test_series_layer_carries_scale_units_and_axes(layer):
    np.testing.assert_allclose(layer.scale, (1, 2.5, 2.5))
    assert [str(unit) for unit in layer.units] == ["nanometer"] * 3
    assert layer.axis_labels == ("tilt", "y", "x")


def test_series_there_and_back(layer, series):
    seen = LayerMap.of(layer)
    back = seen.to_series(seen.angles_deg, seen.pixel_nm)
    assert seen.kind == "tilt series"
    assert back.images is layer.data or np.shares_memory(back.images, layer.data)
    np.testing.assert_array_equal(back.angles_deg, series.angles_deg)
    np.testing.assert_array_equal(back.file_order, series.file_order)
    assert (back.pixel_nm, back.name, back.sources) == (2.5, "discs", series.sources)


def test_unknown_pixel_size_stays_unknown(series):
    unknown = TiltSeries.from_arrays(series.images, series.angles_deg)
    layer = Layer.create(*series_layer(unknown))
    assert LayerMap.of(layer).pixel_nm is None
    assert [str(unit) for unit in layer.units] == ["pixel"] * 3


def test_edited_pixel_size_and_other_units_are_understood(layer):
    remember_pixel(layer, 4.0)
    assert LayerMap.of(layer).pixel_nm == 4.0
    layer.units, layer.scale = ("angstrom",) * 3, (1, 7, 7)
    assert LayerMap.of(layer).pixel_nm == pytest.approx(0.7)


def test_angles_of_a_file_follow_the_order_of_loading():
    file_angles = np.array([0.0, 3, -3, 6, -6])
    images = np.arange(5, dtype=np.float32)[:, None, None] * np.ones((1, 4, 4), np.float32)
    layer = Layer.create(*series_layer(TiltSeries.from_arrays(images, file_angles)))
    seen = LayerMap.of(layer)
    np.testing.assert_array_equal(seen.angles_from_file(file_angles + 1), seen.angles_deg + 1)
    # Turned the other way round, the series is sorted again and still knows its file's order.
    back = seen.to_series(seen.angles_from_file(-file_angles), None)
    np.testing.assert_array_equal(back.images[:, 0, 0], back.file_order)
    np.testing.assert_array_equal(back.angles_deg, np.sort(-file_angles))


def test_edited_angles_stay_with_the_layer(layer):
    angles = np.linspace(-50, 50, len(layer.data))
    remember_angles(layer, angles, "your entry")
    np.testing.assert_allclose(LayerMap.of(layer).angles_deg, angles)
    assert LayerMap.of(layer).angle_source == "your entry"


def test_layers_of_others_need_angles_but_nothing_else():
    plain = Image(np.random.default_rng(0).random((5, 4, 4)), name="stack")
    seen = LayerMap.of(plain)
    assert (seen.kind, seen.angles_deg, seen.pixel_nm) == ("", None, None)
    assert seen.to_series([-2, -1, 0, 1, 2], 1.5).pixel_nm == 1.5


def test_rows_of_others_layers_are_turned_over_and_it_is_said(series):
    """A picture that napari draws with row 0 on top gives the volume of its file, not a mirror."""
    plain = Image(series.images[:, ::-1], name="opened by another plugin")
    # Typed angles are kept with the layer and must not make it one of ours.
    remember_angles(plain, series.angles_deg.tolist(), "your entry")
    seen = LayerMap.of(plain)
    back = seen.to_series(series.angles_deg, 2.5)
    np.testing.assert_array_equal(back.images, series.images)
    assert any("its rows are turned over" in warning for warning in back.warnings)
    assert "its rows are turned over" in seen.provenance


def test_rows_of_our_layers_stay(series):
    for data in (series_layer(series), bare_stack_layer(series.images, "bare", 2.5)):
        layer = Layer.create(*data)
        remember_angles(layer, series.angles_deg.tolist(), "your entry")
        back = LayerMap.of(layer).to_series(series.angles_deg, 2.5)
        np.testing.assert_array_equal(back.images, series.images)
        assert not any("rows" in warning for warning in back.warnings)


def test_volume_there_and_back():
    data = np.random.default_rng(0).random((4, 3, 5), dtype=np.float32)
    volume = Volume(data, voxel_nm=(2.0, 2.5, 3.0), name="object", history=("made up",))
    layer = Layer.create(*volume_layer(volume, first_slice=2))
    np.testing.assert_allclose(layer.scale, volume.voxel_nm)
    np.testing.assert_allclose(layer.translate, (0, 5.0, 0))
    assert layer.axis_labels == ("z", "y", "x")
    back = LayerMap.of(layer).to_volume()
    np.testing.assert_array_equal(back.data, data)
    assert (back.voxel_nm, back.name) == (volume.voxel_nm, "object")
    assert (back.history, back.first_slice) == (("made up",), 2)


def test_planes_that_were_cut_out_lie_where_they_lay():
    data = np.random.default_rng(0).random((6, 3, 5), dtype=np.float32)
    thin = Volume(data, voxel_nm=(2.0, 2.5, 3.0)).crop_planes(2, 5)
    layer = Layer.create(*volume_layer(thin))
    np.testing.assert_allclose(layer.translate, (4.0, 0, 0))
    back = LayerMap.of(layer).to_volume()
    assert (back.first_plane, back.whole_depth) == (2, 6)
    whole = Layer.create(*volume_layer(Volume(data, voxel_nm=(2.0, 2.5, 3.0))))
    whole.translate = (4.0, 0, 0)  # moved by hand, and not cut
    assert LayerMap.of(whole).to_volume().first_plane == 0


def test_a_volume_is_refused_as_a_series():
    layer = Layer.create(*volume_layer(Volume(np.ones((5, 4, 4), np.float32), name="object")))
    with pytest.raises(WedgefillError, match="object: this layer is a volume"):
        LayerMap.of(layer).to_series(np.arange(5), None)


def test_an_axis_across_the_image_is_turned_upright(series):
    """A series whose axis lies along x, turned in the widget, is the series with its axis up."""
    lying = np.rot90(series.images, -1, axes=(1, 2))
    source = LayerMap.of(Layer.create(*bare_stack_layer(lying, "lying", None)))
    inputs = FillInputs(source, "-60:60:5", axis="x", axis_shift_px=1.5)
    turned = inputs.series()
    np.testing.assert_array_equal(turned.images, series.images)
    assert (turned.axis_deg, turned.axis_shift_px) == (90.0, 1.5)


def test_a_second_press_uses_the_same_series_until_something_changes(layer):
    def press(earlier, **changes):
        fields = {"angles": "-60:60:5", **changes}
        return FillInputs(LayerMap.of(layer), **fields).taking_over(earlier)

    first = press(None)
    series = first.series()
    assert press(first).series() is series
    assert press(first, methods=("wbp",)).series() is series
    for change in ({"axis": "x"}, {"axis_shift_px": 2.0}, {"pixel_nm": 9.0}):
        assert press(first, **change).series() is not series
    layer.data = layer.data.copy()
    layer.data[:] += 1
    assert press(first).series() is not series
