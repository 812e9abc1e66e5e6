"""Which directions were measured, in numbers."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..geometry import median_step_deg, widest_gap_deg


@dataclass(frozen=True)
class MeasuredRange:
    """The tilts of a series, summed up.

    Attributes
    ----------
    n_tilts : int
        Images.
    first_deg, last_deg : float
        Outermost tilts.
    step_deg : float
        Median distance of neighbouring tilts.
    missing_deg : float
        Extent of the missing wedge: the widest gap between directions, modulo 180 degrees.
    missing_middle_deg : float
        Its middle, in [0, 180): 90 where the wedge lies around the beam at 0 degrees.
    widest_step_deg : float
        Widest distance of neighbouring tilts inside the range; a lost image shows here.
    """

    n_tilts: int
    first_deg: float
    last_deg: float
    step_deg: float
    missing_deg: float
    missing_middle_deg: float
    widest_step_deg: float

    @classmethod
    def of(cls, angles_deg: ArrayLike) -> MeasuredRange:
        """Sum up measured tilts in degrees, (n_tilts,)."""
        angles = np.sort(np.asarray(angles_deg, dtype=np.float64))
        start, extent = widest_gap_deg(angles)
        return cls(
            int(angles.size),
            float(angles[0]),
            float(angles[-1]),
            median_step_deg(angles),
            extent,
            float(np.mod(start + extent / 2.0, 180.0)),
            float(np.diff(angles).max()),
        )

    def to_dict(self) -> dict[str, float]:
        """Plain values, for the report."""
        return {name: round(value, 4) for name, value in asdict(self).items()}
