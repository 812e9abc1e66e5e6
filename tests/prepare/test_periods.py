"""Images that fit each other as well a period further are told; others are not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_wedgefill.prepare import align
from napari_wedgefill.prepare.periods import find_second_fit, measure_period, tell_period
from napari_wedgefill.prepare.pose import Binned, Pose
from napari_wedgefill.tilt_series import TiltSeries

SIDE = 96
ANGLES_DEG = np.arange(-10.0, 11.0, 2.0)


def _lattice(spacing: int) -> np.ndarray:
    image = np.zeros((2 * SIDE, 2 * SIDE), np.float32)
    image[::spacing, ::spacing] = 1.0
    return gaussian_filter(image, 1.5) / 0.07


def _grains(seed: int) -> np.ndarray:
    noise = np.random.default_rng(seed).standard_normal((2 * SIDE, 2 * SIDE))
    return (gaussian_filter(noise, 2.0) / 0.14).astype(np.float32)


def _drift(picture: np.ndarray, noise: float = 0.0) -> np.ndarray:
    """A thin film that drifts under the field, all but untilted."""
    rng = np.random.default_rng(1)
    places = rng.integers(0, 12, (len(ANGLES_DEG), 2)) + SIDE // 2
    images = np.stack([picture[y : y + SIDE, x : x + SIDE] for y, x in places])
    return (images + noise * rng.standard_normal(images.shape)).astype(np.float32)


def _measure(images: np.ndarray) -> float | None:
    still = Pose(np.zeros((len(images), 2)))
    return measure_period(Binned.of(images, 1), still, ANGLES_DEG)


@pytest.mark.parametrize("noise", [0.0, 0.5])
def test_a_lattice_is_told_with_its_period(noise: float) -> None:
    images = _drift(_lattice(12), noise)
    assert _measure(images) == pytest.approx(12.0, abs=1.0)
    still = Pose(np.zeros((len(images), 2)))
    told = tell_period(Binned.of(images, 1), still, ANGLES_DEG)
    assert "px further" in told
    assert "whole periods" in told


@pytest.mark.parametrize("noise", [0.0, 0.5])
def test_grains_that_do_not_repeat_are_not(noise: float) -> None:
    assert _measure(_drift(_grains(0), noise)) is None


def test_noise_has_no_period() -> None:
    rng = np.random.default_rng(3)
    one, other = rng.standard_normal((2, SIDE, SIDE)).astype(np.float32)
    assert find_second_fit(one, other) is None


def test_the_alignment_says_so() -> None:
    images = _drift(_lattice(8))[:5, :32, :32]  # few and small: it is quick
    series = TiltSeries.from_arrays(images, ANGLES_DEG[:5], name="lattice")
    report = align(series).report
    assert "repeat itself" in report.shift_doubt
    assert report.shift_doubt in report.sentence
    assert report.to_dict()["shift_doubt"] == report.shift_doubt
