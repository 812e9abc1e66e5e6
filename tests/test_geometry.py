"""Wedge and angular weights."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_wedgefill.geometry import (
    angular_weights,
    centre,
    median_step_deg,
    missing_range_deg,
    widest_gap_deg,
)


def test_a_symmetric_series_misses_what_it_did_not_reach():
    angles = np.arange(-60, 61, 2.0)
    assert missing_range_deg(angles) == pytest.approx(60)
    assert widest_gap_deg(angles) == (pytest.approx(60), pytest.approx(60))
    assert median_step_deg(angles) == 2


def test_the_wedge_of_an_asymmetric_series_is_not_at_90():
    start, extent = widest_gap_deg(np.arange(-50, 71, 1.0))
    assert (start, extent) == (pytest.approx(70), pytest.approx(60))


def test_a_full_range_weighs_pi_and_a_wedge_is_not_shared_out():
    assert angular_weights(np.arange(0, 180, 2.0)).sum() == pytest.approx(np.pi)
    weights = angular_weights(np.arange(-60, 61, 2.0))
    np.testing.assert_allclose(np.rad2deg(weights), 2.0)


@given(st.lists(st.floats(-90, 90), min_size=3, max_size=40))
def test_weights_are_positive_and_never_exceed_the_circle(angles):
    weights = angular_weights(angles)
    assert np.all(weights > 0)
    assert weights.sum() <= np.pi + 1e-6


def test_tilts_that_share_an_angle_share_its_weight():
    weights = np.rad2deg(angular_weights([-2.0, 0.0, 0.0, 2.0]))
    np.testing.assert_allclose(weights, [2, 1, 1, 2])


def test_the_centre_of_even_and_odd_lengths():
    assert centre(4) == 1.5
    assert centre(5) == 2
