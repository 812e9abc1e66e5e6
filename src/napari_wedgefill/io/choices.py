"""Deciding between every source of angles, pixel size and tilt axis, of any format.

Nothing else chooses. What the sources say is collected as `Found`, compared with each other, and
wherever two disagree a sentence says who won and why.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ..errors import WedgefillError
from ..tilt_series import MAX_TILT_DEG
from .agreement import are_permuted, axes_disagree, disagreement_of_angles, pixels_disagree
from .angles import angles_from_text, read_angles
from .axis import parse_axis, wrap_degrees
from .fei_log import FeiLog
from .mdoc import Mdoc, read_mdoc
from .notes import SIGNATURE
from .sidecars import (
    ANGLE_SIDECARS,
    DERIVED,
    angle_sidecars,
    axis_from_aretomo,
    axis_from_transforms,
    is_aligned_stack,
    log_beside,
    may_be_something_else,
    mdoc_beside,
    without_compression,
)
from .stack import Found, Given, Origin, Stack

Angles = NDArray[np.float64]
FULL_TURN_DEG = 360.0
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
    angles = settled or _angles(stack, given, log, warnings)
    angles = _within_half_a_turn(stack, angles, warnings)
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


def find_stack_angles(stack: Stack, warnings: list[str]) -> Found[Angles] | None:
    """Choose the angles of a stack from all that lies in and beside its file, or None.

    Sentences about sources that do not fit, cannot be read or contradict the choice are appended
    to `warnings`.
    """
    return _best(stack, _every_angle(stack, log_beside(stack.path), warnings), warnings)


def _every_angle(stack: Stack, log: FeiLog | None, warnings: list[str]) -> list[Found[Angles]]:
    """Collect angles from the sidecars, the file itself and the log, whatever their number."""
    found: list[Found[Angles]] = []
    for sidecar, origin in angle_sidecars(stack.path):
        try:
            angles = read_angles(sidecar, stack.n)
        except WedgefillError as error:
            if not may_be_something_else(sidecar):
                warnings.append(f"{str(error).rstrip('.')}; it was not used.")
            continue
        if may_be_something_else(sidecar) and np.abs(angles).max() > FULL_TURN_DEG:
            continue
        found.append(Found(angles, sidecar.name, origin))
    found += stack.angles_found
    # A log states what was planned; where the acquisition ended otherwise it is of no use.
    if log is not None and log.angles is not None and len(log.angles.value) == stack.n:
        found.append(log.angles)
    return sorted(found, key=lambda one: one.origin)


def _best(stack: Stack, found: list[Found[Angles]], warnings: list[str]) -> Found[Angles] | None:
    """Choose among lists of angles, best first; tell of misfits and contradictions."""
    fitting = []
    for one in found:
        if len(one.value) == stack.n:
            fitting.append(one)
        else:
            holds = f"{one.source} holds {len(one.value)} angles"
            if one.origin is Origin.FILE:
                holds = f"its {holds}"
            warnings.append(f"{holds}, but {stack.path.name} {stack.n} images; it was not used.")
    if not fitting:
        return None
    chosen = fitting[0]
    why = _WHY.get(chosen.origin, "")
    own = next((one for one in fitting if one.origin is Origin.FILE), None)
    if own is not None and chosen.origin is not Origin.FILE:
        is_mdoc = chosen.origin is Origin.MDOC
        differs = bool(disagreement_of_angles(chosen.value, own.value))
        if are_permuted(chosen.value, own.value) or (is_mdoc and differs):
            # Lists are sorted and mdocs are in the order of acquisition, while a header that holds
            # an angle for every image was written, or moved, together with the image.
            chosen, why = own, "they were written with the images"
    for one in fitting:
        if one is chosen:
            continue
        words = disagreement_of_angles(chosen.value, one.value)
        if words:
            warnings.append(
                f"The tilt angles by {chosen.source} and by {one.source} contradict each other: "
                f"{words}. Those by {chosen.source} are used, for {why}."
            )
    return chosen


_WHY = {
    Origin.REFINED: "a .tlt holds the angles that an alignment refined",
    Origin.NOMINAL: "a .rawtlt is kept for this stack",
    Origin.MDOC: "an mdoc is the microscope's own record",
    Origin.LIST: "a list beside the images comes before what their file says",
    Origin.FILE: "they were written with the images",
}


def _angles(stack: Stack, given: Given, log: FeiLog | None, warnings: list[str]) -> Found[Angles]:
    name = stack.path.name
    if given.angles is not None:
        return _given_angles(stack, given, log, warnings)
    if stack.is_montage:
        raise WedgefillError(
            f"{name}: this is a montage of image pieces; blend it into whole images first."
        )
    misfits: list[str] = []
    found = _best(stack, _every_angle(stack, log, misfits), misfits)
    if found is not None:
        warnings += misfits
        return found
    if stack.volume_because:
        beside = f" ({misfits[0].removesuffix('.')})" if misfits else ""
        raise WedgefillError(
            f"{name}: this looks like a volume ({stack.volume_because}), not a tilt series; if it "
            f"is one, give its angles in a file{beside}."
        )
    if misfits:
        told = misfits[0].removesuffix("; it was not used.")
        told = told.removeprefix(f"{name}: ")
        what_to_do = "." if "; " in told else "; give one angle per image."
        raise WedgefillError(f"{name}: {told}{what_to_do}")
    names = ", ".join(stack.path.stem + suffix for suffix in list(ANGLE_SIDECARS)[:3])
    raise WedgefillError(
        f"{name}: no tilt angles were found in the file or beside it ({names}); give a file "
        f"with one angle per image."
    )


def _given_angles(
    stack: Stack, given: Given, log: FeiLog | None, warnings: list[str]
) -> Found[Angles]:
    """Take the angles that the user gave, and tell where what was found says otherwise."""
    angles, source = read_given_angles(given, stack.n)
    if len(angles) != stack.n:
        raise WedgefillError(
            f"{stack.path.name}: it holds {stack.n} images, but {source} {len(angles)} angles; "
            f"give one angle per image."
        )
    chosen = Found(angles, f"{source} (given)", Origin.GIVEN)
    for one in _every_angle(stack, log, []):
        if len(one.value) != stack.n:  # the user chose the list that fits
            continue
        words = disagreement_of_angles(angles, one.value)
        if words:
            warnings.append(
                f"The tilt angles given and those by {one.source} contradict each other: {words}. "
                f"The given ones are used."
            )
    return chosen


def read_given_angles(given: Given, n_images: int) -> tuple[Angles, str]:
    """Read the angles that the user gave: (degrees, where they came from in words)."""
    angles = given.angles
    if isinstance(angles, (str, Path)):
        path = Path(angles)
        if isinstance(angles, Path) or path.suffix.lower().strip(".").isalpha() or path.exists():
            return read_angles(path, n_images), path.name
        return angles_from_text(angles, n_images), f"'{angles.strip()}'"
    try:
        values = np.asarray(angles, dtype=np.float64).ravel()
    except (TypeError, ValueError):
        values = np.array([np.nan])
    if not np.isfinite(values).all():
        raise WedgefillError("The tilt angles given are not all numbers; give degrees.")
    return values, "an array"


def _within_half_a_turn(stack: Stack, found: Found[Angles], warnings: list[str]) -> Found[Angles]:
    """Bring angles of a full turn, such as 0 to 350, to -180 to 180: the same directions."""
    largest = float(np.abs(found.value).max(initial=0.0))
    if largest <= MAX_TILT_DEG:
        return found
    span = float(np.ptp(found.value))
    if max(largest, span) > FULL_TURN_DEG:
        what = (
            f"a tilt angle of {largest:.1f} degrees was"
            if largest > FULL_TURN_DEG
            else f"tilt angles that span {span:.1f} degrees, more than one turn, were"
        )
        raise WedgefillError(
            f"{stack.path.name}: {what} found ({found.source}); angles are degrees within one "
            f"turn{_guess_unit(found.value)}."
        )
    warnings.append(
        f"Angles of {found.source} above 180 degrees are counted downwards: "
        f"{largest:g} is {wrap_degrees(largest):g}."
    )
    return Found(
        np.array([wrap_degrees(float(a)) for a in found.value]), found.source, found.origin
    )


def _guess_unit(angles: Angles) -> str:
    """Say what to do with angles beyond one turn: one wrong number, or all in another unit."""
    is_whole = bool(np.all(angles == np.round(angles)))
    size = float(np.abs(angles).max())
    if is_whole and float(np.median(np.abs(angles))) > 90.0 and size <= 100.0 * MAX_TILT_DEG:
        return ", and these look like hundredths of a degree; divide them by 100"
    return "; correct the list, or give another with --angles"


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
