"""The slices on which the costlier checks are made."""

from __future__ import annotations

from ..tilt_series import TiltSeries

#: From the middle of those asked for: neighbours add little.
SLICES = 16


def middle_slices(series: TiltSeries, slices: tuple[int, int] | None) -> tuple[int, int]:
    """Start and stop of at most 16 slices around the middle of `slices` (of all, if None)."""
    start, stop = slices or (0, series.height)
    middle = (start + stop) // 2
    return max(start, middle - SLICES // 2), min(stop, middle + SLICES // 2)
