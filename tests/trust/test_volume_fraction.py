"""Otsu's threshold parts two phases, and the fraction is the phase's own."""

import numpy as np
import pytest

from napari_wedgefill.trust.volume_fraction import count_densities


@pytest.fixture
def two_phases():
    rng = np.random.default_rng(0)
    volume = rng.normal(0, 0.1, (20, 30, 40)).astype(np.float32)
    volume[5:15, :, 10:20] += 1.0
    return volume


def test_threshold_and_fraction_of_two_phases(two_phases):
    counted = count_densities(two_phases)
    assert 0.3 < counted.threshold < 0.7
    assert counted.fraction_above(counted.threshold) == pytest.approx(1 / 8, abs=1e-3)
    assert counted.counts.sum() == two_phases.size


def test_scale_and_offset_move_the_threshold_along(two_phases):
    plain, moved = count_densities(two_phases), count_densities(40 * two_phases - 32000)
    assert moved.threshold == pytest.approx(40 * plain.threshold - 32000, abs=1)
    assert moved.fraction_above(moved.threshold) == pytest.approx(
        plain.fraction_above(plain.threshold)
    )


def test_an_even_volume_does_not_fail():
    counted = count_densities(np.full((4, 4, 4), 7.0, np.float32))
    assert counted.counts.sum() == 64
    assert np.isfinite(counted.threshold)
