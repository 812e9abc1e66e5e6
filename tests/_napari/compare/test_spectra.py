"""The spectrum's wedge lies where the projector's geometry puts it."""

import numpy as np
import pytest

from napari_wedgefill._napari.compare.spectra import frequency_indices, log_power, wedge_edges_deg
from napari_wedgefill.projector import ParallelBeam
from napari_wedgefill.reconstruct import wbp

N = 64


def directions_deg(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Direction (modulo 180) and radius, in samples, of every frequency of an n x n slice."""
    z, x = np.mgrid[:n, :n] - n // 2
    return np.rad2deg(np.arctan2(z, x)) % 180, np.hypot(z, x)


@pytest.mark.parametrize("shape", [(16, 16), (15, 16), (16, 15), (9, 12)])
def test_power_is_that_of_the_windowed_slice(shape):
    section = np.random.default_rng(0).random(shape, dtype=np.float32)
    window = np.hanning(shape[0] + 2)[1:-1, None] * np.hanning(shape[1] + 2)[1:-1]
    power = np.abs(np.fft.fftshift(np.fft.fft2((section - section.mean()) * window))) ** 2
    np.testing.assert_allclose(10 ** log_power(section), power, rtol=2e-3, atol=1e-6)


def test_an_empty_slice_has_a_spectrum():
    assert np.isfinite(log_power(np.zeros((8, 8), np.float32))).all()
    assert np.isfinite(log_power(np.full((8, 8), np.nan, np.float32))).all()


@pytest.mark.parametrize(("first", "last"), [(-60, 60), (-70, 40), (10, 120)])
def test_weighted_back_projection_has_power_only_between_the_edges(first, last):
    angles = np.arange(first, last + 1, 2.0)
    beam = ParallelBeam(angles, N)
    z, x = np.mgrid[:N, :N] - (N - 1) / 2
    # Small discs off the centre: power everywhere.
    section = sum(
        ((z - a) ** 2 + (x - b) ** 2 < 6).astype(np.float32)
        for a, b in ((-9, 4), (7, 11), (3, -12))
    )
    volume = wbp(beam, beam(np.repeat(section[:, :, None], 4, axis=2)))
    power = 10.0 ** log_power(volume[:, :, 1])
    start, stop = wedge_edges_deg(tuple(angles.tolist()))
    assert stop - start == pytest.approx(180 - (last - first))
    direction, radius = directions_deg(N)
    ring = (radius > 8) & (radius < 24)
    within = (direction - start) % 180
    margin = 6
    missing = ring & (within > margin) & (within < stop - start - margin)
    measured = ring & (within > stop - start + margin) & (within < 180 - margin)
    assert power[missing].mean() < 0.1 * power[measured].mean()


def test_there_is_no_wedge_in_a_full_range_and_none_without_angles():
    assert wedge_edges_deg(tuple(np.arange(-90, 90, 2.0).tolist())) is None
    assert wedge_edges_deg(()) is None


def test_frequencies_run_up_to_nyquist():
    voxel = 0.5
    nyquist = 1 / (2 * voxel)
    found = frequency_indices(8, voxel, np.array([-nyquist, 0, nyquist, -nyquist * 1.2, 0.25]))
    assert found.tolist() == [0, 4, -1, -1, 5]
