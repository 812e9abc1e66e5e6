"""Shell correlation: of equals, of strangers, and of halves with more and less noise."""

import numpy as np
import pytest
import scipy.ndimage

from napari_wedgefill.pipeline.options import FillOptions
from napari_wedgefill.progress import Progress
from napari_wedgefill.projector import ParallelBeam
from napari_wedgefill.tilt_series import TiltSeries
from napari_wedgefill.trust.resolution import ShellCorrelation, correlate_shells, iter_resolution

ANGLES = np.arange(-60, 61, 3.0)


def noisy_series(noise):
    rng = np.random.default_rng(1)
    axis = np.arange(40) - 19.5
    inside = np.hypot(axis[:, None], axis) < 14
    truth = (rng.uniform(0, 1, (40, 40, 6)) * inside[:, :, None]).astype(np.float32)
    rows = ParallelBeam(ANGLES, 40)(truth)
    rows += rng.normal(0, noise, rows.shape).astype(np.float32)
    return TiltSeries.from_arrays(rows.transpose(0, 2, 1), ANGLES, pixel_nm=0.5)


def test_equals_correlate_and_strangers_do_not():
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 64, 8, 64)).astype(np.float32)
    same = correlate_shells(a, 3 * a + 7, ANGLES)
    np.testing.assert_allclose(same.correlation, 1, atol=1e-4)
    assert same.resolution_px(0.143) == 2
    assert np.abs(correlate_shells(a, b, ANGLES).correlation[12:]).max() < 0.25


def test_the_wedge_does_not_count():
    """Two volumes that differ only where no tilt looked agree."""
    rng = np.random.default_rng(0)
    n = 64
    k = np.fft.fftfreq(n)
    a = rng.normal(size=(n, 4, n))
    spectrum = np.fft.fft2(rng.normal(size=(n, 4, n)), axes=(0, 2))
    direction = np.rad2deg(np.arctan2(np.abs(k[:, None]), np.abs(k)))
    wedge = (direction > 75)[:, None] * (k[:, None, None] != 0)
    b = a + 2 * np.real(np.fft.ifft2(spectrum * wedge, axes=(0, 2)))
    found = correlate_shells(a.astype(np.float32), b.astype(np.float32), ANGLES)
    assert found.correlation[8:].min() > 0.9


def test_a_crossing_is_interpolated():
    curve = ShellCorrelation(np.array([0.1, 0.2, 0.3]), np.array([1.0, 0.6, 0.4]))
    assert curve.resolution_px(0.5) == pytest.approx(1 / 0.25)
    assert curve.resolution_px(0.143) == 2


def test_noise_costs_resolution_and_networks_are_left_out():
    found = []
    for noise in (0.05, 2.0):
        events = list(iter_resolution(noisy_series(noise), FillOptions(methods=("sart", "gan"))))
        fractions = [e.fraction for e in events if isinstance(e, Progress)]
        assert fractions == sorted(fractions)
        found.append(events[-1])
    assert set(found[0].curves) == {"sart"}
    assert found[0].unit == "nm"
    assert found[0].at("sart", 0.5) < 0.8 * found[1].at("sart", 0.5)
    assert found[0].at("sart", 0.143) <= found[0].at("sart", 0.5)
    assert "both halves" in found[0].to_dict()["warning"]


@pytest.mark.parametrize("n_slices", [1, 4, 16])
def test_few_slices_do_not_pass_low_frequencies_for_high_ones(n_slices):
    """The halves share what is coarse and nothing else: beyond it they must not agree."""
    rng = np.random.default_rng(0)
    n, sigma = 64, 3.0
    coarse = scipy.ndimage.gaussian_filter(rng.normal(size=(n, n)), sigma, mode="wrap")
    coarse = 30 * coarse[:, None] * np.ones(n_slices)[:, None]
    halves = [np.float32(coarse + rng.normal(size=coarse.shape)) for _ in range(2)]
    curve = correlate_shells(*halves, np.arange(-90, 90, 2.0))
    fine = curve.frequency > 0.2
    assert np.abs(curve.correlation[fine]).max() < 0.5
    assert abs(curve.correlation[fine].mean()) < 0.1
    assert curve.correlation[:3].min() > 0.9
