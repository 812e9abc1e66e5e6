"""Images left in their file look like the array that they are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from napari_wedgefill.disk_images import DiskImages
from napari_wedgefill.errors import WedgefillError
from napari_wedgefill.io import read_tilt_series, tilt_reader
from napari_wedgefill.tilt_series import TiltSeries

ANGLES_DEG = np.array([0.0, 3.0, -3.0, 6.0, -6.0])


@pytest.fixture(params=["<i2", ">f4", "u1"])
def mapped(request, tmp_path):
    stack = np.random.default_rng(0).integers(0, 200, (5, 7, 6)).astype(request.param)
    (tmp_path / "stack.raw").write_bytes(stack.tobytes())
    return np.memmap(tmp_path / "stack.raw", request.param, "r", shape=stack.shape)


@pytest.mark.parametrize(
    "key",
    [
        2,
        -1,
        slice(None),
        (slice(None), slice(2, 5)),
        (slice(None, None, -2), slice(None, None, 3), 1),
        (np.array([4, 0]), slice(1, 3)),
        (np.array([True, False, True, False, False]),),
        (..., 0),
        (1, 2, 3),
        slice(5, 5),
        (),
    ],
)
def test_indexing_gives_what_the_array_would(mapped, key):
    part = DiskImages.of(mapped)[key]
    expected = np.asarray(mapped, np.float32)[key]
    assert part.dtype == np.float32
    np.testing.assert_array_equal(part, expected)


def test_selections_read_nothing_and_add_up(mapped):
    images = DiskImages.of(mapped)
    chosen = images.tilts(np.array([3, 1, 0])).rows(1, 6).rows(1, 4).tilts(slice(None, None, -1))
    array = np.asarray(mapped, np.float32)[[0, 1, 3], 2:5]
    assert chosen.shape == array.shape
    np.testing.assert_array_equal(np.asarray(chosen), array)
    np.testing.assert_array_equal(list(chosen), array)
    np.testing.assert_array_equal(chosen.sinograms(1, 3), array[:, 1:3].transpose(0, 2, 1))


def test_a_series_on_disk_is_the_series_in_memory(mapped):
    on_disk = TiltSeries.from_arrays(DiskImages.of(mapped), ANGLES_DEG)
    in_memory = TiltSeries.from_arrays(mapped, ANGLES_DEG)
    keep = np.array([0, 2, 3, 4])
    for change in (
        lambda s: s,
        lambda s: s.rows(2, 6),
        lambda s: s.tilts(keep),
        lambda s: s.binned(2),
        lambda s: s.negated(),
        lambda s: replace(s, images=s.array()),
    ):
        a, b = change(on_disk), change(in_memory)
        np.testing.assert_array_equal(np.asarray(a.images), b.images)
        np.testing.assert_array_equal(a.angles_deg, b.angles_deg)
        np.testing.assert_array_equal(a.file_order, b.file_order)
        np.testing.assert_array_equal(a.sinograms(0, 2), b.sinograms(0, 2))
        np.testing.assert_array_equal(a.sinograms(), b.sinograms())


@pytest.fixture
def everything_is_large(monkeypatch):
    monkeypatch.setattr(tilt_reader, "IN_MEMORY_BYTES", 0)


@pytest.mark.usefixtures("everything_is_large")
@pytest.mark.parametrize("axis", ["y", "x"])
def test_large_files_stay_on_disk_sorted_turned_and_mended(tmp_path, write_large, axis):
    stack = np.random.default_rng(0).normal(size=(5, 6, 8)).astype(np.float32)
    stack[1, 2, 3] = np.nan
    path = write_large(tmp_path / "a.mrc", stack, ANGLES_DEG)
    series = read_tilt_series(path, axis=axis)
    assert isinstance(series.images, DiskImages)
    stack[1, 2, 3] = np.nanmedian(stack[1])
    turned = stack if axis == "y" else np.rot90(stack, axes=(1, 2))
    np.testing.assert_array_equal(np.asarray(series.images), turned[np.argsort(ANGLES_DEG)])
    assert any("1 pixels were NaN" in warning for warning in series.warnings)


@pytest.mark.usefixtures("everything_is_large")
@pytest.mark.parametrize(("value", "words"), [(np.nan, "NaN"), (3.0, "same value")])
def test_large_images_without_signal_are_refused(tmp_path, write_large, value, words):
    path = write_large(tmp_path / "a.mrc", np.full((5, 6, 8), value, np.float32), ANGLES_DEG)
    with pytest.raises(WedgefillError, match=words):
        read_tilt_series(path)


@pytest.fixture
def write_large():
    import warnings

    import mrcfile

    def write(path, images, angles_deg):
        with warnings.catch_warnings(), mrcfile.new(path) as file:
            warnings.simplefilter("ignore", RuntimeWarning)
            file.set_data(images)
            file.set_image_stack()
        np.savetxt(path.with_suffix(".tlt"), angles_deg)
        return path

    return write


def test_mirrored_images_are_those_in_memory_mirrored(tmp_path):
    pixels = np.memmap(tmp_path / "pixels", np.int16, "w+", shape=(4, 5, 6))
    pixels[:] = np.arange(120).reshape(4, 5, 6)
    angles = np.array([-20.0, -5.0, 5.0, 20.0])
    there = TiltSeries.from_arrays(DiskImages.of(pixels), angles, axis_shift_px=1.5).mirrored()
    here = TiltSeries.from_arrays(np.array(pixels), angles, axis_shift_px=1.5).mirrored()
    np.testing.assert_array_equal(there.sinograms(1, 4), here.sinograms(1, 4))
    np.testing.assert_array_equal(here.images[0, 0], np.arange(6)[::-1])
    assert there.axis_shift_px == here.axis_shift_px == -1.5
