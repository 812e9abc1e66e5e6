"""A background that rises: taken away where vacuum on both sides shows it, and nowhere else."""

from dataclasses import replace

import numpy as np
import pytest

from napari_wedgefill.disk_images import DiskImages
from napari_wedgefill.normalise import vacuum_level
from napari_wedgefill.pipeline.corrections import correct_intensities
from napari_wedgefill.pipeline.fill import fill
from napari_wedgefill.pipeline.options import FillOptions
from napari_wedgefill.pipeline.slope import find_slope
from napari_wedgefill.projector import ParallelBeam
from napari_wedgefill.tilt_series import TiltSeries

ANGLES_DEG = np.arange(-60, 61, 4.0)
WIDTH, HEIGHT, VACUUM, PEAK = 64, 16, 50.0, 28.0


def record(half_width=14.0, noise=0.3, tilts=1.0):
    """Record a bar of some half width, that may grow thicker along x and leave the field."""
    axis = np.arange(3 * WIDTH) - (3 * WIDTH - 1) / 2
    thick = np.clip(7.0 * (1.0 + (tilts - 1.0) * axis / WIDTH), 0, None)
    inside = (abs(axis[:, None]) < thick) & (abs(axis) < half_width)
    matter = np.repeat(inside[:, :, None], HEIGHT, axis=2).astype(np.float32)
    rows = ParallelBeam(ANGLES_DEG, 3 * WIDTH)(matter)[:, WIDTH : 2 * WIDTH].transpose(0, 2, 1)
    images = VACUUM + rows + np.random.default_rng(0).normal(0, noise, rows.shape)
    return TiltSeries.from_arrays(images.astype(np.float32), ANGLES_DEG)


def tilt(series, along_x=0.0, along_y=0.0):
    """Add planes that rise by so much from side to side."""
    x = np.linspace(-0.5, 0.5, WIDTH)
    y = np.linspace(-0.5, 0.5, HEIGHT)[:, None]
    planes = np.multiply.outer(np.broadcast_to(along_x, ANGLES_DEG.size), 0 * y + x)
    planes = planes + np.multiply.outer(np.broadcast_to(along_y, ANGLES_DEG.size), y + 0 * x)
    return replace(series, images=(series.images + planes).astype(np.float32))


@pytest.mark.parametrize("along_y", [0.0, 2.0])
@pytest.mark.parametrize(
    "along_x", [3.0, np.random.default_rng(1).uniform(-3, 3, ANGLES_DEG.size)], ids=["all", "each"]
)
def test_a_slope_is_taken_away(along_x, along_y):
    level = record()
    sloping = tilt(level, along_x, along_y)
    found = find_slope(sloping)
    assert found.is_corrected
    expected = np.broadcast_to(along_x, ANGLES_DEG.size) / (WIDTH - 1)
    np.testing.assert_allclose(found.rises[:, 1], expected, atol=0.25 / WIDTH)
    corrected = found.correct(sloping)
    assert np.abs(corrected.images - level.images).max() < 0.3
    assert vacuum_level(corrected) == pytest.approx(vacuum_level(level), abs=0.15)
    assert vacuum_level(sloping) != pytest.approx(vacuum_level(level), abs=0.3)
    assert not find_slope(corrected).is_corrected


def test_a_level_series_is_the_very_same():
    series = record()
    found = find_slope(series)
    assert not found.is_corrected
    assert found.correct(series) is series
    assert found.to_dict()["rise_per_column"] is not None  # measured, and next to nothing


@pytest.mark.parametrize("tilts", [1.0, 1.6], ids=["even", "wedge-shaped"])
@pytest.mark.parametrize("half_width", [90.0, 30.0], ids=["film", "up to the edges"])
def test_what_leaves_the_field_is_no_background(half_width, tilts):
    series = record(half_width, tilts=tilts)
    found = find_slope(series)
    assert not found.is_corrected
    assert found.to_dict()["rise_per_column"] is None


def test_gains_are_found_beneath_a_slope():
    gains = np.random.default_rng(5).uniform(0.7, 1.3, ANGLES_DEG.size)
    series = record()
    uneven = VACUUM + (series.images - VACUUM) * gains[:, None, None].astype(np.float32)
    corrected, found = correct_intensities(tilt(replace(series, images=uneven), 3.0))
    assert found.slope.is_corrected
    assert found.gain.is_corrected
    np.testing.assert_allclose(found.gain.factors, gains / np.median(gains), rtol=0.02)
    assert "plane was subtracted" in found.sentence
    assert "divided by its factor" in found.sentence
    assert correct_intensities(corrected)[0] is corrected


def test_a_fill_of_a_slope_is_that_of_a_level_series_and_says_so():
    options = FillOptions(methods=("sart",))
    level = record()
    expected = fill(level, options).volumes["sart"].data
    result = fill(tilt(level, 3.0), options)
    assert np.abs(result.volumes["sart"].data - expected).max() < 0.05 * expected.max()
    assert result.report["slope"]["corrected"]
    left = fill(tilt(level, 3.0), replace(options, gain=False)).volumes["sart"].data
    assert np.abs(left - expected).max() > 0.1 * expected.max()


def test_images_that_stay_in_their_file_are_levelled_as_they_are_read(tmp_path):
    series = tilt(record(), 3.0, 2.0)
    np.save(tmp_path / "images.npy", series.images)
    source = np.load(tmp_path / "images.npy", mmap_mode="r")
    on_disk = replace(series, images=DiskImages.of(source))
    expected, corrected = (find_slope(s).correct(s) for s in (series, on_disk))
    assert isinstance(corrected.images, DiskImages)
    for rows in ((0, HEIGHT), (3, 7)):
        np.testing.assert_array_equal(
            corrected.rows(*rows).mirrored().images[:], expected.rows(*rows).mirrored().images
        )
