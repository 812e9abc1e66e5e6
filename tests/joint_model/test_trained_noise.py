"""What is noisier than the networks know reaches them in part, and nothing else is touched."""

import numpy as np
import pytest

from napari_wedgefill.joint_model.trained_noise import hold_noise_back
from napari_wedgefill.projector import ParallelBeam
from napari_wedgefill.reconstruct.tvm import Beside

N = 64
FINE_DEG, COARSE_DEG = np.arange(-60, 61, 3.0), np.arange(-70, 71, 10.0)


@pytest.fixture(scope="module")
def disc():
    axis = np.arange(N) - (N - 1) / 2
    slice_ = np.clip(16.5 - np.hypot(axis[:, None] - 3, axis[None, :]), 0, 1)
    return np.repeat(slice_[:, :, None], 3, axis=2).astype(np.float32)


def hold(disc, angles_deg, electrons):
    """Count electrons behind the disc, and hold back what TVM, here the truth, cannot explain."""
    beam = ParallelBeam(angles_deg, N)
    ideal = beam(disc)
    counts_per_length = electrons / float(ideal[ideal > 0].mean())
    rng = np.random.default_rng(0)
    rows = (rng.poisson(np.maximum(ideal, 0) * counts_per_length) / counts_per_length).astype("f4")
    return hold_noise_back(beam, rows, disc), rows, ideal


@pytest.mark.parametrize("electrons", [100, 1000])
def test_rows_that_the_networks_know_are_the_very_same(disc, electrons):
    held, rows, _ = hold(disc, FINE_DEG, electrons)
    assert held.sinogram is rows
    assert held.share == 1.0


def test_the_fewer_counts_the_less_is_shown(disc):
    shares = [hold(disc, FINE_DEG, electrons)[0].share for electrons in (100, 20, 4, 1)]
    assert shares == sorted(shares, reverse=True)
    assert shares[0] == 1.0
    assert shares[-1] < 0.1


def test_tilts_that_are_far_apart_must_be_the_less_noisy(disc):
    assert hold(disc, FINE_DEG, 60)[0].share == 1.0
    assert hold(disc, COARSE_DEG, 60)[0].share < 0.3
    assert hold(disc, COARSE_DEG, 1e6)[0].share == 1.0


def test_what_is_shown_lies_between_the_measured_and_the_explained(disc):
    held, rows, ideal = hold(disc, FINE_DEG, 4)
    expected = ideal + held.share * (rows - ideal)
    np.testing.assert_allclose(held.sinogram, expected, atol=0.02 * ideal.max())


def test_detail_that_tvm_could_not_follow_is_shown(disc):
    """The lines of a lattice have one frequency, noise has them all."""
    beam = ParallelBeam(FINE_DEG, N)
    lattice = disc * (1 + 0.8 * np.cos(2 * np.pi * np.arange(N) / 6)[None, :, None]).astype("f4")
    rows = beam(lattice)
    assert np.std(rows - beam(disc)) > 0.1 * np.std(rows)
    assert hold_noise_back(beam, rows, disc).share > 0.95


def test_an_empty_slice_stays_what_tvm_makes_of_it(disc):
    beam = ParallelBeam(FINE_DEG, N)
    rows = np.random.default_rng(0).normal(0, 1, (FINE_DEG.size, N, 3)).astype("f4")
    held = hold_noise_back(beam, rows, 0 * disc)
    assert np.sqrt(np.mean(held.sinogram**2)) < 0.3


def test_slices_do_not_depend_on_each_other(disc):
    held, rows, _ = hold(disc, FINE_DEG, 4)
    one = hold_noise_back(ParallelBeam(FINE_DEG, N), rows[..., :1].copy(), disc[..., :1].copy())
    np.testing.assert_array_equal(one.sinogram[..., 0], held.sinogram[..., 0])


def test_noise_beside_a_box_counts(disc):
    beam = ParallelBeam(FINE_DEG, N)
    _, rows, _ = hold(disc, FINE_DEG, 60)
    n_pixels = 10 * rows[..., 0].size
    squares = np.full(3, n_pixels * float(np.var(rows)), np.float32)
    noisy = Beside(squares, n_pixels, beam.ray_lengths)
    assert hold_noise_back(beam, rows, disc).share == 1.0
    assert hold_noise_back(beam, rows, disc, noisy).share < 1.0


def test_tensors_are_treated_like_arrays(disc):
    torch = pytest.importorskip("torch")
    held, rows, _ = hold(disc, FINE_DEG, 4)
    beam = ParallelBeam(FINE_DEG, N)
    other = hold_noise_back(beam, torch.from_numpy(rows), torch.from_numpy(disc))
    np.testing.assert_allclose(other.sinogram.numpy(), held.sinogram, atol=1e-4)
    assert other.share == pytest.approx(held.share, abs=1e-5)
