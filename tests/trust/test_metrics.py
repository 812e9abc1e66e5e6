"""Figures of merit: known values, and what they must not depend on."""

import numpy as np
import pytest

from napari_wedgefill.projector import ParallelBeam
from napari_wedgefill.reconstruct import wbp
from napari_wedgefill.trust import (
    dice,
    elongation,
    fit_intensities,
    otsu_threshold,
    psnr,
    ssim,
    wedge_correlation,
)
from napari_wedgefill.trust.metrics import wedge_mask


@pytest.fixture
def truth():
    axis = np.arange(48) - 23.5
    disc = 1.0 * (np.hypot(axis[:, None] - 4, axis[None, :] + 3) < 11)
    return np.repeat(disc[:, :, None], 3, axis=2).astype(np.float32)


def test_scale_and_offset_do_not_count(truth):
    noisy = truth + np.random.default_rng(0).normal(0, 0.1, truth.shape).astype(np.float32)
    for figure in (psnr, ssim):
        assert figure(5 * noisy - 3, truth) == pytest.approx(figure(noisy, truth), abs=1e-3)
    np.testing.assert_allclose(fit_intensities(5 * truth - 3, truth), truth, atol=1e-5)


def test_psnr_of_known_noise(truth):
    noisy = truth + np.random.default_rng(0).normal(0, 0.1, truth.shape).astype(np.float32)
    assert psnr(noisy, truth) == pytest.approx(20, abs=0.4)


def test_ssim_is_one_for_equality_and_falls_with_noise(truth):
    rng = np.random.default_rng(0)
    values = [
        ssim(truth + rng.normal(0, s, truth.shape).astype("f4"), truth) for s in (0, 0.1, 0.5)
    ]
    assert values[0] == pytest.approx(1)
    assert values[0] > values[1] > values[2]


def test_the_wedge_is_where_no_tilt_looked():
    angles = np.arange(-60, 61, 2.0)
    mask = wedge_mask(64, angles)
    assert mask[20, 0]  # the beam direction at 0 degrees is never measured
    assert not mask[0, 20]
    full = np.pi * 32**2
    assert mask.sum() / full == pytest.approx(60 / 180, abs=0.04)
    assert wedge_mask(64, np.arange(0, 180, 1.0)).sum() == 0


def test_wbp_knows_nothing_of_the_wedge(truth):
    angles = np.arange(-60, 61, 2.0)
    beam = ParallelBeam(angles, 48)
    assert wedge_correlation(truth, truth, angles) == pytest.approx(1)
    assert wedge_correlation(wbp(beam, beam(truth)), truth, angles) < 0.5


def test_otsu_parts_two_populations_between_them():
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(1, 0.1, 3000), rng.normal(2, 0.1, 1000)]).astype("f4")
    assert otsu_threshold(values) == pytest.approx(1.5, abs=0.15)
    assert otsu_threshold(10 * values) == pytest.approx(10 * otsu_threshold(values), rel=1e-3)
    assert otsu_threshold(np.array([0, 0, 0, 4], "f4")) == pytest.approx(2, abs=0.1)
    assert otsu_threshold(np.full((2, 2), 7, "f4")) == 7


def test_dice_counts_what_two_masks_share():
    a, b = np.arange(10) < 6, np.arange(10) >= 4
    assert dice(a, a) == 1
    assert dice(a, ~a) == 0
    assert dice(a, b) == pytest.approx(2 * 2 / 12)


def _ball(stretch_z: float = 1.0):
    axis = np.arange(64, dtype=np.float32)
    z, x = (axis[:, None, None] - 30.4) / stretch_z, axis[None, :, None] - 33.2
    distance = np.sqrt(z**2 + x**2 + (np.arange(3) - 1.0) ** 2)
    return np.clip(8.5 - distance, 0, 1).astype(np.float32)


def test_elongation_is_one_for_a_ball_and_the_stretch_of_an_ellipsoid():
    centre = (30.4, 33.2, 1.0)
    assert elongation(_ball(), centre, 8) == pytest.approx(1, abs=0.02)
    assert elongation(3 * _ball(1.3) + 5, centre, 8) == pytest.approx(1.3, abs=0.03)
    assert np.isnan(elongation(-_ball(), centre, 8))
    assert np.isnan(elongation(np.zeros((64, 64, 3), "f4"), centre, 8))


def test_a_missing_wedge_elongates_a_ball_along_the_beam():
    """Radermacher (1988) predicts 1.55 for tilts up to 60 degrees, of a point."""
    centre = (30.4, 33.2, 1.0)
    found = {}
    for limit in (60, 89):
        beam = ParallelBeam(np.arange(-limit, limit + 1, 2.0), 64)
        found[limit] = elongation(wbp(beam, beam(_ball())), centre, 8)
    assert found[60] > 1.15
    assert found[89] == pytest.approx(1, abs=0.03)
