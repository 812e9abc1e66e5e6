"""Elongation: the textbook's values, and what a wedge does to a ball."""

import numpy as np
import pytest

from napari_wedgefill.projector import ParallelBeam
from napari_wedgefill.reconstruct import iter_sirt, last
from napari_wedgefill.trust.shape import compute_expected_elongation, measure_elongation

N = 48


def ball(z=1.0):
    """A soft disc in every slice, (z, y, x), longer along z by a factor."""
    axis = np.arange(N) - (N - 1) / 2
    r = np.hypot(axis[:, None] / z, axis[None, :])
    return np.clip(9 - r, 0, 1).astype(np.float32)[:, None].repeat(3, axis=1)


def rebuilt(angles):
    beam = ParallelBeam(angles, N)
    sinogram = beam(np.ascontiguousarray(ball().transpose(0, 2, 1)))
    return last(iter_sirt(beam, sinogram, 60)).transpose(0, 2, 1)


@pytest.mark.parametrize(("half", "factor"), [(45, 2.12), (60, 1.55), (70, 1.31), (90, 1.0)])
def test_the_factor_of_the_tilt_range(half, factor):
    angles = np.linspace(-half, half, 181)
    assert compute_expected_elongation(angles) == pytest.approx(factor, abs=0.03)


def test_a_ball_is_round_and_an_ellipse_is_not():
    angles = np.arange(-60, 61, 5.0)
    assert measure_elongation(ball(), angles) == pytest.approx(1, abs=0.01)
    assert measure_elongation(ball(1.5), angles) == pytest.approx(1.5, abs=0.15)


def test_a_wedge_elongates_along_itself_wherever_it_lies():
    full, limited = np.arange(-90, 90, 5.0), np.arange(-50, 51, 5.0)
    assert measure_elongation(rebuilt(full), limited) == pytest.approx(1, abs=0.03)
    upright = measure_elongation(rebuilt(limited), limited)
    assert upright > 1.1
    assert measure_elongation(rebuilt(limited + 20), limited + 20) == pytest.approx(
        upright, abs=0.1
    )


def test_a_volume_without_contrast_has_no_shape():
    assert np.isnan(measure_elongation(np.ones((8, 2, 8), np.float32), np.arange(-60, 61, 5.0)))
