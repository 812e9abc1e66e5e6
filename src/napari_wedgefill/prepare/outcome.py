"""What a preparation found and did: for the reader, for a recipe, and for another signal."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import __version__
from ..errors import WedgefillError
from ..tilt_series import TiltSeries
from .options import PrepareOptions
from .pose import Pose
from .report import AlignmentReport

Doubles = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Found:
    """What a preparation found of one signal and may be applied to another of the same tilts.

    Attributes
    ----------
    kept : ndarray of int, (n_kept,)
        Indices, in the series as it was read, of the images that were kept.
    angles_deg : ndarray, float64, (n_kept,)
        Their angles after correction.
    pose : Pose
        Displacements and tilt axis, px of the images after cropping and binning.
    all_angles_deg : ndarray, float64, (n_tilts,)
        Angles of the series as it was read.
    shape : tuple of int
        Height and width after cropping and binning.
    sentence : str
        Where it is from, for the history of a series that it is applied to.
    """

    kept: NDArray[np.int64]
    angles_deg: Doubles
    pose: Pose
    all_angles_deg: Doubles
    shape: tuple[int, int]
    sentence: str = "The shifts and the tilt axis were taken from another series."

    def leave_out(self, left_out: Collection[int], name: str) -> Found:
        """Leave more images out.

        Raises
        ------
        WedgefillError
            If an image is wanted that has no shift.
        """
        wanted = np.setdiff1d(np.arange(len(self.all_angles_deg)), list(left_out))
        lacking = np.setdiff1d(wanted, self.kept)
        if lacking.size:
            raise WedgefillError(
                f"{name}: image {lacking[0]} was not used when the shifts were found, so it has "
                f"none; leave it out, or have the shifts found anew."
            )
        stays = np.isin(self.kept, wanted)
        pose = replace(self.pose, offsets_px=self.pose.offsets_px[stays])
        return replace(self, kept=self.kept[stays], angles_deg=self.angles_deg[stays], pose=pose)

    def turn_axis(self, turn_deg: float, move_px: float) -> Found:
        """Turn and move the tilt axis, as one sees it in the images that this has aligned."""
        return replace(
            self,
            pose=self.pose.turn_axis(turn_deg, move_px),
            sentence=f"The tilt axis was turned by {turn_deg:+.2f} degrees and moved by "
            f"{move_px:+.2f} px by hand.",
        )

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and lists, ready for JSON; `recipe.read_found` reads it."""
        return {
            "kept": [int(k) for k in self.kept],
            "angles_deg": [float(a) for a in self.angles_deg],
            "offsets_px": [[float(v) for v in row] for row in self.pose.offsets_px],
            "axis_shift_px": float(self.pose.axis_shift_px),
            "axis_deg": float(self.pose.axis_deg),
            "all_angles_deg": [float(a) for a in self.all_angles_deg],
            "shape": list(self.shape),
        }


@dataclass(frozen=True)
class TiltRow:
    """One line of the table of tilts.

    Attributes
    ----------
    tilt : int
        Index in the series as it was read, in the order of its angles.
    angle_deg : float
        Angle after correction.
    shift_along_px, shift_across_px : float
        By how much the image was moved; 0 where it is not used.
    residual : float or None
        Share of the image that the other tilts fail to predict; None where it is not used.
    use : bool
        Whether the image is in the result.
    reason : str
        Why it is not, or what is said against it; empty for a good image.
    """

    tilt: int
    angle_deg: float
    shift_along_px: float
    shift_across_px: float
    residual: float | None
    use: bool
    reason: str


@dataclass(frozen=True, eq=False)
class PrepareReport:
    """What a preparation did.

    Attributes
    ----------
    options : PrepareOptions
        What was asked for.
    history : tuple of str
        What was done, a sentence a step, in order.
    tilts : tuple of TiltRow
        Every image of the series as it was read.
    alignment : AlignmentReport or None
        What the alignment did; None where none was asked for or shifts were given.
    found : Found
        For another signal of the same tilts, or to repeat it.
    """

    options: PrepareOptions
    history: tuple[str, ...]
    tilts: tuple[TiltRow, ...]
    alignment: AlignmentReport | None
    found: Found

    def to_dict(self) -> dict[str, Any]:
        """Recipe, history, table and shifts, ready for JSON."""
        return {
            "program": f"napari-wedgefill {__version__}",
            "recipe": self.options.to_dict(),
            "history": list(self.history),
            "tilts": [vars(row) for row in self.tilts],
            "alignment": None if self.alignment is None else self.alignment.to_dict(),
            "found": self.found.to_dict(),
        }


@dataclass(frozen=True, eq=False)
class Prepared:
    """The prepared series and what was done to it."""

    series: TiltSeries
    report: PrepareReport


def make_table(
    found: Found, residuals: Doubles | None, reasons: dict[int, str]
) -> tuple[TiltRow, ...]:
    """Make the table of all tilts of the series as it was read, used or not."""
    place_of = {int(tilt): place for place, tilt in enumerate(found.kept)}
    rows = []
    for tilt, angle in enumerate(found.all_angles_deg):
        place = place_of.get(tilt)
        if place is None:
            why = reasons.get(tilt, "left out by hand")
            rows.append(TiltRow(tilt, float(angle), 0.0, 0.0, None, False, why))
            continue
        along, across = -found.pose.offsets_px[place]
        residual = None if residuals is None else float(residuals[place])
        rows.append(
            TiltRow(
                tilt,
                float(found.angles_deg[place]),
                float(along),
                float(across),
                residual,
                True,
                reasons.get(tilt, ""),
            )
        )
    return tuple(rows)
