"""The parts of the alignment, each against a fact it must know."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.ndimage import shift as spline_shift

from napari_wedgefill.prepare.background import estimate_background
from napari_wedgefill.prepare.correlation import (
    chain_neighbours,
    measure_offset,
    measure_offset_by_phase,
    taper,
)
from napari_wedgefill.prepare.pose import Binned, Pose
from napari_wedgefill.prepare.reprojection import iter_refine
from napari_wedgefill.prepare.steps import LAST_ROUNDS, LAST_SWEEPS, minimise_movement, prepare
from napari_wedgefill.projector import ParallelBeam
from tests.prepare.simulated_needle import ANGLES_DEG, needle


def texture(shape: tuple[int, ...], seed: int = 0, width_px: float = 2.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return gaussian_filter(rng.standard_normal(shape), width_px).astype(np.float32)


@pytest.mark.parametrize("true", [(0.3, -0.45), (4.6, -7.2)])
def test_a_known_displacement_is_measured_to_a_fiftieth_of_a_pixel(
    true: tuple[float, float],
) -> None:
    fixed = texture((64, 64))
    moving = 3.0 * spline_shift(fixed, true, mode="grid-wrap").astype(np.float32)
    found = measure_offset(moving, fixed, taper((64, 64)), 12.0)
    np.testing.assert_allclose(found, true, atol=0.02)


@pytest.mark.parametrize("true", [(0.3, -0.45), (4.6, -7.2)])
def test_phase_correlation_measures_it_under_uneven_light(true: tuple[float, float]) -> None:
    fixed = texture((64, 64))
    light = np.linspace(1.0, 3.0, 64, dtype=np.float32)
    moving = light * spline_shift(fixed, true, mode="grid-wrap").astype(np.float32)
    found = measure_offset_by_phase(moving, fixed, taper((64, 64)), 12.0)
    np.testing.assert_allclose(found, true, atol=0.12)


def test_phase_correlation_does_not_look_beyond_its_reach() -> None:
    fixed = texture((64, 64))
    moving = spline_shift(fixed, (0.0, 9.0), mode="grid-wrap").astype(np.float32)
    assert not measure_offset_by_phase(moving, fixed, taper((64, 64)), 6.0).any()


def test_the_background_of_noisy_images_with_an_offset_is_found() -> None:
    rng = np.random.default_rng(0)
    images = -32768.0 + 10.0 * rng.standard_normal((4, 64, 64))
    images[:, 20:44, 20:44] += 500.0
    images[2] += 30.0
    background = estimate_background(images.astype(np.float32))
    np.testing.assert_allclose(background.levels, [-32768, -32768, -32738, -32768], atol=1.5)
    assert background.is_empty_space
    assert background.contrast == 1


def test_a_film_that_fills_the_field_is_not_taken_for_empty_space() -> None:
    angles = np.deg2rad(np.arange(-60.0, 61.0, 10.0))
    rng = np.random.default_rng(0)
    film = 100.0 / np.cos(angles)[:, None, None] + rng.standard_normal((len(angles), 32, 32))
    film[:, 10:14, 10:14] += 100.0
    assert not estimate_background(film.astype(np.float32)).is_empty_space


def test_nothing_wraps_around_and_a_whole_pixel_move_is_exact() -> None:
    image = np.zeros((1, 32, 32), np.float32)
    image[0, 10, 28] = 7.0
    aligned = Binned.of(image, 1).align(Pose(np.array([[3.0, -6.0]])))
    assert np.abs(aligned).max() < 1e-3  # the content left the field, and did not come back
    aligned = Binned.of(image, 1).align(Pose(np.array([[3.0, 6.0]])))
    assert aligned[0, 7, 22] == pytest.approx(7.0, abs=1e-4)


def test_binning_keeps_the_centre_where_it_is() -> None:
    y, x = np.mgrid[:35, :35] - 17.0
    image = np.exp(-(y**2 + x**2) / 30.0, dtype=np.float32)[None]
    small = Binned.of(image, 2)
    centred = small.align(Pose(np.full((1, 2), 1e-9)))[0]
    np.testing.assert_allclose(centred, centred[::-1, ::-1], atol=2e-2)


def test_a_translation_of_the_object_is_not_called_a_displacement() -> None:
    angles = np.arange(-60.0, 61.0, 5.0)
    tilts = np.deg2rad(angles)
    offsets = np.stack([np.full(len(angles), 2.0), 4 * np.cos(tilts) - 9 * np.sin(tilts)], axis=1)
    pose = minimise_movement(
        Pose(offsets, axis_shift_px=1.5), Pose(np.zeros_like(offsets)), angles, width=64
    )
    np.testing.assert_allclose(pose.offsets_px, 0.0, atol=1e-6)
    assert pose.axis_shift_px == pytest.approx(1.5)


def test_the_least_movement_changes_nothing_but_where_the_object_lies() -> None:
    """Along a leaning axis nothing moves; across it, only by a path that a point could take."""
    rng = np.random.default_rng(0)
    angles = np.arange(-60.0, 61.0, 5.0)
    tilts = np.deg2rad(angles)
    start = Pose(np.zeros((len(angles), 2)), 1.0)
    pose = Pose(rng.uniform(-9.0, 9.0, (len(angles), 2)), -3.0, axis_deg=12.0)
    after = minimise_movement(pose, start, angles, width=64)
    moved = after.offsets_px - pose.offsets_px
    moved = moved + np.array([0.0, after.axis_shift_px - pose.axis_shift_px])
    along, across = (moved @ pose.rotation()).T
    assert np.ptp(along) < 1e-9
    path = np.stack([np.cos(tilts), np.sin(tilts)], axis=1)
    assert np.abs(across - path @ np.linalg.lstsq(path, across, rcond=None)[0]).max() < 1e-9


def test_the_chain_of_neighbours_follows_an_object_that_leaves_the_field() -> None:
    angles = np.arange(-45.0, 46.0, 5.0)
    film = np.zeros((96, 96, 48), np.float32)
    film[44:52] = np.maximum(texture((8, 96, 48), width_px=1.5) * 8.0, 0.0)
    images = ParallelBeam(angles, 96)(film).transpose(0, 2, 1)
    true = np.random.default_rng(3).uniform(-4.0, 4.0, (len(angles), 2))
    moved = [spline_shift(i, t, mode="nearest") for i, t in zip(images, true, strict=True)]
    cut = np.asarray(moved, np.float32)[:, :, 24:72]
    found = chain_neighbours(cut, angles, 12.0)
    wrong = found - true
    wrong -= wrong[len(angles) // 2]
    assert np.sqrt((wrong**2).mean()) < 1.0


def test_the_last_refinement_leaves_exact_images_where_they_are() -> None:
    n_tilts = len(ANGLES_DEG)
    images = needle(np.zeros((n_tilts, 2))).array()
    work = prepare(estimate_background(images).subtract_from(images), ANGLES_DEG)
    start = Pose(np.zeros((n_tilts, 2)))
    *_, pose = iter_refine(
        work.coarse, start, n_rounds=LAST_ROUNDS, reach_px=4.0, n_sweeps=LAST_SWEEPS
    )
    assert np.sqrt((pose.offsets_px**2).mean()) < 0.01
