"""Alignment of a simulated needle whose displacements, axis and rotation are known."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from napari_wedgefill.prepare import Aligned, align, iter_align
from napari_wedgefill.prepare.options import ShiftMethod
from napari_wedgefill.prepare.pose import Pose
from napari_wedgefill.prepare.steps import first_guesses, prepare
from napari_wedgefill.progress import Progress
from napari_wedgefill.tilt_series import TiltSeries
from tests.prepare import simulated_needle
from tests.prepare.simulated_needle import LEVEL, SCALE, SIZE

EVERY = np.s_[::3]  # for speed
ANGLES_DEG = simulated_needle.ANGLES_DEG[EVERY]


def jitter() -> NDArray[np.float64]:
    """Displacements of every third image."""
    return simulated_needle.jitter()[EVERY]


def needle(
    offsets_px: NDArray[np.float64], axis_px: float = 0.0, axis_deg: float = 0.0, noise: float = 0.0
) -> TiltSeries:
    """Every third image of the needle."""
    every = np.zeros((len(simulated_needle.ANGLES_DEG), 2))
    every[EVERY] = offsets_px
    series = simulated_needle.needle(every, axis_px, axis_deg, noise)
    return series.tilts(np.arange(series.n_tilts)[EVERY])


def errors_px(
    aligned: Aligned, offsets_px: NDArray[np.float64], axis_px: float
) -> tuple[float, float]:
    """Wrong displacements (y, x), rms, apart from a translation of the object as a whole."""
    report = aligned.report
    wrong = -report.shifts_px + [0.0, report.axis_shift_px] - offsets_px - [0.0, axis_px]
    tilts = np.deg2rad(ANGLES_DEG)
    path = np.stack([np.cos(tilts), np.sin(tilts)], axis=1)
    across = wrong[:, 1] - path @ np.linalg.lstsq(path, wrong[:, 1], rcond=None)[0]
    return float(np.std(wrong[:, 0])), float(np.sqrt((across**2).mean()))


@cache
def align_displaced(noise: float) -> Aligned:
    """Align the displaced needle; several tests look at the result."""
    return align(needle(jitter(), axis_px=4.0, noise=noise))


@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_random_displacements_and_the_axis_are_recovered(noise: float) -> None:
    aligned = align_displaced(noise)
    along, across = errors_px(aligned, jitter(), 4.0)
    assert along < 0.2
    assert across < 0.3
    assert aligned.report.residual_after < 0.6 * aligned.report.residual_before
    assert aligned.series.axis_shift_px == 0.0


def test_the_returned_images_agree_with_the_true_projections() -> None:
    aligned = align_displaced(0.0)
    first, stop = aligned.report.measured_rows
    images = aligned.series.images[:, first:stop]
    mass = images.sum(axis=(1, 2))
    assert np.ptp(mass) / mass.mean() < 0.02
    u = np.arange(SIZE) - (SIZE - 1) / 2
    centres = (images.sum(axis=1) @ u) / mass
    tilts = np.deg2rad(ANGLES_DEG)
    path = np.stack([np.cos(tilts), np.sin(tilts)], axis=1)
    rest = centres - path @ np.linalg.lstsq(path, centres, rcond=None)[0]
    assert np.sqrt((rest**2).mean()) < 0.25


def test_an_axis_off_centre_alone_is_reported_as_that() -> None:
    aligned = align(needle(np.zeros((len(ANGLES_DEG), 2)), axis_px=5.0))
    assert aligned.report.axis_shift_px == pytest.approx(5.0, abs=0.3)
    assert np.abs(aligned.report.shifts_px).max() < 0.4


def test_an_aligned_series_is_left_alone() -> None:
    series = needle(np.zeros((len(ANGLES_DEG), 2)), noise=0.03)
    aligned = align(series)
    assert np.abs(aligned.report.shifts_px).max() < 0.3
    assert abs(aligned.report.axis_shift_px) < 0.3
    restored = aligned.series.images + aligned.report.background[:, None, None]
    assert np.abs(restored - series.images).max() < 0.05 * SCALE


@pytest.mark.slow
def test_a_leaning_axis_is_turned_upright() -> None:
    every = simulated_needle.needle(simulated_needle.jitter(), axis_px=2.0, axis_deg=3.0)
    aligned = align(every.tilts(np.arange(0, every.n_tilts, 2)))
    assert aligned.report.axis_rotation_deg == pytest.approx(3.0, abs=0.5)


def test_negatives_are_kept_and_the_background_is_recorded() -> None:
    aligned = align_displaced(0.05)
    report, images = aligned.report, aligned.series.images
    assert report.background_removed
    np.testing.assert_allclose(report.background, LEVEL, atol=0.02 * SCALE)
    corner = images[:, -6:, -6:]
    assert (corner < 0).mean() == pytest.approx(0.5, abs=0.15)


def test_contrast_may_be_reversed() -> None:
    series = needle(jitter(), axis_px=4.0)
    aligned = align(replace(series, images=-series.images))
    assert max(errors_px(aligned, jitter(), 4.0)) < 0.3
    assert not aligned.report.background_removed


def test_phase_correlation_recovers_the_shifts_to_a_quarter_of_a_pixel() -> None:
    aligned = align(needle(jitter(), axis_px=4.0, noise=0.02), shifts_by="phase-correlation")
    assert aligned.report.method == "a chain of neighbours by phase correlation"
    assert max(errors_px(aligned, jitter(), 4.0)) < 0.25


@pytest.mark.parametrize(
    ("shifts_by", "words"),
    [
        ("phase-correlation", ["a chain of neighbours by phase correlation"]),
        ("cross-correlation", ["a chain of neighbours"]),
        ("centre-of-mass", ["centres of mass"]),
        ("common-line", ["common lines and centres of mass"]),
        (
            "best",
            ["common lines and centres of mass", "centres of mass", "a chain of neighbours"],
        ),
    ],
)
def test_the_first_guess_is_made_by_the_method_that_was_chosen(
    shifts_by: ShiftMethod, words: list[str]
) -> None:
    series = needle(jitter(), noise=0.02)
    work = prepare(series.images - LEVEL, ANGLES_DEG)
    start = Pose(np.zeros_like(jitter()))
    before = work.coarse.withheld_error(start)
    names, poses = zip(*first_guesses(work, start, shifts_by), strict=True)
    assert names == ("the images as they are", *words)
    assert all(work.coarse.withheld_error(pose) < 0.7 * before for pose in poses[1:])


def test_a_method_that_needs_an_isolated_object_says_so() -> None:
    series = needle(jitter())
    images = series.images.copy()
    images[:, 20:44] += SCALE  # a bar from one side of the field to the other
    report = align(replace(series, images=images), shifts_by="common-line").report
    assert not report.isolated
    assert not report.applied
    assert "place only an object that is wholly in the field" in report.sentence


def test_progress_rises_and_the_same_input_gives_the_same_result() -> None:
    *steps, result = iter_align(needle(jitter(), axis_px=4.0, noise=0.05))
    assert isinstance(result, Aligned)
    assert all(isinstance(step, Progress) for step in steps)
    fractions = [step.fraction for step in steps]
    assert fractions == sorted(fractions)
    assert fractions[0] == 0.0
    assert fractions[-1] <= 1.0
    json.dumps(result.report.to_dict(), allow_nan=False)
    first = align_displaced(0.05)
    np.testing.assert_array_equal(result.report.shifts_px, first.report.shifts_px)
    np.testing.assert_array_equal(result.series.images, first.series.images)
