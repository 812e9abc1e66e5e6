"""There and back in every format, and nothing of a user's replaced unasked."""

from __future__ import annotations

import io
import json
from dataclasses import replace

import mrcfile
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from napari_wedgefill.errors import WedgefillError
from napari_wedgefill.io import (
    MrcSink,
    kind_of,
    read_tilt_series,
    read_volume,
    write_tilt_series,
    write_volume,
)
from napari_wedgefill.io.mrc_writer import WRITTEN_MODES
from napari_wedgefill.tilt_series import TiltSeries
from napari_wedgefill.volume import TiltRange, Volume, VolumeOutline

h5py = pytest.importorskip("h5py")
zarr = pytest.importorskip("zarr")

SUFFIXES = (".mrc", ".tif", ".emd", ".zarr")
PAIRS = [(a, b) for a in SUFFIXES for b in SUFFIXES]
edges_nm = st.floats(0.01, 500.0)
values = st.floats(-(2.0**60), 2.0**60, width=32)
volumes = st.builds(
    Volume,
    npst.arrays(
        np.float32,
        npst.array_shapes(min_dims=3, max_dims=3, min_side=2, max_side=5),
        elements=values,
    ),
    voxel_nm=st.none() | st.tuples(edges_nm, edges_nm, edges_nm),
    first_slice=st.integers(0, 4000),
    tilt_range=st.none()
    | st.builds(TiltRange, st.just(-60.5), st.floats(10, 90).map(round), st.integers(3, 200)),
    history=st.just(("napari-wedgefill: gan of needle, 77 tilts, model small",)),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("there-and-back")


@pytest.mark.parametrize(("first", "second"), PAIRS)
@settings(max_examples=4)
@given(volume=volumes)
def test_volumes_there_and_back_through_two_formats(folder, first, second, volume):
    there = read_volume(write_volume(folder / f"a{first}", volume, overwrite=True))
    back = read_volume(write_volume(folder / f"b{second}", there, overwrite=True))
    np.testing.assert_array_equal(back.data, volume.data)
    wanted = volume.voxel_nm
    assert back.voxel_nm == (None if wanted is None else pytest.approx(wanted, rel=1e-4))
    assert (back.first_slice, back.tilt_range) == (volume.first_slice, volume.tilt_range)
    assert [line for line in back.history if "gan of" in line] == list(volume.history)


@pytest.mark.parametrize(("first", "second"), PAIRS)
@settings(max_examples=4)
@given(
    angles=st.lists(st.integers(-8900, 8900).map(lambda a: a / 100), min_size=3, max_size=6),
    pixel_nm=st.none() | edges_nm,
    shift=st.integers(-50, 50).map(lambda s: s / 100),
    size=st.tuples(st.integers(2, 5), st.integers(2, 5)),
)
def test_series_there_and_back_through_two_formats(
    tmp_path_factory, first, second, angles, pixel_nm, shift, size
):
    if np.ptp(angles) < 0.1:
        angles[0] += 1.0
    folder = tmp_path_factory.mktemp("series")
    images = np.random.default_rng(1).normal(size=(len(angles), *size)).astype(np.float32)
    series = TiltSeries.from_arrays(images, angles, pixel_nm=pixel_nm, axis_shift_px=shift)
    there = read_tilt_series(write_tilt_series(folder / f"a{first}", series))
    back = read_tilt_series(write_tilt_series(folder / f"b{second}", there))
    np.testing.assert_array_equal(back.images, series.images)
    np.testing.assert_allclose(back.angles_deg, series.angles_deg, atol=1e-4)
    assert back.pixel_nm == (None if pixel_nm is None else pytest.approx(pixel_nm, rel=1e-4))
    assert back.axis_shift_px == pytest.approx(shift, abs=1e-4)
    assert (back.axis_deg, kind_of(folder / f"b{second}")) == (0.0, "tilt series")


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_the_file_alone_holds_the_angles(tmp_path, stack, suffix):
    series = TiltSeries.from_arrays(stack, [-60.25, -30, 0, 30, 60])
    path = write_tilt_series(tmp_path / f"s{suffix}", series)
    for sidecar in tmp_path.glob("*.tlt"):
        sidecar.unlink()
    np.testing.assert_allclose(read_tilt_series(path).angles_deg, [-60.25, -30, 0, 30, 60])


@pytest.mark.parametrize("mode", sorted(WRITTEN_MODES))
@settings(max_examples=15)
@given(data=npst.arrays(np.float32, (2, 3, 4), elements=st.floats(-1e6, 1e6, width=32)))
def test_mrc_modes_give_values_back_as_closely_as_they_can(folder, mode, data):
    path = write_volume(folder / f"mode{mode}.mrc", Volume(data), mode=mode, overwrite=True)
    if mode != 12:  # mrcfile computes the statistics of half floats in half floats
        assert mrcfile.validate(path, print_file=io.StringIO())
    with mrcfile.open(path) as file:
        assert int(file.header.mode) == mode
    spread = float(np.ptp(data)) or float(np.abs(data).max())
    steps = {1: 65534, 2: 2**24, 6: 65535, 12: 1024}[mode]
    error = np.abs(read_volume(path).data.astype(np.float64) - data).max()
    assert error <= max(spread, np.abs(data).max() / 2**10) / steps * 1.01 + 1e-7


def test_whole_numbers_are_stored_as_they_are(tmp_path):
    data = np.arange(-12, 12, dtype=np.float32).reshape(2, 3, 4)
    path = write_volume(tmp_path / "v.mrc", Volume(data), mode=1)
    with mrcfile.open(path) as file:
        np.testing.assert_array_equal(file.data, data)
        assert not any(b"value =" in label for label in file.header.label)


def test_slices_lie_where_they_belong_for_other_programs(tmp_path):
    """IMOD and ChimeraX place a volume by the origin, others by the start."""
    data = np.random.default_rng(0).random((3, 16, 5), dtype=np.float32)
    path = write_volume(tmp_path / "v.mrc", Volume(data, (0.4, 0.4, 0.4), first_slice=100))
    with mrcfile.open(path) as file:
        assert file.nstart.tolist() == (0, 100, 0)
        assert file.header.origin.tolist() == pytest.approx((0, 400, 0))
        assert any("slices 100 to 116" in label for label in file.get_labels())
    thin = Volume(np.repeat(data, 3, axis=0), (0.4, 0.4, 0.4), first_slice=100).crop_planes(5, 8)
    with mrcfile.open(write_volume(tmp_path / "thin.mrc", thin)) as file:
        assert file.nstart.tolist() == (0, 100, 5)
        assert file.header.origin.tolist() == pytest.approx((0, 400, 20))
        assert any("planes 5 to 8 of 9" in label for label in file.get_labels())


def test_a_sink_writes_what_a_writer_does(tmp_path):
    data = np.random.default_rng(0).random((3, 4, 5), dtype=np.float32)
    fields = {"first_slice": 7, "whole_height": 30, "history": ("a",)}
    fields["tilt_range"] = TiltRange(-50.0, 50.0, 21)
    outline = VolumeOutline("v", data.shape, (1.0, 2.0, 3.0), **fields)
    sink = MrcSink(tmp_path)
    with sink.open_writer(outline) as stream:
        stream.write(0, data.transpose(0, 2, 1))
    whole = write_volume(tmp_path / "w.mrc", Volume(data, (1.0, 2.0, 3.0), **fields))
    one, other = (tmp_path / "v.mrc").read_bytes(), whole.read_bytes()
    assert one[:76] == other[:76]
    assert one[88:216] == other[88:216]
    assert one[220:] == other[220:]
    with pytest.raises(WedgefillError, match="there already"), sink.open_writer(outline):
        pass
    with MrcSink(tmp_path, overwrite=True).open_writer(outline) as stream:
        stream.write(0, data.transpose(0, 2, 1))
    assert (tmp_path / "v.mrc").read_bytes() == one


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_nothing_is_replaced_unless_asked_for(tmp_path, stack, suffix):
    path = tmp_path / f"v{suffix}"
    write_volume(path, Volume(stack))
    with pytest.raises(WedgefillError, match="there already"):
        write_volume(path, Volume(stack + 1))
    np.testing.assert_array_equal(read_volume(path).data, stack)
    write_volume(path, Volume(stack + 1), overwrite=True)
    np.testing.assert_array_equal(read_volume(path).data, stack + 1)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_angle_files_of_others_stay_as_they_are(tmp_path, stack):
    """A .tlt of the raw stack, or of etomo, is neither replaced nor outvoted by a new one."""
    series = TiltSeries.from_arrays(stack, [-60, -30, 0, 30, 60])
    raw = tmp_path / "TS.st"
    with mrcfile.new(raw) as file:
        file.set_data(stack)
    order = [0.0, 30.0, -30.0, 60.0, -60.0]
    (tmp_path / "TS.rawtlt").write_text("\n".join(map(str, order)))
    before = read_tilt_series(raw)
    write_tilt_series(tmp_path / "TS.ali", series)
    assert (tmp_path / "TS.ali.tlt").exists()
    after = read_tilt_series(raw)
    np.testing.assert_array_equal(before.images, after.images)
    assert after.sources["angles_deg"] == "TS.rawtlt"

    (tmp_path / "E.tlt").write_text("1\n2\n3\n4\n5\n")
    write_tilt_series(tmp_path / "E.mrc", series)
    assert (tmp_path / "E.tlt").read_text() == "1\n2\n3\n4\n5\n"
    assert read_tilt_series(tmp_path / "E.mrc").sources["angles_deg"] == "E.mrc.tlt"
    # And again, when the new one is its own.
    moved = replace(series, angles_deg=series.angles_deg + 1)
    write_tilt_series(tmp_path / "E.mrc", moved, overwrite=True)
    np.testing.assert_allclose(read_tilt_series(tmp_path / "E.mrc").angles_deg, moved.angles_deg)


def test_emd_is_laid_out_as_tomviz_wants_it(tmp_path, stack):
    series = TiltSeries.from_arrays(stack, [-60, -30, 0, 30, 60], pixel_nm=2.0)
    with h5py.File(write_tilt_series(tmp_path / "s.emd", series)) as file:
        group = file["data/tomography"]
        assert group["data"].shape == (5, 6, 8)
        assert (group["dim1"].attrs["name"], group["dim1"].attrs["units"]) == (b"angles", b"[deg]")
        np.testing.assert_allclose(group["dim1"], series.angles_deg)
        np.testing.assert_allclose(np.diff(group["dim3"]), 2.0)
    with h5py.File(write_volume(tmp_path / "v.emd", Volume(stack, (1.0, 2.0, 3.0)))) as file:
        group = file["data/tomography"]
        np.testing.assert_array_equal(group["data"], stack.transpose(2, 1, 0))
        assert [group[f"dim{i}"].attrs["name"] for i in (1, 2, 3)] == [b"x", b"y", b"z"]


def test_ome_zarr_is_a_pyramid_whose_levels_lie_on_each_other(tmp_path):
    data = np.random.default_rng(0).random((4, 500, 6), dtype=np.float32)
    data[:] = np.arange(500, dtype=np.float32)[:, None]
    path = write_volume(tmp_path / "v.zarr", Volume(data, (0.5, 0.5, 0.5)))
    fields = json.loads((path / ".zattrs").read_text())["multiscales"][0]
    assert [axis["name"] for axis in fields["axes"]] == ["z", "y", "x"]
    group = zarr.open_group(path, mode="r")
    assert [group[level["path"]].shape for level in fields["datasets"]] == [
        (4, 500, 6),
        (2, 250, 3),
    ]
    for level in fields["datasets"]:
        scale, translation = level["coordinateTransformations"]
        rows = np.asarray(group[level["path"]])[0, :, 0]
        place = translation["translation"][1] + scale["scale"][1] * np.arange(len(rows))
        # Row 0 is on top in Zarr, so the value falls with the place.
        np.testing.assert_allclose(rows, 499 - place / 0.5, atol=1e-3)


def test_tiff_for_imagej(tmp_path, stack):
    import tifffile

    volume = Volume(stack, (1.5, 0.5, 0.5))
    with tifffile.TiffFile(write_volume(tmp_path / "v.tif", volume)) as tiff:
        assert tiff.is_imagej
        assert tiff.series[0].axes == "ZYX"
        assert tiff.imagej_metadata["spacing"] == 1.5
        assert tiff.imagej_metadata["unit"] == "nm"
        np.testing.assert_array_equal(tiff.asarray(), stack[:, ::-1])


@pytest.mark.parametrize(
    ("name", "mode", "words"),
    [
        ("v.png", 2, "such as v.mrc"),
        ("v.dm3", 2, "such as v.mrc"),
        ("v.mrc", 0, "modes 1, 2, 6, 12"),
        ("v.tif", 1, "float32"),
        ("absent/v.zarr", 2, "make it first"),
    ],
)
def test_what_cannot_be_written_is_refused_before(tmp_path, stack, name, mode, words):
    with pytest.raises(WedgefillError, match=words):
        write_volume(tmp_path / name, Volume(stack), mode=mode)
    assert list(tmp_path.iterdir()) == []
