"""Align a series with progress on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .progress_line import ProgressLine

if TYPE_CHECKING:
    from ..tilt_series import TiltSeries


def align_with_progress(
    series: TiltSeries, progress: ProgressLine
) -> tuple[TiltSeries, dict[str, Any]]:
    """Align, say in a sentence what was done, and return the series and the report for JSON."""
    from ..prepare import Aligned, iter_align

    aligned, report = series, {}
    for step in iter_align(series):
        if isinstance(step, Aligned):
            aligned, report = step.series, step.report.to_dict()
            progress.say(step.report.sentence)
        else:
            progress.show(step.stage, step.fraction, step.seconds_left)
    return aligned, report
