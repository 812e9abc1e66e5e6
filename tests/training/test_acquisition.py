"""Simulated objects and their acquisitions obey physics."""

import numpy as np
import pytest

from napari_wedgefill.projector import ParallelBeam
from napari_wedgefill.training import frames, phantoms
from napari_wedgefill.training.acquisition import (
    Scheme,
    add_noise,
    draw_scheme,
    draw_smoothing,
    record,
    smooth,
)


@pytest.mark.parametrize("name", sorted(phantoms.FAMILIES))
def test_families_draw_finite_objects_and_repeat_for_a_seed(name):
    at = frames.grid(64, 3)
    drawn = [
        phantoms.draw(np.random.default_rng(5), at, {name: phantoms.FAMILIES[name]})
        for _ in range(2)
    ]
    assert drawn[0].shape == (64, 64, 3)
    assert np.isfinite(drawn[0]).all()
    assert drawn[0].min() >= 0
    np.testing.assert_array_equal(*drawn)


def test_a_recording_is_the_projection_of_the_averaged_object():
    axis = np.arange(64) - 31.5
    fine = np.exp(-((axis[:, None] - 5) ** 2 + (axis[None, :] + 8) ** 2) / 50)[:, :, None]
    fine = np.repeat(fine, 2, axis=2).astype(np.float32)
    scheme = Scheme(np.array([-50.0, 0.0, 30.0]), 0.0, np.zeros(3))
    rows = record(fine, 32, scheme)
    beam = ParallelBeam(scheme.angles_deg, 32)
    expected = beam(frames.average_pairs(fine))
    np.testing.assert_allclose(rows, expected, atol=0.02 * expected.max())


def test_smoothed_images_are_those_of_a_smoothed_object():
    """Smoothing along the detector at every tilt smooths a slice equally in all directions."""
    z, x, _ = frames.grid(64, 8)
    fine = np.float32((np.abs(z - 0.1) < 0.3) & (np.abs(x + 0.1) < 0.2))
    fine = np.repeat(fine, 8, axis=2)
    fine[..., 3:] = 0
    scheme = Scheme(np.array([-50.0, 0.0, 20.0]), 0.0, np.zeros(3))
    smoothed = smooth(frames.average_pairs(fine), 1.2, (0, 1, 2))
    expected = ParallelBeam(scheme.angles_deg, 32)(smoothed)
    rows = smooth(record(fine, 32, scheme), 1.2, (1, 2))
    np.testing.assert_allclose(rows, expected, atol=0.02 * expected.max())
    assert np.abs(record(fine, 32, scheme) - expected).max() > 0.1 * expected.max()


def test_some_objects_are_smoothed_and_others_not():
    drawn = [draw_smoothing(np.random.default_rng(seed), 0.4) for seed in range(200)]
    assert not draw_smoothing(np.random.default_rng(0), 0.0)
    assert 0.3 < np.count_nonzero(drawn) / 200 < 0.5
    assert max(drawn) <= 1.4


def test_poisson_noise_has_the_variance_of_its_dose():
    rows = np.full((40, 50, 4), 3.0, np.float32)
    noisy = add_noise(np.random.default_rng(0), rows, electrons=100, readout=0, background=0)
    assert noisy.mean() == pytest.approx(3, rel=0.01)
    assert noisy.std() == pytest.approx(0.3, rel=0.05)


def test_schemes_are_ascending_and_within_reach():
    for seed in range(50):
        angles = draw_scheme(np.random.default_rng(seed)).angles_deg
        assert np.all(np.diff(angles) >= 0)
        assert len(angles) >= 15
        assert np.abs(angles).max() <= 90
