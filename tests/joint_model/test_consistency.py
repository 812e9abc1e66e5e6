"""Measurements win where they are signal of what is in the field, and only there."""

import numpy as np
import pytest

from napari_wedgefill.joint_model.consistency import restore_consistency
from napari_wedgefill.joint_model.contract import Scales, sinogram_scale
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
    """A blurred volume, restored; beside it the sinogram, the blurred volume and the beam."""
    beam = ParallelBeam(angles, N)
    sinogram = beam(disc)
    sinogram += np.random.default_rng(0).normal(0, noise, sinogram.shape).astype(np.float32)
    blurred = (disc + np.roll(disc, 2, axis=0) + np.roll(disc, 2, axis=1)) / 3
    volume = restore_consistency(beam, sinogram, blurred, scales_of(sinogram, noise))
    return volume, sinogram, blurred, beam


def scales_of(sinogram, noise=0.0):
    return Scales(sinogram_scale(sinogram), noise)


def distance(a, b):
    return np.linalg.norm(a - b) / np.linalg.norm(b)


def test_without_wedge_or_noise_a_wrong_volume_is_put_right(disc):
    volume, _, blurred, _ = restored(np.arange(-90, 90, 4.0), disc)
    assert distance(blurred, disc) > 0.1
    assert distance(volume, disc) < 0.03


def test_in_the_missing_wedge_the_true_volume_is_kept(disc):
    """TVM of the measurements alone is further from it there, be it ever so converged."""
    beam = ParallelBeam(np.arange(-40, 41, 4.0), N)
    rows = beam(disc)
    tvm = last(iter_tvm(beam, rows, 60, x0=last(iter_sart(beam, rows, 10))))
    wedge = wedge_mask(N, beam.angles_deg)
    kept, true, other = (
        np.fft.fft2(x, axes=(0, 1))[wedge]
        for x in (restore_consistency(beam, rows, disc, scales_of(rows)), disc, tvm)
    )
    assert distance(kept, true) < 0.5 * distance(other, true)


def test_the_volume_agrees_with_the_images_as_far_as_the_noise_lets_it(disc):
    volume, sinogram, blurred, beam = restored(np.arange(-60, 61, 4.0), disc)
    clean = distance(beam(volume), sinogram) / distance(beam(blurred), sinogram)
    assert clean < 0.2
    volume, sinogram, blurred, beam = restored(np.arange(-60, 61, 4.0), disc, noise=8.0)
    assert np.std(beam(volume) - sinogram) > 0.95 * 8.0  # noise is left unexplained
    assert distance(volume, disc) < distance(blurred, disc)


def test_a_film_that_goes_on_outside_the_field_is_kept_and_sharpened():
    """Its ends are in most rays; a volume that were to explain them would be ruined."""
    axis = np.arange(3 * N) - (3 * N - 1) / 2
    film = ((np.abs(axis)[:, None] < 7) & (np.abs(axis)[None, :] < 2 * N)).astype(np.float32)
    for hole in (-17, -4, 13, 30, -50):
        film[np.hypot(axis[:, None] - 1, axis[None, :] - hole) < 3.5] = 0.3
    film = np.repeat(film[:, :, None], 4, axis=2)
    angles, field = np.arange(-60, 61, 3.0), slice(N, 2 * N)
    rows = ParallelBeam(angles, 3 * N)(film)[:, field].copy()
    beam, truth = ParallelBeam(angles, N), film[field, field].copy()
    blurred = (truth + np.roll(truth, 1, axis=1) + np.roll(truth, -1, axis=1)) / 3
    found = restore_consistency(beam, rows, blurred, scales_of(rows))
    assert distance(found, truth) < distance(blurred, truth)
    tvm = last(iter_tvm(beam, rows, 60, x0=last(iter_sart(beam, rows, 10))))
    assert distance(tvm, truth) > 5 * distance(found, truth)


def test_images_as_noisy_as_they_say_change_nothing(disc):
    """A volume that explains all but the noise is where it should be."""
    beam = ParallelBeam(np.arange(-60, 61, 4.0), N)
    rows = beam(disc)
    noisy = rows + np.random.default_rng(1).normal(0, 3.0, rows.shape).astype(np.float32)
    found = restore_consistency(beam, noisy, disc, scales_of(rows, 3.2))
    assert distance(found, disc) < 0.02


@pytest.mark.parametrize("angles", [np.arange(-60, 61, 5.0), np.arange(-60, 61, 1.0)])
def test_at_the_end_noise_that_the_background_does_not_show_stays_out(disc, angles):
    """Counted electrons are uncertain where the specimen is; most of the detector sees none."""
    beam = ParallelBeam(angles, N)
    rows = beam(disc)
    noisy = np.random.default_rng(2).poisson(rows).astype(np.float32)
    scales = scales_of(rows, 0.05)
    before, end = (
        restore_consistency(beam, noisy, disc, scales, cautious=cautious)
        for cautious in (False, True)
    )
    assert distance(end, disc) < 0.02
    assert distance(end, disc) < 0.3 * distance(before, disc)


def test_at_the_end_misplaced_images_are_not_followed(disc):
    beam = ParallelBeam(np.arange(-60, 61, 3.0), N)
    rows = beam(disc)
    for k, shift in enumerate(np.random.default_rng(3).integers(-1, 2, beam.n_tilts)):
        rows[k] = np.roll(rows[k], shift, axis=0)
    end = restore_consistency(beam, rows, disc, scales_of(rows), cautious=True)
    assert distance(end, disc) < 0.5 * distance(
        restore_consistency(beam, rows, disc, scales_of(rows)), disc
    )


def test_at_the_end_a_wrong_volume_is_put_right_all_the_same(disc):
    beam = ParallelBeam(np.arange(-60, 61, 4.0), N)
    rows = beam(disc)
    blurred = (disc + np.roll(disc, 2, axis=0) + np.roll(disc, 2, axis=1)) / 3
    end = restore_consistency(beam, rows, blurred, scales_of(rows), cautious=True)
    assert distance(end, disc) < 0.5 * distance(blurred, disc)
    assert distance(beam(end), rows) < 0.3 * distance(beam(blurred), rows)
