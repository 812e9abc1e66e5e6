"""The same pictures give the same volume, in whatever container they came.

The pictures are those of three unequal blobs, whose mirror image no rotation brings back.
"""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from mrcfile.dtypes import get_ext_header_dtype

from napari_wedgefill.io import (
    read_tilt_series,
    read_volume,
    write_tilt_series,
    write_volume,
)
from napari_wedgefill.projector import ParallelBeam
from napari_wedgefill.reconstruct import wbp
from napari_wedgefill.tilt_series import TiltSeries
from napari_wedgefill.volume import Volume

ANGLES = np.arange(-60.0, 61, 5)
#: (z, y, x, radius, density), measured from the centre; y upwards.
BLOBS = ((6, -9, -8, 3.0, 5.0), (-5, 2, 7, 4.0, 3.0), (7, 9, 2, 2.5, 4.0))
N, ROWS = 36, 30


def handed_object():
    """Density (z, y, x) with row 0 the lowest."""
    z, y, x = (np.arange(n) - (n - 1) / 2 for n in (N, ROWS, N))
    density = np.zeros((N, ROWS, N), np.float32)
    for bz, by, bx, radius, value in BLOBS:
        r2 = (z[:, None, None] - bz) ** 2 + (y[:, None] - by) ** 2 + (x - bx) ** 2
        density += value * np.exp(-r2 / radius**2).astype(np.float32)
    return density


@pytest.fixture(scope="module")
def pictures():
    """Projections as MRC files hold them: row 0 at the bottom of the picture."""
    solver = np.ascontiguousarray(handed_object().transpose(0, 2, 1))
    return ParallelBeam(ANGLES, N)(solver).transpose(0, 2, 1)


def reconstructed(series):
    beam = ParallelBeam(series.angles_deg, series.width)
    return wbp(beam, series.sinograms()).transpose(0, 2, 1)


def agreement(a, b):
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


@pytest.fixture(scope="module")
def volume(pictures):
    return reconstructed(TiltSeries.from_arrays(pictures, ANGLES))


def test_the_object_has_a_hand(volume):
    """Or else the other tests could not fail."""
    truth = handed_object()
    assert agreement(volume, truth) > 0.8
    for axis in range(3):
        assert agreement(np.flip(volume, axis), truth) < 0.3


def write_tiff(path, images):
    tifffile.imwrite(path, np.ascontiguousarray(images), photometric="minisblack")


def fei1(code=b"FEI1"):
    dtype = get_ext_header_dtype(code, "<")
    records = np.zeros(len(ANGLES), dtype)
    records["Metadata size"], records["Bitmask 1"] = dtype.itemsize, 1 << 7
    records["Alpha tilt"] = ANGLES
    version = 20140 if code == b"FEI1" else 20141
    return {"extended": records.tobytes(), "exttyp": code, "nversion": version}


@pytest.mark.parametrize("axis", [0, 90, -90, 180])
@pytest.mark.parametrize(
    "container", ["MRC", "TIFF", "FEI1", "FEI1 by IMOD", "FEI2", "mapr", "flipped", "one a file"]
)
def test_the_same_pictures_give_the_same_volume(
    pictures, volume, write_mrc, tmp_path, container, axis
):
    """The axis lies at `axis` degrees in the picture, so that the pictures are turned back."""
    seen = np.rot90(pictures, -axis // 90, axes=(1, 2))  # bottom row first
    top_first = seen[:, ::-1]
    settings = {"axis": axis}
    if container == "MRC":
        path = write_mrc(seen, angles=ANGLES)
    elif container == "TIFF":
        path = tmp_path / "x.tif"
        write_tiff(path, top_first)
        np.savetxt(tmp_path / "x.tlt", ANGLES)
    elif container == "FEI1":
        path = write_mrc(np.ascontiguousarray(top_first), **fei1())
    elif container == "FEI1 by IMOD":
        path = write_mrc(seen, imod_flags=0, **fei1())
    elif container == "FEI2":
        path = write_mrc(seen, **fei1(b"FEI2"))
    elif container == "mapr":
        path = write_mrc(np.ascontiguousarray(top_first), angles=ANGLES, mapr=-2)
    elif container == "flipped":
        path = write_mrc(np.ascontiguousarray(top_first), angles=ANGLES)
        settings["flip"] = True
    else:
        path = tmp_path / "raw"
        path.mkdir()
        for angle, image in zip(ANGLES, top_first, strict=True):
            write_tiff(path / f"t_{angle:+.1f}.tif", image)
    series = read_tilt_series(path, **settings)
    np.testing.assert_array_equal(series.angles_deg, ANGLES)
    assert agreement(reconstructed(series), volume) > 0.999


SERIES_SUFFIXES = (".mrc", ".tif", ".emd", ".zarr")


@pytest.mark.parametrize("suffix", SERIES_SUFFIXES)
def test_a_series_goes_there_and_back(pictures, tmp_path, suffix):
    if suffix in (".emd", ".zarr"):
        pytest.importorskip("h5py" if suffix == ".emd" else "zarr")
    series = TiltSeries.from_arrays(pictures, ANGLES, pixel_nm=0.5, axis_shift_px=1.25)
    back = read_tilt_series(write_tilt_series(tmp_path / f"x{suffix}", series))
    np.testing.assert_array_equal(np.asarray(back.images), series.images)
    np.testing.assert_allclose(back.angles_deg, ANGLES)
    assert back.axis_shift_px == pytest.approx(1.25)


@pytest.mark.parametrize("suffix", SERIES_SUFFIXES)
def test_a_volume_goes_there_and_back(tmp_path, suffix):
    if suffix in (".emd", ".zarr"):
        pytest.importorskip("h5py" if suffix == ".emd" else "zarr")
    volume = Volume(handed_object(), voxel_nm=(0.5, 0.5, 0.5))
    back = read_volume(write_volume(tmp_path / f"v{suffix}", volume))
    np.testing.assert_array_equal(np.asarray(back.data), volume.data)


def test_a_tiff_shows_the_same_picture_as_the_mrc(tmp_path):
    """The top row, which a TIFF holds first, is the last one in memory."""
    volume = Volume(handed_object())
    path = write_volume(tmp_path / "v.tif", volume)
    np.testing.assert_array_equal(tifffile.imread(path), volume.data[:, ::-1])
