"""TIFF stacks with sidecar angles."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile

from napari_wedgefill.errors import WedgefillError
from napari_wedgefill.io import describe, kind_of, read_tilt_series, read_volume

ANGLES = [-60, -30, 0, 30, 60]


@pytest.fixture
def write_tiff(tmp_path):
    def write(data, angles=ANGLES, name="x.tif", **settings):
        path = tmp_path / name
        tifffile.imwrite(path, data, **settings)
        if angles is not None:
            np.savetxt(path.with_suffix(".tlt"), angles)
        return path

    return write


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "float32", ">u2", ">f4"])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_values_types_and_byte_orders(stack, write_tiff, dtype, compression):
    order = ">" if dtype[0] == ">" else "<"
    path = write_tiff(stack.astype(dtype), byteorder=order, compression=compression)
    images = read_tilt_series(path).images
    np.testing.assert_array_equal(images, stack[:, ::-1])  # row 0 is the bottom in memory
    assert images.dtype.isnative


def test_an_image_that_promises_pieces_which_the_file_does_not_list_is_refused(stack, write_tiff):
    """A damaged height of fifteen million rows took half a minute and a gigabyte."""
    path = write_tiff(stack, compression="zlib", rowsperstrip=2)
    with tifffile.TiffFile(path, mode="r+") as file:
        file.pages[0].tags["ImageLength"].overwrite(15_000_000)
    for read in (describe, read_tilt_series):
        with pytest.raises(WedgefillError, match="consists of 7,500,000 pieces, of which"):
            read(path)


def test_axis_along_x_is_turned_as_the_picture_shows_it(stack, write_tiff):
    """The axis is counted in the picture, whose top row a TIFF holds first."""
    series = read_tilt_series(write_tiff(stack), axis=90)
    np.testing.assert_array_equal(series.images, np.rot90(stack[:, ::-1], axes=(1, 2)))
    assert series.axis_deg == 90.0


@pytest.mark.parametrize(
    ("unit", "nm"),
    [
        ("nm", 1.0),
        ("micron", 1000.0),
        ("\\u00B5m", 1000.0),
        ("A", 0.1),
        ("\\u00C5", 0.1),
        ("nanometre", 1.0),
        ("Nanometers", 1.0),
        ("Angstroms", 0.1),
        ("\\u212B", 0.1),
    ],
)
def test_imagej_pixel_size(stack, write_tiff, unit, nm):
    path = write_tiff(
        stack, imagej=True, resolution=(4.0, 4.0), metadata={"unit": unit, "axes": "ZYX"}
    )
    series = read_tilt_series(path)
    assert series.pixel_nm == pytest.approx(nm / 4)
    assert series.sources["pixel_nm"] == "ImageJ resolution tag"


def test_ome_pixel_size(stack, write_tiff):
    path = write_tiff(
        stack, name="x.ome.tif", angles=None, ome=True,
        metadata={"axes": "ZYX", "PhysicalSizeX": 2.5, "PhysicalSizeXUnit": "nm",
                  "PhysicalSizeZ": 0.005, "PhysicalSizeZUnit": "µm"},
    )  # fmt: skip
    assert read_volume(path).voxel_nm == pytest.approx((5.0, 2.5, 2.5))


def test_plain_tiff_has_no_pixel_size_and_no_kind_without_angles(stack, write_tiff):
    path = write_tiff(stack, resolution=(300, 300), resolutionunit="INCH")
    assert read_tilt_series(path).pixel_nm is None
    path.with_suffix(".tlt").unlink()
    assert kind_of(path) == "image"
    assert describe(path)["shape"] == [5, 6, 8]
    with pytest.raises(WedgefillError, match="no tilt angles"):
        read_tilt_series(path)


def test_colours_are_refused(write_tiff):
    path = write_tiff(np.zeros((5, 6, 8, 3), np.uint8), photometric="rgb")
    with pytest.raises(WedgefillError, match="colour"):
        read_tilt_series(path)


def test_four_axes_are_refused(write_tiff):
    path = write_tiff(np.zeros((5, 2, 6, 8), np.uint8), imagej=True, metadata={"axes": "TCYX"})
    with pytest.raises(WedgefillError, match="axes TCYX"):
        read_tilt_series(path)


@pytest.mark.parametrize("compression", [None, "zlib"])
@pytest.mark.parametrize("keep", [0, 4, 0.6])
def test_damaged_files_are_refused(write_tiff, compression, keep):
    noise = np.random.default_rng(0).integers(0, 255, (5, 64, 64), np.uint8)
    path = write_tiff(noise, compression=compression)
    raw = path.read_bytes()
    path.write_bytes(raw[: int(keep * len(raw)) if keep < 1 else keep])
    with pytest.raises(WedgefillError, match=r"^x\.tif: "):
        read_tilt_series(path)
