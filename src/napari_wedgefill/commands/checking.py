"""Run the self-check with progress on the terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .progress_line import ProgressLine

if TYPE_CHECKING:
    from ..inference.pipeline import FillOptions
    from ..tilt_series import TiltSeries


def self_check_with_progress(
    series: TiltSeries, options: FillOptions, progress: ProgressLine
) -> dict[str, Any]:
    """Withhold tilts, rebuild, predict them; print the verdict and return it for the report."""
    from ..trust.self_check import SelfCheck, iter_self_check

    result: dict[str, Any] = {}
    for step in iter_self_check(series, options):
        if isinstance(step, SelfCheck):
            result = step.to_dict()
            progress.say(step.sentence)
        else:
            progress.show(step.stage, step.fraction, step.seconds_left)
    return result
