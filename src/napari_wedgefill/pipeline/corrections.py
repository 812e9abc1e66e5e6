"""What is corrected of a series' intensities before a fill: frames, slopes, brightness."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..prepare.frames import Frames, find_frames
from ..tilt_series import TiltSeries
from .gain import TiltGain, find_gain, sum_bands
from .slope import Slope, find_slope


@dataclass(frozen=True, eq=False)
class Corrections:
    """What was found in the images of a series, in the order in which it is corrected.

    Attributes
    ----------
    frames : Frames
        Edges and corners that were never measured.
    slope : Slope
        A background that rises from one side to the other.
    gain : TiltGain
        One factor per tilt.
    """

    frames: Frames
    slope: Slope
    gain: TiltGain

    @property
    def is_corrected(self) -> bool:
        """Whether any image was changed."""
        return any(part.is_corrected for part in (self.frames, self.slope, self.gain))

    @property
    def sentence(self) -> str:
        """Say in plain words what was changed; empty if nothing was."""
        parts = (self.frames, self.slope, self.gain)
        return " ".join(part.sentence for part in parts if part.is_corrected)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for the report."""
        return {
            "frames": self.frames.to_dict(),
            "slope": self.slope.to_dict(),
            "gain": self.gain.to_dict(),
        }


def correct_intensities(series: TiltSeries) -> tuple[TiltSeries, Corrections]:
    """Find what is beyond doubt wrong with the intensities of a series, and correct it.

    Returns
    -------
    TiltSeries
        Corrected; the very one that was given where there is nothing to correct.
    Corrections
        What was found.
    """
    frames = find_frames(series)
    series = frames.correct(series)
    bands = sum_bands(series)
    slope = find_slope(series, bands)
    series = slope.correct(series)
    gain = find_gain(series, None if slope.is_corrected else bands)
    return gain.correct(series), Corrections(frames, slope, gain)
