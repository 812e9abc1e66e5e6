"""Deciding between what a file, its sidecars and the user say about angles, pixel size and axis."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import WedgefillError
from .angles import read_angles
from .axis import parse_axis, wrapped
from .mdoc import Mdoc
from .sidecars import (
    ANGLE_SIDECARS,
    angle_sidecars,
    axis_from_sidecars,
    is_aligned_stack,
    mdoc_beside,
    pixel_from_sidecars,
)
from .stack import Found, Stack


@dataclass(frozen=True)
class Choices:
    """What was decided about a stack of images.

    Attributes
    ----------
    angles_deg : Found of ndarray, (n,)
        In the order of the images in the file.
    pixel_nm : Found of float, or None
    rotation_deg : float
        By how much the images must be turned, counter-clockwise as drawn with row 0 on top.
    axis_source : str
        Where the position of the tilt axis was found.
    warnings : list of str
    """

    angles_deg: Found[NDArray[np.float64]]
    pixel_nm: Found[float] | None
    rotation_deg: float
    axis_source: str
    warnings: list[str] = field(default_factory=list)

    @property
    def sources(self) -> dict[str, str]:
        """Where each value was found."""
        return {
            "angles_deg": self.angles_deg.source,
            "pixel_nm": "not found" if self.pixel_nm is None else self.pixel_nm.source,
            "tilt_axis": self.axis_source,
        }


def choose(
    stack: Stack,
    *,
    angles: str | Path | Found[NDArray[np.float64]] | None = None,
    pixel_nm: float | None = None,
    axis: str | float | None = None,
) -> Choices:
    """Decide on angles, pixel size and tilt axis; what the user gives comes before all else.

    Parameters
    ----------
    stack : Stack
        The images.
    angles : path or Found, optional
        File of angles that the user gave, or angles settled already; else they are looked for.
    pixel_nm, axis
        As in `read_tilt_series`.

    Raises
    ------
    WedgefillError
        If no angles fit the images, the file holds a volume or a montage, or a setting is wrong.
    """
    warnings = list(stack.warnings)
    mdoc = mdoc_beside(stack.path)
    found_angles = angles if isinstance(angles, Found) else _angles(stack, angles, warnings)
    pixel = _pixel(stack, mdoc, pixel_nm, warnings)
    found_axis = _axis(stack, mdoc, axis, warnings)
    # Angles are counted as the picture is seen; with row 0 at the bottom the array is its mirror.
    rotation = wrapped(found_axis.value if stack.rows_point_up else -found_axis.value)
    return Choices(found_angles, pixel, rotation, found_axis.source, warnings)


def find_stack_angles(stack: Stack, warnings: list[str]) -> Found[NDArray[np.float64]] | None:
    """Angles from the sidecars or the file itself whose number fits the images, or None.

    Sidecars that do not fit are passed over with a warning, appended to `warnings`.
    """
    for sidecar in angle_sidecars(stack.path):
        angles = read_angles(sidecar)
        if len(angles) == stack.n:
            return Found(angles, sidecar.name)
        warnings.append(
            f"{sidecar.name} holds {len(angles)} angles, but {stack.path.name} {stack.n} images; "
            f"it was not used."
        )
    return stack.angles_deg


def _angles(
    stack: Stack, given: str | Path | None, warnings: list[str]
) -> Found[NDArray[np.float64]]:
    name = stack.path.name
    if given is not None:
        angles = read_angles(given)
        if len(angles) != stack.n:
            raise WedgefillError(
                f"{name}: it holds {stack.n} images, but {Path(given).name} {len(angles)} angles; "
                f"give one angle per image."
            )
        return Found(angles, f"{Path(given).name} (given)")
    if stack.is_montage:
        raise WedgefillError(
            f"{name}: this is a montage of image pieces; blend it into whole images first."
        )
    misfits: list[str] = []
    found = find_stack_angles(stack, misfits)
    if found is not None:
        warnings += misfits
        return found
    if misfits:
        raise WedgefillError(
            f"{name}: {misfits[0].removesuffix('; it was not used.')}; give one angle per image."
        )
    if stack.volume_because:
        raise WedgefillError(
            f"{name}: this looks like a volume ({stack.volume_because}), not a tilt series; if it "
            f"is one, give its angles in a file."
        )
    names = ", ".join(stack.path.stem + suffix for suffix in ANGLE_SIDECARS)
    raise WedgefillError(
        f"{name}: no tilt angles were found in the file or beside it ({names}); give a file "
        f"with one angle per image."
    )


def _pixel(
    stack: Stack, mdoc: Mdoc | None, given: float | None, warnings: list[str]
) -> Found[float] | None:
    if given is not None:
        if not np.isfinite(given) or given <= 0:
            raise WedgefillError(f"pixel size {given} nm: give a positive number of nanometres.")
        return Found(float(given), "given")
    found = stack.pixel_nm or pixel_from_sidecars(stack.path, mdoc)
    if found is None:
        reason = f" ({stack.pixel_doubt})" if stack.pixel_doubt else ""
        warnings.append(f"The pixel size is unknown{reason}; give it for scale bars and exports.")
    return found


def _axis(
    stack: Stack, mdoc: Mdoc | None, given: str | float | None, warnings: list[str]
) -> Found[float]:
    if given is not None:
        return Found(parse_axis(given), "given")
    if is_aligned_stack(stack.path):
        # Alignment turns the axis upright, but the label that tells where it was is copied along.
        return Found(0.0, "the file's name says that it is aligned")
    found = stack.axis_deg
    # The records of old FEI files are less trustworthy than the log and labels that people read.
    if found is None or "extended header" in found.source:
        found = axis_from_sidecars(stack.path, mdoc) or found
    if found is None:
        warnings.append("Nothing says where the tilt axis lies; it is taken to be along image y.")
        return Found(0.0, "assumed along y")
    if "label" in found.source and any("transformed" in label for label in stack.labels):
        warnings.append(
            f"The tilt axis of {found.value:g} degrees was noted before IMOD transformed the "
            f"images; give axis y if they are aligned already."
        )
    return found
