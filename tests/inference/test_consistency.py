"""The last step: measured frequencies win where they are signal, and only there."""

import numpy as np
import pytest

from napari_wedgefill.inference.consistency import measured_directions, restore_consistency
from napari_wedgefill.projector import ParallelBeam
from napari_wedgefill.reconstruct import iter_sart, iter_tvm, last
from napari_wedgefill.trust.metrics import wedge_mask

N = 48


@pytest.fixture(scope="module")
def disc():
    axis = np.arange(N) - (N - 1) / 2
    slice_ = np.clip(14.5 - np.hypot(axis[:, None] - 3, axis[None, :]), 0, 1)
    return np.repeat(slice_[:, :, None], 4, axis=2).astype(np.float32)


def restored(angles, disc, noise=0.0):
    """A blurred volume, restored; beside it the sinogram, the TVM and the blurred volume."""
    beam = ParallelBeam(angles, N)
    sinogram = beam(disc)
    sinogram += np.random.default_rng(0).normal(0, noise, sinogram.shape).astype(np.float32)
    tvm = last(iter_tvm(beam, sinogram, 60, x0=last(iter_sart(beam, sinogram, 10))))
    blurred = (disc + np.roll(disc, 2, axis=0) + np.roll(disc, 2, axis=1)) / 3
    return restore_consistency(beam, sinogram, blurred, tvm), sinogram, tvm, blurred, beam


def distance(a, b):
    return np.linalg.norm(a - b) / np.linalg.norm(b)


def test_without_wedge_or_noise_a_wrong_volume_becomes_the_tvm(disc):
    volume, _, tvm, blurred, _ = restored(np.arange(-90, 90, 4.0), disc)
    assert distance(blurred, tvm) > 0.1
    assert distance(volume, tvm) < 0.03


def test_in_the_missing_wedge_the_volume_keeps_its_own(disc):
    angles = np.arange(-60, 61, 4.0)
    volume, _, tvm, blurred, _ = restored(angles, disc)
    deep = measured_directions(N, N, angles) == 0
    kept, own, other = (np.fft.fft2(x, axes=(0, 1))[deep] for x in (volume, blurred, tvm))
    assert distance(kept, own) < 0.5 * distance(kept, other)


def test_the_volume_agrees_with_the_images_as_far_as_the_noise_lets_it(disc):
    volume, sinogram, _, blurred, beam = restored(np.arange(-60, 61, 4.0), disc)
    clean = distance(beam(volume), sinogram) / distance(beam(blurred), sinogram)
    assert clean < 0.2
    volume, sinogram, _, blurred, beam = restored(np.arange(-60, 61, 4.0), disc, noise=8.0)
    assert distance(volume, np.maximum(blurred, 0)) < 0.1


@pytest.mark.parametrize("angles", [np.arange(-60, 61, 2.0), np.arange(-40, 71, 3.0)])
def test_measured_directions_are_the_wedges_complement(angles):
    known = measured_directions(N, N, angles)
    wedge = wedge_mask(N, angles)
    axis = np.fft.fftfreq(N)
    inside = np.hypot(axis[:, None], axis[None, :]) <= 0.5
    assert np.all(known[~wedge & inside] > 0.5)
    assert known[wedge].mean() < 0.25
    assert known[0, 0] == 1
