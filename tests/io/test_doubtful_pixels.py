"""Notes on pixels: a series that can be filled, but had better be prepared first."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_wedgefill.io import describe, doubtful_pixels, read_tilt_series, tilt_reader
from napari_wedgefill.io.doubtful_pixels import DARK_SPECIMEN
from napari_wedgefill.prepare import CleanOptions, PrepareOptions, iter_prepare

ANGLES = np.linspace(-60.0, 60.0, 9)


@pytest.fixture
def needle() -> np.ndarray:
    """HAADF of a needle with an elliptic section, in vacuum, with a little noise."""
    rng = np.random.default_rng(1)
    turned = np.deg2rad(ANGLES)[:, None, None]
    half_width = np.hypot(10.0 * np.cos(turned), 6.0 * np.sin(turned))
    x = np.arange(64) - 31.5
    thickness = 60.0 / half_width * np.sqrt(np.clip(1.0 - (x / half_width) ** 2, 0.0, None))
    images = np.broadcast_to(thickness, (9, 32, 64)) + rng.normal(0.0, 0.1, (9, 32, 64))
    return images.astype(np.float32)


def make_film(rng: np.random.Generator) -> np.ndarray:
    """HAADF of a film that fills the field, with pores."""
    film = np.ones((32, 64))
    film[10:20, 25:40] = 0.2
    return film / np.cos(np.deg2rad(ANGLES))[:, None, None] + rng.normal(0, 0.01, (9, 32, 64))


@pytest.mark.parametrize("axis", ["y", "x"])
@pytest.mark.parametrize("kind", ["bright field", "inverted"])
def test_a_dark_specimen_is_told_by_info_and_by_fill(write_mrc, needle, kind, axis):
    dark = 5000.0 * np.exp(-needle / 6.0) if kind == "bright field" else -needle
    images = dark if axis == "y" else dark.transpose(0, 2, 1)
    path = write_mrc(np.ascontiguousarray(images, np.float32), angles=ANGLES)
    assert DARK_SPECIMEN in read_tilt_series(path, axis=axis).warnings
    assert DARK_SPECIMEN in describe(path, axis=axis)["warnings"]


def test_bright_specimens_films_counts_and_noise_are_not_called_dark(write_mrc, needle):
    rng = np.random.default_rng(2)
    counts = rng.poisson(np.clip(needle, 0.0, None) / 5.0)
    noise = rng.normal(size=needle.shape)
    for images in (needle, make_film(rng), counts, noise):
        path = write_mrc(np.asarray(images, np.float32), angles=ANGLES)
        assert DARK_SPECIMEN not in read_tilt_series(path, axis="y").warnings
        assert DARK_SPECIMEN not in describe(path, axis="y")["warnings"]


def test_the_note_goes_when_the_series_is_inverted(write_mrc, needle):
    series = read_tilt_series(write_mrc(-needle, angles=ANGLES), axis="y")
    options = PrepareOptions(clean=CleanOptions(invert=True), align=False)
    *_, prepared = iter_prepare(series, options)
    assert DARK_SPECIMEN not in prepared.series.warnings


def test_pixels_beyond_all_others_are_told_with_their_image_until_prepared(write_mrc, needle):
    needle[2, 5, 30], needle[6, 7, 8] = 1e5, -1e5
    series = read_tilt_series(write_mrc(needle, angles=ANGLES), axis="y")
    told = "lie in image 2 (-30.0 degrees), 6 (30.0 degrees); wedgefill prepare replaces them."
    assert told in " ".join(series.warnings)
    *_, prepared = iter_prepare(series, PrepareOptions(align=False))
    assert told not in " ".join(prepared.series.warnings)
    rng = np.random.default_rng(3)
    for images in (np.abs(needle) < 50, make_film(rng), rng.poisson(0.01, needle.shape)):
        path = write_mrc(np.asarray(images, np.float32), angles=ANGLES)
        assert "lie in image" not in " ".join(read_tilt_series(path).warnings)


def test_pixels_beyond_all_others_of_large_series_are_told_and_by_info(
    write_mrc, needle, monkeypatch
):
    """Of a few images: a hot pixel of the detector is in all of them."""
    monkeypatch.setattr(tilt_reader, "IN_MEMORY_BYTES", 0)
    monkeypatch.setattr(doubtful_pixels, "_SAMPLED_PIXELS", 5 * needle[0].size)
    needle[:, 5, 30] = 1e5
    needle[4] = 7.0  # blank
    path = write_mrc(needle[::-1], angles=ANGLES[::-1])
    told = (
        "lie in image 0 (-60.0 degrees), 2 (-30.0 degrees), 6 (30.0 degrees), 8 (60.0 degrees), of "
        "the 5 images that were looked at; wedgefill prepare replaces them."
    )
    assert told in " ".join(read_tilt_series(path, axis="y").warnings)
    assert told in " ".join(describe(path, axis="y")["warnings"])


@settings(max_examples=30)
@given(n_hot=st.integers(0, 12), times=st.floats(2, 1000), sign=st.sampled_from([-1, 1]))
def test_few_pixels_count_as_hot_from_a_hundred_times_on(n_hot, times, sign):
    image = np.random.default_rng(n_hot).uniform(-1, 1, (1, 60, 80))
    image[0, 20, 50 : 50 + n_hot] = sign * times
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(doubtful_pixels, "_ASKED_PIXELS", 500)  # as of a large image
        told = doubtful_pixels.find_hot_pixels(image, None)
    # Of those that are not hot, the furthest is 1 from the middle; of more than nine, it is one.
    if n_hot == 0 or n_hot > 9 or times < 99:
        assert told == []
    elif times > 102:
        assert told[0].startswith(f"{doubtful_pixels.HOT_PIXELS} 0; wedgefill prepare")


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_images_with_pixels_that_are_no_numbers_are_named(needle, value):
    assert doubtful_pixels.find_no_numbers(needle, ANGLES) == []
    assert doubtful_pixels.find_no_numbers(needle.astype(np.int16), ANGLES) == []
    needle[4, 2, 3] = value
    (told,) = doubtful_pixels.find_no_numbers(needle, ANGLES)
    assert told.startswith("Pixels that are NaN or infinite lie in image 4 (0.0 degrees)")
