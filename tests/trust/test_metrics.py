"""Figures of merit: known values, and what they must not depend on."""

import numpy as np
import pytest

from napari_wedgefill.projector import ParallelBeam
from napari_wedgefill.reconstruct import wbp
from napari_wedgefill.trust import fitted, psnr, ssim, wedge_correlation
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
    np.testing.assert_allclose(fitted(5 * truth - 3, truth), truth, atol=1e-5)


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
