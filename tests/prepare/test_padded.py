"""Images that were padded to a larger size: an alignment follows the specimen, not the padding."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from napari_wedgefill import FillOptions, RunOptions, iter_run
from napari_wedgefill.errors import WedgefillError
from napari_wedgefill.prepare import Aligned, align, prepare_series
from napari_wedgefill.tilt_series import TiltSeries
from tests.prepare import simulated_needle
from tests.prepare.simulated_needle import LEVEL, SIZE

EVERY = np.s_[::4]  # for speed
ROWS, COLUMNS = 6, 20


@cache
def raw() -> TiltSeries:
    """A needle that nobody aligned, with noise."""
    series = simulated_needle.needle(simulated_needle.jitter(), axis_px=4.0, noise=0.02)
    return series.tilts(np.arange(series.n_tilts)[EVERY])


def padded() -> TiltSeries:
    """The same, larger on all sides by pixels of another value."""
    sides = ((0, 0), (ROWS, ROWS), (COLUMNS, COLUMNS))
    return replace(raw(), images=np.pad(raw().images, sides, constant_values=LEVEL + 40))


@cache
def aligned() -> tuple[Aligned, Aligned]:
    """Aligned without padding, and with it."""
    return align(raw()), align(padded())


def test_an_alignment_is_that_of_the_images_without_padding() -> None:
    plain, found = aligned()
    np.testing.assert_array_equal(found.report.shifts_px, plain.report.shifts_px)
    assert found.report.axis_shift_px == plain.report.axis_shift_px
    assert found.series.images.shape[2] == SIZE
    np.testing.assert_array_equal(found.series.images[:, ROWS:-ROWS], plain.series.images)
    left, right = COLUMNS, COLUMNS + SIZE
    assert f"The images were padded; their columns {left}:{right} " in found.report.sentence
    assert "padded" not in plain.report.sentence


def test_slices_keep_their_numbers() -> None:
    plain, found = aligned()
    assert found.series.height == padded().height
    first, stop = plain.report.measured_rows
    assert found.report.measured_rows == (first + ROWS, stop + ROWS)
    assert np.ptp(found.series.images[:, :ROWS]) == 0


def test_preparing_uses_what_was_measured_and_records_it() -> None:
    prepared = prepare_series(padded())
    region = prepared.report.options.region
    assert region.rows == (ROWS, ROWS + SIZE)
    assert region.columns == (COLUMNS, COLUMNS + SIZE)
    assert any("padded to a larger size" in step for step in prepared.report.history)
    again = prepare_series(padded(), prepared.report.options)
    np.testing.assert_array_equal(again.series.images, prepared.series.images)


def test_planes_that_are_not_there_without_padding_are_refused_before_the_fill() -> None:
    depth = padded().width
    options = RunOptions(FillOptions(methods=("wbp",)), align=True, planes=(depth - 9, depth))
    with pytest.raises(WedgefillError, match=f"it has {SIZE} along the beam"):
        list(iter_run(padded(), options))
