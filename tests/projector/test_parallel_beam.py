"""The projection operator states physics: adjoint, a fixed centre, path lengths, symmetry."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_wedgefill.projector import ParallelBeam
from napari_wedgefill.projector.strips import LANES


def random(shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@settings(max_examples=25)
@given(
    angles=st.lists(st.floats(-180, 180), min_size=1, max_size=9),
    width=st.integers(1, 21),
    depth=st.integers(1, 17),
    n_slices=st.sampled_from([1, 3, LANES, LANES + 5]),
    shift=st.floats(-5, 5),
)
def test_back_projection_is_the_exact_adjoint(angles, width, depth, n_slices, shift):
    beam = ParallelBeam(angles, width, depth, axis_shift_px=shift)
    x = random((depth, width, n_slices))
    y = random((len(angles), width, n_slices), seed=1)
    forward, back = beam(x).astype(np.float64), beam.T(y).astype(np.float64)
    scale = np.linalg.norm(forward) * np.linalg.norm(y) + np.linalg.norm(x) * np.linalg.norm(back)
    assert abs(np.vdot(forward, y) - np.vdot(x, back)) <= 1e-5 * scale + 1e-6


def test_a_point_on_the_axis_never_moves():
    beam = ParallelBeam(np.linspace(-90, 90, 19), 15)
    x = np.zeros((15, 15, 1), np.float32)
    x[7, 7] = 1
    rows = beam(x)[:, :, 0]
    assert np.all(rows.argmax(axis=1) == 7)
    moment = (rows * (np.arange(15) - 7)).sum(axis=1)
    np.testing.assert_allclose(moment, 0, atol=1e-5)


def test_a_point_off_the_axis_follows_the_convention():
    """A blob at (z, x) is seen at u = x cos t + z sin t."""
    angles = np.array([-60.0, -20.0, 0.0, 45.0, 70.0])
    z, x = 6, -4
    grid = np.arange(41) - 20
    blob = np.exp(-((grid[:, None] - z) ** 2 + (grid[None, :] - x) ** 2) / 4)
    volume = blob[:, :, None].astype(np.float32)
    rows = ParallelBeam(angles, 41)(volume)[:, :, 0]
    seen = (rows * (np.arange(41) - 20)).sum(axis=1) / rows.sum(axis=1)
    t = np.deg2rad(angles)
    np.testing.assert_allclose(seen, x * np.cos(t) + z * np.sin(t), atol=0.01)


@pytest.mark.parametrize(("angle", "length"), [(0.0, 20.0), (90.0, 32.0), (-90.0, 32.0)])
def test_path_lengths_are_in_voxels(angle, length):
    beam = ParallelBeam([angle], 32, 20)
    rows = beam(np.ones((20, 32, 2), np.float32))
    np.testing.assert_allclose(rows[0, 16], length, rtol=1e-6)


def test_tilting_by_180_degrees_mirrors_the_projection():
    volume = random((12, 12, 2))
    front, behind = ParallelBeam([33.0], 12)(volume), ParallelBeam([213.0], 12)(volume)
    np.testing.assert_allclose(front[0], behind[0, ::-1], atol=1e-5)


def test_slices_do_not_see_each_other():
    """Full strips run on another kernel than the rest; both must give each slice alone."""
    beam = ParallelBeam(np.arange(-60, 61, 7.0), 24)
    volume = random((24, 24, LANES + 3))
    together = beam(volume)
    for k in (0, LANES - 1, LANES, LANES + 2):
        alone = beam(np.ascontiguousarray(volume[:, :, k : k + 1]))
        np.testing.assert_allclose(together[:, :, k : k + 1], alone, atol=1e-4)


def test_smearing_interpolates_without_moire():
    """A constant row smears to a constant: the weights of linear interpolation sum to one."""
    beam = ParallelBeam([45.0], 33)
    smeared = beam.smear(np.ones((1, 33, 1), np.float32))[12:21, 12:21, 0]
    np.testing.assert_allclose(smeared, 1, atol=1e-6)


def test_the_axis_shift_moves_the_projection():
    volume = random((16, 16, 1))
    volume[:, :3] = volume[:, -3:] = 0
    centred = ParallelBeam([0.0], 16)(volume)
    shifted = ParallelBeam([0.0], 16, axis_shift_px=2.0)(volume)
    np.testing.assert_allclose(shifted[0, 2:], centred[0, :-2], atol=1e-5)


def test_a_wrong_shape_is_refused():
    with pytest.raises(ValueError, match="was expected"):
        ParallelBeam([0.0], 16)(np.zeros((15, 16, 1), np.float32))


def test_tilts_that_share_a_shift_are_one_shifted_axis():
    angles, x = np.arange(-60, 61, 15.0), random((14, 19, 3))
    one = ParallelBeam(angles, 19, 14, axis_shift_px=1.3)
    each = ParallelBeam(angles, 19, 14, tilt_shifts_px=np.full(angles.size, 1.3))
    np.testing.assert_array_equal(one(x), each(x))
    np.testing.assert_array_equal(one.T(one(x)), each.T(one(x)))


def test_a_tilt_that_is_shifted_by_whole_pixels_sees_the_same_elsewhere():
    angles, shifts = np.arange(-60, 61, 15.0), np.arange(-4, 5)
    x = np.zeros((31, 31, 2), np.float32)
    x[10:21, 10:21] = random((11, 11, 2))
    still = ParallelBeam(angles, 31)(x)
    moved = ParallelBeam(angles, 31, tilt_shifts_px=shifts)(x)
    for row, expected, shift in zip(moved, still, shifts, strict=True):
        np.testing.assert_allclose(row, np.roll(expected, shift, axis=0), atol=1e-4)


@settings(max_examples=15)
@given(shifts=st.lists(st.floats(-3, 3), min_size=1, max_size=9), n_slices=st.sampled_from([1, 20]))
def test_the_adjoint_is_exact_where_every_tilt_has_its_axis(shifts, n_slices):
    angles = np.linspace(-70, 80, len(shifts))
    beam = ParallelBeam(angles, 17, 13, axis_shift_px=0.4, tilt_shifts_px=shifts)
    x, y = random((13, 17, n_slices)), random((len(shifts), 17, n_slices), seed=1)
    forward, back = beam(x).astype(np.float64), beam.T(y).astype(np.float64)
    scale = np.linalg.norm(forward) * np.linalg.norm(y) + np.linalg.norm(x) * np.linalg.norm(back)
    assert abs(np.vdot(forward, y) - np.vdot(x, back)) <= 1e-5 * scale + 1e-6


def test_every_tilt_needs_a_shift():
    with pytest.raises(ValueError, match="3 tilts have 2 shifts"):
        ParallelBeam([0.0, 1.0, 2.0], 8, tilt_shifts_px=[0.0, 1.0])
