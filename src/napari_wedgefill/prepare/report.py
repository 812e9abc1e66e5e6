"""What an alignment did, in figures and in one sentence."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..tilt_series import TiltSeries
from .bad_images import BadImage
from .measured_extents import Inside

#: Said of what was aligned although the borders of its images show something else at every tilt.
LEAVES_FIELD = (
    " The object leaves the field, so that the tilt axis is less sure than the shifts: look at it "
    "in a slice."
)


@dataclass(frozen=True, eq=False)
class AlignmentReport:
    """What was found and what was changed.

    Attributes
    ----------
    shifts_px : ndarray, float64, (n_tilts, 2)
        By how much (y, x) each image's content was moved, the tilt axis' own shift apart.
    axis_shift_px : float
        Where the tilt axis lay in the input, along x from ``(w - 1) / 2``; it is at 0 now.
    axis_rotation_deg : float
        Rotation of the tilt axis in the input; it is along y now.
    residual_before, residual_after : float
        Share of the images that the other tilts fail to predict: 0 is perfect, 1 is nothing
        right.
    residual_by_tilt : ndarray, float64, (n_tilts,)
        The same share for each image, after.
    background : ndarray, float64, (n_tilts,)
        Intensity of empty space found in each image.
    background_removed : bool
        Whether that intensity was subtracted from the returned images.
    isolated : bool
        Whether the object is wholly inside the field across the axis.
    measured_rows : tuple of int
        First and past-the-last row that every tilt measured; the other rows are partly filled.
    applied : bool
        False where the images agreed no better after than before, and were not moved.
    method : str
        Of several first guesses, the one that predicted withheld tilts best.
    reason : str
        Why the images were not moved; empty where they were.
    axis_doubt : str
        Why the tilt axis may lie across the images, in a sentence; empty where it does not.
    shift_doubt : str
        Why the shifts may be wrong by whole periods of the specimen, in a sentence; empty where
        it does not repeat itself.
    left_out : tuple of BadImage
        Images of the input that show nothing of the specimen; the aligned series lacks them.
    kept : ndarray of int, (n_tilts,)
        Indices in the input of the images of the aligned series.
    seconds : float
        Time taken.
    inside : Inside or None
        What was measured of images that were padded: the columns that the series has now; its rows
        are those that it had.
    """

    shifts_px: NDArray[np.float64]
    axis_shift_px: float
    axis_rotation_deg: float
    residual_before: float
    residual_after: float
    residual_by_tilt: NDArray[np.float64]
    background: NDArray[np.float64]
    background_removed: bool
    isolated: bool
    measured_rows: tuple[int, int]
    applied: bool
    method: str
    reason: str
    axis_doubt: str
    shift_doubt: str
    left_out: tuple[BadImage, ...]
    kept: NDArray[np.int64]
    seconds: float
    inside: Inside | None = None

    @property
    def sentence(self) -> str:
        """The outcome in plain words."""
        left_out = (f"{bad.sentence[:-1]}; it was left out." for bad in self.left_out)
        doubts = filter(None, [self.axis_doubt, self.shift_doubt])
        told = " ".join(["", *doubts, *self._say_padding(), *left_out])
        if not self.applied:
            return (
                f"The images were left where they are: they disagree by "
                f"{100 * self.residual_before:.1f} %, but {self.reason}.{told}"
            )
        y, x = np.sqrt((self.shifts_px**2).mean(axis=0))
        turned = f" and turned by {self.axis_rotation_deg:.2f} degrees" * bool(
            self.axis_rotation_deg
        )
        return (
            f"Images were moved by {x:.1f} px across and {y:.1f} px along the tilt axis (rms); "
            f"the axis was {self.axis_shift_px:.1f} px off centre{turned}; the images' "
            f"disagreement fell from {100 * self.residual_before:.1f} % to "
            f"{100 * self.residual_after:.1f} %.{LEAVES_FIELD * (not self.isolated)}{told}"
        )

    def _say_padding(self) -> list[str]:
        if self.inside is None:
            return []
        left, right = self.inside.columns
        return [f"The images were padded; their columns {left}:{right} were measured and are used."]

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, lists and strings, ready for JSON."""
        return {
            "sentence": self.sentence,
            "applied": self.applied,
            "shifts_px": [[round(float(v), 4) for v in row] for row in self.shifts_px],
            "axis_shift_px": round(self.axis_shift_px, 4),
            "axis_rotation_deg": round(self.axis_rotation_deg, 4),
            "residual_before": round(self.residual_before, 6),
            "residual_after": round(self.residual_after, 6),
            "residual_by_tilt": [round(float(v), 6) for v in self.residual_by_tilt],
            "background": [float(level) for level in self.background],
            "background_removed": self.background_removed,
            "isolated": self.isolated,
            "measured_rows": list(self.measured_rows),
            "inside": None if self.inside is None else asdict(self.inside),
            "method": self.method,
            "axis_doubt": self.axis_doubt,
            "shift_doubt": self.shift_doubt,
            "left_out": [
                {"image": bad.tilt, "angle_deg": bad.angle_deg, "reason": bad.reason}
                for bad in self.left_out
            ],
            "seconds": round(self.seconds, 2),
        }


class Aligned(NamedTuple):
    """The aligned series and what was done to it."""

    series: TiltSeries
    report: AlignmentReport
