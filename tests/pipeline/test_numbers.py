"""Odd numbers: refused in a sentence, told, or without effect on anything else."""

from __future__ import annotations

import warnings

import mrcfile
import numpy as np
import pytest

from napari_wedgefill import FillOptions, TiltSeries, fill
from napari_wedgefill.errors import WedgefillError
from napari_wedgefill.io import MrcSink, describe, write_tilt_series
from napari_wedgefill.pipeline.fill import iter_fill
from napari_wedgefill.pipeline.session import (
    HIT,
    bring_to_order_one,
    leave_out_hits,
    measure_calibration,
)
from napari_wedgefill.projector import ParallelBeam
from napari_wedgefill.tilt_series import find_doubts

ANGLES_DEG = np.arange(-60.0, 61.0, 5.0)


def project(width: int = 24, n_slices: int = 4) -> np.ndarray:
    z, x, _ = np.mgrid[:width, :width, :n_slices].astype(np.float32) - (width - 1) / 2
    density = (z / 7) ** 2 + (x / 10) ** 2 < 1
    images = ParallelBeam(ANGLES_DEG, width)(density.astype(np.float32)).transpose(0, 2, 1)
    noise = np.random.default_rng(0).normal(0, 0.02, images.shape)
    return (images + noise).astype(np.float32)


@pytest.mark.parametrize(
    ("numbers", "sentence"),
    [
        ({"axis_shift_px": np.nan}, "tilt axis lies nan pixels .* --axis-shift"),
        ({"axis_shift_px": np.inf}, "tilt axis lies inf pixels"),
        ({"axis_shift_px": 12.0}, "tilt axis lies 12 pixels .* outside the images of 24 columns"),
        ({"axis_deg": np.nan}, "tilt axis at nan degrees"),
        ({"pixel_nm": np.inf}, "pixel size of inf nm"),
        ({"pixel_nm": np.nan}, "pixel size of nan nm"),
        ({"pixel_nm": -1.0}, "pixel size of -1.0 nm"),
    ],
)
def test_numbers_that_no_series_has_are_refused(numbers, sentence):
    with pytest.raises(WedgefillError, match=sentence):
        TiltSeries.from_arrays(project(), ANGLES_DEG, **numbers)


def test_the_axis_may_lie_on_the_outermost_column():
    TiltSeries.from_arrays(project(), ANGLES_DEG, axis_shift_px=-11.5)


@pytest.mark.parametrize("odd", [np.nan, np.inf, 200.0])
def test_angles_that_are_none_are_refused(odd):
    with pytest.raises(WedgefillError, match="angle"):
        TiltSeries.from_arrays(project(), [*ANGLES_DEG[:-1], odd])


def test_angles_that_look_like_radians_are_told_once():
    series = TiltSeries.from_arrays(project(), np.deg2rad(ANGLES_DEG))
    (doubt,) = series.warnings
    assert "as if they were radians" in doubt
    assert series.rows(0, 2).negated().warnings == (doubt,)


@pytest.mark.parametrize("angles", [ANGLES_DEG, [-1.0, 0.0, 1.0], np.linspace(-1.5, 1.5, 11)])
def test_degrees_are_not_taken_for_radians(angles):
    assert not find_doubts(np.asarray(angles))


def test_info_says_what_fill_would(tmp_path):
    path = tmp_path / "a.mrc"
    write_tilt_series(path, TiltSeries.from_arrays(project(), ANGLES_DEG, pixel_nm=1.0))
    radians = tmp_path / "radians.tlt"
    radians.write_text("".join(f"{a:.5f}\n" for a in np.deg2rad(ANGLES_DEG)))
    assert any("radians" in text for text in describe(path, angles=radians)["warnings"])
    with mrcfile.open(path, "r+") as file:
        for k in range(10):
            if b"px from the centre" in file.header.label[k]:
                label = b"napari-wedgefill: tilt axis along y, at 99999999 px from the centre"
                file.header.label[k] = label.ljust(80)
    with pytest.raises(WedgefillError, match="outside the images"):
        describe(path)


@pytest.mark.parametrize("scale", [2.0**100, 2.0**-100])
def test_the_unit_of_the_images_changes_no_digit(scale):
    """Without rounding: a power of two; at 1e30 squares would overflow, at 1e-30 they vanish."""
    options = FillOptions(methods=("wbp", "sart", "tvm", "gan"), device="cpu", slices=(0, 1))
    images = project()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        usual = fill(TiltSeries.from_arrays(images, ANGLES_DEG), options).volumes
        scaled = fill(TiltSeries.from_arrays(images * np.float32(scale), ANGLES_DEG), options)
    for name, volume in scaled.volumes.items():
        np.testing.assert_array_equal(volume.data / np.float32(scale), usual[name].data)


@pytest.mark.parametrize("scale", [1e30, 1e-30])
def test_headers_hold_the_deviation_in_any_unit(tmp_path, scale):
    series = TiltSeries.from_arrays(project() * np.float32(scale), ANGLES_DEG, name="a")
    list(iter_fill(series, FillOptions(methods=("wbp",)), MrcSink(tmp_path)))
    with mrcfile.open(tmp_path / "a_wbp.mrc") as file:
        deviation = np.std(file.data.astype(np.float64))
        np.testing.assert_allclose(float(file.header.rms), deviation, rtol=1e-3)


@pytest.mark.parametrize("scale", [1e37, 1e-37])
def test_values_beyond_single_precision_are_refused(scale):
    with pytest.raises(WedgefillError, match="multiply the images by a constant"):
        TiltSeries.from_arrays(project() * np.float64(scale), ANGLES_DEG)


@pytest.mark.parametrize("brightness", [1e4, 3e8])
def test_a_hot_pixel_changes_nothing_in_slices_far_from_it(brightness):
    images = project(n_slices=8)
    clean = measure_calibration(TiltSeries.from_arrays(images, ANGLES_DEG))
    images[5, 0, 3] = brightness * images.max()
    hit = measure_calibration(TiltSeries.from_arrays(images, ANGLES_DEG))
    for name in ("offset", "scale"):
        usual, found = (getattr(c.normalisation, name) for c in (clean, hit))
        assert found == pytest.approx(usual, rel=1e-3, abs=1e-3)
    assert hit.scales.sinogram == pytest.approx(clean.scales.sinogram, rel=1e-3)
    assert hit.scales.noise == pytest.approx(clean.scales.noise, rel=1e-3)


def test_images_without_hits_are_left_alone():
    block = project().transpose(0, 2, 1)
    (kept,) = leave_out_hits([block], len(block))
    assert kept is block
    bead = np.zeros_like(block)
    bead[:, 12] = HIT * 10.0  # one pixel wide, in every tilt, on nothing
    assert leave_out_hits([bead], len(bead))[0] is bead


def test_bringing_to_order_one_is_exact():
    block = project().transpose(0, 2, 1) * np.float32(3e25)
    (small,), unit = bring_to_order_one([block])
    assert 0.5 < np.abs(small).max() < 2.1
    np.testing.assert_array_equal(small * np.float32(unit), block)
    assert bring_to_order_one([np.zeros_like(block)])[1] == 1.0


@pytest.mark.parametrize(("width", "n_slices"), [(3, 1), (3, 2), (8, 1)])
def test_the_smallest_series_fill(width, n_slices):
    options = FillOptions(methods=("wbp", "sart", "sirt", "tvm", "gan"), device="cpu")
    series = TiltSeries.from_arrays(project(width, n_slices), ANGLES_DEG)
    for volume in fill(series, options).volumes.values():
        assert volume.data.shape == (width, n_slices, width)
        assert np.isfinite(volume.data).all()
