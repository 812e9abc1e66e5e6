"""Residuals: zero for the truth, unmoved by the scale, and large where a tilt is wrong."""

import numpy as np
import pytest

from napari_wedgefill.projector import ParallelBeam
from napari_wedgefill.tilt_series import TiltSeries
from napari_wedgefill.trust.agreement import compare_with_images

ANGLES = np.arange(-60, 61, 10.0)


@pytest.fixture(scope="module")
def truth():
    rng = np.random.default_rng(0)
    block = np.zeros((24, 70, 24), np.float32)
    block[6:18, :, 8:16] = rng.uniform(0.5, 1, (12, 70, 8))
    return block


@pytest.fixture(scope="module")
def series(truth):
    images = ParallelBeam(ANGLES, 24)(np.ascontiguousarray(truth.transpose(0, 2, 1)))
    return TiltSeries.from_arrays(images.transpose(0, 2, 1) - 500, ANGLES)


def test_the_truth_leaves_no_residual_at_any_scale(series, truth):
    for scale in (1.0, 0.2):
        seen = compare_with_images(series, scale * truth)
        assert seen.scale() == pytest.approx(1 / scale, rel=1e-3)
        assert seen.by_tilt().max() < 2e-3


def test_a_part_is_compared_with_its_own_rows(series, truth):
    assert compare_with_images(series, truth[:, 3:9].copy(), 3).error() < 2e-3
    assert compare_with_images(series, truth[:, 3:9].copy(), 20).error() > 0.05


def test_a_spoiled_tilt_stands_out(series, truth):
    images = series.images.copy()
    images[4] = np.roll(images[4], 3, axis=1)
    spoiled = TiltSeries.from_arrays(images, ANGLES)
    errors = compare_with_images(spoiled, truth).by_tilt()
    assert np.argmax(errors) == 4
    assert errors[4] > 20 * np.delete(errors, 4).max()
