"""Images that fit each other as well a period further are told; others are not."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from napari_wedgefill.prepare import align, coarse
from napari_wedgefill.prepare.other_axis import OtherAxis
from napari_wedgefill.prepare.periods import Repeats, find_second_fit, measure_repeats
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


def _layers(spacing: int, lean_deg: float) -> np.ndarray:
    """Exact layers that lean by so much from the tilt axis towards x."""
    y, x = np.mgrid[: 2 * SIDE, : 2 * SIDE]
    lean = np.deg2rad(lean_deg)
    across = x * np.cos(lean) - y * np.sin(lean)
    return (np.sin(2 * np.pi * across / spacing) > 0).astype(np.float32)


def _measure(images: np.ndarray) -> Repeats:
    still = Pose(np.zeros((len(images), 2)))
    return measure_repeats(Binned.of(images, 1), still, ANGLES_DEG)


@pytest.mark.parametrize("noise", [0.0, 0.5])
def test_a_lattice_is_told_with_its_period(noise: float) -> None:
    images = _drift(_lattice(12), noise)
    found = _measure(images)
    assert found.period_px == pytest.approx(12.0, abs=1.0)
    assert found.along_deg is None
    assert "px further" in found.sentence
    assert "whole periods" in found.sentence


@pytest.mark.parametrize("noise", [0.0, 0.5])
@pytest.mark.parametrize(
    ("lean_deg", "said"),
    [(0.0, "along the tilt axis"), (90.0, "across the tilt axis"), (40.0, "40 degrees askew to")],
)
def test_layers_are_told_with_their_distance_and_direction(
    lean_deg: float, said: str, noise: float
) -> None:
    found = _measure(_drift(_layers(14, lean_deg), noise))
    assert found.period_px == pytest.approx(14.0, abs=0.7)
    assert found.along_deg is not None
    assert abs(np.sin(np.deg2rad(found.along_deg - lean_deg))) < np.sin(np.deg2rad(4.0))
    if lean_deg != 40.0 or not noise:
        assert f"hardly change {said}" in found.sentence
    assert "14 px further" in found.sentence


def test_one_edge_leaves_a_direction_in_which_shifts_are_anything() -> None:
    picture = gaussian_filter(np.tile(np.arange(2 * SIDE) > SIDE, (2 * SIDE, 1)) * 1.0, 1.0)
    found = _measure(_drift(picture, 0.2))
    assert found.period_px is None
    assert found.along_deg == pytest.approx(0.0, abs=4.0)
    assert "hardly change along the tilt axis" in found.sentence


@pytest.mark.parametrize("noise", [0.0, 0.5])
def test_grains_that_do_not_repeat_are_not(noise: float) -> None:
    assert _measure(_drift(_grains(0), noise)) == (None, None)


def test_noise_has_no_period() -> None:
    rng = np.random.default_rng(3)
    one, other = rng.standard_normal((2, SIDE, SIDE)).astype(np.float32)
    assert find_second_fit(one, other) == (None, None)


def test_the_alignment_says_so() -> None:
    images = _drift(_lattice(8))[:5, :32, :32]  # few and small: it is quick
    series = TiltSeries.from_arrays(images, ANGLES_DEG[:5], name="lattice")
    report = align(series).report
    assert "repeat itself" in report.shift_doubt
    assert report.shift_doubt in report.sentence
    assert report.to_dict()["shift_doubt"] == report.shift_doubt


@pytest.mark.parametrize(("picture", "is_told"), [(_layers(8, 90.0), False), (_grains(0), True)])
def test_layers_that_leave_the_field_cannot_say_that_the_axis_lies_across(
    picture: np.ndarray, is_told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Withheld tilts judge by shifts, and of layers no shift is better than the next."""
    monkeypatch.setattr(coarse, "iter_compare", lambda *_: iter([OtherAxis(0.9, 0.5)]))
    images = _drift(picture, 0.02)[:5, :32, :32]
    report = align(TiltSeries.from_arrays(images, ANGLES_DEG[:5], name="layers")).report
    assert not report.applied
    assert ("--axis x" in report.sentence) == is_told
    assert ("neither the shifts nor the direction" in report.sentence) != is_told
