"""The network's rows: the wedge in the middle, measured rows where they belong."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from napari_wedgefill.joint_model.angular_grid import grid_for
from napari_wedgefill.projector import ParallelBeam


def within(grid, limit):
    """Rows whose direction lies inside +-limit degrees."""
    return np.abs(np.mod(grid.angles_deg + 90, 180) - 90) <= limit


def blob(n=40):
    axis = np.arange(n) - (n - 1) / 2
    z, x = axis[:, None], axis[None, :]
    out = np.exp(-((z - 5) ** 2 + (x + 7) ** 2) / 18) + np.exp(-((z + 6) ** 2 + x**2) / 8)
    return out[:, :, None].astype(np.float32)


@pytest.mark.parametrize("angles", [np.arange(-60, 61, 2.0), np.arange(-50, 73, 3.0)])
def test_the_wedge_lies_in_the_middle(angles):
    grid = grid_for(angles, 120)
    far = np.flatnonzero(grid.distance_deg > 5)
    assert far.size > 20
    assert abs((far[0] + far[-1]) / 2 - 59.5) <= 1
    assert np.all(np.diff(far) == 1)


@pytest.mark.parametrize("shift", [0.0, 1.5])
def test_interpolated_rows_are_projections_where_tilts_were_measured(shift):
    """Mirrored tilts too: an object's rows, put on the grid, match its projections there."""
    angles = np.arange(-66, 67, 1.5)
    volume = blob()
    beam = ParallelBeam(angles, 40, axis_shift_px=shift)
    grid = grid_for(angles, 120)
    rows = grid.interpolate(beam(volume), beam.axis_u)
    ideal = ParallelBeam(grid.angles_deg, 40, axis_shift_px=shift)(volume)
    near = within(grid, 66)
    assert near.sum() > 80
    inner = slice(
        4, -4
    )  # a mirrored row comes from beyond the detector when the axis is off centre
    error = np.abs(rows - ideal)[near][:, inner]
    assert error.max() < 0.03 * ideal.max()


def test_nothing_is_interpolated_far_into_the_wedge():
    grid = grid_for(np.arange(-60, 61, 2.0), 120)
    rows = grid.interpolate(np.ones((61, 8, 1), np.float32), 3.5)
    assert np.all(rows[grid.distance_deg > 2] == 0)
    np.testing.assert_allclose(rows[within(grid, 60)], 1, atol=1e-5)


def test_a_measured_row_is_marked_and_never_added_again():
    grid = grid_for(np.arange(-88.5, 90, 1.5), 120)
    assert not grid.unmeasured.any() or grid.distance_deg[grid.unmeasured].min() > 1.1
    assert grid.measured_fraction.max() <= 1
    coarse = grid_for(np.arange(-60, 61, 5.0), 120)
    assert coarse.unmeasured.sum() > 60  # rows between coarse tilts are new directions


@settings(max_examples=40)
@given(st.lists(st.floats(-89, 89), min_size=3, max_size=30), st.integers(8, 60))
def test_any_scheme_gives_weights_that_add_up_to_one_at_most(angles, n_rows):
    grid = grid_for(sorted(angles), n_rows)
    rows = grid.interpolate(np.ones((len(angles), 5, 1), np.float32), 2.0)
    assert rows.shape == (n_rows, 5, 1)
    assert rows.min() >= -1e-6
    assert rows.max() <= 1 + 1e-5
    assert np.all(np.diff(grid.angles_deg) > 0)
