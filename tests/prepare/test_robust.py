"""Series that no alignment can help end in a plain sentence, not in a crash or an absurd shift."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from napari_wedgefill.errors import WedgefillError
from napari_wedgefill.io.doubtful_pixels import find_blank_images, note_blank_images
from napari_wedgefill.prepare import Aligned, align
from napari_wedgefill.prepare.bad_images import find_bad_images, find_saturated_tilts
from napari_wedgefill.prepare.spikes import replace_spikes
from napari_wedgefill.tilt_series import TiltSeries
from tests.prepare.simulated_needle import ANGLES_DEG, LEVEL, SCALE, jitter, needle


def aligned(images: NDArray[np.float32], angles_deg: NDArray[np.float64] = ANGLES_DEG) -> Aligned:
    note = tuple(note_blank_images(find_blank_images(images), angles_deg))
    return align(TiltSeries.from_arrays(images, angles_deg, name="trial", warnings=note))


@pytest.mark.parametrize("value", [0.0, LEVEL, 37.0])
def test_a_blank_image_is_useless_whatever_its_value(value: float) -> None:
    images = needle(jitter()).images.copy()
    images[4] = value
    bad = find_bad_images(images, ANGLES_DEG)
    assert [(each.tilt, each.is_useless) for each in bad] == [(4, True)]


def test_a_blank_image_is_left_out_and_named_and_a_hot_pixel_changes_nothing() -> None:
    offsets = jitter()
    images = needle(offsets).images[::3].copy()
    images[4] = LEVEL
    images[5, 10, 50] += 1000.0 * SCALE
    found = aligned(images, ANGLES_DEG[::3])
    assert found.series.n_tilts == len(images) - 1
    assert [bad.tilt for bad in found.report.left_out] == [4]
    assert "Image 4 at -10.0 degrees is blank" in found.report.sentence
    assert found.series.warnings == ()  # it is not among them any more
    wrong = -found.report.shifts_px[:, 0] - np.delete(offsets[::3, 0], 4)
    assert np.std(wrong) < 0.4
    assert np.ptp(found.series.images) < 2.0 * SCALE


def test_an_image_of_noise_is_left_out() -> None:
    images = needle(jitter(), noise=0.02).images.copy()
    images[7] = np.random.default_rng(0).normal(LEVEL, SCALE / 3, images[7].shape)
    bad = find_bad_images(images, ANGLES_DEG)
    assert [(each.tilt, each.is_useless) for each in bad] == [(7, True)]


def test_a_blurred_and_a_dim_image_are_proposed_but_not_useless() -> None:
    images = needle(jitter()).images - LEVEL
    images[5] = gaussian_filter(images[5], 6.0)
    images[12] *= 0.3
    bad = {each.tilt: each for each in find_bad_images(images, ANGLES_DEG)}
    assert "blurred" in bad[5].reason
    assert "30 % of its neighbours' intensity" in bad[12].reason
    assert set(bad) == {5, 12}
    assert not any(each.is_useless for each in bad.values())


def test_a_good_series_has_no_bad_image() -> None:
    assert find_bad_images(needle(jitter(), noise=0.1).images, ANGLES_DEG) == ()


def test_three_tilts_are_left_alone() -> None:
    report = aligned(needle(jitter()).images[[4, 14, 24]], ANGLES_DEG[[4, 14, 24]]).report
    assert not report.applied
    assert not report.shifts_px.any()
    assert report.axis_shift_px == 0.0
    assert "3 tilts fit any displacement" in report.sentence


@pytest.mark.parametrize("part", [np.s_[:, :, 30:31], np.s_[:, 30:31, :]])
def test_images_a_pixel_wide_are_left_alone(part: tuple[slice, ...]) -> None:
    report = aligned(needle(jitter()).images[part]).report
    assert not report.applied
    assert "too small to be compared" in report.sentence


def test_pure_noise_is_left_alone() -> None:
    """Moved by a third of its width, some noise disagrees a little less with itself."""
    noise = np.random.default_rng(0).normal(0.0, 1.0, (13, 32, 32))
    report = aligned(noise, np.linspace(-60.0, 60.0, 13)).report
    assert not report.applied
    assert "predict nothing of each other" in report.sentence
    assert not report.shifts_px.any()


@pytest.mark.parametrize("of", ["noise", "a specimen"])
def test_copies_of_one_image_are_refused(of: str) -> None:
    image = needle(jitter(), noise=0.05).images[3]
    if of == "noise":
        image = np.random.default_rng(0).normal(0.0, 1.0, image.shape).astype(np.float32)
    with pytest.raises(WedgefillError, match="all 29 images are the same"):
        aligned(np.repeat(image[None], len(ANGLES_DEG), axis=0))


def test_a_series_with_one_good_image_is_refused() -> None:
    images = needle(jitter()).images.copy()
    images[1:] = images[0, 0, 0]
    with pytest.raises(WedgefillError, match="only 1 of 29 images show a specimen"):
        aligned(images)


def test_spikes_are_counted_and_the_object_stays() -> None:
    images = needle(jitter(), noise=0.05).images
    spoiled = images.copy()
    rng = np.random.default_rng(1)
    places = rng.integers(2, 60, (6, 2))
    for tilt, (y, x) in enumerate(places):
        spoiled[tilt, y, x] += 40.0 * SCALE
    spoiled[:, 20, 31] -= 30.0 * SCALE  # a dead pixel
    spikes = replace_spikes(spoiled)
    changed = np.argwhere(spikes.images != spoiled)
    assert len(changed) == spikes.per_tilt.sum() == 6 + len(images)
    np.testing.assert_array_equal(spikes.everywhere, [[20, 31]])
    assert np.abs(spikes.images - images).max() < 0.6 * SCALE
    assert "1 place stood out in most images" in spikes.sentence


@pytest.mark.parametrize("rate", [0.05, 0.5, 3.0])
def test_sparse_counts_are_not_taken_for_spikes(rate: float) -> None:
    counts = np.random.default_rng(0).poisson(rate, (5, 128, 128)).astype(np.float32)
    assert replace_spikes(counts).per_tilt.sum() <= 1


def test_a_saturated_detector_is_seen() -> None:
    series = needle(jitter(), noise=0.02)
    assert find_saturated_tilts(series.images) == []
    clipped = np.minimum(series.images, np.float32(LEVEL + 0.4 * SCALE))
    assert len(find_saturated_tilts(clipped)) == series.n_tilts
    assert find_saturated_tilts(replace(series, images=series.images * 0 + 1).images) == []
