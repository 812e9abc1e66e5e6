"""Time left, from how far a job is."""

from __future__ import annotations

import time

from ..pipeline.pipeline import Progress

#: Neither seconds nor fractions below these say anything about the rest.
LEAST_SECONDS, LEAST_FRACTION = 1.0, 0.02


class Stopwatch:
    """Starts when it is made; see `progress`."""

    def __init__(self) -> None:
        self._start = time.monotonic()

    def progress(self, stage: str, fraction: float) -> Progress:
        """Say how far the job is (0 to 1), and how long the rest takes at this pace."""
        elapsed, fraction = time.monotonic() - self._start, min(fraction, 1.0)
        is_early = elapsed < LEAST_SECONDS or fraction < LEAST_FRACTION
        left = None if is_early else elapsed * (1.0 - fraction) / fraction
        return Progress(stage, fraction, left)
