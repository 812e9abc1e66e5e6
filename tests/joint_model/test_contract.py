"""What the networks see depends on nothing that it should not."""

import numpy as np
import pytest

from napari_wedgefill.joint_model import contract as c
from napari_wedgefill.projector import ParallelBeam
from napari_wedgefill.reconstruct import iter_sirt, last

CONTRACT = c.InputContract(n_rows=40, sart_sweeps=5, tvm_steps=25)


@pytest.fixture(scope="module")
def measured():
    rng = np.random.default_rng(0)
    beam = ParallelBeam(np.arange(-60, 61, 6.0), 24)
    volume = np.zeros((24, 24, 6), np.float32)
    volume[8:16, 6:15] = rng.random((8, 9, 6))
    return beam, beam(volume)


def test_filled_rows_are_used_only_where_nothing_was_measured(measured):
    beam, sinogram = measured
    scales = c.Scales(c.sinogram_scale(sinogram), 0.0)
    quick = c.compute_first_estimates(beam, sinogram, CONTRACT)
    rows = c.sinogram_input(beam, sinogram, quick, scales, CONTRACT)
    assert rows.shape == (6, 3, 40, 24)
    filled = rows[:, :1].copy()
    measured_rows = rows[0, 2, :, 0] > 0.5
    before = c.reconstruct_completed(beam, sinogram, filled, scales, CONTRACT)
    filled[:, :, measured_rows] = 1e3  # what the network says of measured rows is never used
    np.testing.assert_array_equal(
        c.reconstruct_completed(beam, sinogram, filled, scales, CONTRACT), before
    )
    filled[:, :, ~measured_rows] += 1
    assert (
        np.abs(c.reconstruct_completed(beam, sinogram, filled, scales, CONTRACT) - before).max()
        > 0.01
    )


def test_a_true_volume_completes_its_own_sinogram(measured):
    """Its projections into the wedge bring WBP far closer to it, and nothing moves without one."""
    beam, sinogram = measured
    truth = np.zeros((24, 24, 6), np.float32)
    truth[8:16, 6:15] = np.random.default_rng(0).random((8, 9, 6))
    again = c.reconstruct_reprojected(beam, sinogram, truth, CONTRACT)
    without = c.reconstruct_reprojected(beam, sinogram, np.zeros_like(truth), CONTRACT)
    assert np.linalg.norm(again - truth) < 0.6 * np.linalg.norm(without - truth)
    everywhere = ParallelBeam(np.arange(-90, 90, 4.5), 24)
    rows = everywhere(truth)
    found = [c.reconstruct_reprojected(everywhere, rows, v, CONTRACT) for v in (truth, 0 * truth)]
    np.testing.assert_array_equal(*found)


def test_the_scale_of_the_intensities_cancels(measured):
    beam, sinogram = measured
    inputs = []
    for factor in (1.0, 64.0):  # a power of two: equal to the last bit
        b = sinogram * np.float32(factor)
        b /= np.float32(c.density_scale(last(iter_sirt(beam, b, 3))))
        scales = c.Scales(c.sinogram_scale(b), 0.01)
        quick = c.compute_first_estimates(beam, b, CONTRACT)
        inputs.append(c.sinogram_input(beam, b, quick, scales, CONTRACT))
    np.testing.assert_allclose(inputs[0], inputs[1], atol=1e-5)


def test_neighbours_are_neighbours_and_ends_repeat():
    volume = np.arange(5, dtype=np.float32)[None, None, :] + np.zeros((4, 4, 1), np.float32)
    channels = c.tomogram_input(volume, c.FirstEstimates(volume + 10, volume + 20), CONTRACT)
    assert channels.shape == (5, 9, 4, 4)
    for k in range(5):
        own = [max(k - 1, 0), k, min(k + 1, 4)]
        expected = [value + step for step in (0, 10, 20) for value in own]
        np.testing.assert_array_equal(channels[k, :, 0, 0], expected)
    again = c.refinement_input(volume, volume + 10, volume + 20, CONTRACT)
    np.testing.assert_array_equal(again, channels)


@pytest.mark.parametrize("shape", [(16, 16), (17, 31), (5, 48)])
def test_padding_comes_off_again(shape):
    batch = np.random.default_rng(0).random((2, 3, *shape), dtype=np.float32)
    padded, crop = c.pad_to_multiple(batch, 16)
    assert padded.shape[2] % 16 == padded.shape[3] % 16 == 0
    np.testing.assert_array_equal(padded[:, :, crop[0], crop[1]], batch)
