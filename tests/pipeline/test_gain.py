"""One factor per tilt: found where it is, and nowhere else."""

from dataclasses import replace

import numpy as np
import pytest

from napari_wedgefill.pipeline.fill import fill
from napari_wedgefill.pipeline.gain import find_gain
from napari_wedgefill.pipeline.options import FillOptions
from napari_wedgefill.projector import ParallelBeam
from napari_wedgefill.tilt_series import TiltSeries
from napari_wedgefill.trust import self_check

ANGLES_DEG = np.arange(-60, 61, 4.0)
GAINS = np.random.default_rng(5).uniform(0.6, 1.3, ANGLES_DEG.size)


def record(gains=1.0, half_width=12.0, offset=0.0, noise=0.1, n=64, n_slices=24):
    """Record a bar of some half width that turns about its middle; 32 px leave the field."""
    axis = np.arange(3 * n) - (3 * n - 1) / 2
    inside = (abs(axis[:, None]) < 6) & (abs(axis[None, :]) < half_width)
    y = 1 + 0.2 * np.sin(np.arange(n_slices))
    matter = (inside[:, :, None] * y).astype(np.float32)
    rows = ParallelBeam(ANGLES_DEG, 3 * n)(matter)[:, n : 2 * n].transpose(0, 2, 1)
    images = rows + np.random.default_rng(0).normal(0, noise, rows.shape)
    images = images * np.broadcast_to(gains, ANGLES_DEG.size)[:, None, None] + offset
    return TiltSeries.from_arrays(images, ANGLES_DEG)


@pytest.mark.parametrize("offset", [0.0, -31000.0])
def test_gains_are_recovered_to_one_percent(offset):
    found = find_gain(record(GAINS, offset=offset))
    assert found.is_corrected
    np.testing.assert_allclose(found.factors, GAINS / np.median(GAINS), rtol=0.01)
    assert found.uncertainty < 0.01


def test_corrected_images_are_those_without_gain():
    even, uneven = record(), record(GAINS)
    corrected = find_gain(uneven).correct(uneven)
    expected = even.images * np.median(GAINS)
    np.testing.assert_allclose(corrected.images, expected, atol=0.02 * expected.max())
    assert not find_gain(corrected).is_corrected


def test_nothing_changes_to_the_byte_where_there_is_no_gain():
    series = record(n_slices=8)
    options = FillOptions(methods=("wbp", "sart"))
    plain = fill(series, replace(options, gain=False)).volumes
    checked = fill(series, options)
    told = checked.report["gain"]
    assert not told["corrected"]
    assert len(told["factors"]) == ANGLES_DEG.size  # measured, and about one
    for name, volume in checked.volumes.items():
        assert volume.data.tobytes() == plain[name].data.tobytes()


@pytest.mark.parametrize("gains", [1.0, GAINS])
def test_a_film_that_leaves_the_field_is_not_corrected(gains):
    found = find_gain(record(gains, half_width=90.0))
    assert not found.is_corrected
    assert "outside the field of view" in found.sentence
    # What was not measured is not one.
    assert found.to_dict()["factors"] is None
    assert found.to_dict()["uncertainty"] is None


def test_a_needle_that_moves_along_its_axis_has_no_gain():
    even = record(n_slices=48)
    taper = np.linspace(0.5, 1.5, 48)
    moved = np.random.default_rng(2).uniform(-8, 8, ANGLES_DEG.size)
    places = np.arange(48) - moved[:, None]
    shapes = np.stack([np.interp(place, np.arange(48), taper) for place in places])
    series = TiltSeries.from_arrays(even.images * shapes[:, :, None], ANGLES_DEG)
    found = find_gain(series)
    assert not found.is_corrected
    assert "displaced along the tilt axis" in found.sentence


def test_an_empty_field_has_no_gain():
    noise = np.random.default_rng(0).normal(5, 1, (ANGLES_DEG.size, 16, 48))
    assert not find_gain(TiltSeries.from_arrays(noise, ANGLES_DEG)).is_corrected
    noise[:] = 5.0
    noise[0, 0, 0] = 6.0
    assert not find_gain(TiltSeries.from_arrays(noise, ANGLES_DEG)).is_corrected


def test_noise_alone_makes_no_gain():
    found = find_gain(record(noise=3.0))
    assert not found.is_corrected


def test_a_fill_is_as_good_as_without_gain_and_the_report_says_what_was_done():
    options = FillOptions(methods=("sart",))
    even, uneven = record(n_slices=8), record(GAINS, n_slices=8)
    truth = fill(even, options).volumes["sart"].data * np.median(GAINS)
    result = fill(uneven, options)
    error = np.abs(result.volumes["sart"].data - truth).max() / truth.max()
    left = fill(uneven, replace(options, gain=False)).volumes["sart"].data
    assert error < 0.1
    assert np.abs(left - truth).max() / truth.max() > 3 * error
    told = result.report["gain"]
    assert told["corrected"]
    assert len(told["factors"]) == ANGLES_DEG.size
    assert "0.6" in told["sentence"] or "0.7" in told["sentence"]


def test_errors_at_withheld_tilts_are_free_of_gain():
    options = FillOptions(methods=("sart",))
    *_, even = self_check.iter_self_check(record(n_slices=8), options)
    *_, uneven = self_check.iter_self_check(record(GAINS, n_slices=8), options)
    assert uneven.outermost["sart"] == pytest.approx(even.outermost["sart"], rel=0.1)


def test_images_that_stay_in_their_file_are_corrected_as_they_are_read(tmp_path):
    from napari_wedgefill.disk_images import DiskImages

    series = record(GAINS)
    path = tmp_path / "images.npy"
    np.save(path, series.images)
    on_disk = replace(series, images=DiskImages.of(np.load(path, mmap_mode="r")))
    found = find_gain(on_disk)
    corrected = found.correct(on_disk)
    assert isinstance(corrected.images, DiskImages)
    np.testing.assert_allclose(
        corrected.tilts([3, 10, 20]).sinograms(2, 5),
        find_gain(series).correct(series).tilts([3, 10, 20]).sinograms(2, 5),
        rtol=1e-5,
        atol=1e-4,
    )
