"""Otsu's threshold parts two phases, and the fraction is the phase's own."""

import numpy as np
import pytest

from napari_wedgefill.trust.volume_fraction import histogram


@pytest.fixture
def two_phases():
    rng = np.random.default_rng(0)
    volume = rng.normal(0, 0.1, (20, 30, 40)).astype(np.float32)
    volume[5:15, :, 10:20] += 1.0
    return volume


def test_threshold_and_fraction_of_two_phases(two_phases):
    counted = histogram(two_phases)
    assert 0.3 < counted.otsu < 0.7
    assert counted.fraction_above(counted.otsu) == pytest.approx(1 / 8, abs=1e-3)
    assert counted.counts.sum() == two_phases.size


def test_scale_and_offset_move_the_threshold_along(two_phases):
    plain, moved = histogram(two_phases), histogram(40 * two_phases - 32000)
    assert moved.otsu == pytest.approx(40 * plain.otsu - 32000, abs=1)
    assert moved.fraction_above(moved.otsu) == pytest.approx(plain.fraction_above(plain.otsu))


def test_an_even_volume_does_not_fail():
    counted = histogram(np.full((4, 4, 4), 7.0, np.float32))
    assert counted.counts.sum() == 64
    assert np.isfinite(counted.otsu)
