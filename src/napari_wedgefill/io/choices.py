"""Deciding between every source of angles, pixel size and tilt axis, of any format.

The angles have a file of their own, `chosen_angles`.

Nothing else chooses. What the sources say is collected as `Found`, compared with each other, and
wherever two disagree a sentence says who won and why.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..errors import WedgefillError
from .agreement import axes_disagree, pixels_disagree
from .axis import parse_axis, wrap_degrees
from .chosen_angles import Angles, bring_within_half_a_turn, choose_angles
from .fei_log import FeiLog
from .mdoc import Mdoc, read_mdoc
from .notes import SIGNATURE
from .sidecars import (
    DERIVED,
    axis_from_aretomo,
    axis_from_transforms,
    is_aligned_stack,
    log_beside,
    mdoc_beside,
    without_compression,
)
from .stack import Found, Given, Origin, Stack

#: Edges of a pixel that differ by more are not rounded, but unequal.
SAME_EDGE = 1e-3


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

    angles_deg: Found[Angles]
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
    stack: Stack, given: Given | None = None, *, settled: Found[Angles] | None = None
) -> Choices:
    """Decide on angles, pixel size and tilt axis; what the user gives comes before all else.

    Parameters
    ----------
    stack : Stack
        The images, and what their file says.
    given : Given, optional
        What the user says.
    settled : Found, optional
        Angles that were decided already, such as those of a series of one file per tilt.

    Raises
    ------
    WedgefillError
        If no angles fit the images, the file holds a volume or a montage, or a setting is wrong.
    """
    given = given or Given()
    warnings = list(stack.warnings)
    mdoc, log = _mdoc(stack, given), log_beside(stack.path)
    angles = settled or choose_angles(stack, given, log, warnings)
    angles = bring_within_half_a_turn(stack, angles, warnings)
    pixel = _pixel(stack, mdoc, log, given.pixel_nm, warnings)
    axis = _axis(stack, mdoc, log, given.axis, warnings)
    # Row 0 is at the bottom, so the picture's counter-clockwise is that of the array with row 0 on
    # top; see `axis`.
    return Choices(angles, pixel, wrap_degrees(axis.value), axis.source, warnings)


def _mdoc(stack: Stack, given: Given) -> Mdoc | None:
    """Return the mdoc that was given, that describes the folder, or that lies beside the images."""
    for path in (given.angles, stack.mdoc_path):
        if isinstance(path, (str, Path)) and Path(path).suffix.lower() == ".mdoc":
            return read_mdoc(path)
    return mdoc_beside(stack.path)


def _pixel(
    stack: Stack,
    mdoc: Mdoc | None,
    log: FeiLog | None,
    given: float | None,
    warnings: list[str],
) -> Found[float] | None:
    if given is not None:
        if not np.isfinite(given) or given <= 0:
            raise WedgefillError(f"pixel size {given} nm: give a positive number of nanometres.")
        return Found(float(given), "given", Origin.GIVEN)
    found = list(stack.pixels_found)
    if mdoc is not None and mdoc.pixel_nm is not None:
        found.append(Found(mdoc.pixel_nm, mdoc.path.name, Origin.MDOC))
    if log is not None and log.pixel is not None:
        found.append(log.pixel)
    if not found:
        reason = f" ({stack.pixel_doubt})" if stack.pixel_doubt else ""
        warnings.append(f"The pixel size is unknown{reason}; give it for scale bars and exports.")
        return None
    chosen = found[0]
    if stack.voxel_nm is not None and chosen in stack.pixels_found:
        _, y_nm, x_nm = stack.voxel_nm
        if not math.isclose(x_nm, y_nm, rel_tol=SAME_EDGE) and x_nm == chosen.value:
            warnings.append(
                f"{stack.path.name}: its pixels are {x_nm:.4g} nm wide and {y_nm:.4g} nm high by "
                f"its {chosen.source}; the width is used for both, so resample the images if that "
                f"is true."
            )
    for other in found[1:]:
        if pixels_disagree(chosen.value, other.value) and not _is_binning(stack, chosen, other):
            warnings.append(
                f"The pixel size is {chosen.value:.4g} nm by {chosen.source} and "
                f"{other.value:.4g} nm by {other.source}; {chosen.source} is used, for programs "
                f"that bin keep it up to date."
            )
    return chosen


def _is_binning(stack: Stack, chosen: Found[float], raw: Found[float]) -> bool:
    """Tell whether a stack that IMOD derived is binned from the raw one that the mdoc describes."""
    ratio = chosen.value / raw.value
    is_derived = without_compression(stack.path).stem.lower().endswith(DERIVED)
    return is_derived and round(ratio) >= 2 and abs(ratio - round(ratio)) < 0.02 * ratio


def _axis(
    stack: Stack,
    mdoc: Mdoc | None,
    log: FeiLog | None,
    given: str | float | None,
    warnings: list[str],
) -> Found[float]:
    if given is not None:
        return Found(parse_axis(given), "given", Origin.GIVEN)
    found, notes = _every_axis(stack, mdoc, log)
    if found and SIGNATURE in found[0].source:
        return found[0]  # we turned it ourselves, whatever the records of the raw stack say
    if is_aligned_stack(stack.path):
        return _axis_of_aligned(stack, found, warnings)
    warnings += notes
    if not found:
        warnings.append("Nothing says where the tilt axis lies; it is taken to be along image y.")
        return Found(0.0, "assumed along y")
    chosen = found[0]
    for other in found[1:]:
        if axes_disagree(chosen.value, other.value):
            warnings.append(
                f"The tilt axis lies at {chosen.value:g} degrees by {chosen.source} and at "
                f"{other.value:g} degrees by {other.source}; {chosen.source} is used."
            )
    if "label" in chosen.source and chosen.value and _was_transformed(stack):
        warnings.append(
            f"The tilt axis of {chosen.value:g} degrees was noted before IMOD transformed the "
            f"images; give axis y if they are aligned already."
        )
    return chosen


def _every_axis(
    stack: Stack, mdoc: Mdoc | None, log: FeiLog | None
) -> tuple[list[Found[float]], list[str]]:
    """Collect directions of the axis, best first, and notes on how they were understood."""
    notes: list[str] = []
    labels = [one for one in stack.axes_found if "label" in one.source]
    # The records of old FEI files are less trustworthy than the log and titles that people read.
    records = [one for one in stack.axes_found if "label" not in one.source]
    found = list(labels)
    if mdoc is not None:
        in_mdoc, note = mdoc.axis()
        if in_mdoc is not None:
            found.append(in_mdoc)
        if note:
            notes.append(note)
    if log is not None and log.axis is not None:
        found.append(log.axis)
    found += records
    beside = (axis_from_transforms(stack.path), axis_from_aretomo(stack.path))
    return found + [one for one in beside if one is not None], notes


def _axis_of_aligned(stack: Stack, found: list[Found[float]], warnings: list[str]) -> Found[float]:
    """Take a stack named aligned for upright, unless that is only a name.

    Alignment turns the axis upright, but the records of where it was are copied along. IMOD notes
    in a label that it transformed the images. Where nothing does and FEI's own log or header says
    that the axis lies elsewhere, the stack is a raw one with a hopeful name.
    """
    upright = Found(0.0, "the file's name says that it is aligned", Origin.NAMES)
    elsewhere = [one for one in found if axes_disagree(one.value, 0.0)]
    if not elsewhere or _was_transformed(stack):
        return upright
    best = elsewhere[0]
    is_feis = best.origin is Origin.LOG or "extended header" in best.source
    if is_feis:
        warnings.append(
            f"{stack.path.name}: its name says that it is aligned, but nothing in it says that the "
            f"images were turned, and {best.source} puts the tilt axis at {best.value:g} degrees; "
            f"{best.source} is used, so give axis y if the images are upright."
        )
        return best
    warnings.append(
        f"{stack.path.name}: its name says that it is aligned, while {best.source} puts the tilt "
        f"axis of the raw stack at {best.value:g} degrees; the name is used, so give the axis if "
        f"the images were never turned."
    )
    return upright


def _was_transformed(stack: Stack) -> bool:
    return any("transformed" in label for label in stack.labels)
