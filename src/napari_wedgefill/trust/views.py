"""Four ways to look at the same measurements: those that leave the tilt axis where it is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..tilt_series import TiltSeries

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class View:
    """One of the ways to look at the same measurements.

    Attributes
    ----------
    name : str
        For people.
    mirrors_images, negates_angles : bool
        What is done to the images, along x, and to their angles.
    """

    name: str
    mirrors_images: bool
    negates_angles: bool

    def of(self, series: TiltSeries) -> TiltSeries:
        """Return the series as this view has it; the images are not copied."""
        series = series.mirrored() if self.mirrors_images else series
        return series.negated() if self.negates_angles else series

    def undo(self, volume: Floats) -> Floats:
        """Turn a volume (z, y, x) of this view back."""
        if self.mirrors_images != self.negates_angles:
            volume = volume[::-1]
        return volume[:, :, ::-1] if self.mirrors_images else volume


AS_MEASURED = View("as measured", False, False)
OTHER_VIEWS = (
    View("turned by 180 degrees", True, False),
    View("mirrored in x", True, True),
    View("mirrored in z", False, True),
)
