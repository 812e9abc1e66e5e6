"""What microscopes and archives really wrote."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from napari_wedgefill.errors import WedgefillError
from napari_wedgefill.io import (
    describe,
    find_angles,
    kind_of,
    read_angles,
    read_tilt_series,
    read_volume,
)
from napari_wedgefill.samples import needle_path


@pytest.fixture(scope="module")
def needle():
    return read_tilt_series(needle_path())


def raw_needle():
    pixels = np.fromfile(needle_path(), "<i2", offset=1024 + 131072)
    return pixels.reshape(77, 256, 256).astype(np.float32)


def test_needle_has_its_angles_pixel_size_and_axis(needle):
    np.testing.assert_array_equal(needle.angles_deg, np.arange(-76, 77, 2))
    assert needle.pixel_nm == pytest.approx(3.36)  # the header's cell says 0.1
    assert needle.axis_deg == -90.0  # the log says +90, and FEI counts clockwise
    assert dict(needle.sources) == {
        "angles_deg": "HAADF.rawtlt",
        "pixel_nm": "extended header (128-byte records)",
        "tilt_axis": "HAADF.txt",
    }
    assert needle.warnings == ()
    assert needle.name == "HAADF"


def test_needle_keeps_every_value_and_is_turned_not_mirrored(needle):
    raw = raw_needle()
    assert raw.min() < -30000  # signed offsets must survive
    for tilt in (0, 38, 76):
        np.testing.assert_array_equal(needle.images[tilt], np.rot90(raw[tilt], -1))
    assert needle.images.dtype == np.float32
    assert needle.images.dtype.isnative
    assert needle.images.flags.c_contiguous


def test_needle_stands_upright(needle):
    """The shaft leaves the images through one end: the tilt axis is along y."""
    middle = needle.images[38] - needle.images[38].min()
    assert middle[0].sum() > 20 * max(middle[:, 0].sum(), middle[:, -1].sum(), middle[-1].sum())


def test_needle_without_its_sidecars(tmp_path):
    """Angles and pixel size come from the records; of the axis the records say 0: nothing."""
    path = shutil.copy(needle_path(), tmp_path)
    series = read_tilt_series(path)
    np.testing.assert_array_equal(series.angles_deg, np.arange(-76, 77, 2))
    assert series.pixel_nm == pytest.approx(3.36)
    assert series.sources["angles_deg"] == "extended header (128-byte records)"
    assert series.axis_deg == 0.0
    assert "taken to be along image y" in " ".join(series.warnings)
    np.testing.assert_array_equal(
        read_tilt_series(path, axis="x").images[5], np.rot90(raw_needle()[5])
    )


def test_serialem_folder_of_one_file_per_tilt(data_dir):
    folder = data_dir / "nist_serialem"
    series = read_tilt_series(folder)
    np.testing.assert_allclose(series.angles_deg, [-5.00151, -0.000488, 5.00054])
    assert series.file_order.tolist() == [2, 0, 1]
    assert series.pixel_nm == pytest.approx(0.788)
    assert series.axis_deg == -90.0
    assert series.name == "test"
    assert "mean of 2 frames" in series.warnings[0]
    raw = np.fromfile(folder / "test_002.mrc", "<i2", offset=1024 + 5120).reshape(2, 32, 32)
    np.testing.assert_allclose(series.images[0], np.rot90(raw.mean(axis=0), -1))
    assert describe(folder)["angles_deg"] == series.angles_deg.tolist()


def test_serialem_list_without_mdocs_uses_the_extended_header(data_dir, tmp_path):
    files = [shutil.copy(file, tmp_path) for file in (data_dir / "nist_serialem").glob("*.mrc")]
    series = read_tilt_series(files)
    np.testing.assert_array_equal(series.angles_deg, [-5.0, 0.0, 5.0])
    assert "SerialEM extended header" in series.sources["angles_deg"]


def test_one_tilt_of_a_series_is_no_series(data_dir):
    path = data_dir / "nist_serialem" / "test_001.mrc"
    with pytest.raises(
        WedgefillError, match=r"2 images all have the angle 5\.00 degrees; .*folder"
    ):
        read_tilt_series(path)
    assert kind_of(path) == "image"


@pytest.mark.parametrize(
    ("name", "angle_deg", "pixel_nm"),
    [("fei1", 0.004274353952111746, 0.08537755), ("fei2", -0.011856155199630836, 0.06665514)],
)
def test_fei_extended_headers_in_gzip(data_dir, name, angle_deg, pixel_nm):
    path = data_dir / "fei_headers" / f"{name}.mrc.gz"
    found = describe(path)
    assert (found["kind"], found["shape"], found["dtype"]) == ("image", [1, 32, 32], "uint16")
    assert found["angles_deg"] == [angle_deg]
    assert found["pixel_nm"] == pytest.approx(pixel_nm)
    assert find_angles(path)[1] == f"{name.upper()} extended header"
    with pytest.raises(WedgefillError, match="one image, not a tilt series"):
        read_tilt_series(path)


def test_volume_whose_axes_are_permuted(data_dir):
    """EMD-3001 stores (y, x, z): columns are z; its voxels are unequal; space group 4."""
    path = data_dir / "volumes" / "EMD-3001.map"
    volume = read_volume(path)
    raw = np.fromfile(path, "<f4", offset=1024 + 160).reshape(25, 43, 73)
    np.testing.assert_array_equal(volume.data, raw.transpose(2, 0, 1))
    assert volume.voxel_nm == pytest.approx((3.303 / 72, 0.471 / 12, 1.793 / 40))


def test_cubic_volume(data_dir):
    volume = read_volume(data_dir / "volumes" / "EMD-3197.map")
    assert volume.data.shape == (20, 20, 20)
    assert volume.voxel_nm == pytest.approx((1.14, 1.14, 1.14))


def test_imagej_volume(data_dir):
    volume = read_volume(data_dir / "volumes" / "13pf_MT.tif")
    assert volume.data.shape == (36, 24, 20)
    assert volume.voxel_nm == pytest.approx((1.052, 1.052, 1.052))


@pytest.mark.parametrize("name", ["EMD-3001.map", "EMD-3197.map", "13pf_MT.tif"])
def test_volumes_are_recognised_and_refused(data_dir, name):
    path = data_dir / "volumes" / name
    assert kind_of(path) == "volume"
    assert describe(path)["kind"] == "volume"
    with pytest.raises(WedgefillError, match="looks like a volume"):
        read_tilt_series(path)


def test_dose_symmetric_mdoc(data_dir):
    angles = read_angles(data_dir / "mdocs" / "tilt_series.mdoc")
    assert len(angles) == 41
    np.testing.assert_allclose(angles[:5], [0, 3, -3, -6, 6], atol=0.01)


def test_dose_symmetric_series_is_sorted_and_its_axis_turned_upright(
    data_dir, write_mrc, rng_stack
):
    path = write_mrc(rng_stack, "TS_01.mrc", pixel_a=5.4)
    shutil.copy(data_dir / "mdocs" / "tilt_series.mdoc", path.with_suffix(".mrc.mdoc"))
    series = read_tilt_series(path)
    assert series.file_order[:3].tolist() == [39, 38, 35]
    assert np.all(np.diff(series.angles_deg) > 0)
    assert series.axis_deg == pytest.approx(85.3)
    assert "interpolated" in " ".join(series.warnings)
    assert series.images.shape == (41, 16, 12)
    assert series.sources["tilt_axis"] == "TS_01.mrc.mdoc, title"


@pytest.fixture
def rng_stack():
    return np.random.default_rng(0).normal(size=(41, 12, 16)).astype(np.float32)


@pytest.mark.parametrize(
    ("name", "found"),
    [("frame_set_single", "one movie"), ("frame_set_multiple", "one movie"),
     ("montage_section", "montage")],
)  # fmt: skip
def test_mdocs_of_other_things_are_refused(data_dir, name, found):
    with pytest.raises(WedgefillError, match=rf"{name}\.mdoc: this mdoc describes .*{found}"):
        read_angles(data_dir / "mdocs" / f"{name}.mdoc")


def test_small_real_sidecars(data_dir):
    mdoc = read_angles(data_dir / "mdocs" / "cylindra_dummy.mrc.mdoc")
    assert mdoc.tolist() == [-59.99, 0.01, 59.99]
    tilts = read_angles(data_dir / "mdocs" / "cylindra_position_1.rawtlt")
    assert tilts.tolist() == [-59.9, -30.1, 0.0, 30.0, 60.1]
