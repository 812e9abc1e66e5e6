"""What a user sets by hand: the tilt axis beside a slice that follows, exclusion, cleaning."""

from __future__ import annotations

import numpy as np
import pytest

from napari_wedgefill.errors import WedgefillError
from napari_wedgefill.prepare import CleanOptions, PrepareOptions, RegionOptions, TiltOptions
from napari_wedgefill.prepare.axis_slice import AxisSlices
from napari_wedgefill.prepare.flaws import look_for_flaws
from napari_wedgefill.prepare.pose import Binned, Pose
from napari_wedgefill.prepare.preparing import clean_one_image, leave_in_place, prepare_series
from tests.prepare.simulated_needle import ANGLES_DEG, LEVEL, SIZE, jitter, needle

STILL = np.zeros((len(ANGLES_DEG), 2))
INSIDE = (slice(None), slice(16, -16), slice(16, -16))


def test_turning_the_axis_of_aligned_images_is_one_pose() -> None:
    stack, first = Binned.of(needle(STILL).array(), 1), Pose(jitter(), 2.0, 6.0)
    twice = Binned.of(stack.align(first), 1).align(Pose(STILL, -3.0, 2.0))
    once = stack.align(first.turn_axis(2.0, -3.0))
    contrast = np.ptp(once)
    assert np.abs(twice - once)[INSIDE].max() < 0.05 * contrast


def test_a_quick_row_is_that_of_the_aligned_images() -> None:
    stack, pose = Binned.of(needle(STILL).array(), 1), Pose(jitter(), 2.0, 6.0)
    whole, row = stack.align(pose), stack.align_row(pose, 30)
    assert np.corrcoef(whole[:, 30, 8:-8].ravel(), row[:, 8:-8].ravel())[0, 1] > 0.999


@pytest.mark.parametrize("row", [20, 44])
def test_the_slice_is_that_of_the_object_once_the_axis_is_right(row: int) -> None:
    true = AxisSlices(needle(STILL)).reconstruct(row, 0.0, 0.0)
    slices = AxisSlices(needle(STILL, axis_px=4.0, axis_deg=5.0))

    def likeness(turn_deg: float, move_px: float) -> float:
        found = slices.reconstruct(row, turn_deg, move_px)
        return float(np.corrcoef(found.ravel(), true.ravel())[0, 1])

    assert likeness(5.0, 4.0) > 0.97
    for wrong in ((0.0, 0.0), (5.0, 0.0), (-5.0, 4.0)):
        assert likeness(*wrong) < 0.93


def test_large_images_are_averaged_for_the_slice(monkeypatch: pytest.MonkeyPatch) -> None:
    series = needle(STILL, axis_px=4.0)
    fine = AxisSlices(series).reconstruct(30, 0.0, 4.0)
    monkeypatch.setattr("napari_wedgefill.prepare.axis_slice.MOST_PX", SIZE // 2)
    slices = AxisSlices(series)
    assert slices.factor == 2
    coarse = slices.reconstruct(30, 0.0, 4.0)
    assert coarse.shape == (SIZE // 2, SIZE // 2)
    binned = fine.reshape(SIZE // 2, 2, SIZE // 2, 2).mean(axis=(1, 3))
    assert np.corrcoef(binned.ravel(), coarse.ravel())[0, 1] > 0.95


def test_an_axis_set_by_hand_is_applied_and_told() -> None:
    series = needle(STILL, axis_px=4.0, axis_deg=5.0)
    options = PrepareOptions(
        region=RegionOptions(columns=(4, SIZE - 4)), tilts=TiltOptions(leave_out=(3,))
    )
    found = leave_in_place(series, options).turn_axis(5.0, 4.0)
    done = prepare_series(series, options, found)
    assert "The tilt axis was turned by +5.00 degrees" in done.report.history[-1]
    assert done.series.n_tilts == len(ANGLES_DEG) - 1
    assert done.report.found.pose.axis_shift_px == pytest.approx(4.0)
    straight = needle(STILL)
    expected = straight.array()[:, :, 4 : SIZE - 4][np.delete(np.arange(len(ANGLES_DEG)), 3)]
    assert np.corrcoef(done.series.array()[INSIDE].ravel(), expected[INSIDE].ravel())[0, 1] > 0.995


def test_more_images_are_left_out_but_none_without_a_shift_is_taken_back() -> None:
    series = needle(STILL)
    found = leave_in_place(series, PrepareOptions(tilts=TiltOptions(leave_out=(3,))))
    fewer = found.leave_out((3, 5), "needle")
    assert fewer.kept.tolist() == [k for k in range(len(ANGLES_DEG)) if k not in (3, 5)]
    assert len(fewer.angles_deg) == len(fewer.pose.offsets_px) == len(fewer.kept)
    with pytest.raises(WedgefillError, match="image 3 was not used"):
        found.leave_out((5,), "needle")


def test_flaws_are_counted_before_anything_is_changed() -> None:
    series = needle(STILL)
    series.images[6] = LEVEL
    series.images[[2, 4], [10, 12], [20, 8]] += 4000.0
    before = series.array().copy()
    flaws = look_for_flaws(series)
    assert [bad.tilt for bad in flaws.bad] == [6]
    assert flaws.sentence == "2 hot, dead or X-ray pixels in 2 images."
    np.testing.assert_array_equal(series.array(), before)


def test_one_image_is_cleaned_as_all_of_them_are() -> None:
    series = needle(STILL, noise=0.02)
    series.images[4, 12, 8] += 4000.0
    clean = CleanOptions(plane=True)
    whole = prepare_series(series, PrepareOptions(clean=clean, align=False)).series.array()
    one, told = clean_one_image(series.array()[2:7], 2, clean)
    np.testing.assert_allclose(one, whole[4], atol=0.5)
    assert told.startswith("1 hot, dead or X-ray pixels in this image.")
